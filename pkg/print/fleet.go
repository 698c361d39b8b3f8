package print

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// fleetWriters are the formats of a fleet's report by name, but for the table and those of
// cli-runtime. The other formats of Formats are of one cluster.
func fleetWriters() map[string]func(w io.Writer, f *finding.FleetReport, o Options) error {
	return map[string]func(w io.Writer, f *finding.FleetReport, o Options) error{
		"github":      writeFleetGitHub,
		"html":        writeFleetHTML,
		"junit":       writeFleetJUnit,
		"markdown":    writeFleetMarkdown,
		"openmetrics": writeOpenMetrics,
	}
}

// FleetFormats returns the names that WriteFleet takes, sorted.
func FleetFormats() []string { return slices.Sorted(maps.Keys(fleetWriters())) }

// WriteFleet writes a fleet's report in a format of FleetFormats.
func WriteFleet(w io.Writer, format string, f *finding.FleetReport, o Options) error {
	write, ok := fleetWriters()[format]
	if !ok {
		return fmt.Errorf("unknown format %q", format)
	}
	return write(w, f, o)
}

// The limits of a fleet's table where it is not wide.
const (
	manyClusters    = 40 // above, clusters without findings, and others after so many, are only counted
	namedClusters   = 8  // of one finding
	plannedClusters = 5  // whose repair is named
	namedFindings   = 5  // of one rule about several clusters
)

