package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listed are the roles of `list -o json`, as "NAME: VERDICT".
func listed(t *testing.T, out output) []string {
	t.Helper()
	var list struct {
		Kind  string
		Items []struct {
			Name    string
			Verdict struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &list); err != nil || list.Kind != "NodeRoleList" {
		t.Fatalf("no list: %v\n%s%s", err, out.stdout, out.stderr)
	}
	var lines []string
	for _, r := range list.Items {
		lines = append(lines, r.Name+": "+r.Verdict.Text)
	}
	return lines
}

// TestList: the candidates of an account with many roles, and what they lack; the
// documents of the others are not read.
func TestList(t *testing.T) {
	s := newScenario(t, "list")
	s.healthy()
	for i := range 1100 {
		s.role(fmt.Sprintf("app-%04d", i), serviceTrust("lambda.amazonaws.com"))
	}
	s.nodeRole("oldNodeInstanceRole", workerPolicy)
	s.nodeRole("webServers", cniPolicy) // EC2, but nothing of what a node calls but ec2:DescribeInstances
	s.nodeRole("database")              // EC2, and nothing of a node
	s.role("AmazonEKSAutoNodeRole", serviceTrust("ec2.amazonaws.com"), "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	s.role("profileRole", serviceTrust("eks-fargate-pods.amazonaws.com"), "AmazonEKSFargatePodExecutionRolePolicy")
	s.fargateProfile("batch", "profileRole")
	want := []string{
		"AmazonEKSAutoNodeRole: could serve EKS Auto Mode",
		"eksNodeRole: could serve as it is",
		"oldNodeInstanceRole: lacks: ECR",
		"webServers: lacks: ECR",
	}
	env := s.kubeconfig(proxy.URL)
	proxy.Calls()
	out := kubectl(t, env, "noderole", "list", "-o", "json")
	if diff := cmp.Diff(want, listed(t, out)); diff != "" || out.code != 0 {
		t.Errorf("exit %d, %s (-want +got):\n%s", out.code, out.stderr, diff)
	}
	count := map[string]int{}
	for _, c := range proxy.Calls() {
		count[c.Operation]++
	}
	if count["iam:ListRoles"] < 2 || count["iam:GetRole"] > 5 || count["iam:ListAttachedRolePolicies"] > 5 {
		t.Errorf("calls: %v", count)
	}
	var policy struct {
		Statement []struct{ Action []string }
	}
	s.must(json.Unmarshal([]byte(kubectl(t, nil, "noderole", "policy", "reader").stdout), &policy))
	var more []string
	for operation := range count {
		if !slices.Contains(policy.Statement[0].Action, operation) {
			more = append(more, operation)
		}
	}
	slices.Sort(more)
	if diff := cmp.Diff(policy.Statement[1].Action, more); diff != "" {
		t.Errorf("operations of list alone (-documented +called):\n%s", diff)
	}
	t.Logf("1,106 roles: %v", count)

	// Without a cluster: the region alone.
	out = kubectl(t, []string{"KUBECONFIG=/dev/null", "AWS_ENDPOINT_URL=" + proxy.URL}, "noderole", "list", "--region", region, "-o", "json")
	if diff := cmp.Diff(want, listed(t, out)); diff != "" || out.code != 0 {
		t.Errorf("by region: exit %d, %s (-want +got):\n%s", out.code, out.stderr, diff)
	}
	out = kubectl(t, env, "noderole", "list", "--fit", "-o", "name")
	if out.code != 0 || out.stdout != "eksNodeRole\n" {
		t.Errorf("--fit: exit %d %q", out.code, out.stdout)
	}
	out = kubectl(t, env, "noderole", "list", "-o", "wide")
	if out.code != 0 || !strings.Contains(out.stdout, "LAST USED") || !strings.Contains(out.stdout, "list/apps") {
		t.Errorf("-o wide: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, env, "noderole", "list")
	for line := range strings.Lines(out.stdout) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}

	// What is refused is unknown, and said.
	proxy.SetFault("iam:ListAttachedRolePolicies", denied("iam:ListAttachedRolePolicies"))
	out = kubectl(t, env, "noderole", "list", "-o", "json")
	if got := listed(t, out); out.code != 3 || slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "could serve") }) {
		t.Errorf("refused: exit %d %v", out.code, got)
	}
	out = kubectl(t, env, "noderole", "list")
	if out.code != 3 || !strings.Contains(out.stderr, "iam:ListAttachedRolePolicies") {
		t.Errorf("refused: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}
