package finding

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// FleetReportKind identifies the report of many clusters, together with APIVersion.
const FleetReportKind = "FleetReport"

// FleetReport is what `check` found out about many clusters. It is a versioned object:
// fields are added, never changed, within a version.
type FleetReport struct {
	Header `json:",inline"`

	// Facts says which facts were judged, and how.
	Facts FleetFacts `json:"facts,omitzero"`
	// Clusters has a row for everything that was planned: the worst clusters first, and
	// last what was not read.
	Clusters []FleetCluster `json:"clusters"`
	// Findings are what rules found, each rule and severity once with its clusters: what
	// counts most first, then what most clusters have.
	Findings []FleetFinding `json:"findings"`
	// FleetResults are what the rules about several clusters say, in the order of
	// Report.Sort.
	FleetResults []Result `json:"fleetResults"`
	// Missing is what could not be read of clusters that were read, by reason.
	Missing []FleetMissing `json:"missing,omitempty"`
	// Skipped are files in the directory and contexts that are not of the fleet.
	Skipped []Skipped    `json:"skipped,omitempty"`
	Summary FleetSummary `json:"summary"`
}

// FleetFacts describes where the facts come from, and how they were judged.
type FleetFacts struct {
	// Directory is where the snapshots are; empty for a live run.
	Directory string `json:"directory,omitempty"`
	// Selection is what was selected, as the command line says it.
	Selection string `json:"selection,omitempty"`
	// PlannedAt is when the clusters were looked for, RFC 3339 in UTC, the earliest where
	// there are several plans.
	PlannedAt string `json:"plannedAt,omitempty"`
	JudgedBy  string `json:"judgedBy,omitempty"`
	// CNIVersion is the vpc-cni version that was judged in place of the one that runs.
	CNIVersion string `json:"cniVersion,omitempty"`
}

// FleetCluster is a row of the report: a cluster, or a part of the selection whose clusters
// are not known.
type FleetCluster struct {
	// Cluster has no ARN where the row is a part of the selection.
	Cluster ClusterInfo `json:"cluster"`
	Context string      `json:"context,omitempty"`
	Profile string      `json:"profile,omitempty"`
	Group   string      `json:"group,omitempty"`
	// Read is false where nothing is known of it; Reason says why, and Advice what to do.
	Read   bool   `json:"read"`
	Reason string `json:"reason,omitempty"`
	Advice string `json:"advice,omitempty"`
	// File is the snapshot.
	File string `json:"file,omitempty"`
	// CollectedAt is when reading the facts began, RFC 3339 in UTC.
	CollectedAt string `json:"collectedAt,omitempty"`
	// NodeRoles are the names of the node roles, and AWSNode is whose credentials aws-node
	// uses; see Report.
	NodeRoles []string `json:"nodeRoles,omitempty"`
	AWSNode   string   `json:"awsNode,omitempty"`
	// Verdicts has the worst verdict of each concern.
	Verdicts map[Concern]Verdict `json:"verdicts,omitempty"`
	Summary  Summary             `json:"summary,omitzero"`
	// MissingFacts counts the facts that could not be read.
	MissingFacts int `json:"missingFacts,omitempty"`
	// Next is the command that plans the cluster's repair, where fix has one.
	Next []Next `json:"next,omitempty"`
}

// Complete reports whether every fact of the cluster was read and every rule had an answer.
func (c FleetCluster) Complete() bool {
	return c.Read && c.MissingFacts == 0 && c.Summary.Unknown == 0
}

// FleetFinding is what one rule found, on all clusters.
type FleetFinding struct {
	ID   string `json:"id"`
	Rule string `json:"rule"`
	// Severity is what the finding counts with; Status is fail or depends.
	Severity Severity `json:"severity"`
	Status   Status   `json:"status"`
	Concern  Concern  `json:"concern,omitempty"`
	// Repair is the kind of repair that fix has for the rule; empty for none.
	Repair   Repair            `json:"repair,omitempty"`
	Clusters []AffectedCluster `json:"clusters"`
}

// AffectedCluster is a cluster with a finding.
type AffectedCluster struct {
	Name     string            `json:"name"`
	ARN      string            `json:"arn"`
	Subjects []AffectedSubject `json:"subjects"`
}

// AffectedSubject is what a finding is about, in a sentence.
type AffectedSubject struct {
	Subject
	Message string `json:"message"`
}

// FleetMissing is facts that could not be read for one reason.
type FleetMissing struct {
	Operation  string `json:"operation"`
	Permission string `json:"permission,omitempty"`
	Error      string `json:"error"`
	// Facts are which, and Clusters whose, by ARN.
	Facts    []string `json:"facts"`
	Clusters []string `json:"clusters"`
}

