package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

const cluster = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"

// trouble is what goes wrong at a write.
type trouble int

const (
	none       trouble = iota
	refused            // nothing is written, and the answer says so
	lost               // it is written, and the answer is lost
	unsure             // the same, and what is there cannot be read afterwards
	killBefore         // the run is killed before it is written
	killAfter          // the run is killed after it is written
	failed             // it is accepted and comes to nothing
)

// killed is what a run that is killed panics with.
type killed struct{}

var errRefused = errors.New("refused")

// memoryStore is a Store in memory that behaves as AWS and a cluster do.
type memoryStore struct {
	mu    sync.Mutex
	there map[string]*change.State // by target
	clock int
	// at has what goes wrong at which write, counted from 0.
	at     map[int]trouble
	writes int
	// unreadable makes the next reads fail.
	unreadable bool
	// wrong is what nobody may ask of it.
	wrong []string
	// onWrite is called before a write.
	onWrite func(change.Change)
}

func newMemoryStore() *memoryStore { return &memoryStore{there: map[string]*change.State{}} }

func (w *memoryStore) State(_ context.Context, c change.Change) (*change.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unreadable {
		return nil, errors.New("cannot be read")
	}
	return w.there[c.Target()], nil
}

func (w *memoryStore) Write(ctx context.Context, c change.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onWrite != nil {
		w.onWrite(c)
	}
	what := w.at[w.writes]
	w.writes++
	if what == killBefore {
		panic(killed{})
	}
	change.Sent(ctx, what == refused)
	if what != refused {
		w.put(c)
	}
	switch what {
	case refused:
		return errRefused
	case lost:
		return errors.New("the response ended early")
	case unsure:
		w.unreadable = true
		return errors.New("the response ended early")
	case failed:
		return &change.FailedError{Reason: "it is DEGRADED"}
	case killAfter:
		panic(killed{})
	case none, killBefore:
	}
	return nil
}

// put makes a change as AWS and the cluster do: an entry goes with its access policies,
// a new one has its own time of creation, and pods get what is configured when they
// start.
func (w *memoryStore) put(c change.Change) {
	key, after := c.Target(), c.After
	switch {
	case c.Kind == change.AccessEntry && after == nil:
		for k := range w.there {
			if strings.HasPrefix(k, strings.Join([]string{string(change.AccessPolicy), c.Cluster, c.Name, ""}, " ")) {
				delete(w.there, k)
			}
		}
	case c.Kind == change.AccessEntry:
		entry := *after
		w.clock++
		entry.CreatedAt = time.Date(2030, 1, 1, 0, w.clock, 0, 0, time.UTC).Format(time.RFC3339)
		after = &entry
	case c.Kind == change.AccessPolicy && w.there[change.Change{Kind: change.AccessEntry, Cluster: c.Cluster, Name: c.Name}.Target()] == nil:
		w.wrong = append(w.wrong, c.String()+" without an entry")
		return
	case c.Kind == change.Rollout:
		after = &change.State{Type: change.NodeRole}
		if configured := w.there[pointer.Target()]; configured != nil {
			after = configured
		}
		if !change.Same(c.After, after) {
			w.wrong = append(w.wrong, fmt.Sprintf("a restart that is to lead to %+v leads to %+v", *c.After, *after))
		}
	}
	delete(w.there, key)
	if after != nil {
		w.there[key] = after
	}
}

// pointer gives aws-node its role.
var pointer = change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "prod", After: &change.State{Type: change.IRSA, Role: "own"}}

// seen is what is there, without times of creation.
func (w *memoryStore) seen() map[string]change.State {
	list := map[string]change.State{}
	for k, s := range w.there {
		state := *s
		state.CreatedAt = ""
		list[k] = state
	}
	return list
}

func attach(role string) change.Change {
	return change.Change{Kind: change.Attachment, Name: role, Part: "arn:p", After: &change.State{}}
}

// rig makes plans for a memoryStore.
type rig struct {
	memoryStore *memoryStore
	path        string
	// results are what each look at the facts shows; the last one stays.
	results [][]finding.Result
	looks   int
	err     error
	events  []string
}

func newRig(t *testing.T) *rig {
	return &rig{memoryStore: newMemoryStore(), path: filepath.Join(t.TempDir(), "state", "journal.jsonl")}
}

func (r *rig) judge(context.Context) (*view.View, []finding.Result, error) {
	if r.err != nil {
		return nil, nil, r.err
	}
	var results []finding.Result
	if len(r.results) > 0 {
		results = r.results[min(r.looks, len(r.results)-1)]
	}
	r.looks++
	return view.New(&snapshot.Snapshot{}), results, nil
}

