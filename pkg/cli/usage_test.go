package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	roleusage "github.com/kubectl-noderole/kubectl-noderole/pkg/usage"
)

// TestUsage: the use of the node role beside what it is granted and what is needed, as a
// table within 80 columns and for programs.
func TestUsage(t *testing.T) {
	docs, err := filepath.Abs(filepath.Join("..", "..", "docs", "usage.md"))
	if err != nil {
		t.Fatal(err)
	}
	servers := newLiveServers(t)
	out, errOut, code := ran(t, nil, "usage")
	if code != ExitOK || errOut != "" {
		t.Fatalf("%d\n%s%s", code, out, errOut)
	}
	for _, want := range []string{
		"eksNodeRole: 1 unused, 1 untracked, ", "ec2:StopInstances ", " unused     never ", "s3:GetObject ", "untracked  untracked", " needed     2026-05-31  the node's private DNS",
		"patterns also grant actions that IAM does not track: ec2:Describe*",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```text\n"+out+"```\n") {
		t.Errorf("docs/usage.md does not quote this:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if len(line) > 81 {
			t.Errorf("a line has %d columns: %s", len(line), line)
		}
	}
	var list roleusage.List
	out, _, code = ran(t, nil, "usage", "eksNodeRole", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != ExitOK || list.Kind != roleusage.Kind || list.Days != 90 || len(list.Items) != 1 || list.Items[0].Count(roleusage.Unused) != 1 {
		t.Errorf("%d %v %s", code, err, out)
	}
	out, _, code = ran(t, nil, "usage", liveRole, "-o", "yaml", "--days", "400")
	if code != ExitOK || !strings.Contains(out, "kind: RoleUsageList") || !strings.Contains(out, "days: 400") {
		t.Errorf("%d %s", code, out)
	}
	if servers.asked["GenerateServiceLastAccessedDetails"] != 3 {
		t.Errorf("%v", servers.asked)
	}
}

// TestUsagePolicy: the smaller policy is without the unused action and with every other.
func TestUsagePolicy(t *testing.T) {
	servers := newLiveServers(t)
	out, errOut, code := ran(t, nil, "usage", "eksNodeRole", "--policy")
	var document struct {
		Version   string
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || code != ExitOK || document.Version != "2012-10-17" {
		t.Fatalf("%d %v\n%s%s", code, err, out, errOut)
	}
	if strings.Contains(out, "StopInstances") && !strings.Contains(out, "NotUsed") || !strings.Contains(out, "s3:GetObject") || !strings.Contains(out, "ec2:Describe*") {
		t.Error(out)
	}
	if !strings.HasPrefix(errOut, "eksNodeRole: the policy replaces all policies of the role; 1 action is left out,\nwhich was not used in 90 days") {
		t.Error(errOut)
	}

	servers.inline(`["ec2:Describe*","ecr:*","eks:DescribeCluster","ec2:Stop*"]`)
	out, errOut, code = ran(t, nil, "usage", "eksNodeRole", "--policy")
	if code != ExitOK || !strings.Contains(out, `"Sid": "NotUsed"`) || !strings.Contains(out, `"ec2:StopInstances"`) || !strings.Contains(errOut, "ec2:Stop*") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
}

// TestUsageRefused: what IAM refuses is said with its permission, and ends with 3.
func TestUsageRefused(t *testing.T) {
	for _, action := range []string{"GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails"} {
		servers := newLiveServers(t)
		servers.refuse(action)
		out, errOut, code := ran(t, nil, "usage")
		if code != ExitIncomplete || out != "" || !strings.Contains(errOut, "not read: iam:"+action+" of eksNodeRole: refused; grant yourself iam:"+action) {
			t.Errorf("%d\n%s%s", code, out, errOut)
		}
		out, errOut, code = ran(t, nil, "usage", "eksNodeRole", "--policy")
		if code != ExitIncomplete || out != "" || !strings.Contains(errOut, "error: there is no smaller policy: iam:"+action) {
			t.Errorf("%d\n%s%s", code, out, errOut)
		}
	}
	servers := newLiveServers(t)
	servers.refuse("GetRolePolicy")
	out, errOut, code := ran(t, nil, "usage", "eksNodeRole")
	if code != ExitIncomplete || strings.Contains(out, "missing") || !strings.Contains(out, "unknown") || !strings.Contains(errOut, "iam:GetRolePolicy") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	if _, errOut, code = ran(t, nil, "usage", "eksNodeRole", "--policy"); code != ExitIncomplete || !strings.Contains(errOut, "could not be read in full") {
		t.Errorf("%d %s", code, errOut)
	}
}

// TestUsageRefuses: mistakes are usage.
func TestUsageRefuses(t *testing.T) {
	newLiveServers(t)
	for want, args := range map[string][]string{
		"--days 0 is not between 1 and 400":               {"--days", "0"},
		"--days 401 is not between 1 and 400":             {"--days", "401"},
		"--policy needs a role":                           {"--policy"},
		"--policy prints a policy document":               {"eksNodeRole", "--policy", "-o", "json"},
		"usage takes one role, got also \"other\"":        {"eksNodeRole", "other"},
		"no role of nodes or aws-node is named \"other\"": {"other"},
		"unknown output format \"html\"":                  {"-o", "html"},
	} {
		out, errOut, code := ran(t, nil, append([]string{"usage"}, args...)...)
		if code != ExitUsage || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
}

// TestDiffLive: a snapshot is compared with the live cluster.
func TestDiffLive(t *testing.T) {
	servers := newLiveServers(t)
	if _, errOut, code := ran(t, nil, "snapshot", "-o", "old.yaml"); code != ExitOK {
		t.Fatalf("%d %s", code, errOut)
	}
	if out, errOut, code := ran(t, nil, "diff", "old.yaml", "--no-config"); code != ExitOK || !strings.Contains(out, "nothing changed") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	servers.inline(`["eks:DescribeCluster"]`)
	out, errOut, code := ran(t, nil, "diff", "old.yaml", "--no-config")
	for _, want := range []string{"new  live cluster, facts of ", "new       FAIL  NR201", "-> [1] role eksNodeRole: inline policy node changed", " AWS calls, "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if code != ExitFindings {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	// The other way round a live cluster is OLD for nobody: it is always the newer one.
	servers.refuse("GetRolePolicy")
	if out, errOut, code := ran(t, nil, "diff", "old.yaml", "--no-config"); code != ExitIncomplete || !strings.Contains(out, "inline policy node of eksNodeRole could not be read") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
}
