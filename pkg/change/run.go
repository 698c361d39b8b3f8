package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Store reads and writes what changes are made to.
type Store interface {
	// State returns what is there now, nil where nothing is. Before and After of
	// the change do not matter.
	State(ctx context.Context, c Change) (*State, error)
	// Write makes the change, without a look at what is there.
	Write(ctx context.Context, c Change) error
}

// ConflictError is what is there and is neither what a change begins from nor what it
// leads to.
type ConflictError struct {
	Change Change
	// Found is what is there, nil where nothing is.
	Found *State
}

// Error says what was found.
func (c *ConflictError) Error() string {
	wanted := c.Change.After
	if wanted == nil {
		wanted = c.Change.Before
	}
	lines := Differences(wanted, c.Found)
	if len(lines) == 0 {
		lines = Differences(c.Change.Before, c.Found)
	}
	return fmt.Sprintf("%s is not as expected: %s", c.Change, strings.Join(lines, "; "))
}

// FailedError is what AWS accepted and did not bring about. That what is there
// looks as it should does not make it good.
type FailedError struct{ Reason string }

// Error says what became of it.
func (f *FailedError) Error() string { return f.Reason }

// UnsureError is an answer that was lost, where what is there could not be read
// afterwards: the change may have been made.
type UnsureError struct{ Err error }

// Error is that of the lost answer.
func (u *UnsureError) Error() string { return u.Err.Error() + " (whether it was made is not known)" }

// Unwrap returns the error of the lost answer.
func (u *UnsureError) Unwrap() error { return u.Err }

// Made says of each change whether it was made already. Changes of one thing stand
// in the order in which they are made: where one of them is found made, so are those
// before it. The error is a join of a *ConflictError for each thing that is in no
// state of its changes, or the first error of reading.
func Made(ctx context.Context, store Store, changes []Change) ([]bool, error) {
	var targets []string
	byTarget := map[string][]int{}
	for i, c := range changes {
		if _, seen := byTarget[c.Target()]; !seen {
			targets = append(targets, c.Target())
		}
		byTarget[c.Target()] = append(byTarget[c.Target()], i)
	}
	found := make([]*State, len(targets))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, target := range targets {
		group.Go(func() (err error) {
			found[i], err = store.State(groupCtx, changes[byTarget[target][0]])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	made := make([]bool, len(changes))
	var conflicts []error
	for i, target := range targets {
		chain := byTarget[target]
		count, ok := madeOf(changes, chain, found[i])
		if !ok {
			conflicts = append(conflicts, &ConflictError{Change: changes[chain[0]], Found: found[i]})
		}
		for _, c := range chain[:count] {
			made[c] = true
		}
	}
	return made, errors.Join(conflicts...)
}

// madeOf returns how many changes of one thing were made; ok is false where what was
// found is none of their states.
func madeOf(changes []Change, chain []int, found *State) (count int, ok bool) {
	first := changes[chain[0]]
	// What is made again looks like what was there before, but for its time of
	// creation: the beginning is looked at first.
	if len(chain) > 1 && first.BeginsFrom(found) {
		return 0, true
	}
	for i, c := range slices.Backward(chain) {
		if changes[c].MadeBy(found) {
			return i + 1, true
		}
	}
	return 0, first.BeginsFrom(found)
}

// Left returns the changes that are still to be made, in order; errors are Made's.
func Left(ctx context.Context, store Store, changes []Change) (left []Change, err error) {
	made, err := Made(ctx, store, changes)
	for i, c := range changes {
		if made != nil && !made[i] {
			left = append(left, c)
		}
	}
	return left, err
}

// Make makes one change: it reads what is there, writes only where that is what
// the change begins from, and reports whether it wrote. Where the change was made
// already it does nothing; a *ConflictError is returned where it is a third state. An
// answer that was lost does not count: what is there then does. With a *FailedError
// it wrote, with an *UnsureError it may have.
func Make(ctx context.Context, store Store, c Change) (wrote bool, err error) {
	found, err := store.State(ctx, c)
	switch {
	case err != nil:
		return false, err
	case c.MadeBy(found):
		return false, nil
	case !c.BeginsFrom(found):
		return false, &ConflictError{Change: c, Found: found}
	}
	if err := store.Write(ctx, c); err != nil {
		var failed *FailedError
		if errors.As(err, &failed) {
			return true, err
		}
		found, again := store.State(ctx, c)
		switch {
		case again != nil:
			return false, &UnsureError{Err: err}
		case !c.MadeBy(found):
			return false, err
		}
	}
	return true, nil
}
