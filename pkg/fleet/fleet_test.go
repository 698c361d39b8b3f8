package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// began is when the plans of the tests are made.
var began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func target(account int, region, name string) fleet.Target {
	return fleet.Target{ARN: fmt.Sprintf("arn:aws:eks:%s:%012d:cluster/%s", region, account, name)}
}

// facts are those of a cluster, read at a time.
func facts(t fleet.Target, at time.Time) *snapshot.Snapshot {
	return &snapshot.Snapshot{
		APIVersion: snapshot.APIVersion, Kind: snapshot.Kind, Source: snapshot.Source{CollectedAt: at},
		Cluster: snapshot.Cluster{ARN: t.ARN},
	}
}

func plan(targets ...fleet.Target) *fleet.Plan {
	return &fleet.Plan{PlannedAt: began, NotBefore: began, Targets: targets}
}

// at is a clock that stands still.
func at(when time.Time) func() time.Time { return func() time.Time { return when } }

// state is what a directory says of each cluster: read, or why not.
func state(tb rapid.TB, dir string) map[string]string {
	tb.Helper()
	d, err := fleet.Open(context.Background(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range d.Entries {
		s, err := d.Load(context.Background(), e)
		var unread *fleet.NotReadError
		switch {
		case errors.As(err, &unread):
			out[e.ARN] = unread.Reason
		case err != nil:
			tb.Fatal(err)
		default:
			out[e.ARN] = "read " + s.Cluster.ARN
		}
	}
	return out
}

// drawTargets draws clusters of some accounts.
func drawTargets(t *rapid.T) []fleet.Target {
	n := rapid.IntRange(1, 15).Draw(t, "clusters")
	var targets []fleet.Target
	for i := range n {
		targets = append(targets, target(rapid.IntRange(1, 6).Draw(t, "account"), rapid.SampledFrom([]string{"eu-west-1", "us-east-1"}).Draw(t, "region"), fmt.Sprintf("c-%d", i)))
	}
	return targets
}

// TestShardsAndOrder: however a selection is divided into shards, in whatever order and with
// how many clusters at once it is read, the directory says the same; every account is in one
// shard; nothing is read twice.
func TestShardsAndOrder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		targets := drawTargets(t)
		fails := map[string]bool{}
		for _, c := range targets {
			fails[c.ARN] = rapid.IntRange(0, 4).Draw(t, "fails") == 0
		}
		of := rapid.IntRange(1, 5).Draw(t, "shards")
		runs++
		whole, sharded := filepath.Join(root, fmt.Sprint(runs), "whole"), filepath.Join(root, fmt.Sprint(runs), "sharded")
		collect := func(dir string, p *fleet.Plan, parallel int) {
			if err := p.Write(dir); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			read := map[string]int{}
			closed := map[string]bool{}
			err := fleet.Collect(context.Background(), dir, p, fleet.Options{
				Parallel: parallel, Now: at(began.Add(time.Minute)),
				Close: func(account string) {
					mu.Lock()
					defer mu.Unlock()
					closed[account] = true
				},
				Read: func(_ context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
					mu.Lock()
					read[c.ARN]++
					early := closed[c.Identity().Account]
					mu.Unlock()
					if early {
						return nil, errors.New("the account was closed before its last cluster")
					}
					if fails[c.ARN] {
						return nil, &problem.Error{Problem: "refused " + c.ARN, Next: "ask"}
					}
					return facts(c, began.Add(time.Second)), nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Targets {
				if read[c.ARN] != 1 || !closed[c.Identity().Account] {
					t.Fatalf("%s was read %d times, its account closed: %t", c.ARN, read[c.ARN], closed[c.Identity().Account])
				}
			}
		}
		collect(whole, plan(targets...), rapid.IntRange(1, 8).Draw(t, "parallel"))
		shards := rapid.Permutation(func() (list []fleet.Shard) {
			for k := range of {
				list = append(list, fleet.Shard{Number: k + 1, Of: of})
			}
			return list
		}()).Draw(t, "order")
		in := map[string]int{}
		for _, s := range shards {
			p := plan()
			p.Shard = s
			for _, c := range rapid.Permutation(targets).Draw(t, "targets") {
				if s.Has(c.Identity().Account) {
					p.Targets = append(p.Targets, c)
					in[c.ARN]++
				}
			}
			collect(sharded, p, rapid.IntRange(1, 8).Draw(t, "parallel"))
		}
		for _, c := range targets {
			if in[c.ARN] != 1 {
				t.Fatalf("%s is in %d shards", c.ARN, in[c.ARN])
			}
		}
		inWhole := state(t, whole)
		if diff := cmp.Diff(inWhole, state(t, sharded)); diff != "" {
			t.Fatalf("(-whole +sharded):\n%s", diff)
		}
		for arn, said := range inWhole {
			if want := map[bool]string{true: "refused " + arn, false: "read " + arn}[fails[arn]]; said != want {
				t.Fatalf("%s: %s, want %s", arn, said, want)
			}
		}
		if d, err := fleet.Open(context.Background(), sharded); err != nil || len(d.Unread) > 0 || len(d.Skipped) > 0 {
			t.Fatalf("%v, %+v", err, d)
		}
	})
}

// TestResume: a run that ends anywhere leaves what it has read, and never looks complete. The
// next run with --max-age reads only what is not there, and the directory is then as after
// one run.
func TestResume(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		targets := drawTargets(t)
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		ends := rapid.IntRange(0, len(targets)).Draw(t, "ends after")
		var mu sync.Mutex
		read := map[string]int{}
		// The process is killed: what has been written stays, nothing else happens.
		ctx, kill := context.WithCancel(context.Background())
		defer kill()
		reader := func(when time.Time) func(context.Context, fleet.Target) (*snapshot.Snapshot, error) {
			return func(ctx context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
				mu.Lock()
				defer mu.Unlock()
				if len(read) == ends && when.Equal(began) {
					kill()
					return nil, ctx.Err()
				}
				read[c.ARN]++
				return facts(c, when), nil
			}
		}
		p := plan(targets...)
		if err := p.Write(dir); err != nil {
			t.Fatal(err)
		}
		err := fleet.Collect(ctx, dir, p, fleet.Options{Read: reader(began), Parallel: rapid.IntRange(1, 4).Draw(t, "parallel")})
		if ends < len(targets) && !errors.Is(err, context.Canceled) || ends == len(targets) && err != nil {
			t.Fatalf("after %d of %d: %v", ends, len(targets), err)
		}
		kept := 0
		for arn, said := range state(t, dir) {
			if want := map[bool]string{true: "read " + arn, false: "it has no snapshot: the run ended before"}[read[arn] > 0]; said != want && read[arn] == 0 {
				t.Fatalf("%s: %s, want %s", arn, said, want)
			}
			if strings.HasPrefix(said, "read ") {
				kept++
			}
		}
		// The second run may take what is not older than an hour.
		later := began.Add(30 * time.Minute)
		again := &fleet.Plan{PlannedAt: later, NotBefore: later.Add(-time.Hour), Targets: targets}
		if err := again.Write(dir); err != nil {
			t.Fatal(err)
		}
		before := len(targets) - kept
		clear(read)
		outcomes := 0
		err = fleet.Collect(context.Background(), dir, again, fleet.Options{Read: reader(later), Progress: func(o fleet.Outcome) {
			if o.Kept {
				outcomes++
			}
		}})
		if err != nil || len(read) != before || outcomes != kept {
			t.Fatalf("read %d, want %d; kept %d, want %d: %v", len(read), before, outcomes, kept, err)
		}
		for arn, said := range state(t, dir) {
			if said != "read "+arn {
				t.Fatalf("%s: %s", arn, said)
			}
		}
	})
}

