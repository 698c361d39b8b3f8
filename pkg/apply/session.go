// Package apply applies a plan step by step, with proof. It keeps a journal, with which an
// interrupted run can be finished and a finished run can be undone.
package apply

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Session repairs one cluster. Plan and Undo return the work, and need neither
// Open nor Close. A run that changes something is
//
//	Open        locks the cluster
//	Unfinished  returns the work that an earlier run left, for Apply
//	Plan, Undo  return the work that is asked for, for Apply
//	Apply       does work
//	Close       unlocks the cluster
//
// Errors about the lock, a journal or a plan are *problem.Error; those of Store and Judge
// are returned as they are.
type Session struct {
	// Cluster is the ARN of the EKS cluster.
	Cluster string
	// Store reads and writes what is changed.
	Store change.Store
	// Judge reads the facts again and judges them.
	Judge func(context.Context) (*view.View, []finding.Result, error)
	// StateDir is the folder of the lock and of the journals. It is created where it is
	// missing.
	StateDir string
	// Journal is the file that changes are written to. Where it is empty, that is the
	// journal of an unfinished run in StateDir, or a new one there.
	Journal string
	// Tool names this program and its version in a journal.
	Tool string
	// NewLease returns the lock that other machines see too, for a holder; nil for none.
	NewLease func(holder string) Lease
	// ProofTimeout is how long to wait for what the facts must show, as AWS may need some
	// seconds to show a change. PollInterval is the time between two looks.
	ProofTimeout, PollInterval time.Duration
	// OnEvent is told of every event; nil for none.
	OnEvent func(Event)

	// journal is the file in use; empty where a new one is needed.
	journal string
	lease   Lease
	unlock  func()
}

// Lease is a lock of a cluster that other machines see.
type Lease interface {
	// Acquire takes it until Release. Where another holder has it, it calls waits and waits.
	Acquire(ctx context.Context, waits func()) error
	// Held returns nil while it keeps other holders away, else why it does not.
	Held() error
	Release()
}

// Work is what is left to do of a plan.
type Work struct {
	// Plan has the steps that are not applied yet.
	Plan *planner.Plan
	// Began is when the run began that left the work; zero for other work.
	Began time.Time
	// first is the number in the journal of the first step that a run left.
	first int
	// undoes is the journal that the work undoes; empty for other work.
	undoes string
}

// ErrStale is the cause of the error about a plan or a journal that no longer fits what
// is found; test with errors.Is.
var ErrStale = errors.New("what is to be changed was changed since")

// Open locks the cluster, so that two runs do not repair it at once, and waits for a run
// that has the lock: on this machine by a file, on others by the lease. An error of the
// lease is returned as it is.
func (s *Session) Open(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	err := s.checkJournal(ctx)
	if err == nil {
		err = s.acquire(ctx)
	}
	if err != nil {
		s.unlock()
		s.unlock = nil
		return err
	}
	s.journal = s.Journal
	if s.journal == "" {
		s.journal = s.unfinishedJournal(ctx)
	}
	return nil
}

// Close unlocks the cluster.
func (s *Session) Close() {
	if s.lease != nil {
		s.lease.Release()
		s.lease = nil
	}
	s.unlock()
	s.unlock = nil
}

// lock takes the lock of the cluster.
func (s *Session) lock(ctx context.Context) error {
	if err := os.MkdirAll(s.StateDir, 0o700); err != nil {
		return noState(err)
	}
	type answer struct {
		unlock func()
		err    error
	}
	locked := make(chan answer, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(filepath.Join(s.StateDir, s.filePrefix()+".lock")).Lock()
		locked <- answer{unlock, err}
	}()
	long := time.NewTimer(time.Second)
	defer long.Stop()
	for {
		select {
		case a := <-locked:
			if a.err != nil {
				return noState(a.err)
			}
			s.unlock = a.unlock
			return nil
		case <-long.C:
			s.tell(Event{Kind: Locked})
		case <-ctx.Done():
			go func() { // the lock may still come
				if a := <-locked; a.err == nil {
					a.unlock()
				}
			}()
			return ctx.Err()
		}
	}
}

// noState is the error of a state folder that cannot be used.
func noState(err error) error {
	return &problem.Error{Problem: fmt.Sprintf("nothing was changed: %s", err), Next: "set XDG_STATE_HOME to a folder that can be written", Err: err}
}

// checkJournal reads the journal that was named, where there is one, before another machine
// is made to wait.
func (s *Session) checkJournal(ctx context.Context) error {
	if info, err := os.Stat(s.Journal); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	_, err := s.readJournal(ctx, s.Journal)
	return err
}

// acquire takes the lease. This machine's lock is held by then, so that a lease of the same
// holder is one of a run that was killed.
func (s *Session) acquire(ctx context.Context) error {
	if s.NewLease == nil {
		return nil
	}
	holder, err := s.holder()
	if err != nil {
		return noState(err)
	}
	lease := s.NewLease(holder)
	if err := lease.Acquire(ctx, func() { s.tell(Event{Kind: Locked}) }); err != nil {
		return err
	}
	s.lease = lease
	return nil
}

