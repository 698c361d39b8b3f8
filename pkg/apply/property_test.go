package apply

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// draft is a plan that is being drawn, with the store as it is after its steps so far. As
// in the planner's plans, nothing returns to a state that it had before.
type draft struct {
	*rapid.T
	after              *memoryStore
	replaced, attached map[string]bool
	documents          int
}

// add draws what one step does to one thing or to things that hang together.
func (d *draft) add() []change.Change {
	n := rapid.IntRange(0, 1).Draw(d.T, "which")
	name := fmt.Sprint(n)
	applied := func(c change.Change) change.Change { // from what is there to what c wants
		c.Before = d.after.there[c.Target()]
		d.after.put(c)
		return c
	}
	trust := func() change.Change {
		d.documents++
		return applied(change.Change{Kind: change.TrustPolicy, Name: name, After: &change.State{Document: fmt.Sprintf(`{"v":%d}`, d.documents)}})
	}
	switch rapid.IntRange(0, 4).Draw(d.T, "kind") {
	case 0:
		return []change.Change{trust()}
	case 1: // one thing, twice
		return []change.Change{trust(), trust()}
	case 2:
		if d.attached[name] {
			return []change.Change{trust()}
		}
		d.attached[name] = true
		c := attach(name)
		if d.after.there[c.Target()] != nil {
			c.After = nil
		}
		return []change.Change{applied(c)}
	case 3: // an entry is replaced, with its access policies
		entry := change.Change{Kind: change.AccessEntry, Cluster: "prod", Name: name}
		policy := change.Change{Kind: change.AccessPolicy, Cluster: "prod", Name: name, Part: "arn:p"}
		if d.replaced[name] {
			return []change.Change{trust()}
		}
		d.replaced[name] = true
		var changes []change.Change
		had := d.after.there[policy.Target()]
		if had != nil {
			changes = append(changes, applied(policy))
		}
		changes = append(changes, applied(entry))
		entry.After = &change.State{Type: rapid.SampledFrom([]string{"EC2", "EC2_LINUX"}).Draw(d.T, "type")}
		changes = append(changes, applied(entry))
		if had != nil && rapid.Bool().Draw(d.T, "keep") {
			policy.After = had
			changes = append(changes, applied(policy))
		}
		return changes
	default: // aws-node gets a role
		if d.after.there[pointer.Target()] != nil {
			return []change.Change{trust()}
		}
		c := applied(pointer)
		return []change.Change{c, applied(change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: c.After})}
	}
}

// drawPlan draws a store, a plan for it, and the store after the plan.
func drawPlan(t *rapid.T) (before *memoryStore, steps []planner.Step, after *memoryStore) {
	before = newMemoryStore()
	before.put(change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Type: change.NodeRole}})
	for _, name := range []string{"0", "1"} {
		before.put(change.Change{Kind: change.TrustPolicy, Name: name, After: &change.State{Document: `{"v":0}`}})
		before.put(change.Change{Kind: change.AccessEntry, Cluster: "prod", Name: name, After: &change.State{Type: "EC2"}})
		if rapid.Bool().Draw(t, "policy") {
			before.put(change.Change{Kind: change.AccessPolicy, Cluster: "prod", Name: name, Part: "arn:p", After: &change.State{Namespaces: []string{"a"}}})
		}
		if rapid.Bool().Draw(t, "attached") {
			before.put(attach(name))
		}
	}
	after = newMemoryStore()
	after.there, after.clock = maps.Clone(before.there), before.clock
	d := &draft{T: t, after: after, replaced: map[string]bool{}, attached: map[string]bool{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
		step := planner.Step{Title: fmt.Sprint(i), Rules: []string{"NR201"}, Subject: "s", Proof: "p"}
		for range rapid.IntRange(1, 2).Draw(t, "groups") {
			step.Changes = append(step.Changes, d.add()...)
		}
		if len(step.Changes) > 0 {
			steps = append(steps, step)
		}
	}
	return before, steps, after
}

