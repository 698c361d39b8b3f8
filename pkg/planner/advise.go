package planner

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Advise says what to do next about each result of a report that fails or depends, so
// that no advice contradicts another result: nothing for what follows from other results,
// fix where it has the repair, and otherwise why it has none and what people do. The
// report's results are those of the view.
func Advise(v *view.View, report *finding.Report) {
	a := adviser{v: v, results: report.Results, plans: map[string]planned{}, causes: map[finding.Subject][]*finding.Result{}}
	for i := range report.Results {
		r := &report.Results[i]
		if r.Status == finding.Fail && len(r.Causes) == 0 {
			a.causes[r.Block()] = append(a.causes[r.Block()], r)
		}
		if r.Repair == finding.MoveCNI {
			a.move = r.ID
		}
	}
	advised := make([][]finding.Next, len(report.Results))
	for i, r := range report.Results {
		switch {
		case !r.Failed():
			advised[i] = r.Next
		case len(r.Causes) > 0 || r.Excepted():
		case r.Status == finding.Depends:
			advised[i] = a.dependent(r)
		default:
			advised[i] = a.failed(r)
		}
	}
	for i := range report.Results {
		report.Results[i].Next = advised[i]
	}
	report.Sort()
}

// adviser asks the planner what it would plan for each result.
type adviser struct {
	v       *view.View
	results []finding.Result
	// causes are the failures that follow from no other result, by Block.
	causes map[finding.Subject][]*finding.Result
	// move is the ID of the rule whose repair is MoveCNI; empty where it has no result.
	move string
	// plans are the plans and their outcomes, by the rule IDs that each plan is for.
	plans map[string]planned
}

// planned is a plan, and the outcome for each failure in it.
type planned struct {
	plan     *Plan
	outcomes map[finding.Ref]error
}

// dependent is what to do about a result that depends: fix repairs none.
func (a adviser) dependent(r finding.Result) []finding.Next {
	if owners := a.v.Owners(r.Subject.ARN); len(owners) > 0 && r.Subject.Kind == finding.SubjectNodeRole && !r.NotOfRole {
		return []finding.Next{finding.Advise(ownersWords(r.Subject.Name, owners) + ": its nodes need a role of their own")}
	}
	return r.Next
}

// failed is what to do about a failure.
func (a adviser) failed(r finding.Result) []finding.Next {
	only := a.together(r)
	err := a.outcome(only, r)
	for range a.results { // each round adds a blocker
		blockers := a.blockers(err, only)
		if len(blockers) == 0 {
			break
		}
		only = append(only, blockers...)
		slices.Sort(only)
		err = a.outcome(only, r)
	}
	if err == nil {
		return []finding.Next{a.fix(r, only)}
	}
	var next []finding.Next
	for _, left := range manualErrors(err) {
		if left.Why != "" && left.Why != whyNoStep {
			next = append(next, finding.Advise(left.Why))
		}
		next = append(next, left.Next...)
	}
	return next
}

// together are the rule IDs of the failures of a subject that one repair repairs, sorted.
func (a adviser) together(r finding.Result) []string {
	ids := []string{r.ID}
	for _, other := range a.causes[r.Block()] {
		if other.Repair == r.Repair && r.Repair != "" && !slices.Contains(ids, other.ID) {
			ids = append(ids, other.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// blockers are the rule IDs of the failures that a repair waits for, without those that it
// is planned with.
func (a adviser) blockers(err error, only []string) []string {
	var ids []string
	for _, left := range manualErrors(err) {
		for _, ref := range left.Blockers {
			if !slices.Contains(only, ref.ID) && !slices.Contains(ids, ref.ID) {
				ids = append(ids, ref.ID)
			}
		}
	}
	return ids
}

// outcome is the error for a failure in the plan for some rule IDs; nil where it is planned.
func (a adviser) outcome(only []string, r finding.Result) error {
	return a.planFor(only).outcomes[r.Ref()]
}

func (a adviser) planFor(only []string) planned {
	key := strings.Join(only, ",")
	p, known := a.plans[key]
	if !known {
		p.plan, p.outcomes = plan(a.v, a.results, Options{Only: only})
		a.plans[key] = p
	}
	return p
}

// fix is the command that plans the repair of a failure.
func (a adviser) fix(r finding.Result, only []string) finding.Next {
	var titles []string
	for _, s := range a.planFor(only).plan.Steps {
		if s.isFor(r) {
			titles = append(titles, brief(s, r.Subject.Name))
		}
	}
	fix := command.Noderole("fix", "--only", strings.Join(only, ","))
	if slices.Contains(only, a.move) {
		fix = command.Noderole("fix", "--cni-identity", "auto")
	}
	return finding.Fix(fix, titles)
}

// brief returns what a step changes: the policies that it attaches, the restart of aws-node, or
// its title. It does not name a role that the finding is about.
func brief(s Step, subject string) string {
	var names []string
	for _, c := range s.Changes {
		if c.Kind == change.Rollout {
			return "restart aws-node"
		}
		if c.Kind != change.Attachment || c.After == nil {
			return s.Title
		}
		names = append(names, snapshot.NameOf(c.Part))
	}
	if len(names) == 0 {
		return s.Title
	}
	attach := "attach " + strings.Join(names, ", ")
	if role := s.Changes[0].Name; role != subject {
		attach += " to " + role
	}
	return attach
}