// TestCostsItself: a cluster that hangs, that answers for another one, or whose reader does
// not know of the context costs itself, within the limit.
func TestCostsItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{"deaf", "hangs", "other", "well"}
	var targets []fleet.Target
	for i, name := range names {
		targets = append(targets, target(i, "eu-west-1", name))
	}
	p := plan(targets...)
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	start := time.Now()
	err := fleet.Collect(t.Context(), dir, p, fleet.Options{
		Limit: 100 * time.Millisecond, Now: at(began),
		Read: func(ctx context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
			switch c.Identity().Name() {
			case "deaf":
				<-release
			case "hangs":
				<-ctx.Done()
				return nil, ctx.Err()
			case "other":
				return facts(targets[0], began), nil
			}
			return facts(c, began), nil
		},
	})
	if took := time.Since(start); err != nil || took > 5*time.Second {
		t.Fatalf("%v in %s", err, took)
	}
	said := state(t, dir)
	for i, want := range []string{"it was not read within --timeout 100ms", "it was not read within --timeout 100ms", "AWS answered with another cluster", "read "} {
		if got := said[targets[i].ARN]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", names[i], got, want)
		}
	}
}

// TestNeverComplete: whatever happens to one file of a directory, its cluster is read or not
// read, and no other cluster changes.
func TestNeverComplete(t *testing.T) {
	t.Parallel()
	a, b := target(1, "eu-west-1", "a"), target(1, "eu-west-1", "b")
	made := func(t *testing.T) string {
		dir := t.TempDir()
		if err := plan(a, b).Write(dir); err != nil {
			t.Fatal(err)
		}
		for _, c := range []fleet.Target{a, b} {
			if err := fleet.WriteSnapshot(dir, c, facts(c, began)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	text := func(t *testing.T, dir string, c fleet.Target) []byte {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(c.SnapshotFile())))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, dir, file string)
		want   string
	}{
		"removed":                         {func(_ *testing.T, _, file string) { _ = os.Remove(file) }, "it has no snapshot"},
		"empty":                           {func(_ *testing.T, _, file string) { _ = os.WriteFile(file, nil, 0o600) }, "its snapshot cannot be used: is empty"},
		"a folder":                        {func(_ *testing.T, _, file string) { _ = os.Remove(file); _ = os.Mkdir(file, 0o700) }, "its snapshot cannot be used"},
		"another's":                       {func(t *testing.T, dir, file string) { _ = os.WriteFile(file, text(t, dir, b), 0o600) }, "its snapshot is of another cluster"},
		"not compressed, and no snapshot": {func(_ *testing.T, _, file string) { _ = os.WriteFile(file, []byte("kind: Pod"), 0o600) }, "its snapshot cannot be used"},
		"a later failure": {func(t *testing.T, dir, _ string) {
			if err := fleet.WriteFailure(dir, a, began.Add(time.Hour), errors.New("refused\nby AWS")); err != nil {
				t.Fatal(err)
			}
		}, "refused by AWS"},
		"an older failure": {func(t *testing.T, dir, _ string) {
			if err := fleet.WriteFailure(dir, a, began.Add(-time.Hour), errors.New("refused")); err != nil {
				t.Fatal(err)
			}
		}, "read "},
		"older than the run": {func(t *testing.T, dir, _ string) {
			if err := fleet.WriteSnapshot(dir, a, facts(a, began.Add(-time.Second))); err != nil {
				t.Fatal(err)
			}
		}, "its snapshot of 2026-11-01T11:59:59Z is older than this run"},
		"without a time": {func(t *testing.T, dir, _ string) {
			if err := fleet.WriteSnapshot(dir, a, facts(a, time.Time{})); err != nil {
				t.Fatal(err)
			}
		}, "is older than this run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := made(t)
			test.change(t, dir, filepath.Join(dir, filepath.FromSlash(a.SnapshotFile())))
			said := state(t, dir)
			if !strings.HasPrefix(said[a.ARN], test.want) && !strings.Contains(said[a.ARN], test.want) || said[b.ARN] != "read "+b.ARN {
				t.Errorf("%v, want %s", said, test.want)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		dir := made(t)
		whole := text(t, dir, a)
		for n := range whole {
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(a.SnapshotFile())), whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if said := state(t, dir)[a.ARN]; !strings.HasPrefix(said, "its snapshot cannot be used: ") {
				t.Errorf("after %d of %d bytes: %s", n, len(whole), said)
			}
		}
	})
}

