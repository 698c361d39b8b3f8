package print

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

const indent = "      "

// results writes the results in the order of the report, under headings if so
// asked. What is excepted has a heading of its own.
func (t *table) results(m *model) {
	if t.o.GroupBy == "" {
		t.list(m)
		return
	}
	var titles []string
	groups := map[string]*model{}
	counts := map[string][]entry{}
	into := func(e entry) *model {
		title := t.group(e.Result)
		if groups[title] == nil {
			titles = append(titles, title)
			groups[title] = &model{}
		}
		counts[title] = append(counts[title], e)
		return groups[title]
	}
	for _, e := range m.findings {
		g := into(e)
		g.findings = append(g.findings, e)
	}
	for _, u := range m.unknown {
		for _, s := range u.subjects {
			one := u
			one.first.Subject, one.subjects = s.Subject, []unknownSubject{s}
			g := into(one.first)
			g.unknown = append(g.unknown, one)
		}
	}
	for _, e := range m.passed {
		g := into(e)
		g.passed = append(g.passed, e)
	}
	for _, e := range m.idle {
		g := into(e)
		g.idle = append(g.idle, e)
	}
	for _, title := range titles { // the one with the worst finding first
		adviseOnce(groups[title].findings)
		t.rule(title + ": " + wordCounts(counts[title]))
		t.list(groups[title])
	}
	t.excepted(m.excepted)
}

// group is the heading that a result comes under.
func (t *table) group(r finding.Result) string {
	if t.o.GroupBy == ByConcern {
		return concernTitle(r.Concern)
	}
	return subjectTitle(r.Subject)
}

// subjectTitle is the heading over what is about a subject.
func subjectTitle(s finding.Subject) string {
	switch s.Kind {
	case finding.SubjectNodeRole:
		return "role " + s.Name
	case finding.SubjectCluster:
		return "cluster " + s.Name
	case finding.SubjectClusterRole:
		return "cluster role " + s.Name
	case finding.SubjectAWSNode:
		return "aws-node"
	case finding.SubjectNode:
		return "nodes"
	case finding.SubjectEvent:
		return "events"
	case finding.SubjectSource:
		return "node sources"
	case finding.SubjectOIDCProvider:
		return "OIDC provider " + s.Name
	case finding.SubjectGroup:
		return "group " + s.Name
	case finding.SubjectFleet:
		return "the fleet"
	default:
		return "other subjects"
	}
}

func concernTitle(c finding.Concern) string {
	switch c {
	case finding.ConcernUnique:
		return "UNIQUE, only nodes use the role"
	case finding.ConcernTrust:
		return "TRUST, EC2 can assume the role"
	case finding.ConcernNode:
		return "NODE, permissions of kubelet"
	case finding.ConcernPull:
		return "PULL, images from ECR"
	case finding.ConcernCNI:
		return "CNI, permissions of aws-node"
	case finding.ConcernJoin:
		return "JOIN, instance profile and access"
	default:
		return "other checks"
	}
}

// wordCounts counts results by the word that they begin with, worst first.
func wordCounts(entries []entry) string {
	var words []string
	counts := map[string]int{}
	for _, e := range slices.SortedStableFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(toneRank(a.Tone), toneRank(b.Tone)) }) {
		if counts[e.Word] == 0 {
			words = append(words, e.Word)
		}
		counts[e.Word]++
	}
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", counts[w], w)
	}
	return strings.Join(words, ", ")
}

// list writes results in order.
func (t *table) list(m *model) {
	for i, e := range m.findings {
		t.finding(e)
		if i+1 == len(m.findings) || m.findings[i+1].block != e.block {
			t.line("")
		}
	}
	for _, g := range m.unknown {
		t.unknown(g)
	}
	t.excepted(m.excepted)
	for _, e := range slices.Concat(m.passed, m.idle) {
		t.heading(e.label, e.ID, e.Message)
		t.details(e.Result, "")
	}
	if len(m.passed)+len(m.idle) > 0 {
		t.line("")
	}
}

func (t *table) finding(e entry) {
	t.heading(e.label, e.ID, e.Message)
	for _, words := range []string{exceptionWords(e.Result), explainedBy(e.Result)} {
		if words != "" {
			t.wrapped(indent, indent, words)
		}
	}
	t.details(e.Result, t.impact(e))
	t.explains(e)
	t.next(e.advice)
}

// impact is what happens if a finding is left, once for each rule; Wide alone has it also
// where a finding above says it for its concern.
func (t *table) impact(e entry) string {
	impact := e.impact
	if t.o.Wide {
		impact = e.Impact
	}
	if slices.Contains(t.impacts, e.ID+impact) {
		return ""
	}
	t.impacts = append(t.impacts, e.ID+impact)
	return impact
}

// explains writes the results that only follow from a finding.
func (t *table) explains(e entry) {
	if len(e.explains) == 0 {
		return
	}
	if !t.o.Wide {
		var words []string
		for _, s := range e.explains {
			words = append(words, symptomOf(e, s))
		}
		t.wrapped(indent, indent+"  ", "also explains "+strings.Join(words, "; "))
		return
	}
	for _, s := range e.explains {
		t.wrapped(indent, indent+"  ", alsoExplains(s))
		for _, l := range s.Evidence {
			t.wrapped(indent+"  ", indent+"    ", l)
		}
	}
}

// heading starts a finding: its message is indented by the text before it.
func (t *table) heading(l label, ids, message string) {
	lead := pad(l.Word, 4)
	if t.o.Symbols {
		lead = symbol(l.Tone) + lead
	}
	before := columns(lead) + 2 + columns(ids) + 2
	weight := text.Bold
	if l.Tone == toneGood || l.Tone == toneNeutral {
		weight = text.Plain
	}
	lines := wrap(message, t.beside()-before)
	t.line(t.paint(lead, colorOf(l.Tone)) + "  " + ids + "  " + t.paint(lines[0], weight))
	for _, l := range lines[1:] {
		t.line(strings.Repeat(" ", before) + t.paint(l, weight))
	}
}

