package collect

import (
	"context"
	"sync"
	"time"
)

// Waits are the calls that a run waits for at the moment. They may be used concurrently.
type Waits struct {
	mu   sync.Mutex
	open map[*wait]bool
}

type wait struct {
	what  func() string
	since time.Time
}

type waitsKey struct{}

// WithWaits returns a context whose calls are noted, and where they are.
func WithWaits(ctx context.Context) (context.Context, *Waits) {
	w := &Waits{open: map[*wait]bool{}}
	return context.WithValue(ctx, waitsKey{}, w), w
}

// Wait notes that a call begins; done notes that it ended, and may be called again. what
// names the call, such as iam:GetRole, at the time of the question. Without WithWaits
// nothing is noted.
func Wait(ctx context.Context, what func() string) (done func()) {
	w, ok := ctx.Value(waitsKey{}).(*Waits)
	if !ok {
		return func() {}
	}
	call := &wait{what, time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[call] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, call)
	}
}

// Longest returns the call that has been waited for the longest, and for how long; empty
// where there is none.
func (w *Waits) Longest() (what string, waited time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest *wait
	for call := range w.open {
		if longest == nil || call.since.Before(longest.since) {
			longest = call
		}
	}
	if longest == nil {
		return "", 0
	}
	return longest.what(), time.Since(longest.since)
}
