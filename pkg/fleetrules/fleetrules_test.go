package fleetrules_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// member is a cluster of a small fleet: the healthy example with other names, without other
// clusters, and with the account's providers read.
type member struct {
	fleetrules.Member
	facts *snapshot.Snapshot // nil where it was not read
}

// fleetOf reads the fleet of an example.
func fleetOf(tb testing.TB, text string) []member {
	tb.Helper()
	var list []fleetrules.Member
	if err := yaml.UnmarshalStrict([]byte(text), &list); err != nil {
		tb.Fatal(err)
	}
	var members []member
	for _, m := range list {
		members = append(members, newMember(tb, m))
	}
	return members
}

func newMember(tb testing.TB, m fleetrules.Member) member {
	tb.Helper()
	if m.NotRead != "" {
		return member{Member: m}
	}
	base, _ := examples.Read("healthy")
	const id = "9F3C1B2A4D5E6F708192A3B4C5D6E7F8"
	merged, err := yaml.YAMLToJSON(base)
	if err != nil {
		tb.Fatal(err)
	}
	merge := func(patch any) {
		text, err := yaml.Marshal(patch)
		if err == nil {
			text, err = yaml.YAMLToJSON(text)
		}
		if err == nil {
			merged, err = jsonpatch.MergePatch(merged, text)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	merge(map[string]any{
		"otherClusters":    nil,
		"clusterProviders": map[string]any{"arns": []string{"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/" + id}},
	})
	replace := []string{
		"cluster/prod", "cluster/" + m.Name, id, strings.ToUpper(m.Name), "eksNodeRole", cmp.Or(m.NodeRole, m.Name+"Node"),
		"eksCNIRole", m.Name + "CNI", "eksClusterRole", m.Name + "Cluster", "eksFargatePodExecutionRole", m.Name + "Fargate",
	}
	if m.Region != "" {
		replace = append(replace, "eu-west-1", m.Region)
	}
	if m.Account != "" {
		replace = append(replace, "111122223333", m.Account)
	}
	merged = []byte(strings.NewReplacer(replace...).Replace(string(merged)))
	if m.Patch != nil {
		merge(m.Patch)
	}
	s, err := snapshot.Decode(m.Name, merged)
	if err != nil {
		tb.Fatal(err)
	}
	return member{Member: m, facts: s}
}

func (m member) add(f *fleetrules.Fleet) {
	if m.facts == nil {
		f.AddUnread(fleetrules.Unread{Name: m.Name, ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/" + m.Name, Account: "111122223333", Region: "eu-west-1", Group: m.Group, Reason: m.NotRead})
		return
	}
	f.Add(fleetrules.FactsOf(view.New(m.facts), m.Group))
}

func judge(members []member) []finding.Result {
	f := &fleetrules.Fleet{}
	for _, m := range members {
		m.add(f)
	}
	return fleetrules.Judge(f, fleetrules.Options{})
}

func failed(results []finding.Result) []string {
	var ids []string
	for _, r := range results {
		if r.Failed() {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// TestEveryRule: each rule's own two fleets: Bad raises it and nothing else, Good raises
// nothing and makes it pass.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	for _, rule := range fleetrules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			if bad := failed(judge(fleetOf(t, rule.Bad))); !slices.Equal(bad, []string{rule.ID}) {
				t.Errorf("Bad raises %v", bad)
			}
			good := judge(fleetOf(t, rule.Good))
			if ids := failed(good); len(ids) > 0 {
				t.Errorf("Good raises %v", ids)
			}
			if !slices.ContainsFunc(good, func(r finding.Result) bool { return r.ID == rule.ID && r.Status == finding.Pass }) {
				t.Errorf("Good does not make %s pass: %+v", rule.ID, good)
			}
		})
	}
}

// TestRuleTexts: every rule says what it is, why, how to repair it and where its facts are
// from, and no rule has its id or name.
func TestRuleTexts(t *testing.T) {
	t.Parallel()
	ids, names := map[string]bool{}, map[string]bool{}
	for _, r := range rules.All() {
		ids[r.ID], names[r.Name] = true, true
	}
	for _, r := range fleetrules.All() {
		if !regexp.MustCompile(`^NR9[0-9]{2}$`).MatchString(r.ID) || ids[r.ID] || names[r.Name] {
			t.Errorf("%s %s: the id is malformed, or the id or name is taken", r.ID, r.Name)
		}
		ids[r.ID], names[r.Name] = true, true
		for field, text := range map[string]string{"Title": r.Title, "Why": r.Why, "Fix": r.Fix, "Bad": r.Bad, "Good": r.Good} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", r.ID, field)
			}
		}
		if strings.HasSuffix(r.Title, ".") || !strings.HasSuffix(strings.TrimSpace(r.Why), ".") || !strings.HasSuffix(strings.TrimSpace(r.Fix), ".") {
			t.Errorf("%s: a Title ends without, Why and Fix with a period", r.ID)
		}
		if len(r.Refs) == 0 || len(r.Needs) == 0 || r.Severity.Rank() == 0 {
			t.Errorf("%s lacks Refs, Needs or Severity", r.ID)
		}
	}
}

