// Package diff compares the facts or the reports of one cluster at two times: what
// changed, policies by what they grant, which verdicts moved, and on which change each of
// them rests. It reads nothing and judges nothing itself.
package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Kind is the kind of a Diff; its API version is that of a report.
const Kind = "Diff"

// Diff is what changed in a cluster from one time to another. It is a versioned object:
// fields are added, never changed, within a version.
type Diff struct {
	finding.Header `json:",inline"`

	Cluster finding.ClusterInfo `json:"cluster"`
	Old     Source              `json:"old"`
	New     Source              `json:"new"`

	Summary Summary `json:"summary"`
	// Verdicts are those that moved: what got worse first, and in the order of a report.
	Verdicts []Verdict `json:"verdicts"`
	// Changes are ordered by what they are about.
	Changes []Change `json:"changes"`
	// NotCompared is, in words, what could not be compared.
	NotCompared []string `json:"notCompared,omitempty"`
}

// Source describes where one side comes from.
type Source struct {
	// Name is the name of a file, or says that it is the live cluster.
	Name string `json:"name"`
	// Kind is Snapshot or Report.
	Kind string `json:"kind"`
	// CollectedAt is when reading the facts began, RFC 3339 in UTC; empty where the file
	// does not say.
	CollectedAt string `json:"collectedAt,omitempty"`
}

// Summary counts changes and verdicts.
type Summary struct {
	Changes  int `json:"changes"`
	New      int `json:"new"`
	Resolved int `json:"resolved"`
	Changed  int `json:"changed"`
	// Worse is how many of the verdicts count more than before.
	Worse int `json:"worse"`
	// Unread is how many changes and verdicts say that something can no longer be read,
	// optional facts aside.
	Unread int `json:"unread"`
}

// Action describes what happened.
type Action string

// The actions.
const (
	Added   Action = "added"
	Removed Action = "removed"
	Changed Action = "changed"
	// Unread: it was read before, and could not be read now. Readable is the reverse.
	Unread   Action = "unread"
	Readable Action = "readable"
)

// Change is one fact that is not what it was.
type Change struct {
	// Number is the place in Changes, from 1. Verdicts refer to it.
	Number int    `json:"number"`
	Action Action `json:"action"`
	// Kind says what changed, as people read it, such as "access entry".
	Kind ObjectKind `json:"kind"`
	// Names are the names of what changed: one, or all nodes with the same change.
	Names []string `json:"names"`
	// ARN is set for one thing that has an ARN.
	ARN string `json:"arn,omitempty"`
	// Field says what of it, such as "attached policy"; empty for the whole.
	Field string `json:"field,omitempty"`
	// Old and New are the values; both are empty for a policy document.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// PolicyDiff is a unified diff of a policy document that grants something else now.
	PolicyDiff string `json:"policyDiff,omitempty"`
}

// ObjectKind is what a change is about, as people read it.
type ObjectKind string

// The kinds of objects, in the order of the changes.
const (
	KindCluster        ObjectKind = "cluster"
	KindNodeGroup      ObjectKind = "node group"
	KindKarpenterClass ObjectKind = "EC2NodeClass"
	KindNodeTemplate   ObjectKind = "AWSNodeTemplate"
	KindAutoModeClass  ObjectKind = "Auto Mode NodeClass"
	KindAutoScaling    ObjectKind = "Auto Scaling group"
	KindNodeSource     ObjectKind = "source of nodes"
	KindRole           ObjectKind = "role"
	KindPolicy         ObjectKind = "managed policy"
	KindProfile        ObjectKind = "instance profile"
	KindAccessEntry    ObjectKind = "access entry"
	KindAWSAuth        ObjectKind = "aws-auth"
	KindAddon          ObjectKind = "add-on"
	KindAssociation    ObjectKind = "Pod Identity association"
	KindServiceAccount ObjectKind = "service account"
	KindAWSNode        ObjectKind = "DaemonSet"
	KindPod            ObjectKind = "aws-node pod on"
	KindAgent          ObjectKind = "Pod Identity Agent"
	KindOIDCProvider   ObjectKind = "OIDC provider"
	KindFargate        ObjectKind = "Fargate profile"
	KindOtherCluster   ObjectKind = "other cluster"
	KindOrganization   ObjectKind = "organization"
	KindEndpoint       ObjectKind = "VPC endpoint"
	KindRepository     ObjectKind = "ECR repository"
	KindRegistry       ObjectKind = "ECR registry in"
	KindAddonPods      ObjectKind = "pods of"
	KindImages         ObjectKind = "images of"
	KindSimulation     ObjectKind = "policy simulator on"
	KindNode           ObjectKind = "node"
	KindInstance       ObjectKind = "instance"
	KindEvent          ObjectKind = "event"
	KindOther          ObjectKind = "fact about"
	KindFact           ObjectKind = "fact"
)

