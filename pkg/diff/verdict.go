package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// verdictKey names a verdict.
type verdictKey struct {
	id      string
	subject finding.Subject
}

// keyOf is the verdict that a result belongs to. An event about a pod is one about its
// workload: pods of the same workload have other names from day to day.
func keyOf(r finding.Result) verdictKey {
	k := verdictKey{r.ID, r.Subject}
	if r.Subject.Kind == finding.SubjectEvent {
		k.subject.Name = withoutSuffix(r.Subject.Name)
	}
	return k
}

// generated are the suffixes that controllers give pods: a ReplicaSet's hash, and five
// random characters.
// Source: k8s.io/apimachinery/pkg/util/rand, alphanums; k8s.io/apiserver/pkg/storage/names/generate.go.
var generated = text.Pattern(`(-[bcdfghjklmnpqrstvwxz2456789]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$`)

func withoutSuffix(name string) string {
	if !strings.Contains(name, "Pod/") {
		return name
	}
	return generated().ReplaceAllString(name, "")
}

// weighed is a verdict with what it counts.
type weighed struct {
	result    finding.Result
	weight    finding.Severity
	explained bool
}

// verdictsOf are the verdicts that results make up.
func verdictsOf(results []finding.Result) map[verdictKey]weighed {
	found := map[verdictKey]weighed{}
	under := finding.Under(results)
	for i, res := range results {
		k := keyOf(res)
		if have, ok := found[k]; !ok || finding.Order(res, have.result) < 0 {
			found[k] = weighed{result: res, weight: res.Weight(), explained: under[i] >= 0}
		}
	}
	return found
}

// stateOf is what a verdict is compared by: a verdict that passes is as good as one on
// what is not there.
func stateOf(w weighed, there bool) State {
	r := w.result
	switch {
	case !there, r.Status == finding.Pass, r.Status == finding.NotApplicable:
		return State{}
	case r.Status == finding.Unknown:
		return State{Status: finding.Unknown}
	default:
		return State{Status: r.Status, Severity: cmp.Or(w.weight, r.Severity), Excepted: r.Excepted()}
	}
}

// isFinding reports whether a state counts.
func (s State) isFinding() bool { return s.Severity != "" && !s.Excepted }

// same reports whether two states are the same verdict.
func (s State) same(o State) bool {
	return s.Status == o.Status && s.Severity == o.Severity && s.Excepted == o.Excepted
}

// rank is how much a state counts.
func (s State) rank() int {
	if !s.isFinding() {
		return 0
	}
	return s.Severity.Rank()
}

// movedVerdicts returns the verdicts whose states differ.
func movedVerdicts(older, newer *finding.Report) []Verdict {
	was, is := verdictsOf(older.Results), verdictsOf(newer.Results)
	keys := map[verdictKey]bool{}
	for k := range was {
		keys[k] = true
	}
	for k := range is {
		keys[k] = true
	}
	verdicts := []Verdict{}
	for k := range keys {
		before, wasThere := was[k]
		after, isThere := is[k]
		from, to := stateOf(before, wasThere), stateOf(after, isThere)
		if from.same(to) {
			continue
		}
		v := Verdict{Movement: Moved, Worse: to.rank() > from.rank(), ID: k.id, Subject: k.subject}
		switch none := (State{}); {
		case from.same(none) && to.isFinding():
			v.Movement = New
		case to.same(none) && from.isFinding():
			v.Movement = Resolved
		}
		if wasThere {
			v.Rule, v.Old = before.result.Rule, shown(before)
			v.Explained = before.explained
		}
		if isThere {
			v.Rule, v.New = after.result.Rule, shown(after)
		}
		if to.isFinding() {
			v.Explained = after.explained
		}
		verdicts = append(verdicts, v)
	}
	slices.SortFunc(verdicts, compareVerdicts)
	return verdicts
}

// shown is a verdict for people and programs.
func shown(w weighed) *State {
	r := w.result
	return &State{Status: r.Status, Severity: cmp.Or(w.weight, r.Severity), Excepted: r.Failed() && r.Excepted(), Message: r.Message, Evidence: r.Evidence}
}

// lost reports whether what the verdict needs could be read before, and not now.
func (v Verdict) lost() bool {
	return v.New != nil && v.New.Status == finding.Unknown && (v.Old == nil || v.Old.Status != finding.Unknown)
}

// compareVerdicts is the order of verdicts: what got worse, what can no longer be read,
// other changes, what is resolved; in each what counts most first.
func compareVerdicts(a, b Verdict) int {
	place := func(v Verdict) int {
		switch {
		case v.Worse:
			return 0
		case v.lost():
			return 1
		case v.Movement == Moved:
			return 2
		default:
			return 3
		}
	}
	weight := func(v Verdict) int {
		most := 0
		for _, s := range []*State{v.Old, v.New} {
			if s != nil && (s.Status == finding.Fail || s.Status == finding.Depends) {
				most = max(most, s.Severity.Rank())
			}
		}
		return -most
	}
	return cmp.Or(
		cmp.Compare(place(a), place(b)), cmp.Compare(weight(a), weight(b)), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Subject.Name, b.Subject.Name), cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.ARN, b.Subject.ARN),
	)
}
