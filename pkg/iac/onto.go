package iac

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Onto returns the facts of a cluster as they are when the code has been applied: what the
// code creates, changes and deletes is laid over them, and everything else stays. The facts
// are not changed. Its errors are *problem.Error.
func Onto(code *Code, base *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	id := base.Cluster.Identity()
	applied := *code
	applied.Place = Place{
		Partition: id.Partition, Region: cmp.Or(code.Place.Region, id.Region), Account: cmp.Or(code.Place.Account, id.Account),
	}
	if applied.Timeless {
		applied.existing(base)
	}
	b := &builder{code: &applied, arns: map[string]string{}, alone: true}
	t := target{nil, id.Name()}
	for i := range applied.Clusters {
		if c := &applied.Clusters[i]; c.ARN == base.Cluster.ARN || c.ARN == "" && c.Name.Text == id.Name() && b.place(c.Place).Region == id.Region {
			t.Cluster = c
		}
	}
	switch {
	case t.created():
		return nil, &problem.Error{
			Problem: fmt.Sprintf("%s creates cluster %s: its facts cannot be those of a cluster that exists", code.File, t.name),
			Next:    "leave out --onto",
		}
	case slices.Contains(applied.Deleted, Deletion{Fact: snapshot.FactCluster, Key: base.Cluster.ARN}):
		return nil, &problem.Error{Problem: fmt.Sprintf("%s deletes cluster %s", code.File, t.name), Next: "no node role of it is left to check"}
	}
	b.nameResources()
	w := &work{builder: b, target: t, at: Place{Partition: id.Partition, Region: id.Region, Account: id.Account}, base: base}
	w.s = w.copied()
	w.delete()
	w.fill()
	for _, arn := range text.SortedKeys(base.Roles) {
		w.role(arn)
	}
	for _, arn := range text.SortedKeys(base.Policies) {
		w.policy(arn, Role{Name: Name{ARN: arn}}) // also of roles that could not be read
	}
	w.s.Source.Unseen = append(w.s.Source.Unseen, "the order in which changes of the "+code.Kind+" take effect")
	w.copies()
	if code.Timeless {
		w.s.Source.Unseen = append(w.s.Source.Unseen, "what the "+code.Kind+" no longer has, and its stack therefore deletes")
	}
	sortMissing(w.s)
	return w.s, nil
}

// copied returns the facts without roles and policies, which are made of both.
func (w *work) copied() *snapshot.Snapshot {
	s := *w.base
	s.NodeGroups, s.FargateProfiles, s.OtherClusters = maps.Clone(s.NodeGroups), maps.Clone(s.FargateProfiles), maps.Clone(s.OtherClusters)
	s.Addons, s.PodIdentityAssociations, s.AccessEntries = maps.Clone(s.Addons), maps.Clone(s.PodIdentityAssociations), maps.Clone(s.AccessEntries)
	s.OIDCProviders, s.InstanceProfiles = maps.Clone(s.OIDCProviders), maps.Clone(s.InstanceProfiles)
	s.KarpenterNodeClasses, s.AutoModeNodeClasses = maps.Clone(s.KarpenterNodeClasses), maps.Clone(s.AutoModeNodeClasses)
	s.AutoScalingGroups, s.MappedRoles, s.Places = maps.Clone(s.AutoScalingGroups), maps.Clone(s.MappedRoles), maps.Clone(s.Places)
	s.Roles, s.Policies, s.Missing = nil, nil, slices.Clone(s.Missing)
	s.Source.Derived, s.Source.Unseen = slices.Clone(s.Source.Derived), slices.Clone(s.Source.Unseen)
	return &s
}

// delete removes what the code deletes.
func (w *work) delete() {
	s := w.s
	for _, d := range w.code.Deleted {
		if d.Cluster != "" && d.Cluster != w.name {
			continue
		}
		switch d.Fact {
		case snapshot.FactNodeGroups:
			delete(s.NodeGroups, d.Key)
		case snapshot.FactFargateProfiles:
			delete(s.FargateProfiles, d.Key)
		case snapshot.FactAccessEntries:
			delete(s.AccessEntries, d.Key)
		case snapshot.FactAccessPolicies:
			if entry, ok := s.AccessEntries[d.Key]; ok {
				entry.Policies = maps.Clone(entry.Policies)
				delete(entry.Policies, d.Part)
				s.AccessEntries[d.Key] = entry
			}
		case snapshot.FactAddons:
			delete(s.Addons, d.Key)
		case snapshot.FactPodIdentity:
			delete(s.PodIdentityAssociations, d.Key)
		case snapshot.FactOIDCProviders:
			if has(s.OIDCProviders, d.Key) {
				s.OIDCProviders[d.Key] = snapshot.OIDCProvider{NotFound: true}
			}
		case snapshot.FactInstanceProfiles:
			if has(s.InstanceProfiles, d.Key) {
				s.InstanceProfiles[d.Key] = snapshot.InstanceProfile{NotFound: true}
			}
		case snapshot.FactAWSAuth:
			s.AWSAuth = nil
		case snapshot.FactAutoScaling:
			delete(s.AutoScalingGroups, d.Key)
		default: // roles are made later, and other facts are not declared
		}
	}
}
