package print

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

const indent = "      "

// results writes what is to be shown, under headings if so asked.
func (t *table) results(all []finding.Result) {
	var shown []finding.Result
	for _, r := range all {
		if slices.Contains(t.o.Show, r.Status) && !excused(r) {
			shown = append(shown, r)
		}
	}
	if t.o.GroupBy == "" {
		t.list(shown)
		return
	}
	var titles []string
	groups := map[string][]finding.Result{}
	for _, r := range shown {
		title := t.group(r)
		if groups[title] == nil {
			titles = append(titles, title)
		}
		groups[title] = append(groups[title], r)
	}
	for _, title := range titles { // the one with the worst finding first
		t.rule(title + ": " + wordCounts(groups[title]))
		t.list(groups[title])
	}
}

// excused reports whether a failure is somebody's decision.
func excused(r finding.Result) bool {
	return r.Excused() && (r.Status == finding.Fail || r.Status == finding.Depends)
}

// group is the heading that a result comes under.
func (t *table) group(r finding.Result) string {
	if t.o.GroupBy == ByConcern {
		return concernTitle(r.Concern)
	}
	switch r.Subject.Kind {
	case finding.SubjectNodeRole:
		return "role " + r.Subject.Name
	case finding.SubjectCluster:
		return "cluster " + r.Subject.Name
	case finding.SubjectAWSNode:
		return "aws-node"
	case finding.SubjectNode:
		return "nodes"
	case finding.SubjectEvent:
		return "events"
	case finding.SubjectSource:
		return "what starts nodes"
	default:
		return "others"
	}
}

func concernTitle(c finding.Concern) string {
	switch c {
	case finding.ConcernUnique:
		return "UNIQUE, the role is nobody else's"
	case finding.ConcernTrust:
		return "TRUST, EC2 may assume the role"
	case finding.ConcernNode:
		return "NODE, what kubelet calls"
	case finding.ConcernPull:
		return "PULL, images from ECR"
	case finding.ConcernCNI:
		return "CNI, permissions of aws-node"
	case finding.ConcernJoin:
		return "JOIN, instance profile and access"
	default:
		return "beside the columns"
	}
}

// wordCounts counts results by the word that they begin with.
func wordCounts(results []finding.Result) string {
	var words []string
	counts := map[string]int{}
	for _, r := range results {
		word, _ := resultWord(r)
		if counts[word] == 0 {
			words = append(words, word)
		}
		counts[word]++
	}
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", counts[w], w)
	}
	return strings.Join(words, ", ")
}

// list writes results that are ordered worst first.
func (t *table) list(results []finding.Result) {
	var unknown, passed []finding.Result
	for _, r := range results {
		switch r.Status {
		case finding.Fail, finding.Depends:
			t.finding(r)
		case finding.Unknown:
			unknown = append(unknown, r)
		case finding.Pass, finding.NotApplicable:
			passed = append(passed, r)
		}
	}
	t.unknowns(unknown)
	for _, r := range passed {
		word, paint := resultWord(r)
		t.heading(word, paint, r.ID, r.Message)
		t.details(r, "")
	}
	if len(passed) > 0 {
		t.line("")
	}
}

func (t *table) finding(r finding.Result) {
	word, paint := resultWord(r)
	t.heading(word, paint, r.ID, r.Message)
	if ended(r) {
		e := r.Exception
		t.wrapped(indent, indent, fmt.Sprintf("the exception ended on %s: %s (%s)", e.Expires, e.Reason, e.Source))
	}
	t.details(r, r.Impact)
	t.next(r.Next)
	t.line("")
}

// heading starts a finding: its message is indented by what stands before it.
func (t *table) heading(word string, paint color, ids, message string) {
	lead := pad(word, 4)
	if t.o.Symbols {
		lead = symbol(word) + lead
	}
	before := columns(lead) + 2 + columns(ids) + 2
	weight := bold
	if word == "ok" || word == "-" {
		weight = plain
	}
	lines := wrap(message, t.beside()-before)
	t.line(t.paint(lead, paint) + "  " + ids + "  " + t.paint(lines[0], weight))
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
	var lines []string
	if t.o.Wide && r.Subject.ARN != "" {
		lines = append(lines, r.Subject.ARN)
	}
	for _, e := range evidence {
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
	bar := " " + t.paint(t.glyphs.bar, dim) + " "
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

// next writes what to type. A command is never wrapped, so that it can be pasted;
// what is to be known of it stands below it.
func (t *table) next(list []finding.Next) {
	lead := indent + t.glyphs.arrow + " "
	rest := strings.Repeat(" ", columns(lead))
	for _, n := range list {
		switch {
		case n.Text == "":
			t.wrapped(lead, rest, n.Note)
		default:
			t.line(lead + t.paint(n.Text, cyan))
			if n.Note != "" {
				t.wrapped(rest+"  ", rest+"  ", n.Note)
			}
		}
		if n.Link != "" {
			t.line(rest + "  " + n.Link)
		}
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
		r, id := g.first, g.first.ID
		if len(g.ids) > 1 {
			r.Message = fmt.Sprintf("%d rules were not checked for %s", len(g.ids), r.Subject.Name)
			r.Evidence = append([]string{strings.Join(g.ids, ", ")}, r.Evidence...)
			id += " and more"
		}
		t.heading("?", yellow, id, r.Message)
		t.details(r, "")
		t.next(r.Next)
		t.line("")
	}
}

// excused writes the failures that do not count, and whose decision that is.
func (t *table) excused(all []finding.Result) {
	var list []finding.Result
	for _, r := range all {
		if excused(r) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return
	}
	title := count(len(list), "finding") + " excused, not counted"
	if slices.ContainsFunc(list, func(r finding.Result) bool { return r.Known }) {
		title += " (known: stands in the baseline)"
	}
	t.rule(title)
	for _, r := range list {
		word, _ := statusWord(r.Status, r.Severity)
		lead := "excused"
		if r.Known {
			lead = "known"
		}
		before := len("excused") + 2 + columns(r.ID) + 2
		lines := wrap(fmt.Sprintf("%s (%s)", r.Message, word), t.prose()-before)
		t.line(pad(lead, len("excused")) + "  " + r.ID + "  " + lines[0])
		for _, l := range lines[1:] {
			t.line(strings.Repeat(" ", before) + l)
		}
		if e := r.Exception; e != nil && !r.Known {
			t.wrapped(strings.Repeat(" ", 9), strings.Repeat(" ", 9), fmt.Sprintf("until %s: %s (%s)", cmp.Or(e.Expires, "further notice"), e.Reason, e.Source))
		}
		if t.o.Wide {
			t.details(r, "")
		}
	}
	t.line("")
}
