package print

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Where the program and its rules are described.
const (
	homepage  = "https://github.com/kubectl-noderole/kubectl-noderole"
	rulePages = homepage + "/blob/main/docs/rules/"
)

// model is a report as the formats for people show it: in the order of the report, with
// what only follows from a finding below that finding.
type model struct {
	findings []entry // what counts
	unknown  []unknownGroup
	excepted []entry // and what the baseline has
	passed   []entry
	idle     []entry // does not apply
}

// entry is a result, with how it is called.
type entry struct {
	finding.Result
	label
	// explains are the results that only follow from this one.
	explains []entry
	// block is the subject that it is listed with.
	block finding.Subject
	// advice is what to do about the entry and those above it; empty where it stands
	// below.
	advice []finding.Next
	// impact is the result's, and empty where an entry above with the same advice says it for
	// their concern.
	impact string
}

// newModel sorts the results that keep keeps, and what is excepted, in the order of the
// report. A result whose cause is not kept is a finding of its own.
func newModel(r *finding.Report, keep func(finding.Result) bool) *model {
	m := &model{}
	under := finding.Under(r.Results)
	for i, u := range under {
		if u >= 0 && (!keep(r.Results[i]) || !keep(r.Results[u])) {
			under[i] = -1
		}
	}
	explains := explainedResults(r.Results, under)
	for i, res := range r.Results {
		e := entry{Result: res, label: resultLabel(res), explains: explains[i], block: res.Block()}
		switch {
		case res.Failed() && res.Excepted():
			m.excepted = append(m.excepted, e)
		case !keep(res), under[i] >= 0:
		case res.Failed():
			m.findings = append(m.findings, e)
		case res.Status == finding.Pass:
			m.passed = append(m.passed, e)
		case res.Status == finding.NotApplicable:
			m.idle = append(m.idle, e)
		default: // Unknown
			m.unknown = addUnknown(m.unknown, e)
		}
	}
	adviseOnce(m.findings)
	return m
}

// adviseOnce gives findings of a subject that follow each other one advice, below the
// last of them: where it is the same, and where it is a repair that one command plans. Of
// those that are about one concern, the first and gravest says what happens without it.
func adviseOnce(findings []entry) {
	var concerns []finding.Concern // of the findings with the advice so far
	for i := range findings {
		e := &findings[i]
		e.advice, e.impact = e.Next, e.Impact
		together := false
		if i > 0 && e.block == findings[i-1].block {
			above := &findings[i-1]
			var joined []finding.Next
			if joined, together = joinedAdvice(above.advice, e.Next); together {
				above.advice, e.advice = nil, joined
			}
		}
		if !together {
			concerns = concerns[:0]
		}
		if slices.Contains(concerns, e.Concern) {
			e.impact = ""
		}
		concerns = append(concerns, e.Concern)
	}
}

// joinedAdvice is one advice for two findings, where there is one.
func joinedAdvice(above, below []finding.Next) ([]finding.Next, bool) {
	if len(above) == 0 || len(above) != len(below) {
		return nil, false
	}
	if slices.EqualFunc(above, below, finding.Next.Equal) {
		return below, true
	}
	joined, ok := above[0].Joined(below[0])
	return []finding.Next{joined}, ok && len(above) == 1
}

// explainedResults are the results that are shown under the one at an index.
func explainedResults(results []finding.Result, under []int) map[int][]entry {
	explains := map[int][]entry{}
	for i, u := range under {
		if u >= 0 {
			explains[u] = append(explains[u], entry{Result: results[i], label: resultLabel(results[i])})
		}
	}
	return explains
}

// everything keeps every result.
func everything(finding.Result) bool { return true }

// unknownGroup is the verdicts that are unknown for one reason.
type unknownGroup struct {
	// first has the evidence and the next steps of all of them.
	first    entry
	subjects []unknownSubject
}

// unknownSubject is a subject with the rules whose verdicts on it are unknown.
type unknownSubject struct {
	finding.Subject
	IDs []string
}

