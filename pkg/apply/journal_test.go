package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// marks are a journal's marks, a word each.
func marks(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		var l struct {
			Mark         string
			Step, Change int
			Wrote        bool
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		switch l.Mark {
		case "":
		case "begun", "done":
			word := fmt.Sprintf("%s %d.%d", l.Mark, l.Step, l.Change)
			if l.Wrote {
				word += " wrote"
			}
			list = append(list, word)
		case "proven":
			list = append(list, fmt.Sprintf("%s %d", l.Mark, l.Step))
		default:
			list = append(list, l.Mark)
		}
	}
	return list
}

var anyTime = regexp.MustCompile(`"time":"20[0-9-]{8}T[0-9:.]+Z"`)

// format is a journal of a plan with one step.
const format = `{"time":"T","apiVersion":"noderole.dev/v1alpha1","kind":"Journal","cluster":"arn:aws:eks:eu-west-1:111122223333:cluster/prod","tool":"test"}
{"time":"T","steps":[{"title":"first","rules":["NR202"],"subject":"a","changes":[{"kind":"iam.RolePolicyAttachment","name":"a","part":"arn:p","before":null,"after":{}},{"kind":"iam.RolePolicyAttachment","name":"b","part":"arn:p","before":null,"after":{}}],"proof":"it is there"}]}
{"time":"T","mark":"begun"}
{"time":"T","mark":"done","wrote":true}
{"time":"T","mark":"begun","change":1}
{"time":"T","mark":"done","change":1,"wrote":true}
{"time":"T","mark":"proven"}
{"time":"T","mark":"ended"}
`

