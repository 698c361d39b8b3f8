// Package newrole describes a new node role, and the changes that create it. It reads and writes nothing.
package newrole

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Role is a new node role.
type Role struct {
	Name, Path, Description string
	Tags                    map[string]string
	// Boundary is the ARN of a permissions boundary; empty for none.
	Boundary string
	// Partition and Account are where it is created. Account may be empty for
	// texts that other tools complete.
	Partition, Account string
	// Minimal gives it an inline policy with the minimum instead of AWS's managed
	// policies; AutoMode the two policies of EKS Auto Mode's nodes.
	Minimal, AutoMode bool
	// CNI says which CNI policy it has.
	CNI CNIPolicy
	// InstanceProfile is the name of its instance profile; empty for none.
	InstanceProfile string
	// Cluster and EntryType ask for an access entry of this cluster; empty for none.
	Cluster, EntryType string
}

// CNIPolicy is a CNI policy on a node role.
type CNIPolicy string

// The CNI policies.
const (
	NoCNI           CNIPolicy = ""
	IPv4CNI         CNIPolicy = "ipv4"          // AWS's managed policy
	IPv6CNI         CNIPolicy = "ipv6"          // a policy of the customer's, as the guide has it now
	OriginalIPv6CNI CNIPolicy = "ipv6-original" // the same as before vpc-cni v1.22.1
)

// IPv6PolicyName is what AWS's guide calls the policy that customers create.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
const IPv6PolicyName = "AmazonEKS_CNI_IPv6_Policy"

// MinimalPolicyName is the name of the inline policy of a Minimal role.
const MinimalPolicyName = "node-minimum"

// AutoNodePolicy is the access policy that Auto Mode's nodes need.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
const AutoNodePolicy = "AmazonEKSAutoNodePolicy"

// ARN is the role's.
func (n Role) ARN() string { return n.arn("role", n.Path, n.Name) }

func (n Role) arn(kind, path, name string) string {
	if path == "" {
		path = "/"
	}
	return "arn:" + n.Partition + ":iam::" + n.Account + ":" + kind + path + name
}

// ManagedPolicies are the ARNs of AWS's managed policies that it has.
func (n Role) ManagedPolicies() []string {
	var names []string
	switch {
	case n.AutoMode:
		names = []string{"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"}
	case !n.Minimal:
		names = []string{"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"}
	}
	if n.CNI == IPv4CNI {
		names = append(names, "AmazonEKS_CNI_Policy")
	}
	arns := make([]string, 0, len(names))
	for _, name := range names {
		arns = append(arns, need.ManagedPolicy(n.Partition, name))
	}
	return arns
}

// InlinePolicies are its inline policies by name.
func (n Role) InlinePolicies() map[string]need.Document {
	if !n.Minimal {
		return nil
	}
	return map[string]need.Document{MinimalPolicyName: need.MinimalNodeDocument()}
}

// CNIDocument is the IPv6 CNI policy that is to be created; ok is false for none.
func (n Role) CNIDocument() (d need.Document, ok bool) {
	switch n.CNI {
	case IPv6CNI:
		return need.CNI{IPFamily: "ipv6"}.Document(n.Partition), true
	case OriginalIPv6CNI:
		return need.OriginalIPv6Document(n.Partition), true
	case NoCNI, IPv4CNI:
		return need.Document{}, false
	default:
		return need.Document{}, false
	}
}

// CNIPolicyLacks returns what an existing policy of the name IPv6PolicyName does not
// allow: the actions that every VPC CNI on IPv6 requires, and those that some versions
// require. The error says why the document cannot be evaluated.
func (n Role) CNIPolicyLacks(document string) (required, someVersions []string, err error) {
	parsed, err := iampolicy.Parse(iampolicy.Identity, []byte(document))
	if err != nil {
		return nil, nil, err
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: IPv6PolicyName, Document: parsed}}})
	place := need.Place{Partition: n.Partition, Region: "*", Account: n.Account, Cluster: "*"}
	lacks := func(actions []need.Action) (names []string, err error) {
		for _, a := range actions {
			for _, request := range a.Requests(place, n.ARN(), iampolicy.NewContext()) {
				decision, err := set.Decide(request)
				if err != nil {
					return nil, err
				}
				if decision != iampolicy.Allowed && !slices.Contains(names, a.Name) {
					names = append(names, a.Name)
				}
			}
		}
		return names, nil
	}
	cni := need.CNI{IPFamily: "ipv6"}
	if required, err = lacks(cni.Required()); err != nil {
		return nil, nil, err
	}
	someVersions, err = lacks(cni.Uncertain())
	return required, someVersions, err
}

