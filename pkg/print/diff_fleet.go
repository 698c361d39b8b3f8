package print

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// detailedClusters is how many clusters of a fleet's diff are shown with their changes.
const detailedClusters = 10

// FleetDiff writes for a person what changed in many clusters: which were added, are gone or
// can no longer be read, the verdicts that moved, each once with its clusters, and the changes
// of the clusters that changed most.
func FleetDiff(w io.Writer, raw *diff.FleetDiff, o TableOptions) error {
	t, see := newTable(o)
	d := cleaned(raw, see)
	t.line(t.paint(text.Count(d.Summary.Clusters, "cluster"), text.Bold))
	t.sides(fleetSourceText(d.Old), fleetSourceText(d.New), d.Headline(), fleetDiffTone(d))
	for _, line := range presences(d) {
		t.wrapped(line.word+"  ", strings.Repeat(" ", columns(line.word)+2), line.words)
	}
	t.movedInFleet(d)
	t.changedClusters(d, raw)
	for _, n := range d.NotCompared {
		t.wrapped("not compared: ", strings.Repeat(" ", 14), n)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// movedInFleet writes each verdict that moved once, with its clusters.
func (t *table) movedInFleet(d *diff.FleetDiff) {
	moved := movedInFleet(d)
	if len(moved) == 0 {
		return
	}
	t.rule("verdicts")
	for _, m := range moved {
		lead := fmt.Sprintf("%-8s  %s  %s  ", m.verdict.Movement, movedText(m.verdict), m.verdict.ID)
		painted := t.paint(string(m.verdict.Movement), text.Bold) + strings.Repeat(" ", 10-len(m.verdict.Movement)) + t.paint(movedText(m.verdict), colorOf(movedTone(m.verdict))) + "  " + m.verdict.ID + "  "
		for i, l := range wrap(m.words(), t.prose()-columns(lead)) {
			if i == 0 {
				t.line(painted + l)
				continue
			}
			t.line(strings.Repeat(" ", columns(lead)) + l)
		}
	}
	t.line("")
}

// changedClusters writes the changes of the clusters that changed most. raw has the names of
// the files as a command takes them.
func (t *table) changedClusters(d, raw *diff.FleetDiff) {
	shown, left := 0, 0
	for _, c := range d.Clusters {
		if len(c.Changes) == 0 {
			continue
		}
		if shown == detailedClusters {
			left++
			continue
		}
		shown++
		one := &diff.Diff{Cluster: c.Cluster, Summary: c.Summary, Verdicts: c.Verdicts, Changes: c.Changes}
		t.rule(clusterTitle(c.Cluster) + ": " + one.Headline())
		for _, group := range movedGroups(c.Verdicts) {
			t.moved(one, group)
		}
		for _, change := range c.Changes {
			t.change(change)
		}
		t.line("")
	}
	if left > 0 {
		t.wrapped("", "", fmt.Sprintf("and the changes of %s; -o json has all, and for one of them:", text.Count(left, "more cluster")))
		for _, c := range raw.Clusters {
			if len(c.Changes) > 0 && c.OldFile != "" && c.NewFile != "" {
				t.command("   ", command.Noderole("diff", c.OldFile, c.NewFile).String())
				break
			}
		}
	}
}

func fleetSourceText(s diff.FleetSource) string {
	words := s.Directory
	if s.Selection != "" {
		words += ", selected by " + s.Selection
	}
	if s.PlannedAt != "" {
		words += ", planned at " + s.PlannedAt
	}
	return words
}

// fleetDiffTone is the tone of the headline.
func fleetDiffTone(d *diff.FleetDiff) tone {
	all := slices.Clone(d.Verdicts)
	for _, c := range d.Clusters {
		all = append(all, c.Verdicts...)
	}
	return diffTone(&diff.Diff{Verdicts: all, Summary: diff.Summary{Worse: d.Summary.Worse, Unread: d.Summary.Unread}})
}

func clusterTitle(c finding.ClusterInfo) string {
	return strings.Join([]string{c.Name, c.Account, c.Region}, " ")
}

// presenceLine is a cluster that only one side has, or that was not read.
type presenceLine struct{ word, words string }

func presences(d *diff.FleetDiff) []presenceLine {
	var lines []presenceLine
	for _, p := range []struct {
		kind diff.Presence
		word string
	}{{diff.OnlyInNew, "added   "}, {diff.OnlyInOld, "gone    "}, {diff.NotReadNow, "not read"}, {diff.ReadNow, "read now"}} {
		for _, c := range d.Clusters {
			if c.Presence != p.kind {
				continue
			}
			words := clusterTitle(c.Cluster)
			switch n := len(c.Verdicts); {
			case c.Presence == diff.NotReadNow:
				words += ": " + c.Reason
			case c.Presence == diff.ReadNow:
				words += ": " + text.Count(n, "finding") + "; before: " + c.Reason
			case n > 0:
				words += ": " + text.Count(n, "finding")
			default:
				words += ": no findings"
			}
			lines = append(lines, presenceLine{p.word, words})
		}
	}
	return lines
}

// movedVerdict is a verdict that moved alike on some clusters.
type movedVerdict struct {
	verdict diff.Verdict
	// clusters are the clusters' names; none for a verdict about several of them.
	clusters []string
}

func (m movedVerdict) words() string {
	switch len(m.clusters) {
	case 0:
		return m.verdict.Message()
	case 1:
		return m.clusters[0] + ": " + m.verdict.Message()
	}
	names := m.clusters
	if len(names) > namedClusters {
		names = append(slices.Clone(names[:namedClusters]), fmt.Sprintf("and %d%smore", len(m.clusters)-namedClusters, hardSpace))
	}
	return text.Count(len(m.clusters), "cluster") + ", such as " + m.verdict.Message() + ": " + strings.Join(names, ", ")
}

// movedInFleet are the verdicts that moved, those that moved alike on many clusters once:
// those about several clusters first, then what most clusters have.
func movedInFleet(d *diff.FleetDiff) []movedVerdict {
	var list []movedVerdict
	for _, v := range d.Verdicts {
		list = append(list, movedVerdict{verdict: v})
	}
	at := map[string]int{}
	var folded []movedVerdict
	for _, c := range d.Clusters {
		for _, v := range c.Verdicts {
			if v.Explained {
				continue // the cluster's own changes have it
			}
			key := string(v.Movement) + movedText(v) + v.ID
			i, ok := at[key]
			if !ok {
				i = len(folded)
				at[key] = i
				folded = append(folded, movedVerdict{verdict: v})
			}
			if m := &folded[i]; len(m.clusters) == 0 || m.clusters[len(m.clusters)-1] != c.Cluster.Name {
				m.clusters = append(m.clusters, c.Cluster.Name)
			}
		}
	}
	rank := func(v diff.Verdict) int {
		switch {
		case v.Worse:
			return 3 - v.New.Severity.Rank()
		case v.Movement == diff.Resolved:
			return 5
		default:
			return 4
		}
	}
	slices.SortStableFunc(folded, func(a, b movedVerdict) int {
		return cmp.Or(cmp.Compare(rank(a.verdict), rank(b.verdict)), cmp.Compare(len(b.clusters), len(a.clusters)), cmp.Compare(a.verdict.ID, b.verdict.ID))
	})
	return append(list, folded...)
}

// FleetDiffMarkdown writes what changed in many clusters as GitHub's Markdown, for a comment
// on a pull request. No name or policy text in it is read as Markdown or HTML.
func FleetDiffMarkdown(w io.Writer, d *diff.FleetDiff) error {
	d = cleaned(d, text.Visible)
	m := &markdown{}
	fmt.Fprintf(&m.b, "### kubectl noderole diff: %s\n\n", escape(clip(d.Headline(), maxName)))
	fmt.Fprintf(&m.b, "%s\n\n- old: %s\n- new: %s\n\n", text.Count(d.Summary.Clusters, "cluster"), escape(clip(fleetSourceText(d.Old), maxName)), escape(clip(fleetSourceText(d.New), maxName)))
	var blocks []string
	for _, l := range presences(d) {
		blocks = append(blocks, "- **"+strings.TrimSpace(l.word)+"** "+escape(clip(l.words, 4*maxName))+"\n")
	}
	m.addAll(markdownRoles, "#### Clusters\n\n", blocks)
	blocks = nil
	for _, v := range movedInFleet(d) {
		blocks = append(blocks, fmt.Sprintf("- **%s** %s [%s](%s%s.md) %s\n", v.verdict.Movement, escape(movedText(v.verdict)), escape(v.verdict.ID), rulePages, pathSegment(v.verdict.ID),
			escape(clip(strings.ReplaceAll(v.words(), hardSpace, " "), 4*maxName))))
	}
	m.addAll(markdownFindings*2/3, "#### Verdicts\n\n", blocks)
	blocks = nil
	for _, c := range d.Clusters {
		if len(c.Changes) == 0 {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "<details><summary>%s: %s</summary>\n\n", escape(clusterTitle(c.Cluster)), text.Count(len(c.Changes), "change"))
		for i, change := range c.Changes {
			if i == maxEvidenceLines {
				fmt.Fprintf(&b, "- … and %d more\n", len(c.Changes)-i)
				break
			}
			b.WriteString("- " + escape(clip(change.String(), 4*maxName)) + "\n")
		}
		b.WriteString("\n</details>\n\n")
		blocks = append(blocks, b.String())
	}
	return m.writeChanges(w, blocks, d.NotCompared)
}
