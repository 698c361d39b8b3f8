package view

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// NodeRole is a role that nodes of the cluster can have.
type NodeRole struct {
	*Role
	// Sources are what gives nodes this role, ordered by kind and name.
	Sources []Source
	// Nodes are the names of the joined nodes that have it, ordered.
	Nodes []string
}

// SourceKind describes what gives nodes a role.
type SourceKind string

// The kinds of sources, as people read them.
const (
	NodeGroup   SourceKind = "node group"
	AutoMode    SourceKind = "EKS Auto Mode"
	SelfManaged SourceKind = "self-managed node"
	Karpenter   SourceKind = "Karpenter node pool"
	// Provisioner is a node pool's name before Karpenter v0.32.
	Provisioner SourceKind = "Karpenter Provisioner"
	// The node classes are sources before any node has joined.
	KarpenterClass SourceKind = "EC2NodeClass"
	NodeTemplate   SourceKind = "AWSNodeTemplate"
	AutoModeClass  SourceKind = "Auto Mode NodeClass"
	AutoScaling    SourceKind = "Auto Scaling group"
	// Mapped is what infrastructure code maps to nodes of the cluster, without what starts
	// them.
	Mapped SourceKind = "mapping"
	// Unjoined is an instance of the cluster that is not a node of it yet.
	Unjoined SourceKind = "instance that has not joined"
)

// Source is one thing that gives nodes a role.
type Source struct {
	Kind SourceKind
	Name string
	// Nodes is how many nodes of it have joined.
	Nodes int
	// Via is how the role was found, where that is not the source itself: the
	// instance and its profile.
	Via string
}

// RolelessNode is a joined EC2 node whose role is not known.
type RolelessNode struct {
	Node string
	// Instance is its EC2 instance ID.
	Instance string
	// Gone is set where there is no instance: EC2 no longer has it,
	// or the node does not name one yet.
	Gone bool
	// Reason is a clause: "its instance profile X has no role".
	Reason string
	// Unread is set where the reason is a fact that was not read.
	Unread []snapshot.Missing
}

// NodeRoles are the roles that nodes can have, ordered by name.
func (v *View) NodeRoles() []*NodeRole { return v.roles }

// RolelessNodes are the nodes that should have a role of their own and whose
// role is not known, ordered by name.
func (v *View) RolelessNodes() []RolelessNode { return v.roleless }

// InventoryUnread is what keeps the list of node roles from being complete.
func (v *View) InventoryUnread() []snapshot.Missing {
	return v.Unread(snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactNodes, snapshot.FactInstances, snapshot.FactInstanceProfiles,
		snapshot.FactNodeClasses, snapshot.FactAutoScaling)
}

// resolveNodeRoles fills roles and roleless.
func (v *View) resolveNodeRoles() {
	s := v.Snapshot
	nodes := map[string][]string{} // by role ARN
	byOwner := map[string]int{}
	for name, n := range sortedPairs(s.Nodes) {
		if group := v.groupOf(n); group != "" {
			byOwner[group]++
			role := s.NodeGroups[group].NodeRoleARN
			nodes[role] = append(nodes[role], name)
		}
	}

	sources := map[string][]Source{} // by role ARN
	for name, ng := range s.NodeGroups {
		if ng.NodeRoleARN != "" {
			sources[ng.NodeRoleARN] = append(sources[ng.NodeRoleARN], Source{Kind: NodeGroup, Name: name, Nodes: byOwner[name]})
		}
	}
	if a := s.Cluster.AutoMode; a != nil && a.NodeRoleARN != "" {
		count := 0
		for name, n := range sortedPairs(s.Nodes) {
			if n.Provisioner == snapshot.ProvisionedByAutoMode && !v.customClass(n) {
				count++
				nodes[a.NodeRoleARN] = append(nodes[a.NodeRoleARN], name)
			}
		}
		sources[a.NodeRoleARN] = append(sources[a.NodeRoleARN], Source{Kind: AutoMode, Name: "compute config", Nodes: count})
	}
	for name, n := range sortedPairs(s.Nodes) {
		kind, named, ok := instanceSource(name, n)
		if v.groupOf(n) != "" {
			continue // the node group names the role
		}
		if v.customClass(n) {
			kind, named, ok = AutoModeClass, n.NodeClass, true
		}
		if !ok {
			continue
		}
		role, via, lost := v.roleOfInstance(name, n.InstanceID())
		if lost != nil {
			v.roleless = append(v.roleless, *lost)
			continue
		}
		if v.onControlPlane(role) {
			continue
		}
		if kind == Karpenter && n.NodeClass != "" {
			if _, ok := s.KarpenterNodeClasses[n.NodeClass]; ok {
				kind, named, via = KarpenterClass, n.NodeClass, ""
			}
		}
		nodes[role] = append(nodes[role], name)
		list := sources[role]
		if i := slices.IndexFunc(list, func(s Source) bool { return s.Kind == kind && s.Name == named }); i >= 0 {
			list[i].Nodes++
			continue
		}
		sources[role] = append(list, Source{Kind: kind, Name: named, Nodes: 1, Via: via})
	}

	v.resolveNodeSources(sources)
	for arn, by := range sortedPairs(s.MappedRoles) {
		switch {
		case len(sources[arn]) > 0:
		case v.mappedForAutoMode(arn):
			sources[arn] = []Source{{Kind: AutoModeClass, Name: "of its access entry"}}
		default:
			sources[arn] = []Source{{Kind: Mapped, Name: by}}
		}
	}
	v.takeDisplaced(sources, nodes)
	for arn, list := range sources {
		slices.SortFunc(list, func(a, b Source) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
		slices.Sort(nodes[arn])
		v.roles = append(v.roles, &NodeRole{Role: v.Role(arn), Sources: list, Nodes: nodes[arn]})
	}
	slices.SortFunc(v.roles, func(a, b *NodeRole) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN)) })
}

