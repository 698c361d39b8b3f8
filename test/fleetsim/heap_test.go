package fleetsim_test

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet/live"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

func TestHeap(t *testing.T) {
	w := newWorld(t, 200, 5, "eu-west-1")
	c := newCloud(t, w)
	c.latency = 50 * time.Millisecond
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
	stats := func(what string) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%s: heap %d MiB, goroutines %d", what, m.HeapAlloc>>20, runtime.NumGoroutine())
		f, _ := os.Create("/tmp/heap-" + what + ".pb.gz")
		_ = pprof.WriteHeapProfile(f)
		f.Close()
	}
	stats("start")
	found, err := live.Find(t.Context(), live.Options{
		Targets: &fleet.Targets{Include: []fleet.Include{{Organization: true, RoleName: readerRole, ExternalID: externalID}}},
		Getenv:  func(string) string { return "" },
		AWS:     aws.Config{Region: "eu-west-1", Env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA" + ownAccount, "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": c.aws.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	stats("found")
	dir := t.TempDir()
	plan := &fleet.Plan{PlannedAt: time.Now(), NotBefore: time.Now(), Targets: found.Targets, Unread: found.Unread}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	n := 0
	if err := fleet.Collect(t.Context(), dir, plan, fleet.Options{Read: func(ctx context.Context, t fleet.Target) (*snapshot.Snapshot, error) { return found.Read(ctx, t) }, Close: found.Close, Limit: time.Minute, Progress: func(o fleet.Outcome) {
		if n++; n == 700 {
			stats("at700")
		}
	}}); err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(began))
	stats("end")
}
