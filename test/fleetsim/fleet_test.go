package fleetsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
)

var regions = []string{"eu-west-1", "us-east-1"}

// small is a fleet of 10 clusters: 5 accounts have a cluster in each of two regions.
func small(t testing.TB) *cloud {
	t.Helper()
	c := newCloud(t, newSourceFleet(t, 5, 2, regions...))
	c.latency = 10 * time.Millisecond
	return c
}

// collected compares the snapshots of a directory with the facts that they were read from.
// It returns why clusters were not read, by ARN.
func (w *sourceFleet) collected(t testing.TB, dir string) (unread map[string]string) {
	t.Helper()
	d, err := fleet.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	unread = map[string]string{}
	for _, e := range d.Entries {
		got, err := d.Load(t.Context(), e)
		if err != nil {
			unread[e.ARN] = err.Error()
			continue
		}
		want := *w.clusters[e.ARN]
		want.APIVersion, want.Kind, want.Source, want.Read = got.APIVersion, got.Kind, got.Source, got.Read
		if got.InstanceProfileQuota != nil { // read where the cluster asks for it
			quota := w.accounts[e.Identity().Account].quota
			want.InstanceProfileQuota = &quota
		}
		if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-source +collected):\n%s", e.ARN, diff)
		}
	}
	return unread
}

// polite fails the test where something was asked twice, was throttled, or took more than
// half of a bucket.
func (c *cloud) polite(t testing.TB) {
	t.Helper()
	for _, again := range c.twice() {
		t.Errorf("asked again: %s", again)
	}
	for _, low := range c.low() {
		t.Errorf("less than half full: %s", low)
	}
	if c.throttled > 0 {
		t.Errorf("%d calls were throttled", c.throttled)
	}
}

// report is the FleetReport of a directory, without the times of the run.
func report(t testing.TB, dir string) *finding.FleetReport {
	t.Helper()
	var none *cloud
	out := none.run(t, filepath.Dir(dir), "check", "-f", filepath.Base(dir), "-o", "json", "--fail-on", "none")
	r := &finding.FleetReport{}
	if err := json.Unmarshal([]byte(out.stdout), r); err != nil || len(r.Clusters) == 0 {
		t.Fatalf("exit %d, %v\n%s%s", out.code, err, out.stdout, out.stderr)
	}
	r.Facts.PlannedAt = ""
	for i := range r.Clusters {
		r.Clusters[i].CollectedAt = ""
	}
	return r
}

// TestCollected: what is collected of clusters of every kind is what the snapshots say that
// they are served from. Nothing is asked twice, and no bucket is less than half full.
func TestCollected(t *testing.T) {
	t.Parallel()
	kinds := len(templates(t))
	c := newCloud(t, newSourceFleet(t, (kinds+3)/4, 4, regions...))
	dir := filepath.Join(t.TempDir(), "fleet")
	out := c.run(t, "", snapshotArgs(dir, "--parallel", "32")...)
	if out.code != 0 {
		t.Errorf("exit %d\n%s", out.code, out.stderr)
	}
	if unread := c.collected(t, dir); len(unread) > 0 {
		t.Errorf("not read: %v", unread)
	}
	if d, err := fleet.Open(t.Context(), dir); err != nil || len(d.Entries) != len(c.clusters) || kinds < 40 {
		t.Errorf("%v: %d kinds, %d of %d clusters planned", err, kinds, len(d.Entries), len(c.clusters))
	}
	c.polite(t)
	if n := c.connections.Load(); n > int64(2*len(c.clusters)) {
		t.Errorf("%d connections to the API servers of %d clusters", n, len(c.clusters))
	}
}

