package collect_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// largeAccount is a cluster with 200 node groups and 100 self-managed instances, each with a
// role of its own, and 1,000 policies: three of each role's own, and 100 that they share.
func largeAccount(t *testing.T) *fakeAWS {
	f := newFakeAWS(t)
	f.pageSize, f.latency, f.noAutoScaling = 1000, latency, true
	f.clusters = map[string]map[string]any{"prod": {"name": "prod", "arn": clusterARN("prod"), "accessConfig": map[string]any{"authenticationMode": "API"}}}
	f.roles, f.policies, f.profiles = map[string]fakeRole{}, map[string]string{}, map[string]fakeProfile{}
	f.nodeGroups, f.instances, f.entries = map[string]map[string]any{}, map[string]fakeEC2Instance{}, map[string]map[string]any{}
	for i := range 300 {
		name := fmt.Sprintf("node-%03d", i)
		role := fakeRole{trust: rawDocument, inline: map[string]string{"inline": rawDocument}}
		for _, policy := range []string{name + "-a", name + "-b", name + "-c", fmt.Sprintf("shared-%02d", i%100)} {
			arn := "arn:aws:iam::" + account + ":policy/" + policy
			role.attached = append(role.attached, arn)
			f.policies[arn] = rawDocument
		}
		f.roles[name] = role
		f.profiles[name] = fakeProfile{role: name}
		f.entries[f.roleARN(name)] = map[string]any{"type": "EC2_LINUX"}
		if i < 200 {
			f.nodeGroups["group-"+name] = map[string]any{"nodeRole": f.roleARN(name)}
		} else {
			f.instances[fmt.Sprintf("i-0%03d", i)] = fakeEC2Instance{state: "running", profile: f.profileARN(name)}
		}
	}
	return f
}

// TestLargeAccount: a large account is read in full, nothing of it twice, with no more
// requests than the budget has at any time, in the time that the budget needs, and with
// little memory.
func TestLargeAccount(t *testing.T) {
	for name, test := range map[string]struct {
		bulk bool
		// most is what the budgets need: 1,000 documents at 17 a second; at once, 300 access
		// entries at 10 a second.
		most time.Duration
	}{
		"each role":     {false, 59 * time.Second},
		"roles at once": {true, 26 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			f := largeAccount(t)
			memory := watchMemory(t, f)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s, stats, err := collect.Collect(t.Context(), collect.Options{
					Cluster: locate.Cluster{Name: "prod", ARN: clusterARN("prod")}, AWS: f.client(t), Kube: quickKube(keysOf(f.instances)), Bulk: test.bulk,
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(s.NodeGroups) != 200 || len(s.Roles) != 300 || len(s.Policies) != 1000 || len(s.AccessEntries) != 300 || len(s.Missing) > 0 {
					t.Errorf("%d node groups, %d roles, %d policies, %d access entries, missing %v", len(s.NodeGroups), len(s.Roles), len(s.Policies), len(s.AccessEntries), s.Missing)
				}
				for _, role := range s.Roles {
					if len(role.AttachedPolicies) != 4 || len(role.InlinePolicies) != 1 || len(role.InstanceProfiles) != 1 {
						t.Errorf("role %+v", role)
					}
				}
				if n := stats.PerOperation["iam:GetInstanceProfile"]; test.bulk && n > 0 {
					t.Errorf("%d instance profiles were read, which the roles that were read at once have", n)
				}
				took := time.Since(began)
				t.Logf("%d calls in %s, %d MiB: %v", stats.AWSCalls, took, memory()>>20, stats.PerOperation)
				if took > test.most {
					t.Errorf("it took %s, want at most %s", took, test.most)
				}
			})
			frugal(t, f)
			if used := memory(); used > 64<<20 {
				t.Errorf("%d MiB of memory", used>>20)
			}
		})
	}
}

// TestLargeList: 600 candidates among 1,100 roles are read at once where that is allowed.
func TestLargeList(t *testing.T) {
	for name, test := range map[string]struct {
		refuse string
		most   time.Duration
	}{
		"each role":     {"iam:GetAccountAuthorizationDetails", 86 * time.Second},
		"roles at once": {"", 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := listing(t, test.refuse)
			f := w.aws
			f.pageSize, f.latency = 1000, latency
			f.roles = map[string]fakeRole{}
			var picked []string
			for i := range 1100 {
				name := fmt.Sprintf("role-%04d", i)
				f.roles[name] = fakeRole{trust: rawDocument, attached: []string{workerPolicy, pullPolicy}}
				if i < 600 {
					picked = append(picked, f.roleARN(name))
				}
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				account, err := collect.ReadAccount(t.Context(), collect.AccountOptions{
					Cluster: locate.Cluster{Name: "prod", ARN: clusterARN("prod")}, AWS: f.client(t), Bulk: collect.BulkWins,
					Keep: func(*snapshot.Account) []string { return picked },
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(account.Snapshot.Roles) != 1100 || len(account.LastUsed) != 600 || len(account.Snapshot.Missing)+len(account.Unread) > 0 {
					t.Errorf("%d roles, last use of %d, missing %v, %v", len(account.Snapshot.Roles), len(account.LastUsed), account.Snapshot.Missing, account.Unread)
				}
				took := time.Since(began)
				t.Logf("%d calls in %s", len(f.spans), took)
				if took > test.most {
					t.Errorf("it took %s, want at most %s", took, test.most)
				}
			})
			frugal(t, f)
		})
	}
}

// client returns the real client, which reaches the server without a network.
func (f *fakeAWS) client(t *testing.T) *aws.Client {
	t.Helper()
	client, err := aws.New(t.Context(), aws.Config{Region: region, Env: map[string]string{"AWS_ENDPOINT_URL": f.URL}, Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// frugal fails where something was read twice or requests exceed the budget.
func frugal(t *testing.T, f *fakeAWS) {
	t.Helper()
	for object, n := range f.objects {
		if n > 1 {
			t.Errorf("%s was read %d times", object, n)
		}
	}
	withinBudget(t, f.spans)
}

// withinBudget compares the requests with the budget of their operation: no
// period of time has more of them than the burst and what the rate has in it.
func withinBudget(t *testing.T, spans []span) {
	t.Helper()
	sent := map[string][]time.Time{}
	for _, s := range spans {
		sent[s.operation] = append(sent[s.operation], s.from)
	}
	for operation, times := range sent {
		rate, burst := 7.0, 7.0 // IAM allows 15 a second, and 35 for policies
		switch {
		case operation == "iam:GetPolicy", operation == "iam:GetPolicyVersion":
			rate, burst = 17, 17
		case strings.HasPrefix(operation, "eks:"):
			rate, burst = 10, 64
		}
		slices.SortFunc(times, time.Time.Compare)
		for i := range times {
			for j := i; j < len(times); j++ {
				const rounding = 1e-3
				if n, limit := float64(j-i+1), burst+rate*times[j].Sub(times[i]).Seconds(); n > limit+rounding {
					t.Fatalf("%.0f requests of %s within %s, want at most %.1f", n, operation, times[j].Sub(times[i]), limit)
				}
			}
		}
	}
}

// watchMemory returns what the heap had at most since the call, beyond what it had then.
func watchMemory(t *testing.T, f *fakeAWS) func() uint64 {
	percent := debug.SetGCPercent(100) // make test collects less often
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	used := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	runtime.GC()
	before := used()
	var mu sync.Mutex
	var calls int
	most := before
	f.answered = func() {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%20 == 0 {
			most = max(most, used())
		}
	}
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return most - before
	}
}
