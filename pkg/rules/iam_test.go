package rules_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// everySnapshot is the examples, both snapshots of every rule, and some of which
// not everything could be read.
func everySnapshot(t *testing.T) map[string]*snapshot.Snapshot {
	t.Helper()
	all := map[string]*snapshot.Snapshot{}
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		s, err := snapshot.Decode(name, text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = s
	}
	for _, r := range rules.All() {
		all[r.ID+" bad"], all[r.ID+" good"] = overlay(t, r.Bad), overlay(t, r.Good)
	}
	for name, fact := range map[string]string{"roles": "roles", "policies": "attachedPolicies", "inline": "inlinePolicies", "identity": "podIdentityAssociations", "agent": "podIdentityAgent"} {
		all["without "+name] = overlay(t, `missing: [{fact: `+fact+`, operation: read it, error: refused}]`)
	}
	return all
}

// TestIAMAgreesWithRules: what the report says of a role's needs is what the rules
// say of the role.
func TestIAMAgreesWithRules(t *testing.T) {
	ruleOf := map[string]map[finding.Wanted]string{
		"trust":             {finding.WantedYes: "NR301"},
		"trustOthers":       {finding.WantedNo: "NR303"},
		"worker":            {finding.WantedYes: "NR201"},
		"workerRecommended": {finding.WantedYes: "NR203"},
		"pull":              {finding.WantedYes: "NR202"},
		"podIdentity":       {finding.WantedYes: "NR204"},
		"cni":               {finding.WantedYes: "NR206", finding.WantedNo: "NR205"},
		"hybrid":            {finding.WantedYes: "NR212"},
		"excess":            {finding.WantedNo: "NR207"},
	}
	compared := map[string]int{}
	for name, s := range everySnapshot(t) {
		report := rules.Judge(view.New(s), rules.Options{})
		for _, role := range report.IAM.Roles {
			for _, n := range role.Needs {
				id := ruleOf[n.Need][n.Wanted]
				i := slices.IndexFunc(report.Results, func(r finding.Result) bool { return r.ID == id && r.Subject.ARN == role.ARN })
				if i < 0 {
					continue // aws-node's own role is judged as aws-node
				}
				compared[n.Need]++
				if got := report.Results[i].Status; got != n.Status {
					t.Errorf("%s: %s of %s is %s, and %s says %s", name, n.Need, role.Name, n.Status, id, got)
				}
			}
		}
	}
	for need := range ruleOf {
		if compared[need] == 0 {
			t.Errorf("%s was compared with no result", need)
		}
	}
}

// TestIAMReferences: every statement that is said to decide is there to be seen.
func TestIAMReferences(t *testing.T) {
	for name, s := range everySnapshot(t) {
		iam := rules.Judge(view.New(s), rules.Options{}).IAM
		for _, role := range iam.Roles {
			for _, n := range role.Needs {
				for _, d := range n.Decisions {
					if len(d.Actions) == 0 || d.Why == "" || d.Verdict == "" {
						t.Errorf("%s: %s of %s: %+v says too little", name, n.Need, role.Name, d)
					}
					for _, ref := range slices.Concat(d.Statements, d.Nearest) {
						if !refersTo(t, iam, role, ref) {
							t.Errorf("%s: %s has no %s statement %d", name, role.Name, ref.Policy, ref.Statement)
						}
					}
				}
			}
		}
	}
}

func refersTo(t *testing.T, iam finding.IAM, role finding.IAMRole, ref finding.StatementRef) bool {
	t.Helper()
	for _, p := range role.Policies {
		if p.ARN != ref.ARN || p.Name != ref.Policy || (p.Kind == finding.Trust) != ref.Trust {
			continue
		}
		text := p.Document
		if p.ARN != "" {
			text = iam.Policies[p.ARN].Document
		}
		var doc struct{ Statement json.RawMessage }
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		var statements []json.RawMessage
		if json.Unmarshal(doc.Statement, &statements) != nil {
			statements = []json.RawMessage{doc.Statement}
		}
		return ref.Statement >= 1 && ref.Statement <= len(statements)
	}
	return false
}
