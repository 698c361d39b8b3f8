package print

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// writeFleetMarkdown writes GitHub's Markdown for a comment on a pull request.
func writeFleetMarkdown(w io.Writer, f *finding.FleetReport, o Options) error {
	f = cleaned(f, text.Visible)
	d := &markdown{}
	words, _ := fleetHeadline(f)
	fmt.Fprintf(&d.b, "### kubectl noderole: %s\n\n%s. %s.\n\n", escape(fleetTitle(f)), escape(words), escape(strings.Join(fleetCounts(f.Summary), ", ")))
	if facts := fleetFacts(f.Facts); len(facts) > 0 {
		d.b.WriteString(escape(clip(strings.Join(facts, ", "), 4*maxName)) + "\n\n")
	}
	// What was not read goes before what may be left out.
	var unread, rows, found, missing []string
	for _, c := range f.Clusters {
		if !c.Read {
			unread = append(unread, "- **not read** "+escape(clip(rowName(c), maxName))+": "+escape(clip(c.Reason, 4*maxName))+"\n")
		}
		row := "| " + escape(clip(clusterName(c), maxName)) + " | " + escape(c.Cluster.Account) + " | " + escape(c.Cluster.Region) + " |"
		for _, concern := range finding.Concerns {
			l := rowLabel(c, concern)
			if l.Word == labelError.Word {
				l.Word = "**" + l.Word + "**"
			}
			row += " " + l.Word + " |"
		}
		rows = append(rows, row+" "+strings.ReplaceAll(clusterResults(c), hardSpace, " ")+" |\n")
	}
	for _, g := range f.Findings {
		found = append(found, fmt.Sprintf("#### %s [%s](%s%s.md) %s\n\n%s\n\n", findingLabel(g).Word, escape(g.ID), rulePages, pathSegment(g.ID),
			escape(findingWords(g, f.Summary.Planned, o.Rules)), escape(strings.ReplaceAll(clusterNames(g.Clusters, maxEvidenceLines), hardSpace, " "))))
	}
	var across, unknown []string
	m := newModel(f.Across(), everything)
	for _, e := range m.findings {
		across = append(across, findingBlock(e, true))
	}
	for _, g := range m.unknown {
		unknown = append(unknown, "- "+escape(clip(g.title(), maxName))+": "+escape(clip(strings.Join(g.first.Evidence, "; "), 4*maxName))+"\n")
	}
	for _, m := range f.Missing {
		missing = append(missing, "- "+escape(clip(missingWords(m), 4*maxName))+"\n")
	}
	d.addAll(markdownRoles, "#### Not read\n\n", unread)
	head := "| Cluster | Account | Region |"
	for _, c := range finding.Concerns {
		head += " " + strings.ToUpper(string(c)) + " |"
	}
	d.addAll(2*markdownRoles, head+" Results |\n|"+strings.Repeat(" --- |", 4+len(finding.Concerns))+"\n", rows)
	d.addAll(markdownFindings*2/3, "", found)
	d.addAll(markdownFindings, "### Across clusters\n\n", across)
	d.addAll(markdownRest, "#### Unknown across clusters\n\n", unknown)
	d.addAll(markdownRest, "#### Not read in full\n\n", missing)
	d.foot(o.Version, finding.Facts{JudgedBy: f.Facts.JudgedBy})
	_, err := io.WriteString(w, d.b.String())
	return err
}

