package view

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// organization is the policies that limit the cluster's account, by level; nil where they
// were not read, or where the account is not limited.
type organization struct {
	scps, rcps [][]iampolicy.Policy
	unread     []snapshot.Missing
}

// organization returns the policies of the organization.
func (v *View) organization() *organization {
	if v.limits != nil {
		return v.limits
	}
	v.limits = &organization{}
	o := v.Snapshot.Organization
	if o == nil {
		return v.limits
	}
	scps, rcps := false, false
	for _, level := range o.Levels {
		v.limits.scps = append(v.limits.scps, v.limits.level(v, iampolicy.Identity, "SCP", level.SCPs))
		v.limits.rcps = append(v.limits.rcps, v.limits.level(v, iampolicy.ResourceControl, "RCP", level.RCPs))
		scps, rcps = scps || len(level.SCPs) > 0, rcps || len(level.RCPs) > 0
	}
	// A type without any policy is not turned on in the organization.
	if !scps {
		v.limits.scps = nil
	}
	if !rcps {
		v.limits.rcps = nil
	}
	return v.limits
}

// level returns the policies of a level.
func (o *organization) level(v *View, kind iampolicy.Kind, what string, ids []string) []iampolicy.Policy {
	list := []iampolicy.Policy{}
	for _, id := range ids {
		policy, known := v.Snapshot.Organization.Policies[id]
		name := iampolicy.Policy{Name: what + " " + policy.Name}
		d := unreadDocument(what+" "+id, []snapshot.Missing{{Fact: snapshot.FactOrganization, Subject: id, Operation: "organizations:DescribePolicy", Error: "the snapshot does not contain this policy"}})
		if known {
			d = v.parse(kind, "organization#"+id, name, policy.Document)
		}
		list = append(list, d.policy)
		o.unread = append(o.unread, d.unread...)
	}
	return list
}

// OrganizationRead reports whether it is known what the organization limits.
func (v *View) OrganizationRead() bool { return v.Snapshot.Organization != nil }

// inOrganization adds what is known of the keys that begin with a prefix, such as
// aws:Principal, and name the organization of the account and its place in it.
func (v *View) inOrganization(c *iampolicy.Context, prefix string) {
	o := v.Snapshot.Organization
	if o == nil {
		return
	}
	c.Set(prefix+"OrgID", o.ID)
	if n := len(o.Levels); n > 0 { // the last one is the account
		path := []string{o.ID}
		for _, level := range o.Levels[:n-1] {
			path = append(path, level.ID)
		}
		c.Set(prefix+"OrgPaths", strings.Join(path, "/")+"/")
	}
}

// foreignResource reports whether the resource of a request is another account's, which the
// organization of this one may not be about; some, whether that is so of some resources that
// a pattern matches.
func (v *View) foreignResource(resource string) (all, some bool) {
	parts := strings.SplitN(resource, ":", 6)
	switch {
	case len(parts) < 6 || parts[4] == "" || parts[4] == v.Place.Account:
		return false, false
	case strings.ContainsAny(parts[4], "*?"):
		return false, true
	default:
		return true, true
	}
}

// evaluate asks a role's policies. RCPs of the account are about its own resources alone:
// where a pattern covers resources of other accounts too, and only an RCP denies, the
// answer depends on whose the resource is.
func (v *View) evaluate(set, withoutRCPs *iampolicy.Set, r *iampolicy.Request) (iampolicy.Result, error) {
	all, some := v.foreignResource(r.Resource)
	if all || len(v.organization().rcps) == 0 {
		return withoutRCPs.Evaluate(r)
	}
	result, err := set.Evaluate(r)
	if err != nil || !some || result.By != iampolicy.LayerRCP {
		return result, err
	}
	other, err := withoutRCPs.Evaluate(r)
	if err != nil || other.Decision == iampolicy.Denied {
		return other, err
	}
	names := make([]string, 0, len(result.Statements))
	for _, s := range result.Statements {
		names = append(names, s.String())
	}
	return iampolicy.Result{
		Decision: iampolicy.Depends, Statements: result.Statements,
		DependsOn: []iampolicy.Dependency{{Reason: fmt.Sprintf("whether the resource is one of account %s, where it is denied by %s", v.Place.Account, strings.Join(names, " and "))}},
	}, nil
}