// session is one that the rig's Store and Judge serve, and that writes to the rig's
// journal.
func (r *rig) session() *Session {
	return &Session{
		Cluster: cluster, Store: r.memoryStore, Judge: r.judge, StateDir: filepath.Dir(r.path), Journal: r.path, Tool: "test",
		ProofTimeout: 20 * time.Millisecond, PollInterval: time.Millisecond, OnEvent: func(e Event) { r.events = append(r.events, word(e)) },
	}
}

// word is an event in a line.
func word(e Event) string {
	words := map[EventKind]string{
		Locked: "locked", Warning: "warning", Begins: "begins", Changing: "changing", Changed: "changed", Kept: "kept", Waiting: "waiting", Proven: "proven",
	}
	line := words[e.Kind]
	if e.Step > 0 {
		line = fmt.Sprintf("%d/%d %s", e.Step, e.Of, line)
	}
	if e.Change.Kind != "" {
		line += " " + e.Change.String()
	}
	if e.Why != "" {
		line += " " + e.Why
	}
	return line
}

// apply applies steps as they are: those that are applied already are not left out.
func (r *rig) apply(ctx context.Context, steps []planner.Step) error {
	j, err := openJournal(r.path, cluster, "test")
	if err != nil {
		return err
	}
	defer j.close() //nolint:errcheck // closed already where it ended well
	first, err := j.plan(steps)
	if err != nil {
		return err
	}
	if err := (&run{Session: r.session(), journal: j}).steps(ctx, steps, first); err != nil {
		return err
	}
	return j.end()
}

func passes(status finding.Status) []finding.Result {
	return []finding.Result{{ID: "NR201", Status: status, Message: "denied", Subject: finding.Subject{Name: "a"}}}
}

// plan is two steps; the second wants to see something first and proves something.
func plan() []planner.Step {
	check := []planner.Check{{Rule: "NR201", Subject: "a"}}
	return []planner.Step{
		{Title: "first", Rules: []string{"NR202"}, Subject: "a", Proof: "it is there", Changes: []change.Change{attach("a"), attach("b")}},
		{Title: "second", Rules: []string{"NR201"}, Subject: "a", Proof: "NR201 passes", Changes: []change.Change{attach("c")}, Preconditions: check, Postconditions: check},
	}
}