// AccessPolicy is the ARN of the access policy of its entry; ok is false for none.
func (n Role) AccessPolicy() (arn string, ok bool) {
	if n.EntryType != "EC2" {
		return "", false
	}
	return "arn:" + n.Partition + ":eks::aws:cluster-access-policy/" + AutoNodePolicy, true
}

// Changes are what creates the role, in order: the access entry comes last, when the
// role has all permissions of a node.
func (n Role) Changes() []change.Change {
	changes := []change.Change{{Kind: change.Role, Name: n.Name, After: &change.State{
		Document: need.NodeTrust(n.Partition).Compact(), Path: n.Path, Description: n.Description, Tags: n.Tags, Boundary: n.Boundary,
	}}}
	attach := n.ManagedPolicies()
	if d, ok := n.CNIDocument(); ok {
		arn := n.arn("policy", "", IPv6PolicyName)
		changes = append(changes, change.Change{Kind: change.Policy, Name: arn, After: &change.State{Document: d.Compact(), Tags: n.Tags}})
		attach = append(attach, arn)
	}
	for _, arn := range attach {
		changes = append(changes, change.Change{Kind: change.Attachment, Name: n.Name, Part: arn, After: &change.State{}})
	}
	for name, d := range n.InlinePolicies() {
		changes = append(changes, change.Change{Kind: change.InlinePolicy, Name: n.Name, Part: name, After: &change.State{Document: d.Compact()}})
	}
	if n.InstanceProfile != "" {
		changes = append(
			changes,
			change.Change{Kind: change.InstanceProfile, Name: n.InstanceProfile, After: &change.State{Path: n.Path, Tags: n.Tags}},
			change.Change{Kind: change.ProfileRole, Name: n.InstanceProfile, After: &change.State{Role: n.Name}},
		)
	}
	if n.EntryType != "" {
		changes = append(changes, change.Change{Kind: change.AccessEntry, Name: n.ARN(), Cluster: n.Cluster, After: &change.State{Type: n.EntryType, Tags: n.Tags}})
		if policy, ok := n.AccessPolicy(); ok {
			changes = append(changes, change.Change{Kind: change.AccessPolicy, Name: n.ARN(), Part: policy, Cluster: n.Cluster, After: &change.State{}})
		}
	}
	return changes
}

// Why returns what a change of a new role is for.
func Why(c change.Change) string {
	if why, ok := reasons[c.Kind]; ok {
		return why(c)
	}
	return c.String()
}

// reasons are what the changes of a new role are for, by kind.
var reasons = map[change.Kind]func(change.Change) string{
	change.Role: func(change.Change) string { return "create the role, with a trust policy that allows EC2" },
	change.Policy: func(change.Change) string {
		return "create the CNI policy for IPv6, for which AWS has no managed policy"
	},
	change.Attachment:      func(c change.Change) string { return "attach " + snapshot.NameOf(c.Part) },
	change.InlinePolicy:    func(change.Change) string { return "allow the minimum that a node needs" },
	change.InstanceProfile: func(change.Change) string { return "create the instance profile, from which instances get the role" },
	change.ProfileRole:     func(change.Change) string { return "add the role to the instance profile" },
	change.AccessEntry:     func(c change.Change) string { return "create the role's access entry in cluster " + c.Cluster },
	change.AccessPolicy:    func(change.Change) string { return "allow its nodes in the cluster what nodes of Auto Mode need" },
}
