package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// OnlyAutoMode reports whether nothing but EKS Auto Mode gives nodes this role.
func (r *NodeRole) OnlyAutoMode() bool {
	return !slices.ContainsFunc(r.Sources, func(s Source) bool { return s.Kind != AutoMode && s.Kind != AutoModeClass })
}

// Kinds says what a node role's nodes are: Windows, or Auto Mode's. A node's own label
// says which operating system it runs, whatever made it; node groups and node classes
// also say it before a node has joined.
func (v *View) Kinds(r *NodeRole) (windows, autoMode bool) {
	autoMode = slices.ContainsFunc(r.Sources, func(s Source) bool { return s.Kind == AutoMode || s.Kind == AutoModeClass })
	windows = slices.ContainsFunc(r.Sources, v.onlyWindows)
	for _, name := range r.Nodes {
		windows = windows || v.Snapshot.Nodes[name].OS() == snapshot.WindowsOS
	}
	return windows, autoMode
}

// onlyWindows reports whether a source of nodes says that they run Windows.
func (v *View) onlyWindows(s Source) bool {
	switch s.Kind { //nolint:exhaustive // the others do not say what their nodes run
	case NodeGroup:
		return strings.HasPrefix(v.Snapshot.NodeGroups[s.Name].AMIType, "WINDOWS")
	case KarpenterClass:
		return strings.HasPrefix(strings.ToLower(v.Snapshot.KarpenterNodeClasses[s.Name].AMIFamily), "windows")
	}
	return false
}

// OSFamilies are the operating systems of a role's nodes, ordered, those that are not
// known left out.
func (v *View) OSFamilies(r *NodeRole) []snapshot.OSFamily {
	var families []snapshot.OSFamily
	for _, name := range r.Nodes {
		if os := v.Snapshot.Nodes[name].OS(); os != snapshot.OSUnknown {
			families = append(families, os)
		}
	}
	slices.Sort(families)
	return slices.Compact(families)
}

// Naming describes how the nodes of a role are named, which decides the user name that they
// join with. Each list has the evidence: names of nodes, or of sources whose nodes always
// have such names.
type Naming struct {
	// InstanceID: by the instance ID, such as i-0123456789abcdef0.
	InstanceID []string
	// PrivateDNS: by the private DNS name, such as ip-10-0-1-17.eu-west-1.compute.internal.
	PrivateDNS []string
}

// Mixed reports whether no mapping fits all nodes.
func (n Naming) Mixed() bool { return len(n.InstanceID) > 0 && len(n.PrivateDNS) > 0 }

// Unseen reports whether nothing shows how the nodes are named. Their user data decides,
// which is not read.
func (n Naming) Unseen() bool { return len(n.InstanceID)+len(n.PrivateDNS) == 0 }

// ByInstanceID reports whether the nodes are named by their instance ID.
func (n Naming) ByInstanceID() bool { return len(n.InstanceID) > 0 && len(n.PrivateDNS) == 0 }

// instanceIDName is the whole name of a node that is named by its instance ID. A private
// DNS name may begin with the id too, but goes on: i-0123….eu-west-1.compute.internal.
var instanceIDName = text.Pattern(`^i-[0-9a-f]+$`)

// Naming returns how the nodes of a role are named.
//
// Nodes of EKS Auto Mode are named after their instance ID. AWS's AMIs name nodes after
// the private DNS name, unless their user data asks for the instance ID, which needs a
// custom launch template.
// Sources: awslabs/amazon-eks-ami nodeadm/doc/examples.md (InstanceIdNodeName); EC2 user
// guide, "EC2 instance hostnames and domains"; EKS user guide, "Create a node class".
func (v *View) Naming(r *NodeRole) Naming {
	var n Naming
	for _, name := range r.Nodes {
		switch {
		case instanceIDName().MatchString(name):
			n.InstanceID = append(n.InstanceID, "node "+name)
		case strings.HasPrefix(name, "ip-") || strings.HasSuffix(name, ".internal"):
			n.PrivateDNS = append(n.PrivateDNS, "node "+name)
		}
	}
	for _, s := range r.Sources {
		switch {
		case s.Nodes > 0:
		case s.Kind == AutoMode || s.Kind == AutoModeClass:
			n.InstanceID = append(n.InstanceID, fmt.Sprintf("%s %s", s.Kind, s.Name))
		case s.Kind == NodeGroup && v.Snapshot.NodeGroups[s.Name].LaunchTemplate == "":
			n.PrivateDNS = append(n.PrivateDNS, fmt.Sprintf("%s %s", s.Kind, s.Name))
		}
	}
	return n
}

