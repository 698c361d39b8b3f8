// Package hostile_test puts hostile text into every field of a snapshot and looks at
// everything that is printed: nothing steers a terminal, and a shell that runs the
// printed commands runs nothing else and passes each argument as it is.
package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// all puts every hostile text into every field and looks at every format; without it each
// field gets one text, one of the formats with commands and one of the others, in turn.
var all = flag.Bool("hostile.all", false, "put every hostile text into every field and look at every format (many minutes)")

// hostile are texts that break out of a shell, a comment, a format or a terminal.
var hostile = []string{
	// shells
	"$(touch owned)", "`touch owned`", ";touch owned", "|touch owned", "||touch owned", "&&touch owned", "&touch owned", "\ntouch owned\n", "\r\ntouch owned\r\n", "'$(touch owned)'",
	"';touch owned;'", "\";touch owned;\"", "'\"'\"';touch owned", "\\';touch owned;'", "\\\";touch owned;\"", "$((touch owned))", "${IFS}touch${IFS}owned", "<(touch owned)", ">owned", ">>owned",
	"$(touch${IFS}owned)", "{touch,owned}", "!touch owned", "*", "?", "[a-z]*", "~", "~root", "#", " # comment", "\n# comment", "$HOME", "${HOME}", "$0", "$@", "${ACCOUNT}", "%s%n", "%(touch owned)s", "\\", "\\\\", "'", "\"", "`", "''",
	"\n\n\n", "\t", " ", "a b", "$'\\x41'", "\nEOF\ntouch owned\n", "-x", "--role-name", "--", "=", "a=b", "(touch owned)", "then touch owned; fi", "\\\ntouch owned", "\x00",
	// the AWS CLI and Terraform
	"file:///etc/passwd", "fileb:///etc/passwd", "http://localhost/x", "${file(\"/etc/passwd\")}", "%{ if true }x%{ endif }", "\"\nresource \"x\" \"y\" {}\n", ",Key=x,Value=y", "[]", "{\"a\":1}",
	// terminals
	"\x1b[2J", "\x1b]0;title\a", "\x1b]8;;https://example.com\a", "\u009b31m", "\a", "\b\b\b", "\x7f", "\r", "\v\f", "\u202e", "\u2066x\u2069", "\u200b", "\u200d", "\ufeff", "\u2028", "\u2029", "\U000e0041", "\xff\xfe", "\ue000",
	// formats
	"<script>alert(1)</script>", "]]>", "<!--", "-->", "&amp;", "```\ntouch owned\n```", "| a | b |", "](javascript:alert(1))", "{{7*7}}", "- a: b", "? x", "%YAML 1.2", "---\n", "...\n", "\n  key: value", "!!binary x", "*anchor", "&anchor x",
	// names of other scripts
	"Größe", "节点角色", "e\u0301", strings.Repeat("long", 300),
}

// leaf is a text in a snapshot: a value, or a name among names.
type leaf struct {
	base int // the snapshot that it is in
	path []string
	key  bool
}

func (l leaf) String() string { return fmt.Sprintf("%s (key: %v)", strings.Join(l.path, "/"), l.key) }

// bases are the examples and, for every rule, the snapshot that it fails on: together
// they have every field.
func bases(t *testing.T) []any {
	t.Helper()
	read := func(name string) []byte {
		raw, ok := examples.Read(name)
		if !ok {
			t.Fatalf("there is no example %s", name)
		}
		out, err := yaml.YAMLToJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var list []any
	add := func(raw []byte) {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	for _, name := range examples.Names() {
		add(read(name))
	}
	healthy := read("healthy")
	for _, r := range rules.All() {
		patch, err := yaml.YAMLToJSON([]byte(r.Bad))
		if err != nil {
			t.Fatal(err)
		}
		merged, err := jsonpatch.MergePatch(healthy, patch)
		if err != nil {
			t.Fatal(err)
		}
		add(merged)
	}
	return list
}

// leaves are the texts of all snapshots, each place once. A place is what is left of a
// path without the names in it, so that the third node group is no new place; the names
// of rules' snapshots differ, and each is one.
func leaves(list []any) []leaf {
	seen := map[string]bool{}
	var found []leaf
	var walk func(base int, path []string, v any)
	add := func(l leaf) {
		if id := l.String(); !seen[id] {
			seen[id] = true
			found = append(found, l)
		}
	}
	walk = func(base int, path []string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				inner := append(slices.Clone(path), k)
				add(leaf{base, inner, true})
				walk(base, inner, v[k])
			}
		case []any:
			for i, e := range v {
				walk(base, append(slices.Clone(path), fmt.Sprint(i)), e)
			}
		case string:
			add(leaf{base, path, false})
		}
	}
	for i, v := range list {
		walk(i, nil, v)
	}
	return found
}