// Skipped is a file or a context that was not read.
type Skipped struct {
	// Name is the file's name in the directory, or context and its name.
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// FleetSummary counts the rows. A cluster counts once among the five that follow Planned.
type FleetSummary struct {
	// Planned counts all rows.
	Planned int `json:"planned"`
	// Errors and Warnings count clusters whose worst finding is one; Infos likewise.
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	// Clean counts clusters without findings, complete or not.
	Clean int `json:"clean"`
	// NotRead counts rows of which nothing is known.
	NotRead int `json:"notRead"`
	// Incomplete counts clusters that were read, but not in full.
	Incomplete int `json:"incomplete"`
	Accounts   int `json:"accounts"`
	Regions    int `json:"regions"`
	// Results sums what the reports of the clusters count.
	Results Summary `json:"results"`
	// FleetResults counts the results of the rules about several clusters.
	FleetResults Summary `json:"fleetResults"`
}

// Add adds a cluster that was read: what its report says goes into the row, the findings and
// what is missing. The report may be forgotten after it.
func (f *FleetReport) Add(row FleetCluster, r *Report) {
	row.Read, row.Cluster, row.CollectedAt = true, r.Cluster, r.Facts.CollectedAt
	row.AWSNode, row.Summary, row.MissingFacts = r.AWSNode.Identity, r.Summary, len(r.Missing)
	for _, role := range r.NodeRoles {
		row.NodeRoles = append(row.NodeRoles, role.Name)
	}
	row.Verdicts = worstVerdicts(r.Results)
	f.Clusters = append(f.Clusters, row)
	under := Under(r.Results)
	for i, res := range r.Results {
		if res.Weight() != "" && under[i] < 0 {
			f.addResult(r.Cluster, res)
		}
	}
	for _, m := range r.Missing {
		f.addMissing(r.Cluster.ARN, m)
	}
}

// AddUnread adds a row of which nothing is known. Its Reason says why.
func (f *FleetReport) AddUnread(row FleetCluster) {
	row.Read = false
	f.Clusters = append(f.Clusters, row)
}

// worstVerdicts returns the worst verdict of each concern.
func worstVerdicts(results []Result) map[Concern]Verdict {
	worst := map[Concern]Result{}
	for _, res := range results {
		if w, judged := worst[res.Concern]; res.Concern != "" && (!judged || place(res) < place(w)) {
			worst[res.Concern] = res
		}
	}
	verdicts := map[Concern]Verdict{}
	for concern, res := range worst {
		v := Verdict{Status: res.Status, Excepted: res.Failed() && res.Excepted()}
		if res.Status == Fail {
			v.Severity = cmp.Or(res.Weight(), res.Severity)
		}
		verdicts[concern] = v
	}
	return verdicts
}

func (f *FleetReport) addResult(cluster ClusterInfo, res Result) {
	i := slices.IndexFunc(f.Findings, func(g FleetFinding) bool {
		return g.ID == res.ID && g.Severity == res.Weight() && g.Status == res.Status
	})
	if i < 0 {
		i = len(f.Findings)
		f.Findings = append(f.Findings, FleetFinding{
			ID: res.ID, Rule: res.Rule, Severity: res.Weight(), Status: res.Status, Concern: res.Concern, Repair: res.Repair,
		})
	}
	g := &f.Findings[i]
	if n := len(g.Clusters); n == 0 || g.Clusters[n-1].ARN != cluster.ARN {
		g.Clusters = append(g.Clusters, AffectedCluster{Name: cluster.Name, ARN: cluster.ARN})
	}
	last := &g.Clusters[len(g.Clusters)-1]
	last.Subjects = append(last.Subjects, AffectedSubject{res.Subject, res.Message})
}

func (f *FleetReport) addMissing(arn string, m Missing) {
	i := slices.IndexFunc(f.Missing, func(g FleetMissing) bool {
		return g.Operation == m.Operation && g.Permission == m.Permission && g.Error == m.Error
	})
	if i < 0 {
		i = len(f.Missing)
		f.Missing = append(f.Missing, FleetMissing{Operation: m.Operation, Permission: m.Permission, Error: m.Error})
	}
	g := &f.Missing[i]
	if !slices.Contains(g.Facts, m.Fact) {
		g.Facts = append(g.Facts, m.Fact)
	}
	if n := len(g.Clusters); n == 0 || g.Clusters[n-1] != arn {
		g.Clusters = append(g.Clusters, arn)
	}
}

// Finish puts the report in order and counts it, when everything was added. The order of
// adding does not matter.
func (f *FleetReport) Finish() {
	f.APIVersion, f.Kind = APIVersion, FleetReportKind
	if f.Clusters == nil {
		f.Clusters = []FleetCluster{}
	}
	if f.Findings == nil {
		f.Findings = []FleetFinding{}
	}
	if f.FleetResults == nil {
		f.FleetResults = []Result{}
	}
	slices.SortFunc(f.Clusters, compareClusters)
	for _, g := range f.Findings {
		slices.SortFunc(g.Clusters, func(a, b AffectedCluster) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN))
		})
	}
	slices.SortFunc(f.Findings, func(a, b FleetFinding) int {
		return cmp.Or(
			cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
			cmp.Compare(len(b.Clusters), len(a.Clusters)),
			cmp.Compare(a.ID, b.ID), cmp.Compare(b.Status, a.Status),
		)
	})
	for _, g := range f.Missing {
		slices.Sort(g.Facts)
		slices.Sort(g.Clusters)
	}
	slices.SortFunc(f.Missing, func(a, b FleetMissing) int {
		return cmp.Or(
			cmp.Compare(len(b.Clusters), len(a.Clusters)),
			cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Permission, b.Permission), cmp.Compare(a.Error, b.Error),
		)
	})
	slices.SortFunc(f.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Name, b.Name) })
	f.count()
}

