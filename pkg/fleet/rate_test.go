package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// cloud has a budget of requests to EKS for each region of an account, as collect/aws has it,
// and answers each call after latency, of whatever clock the test runs by.
type cloud struct {
	mu      sync.Mutex
	budgets map[string]*rate.Limiter
}

// The rate of EKS, what a cluster asks on each level of calls, and what a call takes.
const (
	perSecond = 5
	burst     = 20
	latency   = 50 * time.Millisecond
)

var eksCalls = []int{1, 6, 4, 0} // on each level

func (c *cloud) budget(t fleet.Target) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := t.Identity()
	b, known := c.budgets[id.Account+id.Region]
	if !known {
		b = rate.NewLimiter(perSecond, burst)
		c.budgets[id.Account+id.Region] = b
	}
	return b
}

func (c *cloud) read(ctx context.Context, t fleet.Target) (*snapshot.Snapshot, error) {
	for _, calls := range eksCalls {
		var group sync.WaitGroup
		for range calls {
			group.Go(func() { _ = c.budget(t).Wait(ctx) })
		}
		group.Wait()
		time.Sleep(latency)
	}
	return facts(t, began), nil
}

func (c *cloud) ready(t fleet.Target) bool { return c.budget(t).Tokens() >= burst/2 }

// TestRates: accounts with many clusters and accounts with one, together, take little more
// than the rate of the largest account, or the places, allow.
func TestRates(t *testing.T) {
	for name, test := range map[string]struct {
		large, clusters, regions, small int
	}{
		"two large accounts":              {2, 30, 1, 150},
		"more large accounts than places": {10, 8, 1, 250},
		"accounts of one size":            {30, 8, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var targets []fleet.Target
			for i := range test.large {
				for j := range test.clusters {
					targets = append(targets, target(i, fmt.Sprintf("eu-west-%d", j%test.regions), fmt.Sprintf("c-%03d", j)))
				}
			}
			for i := range test.small {
				targets = append(targets, target(1000+i, "eu-west-1", "c"))
			}
			dir := t.TempDir()
			places := time.Duration(len(targets)*len(eksCalls)) * latency / fleet.Parallel
			limit := places
			if test.large > 0 {
				limit = max(limit, time.Duration(test.clusters/test.regions*11-burst)*time.Second/perSecond)
			}
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{budgets: map[string]*rate.Limiter{}}
				start := time.Now()
				if err := fleet.Collect(t.Context(), dir, plan(targets...), fleet.Options{Read: c.read, Ready: c.ready}); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				t.Logf("%d clusters in %s, limit %s, places %s", len(targets), took, limit, places)
				if took > limit*115/100 {
					t.Errorf("%d clusters took %s, the limit is %s", len(targets), took, limit)
				}
			})
		})
	}
}

// TestReadyFirst: a cluster that would wait for its account's rate is read after those that
// would not, and without waiting where no other is left.
func TestReadyFirst(t *testing.T) {
	t.Parallel()
	var order []string
	p := plan(target(1, "eu-west-1", "a"), target(1, "eu-west-1", "b"), target(1, "eu-west-1", "c"), target(2, "eu-west-1", "d"), target(2, "eu-west-1", "e"))
	err := fleet.Collect(t.Context(), t.TempDir(), p, fleet.Options{
		Parallel: 1,
		Ready:    func(c fleet.Target) bool { return c.Identity().Name() == "a" || c.Identity().Name() > "c" },
		Read: func(_ context.Context, c fleet.Target) (*snapshot.Snapshot, error) {
			order = append(order, c.Identity().Name())
			return facts(c, began), nil
		},
	})
	if err != nil || strings.Join(order, " ") != "a d e b c" {
		t.Errorf("%v, read %v", err, order)
	}
}