// writeFleetJUnit writes a JUnit report: a suite for each cluster, with a case for each
// finding, as for one cluster. What was not read is an error.
func writeFleetJUnit(w io.Writer, f *finding.FleetReport, o Options) error {
	f = cleaned(f, text.Visible)
	suites := map[string]*junitSuite{}
	all := &junitSuites{Name: "kubectl noderole " + fleetTitle(f)}
	for _, c := range f.Clusters {
		suites[c.Cluster.ARN] = clusterSuite(c, f.Facts.CNIVersion)
		all.Suites = append(all.Suites, suites[c.Cluster.ARN])
	}
	for _, g := range f.Findings {
		for _, c := range g.Clusters {
			for _, subject := range c.Subjects {
				one := junitCase{Name: g.ID + " " + g.Rule + ": " + subject.Name, ClassName: strings.ReplaceAll(c.Name, ".", "_") + "." + strings.ReplaceAll(string(subject.Kind)+" "+subject.Name, ".", "_")}
				if l := findingLabel(g); g.Severity.Rank() < o.FailOn {
					one.Skipped = l.Full + ", below --fail-on: " + subject.Message
				} else {
					one.Failure = &junitDetail{Message: subject.Message, Type: string(g.Severity), Text: subject.ARN}
				}
				suites[c.ARN].add(one)
			}
		}
	}
	if len(f.FleetResults) > 0 {
		s := &junitSuite{Name: "the clusters together"}
		for _, res := range f.FleetResults {
			c := newJUnitCase(entry{Result: res, label: resultLabel(res)}, false, o.FailOn, "fleet."+strings.ReplaceAll(string(res.Subject.Kind)+" "+res.Subject.Name, ".", "_"))
			if c.Error != nil { // as for the exit code, it does not count by itself
				c.Skipped, c.Error = c.Error.Type+": "+c.Error.Message+"\n"+c.Error.Text, nil
			}
			s.add(c)
		}
		all.Suites = append(all.Suites, s)
	}
	return all.write(w)
}

// clusterSuite is the suite of a cluster, with the case that it was read.
func clusterSuite(c finding.FleetCluster, cniVersion string) *junitSuite {
	s := &junitSuite{Name: rowName(c), Properties: []junitProperty{{"cluster", c.Cluster.ARN}}}
	for name, value := range map[string]string{"context": c.Context, "group": c.Group, "factsCollectedAt": c.CollectedAt, "cniVersion": cniVersion} {
		if value != "" {
			s.Properties = append(s.Properties, junitProperty{name, value})
		}
	}
	slices.SortFunc(s.Properties, func(a, b junitProperty) int { return strings.Compare(a.Name, b.Name) })
	read := junitCase{Name: "the cluster was read", ClassName: strings.ReplaceAll(rowName(c), ".", "_")}
	switch {
	case !c.Read:
		read.Error = &junitDetail{Message: "not read: " + c.Reason, Type: "unread", Text: c.Advice}
	case c.Complete():
		read.Output = fmt.Sprintf("%d passed", c.Summary.Passed)
	default:
		words := fmt.Sprintf("%d unknown, %s could not be read", c.Summary.Unknown, text.Count(c.MissingFacts, "fact"))
		read.Error = &junitDetail{Message: words, Type: "unknown"}
	}
	s.add(read)
	return s
}

// writeOpenMetrics writes the text format of OpenMetrics, for a textfile collector: whether
// each cluster was read and when, how many findings and unknown results it has by rule, and
// the counts of the fleet.
// Source: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
func writeOpenMetrics(w io.Writer, f *finding.FleetReport, _ Options) error {
	var m metricsText
	if f.Facts.CNIVersion != "" {
		m.metric("noderole_cni_version", "The version of vpc-cni that the results are for, where it is not the one that runs.")
		m.sample(1, "version", f.Facts.CNIVersion)
	}
	m.clusters(f.Clusters)
	m.results(f)
	m.metric("noderole_fleet_clusters", "Clusters of the fleet by their worst result.")
	m.sample(f.Summary.Errors, "worst", "error")
	m.sample(f.Summary.Warnings, "worst", "warning")
	m.sample(f.Summary.Infos, "worst", "info")
	m.sample(f.Summary.Clean, "worst", "none")
	m.sample(f.Summary.NotRead, "worst", "notRead")
	m.b.WriteString("# EOF\n")
	_, err := io.WriteString(w, m.b.String())
	return err
}

// metricsText is a text in the format of OpenMetrics.
type metricsText struct {
	b    strings.Builder
	name string // of the last metric
}

// metric begins a metric, whose samples follow.
func (m *metricsText) metric(name, help string) {
	m.name = name
	fmt.Fprintf(&m.b, "# TYPE %s gauge\n# HELP %s %s\n", name, name, help)
}

// sample writes a sample of the last metric. labels are names and values in turn.
func (m *metricsText) sample(value int, labels ...string) {
	var parts []string
	for i := 0; i < len(labels); i += 2 {
		parts = append(parts, labels[i]+`="`+metricLabel(labels[i+1])+`"`)
	}
	fmt.Fprintf(&m.b, "%s{%s} %d\n", m.name, strings.Join(parts, ","), value)
}

