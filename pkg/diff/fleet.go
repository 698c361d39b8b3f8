package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// FleetKind is the kind of a FleetDiff; its API version is that of a report.
const FleetKind = "FleetDiff"

// FleetDiff is what changed in many clusters from one time to another. It is a versioned
// object: fields are added, never changed, within a version.
type FleetDiff struct {
	finding.Header `json:",inline"`

	Old FleetSource `json:"old"`
	New FleetSource `json:"new"`

	Summary FleetSummary `json:"summary"`
	// Clusters are those that differ, and those that are in one of the directories only: what
	// got worse first, then what can no longer be read.
	Clusters []ClusterDiff `json:"clusters"`
	// Verdicts are those about several clusters that moved.
	Verdicts []Verdict `json:"verdicts"`
	// NotCompared is, in words, what was read neither time.
	NotCompared []string `json:"notCompared,omitempty"`
}

// FleetSource describes where one side of a FleetDiff comes from.
type FleetSource struct {
	Directory string `json:"directory"`
	// Selection is what was selected, as the command line said it.
	Selection string `json:"selection,omitempty"`
	// PlannedAt is when the clusters were looked for, RFC 3339 in UTC.
	PlannedAt string `json:"plannedAt,omitempty"`
}

// FleetSummary counts clusters and verdicts.
type FleetSummary struct {
	// Clusters counts those of both directories together.
	Clusters int `json:"clusters"`
	// A cluster counts once among these five.
	Added     int `json:"added"`
	Gone      int `json:"gone"`
	NotRead   int `json:"notRead"`
	Different int `json:"different"`
	Same      int `json:"same"`
	// Worse counts verdicts that count more than before, those of added clusters and those
	// about several clusters among them; WorseClusters counts the clusters that have them.
	Worse         int `json:"worse"`
	WorseClusters int `json:"worseClusters"`
	Resolved      int `json:"resolved"`
	// Unread counts clusters, facts and verdicts that could be read before, and not now.
	Unread int `json:"unread"`
}

// Presence describes in which of two directories a cluster was read.
type Presence string

// The presences.
const (
	InBoth    Presence = "both"
	OnlyInNew Presence = "added"
	OnlyInOld Presence = "gone"
	// NotReadNow: it was read before; ReadNow: it is in both directories, and was not read
	// before. Of what was read neither time nothing is known.
	NotReadNow Presence = "notRead"
	ReadNow    Presence = "readNow"
	NeverRead  Presence = "neverRead"
)

// ClusterDiff is what changed in one cluster of a fleet.
type ClusterDiff struct {
	Cluster  finding.ClusterInfo `json:"cluster"`
	Presence Presence            `json:"presence"`
	// Reason says why it was not read.
	Reason string `json:"reason,omitempty"`
	// OldFile and NewFile are its snapshots.
	OldFile string `json:"oldFile,omitempty"`
	NewFile string `json:"newFile,omitempty"`

	Summary     Summary   `json:"summary,omitzero"`
	Verdicts    []Verdict `json:"verdicts,omitempty"`
	Changes     []Change  `json:"changes,omitempty"`
	NotCompared []string  `json:"notCompared,omitempty"`
}

// CompareCluster returns what changed in a cluster of a fleet. A side without a report was
// not read, or does not have the cluster; the cluster is InBoth where both have one. Of a
// cluster that only one side has, the verdicts are its findings. The error is that of Compare.
func CompareCluster(c ClusterDiff, older, newer Side, judge Judge) (ClusterDiff, error) {
	none := &finding.Report{}
	switch {
	case older.Report != nil && newer.Report != nil:
		d, err := Compare(older, newer, judge)
		if err != nil {
			return c, err
		}
		c.Cluster, c.Summary, c.Verdicts, c.Changes, c.NotCompared = d.Cluster, d.Summary, d.Verdicts, d.Changes, d.NotCompared
		return c, nil
	case newer.Report != nil:
		c.Cluster, c.Verdicts = newer.Report.Cluster, movedVerdicts(none, newer.Report)
		c.Verdicts = slices.DeleteFunc(c.Verdicts, func(v Verdict) bool { return v.Movement != New })
	case older.Report != nil && c.Presence == OnlyInOld:
		c.Cluster, c.Verdicts = older.Report.Cluster, movedVerdicts(older.Report, none)
		c.Verdicts = slices.DeleteFunc(c.Verdicts, func(v Verdict) bool { return v.Movement != Resolved })
	}
	d := &Diff{Verdicts: c.Verdicts}
	d.summarize()
	c.Summary = d.Summary
	return c, nil
}

// differs reports whether anything is to be said of the cluster.
func (c ClusterDiff) differs() bool {
	return c.Presence != InBoth && c.Presence != NeverRead || len(c.Verdicts)+len(c.Changes) > 0
}