// disturb does the work that next returns, any number of times with something that goes
// wrong, until it is done.
func (r *rig) disturb(t *rapid.T, next func(*Session) (*Work, error)) {
	tries := rapid.IntRange(0, 4).Draw(t, "tries")
	for try := 0; ; try++ {
		r.memoryStore.unreadable, r.memoryStore.writes, r.memoryStore.at = false, 0, nil
		what := none
		if try < tries {
			what = trouble(rapid.IntRange(int(refused), int(killAfter)).Draw(t, "trouble"))
			r.memoryStore.at = map[int]trouble{rapid.IntRange(0, 5).Draw(t, "at"): what}
		}
		over, err := r.attempt(next)
		if over && err == nil {
			return
		}
		if try > tries {
			t.Fatalf("it does not end: %v", err)
		}
		if !over && what == killBefore {
			r.cut(t)
		}
	}
}

// attempt finishes what an earlier attempt left and does the work that next returns; over
// is false where it is killed.
func (r *rig) attempt(next func(*Session) (*Work, error)) (over bool, err error) {
	defer func() {
		if e := recover(); e != nil {
			if _, is := e.(killed); !is {
				panic(e)
			}
			over = false
		}
	}()
	ctx, s := context.Background(), r.session()
	if err := s.Open(ctx); err != nil {
		return true, err
	}
	defer s.Close() // as the system does for a run that is killed
	work, err := s.Unfinished(ctx)
	if err != nil {
		return true, err
	}
	if work != nil {
		if _, err := s.Apply(ctx, work); err != nil {
			return true, err
		}
	}
	if work, err = next(s); err != nil {
		return true, err
	}
	_, err = s.Apply(ctx, work)
	return true, err
}

// applying is the work of a plan that was saved.
func applying(steps []planner.Step) func(*Session) (*Work, error) {
	return func(s *Session) (*Work, error) {
		return s.Plan(context.Background(), &planner.Plan{Cluster: cluster, Steps: steps}, "plan.json")
	}
}

// cut cuts the journal's last line, as a kill does while it is written.
func (r *rig) cut(t *rapid.T) {
	text, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	size := rapid.IntRange(start, len(text)).Draw(t, "cut")
	if err := os.Truncate(r.path, int64(size)); err != nil {
		t.Fatal(err)
	}
}

// TestDisturbed: a plan that is refused, loses answers and is killed at any point, and is
// gone on with, ends as one that nothing disturbs; and taking it back, as disturbed,
// leads to what was there before it.
func TestDisturbed(t *testing.T) {
	dir := t.TempDir()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		w, steps, after := drawPlan(t)
		if len(steps) == 0 {
			return
		}
		before := w.seen()
		r := &rig{memoryStore: w, path: filepath.Join(dir, fmt.Sprint(number), "done")}
		r.disturb(t, applying(steps))
		if diff := cmp.Diff(after.seen(), w.seen()); diff != "" {
			t.Fatalf("it ends otherwise (-undisturbed +got):\n%s", diff)
		}
		r.takeBack(t, before)
	})
}

// TestTakenBackHalfway: of a plan that broke off, what was made is taken back.
func TestTakenBackHalfway(t *testing.T) {
	dir := t.TempDir()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		w, steps, _ := drawPlan(t)
		if len(steps) == 0 {
			return
		}
		before := w.seen()
		r := &rig{memoryStore: w, path: filepath.Join(dir, fmt.Sprint(number), "done")}
		w.at = map[int]trouble{rapid.IntRange(0, 12).Draw(t, "at"): trouble(rapid.IntRange(int(refused), int(killAfter)).Draw(t, "trouble"))}
		if over, err := r.attempt(applying(steps)); over && err == nil {
			return
		}
		r.takeBack(t, before)
	})
}

// takeBack undoes a journal, and holds that what was there before is there again.
func (r *rig) takeBack(t *rapid.T, before map[string]change.State) {
	undone := r.path
	r.path += ".undo"
	r.disturb(t, func(s *Session) (*Work, error) { return s.Undo(context.Background(), undone) })
	if diff := cmp.Diff(before, r.memoryStore.seen()); diff != "" {
		t.Fatalf("undone (-before +got):\n%s", diff)
	}
	if len(r.memoryStore.wrong) > 0 {
		t.Fatal(r.memoryStore.wrong)
	}
	if h, err := readJournal(context.Background(), undone); err != nil || !h.ended {
		t.Fatalf("the journal that was undone: %+v, %v", h, err)
	}
}
