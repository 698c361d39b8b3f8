package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

const (
	// defaultTimeout is far above what reading the largest clusters takes.
	defaultTimeout = 5 * time.Minute
	// applyTimeout is for runs that apply a plan, whose steps wait for their proof.
	applyTimeout = time.Hour
)

// grace is how long a run may take to say where its time ended.
const grace = time.Second

// timeout is how long a whole run may take; zero is without limit.
type timeout time.Duration

func (t *timeout) addFlag(f *pflag.FlagSet) {
	f.DurationVar((*time.Duration)(t), "timeout", defaultTimeout, "The length of time to wait before giving up on the whole run, or on each cluster of a fleet, zero means wait without limit")
}

// timeoutError is the cause of a context that ended because of --timeout.
type timeoutError struct{ problem *problem.Error }

func newTimeoutError(limit time.Duration, waits *collect.Waits) *timeoutError {
	e := &problem.Error{
		Problem: fmt.Sprintf("the run was not complete within --timeout %s", limit),
		Next:    fmt.Sprintf("allow more time, such as --timeout %s; 0 waits without limit", 2*limit),
	}
	if what, waited := waits.Longest(); what != "" {
		e.Problem += fmt.Sprintf(": %s had no result after %s", what, waited.Round(100*time.Millisecond))
		e.Next = "check the network and the proxy, or " + e.Next
	}
	return &timeoutError{e}
}

func (e *timeoutError) Error() string { return e.problem.Error() }

// Unwrap lets the error print what to do next.
func (e *timeoutError) Unwrap() error { return e.problem }

// within makes a run, which may take no longer than the limit. A run that takes longer is
// told so by its context. One that does not end then, as a credential plugin of the
// kubeconfig does not know of the context, is not waited for.
func (t timeout) within(ctx context.Context, run func(context.Context) error) error {
	limit := time.Duration(t)
	if limit < 0 {
		return t.negative()
	}
	if limit == 0 {
		return run(ctx)
	}
	ctx, waits := collect.WithWaits(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := startClock(limit, func() { cancel(newTimeoutError(limit, waits)) })
	defer clock.stop()
	ended := make(chan error, 1)
	go func() { ended <- run(context.WithValue(ctx, clockKey{}, clock)) }()
	select {
	case err := <-ended:
		return timedOut(ctx, err)
	case <-ctx.Done():
	}
	if !isTimeout(ctx) { // interrupted, which main bounds
		return <-ended
	}
	select {
	case err := <-ended:
		return timedOut(ctx, err)
	case <-time.After(grace):
		return unread(context.Cause(ctx))
	}
}

// negative is the error of a limit that is below zero.
func (t timeout) negative() error {
	return usage("such as --timeout 2m; 0 waits without limit", "--timeout %s is negative", time.Duration(t))
}

// isTimeout reports whether a run's time has ended.
func isTimeout(ctx context.Context) bool {
	var e *timeoutError
	return errors.As(context.Cause(ctx), &e)
}

// timedOut returns the error of a run, or where its time ended the error that says so. A
// repair says itself in which step that was.
func timedOut(ctx context.Context, err error) error {
	var stopped *apply.Error
	if err == nil || !isTimeout(ctx) || errors.As(err, &stopped) {
		return err
	}
	return unread(context.Cause(ctx))
}

// clock measures the time of a run.
type clock struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
}

type clockKey struct{}

func startClock(limit time.Duration, end func()) *clock {
	return &clock{timer: time.AfterFunc(limit, end), left: limit, since: time.Now()}
}

func (c *clock) stop() { c.timer.Stop() }

// pause stops the clock of a run until resume is called, while a person is asked.
func pause(ctx context.Context) (resume func()) {
	c, ok := ctx.Value(clockKey{}).(*clock)
	if !ok || !c.timer.Stop() {
		return func() {}
	}
	c.left -= time.Since(c.since)
	return func() {
		c.since = time.Now()
		c.timer.Reset(c.left)
	}
}
