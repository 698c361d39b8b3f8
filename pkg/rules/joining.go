package rules

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// whyNotJoining returns the results that can explain why nodes do not join, in the order in
// which a starting node meets the rules. Failures come before what depends and what is unknown.
func whyNotJoining(results []finding.Result) []finding.Result {
	var kept []finding.Result
	for _, r := range results {
		if r.Joining > 0 && (r.Failed() || r.Status == finding.Unknown) {
			kept = append(kept, r)
		}
	}
	certain := func(r finding.Result) int {
		return slices.Index([]finding.Status{finding.Fail, finding.Depends, finding.Unknown}, r.Status)
	}
	slices.SortStableFunc(kept, func(a, b finding.Result) int {
		return cmp.Or(cmp.Compare(certain(a), certain(b)), cmp.Compare(a.Joining, b.Joining))
	})
	return kept
}

// explain gives results with symptoms their causes: the failures of rules that explain
// them.
func explain(results []finding.Result, rules []Rule) {
	explains := map[string][]finding.SymptomKind{}
	for _, r := range rules {
		explains[r.ID] = r.Explains
	}
	var causes []*finding.Result
	for i := range results {
		if r := &results[i]; r.Status == finding.Fail && (len(explains[r.ID]) > 0 || len(r.WrongRoles) > 0) {
			causes = append(causes, r)
		}
	}
	for i := range results {
		r := &results[i]
		if !r.Failed() {
			continue
		}
		for _, cause := range causes {
			if explainsSymptom(cause, r, explains[cause.ID]) || ofWrongRole(cause, r) {
				r.Causes = append(r.Causes, cause.Ref())
			}
		}
		if len(r.Causes) > 0 {
			r.Next = nil
		}
	}
}

// explainsSymptom reports whether a failure explains what another result reports.
func explainsSymptom(cause, r *finding.Result, explains []finding.SymptomKind) bool {
	return slices.ContainsFunc(r.Symptoms, func(s finding.Symptom) bool {
		ofRole := s.RoleARN == "" || cause.Subject.ARN == "" || cause.Subject.ARN == s.RoleARN
		ofAction := s.Action == "" || slices.ContainsFunc(cause.Denied, func(a string) bool { return strings.EqualFold(a, s.Action) })
		return ofRole && ofAction && slices.Contains(explains, s.Kind)
	})
}

// ofWrongRole reports whether a result is about a role that nodes must not use, as another
// result shows: it is then a consequence of that one.
func ofWrongRole(cause, r *finding.Result) bool {
	return r.Subject.Kind == finding.SubjectNodeRole && !r.NotOfRole && len(r.WrongRoles) == 0 && slices.Contains(cause.WrongRoles, r.Subject.ARN)
}
