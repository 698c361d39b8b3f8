package change

import (
	"context"
	"errors"
	"fmt"
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

// Left returns the changes that are still to be made, in order: what is already
// as it should be is left out. The error is a join of a *ConflictError for each thing
// that is in a third state, or the first error of reading.
func Left(ctx context.Context, store Store, changes []Change) (left []Change, err error) {
	found := make([]*State, len(changes))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, c := range changes {
		group.Go(func() (err error) {
			found[i], err = store.State(groupCtx, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var conflicts []error
	for i, c := range changes {
		switch {
		case c.MadeBy(found[i]):
		case Same(c.Before, found[i]):
			left = append(left, c)
		default:
			conflicts = append(conflicts, &ConflictError{Change: c, Found: found[i]})
		}
	}
	return left, errors.Join(conflicts...)
}

// Make makes one change: it reads what is there, writes only where that is what
// the change begins from, and reports whether it wrote. Where the change was made
// already it does nothing; a *ConflictError is returned where it is a third state. An
// answer that was lost does not count: what is there then does. With a *FailedError
// it wrote.
func Make(ctx context.Context, store Store, c Change) (wrote bool, err error) {
	found, err := store.State(ctx, c)
	switch {
	case err != nil:
		return false, err
	case c.MadeBy(found):
		return false, nil
	case !Same(c.Before, found):
		return false, &ConflictError{Change: c, Found: found}
	}
	if err := store.Write(ctx, c); err != nil {
		var failed *FailedError
		if errors.As(err, &failed) {
			return true, err
		}
		if found, again := store.State(ctx, c); again != nil || !c.MadeBy(found) {
			return false, err
		}
	}
	return true, nil
}
