package need_test

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// literals are the strings in a source file of this module that a pattern matches,
// in order and without doubles.
func literals(t *testing.T, pattern string, file ...string) []string {
	t.Helper()
	name := filepath.Join(append([]string{"..", ".."}, file...)...)
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile(name, -1, len(source)), source, nil, 0)
	matches := regexp.MustCompile(pattern)
	var found []string
	for {
		_, kind, text := s.Scan()
		if kind == token.EOF {
			break
		}
		if kind != token.STRING {
			continue
		}
		if text, err = strconv.Unquote(text); err == nil && matches.MatchString(text) {
			found = append(found, text)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestAdminWrites: the statements hold every operation that the program can change
// something by, each once, and no other.
func TestAdminWrites(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "collect", "aws", "change*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			sent = append(sent, literals(t, `^[a-z0-9]+:[A-Z]\w+$`, "pkg", "collect", "aws", filepath.Base(file))...)
		}
	}
	slices.Sort(sent)
	sent = slices.DeleteFunc(slices.Compact(sent), func(operation string) bool {
		return slices.Contains(need.Reads, operation) || operation == "sts:GetCallerIdentity" // which needs no permission
	})
	for _, list := range [][]string{need.Writes, need.FixWrites, need.UndoWrites} {
		if !slices.IsSorted(list) {
			t.Errorf("not in order: %v", list)
		}
	}
	listed := slices.Sorted(slices.Values(slices.Concat(need.Writes, need.FixWrites, need.UndoWrites)))
	if diff := cmp.Diff(sent, listed); diff != "" {
		t.Errorf("operations (-sent +listed):\n%s", diff)
	}
}

// TestAdminDocument: what the statements leave out.
func TestAdminDocument(t *testing.T) {
	text := need.AdminDocument().String()
	// The most that a managed policy may have, white space not counted.
	// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	if n := len(strings.Join(strings.Fields(text), "")); n > 6144 {
		t.Errorf("%d characters", n)
	}
	document, err := iampolicy.Parse(iampolicy.Identity, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "admin", Document: document}}})
	const (
		eks = "arn:aws:eks:eu-west-1:111122223333:"
		iam = "arn:aws:iam::111122223333:"
	)
	for _, test := range []struct {
		action, resource, service string
		want                      iampolicy.Decision
	}{
		{"eks:DeleteAccessEntry", eks + "access-entry/prod/role/111122223333/eksNodeRole/abc", "", iampolicy.Allowed},
		{"eks:DeleteAccessEntry", eks + "access-entry/prod/user/111122223333/admin/abc", "", iampolicy.Denied},
		{"eks:DisassociateAccessPolicy", eks + "access-entry/prod/user/111122223333/admin/abc", "", iampolicy.Denied},
		{"eks:CreateAddon", eks + "cluster/prod", "", iampolicy.Allowed},
		{"eks:UpdateAddon", eks + "addon/prod/vpc-cni/abc", "", iampolicy.Allowed},
		{"eks:UpdateAddon", eks + "addon/prod/coredns/abc", "", iampolicy.Denied},
		{"eks:DeleteAddon", eks + "addon/prod/eks-pod-identity-agent/abc", "", iampolicy.Allowed},
		{"eks:DeleteAddon", eks + "addon/prod/vpc-cni/abc", "", iampolicy.Denied},
		{"eks:CreatePodIdentityAssociation", "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", "", iampolicy.Allowed},
		{"eks:DeletePodIdentityAssociation", eks + "podidentityassociation/prod/a-1", "", iampolicy.Allowed},
		{"iam:CreateOpenIDConnectProvider", provider, "", iampolicy.Allowed},
		{"iam:CreateOpenIDConnectProvider", iam + "oidc-provider/oidc-eks.eu-west-1.api.aws/id/ABC", "", iampolicy.Allowed},
		{"iam:CreateOpenIDConnectProvider", iam + "oidc-provider/accounts.example.com", "", iampolicy.Denied},
		{"iam:DeleteOpenIDConnectProvider", iam + "oidc-provider/accounts.example.com", "", iampolicy.Denied},
		{"iam:UpdateAssumeRolePolicy", roleARN, "", iampolicy.Allowed},
		{"iam:DeleteRole", "arn:aws-us-gov:iam::111122223333:role/eks/cni", "", iampolicy.Allowed},
		{"iam:DeletePolicy", "arn:aws:iam::111122223333:policy/cni", "", iampolicy.Allowed},
		{"iam:DeleteUser", iam + "user/admin", "", iampolicy.Denied},
		{"iam:PassRole", roleARN, "ec2.amazonaws.com", iampolicy.Allowed},
		{"iam:PassRole", roleARN, "eks.amazonaws.com", iampolicy.Allowed},
		{"iam:PassRole", roleARN, "pods.eks.amazonaws.com", iampolicy.Allowed},
		{"iam:PassRole", roleARN, "lambda.amazonaws.com", iampolicy.Denied},
	} {
		request := &iampolicy.Request{Principal: iam + "role/admin", Action: test.action, Resource: test.resource, Context: iampolicy.NewContext()}
		if test.service != "" {
			request.Context.Set("iam:PassedToService", test.service)
		}
		if got, err := set.Decide(request); err != nil || got != test.want {
			t.Errorf("%s on %s for %q is %s, %v, want %s", test.action, test.resource, test.service, got, err, test.want)
		}
	}
}

// TestFixRBAC: the role holds the verbs by which pkg/collect/kube changes something,
// and no other.
func TestFixRBAC(t *testing.T) {
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict([]byte(need.FixRBAC), &role); err != nil {
		t.Fatal(err)
	}
	var granted []string
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				granted = append(granted, verb+" "+strings.TrimSuffix(resource+"."+rule.APIGroups[0], ".")+" in ")
			}
		}
	}
	slices.Sort(granted)
	if diff := cmp.Diff(literals(t, `^[a-z]+ [a-z0-9.]+ in $`, "pkg", "collect", "kube", "change.go"), granted); diff != "" {
		t.Errorf("verbs (-used +granted):\n%s", diff)
	}
}