// clusters writes whether and when each cluster was read, and what is unknown of it.
func (m *metricsText) clusters(clusters []finding.FleetCluster) {
	seen := map[string]bool{} // clusters of which nothing is known may have the same labels
	m.metric("noderole_cluster_read", "Whether the cluster was read (1) or not (0).")
	for _, c := range clusters {
		read := 0
		if c.Read {
			read = 1
		}
		labels := clusterLabels(c)
		if key := strings.Join(labels, "\x00"); !seen[key] {
			seen[key] = true
			m.sample(read, labels...)
		}
	}
	m.metric("noderole_cluster_unknown", "Verdicts that are unknown, and facts that could not be read, whichever are more.")
	for _, c := range clusters {
		if c.Read {
			m.sample(max(c.Summary.Unknown, c.MissingFacts), clusterLabels(c)...)
		}
	}
	m.metric("noderole_cluster_collected_timestamp_seconds", "When reading the cluster's facts began.")
	for _, c := range clusters {
		if at, err := time.Parse(time.RFC3339, c.CollectedAt); err == nil && c.Read {
			m.sample(int(at.Unix()), clusterLabels(c)...)
		}
	}
}

// results writes the counts of findings about a cluster and about several clusters.
func (m *metricsText) results(f *finding.FleetReport) {
	m.metric("noderole_results", "Results that are findings.")
	for _, g := range f.Findings {
		for _, c := range g.Clusters {
			p := strings.SplitN(c.ARN, ":", 6)
			m.sample(len(c.Subjects), "cluster", c.Name, "account", p[4], "region", p[3], "rule", g.ID, "severity", string(g.Severity), "status", string(g.Status))
		}
	}
	type kind struct {
		id               string
		severity, status string
	}
	counts := map[kind]int{}
	var kinds []kind
	for _, r := range f.FleetResults {
		if k := (kind{r.ID, string(r.Weight()), string(r.Status)}); k.severity != "" {
			if counts[k] == 0 {
				kinds = append(kinds, k)
			}
			counts[k]++
		}
	}
	m.metric("noderole_fleet_results", "Findings about several clusters.")
	for _, k := range kinds {
		m.sample(counts[k], "rule", k.id, "severity", k.severity, "status", k.status)
	}
}

func clusterLabels(c finding.FleetCluster) []string {
	return []string{"cluster", clusterName(c), "account", c.Cluster.Account, "region", c.Cluster.Region}
}

// metricLabel is the value of a label, with what the format escapes.
func metricLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(text.Visible(s))
}

// writeFleetGitHub writes annotations of a GitHub Actions run: one for each finding of a rule
// with its clusters, for each finding about several clusters, and for what was not read.
func writeFleetGitHub(w io.Writer, f *finding.FleetReport, o Options) error {
	f = cleaned(f, text.Visible)
	var b strings.Builder
	for _, c := range f.Clusters {
		if !c.Read {
			b.WriteString(annotation("warning", "not read", nil, []string{rowName(c) + ": " + c.Reason, c.Advice}))
		}
	}
	for _, g := range f.Findings {
		title := g.ID + " on " + text.Count(len(g.Clusters), "cluster")
		b.WriteString(annotation(githubLevel(g.Severity), title, nil, []string{findingWords(g, f.Summary.Planned, o.Rules), strings.ReplaceAll(clusterNames(g.Clusters, maxEvidenceLines), hardSpace, " ")}))
	}
	m := newModel(f.Across(), everything)
	findings, more := fewOfEach(m.findings)
	for _, e := range findings {
		if n := len(e.Evidence) - maxEvidenceLines; n > 0 {
			e.Evidence = append(slices.Clone(e.Evidence[:maxEvidenceLines]), fmt.Sprintf("and %d more", n))
		}
		e.Next = fewSteps(e.Next)
		b.WriteString(annotation(githubLevel(e.Weight()), e.ID+" "+subjectTitle(e.Subject), nil, append([]string{e.Message}, details(e)...)))
	}
	for _, l := range more {
		b.WriteString(annotation("notice", "more findings", nil, []string{l}))
	}
	for _, g := range m.unknown {
		b.WriteString(annotation("notice", "unknown", nil, append([]string{g.title()}, g.first.Evidence...)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