// TestOpenRefuses: a directory without a plan of this version is an error; one bad plan of
// several is named and its clusters are not taken for all.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, text, want string }{
		"no plan":         {"notes.txt", "x", "has no plan.yaml"},
		"another version": {"plan.yaml", "apiVersion: noderole.dev/v2\nkind: FleetPlan\nnew: field\n", `"noderole.dev/v2", "FleetPlan" is not`},
		"another kind":    {"plan.yaml", "apiVersion: noderole.dev/v1alpha1\nkind: Snapshot\n", `"Snapshot" is not`},
		"no YAML":         {"plan.yaml", "{", "it is not one YAML document"},
		"empty":           {"plan.yaml", "", "it is not one YAML document"},
		"a list":          {"plan.yaml", "- a\n", "it is not a FleetPlan"},
		"a path in a name": {
			"plan.yaml", "apiVersion: noderole.dev/v1alpha1\nkind: FleetPlan\ntargets: [{arn: 'arn:aws:eks:eu-west-1:111122223333:cluster/../../x'}]\n",
			"is not the ARN of an EKS cluster",
		},
		"a path in a region": {
			"plan.yaml", "apiVersion: noderole.dev/v1alpha1\nkind: FleetPlan\ntargets: [{arn: 'arn:aws:eks:..:111122223333:cluster/x'}]\n",
			"is not the ARN of an EKS cluster",
		},
		"another shard's plan": {"plan-1-of-2.yaml", "apiVersion: noderole.dev/v1alpha1\nkind: FleetPlan\n", "it says that it is shard 0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			bad := func() {
				if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			bad()
			_, err := fleet.Open(t.Context(), dir)
			var p *problem.Error
			if !errors.As(err, &p) || !strings.Contains(p.Problem, test.want) || p.Next == "" {
				t.Fatalf("%v, want %s", err, test.want)
			}
			good := plan(target(1, "eu-west-1", "a"))
			good.Shard = fleet.Shard{Number: 2, Of: 2}
			if err := good.Write(dir); err != nil {
				t.Fatal(err)
			}
			bad()
			d, err := fleet.Open(t.Context(), dir)
			if err != nil || len(d.Entries) != 1 || len(d.Unread) == 0 || len(d.Skipped) != 1 || d.Skipped[0].Name != test.file {
				t.Errorf("with a second plan: %v %+v", err, d)
			}
		})
	}
}

