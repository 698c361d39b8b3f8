package diff_test

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// facts lays merge patches over an example.
func facts(t tester, example string, patches ...string) *snapshot.Snapshot {
	t.Helper()
	s, err := patched(t, example, patches...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func patched(t tester, example string, patches ...string) (*snapshot.Snapshot, error) {
	t.Helper()
	base, ok := examples.Read(example)
	if !ok {
		t.Fatalf("there is no example %s", example)
	}
	merged := asJSON(t, string(base))
	for _, patch := range patches {
		var err error
		if merged, err = jsonpatch.MergePatch(merged, asJSON(t, patch)); err != nil {
			t.Fatal(err)
		}
	}
	return snapshot.Decode(example, merged)
}

// converted has the texts that asJSON has converted, as the same few are used all the time.
var converted = map[string][]byte{}

// asJSON is a YAML text as JSON.
func asJSON(t tester, text string) []byte {
	t.Helper()
	if out, ok := converted[text]; ok {
		return out
	}
	out, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	converted[text] = out
	return out
}

func judge(s *snapshot.Snapshot) *finding.Report { return rules.Judge(view.New(s), rules.Options{}) }

// again judges some rules.
func again(s *snapshot.Snapshot, ids []string) []finding.Result {
	chosen := slices.DeleteFunc(rules.All(), func(r rules.Rule) bool { return !slices.Contains(ids, r.ID) })
	return rules.Run(view.New(s), chosen)
}

func compare(t tester, older, newer *snapshot.Snapshot) *diff.Diff {
	t.Helper()
	return compareJudged(t, side(older), side(newer))
}

// side is a snapshot with its report.
func side(s *snapshot.Snapshot) diff.Side { return diff.Side{Facts: s, Report: judge(s)} }

func compareJudged(t tester, older, newer diff.Side) *diff.Diff {
	t.Helper()
	older.Name, newer.Name = "old", "new"
	d, err := diff.Compare(older, newer, again)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reports compares what check -o json writes.
func reports(t tester, older, newer *snapshot.Snapshot) *diff.Diff {
	t.Helper()
	return reportsOf(t, side(older), side(newer))
}

func reportsOf(t tester, older, newer diff.Side) *diff.Diff {
	t.Helper()
	written := func(name string, s diff.Side) diff.Side {
		text, err := json.Marshal(s.Report)
		if err != nil {
			t.Fatal(err)
		}
		r := &finding.Report{}
		if err := json.Unmarshal(text, r); err != nil {
			t.Fatal(err)
		}
		return diff.Side{Name: name, Report: r}
	}
	d, err := diff.Compare(written("old", older), written("new", newer), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryRule: what makes a rule fail is a change, and the verdict names it.
func TestEveryRule(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			older, newer := facts(t, "healthy", rule.Good), facts(t, "healthy", rule.Bad)
			d := compare(t, older, newer)
			i := slices.IndexFunc(d.Verdicts, func(v diff.Verdict) bool { return v.ID == rule.ID && v.Movement == diff.New && v.Worse })
			if i < 0 {
				t.Fatalf("no new verdict: %+v", d.Verdicts)
			}
			if len(d.Verdicts[i].Causes) == 0 {
				t.Errorf("the verdict names no change of %+v", d.Changes)
			}
			for _, number := range d.Verdicts[i].Causes {
				if d.Changes[number-1].Number != number {
					t.Errorf("change %d has the number %d", number, d.Changes[number-1].Number)
				}
			}
			valid(t, d)
			r := reports(t, older, newer)
			if got, want := keys(r), keys(d); !slices.Equal(got, want) {
				t.Errorf("reports: %v, facts: %v", got, want)
			}
		})
	}
}

// valid holds a diff against the published schema.
func valid(t *testing.T, d *diff.Diff) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", "diff.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

func keys(d *diff.Diff) []string {
	var list []string
	for _, v := range d.Verdicts {
		list = append(list, string(v.Movement)+" "+v.ID+" "+v.Subject.Name)
	}
	return list
}

// drawn lays patches over an example; ok is false where they make no snapshot.
func drawn(t *rapid.T, name string) (*snapshot.Snapshot, bool) {
	var patches []string
	for _, r := range rules.All() {
		if !strings.Contains(r.Bad, "aws-cn") { // another cluster
			patches = append(patches, r.Bad)
		}
	}
	patches = append(
		patches,
		`missing: [{fact: attachedPolicies, subject: "arn:aws:iam::111122223333:role/eksNodeRole", operation: "iam:ListAttachedRolePolicies", error: refused}]`,
		`missing: [{fact: pods, operation: list pods in kube-system, error: forbidden}]`,
		`missing: [{fact: nodeGroups, operation: "eks:ListNodegroups", permission: "eks:ListNodegroups", error: refused}]`,
		`awsAuth: {mapRoles: '[{"rolearn":"arn:aws:iam::111122223333:role/eksNodeRole","username":"system:node:{{EC2PrivateDNSName}}","groups":["system:bootstrappers","system:nodes"]}]'}`,
		`awsAuth: {mapRoles: 'not: [a list'}`,
	)
	s, err := patched(t, "healthy", rapid.SliceOfN(rapid.SampledFrom(patches), 0, 3).Draw(t, name)...)
	return s, err == nil
}

// TestPropertySame: the same facts and the same reports have no difference.
func TestPropertySame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, ok := drawn(t, "facts")
		if !ok {
			t.SkipNow()
		}
		same := side(s)
		for _, d := range []*diff.Diff{compareJudged(t, same, same), reportsOf(t, same, same)} {
			if !d.Empty() {
				t.Errorf("%+v\n%+v", d.Changes, d.Verdicts)
			}
		}
	})
}

