package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// run applies steps of a session.
type run struct {
	*Session
	journal *journal
	// facts are those of the last look, as long as nothing was changed since.
	facts *facts
}

// facts are what Judge returns.
type facts struct {
	view    *view.View
	results []finding.Result
}

// Event is something that happened in a session.
type Event struct {
	Kind EventKind
	// Step counts from 1 to Of; Plan is the step. They are not set for Locked and Warning.
	Step, Of int
	Plan     planner.Step
	// Change is set for Changing, Changed and Kept.
	Change change.Change
	// Why says what Waiting waits for, and what Warning warns of.
	Why string
}

// EventKind is what happened.
type EventKind int

// The events of a session, and those of a step in the order in which they can come.
const (
	Locked   EventKind = iota // another run has the lock, and Open waits for it
	Warning                   // something is left out: a journal that cannot be read, or work that no longer fits
	Begins                    // a step begins
	Changing                  // a change is about to be applied
	Changed                   // it was applied
	Kept                      // it was applied before
	Waiting                   // the facts do not show yet what they must show
	Proven                    // the step is applied, and the facts show that it worked
)

// Error describes at which step a plan stopped. What was applied before stays applied.
type Error struct {
	// Step counts from 1.
	Step  int
	Title string
	// Phase is what could not be done.
	Phase Phase
	// Done of Changes were applied, where Phase is Applying.
	Done, Changes int
	Err           error
}

// Phase is a part of a step.
type Phase int

// The phases.
const (
	Precondition Phase = iota // the facts do not show what they must show first; no change was applied
	Applying                  // a change was not applied
	Proof                     // the changes were applied, and the facts do not show that they worked
)

// Error returns one line.
func (e *Error) Error() string {
	var unsure *change.UnsureError
	var what string
	switch {
	case e.Phase == Precondition && e.Unread():
		what = "was not started, because facts could not be read"
	case e.Phase == Precondition:
		what = "was not started, because it is not safe yet"
	case e.Phase == Proof:
		what = "was applied, but it is not proven that it works"
	case e.Done > 0:
		what = fmt.Sprintf("was applied in part, %d of %d changes", e.Done, e.Changes)
	case errors.As(e.Err, &unsure):
		what = "may have been applied"
	default:
		what = "was not applied"
	}
	return fmt.Sprintf("step %d (%s) %s: %s", e.Step, e.Title, what, e.Err)
}

