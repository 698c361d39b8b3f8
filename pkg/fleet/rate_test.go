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

// cloud has budgets of requests as collect/aws has them: to EKS for each region of an account,
// and for iam:GetRole for each account. It answers each call after latency, of whatever clock
// the test runs by.
type cloud struct {
	roles int // of each cluster, which it shares with no other

	mu      sync.Mutex
	budgets map[string]*rate.Limiter
}

// The rates and bursts, and what a call takes.
const (
	eksRate, eksBurst = 5, 20
	iamRate           = 7
	latency           = 50 * time.Millisecond
)

// eksCalls are what a cluster asks on each level of calls. The roles are asked for on the third.
var eksCalls = []int{1, 6, 4, 0}

func (c *cloud) budget(key string, perSecond rate.Limit, burst int) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, known := c.budgets[key]
	if !known {
		b = rate.NewLimiter(perSecond, burst)
		c.budgets[key] = b
	}
	return b
}

func (c *cloud) eks(t fleet.Target) *rate.Limiter {
	return c.budget(t.Identity().Account+t.Identity().Region, eksRate, eksBurst)
}

func (c *cloud) iam(t fleet.Target) *rate.Limiter {
	return c.budget(t.Identity().Account, iamRate, iamRate)
}

func (c *cloud) read(ctx context.Context, t fleet.Target) (*snapshot.Snapshot, error) {
	for level, calls := range eksCalls {
		var group sync.WaitGroup
		for range calls {
			group.Go(func() { _ = c.eks(t).Wait(ctx) })
		}
		if level == 2 {
			for range c.roles {
				group.Go(func() { _ = c.iam(t).Wait(ctx) })
			}
		}
		group.Wait()
		time.Sleep(latency)
	}
	return facts(t, began), nil
}

func (c *cloud) ready(t fleet.Target) bool {
	return c.eks(t).Tokens() >= eksBurst/2 && c.iam(t).Tokens() >= iamRate/2
}

// TestRates: accounts with many clusters and accounts with one, together, take little more
// than the rate of the largest account, or the places, allow.
func TestRates(t *testing.T) {
	for name, test := range map[string]struct {
		large, clusters, regions, small int
		roles                           int
	}{
		"two large accounts":                   {large: 2, clusters: 30, regions: 1, small: 150},
		"two large accounts with many regions": {large: 2, clusters: 60, regions: 10, small: 150},
		"and with roles of each cluster":       {large: 2, clusters: 60, regions: 10, small: 150, roles: 3},
		"more large accounts than places":      {large: 10, clusters: 8, regions: 1, small: 250},
		"accounts of one size":                 {large: 30, clusters: 8, regions: 1},
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
				eks := time.Duration(test.clusters/test.regions*11-eksBurst) * time.Second / eksRate
				limit = max(limit, eks, time.Duration(test.clusters*test.roles-iamRate)*time.Second/iamRate)
			}
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{roles: test.roles, budgets: map[string]*rate.Limiter{}}
				start := time.Now()
				if err := fleet.Collect(t.Context(), dir, plan(targets...), fleet.Options{Read: c.read, Ready: c.ready}); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				t.Logf("%d clusters in %s, limit %s, places %s", len(targets), took, limit, places)
				if took > limit*11/10 {
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