// TestFaults: an account that gives no answer, one whose role cannot be assumed and one whose
// credentials have expired cost themselves, each in one row, and so does a cluster whose
// answer does not come in time.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := small(t)
	ids := sorted(c.accounts)
	hanging, refusing, expired := ids[1], ids[2], ids[3]
	slow := c.clustersOf(&call{account: ids[0], region: regions[0]})[0].Cluster.ARN
	c.fault = func(of *call) bool {
		switch {
		case of.account == hanging, of.operation == "clusters/"+arnName(slow)+"/node-groups" && of.account == ids[0]:
			<-of.r.Context().Done()
		case of.operation == "AssumeRole" && strings.Contains(of.r.Form.Get("RoleArn"), refusing):
			of.fail(http.StatusForbidden, "AccessDenied", "not authorized to perform sts:AssumeRole")
		case of.account == expired:
			of.fail(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
		default:
			return false
		}
		return true
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	out := c.run(t, "", snapshotArgs(dir, "--timeout", "5s")...)
	if out.code != 3 {
		t.Errorf("exit %d\n%s", out.code, out.stderr)
	}
	unread := c.collected(t, dir)
	if len(unread) != 1 || !strings.Contains(unread[slow], "--timeout 5s") {
		t.Errorf("not read: %v", unread)
	}
	rows := map[string]string{}
	read := 0
	for _, row := range report(t, dir).Clusters {
		switch {
		case row.Read && row.MissingFacts == 0:
			read++
		case row.Read:
			t.Errorf("%s: %d facts are missing", row.Cluster.ARN, row.MissingFacts)
		case row.Cluster.ARN == "":
			rows[row.Cluster.Account] += row.Reason + "\n"
		}
	}
	for account, want := range map[string]string{hanging: "no answer in time", refusing: "cannot be assumed", expired: "expired"} {
		if reason := rows[account]; strings.Count(reason, "\n") != 1 || !strings.Contains(reason, want) {
			t.Errorf("account %s: %q, want one row with %q", account, reason, want)
		}
	}
	if read != 3 || len(rows) != 3 {
		t.Errorf("%d clusters read, want 3; accounts not read: %v", read, rows)
	}
}

func arnName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// TestKilled: a run that is killed at any point is not complete, and the next one goes on
// where it was: the report is that of a run that nothing interrupted, and what was read whole
// is not read again.
func TestKilled(t *testing.T) {
	t.Parallel()
	c := small(t)
	whole := filepath.Join(t.TempDir(), "fleet")
	if out := c.run(t, "", snapshotArgs(whole)...); out.code != 0 {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	want := report(t, whole)
	all := c.total("") - c.total("kubernetes:")
	for _, percent := range []int{50, 75} { // of the calls
		c.forget()
		dir := filepath.Join(t.TempDir(), "fleet")
		ctx, kill := context.WithCancel(t.Context())
		var calls atomic.Int64
		c.fault = func(*call) bool {
			if calls.Add(1) >= int64(all*percent/100) {
				kill() // with SIGKILL
			}
			return false
		}
		cmd := c.command(ctx, snapshotArgs(dir, "--parallel", "2")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err == nil || ctx.Err() == nil {
			t.Fatalf("the run was not killed: %v\n%s", err, stderr.String())
		}
		kill()
		c.fault = nil
		unread := c.collected(t, dir)
		if len(unread) == 0 || len(unread) == len(c.clusters) {
			t.Errorf("%d of %d clusters are not read when the run was killed", len(unread), len(c.clusters))
		}
		r := report(t, dir)
		if r.Summary.NotRead != len(unread) {
			t.Errorf("the report says that %d clusters are not read, want %d", r.Summary.NotRead, len(unread))
		}
		for _, row := range r.Clusters {
			if !row.Read && !strings.HasPrefix(row.Reason, "it has no snapshot: the run ended before") {
				t.Errorf("%s is not read: %s", row.Cluster.ARN, row.Reason)
			}
		}
		c.forget()
		if out := c.run(t, "", snapshotArgs(dir, "--max-age", "1h")...); out.code != 0 {
			t.Errorf("exit %d\n%s", out.code, out.stderr)
		}
		if diff := cmp.Diff(want, report(t, dir)); diff != "" {
			t.Errorf("after %d %% (-whole +resumed):\n%s", percent, diff)
		}
		again := 0
		for _, key := range sorted(c.calls) {
			if strings.Contains(key, "/node-groups ") && !strings.Contains(key, "/node-groups/") {
				again++
			}
		}
		if again != len(unread) {
			t.Errorf("%d clusters were read again, want %d", again, len(unread))
		}
		c.polite(t)
	}
}

// TestShards: the parts of a fleet give the report of the whole, however many they are and in
// whatever order they run, and all of them ask for no more than one run does.
func TestShards(t *testing.T) {
	t.Parallel()
	c := small(t)
	whole := filepath.Join(t.TempDir(), "fleet")
	if out := c.run(t, "", snapshotArgs(whole)...); out.code != 0 {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	want := report(t, whole)
	for _, order := range [][]int{{2, 1}, {5, 7, 1, 3, 4, 2, 6}} {
		dir := filepath.Join(t.TempDir(), "fleet")
		for i, k := range order {
			c.forget()
			if out := c.run(t, "", snapshotArgs(dir, "--shard", fmt.Sprintf("%d/%d", k, len(order)))...); out.code != 0 {
				t.Errorf("shard %d: exit %d\n%s", k, out.code, out.stderr)
			}
			c.polite(t)
			if r := report(t, dir); i < len(order)-1 && r.Complete() {
				t.Errorf("complete without shards %v of %v", order[i+1:], order)
			}
		}
		if diff := cmp.Diff(want, report(t, dir)); diff != "" {
			t.Errorf("%d shards (-whole +shards):\n%s", len(order), diff)
		}
	}
}

// limit is the time that the limits of the program allow at best: that of the account or the
// region which is asked the most and, where --parallel is what limits, that of all calls that
// came one after the other.
func (c *cloud) limit(parallel int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The program's own rates: at most half of the buckets.
	var longest time.Duration
	for key, calls := range c.perBucket {
		b := c.buckets[key]
		rate, burst := float64(b.Limit())/2, float64(b.Burst())/2
		longest = max(longest, time.Duration((float64(calls)-burst)/rate*float64(time.Second)))
	}
	return max(longest, time.Duration(c.levels())*c.latency/time.Duration(parallel))
}

// BenchmarkFleet reads 1,000 clusters in 200 accounts, 50 ms for each call.
func BenchmarkFleet(b *testing.B) { benchmarkFleet(b, newSourceFleet(b, 200, 5, exampleRegion)) }

// BenchmarkUneven reads 10 accounts with 20 clusters each, which are more accounts than places
// and as many clusters as their rate allows in 40 seconds, and 200 accounts with one cluster.
func BenchmarkUneven(b *testing.B) {
	w := newSourceFleet(b, 210, 1, exampleRegion)
	kinds := templates(b)
	for i, id := range sorted(w.accounts)[:10] {
		for j := range 19 {
			from := kinds[(i*10+j/2)%len(kinds)]
			p := place{id, exampleRegion, fmt.Sprintf("more-%02d-%s", j, from.name)}
			w.add(b, p, from.source(b, p))
		}
	}
	w.connect()
	benchmarkFleet(b, w)
}

func benchmarkFleet(b *testing.B, w *sourceFleet) {
	b.Helper()
	const parallel = 8
	clusters := float64(len(w.clusters))
	c := newCloud(b, w)
	c.latency = 50 * time.Millisecond
	for b.Loop() {
		c.forget()
		dir := filepath.Join(b.TempDir(), "fleet")
		out := c.run(b, "", snapshotArgs(dir, "--parallel", fmt.Sprint(parallel))...)
		if out.code != 0 {
			b.Fatalf("exit %d\n%s", out.code, out.stderr)
		}
		if unread := c.collected(b, dir); len(unread) > 0 {
			b.Errorf("%d clusters not read", len(unread))
		}
		c.polite(b)
		limit := c.limit(parallel)
		figures := []struct {
			unit  string
			value float64
		}{
			{"s-wall", out.took.Seconds()},
			{"s-limit", limit.Seconds()},
			{"s-cpu", out.cpu.Seconds()},
			{"MiB-peak", float64(out.peak) / 1024},
			{"calls", float64(c.total(""))},
			{"levels/cluster", float64(c.levels()) / clusters},
			{"connections/cluster", float64(c.connections.Load()) / clusters},
			{"ms-stall", float64(c.stall.Milliseconds())},
		}
		for _, f := range figures {
			b.ReportMetric(f.value, f.unit)
		}
		if out.took > limit*12/10 {
			b.Errorf("it took more than 1.2 × the limit: %v", figures)
		}
		if out.peak > 400<<10 {
			b.Errorf("peak memory %d MiB", out.peak>>10)
		}
	}
}

// BenchmarkCheckDirectory checks 1,000 snapshots. It may take 30 seconds of CPU, which are 15
// seconds on two cores.
func BenchmarkCheckDirectory(b *testing.B) {
	w := newSourceFleet(b, 200, 5, exampleRegion)
	dir := filepath.Join(b.TempDir(), "fleet")
	plan := &fleet.Plan{PlannedAt: time.Now(), NotBefore: time.Now().Add(-time.Hour)}
	for _, arn := range sorted(w.clusters) {
		plan.Targets = append(plan.Targets, fleet.Target{ARN: arn})
	}
	if err := plan.Write(dir); err != nil {
		b.Fatal(err)
	}
	for _, target := range plan.Targets {
		facts := *w.clusters[target.ARN]
		facts.APIVersion, facts.Kind, facts.Source.CollectedAt = "noderole.dev/v1alpha1", "Snapshot", time.Now()
		if err := fleet.WriteSnapshot(dir, target, &facts); err != nil {
			b.Fatal(err)
		}
	}
	var none *cloud
	var cpu time.Duration
	for b.Loop() {
		out := none.run(b, filepath.Dir(dir), "check", "-f", filepath.Base(dir), "-o", "json", "--fail-on", "none")
		r := &finding.FleetReport{}
		if err := json.Unmarshal([]byte(out.stdout), r); err != nil || r.Summary.Planned != 1000 || r.Summary.NotRead != 0 {
			b.Fatalf("exit %d, %v, %+v\n%s", out.code, err, r.Summary, out.stderr)
		}
		cpu += out.cpu
		b.ReportMetric(out.took.Seconds(), "s-wall")
		b.ReportMetric(float64(out.peak)/1024, "MiB-peak")
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "s-cpu/op")
	if each := cpu / time.Duration(b.N); each > 30*time.Second {
		b.Errorf("%s of CPU", each)
	}
}
