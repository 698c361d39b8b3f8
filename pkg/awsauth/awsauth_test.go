package awsauth

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write testdata's outputs")

const (
	role     = "arn:aws:iam::111122223333:role/eksNodeRole"
	withPath = "arn:aws:iam::111122223333:role/team/eksNodeRole"
	newRole  = "arn:aws:iam::111122223333:role/newNodeRole"
	nodeName = "system:node:{{EC2PrivateDNSName}}"
)

func linux(arn string) Mapping {
	return Mapping{RoleARN: arn, Username: nodeName, Groups: []string{"system:bootstrappers", "system:nodes"}}
}

func windows(arn string) Mapping {
	m := linux(arn)
	m.Groups = append(m.Groups, "eks:kube-proxy-windows")
	return m
}

// Each file of testdata is a shape of mapRoles that people and tools write, and
// what three edits make of it: a new role, eksNodeRole (with or without a path)
// as a role of Windows nodes, and eksNodeRole gone. -update writes the outputs.
func TestShapes(t *testing.T) {
	edits := []struct {
		name string
		edit func(string) (string, error)
	}{
		{"add newNodeRole", func(text string) (string, error) { return Set(text, newRole, linux(newRole)) }},
		{"set eksNodeRole", func(text string) (string, error) { return Set(text, withPath, windows(role)) }},
		{"remove eksNodeRole", func(text string) (string, error) { return Remove(text, role) }},
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files in testdata: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(archive.Files[0].Data)
			got := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1:1]}
			for _, e := range edits {
				out, err := e.edit(text)
				switch {
				case err != nil:
					out = fmt.Sprintf("error: %v\n", err)
				case out == text:
					out = "unchanged\n"
				}
				got.Files = append(got.Files, txtar.File{Name: e.name, Data: []byte(out)})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" && !*update {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What a text file cannot show: line ends, a missing last one, bytes.
func TestSetKeepsBytes(t *testing.T) {
	const entry = "- rolearn: " + role + "\n  username: " + nodeName + "\n  groups:\n    - system:bootstrappers\n    - system:nodes\n"
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	unended := strings.TrimSuffix(entry, "\n")
	added := strings.ReplaceAll(entry, role, newRole)
	tests := []struct{ name, text, want string }{
		{"no last line end", unended, entry + strings.TrimSuffix(added, "\n")},
		{"\\r\\n", "# é\r\n" + crlf(entry), "# é\r\n" + crlf(entry+added)},
		{"\\r\\n, no last line end", crlf(unended), crlf(entry) + strings.TrimSuffix(crlf(added), "\r\n")},
		{"both line ends", crlf("# one\n# two\n") + entry, crlf("# one\n# two\n") + entry + crlf(added)},
		{"spaces alone", "  ", added + "  "},
		{"blank lines", "\n\n", added + "\n\n"},
		{"a comment without line end", "# none", "# none\n" + strings.TrimSuffix(added, "\n")},
		{"back quotes", "``", added[:len(added)-1]},
		{"list without line end", "[]", `[{"rolearn": "` + newRole + `", "username": "` + nodeName + `", "groups": ["system:bootstrappers", "system:nodes"]}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set(tt.text, newRole, linux(newRole))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSetHundreds(t *testing.T) {
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, "- rolearn: arn:aws:iam::111122223333:role/role-%d\n  groups: [team:%d] # %d\n", i, i, i)
	}
	old := "arn:aws:iam::111122223333:role/role-150"
	got, err := Set(text.String(), old, Mapping{RoleARN: old, Groups: []string{"team:150", "team:more"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(text.String(), "[team:150]", "[team:150, team:more]", 1); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Mapping
		err        string
	}{
		{"empty", " \n", nil, ""},
		{"null", "null", nil, ""},
		{"other case", "- {roleARN: a, USERNAME: b, Groups: [c]}", []Mapping{{"a", "b", []string{"c"}}}, ""},
		{"first document", "- rolearn: a\n---\n- rolearn: b\n", []Mapping{{RoleARN: "a"}}, ""},
		{"all but a wrong field", "- rolearn: a\n  username: 7\n  groups: [b]\n- rolearn: c\n", []Mapping{{RoleARN: "a", Groups: []string{"b"}}, {RoleARN: "c"}}, "mapRoles, line 2, column 13: username: found a number, not a string"},
		{"wrong group", "- rolearn: a\n  groups: [yes]\n", []Mapping{{RoleARN: "a", Groups: []string{""}}}, "mapRoles, line 2, column 11: groups: found a boolean, not a string"},
		{"no mappings", "- a\n", []Mapping{{}}, "mapRoles, line 1, column 1: found a string, not a mapping"},
		{"no list", "# é\n  a: b\n", nil, "mapRoles, line 2, column 3: found a mapping, not a list of mappings"},
		{"no YAML", "- rolearn: [\r\n", nil, "mapRoles, line 1, column 12: sequence end token ']' not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if said := fmt.Sprint(err); tt.err != "" && said != tt.err || tt.err == "" && err != nil {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestNeedsARN(t *testing.T) {
	if _, err := Set("", "", linux(role)); err == nil {
		t.Error("Set took no old ARN")
	}
	if _, err := Set("", role, Mapping{}); err == nil {
		t.Error("Set took no ARN")
	}
	if _, err := Remove("- userarn: a\n", ""); err == nil {
		t.Error("Remove took no ARN")
	}
}

// TestLines: each mapping's line, in every style that people write.
func TestLines(t *testing.T) {
	for text, want := range map[string][]int{
		"":   nil,
		"[]": {},
		"# a comment\n- rolearn: a\n  username: b\n\n- username: c\n  rolearn: d\n- groups: [x]\n": {2, 6, 7},
		"[{\"rolearn\": \"a\"}, {\"rolearn\": \"b\"}]":                                             {1, 1},
		"- &x\n  rolearn: a\n- *x\n":                                                               {2, 3},
		"- rolearn:\n    a\n- RoleARN: b":                                                          {2, 3},
		"no: list":                                                                                 nil,
		"- [":                                                                                      nil,
	} {
		got := Lines(text)
		mappings, _ := Parse(text)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || got != nil && len(got) != len(mappings) {
			t.Errorf("%q has %d mappings, lines (-want +got):\n%s", text, len(mappings), diff)
		}
	}
}

// TestHostileTexts: a text that would take the parser minutes, or overflow its stack, is
// refused at once.
func TestHostileTexts(t *testing.T) {
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"deep lists":     strings.Repeat("[", 100_000),
		"deep mappings":  strings.Repeat("{a: ", 20_000),
		"many entries":   keys.String(),
		"many documents": strings.Repeat("---\na: 1\n", 12_000),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: no error", name)
		}
		if lines := Lines(text); len(lines) != 0 {
			t.Errorf("%s: entries at lines %v", name, lines)
		}
		if _, err := Set(text, role, linux(newRole)); err == nil {
			t.Errorf("%s: no error of an edit", name)
		}
	}
}