// WithUnread returns a node role as if each node whose own role could not be read held
// it too, and why those were not read. What is the same for both is certain.
func (v *View) WithUnread(r *NodeRole) (*NodeRole, []snapshot.Missing) {
	var nodes []string
	var unread []snapshot.Missing
	for _, n := range v.roleless {
		if len(n.Unread) > 0 {
			nodes = append(nodes, n.Node)
			unread = append(unread, n.Unread...)
		}
	}
	if len(nodes) == 0 {
		return r, nil
	}
	more := *r
	more.Nodes = slices.Sorted(slices.Values(slices.Concat(r.Nodes, nodes)))
	return &more, unread
}

// NeedsOf says which nodes use a role, for the calls that they make.
func (v *View) NeedsOf(r *NodeRole) need.Node {
	if r.OnlyAutoMode() {
		return need.Node{Kind: need.AutoModeNode}
	}
	return need.Node{Kind: need.EC2Node, ByInstanceID: v.Naming(r).ByInstanceID()}
}

// EntryType is the type of access entry that a node role's nodes need. Where no type fits
// all nodes of the role, see Naming.Mixed, it is the type for those that are not Auto
// Mode's.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
func (v *View) EntryType(r *NodeRole) string {
	windows, auto := v.Kinds(r)
	switch naming := v.Naming(r); {
	case naming.ByInstanceID(), auto && !naming.Mixed():
		return "EC2"
	case windows:
		return "EC2_WINDOWS"
	default:
		return "EC2_LINUX"
	}
}

// EntryFits reports whether a role's nodes join by an access entry of this type. The type
// EC2 maps nodes to the name of their session, which is the instance ID; EC2_WINDOWS does
// for Linux what EC2_LINUX does.
func (v *View) EntryFits(r *NodeRole, entry string) bool {
	windows, _ := v.Kinds(r)
	naming := v.Naming(r)
	switch {
	case v.EntryType(r) == entry:
		return true
	case windows:
		return false
	case entry == "EC2_WINDOWS":
		return !naming.ByInstanceID() && v.EntryType(r) == "EC2_LINUX"
	case entry == "EC2":
		return len(naming.PrivateDNS) == 0 // how they are named is unknown
	}
	return false
}

// UserName is the user name with which aws-auth maps a role to its nodes. Where the role
// has nodes of both namings, it is the one for private DNS names.
func (v *View) UserName(r *NodeRole) string {
	if v.Naming(r).ByInstanceID() {
		return BySession
	}
	return ByPrivateDNS
}

// UserNameFits reports whether a role's nodes join by a mapping to this user name.
func (v *View) UserNameFits(r *NodeRole, username string) bool {
	switch naming := v.Naming(r); {
	case !slices.Contains(NodeNames, username):
		return false
	case username == ByPrivateDNS:
		return len(naming.InstanceID) == 0 || naming.Mixed()
	default:
		return len(naming.PrivateDNS) == 0 || naming.Mixed()
	}
}

// LacksAsNode returns what a mapping is missing for the nodes of a role; empty where it fits.
// That one user name cannot fit all nodes of the role, see Naming.Mixed, is not a fault of
// the mapping.
func (v *View) LacksAsNode(r *NodeRole, m awsauth.Mapping) string {
	switch {
	case !slices.Contains(NodeNames, m.Username):
		return fmt.Sprintf("username is %q, not %s", m.Username, v.UserName(r))
	case !v.UserNameFits(r, m.Username):
		return fmt.Sprintf("username is %s, but its nodes are named by %s", m.Username, map[string]string{
			ByPrivateDNS: "private DNS name: " + ByPrivateDNS, BySession: "instance ID: " + BySession,
		}[v.UserName(r)])
	}
	windows, _ := v.Kinds(r)
	for _, g := range RequiredNodeGroups(windows) {
		if !slices.Contains(m.Groups, g) {
			return "groups do not include " + g
		}
	}
	return ""
}

// The types of access entries of nodes that are not EC2 instances of this account.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
const (
	HybridEntry   = "HYBRID_LINUX"
	HyperPodEntry = "HYPERPOD_LINUX"
)

