package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"policy.json": `{"Version": "2012-10-17", "Statement": [
			{"Sid": "Pull", "Effect": "Allow", "Action": ["ecr:Get*", "ecr:BatchGetImage"], "Resource": "*"},
			{"Sid": "Push", "Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}]}`,
		"boundary.json": `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:Batch*", "Resource": "*"}}`,
		"wrong.json":    `{"Statement": [{"Effect": "allow"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(".", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args    string
		allowed bool
		want    string
	}{
		{"policy.json ecr:GetAuthorizationToken ecr:BatchGetImage", true, "ecr:GetAuthorizationToken: allowed by [policy.json statement 1 (Pull)]\necr:BatchGetImage: allowed by [policy.json statement 1 (Pull)]\n"},
		{"policy.json ecr:PutImage", false, "ecr:PutImage: depends on [policy.json statement 2 (Push): StringEquals aws:RequestedRegion eu-west-1]\n"},
		{"-boundary boundary.json policy.json ecr:BatchGetImage ecr:GetAuthorizationToken", false, "ecr:BatchGetImage: allowed by [policy.json statement 1 (Pull) boundary.json statement 1]\necr:GetAuthorizationToken: denied by the permissions boundary []\n"},
	} {
		var out strings.Builder
		allowed, err := run(&out, strings.Fields(tt.args))
		if err != nil || allowed != tt.allowed {
			t.Errorf("%s: %v, %v", tt.args, allowed, err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
	for _, args := range []string{"policy.json", "gone.json iam:PassRole", "wrong.json iam:PassRole", "policy.json no-action"} {
		if _, err := run(&strings.Builder{}, strings.Fields(args)); err == nil {
			t.Errorf("%s is not refused", args)
		}
	}
}
