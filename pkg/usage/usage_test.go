package usage_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/usage"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

const (
	nodeRole = "arn:aws:iam::111122223333:role/eksNodeRole"
	cniRole  = "arn:aws:iam::111122223333:role/eksCNIRole"
)

type tester interface {
	Helper()
	Fatal(args ...any)
}

// facts lays a patch over the healthy example.
func facts(t tester, patch string) *snapshot.Snapshot {
	t.Helper()
	base, _ := examples.Read("healthy")
	text, err := yaml.YAMLToJSON(base)
	if err != nil {
		t.Fatal(err)
	}
	over, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	if text, err = jsonpatch.MergePatch(text, over); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Decode("patched", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inline gives the node role one inline policy besides its managed ones.
func inline(statements string) string {
	return fmt.Sprintf(`roles: {%q: {inlinePolicies: {extra: '{"Version":"2012-10-17","Statement":[%s]}'}}}`, nodeRole, statements)
}

var reported = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func daysAgo(n int) time.Time { return reported.AddDate(0, 0, -n) }

func statuses(r usage.Role) map[string]usage.Status {
	found := map[string]usage.Status{}
	for _, a := range r.Actions {
		found[a.Name] = a.Status
	}
	return found
}

// TestStatuses: what is needed, however rarely it is used, what is used and unused, what
// IAM does not track, and what is missing.
func TestStatuses(t *testing.T) {
	patch := inline(`{"Effect":"Allow","Action":["s3:ListAllMyBuckets","s3:GetObject","ec2:StopInstances","ec2:StartInstances","sqs:ListQueues","ec2:RebootInstances"],"Resource":"*"},` +
		`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"},` +
		`{"Effect":"Deny","Action":["eks-auth:*","ec2:RebootInstances"],"Resource":"*"}`)
	used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{
		"ec2": {LastUsed: daysAgo(0), Actions: map[string]time.Time{
			"DescribeInstances": daysAgo(1), "StopInstances": daysAgo(200), "StartInstances": daysAgo(89), "describesubnets": {}, "TerminateInstances": {}, "RebootInstances": {},
		}},
		"s3":  {LastUsed: daysAgo(3), Actions: map[string]time.Time{"ListAllMyBuckets": {}}},
		"ecr": {LastUsed: daysAgo(2), Actions: map[string]time.Time{"GetAuthorizationToken": {}}},
	}}
	v := view.New(facts(t, patch+"\npodIdentityAgent: {nodes: {}}"))
	r := usage.Of(v, nodeRole, used, 90)
	got := statuses(r)
	want := map[string]usage.Status{
		"ec2:DescribeInstances": usage.Needed, "ec2:DescribeSubnets": usage.Needed,
		// Needed by every node that pulls from a new registry, whether or not it was used.
		"ecr:GetAuthorizationToken": usage.Needed, "ecr:BatchGetImage": usage.Needed, "ecr:BatchImportUpstreamImage": usage.Needed,
		"eks-auth:AssumeRoleForPodIdentity": usage.Missing,
		"ec2:StopInstances":                 usage.Unused, "ec2:StartInstances": usage.Used, "s3:ListAllMyBuckets": usage.Unused,
		"s3:GetObject": usage.Untracked, "s3:PutObject": usage.Untracked, "sqs:ListQueues": usage.Untracked,
	}
	for name, status := range want {
		if got[name] != status {
			t.Errorf("%s: %q, want %q", name, got[name], status)
		}
	}
	for _, name := range []string{"ec2:TerminateInstances", "ec2:RebootInstances"} {
		if status, ok := got[name]; ok {
			t.Errorf("%s is not granted, and is %s", name, status)
		}
	}
	for _, a := range r.Actions {
		switch {
		case (a.Status == usage.Unused || a.Status == usage.Used) && !a.Tracked:
			t.Errorf("%s is not tracked and %s", a.Name, a.Status)
		case a.Status != usage.Missing && a.Status != usage.Unknown && len(a.GrantedBy) == 0:
			t.Errorf("%s is %s and granted by nothing", a.Name, a.Status)
		}
	}
}

// TestDays: what was used within the days is used.
func TestDays(t *testing.T) {
	v := view.New(facts(t, inline(`{"Effect":"Allow","Action":"ec2:StopInstances","Resource":"*"}`)))
	used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{"ec2": {Actions: map[string]time.Time{"StopInstances": daysAgo(100)}}}}
	for days, want := range map[int]usage.Status{90: usage.Unused, 100: usage.Unused, 101: usage.Used, 400: usage.Used} {
		if got := statuses(usage.Of(v, nodeRole, used, days))["ec2:StopInstances"]; got != want {
			t.Errorf("%d days: %s, want %s", days, got, want)
		}
	}
}