func TestSteps(t *testing.T) {
	pass, fail := passes(finding.Pass), passes(finding.Fail)
	tests := map[string]struct {
		results [][]finding.Result
		at      map[int]trouble
		before  []change.Change
		judge   error
		err     string
		phase   Phase
		made    int // of the three things, how many are there
		marks   []string
		events  []string
	}{
		"made": {
			results: [][]finding.Result{pass}, made: 3,
			marks:  []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0", "begun 1.0", "done 1.0 wrote", "proven 1", "ended"},
			events: []string{"1/2 begins", "1/2 changing a", "1/2 changed a", "1/2 changing b", "1/2 changed b", "1/2 proven", "2/2 begins", "2/2 changing c", "2/2 changed c", "2/2 proven"},
		},
		"one is there already": {
			results: [][]finding.Result{pass}, before: []change.Change{attach("a")}, made: 3,
			marks:  []string{"begun 0.1", "done 0.1 wrote", "proven 0", "begun 1.0", "done 1.0 wrote", "proven 1", "ended"},
			events: []string{"1/2 begins", "1/2 kept a", "1/2 changing b", "1/2 changed b", "1/2 proven", "2/2 begins", "2/2 changing c", "2/2 changed c", "2/2 proven"},
		},
		"the proof comes late": {
			results: [][]finding.Result{pass, fail, pass}, made: 3,
			marks:  []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0", "begun 1.0", "done 1.0 wrote", "proven 1", "ended"},
			events: []string{"1/2 begins", "1/2 changing a", "1/2 changed a", "1/2 changing b", "1/2 changed b", "1/2 proven", "2/2 begins", "2/2 changing c", "2/2 changed c", "2/2 waiting NR201: denied", "2/2 proven"},
		},
		"a write is refused": {
			results: [][]finding.Result{pass}, at: map[int]trouble{1: refused}, made: 1, phase: Applying, err: "step 1 (first) was applied in part, 1 of 2 changes: refused",
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1"},
		},
		"an answer is lost": {
			results: [][]finding.Result{pass}, at: map[int]trouble{0: lost}, made: 3,
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0", "begun 1.0", "done 1.0 wrote", "proven 1", "ended"},
		},
		"whether it was made is unknown": {
			results: [][]finding.Result{pass}, at: map[int]trouble{1: unsure}, made: 2, phase: Applying,
			err:   "step 1 (first) was applied in part, 1 of 2 changes: the response ended early (whether it was made is unknown)",
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1"},
		},
		"accepted and failed": {
			results: [][]finding.Result{pass}, at: map[int]trouble{0: failed}, made: 1, phase: Applying, err: "step 1 (first) was not applied: it is DEGRADED",
			marks: []string{"begun 0.0", "done 0.0 wrote"},
		},
		"a third state": {
			results: [][]finding.Result{pass}, before: []change.Change{{Kind: change.Attachment, Name: "a", Part: "arn:p", After: &change.State{Role: "x"}}}, made: 1, phase: Applying,
			err: "step 1 (first) was not applied: policy arn:p of role a is not as expected: role is x, not none",
		},
		"the requirement does not show": {
			results: [][]finding.Result{fail}, made: 2, phase: Precondition, err: "step 2 (second) was not started, because it is not safe yet: NR201: denied",
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0"},
		},
		"the proof does not come": {
			results: [][]finding.Result{pass, fail}, made: 3, phase: Proof, err: "step 2 (second) was applied, but it is not proven that it works: NR201: denied",
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0", "begun 1.0", "done 1.0 wrote"},
		},
		"the facts cannot be read": {
			judge: errRefused, made: 2, phase: Precondition, err: "step 2 (second) was not started, because facts could not be read: refused",
			marks: []string{"begun 0.0", "done 0.0 wrote", "begun 0.1", "done 0.1 wrote", "proven 0"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.results, r.err, r.memoryStore.at = tt.results, tt.judge, tt.at
			for _, c := range tt.before {
				r.memoryStore.put(c)
			}
			// What is about to be made is on disk before it is.
			r.memoryStore.onWrite = func(c change.Change) {
				lines := marks(t, r.path)
				if len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], "begun ") {
					t.Errorf("%s is written, and the journal ends with %v", c, lines)
				}
			}
			err := r.apply(t.Context(), plan())
			var stopped *Error
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (!errors.As(err, &stopped) || err.Error() != tt.err || stopped.Phase != tt.phase):
				t.Errorf("error %v, want %q", err, tt.err)
			case len(r.memoryStore.there) != tt.made:
				t.Errorf("there is %v, want %d", r.memoryStore.there, tt.made)
			}
			if diff := cmp.Diff(tt.marks, marks(t, r.path)); diff != "" {
				t.Errorf("journal (-want +got):\n%s", diff)
			}
			for i, e := range r.events {
				r.events[i] = strings.Replace(e, "policy arn:p of role ", "", 1)
			}
			if diff := cmp.Diff(tt.events, r.events); tt.events != nil && diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProofByReading: a step that proves nothing is read again until all of it is there;
// what cannot be read ends it.
func TestProofByReading(t *testing.T) {
	steps := plan()[:1]
	for name, tt := range map[string]struct {
		there *change.State
		err   string
	}{
		"gone again": {nil, "policy arn:p of role a has changed since it was applied"},
		"another":    {&change.State{Role: "x"}, "policy arn:p of role a is not as expected: role is x, not none"},
	} {
		r := newRig(t)
		r.memoryStore.onWrite = func(c change.Change) {
			if c.Name == "b" { // somebody else changes a meanwhile
				delete(r.memoryStore.there, attach("a").Target())
				if tt.there != nil {
					r.memoryStore.there[attach("a").Target()] = tt.there
				}
			}
		}
		err := r.apply(t.Context(), steps)
		var stopped *Error
		if !errors.As(err, &stopped) || stopped.Phase != Proof || !strings.HasSuffix(err.Error(), ": "+tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRig(t)
	r.memoryStore.unreadable = true
	if err := r.apply(t.Context(), steps); err == nil || !strings.HasSuffix(err.Error(), "cannot be read") {
		t.Errorf("%v", err)
	}
}

// TestInterrupted: who waits for a proof can be stopped.
func TestInterrupted(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.results = [][]finding.Result{passes(finding.Fail)}
	r.memoryStore.onWrite = func(change.Change) { cancel() }
	if err := r.apply(ctx, plan()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestJournalFails: what cannot be taken down is not done.
func TestJournalFails(t *testing.T) {
	w := newMemoryStore()
	j, err := openJournal(filepath.Join(t.TempDir(), "j"), cluster, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	err = (&run{Session: &Session{Store: w}, journal: j}).steps(t.Context(), plan(), 0)
	if !errors.Is(err, os.ErrClosed) || len(w.there) > 0 {
		t.Errorf("%v, there is %v", err, w.there)
	}
}
