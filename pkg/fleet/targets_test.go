package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

func load(t *testing.T, text string) (*fleet.Targets, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return fleet.LoadTargets(t.Context(), name)
}

const targetsHead = "apiVersion: noderole.dev/v1alpha1\nkind: Targets\n"

func TestLoadTargets(t *testing.T) {
	t.Parallel()
	got, err := load(t, targetsHead+`
include:
  - contexts: ["prod-*"]
    group: prod
  - accounts: ["111122223333", "000000000001"]
    regions: [eu-west-1, all]
    roleName: path/NodeRoleReader
    externalId: an id
    profile: ops
    clusters: ["shop-?"]
    awsOnly: true
exclude:
  - clusters: ["*-sandbox"]
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &fleet.Targets{
		APIVersion: fleet.APIVersion, Kind: fleet.TargetsKind,
		Include: []fleet.Include{
			{Contexts: []string{"prod-*"}, Group: "prod"},
			{
				Accounts: []string{"111122223333", "000000000001"}, Regions: []string{"eu-west-1", "all"}, RoleName: "path/NodeRoleReader",
				ExternalID: "an id", Profile: "ops", Clusters: []string{"shop-?"}, AWSOnly: true,
			},
		},
		Exclude: []fleet.Exclude{{Clusters: []string{"*-sandbox"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Include[1].EveryRegion() || got.Include[1].Selects("shop-10") || !got.Include[1].Selects("shop-1") || !got.Include[0].Selects("any") {
		t.Error("what the entries select")
	}
	if arn := got.Include[1].RoleARN("aws-cn", "111122223333"); arn != "arn:aws-cn:iam::111122223333:role/path/NodeRoleReader" {
		t.Error(arn)
	}
}

func TestLoadTargetsRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":                       {"", "it is not one YAML document"},
		"two documents":               {targetsHead + "---\n" + targetsHead, "it is not one YAML document"},
		"another kind":                {"apiVersion: v1\nkind: Pod\n", `"v1", "Pod" is not "noderole.dev/v1alpha1", "Targets"`},
		"another version":             {"apiVersion: noderole.dev/v2\nkind: Targets\n", `"noderole.dev/v2", "Targets" is not`},
		"no selection":                {targetsHead, "include is empty"},
		"an unknown field":            {targetsHead + "include: [{context: [a]}]\n", `line 3: unknown field "context"`},
		"a repeated field":            {targetsHead + "include: [{group: a, group: b}]\n", "line 3: "},
		"accounts without a role":     {targetsHead + "include: [{accounts: ['111122223333']}]\n", "include[0]: accounts need roleName"},
		"a role without accounts":     {targetsHead + "include: [{roleName: a}]\n", "include[0]: roleName needs accounts"},
		"an external id alone":        {targetsHead + "include: [{externalId: a}]\n", "include[0]: externalId is for roleName"},
		"no account":                  {targetsHead + "include: [{roleName: a, accounts: [dev]}]\n", `"dev" is not the id of an account`},
		"no region":                   {targetsHead + "include: [{regions: [dublin]}]\n", `"dublin" is not the name of a region`},
		"no role":                     {targetsHead + "include: [{roleName: 'arn:aws:iam::111122223333:role/x', accounts: ['111122223333']}]\n", "is not the name of a role"},
		"contexts with accounts":      {targetsHead + "include: [{contexts: [a], accounts: ['111122223333'], roleName: a}]\n", "contexts name their own accounts"},
		"units without organization":  {targetsHead + "include: [{organizationalUnits: [r-ab12]}]\n", "organizationalUnits needs organization: true"},
		"organization without a role": {targetsHead + "include: [{organization: true}]\n", "organization needs roleName"},
		"an exclusion of everything":  {targetsHead + "include: [{contexts: [a]}]\nexclude: [{}]\n", "exclude[0] is empty"},
		"what is not a list":          {targetsHead + "include: 1\n", "line 3: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.text)
			var p *problem.Error
			if !errors.As(err, &p) || !strings.Contains(p.Problem, test.want) || !strings.Contains(p.Problem, "fleet.yaml: ") || strings.Contains(p.Problem, "\n") {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	if _, err := fleet.LoadTargets(t.Context(), filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that does not exist: %v", err)
	}
}

// TestMatches compares with regular expressions.
func TestMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern, name := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern"), rapid.StringMatching(`[ab]{0,8}`).Draw(t, "name")
		form := strings.NewReplacer("*", ".*", "?", ".").Replace(pattern)
		if want, got := regexp.MustCompile("^"+form+"$").MatchString(name), fleet.Matches([]string{pattern}, name); got != want {
			t.Fatalf("%q, %q: %t", pattern, name, got)
		}
	})
}

// TestExcludes: everything that an entry says has to match; what is not known matches
// nothing.
func TestExcludes(t *testing.T) {
	t.Parallel()
	targets := fleet.Targets{Exclude: []fleet.Exclude{{Accounts: []string{"1*"}, Regions: []string{"us-*"}}, {Contexts: []string{"old"}}}}
	for _, test := range []struct {
		context, account, region, name string
		want                           bool
	}{
		{"", "111", "us-east-1", "a", true},
		{"", "111", "eu-west-1", "a", false},
		{"", "222", "us-east-1", "a", false},
		{"", "111", "", "", false},
		{"old", "222", "eu-west-1", "a", true},
		{"new", "", "", "", false},
	} {
		if got := targets.Excludes(test.context, test.account, test.region, test.name); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
	}
}
