package print

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Diff writes for a person what changed in a cluster: the verdict on it, the verdicts
// that moved with the changes on which they rest, and the changes.
func Diff(w io.Writer, d *diff.Diff, o TableOptions) error {
	t, see := newTable(o)
	d = cleaned(d, see)
	t.diffHead(d)
	for _, group := range movedGroups(d.Verdicts) {
		t.moved(d, group)
	}
	if len(d.Verdicts) > 0 {
		t.line("")
	}
	if len(d.Changes) > 0 {
		t.rule("changes")
	}
	for _, c := range d.Changes {
		t.change(c)
	}
	for _, n := range d.NotCompared {
		t.wrapped("not compared: ", strings.Repeat(" ", 14), n)
	}
	if o.Footer != "" {
		t.line(t.paint(o.Footer, text.Dim))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// diffTone is the tone of the headline.
func diffTone(d *diff.Diff) tone {
	switch {
	case d.Summary.Worse > 0:
		worst := 0
		for _, v := range d.Verdicts {
			if v.Worse {
				worst = max(worst, v.New.Severity.Rank())
			}
		}
		if worst == finding.Error.Rank() {
			return toneBad
		}
		return toneCaution
	case d.Summary.Unread > 0:
		return toneUnknown
	case len(d.Verdicts) > 0:
		return toneNote
	default:
		return toneGood
	}
}

func (t *table) diffHead(d *diff.Diff) {
	t.line(strings.Join(append([]string{t.paint(d.Cluster.Name, text.Bold)}, clusterFacts(d.Cluster)...), "  "))
	t.sides(sourceText(d.Old), sourceText(d.New), d.Headline(), diffTone(d))
}

// sides prints where the two sides come from, and what the comparison says.
func (t *table) sides(older, newer, headline string, is tone) {
	t.wrapped("old  ", "     ", older)
	t.wrapped("new  ", "     ", newer)
	for _, l := range wrap(headline, t.prose()) {
		t.line(t.paint(l, headlineColor(is)))
	}
	t.line("")
}

// sourceText returns where one side comes from.
func sourceText(s diff.Source) string {
	words := s.Name
	if s.Kind == finding.ReportKind {
		words += ", a report"
	}
	if s.CollectedAt != "" {
		words += ", facts of " + s.CollectedAt
	}
	return words
}

// stateLabel is the label of a verdict at one time.
func stateLabel(s *diff.State) label {
	switch {
	case s == nil:
		return labelNotApplicable
	case s.Excepted:
		return labelExcepted
	default:
		return labelOf(s.Status, s.Severity)
	}
}

// movedText returns from what to what a verdict moved.
func movedText(v diff.Verdict) string {
	switch {
	case v.Movement == diff.New:
		return stateLabel(v.New).Word
	case v.New == nil:
		return stateLabel(v.Old).Word + " -> gone"
	case v.Old == nil:
		return stateLabel(v.New).Word
	default:
		return stateLabel(v.Old).Word + " -> " + stateLabel(v.New).Word
	}
}

// movedTone is the tone of a verdict that moved.
func movedTone(v diff.Verdict) tone {
	if v.Movement == diff.Resolved {
		return toneGood
	}
	return stateLabel(v.New).Tone
}

// movedGroups puts verdicts on one subject together that are unknown now for the same
// changes. The others are alone.
func movedGroups(verdicts []diff.Verdict) [][]diff.Verdict {
	var groups [][]diff.Verdict
	at := map[string]int{}
	for _, v := range verdicts {
		if v.New == nil || v.New.Status != finding.Unknown || len(v.Causes) == 0 {
			groups = append(groups, []diff.Verdict{v})
			continue
		}
		key := fmt.Sprintf("%q %v %v", movedText(v), v.Subject, v.Causes)
		if i, ok := at[key]; ok {
			groups[i] = append(groups[i], v)
			continue
		}
		at[key] = len(groups)
		groups = append(groups, []diff.Verdict{v})
	}
	return groups
}

// moved writes a verdict, or several that are unknown now, and the changes on which they
// rest.
func (t *table) moved(d *diff.Diff, group []diff.Verdict) {
	v := group[0]
	lead := fmt.Sprintf("%-8s  %s  %s  ", v.Movement, movedText(v), v.ID)
	painted := t.paint(string(v.Movement), text.Bold) + strings.Repeat(" ", 10-len(v.Movement)) + t.paint(movedText(v), colorOf(movedTone(v))) + "  "
	words := v.Message()
	if v.Explained {
		words += " (follows from another finding)"
	}
	if len(group) > 1 {
		lead = fmt.Sprintf("%-8s  %s  ", v.Movement, movedText(v))
		var ids []string
		for _, one := range group {
			ids = append(ids, one.ID)
		}
		words = fmt.Sprintf("%d verdicts on %s: %s", len(group), v.Subject.Name, strings.Join(ids, ", "))
	} else {
		painted += v.ID + "  "
	}
	for i, l := range wrap(words, t.prose()-columns(lead)) {
		if i == 0 {
			t.line(painted + l)
			continue
		}
		t.line(strings.Repeat(" ", columns(lead)) + l)
	}
	for _, number := range v.Causes {
		first := fmt.Sprintf("%10s%s [%d] ", "", t.glyphs.arrow, number)
		t.wrapped(first, strings.Repeat(" ", columns(first)), d.Changes[number-1].Brief())
	}
}

func (t *table) change(c diff.Change) {
	number := fmt.Sprintf("[%d] ", c.Number)
	t.wrapped(number, strings.Repeat(" ", len(number)), c.String())
	for _, l := range policyLines(c.PolicyDiff) {
		style := text.Plain
		switch {
		case strings.HasPrefix(l, "-"):
			style = text.Red
		case strings.HasPrefix(l, "+"):
			style = text.Green
		}
		t.line(strings.Repeat(" ", len(number)) + t.paint(l, style))
	}
}

// policyLines are the lines of a policy's diff.
func policyLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// DiffMarkdown writes what changed in a cluster as GitHub's Markdown, for a comment on a
// pull request. No name or policy text in it is read as Markdown or HTML.
func DiffMarkdown(w io.Writer, d *diff.Diff) error {
	d = cleaned(d, text.Visible)
	m := &markdown{}
	fmt.Fprintf(&m.b, "### kubectl noderole diff: %s\n\n", escape(clip(d.Headline(), maxName)))
	fmt.Fprintf(&m.b, "Cluster %s\n\n- old: %s\n- new: %s\n\n", escape(clip(d.Cluster.ARN, maxName)), escape(clip(sourceText(d.Old), maxName)), escape(clip(sourceText(d.New), maxName)))
	var blocks []string
	for _, v := range d.Verdicts {
		line := fmt.Sprintf("- **%s** %s [%s](%s%s.md) %s", v.Movement, escape(movedText(v)), escape(v.ID), rulePages, pathSegment(v.ID), escape(clip(v.Message(), 4*maxName)))
		for _, number := range v.Causes {
			line += fmt.Sprintf("\n  - change %d: %s", number, escape(clip(d.Changes[number-1].Brief(), 4*maxName)))
		}
		blocks = append(blocks, line+"\n")
	}
	m.addAll(markdownFindings, "#### Verdicts\n\n", blocks)
	blocks = nil
	for _, c := range d.Changes {
		block := fmt.Sprintf("%d\\. %s\n\n", c.Number, escape(clip(c.String(), 4*maxName)))
		if c.PolicyDiff != "" {
			block += "<details><summary>Policy</summary>\n\n" + fenced("diff", strings.TrimSuffix(c.PolicyDiff, "\n")) + "</details>\n\n"
		}
		blocks = append(blocks, block)
	}
	return m.writeChanges(w, blocks, d.NotCompared)
}

// writeChanges ends a comparison: its changes, a block each, and what is not compared.
func (m *markdown) writeChanges(w io.Writer, blocks, notCompared []string) error {
	m.addAll(markdownRest, "#### Changes\n\n", blocks)
	for _, n := range notCompared {
		m.add(markdownRest, "Not compared: "+escape(clip(n, 4*maxName))+"\n\n")
	}
	if m.leftOut > 0 {
		fmt.Fprintf(&m.b, "… and %d more; `kubectl noderole diff` shows all\n", m.leftOut)
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}
