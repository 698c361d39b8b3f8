package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Options select the rules and say what to judge for.
type Options struct {
	// CNIVersion is the vpc-cni version to judge for, such as v1.22.1, in place of
	// the one that runs.
	CNIVersion string
	// WhyNotJoining keeps the results that can explain why nodes do not join, in the order in
	// which a starting node meets the rules.
	WhyNotJoining bool
	// Severities are a team's own, by rule id.
	Severities map[string]finding.Severity
	// Off are the ids of rules that are not judged.
	Off []string
}

// chosen returns the rules to judge, with the severities that the team gave them.
func (o Options) chosen() []Rule {
	var chosen []Rule
	for _, r := range All() {
		if slices.Contains(o.Off, r.ID) {
			continue
		}
		if severity, ok := o.Severities[r.ID]; ok {
			r.Severity, r.byTeam = severity, true
		}
		chosen = append(chosen, r)
	}
	return chosen
}

// Results are the results of the rules that Judge runs, before it says which of them
// explain which.
func Results(v *view.View, o Options) []finding.Result {
	v.AssumeCNIVersion(o.CNIVersion)
	return Run(v, o.chosen())
}

// Judge runs every rule on a view and returns the report. The same view and options
// give the same report.
func Judge(v *view.View, o Options) *finding.Report {
	s, chosen := v.Snapshot, o.chosen()
	v.AssumeCNIVersion(o.CNIVersion)
	results := Run(v, chosen)
	explain(results, chosen)
	verdictsOf := results
	if o.WhyNotJoining {
		results = whyNotJoining(results)
	}
	report := &finding.Report{
		Header: finding.Header{APIVersion: finding.APIVersion, Kind: finding.ReportKind},
		Cluster: finding.ClusterInfo{
			Name: v.Place.Cluster, ARN: s.Cluster.ARN, Region: v.Place.Region, Account: v.Place.Account,
			Version: s.Cluster.Version, IPFamily: s.Cluster.IPFamily,
			AuthenticationMode: s.Cluster.AuthenticationMode, RoleARN: s.Cluster.RoleARN,
		},
		Facts:         finding.Facts{CollectedBy: s.Source.Tool, CNIVersion: o.CNIVersion},
		NodeRoles:     []finding.RoleRow{},
		AWSNode:       awsNodeLine(v),
		IAM:           iamOf(v),
		WhyNotJoining: o.WhyNotJoining,
		Results:       results,
		Derived:       s.Source.Derived,
		Summary:       finding.Summarize(results),
	}
	if at := s.Source.CollectedAt; !at.IsZero() {
		report.Facts.CollectedAt = at.UTC().Format(time.RFC3339)
	}
	addVerdicts(report, v, verdictsOf)
	report.Sort()
	addPlaces(report, s)
	report.NotEvaluated = notEvaluated(v, o)
	for _, m := range s.Missing {
		if m.Fact.Optional() {
			continue
		}
		report.Missing = append(report.Missing, finding.Missing{
			Fact: string(m.Fact), Subject: m.Subject, Operation: m.Operation, Permission: m.Permission, Error: m.Error, Until: m.Until,
		})
	}
	return report
}

// addVerdicts adds the verdicts on each concern, by results: a row for each node role and for
// the cluster role, and those on aws-node.
func addVerdicts(report *finding.Report, v *view.View, results []finding.Result) {
	about := map[finding.SubjectKind][]*finding.Result{}
	ofRole := map[string][]*finding.Result{} // about node roles, by ARN
	for i := range results {
		r := &results[i]
		about[r.Subject.Kind] = append(about[r.Subject.Kind], r)
		if r.Subject.Kind == finding.SubjectNodeRole {
			ofRole[r.Subject.ARN] = append(ofRole[r.Subject.ARN], r)
		}
	}
	for _, r := range v.NodeRoles() {
		row := finding.RoleRow{Name: r.Name, ARN: r.ARN, Verdicts: verdicts(ofRole[r.ARN])}
		for _, src := range r.Sources {
			row.Sources = append(row.Sources, finding.Source{Kind: string(src.Kind), Name: src.Name, Nodes: src.Nodes})
		}
		report.NodeRoles = append(report.NodeRoles, row)
	}
	if r := v.ClusterRole(); r != nil {
		row := &finding.RoleRow{Name: r.Name, ARN: r.ARN, Sources: []finding.Source{{Kind: finding.SourceCluster, Name: v.Place.Cluster}}}
		row.Verdicts = verdicts(about[finding.SubjectClusterRole])
		maps.DeleteFunc(row.Verdicts, func(_ finding.Concern, v finding.Verdict) bool { return v.Status == finding.NotApplicable })
		if len(row.Verdicts) > 0 {
			report.ClusterRole = row
		}
	}
	report.AWSNode.Verdicts = verdicts(about[finding.SubjectAWSNode])
}

