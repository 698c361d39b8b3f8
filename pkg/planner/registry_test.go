package planner_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// TestRegistry: every rule has a repair or says why not, every repair has a function and
// a rule, no two rules share a place in the order of joining, and every kind of symptom is
// reported and explained.
func TestRegistry(t *testing.T) {
	used := map[finding.Repair]bool{}
	places := map[int]string{}
	explained := map[finding.SymptomKind]bool{}
	for _, r := range rules.All() {
		if (r.Repair == "") == (r.NoRepair == "") {
			t.Errorf("%s has repair %q and no repair because %q: one of them is needed", r.ID, r.Repair, r.NoRepair)
		}
		if r.Repair != "" && !planner.HasRepair(r.Repair) {
			t.Errorf("%s: the planner has no function for %s", r.ID, r.Repair)
		}
		used[r.Repair] = true
		if other := places[r.Joining]; other != "" && r.Joining > 0 {
			t.Errorf("%s and %s have the same place in the order of joining, %d", other, r.ID, r.Joining)
		}
		places[r.Joining] = r.ID
		for _, kind := range r.Explains {
			explained[kind] = true
		}
	}
	for _, kind := range finding.Repairs {
		if !planner.HasRepair(kind) || !used[kind] {
			t.Errorf("repair %s: it has a function: %v, a rule: %v", kind, planner.HasRepair(kind), used[kind])
		}
	}
	reported := map[finding.SymptomKind]bool{}
	for _, patch := range []string{
		`instances: {i-0bbbbbbbbbbbbbbbb: {state: running, owned: true, nodeGroup: apps}}`,
		`nodeGroups: {apps: {status: DEGRADED, health: [{code: NodeCreationFailure, message: m}]}}`,
		`events: [{reason: MissingIAMPermissions, object: Pod/a, message: m}, {reason: MissingIAMPermissions, object: Pod/c, message: "unauthorized operation: ec2:CreateTags"}, {reason: Failed, object: Pod/b, message: "Failed to pull image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/a:1: 403 Forbidden"}, {reason: Failed, object: Pod/d, message: "Failed to pull image public.ecr.aws/a/b:1: toomanyrequests: Rate exceeded"}, {reason: FailedScheduling, object: Pod/e, message: "Misconfigured Fargate Profile: Pod execution role is not found in auth config"}]`,
	} {
		for _, r := range judge(load(t, "healthy", patch)).Results {
			for _, s := range r.Symptoms {
				reported[s.Kind] = true
			}
		}
	}
	for _, kind := range finding.SymptomKinds {
		if !explained[kind] || !reported[kind] {
			t.Errorf("symptom %s: a rule explains it: %v, reports it: %v", kind, explained[kind], reported[kind])
		}
	}
}

// TestNoRuleIDs: a rule's id stands in its own file alone, so that a new rule is that file
// and a line in All.
func TestNoRuleIDs(t *testing.T) {
	id := regexp.MustCompile(`"NR[0-9]{3}`)
	own := regexp.MustCompile(`^nr[0-9]{3}_`)
	var found []string
	for _, root := range []string{"../../pkg", "../../cmd", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			name := filepath.Base(path)
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			ids := id.FindAllString(string(text), -1)
			if own.MatchString(name) && strings.HasSuffix(filepath.Dir(path), "rules") {
				ids = slices.DeleteFunc(ids, func(s string) bool { return strings.EqualFold(s[1:], name[:5]) })
			}
			if len(ids) > 0 {
				found = append(found, path+": "+strings.Join(ids, ", "))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) > 0 {
		t.Errorf("rule ids outside their files:\n%s", strings.Join(found, "\n"))
	}
}