var kindOrder = []ObjectKind{
	KindCluster, KindNodeGroup, KindKarpenterClass, KindNodeTemplate, KindAutoModeClass, KindAutoScaling, KindNodeSource,
	KindRole, KindPolicy, KindProfile, KindAccessEntry, KindAWSAuth, KindAddon, KindAssociation, KindServiceAccount, KindAWSNode,
	KindPod, KindAgent, KindOIDCProvider, KindFargate, KindOtherCluster, KindOrganization, KindEndpoint, KindRepository, KindRegistry, KindAddonPods, KindImages,
	KindSimulation, KindNode, KindInstance,
	KindEvent, KindOther, KindFact,
}

// Movement describes how a verdict moved.
type Movement string

// The movements.
const (
	// New: it is a finding now, and was none.
	New Movement = "new"
	// Resolved: it was a finding, and passes now, or what it was about is gone.
	Resolved Movement = "resolved"
	// Moved: it has another status or severity, is excepted now or not any more, or what
	// it needs can be read now or not any more.
	Moved Movement = "changed"
)

// Verdict is a rule's verdict on a subject that moved. Where a rule has several results
// about a subject, the worst of them is the verdict.
type Verdict struct {
	Movement Movement `json:"movement"`
	// Worse is set where it counts more than before.
	Worse   bool            `json:"worse,omitempty"`
	ID      string          `json:"id"`
	Rule    string          `json:"rule"`
	Subject finding.Subject `json:"subject"`
	// Old and New are absent where the rule had no result about the subject.
	Old *State `json:"old,omitempty"`
	New *State `json:"new,omitempty"`
	// Causes are the numbers of the changes on which the movement rests: to take back
	// that change alone would take back the movement, or that change alone would have
	// made it. It is empty where no single change decides, or only reports were compared.
	Causes []int `json:"causes,omitempty"`
	// Explained is set for what only follows from other findings of the same report.
	Explained bool `json:"explained,omitempty"`
}

// State is a verdict at one time.
type State struct {
	Status   finding.Status   `json:"status"`
	Severity finding.Severity `json:"severity"`
	// Excepted is set where a team's exception or baseline keeps it from counting.
	Excepted bool     `json:"excepted,omitempty"`
	Message  string   `json:"message"`
	Evidence []string `json:"evidence,omitempty"`
}

// Side is one of the two that are compared.
type Side struct {
	Name string
	// Facts are nil where there is only a report.
	Facts *snapshot.Snapshot
	// Report is the verdicts on Facts, or all that there is.
	Report *finding.Report
}

// Judge gives the results of some rules, by ID, for facts. Compare calls it with facts that
// it makes of both sides, to find out on which change a verdict rests.
type Judge func(facts *snapshot.Snapshot, rules []string) []finding.Result

// Compare returns what changed from one side to the other. Facts are compared where both
// sides have them, otherwise what the reports have of them; judge may be nil then. It is
// an error if the sides are of different clusters.
func Compare(older, newer Side, judge Judge) (*Diff, error) {
	if older.Report.Cluster.ARN != newer.Report.Cluster.ARN {
		return nil, fmt.Errorf("%s is of cluster %s, and %s of cluster %s", older.Name, older.Report.Cluster.ARN, newer.Name, newer.Report.Cluster.ARN)
	}
	d := &Diff{
		Header: finding.Header{APIVersion: finding.APIVersion, Kind: Kind}, Cluster: newer.Report.Cluster,
		Old: older.source(), New: newer.source(), Verdicts: movedVerdicts(older.Report, newer.Report), Changes: []Change{},
	}
	was, is := older.Report.Missing, newer.Report.Missing
	if older.Facts != nil && newer.Facts != nil {
		was, is = unreadFacts(older.Facts), unreadFacts(newer.Facts)
		list := collapse(compareParts(partsOfFacts(older.Facts, newer.Facts), older.Facts, newer.Facts, was, is))
		d.take(list)
		nameCauses(d.Verdicts, list, older, newer, judge)
	} else {
		list := collapse(compareParts(partsOfReports(older.Report, newer.Report), older.Report, newer.Report, was, is))
		d.take(list)
		nameSubjects(d.Verdicts, d.Changes)
		d.NotCompared = append(d.NotCompared, "access entries, aws-auth, add-ons, instances and pods, which a report does not have: compare snapshots")
	}
	d.NotCompared = append(d.NotCompared, unreadTwice(was, is)...)
	d.summarize()
	return d, nil
}

