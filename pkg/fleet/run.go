package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Parallel is how many clusters are read at once where nothing else is said.
const Parallel = 8

// Options are how Collect reads.
type Options struct {
	// Read returns the facts of one cluster. It ends when the context does. After an error
	// only this cluster counts as not read.
	Read func(context.Context, Target) (*snapshot.Snapshot, error)
	// Close, where set, is called when the last cluster of an account has been read.
	Close func(account string)
	// Ready reports whether a cluster can be read now without waiting for the rate of its
	// account. Another cluster goes first where it cannot. nil means that all are ready.
	Ready func(Target) bool
	// Parallel is how many clusters are read at once; 0 is Parallel.
	Parallel int
	// Limit is how long one cluster may take; 0 is without limit.
	Limit time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Progress, where set, is called when a cluster is done, one call at a time.
	Progress func(Outcome)
}

// Outcome is the result of reading one cluster.
type Outcome struct {
	Target Target
	// Kept is set where the directory already had its snapshot; Err where it was not read.
	Kept bool
	Err  error
	// Missing is how many facts of it could not be read.
	Missing     int
	Done, Total int
}

// Collect reads the clusters of a plan, which is in the directory, into it: each snapshot is
// written as soon as it is read, and then forgotten. Clusters whose snapshot is not older than
// the plan's NotBefore are kept, and what earlier runs wrote in part is removed. A cluster that
// cannot be read does not stop the others. The error is that of the directory, or of the context
// where that ended first.
func Collect(ctx context.Context, dir string, plan *Plan, o Options) error {
	if o.Parallel < 1 {
		o.Parallel = Parallel
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	plan.removeRemains(dir)
	q := newQueue(plan.Targets, o.Ready)
	var mu sync.Mutex
	var failed error
	done := 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for range min(o.Parallel, len(plan.Targets)) {
		group.Go(func() {
			for {
				t, ok := q.next()
				if !ok || ctx.Err() != nil {
					return
				}
				out, err := one(ctx, dir, t, plan.NotBefore, o)
				if account, last := q.finished(t); last && o.Close != nil {
					o.Close(account)
				}
				mu.Lock()
				done++
				out.Done, out.Total = done, len(plan.Targets)
				if err != nil {
					failed = errors.Join(failed, err)
					cancel()
				} else if o.Progress != nil && ctx.Err() == nil {
					o.Progress(out)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

// one reads one cluster into the directory. The error is that of the directory.
func one(ctx context.Context, dir string, t Target, notBefore time.Time, o Options) (Outcome, error) {
	out := Outcome{Target: t}
	if facts := fresh(ctx, dir, t, notBefore); facts != nil {
		out.Kept, out.Missing = true, len(facts.Missing)
		return out, nil
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Limit > 0 {
		limited, cancel = context.WithTimeout(ctx, o.Limit)
	}
	defer cancel()
	facts, err := read(limited, t, o)
	switch {
	case ctx.Err() != nil:
		return out, nil // the run was interrupted, and nothing is known of the cluster
	case err != nil && limited.Err() != nil:
		err = &problem.Error{
			Problem: fmt.Sprintf("it was not read within --timeout %s", o.Limit),
			Next:    fmt.Sprintf("check the network, or allow more time for each cluster, such as --timeout %s", 2*o.Limit),
			Err:     err,
		}
	case err == nil && facts.Cluster.ARN != t.ARN:
		err = fmt.Errorf("AWS answered with another cluster, %s", facts.Cluster.ARN)
	}
	if err != nil {
		out.Err = err
		return out, WriteFailure(dir, t, o.Now(), err)
	}
	out.Missing = len(facts.Missing)
	return out, WriteSnapshot(dir, t, facts)
}

// read waits for a reader no longer than its context: a credential plugin does not know of
// the context.
func read(ctx context.Context, t Target, o Options) (*snapshot.Snapshot, error) {
	type answer struct {
		facts *snapshot.Snapshot
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		facts, err := o.Read(ctx, t)
		answers <- answer{facts, err}
	}()
	select {
	case a := <-answers:
		return a.facts, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers:
		return a.facts, a.err
	case <-time.After(grace):
		return nil, ctx.Err()
	}
}

// grace is how long a reader may take to end after its context.
const grace = time.Second

// queue returns the cluster that is read next: one whose account and region are ready, so that no
// place is taken by a cluster that waits for its account's rate while others could be read. Of
// these accounts it is one that has the fewest clusters read at that time in the region of its
// next cluster, and then the one with the most clusters left. So accounts of one size take
// turns, in which what AWS allows them is refilled, and the largest begins first.
type queue struct {
	ready func(Target) bool

	mu     sync.Mutex
	groups []*group
}

// group is the clusters of an account.
type group struct {
	account         string
	targets         []Target
	given, finished int
	inFlight        map[string]int // by region
}

func newQueue(targets []Target, ready func(Target) bool) *queue {
	if ready == nil {
		ready = func(Target) bool { return true }
	}
	by := map[string]*group{}
	q := &queue{ready: ready}
	for _, t := range targets {
		account := t.Identity().Account
		if by[account] == nil {
			by[account] = &group{account: account, inFlight: map[string]int{}}
			q.groups = append(q.groups, by[account])
		}
		by[account].targets = append(by[account].targets, t)
	}
	for _, g := range q.groups {
		g.targets = regionsInTurn(g.targets)
	}
	return q
}

// regionsInTurn orders the clusters of an account so that its regions take turns: what AWS
// allows one of them is refilled while another one is asked.
func regionsInTurn(targets []Target) []Target {
	turn := map[string]int{} // of the region's next cluster
	turns := make([]int, len(targets))
	order := make([]int, len(targets))
	for i, t := range targets {
		region := t.Identity().Region
		turns[i], order[i] = turn[region], i
		turn[region]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turns[a] - turns[b] })
	out := make([]Target, len(targets))
	for i, from := range order {
		out[i] = targets[from]
	}
	return out
}

// next returns the cluster to read next, and false where none is left.
func (q *queue) next() (Target, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var best *group
	bestReady := false
	for _, g := range q.groups {
		if g.left() == 0 || bestReady && !g.before(best) {
			continue
		}
		ready := q.ready(g.targets[g.given])
		if best == nil || ready && !bestReady || ready == bestReady && g.before(best) {
			best, bestReady = g, ready
		}
	}
	if best == nil {
		return Target{}, false
	}
	t := best.targets[best.given]
	best.given++
	best.inFlight[t.Identity().Region]++
	return t, true
}

func (g *group) left() int { return len(g.targets) - g.given }

// busy is how many clusters are being read in the region of the next one.
func (g *group) busy() int { return g.inFlight[g.targets[g.given].Identity().Region] }

// before reports whether the group is to be asked before another one that is as ready.
func (g *group) before(o *group) bool {
	if g.busy() != o.busy() {
		return g.busy() < o.busy()
	}
	return g.left() > o.left()
}

// finished notes that a cluster has been read, and whether it was its account's last.
func (q *queue) finished(t Target) (account string, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id := t.Identity()
	for _, g := range q.groups {
		if g.account == id.Account {
			g.finished++
			g.inFlight[id.Region]--
			return id.Account, g.finished == len(g.targets)
		}
	}
	return id.Account, false
}
