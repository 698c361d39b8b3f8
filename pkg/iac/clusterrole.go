package iac

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// clusterRole adds the cluster's own role, after the roles of nodes. As for a live cluster,
// what is not known of it is optional.
func (w *work) clusterRole() {
	arn := w.s.Cluster.RoleARN
	if arn == "" || has(w.s.Roles, arn) || w.s.IsMissing(snapshot.FactRoles, arn) {
		return // nodes hold it
	}
	r, ok := w.findRole(arn)
	if !ok || r.Read || r.Trust.Text == "" || r.asksForName(r.Trust) || w.base != nil && !has(w.base.Roles, arn) {
		return // the code has nothing to judge
	}
	before := slices.Clone(w.s.Missing)
	w.role(arn)
	noted := w.s.Missing[len(before):]
	w.s.Missing = before
	for _, m := range noted {
		if m.Fact != snapshot.FactOtherClusters {
			m.Fact = snapshot.FactClusterRole
			w.s.Missing = append(w.s.Missing, m)
		}
	}
	if w.base == nil && !w.whole(r, w.s.Roles[arn]) {
		w.missing(snapshot.FactClusterRole, arn, w.elsewhere("what else is attached to "+snapshot.NameOf(arn)+" is"))
	}
}

// whole reports whether the code has all policies of the cluster role: it creates the role
// with a policy, or its state lists the policies that are attached. A role without any has
// them from elsewhere.
func (w *work) whole(r Role, facts snapshot.Role) bool {
	if r.Existed {
		return len(r.Attached) > 0
	}
	return len(facts.AttachedPolicies)+len(facts.InlinePolicies) > 0
}
