package change_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

const policyARN = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"

const (
	providerARN   = "arn:aws:iam::1:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"
	associationID = `"$(aws eks list-pod-identity-associations --cluster-name c --namespace kube-system --service-account aws-node --query 'associations[0].associationId' --output text)"`
)

func TestString(t *testing.T) {
	for want, c := range map[string]change.Change{
		"trust policy of role r":                             {Kind: change.TrustPolicy, Name: "r"},
		"OIDC provider " + providerARN:                       {Kind: change.OIDCProvider, Name: providerARN},
		"Pod Identity association of kube-system/aws-node":   {Kind: change.Association, Name: "kube-system/aws-node"},
		"add-on vpc-cni":                                     {Kind: change.Addon, Name: "vpc-cni"},
		"role of service account aws-node in add-on vpc-cni": {Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestInvert: what is recreated has a new time of creation.
func TestInvert(t *testing.T) {
	stale := &change.State{Type: "EC2", CreatedAt: "2026-01-02T03:04:05Z"}
	c := change.Change{Kind: change.AccessEntry, Name: "r", Before: stale}
	if diff := cmp.Diff(change.Change{Kind: change.AccessEntry, Name: "r", After: &change.State{Type: "EC2"}}, c.Invert()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stale.CreatedAt == "" {
		t.Error("the change itself was changed")
	}
}

// lines are the commands of a change, a line each, or why there is none.
func lines(c change.Change) string {
	var list []string
	for _, command := range c.Commands() {
		list = append(list, command.String())
	}
	if why := c.NoCommand(); why != "" {
		list = append(list, "no command: "+why)
	}
	return strings.Join(list, "\n")
}

func TestCommands(t *testing.T) {
	role := change.Change{Kind: change.Role, Name: "r", After: &change.State{
		Document: `{"a":"it's"}`, Path: "/eks/", Description: "Node role", Boundary: "arn:aws:iam::1:policy/b", Tags: map[string]string{"b": "x, y", "a": "1"},
	}}
	principal := "arn:aws:iam::1:role/r"
	tests := []struct {
		change       change.Change
		want, invert string
	}{
		{
			role,
			`aws iam create-role --role-name r --path /eks/ --assume-role-policy-document '{"a":"it'\''s"}' --description 'Node role' --permissions-boundary arn:aws:iam::1:policy/b --tags '[{"Key":"a","Value":"1"},{"Key":"b","Value":"x, y"}]'`,
			"aws iam delete-role --role-name r",
		},
		{
			change.Change{Kind: change.Attachment, Name: "r", Part: policyARN, After: &change.State{}},
			"aws iam attach-role-policy --role-name r --policy-arn " + policyARN, "aws iam detach-role-policy --role-name r --policy-arn " + policyARN,
		},
		{
			change.Change{Kind: change.InlinePolicy, Name: "r", Part: "p", After: &change.State{Document: "{}"}},
			"aws iam put-role-policy --role-name r --policy-name p --policy-document '{}'", "aws iam delete-role-policy --role-name r --policy-name p",
		},
		{
			change.Change{Kind: change.Policy, Name: "arn:aws:iam::${ACCOUNT}:policy/p", After: &change.State{Document: "{}"}},
			"aws iam create-policy --policy-name p --policy-document '{}'", `aws iam delete-policy --policy-arn "arn:aws:iam::${ACCOUNT}:policy/p"`,
		},
		{
			change.Change{Kind: change.InstanceProfile, Name: "p", After: &change.State{Path: "/"}},
			"aws iam create-instance-profile --instance-profile-name p", "aws iam delete-instance-profile --instance-profile-name p",
		},
		{
			change.Change{Kind: change.ProfileRole, Name: "p", After: &change.State{Role: "r"}},
			"aws iam add-role-to-instance-profile --instance-profile-name p --role-name r", "aws iam remove-role-from-instance-profile --instance-profile-name p --role-name r",
		},
		{
			change.Change{Kind: change.AccessEntry, Name: principal, Cluster: "c", After: &change.State{Type: "EC2", Tags: map[string]string{"a": "1", "b": "x y"}}},
			"aws eks create-access-entry --cluster-name c --principal-arn " + principal + ` --type EC2 --tags '{"a":"1","b":"x y"}'`,
			"aws eks delete-access-entry --cluster-name c --principal-arn " + principal,
		},
		{
			change.Change{Kind: change.AccessPolicy, Name: principal, Cluster: "c", Part: "arn:p", After: &change.State{}},
			"aws eks associate-access-policy --cluster-name c --principal-arn " + principal + " --policy-arn arn:p --access-scope type=cluster",
			"aws eks disassociate-access-policy --cluster-name c --principal-arn " + principal + " --policy-arn arn:p",
		},
		{
			change.Change{Kind: change.AccessPolicy, Name: principal, Cluster: "c", Part: "arn:p", After: &change.State{Namespaces: []string{"a", "b"}}},
			"aws eks associate-access-policy --cluster-name c --principal-arn " + principal + " --policy-arn arn:p --access-scope type=namespace,namespaces=a,b",
			"aws eks disassociate-access-policy --cluster-name c --principal-arn " + principal + " --policy-arn arn:p",
		},
		{
			change.Change{Kind: change.AccessEntry, Name: principal, Cluster: "c", After: &change.State{Type: "STANDARD", Username: "{{SessionName}}", Groups: []string{"a", "b c"}, CreatedAt: "2026-01-02T03:04:05Z"}},
			"aws eks create-access-entry --cluster-name c --principal-arn " + principal + " --type STANDARD --username '{{SessionName}}' --kubernetes-groups '[\"a\",\"b c\"]'",
			"aws eks delete-access-entry --cluster-name c --principal-arn " + principal,
		},
		{
			change.Change{Kind: change.AccessEntry, Name: principal, Cluster: "c", After: &change.State{Type: "EC2_LINUX", Username: "u", Groups: []string{"g"}}},
			"aws eks create-access-entry --cluster-name c --principal-arn " + principal + " --type EC2_LINUX",
			"aws eks delete-access-entry --cluster-name c --principal-arn " + principal,
		},
		{
			change.Change{Kind: change.TrustPolicy, Name: "r", Before: &change.State{Document: `{"a":1}`}, After: &change.State{Document: `{"a":2}`}},
			`aws iam update-assume-role-policy --role-name r --policy-document '{"a":2}'`, `aws iam update-assume-role-policy --role-name r --policy-document '{"a":1}'`,
		},
		{
			change.Change{Kind: change.OIDCProvider, Name: providerARN, After: &change.State{ClientIDs: []string{"sts.amazonaws.com"}, Tags: map[string]string{"a": "1"}}},
			"aws iam create-open-id-connect-provider --url https://oidc.eks.eu-west-1.amazonaws.com/id/A --client-id-list sts.amazonaws.com --tags Key=a,Value=1",
			"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn " + providerARN,
		},
		{
			change.Change{Kind: change.OIDCProvider, Name: providerARN, Before: &change.State{ClientIDs: []string{"a", "b"}}, After: &change.State{ClientIDs: []string{"c", "b"}}},
			"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn " + providerARN + " --client-id c\naws iam remove-client-id-from-open-id-connect-provider --open-id-connect-provider-arn " + providerARN + " --client-id a",
			"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn " + providerARN + " --client-id a\naws iam remove-client-id-from-open-id-connect-provider --open-id-connect-provider-arn " + providerARN + " --client-id c",
		},
		{
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c", After: &change.State{Role: principal}},
			"aws eks create-pod-identity-association --cluster-name c --namespace kube-system --service-account aws-node --role-arn " + principal,
			"aws eks delete-pod-identity-association --cluster-name c --association-id " + associationID,
		},
		{
			change.Change{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "c", Before: &change.State{Role: "arn:old"}, After: &change.State{Role: principal}},
			"aws eks update-pod-identity-association --cluster-name c --association-id " + associationID + " --role-arn " + principal,
			"aws eks update-pod-identity-association --cluster-name c --association-id " + associationID + " --role-arn arn:old",
		},
		{
			change.Change{Kind: change.Addon, Name: "vpc-cni", Cluster: "c", After: &change.State{}},
			"aws eks create-addon --cluster-name c --addon-name vpc-cni", "aws eks delete-addon --cluster-name c --addon-name vpc-cni",
		},
		{
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", After: &change.State{Role: principal, Type: change.IRSA}},
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --service-account-role-arn " + principal + " --resolve-conflicts PRESERVE",
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --resolve-conflicts PRESERVE",
		},
		{
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", After: &change.State{Role: principal, Type: change.PodIdentity}},
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --pod-identity-associations serviceAccount=aws-node,roleArn=" + principal + " --resolve-conflicts PRESERVE",
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --pod-identity-associations '[]' --resolve-conflicts PRESERVE",
		},
		{
			change.Change{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "c", Before: &change.State{Role: "arn:old", Type: change.IRSA}, After: &change.State{Role: principal, Type: change.PodIdentity}},
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --service-account-role-arn arn:old --pod-identity-associations serviceAccount=aws-node,roleArn=" + principal + " --resolve-conflicts PRESERVE",
			"aws eks update-addon --cluster-name c --addon-name vpc-cni --service-account-role-arn arn:old --pod-identity-associations '[]' --resolve-conflicts PRESERVE",
		},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, lines(tt.change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.change, diff)
		}
		if diff := cmp.Diff(tt.invert, lines(tt.change.Invert())); diff != "" {
			t.Errorf("undo of %s (-want +got):\n%s", tt.change, diff)
		}
	}
}

func TestDifferences(t *testing.T) {
	trust := func(elements string) string {
		return `{"Statement":{` + elements + `,"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"}}}`
	}
	policy := func(actions string) string {
		return `{"Statement":{"Action":` + actions + `,"Effect":"Allow","Resource":"*"}}`
	}
	want := &change.State{Document: `{"b":1,"a":[1,2]}`, Path: "/", Tags: map[string]string{"team": "a"}}
	tests := map[string]struct {
		want, found *change.State
		lines       []string
	}{
		"both absent":                        {nil, nil, nil},
		"there":                              {nil, want, []string{"it exists already"}},
		"not there":                          {want, nil, []string{"it does not exist"}},
		"spelled differently, one more tag":  {want, &change.State{Document: "{\n\"a\": [1, 2], \"b\": 1}", Tags: map[string]string{"team": "a", "cost": "9"}}, nil},
		"another document":                   {want, &change.State{Document: `{"a":[2,1],"b":1}`}, []string{`document is {"a":[2,1],"b":1}, not {"a":[1,2],"b":1}`}},
		"a trust policy of the same meaning": {&change.State{Document: trust(`"Action":["sts:AssumeRole"]`)}, &change.State{Document: trust(`"Sid":"A","Action":"sts:AssumeRole"`)}, nil},
		"another trust policy": {
			&change.State{Document: trust(`"Action":"sts:AssumeRole"`)}, &change.State{Document: trust(`"Action":"sts:TagSession"`)},
			[]string{"document is " + trust(`"Action":"sts:TagSession"`) + ", not " + trust(`"Action":"sts:AssumeRole"`)},
		},
		"a policy of the same meaning":       {&change.State{Document: policy(`["a:b","a:c"]`)}, &change.State{Document: policy(`["a:c","a:b"]`)}, nil},
		"another policy":                     {&change.State{Document: policy(`"a:b"`)}, &change.State{Document: policy(`"a:c"`)}, []string{"document is " + policy(`"a:c"`) + ", not " + policy(`"a:b"`)}},
		"a policy and a trust policy":        {&change.State{Document: policy(`"a:b"`)}, &change.State{Document: trust(`"Action":"a:b"`)}, []string{"document is " + trust(`"Action":"a:b"`) + ", not " + policy(`"a:b"`)}},
		"another description, another tag":   {&change.State{Description: "d", Tags: map[string]string{"team": "a"}}, &change.State{Tags: map[string]string{"team": "b"}}, nil},
		"boundary, role, type and namespace": {&change.State{Role: "r"}, &change.State{Boundary: "b", Type: "EC2", Namespaces: []string{"n"}}, []string{"permissions boundary is b, not none", "role is none, not r", "type is EC2, not none", "namespaces is [n], not []"}},
		"namespaces in another order":        {&change.State{Namespaces: []string{"a", "b"}}, &change.State{Namespaces: []string{"b", "a"}}, nil},
		"one more client id":                 {&change.State{ClientIDs: []string{"a"}}, &change.State{ClientIDs: []string{"b", "a"}}, nil},
		"client IDs do not include some":     {&change.State{ClientIDs: []string{"c", "a", "b"}}, &change.State{ClientIDs: []string{"b"}}, []string{"client IDs do not include a, c"}},
		"any username, any time":             {&change.State{}, &change.State{Username: "u", CreatedAt: "2026-01-02T03:04:05Z"}, nil},
		"username, groups and time":          {&change.State{Username: "u", Groups: []string{"a"}, CreatedAt: "2026-01-02T03:04:05Z"}, &change.State{Username: "v", CreatedAt: "2026-01-02T03:04:06Z"}, []string{"username is v, not u", "groups is [], not [a]", "time of creation is 2026-01-02T03:04:06Z, not 2026-01-02T03:04:05Z"}},
		"groups in another order":            {&change.State{Groups: []string{"a", "b"}}, &change.State{Groups: []string{"b", "a"}}, nil},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.lines, change.Differences(tt.want, tt.found)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLabels(t *testing.T) {
	found := &change.State{Description: "found", Tags: map[string]string{"team": "a", "cost": "9"}}
	for name, tt := range map[string]struct {
		want, found *change.State
		lines       []string
	}{
		"as wanted, one more tag": {&change.State{Description: "found", Tags: map[string]string{"team": "a"}}, found, nil},
		"another": {
			&change.State{Description: "wanted", Tags: map[string]string{"team": "b", "stage": "c"}}, found,
			[]string{"description is found, not wanted", "tag stage is none, not c", "tag team is a, not b"},
		},
		"absent":       {found, nil, nil},
		"to be absent": {nil, found, nil},
	} {
		if diff := cmp.Diff(tt.lines, change.Labels(tt.want, tt.found)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// store is a Store in memory.
type store struct {
	there map[string]*change.State
	// lost makes writes succeed and answer with an error, refused makes them fail.
	lost, refused bool
	// failed makes writes succeed and come to nothing.
	failed bool
	writes int
}

var errLost = errors.New("the response ended early")

func (s *store) State(_ context.Context, c change.Change) (*change.State, error) {
	return s.there[c.String()], nil
}

func (s *store) Write(_ context.Context, c change.Change) error {
	s.writes++
	if s.refused {
		return errLost
	}
	s.there[c.String()] = c.After
	if s.failed {
		return &change.FailedError{Reason: "it is DEGRADED"}
	}
	if s.lost {
		return errLost
	}
	return nil
}

func TestApply(t *testing.T) {
	c := change.Change{Kind: change.Role, Name: "r", After: &change.State{Document: "{}"}}
	other := &change.State{Document: `{"x":1}`}
	tests := map[string]struct {
		there         *change.State
		lost, refused bool
		wrote         bool
		err           string
		writes        int
	}{
		"absent":                   {wrote: true, writes: 1},
		"made already":             {there: c.After},
		"another":                  {there: other, err: `role r is not as expected: document is {"x":1}, not {}`},
		"the answer is lost":       {lost: true, wrote: true, writes: 1},
		"refused":                  {refused: true, err: "the response ended early", writes: 1},
		"lost, but made by now":    {there: c.After, lost: true},
		"refused, but made by now": {there: c.After, refused: true},
	}
	for name, tt := range tests {
		s := &store{there: map[string]*change.State{}, lost: tt.lost, refused: tt.refused}
		if tt.there != nil {
			s.there[c.String()] = tt.there
		}
		wrote, err := change.Apply(context.Background(), s, c)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if wrote != tt.wrote || text != tt.err || s.writes != tt.writes {
			t.Errorf("%s: wrote %v, error %q, %d writes", name, wrote, text, s.writes)
		}
	}
}

// TestApplyFailed: what AWS accepted and did not bring about is told, though it is
// there.
func TestApplyFailed(t *testing.T) {
	c := change.Change{Kind: change.Addon, Name: "a", After: &change.State{}}
	wrote, err := change.Apply(context.Background(), &store{there: map[string]*change.State{}, failed: true}, c)
	var failed *change.FailedError
	if !wrote || !errors.As(err, &failed) || err.Error() != "it is DEGRADED" {
		t.Errorf("wrote %v, %v", wrote, err)
	}
}

// TestApplyRemovesClientIDs: a client id that is to go keeps a change from being
// made already, others do not.
func TestApplyRemovesClientIDs(t *testing.T) {
	c := change.Change{Kind: change.OIDCProvider, Name: providerARN, Before: &change.State{ClientIDs: []string{"a", "b"}}, After: &change.State{ClientIDs: []string{"a"}}}
	for found, want := range map[string]bool{"a": false, "a x": false, "a b": true, "b a x": true} {
		s := &store{there: map[string]*change.State{c.String(): {ClientIDs: strings.Fields(found)}}}
		left, leftErr := change.Pending(context.Background(), s, []change.Change{c})
		wrote, err := change.Apply(context.Background(), s, c)
		if wrote != want || err != nil || (len(left) > 0) != want || leftErr != nil {
			t.Errorf("%s: wrote %v, %v; left %v, %v", found, wrote, err, left, leftErr)
		}
	}
	// Where nothing that is wanted lacks, what it begins from does.
	c.Before.ClientIDs = []string{"a", "b", "c"}
	s := &store{there: map[string]*change.State{c.String(): {ClientIDs: []string{"a", "b"}}}}
	_, err := change.Apply(context.Background(), s, c)
	if err == nil || !strings.HasSuffix(err.Error(), "is not as expected: client IDs do not include c") {
		t.Errorf("%v", err)
	}
}

// TestPending: what was applied is left out, and every third state is reported.
func TestPending(t *testing.T) {
	role := change.Change{Kind: change.Role, Name: "r", After: &change.State{Document: "{}"}}
	attach := change.Change{Kind: change.Attachment, Name: "r", Part: policyARN, After: &change.State{}}
	profile := change.Change{Kind: change.ProfileRole, Name: "p", After: &change.State{Role: "r"}}
	s := &store{there: map[string]*change.State{role.String(): role.After}}
	left, err := change.Pending(context.Background(), s, []change.Change{role, attach, profile})
	if diff := cmp.Diff([]change.Change{attach, profile}, left); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s.there[role.String()] = &change.State{Document: `{"x":1}`}
	s.there[profile.String()] = &change.State{Role: "another"}
	_, err = change.Pending(context.Background(), s, []change.Change{role, attach, profile})
	var conflict *change.ConflictError
	if !errors.As(err, &conflict) || strings.Count(err.Error(), "is not as expected") != 2 || !strings.Contains(err.Error(), "role is another, not r") {
		t.Errorf("%v", err)
	}
}
