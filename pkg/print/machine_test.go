package print_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	k8syaml "sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// tree is any value that JSON can hold.
func tree(depth int) *rapid.Generator[any] {
	words := rapid.OneOf(hostile(), rapid.SampledFrom([]string{
		"a: b", "a #b", "a:", ":", "#", "- a", "? a", "y", "No", "NULL", "~", "0x10", "1_000", "1:20", "2020-01-01", ".inf", "1e3", "=", "<<", "*a", "&a", "!a", "|", ">", "%a",
		"a\nb", "a\nb\n", "a\n\nb", " a\nb", "a \nb", "a\n b", "\n", "a\n\n", "a\tb\nc", "\ta\nb", "'a'", `"a"`, "[a]", "{a}", "a, b", "...", "--- a", "a\u0085b", "\U0001F600",
	}))
	leaf := rapid.OneOf(
		rapid.Map(words, func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.IntRange(-1e6, 1e6), func(n int) any { return float64(n) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
	)
	if depth == 0 {
		return leaf
	}
	key := rapid.Map(rapid.OneOf(words, rapid.Just(strings.Repeat("long key ", 200))), func(s string) string { return strings.ToValidUTF8(s, "?") })
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(tree(depth-1), 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(key, tree(depth-1), 0, 3), func(m map[string]any) any { return m }),
	)
}

// unsafe is where s has a character that a terminal must not get, -1 for nowhere. What
// was not UTF-8 arrives as a replacement character at worst.
func unsafe(s string) int {
	return strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\uFFFD' && !text.Safe(r) })
}

// TestMachineFormatsKeepData: YAML and JSON give back the same data, to two parsers of
// YAML, and hold no character that steers a terminal.
func TestMachineFormatsKeepData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"top": tree(3).Draw(t, "tree")}
		var y, j bytes.Buffer
		if err := print.YAML(&y, want); err != nil {
			t.Fatal(err)
		}
		if err := print.JSON(&j, want); err != nil {
			t.Fatal(err)
		}
		for name, out := range map[string]string{"YAML": y.String(), "JSON": j.String()} {
			if i := unsafe(out); i >= 0 {
				t.Errorf("%s has an unsafe character at byte %d: %q", name, i, out)
			}
		}
		var fromJSON, fromYAML any
		if err := json.Unmarshal(j.Bytes(), &fromJSON); err != nil {
			t.Fatalf("%v\n%s", err, j.String())
		}
		if diff := cmp.Diff(any(want), fromJSON); diff != "" {
			t.Errorf("JSON: %s", diff)
		}
		if err := k8syaml.Unmarshal(y.Bytes(), &fromYAML); err != nil {
			t.Fatalf("%v\n%s", err, y.String())
		}
		if diff := cmp.Diff(any(want), fromYAML); diff != "" {
			t.Errorf("YAML: %s\n%s", diff, y.String())
		}
	})
}

// TestYAMLForm holds how YAML looks: plain where it can be, blocks for lines.
func TestYAMLForm(t *testing.T) {
	var b bytes.Buffer
	if err := print.YAML(&b, map[string]any{
		"text": "bastionRole cannot pull images", "arn": "arn:aws:iam::111122223333:role/a", "account": "111122223333", "yes": "yes",
		"lines": "a: b\n  c\nd", "list": []any{"a", 1, map[string]any{"x": "1", "z": []any{}}, []any{"b", "c"}}, "empty": map[string]any{}, "esc": "\x1b[2J\u202e\U0001F600",
	}); err != nil {
		t.Fatal(err)
	}
	want := `account: "111122223333"
arn: arn:aws:iam::111122223333:role/a
empty: {}
esc: "\u001b[2J\u202e\U0001f600"
lines: |-
  a: b
    c
  d
list:
- a
- 1
- x: "1"
  z: []
- - b
  - c
text: bastionRole cannot pull images
"yes": "yes"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	var v any
	if err := yaml.Unmarshal(b.Bytes(), &v); err != nil {
		t.Error(err)
	}
}
