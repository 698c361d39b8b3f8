package script_test

import (
	"net/http"
	"strings"
	"testing"
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
