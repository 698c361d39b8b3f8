package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

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

// remoteCluster makes a cluster in the other account, whose API server cannot be reached.
func (s *scenario) remoteCluster() {
	s.t.Helper()
	other := s.inAway()
	_, err := iam.NewFromConfig(other).CreateRole(s.ctx, &iam.CreateRoleInput{RoleName: aws.String("awayClusterRole"), AssumeRolePolicyDocument: aws.String(serviceTrust("eks.amazonaws.com"))})
	s.must(err)
	_, err = eks.NewFromConfig(other).CreateCluster(s.ctx, &eks.CreateClusterInput{
		Name: aws.String("remote"), RoleArn: aws.String("arn:aws:iam::" + away + ":role/awayClusterRole"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	s.must(err)
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
