package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

const otherCluster = "arn:aws:eks:eu-west-1:111122223333:cluster/dev"

// newSession is a session that chooses its journal in the state folder. The facts show
// that everything passes.
func newSession(t *testing.T) (*rig, *Session) {
	r := newRig(t)
	r.results = [][]finding.Result{passes(finding.Pass)}
	s := r.session()
	s.Journal = ""
	return r, s
}

// open opens a session until the test ends.
func open(t *testing.T, s *Session) *Session {
	t.Helper()
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// run opens a session, does the work that next returns, and closes it.
func (s *Session) run(t *testing.T, next func(*Session) (*Work, error)) (journal string, err error) {
	t.Helper()
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	work, err := next(s)
	if err != nil {
		return "", err
	}
	return s.Apply(t.Context(), work)
}

func undoing(journal string) func(*Session) (*Work, error) {
	return func(s *Session) (*Work, error) { return s.Undo(context.Background(), journal) }
}

// journals are the journals in a session's state folder.
func (s *Session) journals(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(s.StateDir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func titles(w *Work) (list []string) {
	if w == nil {
		return nil
	}
	for _, s := range w.Plan.Steps {
		list = append(list, s.Title)
	}
	return list
}

// put writes a file in the state folder.
func (s *Session) put(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(s.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.StateDir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// holdProblem holds what an error says is wrong, and that it says what to do next.
func holdProblem(t *testing.T, err error, want string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || !strings.Contains(p.Problem, want) || p.Next == "" {
		t.Errorf("error %v, want one that says %q and what to do next", err, want)
	}
}

// TestSession: a plan is applied, with a journal of its own in the state folder; what is
// applied is left out of the next plan; and undone, everything is as it was.
func TestSession(t *testing.T) {
	r, s := newSession(t)
	before := r.memoryStore.seen()
	first, err := s.run(t, applying(plan()))
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(first); filepath.Dir(first) != s.StateDir || !strings.HasPrefix(name, "111122223333_eu-west-1_prod_20") {
		t.Errorf("the journal is %s", first)
	}
	if h, err := readJournal(t.Context(), first); err != nil || !h.ended || len(r.memoryStore.there) != 3 {
		t.Errorf("%+v, %v; there is %v", h, err, r.memoryStore.there)
	}
	if journal, err := s.run(t, applying(plan())); err != nil || journal != "" {
		t.Errorf("applied again: journal %q, %v", journal, err)
	}
	second, err := s.run(t, undoing(first))
	if err != nil || second == first || second == "" {
		t.Errorf("the journal of undoing is %q, %v", second, err)
	}
	if diff := cmp.Diff(before, r.memoryStore.seen()); diff != "" {
		t.Errorf("undone (-before +now):\n%s", diff)
	}
	if journal, err := s.run(t, undoing(first)); err != nil || journal != "" {
		t.Errorf("undone again: journal %q, %v", journal, err)
	}
	if _, err := s.run(t, undoing(second)); err != nil || len(r.memoryStore.there) != 3 {
		t.Errorf("undoing undone: %v; there is %v", err, r.memoryStore.there)
	}
}

// TestUndoIntoOneJournal: a journal that is named takes down that it is undone.
func TestUndoIntoOneJournal(t *testing.T) {
	r, s := newSession(t)
	s.Journal = filepath.Join(t.TempDir(), "j")
	if journal, err := s.run(t, applying(plan())); err != nil || journal != s.Journal {
		t.Fatalf("journal %s, %v", journal, err)
	}
	if journal, err := s.run(t, undoing(s.Journal)); err != nil || journal != s.Journal || len(r.memoryStore.there) > 0 {
		t.Errorf("journal %s, %v; there is %v", journal, err, r.memoryStore.there)
	}
	if len(s.journals(t)) > 0 {
		t.Errorf("journals %v in the state folder", s.journals(t))
	}
}

// TestFailingWrites: whatever goes wrong at whichever write, the next run finishes the
// plan, and undoing its journals ends where it began.
func TestFailingWrites(t *testing.T) {
	for position := range 3 {
		for what, name := range map[trouble]string{refused: "refused", lost: "lost", unsure: "unsure", failed: "failed", killBefore: "killed before", killAfter: "killed after"} {
			t.Run(fmt.Sprint(name, " ", position), func(t *testing.T) {
				r, s := newSession(t)
				r.memoryStore.at = map[int]trouble{position: what}
				attempt := func() (err error) {
					defer func() {
						if e := recover(); e != nil {
							err = errors.New("killed")
						}
					}()
					_, err = s.run(t, applying(plan()))
					return err
				}
				if err := attempt(); (err == nil) != (what == lost) {
					t.Errorf("first run: %v", err)
				}
				r.memoryStore.at, r.memoryStore.unreadable = nil, false
				s = r.session()
				s.Journal = ""
				if _, err := s.run(t, func(s *Session) (*Work, error) {
					work, err := s.Unfinished(t.Context())
					if work == nil && err == nil {
						return applying(plan())(s)
					}
					return work, err
				}); err != nil {
					t.Errorf("second run: %v", err)
				}
				if len(r.memoryStore.there) != 3 || len(r.memoryStore.wrong) > 0 {
					t.Errorf("there is %v, wrong %v", r.memoryStore.there, r.memoryStore.wrong)
				}
				for _, journal := range slices.Backward(s.journals(t)) {
					if _, err := s.run(t, undoing(journal)); err != nil {
						t.Errorf("undo: %v", err)
					}
				}
				if len(r.memoryStore.there) > 0 {
					t.Errorf("undone, there is still %v", r.memoryStore.there)
				}
			})
		}
	}
}

// TestLock: a session waits for one that has the lock and says so, and can be interrupted
// meanwhile; it takes no lock of another cluster.
func TestLock(t *testing.T) {
	_, holder := newSession(t)
	open(t, holder)
	waiter := &Session{Cluster: cluster, StateDir: holder.StateDir}
	locked := make(chan struct{})
	waiter.OnEvent = func(e Event) {
		if e.Kind == Locked {
			close(locked)
		}
	}
	other := open(t, &Session{Cluster: otherCluster, StateDir: holder.StateDir})
	if other.unlock == nil {
		t.Error("there is no lock")
	}
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error)
	go func() { opened <- waiter.Open(ctx) }()
	<-locked
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	waiter.OnEvent = nil
	go func() { opened <- waiter.Open(t.Context()) }()
	select {
	case err := <-opened:
		t.Errorf("two sessions have the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	holder.Close()
	holder.unlock = func() {} // the cleanup closes it too
	if err := <-opened; err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
	waiter.Close()
}

// TestOpenRefused: without a lock there is no session.
func TestOpenRefused(t *testing.T) {
	_, s := newSession(t)
	s.StateDir = filepath.Join(s.put(t, "file", ""), "state")
	holdProblem(t, s.Open(t.Context()), "nothing was changed: ")
	_, s = newSession(t)
	if err := os.MkdirAll(filepath.Join(s.StateDir, "111122223333_eu-west-1_prod.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	holdProblem(t, s.Open(t.Context()), "nothing was changed: ")
	if journal, err := s.Apply(t.Context(), &Work{Plan: &planner.Plan{Steps: plan()}}); err == nil || journal != "" {
		t.Errorf("applied without a lock: journal %q, %v", journal, err)
	}
}

// TestUnfinished: the newest journal of this cluster of which something is left is
// finished, and what cannot be read is passed over with a warning.
func TestUnfinished(t *testing.T) {
	const name = "111122223333_eu-west-1_prod_"
	begun, done := `{"mark":"begun"}`, `{"mark":"done","wrote":true}`
	tests := map[string]struct {
		files   map[string]string
		journal string // by name
		want    []string
		events  []string
		problem string
	}{
		"no journal":        {},
		"a finished one":    {files: map[string]string{name + "1.jsonl": journalText(begun, done, `{"mark":"ended"}`)}},
		"nothing done":      {files: map[string]string{name + "1.jsonl": journalText()}},
		"broken off":        {files: map[string]string{name + "1.jsonl": journalText(begun, done)}, want: []string{"first"}},
		"a torn last line":  {files: map[string]string{name + "1.jsonl": journalText(begun) + `{"mark":"do`}, want: []string{"first"}},
		"an older one":      {files: map[string]string{name + "1.jsonl": journalText(begun), name + "2.jsonl": journalText()}, want: []string{"first"}},
		"another cluster's": {files: map[string]string{"111122223333_eu-west-1_dev_1.jsonl": strings.Replace(journalText(begun), cluster, otherCluster, 1)}},
		"another cluster's under this name": {
			files: map[string]string{name + "1.jsonl": strings.Replace(journalText(begun), cluster, otherCluster, 1)},
		},
		"no journal under this name": {
			files: map[string]string{name + "1.jsonl": journalText(begun), name + "2.jsonl": "hello\n", name + "3.txt": "hello\n"},
			want:  []string{"first"}, events: []string{"warning " + name + "2.jsonl: it is not a journal of fix: it is not JSON: invalid character 'h' at start of value"},
		},
		"by name":                    {files: map[string]string{"mine": journalText(begun)}, journal: "mine", want: []string{"first"}},
		"by name, before the folder": {files: map[string]string{"mine": journalText(), name + "1.jsonl": journalText(begun)}, journal: "mine"},
		"by name, new":               {journal: "mine"},
		"by name, empty":             {files: map[string]string{"mine": ""}, journal: "mine"},
		"by name, no journal":        {files: map[string]string{"mine": "hello\n"}, journal: "mine", problem: "the journal cannot be read: mine: it is not a journal of fix: it is not JSON: invalid character 'h' at start of value"},
		"by name, another cluster's": {
			files: map[string]string{"mine": strings.Replace(journalText(begun), cluster, otherCluster, 1)}, journal: "mine",
			problem: "mine is about cluster " + otherCluster + ", not " + cluster,
		},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			r, s := newSession(t)
			s.StateDir = filepath.Join(s.StateDir, "a[b") // no pattern
			for name, text := range tt.files {
				s.put(t, name, text)
			}
			if tt.journal != "" {
				s.Journal = filepath.Join(s.StateDir, tt.journal)
			}
			var work *Work
			err := s.Open(t.Context())
			if err == nil {
				t.Cleanup(s.Close)
				work, err = s.Unfinished(t.Context())
			}
			here := s.StateDir + string(filepath.Separator)
			if tt.problem != "" {
				if err == nil || work != nil {
					t.Fatalf("%v, %v", titles(work), err)
				}
				holdProblem(t, err, strings.Replace(tt.problem, "mine", here+"mine", 1))
				return
			}
			if diff := cmp.Diff(tt.want, titles(work)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			for i, e := range r.events {
				r.events[i] = strings.Replace(e, here, "", 1)
			}
			if diff := cmp.Diff(tt.events, r.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if work == nil {
				return
			}
			if work.Began.Year() != 2026 {
				t.Errorf("began %s", work.Began)
			}
			if _, err := s.Apply(t.Context(), work); err != nil || len(r.memoryStore.there) != 2 {
				t.Errorf("%v, there is %v", err, r.memoryStore.there)
			}
			if text, err := os.ReadFile(s.journal); err != nil || strings.Count(string(text), `"steps":`) != 1 {
				t.Errorf("%v; the plan is not in the journal once:\n%s", err, text)
			}
			if again, err := s.Unfinished(t.Context()); again != nil || err != nil {
				t.Errorf("then there is still %v, %v", titles(again), err)
			}
		})
	}
}

// TestUnfinishedDoesNotFit: what is left of a run is given up where something is in a
// third state, and kept where nothing can be read.
func TestUnfinishedDoesNotFit(t *testing.T) {
	r, s := newSession(t)
	path := s.put(t, "111122223333_eu-west-1_prod_1.jsonl", journalText(`{"mark":"begun"}`, `{"mark":"done","wrote":true}`))
	open(t, s)
	r.memoryStore.unreadable = true
	if work, err := s.Unfinished(t.Context()); work != nil || err == nil || err.Error() != "cannot be read" {
		t.Errorf("%v, %v", titles(work), err)
	}
	r.memoryStore.unreadable = false
	r.memoryStore.there[attach("b").Target()] = &change.State{Role: "x"}
	if work, err := s.Unfinished(t.Context()); work != nil || err != nil {
		t.Errorf("%v, %v", titles(work), err)
	}
	want := []string{"warning the remaining steps of the run of 2026-01-02T03:04:05Z no longer fit the cluster and are not applied: policy arn:p of role b is not as expected: role is x, not none"}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if h, err := readJournal(t.Context(), path); err != nil || !h.ended {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestPlan: steps that are applied are left out; a step about something in a third state
// is left to people, or ends a plan that was saved.
func TestPlan(t *testing.T) {
	third := change.Change{Kind: change.Attachment, Name: "b", Part: "arn:p", After: &change.State{Role: "x"}}
	tests := map[string]struct {
		before []change.Change
		want   []string
		manual []planner.Manual
		stale  string
	}{
		"nothing is applied": {want: []string{"first", "second"}},
		"half a step":        {before: []change.Change{attach("b")}, want: []string{"first", "second"}},
		"a step":             {before: []change.Change{attach("a"), attach("b")}, want: []string{"second"}},
		"the last step":      {before: []change.Change{attach("c")}, want: []string{"first"}},
		"all":                {before: []change.Change{attach("a"), attach("b"), attach("c")}},
		"a third state": {
			before: []change.Change{third}, want: []string{"second"},
			manual: []planner.Manual{{Rule: "NR202", Subject: "a", Message: "not done: first", Why: "policy arn:p of role b is not as expected: role is x, not none"}},
			stale:  "the plan no longer fits the cluster: policy arn:p of role b is not as expected: role is x, not none",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, s := newSession(t)
			for _, c := range tt.before {
				r.memoryStore.put(c)
			}
			whole := &planner.Plan{Cluster: cluster, Steps: plan()}
			work, err := s.Plan(t.Context(), whole, "")
			if diff := cmp.Diff(tt.want, titles(work)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(tt.manual, work.Plan.Manual); diff != "" {
				t.Errorf("left to people (-want +got):\n%s", diff)
			}
			if len(whole.Steps) != 2 || whole.Manual != nil || r.memoryStore.writes > 0 {
				t.Errorf("the plan is now %+v, after %d writes", whole, r.memoryStore.writes)
			}
			work, err = s.Plan(t.Context(), whole, "plan.json")
			if tt.stale == "" {
				if diff := cmp.Diff(tt.want, titles(work)); diff != "" || err != nil {
					t.Errorf("saved: %v (-want +got):\n%s", err, diff)
				}
				return
			}
			holdProblem(t, err, tt.stale)
			if !errors.Is(err, ErrStale) || work != nil {
				t.Errorf("saved: %v, %v", titles(work), err)
			}
		})
	}
	r, s := newSession(t)
	work, err := s.Plan(t.Context(), &planner.Plan{Cluster: otherCluster, Steps: plan()}, "plan.json")
	holdProblem(t, err, "plan.json is about cluster "+otherCluster+", not "+cluster)
	if work != nil {
		t.Errorf("of another cluster: %v", titles(work))
	}
	r.memoryStore.unreadable = true
	work, err = s.Plan(t.Context(), &planner.Plan{Cluster: cluster, Steps: plan()}, "plan.json")
	if diff := cmp.Diff([]string{"first", "second"}, titles(work)); diff != "" || err == nil || err.Error() != "cannot be read" {
		t.Errorf("unreadable: %v (-want +got):\n%s", err, diff)
	}
}

// TestUndoRefused: a journal is not undone where something has changed since, where it
// is another cluster's, and where it cannot be read.
func TestUndoRefused(t *testing.T) {
	r, s := newSession(t)
	journal, err := s.run(t, applying(plan()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c", "a"} {
		r.memoryStore.there[attach(name).Target()] = &change.State{Role: "x"}
	}
	work, err := s.Undo(t.Context(), journal)
	holdProblem(t, err, "the state has changed since the journal was written: policy arn:p of role a is not as expected: role is x, not none\nerror: policy arn:p of role c is not")
	if !errors.Is(err, ErrStale) || work != nil {
		t.Errorf("%v, %v", titles(work), err)
	}
	r.memoryStore.unreadable = true
	work, err = s.Undo(t.Context(), journal)
	if diff := cmp.Diff([]string{"undo: second", "undo: first"}, titles(work)); diff != "" || err == nil || err.Error() != "cannot be read" {
		t.Errorf("unreadable: %v (-want +got):\n%s", err, diff)
	}
	_, err = s.Undo(t.Context(), filepath.Join(s.StateDir, "none"))
	holdProblem(t, err, "the journal cannot be read: ")
	_, err = s.Undo(t.Context(), s.put(t, "dev", strings.Replace(journalText(), cluster, otherCluster, 1)))
	holdProblem(t, err, "dev is about cluster "+otherCluster)
}

// TestUndoOfUnfinished: undoing a run that broke off, which is the newest in the state
// folder, gets a journal of its own and ends the run.
func TestUndoOfUnfinished(t *testing.T) {
	r, s := newSession(t)
	r.memoryStore.at = map[int]trouble{2: refused}
	broken, err := s.run(t, applying(plan()))
	var stopped *Error
	if !errors.As(err, &stopped) || stopped.Step != 2 {
		t.Fatalf("%v", err)
	}
	journal, err := s.run(t, undoing(broken))
	if err != nil || journal == broken || len(r.memoryStore.there) > 0 {
		t.Errorf("journal %s, %v; there is %v", journal, err, r.memoryStore.there)
	}
	if work, err := open(t, s).Unfinished(t.Context()); work != nil || err != nil {
		t.Errorf("%v, %v", titles(work), err)
	}
}

// TestJournalRefused: what cannot be written down is not applied.
func TestJournalRefused(t *testing.T) {
	r, s := newSession(t)
	s.Journal = t.TempDir()
	open(t, s)
	_, err := s.Apply(t.Context(), &Work{Plan: &planner.Plan{Cluster: cluster, Steps: plan()}})
	holdProblem(t, err, "nothing was changed: the journal cannot be written: ")
	_, err = s.Apply(t.Context(), &Work{Plan: &planner.Plan{Cluster: cluster}, undoes: s.Journal})
	holdProblem(t, err, "nothing was changed: the journal cannot be written: ")
	if r.memoryStore.writes > 0 {
		t.Errorf("%d writes", r.memoryStore.writes)
	}
}

// TestProofTimeout: a proof is looked for at every interval until the time is over, and
// the next run goes on with it.
func TestProofTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newSession(t)
		s.ProofTimeout, s.PollInterval = 2*time.Minute, 3*time.Second
		pass, fail := passes(finding.Pass), passes(finding.Fail)
		r.results = [][]finding.Result{pass, fail} // the precondition shows, the proof does not
		began := time.Now()
		_, err := s.run(t, applying(plan()))
		var stopped *Error
		if !errors.As(err, &stopped) || stopped.Phase != Proof || stopped.Step != 2 {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != 2*time.Minute || r.looks != 42 {
			t.Errorf("gave up after %s and %d looks", took, r.looks)
		}
		r.results, r.looks = [][]finding.Result{fail, pass}, 0
		r.events = nil
		began = time.Now()
		if _, err := s.run(t, (*Session).unfinished); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		want := []string{"1/1 begins", "1/1 waiting NR201: denied", "1/1 kept policy arn:p of role c", "1/1 proven"}
		if diff := cmp.Diff(want, r.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func (s *Session) unfinished() (*Work, error) { return s.Unfinished(context.Background()) }

// sharedLease is a lease that several machines use.
type sharedLease struct {
	mu     sync.Mutex
	holder string
	taken  chan struct{} // closed where it is released
}

// leaseOf is the lease for one holder.
type leaseOf struct {
	*sharedLease
	name string
	err  error // of Acquire
	lost error
}

func (l *leaseOf) Acquire(ctx context.Context, waits func()) error {
	for l.err == nil {
		l.mu.Lock()
		if l.holder == "" || l.holder == l.name {
			l.holder, l.taken = l.name, make(chan struct{})
			l.mu.Unlock()
			return nil
		}
		taken := l.taken
		l.mu.Unlock()
		waits()
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.err
}

func (l *leaseOf) Held() error { return l.lost }

func (l *leaseOf) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = ""
	close(l.taken)
}

// TestTwoMachines: a session on another machine waits until the first one is closed; what a
// killed one left does not stop the next one of the same machine.
func TestTwoMachines(t *testing.T) {
	shared := &sharedLease{}
	var holders []string
	on := func(dir string) (*rig, *Session) {
		r, s := newSession(t)
		s.StateDir = dir
		s.NewLease = func(holder string) Lease {
			holders = append(holders, holder)
			return &leaseOf{sharedLease: shared, name: holder}
		}
		return r, s
	}
	here, there := t.TempDir(), t.TempDir()
	_, first := on(here)
	if err := first.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := make(chan struct{})
	_, second := on(there)
	second.OnEvent = func(e Event) {
		if e.Kind == Locked {
			close(waits)
		}
	}
	opened := make(chan error)
	go func() { opened <- second.Open(t.Context()) }()
	<-waits
	first.Close()
	if err := <-opened; err != nil || shared.holder != holders[1] || holders[0] == holders[1] {
		t.Fatalf("%v; %s holds it of %v", err, shared.holder, holders)
	}
	second.lease = nil // killed
	second.Close()
	_, third := on(there)
	if err := third.Open(t.Context()); err != nil || holders[2] != holders[1] {
		t.Errorf("%v; holders %v", err, holders)
	}
	third.Close()
	if !regexp.MustCompile(`^kubectl-noderole-[a-z2-7]{26}$`).MatchString(holders[0]) {
		t.Errorf("the holder is %q", holders[0])
	}
}

// TestLeaseErrors: without the lease nothing is begun, and where it is lost, nothing more is
// changed.
func TestLeaseErrors(t *testing.T) {
	r, s := newSession(t)
	no := errors.New("no lease")
	lease := &leaseOf{sharedLease: &sharedLease{}, name: "a", err: no}
	s.NewLease = func(string) Lease { return lease }
	if err := s.Open(t.Context()); !errors.Is(err, no) || s.unlock != nil {
		t.Errorf("%v", err)
	}
	lease.err, lease.lost = nil, errors.New("another run has it")
	_, err := s.run(t, applying(plan()))
	var stopped *Error
	if !errors.As(err, &stopped) || stopped.Phase != Applying || !errors.Is(err, lease.lost) || len(r.memoryStore.there) > 0 || lease.holder != "" {
		t.Errorf("%v; there is %v", err, r.memoryStore.there)
	}
	if err := os.Remove(filepath.Join(s.StateDir, "holder")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.StateDir, "holder"), 0o700); err != nil {
		t.Fatal(err)
	}
	holdProblem(t, s.Open(t.Context()), "nothing was changed: ")
}
