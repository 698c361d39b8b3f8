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
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

//go:embed html.css
var htmlStyle string

//go:embed html.tmpl
var htmlText string

//go:embed fleet.tmpl
var fleetHTMLText string

const (
	// maxLines bounds lists that grow with the number of nodes.
	maxLines = 100
	// manyRoles are so many that those that passed are folded.
	manyRoles = 10
)

// writeHTML writes the report as one page for people: it asks no server for anything,
// runs no script and is the same for the same report.
func writeHTML(w io.Writer, r *finding.Report, o Options) error {
	t, err := htmlTemplate()
	if err != nil {
		return err
	}
	var b bytes.Buffer // so that a page is whole or not there
	if err := t.Execute(&b, newPage(cleaned(r, text.Visible), o)); err != nil {
		return fmt.Errorf("fill in the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// htmlTemplate is the page's template, parsed once.
var htmlTemplate = sync.OnceValues(func() (*template.Template, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"list":  func(s []string) string { return strings.Join(s, ", ") },
		"marks": func(marks []mark, roles []string) markList { return markList{marks, len(roles) > 0} },
		"rows":  func(concerns []string, rows []roleRow) roleTable { return roleTable{concerns, rows} },
	}).Parse(htmlText)
	if err == nil {
		_, err = t.New("fleet").Parse(fleetHTMLText)
	}
	if err != nil {
		return nil, fmt.Errorf("parse the page's template: %w", err)
	}
	return t, nil
})

// page is what the template prints.
type page struct {
	Style    template.CSS
	Policy   string // Content-Security-Policy
	Cluster  finding.ClusterInfo
	Facts    []string
	Tone     tone
	Headline string
	Tiles    []tile
	Steps    []step // what to do now
	Concerns []string
	Roles    []roleRow
	Clean    []roleRow // node roles that passed, where there are many
	AWSNode  string
	Picture  *picture
	Groups   []findingGroup
	Unknown  []unknownItem
	// Unknowns counts what Unknown has together.
	Unknowns int
	Excepted []item
	Missing  []finding.Missing
	Not      []string // not evaluated
	Derived  []string // not read
	Details  []roleDetail
	Managed  []policyDetail
	Passed   []ruleGroup
	Idle     []ruleGroup // does not apply
	Version  string
	// anchors link to the first finding of each tone.
	anchors map[tone]string
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

// verdictCell is what a cell of the table says.
type verdictCell = label

// findingGroup is the findings of one subject.
type findingGroup struct {
	Title, Where string
	Items        []item
}

// blockTitle is the heading over the findings of one subject.
func blockTitle(s finding.Subject) string {
	switch s.Kind {
	case finding.SubjectNode:
		return "node " + s.Name
	case finding.SubjectSource:
		return s.Name
	default:
		return subjectTitle(s)
	}
}

// Links are the entries of the findings in the page's navigation: one for each subject or,
// where these are many, one for all.
func (p *page) Links() []findingGroup {
	const many = 10
	if len(p.Groups) <= many {
		return p.Groups
	}
	return []findingGroup{{Title: "Findings", Where: p.Groups[0].Where}}
}

// item is one result as a reader meets it.
type item struct {
	entry
	Anchor   string
	Excepted string
	Cause    string // what explains it
	Evidence []string
	More     int // evidence lines that are not shown
	Steps    []htmlStep
	Explains []item
	Doc      *finding.RuleDoc
	Again    bool // the rule was described before
}

// unknownItem is the verdicts that are unknown for one reason.
type unknownItem struct {
	item
	Title    string
	Alone    bool // a single verdict
	Subjects []unknownSubject
}

// htmlStep is one thing to do: a command with what to know about it, or that alone.
type htmlStep struct {
	Command, Text string
	// Link is an address of the web; another one is part of Text.
	Link string
}

type ruleGroup struct {
	ID, Title string
	Items     []item
	More      int
}

func newPage(r *finding.Report, o Options) *page {
	p := &page{Cluster: r.Cluster, AWSNode: r.AWSNode.Text, Not: r.NotEvaluated, Derived: r.Derived, Missing: r.Missing, Unknowns: r.Summary.Unknown, Version: o.Version}
	p.Style, p.Policy = pageStyle()
	p.Facts = append(clusterFacts(r.Cluster), factsText(r.Facts)...)
	docs := map[string]finding.RuleDoc{}
	for _, d := range o.Rules {
		docs[d.ID] = d
	}
	p.results(newModel(r, everything), docs)
	p.headline(r)
	p.Steps = nextSteps(r, o.Complete)
	p.roleRows(r)
	p.policies(r)
	p.Picture = draw(r, p.Details)
	return p
}

// pageStyle is the style of a page, and the Content-Security-Policy that allows nothing else.
func pageStyle() (style template.CSS, policy string) {
	sum := sha256.Sum256([]byte(htmlStyle))
	return template.CSS(htmlStyle), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// results puts every result into the section where it belongs.
func (p *page) results(m *model, docs map[string]finding.RuleDoc) {
	anchors := map[tone]string{}
	described := map[string]bool{}
	anchor := 0
	next := func(e entry) item {
		anchor++
		it := newItem(e, fmt.Sprintf("f%d", anchor), docs)
		it.Again = described[e.ID]
		described[e.ID] = described[e.ID] || e.Failed()
		return it
	}
	for _, e := range m.findings {
		it := next(e)
		for _, s := range e.explains {
			it.Explains = append(it.Explains, next(s))
		}
		if anchors[it.Tone] == "" {
			anchors[it.Tone] = "#" + it.Anchor
		}
		if last := len(p.Groups) - 1; last < 0 || p.Groups[last].Items[0].block != e.block {
			p.Groups = append(p.Groups, findingGroup{Title: blockTitle(e.Subject), Where: fmt.Sprintf("findings-%d", len(p.Groups)+1)})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Items = append(g.Items, it)
	}
	p.anchors = anchors
	for _, g := range m.unknown {
		p.Unknown = append(p.Unknown, unknownItem{item: next(g.first), Title: g.title(), Alone: g.verdicts() == 1, Subjects: g.subjects})
	}
	for _, e := range m.excepted {
		p.Excepted = append(p.Excepted, next(e))
	}
	for _, e := range m.passed {
		p.Passed = addTo(p.Passed, next(e))
	}
	for _, e := range m.idle {
		p.Idle = addTo(p.Idle, next(e))
	}
}

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

func newItem(e entry, anchor string, docs map[string]finding.RuleDoc) item {
	it := item{entry: e, Anchor: anchor, Evidence: e.Evidence, Excepted: exceptionWords(e.Result), Cause: explainedBy(e.Result)}
	if len(it.Evidence) > maxLines {
		it.More = len(it.Evidence) - maxLines
		it.Evidence = it.Evidence[:maxLines]
	}
	if d, ok := docs[e.ID]; ok {
		it.Doc = &d
	}
	for _, n := range e.Next {
		step := htmlStep{Command: n.Text, Text: n.Note, Link: n.Link}
		if !strings.HasPrefix(n.Link, "https://") {
			step.Text, step.Link = strings.TrimSpace(n.Note+" "+n.Link), ""
		}
		it.Steps = append(it.Steps, step)
	}
	return it
}

func (p *page) headline(r *finding.Report) {
	s := r.Summary
	words, tone := headline(r)
	p.Tone, p.Headline = tone, strings.ToUpper(words[:1])+words[1:]+"."
	nouns := func(n int, noun string) string {
		if n == 1 {
			return noun
		}
		return text.Plural(noun)
	}
	p.Tiles = []tile{
		{s.Errors, nouns(s.Errors, "error"), p.anchors[toneBad], toneBad},
		{s.Warnings, nouns(s.Warnings, "warning"), p.anchors[toneCaution], toneCaution},
		{s.Depends, labelDepends.Full, p.anchors[toneDepends], toneDepends},
		{s.Infos, labelInfo.Full, p.anchors[toneNote], toneNote},
		{s.Unknown, labelUnknown.Full, "#unknown", toneUnknown},
		{s.Excepted, labelExcepted.Full, "#excepted", toneNeutral},
		{s.Known, labelKnown.Full, "#excepted", toneNeutral},
		{s.Passed, labelPassed.Full, "#passed", toneGood},
	}
	for i := range p.Tiles {
		if p.Tiles[i].Count == 0 {
			p.Tiles[i].Where = ""
		}
	}
}

func (p *page) roleRows(r *finding.Report) {
	for _, c := range finding.Concerns {
		p.Concerns = append(p.Concerns, string(c))
	}
	for _, row := range slices.Concat(r.NodeRoles, otherRows(r)) {
		out := roleRow{Name: row.Name, ARN: row.ARN, Sources: sourceGroups(row.Sources), clean: true}
		if i := slices.IndexFunc(r.IAM.Roles, func(d finding.IAMRole) bool { return d.ARN == row.ARN }); i >= 0 {
			out.Where = roleAnchor(i)
		}
		for _, c := range finding.Concerns {
			cell := verdictLabel(row.Verdicts, c)
			out.clean = out.clean && (cell.Tone == toneNeutral || cell.Tone == toneGood || cell.Tone == toneNote)
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
	var groups []sourceGroup
	for _, k := range sourceKinds(sources) {
		if len(k.sources) <= maxBoxes {
			for _, s := range k.sources {
				groups = append(groups, sourceGroup{Text: fmt.Sprintf("%s %s (%s)", k.name, s.Name, text.Count(s.Nodes, "node")), Source: s})
			}
			continue
		}
		g := sourceGroup{Text: fmt.Sprintf("%d %s (%s)", len(k.sources), k.plural(), text.Count(k.nodes, "node"))}
		for _, s := range k.sources {
			g.Names = append(g.Names, fmt.Sprintf("%s (%s)", s.Name, text.Count(s.Nodes, "node")))
		}
		groups = append(groups, g)
	}
	return groups
}
