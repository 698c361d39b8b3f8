package cli

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

// TestTimeout: a run ends when its time ends, also where it does not look at its context,
// and the error names what was waited for.
func TestTimeout(t *testing.T) {
	hang := func(ctx context.Context, what string) {
		collect.Wait(ctx, func() string { return what })
	}
	for name, test := range map[string]struct {
		limit timeout
		run   func(context.Context) error
		want  string
		code  int
	}{
		"a call": {timeout(50 * time.Millisecond), func(ctx context.Context) error {
			hang(ctx, "iam:GetRole")
			<-ctx.Done()
			return ctx.Err()
		}, "the run was not complete within --timeout 50ms: iam:GetRole had no result after 100ms", ExitIncomplete},
		"no context": {timeout(50 * time.Millisecond), func(ctx context.Context) error {
			hang(ctx, "a plugin")
			select {}
		}, "the run was not complete within --timeout 50ms: a plugin had no result after 100ms", ExitIncomplete},
		"nothing is waited for": {timeout(50 * time.Millisecond), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, "the run was not complete within --timeout 50ms", ExitIncomplete},
		"a step": {timeout(50 * time.Millisecond), func(ctx context.Context) error {
			<-ctx.Done()
			return &apply.Error{Step: 1, Title: "x", Err: ctx.Err()}
		}, "step 1 (x) was not started, because facts could not be read: context canceled", 0},
		"its own error":  {timeout(time.Minute), func(context.Context) error { return errors.New("x") }, "x", 0},
		"a person":       {timeout(50 * time.Millisecond), asked, "", 0},
		"without limit":  {0, func(ctx context.Context) error { return ctx.Err() }, "", 0},
		"negative limit": {-1, nil, "--timeout -1ns is negative", ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.limit.within(t.Context(), test.run)
			got := ""
			if err != nil {
				got = elapsed.ReplaceAllString(err.Error(), "after 100ms")
			}
			var code codeError
			if errors.As(err, &code); got != test.want || code.code != test.code {
				t.Errorf("got %q with exit code %d", got, code.code)
			}
		})
	}
}

// elapsed is what a run waited for, rounded.
var elapsed = regexp.MustCompile(`after (0s|\d+ms)`)

// asked is a run that asks a person, who takes longer than the limit.
func asked(ctx context.Context) error {
	resume := pause(ctx)
	time.Sleep(100 * time.Millisecond)
	resume()
	return ctx.Err()
}
