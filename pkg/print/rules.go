package print

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// RuleTable writes a row for each rule, within width columns; 0 means DefaultWidth.
// A title that is longer than its column goes on below.
func RuleTable(w io.Writer, docs []finding.RuleDoc, width int) error {
	width = clampWidth(width)
	name := len("NAME")
	for _, d := range docs {
		name = max(name, len(d.Name))
	}
	var b strings.Builder
	row := func(id, severity, ruleName, title string) {
		lead := fmt.Sprintf("%-5s  %-8s  %-*s  ", id, severity, name, ruleName)
		for i, l := range wrap(title, width-len(lead)) {
			if i > 0 {
				lead = strings.Repeat(" ", len(lead))
			}
			b.WriteString(lead + l + "\n")
		}
	}
	row("RULE", "SEVERITY", "NAME", "CHECKS THAT")
	for _, d := range docs {
		row(d.ID, string(d.Severity), d.Name, d.Title)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Rules writes all that the rules say about themselves, within width columns; 0
// means DefaultWidth. Addresses are not wrapped.
func Rules(w io.Writer, docs []finding.RuleDoc, width int) error {
	width = clampWidth(width)
	var b strings.Builder
	line := func(indent, text string) {
		for _, l := range wrap(text, width-len(indent)) {
			b.WriteString(indent + l + "\n")
		}
	}
	for i, d := range docs {
		if i > 0 {
			b.WriteString("\n")
		}
		line("", d.ID+" "+d.Name+" ("+severityAndColumn(d)+")")
		line("", d.Title+".")
		for _, section := range ruleSections(d) {
			b.WriteString("\n" + section.heading + "\n")
			for _, text := range section.lines {
				line("  ", text)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// maxRuleWidth is how long a line of prose may get.
const maxRuleWidth = 120

func clampWidth(width int) int {
	return min(max(cmp.Or(width, DefaultWidth), minWidth), maxRuleWidth)
}

// RuleMarkdown returns the rule's page.
func RuleMarkdown(d finding.RuleDoc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n%s.\n\nSeverity: %s\n", d.ID, d.Name, d.Title, severityAndColumn(d))
	for _, section := range ruleSections(d) {
		fmt.Fprintf(&b, "\n## %s\n\n", section.heading)
		for _, text := range section.lines {
			b.WriteString(section.before + text + section.after + "\n")
		}
		if section.note != "" {
			fmt.Fprintf(&b, "\n%s\n", section.note)
		}
	}
	return b.String()
}

func severityAndColumn(d finding.RuleDoc) string {
	text := string(d.Severity)
	if d.Concern != "" {
		text += "; column " + strings.ToUpper(string(d.Concern))
	}
	if d.Fleet {
		text = string(d.Severity) + "; about the clusters of a fleet together"
	}
	return text
}

// ruleSection is a part of what a rule says; before and after enclose its lines
// in Markdown.
type ruleSection struct {
	heading       string
	lines         []string
	before, after string
	note          string
}

func ruleSections(d finding.RuleDoc) []ruleSection {
	sections := []ruleSection{
		{heading: "Why", lines: []string{d.Why}},
		{heading: "How to repair it", lines: []string{d.Fix}},
		{
			heading: "Facts it needs", lines: d.Needs, before: "- `", after: "`",
			note: "Where one of them could not be read the verdict is *unknown*, never a pass.",
		},
		{heading: "Sources", lines: d.Refs, before: "- <", after: ">"},
	}
	return slices.DeleteFunc(sections, func(s ruleSection) bool { return len(s.lines) == 0 })
}
