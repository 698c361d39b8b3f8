package finding_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

func result(id string, severity finding.Severity, causes ...string) finding.Result {
	r := finding.Result{ID: id, Status: finding.Fail, Severity: severity}
	for _, c := range causes {
		r.Causes = append(r.Causes, finding.Ref{ID: c})
	}
	return r
}

func TestUnder(t *testing.T) {
	excepted := result("X", finding.Error)
	excepted.Exception = &finding.Exception{Reason: "agreed"}
	for name, test := range map[string]struct {
		results []finding.Result
		want    []int
	}{
		"the first cause":      {[]finding.Result{result("A", finding.Error), result("B", finding.Error), result("S", finding.Error, "B", "A")}, []int{-1, -1, 1}},
		"a cause of a cause":   {[]finding.Result{result("S", finding.Info, "M"), result("M", finding.Warning, "A"), result("A", finding.Error)}, []int{2, 2, -1}},
		"no such cause":        {[]finding.Result{result("S", finding.Error, "gone")}, []int{-1}},
		"itself":               {[]finding.Result{result("S", finding.Error, "S")}, []int{-1}},
		"each other":           {[]finding.Result{result("A", finding.Error, "B"), result("B", finding.Error, "A")}, []int{-1, 0}},
		"a cause that is less": {[]finding.Result{result("A", finding.Warning), result("S", finding.Error, "A")}, []int{-1, -1}},
		"an excepted cause":    {[]finding.Result{excepted, result("A", finding.Error), result("S", finding.Error, "X", "A")}, []int{-1, -1, 1}},
	} {
		if got := finding.Under(test.results); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// TestPropertyUnder: what is shown under another result is shown under one that stands
// on its own and counts at least as much; sorting loses nothing, puts it right behind,
// and changes neither the counts nor what the exit code goes by.
func TestPropertyUnder(t *testing.T) {
	ids := rapid.SampledFrom([]string{"A", "B", "C", "D", "E"})
	one := rapid.Custom(func(t *rapid.T) finding.Result {
		r := result(ids.Draw(t, "id"), rapid.SampledFrom([]finding.Severity{finding.Error, finding.Warning, finding.Info}).Draw(t, "severity"), rapid.SliceOfN(ids, 0, 3).Draw(t, "causes")...)
		r.Status = rapid.SampledFrom([]finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass}).Draw(t, "status")
		r.Known = rapid.Bool().Draw(t, "known")
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		r := &finding.Report{Results: rapid.SliceOfNDistinct(one, 0, 5, func(r finding.Result) string { return r.ID }).Draw(t, "results"), WhyNotJoining: rapid.Bool().Draw(t, "joining")}
		worst, n := r.Worst(), len(r.Results)
		r.Sort()
		if len(r.Results) != n || r.Worst() != worst {
			t.Fatalf("%d results became %d, rank %d became %d", n, len(r.Results), worst, r.Worst())
		}
		standing, worst := 0, 0
		for i, u := range finding.Under(r.Results) {
			if u < 0 {
				standing = i
				worst = max(worst, r.Results[i].Weight().Rank())
				continue
			}
			if finding.Under(r.Results)[u] >= 0 || r.Results[u].Weight().Rank() < r.Results[i].Weight().Rank() {
				t.Errorf("%d is under %d", i, u)
			}
			if u != standing {
				t.Errorf("%d is not behind %d", i, u)
			}
		}
		if worst != r.Worst() {
			t.Errorf("what stands on its own counts as %d, the report as %d", worst, r.Worst())
		}
	})
}

// TestRecount: a cell has the worst verdict of its concern, also where a lesser one
// stands before it as it follows from another result.
func TestRecount(t *testing.T) {
	role := finding.Subject{Kind: finding.SubjectNodeRole, Name: "role", ARN: "arn"}
	of := func(r finding.Result) finding.Result {
		r.Subject, r.Concern = role, finding.ConcernCNI
		return r
	}
	r := &finding.Report{
		NodeRoles: []finding.RoleRow{{ARN: "arn", Verdicts: map[finding.Concern]finding.Verdict{finding.ConcernCNI: {Status: finding.Fail, Severity: finding.Error}}}},
		Results:   []finding.Result{of(result("B", finding.Error)), of(result("S", finding.Info, "A")), result("A", finding.Error)},
	}
	r.Recount()
	if got := []string{r.Results[0].ID, r.Results[1].ID, r.Results[2].ID}; !slices.Equal(got, []string{"A", "S", "B"}) {
		t.Errorf("the order is %v", got)
	}
	if got := r.NodeRoles[0].Verdicts[finding.ConcernCNI]; got.Severity != finding.Error {
		t.Errorf("the cell says %+v", got)
	}
	if want := (finding.Summary{Errors: 2, Explained: 1}); r.Summary != want {
		t.Errorf("got %+v, want %+v", r.Summary, want)
	}
}
