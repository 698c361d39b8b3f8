package diff

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

type report = finding.Report

// partsOfReports are the parts of what reports have of the facts: the cluster, the node
// roles and their sources, the policies of roles, and aws-node's identity.
func partsOfReports(older, newer *report) []part[*report] {
	var list []part[*report]
	cluster := func(field string, of func(finding.ClusterInfo) string) {
		list = append(list, part[*report]{
			kind: KindCluster, name: newer.Cluster.Name, field: field, needs: []factRef{factOf(snapshot.FactCluster, "")},
			value: func(r *report) (string, bool) { return of(r.Cluster), of(r.Cluster) != "" },
		})
	}
	cluster("version", func(c finding.ClusterInfo) string { return c.Version })
	cluster("IP family", func(c finding.ClusterInfo) string { return c.IPFamily })
	cluster("authentication mode", func(c finding.ClusterInfo) string { return c.AuthenticationMode })
	cluster("cluster role", func(c finding.ClusterInfo) string { return c.RoleARN })

	list = append(list, part[*report]{
		kind: KindServiceAccount, name: awsNodeName, field: "identity",
		value: func(r *report) (string, bool) {
			text := r.AWSNode.Identity
			if r.AWSNode.RoleARN != "" {
				text += " " + r.AWSNode.RoleARN
			}
			return text, text != ""
		},
	})
	list = append(list, partsOfSources(older, newer)...)
	return append(list, partsOfRoles(older, newer)...)
}

// partsOfSources are the sources of nodes with the role that each gives them.
func partsOfSources(older, newer *report) []part[*report] {
	type source struct{ kind, name string }
	of := func(r *report) map[source][]string {
		found := map[source][]string{}
		for _, row := range r.NodeRoles {
			for _, s := range row.Sources {
				found[source{s.Kind, s.Name}] = append(found[source{s.Kind, s.Name}], row.ARN)
			}
		}
		for _, s := range r.IAM.WithoutRole {
			found[source{s.Kind, s.Name}] = append(found[source{s.Kind, s.Name}], "no role")
		}
		return found
	}
	was, is := of(older), of(newer)
	keys := map[source]bool{}
	for k := range was {
		keys[k] = true
	}
	for k := range is {
		keys[k] = true
	}
	var list []part[*report]
	for k := range keys {
		list = append(list, part[*report]{
			kind: KindNodeSource, name: k.kind + " " + k.name, field: "role",
			value: func(r *report) (string, bool) {
				roles, ok := of(r)[k]
				return listed(roles), ok
			},
		})
	}
	return list
}

func iamRole(r *report, arn string) (finding.IAMRole, bool) {
	i := slices.IndexFunc(r.IAM.Roles, func(role finding.IAMRole) bool { return role.ARN == arn })
	if i < 0 {
		return finding.IAMRole{}, false
	}
	return r.IAM.Roles[i], true
}

// partsOfRoles are the roles of either report and their policies.
func partsOfRoles(older, newer *report) []part[*report] {
	arns := map[string]bool{}
	for _, r := range []*report{older, newer} {
		for _, role := range r.IAM.Roles {
			arns[role.ARN] = true
		}
	}
	var list []part[*report]
	for arn := range arns {
		base := part[*report]{kind: KindRole, name: snapshot.NameOf(arn), arn: arn, needs: []factRef{factOf(snapshot.FactRoles, arn)}}
		was, wasThere := iamRole(older, arn)
		is, isThere := iamRole(newer, arn)
		if !wasThere || !isThere || was.NotFound || is.NotFound {
			whole := base
			whole.value = func(r *report) (string, bool) {
				role, ok := iamRole(r, arn)
				return map[bool]string{true: "does not exist", false: ""}[role.NotFound], ok
			}
			list = append(list, whole)
			continue
		}
		for _, p := range policiesOf(was, is) {
			list = append(list, policyPart(base, arn, p))
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(was.InstanceProfiles, is.InstanceProfiles)))) {
			profile := base
			profile.field, profile.needs = "instance profile", append(slices.Clone(base.needs), factOf(snapshot.FactRoleProfiles, arn))
			profile.value = func(r *report) (string, bool) {
				role, _ := iamRole(r, arn)
				return name, slices.Contains(role.InstanceProfiles, name)
			}
			list = append(list, profile)
		}
	}
	return append(list, managedOfReports(older, newer)...)
}

// policyID names a policy of a role.
type policyID struct {
	kind      finding.PolicyKind
	name, arn string
}

// policiesOf are the policies that either has.
func policiesOf(was, is finding.IAMRole) []policyID {
	var ids []policyID
	for _, p := range slices.Concat(was.Policies, is.Policies) {
		id := policyID{p.Kind, p.Name, p.ARN}
		if p.Kind == finding.Boundary {
			id = policyID{kind: p.Kind} // there is one at most
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (id policyID) of(role finding.IAMRole) (finding.RolePolicy, bool) {
	i := slices.IndexFunc(role.Policies, func(p finding.RolePolicy) bool {
		return p.Kind == id.kind && (id.kind == finding.Boundary || p.Name == id.name && p.ARN == id.arn)
	})
	if i < 0 {
		return finding.RolePolicy{}, false
	}
	return role.Policies[i], true
}

func policyPart(p part[*report], arn string, id policyID) part[*report] {
	needs := func(facts ...factRef) { p.needs = append(slices.Clone(p.needs), facts...) }
	text := func(r *report) string {
		role, _ := iamRole(r, arn)
		policy, _ := id.of(role)
		return policy.Document
	}
	p.value = func(r *report) (string, bool) {
		role, _ := iamRole(r, arn)
		policy, ok := id.of(role)
		return policy.ARN, ok
	}
	switch id.kind {
	case finding.Trust:
		p.field, p.document, p.grammar = "trust policy", text, iampolicy.Trust
	case finding.Inline:
		needs(factOf(snapshot.FactInlinePolicies, arn), factOf(snapshot.FactInlinePolicies, arn+"#"+id.name))
		p.field, p.document, p.grammar = "inline policy "+id.name, text, iampolicy.Identity
	case finding.SessionPolicy:
		needs(factOf(snapshot.FactPodIdentity, ""))
		p.field, p.document, p.grammar = "session policy", text, iampolicy.Identity
	case finding.Boundary:
		p.field = "permissions boundary"
	case finding.AWSManaged, finding.CustomerManaged:
		needs(factOf(snapshot.FactAttachedPolicies, arn))
		p.field = "attached policy"
	}
	return p
}

// managedOfReports are the managed policies of both reports.
func managedOfReports(older, newer *report) []part[*report] {
	var list []part[*report]
	for arn := range older.IAM.Policies {
		if !has(newer.IAM.Policies, arn) {
			continue
		}
		list = append(list, part[*report]{
			kind: KindPolicy, name: snapshot.NameOf(arn), arn: arn, field: "document", needs: []factRef{factOf(snapshot.FactPolicies, arn)},
			grammar: iampolicy.Identity, document: func(r *report) string { return r.IAM.Policies[arn].Document },
		})
	}
	return list
}