// compareClusters orders rows: the worst first, what was not read last.
func compareClusters(a, b FleetCluster) int {
	unread := func(c FleetCluster) int {
		if c.Read {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(unread(a), unread(b)),
		cmp.Compare(b.Summary.Errors, a.Summary.Errors),
		cmp.Compare(b.Summary.Warnings+b.Summary.Depends, a.Summary.Warnings+a.Summary.Depends),
		cmp.Compare(b.Summary.Infos, a.Summary.Infos),
		cmp.Compare(b.Summary.Unknown, a.Summary.Unknown),
		cmp.Compare(a.Cluster.Account, b.Cluster.Account),
		cmp.Compare(a.Cluster.Region, b.Cluster.Region),
		cmp.Compare(a.Cluster.Name, b.Cluster.Name),
		cmp.Compare(a.Context, b.Context),
		cmp.Compare(a.Profile, b.Profile),
		cmp.Compare(a.Reason, b.Reason),
	)
}

func (f *FleetReport) count() {
	s := FleetSummary{Planned: len(f.Clusters)}
	accounts, regions := map[string]bool{}, map[string]bool{}
	for _, c := range f.Clusters {
		if c.Cluster.Account != "" {
			accounts[c.Cluster.Account] = true
		}
		if c.Cluster.Region != "" {
			regions[c.Cluster.Region] = true
		}
		if !c.Read {
			s.NotRead++
			continue
		}
		switch n := c.Summary; {
		case n.Errors > 0:
			s.Errors++
		case n.Warnings+n.Depends > 0:
			s.Warnings++
		case n.Infos > 0:
			s.Infos++
		default:
			s.Clean++
		}
		if !c.Complete() {
			s.Incomplete++
		}
		s.Results = s.Results.plus(c.Summary)
	}
	s.Accounts, s.Regions = len(accounts), len(regions)
	s.FleetResults = Summarize(f.FleetResults)
	f.Summary = s
}

// plus returns the sum of two summaries.
func (s Summary) plus(o Summary) Summary {
	return Summary{
		Errors: s.Errors + o.Errors, Warnings: s.Warnings + o.Warnings, Infos: s.Infos + o.Infos, Depends: s.Depends + o.Depends,
		Unknown: s.Unknown + o.Unknown, Passed: s.Passed + o.Passed, NotApplicable: s.NotApplicable + o.NotApplicable,
		Explained: s.Explained + o.Explained, Excepted: s.Excepted + o.Excepted, Known: s.Known + o.Known,
	}
}

// Complete reports whether everything that was planned was read in full. A result about
// several clusters that is unknown for another reason, such as that the selection does not
// have all of them, does not count.
func (f *FleetReport) Complete() bool { return f.Summary.NotRead == 0 && f.Summary.Incomplete == 0 }

// Across returns the results of the rules about several clusters as a report of their own,
// for what takes the report of a cluster.
func (f *FleetReport) Across() *Report {
	return &Report{
		Header: Header{APIVersion: APIVersion, Kind: ReportKind}, Cluster: ClusterInfo{Name: "fleet"}, Facts: Facts{JudgedBy: f.Facts.JudgedBy, CNIVersion: f.Facts.CNIVersion},
		NodeRoles: []RoleRow{}, Results: f.FleetResults, Summary: f.Summary.FleetResults,
	}
}

// Worst returns the rank of the finding that counts most; 0 for none.
func (f *FleetReport) Worst() int {
	worst := f.Across().Worst()
	for _, g := range f.Findings {
		worst = max(worst, g.Severity.Rank())
	}
	return worst
}

// DeepCopyObject returns a copy of the report's top level, for the printers of
// k8s.io/cli-runtime. They change nothing in it, so its slices are shared.
func (f *FleetReport) DeepCopyObject() runtime.Object {
	c := *f
	return &c
}