// onControlPlane reports whether the instances with a role are those of the control plane of
// a local cluster on AWS Outposts: they are nodes that EKS manages.
func (v *View) onControlPlane(roleARN string) bool {
	c := v.Snapshot.Cluster
	return c.LocalControlPlane && roleARN == c.RoleARN
}

// mappedForAutoMode reports whether a role's access entry is what a custom NodeClass of EKS
// Auto Mode needs.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
func (v *View) mappedForAutoMode(arn string) bool {
	for policy := range v.Snapshot.AccessEntries[arn].Policies {
		if snapshot.NameOf(policy) == "AmazonEKSAutoNodePolicy" {
			return true
		}
	}
	return false
}

// groupOf is the managed node group of a node: its label says so or, where that was
// removed, its instance's tag.
func (v *View) groupOf(n snapshot.Node) string {
	if n.Provisioner == snapshot.ProvisionedByNodeGroup {
		return n.Owner
	}
	if n.Provisioner != snapshot.SelfManaged {
		return ""
	}
	group := v.Snapshot.Instances[n.InstanceID()].NodeGroup
	if _, known := v.Snapshot.NodeGroups[group]; !known {
		return ""
	}
	return group
}

// instanceSource says whether a node's role is found through its instance, and
// as what it is listed.
func instanceSource(name string, n snapshot.Node) (kind SourceKind, as string, ok bool) {
	switch n.Provisioner {
	case snapshot.SelfManaged:
		return SelfManaged, name, true
	case snapshot.ProvisionedByKarpenter:
		if n.KarpenterProvisioner {
			return Provisioner, n.Owner, true
		}
		return Karpenter, n.Owner, true
	case snapshot.ProvisionedByNodeGroup, snapshot.ProvisionedByAutoMode, snapshot.ProvisionedByFargate, snapshot.ProvisionedByHybrid, snapshot.ProvisionedByHyperPod, snapshot.ProvisionedByUnknown:
		return "", "", false
	default:
		return "", "", false
	}
}

// roleOfInstance follows instance → instance profile → role.
func (v *View) roleOfInstance(node, id string) (role, via string, lost *RolelessNode) {
	s := v.Snapshot
	lose := func(reason string, unread []snapshot.Missing) (string, string, *RolelessNode) {
		return "", "", &RolelessNode{Node: node, Instance: id, Reason: reason, Unread: unread}
	}
	if id == "" {
		_, _, lost = lose("it has no provider ID yet", nil)
		lost.Gone = true
		return "", "", lost
	}
	if m := s.MissingOf(snapshot.FactInstances, id); len(m) > 0 {
		return lose("its instance could not be read", m)
	}
	instance, ok := s.Instances[id]
	switch {
	case !ok || instance.NotFound:
		_, _, lost = lose(fmt.Sprintf("EC2 has no instance %s; the Node object remains", id), nil)
		lost.Gone = true
		return "", "", lost
	case instance.InstanceProfile == "":
		return lose("its instance has no instance profile", nil)
	}
	profile := instance.InstanceProfile
	if m := s.MissingOf(snapshot.FactInstanceProfiles, profile); len(m) > 0 {
		return lose(fmt.Sprintf("its instance profile %s could not be read", snapshot.NameOf(profile)), m)
	}
	p := s.InstanceProfiles[profile]
	switch {
	case p.NotFound:
		return lose(fmt.Sprintf("its instance profile %s no longer exists", snapshot.NameOf(profile)), nil)
	case len(p.Roles) == 0:
		return lose(fmt.Sprintf("its instance profile %s has no role", snapshot.NameOf(profile)), nil)
	}
	return p.Roles[0], fmt.Sprintf("instance %s, instance profile %s", id, snapshot.NameOf(profile)), nil
}

// sortedPairs ranges over a map in the order of its keys.
func sortedPairs[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
