package print

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's text and style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

//go:embed html.css
var htmlStyle string

//go:embed html.tmpl
var htmlText string

const (
	// maxLines bounds lists that grow with the number of nodes.
	maxLines = 100
	// manyRoles are so many that those that passed are folded.
	manyRoles = 10
)

// writeHTML writes the report as one page for people: it asks no server for anything,
// runs no script and is the same for the same report.
func writeHTML(w io.Writer, r *finding.Report, o Options) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"list":  func(s []string) string { return strings.Join(s, ", ") },
		"marks": func(marks []mark, roles []string) markList { return markList{marks, len(roles) > 0} },
		"rows":  func(concerns []string, rows []roleRow) roleTable { return roleTable{concerns, rows} },
	}).Parse(htmlText)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	var b bytes.Buffer // so that a page is whole or not there
	if err := t.Execute(&b, newPage(r, o)); err != nil {
		return fmt.Errorf("fill in the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// tone says how something is painted, and which sign stands beside its word.
type tone string

const (
	toneBad     tone = "fail"
	toneCaution tone = "warn"
	toneNote    tone = "info"
	toneOpen    tone = "may" // depends on the request
	toneUnseen  tone = "unknown"
	toneGood    tone = "ok"
	toneCalm    tone = "none"
)

// toneRank orders tones, worst first.
func toneRank(t tone) int {
	return slices.Index([]tone{toneBad, toneCaution, toneOpen, toneUnseen, toneNote, toneGood, toneCalm}, t)
}

// page is what the template prints.
type page struct {
	Style    template.CSS
	Policy   string // Content-Security-Policy
	Cluster  finding.ClusterInfo
	Facts    []string
	Tone     tone
	Headline string
	Tiles    []tile
	Concerns []string
	Roles    []roleRow
	Clean    []roleRow // node roles that passed, where there are many
	AWSNode  string
	Picture  *picture
	Groups   []findingGroup
	Excused  []item
	Unknown  []item
	// Unchecked counts what Unknown has together.
	Unchecked int
	Missing   []finding.Missing
	Not       []string // not evaluated
	Details   []roleDetail
	Managed   []policyDetail
	Passed    []ruleGroup
	Idle      []ruleGroup // does not apply
	Version   string
}

type tile struct {
	Count        int
	Label, Where string
	Tone         tone
}

type roleTable struct {
	Concerns []string
	Roles    []roleRow
}

type roleRow struct {
	Name, ARN, Where string
	Sources          []sourceGroup
	Verdicts         []verdictCell
	clean            bool
}

// sourceGroup is the sources of one kind.
type sourceGroup struct {
	Text  string
	Names []string // folded, where there are many
	// Source is the only one where nothing is folded.
	finding.Source
}

type verdictCell struct {
	Word string
	Tone tone
}

type findingGroup struct {
	Title, Where string
	Tone         tone
	Items        []item
}

// item is one result as a reader meets it.
type item struct {
	finding.Result
	Anchor   string
	Word     string
	Tone     tone
	Evidence []string
	More     int // evidence lines that are not shown
	Steps    []htmlStep
	Doc      *finding.RuleDoc
	Again    bool // the rule was described before
	// Unchecked are, for what was not checked, the subjects with the ids of the
	// rules, all for the same reason.
	Unchecked []unchecked
}

type unchecked struct {
	Subject string
	IDs     []string
}

// htmlStep is a line of what to do: a command with what it does, or a sentence.
type htmlStep struct{ Command, Text string }

type ruleGroup struct {
	ID, Title string
	Items     []item
	More      int
}

func newPage(r *finding.Report, o Options) *page {
	p := &page{Cluster: r.Cluster, AWSNode: r.AWSNode.Text, Not: r.NotEvaluated, Missing: r.Missing, Unchecked: r.Summary.Unknown, Version: o.Version}
	p.Style = template.CSS(htmlStyle)
	sum := sha256.Sum256([]byte(htmlStyle))
	p.Policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	p.Facts = clusterFacts(r.Cluster)
	docs := map[string]finding.RuleDoc{}
	for _, d := range o.Rules {
		docs[d.ID] = d
	}
	p.sort(r.Results, docs)
	p.headline(r.Summary)
	p.roleRows(r)
	p.policies(r)
	p.Picture = draw(r, p.Details)
	return p
}

// clusterFacts is the terminal's first line, without the name.
func clusterFacts(c finding.ClusterInfo) []string {
	facts := []string{c.Region, "account " + c.Account}
	if c.Version != "" {
		facts = append(facts, "EKS "+c.Version)
	}
	if c.IPFamily != "" {
		facts = append(facts, strings.Replace(c.IPFamily, "ip", "IP", 1))
	}
	switch c.AuthenticationMode {
	case "API":
		facts = append(facts, "access entries")
	case "API_AND_CONFIG_MAP":
		facts = append(facts, "access entries + aws-auth")
	case "CONFIG_MAP":
		facts = append(facts, "aws-auth")
	}
	return facts
}

// sort puts every result in the section where it belongs.
func (p *page) sort(results []finding.Result, docs map[string]finding.RuleDoc) {
	groups := []findingGroup{
		{Title: "Errors", Where: "errors", Tone: toneBad},
		{Title: "Warnings", Where: "warnings", Tone: toneCaution},
		{Title: "Depends on the request", Where: "depends", Tone: toneOpen},
		{Title: "For information", Where: "infos", Tone: toneNote},
	}
	described := map[string]bool{}
	for i, r := range results {
		it := newItem(r, fmt.Sprintf("f%d", i+1), docs)
		switch r.Status {
		case finding.Pass:
			p.Passed = addTo(p.Passed, it)
		case finding.NotApplicable:
			p.Idle = addTo(p.Idle, it)
		case finding.Fail, finding.Depends:
			it.Again = described[r.ID]
			described[r.ID] = true
			if r.Excused() {
				p.Excused = append(p.Excused, it)
				continue
			}
			g := slices.IndexFunc(groups, func(g findingGroup) bool { return g.Tone == it.Tone })
			groups[g].Items = append(groups[g].Items, it)
		default: // Unknown
			p.addUnknown(it)
		}
	}
	for _, g := range groups {
		if len(g.Items) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
}

// addUnknown adds what was not checked, all with one reason together.
func (p *page) addUnknown(it item) {
	i := slices.IndexFunc(p.Unknown, func(have item) bool { return slices.Equal(have.Result.Evidence, it.Result.Evidence) })
	if i < 0 {
		i = len(p.Unknown)
		p.Unknown = append(p.Unknown, it)
	}
	list := &p.Unknown[i].Unchecked
	k := slices.IndexFunc(*list, func(u unchecked) bool { return u.Subject == it.Subject.Name })
	if k < 0 {
		k = len(*list)
		*list = append(*list, unchecked{Subject: it.Subject.Name})
	}
	if !slices.Contains((*list)[k].IDs, it.ID) {
		(*list)[k].IDs = append((*list)[k].IDs, it.ID)
	}
}

// Checks counts what was not checked for one reason.
func (it item) Checks() int {
	n := 0
	for _, u := range it.Unchecked {
		n += len(u.IDs)
	}
	return n
}

// Alone is set where nothing else was not checked for the same reason.
func (it item) Alone() bool { return it.Checks() == 1 }

func addTo(groups []ruleGroup, it item) []ruleGroup {
	i := slices.IndexFunc(groups, func(g ruleGroup) bool { return g.ID == it.ID })
	if i < 0 {
		i = len(groups)
		groups = append(groups, ruleGroup{ID: it.ID, Title: it.Rule})
		if it.Doc != nil {
			groups[i].Title = it.Doc.Title
		}
	}
	if len(groups[i].Items) == maxLines {
		groups[i].More++
		return groups
	}
	groups[i].Items = append(groups[i].Items, it)
	return groups
}

func newItem(r finding.Result, anchor string, docs map[string]finding.RuleDoc) item {
	it := item{Result: r, Anchor: anchor, Evidence: r.Evidence}
	it.Tone, it.Word = toneOf(r.Status, r.Severity)
	if r.Exception != nil && r.Exception.Expired && !r.Known {
		it.Tone, it.Word = toneBad, string(finding.Error)
	}
	if len(it.Evidence) > maxLines {
		it.More = len(it.Evidence) - maxLines
		it.Evidence = it.Evidence[:maxLines]
	}
	if d, ok := docs[r.ID]; ok {
		it.Doc = &d
	}
	for _, n := range r.Next {
		it.Steps = append(it.Steps, htmlStep{Command: n.Text, Text: strings.TrimSpace(n.Note + " " + n.Link)})
	}
	return it
}

func toneOf(s finding.Status, severity finding.Severity) (t tone, word string) {
	switch s {
	case finding.Fail:
		switch severity {
		case finding.Warning:
			return toneCaution, "warning"
		case finding.Info:
			return toneNote, "information"
		default:
			return toneBad, "error"
		}
	case finding.Depends:
		return toneOpen, "depends"
	case finding.Pass:
		return toneGood, "passed"
	case finding.NotApplicable:
		return toneCalm, "does not apply"
	default: // Unknown
		return toneUnseen, "not checked"
	}
}

func (p *page) headline(s finding.Summary) {
	errors, warnings := 0, 0
	for _, g := range p.Groups {
		switch g.Tone {
		case toneBad:
			errors = len(g.Items)
		case toneCaution:
			warnings = len(g.Items)
		default:
		}
	}
	switch {
	case errors > 0:
		p.Tone, p.Headline = toneBad, count(errors, "error")+": nodes do not join or do not work, or AWS forbids it."
	case warnings > 0:
		p.Tone, p.Headline = toneCaution, count(warnings, "warning")+": it works today, but is unsafe or will break."
	case s.Depends > 0:
		p.Tone, p.Headline = toneOpen, "Nothing is wrong for certain, but some of it depends on conditions."
	case s.Unknown > 0 || len(p.Missing) > 0:
		p.Tone, p.Headline = toneUnseen, "Nothing wrong was seen, but not everything could be checked."
	default:
		p.Tone, p.Headline = toneGood, "Nothing wrong was found."
	}
	p.Tiles = []tile{
		{errors, pluralOf(errors, "error"), "#errors", toneBad},
		{warnings, pluralOf(warnings, "warning"), "#warnings", toneCaution},
		{s.Depends, pluralOf(s.Depends, "depends"), "#depends", toneOpen},
		{s.Infos, "info", "#infos", toneNote},
		{s.Unknown, "not checked", "#not-checked", toneUnseen},
		{len(p.Excused), "excused", "#excused", toneCalm},
		{s.Passed, "passed", "#passed", toneGood},
	}
	for i := range p.Tiles {
		if p.Tiles[i].Count == 0 {
			p.Tiles[i].Where = ""
		}
	}
}

func pluralOf(n int, noun string) string {
	switch {
	case noun == "depends" && n != 1:
		return "depend"
	case noun == "depends", n == 1:
		return noun
	default:
		return noun + "s"
	}
}

func (p *page) roleRows(r *finding.Report) {
	for _, c := range finding.Concerns {
		p.Concerns = append(p.Concerns, string(c))
	}
	for _, row := range r.NodeRoles {
		out := roleRow{Name: row.Name, ARN: row.ARN, Sources: sourceGroups(row.Sources), clean: true}
		if i := slices.IndexFunc(r.IAM.Roles, func(d finding.IAMRole) bool { return d.ARN == row.ARN }); i >= 0 {
			out.Where = roleAnchor(i)
		}
		for _, c := range finding.Concerns {
			cell := verdictCell{Tone: toneCalm}
			cell.Word, _ = verdictWord(row.Verdicts, c)
			if v, ok := row.Verdicts[c]; ok {
				cell.Tone = toneOfVerdict(v)
			}
			out.clean = out.clean && (cell.Tone == toneCalm || cell.Tone == toneGood || cell.Tone == toneNote)
			out.Verdicts = append(out.Verdicts, cell)
		}
		p.Roles = append(p.Roles, out)
	}
	if len(p.Roles) > manyRoles {
		for _, row := range p.Roles {
			if row.clean {
				p.Clean = append(p.Clean, row)
			}
		}
		p.Roles = slices.DeleteFunc(p.Roles, func(row roleRow) bool { return row.clean })
	}
}

func roleAnchor(i int) string { return fmt.Sprintf("role-%d", i+1) }

// sourceGroups folds the sources of each kind.
func sourceGroups(sources []finding.Source) []sourceGroup {
	var kinds []string
	byKind := map[string][]finding.Source{}
	for _, s := range sources {
		if _, ok := byKind[s.Kind]; !ok {
			kinds = append(kinds, s.Kind)
		}
		byKind[s.Kind] = append(byKind[s.Kind], s)
	}
	var groups []sourceGroup
	for _, kind := range kinds {
		list := byKind[kind]
		if len(list) <= maxBoxes {
			for _, s := range list {
				groups = append(groups, sourceGroup{Text: fmt.Sprintf("%s %s (%s)", kind, s.Name, count(s.Nodes, "node")), Source: s})
			}
			continue
		}
		g, nodes := sourceGroup{}, 0
		for _, s := range list {
			nodes += s.Nodes
			g.Names = append(g.Names, fmt.Sprintf("%s (%s)", s.Name, count(s.Nodes, "node")))
		}
		g.Text = fmt.Sprintf("%s (%s)", countKind(len(list), kind), count(nodes, "node"))
		groups = append(groups, g)
	}
	return groups
}

// countKind is a number of sources of one kind.
func countKind(n int, kind string) string {
	what, rest, _ := strings.Cut(kind, " that has ")
	switch {
	case rest != "":
		return fmt.Sprintf("%d %ss that have %s", n, what, rest)
	case strings.HasSuffix(kind, "ss"):
		return fmt.Sprintf("%d %ses", n, kind)
	default:
		return count(n, kind)
	}
}
