package diff

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// limits compares what limits the roles besides their own policies: the organization, VPC
// endpoints, and the repositories of other accounts.
func (f *factParts) limits() {
	f.organization()
	type endpoint = snapshot.VPCEndpoint
	endpoints := func(s *snapshot.Snapshot) *map[string]endpoint { return &s.VPCEndpoints }
	addTable(f, table[endpoint]{
		kind: KindEndpoint, fact: snapshot.FactVPCEndpoints, of: endpoints,
		about: func(e endpoint) string { return "for " + text.OrNone(e.Service) },
		fields: []field[endpoint]{
			single("service", func(e *endpoint) *string { return &e.Service }),
			{
				name:   "subnets",
				text:   func(e endpoint) string { return routesText(e.Routes) },
				copyTo: func(to *endpoint, from endpoint) { to.Routes = from.Routes },
			},
			document("policy", iampolicy.Resource, func(e *endpoint) *string { return &e.Policy }),
		},
	})
	policy := document("policy", iampolicy.Resource, func(r *snapshot.RepositoryPolicy) *string { return &r.Document })
	policy.copyTo = func(to *snapshot.RepositoryPolicy, from snapshot.RepositoryPolicy) { *to = from }
	addTable(f, table[snapshot.RepositoryPolicy]{ // one that only one side has is of another image
		kind: KindRepository, fact: snapshot.FactRepositoryPolicies, referred: true, findBy: []snapshot.Fact{snapshot.FactEvents},
		of: func(s *snapshot.Snapshot) *map[string]snapshot.RepositoryPolicy { return &s.RepositoryPolicies },
		fields: []field[snapshot.RepositoryPolicy]{
			policy,
			flag("missing from ECR", func(r *snapshot.RepositoryPolicy) *bool { return &r.NotFound }),
		},
	})
}

// routesText returns which subnets' traffic goes through a gateway endpoint.
func routesText(r *snapshot.EndpointRoutes) string {
	if r == nil {
		return "all"
	}
	words := listed(r.Subnets)
	if r.Main {
		words = "all but " + text.OrNone(listed(r.Others)) + "; " + words
	} else if len(r.Others) > 0 {
		words += "; not " + listed(r.Others)
	}
	return words
}

// organization compares the policies of the organization, and where they are attached.
func (f *factParts) organization() {
	base := part[*snapshot.Snapshot]{kind: KindOrganization, needs: []factRef{factOf(snapshot.FactOrganization, "")}}
	older, newer := f.older.Organization, f.newer.Organization
	if older == nil || newer == nil || older.ID != newer.ID {
		base.name = "policies"
		base.value = func(s *snapshot.Snapshot) (string, bool) {
			if s.Organization == nil {
				return "", false
			}
			return s.Organization.ID, true
		}
		base.copyTo = func(to, from *snapshot.Snapshot) { to.Organization = from.Organization }
		f.add(base)
		return
	}
	base.name = newer.ID
	add := func(field string, value func(*snapshot.Organization) string, copyTo func(to, from *snapshot.Organization)) {
		p := base
		p.field = field
		p.value = func(s *snapshot.Snapshot) (string, bool) {
			words := value(s.Organization)
			return words, words != ""
		}
		p.copyTo = func(to, from *snapshot.Snapshot) {
			o := *to.Organization
			copyTo(&o, from.Organization)
			to.Organization = &o
		}
		f.add(p)
	}
	add("management account", func(o *snapshot.Organization) string { return o.ManagementAccount }, func(to, from *snapshot.Organization) { to.ManagementAccount = from.ManagementAccount })
	add("levels", levelsText, func(to, from *snapshot.Organization) { // with the policies of levels that are there alone
		to.Levels, to.Policies = from.Levels, united(to.Policies, from.Policies)
	})
	for _, id := range keysOf(older.Policies, newer.Policies) {
		if !has(older.Policies, id) || !has(newer.Policies, id) {
			continue // it is attached on one side alone
		}
		p := base
		p.field, p.grammar = "policy "+newer.Policies[id].Name, iampolicy.Identity
		if isRCP(newer, id) {
			p.grammar = iampolicy.ResourceControl
		}
		p.document = func(s *snapshot.Snapshot) string { return s.Organization.Policies[id].Document }
		p.copyTo = func(to, from *snapshot.Snapshot) {
			o := *to.Organization
			put(&o.Policies, id, from.Organization.Policies[id])
			to.Organization = &o
		}
		f.add(p)
	}
}

// levelsText names the policies of each level. The order of the levels is part of it.
func levelsText(o *snapshot.Organization) string {
	name := func(ids []string) string {
		var names []string
		for _, id := range ids {
			names = append(names, firstOf(o.Policies[id].Name, id))
		}
		return text.OrNone(listed(names))
	}
	words := ""
	for _, l := range o.Levels {
		if words != "" {
			words += "; "
		}
		words += l.ID + ": SCPs " + name(l.SCPs) + ", RCPs " + name(l.RCPs)
	}
	return words
}

func isRCP(o *snapshot.Organization, id string) bool {
	return slices.ContainsFunc(o.Levels, func(l snapshot.OrganizationLevel) bool { return slices.Contains(l.RCPs, id) })
}
