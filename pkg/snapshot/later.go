package snapshot

import (
	"cmp"
	"slices"
)

// laterFacts are the facts that not every release reads, and whether a snapshot has some.
// What is read on request alone is not among them: without it, it was not asked for.
var laterFacts = []struct {
	fact Fact
	has  func(*Snapshot) bool
}{
	{FactClusterRole, func(s *Snapshot) bool { _, ok := s.Roles[s.Cluster.RoleARN]; return ok || s.Cluster.RoleARN == "" }},
	{FactVPCEndpoints, func(s *Snapshot) bool { return len(s.VPCEndpoints) > 0 }},
	{FactRepositoryPolicies, func(s *Snapshot) bool { return len(s.RepositoryPolicies) > 0 }},
	{FactAddonPods, func(s *Snapshot) bool { return len(s.AddonPods) > 0 }},
	{FactRegistries, func(s *Snapshot) bool { return len(s.Registries) > 0 }},
	{FactProfileQuota, func(s *Snapshot) bool { return s.InstanceProfileQuota != nil }},
}

// LaterFacts returns the facts that this release reads and not every release has read, for
// Snapshot.Read.
func LaterFacts() []Fact {
	var facts []Fact
	for _, later := range laterFacts {
		facts = append(facts, later.fact)
	}
	return facts
}

// The operation and the error of a fact that is missing because of the release that saved
// the snapshot.
const (
	olderOperation = "snapshot of an earlier release"
	olderError     = "the release that saved the snapshot did not read it"
)

// OfOlderRelease reports whether the fact is missing because the release that saved the
// snapshot did not read it.
func (m Missing) OfOlderRelease() bool { return m.Operation == olderOperation }

// addLater puts the facts that the release which saved the snapshot did not read under
// Missing: that they are not there does not say that they do not exist.
func (s *Snapshot) addLater() {
	for _, later := range laterFacts {
		if slices.Contains(s.Read, later.fact) || later.has(s) || s.IsMissing(later.fact, "") {
			continue
		}
		missing := Missing{Fact: later.fact, Operation: olderOperation, Error: olderError}
		if later.fact == FactClusterRole {
			missing.Subject = s.Cluster.RoleARN
		}
		s.Missing = append(s.Missing, missing)
	}
	slices.SortStableFunc(s.Missing, func(a, b Missing) int {
		return cmp.Compare(slices.Index(Facts, a.Fact), slices.Index(Facts, b.Fact))
	})
}