// holder is the name of StateDir as the holder of a lease, the same for each run: random, as
// everybody who can read leases sees it.
func (s *Session) holder() (string, error) {
	path := filepath.Join(s.StateDir, "holder")
	text, err := files.Read(context.Background(), path, nil, files.MaxConfig)
	if name := strings.TrimSpace(string(text)); err == nil && holderName.MatchString(name) {
		return name, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	name := "kubectl-noderole-" + strings.ToLower(rand.Text())
	return name, files.Write(path, []byte(name+"\n"), 0o600)
}

var holderName = regexp.MustCompile(`^kubectl-noderole-[a-z2-7]{26}$`)

func (s *Session) tell(e Event) {
	if s.OnEvent != nil {
		s.OnEvent(e)
	}
}

func (s *Session) warn(format string, args ...any) {
	s.tell(Event{Kind: Warning, Why: fmt.Sprintf(format, args...)})
}

// filePrefix begins the names of the cluster's files in StateDir.
func (s *Session) filePrefix() string {
	a, _ := snapshot.ParseARN(s.Cluster)
	return strings.Join([]string{a.Account, a.Region, a.Name()}, "_")
}

// unfinishedJournal is the newest journal of the cluster in StateDir of which something is
// left to do; empty for none.
func (s *Session) unfinishedJournal(ctx context.Context) string {
	entries, err := os.ReadDir(s.StateDir) // sorted by name, and so by time
	if err != nil {
		s.warn("%s", err)
	}
	for _, e := range slices.Backward(entries) {
		if !strings.HasPrefix(e.Name(), s.filePrefix()+"_") || filepath.Ext(e.Name()) != ".jsonl" {
			continue
		}
		path := filepath.Join(s.StateDir, e.Name())
		h, err := readJournal(ctx, path)
		if err != nil {
			s.warn("%s", err)
			continue
		}
		if pending, _ := h.pending(); h.cluster == s.Cluster && len(pending) > 0 {
			return path
		}
	}
	return ""
}

// sameCluster holds that a file is about the session's cluster.
func (s *Session) sameCluster(file, cluster string) error {
	if cluster == s.Cluster {
		return nil
	}
	return &problem.Error{Problem: fmt.Sprintf("%s is about cluster %s, not %s", file, cluster, s.Cluster), Next: "choose the context of that cluster"}
}

// CheckJournal returns an error, a *problem.Error, where a journal cannot be read.
// stateDir is where journals are by default.
func CheckJournal(ctx context.Context, file, stateDir string) error {
	_, err := findJournal(ctx, file, stateDir)
	return err
}

func findJournal(ctx context.Context, file, stateDir string) (*history, error) {
	h, err := readJournal(ctx, file)
	if err != nil {
		return nil, &problem.Error{
			Problem: fmt.Sprintf("the journal cannot be read: %s", err),
			Next:    "fix prints the path of its journal; by default in " + stateDir, Err: err,
		}
	}
	return h, nil
}

func (s *Session) readJournal(ctx context.Context, file string) (*history, error) {
	h, err := findJournal(ctx, file, s.StateDir)
	if err != nil {
		return nil, err
	}
	return h, s.sameCluster(file, h.cluster)
}

func (s *Session) openJournal(path string) (*journal, error) {
	j, err := openJournal(path, s.Cluster, s.Tool)
	if err != nil {
		return nil, &problem.Error{
			Problem: fmt.Sprintf("nothing was changed: the journal cannot be written: %s", err),
			Next:    "name another file: --journal FILE", Err: err,
		}
	}
	return j, nil
}

// endJournal marks a journal of which nothing is left to do.
func (s *Session) endJournal(path string) error {
	j, err := s.openJournal(path)
	if err != nil {
		return err
	}
	return j.end()
}

// Unfinished returns the work that an earlier run left, nil for none. Work that does not
// fit what is found is given up, with a warning.
func (s *Session) Unfinished(ctx context.Context) (*Work, error) {
	if info, err := os.Stat(s.journal); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil
	}
	h, err := s.readJournal(ctx, s.journal)
	if err != nil {
		return nil, err
	}
	steps, first := h.pending()
	if len(steps) == 0 {
		return nil, nil
	}
	_, err = change.Applied(ctx, s.Store, changesOf(steps))
	var conflict *change.ConflictError
	switch {
	case errors.As(err, &conflict):
		s.warn("the remaining steps of the run of %s no longer fit the cluster and are not applied: %s", h.began.Format(time.RFC3339), conflict)
		return nil, s.endJournal(s.journal)
	case err != nil:
		return nil, err
	}
	return &Work{Plan: &planner.Plan{Cluster: h.cluster, Steps: steps}, Began: h.began, first: first}, nil
}

