package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Store reads and writes what changes are made to.
type Store interface {
	// State returns the present state of what the change is about, nil where that does
	// not exist. Before and After of the change do not matter.
	State(ctx context.Context, c Change) (*State, error)
	// Write makes the change, without reading the state first. It calls Sent for each
	// request that changes something.
	Write(ctx context.Context, c Change) error
}

// ConflictError is a state that is neither the one before a change nor the one after it.
type ConflictError struct {
	Change Change
	// Found is the state, nil where there is nothing.
	Found *State
}

// Error returns what was found.
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

// FailedError is a change that AWS accepted and did not complete, whatever the state
// looks like.
type FailedError struct{ Reason string }

// Error returns what became of it.
func (f *FailedError) Error() string { return f.Reason }

// UnsureError is a request that was not refused, where the state could not be read
// afterwards: the change may have been made.
type UnsureError struct{ Err error }

// Error is that of the lost answer.
func (u *UnsureError) Error() string { return u.Err.Error() + " (whether it was made is unknown)" }

// Unwrap returns the error of the lost answer.
func (u *UnsureError) Unwrap() error { return u.Err }

// Applied reports of each change whether it was applied before. Changes of one thing
// are listed in the order of applying: where one of them is found applied, so are those
// before it. The error joins a *ConflictError for each thing that is in none of the
// states of its changes, or is the first error of reading.
func Applied(ctx context.Context, store Store, changes []Change) ([]bool, error) {
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
	counts := map[string]int{}
	var conflicts []error
	for i, target := range targets {
		chain := byTarget[target]
		count, ok := countApplied(changes, chain, found[i])
		if !ok {
			conflicts = append(conflicts, &ConflictError{Change: changes[chain[0]], Found: found[i]})
		}
		counts[target] = count
	}
	applied := make([]bool, len(changes))
	for i, target := range targets {
		chain := byTarget[target]
		count := counts[target]
		// An access policy that is recreated with its access entry looks as before, and has
		// no time of creation: where the new entry is there, the policy is the new one.
		entry := Change{Kind: AccessEntry, Cluster: changes[chain[0]].Cluster, Name: changes[chain[0]].Name}.Target()
		if changes[chain[0]].Kind == AccessPolicy && len(byTarget[entry]) > 0 && counts[entry] == len(byTarget[entry]) && changes[chain[len(chain)-1]].AppliedIn(found[i]) {
			count = len(chain)
		}
		for _, c := range chain[:count] {
			applied[c] = true
		}
	}
	return applied, errors.Join(conflicts...)
}

// Conflicts returns the conflicts that an error of Applied or Pending joins.
func Conflicts(err error) []*ConflictError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var list []*ConflictError
	for _, e := range joined.Unwrap() {
		var conflict *ConflictError
		if errors.As(e, &conflict) {
			list = append(list, conflict)
		}
	}
	return list
}

// countApplied returns how many changes of one thing were applied; ok is false where
// what was found is none of their states.
func countApplied(changes []Change, chain []int, found *State) (count int, ok bool) {
	first := changes[chain[0]]
	// What is recreated looks like what was there before, but for its time of creation:
	// the state before the first change is compared first.
	if len(chain) > 1 && first.AppliesTo(found) {
		return 0, true
	}
	for i, c := range slices.Backward(chain) {
		if changes[c].AppliedIn(found) {
			return i + 1, true
		}
	}
	return 0, first.AppliesTo(found)
}

// Pending returns the changes that are not applied, in order; errors are those of
// Applied.
func Pending(ctx context.Context, store Store, changes []Change) (pending []Change, err error) {
	applied, err := Applied(ctx, store, changes)
	for i, c := range changes {
		if applied != nil && !applied[i] {
			pending = append(pending, c)
		}
	}
	return pending, err
}

// requests are those that Write sends for one change.
type requests struct {
	mu            sync.Mutex
	sent, refused int
}

type requestsKey struct{}

// Sent notes a request of Write, in its context, that may change something, and whether it
// was refused: whoever has no answer does not know.
func Sent(ctx context.Context, refused bool) {
	r, ok := ctx.Value(requestsKey{}).(*requests)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	if refused {
		r.refused++
	}
}

// changed reports whether a request may have changed something.
func (r *requests) changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent > r.refused
}

// Apply makes one change: it reads the state, writes only where that is the state
// before the change, and reports whether it wrote. Where the state is already the one
// after, it does nothing; where it is a third one, the error is a *ConflictError. An
// answer that was lost does not count: the state then decides. With a *FailedError it
// wrote, with an *UnsureError it may have.
func Apply(ctx context.Context, store Store, c Change) (wrote bool, err error) {
	found, err := store.State(ctx, c)
	switch {
	case err != nil:
		return false, err
	case c.AppliedIn(found):
		return false, nil
	case !c.AppliesTo(found):
		return false, &ConflictError{Change: c, Found: found}
	}
	sent := &requests{}
	if err := store.Write(context.WithValue(ctx, requestsKey{}, sent), c); err != nil {
		var failed *FailedError
		if errors.As(err, &failed) {
			return true, err
		}
		found, readErr := store.State(ctx, c)
		switch {
		case readErr != nil && sent.changed():
			return false, &UnsureError{Err: err}
		case readErr != nil:
			return false, err
		case !c.AppliedIn(found):
			return false, err
		}
	}
	return true, nil
}
