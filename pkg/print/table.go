// Package print writes a report, with one file per output format. It judges nothing and
// reads only the report.
package print

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Table options.
const (
	// DefaultWidth is used where nothing says how wide the output is.
	DefaultWidth = 80
	minWidth     = 60
	maxProse     = 132 // longer lines of prose are hard to read
	twoColumns   = 140 // from here on evidence and impact are side by side
	maxTwo       = 170
	maxEvidence  = 8
	maxSources   = 3 // lines of what uses a role
)

// Grouping is what findings are put under.
type Grouping string

// The groupings; none orders by severity alone.
const (
	ByRole    Grouping = "role"
	ByConcern Grouping = "concern"
)

// TableOptions say how the table looks and how much of the report it shows.
type TableOptions struct {
	// Width is how many columns a line may take; 0 means DefaultWidth. Commands are
	// never wrapped.
	Width int
	// Color paints words.
	Color bool
	// Symbols adds signs and lines beyond ASCII; every word stays.
	Symbols bool
	// ASCII writes names beyond ASCII as \u00e9, for a terminal without Unicode.
	ASCII bool
	// Wide shows ARNs, everything that uses a role, all evidence, and for each finding what
	// happens without a repair.
	Wide bool
	// Quiet leaves out all but findings.
	Quiet bool
	// Show are the statuses whose results are shown; none means DefaultShow. What is
	// excepted or in the baseline is always shown.
	Show []finding.Status
	// GroupBy puts findings under headings.
	GroupBy Grouping
	// Complete, where set, completes the commands that the table adds to those of the
	// report, so that they act on the cluster that was judged.
	Complete func(command.Command) command.Command
	// Note says what to know before a command is pasted.
	Note string
	// Footer is appended to the summary: how the facts were read.
	Footer string
}

// DefaultShow are the statuses that somebody has to look at.
var DefaultShow = []finding.Status{finding.Fail, finding.Depends, finding.Unknown}