// TestCNIOnNodeRole: the permissions of the VPC CNI are needed of the role that aws-node
// uses, and of no other.
func TestCNIOnNodeRole(t *testing.T) {
	attached := `roles: {"` + nodeRole + `": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}`
	used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{"ec2": {Actions: map[string]time.Time{"AssignPrivateIpAddresses": {}, "DetachNetworkInterface": {}}}}}
	for patch, want := range map[string]usage.Status{
		attached: usage.Unused, // IRSA
		attached + "\nawsNode: {serviceAccount: {roleArn: null}, pods: null}":                                                               usage.Needed,
		attached + "\nawsNode: {pods: {aws-node-7wq5k: {env: null}}}":                                                                       usage.Needed, // a pod that was not restarted
		attached + "\nmissing: [{fact: podIdentityAssociations, operation: x, error: refused}]\nawsNode: {serviceAccount: {roleArn: null}}": usage.Needed,
	} {
		got := statuses(usage.Of(view.New(facts(t, patch)), nodeRole, used, 90))
		for _, name := range []string{"ec2:AssignPrivateIpAddresses", "ec2:DetachNetworkInterface"} {
			if got[name] != want {
				t.Errorf("%s: %s is %s, want %s", patch, name, got[name], want)
			}
		}
	}
	if got := statuses(usage.Of(view.New(facts(t, `{}`)), cniRole, used, 90)); got["ec2:DetachNetworkInterface"] != usage.Needed || got["ecr:BatchGetImage"] != "" {
		t.Errorf("aws-node's own role: %v", got)
	}
}