// FleetTable writes a fleet's report for a person: a row for each cluster with a verdict for
// each concern, the worst first and what was not read last; each finding once, with the
// clusters that have it; what could not be read; and what to do now.
func FleetTable(w io.Writer, f *finding.FleetReport, o TableOptions, rules []finding.RuleDoc) error {
	t, see := newTable(o)
	f = cleaned(f, see)
	if !o.Quiet {
		words, tone := fleetHeadline(f)
		t.line(t.paint(fleetTitle(f), text.Bold))
		t.wrapped("", "", strings.Join(fleetFacts(f.Facts), ", "))
		for _, l := range wrap(words, t.prose()) {
			t.line(t.paint(l, headlineColor(tone)))
		}
		t.line("")
		t.clusters(f)
	}
	t.fleetFindings(f, rules)
	t.together(f)
	t.notRead(f)
	if !o.Quiet {
		t.fleetMissing(f)
		t.skippedFiles(f)
		t.wrapped("", "", strings.Join(fleetCounts(f.Summary), ", "))
		if o.Footer != "" {
			t.wrapped("", "", o.Footer)
		}
		t.fleetSteps(f)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// fleetTitle returns how many clusters there are and where.
func fleetTitle(f *finding.FleetReport) string {
	s := f.Summary
	return fmt.Sprintf("%s  %s  %s", text.Count(s.Planned, "cluster"), text.Count(s.Accounts, "account"), text.Count(s.Regions, "region"))
}

// fleetFacts returns where the facts come from, a few words each.
func fleetFacts(facts finding.FleetFacts) []string {
	var list []string
	if facts.Selection != "" {
		list = append(list, "selected by "+facts.Selection)
	}
	if facts.Directory != "" {
		list = append(list, "facts from "+facts.Directory)
	}
	if facts.PlannedAt != "" {
		list = append(list, "planned at "+facts.PlannedAt)
	}
	if facts.CNIVersion != "" {
		list = append(list, "checked for vpc-cni "+facts.CNIVersion)
	}
	return list
}

// fleetHeadline is the verdict on the fleet in a sentence, and its tone.
func fleetHeadline(f *finding.FleetReport) (string, tone) {
	s := f.Summary
	t := toneGood
	var parts []string
	switch {
	case s.Errors > 0:
		t = toneBad
		parts = append(parts, text.Count(s.Errors, "cluster")+needs(s.Errors)+" repair")
	case s.Warnings > 0:
		t = toneCaution
		parts = append(parts, text.Count(s.Warnings, "cluster")+has(s.Warnings)+" warnings")
	case s.Infos > 0:
		t = toneNote
		parts = append(parts, "no errors and no warnings")
	case s.Planned > s.NotRead && s.Results.Known > 0:
		parts = append(parts, "no new findings")
	case s.Planned > s.NotRead && together(s) > 0:
		parts = append(parts, "no cluster has findings of its own")
	case s.Planned > s.NotRead:
		parts = append(parts, "no findings")
	}
	if n := together(s); n > 0 {
		parts = append(parts, text.Count(n, "finding")+" across clusters")
		t = worseTone(t, resultLabel(f.FleetResults[0]).Tone)
	}
	if n := s.Results.Known + s.FleetResults.Known; n > 0 {
		parts = append(parts, fmt.Sprintf("%d known", n))
	}
	if s.NotRead > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d not read", s.NotRead, s.Planned))
	}
	if s.Incomplete > 0 {
		parts = append(parts, fmt.Sprintf("%d not read in full", s.Incomplete))
	}
	if t == toneGood && s.NotRead+s.Incomplete > 0 {
		t = toneUnknown
	}
	words := strings.Join(parts, ", ")
	if id := beginWith(f); id != "" {
		words += "; begin with " + id
	}
	return words, t
}

// together counts the findings about several clusters.
func together(s finding.FleetSummary) int {
	return s.FleetResults.Errors + s.FleetResults.Warnings + s.FleetResults.Depends + s.FleetResults.Infos
}

// worseTone is the tone that counts more.
func worseTone(a, b tone) tone {
	if toneRank(b) < toneRank(a) {
		return b
	}
	return a
}

// beginWith is the rule to begin with: what one cluster has goes before what only several
// have, where both count alike.
func beginWith(f *finding.FleetReport) string {
	id, rank := "", 0
	if len(f.Findings) > 0 {
		id, rank = f.Findings[0].ID, f.Findings[0].Severity.Rank()
	}
	if len(f.FleetResults) > 0 && f.FleetResults[0].Weight().Rank() > rank {
		id = f.FleetResults[0].ID
	}
	return id
}

func needs(n int) string {
	if n == 1 {
		return " needs"
	}
	return " need"
}

func has(n int) string {
	if n == 1 {
		return " has"
	}
	return " have"
}

// clusters writes a row for each cluster.
func (t *table) clusters(f *finding.FleetReport) {
	g := grid{head: []string{"CLUSTER"}, width: t.o.Width, color: t.o.Color}
	for _, c := range finding.Concerns {
		g.head = append(g.head, pad(strings.ToUpper(string(c)), 4))
	}
	g.head = append(g.head, "ACCOUNT, REGION: RESULTS")
	many := !t.o.Wide && len(f.Clusters) > manyClusters
	clean, more := 0, 0
	for _, c := range f.Clusters {
		switch {
		case many && c.Complete() && fine(c):
			clean++
			continue
		case many && c.Read && len(g.rows) >= manyClusters:
			more++
			continue
		}
		row := gridRow{name: clusterName(c)}
		for _, concern := range finding.Concerns {
			l := rowLabel(c, concern)
			row.cells = append(row.cells, cell{l.Word, colorOf(l.Tone)})
		}
		last := strings.Join(slices.DeleteFunc([]string{c.Cluster.Account, c.Cluster.Region}, func(s string) bool { return s == "" }), hardSpace)
		if last != "" {
			last += ": "
		}
		last += clusterResults(c)
		row.last = func(limit int) []string { return wrap(last, limit) }
		if t.o.Wide {
			row.below = wideCluster(c)
		}
		g.rows = append(g.rows, row)
	}
	if len(g.rows) > 0 {
		for _, l := range g.lines() {
			t.line(l)
		}
	}
	if more > 0 {
		t.line(fmt.Sprintf("and %s with findings or unknown verdicts (-o wide names them)", text.Count(more, "more cluster")))
	}
	if clean > 0 {
		t.line(text.Count(clean, "cluster") + " without findings (-o wide names them)")
	}
	t.line("")
}

// rowLabel is the label of a concern in a cluster's row.
func rowLabel(c finding.FleetCluster, concern finding.Concern) label {
	if !c.Read {
		return labelUnknown
	}
	return verdictLabel(c.Verdicts, concern)
}

// fine reports whether a cluster has no findings.
func fine(c finding.FleetCluster) bool {
	return c.Summary.Errors+c.Summary.Warnings+c.Summary.Depends+c.Summary.Infos == 0
}

// wideCluster are the lines below a cluster's row in the wide table.
func wideCluster(c finding.FleetCluster) []string {
	var lines []string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, "  "+name+value)
		}
	}
	add("", c.Cluster.ARN)
	add("context ", c.Context)
	add("profile ", c.Profile)
	add("group ", c.Group)
	add("file ", c.File)
	add("node roles ", strings.Join(c.NodeRoles, ", "))
	return lines
}

