// Package apply applies a plan step by step, with proof. Its journal is used to finish an
// interrupted run and to undo a run.
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

// Run is how a plan is applied.
type Run struct {
	Store change.Store
	// Judge reads the facts again and judges them.
	Judge func(context.Context) (*view.View, []finding.Result, error)
	// Journal records every change before and after it is applied.
	Journal *Journal
	// Say gets every event; nil ignores them.
	Say func(Event)
	// Patience is how long to wait for a proof, as AWS shows a change some seconds after
	// it was made; Pause is the time between two reads.
	Patience, Pause time.Duration
}

// Event is something that happened while a plan was applied.
type Event struct {
	// Step counts from 1.
	Step int
	Of   int
	Plan planner.Step
	Kind EventKind
	// Change is set for Changing, Changed and Kept.
	Change change.Change
	// Why says what a proof is waiting for.
	Why string
}

// EventKind is what happened.
type EventKind int

// The events, in the order in which they can come.
const (
	Begins   EventKind = iota // a step begins
	Changing                  // a change is being applied
	Changed                   // it was applied
	Kept                      // it was already applied
	Waiting                   // the step is not proven yet
	Proven                    // the step is applied and proven
)

// Error says at which step a plan stopped. Earlier steps stay applied.
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
	Requirement Phase = iota // what the step requires is not true; nothing of it was applied
	Making                   // a change was not applied
	Proof                    // the changes were applied, but not proven
)

// Error returns one line.
func (e *Error) Error() string {
	what := map[Phase]string{
		Requirement: "was not started, because it is not safe yet",
		Making:      "was not made",
		Proof:       "was applied, but it is not proven that it works",
	}[e.Phase]
	return fmt.Sprintf("step %d (%s) %s: %s", e.Step, e.Title, what, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Steps applies steps in order, and stops at the first that fails, with an *Error. first is
// the number of the first step in the journal.
func (r Run) Steps(ctx context.Context, steps []planner.Step, first int) error {
	for i, step := range steps {
		say := func(kind EventKind, c change.Change, why string) {
			if r.Say != nil {
				r.Say(Event{Step: i + 1, Of: len(steps), Plan: step, Kind: kind, Change: c, Why: why})
			}
		}
		if phase, err := r.step(ctx, step, first+i, say); err != nil {
			return &Error{Step: i + 1, Title: step.Title, Phase: phase, Err: err}
		}
	}
	return nil
}

func (r Run) step(ctx context.Context, step planner.Step, number int, say func(EventKind, change.Change, string)) (Phase, error) {
	say(Begins, change.Change{}, "")
	if err := r.await(ctx, step.Requires, say); err != nil {
		return Requirement, err
	}
	made, err := change.Applied(ctx, r.Store, step.Changes)
	if err != nil {
		return Making, err
	}
	for i, c := range step.Changes {
		if made[i] {
			say(Kept, c, "")
			continue
		}
		say(Changing, c, "")
		if err := r.Journal.write(line{Mark: begun, Step: number, Change: i}); err != nil {
			return Making, err
		}
		wrote, err := change.Apply(ctx, r.Store, c)
		var unsure *change.UnsureError
		if errors.As(err, &unsure) {
			return Making, err // the journal leaves it open
		}
		// What was written and failed afterwards is undone too.
		if err := errors.Join(err, r.Journal.write(line{Mark: done, Step: number, Change: i, Wrote: wrote})); err != nil {
			return Making, err
		}
		if wrote {
			say(Changed, c, "")
		} else {
			say(Kept, c, "")
		}
	}
	if err := r.prove(ctx, step, say); err != nil {
		return Proof, err
	}
	say(Proven, change.Change{}, "")
	return Proof, r.Journal.write(line{Mark: proven, Step: number})
}

// prove waits until the step is proven. A step without postconditions is proven when the
// state after its changes is found.
func (r Run) prove(ctx context.Context, step planner.Step, say func(EventKind, change.Change, string)) error {
	if len(step.Proves) > 0 {
		return r.await(ctx, step.Proves, say)
	}
	return r.poll(ctx, say, func() (why string, err error) {
		left, err := change.Pending(ctx, r.Store, last(step.Changes))
		var conflict *change.ConflictError
		switch {
		case errors.As(err, &conflict):
			return conflict.Error(), nil
		case err != nil:
			return "", err
		case len(left) > 0:
			return left[0].String() + " is not as it was made", nil
		}
		return "", nil
	})
}

// last are the last changes of each thing; the others only prepare it.
func last(changes []change.Change) []change.Change {
	var list []change.Change
	for i, c := range changes {
		if !slices.ContainsFunc(changes[i+1:], func(later change.Change) bool { return later.Target() == c.Target() }) {
			list = append(list, c)
		}
	}
	return list
}

// await reads the facts until all checks are true.
func (r Run) await(ctx context.Context, checks []planner.Check, say func(EventKind, change.Change, string)) error {
	if len(checks) == 0 {
		return nil
	}
	return r.poll(ctx, say, func() (string, error) {
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

// poll asks until nothing is missing any more, or Patience is over.
func (r Run) poll(ctx context.Context, say func(EventKind, change.Change, string), look func() (why string, err error)) error {
	for deadline := time.Now().Add(r.Patience); ; {
		why, err := look()
		switch {
		case err != nil:
			return err
		case why == "":
			return nil
		case time.Now().Add(r.Pause).After(deadline):
			return errors.New(why)
		}
		say(Waiting, change.Change{}, why)
		select {
		case <-time.After(r.Pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