// TestSkipped: files that belong to no planned cluster are named, and change nothing.
func TestSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, gone := target(1, "eu-west-1", "a"), target(2, "eu-west-1", "gone")
	if err := plan(a).Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range []fleet.Target{a, gone} {
		if err := fleet.WriteSnapshot(dir, c, facts(c, began)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"000000000001/eu-west-1/.a.yaml.gz.0123", "report.html"} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := fleet.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.Skipped{
		{"000000000001/eu-west-1/.a.yaml.gz.0123", "its writing was interrupted"},
		{"000000000002/eu-west-1/gone.yaml.gz", "no plan has this cluster"},
		{"report.html", "it is not a file of a fleet"},
	}
	if diff := cmp.Diff(want, d.Skipped); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if said := state(t, dir); len(said) != 1 || said[a.ARN] != "read "+a.ARN {
		t.Errorf("%v", said)
	}
	// Nobody else may read what describes permissions.
	_ = filepath.WalkDir(dir, func(name string, f fs.DirEntry, err error) error {
		if info, infoErr := f.Info(); err == nil && infoErr == nil && strings.HasSuffix(name, ".gz") && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
		return err
	})
}

func TestParseShard(t *testing.T) {
	for _, good := range []string{"1/1", "3/16", "16/16"} {
		if s, err := fleet.ParseShard(good); err != nil || s.String() != good {
			t.Errorf("%s: %v, %v", good, s, err)
		}
	}
	if s, err := fleet.ParseShard("0/3"); err != nil || s.String() != "3/3" {
		t.Errorf("the first index of a Job: %v, %v", s, err)
	}
	for _, bad := range []string{"", "3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1 /3", "01/3", "1/99999", "1/3 "} {
		if s, err := fleet.ParseShard(bad); err == nil {
			t.Errorf("%q: %v", bad, s)
		}
	}
}

// TestOtherDivision: a directory has plans of one division only, so that a part that nobody
// reads any more is not taken for one of this run.
func TestOtherDivision(t *testing.T) {
	dir := t.TempDir()
	a := target(1, "eu-west-1", "a")
	for _, step := range []struct {
		shard fleet.Shard
		want  []string
	}{
		{fleet.Shard{}, []string{"plan.yaml"}},
		{fleet.Shard{Number: 1, Of: 3}, []string{"plan-1-of-3.yaml"}},
		{fleet.Shard{Number: 3, Of: 3}, []string{"plan-1-of-3.yaml", "plan-3-of-3.yaml"}},
		{fleet.Shard{Number: 2, Of: 2}, []string{"plan-2-of-2.yaml"}},
		{fleet.Shard{}, []string{"plan.yaml"}},
	} {
		if err := (&fleet.Plan{Shard: step.shard, Targets: []fleet.Target{a}}).Write(dir); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "plan*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		if !slices.Equal(files, step.want) {
			t.Errorf("after shard %s the directory has %v, not %v", step.shard, files, step.want)
		}
	}
}

