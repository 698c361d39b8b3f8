package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

func TestKnownAction(t *testing.T) {
	for name, want := range map[string]struct {
		need.Action
		known bool
	}{
		"EC2:describeinstances": {need.Named("ec2:DescribeInstances"), true},
		"kms:Decrypt":           {need.Action{Name: "kms:Decrypt", Resources: []string{"arn:{partition}:kms:{region}:{account}:key/*"}, For: "decrypting with any KMS key"}, true},
		"sqs:SendMessage":       {need.Action{Name: "sqs:SendMessage"}, false},
	} {
		action, known := knownAction(name)
		if diff := cmp.Diff(want.Action, action); diff != "" || known != want.known {
			t.Errorf("%s: known %v\n%s", name, known, diff)
		}
	}
}

func TestDoubtful(t *testing.T) {
	for action, want := range map[string]string{
		"ec2:DescribeInstances":       "",
		"EC2:DESCRIBEINSTANCES":       "",
		"ec2:DescribeInstance":        "action ec2:DescribeInstance may not exist; did you mean ec2:DescribeInstances?",
		"ec2:DescribeInstnaces":       "action ec2:DescribeInstnaces may not exist; did you mean ec2:DescribeInstances?",
		"erc:BatchGetImage":           "action erc:BatchGetImage may not exist; did you mean ecr:BatchGetImage?",
		"iam:DetachRolePolicies":      "action iam:DetachRolePolicies may not exist: check its spelling",
		"execute-api:Invoke":          "action execute-api:Invoke may not exist: check its spelling",
		"sqs:SendMessage":             "action sqs:SendMessage may not exist: check its spelling",
		"ec2:Describe Instances":      `no AWS service has an action "ec2:Describe Instances": actions are letters and digits after a service prefix and a colon`,
		"e_c2:DescribeInstances":      `no AWS service has an action "e_c2:DescribeInstances": actions are letters and digits after a service prefix and a colon`,
		"ec2:DescribeInstances\u00e9": `no AWS service has an action "ec2:DescribeInstancesé": actions are letters and digits after a service prefix and a colon`,
	} {
		if got := doubtful(action); got != want {
			t.Errorf("%s: %q, want %q", action, got, want)
		}
	}
}
