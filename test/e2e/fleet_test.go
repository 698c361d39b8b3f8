package e2e

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// away is the account of the tests beside moto's own.
const away = "222222222222"

// inAway are the credentials of a role in the other account, as the AWS CLI gets them.
func (s *scenario) inAway() aws.Config {
	s.t.Helper()
	cmd := exec.Command("aws", "sts", "assume-role", "--role-arn", "arn:aws:iam::"+away+":role/Maker", "--role-session-name", "test", "--output", "json")
	cmd.Env = append(baseEnv(), "AWS_ENDPOINT_URL="+cloud.url, "AWS_DEFAULT_REGION="+region)
	out, err := cmd.Output()
	s.must(err)
	var answer struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string } //nolint:revive // the names of the answer
	}
	s.must(json.Unmarshal(out, &answer))
	c := answer.Credentials
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloud.url),
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyId, c.SecretAccessKey, c.SessionToken),
	}
}

// createRemote makes a cluster in the other account, and returns the configuration that
// reaches that account.
func (s *scenario) createRemote() aws.Config {
	s.t.Helper()
	other := s.inAway()
	_, err := iam.NewFromConfig(other).CreateRole(s.ctx, &iam.CreateRoleInput{RoleName: aws.String("awayClusterRole"), AssumeRolePolicyDocument: aws.String(serviceTrust("eks.amazonaws.com"))})
	s.must(err)
	_, err = eks.NewFromConfig(other).CreateCluster(s.ctx, &eks.CreateClusterInput{
		Name: aws.String("remote"), RoleArn: aws.String("arn:aws:iam::" + away + ":role/awayClusterRole"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	s.must(err)
	return other
}

// remoteCluster makes a cluster in the other account, whose API server cannot be reached.
func (s *scenario) remoteCluster() {
	s.t.Helper()
	s.createRemote()
	remote := s.proxied
	remote.Endpoint, remote.AccessEntries, remote.Associations = "https://127.0.0.1:1", map[string]awsproxy.AccessEntry{}, map[string]awsproxy.Association{}
	proxy.SetCluster("remote", remote)
}

// TestFleet reads clusters of two accounts and two regions in one run: one whole, with a token
// that the plugin makes itself, and one whose API server cannot be reached. The snapshots are
// then checked without AWS and without the clusters.
func TestFleet(t *testing.T) {
	s := newScenario(t, "home")
	s.healthy()
	s.remoteCluster()
	gone, err := iam.NewFromConfig(s.inAway()).CreateOpenIDConnectProvider(s.ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://oidc.eks.us-east-1.amazonaws.com/id/60E60E60E60E60E60E60E60E60E60E60"), ClientIDList: []string{"sts.amazonaws.com"},
		ThumbprintList: []string{"9e99a48a9960b14926bb7f3b02e22da2b0ab7280"},
	})
	s.must(err)

	// Every context of the kubeconfig: one cluster, whole.
	env := s.execKubeconfig(proxy.URL)
	out := kubectl(t, env, "noderole", "check", "--all-contexts")
	if out.code != 0 || !strings.Contains(out.stdout, "1 without findings, 0 not") {
		t.Fatalf("all contexts: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	targets := filepath.Join(t.TempDir(), "fleet.yaml")
	s.must(os.WriteFile(targets, fmt.Appendf(nil, `apiVersion: noderole.dev/v1alpha1
kind: Targets
include:
  - regions: [%s, us-east-1]
    group: home
  - accounts: [%q]
    regions: [us-east-1]
    roleName: NodeRoleReader
`, region, away), 0o600))
	dir := filepath.Join(t.TempDir(), "fleet")
	env = append(env, "AWS_DEFAULT_REGION="+region, "KUBECONFIG=/dev/null")
	out = kubectl(t, env, "noderole", "snapshot", "--targets", targets, "-o", dir)
	if out.code != 3 || !strings.Contains(out.stderr, ": 2 clusters read, 1 not read in full (") || !strings.Contains(out.stderr, "none throttled") {
		t.Fatalf("snapshot: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	offline := []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1", "KUBECONFIG=/dev/null"}
	out = kubectl(t, offline, "noderole", "check", "-f", dir, "-o", "json", "--fail-on", "none")
	var report struct {
		Clusters []struct {
			Cluster struct{ Name, Account, Region string }
			Group   string
			Read    bool
			Summary struct{ Errors, Warnings, Unknown int }
		}
		Missing      []struct{ Operation, Error string }
		FleetResults []struct {
			ID, Status string
			Subject    struct{ ARN string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil || out.code != 3 || len(report.Clusters) != 2 {
		t.Fatalf("check: exit %d, %v\n%s%s", out.code, err, out.stdout, out.stderr)
	}
	for _, c := range report.Clusters {
		switch c.Cluster.Name {
		case "home":
			if c.Cluster.Account != account || c.Cluster.Region != region || c.Group != "home" || !c.Read || c.Summary.Errors+c.Summary.Warnings+c.Summary.Unknown != 0 {
				t.Errorf("home: %+v", c)
			}
		case "remote":
			if c.Cluster.Account != away || c.Cluster.Region != "us-east-1" || !c.Read || c.Summary.Unknown == 0 {
				t.Errorf("remote: %+v", c)
			}
		}
	}
	orphaned := false
	for _, r := range report.FleetResults {
		orphaned = orphaned || r.ID == "NR904" && r.Status == "fail" && r.Subject.ARN == *gone.OpenIDConnectProviderArn
	}
	if !orphaned {
		t.Errorf("the provider of no cluster is not found: %+v", report.FleetResults)
	}
	if out = kubectl(t, offline, "noderole", "diff", dir, dir); out.code != 0 || !strings.Contains(out.stdout, "nothing changed") {
		t.Errorf("diff: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if len(report.Missing) == 0 || !strings.Contains(fmt.Sprint(report.Missing), "cannot reach the Kubernetes API server https://127.0.0.1:1") {
		t.Errorf("missing: %+v", report.Missing)
	}
}

// TestFleetOfContexts reads three clusters with an API server each, of two accounts, through
// three contexts of one kubeconfig. Then one of the API servers ends while the clusters are
// read: this costs what only it knows.
func TestFleetOfContexts(t *testing.T) {
	s := newScenario(t, "home")
	s.healthy()
	other := s.createRemote()
	s.createCluster("second", "eksClusterRole")

	servers := map[string]*apiServer{"home": kube}
	for _, name := range []string{"remote", "second"} {
		server, err := kube.beside("/" + name)
		s.must(err)
		t.Cleanup(server.stop)
		servers[name] = server
		client, err := server.client()
		s.must(err)
		_, err = client.CoreV1().Nodes().Create(s.ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-of-" + name}}, metav1.CreateOptions{})
		s.must(err)
		proxied := s.proxied
		proxied.Endpoint, proxied.Addons = server.url, map[string]awsproxy.Addon{}
		proxied.AccessEntries, proxied.Associations = map[string]awsproxy.AccessEntry{}, map[string]awsproxy.Association{}
		proxy.SetCluster(name, proxied)
	}
	contexts := map[string][]string{
		"home": {"--region", region, "eks", "get-token", "--cluster-name", "home"}, "second": {"--region", region, "eks", "get-token", "--cluster-name", "second"},
		"remote": {"--region", other.Region, "eks", "get-token", "--cluster-name", "remote", "--role-arn", "arn:aws:iam::" + away + ":role/NodeRoleReader"},
	}
	var clusters, users, names []any
	for name, args := range contexts {
		arn := clusterARN(name)
		if name == "remote" {
			arn = "arn:aws:eks:" + other.Region + ":" + away + ":cluster/remote"
		}
		clusters = append(clusters, map[string]any{"name": arn, "cluster": map[string]any{"server": servers[name].url, "certificate-authority-data": base64.StdEncoding.EncodeToString(kube.ca)}})
		users = append(users, map[string]any{"name": name, "user": map[string]any{"exec": map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": args, "interactiveMode": "Never",
		}}})
		names = append(names, map[string]any{"name": name, "context": map[string]any{"cluster": arn, "user": name}})
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users, "contexts": names})
	s.must(err)
	config := filepath.Join(t.TempDir(), "kubeconfig")
	s.must(os.WriteFile(config, text, 0o600))
	env := []string{"KUBECONFIG=" + config, "AWS_ENDPOINT_URL=" + proxy.URL}

	// snapshotOf returns the nodes in a cluster's snapshot, and how many facts are missing.
	snapshotOf := func(dir, file string) (nodes []string, missing int) {
		f, err := os.Open(filepath.Join(dir, file))
		s.must(err)
		defer f.Close() //nolint:errcheck // it was only read
		z, err := gzip.NewReader(f)
		s.must(err)
		text, err := io.ReadAll(z)
		s.must(err)
		var facts struct {
			Nodes   map[string]any
			Missing []any
		}
		s.must(yaml.Unmarshal(text, &facts))
		return slices.Sorted(maps.Keys(facts.Nodes)), len(facts.Missing)
	}
	files := map[string]string{
		"home": account + "/" + region + "/home.yaml.gz", "second": account + "/" + region + "/second.yaml.gz", "remote": away + "/" + other.Region + "/remote.yaml.gz",
	}
	nodes := map[string]string{"home": "ip-10-0-1-17.eu-west-1.compute.internal", "second": "node-of-second", "remote": "node-of-remote"}

	dir := filepath.Join(t.TempDir(), "fleet")
	out := kubectl(t, env, "noderole", "snapshot", "--all-contexts", "-o", dir)
	if out.code != 0 {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for name, file := range files {
		if got, missing := snapshotOf(dir, file); missing > 0 || !slices.Equal(got, []string{nodes[name]}) {
			t.Errorf("%s: nodes %v, %d facts missing", name, got, missing)
		}
	}

	// All clusters are planned and the first one is read when the API server of the next one
	// ends.
	dir = filepath.Join(t.TempDir(), "fleet")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "plan.yaml")); err == nil {
				break
			}
		}
		servers["second"].stop()
	}()
	out = kubectl(t, env, "noderole", "snapshot", "--all-contexts", "--parallel", "1", "-o", dir)
	<-stopped
	if out.code != 3 || !strings.Contains(out.stderr, "3 clusters read, 1 not read in full") {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for name, file := range files {
		got, missing := snapshotOf(dir, file)
		if whole := missing == 0 && slices.Equal(got, []string{nodes[name]}); whole != (name != "second") || name == "second" && len(got) > 0 {
			t.Errorf("%s: nodes %v, %d facts missing", name, got, missing)
		}
	}
	out = kubectl(t, env, "noderole", "check", "-f", dir, "--fail-on", "none")
	if out.code != 3 || !strings.Contains(out.stdout, servers["second"].url) {
		t.Errorf("exit %d: the report does not name the API server\n%s%s", out.code, out.stdout, out.stderr)
	}
}
