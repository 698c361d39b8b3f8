package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// nameCauses finds out on which changes each verdict rests. Each change alone is taken
// back in the newer facts and made in the older ones, and the facts are judged again: a
// verdict rests on a change without which it would not have moved, or that alone moves it.
func nameCauses(verdicts []Verdict, changes []group, older, newer Side, judge Judge) {
	if len(verdicts) == 0 {
		return
	}
	// Both sides have what facts refer to, so that a changed reference still has its target.
	was, is := withReferred(older.Facts, newer.Facts), withReferred(newer.Facts, older.Facts)
	var rules []string
	for _, v := range verdicts {
		rules = append(rules, v.ID)
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	before, after := statesOf(judge(was, rules)), statesOf(judge(is, rules))
	for _, g := range changes {
		if len(g.revert) == 0 {
			continue
		}
		made, undone := *was, *is
		for _, revert := range g.revert {
			revert(&made, is)
			revert(&undone, was)
		}
		withChange, without := statesOf(judge(&made, rules)), statesOf(judge(&undone, rules))
		for i := range verdicts {
			v := &verdicts[i]
			k := verdictKey{v.ID, v.Subject}
			from, to := v.states()
			moves := before[k].same(from) && withChange[k].same(to)
			takesBack := after[k].same(to) && without[k].same(from)
			if moves || takesBack {
				v.Causes = append(v.Causes, g.change.Number)
			}
		}
	}
}

// states are what the verdict moved from and to.
func (v Verdict) states() (from, to State) {
	of := func(s *State) State {
		switch {
		case s == nil, s.Status == finding.Pass, s.Status == finding.NotApplicable:
			return State{}
		case s.Status == finding.Unknown:
			return State{Status: finding.Unknown}
		default:
			return State{Status: s.Status, Severity: s.Severity, Excepted: s.Excepted}
		}
	}
	return of(v.Old), of(v.New)
}

// statesOf are the states of the verdicts that results make up.
func statesOf(results []finding.Result) map[verdictKey]State {
	states := map[verdictKey]State{}
	for k, w := range verdictsOf(results) {
		states[k] = stateOf(w, true)
	}
	return states
}

// nameSubjects names, for reports, the change on which a verdict on a role rests that is
// only in one of them.
func nameSubjects(verdicts []Verdict, changes []Change) {
	for i := range verdicts {
		for _, c := range changes {
			if c.Kind == KindRole && c.Field == "" && c.ARN == verdicts[i].Subject.ARN && c.ARN != "" {
				verdicts[i].Causes = append(verdicts[i].Causes, c.Number)
			}
		}
	}
}

// withReferred returns facts with the roles, policies, instance profiles and OIDC
// providers that only the other side has, which were read as something refers to them.
func withReferred(facts, other *snapshot.Snapshot) *snapshot.Snapshot {
	s := *facts
	s.Roles = united(s.Roles, other.Roles)
	s.Policies = united(s.Policies, other.Policies)
	s.InstanceProfiles = united(s.InstanceProfiles, other.InstanceProfiles)
	s.OIDCProviders = united(s.OIDCProviders, other.OIDCProviders)
	s.RepositoryPolicies = united(s.RepositoryPolicies, other.RepositoryPolicies)
	s.Missing = slices.Clone(s.Missing)
	for _, m := range other.Missing {
		if slices.Contains(referredFacts, m.Fact) && m.Subject != "" && !knows(facts, m) {
			s.Missing = append(s.Missing, m)
		}
	}
	return &s
}

// united returns the entries of both, of a key that both have the first.
func united[V any](first, second map[string]V) map[string]V {
	all := maps.Clone(second)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, first)
	return all
}

// referredFacts are the facts about what other facts refer to.
var referredFacts = []snapshot.Fact{
	snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactRoleProfiles,
	snapshot.FactPolicies, snapshot.FactInstanceProfiles, snapshot.FactOIDCProviders, snapshot.FactClusterRole, snapshot.FactRepositoryPolicies,
}

// knows reports whether the facts contain what an entry under missing is about.
func knows(facts *snapshot.Snapshot, m snapshot.Missing) bool {
	arn, _, _ := strings.Cut(m.Subject, "#")
	_, role := facts.Roles[arn]
	_, policy := facts.Policies[arn]
	_, profile := facts.InstanceProfiles[arn]
	_, provider := facts.OIDCProviders[arn]
	_, repository := facts.RepositoryPolicies[arn]
	return role || policy || profile || provider || repository || facts.IsMissing(m.Fact, m.Subject)
}