// Table writes the report for a person: the cluster with the verdict, a row for each node
// role, aws-node's identity, the results in the order of the report with evidence and what
// to do, the counts, and the commands for the whole report.
func Table(w io.Writer, r *finding.Report, o TableOptions) error {
	if len(o.Show) == 0 {
		o.Show = DefaultShow
	}
	t, see := newTable(o)
	r = cleaned(r, see)
	if partition := strings.Split(r.Cluster.ARN, ":"); len(partition) > 1 && r.Cluster.Account != "" {
		t.account = "arn:" + partition[1] + ":iam::" + r.Cluster.Account + ":"
	}
	m := newModel(r, func(r finding.Result) bool { return slices.Contains(o.Show, r.Status) })

	if !o.Quiet {
		t.cluster(r)
		t.roles(r)
		t.awsNode(r.AWSNode)
	}
	t.results(m)
	if !o.Quiet {
		for _, d := range r.Derived {
			t.wrapped("derived: ", strings.Repeat(" ", 9), d)
		}
		for _, n := range r.NotEvaluated {
			t.wrapped("not evaluated: ", strings.Repeat(" ", 15), n)
		}
		t.summary(r)
		t.nextSteps(r)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// newTable returns a table without a line, and how names in it become safe to show.
func newTable(o TableOptions) (*table, func(string) string) {
	o.Width = max(cmp.Or(o.Width, DefaultWidth), minWidth)
	t := &table{o: o, glyphs: asciiGlyphs}
	if o.Symbols {
		t.glyphs = unicodeGlyphs
	}
	if o.ASCII {
		return t, text.VisibleASCII
	}
	return t, text.Visible
}

type table struct {
	b      strings.Builder
	o      TableOptions
	glyphs glyphs
	// impacts are those that were written, by rule.
	impacts []string
	// account begins the ARNs of the cluster's own account in IAM; Wide alone shows it.
	account string
}

func (t *table) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

func (t *table) paint(s string, c text.Style) string { return c.Paint(t.o.Color, s) }

// prose is how long lines of text may be.
func (t *table) prose() int { return ProseWidth(t.o.Width) }

// ProseWidth is how long lines of text may be on a screen of so many columns; 0 means
// DefaultWidth.
func ProseWidth(width int) int { return min(max(cmp.Or(width, DefaultWidth), minWidth), maxProse) }

// beside is how long lines are that are read in two columns.
func (t *table) beside() int {
	if t.o.Width < twoColumns {
		return t.prose()
	}
	return min(t.o.Width, maxTwo)
}

// wrapped writes text in lines as long as prose may be, the first after first and
// the others after rest.
func (t *table) wrapped(first, rest, words string) {
	for i, l := range wrap(words, t.prose()-columns(rest)) {
		if i == 0 {
			t.line(first + l)
		} else {
			t.line(rest + l)
		}
	}
}

// rule writes a heading over a group or section.
func (t *table) rule(title string) {
	lead := t.glyphs.rule + " " + title
	if t.o.Symbols {
		lead += " " + strings.Repeat("─", max(0, t.prose()-columns(lead)-1))
	}
	t.line(t.paint(lead, text.Bold))
}

// cluster writes which cluster it is, and the verdict on it.
func (t *table) cluster(r *finding.Report) {
	c := r.Cluster
	parts := append([]string{t.paint(c.Name, text.Bold)}, clusterFacts(c)...)
	t.line(strings.Join(parts, "  "))
	if facts := factsText(r.Facts); len(facts) > 0 && (t.o.Footer == "" || r.Facts.CNIVersion != "") { // a live run has just read them
		t.line(t.paint(strings.Join(facts, ", "), text.Dim))
	}
	if t.o.Wide {
		t.line(c.ARN)
		if c.RoleARN != "" {
			t.line("cluster role  " + c.RoleARN)
		}
	}
	words, tone := headline(r)
	for _, l := range wrap(words, t.prose()) {
		t.line(t.paint(l, headlineColor(tone)))
	}
	t.line("")
}

func (t *table) awsNode(a finding.AWSNodeInfo) {
	const lead = "aws-node  "
	t.wrapped(t.paint("aws-node", text.Bold)+"  ", strings.Repeat(" ", len(lead)), a.Text)
	if t.o.Wide && a.RoleARN != "" {
		t.line(strings.Repeat(" ", len(lead)) + a.RoleARN)
	}
	t.line("")
}

// headlineColor is the color of the verdict on the cluster.
func headlineColor(t tone) text.Style {
	if c := colorOf(t); c != text.Plain {
		return c
	}
	return text.Bold
}

// roles writes a row for each node role, for aws-node, and for the nodes without a role.
func (t *table) roles(r *finding.Report) {
	rows := otherRows(r)
	if len(r.NodeRoles) == 0 {
		t.line("No node role was found.")
		return
	}
	rows = slices.Concat(r.NodeRoles, rows)
	g := grid{head: []string{"NODE ROLE"}, width: t.o.Width, color: t.o.Color}
	if t.o.Wide {
		g.head = append(g.head, "NODES")
	}
	for _, c := range finding.Concerns {
		g.head = append(g.head, pad(strings.ToUpper(string(c)), 4))
	}
	g.head = append(g.head, "USED BY (NODES)")
	cut := false
	for _, r := range rows {
		row := gridRow{name: r.Name}
		if t.o.Wide {
			nodes := 0
			for _, s := range r.Sources {
				nodes += s.Nodes
			}
			row.cells = append(row.cells, cell{text: fmt.Sprintf("%5d", nodes)})
			row.below = append(row.below, "  "+r.ARN)
		}
		for _, c := range finding.Concerns {
			l := verdictLabel(r.Verdicts, c)
			row.cells = append(row.cells, cell{l.Word, colorOf(l.Tone)})
		}
		row.last = func(limit int) []string {
			lines, some := t.sources(r.Sources, limit)
			cut = cut || some
			return lines
		}
		g.rows = append(g.rows, row)
	}
	for _, l := range g.lines() {
		t.line(l)
	}
	if cut {
		t.line("(-o wide names everything that uses a role)")
	}
}

// sources returns what uses a role, in lines of so many columns, and whether some
// are only counted. With Wide it returns a line for each.
func (t *table) sources(sources []finding.Source, limit int) (lines []string, cut bool) {
	if len(sources) == 0 {
		return []string{"-"}, false
	}
	if t.o.Wide {
		for _, s := range sources {
			lines = append(lines, wrap(sourcesText([]finding.Source{s}, 1), limit)...)
		}
		return lines, false
	}
	// More names than fit into the lines at one column each are not tried.
	if len(sources) <= limit {
		if lines = wrap(sourcesText(sources, len(sources)), limit); len(lines) == 1 {
			return lines, false
		}
	}
	sources = slices.Clone(sources)
	for i, s := range sources {
		if host, _, qualified := strings.Cut(s.Name, "."); qualified && isNode(s) {
			sources[i].Name = host + t.glyphs.more
		}
	}
	for named := min(len(sources), maxSources*limit); named > 0; named-- {
		if lines = wrap(sourcesText(sources, named), limit); len(lines) <= maxSources {
			return lines, named < len(sources)
		}
	}
	return wrap(sourcesText(sources, 0), limit), true
}

// sourcesText names the first sources, by kind, and counts the rest; in parentheses how
// many nodes they have.
func sourcesText(sources []finding.Source, named int) string {
	var parts []string
	for _, k := range sourceKinds(sources) {
		var names []string
		for _, s := range k.sources[:min(named, len(k.sources))] {
			names = append(names, strings.ReplaceAll(s.Name, " ", hardSpace))
		}
		named -= len(names)
		words := k.name
		if len(k.sources) > 1 {
			words = k.plural()
		}
		switch rest := len(k.sources) - len(names); {
		case len(names) == 0 && rest > 1:
			words = fmt.Sprintf("%d %s", rest, words)
		case len(names) == 0:
			words = "1 " + words
		case rest > 0:
			words += " " + strings.Join(names, ", ") + fmt.Sprintf(" and %d%smore", rest, hardSpace)
		default:
			words += " " + strings.Join(names, ", ")
		}
		if !k.eachANode {
			words += fmt.Sprintf("%s(%d)", hardSpace, k.nodes)
		}
		parts = append(parts, words)
	}
	return strings.Join(parts, "; ")
}

func (t *table) summary(r *finding.Report) {
	s := r.Summary
	parts := summaryCounts(s)
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(p, " ", hardSpace)
	}
	lines := wrap(strings.Join(parts, ", "), t.o.Width)
	last := lines[len(lines)-1]
	for i, l := range lines {
		lines[i] = t.paint(l, text.Bold)
	}
	if footer := t.o.Footer; footer != "" {
		if room := t.prose() - columns(last) - columns(footer); room >= 2 {
			lines[len(lines)-1] += strings.Repeat(" ", room) + t.paint(footer, text.Dim)
		} else {
			lines = append(lines, t.paint(footer, text.Dim))
		}
	}
	for _, l := range lines {
		t.line(l)
	}
	t.hidden(r.Results)
}

// summaryCounts are the counts of a report: those of findings first, each where there
// are any, but errors, warnings, what passed and what is unknown always.
func summaryCounts(s finding.Summary) []string {
	parts := []string{text.Count(s.Errors, "error"), text.Count(s.Warnings, "warning")}
	for _, p := range []struct {
		n      int
		word   string
		always bool
	}{
		{s.Depends, "depends", false},
		{s.Infos, "info", false},
		{s.Explained, "explained", false},
		{s.Unknown, "unknown", true},
		{s.Excepted, "excepted", false},
		{s.Known, "known", false},
		{s.Passed, "passed", true},
	} {
		if p.n > 0 || p.always {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return parts
}

// hidden says that findings are not shown, where Show leaves them out.
func (t *table) hidden(results []finding.Result) {
	var parts []string
	for _, h := range []struct {
		status finding.Status
		what   string
	}{{finding.Fail, "failed"}, {finding.Depends, "depends"}, {finding.Unknown, "unknown"}} {
		n := 0
		for _, r := range results {
			if r.Status == h.status && !r.Excepted() {
				n++
			}
		}
		if n > 0 && !slices.Contains(t.o.Show, h.status) {
			parts = append(parts, fmt.Sprintf("%d %s", n, h.what))
		}
	}
	if len(parts) > 0 {
		t.wrapped("", "", "not shown: "+strings.Join(parts, ", ")+" (--show all shows them)")
	}
}