func addUnknown(groups []unknownGroup, e entry) []unknownGroup {
	i := slices.IndexFunc(groups, func(g unknownGroup) bool {
		return slices.Equal(g.first.Evidence, e.Evidence) && slices.EqualFunc(g.first.Next, e.Next, finding.Next.Equal)
	})
	if i < 0 {
		i = len(groups)
		groups = append(groups, unknownGroup{first: e})
	}
	g := &groups[i]
	k := slices.IndexFunc(g.subjects, func(s unknownSubject) bool { return s.Subject == e.Subject })
	if k < 0 {
		k = len(g.subjects)
		g.subjects = append(g.subjects, unknownSubject{Subject: e.Subject})
	}
	if !slices.Contains(g.subjects[k].IDs, e.ID) {
		g.subjects[k].IDs = append(g.subjects[k].IDs, e.ID)
	}
	return groups
}

// verdicts is how many verdicts the group has together.
func (g unknownGroup) verdicts() int {
	n := 0
	for _, s := range g.subjects {
		n += len(s.IDs)
	}
	return n
}

// title is the group in one sentence.
func (g unknownGroup) title() string {
	n := g.verdicts()
	switch {
	case n == 1:
		return g.first.Message
	case len(g.subjects) == 1:
		name := g.first.Subject.Name
		if g.first.Subject.Kind == finding.SubjectFleet {
			name = "the fleet"
		}
		return fmt.Sprintf("%d verdicts on %s are unknown", n, name)
	default:
		return fmt.Sprintf("%d verdicts on %d subjects are unknown", n, len(g.subjects))
	}
}