// unreadFacts are the facts that could not be read, with the optional ones, which a report
// has not.
func unreadFacts(s *snapshot.Snapshot) []finding.Missing {
	list := make([]finding.Missing, 0, len(s.Missing))
	for _, m := range s.Missing {
		list = append(list, finding.Missing{Fact: string(m.Fact), Subject: m.Subject, Operation: m.Operation, Permission: m.Permission, Error: m.Error, Until: m.Until})
	}
	return list
}

// ofOlderRelease reports whether a fact is missing because the release that saved the
// snapshot did not read it.
func ofOlderRelease(m finding.Missing) bool {
	return snapshot.Missing{Operation: m.Operation}.OfOlderRelease()
}

// take numbers changes and keeps them.
func (d *Diff) take(list []group) {
	for i := range list {
		list[i].change.Number = i + 1
		d.Changes = append(d.Changes, list[i].change)
	}
}

func (s Side) source() Source {
	kind := snapshot.Kind
	if s.Facts == nil {
		kind = finding.ReportKind
	}
	return Source{Name: s.Name, Kind: kind, CollectedAt: s.Report.Facts.CollectedAt}
}

func (d *Diff) summarize() {
	d.Summary.Changes = len(d.Changes)
	for _, c := range d.Changes {
		if c.Action == Unread && !snapshot.Fact(c.Field).Optional() { // as for check, a run is complete without
			d.Summary.Unread++
		}
	}
	for _, v := range d.Verdicts {
		switch v.Movement {
		case New:
			d.Summary.New++
		case Resolved:
			d.Summary.Resolved++
		case Moved:
			d.Summary.Changed++
		}
		if v.Worse {
			d.Summary.Worse++
		}
		if v.lost() {
			d.Summary.Unread++
		}
	}
}

// Empty reports whether nothing changed and no verdict moved.
func (d *Diff) Empty() bool { return len(d.Changes)+len(d.Verdicts) == 0 }

// unreadTwice returns what neither side has, and what is not compared as the release that
// saved a snapshot did not read it.
func unreadTwice(older, newer []finding.Missing) []string {
	var lines, later []string
	for _, m := range slices.Concat(older, newer) {
		if name := factName(m.Fact, ""); ofOlderRelease(m) && !slices.Contains(later, name) {
			later = append(later, name)
		}
	}
	if len(later) > 0 {
		lines = append(lines, "what the release that saved a snapshot did not read: "+strings.Join(later, ", "))
	}
	for _, m := range newer {
		if !ofOlderRelease(m) && slices.ContainsFunc(older, func(o finding.Missing) bool { return o.Fact == m.Fact && o.Subject == m.Subject }) {
			line := factName(m.Fact, snapshot.NameOf(m.Subject)) + ", which could not be read either time"
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// compareChanges is the order of changes.
func compareChanges(a, b Change) int {
	return cmp.Or(
		cmp.Compare(slices.Index(kindOrder, a.Kind), slices.Index(kindOrder, b.Kind)),
		slices.Compare(a.Names, b.Names), cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.Field, b.Field),
		cmp.Compare(max(a.Old, a.New), max(b.Old, b.New)), cmp.Compare(min(a.Old, a.New), min(b.Old, b.New)),
	)
}

// DeepCopyObject returns a copy of the top level. A diff is never changed once it is
// made, so that its slices may be shared.
func (d *Diff) DeepCopyObject() runtime.Object {
	c := *d
	return &c
}
