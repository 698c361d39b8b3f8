package export_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var update = flag.Bool("update", false, "write the golden files")

// everyKind is a plan with a change of every kind: created, changed, replaced and removed.
func everyKind() *planner.Plan {
	text := func(s string) *string { return &s }
	const (
		arn    = "arn:aws:iam::111122223333:role/path/new"
		trust  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringLike":{"aws:x":"${aws:y}%{z}"}}}}`
		policy = "arn:aws:iam::111122223333:policy/mine"
	)
	step := func(title string, changes ...change.Change) planner.Step {
		return planner.Step{Title: title, Rules: []string{"NR201", "NR203"}, Subject: "new", Proof: "it is there", Changes: changes}
	}
	entry := change.Change{Kind: change.AccessEntry, Name: arn, Cluster: "prod", After: &change.State{Type: "STANDARD", Username: "{{SessionName}}", Groups: []string{"a", "b"}, Tags: map[string]string{"team": "a"}}}
	stale := change.Change{Kind: change.AccessEntry, Name: arn, Cluster: "prod", Before: &change.State{Type: "EC2"}}
	access := change.Change{Kind: change.AccessPolicy, Name: arn, Part: "arn:aws:eks::aws:cluster-access-policy/A", Cluster: "prod", After: &change.State{Namespaces: []string{"x", "y"}}}
	whole := access
	whole.Part, whole.After = "arn:aws:eks::aws:cluster-access-policy/B", &change.State{}
	attachment := change.Change{Kind: change.Attachment, Name: "new", Part: policy, After: &change.State{}}
	const provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"
	noted := step("change what exists",
		change.Change{Kind: change.TrustPolicy, Name: "old", Before: &change.State{Document: "{}"}, After: &change.State{Document: trust}},
		change.Change{Kind: change.ProfileRole, Name: "old", After: &change.State{Role: "old"}},
		change.Change{Kind: change.OIDCProvider, Name: provider + "B", Before: &change.State{ClientIDs: []string{"a"}}, After: &change.State{ClientIDs: []string{"a", "b"}}},
		change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "prod", After: &change.State{Type: change.IRSA, Role: arn}},
		change.Change{Kind: change.AddonRole, Name: "coredns", Part: "coredns", Cluster: "prod", After: &change.State{Type: change.PodIdentity, Role: arn}},
		change.Change{Kind: change.AuthRole, Name: arn, After: &change.State{Role: arn}, Whole: &change.Whole{Before: text("[]"), After: text("- rolearn: x\n")}},
		change.Change{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: &change.State{Role: arn}},
		change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Type: change.IRSA, Role: arn}},
	)
	noted.Note = "a note\nof two lines"
	return &planner.Plan{
		Cluster: "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
		Steps: []planner.Step{
			step("create a role",
				change.Change{Kind: change.Role, Name: "new", After: &change.State{Document: trust, Path: "/path/", Description: "it's \"new\"", Boundary: policy, Tags: map[string]string{"team": "a", "cost-center": "9"}}},
				change.Change{Kind: change.Policy, Name: policy, After: &change.State{Document: `{"Statement":[]}`}},
				attachment,
				change.Change{Kind: change.InlinePolicy, Name: "new", Part: "more", After: &change.State{Document: `{"Statement":[]}`}},
				change.Change{Kind: change.InstanceProfile, Name: "new", After: &change.State{Path: "/path/", Tags: map[string]string{"team": "a"}}},
				change.Change{Kind: change.ProfileRole, Name: "new", After: &change.State{Role: "new"}}),
			step("replace an entry", access.Invert(), stale, entry, access, whole),
			step("create the rest",
				change.Change{Kind: change.InstanceProfile, Name: "empty", After: &change.State{}},
				change.Change{Kind: change.OIDCProvider, Name: provider, After: &change.State{ClientIDs: []string{"sts.amazonaws.com"}}},
				change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "prod", After: &change.State{Role: arn}},
				change.Change{Kind: change.Addon, Name: "9-agent", Cluster: "prod", After: &change.State{}}),
			noted,
			step("remove, and add what was added already",
				attachment,
				change.Change{Kind: change.Attachment, Name: "old", Part: policy, Before: &change.State{}},
				change.Change{Kind: change.AccessPolicy, Name: "old", Part: "arn:p", Cluster: "prod", Before: &change.State{}}),
		},
		Manual: []planner.Manual{{Rule: "NR101", Subject: "old", Message: "the role is the cluster's", Why: "the cluster uses it"}},
	}
}

// TestReadPlanOfEveryKind: a plan that is written and read is the same plan.
func TestReadPlanOfEveryKind(t *testing.T) {
	plan := everyKind()
	plan.APIVersion, plan.Kind = finding.APIVersion, planner.PlanKind
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	read, err := planner.ReadPlan(text)
	if diff := cmp.Diff(plan, read, cmpopts.IgnoreUnexported(planner.Step{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// inStaging completes commands of kubectl by a context.
func inStaging(c command.Command) command.Command {
	if c.Word(0) != "kubectl" {
		return c
	}
	return c.Insert(1, "--context", "staging")
}

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// planOf is the plan that repairs an example.
func planOf(t *testing.T, example string) *planner.Plan {
	t.Helper()
	text, ok := examples.Read(example)
	if !ok {
		t.Fatalf("there is no example %s", example)
	}
	s, err := snapshot.Decode(example, text)
	if err != nil {
		t.Fatal(err)
	}
	v := view.New(s)
	return planner.New(v, rules.Judge(v, rules.Options{}).Results, planner.Options{})
}

// TestPlanTerraform: the configuration of a plan; -update writes the golden file.
func TestPlanTerraform(t *testing.T) {
	for name, plan := range map[string]*planner.Plan{"every-kind": everyKind(), "broken": planOf(t, "broken")} {
		t.Run(name, func(t *testing.T) {
			got := export.PlanTerraform(plan, inStaging)
			if name == "every-kind" { // the steps of an example are the planner's to test
				golden(t, "every-kind.tf", got)
			}
			addresses := map[string]bool{}
			for line := range strings.Lines(got) {
				if strings.HasPrefix(line, "resource ") {
					if addresses[line] {
						t.Errorf("twice: %s", line)
					}
					addresses[line] = true
				}
				if strings.TrimRight(line, " \t\n")+"\n" != line && line != "\n" {
					t.Errorf("white space at the end of %q", line)
				}
			}
		})
	}
}