// with returns a copy of a snapshot with a text in the place of a leaf.
func with(v any, path []string, key bool, replace func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		c := maps.Clone(v)
		if len(path) == 1 && key {
			delete(c, path[0])
			c[replace(path[0])] = v[path[0]]
			return c
		}
		c[path[0]] = with(v[path[0]], path[1:], key, replace)
		return c
	case []any:
		c := slices.Clone(v)
		var i int
		_, _ = fmt.Sscan(path[0], &i)
		c[i] = with(c[i], path[1:], key, replace)
		return c
	case string:
		return replace(v)
	default:
		return v
	}
}

// commandFormats have commands to run.
var commandFormats = [][]string{
	{"check", "-o", "json"},
	{"fix", "-o", "aws-cli"},
}

// otherFormats are the other output formats of check, and the other texts of fix.
var otherFormats = [][]string{
	{"check", "-o", "table"},
	{"check", "-o", "wide", "--show", "all"},
	{"check", "-o", "yaml"},
	{"check", "-o", "html"},
	{"check", "-o", "markdown"},
	{"check", "-o", "sarif"},
	{"check", "-o", "junit"},
	{"check", "-o", "openreports"},
	{"check", "--why-not-joining"},
	{"fix"},
	{"fix", "-o", "terraform"},
	{"fix", "-o", "json"},
	{"fix", "--cni-identity", "auto", "-o", "aws-cli"},
	{"fix", "--cni-identity", "irsa"},
}

// run runs the command line on a snapshot.
func run(args []string, in []byte) (code int, out, errOut string) {
	var stdout, stderr bytes.Buffer
	streams := genericiooptions.IOStreams{In: bytes.NewReader(in), Out: &stdout, ErrOut: &stderr}
	code = cli.Main(context.Background(), streams, append(slices.Clone(args), "--no-config", "-f", "-"))
	return code, stdout.String(), stderr.String()
}

// TestHostileFields puts hostile texts into every field and looks at what is printed.
func TestHostileFields(t *testing.T) {
	list := bases(t)
	places := leaves(list)
	shell := newShell(t)
	for n, l := range places {
		texts, formats := hostile, slices.Concat(commandFormats, otherFormats)
		if !*all {
			texts = []string{hostile[n%len(hostile)]}
			formats = [][]string{commandFormats[n/len(hostile)%2], otherFormats[n%len(otherFormats)]}
		}
		for at, h := range texts {
			snapshot, err := json.Marshal(with(list[l.base], l.path, l.key, func(s string) string {
				if at%2 == 0 {
					return s + h
				}
				return h
			}))
			if err != nil {
				t.Fatal(err)
			}
			inert(t, shell, formats, l, h, snapshot)
		}
	}
	shell.flush(t)
	if len(places) < 200 || shell.count < 40 {
		t.Errorf("%d places and %d commands were tried: the test looks at less than it says", len(places), shell.count)
	}
	t.Logf("%d places, %d different commands", len(places), shell.count)
}

// inert fails where what is printed about a snapshot could do harm.
func inert(t *testing.T, shell *shell, formats [][]string, l leaf, h string, snapshot []byte) {
	t.Helper()
	for _, format := range formats {
		code, out, errOut := run(format, snapshot)
		name := strings.Join(format, " ")
		if steering(out) || steering(errOut) {
			t.Errorf("%s with %q in %s: a control character is in\n%q", name, h, l, excerpt(out+errOut))
		}
		if code == cli.ExitUsage {
			if out != "" {
				t.Errorf("%s with %q in %s: refused, and yet it printed\n%.300s", name, h, l, out)
			}
			if lines := strings.Count(strings.TrimSpace(errOut), "\n"); lines > 1 {
				t.Errorf("%s with %q in %s: the error has %d lines:\n%s", name, h, l, lines+1, errOut)
			}
			return // every format refuses such a snapshot
		}
		switch name {
		case "check -o json":
			var report finding.Report
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Errorf("%s with %q in %s: %v", name, h, l, err)
			}
			for _, r := range report.Results {
				for _, next := range r.Next {
					if next.Text != "" {
						shell.add(t, next)
					}
				}
			}
		case "check -o yaml", "check -o openreports":
			var v any
			if err := yaml.Unmarshal([]byte(out), &v); err != nil {
				t.Errorf("%s with %q in %s: %v", name, h, l, err)
			}
		case "fix -o terraform":
			comments(t, name, h, l, out)
		}
		if strings.HasSuffix(name, "aws-cli") {
			shell.script(t, name, h, l, out)
		}
	}
}

// steering reports whether a text has characters that steer a terminal or hide what is
// written. A carriage return is one of them, a line break and a tab are not.
func steering(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && r != '\uFFFD' && !text.Safe(r) }) >= 0
}

