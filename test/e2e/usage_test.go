package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// usageOf is usage -o json: the status of each action of one role.
func usageOf(t *testing.T, out output, role string) map[string]string {
	t.Helper()
	var list struct {
		Kind  string
		Items []struct {
			Name    string
			Actions []struct{ Name, Status string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &list); err != nil || list.Kind != "RoleUsageList" {
		t.Fatalf("no list: %v\n%s%s", err, out.stdout, out.stderr)
	}
	for _, item := range list.Items {
		if item.Name == role {
			found := map[string]string{}
			for _, a := range item.Actions {
				found[a.Name] = a.Status
			}
			return found
		}
	}
	t.Fatalf("%s is not listed:\n%s", role, out.stdout)
	return nil
}

// inHundredDays is when IAM reports, and a day before: moto makes roles now, which are then
// a hundred days old.
func inHundredDays() (reported, recent time.Time) {
	reported = time.Now().UTC().Truncate(time.Second).AddDate(0, 0, 100)
	return reported, reported.AddDate(0, 0, -1)
}

// TestUsage: what the node role is granted, beside what nodes need and IAM's report; the
// calls are those of policy reader; and a role that has the smaller policy alone passes.
func TestUsage(t *testing.T) {
	s := newScenario(t, "usage")
	s.healthy()
	s.inlinePolicy("eksNodeRole", "extra", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:StopInstances","s3:GetObject","ssm:GetParameter","sqs:*"],"Resource":"*"}]}`)
	reported, recent := inHundredDays()
	proxy.SetUsage(roleARN("eksNodeRole"), reported, map[string]awsproxy.ServiceUse{
		"ec2": {LastUsed: recent, Actions: map[string]time.Time{"DescribeInstances": recent, "StopInstances": {}, "DescribeVolumes": {}}},
		"ecr": {LastUsed: recent, Actions: map[string]time.Time{"GetAuthorizationToken": {}}},
		"s3":  {}, "ssm": {LastUsed: recent, Actions: map[string]time.Time{"GetParameter": recent}},
		"sqs": {Actions: map[string]time.Time{"ListQueues": recent.AddDate(0, 0, -200)}},
	})
	env := s.kubeconfig(proxy.URL)
	proxy.Calls()
	out := kubectl(t, env, "noderole", "usage", "eksNodeRole", "-o", "json")
	if out.code != 0 {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	got := usageOf(t, out, "eksNodeRole")
	for name, want := range map[string]string{
		"ec2:DescribeInstances": "needed", "ec2:DescribeVolumes": "needed", "ecr:GetAuthorizationToken": "needed", "ecr:BatchGetImage": "needed",
		"ec2:StopInstances": "unused", "sqs:ListQueues": "unused", "s3:GetObject": "untracked", "ssm:GetParameter": "used",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}

	// The operations that only usage calls are the statement of policy reader.
	var policy struct {
		Statement []struct {
			Sid    string
			Action []string
		}
	}
	s.must(json.Unmarshal([]byte(kubectl(t, nil, "noderole", "policy", "reader").stdout), &policy))
	var known, usage []string
	for _, statement := range policy.Statement {
		if statement.Sid == "NodeRoleUsage" {
			usage = statement.Action
		} else {
			known = append(known, statement.Action...)
		}
	}
	var more []string
	for _, c := range proxy.Calls() {
		if !slices.Contains(known, c.Operation) && !slices.Contains(more, c.Operation) {
			more = append(more, c.Operation)
		}
	}
	slices.Sort(more)
	if diff := cmp.Diff(usage, more); diff != "" {
		t.Errorf("operations of usage alone (-documented +called):\n%s", diff)
	}

	// Every role of nodes and of aws-node; what IAM has no report of is said.
	out = kubectl(t, env, "noderole", "usage")
	if out.code != 3 || !strings.Contains(out.stdout, "eksNodeRole: 2 unused, 1 untracked, 1 used, ") || !strings.Contains(out.stderr, "not read: iam:GenerateServiceLastAccessedDetails of eksCNIRole") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for line := range strings.Lines(out.stdout) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, operation := range []string{"iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"} {
		proxy.SetFault(operation, denied(operation))
		out = kubectl(t, env, "noderole", "usage", "eksNodeRole")
		if out.code != 3 || out.stdout != "" || !strings.Contains(out.stderr, "grant yourself "+operation) {
			t.Errorf("%s: exit %d\n%s%s", operation, out.code, out.stdout, out.stderr)
		}
		proxy.ClearFault(operation)
	}
}

// TestUsagePolicy: a role with the smaller policy in place of its own passes as before, by
// diff with the cluster before.
func TestUsagePolicy(t *testing.T) {
	s := newScenario(t, "smaller")
	s.healthy()
	s.inlinePolicy("eksNodeRole", "extra", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:StopInstances","ssmmessages:OpenDataChannel","sqs:*"],"Resource":"*"}]}`)
	reported, recent := inHundredDays()
	proxy.SetUsage(roleARN("eksNodeRole"), reported, map[string]awsproxy.ServiceUse{
		"ec2": {LastUsed: recent, Actions: map[string]time.Time{"StopInstances": {}}}, "sqs": {Actions: map[string]time.Time{"ListQueues": {}}},
	})
	env := s.kubeconfig(proxy.URL)
	before := filepath.Join(t.TempDir(), "before.yaml")
	if out := kubectl(t, env, "noderole", "snapshot", "-o", before); out.code != 0 {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	out := kubectl(t, env, "noderole", "diff", before)
	if out.code != 0 || !strings.Contains(out.stdout, "\nnothing changed\n") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	out = kubectl(t, env, "noderole", "usage", "eksNodeRole", "--policy")
	if out.code != 0 || !strings.Contains(out.stdout, `"NotUsed"`) || strings.Contains(strings.Split(out.stdout, `"NotUsed"`)[0], "StopInstances") {
		t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for _, name := range []string{workerPolicy, pullPolicy} {
		_, err := s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(name))})
		s.must(err)
	}
	_, err := s.iam.DeleteRolePolicy(s.ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyName: aws.String("extra")})
	s.must(err)
	s.inlinePolicy("eksNodeRole", "smaller", out.stdout)
	out = kubectl(t, env, "noderole", "check", "--fail-on", "info")
	if out.code != 0 {
		t.Errorf("check: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, env, "noderole", "diff", before)
	if out.code != 0 || !strings.Contains(out.stdout, "role eksNodeRole: attached policy "+workerPolicy+" removed") || !strings.Contains(out.stdout, "inline policy smaller added") {
		t.Errorf("diff: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// TestDiff: what changed in a live cluster, and the verdicts that rest on each change.
func TestDiff(t *testing.T) {
	s := newScenario(t, "drift")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	before := filepath.Join(t.TempDir(), "before.yaml")
	if out := kubectl(t, env, "noderole", "snapshot", "-o", before); out.code != 0 {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	_, err := s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(pullPolicy))})
	s.must(err)
	_, err = s.iam.UpdateAssumeRolePolicy(s.ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyDocument: aws.String(serviceTrust("lambda.amazonaws.com"))})
	s.must(err)
	out := kubectl(t, env, "noderole", "diff", before, "-o", "json")
	var d struct {
		Kind     string
		Verdicts []struct {
			ID, Movement string
			Causes       []int
		}
		Changes []struct {
			Number      int
			Kind, Field string
			Action      string
			PolicyDiff  string
			Old         string
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &d); err != nil || out.code != 1 || d.Kind != "Diff" {
		t.Fatalf("exit %d %v\n%s%s", out.code, err, out.stdout, out.stderr)
	}
	causes := map[string]string{}
	for _, v := range d.Verdicts {
		for _, number := range v.Causes {
			c := d.Changes[number-1]
			causes[v.ID] = strings.TrimSpace(v.Movement + ": " + c.Kind + ", " + c.Field + " " + c.Action)
		}
	}
	for id, want := range map[string]string{"NR202": "new: role, attached policy removed", "NR301": "new: role, trust policy changed"} {
		if causes[id] != want {
			t.Errorf("%s: %q, want %q", id, causes[id], want)
		}
	}

	// What is refused now was read before: it is no change of the role.
	proxy.SetFault("iam:ListAttachedRolePolicies", denied("iam:ListAttachedRolePolicies"))
	proxy.SetFault("iam:GetRole", denied("iam:GetRole"))
	out = kubectl(t, env, "noderole", "diff", before)
	if out.code != 3 || !strings.Contains(strings.Join(strings.Fields(out.stdout), " "), "attached policies of eksNodeRole could not be read: iam:ListAttachedRolePolicies") || strings.Contains(out.stdout, " removed\n") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	proxy.ClearFault("iam:ListAttachedRolePolicies")
	proxy.ClearFault("iam:GetRole")

	// Put back, by another text with the same meaning, nothing has changed.
	_, err = s.iam.AttachRolePolicy(s.ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(pullPolicy))})
	s.must(err)
	same := strings.Replace(serviceTrust("ec2.amazonaws.com"), `"Effect":"Allow"`, `"Sid":"Nodes","Effect":"Allow"`, 1)
	_, err = s.iam.UpdateAssumeRolePolicy(s.ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyDocument: &same})
	s.must(err)
	out = kubectl(t, env, "noderole", "diff", before)
	if out.code != 0 || !strings.Contains(out.stdout, "\nnothing changed\n") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	report := filepath.Join(t.TempDir(), "report.json")
	s.must(os.WriteFile(report, []byte(kubectl(t, env, "noderole", "check", "-o", "json").stdout), 0o600))
	out = kubectl(t, env, "noderole", "diff", report)
	if diff := cmp.Diff(0, out.code); diff != "" || !strings.Contains(out.stdout, "a report") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}
