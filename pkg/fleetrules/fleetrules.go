// Package fleetrules judges several clusters together, with one file per rule: what no
// cluster shows alone. It takes the small facts of each cluster, reads nothing and keeps
// nothing of a snapshot. The order in which clusters are added does not matter.
package fleetrules

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Rule is one rule: what it is called, what it says about itself, and its check. Its fields
// are as in rules.Rule.
type Rule struct {
	// ID is NR9 and two digits.
	ID, Name string
	Severity finding.Severity
	Concern  finding.Concern
	Security bool
	Title    string
	Why      string
	Fix      string
	Refs     []string
	// Needs are the facts of a cluster without which the rule answers unknown.
	Needs []snapshot.Fact
	// Bad and Good are small fleets: the first makes this rule fail, the second makes it
	// pass. A fleet is a list of clusters, each with the fields of Member.
	Bad, Good string
	// check looks at the fleet and reports a result for each subject, at least one.
	check func(f *fleet, report func(finding.Result))
}

// Member is a cluster of an example: a merge patch (RFC 7386) over the healthy example, and
// what the targets say of it.
type Member struct {
	// Name, Region and Account replace those of the healthy example everywhere. Its roles are
	// called NAMENode, NAMECNI, NAMECluster and NAMEFargate, and the id of its issuer is NAME
	// in capital letters. NodeRole is another name of the node role.
	Name, Region, Account, NodeRole string
	Group                           string
	// NotRead is the reason where the cluster was not read.
	NotRead string
	Patch   map[string]any
}

// All returns every rule, ordered by id.
func All() []Rule {
	all := []Rule{sharedNodeRole, controlPlaneRole, crossClusterTrust, orphanedProvider, groupDifferences, cniRollUp}
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Docs returns what every rule says about itself, ordered by id.
func Docs() []finding.RuleDoc {
	var docs []finding.RuleDoc
	for _, r := range All() {
		doc := rules.Rule{
			ID: r.ID, Name: r.Name, Severity: r.Severity, Concern: r.Concern, Security: r.Security,
			Title: r.Title, Why: r.Why, Fix: r.Fix, Refs: r.Refs, Needs: r.Needs,
		}.Doc()
		doc.Fleet = true
		docs = append(docs, doc)
	}
	return docs
}

// Options say how the rules judge.
type Options struct {
	// Severities are a team's own, by rule id, and Off the ids of rules that are not judged.
	Severities map[string]finding.Severity
	Off        []string
	// Complete completes a command so that it acts on the cluster with this ARN; nil leaves
	// commands as they are.
	Complete func(arn string, c command.Command) command.Command
}

// Fleet is what is known of the clusters of a fleet. The zero value has none.
type Fleet struct {
	clusters []Facts
	unread   []Unread
	empty    map[region]bool
	account  map[string]*accountProviders
}

// Unread is a cluster, or a part of the selection whose clusters are not known, of which
// nothing was read.
type Unread struct {
	// Name says what it is.
	Name string
	// ARN is empty where it is not a single cluster. Account and Region are empty where they
	// are not known.
	ARN, Account, Region, Group string
	Reason                      string
}

type region struct{ account, name string }

// Add adds a cluster that was read.
func (f *Fleet) Add(c Facts) {
	f.addProviders(c)
	c.providers = providerFacts{}
	f.clusters = append(f.clusters, c)
}

// AddUnread adds what was not read.
func (f *Fleet) AddUnread(u Unread) { f.unread = append(f.unread, u) }

// AddEmpty notes that EKS lists no cluster in a region of an account.
func (f *Fleet) AddEmpty(account, name string) {
	if f.empty == nil {
		f.empty = map[region]bool{}
	}
	f.empty[region{account, name}] = true
}

// fleet is a Fleet as the rules see it: in order.
type fleet struct {
	*Fleet
	complete func(arn string, c command.Command) command.Command
	// called counts the clusters by name.
	called map[string]int
}

// Judge checks the rules and returns their results, in the order of finding.Order. The same
// clusters and options give the same results.
func Judge(all *Fleet, o Options) []finding.Result {
	sorted := *all
	sorted.clusters = slices.Clone(all.clusters)
	slices.SortFunc(sorted.clusters, func(a, b Facts) int { return compareRefs(a.ref, b.ref) })
	sorted.unread = slices.Clone(all.unread)
	slices.SortFunc(sorted.unread, func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.Reason, b.Reason))
	})
	f := &fleet{Fleet: &sorted, complete: o.Complete, called: map[string]int{}}
	for _, c := range sorted.clusters {
		f.called[c.ref.Name]++
	}
	results := []finding.Result{}
	for _, rule := range All() {
		if slices.Contains(o.Off, rule.ID) {
			continue
		}
		own, byTeam := o.Severities[rule.ID]
		rule.check(f, func(r finding.Result) {
			if byTeam {
				r.Severity = own
			}
			r.Severity = cmp.Or(r.Severity, rule.Severity)
			r.ID, r.Rule, r.Concern, r.NotOfRole = rule.ID, rule.Name, rule.Concern, true
			if r.Failed() {
				r.Impact, _, _ = strings.Cut(strings.Join(strings.Fields(rule.Why), " "), ". ")
				r.Impact = strings.TrimSuffix(r.Impact, ".") + "."
			}
			slices.SortFunc(r.Clusters, compareRefs)
			r.Clusters = slices.Compact(r.Clusters)
			results = append(results, r)
		})
	}
	slices.SortStableFunc(results, finding.Order)
	return results
}

func compareRefs(a, b finding.ClusterRef) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN))
}

// run is a command that acts on a cluster.
func (f *fleet) run(arn string, c command.Command) finding.Next {
	if f.complete != nil {
		c = f.complete(arn, c)
	}
	return finding.Run(c)
}

// name is what a cluster is called in a sentence: with account and region where another
// cluster of the fleet has the name.
func (f *fleet) name(c Facts) string {
	if f.called[c.ref.Name] > 1 {
		return c.ref.Name + " (" + c.id.Account + " " + c.id.Region + ")"
	}
	return c.ref.Name
}

func (f *fleet) names(clusters []Facts) string {
	var list []string
	for _, c := range clusters {
		list = append(list, f.name(c))
	}
	return listed(list)
}

func refs(clusters []Facts) []finding.ClusterRef {
	var list []finding.ClusterRef
	for _, c := range clusters {
		list = append(list, c.ref)
	}
	return list
}

func ofFleet() finding.Subject { return finding.Subject{Kind: finding.SubjectFleet, Name: "fleet"} }

// rest reports on what no other result is about: it passes only where everything was read.
func rest(report func(finding.Result), unread *reasons, unknown, passed string, evidence ...string) {
	r := finding.Result{Status: finding.Pass, Subject: ofFleet(), Message: passed, Evidence: evidence}
	if unread.any() {
		r.Status, r.Message, r.Evidence = finding.Unknown, unknown, unread.lines()
	}
	report(r)
}

// other is a word for what is left when there are results already.
func other(results int) string {
	if results > 0 {
		return "other "
	}
	return ""
}

// maxNames bounds the names in a sentence. A result has all of its clusters.
const maxNames = 8

// listed names the first of many and counts the rest.
func listed(names []string) string {
	if len(names) > maxNames {
		return strings.Join(names[:maxNames], ", ") + " and " + text.Count(len(names)-maxNames, "other")
	}
	return strings.Join(names, ", ")
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