// TestUnreadSources: where the sources of nodes could not be read, what any node needs is
// neither unused nor missing.
func TestUnreadSources(t *testing.T) {
	used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{
		"ec2": {Actions: map[string]time.Time{"DescribeInstances": {}, "AssignPrivateIpAddresses": {}, "StopInstances": {}}}, "ecr": {Actions: map[string]time.Time{"GetAuthorizationToken": {}}},
	}}
	patch := inline(`{"Effect":"Allow","Action":["ec2:*","ecr:GetAuthorizationToken"],"Resource":"*"}`) +
		"\nnodeGroups: null\nnodes: null\nmissing: [{fact: nodeGroups, operation: \"eks:ListNodegroups\", error: refused}, {fact: nodes, operation: list nodes, error: forbidden}]"
	got := statuses(usage.Of(view.New(facts(t, patch)), nodeRole, used, 90))
	for name, want := range map[string]usage.Status{
		"ec2:DescribeInstances": usage.Needed, "ec2:AssignPrivateIpAddresses": usage.Needed, "ecr:GetAuthorizationToken": usage.Needed, "ec2:StopInstances": usage.Unused,
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for name, status := range got {
		if status == usage.Missing {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestRoles: the roles of nodes and of aws-node.
func TestRoles(t *testing.T) {
	if diff := cmp.Diff([]string{cniRole, nodeRole}, usage.Roles(view.New(facts(t, `{}`)))); diff != "" {
		t.Error(diff)
	}
}

// TestUnread: what could not be read is neither missing nor unused, and there is no
// smaller policy.
func TestUnread(t *testing.T) {
	s := facts(t, `missing: [{fact: attachedPolicies, subject: "`+nodeRole+`", operation: "iam:ListAttachedRolePolicies", error: refused}]`)
	r := usage.Of(view.New(s), nodeRole, snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{"ec2": {Actions: map[string]time.Time{"StopInstances": {}}}}}, 90)
	for _, a := range r.Actions {
		if a.Status == usage.Missing || a.Status == usage.Unused {
			t.Errorf("%+v", a)
		}
	}
	if len(r.Unread) != 1 || r.Count(usage.Unknown)+r.Count(usage.Needed) == 0 {
		t.Errorf("%+v", r)
	}
	if _, err := usage.Policy(view.New(s), r); err == nil || !strings.Contains(err.Error(), "iam:ListAttachedRolePolicies") {
		t.Errorf("policy: %v", err)
	}
}

// TestYoung: of a role that is younger than the days there is no smaller policy.
func TestYoung(t *testing.T) {
	v := view.New(facts(t, `roles: {"`+nodeRole+`": {createdAt: "2026-05-20T00:00:00Z"}}`))
	r := usage.Of(v, nodeRole, snapshot.Usage{ReportedAt: reported}, 90)
	if _, err := usage.Policy(v, r); !r.Young || err == nil || !strings.Contains(err.Error(), "2026-05-20") {
		t.Errorf("young %v, %v", r.Young, err)
	}
	if r := usage.Of(v, nodeRole, snapshot.Usage{ReportedAt: reported}, 10); r.Young {
		t.Error("of ten days it is not young")
	}
}

// TestPolicy: the unused actions are left out where a statement names them, and denied
// where a pattern grants them.
func TestPolicy(t *testing.T) {
	v := view.New(facts(t, inline(`{"Sid":"A","Effect":"Allow","Action":["ec2:StopInstances","ec2:RunInst*","s3:GetObject"],"Resource":"*"},`+
		`{"Effect":"Allow","Action":"ec2:StopInstances","Resource":"arn:aws:ec2:*:*:instance/*"},{"Effect":"Deny","Action":"s3:DeleteBucket","Resource":"*"}`)))
	used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{"ec2": {Actions: map[string]time.Time{"StopInstances": {}, "RunInstances": {}}}}}
	r := usage.Of(v, nodeRole, used, 90)
	smaller, err := usage.Policy(v, r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ec2:RunInstances", "ec2:StopInstances"}, smaller.Removed); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(smaller.Document)
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]bool{
		"StopInstances": false, `"ec2:RunInst*","s3:GetObject"`: true, `{"Sid":"NotUsed","Effect":"Deny","Action":["ec2:RunInstances"],"Resource":["*"]}`: true,
		"s3:DeleteBucket": true, "ecr:BatchGetImage": true, "instance/*": false,
	} {
		if strings.Contains(string(text), part) != want {
			t.Errorf("%s: has %s: %v", text, part, !want)
		}
	}
	if len(smaller.Notes) != 1 || !strings.HasPrefix(smaller.Notes[0], "ec2:RunInst* stay, ") {
		t.Errorf("notes: %v", smaller.Notes)
	}
}

// TestOldVersion: what a variable means depends on the version of the document.
func TestOldVersion(t *testing.T) {
	v := view.New(facts(t, `roles: {"`+nodeRole+`": {inlinePolicies: {old: '{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${x}/*"}}'}}}`))
	if _, err := usage.Policy(v, usage.Of(v, nodeRole, snapshot.Usage{ReportedAt: reported}, 90)); err == nil || !strings.Contains(err.Error(), "2008-10-17") {
		t.Errorf("%v", err)
	}
}

// TestLarge: what is too large for one managed policy is said.
func TestLarge(t *testing.T) {
	var actions []string
	for i := range 400 {
		actions = append(actions, fmt.Sprintf(`"s3:GetObjectNumber%d"`, i))
	}
	v := view.New(facts(t, inline(`{"Effect":"Allow","Action":[`+strings.Join(actions, ",")+`],"Resource":"*"}`)))
	smaller, err := usage.Policy(v, usage.Of(v, nodeRole, snapshot.Usage{ReportedAt: reported}, 90))
	if err != nil {
		t.Fatal(err)
	}
	if len(smaller.Notes) != 1 || !strings.Contains(smaller.Notes[0], "6144") {
		t.Errorf("%v", smaller.Notes)
	}
}

var actionNames = []string{
	"ec2:DescribeInstances", "ec2:StopInstances", "ec2:RunInstances", "ec2:AssignPrivateIpAddresses", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:PutImage",
	"s3:GetObject", "s3:CreateBucket", "iam:PassRole", "iam:GetRole", "eks-auth:AssumeRoleForPodIdentity", "eks:DescribeCluster", "ssm:GetParameter",
}

// TestPropertyPolicy: whatever the policies and the use are, the smaller policy denies what
// is unused and keeps every other answer, also for actions that nobody listed; no rule
// counts a verdict more than before.
func TestPropertyPolicy(t *testing.T) {
	entries := rapid.SampledFrom(slices.Concat(actionNames, []string{"*", "ec2:*", "ec2:Describe*", "s3:?etObject", "ecr:*Image", "iam:*", "EC2:stopinstances"}))
	resources := rapid.SampledFrom([]string{"*", "arn:aws:s3:::logs/*", "arn:aws:ec2:eu-west-1:111122223333:instance/*", "arn:aws:ecr:eu-west-1:*:repository/*"})
	statement := rapid.Custom(func(t *rapid.T) string {
		list, _ := json.Marshal(rapid.SliceOfN(entries, 1, 4).Draw(t, "actions"))
		element := rapid.SampledFrom([]string{"Action", "Action", "Action", "NotAction"}).Draw(t, "element")
		effect := rapid.SampledFrom([]string{"Allow", "Allow", "Allow", "Deny"}).Draw(t, "effect")
		condition := rapid.SampledFrom([]string{"", "", `,"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`, `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`}).Draw(t, "condition")
		return fmt.Sprintf(`{"Effect":%q,%q:%s,"Resource":%q%s}`, effect, element, list, resources.Draw(t, "resource"), condition)
	})
	rapid.Check(t, func(t *rapid.T) {
		v := view.New(facts(t, inline(strings.Join(rapid.SliceOfN(statement, 1, 4).Draw(t, "statements"), ","))))
		used := snapshot.Usage{ReportedAt: reported, Services: map[string]snapshot.ServiceUsage{}}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(actionNames), rapid.ID[string]).Draw(t, "tracked") {
			service, action, _ := strings.Cut(name, ":")
			if used.Services[service].Actions == nil {
				used.Services[service] = snapshot.ServiceUsage{Actions: map[string]time.Time{}}
			}
			used.Services[service].Actions[action] = rapid.SampledFrom([]time.Time{{}, daysAgo(1), daysAgo(300)}).Draw(t, "last")
		}
		r := usage.Of(v, nodeRole, used, 90)
		smaller, err := usage.Policy(v, r)
		if err != nil {
			t.Fatal(err)
		}
		after := view.New(smaller.Facts)
		for _, name := range slices.Concat(actionNames, []string{"sqs:SendMessage", "ec2:RebootInstances", "s3:PutObject", "ecr:BatchGetRepositoryScanningConfiguration"}) {
			for _, a := range []need.Action{need.Named(name), {Name: name}} {
				was, is := v.Role(nodeRole).Can(a).Verdict, after.Role(nodeRole).Can(a).Verdict
				switch removed := slices.ContainsFunc(smaller.Removed, func(r string) bool { return strings.EqualFold(r, name) }); {
				case removed && is != view.Denied:
					t.Errorf("%s is unused and %v", name, is)
				case !removed && is != was:
					t.Errorf("%s was %v and is %v", name, was, is)
				}
			}
		}
		weights := map[string]int{}
		for _, res := range rules.Run(v, rules.All()) {
			weights[res.ID+res.Subject.Name] = max(weights[res.ID+res.Subject.Name], res.Weight().Rank())
		}
		for _, res := range rules.Run(after, rules.All()) {
			if res.Weight().Rank() > weights[res.ID+res.Subject.Name] {
				t.Errorf("%s of %s is worse: %s", res.ID, res.Subject.Name, res.Message)
			}
		}
	})
}
