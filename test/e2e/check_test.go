package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

func TestHealthyCluster(t *testing.T) {
	s := newScenario(t, "healthy")
	s.healthy()
	out := kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check")
	if out.code != 0 || !strings.Contains(out.stdout, "0 errors, 0 warnings, 0 unknown, ") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for _, want := range []string{
		"healthy  eu-west-1  123456789012  EKS ", "IPv4  access entries + aws-auth",
		"aws-node  uses IRSA role eksCNIRole on 1 of 1 nodes", " AWS calls, ",
	} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("the report lacks %q:\n%s", want, out.stdout)
		}
	}
}

// TestCredentialPlugin goes the whole way that a user's kubeconfig goes: kubectl
// and the plugin both run aws eks get-token, and the API server takes its token.
func TestCredentialPlugin(t *testing.T) {
	s := newScenario(t, "plugin")
	s.healthy()
	env := s.execKubeconfig(proxy.URL)
	if out := kubectl(t, env, "get", "nodes", "-o", "name"); out.code != 0 {
		t.Fatalf("kubectl get nodes: %s", out.stderr)
	}
	if out := kubectl(t, env, "noderole", "check"); out.code != 0 {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// broken is a cluster with a role shared with the cluster, a wrong trust policy,
// a role that may not pull, and a self-managed node.
func broken(t *testing.T) *scenario {
	s := newScenario(t, "broken")
	s.healthy()
	s.createCluster("neighbour", "gpuNodeRole")
	s.nodeGroup("legacy", "eksClusterRole")
	s.nodeRole("gpuNodeRole", workerPolicy)
	s.nodeGroup("gpu", "gpuNodeRole")
	s.role("lambdaRole", serviceTrust("lambda.amazonaws.com"), workerPolicy, pullPolicy)
	s.nodeGroup("functions", "lambdaRole")
	s.fargateProfile("batch", "lambdaRole")
	s.nodeRole("bastionRole", pullPolicy)
	s.node("ip-10-0-9-9.eu-west-1.compute.internal", s.instance("bastionRole"), "")
	s.node("ip-10-0-9-8.eu-west-1.compute.internal", s.instance(""), "")
	s.node("ip-10-0-9-7.eu-west-1.compute.internal", "i-0000000000000dead", "")
	s.grantAccess("gpuNodeRole", "EC2_LINUX")
	s.awsNodePod("aws-node-old", "ip-10-0-9-9.eu-west-1.compute.internal", "")
	return s
}

func TestBrokenCluster(t *testing.T) {
	s := broken(t)
	env := s.kubeconfig(proxy.URL)
	table := kubectl(t, env, "noderole", "check")
	t.Logf("the report:\n%s", table.stdout)
	if table.code != 1 || table.stderr != "" {
		t.Errorf("exit %d, stderr %q", table.code, table.stderr)
	}
	r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
	want := []string{
		"NR105 ip-10-0-9-8.eu-west-1.compute.internal fail",
		"NR101 eksClusterRole fail",
		"NR301 eksClusterRole fail",
		"NR103 lambdaRole fail",
		"NR301 lambdaRole fail",
		"NR501 lambdaRole fail",
		"NR303 lambdaRole fail",
		"NR201 bastionRole fail",
		"NR203 bastionRole fail",
		"NR501 bastionRole fail",
		"NR701 bastionRole fail",
		"NR102 gpuNodeRole fail",
		"NR202 gpuNodeRole fail",
		"NR210 gpuNodeRole fail",
		"NR607 aws-node with node role bastionRole fail",
		"NR602 aws-node fail",
	}
	got := r.verdicts()
	// What AWS's cluster policy grants is AWS's to change.
	optional := func(v string) bool {
		return strings.Contains(v, "eksClusterRole") && !strings.HasPrefix(v, "NR101") && !strings.HasPrefix(v, "NR301")
	}
	if diff := cmp.Diff(slices.DeleteFunc(want, optional), slices.DeleteFunc(got, optional)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	wantSources := map[string]string{
		"bastionRole": "self-managed node ip-10-0-9-9.eu-west-1.compute.internal;", "eksClusterRole": "node group legacy;",
		"eksNodeRole": "node group apps;", "gpuNodeRole": "node group gpu;", "lambdaRole": "node group functions;",
	}
	if diff := cmp.Diff(wantSources, r.sources()); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

// withoutNext is a report without what to do next, as those commands name the context or
// the file that the facts came from, and without the time at which they were collected.
func withoutNext(t *testing.T, report string) map[string]any {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatal(err)
	}
	for _, result := range r["results"].([]any) {
		delete(result.(map[string]any), "next")
	}
	delete(r["facts"].(map[string]any), "collectedAt")
	return r
}

// TestSnapshotGivesTheSameReport: the facts saved and judged later give the same
// report, but for the commands that name where the facts came from.
func TestSnapshotGivesTheSameReport(t *testing.T) {
	s := broken(t)
	env := s.kubeconfig(proxy.URL)
	file := filepath.Join(t.TempDir(), "snapshot.yaml")
	if out := kubectl(t, env, "noderole", "snapshot", "-o", file); out.code != 0 || out.stdout != "" {
		t.Fatalf("exit %d, %s%s", out.code, out.stdout, out.stderr)
	}
	live := kubectl(t, env, "noderole", "check", "-o", "json")
	saved := kubectl(t, nil, "noderole", "check", "-f", file, "-o", "json")
	if diff := cmp.Diff(withoutNext(t, live.stdout), withoutNext(t, saved.stdout)); diff != "" || live.code != 1 || saved.code != 1 {
		t.Errorf("exit %d and %d (-live +saved):\n%s", live.code, saved.code, diff)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{adminToken, "wJalrXUtnFEMI", "AKIAIOSFODNN7EXAMPLE"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the snapshot holds the secret %s", secret)
		}
	}
}

// TestBareMoto: an endpoint that does not know some operations, and answers with
// a page of HTML, costs those facts and a line each, not the run.
func TestBareMoto(t *testing.T) {
	s := newScenario(t, "bare")
	s.healthy()
	// moto's cluster has an endpoint of its own, no EKS host, and a certificate
	// authority that is none: without a word of the user that is no proof.
	env := s.kubeconfig(cloud.url)
	out := kubectl(t, env, "noderole", "check")
	if out.code != 3 || out.stdout != "" || !strings.Contains(out.stderr, "is unknown: the server is not an EKS endpoint") {
		t.Errorf("a cluster that cannot be verified: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, env, "noderole", "check", "--cluster-name", s.cluster, "-o", "json")
	r := parseReport(t, out)
	if out.code != 3 || !strings.Contains(out.stderr, "could not be verified") {
		t.Errorf("exit %d, stderr %q", out.code, out.stderr)
	}
	var operations []string
	for _, m := range r.Missing {
		operations = append(operations, m.Operation)
		if strings.Contains(m.Error, "\n") || strings.Contains(m.Error, "deserial") || !strings.Contains(m.Error, "404") {
			t.Errorf("%s: not a clear line: %q", m.Operation, m.Error)
		}
	}
	slices.Sort(operations)
	if diff := cmp.Diff([]string{"eks:DescribeAccessEntry", "eks:DescribeAccessEntry", "eks:DescribeAddon", "eks:DescribeAddon", "eks:ListPodIdentityAssociations"}, operations); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// TestRefusedRole: without iam:GetRole the rules on the role are unknown, none
// passes, and the permission is named.
func TestRefusedRole(t *testing.T) {
	s := newScenario(t, "refused")
	s.healthy()
	proxy.SetFault("iam:GetRole", denied("iam:GetRole"))
	out := kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json")
	r := parseReport(t, out)
	if out.code != 3 {
		t.Errorf("exit %d, want 3", out.code)
	}
	for _, res := range r.Results {
		needsRole := regexp.MustCompile(`NR104|NR20[123]|NR301`).MatchString(res.ID)
		if needsRole && res.Status != "unknown" {
			t.Errorf("%s says %s: %s", res.ID, res.Status, res.Message)
		}
	}
	for _, m := range r.Missing {
		if m.Operation != "iam:GetRole" || m.Permission != "iam:GetRole" || strings.Contains(m.Error, "\n") {
			t.Errorf("missing: %+v", m)
		}
	}
	if len(r.Missing) != 2 {
		t.Errorf("%d entries are missing, want the node role and aws-node's", len(r.Missing))
	}
}

// TestSimulate: the IAM policy simulator is asked once a role, one role at a time, and only
// on request; where it disagrees that is a finding.
func TestSimulate(t *testing.T) {
	s := newScenario(t, "simulate")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	proxy.Calls()
	simulations := func() []awsproxy.Call {
		return slices.DeleteFunc(proxy.Calls(), func(c awsproxy.Call) bool { return c.Operation != "iam:SimulatePrincipalPolicy" })
	}
	if out := kubectl(t, env, "noderole", "check"); out.code != 0 || len(simulations()) > 0 {
		t.Errorf("the simulator is asked without --simulate")
	}
	out := kubectl(t, env, "noderole", "check", "--simulate", "-o", "json")
	nr290 := func(out output) (list []string) {
		for _, r := range parseReport(t, out).Results {
			if r.ID == "NR290" {
				list = append(list, r.Subject.Name+" "+r.Status+": "+r.Message+": "+strings.Join(r.Evidence, "; "))
			}
		}
		return list
	}
	calls := simulations()
	for i, c := range calls {
		if i > 0 && c.Start.Before(calls[i-1].End) {
			t.Error("two simulations at once")
		}
	}
	// The CNI's actions are simulated too and the node role may not do them.
	got := nr290(out)
	if len(got) != 1 || !strings.Contains(got[0], "eksNodeRole fail") || !strings.Contains(got[0], "ec2:AttachNetworkInterface on arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-0123456789abcdef0: AWS says allowed") {
		t.Errorf("got %v", got)
	}

	s.proxied.Simulated = map[string]string{"ecr:BatchGetImage": "explicitDeny"}
	for _, action := range []string{
		"AssignIpv6Addresses", "AssignPrivateIpAddresses", "AttachNetworkInterface", "CreateNetworkInterface", "CreateTags", "DeleteNetworkInterface",
		"DescribeNetworkInterfaces", "DescribeTags", "DetachNetworkInterface", "ModifyNetworkInterfaceAttribute", "UnassignPrivateIpAddresses",
	} {
		s.proxied.Simulated["ec2:"+action] = "implicitDeny"
	}
	s.apply()
	got = nr290(kubectl(t, env, "noderole", "check", "--simulate", "-o", "json"))
	want := "eksNodeRole fail: the IAM policy simulator disagrees about eksNodeRole: ecr:BatchGetImage on arn:aws:ecr:eu-west-1:123456789012:repository/noderole-sample: AWS says explicitDeny, this program allowed by AmazonEC2ContainerRegistryPullOnly"
	if len(got) != 1 || !strings.HasPrefix(got[0], want) || strings.Contains(got[0], ";") {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	proxy.SetFault("iam:SimulatePrincipalPolicy", denied("iam:SimulatePrincipalPolicy"))
	out = kubectl(t, env, "noderole", "check", "--simulate", "-o", "json")
	if got = nr290(out); out.code != 3 || len(got) != 1 || !strings.Contains(got[0], "unknown") {
		t.Errorf("refused: exit %d, %v", out.code, got)
	}
}

// TestThrottling: a throttled call is tried again and leaves no trace.
func TestThrottling(t *testing.T) {
	s := newScenario(t, "throttled")
	s.healthy()
	f := denied("")
	f.Status, f.Code, f.Message, f.Times = http.StatusBadRequest, "Throttling", "Rate exceeded", 1
	proxy.SetFault("iam:ListAttachedRolePolicies", f)
	if out := kubectl(t, append(s.kubeconfig(proxy.URL), "AWS_MAX_ATTEMPTS=3"), "noderole", "check"); out.code != 0 {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// TestInterrupt: Ctrl-C ends a check at once, with 130 and without a report.
func TestInterrupt(t *testing.T) {
	s := newScenario(t, "interrupt")
	s.healthy()
	file := filepath.Join(t.TempDir(), "snapshot.yaml")
	for _, args := range [][]string{{"check", "-o", "json"}, {"snapshot", "-o", file}} {
		proxy.SetFault("iam:GetRole", awsproxy.Fault{Hang: true})
		cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), args...)
		cmd.Env = append(baseEnv(), s.kubeconfig(proxy.URL)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		proxy.AwaitCall("iam:GetRole")
		interrupted := time.Now()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, code, stdout.String(), stderr.String())
		}
		if took := time.Since(interrupted); took > 5*time.Second {
			t.Errorf("%v: took %s to end", args, took)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a snapshot was left behind: %v", err)
	}
}

// TestRBACDocumented: what docs/permissions.md grants in the cluster suffices, and
// without it the facts are missing with the permission that would give them.
func TestRBACDocumented(t *testing.T) {
	s := newScenario(t, "rbac")
	s.healthy()
	env := s.writeKubeconfig(proxy.URL, map[string]any{"token": readerToken})
	r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
	var permissions []string
	for _, m := range r.Missing {
		permissions = append(permissions, m.Permission)
	}
	slices.Sort(permissions)
	want := []string{
		"get configmaps in kube-system", "get daemonsets.apps in kube-system", "get daemonsets.apps in kube-system", "get daemonsets.apps in kube-system",
		"get deployments.apps in kube-system", "get serviceaccounts in kube-system",
		"list ec2nodeclasses.karpenter.k8s.aws", "list events in kube-system", "list nodeclasses.eks.amazonaws.com", "list nodes", "list pods in kube-system",
	}
	if diff := cmp.Diff(want, permissions); diff != "" {
		t.Errorf("missing without any right (-want +got):\n%s", diff)
	}

	s.grantReader("noderole-check")
	if out := kubectl(t, env, "noderole", "check"); out.code != 0 {
		t.Errorf("with the documented rights: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// TestSystemImages: the registry of the images of aws-node, kube-proxy and CoreDNS is what
// the node role has to be allowed to pull from.
func TestSystemImages(t *testing.T) {
	s := newScenario(t, "images")
	s.healthy()
	s.systemWorkloads()
	s.nodeRole("leanRole", workerPolicy)
	s.nodeGroup("lean", "leanRole")
	s.grantAccess("leanRole", "EC2_LINUX")
	for registry, want := range map[string][]string{
		account:        {"fail", "leanRole cannot pull the images of aws-node, kube-proxy from ECR", "from registry 602401143452 in eu-west-1"},
		"602401143452": {"pass", "leanRole can pull the images of aws-node, kube-proxy, coredns from ECR", "inline pull statement 2"},
	} {
		s.inlinePolicy("leanRole", "pull", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
			{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:eu-west-1:`+registry+`:repository/*"}]}`)
		r := parseReport(t, kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json"))
		found := false
		for _, res := range r.Results {
			if res.ID != "NR202" || res.Subject.Name != "leanRole" {
				continue
			}
			found = true
			if res.Status != want[0] || res.Message != want[1] || !strings.Contains(strings.Join(res.Evidence, "\n"), want[2]) {
				t.Errorf("%s: %s: %s\n%v", registry, res.Status, res.Message, res.Evidence)
			}
		}
		if !found {
			t.Errorf("%s: no result of NR202", registry)
		}
	}
}

// grantReader gives the user of readerToken the rights that docs/permissions.md has for
// check, by bindings of a name, until the test ends.
func (s *scenario) grantReader(name string) {
	s.t.Helper()
	admin := s.kubeconfig(proxy.URL)
	s.manifest(admin, documented(s.t, "```yaml"))
	for _, args := range [][]string{
		{"clusterrolebinding", name, "--clusterrole=noderole-check"},
		{"clusterrolebinding", name + "-addons", "--clusterrole=noderole-addons"},
		{"-n", "kube-system", "rolebinding", name, "--role=noderole-check"},
		{"-n", "default", "rolebinding", name, "--role=noderole-check"},
	} {
		if out := kubectl(s.t, admin, append([]string{"create", "--user=reader"}, args...)...); out.code != 0 {
			s.t.Fatalf("kubectl create %v: %s", args, out.stderr)
		}
		s.t.Cleanup(func() { kubectl(s.t, admin, append([]string{"delete"}, args[:len(args)-1]...)...) })
	}
}

// documented returns the block of docs/permissions.md that a fence begins.
func documented(t testing.TB, fence string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "permissions.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), fence+"\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatalf("docs/permissions.md has no block %s", fence)
	}
	return block
}

// TestPermissionsDocumented: docs/permissions.md lists the operations that check
// calls, none too many and none too few.
func TestPermissionsDocumented(t *testing.T) {
	s := broken(t)
	s.inlinePolicy("gpuNodeRole", "pull", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	s.proxied.Associations["a-1"] = associationOf("eksCNIRole")
	s.grantAccess("bastionRole", "EC2") // of a type that may have access policies
	s.autoScalingGroup("workers", "bastionRole", "1")
	s.launchConfigurationGroup("older", "bastionRole")
	s.hybrid("eksCNIRole")
	// A policy that is attached to nothing is not on the page of the attached policies.
	limits := s.policy("limits", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	_, err := s.iam.PutRolePermissionsBoundary(s.ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("gpuNodeRole"), PermissionsBoundary: &limits})
	s.must(err)
	proxy.Calls()
	kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check")
	// A profile is read alone where the list of all comes too late or is refused.
	proxy.SetFault("iam:ListInstanceProfiles", denied("iam:ListInstanceProfiles"))
	defer proxy.ClearFault("iam:ListInstanceProfiles")
	kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check")
	called := map[string]bool{}
	for _, c := range proxy.Calls() {
		called[c.Operation] = true
	}
	var policy struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(documented(t, "```json")), &policy); err != nil {
		t.Fatal(err)
	}
	var got []string
	for op := range called {
		got = append(got, op)
	}
	// Auto Scaling groups without instances: saves time, and costs no fact where it is refused.
	want := append(policy.Statement[0].Action, "iam:ListInstanceProfiles")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-documented +called):\n%s", diff)
	}
}

// TestCheckOtherRegions: a node role that is the cluster role of a cluster in another
// region fails where that region is read, and a region that refuses makes it unknown.
func TestCheckOtherRegions(t *testing.T) {
	s := newScenario(t, "near")
	s.healthy()
	far := eks.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloud.url),
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	})
	_, err := far.CreateCluster(s.ctx, &eks.CreateClusterInput{
		Name: aws.String("far"), RoleArn: aws.String(roleARN("eksNodeRole")), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	s.must(err)
	status := func(flags ...string) (string, output) {
		out := kubectl(t, s.kubeconfig(proxy.URL), append([]string{"noderole", "check", "-o", "json"}, flags...)...)
		for _, r := range parseReport(t, out).Results {
			if r.ID == "NR102" {
				return r.Status, out
			}
		}
		return "", out
	}
	if got, out := status(); got != "pass" {
		t.Errorf("without --regions: %q\n%s", got, out.stderr)
	}
	got, out := status("--regions", "us-east-1,"+region)
	if got != "fail" || out.code != 1 || !strings.Contains(out.stdout, "far in us-east-1") {
		t.Errorf("--regions: %q, exit %d\n%s", got, out.code, out.stderr)
	}
	if out := kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "--regions", "cn-north-1"); out.code != 2 || !strings.Contains(out.stderr, "cn-north-1 is in partition aws-cn") {
		t.Errorf("another partition: exit %d\n%s", out.code, out.stderr)
	}
	proxy.SetFault("eks:ListClusters", denied("eks:ListClusters"))
	if got, out := status("--regions", "us-east-1"); got != "unknown" || !strings.Contains(out.stdout, "eks:ListClusters of us-east-1") {
		t.Errorf("refused: %q, exit %d\n%s", got, out.code, out.stderr)
	}
}
