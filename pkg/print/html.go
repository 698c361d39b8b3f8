package print

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page's text and style
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
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
	p.Style = template.CSS(htmlStyle) //nolint:gosec // our own file
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
		{Title: "Errors", Where: "errors", Tone: toneBad}, {Title: "Warnings", Where: "warnings", Tone: toneCaution},
		{Title: "Depends on the request", Where: "depends", Tone: toneOpen}, {Title: "For information", Where: "infos", Tone: toneNote},
	}
	described := map[string]bool{}
	for i, r := range results {
		it := newItem(r, fmt.Sprintf("f%d", i+1), docs)
		switch {
		case r.Status == finding.Pass:
			p.Passed = addTo(p.Passed, it)
		case r.Status == finding.NotApplicable:
			p.Idle = addTo(p.Idle, it)
		case r.Status == finding.Unknown:
			p.addUnknown(it)
		case r.Excused():
			it.Again = described[r.ID]
			described[r.ID] = true
			p.Excused = append(p.Excused, it)
		default:
			it.Again = described[r.ID]
			described[r.ID] = true
			g := slices.IndexFunc(groups, func(g findingGroup) bool { return g.Tone == it.Tone })
			groups[g].Items = append(groups[g].Items, it)
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
	for _, line := range r.Next {
		it.Steps = append(it.Steps, newStep(line))
	}
	return it
}

// newStep tells a command from a sentence: a command starts with a program, and
// what stands behind three spaces explains it.
func newStep(line string) htmlStep {
	program, _, _ := strings.Cut(line, " ")
	if !slices.Contains([]string{"aws", "kubectl", "eksctl"}, program) {
		return htmlStep{Text: line}
	}
	command, text, _ := strings.Cut(line, "   ")
	return htmlStep{Command: strings.TrimSpace(command), Text: strings.TrimLeft(text, "# ")}
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
	case finding.Unknown:
		return toneUnseen, "not checked"
	case finding.Pass:
		return toneGood, "passed"
	default:
		return toneCalm, "does not apply"
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
				cell.Tone, _ = toneOf(v.Status, v.Severity)
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

// roleDetail is a role with what it is asked for and its own documents.
type roleDetail struct {
	finding.IAMRole
	Anchor   string
	Uses     []string
	Needs    []needRow
	Policies []policyDetail
	// Open is set where the role is not folded.
	Open bool
}

type needRow struct {
	Label, Word string
	Tone        tone
	Decisions   []decisionLine
}

type decisionLine struct {
	Actions, Why string
	Tone         tone
	Word         string
}

// policyDetail is a policy: of one role, or managed and shared by several.
type policyDetail struct {
	Anchor, Kind, Name, ARN, Version string
	// Gives sums up what it does, worst first.
	Gives  []mark
	Roles  []string
	Unread []string
	// Undecided is set where what the policy does for a need was not found out.
	Undecided bool
	// Whole is what the document does by what it lacks.
	Whole []mark
	// Head is what stands beside the statements; Text is set where the document is
	// not to be taken apart.
	Head, Text string
	Statements []statement
	// Where leads to the document, where it stands elsewhere on the page.
	Where string
}

// markList is marks, with the roles that they are of where there may be several.
type markList struct {
	Marks  []mark
	Shared bool
}

type statement struct {
	Number int
	Text   string
	Tone   tone
	Marks  []mark
}

// mark says what a statement or a policy does for a need.
type mark struct {
	Tone        tone
	Verb, Label string
	Actions     []string
	Roles       []string
}

// Text is the mark in a few words.
func (m mark) Text() string { return m.Verb + " " + m.Label }

var needLabels = map[string]string{
	"trust": "being assumed", "trustOthers": "being assumed by others", "worker": "joining", "workerRecommended": "the other calls of a node",
	"pull": "image pulls", "podIdentity": "the Pod Identity Agent", "cni": "the CNI", "hybrid": "the calls of a hybrid node", "excess": "what no node calls",
}

var kindLabels = map[finding.PolicyKind]string{
	finding.AWSManaged: "AWS managed policy", finding.CustomerManaged: "customer managed policy", finding.Inline: "inline policy",
	finding.Boundary: "permissions boundary", finding.Trust: "trust policy",
}

var useLabels = map[finding.RoleUse]string{
	finding.UsedByNodes: "node role", finding.UsedByHybridNodes: "role of hybrid nodes", finding.UsedByAWSNode: "role of aws-node",
	finding.UsedByAssociation: "role that leads to aws-node's",
}

// policies gathers the roles with their own documents, and the managed policies
// once each, with every statement's say.
func (p *page) policies(r *finding.Report) {
	shared := map[string][]mark{} // by managed policy and statement
	holders := map[string][]string{}
	kinds := map[string]string{}
	for i, role := range r.IAM.Roles {
		d := roleDetail{IAMRole: role, Anchor: roleAnchor(i)}
		for _, u := range role.Uses {
			d.Uses = append(d.Uses, useLabels[u])
		}
		for _, n := range role.Needs {
			row := newNeedRow(n)
			d.Needs = append(d.Needs, row)
			d.Open = d.Open || toneRank(row.Tone) <= toneRank(toneUnseen)
		}
		d.Open = d.Open || len(r.IAM.Roles) <= manyRoles || len(role.SharedWith) > 0 || role.NotFound || len(role.Unread) > 0
		for k, policy := range role.Policies {
			marks := marksOf(role, policy)
			pd := policyDetail{
				Anchor: fmt.Sprintf("%s-%d", d.Anchor, k+1), Kind: kindLabels[policy.Kind], Name: policy.Name, ARN: policy.ARN, Unread: policy.Unread,
				Gives: sumUp(marks), Undecided: undecided(role),
			}
			if policy.ARN == "" {
				pd.take(policy.Document, marks)
			} else {
				pd.Version = r.IAM.Policies[policy.ARN].Version
				holders[policy.ARN] = append(holders[policy.ARN], role.Name)
				if kinds[policy.ARN] == "" || policy.Kind != finding.Boundary {
					kinds[policy.ARN] = kindLabels[policy.Kind]
				}
				for n, list := range marks {
					key := fmt.Sprintf("%s#%d", policy.ARN, n)
					for _, m := range list {
						shared[key] = merge(shared[key], m)
					}
				}
			}
			d.Policies = append(d.Policies, pd)
		}
		p.Details = append(p.Details, d)
	}

	anchors := map[string]string{}
	for i, arn := range slices.Sorted(maps.Keys(r.IAM.Policies)) {
		policy := r.IAM.Policies[arn]
		anchors[arn] = fmt.Sprintf("policy-%d", i+1)
		pd := policyDetail{
			Anchor: anchors[arn], Kind: kinds[arn], Name: arn[strings.LastIndexByte(arn, '/')+1:], ARN: arn, Version: policy.Version,
			Roles: slices.Compact(holders[arn]),
		}
		marks := map[int][]mark{}
		for n := 0; n <= len(statementsOf(policy.Document)); n++ {
			if list := shared[fmt.Sprintf("%s#%d", arn, n)]; len(list) > 0 {
				marks[n] = list
			}
		}
		pd.Gives = sumUp(marks)
		pd.take(policy.Document, marks)
		for _, role := range r.IAM.Roles {
			for _, one := range role.Policies {
				if one.ARN == arn {
					pd.Unread = one.Unread
					pd.Undecided = pd.Undecided || undecided(role)
				}
			}
		}
		p.Managed = append(p.Managed, pd)
	}
	for i := range p.Details {
		for k := range p.Details[i].Policies {
			p.Details[i].Policies[k].Where = anchors[p.Details[i].Policies[k].ARN]
		}
	}
}

// undecided reports whether something that a role is asked for was not checked.
func undecided(role finding.IAMRole) bool {
	return slices.ContainsFunc(role.Needs, func(n finding.RoleNeed) bool {
		return slices.ContainsFunc(n.Decisions, func(d finding.Decision) bool { return d.Verdict == "unknown" })
	})
}

func newNeedRow(n finding.RoleNeed) needRow {
	row := needRow{Label: needLabels[n.Need]}
	if n.Wanted == finding.WantedNo {
		row.Label += " (not wanted)"
	}
	row.Tone, row.Word = needTone(n)
	for _, d := range n.Decisions {
		line := decisionLine{Actions: strings.Join(d.Actions, ", "), Why: d.Why, Word: d.Verdict}
		line.Tone = decisionTone(n.Wanted, d.Verdict)
		if d.Principal != "" {
			line.Actions += " by " + d.Principal
		}
		row.Decisions = append(row.Decisions, line)
	}
	return row
}

// needTone says how a role meets a need. What is too much or only recommended is
// a warning.
func needTone(n finding.RoleNeed) (t tone, word string) {
	switch {
	case n.Status == finding.Pass && n.Wanted == finding.WantedNo:
		return toneGood, "not allowed"
	case n.Status == finding.Pass && n.Wanted == finding.WantedUnknown:
		return toneCalm, "not allowed"
	case n.Status == finding.Pass:
		return toneGood, "allowed"
	case n.Status == finding.Depends:
		return toneOpen, "depends"
	case n.Status == finding.Unknown && n.Wanted == finding.WantedUnknown:
		return toneUnseen, "allowed; whether it is needed is not known"
	case n.Status == finding.Unknown:
		return toneUnseen, "not checked"
	case n.Wanted == finding.WantedNo:
		return toneCaution, "too much"
	case n.Need == "workerRecommended":
		return toneCaution, "not all allowed"
	default:
		return toneBad, "not allowed"
	}
}

func decisionTone(wanted finding.Wanted, verdict string) tone {
	switch {
	case verdict == "depends":
		return toneOpen
	case verdict == "unknown":
		return toneUnseen
	case wanted == finding.WantedUnknown:
		return toneCalm
	case (verdict == "allowed") == (wanted == finding.WantedYes):
		return toneGood
	case wanted == finding.WantedNo:
		return toneCaution
	default:
		return toneBad
	}
}

// marksOf says what each statement of a role's policy decides, counted from 1; 0
// is the document as a whole.
func marksOf(role finding.IAMRole, p finding.RolePolicy) map[int][]mark {
	marks := map[int][]mark{}
	boundary := p.Kind == finding.Boundary
	for _, n := range role.Needs {
		for _, d := range n.Decisions {
			m := mark{Label: needLabels[n.Need], Actions: d.Actions, Roles: []string{role.Name}, Tone: decisionTone(n.Wanted, d.Verdict)}
			if boundary && d.By == "boundary" {
				m.Verb = "holds back"
				marks[0] = join(marks[0], m)
			}
			for _, ref := range d.Statements {
				if refersTo(ref, p) {
					m.Verb = verb(d.Verdict, ref, n, boundary)
					marks[ref.Statement] = join(marks[ref.Statement], m)
				}
			}
			for _, ref := range d.Nearest {
				if refersTo(ref, p) {
					near := m
					near.Verb, near.Tone = "comes nearest to", toneCalm
					marks[ref.Statement] = join(marks[ref.Statement], near)
				}
			}
		}
	}
	return marks
}

func refersTo(ref finding.StatementRef, p finding.RolePolicy) bool {
	return ref.ARN == p.ARN && ref.Policy == p.Name && ref.Trust == (p.Kind == finding.Trust)
}

func verb(verdict string, ref finding.StatementRef, n finding.RoleNeed, boundary bool) string {
	undecided := verdict == "depends" || verdict == "unknown"
	switch {
	case ref.Effect == "Deny" && undecided:
		return "may deny"
	case ref.Effect == "Deny":
		return "denies"
	case undecided:
		return "may allow"
	case boundary:
		return "lets through"
	case n.Wanted == finding.WantedNo:
		return "allows too much:"
	case n.Wanted == finding.WantedYes && n.Status != finding.Pass:
		return "allows part of"
	default:
		return "allows"
	}
}

// join adds a mark of one role: what a statement does for a need is one mark.
func join(marks []mark, m mark) []mark {
	m.Actions = slices.Sorted(slices.Values(m.Actions))
	for i, have := range marks {
		if have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone {
			marks[i].Actions = slices.Compact(slices.Sorted(slices.Values(slices.Concat(have.Actions, m.Actions))))
			return marks
		}
	}
	return append(marks, m)
}

// merge adds a mark; one that says the same of another role joins it.
func merge(marks []mark, m mark) []mark {
	for i, have := range marks {
		if have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone && slices.Equal(have.Actions, m.Actions) {
			for _, role := range m.Roles {
				if !slices.Contains(have.Roles, role) {
					marks[i].Roles = append(slices.Clone(marks[i].Roles), role)
				}
			}
			return marks
		}
	}
	return append(marks, m)
}

// sumUp is what a policy does, each once, worst first.
func sumUp(marks map[int][]mark) []mark {
	var sum []mark
	for _, n := range slices.Sorted(maps.Keys(marks)) {
		for _, m := range marks[n] {
			if !slices.ContainsFunc(sum, func(have mark) bool { return have.Verb == m.Verb && have.Label == m.Label && have.Tone == m.Tone }) {
				sum = append(sum, mark{Tone: m.Tone, Verb: m.Verb, Label: m.Label})
			}
		}
	}
	slices.SortStableFunc(sum, func(a, b mark) int { return cmp.Compare(toneRank(a.Tone), toneRank(b.Tone)) })
	return sum
}

// rank orders tones, worst first.
func toneRank(t tone) int {
	return slices.Index([]tone{toneBad, toneCaution, toneOpen, toneUnseen, toneNote, toneGood, toneCalm}, t)
}

// take fills in the document, statement by statement.
func (p *policyDetail) take(text string, marks map[int][]mark) {
	if text == "" {
		return
	}
	p.Whole = marks[0]
	statements := statementsOf(text)
	if len(statements) == 0 {
		p.Text = text
		return
	}
	var head struct{ Version, ID string }
	if json.Unmarshal([]byte(text), &head) == nil && head.Version != "" {
		p.Head = "Version " + head.Version
		if head.ID != "" {
			p.Head += ", Id " + head.ID
		}
	}
	for i, s := range statements {
		st := statement{Number: i + 1, Text: s, Tone: toneCalm, Marks: marks[i+1]}
		for _, m := range st.Marks {
			if toneRank(m.Tone) < toneRank(st.Tone) {
				st.Tone = m.Tone
			}
		}
		p.Statements = append(p.Statements, st)
	}
}

// statementsOf returns the statements of a policy document, indented; none where
// the text is no document.
func statementsOf(text string) []string {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) == 0 {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = []json.RawMessage{doc.Statement}
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		var b bytes.Buffer
		if json.Indent(&b, s, "", "  ") != nil {
			return nil
		}
		out = append(out, b.String())
	}
	return out
}
