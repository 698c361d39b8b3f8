package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// reportOf is a report on a cluster with findings about one role.
func reportOf(name string, results ...finding.Result) *finding.Report {
	for i := range results {
		results[i].Subject = finding.Subject{Kind: finding.SubjectNodeRole, Name: "eksNodeRole"}
	}
	r := &finding.Report{Cluster: finding.ClusterInfo{Name: name, ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/" + name, Account: "111122223333", Region: "eu-west-1"}, Results: results}
	r.Recount()
	return r
}

var (
	passes = finding.Result{ID: "NR201", Status: finding.Pass, Severity: finding.Error}
	fails  = finding.Result{ID: "NR201", Status: finding.Fail, Severity: finding.Error}
	warns  = finding.Result{ID: "NR203", Status: finding.Fail, Severity: finding.Warning}
	open   = finding.Result{ID: "NR201", Status: finding.Unknown, Severity: finding.Error}
)

// clusterDiffs are clusters that differ in each way.
func clusterDiffs(tb rapid.TB) []diff.ClusterDiff {
	tb.Helper()
	var list []diff.ClusterDiff
	add := func(name string, presence diff.Presence, older, newer *finding.Report) {
		c, err := diff.CompareCluster(diff.ClusterDiff{Cluster: reportOf(name).Cluster, Presence: presence, Reason: "no answer"}, diff.Side{Report: older}, diff.Side{Report: newer}, nil)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, c)
	}
	add("same", diff.InBoth, reportOf("same", fails), reportOf("same", fails))
	add("worse", diff.InBoth, reportOf("worse", passes), reportOf("worse", fails))
	add("better", diff.InBoth, reportOf("better", fails), reportOf("better", passes))
	add("open", diff.InBoth, reportOf("open", passes), reportOf("open", open))
	add("new", diff.OnlyInNew, nil, reportOf("new", warns, passes, open))
	add("clean", diff.OnlyInNew, nil, reportOf("clean", passes))
	add("gone", diff.OnlyInOld, reportOf("gone", fails), nil)
	add("lost", diff.NotReadNow, reportOf("lost", fails), nil)
	add("back", diff.ReadNow, nil, reportOf("back", fails))
	add("never", diff.NeverRead, nil, nil)
	return list
}

// TestFleetDiff: what counts as worse, resolved and unread, and the order of the clusters,
// whatever the order in which they are added.
func TestFleetDiff(t *testing.T) {
	t.Parallel()
	group := func(status finding.Status) *finding.Report {
		r := &finding.Report{Results: []finding.Result{{ID: "NR905", Status: status, Severity: finding.Info, Subject: finding.Subject{Kind: finding.SubjectGroup, Name: "prod"}}}}
		r.Recount()
		return r
	}
	want := diff.FleetSummary{
		Clusters: 10, Added: 2, Gone: 1, NotRead: 2, Different: 4, Same: 1, Worse: 4, WorseClusters: 3, Resolved: 2, Unread: 3,
	}
	rapid.Check(t, func(t *rapid.T) {
		d := &diff.FleetDiff{}
		for _, c := range rapid.Permutation(clusterDiffs(t)).Draw(t, "clusters") {
			d.Add(c)
		}
		d.AddUnread("all clusters in eu-north-1", true)
		d.AddUnread("context x", false)
		d.Finish(group(finding.Pass), group(finding.Fail))
		if diff := cmp.Diff(want, d.Summary); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		var names []string
		for _, c := range d.Clusters {
			names = append(names, c.Cluster.Name)
		}
		if diff := cmp.Diff([]string{"back", "worse", "new", "open", "lost", "better", "gone", "clean"}, names); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if len(d.Verdicts) != 1 || !d.Verdicts[0].Worse || len(d.NotCompared) != 3 {
			t.Fatalf("%+v\n%v", d.Verdicts, d.NotCompared)
		}
		if got := d.Headline(); got != "3 clusters got worse, 2 other clusters changed, 2 added, 1 gone, 2 not read, 2 verdicts resolved" {
			t.Fatal(got)
		}
	})
	for want, d := range map[string]*diff.FleetDiff{
		"nothing changed": {},
		"1 verdict about several clusters got worse":               {Summary: diff.FleetSummary{Worse: 1}},
		"nothing got worse: 1 added":                               {Summary: diff.FleetSummary{Added: 1}},
		"nothing got worse as far as it could be read: 1 not read": {Summary: diff.FleetSummary{NotRead: 1, Unread: 1}},
		"nothing got worse as far as it could be read":             {Summary: diff.FleetSummary{Unread: 1}},
	} {
		if got := d.Headline(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
