// Package print writes a report for its readers, one file per format. It judges
// nothing and reads nothing but the report.
package print

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Table options.
const (
	// DefaultWidth is used where the output is no terminal.
	DefaultWidth = 80
	minWidth     = 60
	maxWidth     = 120 // prose is not read faster on longer lines
	indent       = "      "
	maxEvidence  = 8
)

// TableOptions say how the table looks.
type TableOptions struct {
	// Width is the terminal's, in columns; 0 means DefaultWidth.
	Width int
	// Color paints severities.
	Color bool
	// Footer is appended to the last line: how the facts were read.
	Footer string
}

// Table writes the report for a person: the cluster, a row for each node role,
// aws-node's identity, and the findings with evidence and what to do, worst
// first.
func Table(w io.Writer, r *finding.Report, o TableOptions) error {
	if o.Width == 0 {
		o.Width = DefaultWidth
	}
	o.Width = min(max(o.Width, minWidth), maxWidth)
	t := table{o: o}
	t.cluster(r.Cluster)
	t.roles(r.NodeRoles)
	t.wrapped("aws-node  ", strings.Repeat(" ", 10), r.AWSNode.Text)
	t.line("")
	for _, res := range r.Results {
		if res.Status == finding.Fail || res.Status == finding.Depends {
			t.finding(res)
		}
	}
	t.unknowns(r.Results)
	for _, n := range r.NotEvaluated {
		t.wrapped("not judged: ", strings.Repeat(" ", 12), n)
	}
	t.summary(r.Summary)
	_, err := io.WriteString(w, t.b.String())
	return err
}

type table struct {
	b strings.Builder
	o TableOptions
}

func (t *table) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

func (t *table) cluster(c finding.ClusterInfo) {
	parts := []string{c.Name, c.Region, c.Account}
	if c.Version != "" {
		parts = append(parts, "EKS "+c.Version)
	}
	switch c.IPFamily {
	case "ipv4":
		parts = append(parts, "IPv4")
	case "ipv6":
		parts = append(parts, "IPv6")
	}
	switch c.AuthenticationMode {
	case "API":
		parts = append(parts, "access entries")
	case "API_AND_CONFIG_MAP":
		parts = append(parts, "access entries + aws-auth")
	case "CONFIG_MAP":
		parts = append(parts, "aws-auth")
	}
	t.line(strings.Join(parts, "  "))
	t.line("")
}

// roles writes the table proper. Names are never cut; what uses a role wraps
// within its column.
func (t *table) roles(rows []finding.RoleRow) {
	if len(rows) == 0 {
		t.line("no node role was found")
		t.line("")
		return
	}
	verdicts := 0
	for _, c := range finding.Concerns {
		verdicts += max(len(c), 4) + 2
	}
	name := len("NODE ROLE")
	for _, r := range rows {
		name = max(name, len(r.Name))
	}
	name = min(name, 24)
	used := max(t.o.Width-name-2-verdicts, 16)

	header := pad("NODE ROLE", name) + "  " + pad("USED BY", used)
	for _, c := range finding.Concerns {
		header += "  " + pad(strings.ToUpper(string(c)), max(len(c), 4))
	}
	t.line(header)
	for _, r := range rows {
		first := pad(r.Name, name)
		if len(r.Name) > name {
			t.line(r.Name)
			first = pad("", name)
		}
		sources := wrap(sourcesText(r.Sources), used)
		if len(sources) > 3 {
			sources = append(sources[:2], "... -o json: all")
		}
		line := first + "  " + pad(sources[0], used)
		for _, c := range finding.Concerns {
			word, paint := verdictWord(r.Verdicts, c)
			line += "  " + t.paint(word, paint) + strings.Repeat(" ", max(len(c), 4)-len(word))
		}
		t.line(line)
		for _, more := range sources[1:] {
			t.line(pad("", name) + "  " + more)
		}
	}
	t.line("")
}

func sourcesText(sources []finding.Source) string {
	var kinds []string
	names := map[string][]string{}
	nodes := map[string]int{}
	for _, s := range sources {
		if !slices.Contains(kinds, s.Kind) {
			kinds = append(kinds, s.Kind)
		}
		names[s.Kind] = append(names[s.Kind], s.Name)
		nodes[s.Kind] += s.Nodes
	}
	parts := make([]string, 0, len(kinds))
	for _, k := range kinds {
		kind := k
		if len(names[k]) > 1 {
			kind += "s"
		}
		count := fmt.Sprintf("(%d%snodes)", nodes[k], hardSpace)
		if nodes[k] == 1 {
			count = "(1" + hardSpace + "node)"
		}
		parts = append(parts, kind+" "+strings.Join(names[k], ", ")+" "+count)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "; ")
}

