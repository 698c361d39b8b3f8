package fleetrules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

var cniRollUp = Rule{
	ID: "NR906", Name: "cni-policy-roll-up", Severity: finding.Warning, Concern: finding.ConcernCNI, Security: true,
	Title: "No node role of the fleet has CNI permissions that aws-node should have from a role of its own",
	Why: `Every pod that reaches the instance metadata of such a node has the CNI permissions. Where clusters share a node role, to
remove its CNI permissions for one cluster stops aws-node on the others that still need them.`,
	Fix: `Remove the permissions in the order of the evidence: first where every aws-node uses a role of its own, then where pods only
have to be restarted, last where aws-node has no role of its own. Remove them from a shared node role only when all of its clusters are
ready.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactPodIdentity, snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactInstanceProfiles, snapshot.FactNodeClasses, snapshot.FactAutoScaling, snapshot.FactNodes, snapshot.FactInstances, snapshot.FactServiceAccount, snapshot.FactDaemonSet, snapshot.FactPods,
	},
	Bad: `
- {name: shop, patch: {roles: {"arn:aws:iam::111122223333:role/shopNode": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}}}
- {name: bank, account: "444455556666"}`,
	Good: `
- {name: shop}
- {name: bank, account: "444455556666"}`,
	check: checkCNIRollUp,
}

// stage is what has to be done before the CNI permissions of a node role can be removed.
type stage struct {
	kind rules.CNIRemoval
	// words say what to do, when is the same as a time, and reason why not to remove them yet.
	words, when, reason string
	// command plans it for one cluster; nil for none.
	command func() command.Command
}

// stages are in the order in which the permissions are removed.
var stages = []stage{
	{rules.CNIRemovable, "remove now, every aws-node uses its own role", "now", "every aws-node uses its own role", fixOnly(finding.DetachCNI)},
	{rules.CNIStalePods, "restart aws-node, then remove", "after a restart of aws-node", "aws-node pods have to be restarted", fixOnly(finding.DetachCNI)},
	{rules.CNIRoleFails, "repair the role of aws-node, then remove", "after a repair of the role of aws-node", "the role of aws-node does not work", func() command.Command { return command.Noderole("fix") }},
	{rules.CNIUsed, "give aws-node a role of its own, then remove", "when aws-node has a role of its own", "aws-node has no role of its own", func() command.Command { return command.Noderole("fix", "--cni-identity", "auto") }},
	{rules.CNIWindows, "check that Windows pods get addresses without them, then remove", "after a check of Windows pods", "Windows nodes have the role", nil},
	{rules.CNIPodsUnread, "read which role the pods of aws-node use", "when the pods of aws-node were read", "which role the pods of aws-node use was not read", nil},
	{rules.CNIUnknown, "read whether aws-node needs them", "when it is known whether aws-node needs them", "whether aws-node needs them is unknown", nil},
}

// fixOnly plans the repairs of one kind.
func fixOnly(kind finding.Repair) func() command.Command {
	return func() command.Command {
		var ids []string
		for _, r := range rules.All() {
			if r.Repair == kind {
				ids = append(ids, r.ID)
			}
		}
		return command.Noderole("fix", "--only", strings.Join(ids, ","))
	}
}

// user is a cluster with a node role.
type user struct {
	Facts
	kind rules.CNIRemoval
}

func (u user) stage() int {
	return slices.IndexFunc(stages, func(s stage) bool { return s.kind == u.kind })
}

func checkCNIRollUp(f *fleet, report func(finding.Result)) {
	users := map[string][]user{} // by role ARN, of clusters where the role has CNI permissions
	unread := &reasons{}
	compared := 0
	for _, c := range f.clusters {
		why := slices.Clone(c.sources)
		for _, r := range c.nodeRoles {
			compared++
			switch r.cni {
			case rules.NoCNIPermissions, rules.CNINotInstalled:
			default:
				why = append(why, r.cniUnread...)
				users[r.arn] = append(users[r.arn], user{c, r.cni})
			}
		}
		unread.add(f.name(c), dedupe(why))
	}
	unread.addUnread(f.unread)
	// Nothing shows that a role has permissions of which every cluster says that it is unknown.
	maps.DeleteFunc(users, func(_ string, list []user) bool {
		return !slices.ContainsFunc(list, func(u user) bool { return u.kind != rules.CNIUnknown })
	})
	if len(users) > 0 {
		report(f.rollUp(users))
	}
	if len(users) == 0 || unread.any() {
		rest(report, unread, "whether "+other(len(users))+"node roles have CNI permissions is unknown", "no node role has CNI permissions that aws-node should have from a role of its own",
			fmt.Sprintf("%s of %s", text.Count(compared, "node role"), text.Count(len(f.clusters), "cluster")))
	}
}

// rollUp says on which clusters node roles have CNI permissions, and in which order to
// remove them.
func (f *fleet) rollUp(users map[string][]user) finding.Result {
	r := finding.Result{Status: finding.Fail, Severity: finding.Info, Subject: ofFleet()}
	place := func(arn string) int { // of the cluster that is ready last
		last := 0
		for _, u := range users[arn] {
			last = max(last, u.stage())
		}
		return last
	}
	roles := keys(users)
	slices.SortStableFunc(roles, func(a, b string) int { return place(a) - place(b) })
	on := map[string]bool{}
	unsafe := 0
	at := make([]int, len(stages))
	done := map[string]bool{} // commands
	for _, arn := range roles {
		list := users[arn]
		s := stages[place(arn)]
		var names []string
		mixed := false
		for _, u := range list {
			on[u.ref.ARN] = true
			r.Clusters = append(r.Clusters, u.ref)
			names = append(names, f.name(u.Facts))
			mixed = mixed || u.stage() != place(arn)
		}
		at[place(arn)]++
		line := fmt.Sprintf("%s: %s of %s", s.words, snapshot.NameOf(arn), listed(names))
		if mixed {
			r.Severity = finding.Warning
			unsafe++
			for _, u := range list {
				line += fmt.Sprintf("; %s: %s", f.name(u.Facts), stages[u.stage()].reason)
			}
		}
		r.Evidence = append(r.Evidence, line)
		r.Next = append(r.Next, f.removal(arn, s, list, mixed, done)...)
	}
	if n := len(f.unread); n > 0 {
		r.Evidence = append(r.Evidence, "what was not read may have these node roles too: "+f.unread[0].Name+more(n))
	}
	var order []string
	for i, n := range at {
		if n > 0 {
			order = append(order, fmt.Sprintf("from %s %s", text.Count(n, "role"), stages[i].when))
		}
	}
	r.Message = fmt.Sprintf("node roles of %d of %s have CNI permissions; remove them %s", len(on), text.Count(len(f.clusters), "cluster"), strings.Join(order, ", "))
	if unsafe > 0 {
		r.Message += fmt.Sprintf("; %s of several clusters, of which some still need them", text.Count(unsafe, "role"))
	}
	return r
}

func more(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n-1)
}

// removal is what to do about a node role. What fix plans for one cluster would take the
// permissions from all clusters of a shared role, so that it is planned only where all of
// them are ready.
func (f *fleet) removal(arn string, s stage, list []user, mixed bool, done map[string]bool) []finding.Next {
	shared := len(list) > 1 && (mixed || s.kind != rules.CNIRemovable)
	switch {
	case shared:
		var names []string
		for _, u := range list {
			names = append(names, f.name(u.Facts))
		}
		return []finding.Next{finding.Advise(fmt.Sprintf("%s is the node role of %s: do not remove its CNI permissions before aws-node of each of them uses its own role; fix for one of them plans to remove them", snapshot.NameOf(arn), listed(names)))}
	case s.command == nil:
		return []finding.Next{finding.Advise(f.name(list[0].Facts) + ", " + snapshot.NameOf(arn) + ": " + s.words)}
	}
	next := f.run(list[0].ref.ARN, s.command())
	if done[list[0].ref.ARN+next.Text] {
		return nil
	}
	done[list[0].ref.ARN+next.Text] = true
	return []finding.Next{next.With(f.name(list[0].Facts) + ": " + s.words)}
}
