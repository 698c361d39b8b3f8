package files_test

import (
	"errors"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

func TestObject(t *testing.T) {
	type step struct {
		Title string `json:"title"`
		Done  *bool  `json:"done"`
		Count int    `json:"count"`
	}
	type object struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Steps      []step            `json:"steps"`
		Tags       map[string]string `json:"tags"`
	}
	const head = `{"apiVersion": "g/v1", "kind": "Thing"`
	for _, test := range []struct{ name, text, want string }{
		{"as it should be", head + `, "steps": [{"title": "a", "done": true, "count": 1}], "tags": {"a": "b"}}`, ""},
		{"a byte order mark", "\ufeff" + head + "}", ""},
		{"empty", " \n", "it is empty"},
		{"cut off", head + ",\n \"steps\": [", "line 2, column 12: it ends too early"},
		{"YAML", "apiVersion: g/v1\n", "line 1, column 1: it is not JSON: invalid character 'a' at start of value"},
		{"more behind it", head + "} {}", "line 1, column 41: it is not JSON: invalid character '{' after top-level value"},
		{"a list", "[1]", "line 1, column 1: it is a list, not an object"},
		{"another kind", `{"apiVersion": "v1", "kind": "Pod"}`, `it has apiVersion "v1" and kind "Pod", not "g/v1" and "Thing"`},
		{"another version", `{"apiVersion": "g/v2", "kind": "Thing", "new": 1}`, "it is of version v2, and this release reads v1"},
		{"an unknown field", head + `, "more": 1}`, "line 1, column 41: unknown field more"},
		{"a field in other case", head + `, "STEPS": []}`, "line 1, column 41: unknown field STEPS"},
		{"a repeated field", head + `, "steps": [], "steps": []}`, "line 1, column 54: steps is there twice"},
		{"a wrong value", head + `, "steps": [{"title": {}}]}`, "line 1, column 61: steps[0].title is an object, not a text"},
		{"a wrong pointer", head + `, "steps": [{"done": 1}]}`, "line 1, column 60: steps[0].done is a number, not true or false"},
		{"a wrong map", head + `, "tags": "a"}`, "line 1, column 49: tags is a text, not an object"},
		{"a number with a fraction", head + `, "steps": [{"count": 1.5}]}`, "line 1, column 61: steps[0].count is 1.5, not a whole number"},
		{"invalid UTF-8", head + ", \"tags\": {\"a\": \"\xff\"}}", "line 1, column 56: it is not JSON: invalid UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := files.Object([]byte(test.text), "g/v1", "Thing", &object{}, false)
			var wrong *files.JSONError
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.As(err, &wrong) || err.Error() != test.want):
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	if err := files.Object([]byte(head+`, "more": 1}`), "g/v1", "Thing", &object{}, true); err != nil {
		t.Errorf("other fields are allowed: %v", err)
	}
}
