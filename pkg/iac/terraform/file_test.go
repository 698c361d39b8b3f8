package terraform_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/terraform"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

func TestBadInput(t *testing.T) {
	plan := string(fixture(t, "right.json"))
	for _, c := range []struct{ name, text, problem string }{
		{"empty", " \n", "is empty"},
		{"binary plan", "PK\x03\x04\x00\x00", "is a plan in Terraform's binary format"},
		{"text for people", "Terraform will perform the following actions:\n", "has no line that begins with {"},
		{"truncated", plan[:len(plan)/2], "is truncated"},
		{"no JSON", "{\n  format_version: 1\n}", "line 2"},
		{"raw state", `{"version":4,"terraform_version":"1.11.4","serial":3,"lineage":"5b1","outputs":{},"resources":[]}`, "is a state file, which Terraform alone reads"},
		{"log", `{"@level":"info","@message":"Terraform 1.11.4","type":"version"}`, "is the log of terraform plan -json"},
		{"errored", `{"format_version":"1.2","errored":true,"configuration":{}}`, "is a plan with errors"},
		{"other JSON", `{"apiVersion":"v1","kind":"Pod"}`, "has no format_version"},
		{"snapshot", `{"apiVersion":"noderole.dev/v1alpha1","kind":"Snapshot"}`, "is a file of this program"},
		{"template", `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{}}`, "is a CloudFormation template"},
		{"future", `{"format_version":"2.0","configuration":{}}`, "has the format version 2.0"},
		{"empty state", `{"format_version":"1.0"}`, "is the JSON text of an empty state"},
		{"other shape", `{"format_version":"1.0","resource_changes":{}}`, "is not the JSON text of a plan or state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := terraform.Read("plan.json", []byte(c.text), terraform.Options{})
			var p *problem.Error
			if !errors.As(err, &p) {
				t.Fatalf("the error is %v", err)
			}
			if !strings.HasPrefix(p.Problem, "plan.json ") || !strings.Contains(p.Problem, c.problem) || strings.Contains(p.Problem, "\n") {
				t.Errorf("the problem is %q", p.Problem)
			}
			if p.Next == "" {
				t.Error("nothing says what to do")
			}
		})
	}
}

// TestWrappers: lines that a wrapper writes around the JSON text do not matter, and neither do
// fields that newer versions add.
func TestWrappers(t *testing.T) {
	plan := strings.Replace(string(fixture(t, "right.json")), `{"format_version":"1.2"`, `{"format_version":"1.9","new_field":{"a":[1]}`, 1)
	for _, before := range []string{
		"[command]/usr/bin/terraform show -json tfplan\n\n", "Note: use {-out}\n{not JSON}\n", `{"level":"debug"}` + "\n", "\x1b[33mWarning:\x1b[0m plan: ",
	} {
		if got := read(t, []byte(before+plan+"\n::debug::exitcode: 0\n"), terraform.Options{}); len(got) != 1 {
			t.Errorf("%q: %d snapshots", before, len(got))
		}
	}
}

// TestPlace: where no text says the account or the region, they are asked for.
func TestPlace(t *testing.T) {
	var plan map[string]any
	if err := json.Unmarshal(fixture(t, "right.json"), &plan); err != nil {
		t.Fatal(err)
	}
	delete(plan, "prior_state")
	delete(plan["configuration"].(map[string]any), "provider_config")
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		given iac.Place
		next  string
	}{
		{iac.Place{}, "--account 111122223333"},
		{iac.Place{Account: "111122223333"}, "--region eu-west-1"},
	} {
		code, err := terraform.Read("plan.json", text, terraform.Options{Place: c.given})
		if err != nil {
			t.Fatal(err)
		}
		_, err = iac.Build(code)
		var p *problem.Error
		if !errors.As(err, &p) || !strings.Contains(p.Next, c.next) {
			t.Errorf("%+v: the error is %v", c.given, err)
		}
	}
	s := read(t, text, terraform.Options{Place: iac.Place{Account: "444455556666", Region: "cn-north-1"}})[0]
	if want := "arn:aws-cn:eks:cn-north-1:444455556666:cluster/shop"; s.Cluster.ARN != want {
		t.Errorf("the cluster is %s, not %s", s.Cluster.ARN, want)
	}
	if !slices.Contains(s.Roles["arn:aws-cn:iam::444455556666:role/shop-cni"].AttachedPolicies, "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy") {
		t.Error("the policy that the code names is another one")
	}
}

// FuzzRead: whatever the text is, reading it ends with facts or an error, never with a panic.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"format_version":"1.2","resource_changes":[{"address":"module.a[\"x.y\"].aws_iam_role.b[0]","type":"aws_iam_role","change":{"actions":["create"],"after":{"name":"b","inline_policy":[{}],"managed_policy_arns":[null]},"after_unknown":{"managed_policy_arns":[true],"arn":true}}}],"configuration":{"root_module":{}}}`,
		`{"format_version":"1.2","resource_changes":[{"address":"aws_eks_node_group.a","type":"aws_eks_node_group","change":{"actions":["create"],"after":{"cluster_name":"c"},"after_unknown":true}}],"configuration":{"root_module":{"resources":[{"address":"aws_eks_node_group.a","expressions":{"node_role_arn":{"references":["aws_iam_role.a[","each.value","module.m[each.key].x"]}}}]}}}`,
		`{"format_version":"1.2","values":{"root_module":{"resources":[{"address":"kubectl_manifest.a","type":"kubectl_manifest","values":{"yaml_body":"kind: EC2NodeClass\napiVersion: karpenter.k8s.aws/v1\nspec: {role: 1}"}}]}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		code, err := terraform.Read("plan.json", text, terraform.Options{Place: iac.Place{Account: "111122223333", Region: "eu-west-1"}})
		if err != nil {
			return
		}
		snapshots, err := iac.Build(code)
		if err != nil {
			return
		}
		for _, s := range snapshots {
			if _, err := s.Encode(); err != nil {
				t.Error(err)
			}
		}
	})
}
