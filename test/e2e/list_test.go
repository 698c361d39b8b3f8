package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
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
	// A managed node group makes the instance profile of such a role.
	s.role("plainWorkers", serviceTrust("ec2.amazonaws.com"), workerPolicy, pullPolicy)
	s.role("wrongTrust", serviceTrust("lambda.amazonaws.com"), workerPolicy, pullPolicy)
	s.role("profileRole", serviceTrust("eks-fargate-pods.amazonaws.com"), "AmazonEKSFargatePodExecutionRolePolicy")
	s.fargateProfile("batch", "profileRole")
	want := []string{
		"AmazonEKSAutoNodeRole: could serve EKS Auto Mode",
		"eksNodeRole: could serve as it is",
		"oldNodeInstanceRole: lacks: ECR",
		"plainWorkers: could serve as it is",
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
	if count["iam:ListRoles"] < 2 || count["iam:GetRole"] > 6 || count["iam:ListAttachedRolePolicies"] > 6 {
		t.Errorf("calls: %v", count)
	}
	var policy struct {
		Statement []struct {
			Sid    string
			Action []string
		}
	}
	s.must(json.Unmarshal([]byte(kubectl(t, nil, "noderole", "policy", "reader").stdout), &policy))
	actions := map[string][]string{}
	for _, statement := range policy.Statement {
		actions[statement.Sid] = statement.Action
	}
	var more []string
	for operation := range count {
		if !slices.Contains(actions["NodeRoleCheck"], operation) {
			more = append(more, operation)
		}
	}
	slices.Sort(more)
	if diff := cmp.Diff(actions["NodeRoleList"], more); diff != "" {
		t.Errorf("operations of list alone (-documented +called):\n%s", diff)
	}
	t.Logf("1,108 roles: %v", count)

	// Without a cluster: the region alone.
	out = kubectl(t, []string{"KUBECONFIG=/dev/null", "AWS_ENDPOINT_URL=" + proxy.URL}, "noderole", "list", "--region", region, "-o", "json")
	if diff := cmp.Diff(want, listed(t, out)); diff != "" || out.code != 0 {
		t.Errorf("by region: exit %d, %s (-want +got):\n%s", out.code, out.stderr, diff)
	}
	out = kubectl(t, env, "noderole", "list", "--fit", "-o", "name")
	if out.code != 0 || out.stdout != "eksNodeRole\nplainWorkers\n" {
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

	// At once: the same list, a boundary included, without a call for each role.
	limits := s.policy("limits", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)
	s.role("limited", serviceTrust("lambda.amazonaws.com"), limits) // moto lists attached policies alone
	_, err := s.iam.PutRolePermissionsBoundary(s.ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("plainWorkers"), PermissionsBoundary: &limits})
	s.must(err)
	each := kubectl(t, env, "noderole", "list", "-o", "json", "--iam", "each")
	if !slices.Contains(listed(t, each), "plainWorkers: lacks: ECR") {
		t.Errorf("with a boundary: %v", listed(t, each))
	}
	proxy.Calls()
	bulk := kubectl(t, env, "noderole", "list", "-o", "json", "--iam", "bulk")
	if diff := cmp.Diff(each.stdout, bulk.stdout); diff != "" || bulk.code != 0 {
		t.Errorf("--iam bulk: exit %d, %s (-each +bulk):\n%s", bulk.code, bulk.stderr, diff)
	}
	count = map[string]int{}
	for _, c := range proxy.Calls() {
		count[c.Operation]++
	}
	if count["iam:GetAccountAuthorizationDetails"] != 2 || count["iam:GetRole"]+count["iam:ListAttachedRolePolicies"]+count["iam:ListRolePolicies"] > 0 {
		t.Errorf("--iam bulk: calls %v", count)
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

// TestListNodeClasses: the roles of Karpenter's and Auto Mode's node classes are in
// use where they could be read; where not, no role is called unused.
func TestListNodeClasses(t *testing.T) {
	s := newScenario(t, "listclasses")
	s.healthy()
	s.proxied.AutoModeRole = roleARN("AmazonEKSAutoNodeRole")
	s.apply()
	for _, name := range []string{"karpenterRole", "profileRole", "privateRole", "spareEksNodeRole"} {
		s.nodeRole(name, workerPolicy, pullPolicy)
	}
	s.role("AmazonEKSAutoNodeRole", serviceTrust("ec2.amazonaws.com"), "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	admin := s.kubeconfig(proxy.URL)
	used := func(env []string, args ...string) (map[string]string, output) {
		out := kubectl(t, env, append([]string{"noderole", "list", "-o", "json"}, args...)...)
		var list struct {
			Items []struct {
				Name          string
				UsedBy        []struct{ Kind, Cluster, Name string }
				UsedByUnknown bool
			}
		}
		if err := json.Unmarshal([]byte(out.stdout), &list); err != nil {
			t.Fatalf("%v\n%s%s", err, out.stdout, out.stderr)
		}
		uses := map[string]string{}
		for _, r := range list.Items {
			var words []string
			for _, u := range r.UsedBy {
				words = append(words, strings.TrimSuffix(u.Kind+" "+u.Cluster+"/"+u.Name, "/"))
			}
			if r.UsedByUnknown {
				words = append(words, "?")
			}
			uses[r.Name] = strings.Join(words, ", ")
		}
		return uses, out
	}
	// Without their kinds there are no node classes, and that is known.
	want := map[string]string{
		"AmazonEKSAutoNodeRole": "autoMode listclasses", "eksNodeRole": "nodeGroup listclasses/apps",
		"karpenterRole": "", "profileRole": "", "privateRole": "", "spareEksNodeRole": "",
	}
	got, out := used(admin)
	if diff := cmp.Diff(want, got); diff != "" || out.code != 0 {
		t.Errorf("without kinds: exit %d, %s (-want +got):\n%s", out.code, out.stderr, diff)
	}

	s.manifest(admin, nodeClassKinds, "--for=condition=Established", "crd/ec2nodeclasses.karpenter.k8s.aws", "crd/nodeclasses.eks.amazonaws.com")
	s.manifest(admin, `# YAML, which kubectl tells from JSON by the first character
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: default}, spec: {role: karpenterRole}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: own}, spec: {instanceProfile: profileRole}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: gone}, spec: {role: nobody}}
---
{apiVersion: eks.amazonaws.com/v1, kind: NodeClass, metadata: {name: private}, spec: {role: privateRole}}
`)
	want["karpenterRole"], want["profileRole"], want["privateRole"] = "ec2NodeClass listclasses/default", "ec2NodeClass listclasses/own", "nodeClass listclasses/private"
	got, out = used(admin)
	if diff := cmp.Diff(want, got); diff != "" || out.code != 0 {
		t.Errorf("exit %d, %s (-want +got):\n%s", out.code, out.stderr, diff)
	}
	out = kubectl(t, admin, "noderole", "list", "--unused", "-o", "name")
	if out.code != 0 || out.stdout != "spareEksNodeRole\n" {
		t.Errorf("--unused: exit %d %q %s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, admin, "noderole", "list", "-o", "wide")
	for _, text := range []string{" EC2NodeClass listclasses/default ", " EC2NodeClass listclasses/own ", " Auto Mode NodeClass listclasses/private ", " Auto Mode of listclasses "} {
		if !strings.Contains(out.stdout, text) {
			t.Errorf("-o wide lacks %q:\n%s", text, out.stdout)
		}
	}

	// Not allowed to list them, and without the API server.
	reader := s.writeKubeconfig(proxy.URL, map[string]any{"token": strangerToken})
	gone := s.kubeconfig(proxy.URL)
	file := strings.TrimPrefix(gone[0], "KUBECONFIG=")
	text, err := os.ReadFile(file)
	s.must(err)
	s.must(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), kube.url, "https://127.0.0.1:1")), 0o600))
	for _, test := range []struct {
		name   string
		env    []string
		stderr []string
	}{
		{"refused", reader, []string{
			"not read: list ec2nodeclasses.karpenter.k8s.aws of karpenter: refused; grant yourself list ec2nodeclasses.karpenter.k8s.aws\n",
			"not read: list nodeclasses.eks.amazonaws.com of autoMode: refused; grant yourself list nodeclasses.eks.amazonaws.com\n",
		}},
		{"unreachable", gone, []string{
			"not read: list node classes of autoMode, karpenter: cannot reach the Kubernetes API server https://127.0.0.1:1: connection refused\n",
		}},
	} {
		out := kubectl(t, test.env, "noderole", "list", "--unused")
		if out.code != 3 || out.stdout != "" {
			t.Errorf("%s, --unused: exit %d\n%s%s", test.name, out.code, out.stdout, out.stderr)
		}
		for _, line := range test.stderr {
			if !strings.Contains(out.stderr, line) {
				t.Errorf("%s: stderr lacks %q:\n%s", test.name, line, out.stderr)
			}
		}
		got, out := used(test.env)
		if got["spareEksNodeRole"] != "?" || got["eksNodeRole"] != "nodeGroup listclasses/apps, ?" || out.code != 3 {
			t.Errorf("%s: exit %d %v", test.name, out.code, got)
		}
	}

	// The region alone says nothing of node classes.
	region := []string{"KUBECONFIG=/dev/null", "AWS_ENDPOINT_URL=" + proxy.URL}
	out = kubectl(t, region, "noderole", "list", "--region", "eu-west-1", "--unused", "-o", "name")
	if out.code != 0 || !strings.Contains(out.stdout, "karpenterRole\n") || !strings.Contains(out.stderr, "node classes were not read") {
		t.Errorf("by region: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}
