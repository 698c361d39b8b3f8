package print

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// maxSteps is how many commands are named as what to do now.
const maxSteps = 5

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
	words := strings.Join(ids, ", ")
	if len(ids) > maxIDs {
		words = fmt.Sprintf("%s and %d more", strings.Join(ids[:maxIDs-1], ", "), len(ids)-maxIDs+1)
	}
	words += ": " + s.message
	if s.others > 0 {
		words += fmt.Sprintf(", and %d more", s.others)
	}
	if s.remark != "" {
		words += " (" + s.remark + ")"
	}
	return words
}

// open returns the results that somebody has to act on, in order.
func open(results []finding.Result) []finding.Result {
	under := finding.Under(results)
	var list []finding.Result
	for i, r := range results {
		if (r.Weight() != "" || r.Status == finding.Unknown) && under[i] < 0 {
			list = append(list, r)
		}
	}
	return list
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
		if r.Weight() == finding.Error && !found && len(r.Causes) == 0 && !slices.Contains(without, r.ID) {
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

// nextSteps ends the report: what to paste first, or that nothing is to be done.
func (t *table) nextSteps(r *finding.Report) {
	left := open(r.Results)
	if !slices.ContainsFunc(left, func(r finding.Result) bool { return r.Weight() != finding.Info }) {
		t.inOrder(r)
		return
	}
	steps, without := t.steps(r, left)
	cut := max(0, len(steps)-maxSteps)
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
		t.command("   ", s.command)
	}
	if len(without) > 0 {
		t.wrapped("", "", strings.Join(without, ", ")+": no single command repairs this, see above.")
	}
	if planned {
		words := "The plan of the whole repair, with proof and undo; it changes nothing:"
		if cut > 0 {
			words = fmt.Sprintf("%s above. %s", text.Count(cut, "more command"), words)
		}
		t.wrapped("", "", words)
		t.line("   " + t.paint(t.complete(command.Noderole("fix")), cyan))
	} else if cut > 0 {
		t.line(text.Count(cut, "more command") + " above.")
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
		t.wrapped("", "", "No finding keeps nodes from joining: checked "+what+".")
		return
	}
	words := fmt.Sprintf("Nothing to do: %s passed %s", what, text.Count(len(rules), "rule"))
	if !slices.Contains(t.o.Show, finding.Pass) {
		words += "; --show passed shows the evidence"
	}
	t.wrapped("", "", words+".")
}

// complete returns a command as text that acts on the cluster that was judged.
func (t *table) complete(c command.Command) string {
	if t.o.Complete != nil {
		c = c.Map(t.o.Complete)
	}
	return c.String()
}
