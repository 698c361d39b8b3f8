package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// run applies steps of a session.
type run struct {
	*Session
	journal *journal
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

// Error says at which step a plan stopped. What was applied before stays applied.
type Error struct {
	// Step counts from 1.
	Step  int
	Title string
	// Phase is what could not be done.
	Phase Phase
	Err   error
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
	what := map[Phase]string{
		Precondition: "was not started, because it is not safe yet",
		Applying:     "was not applied",
		Proof:        "was applied, but it is not proven that it works",
	}[e.Phase]
	return fmt.Sprintf("step %d (%s) %s: %s", e.Step, e.Title, what, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// steps applies steps in order, of which the first has this number in the journal, and
// stops at the first that fails, with an *Error.
func (r run) steps(ctx context.Context, steps []planner.Step, first int) error {
	for i, step := range steps {
		tell := func(kind EventKind, c change.Change, why string) {
			r.tell(Event{Kind: kind, Step: i + 1, Of: len(steps), Plan: step, Change: c, Why: why})
		}
		if phase, err := r.step(ctx, step, first+i, tell); err != nil {
			return &Error{Step: i + 1, Title: step.Title, Phase: phase, Err: err}
		}
	}
	return nil
}

func (r run) step(ctx context.Context, step planner.Step, number int, tell func(EventKind, change.Change, string)) (Phase, error) {
	tell(Begins, change.Change{}, "")
	if err := r.await(ctx, step.Preconditions, tell); err != nil {
		return Precondition, err
	}
	applied, err := change.Applied(ctx, r.Store, step.Changes)
	if err != nil {
		return Applying, err
	}
	for i, c := range step.Changes {
		if applied[i] {
			tell(Kept, c, "")
			continue
		}
		tell(Changing, c, "")
		if err := r.journal.write(line{Mark: begun, Step: number, Change: i}); err != nil {
			return Applying, err
		}
		wrote, err := change.Apply(ctx, r.Store, c)
		var unsure *change.UnsureError
		if errors.As(err, &unsure) {
			return Applying, err // the journal leaves it open
		}
		// What was written and failed afterwards is taken back too.
		if err := errors.Join(err, r.journal.write(line{Mark: done, Step: number, Change: i, Wrote: wrote})); err != nil {
			return Applying, err
		}
		if wrote {
			tell(Changed, c, "")
		} else {
			tell(Kept, c, "")
		}
	}
	if err := r.prove(ctx, step, tell); err != nil {
		return Proof, err
	}
	tell(Proven, change.Change{}, "")
	return Proof, r.journal.write(line{Mark: proven, Step: number})
}

// prove awaits the postconditions of a step. Where it has none, it reads again what the
// step applied.
func (r run) prove(ctx context.Context, step planner.Step, tell func(EventKind, change.Change, string)) error {
	if len(step.Postconditions) > 0 {
		return r.await(ctx, step.Postconditions, tell)
	}
	return r.poll(ctx, tell, func() (why string, err error) {
		left, err := change.Pending(ctx, r.Store, last(step.Changes))
		var conflict *change.ConflictError
		switch {
		case errors.As(err, &conflict):
			return conflict.Error(), nil
		case err != nil:
			return "", err
		case len(left) > 0:
			return left[0].String() + " has changed since it was applied", nil
		}
		return "", nil
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

// await looks at the facts until they show all checks.
func (r run) await(ctx context.Context, checks []planner.Check, tell func(EventKind, change.Change, string)) error {
	if len(checks) == 0 {
		return nil
	}
	return r.poll(ctx, tell, func() (string, error) {
		v, results, err := r.Judge(ctx)
		if err != nil {
			return "", err
		}
		for _, c := range checks {
			if ok, why := c.Holds(v, results); !ok {
				return why, nil
			}
		}
		return "", nil
	})
}

// poll looks until nothing is missing, or until ProofTimeout is over.
func (r run) poll(ctx context.Context, tell func(EventKind, change.Change, string), look func() (why string, err error)) error {
	for deadline := time.Now().Add(r.ProofTimeout); ; {
		why, err := look()
		switch {
		case err != nil:
			return err
		case why == "":
			return nil
		case time.Now().Add(r.PollInterval).After(deadline):
			return errors.New(why)
		}
		tell(Waiting, change.Change{}, why)
		select {
		case <-time.After(r.PollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
