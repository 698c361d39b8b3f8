package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
)

// releases are the folders of testdata: the schemas and files of each release that this
// program has to read. docs/releasing.md says how one is added.
func releases(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "v*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%v, %v", folders, err)
	}
	return folders
}

// TestEarlierSchemas: within a version of the formats, fields are added and never changed.
func TestEarlierSchemas(t *testing.T) {
	for _, release := range releases(t) {
		for name, changes := range map[string]direction{"snapshot.json": read, "config.json": read, "report.json": written} {
			old, now := readSchema(t, filepath.Join(release, name)), readSchema(t, filepath.Join("..", "..", "docs", "schema", name))
			if broken := changes.broken(old, now); len(broken) > 0 {
				t.Errorf("docs/schema/%s breaks what %s promises (docs/versions.md):\n%s", name, release, strings.Join(broken, "\n"))
			}
		}
	}
}

// TestEarlierFiles: the files of earlier releases are read, and a report still is one by
// today's schema.
func TestEarlierFiles(t *testing.T) {
	for _, release := range releases(t) {
		text, err := os.ReadFile(filepath.Join(release, "broken.snapshot.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := snapshot.Decode("broken.snapshot.yaml", text)
		if err != nil {
			t.Errorf("%s: %v", release, err)
		} else if len(s.Roles) == 0 || len(s.NodeGroups) == 0 {
			t.Errorf("%s: the snapshot has %d roles and %d node groups", release, len(s.Roles), len(s.NodeGroups))
		}

		if text, err = os.ReadFile(filepath.Join(release, "broken.report.json")); err != nil {
			t.Fatal(err)
		}
		report, err := teampolicy.ParseBaseline("broken.report.json", text)
		if err != nil {
			t.Fatalf("%s: %v", release, err)
		}
		if report.Worst() != finding.Error.Rank() {
			t.Errorf("%s: the worst result of the report has rank %d", release, report.Worst())
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		now, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := now.Validate(value); err != nil {
			t.Errorf("%s: %v", release, err)
		}
	}
}

// TestOtherVersions: a file of another version is refused with one line that names both.
func TestOtherVersions(t *testing.T) {
	for _, version := range []string{"v1alpha0", "v1beta1"} {
		text := "apiVersion: noderole.dev/" + version + "\nkind: Snapshot\ncluster: {name: shop}\n"
		want := `prod.yaml:1: apiVersion, kind: is a snapshot of version ` + version + `, and this release reads v1alpha1: save it again, or use the release that wrote it`
		if _, err := snapshot.Decode("prod.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		report := `{"apiVersion": "noderole.dev/` + version + `", "kind": "Report", "results": []}`
		want = `old.json: is not a report: it is of version ` + version + `, and this release reads v1alpha1`
		if _, err := teampolicy.ParseBaseline("old.json", []byte(report)); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// node is the part of a JSON schema that the published ones use.
type node struct {
	Ref                  string           `json:"$ref"`
	Defs                 map[string]*node `json:"$defs"`
	Type                 string           `json:"type"`
	Enum                 []any            `json:"enum"`
	Properties           map[string]*node `json:"properties"`
	Required             []string         `json:"required"`
	Items                *node            `json:"items"`
	AdditionalProperties json.RawMessage  `json:"additionalProperties"`
}

func readSchema(t *testing.T, name string) *node {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{}
	if err := json.Unmarshal(text, n); err != nil {
		t.Fatal(err)
	}
	return n
}

// direction says who depends on a format: files that are read may not be asked for more than
// before, and files that are written may not have less.
type direction string

const (
	read    direction = "read"
	written direction = "written"
)

// broken lists what a schema no longer keeps of an earlier one.
func (d direction) broken(old, now *node) []string {
	var list []string
	seen := map[string]bool{}
	var compare func(path string, a, b *node)
	compare = func(path string, a, b *node) {
		if a.Ref != "" {
			name := a.Ref[strings.LastIndexByte(a.Ref, '/')+1:]
			if seen[name] {
				return
			}
			seen[name] = true
			a = old.Defs[name]
		}
		if b.Ref != "" {
			b = now.Defs[b.Ref[strings.LastIndexByte(b.Ref, '/')+1:]]
		}
		if a.Type != b.Type {
			list = append(list, fmt.Sprintf("%s was %q and is %q", path, a.Type, b.Type))
		}
		for _, v := range a.Enum {
			if !slices.Contains(b.Enum, v) && len(b.Enum) > 0 {
				list = append(list, fmt.Sprintf("%s no longer takes %v", path, v))
			}
		}
		more, less := b.Required, a.Required
		if d == written {
			more, less = less, more
		}
		for _, name := range more {
			if !slices.Contains(less, name) {
				list = append(list, fmt.Sprintf("%s.%s was not required in the same way", path, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(a.Properties)) {
			if b.Properties[name] == nil {
				list = append(list, fmt.Sprintf("%s.%s is gone", path, name))
				continue
			}
			compare(path+"."+name, a.Properties[name], b.Properties[name])
		}
		if a.Items != nil && b.Items != nil {
			compare(path+"[]", a.Items, b.Items)
		}
		var of, ofNow node
		if json.Unmarshal(a.AdditionalProperties, &of) == nil && json.Unmarshal(b.AdditionalProperties, &ofNow) == nil {
			compare(path+".*", &of, &ofNow)
		}
	}
	compare("$", old, now)
	return list
}

// TestBroken: what counts as a break.
func TestBroken(t *testing.T) {
	const old = `{"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "required": ["a"], "properties": {
		"a": {"type": "string", "enum": ["x", "y"]}, "b": {"type": "array", "items": {"$ref": "#/$defs/B"}}, "c": {"type": "object", "additionalProperties": {"$ref": "#/$defs/B"}}}},
		"B": {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false}}}`
	parse := func(text string) *node {
		n := &node{}
		if err := json.Unmarshal([]byte(text), n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		replace []string
		d       direction
		want    []string
	}{
		{nil, read, nil},
		{[]string{`"n": {`, `"m": {"type": "string"}, "n": {`}, read, nil},
		{[]string{`["a"]`, `["a", "b"]`}, read, []string{"$.b was not required in the same way"}},
		{[]string{`["a"]`, `["a", "b"]`}, written, nil},
		{[]string{`["a"]`, `[]`}, read, nil},
		{[]string{`["a"]`, `[]`}, written, []string{"$.a was not required in the same way"}},
		{[]string{`"integer"`, `"string"`}, read, []string{`$.b[].n was "integer" and is "string"`}},
		{[]string{`"n":`, `"m":`}, written, []string{`$.b[].n is gone`}},
		{[]string{`["x", "y"]`, `["x", "z"]`}, read, []string{"$.a no longer takes y"}},
	} {
		if diff := cmp.Diff(tt.want, tt.d.broken(parse(old), parse(strings.NewReplacer(tt.replace...).Replace(old)))); diff != "" {
			t.Errorf("%q: %s", tt.replace, diff)
		}
	}
}
