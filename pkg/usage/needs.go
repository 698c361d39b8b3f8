package usage

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// wanted is an action that is needed of a role.
type wanted struct {
	need.Action
	// rare is set for what nodes call only in some cases: where it is granted it is
	// needed, and where it is not, it is not missing.
	rare bool
}

// needsOf are the actions that are needed of a role, each once.
func needsOf(v *view.View, arn string) []wanted {
	var list []wanted
	add := func(rare bool, actions ...need.Action) {
		for _, a := range actions {
			i := slices.IndexFunc(list, func(w wanted) bool { return strings.EqualFold(w.Name, a.Name) })
			switch {
			case i < 0:
				list = append(list, wanted{a, rare})
			case list[i].rare && !rare:
				list[i] = wanted{a, rare}
			}
		}
	}
	identity := v.ConfiguredIdentity()
	node := false
	for _, r := range v.NodeRoles() {
		if r.ARN == arn {
			node = true
			calls := v.NeedsOf(r)
			add(false, calls.Required()...)
			add(false, calls.Recommended()...)
		}
	}
	for _, r := range v.HybridRoles() {
		if r.ARN == arn {
			node = true
			calls, undiscovered := r.HybridCalls()
			add(false, calls...)
			add(true, undiscovered...)
			add(true, need.HybridSSM...)
		}
	}
	for _, r := range v.HyperPodRoles() {
		node = node || r.ARN == arn
	}
	if node {
		inUse, _, _ := v.PodIdentityInUse()
		add(false, need.Pull...)
		add(!inUse, need.PodIdentityAgent...)
	}
	// Where the sources of nodes could not be read, any role may be a node's. What other
	// kinds of nodes and other AMIs call is not taken from a node.
	perhaps := len(v.InventoryUnread())+len(v.Unread(snapshot.FactHybridEntries)) > 0
	if node || perhaps {
		add(true, slices.Concat(need.Worker, need.WorkerRecommended, need.Pull, need.PullThroughCache, need.PublicPull, need.PodIdentityAgent)...)
	}
	if perhaps {
		add(true, need.Hybrid...)
	}
	switch {
	case identity.Own() && identity.RoleARN == arn, node && identity.Kind == view.FromNodeRole:
		add(false, v.CNI().Required()...)
		add(true, v.CNI().Recommended()...)
		addCNI(add)
	case perhaps, node && len(identity.Unread) > 0, node && usesCNI(v, arn):
		addCNI(add)
	}
	if arn == v.AssociatedRole() && arn != identity.RoleARN {
		add(true, need.Action{Name: "sts:AssumeRole", For: "the target role of the Pod Identity association"}, need.Action{Name: "sts:TagSession", For: "the target role of the Pod Identity association"})
	}
	return list
}

// addCNI adds what any version of the VPC CNI calls with any settings.
func addCNI(add func(rare bool, actions ...need.Action)) {
	for _, name := range need.CNIActions() {
		a := need.Named(name)
		if a.For == "" {
			a.For = "the VPC CNI with other settings or in another version"
		}
		add(true, a)
	}
}

// usesCNI reports whether a pod of aws-node has, or may have, the permissions of a node's
// role.
func usesCNI(v *view.View, arn string) bool {
	return len(v.Unread(snapshot.FactPods)) > 0 || slices.ContainsFunc(v.RunningIdentities(), func(use view.PodIdentityUse) bool {
		role, _ := v.RoleOfPod(use)
		return role == arn
	})
}

// find returns the need of an action.
func find(needs []wanted, name string) (wanted, bool) {
	i := slices.IndexFunc(needs, func(w wanted) bool { return strings.EqualFold(w.Name, name) })
	if i < 0 {
		return wanted{}, false
	}
	return needs[i], true
}
