package print_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// The tests of this package read reports that were saved once, so that a new rule or
// another text of one changes nothing here: testdata/reports/NAME.json is what
// kubectl noderole check --example=NAME -o json wrote; joining is the broken example with
// --why-not-joining, unread the healthy one without the right to read the node role and
// to list pods, and rules.json is from explain -o json.

// tester is a testing.TB, or a test of rapid.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// frozen reads a saved report.
func frozen(t tester, name string) *finding.Report {
	t.Helper()
	r := &finding.Report{}
	content, err := os.ReadFile(filepath.Join("testdata", "reports", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// frozenNames are the saved reports.
var frozenNames = []string{"broken", "custom-policies", "healthy", "ipv6", "joining", "unread"}

// optionsFor are the options of a format, with the saved rules.
func optionsFor(t tester) print.Options {
	t.Helper()
	docs, err := savedRules()
	if err != nil {
		t.Fatal(err)
	}
	return print.Options{Version: "v1.2.3", Rules: docs}
}

var savedRules = sync.OnceValues(func() ([]finding.RuleDoc, error) {
	var list struct{ Items []finding.RuleDoc }
	content, err := os.ReadFile(filepath.Join("testdata", "reports", "rules.json"))
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	return list.Items, err
})

// TestFrozen holds that no test of this package depends on a rule or an example.
func TestFrozen(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"command", "diff", "finding", "print", "text"}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, ok := strings.CutPrefix(path, "github.com/kubectl-noderole/kubectl-noderole/")
			if ok && !slices.Contains(allowed, strings.TrimPrefix(ours, "pkg/")) {
				t.Errorf("%s imports %s: read a saved report of testdata/reports instead", file, ours)
			}
		}
	}
	if len(files) < 3 {
		t.Errorf("%d files were read", len(files))
	}
}

// many is a cluster of thirty more node groups with roles whose names are as long as
// IAM allows, of which three fail, and one role that twelve more node groups share.
func many(t tester) *finding.Report {
	t.Helper()
	r := frozen(t, "healthy")
	node := r.NodeRoles[0]
	for i := range 12 {
		r.NodeRoles[0].Sources = append(r.NodeRoles[0].Sources, finding.Source{Kind: "node group", Name: fmt.Sprintf("shared-batch-%02d", i)})
	}
	for i := range 30 {
		name := fmt.Sprintf("prod-eu-west-1-team-%02d-general-purpose-eks-managed-node-group-ng", i)
		addRole(r, node, name, finding.Source{Kind: "node group", Name: fmt.Sprintf("team-%02d-general-purpose", i)}, i%10 == 3)
	}
	r.Recount()
	return r
}

// addRole adds a node role that is like another one, and that fails where it is to.
func addRole(r *finding.Report, like finding.RoleRow, name string, source finding.Source, fails bool) {
	row := finding.RoleRow{
		Name: name, ARN: strings.Replace(like.ARN, like.Name, name, 1), Sources: []finding.Source{source}, Verdicts: map[finding.Concern]finding.Verdict{},
	}
	for c, v := range like.Verdicts {
		row.Verdicts[c] = v
	}
	for _, role := range r.IAM.Roles {
		if role.ARN == like.ARN {
			role.Name, role.ARN = row.Name, row.ARN
			r.IAM.Roles = append(r.IAM.Roles, role)
			break
		}
	}
	for _, res := range r.Results {
		if res.Subject.ARN != like.ARN || strings.Contains(res.Subject.Name, "general-purpose") {
			continue
		}
		res.Subject.Name, res.Subject.ARN = row.Name, row.ARN
		res.Message = strings.ReplaceAll(res.Message, like.Name, name)
		if fails && res.ID == "NR202" {
			res.Status, res.Message, res.Impact = finding.Fail, name+" cannot pull images", "New nodes stay NotReady."
			row.Verdicts[finding.ConcernPull] = finding.Verdict{Status: finding.Fail, Severity: finding.Error}
		}
		r.Results = append(r.Results, res)
	}
	r.NodeRoles = append(r.NodeRoles, row)
}

// withExceptions is the broken cluster whose team has decided about some findings.
func withExceptions(t tester) *finding.Report {
	t.Helper()
	r := frozen(t, "broken")
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		switch res.ID {
		case "NR205":
			res.Exception = &finding.Exception{Reason: "the last pods restart with the upgrade to 1.34", Expires: "2026-12-31", Source: ".noderole.yaml:12"}
		case "NR207":
			res.Exception = &finding.Exception{Reason: "the bastion is watched by its team", Source: ".noderole.yaml:18"}
		case "NR303":
			res.Exception = &finding.Exception{Reason: "until the role is split", Expires: "2026-06-30", Expired: true, Source: ".noderole.yaml:22"}
		case "NR101", "NR102", "NR103":
			res.Known = true
		}
	}
	r.Recount()
	return r
}
