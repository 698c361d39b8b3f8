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
	width int
}

// paragraph writes prose; lead is written before its first line.
func (b *planScreen) paragraph(lead, words string) {
	indent := strings.Repeat(" ", len(strings.TrimLeft(lead, "\n")))
	for i, line := range print.Wrap(text.Visible(words), b.width-len(strings.TrimLeft(lead, "\n"))) {
		if i > 0 {
			lead = indent
		}
		b.WriteString(lead + line + "\n")
	}
}

// next writes what to do: a command whole, as it is there to be pasted, and prose as a
// paragraph.
func (b *planScreen) next(lead string, list []finding.Next) {
	for _, n := range list {
		if n.Text != "" {
			b.WriteString(lead + n.Text + "\n")
		}
		if words := strings.TrimSpace(n.Note + " " + n.Link); words != "" {
			b.paragraph(lead, words)
		}
	}
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
	b.paragraph(fmt.Sprintf("\n%2d  ", number), fmt.Sprintf("%s  (%s)", s.Title, strings.Join(s.Rules, ", ")))
	for _, c := range s.Changes {
		b.next("    ", commandsOf([]change.Change{c}, complete))
		b.difference(c)
	}
	b.paragraph("    proof  ", s.Proof)
	if s.Note != "" {
		b.paragraph("    note   ", s.Note)
	}
	for _, back := range planner.Undo(cluster, []planner.Step{s}).Steps {
		b.next("    undo   ", commandsOf(back.Changes, complete))
	}
}

// printPlan writes the plan for people. Commands are never wrapped.
func printPlan(streams genericiooptions.IOStreams, p *planner.Plan, apply bool, complete export.Complete) error {
	b := planScreen{width: newScreen(streams.Out, os.Getenv).width}
	if b.width <= 0 {
		b.width = print.DefaultWidth
	}
	b.width = min(max(b.width, 60), 100) // prose is not read faster on longer lines
	cluster, where := snapshot.NameOf(p.Cluster), snapshot.NameOf(p.Cluster)
	if a, ok := snapshot.ParseARN(p.Cluster); ok {
		where += " in " + a.Region
	}
	switch {
	case len(p.Steps) > 0 && apply:
		b.paragraph("", fmt.Sprintf("%s for %s, in order:", text.Count(len(p.Steps), "step"), where))
	case len(p.Steps) > 0:
		b.paragraph("", fmt.Sprintf("%s for %s, in order; nothing changes without --apply:", text.Count(len(p.Steps), "step"), where))
	case len(p.Manual) > 0:
		b.paragraph("", "no step repairs what check found in "+cluster)
	default:
		b.paragraph("", "nothing to repair in "+cluster)
	}
	for i, s := range p.Steps {
		b.step(i+1, p.Cluster, s, complete)
	}
	if len(p.Manual) > 0 {
		b.paragraph("\n", "do this manually:")
	}
	for _, m := range p.Manual {
		b.paragraph("\n "+text.Visible(m.Rule)+"  ", m.Message)
		b.paragraph("        ", m.Why)
		b.next("        -> ", m.Next)
	}
	_, err := io.WriteString(streams.Out, b.String())
	return err
}