func excerpt(s string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && r != '\uFFFD' && !text.Safe(r) })
	return s[max(0, i-60):min(len(s), i+60)]
}

// comments fails where a line of Terraform is neither indented, a comment, nor one of
// the lines that begin and end a block.
func comments(t *testing.T, name, h string, l leaf, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line != "}" && line[0] != ' ' && line[0] != '#' && !strings.HasPrefix(line, `resource "aws_`) && !strings.HasPrefix(line, "import {") {
			t.Errorf("%s with %q in %s: the line %q is no comment and no resource", name, h, l, line)
		}
	}
}

// shell runs commands with programs aws and kubectl that write down their arguments.
type shell struct {
	dir   string
	seen  map[string]bool
	queue []finding.Next
	count int
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{dir: t.TempDir(), seen: map[string]bool{}}
	bin := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	// A recorded argument ends in NUL, a command in two, which no argument can hold.
	record := "#!/bin/sh\n{ printf '%s\\0' \"${0##*/}\" \"$@\"; printf '\\0'; } >>\"$LOG\"\n"
	for _, name := range []string{"aws", "kubectl"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(record), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *shell) add(t *testing.T, n finding.Next) {
	t.Helper()
	if s.seen[n.Text] {
		return
	}
	s.seen[n.Text] = true
	s.queue = append(s.queue, n)
	if len(s.queue) == 400 {
		s.flush(t)
	}
}

// sh runs a script in a folder of its own and returns what was called.
func (s *shell) sh(t *testing.T, script string) (calls [][]string, out string) {
	t.Helper()
	work, log := filepath.Join(s.dir, "work"), filepath.Join(s.dir, "log")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(log); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh")
	cmd.Stdin = strings.NewReader(script)
	cmd.Dir = work
	cmd.Env = []string{"PATH=" + filepath.Join(s.dir, "bin") + ":/usr/bin:/bin", "LOG=" + log, "HOME=" + work}
	text, _ := cmd.CombinedOutput()
	left, err := os.ReadDir(work)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("a printed command ran another program, which made %s", left[0].Name())
		_ = os.RemoveAll(work)
	}
	raw, _ := os.ReadFile(log)
	for call := range strings.SplitSeq(string(raw), "\x00\x00") {
		if call != "" {
			calls = append(calls, strings.Split(call, "\x00"))
		}
	}
	return calls, string(text)
}

// flush runs the queued commands in one shell, each in a subshell.
func (s *shell) flush(t *testing.T) {
	t.Helper()
	var script strings.Builder
	for i, n := range s.queue {
		fmt.Fprintf(&script, "printf 'mark\\000%d\\000\\000' >>\"$LOG\"\n(\n%s\n)\n", i, n.Text)
	}
	calls, out := s.sh(t, script.String())
	got := map[string][][]string{}
	mark := ""
	for _, c := range calls {
		if c[0] == "mark" {
			mark = c[1]
			continue
		}
		got[mark] = append(got[mark], c)
	}
	for i, n := range s.queue {
		ran := got[fmt.Sprint(i)]
		nul := slices.ContainsFunc(n.Command, func(a string) bool { return strings.Contains(a, "\x00") })
		switch {
		case nul && len(ran) == 0: // no shell can pass it
		case n.Command[0] == "sh": // the arguments are found when it runs
			if len(ran) == 0 {
				t.Errorf("%s\nran nothing: %.300s", n.Text, out)
			}
		case len(ran) != 1 || !slices.Equal(ran[0], trimmed(n.Command)):
			t.Errorf("%s\nran %q\nwant %q", n.Text, ran, n.Command)
		}
	}
	s.count += len(s.queue)
	s.queue = nil
}

// trimmed are arguments as the log tells them apart: an empty last argument looks like
// the end of the command.
func trimmed(args []string) []string {
	for len(args) > 0 && args[len(args)-1] == "" {
		args = args[:len(args)-1]
	}
	return args
}

// script runs a script of fix against programs that answer nothing: it stops at its
// first question, and nothing else runs. Its commands are tried one by one elsewhere.
func (s *shell) script(t *testing.T, name, h string, l leaf, script string) {
	t.Helper()
	if s.seen[script] {
		return
	}
	s.seen[script] = true
	calls, out := s.sh(t, script)
	for _, c := range calls {
		if c[0] != "aws" && c[0] != "kubectl" {
			t.Errorf("%s with %q in %s ran %q", name, h, l, c)
		}
	}
	check := exec.Command("sh", "-n")
	check.Stdin = strings.NewReader(script)
	if text, err := check.CombinedOutput(); err != nil {
		t.Errorf("%s with %q in %s is not a script of sh: %s\n%.500s%.200s", name, h, l, text, script, out)
	}
}
