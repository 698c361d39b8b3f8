package awsauth

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// An edit of any text is an error, or says what was asked for and nothing else.
func FuzzEdit(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text := string(archive.Files[0].Data)
		f.Add(text, role, role, nodeName, "system:bootstrappers system:nodes")
		f.Add(strings.ReplaceAll(text, "\n", "\r\n"), withPath, role, "'\"", "a: b, #c")
	}
	f.Fuzz(func(t *testing.T, text, old, arn, username, groups string) {
		before, err := Parse(text)
		m := Mapping{RoleARN: arn, Username: username, Groups: slices.Compact(slices.Sorted(strings.FieldsSeq(groups)))}
		set, setErr := Set(text, old, m)
		removed, removeErr := Remove(text, old)
		if err != nil {
			if setErr == nil || removeErr == nil {
				t.Fatalf("%q: edited, though %v", text, err)
			}
			return
		}
		is := func(arn string) func(Mapping) bool {
			return func(m Mapping) bool { return strings.EqualFold(m.RoleARN, arn) }
		}
		if setErr == nil {
			got, err := Parse(set)
			if err != nil {
				t.Fatalf("%q\n%q: %v", text, set, err)
			}
			i := slices.IndexFunc(got, is(arn))
			if i < 0 {
				t.Fatalf("%q\n%q: not set", text, set)
			}
			if !sameMappings([]Mapping{got[i]}, []Mapping{m}) {
				t.Fatalf("%q\n%q\n%s", text, set, cmp.Diff(m, got[i]))
			}
			others := func(m Mapping) bool { return is(arn)(m) || is(old)(m) }
			if want, got := slices.DeleteFunc(slices.Clone(before), others), slices.Delete(got, i, i+1); !slices.EqualFunc(want, got, Mapping.equal) {
				t.Fatalf("%q\n%q\n%s", text, set, cmp.Diff(want, got))
			}
			if again, err := Set(set, old, m); err != nil || again != set {
				t.Fatalf("%q\n%q\n%q: %v", text, set, again, err)
			}
		}
		if removeErr == nil {
			got, err := Parse(removed)
			if want := slices.DeleteFunc(slices.Clone(before), is(old)); err != nil || !slices.EqualFunc(want, got, Mapping.equal) {
				t.Fatalf("%q\n%q: %v\n%s", text, removed, err, cmp.Diff(want, got))
			}
		}
	})
}