// Unread reports whether a precondition or a proof could not be judged, because facts were
// not read.
func (e *Error) Unread() bool {
	var unmet *unmetError
	var unread *planner.UnreadError
	return e.Phase != Applying && (!errors.As(e.Err, &unmet) || errors.As(e.Err, &unread))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// unmetError is what the facts do not show.
type unmetError struct{ error }

func (u *unmetError) Unwrap() error { return u.error }

// steps applies steps in order, of which the first has this number in the journal, and
// stops at the first that fails, with an *Error.
func (r *run) steps(ctx context.Context, steps []planner.Step, first int) error {
	for i, step := range steps {
		tell := func(kind EventKind, c change.Change, why string) {
			r.tell(Event{Kind: kind, Step: i + 1, Of: len(steps), Plan: step, Change: c, Why: why})
		}
		if done, phase, err := r.step(ctx, step, first+i, tell); err != nil {
			return &Error{Step: i + 1, Title: step.Title, Phase: phase, Done: done, Changes: len(step.Changes), Err: err}
		}
	}
	return nil
}

// step applies a step. Where it fails, done of its changes are applied.
func (r *run) step(ctx context.Context, step planner.Step, number int, tell func(EventKind, change.Change, string)) (done int, phase Phase, err error) {
	tell(Begins, change.Change{}, "")
	if err := r.await(ctx, step.Preconditions, tell); err != nil {
		return 0, Precondition, err
	}
	applied, err := change.Applied(ctx, r.Store, step.Changes)
	if err != nil {
		return 0, Applying, err
	}
	for i, c := range step.Changes {
		if applied[i] {
			tell(Kept, c, "")
			continue
		}
		tell(Changing, c, "")
		wrote, err := r.change(ctx, c, number, i)
		if err != nil {
			return i, Applying, err
		}
		if wrote {
			tell(Changed, c, "")
		} else {
			tell(Kept, c, "")
		}
	}
	if err := r.prove(ctx, step, tell); err != nil {
		return len(step.Changes), Proof, err
	}
	tell(Proven, change.Change{}, "")
	return len(step.Changes), Proof, r.journal.write(line{Mark: proven, Step: number})
}

// change applies one change, and writes that to the journal before and after.
func (r *run) change(ctx context.Context, c change.Change, step, number int) (wrote bool, err error) {
	r.facts = nil
	if r.lease != nil {
		if err := r.lease.Held(); err != nil {
			return false, err
		}
	}
	if err := r.journal.write(line{Mark: begun, Step: step, Change: number}); err != nil {
		return false, err
	}
	wrote, err = change.Apply(ctx, r.Store, c)
	var unsure *change.UnsureError
	if errors.As(err, &unsure) {
		return false, err // the journal leaves it open
	}
	// What was written and failed afterwards is taken back too.
	return wrote, errors.Join(err, r.journal.write(line{Mark: done, Step: step, Change: number, Wrote: wrote}))
}

// prove awaits the postconditions of a step. Where it has none, it reads again what the
// step applied.
func (r *run) prove(ctx context.Context, step planner.Step, tell func(EventKind, change.Change, string)) error {
	if len(step.Postconditions) > 0 {
		return r.await(ctx, step.Postconditions, tell)
	}
	return r.poll(ctx, tell, func() (unmet, err error) {
		left, err := change.Pending(ctx, r.Store, last(step.Changes))
		var conflict *change.ConflictError
		switch {
		case errors.As(err, &conflict):
			return conflict, nil
		case err != nil:
			return nil, err
		case len(left) > 0:
			return errors.New(left[0].String() + " has changed since it was applied"), nil
		}
		return nil, nil
	})
}

// last are the last changes of each thing. The others are states on the way.
func last(changes []change.Change) []change.Change {
	var list []change.Change
	for i, c := range changes {
		if !slices.ContainsFunc(changes[i+1:], func(later change.Change) bool { return later.Target() == c.Target() }) {
			list = append(list, c)
		}
	}
	return list
}

// await looks at the facts until they show all checks. It begins with those of the last
// look: a step that is proven has shown them to the next one.
func (r *run) await(ctx context.Context, checks []planner.Check, tell func(EventKind, change.Change, string)) error {
	if len(checks) == 0 {
		return nil
	}
	if r.facts != nil && r.facts.unmet(checks) == nil {
		return nil
	}
	return r.poll(ctx, tell, func() (unmet, err error) {
		v, results, err := r.Judge(ctx)
		if err != nil {
			return nil, err
		}
		r.facts = &facts{v, results}
		return r.facts.unmet(checks), nil
	})
}

// unmet returns why the facts do not show a check, nil where they show all.
func (f *facts) unmet(checks []planner.Check) error {
	for _, c := range checks {
		if err := c.Unmet(f.view, f.results); err != nil {
			return err
		}
	}
	return nil
}

// poll looks until nothing is unmet. An *unmetError is what still is when ProofTimeout is
// over, another error is that of looking.
func (r *run) poll(ctx context.Context, tell func(EventKind, change.Change, string), look func() (unmet, err error)) error {
	for deadline := time.Now().Add(r.ProofTimeout); ; {
		unmet, err := look()
		switch {
		case err != nil:
			return err
		case unmet == nil:
			return nil
		case time.Now().Add(r.PollInterval).After(deadline):
			return &unmetError{unmet}
		}
		tell(Waiting, change.Change{}, unmet.Error())
		select {
		case <-time.After(r.PollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
