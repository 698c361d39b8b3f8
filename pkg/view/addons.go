package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// AddonUse is the pods of an add-on, of one service account, on the nodes of a role.
type AddonUse struct {
	Addon need.Addon
	// Account is NAMESPACE/NAME of the service account.
	Account string
	// OnNodeRole are the pods whose environment selects no credentials but the instance's,
	// NAMESPACE/NAME, ordered; Others is how many have other credentials, Unclear how many
	// have what was not read.
	OnNodeRole      []string
	Others, Unclear int
	// Container is the container of the first of OnNodeRole that calls AWS; empty where it may be
	// any.
	Container string
	// OptionalKeys is the name of a Secret from which all of OnNodeRole take static keys
	// instead, if it exists.
	OptionalKeys string
	// Reach are the instances from whose metadata the pods of OnNodeRole get credentials by
	// their own network, and Cut those from which they do not. Pods with the node's network
	// are in neither, nor are those whose instance is not known.
	Reach, Cut []Exposed
}

// AddonsOn returns the known add-ons with pods on the nodes of a role, ordered by account.
func (v *View) AddonsOn(r *NodeRole) []AddonUse {
	uses := map[string]*AddonUse{}
	for name, pod := range sortedPairs(v.Snapshot.AddonPods) {
		addon, known := need.AddonOf(pod.Addon)
		if _, on := slices.BinarySearch(r.Nodes, pod.Node); !on || !known {
			continue
		}
		account := namespaceOf(name) + "/" + pod.ServiceAccount
		use := uses[account+" "+addon.Title]
		if use == nil {
			use = &AddonUse{Addon: addon, Account: account}
			uses[account+" "+addon.Title] = use
		}
		switch pod.Credentials {
		case snapshot.CredentialsNodeRole:
		case snapshot.CredentialsUnknown:
			use.Unclear++
			continue
		default:
			use.Others++
			continue
		}
		if len(use.OnNodeRole) == 0 || pod.OptionalKeys == "" {
			use.OptionalKeys = pod.OptionalKeys
		}
		if len(use.OnNodeRole) == 0 {
			use.Container = pod.Container
		}
		use.OnNodeRole = append(use.OnNodeRole, name)
		if pod.HostNetwork {
			continue
		}
		id := v.Snapshot.Nodes[pod.Node].InstanceID()
		i := v.Snapshot.Instances[id]
		switch why, _ := i.MetadataOptions().Exposed(); {
		case i.HTTPTokens == "": // not read
		case why != "":
			use.Reach = append(use.Reach, Exposed{id, why})
		case i.HTTPEndpoint == "disabled":
			use.Cut = append(use.Cut, Exposed{id, "the metadata endpoint is disabled"})
		default:
			use.Cut = append(use.Cut, Exposed{id, fmt.Sprintf("hop limit %d", i.HopLimit)})
		}
	}
	var list []AddonUse
	for _, use := range sortedPairs(uses) {
		list = append(list, *use)
	}
	return list
}

// namespaceOf is the namespace in NAMESPACE/NAME.
func namespaceOf(name string) string {
	namespace, _, _ := strings.Cut(name, "/")
	return namespace
}
