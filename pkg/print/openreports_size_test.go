package print_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// TestOpenReportsSize: the report of a cluster with very many roles fits into an object, counts
// every result, and has every rule that fails. What is missed least is shortened first.
func TestOpenReportsSize(t *testing.T) {
	const limit = 1 << 20
	// A result of each of 45 rules for each role, of which the first so many have a finding.
	reportOf := func(roles, findings int, evidence string) *finding.Report {
		r := &finding.Report{Cluster: finding.ClusterInfo{Name: "large", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/large"}}
		for i := range roles {
			name := fmt.Sprintf("teamNodeRole-%04d", i)
			for rule := range 45 {
				res := finding.Result{
					ID: fmt.Sprintf("NR1%02d", rule), Rule: "rule", Status: finding.Pass, Severity: finding.Error,
					Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: name, ARN: "arn:aws:iam::111122223333:role/" + name},
					Message: name + " has the permissions that a node needs", Evidence: []string{evidence},
				}
				if rule < findings {
					res.Status, res.Impact, res.Next = finding.Fail, "nodes do not join", []finding.Next{finding.Run(command.AWS("iam", "get-role", "--role-name", name))}
				}
				r.Results = append(r.Results, res)
			}
		}
		return r
	}
	unread := reportOf(0, 0, "")
	for i := range 9000 {
		unread.Missing = append(unread.Missing, finding.Missing{Fact: "role", Subject: fmt.Sprintf("teamNodeRole-%04d", i), Operation: "iam:GetRole", Error: strings.Repeat("denied ", 20)})
	}
	for _, test := range []struct {
		name      string
		report    *finding.Report
		shortened int // how many kinds of shortening are said
		results   int
		evidence  bool
	}{
		{"few roles", reportOf(20, 3, "evidence"), 0, 900, true},
		{"300 healthy roles", reportOf(300, 0, "evidence"), 1, 45, false},
		{"300 roles with a few findings", reportOf(300, 2, "evidence"), 1, 2*300 + 43, true},
		{"300 roles with findings that have much evidence", reportOf(300, 5, strings.Repeat("x", 2000)), 2, 5*300 + 40, false},
		{"1,000 roles of which nothing is right", reportOf(1000, 45, "evidence"), 3, 45, false},
		{"nothing could be read", unread, 3, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := write(t, "openreports", test.report)
			object, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(object) > limit || len(text) > limit+limit/4 {
				t.Errorf("the object has %d bytes of JSON, %d of YAML", len(object), len(text))
			}
			var r struct {
				Metadata struct{ Annotations map[string]string }
				Summary  map[string]int
				Results  []struct {
					Policy, Result, Message string
					Resources               []any
					Properties              map[string]string
				}
			}
			if err := json.Unmarshal(object, &r); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"pass": 0, "fail": 0, "warn": 0, "error": len(test.report.Missing), "skip": 0}
			if !test.report.Complete() {
				want["error"]++ // one result says so
			}
			rules := map[string]bool{}
			for _, res := range test.report.Results {
				rules[res.ID] = true
				want[string(res.Status)]++
			}
			evidence := false
			for _, res := range r.Results {
				delete(rules, res.Policy)
				evidence = evidence || res.Properties["evidence"] != ""
			}
			if fmt.Sprint(r.Summary) != fmt.Sprint(want) {
				t.Errorf("the summary is %v, not %v", r.Summary, want)
			}
			if len(r.Results) != test.results || len(rules) > 0 || evidence != test.evidence {
				t.Errorf("%d results, without the rules %v, with evidence: %v", len(r.Results), rules, evidence)
			}
			note := r.Metadata.Annotations["noderole.dev/shortened"]
			said := 0
			for _, words := range []string{"one result for each rule", "findings have no evidence", "the findings of a rule are one result"} {
				if strings.Contains(note, words) {
					said++
				}
			}
			if said != test.shortened {
				t.Errorf("the annotation is %q", note)
			}
		})
	}
}
