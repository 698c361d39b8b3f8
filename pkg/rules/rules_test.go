package rules_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// healthyJSON is the healthy example as JSON.
var healthyJSON = sync.OnceValues(func() ([]byte, error) {
	base, ok := examples.Read("healthy")
	if !ok {
		return nil, errors.New("there is no healthy example")
	}
	return yaml.YAMLToJSON(base)
})

// overlay returns the healthy example with a merge patch laid over it.
func overlay(t *testing.T, patches ...string) *snapshot.Snapshot {
	t.Helper()
	merged, err := healthyJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, patch := range patches {
		patchJSON, err := yaml.YAMLToJSON([]byte(patch))
		if err != nil {
			t.Fatalf("the patch is no YAML: %v", err)
		}
		if merged, err = jsonpatch.MergePatch(merged, patchJSON); err != nil {
			t.Fatal(err)
		}
	}
	s, err := snapshot.Decode("healthy with patch", merged)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func failed(results []finding.Result) []string {
	var ids []string
	for _, r := range results {
		if r.Status == finding.Fail {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// mayAlsoFail are rules that a Bad snapshot cannot help raising: what breaks the
// one breaks the other.
var mayAlsoFail = map[string][]string{
	"NR100": {}, "NR201": {"NR203"}, "NR202": {"NR210"}, "NR206": {"NR211"}, "NR301": {"NR303"}, "NR111": {"NR301", "NR303"},
	"NR601": {"NR205"}, "NR602": {"NR607"}, "NR607": {"NR602"},
}

// TestEveryRule runs each rule's own two snapshots: Bad raises it and Good raises
// nothing.
func TestEveryRule(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			bad := failed(rules.Run(view.New(overlay(t, rule.Bad)), rules.All()))
			if !slices.Contains(bad, rule.ID) {
				t.Errorf("Bad does not raise %s; it raises %v", rule.ID, bad)
			}
			for _, id := range bad {
				if id != rule.ID && !slices.Contains(mayAlsoFail[rule.ID], id) {
					t.Errorf("Bad also raises %s", id)
				}
			}
			good := rules.Run(view.New(overlay(t, rule.Good)), rules.All())
			if ids := failed(good); len(ids) > 0 {
				t.Errorf("Good raises %v", ids)
			}
			if !slices.ContainsFunc(good, func(r finding.Result) bool { return r.ID == rule.ID && r.Status == finding.Pass }) {
				t.Errorf("Good does not make %s pass", rule.ID)
			}
		})
	}
}

var idForm = regexp.MustCompile(`^NR[1-9][0-9]{2}$`)

// TestRuleTexts: every rule says what it is, why, how to repair it and where its
// facts are from, and ids and names are unique.
func TestRuleTexts(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, r := range rules.All() {
		if !idForm.MatchString(r.ID) || ids[r.ID] || names[r.Name] {
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
		if len(r.Refs) == 0 || len(r.Needs) == 0 && r.ID != "NR112" || r.Severity.Rank() == 0 || r.Check == nil {
			t.Errorf("%s lacks Refs, Needs, Severity or Check", r.ID)
		}
		for _, f := range r.Needs {
			if !slices.Contains(snapshot.Facts, f) {
				t.Errorf("%s needs %q, which is no fact", r.ID, f)
			}
		}
	}
}

// TestMissingIsUnknown takes away one kind of fact after the other, from a healthy
// cluster and from each rule's own two. A rule then passes on nothing that it
// failed on and fails on nothing that it passed on. Where its answer becomes
// unknown it says so among its Needs and names the call; and each of its Needs
// does make it unknown somewhere.
func TestMissingIsUnknown(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			turned := map[snapshot.Fact]bool{}
			for _, patch := range []string{`{}`, rule.Bad, rule.Good} {
				whole := overlay(t, patch)
				before := rules.Run(view.New(whole), []rules.Rule{rule})
				for _, fact := range snapshot.Facts {
					s := *whole
					s.Missing = []snapshot.Missing{{Fact: fact, Operation: "x:Read", Permission: "x:Read", Error: "AccessDenied"}}
					after := rules.Run(view.New(&s), []rules.Rule{rule})
					for _, r := range after {
						if flipped(before, r) {
							t.Errorf("without %s it says %s: %s", fact, r.Status, r.Message)
						}
						if r.Status != finding.Unknown {
							continue
						}
						turned[fact] = true
						if !slices.ContainsFunc(r.Evidence, func(e string) bool { return strings.Contains(e, "x:Read") }) {
							t.Errorf("without %s it does not name the call: %v", fact, r.Evidence)
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

// flipped reports whether a result contradicts the earlier one on its subject.
func flipped(before []finding.Result, r finding.Result) bool {
	return slices.ContainsFunc(before, func(b finding.Result) bool {
		return b.Subject == r.Subject && (b.Status == finding.Pass && r.Status == finding.Fail || b.Status == finding.Fail && r.Status == finding.Pass)
	})
}

// TestJudgeIsDeterministic: the same facts give the same report, byte for byte,
// directly and after a trip through a file.
func TestJudgeIsDeterministic(t *testing.T) {
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		s, err := snapshot.Decode(name, text)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := snapshot.Decode(name, saved)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(rules.Judge(view.New(s), rules.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			got, err := json.Marshal(rules.Judge(view.New(again), rules.Options{}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Fatalf("%s: %s", name, diff)
			}
		}
	}
}

// TestExamples: what each example is there to show.
func TestExamples(t *testing.T) {
	want := map[string][]string{
		"healthy":         nil,
		"broken":          {"NR101", "NR102", "NR103", "NR104", "NR105", "NR201", "NR202", "NR203", "NR205", "NR206", "NR207", "NR210", "NR211", "NR301", "NR303", "NR501", "NR602", "NR701", "NR801"},
		"ipv6":            {"NR206", "NR211"},
		"custom-policies": {"NR203", "NR210"},
	}
	for _, name := range examples.Names() {
		text, _ := examples.Read(name)
		s, err := snapshot.Decode(name, text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[name], failed(rules.Judge(view.New(s), rules.Options{}).Results)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWhyNotJoining: what keeps nodes from joining stands alone and in the order in
// which a starting node meets it, what only follows behind its cause; what EKS reports
// names what explains it.
func TestWhyNotJoining(t *testing.T) {
	text, _ := examples.Read("broken")
	s, err := snapshot.Decode("broken", text)
	if err != nil {
		t.Fatal(err)
	}
	report := rules.Judge(view.New(s), rules.Options{WhyNotJoining: true})
	var ids []string
	causes := map[string][]string{}
	for _, r := range report.Results {
		ids = append(ids, r.ID)
		for _, cause := range r.Causes {
			causes[r.ID+" "+r.Subject.Name] = append(causes[r.ID+" "+r.Subject.Name], cause.ID+" "+cause.Subject.Name)
		}
	}
	want := []string{"NR104", "NR801", "NR105", "NR201", "NR501", "NR101", "NR301", "NR801", "NR102", "NR103", "NR202", "NR202", "NR206", "NR301"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for symptom, cause := range map[string]string{
		"NR801 node group legacy": "NR301 eksClusterRole", "NR801 node group old": "NR104 oldNodeRole", "NR301 eksClusterRole": "NR101 eksClusterRole",
	} {
		if !slices.Contains(causes[symptom], cause) {
			t.Errorf("%s lacks cause %s: %v", symptom, cause, causes[symptom])
		}
	}
}

// TestCNIVersion: an IPv6 policy without DescribeSubnets works today and breaks
// with the upgrade.
func TestCNIVersion(t *testing.T) {
	var upgrade rules.Rule
	for _, r := range rules.All() {
		if r.ID == "NR209" {
			upgrade = r
		}
	}
	for version, want := range map[string]string{"": "NR209", "v1.21.2": "NR209", "v1.22.0": "NR206", "v1.22.1": "NR206", "v1.23.0": "NR206"} {
		got := failed(rules.Judge(view.New(overlay(t, upgrade.Bad)), rules.Options{CNIVersion: version}).Results)
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", version, diff)
		}
	}
}

// TestAutoModeRole: the two policies that AWS names for Auto Mode's node role are
// enough, and taking the agent's permission away is a failure there.
func TestAutoModeRole(t *testing.T) {
	const patch = `
cluster: {autoMode: {nodeRoleArn: "arn:aws:iam::111122223333:role/autoRole", nodePools: [system]}}
nodeGroups: null
nodes: null
awsNode: null
accessEntries: {"arn:aws:iam::111122223333:role/autoRole": {type: EC2, createdAt: "2026-02-01T00:00:00Z"}}
roles:
  "arn:aws:iam::111122223333:role/autoRole":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
`
	minimal := patch + `    inlinePolicies: {minimal: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"*"}}'}
`
	for text, want := range map[string][]string{minimal: nil, patch: {"NR204"}} {
		if diff := cmp.Diff(want, failed(rules.Run(view.New(overlay(t, text)), rules.All()))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestCNIPolicyOnWindows: where Windows nodes use the role, its CNI policy is never
// said to be safe to remove.
func TestCNIPolicyOnWindows(t *testing.T) {
	var rule rules.Rule
	for _, r := range rules.All() {
		if r.ID == "NR205" {
			rule = r
		}
	}
	for patch, safe := range map[string]bool{rule.Bad: true, rule.Bad + "\nnodeGroups: {win: {nodeRoleArn: \"arn:aws:iam::111122223333:role/eksNodeRole\", amiType: WINDOWS_CORE_2022_x86_64}}": false} {
		detach := false
		for _, r := range rules.Run(view.New(overlay(t, patch)), []rules.Rule{rule}) {
			detach = detach || strings.Contains(strings.Join(r.Evidence, "\n"), "\nsafe to remove: ")
		}
		if detach != safe {
			t.Errorf("says to detach: %v, want %v", detach, safe)
		}
	}
}

// TestTokenAudience: IRSA is judged with the audience that the service account asks for.
func TestTokenAudience(t *testing.T) {
	s := overlay(t, `awsNode: {serviceAccount: {audience: own}}`)
	if got := failed(rules.Run(view.New(s), rules.All())); !slices.Equal(got, []string{"NR603"}) {
		t.Errorf("an audience that the provider does not have: %v", got)
	}
	for arn, p := range s.OIDCProviders {
		p.ClientIDs = []string{"own"}
		s.OIDCProviders[arn] = p
	}
	own := s.Roles[matrixOwn]
	own.TrustPolicy = strings.Replace(own.TrustPolicy, `:aud": "sts.amazonaws.com"`, `:aud": "own"`, 1)
	s.Roles[matrixOwn] = own
	if got := failed(rules.Run(view.New(s), rules.All())); len(got) > 0 {
		t.Errorf("an audience that all agree on: %v", got)
	}
}