// TestJournalFormat: journals outlive the program that wrote them, so that the format
// stays as it is.
func TestJournalFormat(t *testing.T) {
	r := newRig(t)
	if err := r.apply(t.Context(), plan()[:1]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(format, anyTime.ReplaceAllString(string(text), `"time":"T"`)); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(r.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// journalText is the text of a journal: its first two lines, and more.
func journalText(more ...string) string {
	lines := strings.Split(strings.ReplaceAll(format, `"T"`, `"2026-01-02T03:04:05Z"`), "\n")[:2]
	return strings.Join(append(lines, more...), "\n") + "\n"
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadJournal(t *testing.T) {
	begun, done := `{"mark":"begun"}`, `{"mark":"done","wrote":true}`
	another := `{"steps":[{"title":"second","rules":["NR1"],"subject":"s","proof":"p","changes":[{"kind":"iam.RolePolicyAttachment","name":"c","part":"arn:p","before":null,"after":{}}]}]}`
	tests := map[string]struct {
		text       string
		err        string
		ended      bool
		left, made []string
		first      int
	}{
		"nothing done":                     {text: journalText()},
		"begun":                            {text: journalText(begun), left: []string{"first"}, made: []string{"a"}},
		"made":                             {text: journalText(begun, done), left: []string{"first"}, made: []string{"a"}},
		"refused":                          {text: journalText(begun, `{"mark":"done"}`)},
		"begun by two runs, refused after": {text: journalText(begun, begun, `{"mark":"done"}`), left: []string{"first"}, made: []string{"a"}},
		"proven":                           {text: journalText(begun, done, `{"mark":"proven"}`), made: []string{"a"}},
		"ended":                            {text: journalText(begun, done, `{"mark":"ended"}`), ended: true, made: []string{"a"}},
		"a torn last line":                 {text: journalText(begun) + `{"mark":"do`, left: []string{"first"}, made: []string{"a"}},
		"a second plan":                    {text: journalText(begun, done, `{"mark":"proven"}`, another, `{"mark":"begun","step":1}`), left: []string{"second"}, first: 1, made: []string{"a", "c"}},
		"a second plan in the place of what did not fit any more": {
			text: journalText(begun, done, `{"mark":"ended"}`, another, `{"mark":"begun","step":1}`), left: []string{"second"}, first: 1, made: []string{"a", "c"},
		},
		"a second plan of which nothing is made": {text: journalText(begun, done, `{"mark":"ended"}`, another), made: []string{"a"}},
		"empty":                                  {text: "", err: "it is not a journal of fix"},
		"a foreign file":                         {text: "hello\n", err: "it is not a journal of fix: it is not JSON: invalid character 'h' at start of value"},
		"another kind":                           {text: `{"apiVersion":"noderole.dev/v1alpha1","kind":"Plan"}` + "\n", err: `it is not a journal of fix: it has apiVersion "noderole.dev/v1alpha1" and kind "Plan", not "noderole.dev/v1alpha1" and "Journal"`},
		"of another version":                     {text: `{"apiVersion":"noderole.dev/v9","kind":"Journal"}` + "\n", err: "it is not a journal of fix: it is of version v9, and this release reads v1alpha1"},
		"unknown mark":                           {text: journalText(`{"mark":"maybe"}`), err: `line 3: "maybe" is not a mark`},
		"no mark":                                {text: journalText(`{}`), err: `line 3: "" is not a mark`},
		"unknown field":                          {text: journalText(`{"mark":"begun","who":"me"}`), err: "line 3: unknown field who"},
		"no JSON":                                {text: journalText("x"), err: "line 3: it is not JSON: invalid character 'x' at start of value"},
		"a change of no kind":                    {text: journalText(strings.Replace(another, "iam.RolePolicyAttachment", "iam.User", 1)), err: `line 3: "iam.User" is not a kind of change`},
		"a step too many":                        {text: journalText(`{"mark":"begun","step":1}`), err: "line 3: there is no step 1"},
		"a negative step":                        {text: journalText(`{"mark":"proven","step":-1}`), err: "line 3: there is no step -1"},
		"a change too many":                      {text: journalText(`{"mark":"done","change":2}`), err: "line 3: step 0 has no change 2"},
		"a negative change":                      {text: journalText(`{"mark":"begun","change":-1}`), err: "line 3: step 0 has no change -1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.text)
			h, err := readJournal(t.Context(), path)
			if tt.err != "" {
				if err == nil || err.Error() != path+": "+tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			steps, first := h.pending()
			var left, made []string
			for _, s := range steps {
				left = append(left, s.Title)
			}
			for _, s := range h.applied() {
				for _, c := range s.Changes {
					made = append(made, c.Name)
				}
			}
			if diff := cmp.Diff(tt.left, left); diff != "" || first != tt.first {
				t.Errorf("first %d, left (-want +got):\n%s", first, diff)
			}
			if diff := cmp.Diff(tt.made, made); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			if h.ended != tt.ended || h.cluster != cluster || h.began.Year() != 2026 {
				t.Errorf("ended %v, cluster %s, began %s", h.ended, h.cluster, h.began)
			}
		})
	}
	if _, err := readJournal(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestOpenJournal: a journal is gone on with after its last whole line; what is none is
// left as it is.
func TestOpenJournal(t *testing.T) {
	whole := journalText(`{"mark":"begun"}`)
	first := whole[:strings.IndexByte(whole, '\n')+1]
	tests := map[string]struct{ text, keeps, err string }{
		"whole":                                {text: whole, keeps: whole},
		"a torn last line":                     {text: whole + `{"mark"`, keeps: whole},
		"a torn first line":                    {text: first[:20]},
		"all but the first line's end":         {text: first[:len(first)-1]},
		"a few bytes":                          {text: `{"t`},
		"empty":                                {text: ""},
		"a foreign file":                       {text: "hello\nworld\n", keeps: "hello\nworld\n", err: "it is not a journal of fix"},
		"a foreign file without an end":        {text: "hello\nworld", keeps: "hello\nworld", err: "it is not a journal of fix"},
		"a foreign line without an end":        {text: "hello", keeps: "hello", err: "it is not a journal of fix"},
		"another cluster's":                    {text: strings.Replace(whole, "/prod", "/dev", 1), keeps: strings.Replace(whole, "/prod", "/dev", 1), err: "is of cluster arn:aws:eks:eu-west-1:111122223333:cluster/dev"},
		"another cluster's with a torn line":   {text: strings.Replace(whole, "/prod", "/dev", 1) + "{", keeps: strings.Replace(whole, "/prod", "/dev", 1) + "{", err: "is of cluster"},
		"a line in the middle that is no mark": {text: whole + "x\n{}\n", keeps: whole + "x\n{}\n", err: "line 4"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.text)
			j, err := openJournal(path, cluster, "test")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), path) {
					t.Errorf("error %v", err)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				if err := j.end(); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			more, keeps := strings.CutPrefix(string(text), tt.keeps)
			if !keeps || tt.err != "" && more != "" {
				t.Errorf("the file is now\n%s", text)
			}
			if tt.err == "" {
				if h, err := readJournal(t.Context(), path); err != nil || !h.ended || h.cluster != cluster {
					t.Errorf("%+v, %v", h, err)
				}
			}
		})
	}
	if _, err := openJournal(t.TempDir(), cluster, "test"); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := openJournal(filepath.Join(write(t, ""), "j"), cluster, "test"); err == nil {
		t.Error("a folder was made in the place of a file")
	}
}

// FuzzReadJournal: whatever a journal says, it is read or refused, and what is read can
// be gone on with and taken back.
func FuzzReadJournal(f *testing.F) {
	f.Add(journalText(`{"mark":"begun"}`, `{"mark":"done","wrote":true}`, `{"mark":"proven"}`, `{"mark":"ended"}`))
	f.Add(journalText(`{"steps":[{"changes":[{"kind":"eks.AccessEntry","before":{},"after":null},{"kind":"eks.AccessEntry","after":{}}]}]}`, `{"mark":"begun","step":1}`, `{"mark":"begun","step":1,"change":1}`))
	f.Add(journalText(`{"mark":"begun","step":-1}`) + "{")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		path := write(t, text)
		h, err := readJournal(t.Context(), path)
		if err != nil {
			return
		}
		steps, first := h.pending()
		if first < 0 || len(steps) == 0 && first != 0 {
			t.Errorf("left: %d from %d", len(steps), first)
		}
		if plan := planner.Undo(h.cluster, h.applied()); plan.Kind != planner.PlanKind || plan.APIVersion != finding.APIVersion {
			t.Errorf("plan %+v", plan)
		}
		for _, s := range steps {
			for _, c := range s.Changes {
				_ = change.Change.Invert(c).String()
			}
		}
		j, err := openJournal(path, h.cluster, "test")
		if err != nil {
			t.Fatalf("it was read, and cannot be gone on with: %v", err)
		}
		if err := j.end(); err != nil {
			t.Fatal(err)
		}
		if h, err := readJournal(t.Context(), path); err != nil || !h.ended {
			t.Errorf("%+v, %v", h, err)
		}
	})
}