// details write evidence, and what happens if the finding is left: under it, or
// beside it where there is room for both.
func (t *table) details(r finding.Result, impact string) {
	evidence := r.Evidence
	cut := 0
	if !t.o.Wide && len(evidence) > maxEvidence {
		cut = len(evidence) - maxEvidence + 1
		evidence = evidence[:len(evidence)-cut]
	}
	total, left := t.beside(), t.prose()-len(indent)
	beside := total >= twoColumns && impact != "" && len(evidence) > 0
	if beside {
		left = (total - len(indent)) * 11 / 20
	}
	if !t.o.Wide {
		evidence = packed(t.short(evidence), left)
	}
	var lines []string
	if t.o.Wide && r.Subject.ARN != "" {
		lines = append(lines, r.Subject.ARN)
	}
	for _, e := range evidence {
		if columns(e) <= left {
			lines = append(lines, e)
			continue
		}
		for i, l := range wrap(e, left-2) {
			if i > 0 {
				l = "  " + l
			}
			lines = append(lines, l)
		}
	}
	if cut > 0 {
		lines = append(lines, fmt.Sprintf("%s and %d more, -o wide shows all", t.glyphs.more, cut))
	}
	if !beside {
		for _, l := range lines {
			t.line(indent + l)
		}
		if impact != "" {
			t.wrapped(indent, indent, impact)
		}
		return
	}
	bar := " " + t.paint(t.glyphs.bar, text.Dim) + " "
	right := wrap(impact, total-len(indent)-left-3)
	for len(lines) > 0 || len(right) > 0 {
		var l, r string
		if len(lines) > 0 {
			l, lines = lines[0], lines[1:]
		}
		if len(right) > 0 && columns(l) <= left {
			r, right = right[0], right[1:]
		}
		if r == "" {
			t.line(indent + l)
		} else {
			t.line(indent + pad(l, left) + bar + r)
		}
	}
}

// short leaves the cluster's own account out of ARNs of IAM.
func (t *table) short(evidence []string) []string {
	if t.account == "" {
		return evidence
	}
	lines := make([]string, len(evidence))
	for i, e := range evidence {
		lines[i] = strings.ReplaceAll(e, t.account, t.glyphs.more)
	}
	return lines
}

// packed joins items to lines of so many columns, without a break in an item.
func packed(items []string, limit int) []string {
	var lines []string
	for _, item := range items {
		last := len(lines) - 1
		if last >= 0 && columns(lines[last])+len("; ")+columns(item) <= limit {
			lines[last] += "; " + item
		} else {
			lines = append(lines, item)
		}
	}
	return lines
}

// next writes what to type. A command is never wrapped, so that it can be pasted;
// what to know about it is below it.
func (t *table) next(list []finding.Next) {
	lead := indent + t.glyphs.arrow + " "
	rest := strings.Repeat(" ", columns(lead))
	for _, n := range list {
		switch {
		case n.Text == "" && n.Note == "":
			t.line(lead + n.Link)
			continue
		case n.Text == "":
			t.wrapped(lead, rest, n.Note)
		default:
			t.command(lead, n.Text)
			if n.Note != "" {
				t.wrapped(rest+"  ", rest+"  ", n.Note)
			}
		}
		if n.Link != "" {
			t.line(rest + "  " + n.Link)
		}
	}
}

// command writes a command that can be pasted. Only an argument that ends in line breaks
// makes it more than one line.
func (t *table) command(lead, command string) {
	first, rest, more := strings.Cut(command, "\n")
	t.line(lead + t.paint(first, text.Cyan))
	for more {
		first, rest, more = strings.Cut(rest, "\n")
		t.line(t.paint(first, text.Cyan))
	}
}

// unknown writes the verdicts that are unknown for one reason.
func (t *table) unknown(g unknownGroup) {
	r, id := g.first.Result, g.first.ID
	if g.verdicts() > 1 {
		id += " and more"
		r.Evidence = append(g.rules(), r.Evidence...)
	}
	t.heading(g.first.label, id, g.title())
	t.details(r, "")
	t.next(r.Next)
	t.line("")
}

// excepted writes the failures that do not count, and why.
func (t *table) excepted(list []entry) {
	if len(list) == 0 {
		return
	}
	var known, excepted int
	for _, e := range list {
		if e.Known {
			known++
		} else {
			excepted++
		}
	}
	var parts []string
	if excepted > 0 {
		parts = append(parts, fmt.Sprintf("%d excepted", excepted))
	}
	if known > 0 {
		parts = append(parts, fmt.Sprintf("%d known from the baseline", known))
	}
	t.rule(strings.Join(parts, ", ") + ", not counted")
	width := len(labelExcepted.Word)
	for _, e := range list {
		before := width + 2 + columns(e.ID) + 2
		lines := wrap(fmt.Sprintf("%s (%s)", e.Message, labelOf(e.Status, e.Severity).Full), t.prose()-before)
		t.line(pad(e.Word, width) + "  " + e.ID + "  " + lines[0])
		for _, l := range lines[1:] {
			t.line(strings.Repeat(" ", before) + l)
		}
		if !e.Known {
			t.wrapped(strings.Repeat(" ", width+2), strings.Repeat(" ", width+2), exceptionWords(e.Result))
		}
		if t.o.Wide {
			t.details(e.Result, "")
		}
	}
	t.line("")
}
