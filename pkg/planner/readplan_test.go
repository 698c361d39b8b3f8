package planner_test

import (
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestReadPlan: a plan that is written and read is the same plan.
func TestReadPlan(t *testing.T) {
	for name, plan := range map[string]*planner.Plan{
		"broken": planFor(load(t, "broken", "{}")), "healthy": planFor(load(t, "healthy", "{}")),
		"the move": move(onNodeRole(t, "{}"), planner.Options{Identity: planner.Auto}),
	} {
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		read, err := planner.ReadPlan(text)
		if diff := cmp.Diff(plan, read, cmpopts.IgnoreUnexported(planner.Step{})); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestReadPlanErrors(t *testing.T) {
	plan := func(steps string) string {
		return `{"apiVersion":"` + finding.APIVersion + `","kind":"Plan","cluster":"c","steps":[` + steps + `]}`
	}
	const step = `{"title":"t","rules":["NR201"],"subject":"s","proof":"p","changes":[{"kind":"iam.Role","name":"r","before":null,"after":{}}]}`
	for name, tt := range map[string]struct{ text, err string }{
		"good":                {plan(step), ""},
		"no steps":            {plan(""), ""},
		"empty":               {"", "it is empty"},
		"no JSON":             {"steps: []", "invalid character"},
		"something follows":   {plan(step) + "{}", "after top-level value"},
		"an unknown field":    {strings.Replace(plan(step), `"subject"`, `"subjekt"`, 1), "unknown field steps[0].subjekt"},
		"another kind":        {strings.Replace(plan(step), `"Plan"`, `"Report"`, 1), `it has apiVersion "` + finding.APIVersion + `" and kind "Report"`},
		"another version":     {strings.Replace(plan(step), finding.APIVersion, "noderole.dev/v9", 1), "it is of version v9"},
		"no changes":          {plan(step + `,{"title":"t","rules":["NR201"],"subject":"s","proof":"p","changes":[]}`), "step 2 has no changes or no rules"},
		"no rules":            {plan(strings.Replace(step, `["NR201"]`, `[]`, 1)), "step 1 has no changes or no rules"},
		"a change of no kind": {plan(strings.Replace(step, "iam.Role", "iam.User", 1)), `step 1: "iam.User" is not a kind of change`},
		"a change of nothing": {plan(strings.Replace(step, `"after":{}`, `"after":null`, 1)), "step 1: the change of role r has neither before nor after"},
	} {
		_, err := planner.ReadPlan([]byte(tt.text))
		if (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnmet: what is not judged, or not known, does not hold; what depends does where a
// pass is not asked for.
func TestUnmet(t *testing.T) {
	healthy := view.New(&snapshot.Snapshot{})
	result := func(status finding.Status) finding.Result {
		return finding.Result{ID: "NR201", Status: status, Message: "m", Subject: finding.Subject{Name: "a", ARN: nodeRole}, Evidence: []string{"iam:GetRole of a: denied"}}
	}
	other := finding.Result{ID: "NR201", Status: finding.Fail, Message: "other", Subject: finding.Subject{Name: "b"}}
	for name, tt := range map[string]struct {
		check   planner.Check
		results []finding.Result
		why     string
		unread  bool
	}{
		"pass":                    {planner.Check{Rule: "NR201", Subject: "a", Strict: true}, []finding.Result{other, result(finding.Pass)}, "", false},
		"by ARN":                  {planner.Check{Rule: "NR201", Subject: nodeRole}, []finding.Result{result(finding.Pass)}, "", false},
		"fail":                    {planner.Check{Rule: "NR201", Subject: "a"}, []finding.Result{result(finding.Fail)}, "NR201: m", false},
		"unknown":                 {planner.Check{Rule: "NR201", Subject: "a"}, []finding.Result{result(finding.Unknown)}, "NR201: m: iam:GetRole of a: denied", true},
		"depends":                 {planner.Check{Rule: "NR201", Subject: "a"}, []finding.Result{result(finding.Depends)}, "", false},
		"depends, strictly":       {planner.Check{Rule: "NR201", Subject: "a", Strict: true}, []finding.Result{result(finding.Depends)}, "NR201: m", false},
		"does not apply":          {planner.Check{Rule: "NR201", Subject: "a"}, []finding.Result{result(finding.NotApplicable)}, "", false},
		"does not apply strictly": {planner.Check{Rule: "NR201", Subject: "a", Strict: true}, []finding.Result{result(finding.NotApplicable)}, "NR201: m", false},
		"everything":              {planner.Check{Rule: "NR201"}, []finding.Result{result(finding.Pass), other}, "NR201: other", false},
		"not judged":              {planner.Check{Rule: "NR202", Subject: nodeRole}, []finding.Result{other}, "NR202 was not judged for eksNodeRole", false},
		"no agent":                {planner.Check{Agent: true}, nil, "eks-pod-identity-agent is not ready on 1 node with aws-node", false},
	} {
		err := tt.check.Unmet(healthy, tt.results)
		var unread *planner.UnreadError
		if why := fmt.Sprint(err); why != stdcmp.Or(tt.why, "<nil>") || errors.As(err, &unread) != tt.unread {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := load(t, "healthy", "podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true}}")
	if err := (planner.Check{Agent: true}).Unmet(view.New(s), nil); err == nil || err.Error() != "eks-pod-identity-agent is not ready on 2 nodes with aws-node" {
		t.Errorf("%v", err)
	}
	s = load(t, "healthy", "podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true}}\nmissing: [{fact: pods, operation: list pods in kube-system, error: forbidden}]")
	s.AWSNode.Pods = nil
	if err := (planner.Check{Agent: true}).Unmet(view.New(s), nil); err == nil || err.Error() != "whether eks-pod-identity-agent is ready is unknown: list pods in kube-system: forbidden" {
		t.Errorf("%v", err)
	}
}