// rules names the rules, a line for each subject; a single verdict needs none.
func (g unknownGroup) rules() []string {
	if g.verdicts() == 1 {
		return nil
	}
	var lines []string
	for _, s := range g.subjects {
		line := strings.Join(s.IDs, ", ")
		if len(g.subjects) > 1 {
			line = s.Name + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// tone describes the color of something, and the symbol next to its word.
type tone string

// The tones. The page's style and signs have these names.
const (
	toneBad     tone = "fail"
	toneCaution tone = "warn"
	toneDepends tone = "depends"
	toneUnknown tone = "unknown"
	toneNote    tone = "info"
	toneGood    tone = "ok"
	toneNeutral tone = "none"
)

// toneRank orders tones, worst first.
func toneRank(t tone) int {
	return slices.Index([]tone{toneBad, toneCaution, toneDepends, toneUnknown, toneNote, toneGood, toneNeutral}, t)
}

// label is what a verdict is called: in a word for tables and headings, and in full.
type label struct {
	Tone       tone
	Word, Full string
}

// The labels.
var (
	labelError         = label{toneBad, "FAIL", "error"}
	labelWarning       = label{toneCaution, "warn", "warning"}
	labelInfo          = label{toneNote, "info", "info"}
	labelDepends       = label{toneDepends, "depends", "depends"}
	labelUnknown       = label{toneUnknown, "unknown", "unknown"}
	labelPassed        = label{toneGood, "ok", "passed"}
	labelNotApplicable = label{toneNeutral, "-", "does not apply"}
	labelExcepted      = label{toneNote, "excepted", "excepted"}
	labelKnown         = label{toneNote, "known", "known"}
)

// labelOf is the label of a status, and for a failure of its severity.
func labelOf(s finding.Status, severity finding.Severity) label {
	switch s {
	case finding.Fail:
		return severityLabel(severity)
	case finding.Depends:
		return labelDepends
	case finding.Pass:
		return labelPassed
	case finding.NotApplicable:
		return labelNotApplicable
	case finding.Unknown:
		return labelUnknown
	default:
		return labelUnknown
	}
}

func severityLabel(s finding.Severity) label {
	switch s {
	case finding.Warning:
		return labelWarning
	case finding.Info:
		return labelInfo
	case finding.Error:
		return labelError
	default:
		return labelError
	}
}

// resultLabel is the label of a result. An exception that ended makes it an error.
func resultLabel(r finding.Result) label {
	switch {
	case r.Failed() && r.Known:
		return labelKnown
	case r.Failed() && r.Excepted():
		return labelExcepted
	case r.Weight() == finding.Error:
		return labelError
	default:
		return labelOf(r.Status, r.Severity)
	}
}

// verdictLabel is the label of a concern; one that was not judged does not apply.
func verdictLabel(verdicts map[finding.Concern]finding.Verdict, c finding.Concern) label {
	v, judged := verdicts[c]
	switch {
	case !judged:
		return labelNotApplicable
	case v.Excepted:
		return labelExcepted
	default:
		return labelOf(v.Status, v.Severity)
	}
}

// otherRows are the rows of the table of node roles for what is not a node role: aws-node with
// credentials of its own or of the node role, the cluster's own role, and the nodes
// without a role.
func otherRows(r *finding.Report) []finding.RoleRow {
	var rows []finding.RoleRow
	if len(r.AWSNode.Verdicts) > 0 {
		row := finding.RoleRow{Name: "aws-node", ARN: r.AWSNode.RoleARN, Verdicts: r.AWSNode.Verdicts}
		rows = append(rows, row)
	}
	if r.ClusterRole != nil && len(r.ClusterRole.Verdicts) > 0 {
		rows = append(rows, *r.ClusterRole)
	}
	worst := map[finding.Concern]finding.Result{}
	without := finding.RoleRow{Name: "(no role)", Verdicts: map[finding.Concern]finding.Verdict{}}
	for _, s := range r.IAM.WithoutRole {
		source := finding.Source{Kind: s.Kind, Name: s.Name}
		if isNode(source) {
			source.Nodes = 1
		}
		without.Sources = append(without.Sources, source)
		for _, res := range r.Results {
			if res.Subject.Name != s.Name || !res.Failed() && res.Status != finding.Unknown {
				continue
			}
			if w, judged := worst[res.Concern]; !judged || finding.Order(res, w) < 0 {
				worst[res.Concern] = res
			}
		}
	}
	for concern, res := range worst {
		without.Verdicts[concern] = finding.Verdict{Status: res.Status, Severity: res.Severity, Excepted: res.Excepted()}
	}
	if len(without.Sources) > 0 {
		rows = append(rows, without)
	}
	return rows
}

// clusterFacts is what is known of the cluster, a few words each, without its name.
func clusterFacts(c finding.ClusterInfo) []string {
	facts := []string{c.Region, c.Account}
	if c.Version != "" {
		facts = append(facts, "EKS "+c.Version)
	}
	switch c.IPFamily {
	case "ipv4":
		facts = append(facts, "IPv4")
	case "ipv6":
		facts = append(facts, "IPv6")
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

// factsText returns when the facts were collected and how they were judged, a few words each.
func factsText(f finding.Facts) []string {
	var words []string
	if f.CollectedAt != "" {
		words = append(words, "facts of "+f.CollectedAt)
	}
	if f.CNIVersion != "" {
		words = append(words, "judged for vpc-cni "+f.CNIVersion)
	}
	return words
}

// factsProperties are the same for formats with named properties.
func factsProperties(f finding.Facts) map[string]string {
	properties := map[string]string{}
	for name, value := range map[string]string{"factsCollectedAt": f.CollectedAt, "factsCollectedBy": f.CollectedBy, "judgedBy": f.JudgedBy, "cniVersion": f.CNIVersion} {
		if value != "" {
			properties[name] = value
		}
	}
	return properties
}

// isNode reports whether a source is a node itself, not what starts nodes.
func isNode(s finding.Source) bool { return strings.HasSuffix(s.Kind, "node") }

// sourceKind is the sources of one kind.
type sourceKind struct {
	name    string
	sources []finding.Source
	nodes   int
	// eachANode is set where every source is a node.
	eachANode bool
}

// sourceKinds groups sources by kind.
func sourceKinds(sources []finding.Source) []sourceKind {
	var kinds []sourceKind
	for _, s := range sources {
		i := slices.IndexFunc(kinds, func(k sourceKind) bool { return k.name == s.Kind })
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, sourceKind{name: s.Kind, eachANode: isNode(s) || s.Kind == finding.SourceCluster})
		}
		k := &kinds[i]
		k.sources = append(k.sources, s)
		k.nodes += s.Nodes
		k.eachANode = k.eachANode && (s.Nodes == 1 || s.Kind == finding.SourceCluster)
	}
	return kinds
}

// plural is the kind in the plural.
func (k sourceKind) plural() string {
	if what, rest, ok := strings.Cut(k.name, " that has "); ok {
		return text.Plural(what) + " that have " + rest
	}
	return text.Plural(k.name)
}

// exceptionWords returns why a result does not count, or that its exception is over. It is
// empty for a result without exception that the baseline does not have.
func exceptionWords(r finding.Result) string {
	switch e := r.Exception; {
	case r.Known:
		return "known: the baseline has it"
	case e == nil:
		return ""
	case e.Expired:
		return fmt.Sprintf("the exception ended on %s: %s (%s)", e.Expires, e.Reason, e.Source)
	case e.Expires != "":
		return fmt.Sprintf("excepted until %s: %s (%s)", e.Expires, e.Reason, e.Source)
	default:
		return fmt.Sprintf("excepted: %s (%s)", e.Reason, e.Source)
	}
}

// maxCauses is how many causes are named in a sentence.
const maxCauses = 4

// explainedBy returns what causes a result; it is empty where nothing does.
func explainedBy(r finding.Result) string {
	if len(r.Causes) == 0 {
		return ""
	}
	return "explained by " + causeNames(r)
}

// causeNames names the causes of a result.
func causeNames(r finding.Result) string {
	var names []string
	for _, c := range r.Causes[:min(len(r.Causes), maxCauses)] {
		names = append(names, strings.TrimSpace(c.ID+" "+c.Subject.Name))
	}
	line := strings.Join(names, ", ")
	if more := len(r.Causes) - maxCauses; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}

// symptomOf is symptomText below the finding that explains it: it does not name their
// subject again.
func symptomOf(cause, e entry) string {
	if e.Subject == cause.Subject {
		e.Message = strings.TrimPrefix(e.Message, e.Subject.Name+" ")
	}
	return symptomText(e)
}

// alsoExplains returns in a sentence that a result only follows from the one above it.
func alsoExplains(e entry) string { return "also explains " + symptomText(e) }

// symptomText is a result that only follows from another one, in one line.
func symptomText(e entry) string { return fmt.Sprintf("%s (%s): %s", e.ID, e.Full, e.Message) }

// details are the lines below a result's message: its exception, what explains
// it, the evidence, the impact, what to do, and what it explains.
func details(e entry) []string {
	var lines []string
	for _, l := range []string{exceptionWords(e.Result), explainedBy(e.Result)} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	lines = append(lines, e.Evidence...)
	if e.Impact != "" {
		lines = append(lines, e.Impact)
	}
	lines = append(lines, nextLines(e.Next)...)
	for _, s := range e.explains {
		lines = append(lines, alsoExplains(s))
		for _, l := range s.Evidence {
			lines = append(lines, "  "+l)
		}
	}
	return lines
}

// nextLines are what to do, for a format of plain text: a command is alone on its
// line behind an arrow, and what to know about it below it.
func nextLines(list []finding.Next) []string {
	var lines []string
	for _, n := range list {
		lines = append(lines, "-> "+cmp.Or(n.Text, n.Note, n.Link))
		if n.Text != "" && n.Note != "" {
			lines = append(lines, "   "+n.Note)
		}
		if n.Link != "" && (n.Text != "" || n.Note != "") {
			lines = append(lines, "   "+n.Link)
		}
	}
	return lines
}

// unreadLine returns what could not be read and why.
func unreadLine(m finding.Missing) string {
	line := m.Operation
	if m.Subject != "" {
		line += " " + m.Subject
	}
	line += " could not be read: " + m.Error
	if m.Permission != "" {
		line += " (needs " + m.Permission + ")"
	}
	return line
}