// verdictWord is what a cell says: ok, FAIL, warn, info, may (depends), ?
// (unknown) or - (does not apply).
func verdictWord(verdicts map[finding.Concern]finding.Verdict, c finding.Concern) (word string, p color) {
	v, judged := verdicts[c]
	if !judged {
		return "-", plain
	}
	switch v.Status {
	case finding.Fail:
		return severityWord(v.Severity)
	case finding.Depends:
		return "may", yellow
	case finding.Unknown:
		return "?", yellow
	case finding.Pass:
		return "ok", green
	case finding.NotApplicable:
		return "-", plain
	default:
		return "?", yellow
	}
}

func severityWord(s finding.Severity) (word string, p color) {
	switch s {
	case finding.Error:
		return "FAIL", red
	case finding.Warning:
		return "warn", yellow
	case finding.Info:
		return "info", cyan
	default:
		return "FAIL", red
	}
}

func (t *table) finding(r finding.Result) {
	word, paint := "may", yellow
	if r.Status == finding.Fail {
		word, paint = severityWord(r.Severity)
	}
	t.heading(word, paint, r.ID, r.Message)
	t.evidence(r.Evidence)
	if r.Impact != "" {
		t.wrapped(indent, indent, r.Impact)
	}
	t.next(r.Next)
	t.line("")
}

// heading starts a finding: its message is indented by what stands before it.
func (t *table) heading(word string, paint color, ids, message string) {
	lead := pad(word, 4) + "  " + ids + "  "
	lines := wrap(message, t.o.Width-len(lead))
	t.line(t.paint(pad(word, 4), paint) + "  " + ids + "  " + lines[0])
	for _, l := range lines[1:] {
		t.line(strings.Repeat(" ", len(lead)) + l)
	}
}

func (t *table) evidence(lines []string) {
	cut := 0
	if len(lines) > maxEvidence {
		cut = len(lines) - maxEvidence + 1
		lines = lines[:len(lines)-cut]
	}
	for _, l := range lines {
		t.wrapped(indent, indent+"  ", l)
	}
	if cut > 0 {
		t.line(fmt.Sprintf("%s... and %d more, -o json shows all", indent, cut))
	}
}

// next writes what to type. It is never wrapped, so that it can be pasted.
func (t *table) next(commands []string) {
	for _, c := range commands {
		t.line(indent + "-> " + c)
	}
}

// unknowns writes what was not checked, the rules with one reason together.
func (t *table) unknowns(results []finding.Result) {
	type group struct {
		first finding.Result
		ids   []string
	}
	var groups []*group
	for _, r := range results {
		if r.Status != finding.Unknown {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.first.Subject == r.Subject && slices.Equal(g.first.Evidence, r.Evidence)
		})
		if i < 0 {
			groups = append(groups, &group{first: r, ids: []string{r.ID}})
		} else if !slices.Contains(groups[i].ids, r.ID) {
			groups[i].ids = append(groups[i].ids, r.ID)
		}
	}
	for _, g := range groups {
		message := g.first.Message
		if len(g.ids) > 1 {
			message = fmt.Sprintf("%d rules were not checked for %s", len(g.ids), g.first.Subject.Name)
		}
		id, evidence := g.first.ID, g.first.Evidence
		if len(g.ids) > 1 {
			id += " and more"
			evidence = append([]string{strings.Join(g.ids, ", ")}, evidence...)
		}
		t.heading("?", yellow, id, message)
		t.evidence(evidence)
		t.next(g.first.Next)
		t.line("")
	}
}

func (t *table) summary(s finding.Summary) {
	line := fmt.Sprintf("%d failed, %s, %d passed, %d not checked", s.Errors, count(s.Warnings, "warning"), s.Passed, s.Unknown)
	if s.Infos > 0 {
		line += fmt.Sprintf(", %d for information", s.Infos)
	}
	if s.Depends > 0 {
		line += fmt.Sprintf(", %d that depend", s.Depends)
	}
	if t.o.Footer != "" {
		line += strings.Repeat(" ", max(2, t.o.Width-len(line)-len(t.o.Footer))) + t.o.Footer
	}
	t.line(line)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// wrapped writes text in lines of the width, the first after first and the
// others after rest.
func (t *table) wrapped(first, rest, text string) {
	for i, l := range wrap(text, t.o.Width-len(rest)) {
		if i == 0 {
			t.line(first + l)
		} else {
			t.line(rest + l)
		}
	}
}

// hardSpace is a space at which wrap does not break.
const hardSpace = "\x1f"

// wrap breaks text at spaces into lines of at most width bytes; a longer word
// stands alone. It returns at least one line.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		word = strings.ReplaceAll(word, hardSpace, " ")
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-len(s))) }

type color string

const (
	plain  color = ""
	red    color = "\x1b[31m"
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	cyan   color = "\x1b[36m"
)

func (t *table) paint(s string, c color) string {
	if !t.o.Color || c == plain {
		return s
	}
	return string(c) + s + "\x1b[0m"
}
