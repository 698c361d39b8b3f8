package e2e

import (
	"cmp"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

const latency = 50 * time.Millisecond

// BenchmarkCheck runs the built binary against a cluster of 10 node groups, 3
// roles and 12 policies, each AWS call taking 50 ms, and reports calls, the
// longest chain of calls one after another, and the median and the best time of check and
// of the start of the process. moto answers one request after another: the proxy has its
// answers from a run before, so that the time is that of the program. It fails where
// something is read twice or the budget is exceeded.
func BenchmarkCheck(b *testing.B) {
	s := newScenario(b, "bench")
	for i := range 3 {
		role := fmt.Sprintf("nodeRole%d", i)
		policies := []string{workerPolicy, pullPolicy}
		for j := range 3 {
			policies = append(policies, s.policy(fmt.Sprintf("own-%d-%d", i, j), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`))
		}
		s.nodeRole(role, policies...)
		s.grantAccess(role, "EC2_LINUX")
	}
	s.inlinePolicy("nodeRole0", "inline", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	for i := range 10 {
		s.nodeGroup(fmt.Sprintf("group%d", i), fmt.Sprintf("nodeRole%d", i%3))
	}
	s.oidcProvider()
	s.role("eksCNIRole", irsaTrust(), cniPolicy)
	s.awsNode("eksCNIRole")
	s.node("ip-10-0-9-9.eu-west-1.compute.internal", s.instance("nodeRole0"), "")
	env := s.kubeconfig(proxy.URL)
	proxy.SetReplay()
	run(b, env, "check")
	proxy.SetLatency(latency)
	proxy.Calls()

	var calls []awsproxy.Call
	levels := math.MaxInt // of the best run: a busy machine makes a call late
	var starts, checks, cpus []time.Duration
	for b.Loop() {
		start, _ := run(b, env, "version")
		check, cpu := run(b, env, "check")
		starts, checks, cpus = append(starts, start), append(checks, check), append(cpus, cpu)
		calls = proxy.Calls()
		levels = min(levels, depth(calls))
	}
	for _, list := range [][]time.Duration{starts, checks, cpus} {
		slices.Sort(list)
	}
	seen := map[string]int{}
	for _, c := range calls {
		if seen[c.Operation+" "+c.Key]++; seen[c.Operation+" "+c.Key] > 1 {
			b.Errorf("read twice: %s %s", c.Operation, c.Key)
		}
	}
	b.ReportMetric(float64(len(calls)), "calls")
	b.ReportMetric(float64(levels), "levels")
	b.ReportMetric(float64(checks[len(checks)/2].Milliseconds()), "check-p50-ms")
	b.ReportMetric(float64(checks[0].Milliseconds()), "check-best-ms")
	b.ReportMetric(float64(cpus[len(cpus)/2].Milliseconds()), "check-cpu-p50-ms")
	b.ReportMetric(float64(starts[len(starts)/2].Milliseconds()), "start-p50-ms")
	if levels > 3 {
		b.Errorf("%d calls one after another, want at most 3", levels)
	}
	if len(calls) > 64 {
		b.Errorf("%d calls, want at most 64", len(calls))
	}
	if budget := starts[0] + time.Duration(1.3*3*float64(latency)); checks[0] > budget {
		b.Errorf("one check took %s at best, want at most %s", checks[0], budget)
	}
}

// run runs the plugin and returns how long it took, and how long a processor.
func run(b *testing.B, env []string, args ...string) (took, cpu time.Duration) {
	b.Helper()
	cmd := exec.Command(binDir+"/kubectl-noderole", args...)
	cmd.Env = append(baseEnv(), env...)
	started := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", args, err, out)
	}
	return time.Since(started), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// depth is the length of the longest chain of calls of which each began after
// the one before had ended.
func depth(calls []awsproxy.Call) int {
	calls = slices.SortedFunc(slices.Values(calls), func(a, b awsproxy.Call) int { return cmp.Compare(a.Start.UnixNano(), b.Start.UnixNano()) })
	longest := 0
	levels := make([]int, len(calls))
	for i, c := range calls {
		levels[i] = 1
		for j := range i {
			if !calls[j].End.After(c.Start) {
				levels[i] = max(levels[i], levels[j]+1)
			}
		}
		longest = max(longest, levels[i])
	}
	return longest
}
