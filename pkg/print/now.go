package print

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// maxNow is how many commands are named as what to do now.
const maxNow = 5

// step is a command and the findings that it is for.
type step struct {
	command, remark string
	ids             []string
	message         string
	others          int
}

// text says what a step is for.
func (s step) text() string {
	const maxIDs = 4
	ids := s.ids
	text := strings.Join(ids, ", ")
	if len(ids) > maxIDs {
		text = fmt.Sprintf("%s and %d more", strings.Join(ids[:maxIDs-1], ", "), len(ids)-maxIDs+1)
	}
	text += ": " + s.message
	if s.others > 0 {
		text += fmt.Sprintf(", and %d more", s.others)
	}
	if s.remark != "" {
		text += " (" + s.remark + ")"
	}
	return text
}

// explained reports whether another finding is the cause of this one.
func explained(r finding.Result) bool { return len(r.Causes) > 0 }

// open returns the results that somebody has to act on, the worst first, and what
// another finding explains last.
func open(results []finding.Result) []finding.Result {
	var causes, symptoms []finding.Result
	for _, r := range results {
		switch {
		case excused(r), r.Status == finding.Pass, r.Status == finding.NotApplicable:
		case explained(r):
			symptoms = append(symptoms, r)
		default:
			causes = append(causes, r)
		}
	}
	return append(causes, symptoms...)
}

// steps returns the commands that work as they stand, each once, and the ids of
// errors that have none.
func (t *table) steps(r *finding.Report, results []finding.Result) (steps []step, without []string) {
	var unread []string
	for _, r := range results {
		if r.Status == finding.Unknown {
			if !slices.Contains(unread, r.ID) {
				unread = append(unread, r.ID)
			}
			continue
		}
		found := false
		for _, n := range r.Next {
			if !n.Pasteable() {
				continue
			}
			found = true
			i := slices.IndexFunc(steps, func(s step) bool { return s.command == n.Text })
			if i < 0 {
				steps = append(steps, step{command: n.Text, remark: n.Note, ids: []string{r.ID}, message: r.Message})
				continue
			}
			if !slices.Contains(steps[i].ids, r.ID) {
				steps[i].ids = append(steps[i].ids, r.ID)
			}
			steps[i].others++
		}
		if word, _ := resultWord(r); word == "FAIL" && !found && !explained(r) && !slices.Contains(without, r.ID) {
			without = append(without, r.ID)
		}
	}
	if len(unread) == 0 {
		return steps, without
	}
	for _, reader := range []struct {
		iam     bool
		command command.Command
		message string
	}{
		{true, command.Noderole("policy", "reader"), "the IAM policy that allows you to read what was refused"},
		{false, command.Noderole("policy", "reader", "--rbac"), "the RBAC rules that allow you to read what was refused"},
	} {
		if slices.ContainsFunc(r.Missing, func(m finding.Missing) bool {
			return m.Permission != "" && strings.Contains(m.Permission, ":") == reader.iam
		}) {
			steps = append(steps, step{command: t.complete(reader.command), ids: unread, message: reader.message})
		}
	}
	return steps, without
}

// whatNow ends the report: what to paste first, or that nothing is to be done.
func (t *table) whatNow(r *finding.Report, results []finding.Result) {
	left := open(results)
	if !slices.ContainsFunc(left, func(r finding.Result) bool { return ended(r) || r.Status != finding.Fail || r.Severity != finding.Info }) {
		t.inOrder(r)
		return
	}
	steps, without := t.steps(r, left)
	cut := max(0, len(steps)-maxNow)
	steps = steps[:len(steps)-cut]
	planned := slices.ContainsFunc(left, func(r finding.Result) bool { return r.Status == finding.Fail })
	if len(steps) == 0 && !planned {
		return
	}
	t.line("")
	t.rule("What to do now")
	if t.o.Note != "" {
		t.wrapped("", "", text.Visible(t.o.Note))
	}
	for i, s := range steps {
		t.wrapped(fmt.Sprintf("%d  ", i+1), "   ", s.text())
		t.line("   " + t.paint(s.command, cyan))
	}
	if len(without) > 0 {
		t.wrapped("", "", "No command alone repairs "+strings.Join(without, ", ")+": see above.")
	}
	if planned {
		text := "The whole repair as a plan, with proof and undo; it changes nothing:"
		if cut > 0 {
			text = fmt.Sprintf("%s above. %s", count(cut, "more command"), text)
		}
		t.wrapped("", "", text)
		t.line("   " + t.paint(t.complete(command.Noderole("fix")), cyan))
	} else if cut > 0 {
		t.line(count(cut, "more command") + " above")
	}
}

// inOrder says in one line that nothing is to be done, and what was checked.
func (t *table) inOrder(r *finding.Report) {
	const maxNames = 5
	var rules, roles []string
	for _, res := range r.Results {
		if res.Status == finding.Pass && !slices.Contains(rules, res.ID) {
			rules = append(rules, res.ID)
		}
	}
	for _, row := range r.NodeRoles {
		roles = append(roles, row.Name)
	}
	what := "nothing"
	switch n := len(roles); {
	case n == 1:
		what = "node role " + roles[0]
	case n > maxNames:
		what = fmt.Sprintf("%d node roles", n)
	case n > 1:
		what = "node roles " + strings.Join(roles, ", ")
	}
	if r.AWSNode.Identity != "None" {
		what += " and aws-node"
	}
	if r.WhyNotJoining {
		t.wrapped("", "", "Nothing was found that keeps nodes from joining, in "+what)
		return
	}
	text := fmt.Sprintf("Nothing to do: %s passed %s", what, count(len(rules), "rule"))
	if !slices.Contains(t.o.Show, finding.Pass) {
		text += "; --show passed shows the evidence"
	}
	t.wrapped("", "", text)
}

// complete returns a command as text that acts on the cluster that was judged.
func (t *table) complete(c command.Command) string {
	if t.o.Complete != nil {
		c = c.Map(t.o.Complete)
	}
	return c.String()
}
