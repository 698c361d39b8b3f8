// Package rules holds what this program judges, one file per rule. A rule asks
// the view and reports; it reads nothing else and keeps no state. Everything
// that is said about a rule elsewhere (explain, the docs) comes from its Rule.
package rules

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Rule is one rule: what it is called, what it says about itself, and its check.
type Rule struct {
	// ID is stable and never reused: NR and three digits, the first of which
	// groups rules (1 roles, 2 permissions, 3 trust, 5 joining, 6 aws-node, 7
	// instance metadata, 8 what EKS and the cluster report).
	ID string
	// Name is the id in words, such as worker-permissions.
	Name     string
	Severity finding.Severity
	Concern  finding.Concern
	// Security is set where a failure lets somebody do what only others should.
	Security bool
	// Title is a sentence that says what holds when the rule passes.
	Title string
	// Why says what happens if it does not hold. Its first sentence is the
	// Impact of failures.
	Why string
	// Fix says how to repair it.
	Fix string
	// Refs are the sources of the facts behind the rule.
	Refs []string
	// Needs are the facts without which the rule answers unknown.
	Needs []snapshot.Fact
	// Bad and Good are merge patches (RFC 7386, as YAML) over the healthy
	// example: the first makes this rule fail, the second makes it pass.
	Bad, Good string
	// Check looks at every subject and reports one result for each.
	Check func(v *view.View, report Reporter)
}

// Reporter takes a result. Only Status, Subject, Message, Evidence and Next are
// the check's to set.
type Reporter func(finding.Result)

// All returns every rule, ordered by id.
func All() []Rule {
	all := []Rule{
		roleInventory, clusterRole, otherClusterRole, fargateRole, roleExists, nodeWithoutRole,
		workerPermissions, pullPermissions, workerRecommended, cniPolicyOnNodeRole, cniPermissions, simulation,
		instanceProfile, nodeUnexplained, agentPermission, overBroad, pullOnly, cniUpgrade, pullThroughCache, cniRecommended,
		trustChina, trustOthers, trustDangling, hybridTrust, hybridPermissions,
		letIn, wrongEntryType, entryOlderThanRole, awsAuthPath, awsAuthForm, nodeRoleAdmin, autoModeEntry, mappedTwice,
		trustEC2, awsNodeIdentity, awsNodeRestart, irsaWorks, podIdentityWorks, awsNodeCredentials, addonSetting,
		metadataExposed, instanceNotJoined, nodeGroupHealth, clusterEvents,
	}
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Doc returns what the rule says about itself, its texts as one line each.
func (r Rule) Doc() finding.RuleDoc {
	line := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	doc := finding.RuleDoc{
		ID: r.ID, Name: r.Name, Severity: r.Severity, Concern: r.Concern, Security: r.Security,
		Title: r.Title, Why: line(r.Why), Fix: line(r.Fix), Refs: r.Refs,
	}
	for _, f := range r.Needs {
		doc.Needs = append(doc.Needs, string(f))
	}
	return doc
}

// Docs returns what every rule says about itself, ordered by id.
func Docs() []finding.RuleDoc {
	all := All()
	docs := make([]finding.RuleDoc, 0, len(all))
	for _, r := range all {
		docs = append(docs, r.Doc())
	}
	return docs
}

// Run checks the rules against a view and returns their results: worst first,
// then by id and subject.
func Run(v *view.View, rules []Rule) []finding.Result {
	var results []finding.Result
	for _, rule := range rules {
		rule.Check(v, func(r finding.Result) {
			r.ID, r.Rule, r.Severity, r.Concern = rule.ID, rule.Name, rule.Severity, rule.Concern
			if r.Status == finding.Fail || r.Status == finding.Depends {
				r.Impact = firstSentence(rule.Why)
			}
			results = append(results, r)
		})
	}
	slices.SortStableFunc(results, func(a, b finding.Result) int {
		return cmp.Or(
			cmp.Compare(order(a), order(b)),
			cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Subject.Name, b.Subject.Name),
			cmp.Compare(a.Subject.ARN, b.Subject.ARN),
		)
	})
	return results
}

// order ranks results as a reader in a hurry wants them.
func order(r finding.Result) int {
	switch r.Status {
	case finding.Fail:
		return 3 - r.Severity.Rank() // error 0, warning 1, info 2
	case finding.Depends:
		return 3
	case finding.Unknown:
		return 4
	case finding.Pass:
		return 5
	case finding.NotApplicable:
		return 6
	default:
		return 7
	}
}

func firstSentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}