// TestMissingIsUnknown takes away one kind of fact after the other, from one cluster of each
// rule's fleets and from all of them. The rule then passes on nothing that it failed on and
// fails on nothing that it passed on. Where it becomes unknown it says so among its Needs and
// names the call; and each of its Needs does make it unknown somewhere.
func TestMissingIsUnknown(t *testing.T) {
	t.Parallel()
	for _, rule := range fleetrules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			turned := map[snapshot.Fact]bool{}
			for _, text := range []string{rule.Bad, rule.Good} {
				members := fleetOf(t, text)
				before := only(judge(members), rule.ID)
				for _, fact := range snapshot.Facts {
					for _, at := range [][]int{{0}, {1}, {0, 1}} {
						without := slices.Clone(members)
						for _, i := range at {
							s := *without[i].facts
							s.Missing = []snapshot.Missing{{Fact: fact, Operation: "x:Read", Permission: "x:Read", Error: "AccessDenied"}}
							without[i].facts = &s
						}
						after := only(judge(without), rule.ID)
						if len(after) == 0 {
							t.Errorf("without %s of %v it says nothing", fact, at)
						}
						for _, r := range after {
							if flipped(before, r) {
								t.Errorf("without %s of %v it says %s: %s", fact, at, r.Status, r.Message)
							}
							if r.Status != finding.Unknown {
								continue
							}
							turned[fact] = true
							if !slices.ContainsFunc(r.Evidence, func(e string) bool { return strings.Contains(e, "x:Read") }) {
								t.Errorf("without %s of %v it does not name the call: %v", fact, at, r.Evidence)
							}
						}
					}
				}
			}
			for _, fact := range snapshot.Facts {
				if needs := slices.Contains(rule.Needs, fact); needs != turned[fact] {
					t.Errorf("Needs has %s: %v; becomes unknown without it: %v", fact, needs, turned[fact])
				}
			}
		})
	}
}

func only(results []finding.Result, id string) []finding.Result {
	return slices.DeleteFunc(slices.Clone(results), func(r finding.Result) bool { return r.ID != id })
}

// flipped reports whether a result contradicts an earlier one.
func flipped(before []finding.Result, r finding.Result) bool {
	fails := slices.ContainsFunc(before, func(b finding.Result) bool { return b.Status == finding.Fail })
	return r.Status == finding.Fail && !fails || r.Status == finding.Pass && fails
}

// TestUnreadIsNoPass: a cluster that was not read leaves no rule with a pass that needs it.
func TestUnreadIsNoPass(t *testing.T) {
	t.Parallel()
	results := judge(fleetOf(t, `
- {name: shop, group: prod}
- {name: bank, group: prod}
- {name: gone, group: prod, notRead: "no answer"}
- {name: shed, account: "444455556666", notRead: "refused"}`))
	for _, rule := range fleetrules.All() {
		for _, r := range only(results, rule.ID) {
			if r.Status == finding.Pass && rule.ID != "NR904" { // whose clusters the others list
				t.Errorf("%s passes: %s", r.ID, r.Message)
			}
			if r.Status == finding.Unknown && !slices.ContainsFunc(r.Evidence, func(e string) bool { return strings.Contains(e, "gone was not read: no answer") }) {
				t.Errorf("%s does not name the cluster: %v", r.ID, r.Evidence)
			}
		}
	}
}

// TestReasonsFold: what many clusters have is one line.
func TestReasonsFold(t *testing.T) {
	t.Parallel()
	f := &fleetrules.Fleet{}
	for i := range 20 {
		m := newMember(t, fleetrules.Member{Name: fmt.Sprintf("c-%02d", i), Group: "prod"})
		m.facts.Missing = []snapshot.Missing{{Fact: snapshot.FactNodes, Operation: "list nodes", Error: "no API server"}}
		m.add(f)
		f.AddUnread(fleetrules.Unread{Name: fmt.Sprintf("gone-%02d", i), Reason: "no answer"})
	}
	want := []string{
		"list nodes: no API server: c-00, c-01, c-02, c-03, c-04, c-05, c-06, c-07 and 12 others",
		"gone-00, gone-01, gone-02, gone-03, gone-04, gone-05, gone-06, gone-07 and 12 others were not read: no answer",
	}
	for _, r := range fleetrules.Judge(f, fleetrules.Options{}) {
		if r.Status == finding.Unknown && len(r.Evidence) > 4 {
			t.Errorf("%s has %d lines: %q", r.ID, len(r.Evidence), r.Evidence)
		}
		if r.ID == "NR901" {
			if diff := gocmp.Diff(want, r.Evidence); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	}
}

// every is a fleet in which every rule has something to say.
func every(tb testing.TB) []member {
	var members []member
	for i, rule := range fleetrules.All() {
		var list []fleetrules.Member
		account := fmt.Sprintf("%012d", i+1)
		if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(rule.Bad, "111122223333", account)), &list); err != nil {
			tb.Fatal(err)
		}
		for _, m := range list {
			m.Account = cmp.Or(m.Account, account)
			members = append(members, newMember(tb, m))
		}
	}
	return append(members, fleetOf(tb, `[{name: gone, group: prod, notRead: "no answer"}, {name: shed, notRead: "no answer"}]`)...)
}

// TestOrder: in whatever order the clusters are added, the results are the same.
func TestOrder(t *testing.T) {
	t.Parallel()
	members := every(t)
	want := judge(members)
	if got := failed(want); len(got) != len(fleetrules.All()) {
		t.Fatalf("the fleet raises only %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		if diff := gocmp.Diff(want, judge(rapid.Permutation(members).Draw(t, "order")), gocmp.AllowUnexported(finding.Next{}), gocmp.Comparer(command.Command.Equal)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// says is what a rule says of a fleet: status, severity, message and evidence of each result.
func says(results []finding.Result, id string) string {
	var b strings.Builder
	for _, r := range only(results, id) {
		b.WriteString(string(r.Status))
		if r.Failed() {
			b.WriteString(" " + string(r.Severity))
		}
		b.WriteString(": " + r.Message + "\n")
		for _, e := range r.Evidence {
			b.WriteString("  " + e + "\n")
		}
		for _, n := range r.Next {
			b.WriteString("  > " + strings.TrimSpace(n.Text+" # "+n.Note) + "\n")
		}
	}
	return b.String()
}
