package fleetsim_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
)

// collected compares the snapshots of a directory with the facts that they were read from.
// It returns the clusters that were not read.
func (w *world) collected(t *testing.T, dir string) (unread []string) {
	t.Helper()
	d, err := fleet.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Entries) == 0 {
		t.Fatal("nothing was planned")
	}
	for _, e := range d.Entries {
		got, err := d.Load(t.Context(), e)
		if err != nil {
			unread = append(unread, err.Error())
			continue
		}
		want := *w.clusters[e.ARN]
		want.APIVersion, want.Kind, want.Source = got.APIVersion, got.Kind, got.Source
		if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-source +collected):\n%s", e.ARN, diff)
		}
	}
	return unread
}

// TestCollected: what is collected of a fleet is what the snapshots say that it is served
// from, nothing is asked twice, and no bucket is less than half full.
func TestCollected(t *testing.T) {
	w := newWorld(t, 8, 16, "eu-west-1", "us-east-1")
	c := newCloud(t, w)
	dir := t.TempDir() + "/fleet"
	out := c.run(t, snapshotArgs(dir)...)
	t.Logf("%s%s%v %v", out.stdout, out.stderr, out.took, out.cpu)
	for _, u := range w.collected(t, dir) {
		t.Error(u)
	}
	if again := c.twice(); len(again) > 0 {
		t.Errorf("asked twice: %v", again)
	}
	if low := c.low(); len(low) > 0 || c.throttled > 0 {
		t.Errorf("%d throttled, %v", c.throttled, low)
	}
}

func TestThousand(t *testing.T) {
	w := newWorld(t, 200, 5, "eu-west-1")
	c := newCloud(t, w)
	c.latency = 50 * time.Millisecond
	for _, parallel := range []string{"8", "32"} {
		c.forget()
		dir := t.TempDir() + "/fleet"
		out := c.run(t, snapshotArgs(dir, "--parallel", parallel)...)
		t.Logf("%s: %s%s%v cpu %v peak %d MiB", parallel, out.stdout, out.stderr, out.took, out.cpu, out.peak>>10)
		t.Logf("twice: %v low: %v throttled %d", c.twice(), c.low(), c.throttled)
	}
}

func TestSmall(t *testing.T) {
	w := newWorld(t, 20, 5, "eu-west-1")
	c := newCloud(t, w)
	c.latency = 50 * time.Millisecond
	for _, parallel := range []string{"8"} {
		c.forget()
		dir := t.TempDir() + "/fleet"
		out := c.run(t, snapshotArgs(dir, "--parallel", parallel, "--trace", "/tmp/trace-"+parallel+".json")...)
		t.Logf("%s: %s%s%v cpu %v peak %d MiB", parallel, out.stdout, out.stderr, out.took, out.cpu, out.peak>>10)
	}
}
