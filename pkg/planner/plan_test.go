package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

const nodeRole = "arn:aws:iam::111122223333:role/eksNodeRole"

// load lays a merge patch over an example.
func load(t *testing.T, example, patch string) *snapshot.Snapshot {
	t.Helper()
	text, ok := examples.Read(example)
	if !ok {
		t.Fatalf("there is no example %s", example)
	}
	base, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	over, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(base, over)
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Decode(example, merged)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func planFor(s *snapshot.Snapshot, only ...string) *planner.Plan {
	return planner.New(view.New(s), rules.Judge(view.New(s), rules.Options{}).Results, planner.Options{Only: only})
}

// TestPlanForTheAgent: one action is missing: the policy that has just that one.
func TestPlanForTheAgent(t *testing.T) {
	s := load(t, "healthy", `
podIdentityAgent: {nodes: {}}
roles: {"`+nodeRole+`": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"], inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:Describe*","eks:DescribeCluster"],"Resource":"*"}}'}}}`)
	plan := planFor(s)
	if len(plan.Steps) != 1 || snapshot.NameOf(plan.Steps[0].Changes[0].Part) != "AmazonEKSWorkerNodeMinimalPolicy" {
		t.Fatalf("steps %+v", plan.Steps)
	}
	factsOf(t, s).make(plan.Steps[0].Changes)
	if left := failures(s); slices.Contains(left, "NR204 eksNodeRole") {
		t.Errorf("then: %v", left)
	}
}

// repaired are the rules whose Bad snapshot the plan repairs.
var repaired = []string{
	"NR104", "NR106", "NR201", "NR202", "NR203", "NR205", "NR206", "NR209", "NR301", "NR302", "NR501", "NR502", "NR503", "NR504", "NR505", "NR507",
	"NR601", "NR602", "NR603", "NR606", "NR607",
}

// TestPlanRepairs: what the plan says, done to the snapshot, makes the rule pass,
// and no other rule fail that did not; taken back, it leaves what was there. What is not repaired is left to people.
func TestPlanRepairs(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			s := load(t, "healthy", rule.Bad)
			before := failures(s)
			plan := planFor(s, rule.ID)
			if rule.Repair == finding.SeparateRole {
				// The role is made, and moving to it is left to people.
				if len(plan.Steps) != 1 || len(plan.Manual) != 1 || len(plan.Manual[0].Next) < 3 {
					t.Errorf("steps %v, left to people %v", plan.Steps, plan.Manual)
				}
				return
			}
			if !slices.Contains(repaired, rule.ID) {
				if len(plan.Steps) > 0 || len(plan.Manual) == 0 || plan.Manual[0].Why == "" {
					t.Errorf("steps %v, left to people %v", plan.Steps, plan.Manual)
				}
				return
			}
			if len(plan.Steps) == 0 || len(plan.Manual) > 0 {
				t.Fatalf("steps %v, left to people %v", plan.Steps, plan.Manual)
			}
			f := factsOf(t, s)
			first := f.text()
			f.follow(plan.Steps)
			for _, now := range failures(s) {
				if strings.HasPrefix(now, rule.ID+" ") || !slices.Contains(before, now) {
					t.Errorf("then: %s", now)
				}
			}
			if rule.Repair == finding.RestartAWSNode {
				return // the pods have what is configured, which is not taken back
			}
			f.takeBack(plan.Steps)
			if diff := cmp.Diff(first, f.text()); diff != "" {
				t.Errorf("taken back (-first +got):\n%s", diff)
			}
		})
	}
}

// TestPlanForPodIdentity: the agent is installed, and the role trusts EKS Pod Identity.
func TestPlanForPodIdentity(t *testing.T) {
	s := load(t, "healthy", podIdentity+"\npodIdentityAgent: null")
	plan := planFor(s, "NR604")
	if len(plan.Steps) != 1 || len(plan.Steps[0].Changes) != 2 {
		t.Fatalf("steps %+v, left to people %+v", plan.Steps, plan.Manual)
	}
	factsOf(t, s).follow(plan.Steps)
}

// podIdentity gives aws-node a Pod Identity role that trusts somebody else.
const podIdentity = `podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: "arn:aws:iam::111122223333:role/eksCNIRole"}}`

func failures(s *snapshot.Snapshot) []string {
	var list []string
	for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
		if r.Status == finding.Fail {
			list = append(list, r.ID+" "+r.Subject.Name)
		}
	}
	return list
}