// addPlaces adds where infrastructure code declares the subjects of results.
func addPlaces(report *finding.Report, s *snapshot.Snapshot) {
	for i, r := range report.Results {
		if place, ok := s.Places[r.Subject.ARN]; ok {
			at := finding.Place{Address: place.Address, File: place.File, Line: place.Line}
			report.Results[i].Place = &at
			if r.Failed() {
				report.Results[i].Evidence = append([]string{"declared at " + at.String()}, r.Evidence...)
			}
		}
	}
}

// notEvaluated returns, a line each, what no result covers.
func notEvaluated(v *view.View, o Options) []string {
	s := v.Snapshot
	var lines []string
	if len(s.Simulations) == 0 && !v.OrganizationRead() {
		lines = append(lines, "service control policies; see --org-profile and --simulate")
	}
	lines = append(lines, s.Source.Unseen...)
	if o.WhyNotJoining {
		lines = append(lines, "subnets, security groups, VPC endpoints, DNS, user data and the AMI; see the log of kubelet on the node (journalctl -u kubelet) and "+
			"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html#worker-node-fail")
	}
	return append(lines, unreadOptional(s)...)
}

// verdicts keeps the worst result of each concern. Results are ordered worst first.
func verdicts(results []*finding.Result) map[finding.Concern]finding.Verdict {
	worst := map[finding.Concern]finding.Verdict{}
	for _, r := range results {
		if r.Concern == "" {
			continue
		}
		if _, ok := worst[r.Concern]; ok {
			continue
		}
		verdict := finding.Verdict{Status: r.Status}
		if r.Status == finding.Fail {
			verdict.Severity = r.Severity
		}
		worst[r.Concern] = verdict
	}
	return worst
}

// awsNodeLine says in one line whose credentials aws-node uses: what is
// configured, and how many pods really use it.
func awsNodeLine(v *view.View) finding.AWSNodeInfo {
	identity := v.ConfiguredIdentity()
	info := finding.AWSNodeInfo{Identity: string(identity.Kind), RoleARN: identity.RoleARN}
	switch identity.Kind {
	case view.NotInstalled:
		info.Text = "is not installed"
		if v.Snapshot.AWSNode.DaemonSet != nil {
			info.Text = "runs on no node"
		}
		return info
	case view.UnknownIdentity:
		info.Text = "identity is unknown: " + strings.Join(identity.Evidence, "; ")
		return info
	case view.FromNodeRole, view.IRSA, view.PodIdentity, view.StaticKeys:
	}

	what := identity.Kind.String()
	if identity.Own() {
		what += " role " + snapshot.NameOf(identity.RoleARN)
	}
	total := len(v.Snapshot.AWSNode.Pods)
	if m := v.Unread(snapshot.FactPods); len(m) > 0 {
		info.Text = "is configured with " + what + "; its pods could not be read"
		return info
	}
	if total == 0 {
		info.Text = "is configured with " + what + "; no aws-node pod runs"
		return info
	}
	behind := map[view.IdentityKind]int{}
	for _, use := range v.StalePods(identity) {
		behind[use.Kind]++
	}
	left := total
	for _, n := range behind {
		left -= n
	}
	info.Text = fmt.Sprintf("uses %s on %d of %d nodes", what, left, total)
	for _, kind := range slices.Sorted(maps.Keys(behind)) {
		verb := "use"
		if behind[kind] == 1 {
			verb = "uses"
		}
		info.Text += fmt.Sprintf("; %d still %s %s", behind[kind], verb, kind)
	}
	return info
}
