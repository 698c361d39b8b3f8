package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// builtinNodeClass is the NodeClass of Auto Mode's built-in node pools, whose
// nodes use the cluster's Auto Mode node role.
const builtinNodeClass = "default"

// customClass reports whether a node comes from a NodeClass that users created.
func (v *View) customClass(n snapshot.Node) bool {
	_, known := v.Snapshot.AutoModeNodeClasses[n.NodeClass]
	return n.Provisioner == snapshot.ProvisionedByAutoMode && known && n.NodeClass != builtinNodeClass
}

// NodeSource is a source of new nodes: it launches instances with a role, whether or not
// one of them has joined.
type NodeSource struct {
	Kind SourceKind
	Name string
	// RoleARN is the role that its instances get; empty where that is not known.
	RoleARN string
	// Problem is a clause that says why they get no role, or the wrong one.
	Problem string
	// Evidence says where that was read.
	Evidence []string
	// Unread is set where the role is a fact that was not read.
	Unread []snapshot.Missing
}

// NodeSources are the node classes, the Auto Scaling groups and the instances that
// have not joined, ordered by kind and name.
func (v *View) NodeSources() []NodeSource { return v.nodeSources }

// resolveNodeSources fills nodeSources, and adds their roles to the sources.
func (v *View) resolveNodeSources(sources map[string][]Source) {
	s := v.Snapshot
	for name, class := range sortedPairs(s.KarpenterNodeClasses) {
		v.nodeSources = append(v.nodeSources, v.nodeClass(KarpenterClass, name, class))
	}
	for name, template := range sortedPairs(s.KarpenterNodeTemplates) {
		if template.InstanceProfile != "" { // else Karpenter's setting aws.defaultInstanceProfile decides, and the nodes show it
			v.nodeSources = append(v.nodeSources, v.nodeClass(NodeTemplate, name, template))
		}
	}
	for name, class := range sortedPairs(s.AutoModeNodeClasses) {
		if name == builtinNodeClass && class.Role == "" && class.InstanceProfile == "" {
			continue
		}
		v.nodeSources = append(v.nodeSources, v.nodeClass(AutoModeClass, name, class))
	}
	for name, group := range sortedPairs(s.AutoScalingGroups) {
		l := NodeSource{Kind: AutoScaling, Name: name}
		if m := s.MissingOf(snapshot.FactAutoScaling, name); len(m) > 0 {
			l.Unread = m
		} else {
			call, launch, what := "ec2:DescribeLaunchTemplateVersions", group.LaunchTemplate, "launch template"
			if group.LaunchConfiguration != "" {
				call, launch, what = "autoscaling:DescribeLaunchConfigurations", group.LaunchConfiguration, "launch configuration"
			}
			l.Evidence = []string{fmt.Sprintf("%s %s: instance profile %s", call, text.OrNone(launch), text.OrNone(snapshot.NameOf(group.InstanceProfile)))}
			v.followProfile(&l, group.InstanceProfile, "its "+what+" has no instance profile")
		}
		v.nodeSources = append(v.nodeSources, l)
	}
	for _, id := range v.unjoined() {
		instance := s.Instances[id]
		if _, launched := s.AutoScalingGroups[instance.AutoScalingGroup]; launched || instance.NodeGroup != "" {
			continue
		}
		l := NodeSource{Kind: Unjoined, Name: id, Evidence: []string{"ec2:DescribeInstances " + id + ": instance profile " + text.OrNone(snapshot.NameOf(instance.InstanceProfile))}}
		v.followProfile(&l, instance.InstanceProfile, "it has no instance profile")
		if v.onControlPlane(l.RoleARN) {
			continue
		}
		v.nodeSources = append(v.nodeSources, l)
	}
	for i := range v.nodeSources {
		l := &v.nodeSources[i]
		options := v.metadataOf(l.Kind, l.Name)
		disabled := options != nil && options.HTTPEndpoint == metadataDisabled || l.Kind == Unjoined && s.Instances[l.Name].HTTPEndpoint == metadataDisabled
		if disabled && l.Problem == "" {
			l.Problem = "its instances cannot get the role's credentials: " + NoMetadata
		}
	}
	slices.SortStableFunc(v.nodeSources, func(a, b NodeSource) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	for _, l := range v.nodeSources {
		if l.RoleARN == "" {
			continue
		}
		list := sources[l.RoleARN]
		if !slices.ContainsFunc(list, func(s Source) bool { return s.Kind == l.Kind && s.Name == l.Name }) {
			sources[l.RoleARN] = append(list, Source{Kind: l.Kind, Name: l.Name})
		}
	}
}

// NoMetadata says why an instance has no credentials although it has a role.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html
const NoMetadata = "the endpoint of the instance metadata is disabled"

const metadataDisabled = "disabled"

// metadataOf are the options for the instance metadata service with which a source of nodes
// launches instances; nil where they are not known.
func (v *View) metadataOf(kind SourceKind, name string) *snapshot.MetadataOptions {
	switch kind { //nolint:exhaustive // the others have no launch template
	case NodeGroup:
		return v.Snapshot.NodeGroups[name].Metadata
	case KarpenterClass:
		return v.Snapshot.KarpenterNodeClasses[name].Metadata
	case AutoScaling:
		return v.Snapshot.AutoScalingGroups[name].Metadata
	}
	return nil
}

// NodesWithoutMetadata are the joined nodes whose instances cannot reach the instance
// metadata, by name, with the IDs of their instances.
func (v *View) NodesWithoutMetadata() map[string]string {
	nodes := map[string]string{}
	for name, n := range v.Snapshot.Nodes {
		if id := n.InstanceID(); id != "" && v.Snapshot.Instances[id].HTTPEndpoint == metadataDisabled {
			nodes[name] = id
		}
	}
	return nodes
}

// unjoined are the running instances of the cluster that are not nodes of it. It is empty
// where the nodes could not be read.
func (v *View) unjoined() []string {
	s := v.Snapshot
	if s.IsMissing(snapshot.FactNodes, "") {
		return nil
	}
	joined := map[string]bool{}
	for _, n := range s.Nodes {
		joined[n.InstanceID()] = true
	}
	var ids []string
	for id, instance := range sortedPairs(s.Instances) {
		if instance.Owned && !instance.NotFound && !joined[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// nodeClass follows a node class to its role: spec.role, or else the role in its
// instance profile.
func (v *View) nodeClass(kind SourceKind, name string, class snapshot.NodeClass) NodeSource {
	l := NodeSource{Kind: kind, Name: name, RoleARN: class.RoleARN}
	for _, field := range [][2]string{{"spec.role", class.Role}, {"spec.instanceProfile", class.InstanceProfile}, {"status.instanceProfile", class.StatusProfile}} {
		if field[1] != "" {
			l.Evidence = append(l.Evidence, fmt.Sprintf("%s %s: %s %s", kind, name, field[0], field[1]))
		}
	}
	l.Evidence = append(l.Evidence, ConditionLines(string(kind)+" "+name, class)...)
	switch {
	case strings.HasPrefix(class.Role, "arn:"):
		l.Problem = "spec.role is an ARN instead of a name: use " + snapshot.NameOf(class.Role)
		return l
	case strings.HasPrefix(class.InstanceProfile, "arn:"):
		l.Problem = "spec.instanceProfile is an ARN instead of a name: use " + snapshot.NameOf(class.InstanceProfile)
		return l
	case strings.Contains(class.Role, "/"):
		l.Problem = "spec.role contains a path: use the name " + lastOf(class.Role)
		return l
	case strings.Contains(class.InstanceProfile, "/"):
		l.Problem = "spec.instanceProfile contains a path: use the name " + lastOf(class.InstanceProfile)
		return l
	case class.RoleARN == "" && class.ProfileARN == "":
		l.Problem = "it has neither a role nor an instance profile"
		return l
	}
	if class.ProfileARN == "" {
		return l // the controller creates the profile
	}
	role := class.RoleARN
	v.followProfile(&l, class.ProfileARN, "")
	if role != "" && l.RoleARN != role && l.RoleARN != "" {
		l.Problem = fmt.Sprintf("its instance profile %s contains role %s, not %s", snapshot.NameOf(class.ProfileARN), snapshot.NameOf(l.RoleARN), snapshot.NameOf(role))
	}
	if role != "" {
		l.RoleARN = role
	}
	return l
}

// lastOf is what follows the path in PATH/NAME.
func lastOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// followProfile finds the role in an instance profile, or says why there is none.
func (v *View) followProfile(l *NodeSource, profile, without string) {
	s := v.Snapshot
	if profile == "" {
		l.Problem = without
		return
	}
	if m := s.MissingOf(snapshot.FactInstanceProfiles, profile); len(m) > 0 {
		l.Unread = m
		return
	}
	switch p := s.InstanceProfiles[profile]; {
	case p.NotFound:
		l.Problem = fmt.Sprintf("its instance profile %s does not exist", snapshot.NameOf(profile))
	case len(p.Roles) == 0:
		l.Problem = fmt.Sprintf("its instance profile %s has no role", snapshot.NameOf(profile))
	default:
		l.RoleARN = p.Roles[0]
	}
}

// UnexplainedNodes are joined nodes without a known source: no EC2 instance, and
// no label of a node group, Karpenter, Auto Mode, Fargate, hybrid or HyperPod nodes.
func (v *View) UnexplainedNodes() []string {
	var names []string
	for name, n := range sortedPairs(v.Snapshot.Nodes) {
		if n.Provisioner == snapshot.ProvisionedByUnknown && !n.HyperPod() {
			names = append(names, name)
		}
	}
	return names
}

// CountNodes returns how many nodes of a provisioner have joined.
func (v *View) CountNodes(provisioner snapshot.Provisioner) int {
	count := 0
	for _, n := range v.Snapshot.Nodes {
		if n.Provisioner == provisioner {
			count++
		}
	}
	return count
}

// RoleOfInstance is the role of an instance, from its node group or its profile; empty
// where that is not known.
func (v *View) RoleOfInstance(id string) string {
	s := v.Snapshot
	i := s.Instances[id]
	if role := s.NodeGroups[i.NodeGroup].NodeRoleARN; role != "" {
		return role
	}
	if p := s.InstanceProfiles[i.InstanceProfile]; len(p.Roles) > 0 {
		return p.Roles[0]
	}
	return ""
}