// clusterName is what a row is called.
func clusterName(c finding.FleetCluster) string {
	switch {
	case c.Cluster.Name != "":
		return c.Cluster.Name
	case c.Context != "":
		return "(context " + c.Context + ")"
	case c.Cluster.Account != "" || c.Cluster.Region != "" || c.Profile != "":
		return "(all clusters)"
	default:
		return "(a part of the fleet)"
	}
}

// clusterResults counts the worst results of a cluster, or says that it was not read.
func clusterResults(c finding.FleetCluster) string {
	if !c.Read {
		return "not read"
	}
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{
		{c.Summary.Errors, text.Count(c.Summary.Errors, "error")},
		{c.Summary.Warnings, text.Count(c.Summary.Warnings, "warning")},
		{c.Summary.Depends, fmt.Sprintf("%d depends", c.Summary.Depends)},
		{c.Summary.Infos, fmt.Sprintf("%d info", c.Summary.Infos)},
		{c.Summary.Unknown, fmt.Sprintf("%d unknown", c.Summary.Unknown)},
		{c.Summary.Excepted, fmt.Sprintf("%d excepted", c.Summary.Excepted)},
		{c.Summary.Known, fmt.Sprintf("%d known", c.Summary.Known)},
	} {
		if p.n > 0 && len(parts) < 2 {
			parts = append(parts, strings.ReplaceAll(p.text, " ", hardSpace))
		}
	}
	if c.MissingFacts > 0 && c.Summary.Unknown == 0 {
		parts = append(parts, "not read in full")
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

// fleetFindings writes each finding once, with its clusters.
func (t *table) fleetFindings(f *finding.FleetReport, rules []finding.RuleDoc) {
	if len(f.Findings) == 0 {
		return
	}
	if !t.o.Quiet {
		t.rule("Findings")
	}
	for _, g := range f.Findings {
		l := findingLabel(g)
		lead := pad(l.Full, 7) + "  " + g.ID + "  "
		t.wrapped(t.paint(pad(l.Full, 7), colorOf(l.Tone))+"  "+g.ID+"  ", strings.Repeat(" ", columns(lead)), findingWords(g, f.Summary.Planned, rules))
		if alone(g) {
			continue
		}
		limit := namedClusters
		if t.o.Wide {
			limit = len(g.Clusters)
		}
		lead = strings.Repeat(" ", columns(lead))
		t.wrapped(lead, lead, clusterNames(g.Clusters, limit))
	}
	t.line("")
}

// together writes the results about several clusters: what is found and what is unknown, and
// in the wide table what passed.
func (t *table) together(f *finding.FleetReport) {
	m := newModel(f.Across(), everything)
	if t.o.Quiet {
		m.unknown, m.excepted = nil, nil
	}
	var more []string
	if !t.o.Wide {
		m.passed = nil
		m.findings, more = fewOfEach(m.findings)
		for i := range m.findings {
			m.findings[i].advice = fewSteps(m.findings[i].advice)
		}
	}
	m.idle = nil
	if len(m.findings)+len(m.unknown)+len(m.excepted)+len(m.passed) == 0 {
		return
	}
	if !t.o.Quiet {
		t.rule("Across clusters")
	}
	t.list(m)
	for _, l := range more {
		t.line(l)
	}
	if len(more) > 0 {
		t.line("")
	}
}

// fewSteps keeps the first steps, and says how many others there are.
func fewSteps(list []finding.Next) []finding.Next {
	if n := len(list) - plannedClusters; n > 0 {
		return append(slices.Clone(list[:plannedClusters]), finding.Advise(fmt.Sprintf("and %d more, -o wide shows all", n)))
	}
	return list
}

// fewOfEach keeps the first findings of each rule, and says how many others there are.
func fewOfEach(findings []entry) (kept []entry, more []string) {
	counts := map[string]int{}
	var ids []string
	for _, e := range findings {
		if counts[e.ID]++; counts[e.ID] <= namedFindings {
			kept = append(kept, e)
		} else if counts[e.ID] == namedFindings+1 {
			ids = append(ids, e.ID)
		}
	}
	for _, id := range ids {
		more = append(more, fmt.Sprintf("and %s of %s (-o wide shows all)", text.Count(counts[id]-namedFindings, "more finding"), id))
	}
	return kept, more
}

// findingLabel is the label of what a finding counts with.
func findingLabel(g finding.FleetFinding) label {
	if g.Status == finding.Depends {
		return labelDepends
	}
	return severityLabel(g.Severity)
}

// alone reports whether a finding is about one subject of one cluster.
func alone(g finding.FleetFinding) bool {
	return len(g.Clusters) == 1 && len(g.Clusters[0].Subjects) == 1
}

// findingWords returns what a finding is: the sentence about its subject where it has one, and
// otherwise what the rule checks.
func findingWords(g finding.FleetFinding, of int, rules []finding.RuleDoc) string {
	if alone(g) {
		return g.Clusters[0].Name + ": " + g.Clusters[0].Subjects[0].Message
	}
	subjects := 0
	for _, c := range g.Clusters {
		subjects += len(c.Subjects)
	}
	words := fmt.Sprintf("%d of %s", len(g.Clusters), text.Count(of, "cluster"))
	if subjects > len(g.Clusters) {
		words += fmt.Sprintf(", %d times", subjects)
	}
	title := g.Rule
	if i := slices.IndexFunc(rules, func(d finding.RuleDoc) bool { return d.ID == g.ID }); i >= 0 {
		title = rules[i].Title
	}
	return words + " fail the check: " + title
}

// clusterNames names the first clusters of a finding and counts the rest. Names that several
// clusters have get their account and region.
func clusterNames(clusters []finding.AffectedCluster, limit int) string {
	names := map[string]int{}
	for _, c := range clusters {
		names[c.Name]++
	}
	var list []string
	for i, c := range clusters {
		if i == limit {
			list = append(list, fmt.Sprintf("and %d%smore", len(clusters)-i, hardSpace))
			break
		}
		name := c.Name
		if names[name] > 1 {
			name += hardSpace + "(" + place(c.ARN) + ")"
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// place is the account and region in the ARN of a cluster.
func place(arn string) string {
	if p := strings.Split(arn, ":"); len(p) > 5 {
		return p[4] + hardSpace + p[3]
	}
	return arn
}

// notRead writes what nothing is known of, and why.
func (t *table) notRead(f *finding.FleetReport) {
	if f.Summary.NotRead == 0 {
		return
	}
	if !t.o.Quiet {
		t.rule("Not read")
	}
	for _, c := range f.Clusters {
		if !c.Read {
			t.wrapped(t.paint(rowName(c), text.Yellow)+": ", indent, c.Reason)
		}
	}
	t.line("")
}

// rowName is a row's name with the account and region.
func rowName(c finding.FleetCluster) string {
	parts := []string{clusterName(c)}
	for _, p := range []string{c.Cluster.Account, c.Cluster.Region} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if c.Cluster.Name == "" && c.Context == "" && c.Profile != "" {
		parts = append(parts, "profile "+c.Profile)
	}
	return strings.Join(parts, " ")
}

// fleetMissing writes what could not be read of clusters that were read.
func (t *table) fleetMissing(f *finding.FleetReport) {
	if len(f.Missing) == 0 {
		return
	}
	t.rule("Not read in full")
	for _, m := range f.Missing {
		t.wrapped("", indent, missingWords(m))
	}
	t.line("")
}

// missingWords returns which facts were not read, of which clusters, and why.
func missingWords(m finding.FleetMissing) string {
	var names []string
	for i, arn := range m.Clusters {
		if i == maxNames {
			names = append(names, fmt.Sprintf("and %d more", len(m.Clusters)-i))
			break
		}
		names = append(names, arn[strings.LastIndexByte(arn, '/')+1:])
	}
	words := fmt.Sprintf("%s: %s: %s of %s", m.Operation, m.Error, strings.Join(m.Facts, ", "), strings.Join(names, ", "))
	if m.Permission != "" {
		words += " (needs " + m.Permission + ")"
	}
	return words
}

func (t *table) skippedFiles(f *finding.FleetReport) {
	if len(f.Skipped) == 0 {
		return
	}
	t.rule("Skipped")
	for i, s := range f.Skipped {
		if i == manyClusters && !t.o.Wide {
			t.line(fmt.Sprintf("and %d more (-o wide names them)", len(f.Skipped)-i))
			break
		}
		t.wrapped("", indent, s.Name+": "+s.Reason)
	}
	t.line("")
}

// fleetCounts are the counts of a fleet, in words.
func fleetCounts(s finding.FleetSummary) []string {
	counts := []string{
		text.Count(s.Errors, "cluster") + " with errors", fmt.Sprintf("%d with warnings", s.Warnings),
		fmt.Sprintf("%d with infos", s.Infos), fmt.Sprintf("%d without findings", s.Clean),
		fmt.Sprintf("%d not read in full", s.Incomplete), fmt.Sprintf("%d not read", s.NotRead),
	}
	if n := together(s); n > 0 {
		counts = append(counts, text.Count(n, "finding")+" across clusters")
	}
	return counts
}

// fleetStep is one thing to do: words, and commands.
type fleetStep struct {
	Text     string
	Commands []string
}

// fleetNext is what to do now, in order: what to repair first and where, how to see one
// cluster's report, how to read what was not read.
func fleetNext(f *finding.FleetReport, limit int) []fleetStep {
	var steps []fleetStep
	var repairs []string
	for _, c := range f.Clusters {
		for _, n := range c.Next {
			repairs = append(repairs, n.Text)
		}
	}
	if len(repairs) > 0 {
		s := fleetStep{Text: "Plan the repair of each cluster, the worst first; this changes nothing:", Commands: repairs}
		if len(repairs) > limit {
			s.Commands = repairs[:limit]
			s.Text = fmt.Sprintf("Plan the repair of the worst %d of %d clusters; this changes nothing, and -o wide has all:", limit, len(repairs))
		}
		if ids := sharedFindings(f); len(ids) > 0 {
			steps = append(steps, fleetStep{Text: "Before you repair one cluster, see " + strings.Join(ids, ", ") + " across clusters: other clusters may use what the repair changes."})
		}
		steps = append(steps, s)
	}
	if len(f.Clusters) > 0 && f.Clusters[0].Read && f.Clusters[0].File != "" {
		steps = append(steps, fleetStep{
			Text:     "See the report of the worst cluster, with evidence:",
			Commands: []string{command.Noderole("check", "-f", f.Clusters[0].File).String()},
		})
	}
	advice := map[string]int{}
	for _, c := range f.Clusters {
		if !c.Read && c.Advice != "" {
			advice[c.Advice]++
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(advice), func(a, b string) int { return advice[b]*1000 - advice[a]*1000 + strings.Compare(a, b) }) {
		steps = append(steps, fleetStep{Text: fmt.Sprintf("For %s not read: %s", text.Count(advice[a], "cluster"), a)})
	}
	if slices.ContainsFunc(f.Missing, func(m finding.FleetMissing) bool { return m.Permission != "" }) {
		steps = append(steps, fleetStep{
			Text:     "Print the permissions that allow what was not read, in AWS and in the clusters:",
			Commands: []string{command.Noderole("policy", "reader").String(), command.Noderole("policy", "reader", "--rbac").String()},
		})
	}
	return steps
}

// sharedFindings are the rules that found errors or warnings about several clusters together.
func sharedFindings(f *finding.FleetReport) []string {
	var ids []string
	for _, r := range f.FleetResults {
		if r.Weight().Rank() >= finding.Warning.Rank() && len(r.Clusters) > 1 && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (t *table) fleetSteps(f *finding.FleetReport) {
	limit := plannedClusters
	if t.o.Wide {
		limit = len(f.Clusters)
	}
	steps := fleetNext(f, limit)
	if len(steps) == 0 {
		return
	}
	t.line("")
	t.rule("What to do now")
	for _, s := range steps {
		t.wrapped("", "", s.Text)
		for _, c := range s.Commands {
			t.command("   ", c)
		}
	}
}
