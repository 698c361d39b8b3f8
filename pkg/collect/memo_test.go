package collect_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

func TestMemoAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m collect.Memo[int]
		var asked atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				got, err := m.Get(t.Context(), "key", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(asked.Add(1)), nil
				})
				if got != 1 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			})
		}
		all.Wait()
	})
}

func TestMemoRemembersErrorsButNotCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m collect.Memo[int]
		refused := &collect.CallError{Operation: "iam:GetRole", Message: "refused"}
		cancelled, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := m.Get(cancelled, "key", func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("who was cancelled got %v", err)
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				_, err := m.Get(t.Context(), "key", func(context.Context) (int, error) { return 0, refused })
				if !errors.Is(err, refused) {
					t.Errorf("who waited got %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		_, err := m.Get(t.Context(), "key", func(context.Context) (int, error) { return 1, nil })
		if !errors.Is(err, refused) {
			t.Errorf("the refusal was forgotten: %v", err)
		}
	})
}
