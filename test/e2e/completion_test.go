package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestCompletion completes, through kubectl, what has to be read: the roles of the
// live cluster and the contexts of the kubeconfig.
func TestCompletion(t *testing.T) {
	s := newScenario(t, "completion")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	if out := kubectl(t, env, "noderole", "completion", "--install"); out.code != 0 || out.stderr != "" {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	complete := func(words ...string) []string {
		t.Helper()
		out := kubectl(t, env, append([]string{"__complete", "noderole"}, words...)...)
		lines := strings.Split(strings.TrimSpace(out.stdout), "\n")
		if last := lines[len(lines)-1]; out.code != 0 || last != ":4" {
			t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
		}
		return lines[:len(lines)-1]
	}
	if roles := complete("can", ""); !slices.Contains(roles, "eksNodeRole") || !slices.Contains(roles, "eksCNIRole") {
		t.Errorf("the roles are %q", roles)
	}
	if contexts := complete("check", "--context", ""); len(contexts) != 1 {
		t.Errorf("the contexts are %q", contexts)
	}
	if clusters := complete("check", "--cluster-name", ""); !slices.Equal(clusters, []string{"completion"}) {
		t.Errorf("the clusters are %q", clusters)
	}
}