// HybridRoles are the roles of hybrid nodes: those with an access entry of type
// HYBRID_LINUX, and those that aws-auth maps to session names and that trust Systems
// Manager or IAM Roles Anywhere. Separate rules judge them: no EC2 instance has them.
func (v *View) HybridRoles() []*Role {
	roles := v.rolesOfEntries(HybridEntry, slices.Collect(maps.Keys(need.HybridServices)))
	arns := slices.Collect(maps.Keys(v.Snapshot.Roles))
	for _, m := range v.Snapshot.Missing {
		if m.Fact == snapshot.FactRoles && m.Subject != "" {
			arns = append(arns, m.Subject)
		}
	}
	slices.Sort(arns)
	for _, arn := range arns {
		r := v.Role(arn)
		if !slices.Contains(roles, r) && v.mappedAsHybrid(r) {
			roles = append(roles, r)
		}
	}
	return roles
}

// mappedAsHybrid reports whether aws-auth maps a role as AWS documents it for hybrid nodes.
// A role that could not be read counts as one where such nodes have joined.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cluster-prep.html
func (v *View) mappedAsHybrid(r *Role) bool {
	a := v.Access(r.ARN)
	if a.Entry != nil || len(a.Mapped) == 0 || a.Mapped[0].Username != BySession {
		return false
	}
	if slices.ContainsFunc(v.roles, func(n *NodeRole) bool { return n.ARN == r.ARN }) {
		return false
	}
	if len(r.Unread) > 0 {
		return len(v.HybridNodes()) > 0
	}
	return r.trustsAny(slices.Collect(maps.Keys(need.HybridServices)))
}

// HybridNodes are the names of the hybrid nodes that have joined, ordered.
func (v *View) HybridNodes() []string {
	return v.nodesWhere(func(n snapshot.Node) bool { return n.Provisioner == snapshot.ProvisionedByHybrid })
}

// ConfiguredForHybrid reports whether the cluster is configured for hybrid nodes, or has some.
func (v *View) ConfiguredForHybrid() bool {
	return len(v.Snapshot.Cluster.RemoteNodeNetworks) > 0 || len(v.HybridNodes()) > 0 || len(v.HybridRoles()) > 0
}

// HyperPodRoles are the roles of SageMaker HyperPod's nodes, by their access entries.
// SageMaker, not EC2, gives them to instances.
func (v *View) HyperPodRoles() []*Role {
	return v.rolesOfEntries(HyperPodEntry, []string{need.HyperPodService})
}

// HyperPodNodes are the names of the HyperPod nodes that have joined, ordered.
func (v *View) HyperPodNodes() []string {
	return v.nodesWhere(snapshot.Node.HyperPod)
}

// rolesOfEntries are the roles with an access entry of a type, without those that EC2 nodes
// have and that trust none of the services which assume roles of such nodes: there the type
// is the mistake.
func (v *View) rolesOfEntries(entryType string, services []string) []*Role {
	var roles []*Role
	for _, arn := range v.entriesOf(entryType) {
		r := v.Role(arn)
		if v.UsedByNodes(arn) && len(r.TrustUnread()) == 0 && !r.trustsAny(services) {
			continue
		}
		roles = append(roles, r)
	}
	return roles
}

func (r *Role) trustsAny(services []string) bool {
	trusted := r.TrustedServices()
	return slices.ContainsFunc(services, func(service string) bool { return trusted[service] })
}

func (v *View) entriesOf(entryType string) []string {
	var arns []string
	for arn, entry := range sortedPairs(v.Snapshot.AccessEntries) {
		if entry.Type == entryType {
			arns = append(arns, arn)
		}
	}
	return arns
}

func (v *View) nodesWhere(is func(snapshot.Node) bool) []string {
	var names []string
	for name, n := range sortedPairs(v.Snapshot.Nodes) {
		if is(n) {
			names = append(names, name)
		}
	}
	return names
}

// HybridCalls are the actions that hybrid nodes with the role call. Where the role may not
// describe the cluster, the nodes' configuration has to contain what they would read:
// undiscovered is then the call that they do not make.
func (r *Role) HybridCalls() (calls, undiscovered []need.Action) {
	node := need.Node{Kind: need.HybridNode}
	for _, a := range need.HybridDiscovery {
		if r.Can(a).Verdict == Denied {
			node.ClusterGiven, undiscovered = true, need.HybridDiscovery
		}
	}
	return node.Required(), undiscovered
}