// TestPlanOrder: trust before permissions before the entry; one step for what
// several rules ask; nothing for what another owns or somebody decided.
func TestPlanOrder(t *testing.T) {
	s := load(t, "healthy", `
roles: {"`+nodeRole+`": {attachedPolicies: [], trustPolicy: '{"Version":"2012-10-17","Id":"keep","Statement":{"Sid":"Old","Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}
accessEntries: null`)
	var got []string
	for _, step := range planFor(s).Steps {
		got = append(got, step.Title+" "+strings.Join(step.Rules, ","))
	}
	want := []string{
		"allow ec2.amazonaws.com to assume eksNodeRole NR301",
		"give eksNodeRole the permissions that kubelet needs NR201,NR203",
		"allow eksNodeRole to pull images NR202",
		"create an EC2_LINUX access entry for eksNodeRole NR501",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	trust := planFor(s, "NR301").Steps[0].Changes[0].After.Document
	if want := `{"Version":"2012-10-17","Id":"keep","Statement":[{"Sid":"Old","Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`; trust != want {
		t.Errorf("the trust policy does not keep what was there:\n%s", trust)
	}
}

// TestPlanLeaves: what is somebody's decision is named and left.
func TestPlanLeaves(t *testing.T) {
	tests := map[string]struct{ patch, only, why string }{
		"explicit Deny": {
			`roles: {"` + nodeRole + `": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}'}}}`,
			"NR202", "an explicit Deny, a permissions boundary or another limit denies it",
		},
		"boundary": {
			`roles: {"` + nodeRole + `": {permissionsBoundary: "arn:aws:iam::111122223333:policy/b"}}
policies: {"arn:aws:iam::111122223333:policy/b": {version: v1, document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}'}}`,
			"NR202", "an explicit Deny, a permissions boundary or another limit denies it",
		},
		"trust denied": {
			`roles: {"` + nodeRole + `": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}`,
			"NR301", "the trust policy denies it explicitly",
		},
		"trust denied by the organization": {
			`organization: {id: o-1, levels: [{id: r-1, rcps: [p-1]}, {id: "111122223333", rcps: [p-1]}], policies: {p-1: {name: Own, document: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*","Resource":"*"}}'}}}`,
			"NR301", "an explicit Deny, a permissions boundary or another limit denies it",
		},
		"upgrade, and the inline policy exists": {
			`roles: {"` + cniRole + `": {attachedPolicies: [], inlinePolicies: {
  cni: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:A*","ec2:Create*","ec2:M*","ec2:DescribeI*","ec2:DescribeN*"],"Resource":"*"}}',
  vpc-cni-upgrade: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:DescribeSubnets","Resource":"*"}}'}}}`,
			"NR209", "its inline policy vpc-cni-upgrade does not allow all of them",
		},
		"aws-auth cannot be parsed": {"cluster: {authenticationMode: CONFIG_MAP}\nawsAuth: {mapRoles: 'a: [b'}", "NR505", "mapRoles is not a YAML list"},
		"policies not read": {`accessEntries: {"` + nodeRole + `": {type: STANDARD}}
missing: [{fact: accessPolicies, subject: "` + nodeRole + `", operation: "eks:ListAssociatedAccessPolicies", error: refused}]`, "NR502", "the access policies of its access entry could not be read, and would be lost"},
	}
	for name, tt := range tests {
		plan := planFor(load(t, "healthy", tt.patch), tt.only)
		if len(plan.Steps) > 0 || len(plan.Manual) != 1 || !strings.HasPrefix(plan.Manual[0].Why, tt.why) {
			t.Errorf("%s: %d steps, left to people %+v", name, len(plan.Steps), plan.Manual)
		}
	}
}

// TestPlanKeepsAccessPolicies: a stale entry is made again with the policies that
// it had; a type that takes none says so.
func TestPlanKeepsAccessPolicies(t *testing.T) {
	const entry = `accessEntries: {"` + nodeRole + `": {type: %s, createdAt: "2020-01-01T00:00:00Z", policies: {"arn:aws:eks::aws:cluster-access-policy/A": [], "arn:aws:eks::aws:cluster-access-policy/B": [x, z]}}}`
	step := planFor(load(t, "healthy", byID+strings.Replace(entry, "%s", "EC2", 1)), "NR503").Steps[0]
	if len(step.Changes) != 6 || step.Changes[2].After != nil || step.Changes[3].After.Type != "EC2" {
		t.Fatalf("changes %v", step.Changes)
	}
	found := map[string][]string{}
	for i, c := range step.Changes[4:] {
		found[snapshot.NameOf(c.Part)] = c.After.Namespaces
		if off := step.Changes[i]; off.Target() != c.Target() || off.After != nil || !change.Same(off.Before, c.After) {
			t.Errorf("%s is not taken away first: %+v", c, off)
		}
	}
	if diff := cmp.Diff([]string{"x", "z"}, found["B"]); diff != "" || len(found) != 2 {
		t.Errorf("policies %v", found)
	}
	step = planFor(load(t, "healthy", strings.Replace(entry, "%s", "STANDARD", 1)), "NR502").Steps[0]
	if len(step.Changes) != 4 || !strings.Contains(step.Note, "an entry of type EC2_LINUX cannot have access policies: 2 access policies are removed") {
		t.Errorf("%d changes, note %q", len(step.Changes), step.Note)
	}
}

// TestPlanReplacesEntryOfHybridNodes: it keeps the type that hybrid nodes need.
func TestPlanReplacesEntryOfHybridNodes(t *testing.T) {
	plan := planFor(load(t, "healthy", `
accessEntries: {"arn:aws:iam::111122223333:role/hybrid": {type: HYBRID_LINUX, createdAt: "2025-02-01T00:00:00Z"}}
roles: {"arn:aws:iam::111122223333:role/hybrid": {createdAt: "2026-01-01T00:00:00Z"}}`), "NR503")
	if len(plan.Steps) != 1 || len(plan.Steps[0].Changes) != 2 || plan.Steps[0].Changes[1].After.Type != view.HybridEntry {
		t.Errorf("steps %v, left to people %+v", summary(plan.Steps), plan.Manual)
	}
}