// TestFair: accounts with many clusters and with few are read side by side, no account with
// more at once than it must.
func TestFair(t *testing.T) {
	t.Parallel()
	var targets []fleet.Target
	for account, n := range []int{20, 3, 3, 1} {
		for i := range n {
			targets = append(targets, target(account, "eu-west-1", fmt.Sprintf("c-%d", i)))
		}
	}
	dir := t.TempDir()
	p := plan(targets...)
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var most []int
	inFlight := map[string]int{}
	err := fleet.Collect(t.Context(), dir, p, fleet.Options{Parallel: 4, Read: func(_ context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
		account := c.Identity().Account
		mu.Lock()
		inFlight[account]++
		if len(most) < 4 {
			most = append(most, inFlight[account])
		}
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		inFlight[account]--
		mu.Unlock()
		return facts(c, began), nil
	}})
	if err != nil || !slices.Equal(most, []int{1, 1, 1, 1}) {
		t.Errorf("%v, the first four: %v", err, most)
	}
}

// TestPlanIsReadable: the plan is the same text for the same targets in any order.
func TestPlanIsReadable(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	one, two := target(1, "eu-west-1", "a"), target(1, "eu-west-1", "b")
	if err := errors.Join(plan(one, two, one).Write(a), plan(two, one).Write(b)); err != nil {
		t.Fatal(err)
	}
	x, err := os.ReadFile(filepath.Join(a, "plan.yaml"))
	y, err2 := os.ReadFile(filepath.Join(b, "plan.yaml"))
	if err != nil || err2 != nil || !bytes.Equal(x, y) || !bytes.Contains(x, []byte("kind: FleetPlan\n")) {
		t.Errorf("%v %v\n%s\n%s", err, err2, x, y)
	}
}

// TestTurns: accounts of one size take turns, and so do the regions of an account; a larger
// account begins first.
func TestTurns(t *testing.T) {
	t.Parallel()
	var order []string
	p := plan(
		target(1, "eu-west-1", "a"), target(1, "eu-west-1", "b"), target(1, "us-east-1", "a"),
		target(2, "eu-west-1", "a"), target(2, "eu-west-1", "b"), target(3, "eu-west-1", "a"), target(3, "eu-west-1", "b"),
	)
	err := fleet.Collect(t.Context(), t.TempDir(), p, fleet.Options{Parallel: 1, Read: func(_ context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
		id := c.Identity()
		order = append(order, id.Account[11:]+id.Region[:2]+id.Name())
		return facts(c, began), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields("1eua 1usa 2eua 3eua 1eub 2eub 3eub"), order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRemains: what a run that was killed wrote in part of the plan's clusters is removed by
// the next run. A file that is younger than the plan, or of no planned cluster, stays.
func TestRemains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := target(1, "eu-west-1", "a")
	folder := filepath.Join(dir, filepath.Dir(c.SnapshotFile()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	stays := map[string]bool{
		".a.yaml.gz.0123456789abcdef": false, ".a.error.yaml.0123456789abcdef": false,
		".a.yaml.gz.fedcba9876543210": true, // of a run at the same time
		".b.yaml.gz.0123456789abcdef": true, ".a.yaml.gz": true,
	}
	for name := range stays {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		age := began.Add(-time.Hour)
		if strings.Contains(name, "fedc") {
			age = began.Add(time.Hour)
		}
		if err := os.Chtimes(file, age, age); err != nil {
			t.Fatal(err)
		}
	}
	err := fleet.Collect(t.Context(), dir, plan(c), fleet.Options{Read: func(_ context.Context, c fleet.Target) (*snapshot.Snapshot, error) { return facts(c, began), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range stays {
		if _, err := os.Lstat(filepath.Join(folder, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it to stay: %t", name, err, want)
		}
	}
}
