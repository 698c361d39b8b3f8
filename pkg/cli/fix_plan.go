package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// planScreen writes a plan for people.
type planScreen struct {
	strings.Builder
	width   int
	colored bool
}

// paragraph writes prose; lead is written before its first line.
func (b *planScreen) paragraph(lead, words string, s text.Style) {
	indent := strings.Repeat(" ", len(strings.TrimLeft(lead, "\n")))
	for i, line := range print.Wrap(text.Visible(words), b.width-len(indent)) {
		if i > 0 {
			lead = indent
		}
		b.WriteString(lead + s.Paint(b.colored, line) + "\n")
	}
}

// next writes what to do: a command whole, as it is there to be pasted, and prose as a
// paragraph.
func (b *planScreen) next(lead string, list []finding.Next, commands, prose text.Style) {
	for _, n := range list {
		if n.Text != "" {
			b.WriteString(lead + commands.Paint(b.colored, n.Text) + "\n")
		}
		if words := strings.TrimSpace(n.Note + " " + n.Link); words != "" {
			b.paragraph(lead, words, prose)
		}
	}
}

// contents lists the steps and what is left to people, a line each, so that a long plan
// can be seen as a whole. A plan of one part needs none.
func (b *planScreen) contents(p *planner.Plan) {
	if len(p.Steps)+len(p.Manual) < 2 {
		return
	}
	b.WriteString("\n")
	for i, s := range p.Steps {
		b.paragraph(fmt.Sprintf("%2d  ", i+1), titleOf(s), text.Plain)
	}
	for _, m := range p.Manual {
		b.paragraph(" -  ", fmt.Sprintf("manually: %s (%s)", m.Message, m.Rule), text.Plain)
	}
}

func titleOf(s planner.Step) string {
	return fmt.Sprintf("%s (%s)", s.Title, strings.Join(s.Rules, ", "))
}

// difference shows what a change does to a document.
func (b *planScreen) difference(c change.Change) {
	before, after, ok := c.Texts()
	if !ok {
		return
	}
	difference := string(diff.Diff("before", []byte(before), "after", []byte(after)))
	for i, line := range strings.Split(strings.TrimRight(difference, "\n"), "\n") {
		if i > 2 { // the names of the two
			b.WriteString("      " + text.Visible(line) + "\n")
		}
	}
}

// step writes a step with its commands, its proof and its undo.
func (b *planScreen) step(number int, cluster string, s planner.Step, complete export.Complete) {
	b.paragraph(fmt.Sprintf("\n%2d  ", number), titleOf(s), text.Bold)
	for _, c := range s.Changes {
		b.next("    ", commandsOf([]change.Change{c}, complete), text.Cyan, text.Plain)
		b.difference(c)
	}
	b.paragraph("    proof  ", s.Proof, text.Plain)
	if s.Note != "" {
		b.paragraph("    note   ", s.Note, text.Plain)
	}
	for _, back := range planner.Undo(cluster, []planner.Step{s}).Steps {
		b.next("    undo   ", commandsOf(back.Changes, complete), text.Dim, text.Dim)
	}
}

// print writes the plan. Commands are never wrapped.
func (b *planScreen) print(p *planner.Plan, apply bool, complete export.Complete) {
	cluster, where := snapshot.NameOf(p.Cluster), snapshot.NameOf(p.Cluster)
	if a, ok := snapshot.ParseARN(p.Cluster); ok {
		where += " in " + a.Region
	}
	switch {
	case len(p.Steps) > 0 && apply:
		b.paragraph("", fmt.Sprintf("%s for %s, in order:", text.Count(len(p.Steps), "step"), where), text.Bold)
	case len(p.Steps) > 0:
		b.paragraph("", fmt.Sprintf("%s for %s, in order; nothing changes without --apply:", text.Count(len(p.Steps), "step"), where), text.Bold)
	case len(p.Manual) > 0:
		b.paragraph("", "no step repairs what check found in "+cluster, text.Bold)
	default:
		b.paragraph("", "nothing to repair in "+cluster, text.Bold)
	}
	b.contents(p)
	for i, s := range p.Steps {
		b.step(i+1, p.Cluster, s, complete)
	}
	if len(p.Manual) > 0 {
		b.paragraph("\n", "do this manually:", text.Bold)
	}
	for _, m := range p.Manual {
		b.paragraph("\n "+text.Visible(m.Rule)+"  ", m.Message, text.Bold)
		b.paragraph("        ", m.Why, text.Plain)
		b.next("        -> ", m.Next, text.Cyan, text.Plain)
	}
}

// printPlan writes the plan for people.
func printPlan(streams genericiooptions.IOStreams, p *planner.Plan, apply bool, color string, complete export.Complete) error {
	s := newScreen(streams.Out, os.Getenv)
	b := planScreen{width: print.ProseWidth(s.width), colored: s.colored(color)}
	b.print(p, apply, complete)
	_, err := io.WriteString(streams.Out, b.String())
	return err
}
