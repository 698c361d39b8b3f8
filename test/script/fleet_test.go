package script_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAWSOnly: with --aws-only the API server gets no request, AWS is read as always, and
// what only the API server knows is unknown.
func TestAWSOnly(t *testing.T) {
	t.Parallel()
	c := newLiveCluster(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the API server was asked for %s", r.URL) })
	for name, args := range map[string][]string{
		"the cluster of the context":    {"snapshot", "--aws-only"},
		"a cluster that the flags name": {"snapshot", "--aws-only", "--cluster-name", "prod", "--region", "eu-west-1"},
	} {
		out := c.run(t, nil, args...)
		if out.code != 3 || !strings.Contains(out.stdout, "arn: arn:aws:eks:eu-west-1:444455556666:cluster/prod") ||
			strings.Count(out.stdout, "operation: read the Kubernetes API") != 10 || strings.Contains(out.stdout, "list nodes") {
			t.Errorf("%s: exit %d, %s\n%s", name, out.code, out.stderr, out.stdout)
		}
	}
	out := c.run(t, nil, "check", "--aws-only")
	if out.code != 3 && out.code != 1 || !strings.Contains(out.stdout, "read the Kubernetes API: it was not asked for (--aws-only)") {
		t.Errorf("exit %d, %s\n%s", out.code, out.stderr, out.stdout)
	}
}

// TestKilledAndResumed: a run that is killed in the middle leaves a plan and what it has
// read. It never looks complete, and the next run reads only the rest; the report is then the
// one of a run that nobody killed.
func TestKilledAndResumed(t *testing.T) {
	t.Parallel()
	c := newLiveCluster(t, func(http.ResponseWriter, *http.Request) {})
	names := []string{"prod"}
	for i := range 20 {
		name := fmt.Sprintf("c-%02d", i)
		names = append(names, name)
		c.put(t, "aws/eks/clusters/"+name+".json", fmt.Sprintf(`{"cluster": {"name": %q, "arn": "arn:aws:eks:eu-west-1:444455556666:cluster/%s", "endpoint": "https://%s.gr7.eu-west-1.eks.amazonaws.com", "roleArn": "arn:aws:iam::444455556666:role/%s"}}`, name, name, strings.ToUpper(name), name))
	}
	c.put(t, "aws/eks/clusters.json", `{"clusters": ["`+strings.Join(names, `", "`)+`"]}`)
	var described atomic.Int32
	stuck := make(chan struct{})
	answers := c.aws.Config.Handler
	c.aws.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/node-groups") && described.Add(1) > 5 {
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		}
		answers.ServeHTTP(w, r)
	})
	args := []string{"snapshot", "--all-clusters", "--regions", "eu-west-1", "--region", "eu-west-1", "--aws-only", "--allow-partial", "-o", "fleet/", "--parallel", "2"}
	killed := exec.CommandContext(t.Context(), filepath.Join(binDir, "kubectl-noderole"), args...)
	killed.Dir, killed.Env = c.dir, c.env
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); described.Load() <= 5; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("the run does not come to its sixth cluster")
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	close(stuck)

	const rows = `jsonpath={range .clusters[*]}{.cluster.name} {.read} {.reason} {.summary.unknown}{"\n"}{end}`
	out := c.run(t, nil, "check", "-f", "fleet/", "-o", rows, "--fail-on", "none")
	unread := strings.Count(out.stdout, " false it has no snapshot: the run ended before")
	if out.code != 3 || unread < 10 || unread > 20 || strings.Count(out.stdout, "\n") != len(names) {
		t.Errorf("after the kill: exit %d, %d not read\n%s%s", out.code, unread, out.stdout, out.stderr)
	}
	out = c.run(t, nil, append(args, "--max-age", "1h")...)
	if want := fmt.Sprintf("wrote fleet/: %d clusters read, %d kept", unread, len(names)-unread); out.code != 0 || !strings.Contains(out.stderr, want) {
		t.Errorf("resumed: exit %d, want %s\n%s", out.code, want, out.stderr)
	}
	resumed := c.run(t, nil, "check", "-f", "fleet/", "-o", rows, "--fail-on", "none")
	if err := os.RemoveAll(filepath.Join(c.dir, "fleet")); err != nil {
		t.Fatal(err)
	}
	c.run(t, nil, args...)
	whole := c.run(t, nil, "check", "-f", "fleet/", "-o", rows, "--fail-on", "none")
	if resumed.stdout != whole.stdout || strings.Contains(whole.stdout, " false ") {
		t.Errorf("resumed\n%s\nwithout a kill\n%s", resumed.stdout, whole.stdout)
	}
}