// Add adds a cluster of either directory.
func (d *FleetDiff) Add(c ClusterDiff) {
	s := &d.Summary
	s.Clusters++
	switch c.Presence {
	case OnlyInNew:
		s.Added++
	case OnlyInOld:
		s.Gone++
	case NotReadNow:
		s.NotRead++
		s.Unread++
	case NeverRead:
		s.NotRead++
		d.NotCompared = append(d.NotCompared, c.Cluster.ARN+", which was read neither time: "+c.Reason)
	case InBoth, ReadNow:
		if c.differs() {
			s.Different++
		} else {
			s.Same++
		}
	}
	s.Worse += c.Summary.Worse
	s.Resolved += c.Summary.Resolved
	s.Unread += c.Summary.Unread
	if c.Summary.Worse > 0 {
		s.WorseClusters++
	}
	if c.differs() {
		d.Clusters = append(d.Clusters, c)
	}
}

// AddUnread adds a part of the selection whose clusters are not known now; before says
// whether they were not known before either.
func (d *FleetDiff) AddUnread(what string, before bool) {
	if !before {
		d.Summary.Unread++
	}
	d.NotCompared = append(d.NotCompared, what)
}

// Finish puts the differences in order, when every cluster was added, and compares the results
// about several clusters. The order of adding does not matter.
func (d *FleetDiff) Finish(older, newer *finding.Report) {
	d.APIVersion, d.Kind = finding.APIVersion, FleetKind
	d.Verdicts = movedVerdicts(older, newer)
	together := &Diff{Verdicts: d.Verdicts}
	together.summarize()
	d.Summary.Worse += together.Summary.Worse
	d.Summary.Resolved += together.Summary.Resolved
	d.Summary.Unread += together.Summary.Unread
	if d.Clusters == nil {
		d.Clusters = []ClusterDiff{}
	}
	slices.SortFunc(d.Clusters, compareClusterDiffs)
	slices.Sort(d.NotCompared)
}

func compareClusterDiffs(a, b ClusterDiff) int {
	worst := func(c ClusterDiff) int {
		rank := 0
		for _, v := range c.Verdicts {
			if v.Worse {
				rank = max(rank, v.New.Severity.Rank())
			}
		}
		return rank
	}
	unread := func(c ClusterDiff) int {
		if c.Presence == NotReadNow {
			return 1
		}
		return min(c.Summary.Unread, 1)
	}
	return cmp.Or(
		cmp.Compare(worst(b), worst(a)), cmp.Compare(b.Summary.Worse, a.Summary.Worse), cmp.Compare(unread(b), unread(a)),
		cmp.Compare(len(b.Verdicts), len(a.Verdicts)), cmp.Compare(a.Cluster.Account, b.Cluster.Account),
		cmp.Compare(a.Cluster.Region, b.Cluster.Region), cmp.Compare(a.Cluster.Name, b.Cluster.Name), cmp.Compare(a.Cluster.ARN, b.Cluster.ARN),
	)
}

// Headline returns in a sentence what matters most.
func (d *FleetDiff) Headline() string {
	s := d.Summary
	other := 0
	for _, c := range d.Clusters {
		if (c.Presence == InBoth || c.Presence == ReadNow) && c.Summary.Worse == 0 {
			other++
		}
	}
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{s.WorseClusters, text.Count(s.WorseClusters, "cluster") + " got worse"},
		{other, text.Count(other, "other cluster") + " changed"},
		{s.Added, fmt.Sprintf("%d added", s.Added)},
		{s.Gone, fmt.Sprintf("%d gone", s.Gone)},
		{s.NotRead, fmt.Sprintf("%d not read", s.NotRead)},
		{s.Resolved, text.Count(s.Resolved, "verdict") + " resolved"},
	} {
		if part.n > 0 {
			parts = append(parts, part.text)
		}
	}
	words := strings.Join(parts, ", ")
	switch {
	case words == "" && s.Worse+s.Unread == 0:
		return "nothing changed"
	case s.WorseClusters == 0 && s.Worse > 0:
		return strings.TrimSuffix(fmt.Sprintf("%s about several clusters got worse, %s", text.Count(s.Worse, "verdict"), words), ", ")
	case s.Worse > 0:
		return words
	case s.Unread > 0:
		return strings.TrimSuffix("nothing got worse as far as it could be read: "+words, ": ")
	default:
		return "nothing got worse: " + words
	}
}

// DeepCopyObject returns a copy of the top level. A diff is never changed once it is made, so
// that its slices may be shared.
func (d *FleetDiff) DeepCopyObject() runtime.Object {
	c := *d
	return &c
}
