package finding_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// drawReport draws the report of a cluster.
func drawReport(t *rapid.T, i int) *finding.Report {
	account, region := rapid.SampledFrom([]string{"111", "222"}).Draw(t, "account"), rapid.SampledFrom([]string{"eu-west-1", "us-east-1"}).Draw(t, "region")
	name := fmt.Sprintf("c-%d", i)
	r := &finding.Report{
		Cluster:   finding.ClusterInfo{Name: name, ARN: "arn:aws:eks:" + region + ":" + account + ":cluster/" + name, Region: region, Account: account},
		NodeRoles: []finding.RoleRow{{Name: "node"}},
	}
	for k := range rapid.IntRange(0, 6).Draw(t, "results") {
		id := rapid.SampledFrom([]string{"NR201", "NR202", "NR801"}).Draw(t, "id")
		r.Results = append(r.Results, finding.Result{
			ID: id, Rule: "rule", Message: "sentence",
			Status:   rapid.SampledFrom([]finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}).Draw(t, "status"),
			Severity: rapid.SampledFrom([]finding.Severity{finding.Error, finding.Warning, finding.Info}).Draw(t, "severity"),
			Concern:  map[string]finding.Concern{"NR201": finding.ConcernNode, "NR202": finding.ConcernPull}[id],
			Subject:  finding.Subject{Kind: finding.SubjectNodeRole, Name: fmt.Sprintf("r-%d", k)},
			Known:    rapid.IntRange(0, 5).Draw(t, "known") == 0,
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "missing") {
		r.Missing = append(r.Missing, finding.Missing{
			Fact: rapid.SampledFrom([]string{"nodes", "roles"}).Draw(t, "fact"), Operation: "call", Error: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "error"),
		})
	}
	r.Recount()
	return r
}

// TestFleetReport: the report of a fleet is the same in whatever order its clusters are
// added; it has a row for everything, the worst first and what was not read last; every
// finding that counts is in it once for each cluster and subject, and nothing else.
func TestFleetReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var reports []*finding.Report
		for i := range rapid.IntRange(0, 8).Draw(t, "clusters") {
			reports = append(reports, drawReport(t, i))
		}
		unread := rapid.IntRange(0, 3).Draw(t, "unread")
		build := func(order []int) *finding.FleetReport {
			f := &finding.FleetReport{}
			for _, i := range order {
				if i < len(reports) {
					f.Add(finding.FleetCluster{Context: fmt.Sprint(i)}, reports[i])
				} else {
					f.AddUnread(finding.FleetCluster{Reason: fmt.Sprintf("reason %d", i)})
				}
			}
			f.Finish()
			return f
		}
		var order []int
		for i := range len(reports) + unread {
			order = append(order, i)
		}
		f := build(order)
		if diff := cmp.Diff(f, build(rapid.Permutation(order).Draw(t, "order")), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(finding.Next{})); diff != "" {
			t.Fatalf("(-one order +another):\n%s", diff)
		}
		s := f.Summary
		if len(f.Clusters) != len(order) || s.Planned != len(order) || s.NotRead != unread || s.Errors+s.Warnings+s.Infos+s.Clean+s.NotRead != s.Planned {
			t.Fatalf("%d rows, %+v", len(f.Clusters), s)
		}
		for i, c := range f.Clusters {
			if c.Read != (i < len(reports)) || c.Read && i > 0 && c.Summary.Errors > f.Clusters[i-1].Summary.Errors {
				t.Fatalf("row %d: %+v", i, c)
			}
		}
		counted, worst, complete := 0, 0, unread == 0
		for _, r := range reports {
			for _, res := range r.Results {
				if res.Weight() != "" {
					counted++
				}
			}
			worst, complete = max(worst, r.Worst()), complete && r.Complete()
		}
		for _, g := range f.Findings {
			for _, c := range g.Clusters {
				counted -= len(c.Subjects)
			}
		}
		if counted != 0 || f.Worst() != worst || f.Complete() != complete {
			t.Fatalf("%d findings too few; worst %d, want %d; complete %t, want %t", counted, f.Worst(), worst, f.Complete(), complete)
		}
		for i, r := range reports {
			for _, c := range f.Clusters {
				if c.Context == fmt.Sprint(i) && c.Summary != r.Summary {
					t.Fatalf("%+v, want %+v", c.Summary, r.Summary)
				}
			}
		}
	})
}

// TestFleetVerdicts: a cluster's verdict on a concern is the worst of all its results.
func TestFleetVerdicts(t *testing.T) {
	results := []finding.Result{
		{ID: "NR201", Status: finding.Pass, Severity: finding.Error, Concern: finding.ConcernNode},
		{ID: "NR202", Status: finding.Unknown, Severity: finding.Error, Concern: finding.ConcernPull},
		{ID: "NR203", Status: finding.Fail, Severity: finding.Warning, Concern: finding.ConcernNode},
		{ID: "NR204", Status: finding.Fail, Severity: finding.Error, Concern: finding.ConcernTrust, Known: true},
		{ID: "NR205", Status: finding.Depends, Severity: finding.Error, Concern: finding.ConcernCNI},
		{ID: "NR206", Status: finding.Fail, Severity: finding.Error},
	}
	f := &finding.FleetReport{}
	f.Add(finding.FleetCluster{}, &finding.Report{Cluster: finding.ClusterInfo{Name: "a"}, Results: results})
	f.Finish()
	want := map[finding.Concern]finding.Verdict{
		finding.ConcernNode: {Status: finding.Fail, Severity: finding.Warning}, finding.ConcernPull: {Status: finding.Unknown},
		finding.ConcernTrust: {Status: finding.Fail, Severity: finding.Error, Excepted: true}, finding.ConcernCNI: {Status: finding.Depends},
	}
	if diff := cmp.Diff(want, f.Clusters[0].Verdicts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