// TestPropertyMirror: the difference in the other direction says the reverse of each
// change and of each verdict, and names the same causes.
func TestPropertyMirror(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ok := drawn(t, "older")
		b, ok2 := drawn(t, "newer")
		if !ok || !ok2 {
			t.SkipNow()
		}
		older, newer := side(a), side(b)
		for _, compared := range []func(tester, diff.Side, diff.Side) *diff.Diff{compareJudged, reportsOf} {
			there, back := compared(t, older, newer), compared(t, newer, older)
			if d := cmp.Diff(there.Changes, reversedChanges(back.Changes), ignoreDiff); d != "" {
				t.Errorf("changes: %s", d)
			}
			for i, c := range there.Changes {
				if (c.PolicyDiff == "") != (back.Changes[i].PolicyDiff == "") {
					t.Errorf("%+v has a policy diff in one direction", c)
				}
			}
			if d := cmp.Diff(sortedVerdicts(there.Verdicts), sortedVerdicts(reversedVerdicts(back.Verdicts))); d != "" {
				t.Errorf("verdicts: %s", d)
			}
		}
	})
}

var ignoreDiff = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".PolicyDiff" }, cmp.Ignore())

func reversedChanges(list []diff.Change) []diff.Change {
	reverse := map[diff.Action]diff.Action{
		diff.Added: diff.Removed, diff.Removed: diff.Added, diff.Changed: diff.Changed, diff.Unread: diff.Readable, diff.Readable: diff.Unread,
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Action, list[i].Old, list[i].New = reverse[list[i].Action], list[i].New, list[i].Old
	}
	return list
}

func reversedVerdicts(list []diff.Verdict) []diff.Verdict {
	reverse := map[diff.Movement]diff.Movement{diff.New: diff.Resolved, diff.Resolved: diff.New, diff.Moved: diff.Moved}
	list = slices.Clone(list)
	for i := range list {
		list[i].Movement, list[i].Old, list[i].New = reverse[list[i].Movement], list[i].New, list[i].Old
	}
	return list
}

// sortedVerdicts leaves out what is not the same in both directions.
func sortedVerdicts(list []diff.Verdict) []diff.Verdict {
	list = slices.Clone(list)
	for i := range list {
		list[i].Worse, list[i].Explained = false, false
	}
	slices.SortFunc(list, func(a, b diff.Verdict) int {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return slices.Compare(x, y)
	})
	return list
}

// TestPropertyOrder: the order of what AWS and Kubernetes list does not matter.
func TestPropertyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ok := drawn(t, "older")
		b, ok2 := drawn(t, "newer")
		if !ok || !ok2 {
			t.SkipNow()
		}
		older := side(a)
		want := compareJudged(t, older, side(b))
		seed := rapid.Int64().Draw(t, "seed")
		shuffled := func(s *snapshot.Snapshot) *snapshot.Snapshot {
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			c := &snapshot.Snapshot{}
			if err := json.Unmarshal(text, c); err != nil {
				t.Fatal(err)
			}
			shuffle(c, rand.New(rand.NewSource(seed)))
			return c
		}
		other := side(shuffled(a))
		got := compareJudged(t, other, side(shuffled(b)))
		if d := cmp.Diff(want.Changes, got.Changes); d != "" {
			t.Errorf("changes: %s", d)
		}
		if d := cmp.Diff(keys(want), keys(got)); d != "" {
			t.Errorf("verdicts: %s", d)
		}
		if !compareJudged(t, older, other).Empty() {
			t.Error("another order is a difference")
		}
	})
}

func shuffle(s *snapshot.Snapshot, r *rand.Rand) {
	texts := func(list []string) { r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) }
	for _, role := range s.Roles {
		texts(role.AttachedPolicies)
		texts(role.InstanceProfiles)
	}
	for _, e := range s.AccessEntries {
		texts(e.Groups)
	}
	for _, p := range s.SystemImages {
		texts(p.Images)
	}
	r.Shuffle(len(s.Events), func(i, j int) { s.Events[i], s.Events[j] = s.Events[j], s.Events[i] })
	r.Shuffle(len(s.Missing), func(i, j int) { s.Missing[i], s.Missing[j] = s.Missing[j], s.Missing[i] })
}
