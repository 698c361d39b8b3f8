package view

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Displaced is an instance that has another role than the one that it was launched with:
// its instance profile was replaced while it ran, as by Quick Setup of AWS Systems
// Manager. The role that it has now is not a node role, whatever its permissions are.
// Source: https://github.com/eksctl-io/eksctl/issues/1907
type Displaced struct {
	Instance string
	// Node is its node's name; empty where it has not joined.
	Node string
	// Profile and RoleARN are the instance profile that it has now, and the role in it;
	// empty where there is none.
	Profile, RoleARN string
	// Group is the node group that launched it, and GroupRole the role of that group. Both
	// are empty where nothing but its role shows that it was replaced.
	Group, GroupRole string
	// Unread is set where its role could not be read.
	Unread []snapshot.Missing
}

// DisplacedInstances are the instances that have another role than they were launched
// with, or for which that is unknown, ordered by ID.
func (v *View) DisplacedInstances() []Displaced { return v.displaced }

// takeDisplaced fills displaced, and removes roles that only such instances have from the
// sources. nodesOf are the nodes of each role.
func (v *View) takeDisplaced(sources map[string][]Source, nodesOf map[string][]string) {
	s := v.Snapshot
	nodes := map[string]string{}
	for name, n := range sortedPairs(s.Nodes) {
		if id := n.InstanceID(); id != "" {
			nodes[id] = name
		}
	}
	for id, instance := range sortedPairs(s.Instances) {
		if instance.NotFound {
			continue
		}
		node := nodes[id]
		group := instance.NodeGroup
		if group == "" && node != "" {
			group = v.groupOf(s.Nodes[node])
		}
		if want := s.NodeGroups[group].NodeRoleARN; want != "" {
			v.compareWithGroup(Displaced{Instance: id, Node: node, Profile: instance.InstanceProfile, Group: group, GroupRole: want})
		}
	}
	for arn, list := range sources {
		if !v.neverJoined(arn, list, nodesOf[arn]) {
			continue
		}
		for _, node := range nodesOf[arn] {
			id := s.Nodes[node].InstanceID()
			v.displaced = append(v.displaced, Displaced{Instance: id, Node: node, Profile: s.Instances[id].InstanceProfile, RoleARN: arn})
		}
		delete(sources, arn)
	}
	slices.SortFunc(v.displaced, func(a, b Displaced) int { return cmp.Compare(a.Instance, b.Instance) })
}

// compareWithGroup adds an instance to displaced where its profile contains another role
// than that of its node group.
func (v *View) compareWithGroup(d Displaced) {
	s := v.Snapshot
	if d.Profile == "" {
		if d.Node != "" { // one that never had a profile has not joined
			v.displaced = append(v.displaced, d)
		}
		return
	}
	if slices.Contains(s.Roles[d.GroupRole].InstanceProfiles, d.Profile) {
		return
	}
	if m := s.MissingOf(snapshot.FactInstanceProfiles, d.Profile); len(m) > 0 {
		d.Unread = m
		v.displaced = append(v.displaced, d)
		return
	}
	profile, known := s.InstanceProfiles[d.Profile]
	if !known || slices.Contains(profile.Roles, d.GroupRole) {
		return // older snapshots do not contain the profiles of managed node groups
	}
	if len(profile.Roles) > 0 {
		d.RoleARN = profile.Roles[0]
	}
	v.displaced = append(v.displaced, d)
}

// neverJoined reports whether nodes cannot have joined with a role and what replaced their
// own is known: only joined self-managed and Karpenter nodes whose instances are tagged as
// the cluster's own have it, no node class names it, it has no access entry or mapping, and it allows what SSM Agent calls and
// none of the calls with which a node joins and pulls its first images. A node role whose
// mapping was lost allows some of these.
func (v *View) neverJoined(arn string, sources []Source, nodes []string) bool {
	if slices.ContainsFunc(sources, func(s Source) bool { return !v.launchedWithAnother(s, arn) }) {
		return false
	}
	for _, node := range nodes {
		if !v.Snapshot.Instances[v.Snapshot.Nodes[node].InstanceID()].Owned {
			return false
		}
	}
	role, access := v.Role(arn), v.Access(arn)
	if role.Facts.NotFound || access.Entry != nil || len(access.Mapped) > 0 || len(access.NearMisses) > 0 || len(access.Unread) > 0 || v.AWSAuth().Problem != "" {
		return false
	}
	for _, a := range slices.Concat(need.Worker, need.Pull) {
		if answer := role.Can(a); answer.Verdict != Denied || answer.Result.Explicit {
			return false
		}
	}
	return slices.ContainsFunc(need.HybridSSM, func(a need.Action) bool { return role.Can(a).Verdict == Allowed })
}

// launchedWithAnother reports whether the nodes of a source may have been launched with
// another role than the one that they have.
func (v *View) launchedWithAnother(s Source, roleARN string) bool {
	switch s.Kind { //nolint:exhaustive // the others name the role
	case SelfManaged, Karpenter, Provisioner:
		return s.Nodes > 0
	case KarpenterClass:
		return s.Nodes > 0 && !slices.ContainsFunc(v.nodeSources, func(l NodeSource) bool {
			return l.Kind == s.Kind && l.Name == s.Name && (l.RoleARN == roleARN || l.RoleARN == "")
		})
	}
	return false
}

// Reason is a clause that says what is wrong with the role that the instance has.
func (d Displaced) Reason() string {
	has := "has no role"
	if d.RoleARN != "" {
		has = fmt.Sprintf("has role %s", snapshot.NameOf(d.RoleARN))
	}
	if d.Profile != "" {
		has += " from instance profile " + snapshot.NameOf(d.Profile)
	}
	if d.Group == "" {
		return has + ", with which it cannot have joined"
	}
	return fmt.Sprintf("%s, but its node group %s has role %s", has, d.Group, snapshot.NameOf(d.GroupRole))
}