// Plan returns what is left to do of a plan. file is where the plan was saved, empty for
// a plan of the facts as they are. Where something is in a state that the plan does not
// expect, a saved plan is an error that wraps ErrStale; of another plan the step moves to
// what is left to people. Where Store cannot say what is applied, the work is the whole
// plan, beside the error.
func (s *Session) Plan(ctx context.Context, plan *planner.Plan, file string) (*Work, error) {
	if file != "" {
		if err := s.sameCluster(file, plan.Cluster); err != nil {
			return nil, err
		}
	}
	pending, conflicts, err := s.pending(ctx, plan)
	if err == nil && len(conflicts) > 0 && file != "" {
		return nil, stale(conflicts, "the plan no longer fits the cluster", "nothing was changed; write a new plan: kubectl noderole fix -o json")
	}
	return &Work{Plan: pending}, err
}

// Undo returns what undoes what a journal says was applied. Where that was changed since,
// the error wraps ErrStale. Where Store cannot say what is undone, the work is all of it,
// beside the error.
func (s *Session) Undo(ctx context.Context, journal string) (*Work, error) {
	h, err := s.readJournal(ctx, journal)
	if err != nil {
		return nil, err
	}
	pending, conflicts, err := s.pending(ctx, planner.Undo(h.cluster, h.applied()))
	if err == nil && len(conflicts) > 0 {
		return nil, stale(conflicts, "the state has changed since the journal was written", "nothing was changed; the journal lists every change, so that you can undo them manually")
	}
	return &Work{Plan: pending, undoes: journal}, err
}

func stale(conflicts []*change.ConflictError, what, next string) error {
	var lines []string
	for _, c := range conflicts {
		lines = append(lines, c.Error())
	}
	slices.Sort(lines)
	return &problem.Error{Problem: what + ": " + strings.Join(lines, "\nerror: "), Next: next, Err: ErrStale}
}

// pending returns a plan without the steps that are applied. A step about something in a
// third state is among what is left to people. With an error it is the whole plan.
func (s *Session) pending(ctx context.Context, plan *planner.Plan) (*planner.Plan, []*change.ConflictError, error) {
	applied, err := change.Applied(ctx, s.Store, changesOf(plan.Steps))
	if applied == nil {
		return plan, nil, err
	}
	conflicts := change.Conflicts(err)
	left := *plan
	left.Steps, left.Manual = []planner.Step{}, slices.Clone(plan.Manual)
	for _, step := range plan.Steps {
		done := applied[:len(step.Changes)]
		applied = applied[len(step.Changes):]
		at := slices.IndexFunc(conflicts, func(c *change.ConflictError) bool {
			return slices.ContainsFunc(step.Changes, func(own change.Change) bool { return own.Target() == c.Change.Target() })
		})
		switch {
		case at >= 0:
			left.Manual = append(left.Manual, planner.Manual{
				Rule: step.Rules[0], Subject: step.Subject, Message: "not done: " + step.Title, Why: conflicts[at].Error(),
			})
		case slices.Contains(done, false):
			left.Steps = append(left.Steps, step)
		}
	}
	return &left, conflicts, nil
}

// changesOf are the changes of steps, in order.
func changesOf(steps []planner.Step) []change.Change {
	var all []change.Change
	for _, s := range steps {
		all = append(all, s.Changes...)
	}
	return all
}

// Apply does work, writes it to a journal, and returns the name of that, which is empty
// where there was nothing to do. A step that fails is an *Error; the steps before it stay
// applied.
func (s *Session) Apply(ctx context.Context, w *Work) (journal string, err error) {
	if s.unlock == nil {
		return "", errors.New("apply: the session is not open")
	}
	if len(w.Plan.Steps) > 0 {
		journal = s.journalFor(w)
		if err := s.applySteps(ctx, w, journal); err != nil {
			return journal, err
		}
	}
	if w.undoes != "" {
		err = s.endJournal(w.undoes)
	}
	return journal, err
}

// journalFor chooses the journal of work. The journal that is undone gets none of it,
// unless it is asked for by name.
func (s *Session) journalFor(w *Work) string {
	if s.journal == "" || s.Journal == "" && w.undoes != "" && files.Same(s.journal, w.undoes) {
		return filepath.Join(s.StateDir, s.filePrefix()+"_"+time.Now().UTC().Format("20060102T150405.000Z")+".jsonl")
	}
	return s.journal
}

func (s *Session) applySteps(ctx context.Context, w *Work, path string) error {
	j, err := s.openJournal(path)
	if err != nil {
		return err
	}
	first := w.first
	if w.Began.IsZero() {
		if first, err = j.plan(w.Plan.Steps); err != nil {
			return errors.Join(err, j.close())
		}
	}
	run := &run{Session: s, journal: j}
	if err := run.steps(ctx, w.Plan.Steps, first); err != nil {
		return errors.Join(err, j.close())
	}
	return j.end()
}
