// Package rules judges the facts, with one file per rule. A rule asks the view and
// reports results; it reads nothing else and keeps no state. What explain and the
// documentation say about a rule comes from its Rule.
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
	// instance metadata, 8 what EKS and the cluster report). Group 9 is that of
	// pkg/fleetrules.
	ID string
	// Name is the id in words, such as worker-permissions.
	Name     string
	Severity finding.Severity
	Concern  finding.Concern
	// Security is set where a failure lets somebody do what only others should.
	Security bool
	// Joining is the rule's place in the order in which a starting node meets the rules:
	// it needs a role that trusts EC2, its own name, access to the cluster, images, and at
	// last addresses. 0 is for a rule whose failure does not prevent nodes from joining.
	Joining int
	// Explains are the symptoms that a failure of the rule is a cause of.
	Explains []finding.SymptomKind
	// NotOfRole is set where failures about a role are not about what it allows or trusts:
	// nodes with a role of their own would have them too.
	NotOfRole bool
	// Runtime is set where the rule is about what runs: nodes, instances, pods, events and
	// what EKS reports. Infrastructure code shows nothing of it.
	Runtime bool
	// Repair is the repair that fix has; NoRepair says why it has none.
	Repair   finding.Repair
	NoRepair string
	// Title is a sentence that is true when the rule passes.
	Title string
	// Why says what happens when the rule fails. Its first sentence is the Impact of
	// failures.
	Why string
	// Fix says how to repair it.
	Fix string
	// Refs are the sources of the facts behind the rule.
	Refs []string
	// Needs are the facts without which the rule answers unknown; none for a rule about an
	// optional fact alone, which then has no result.
	Needs []snapshot.Fact
	// Bad and Good are merge patches (RFC 7386, as YAML) over the healthy
	// example: the first makes this rule fail, the second makes it pass.
	Bad, Good string
	// Check looks at every subject and reports one result for each.
	Check func(v *view.View, report Reporter)
	// byTeam is set where a team gave the rule its severity, which then counts for
	// every result.
	byTeam bool
}

// Reporter takes a result. A check sets only Status, Subject, Message, Evidence, Next,
// Symptoms, Denied, WrongRoles and a severity milder than the rule's.
type Reporter func(finding.Result)

// All returns every rule, ordered by id.
func All() []Rule {
	all := []Rule{
		roleInventory, clusterRole, otherClusterRole, fargateRole, roleExists, nodeWithoutRole, mixedNaming, instanceRole,
		workerPermissions, pullPermissions, workerRecommended, cniPolicyOnNodeRole, cniPermissions, simulation,
		instanceProfile, nodeUnexplained, agentPermission, overBroad, pullOnly, cniUpgrade, pullThroughCache, publicRegistry, cniRecommended,
		trustChina, trustOthers, trustDangling, hybridTrust, hybridPermissions, hybridSSM, hyperPodPermissions, hyperPodTrust,
		clusterAccess, wrongEntryType, entryOlderThanRole, awsAuthARN, awsAuthForm, nodeRoleAdmin, autoModeEntry, mappedTwice, hybridAccess, autoModePath,
		trustEC2, awsNodeIdentity, awsNodeRestart, irsaWorks, podIdentityWorks, awsNodeCredentials, addonSetting, runningPermissions,
		metadataExposed, instanceNotJoined, workloadRole, nodeGroupHealth, clusterEvents,
		clusterRoleTrust, clusterRolePermissions, podENIPermissions, endpointPolicy, repositoryPolicy, orphanedEntry, sharedMapping, fargateAccess, ssmAccess, cacheImport, profileQuota, addonCredentials,
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

// Run checks the rules against a view and returns their results, in the order of
// finding.Order.
func Run(v *view.View, rules []Rule) []finding.Result {
	var results []finding.Result
	for _, rule := range rules {
		if code := v.Snapshot.Source.Code; code != "" && rule.Runtime {
			results = append(results, finding.Result{
				ID: rule.ID, Rule: rule.Name, Severity: rule.Severity, Concern: rule.Concern, Joining: rule.Joining,
				Status: finding.NotApplicable, Subject: clusterSubject(v), Message: "the " + code + " does not show what runs",
			})
			continue
		}
		rule.Check(v, func(r finding.Result) {
			if r.Severity == "" || rule.byTeam {
				r.Severity = rule.Severity
			}
			r.ID, r.Rule, r.Concern = rule.ID, rule.Name, rule.Concern
			r.Joining = rule.Joining
			r.Repair, r.NoRepair, r.NotOfRole = rule.Repair, rule.NoRepair, rule.NotOfRole
			if r.Status == finding.Fail || r.Status == finding.Depends {
				r.Impact = firstSentence(rule.Why)
			}
			results = append(results, r)
		})
	}
	slices.SortStableFunc(results, finding.Order)
	return results
}

func firstSentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}
