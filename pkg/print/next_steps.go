package print

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// step is a command and what it is for.
type step struct{ Text, Command string }

// nextSteps are the commands that concern the whole report, completed so that they act on
// the cluster that was judged; those of a finding are below it.
func nextSteps(r *finding.Report, complete func(command.Command) command.Command) []step {
	var steps []step
	add := func(text string, c command.Command) {
		if complete != nil {
			c = c.Map(complete)
		}
		steps = append(steps, step{text, c.String()})
	}
	under := finding.Under(r.Results)
	planned := false
	for i, res := range r.Results {
		planned = planned || res.Weight() != "" && under[i] < 0 && slices.ContainsFunc(res.Next, isFix)
	}
	if planned {
		add("Plan the whole repair; this changes nothing:", command.Noderole("fix"))
	}
	for _, reader := range []struct {
		iam     bool
		text    string
		command command.Command
	}{
		{true, "Print the IAM policy that allows what was not read:", command.Noderole("policy", "reader")},
		{false, "Print the RBAC rules that allow what was not read:", command.Noderole("policy", "reader", "--rbac")},
	} {
		if slices.ContainsFunc(r.Missing, func(m finding.Missing) bool {
			return m.Permission != "" && strings.Contains(m.Permission, ":") == reader.iam
		}) {
			add(reader.text, reader.command)
		}
	}
	return steps
}

// isFix reports whether a next step is a repair that fix plans.
func isFix(n finding.Next) bool { return len(n.Plan) > 0 }

// nextSteps ends the report: what to type for all of it.
func (t *table) nextSteps(r *finding.Report) {
	steps := nextSteps(r, t.o.Complete)
	if len(steps) == 0 {
		return
	}
	t.rule("What to do now")
	if t.o.Note != "" {
		steps[0].Text = text.Visible(t.o.Note) + " " + steps[0].Text
	}
	for _, s := range steps {
		t.wrapped("", "", s.Text)
		t.command("   ", s.Command)
	}
}
