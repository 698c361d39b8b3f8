package cli

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// env is an environment of NAME=VALUE pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if n, value, _ := strings.Cut(p, "="); n == name {
				return value
			}
		}
		return ""
	}
}

func TestColored(t *testing.T) {
	for _, test := range []struct {
		flag     string
		terminal bool
		env      []string
		want     bool
	}{
		{flag: "auto", terminal: true, want: true},
		{flag: "auto"},
		{flag: "auto", terminal: true, env: []string{"NO_COLOR=1"}},
		{flag: "auto", terminal: true, env: []string{"TERM=dumb"}},
		{flag: "auto", env: []string{"CLICOLOR_FORCE=1"}, want: true},
		{flag: "auto", env: []string{"CLICOLOR_FORCE=0"}},
		{flag: "auto", env: []string{"CLICOLOR_FORCE=1", "NO_COLOR=1"}},
		{flag: "always", env: []string{"NO_COLOR=1", "TERM=dumb"}, want: true},
		{flag: "never", terminal: true, env: []string{"CLICOLOR_FORCE=1"}},
	} {
		if got := (screen{terminal: test.terminal, getenv: env(test.env...)}).colored(test.flag); got != test.want {
			t.Errorf("--color %s, terminal %t, %v: %t", test.flag, test.terminal, test.env, got)
		}
	}
}

func TestUnicodeLocale(t *testing.T) {
	for _, test := range []struct {
		env  []string
		want bool
	}{
		{[]string{"LANG=de_DE.UTF-8"}, true},
		{[]string{"LANG=C.utf8"}, true},
		{[]string{"LANG=C"}, false},
		{[]string{"LANG=C", "LC_CTYPE=en_GB.UTF-8"}, true},
		{[]string{"LANG=en_GB.UTF-8", "LC_ALL=POSIX"}, false},
		{[]string{"LANG=en_GB.UTF-8", "LC_ALL="}, true},
		{[]string{"LANG=ja_JP.eucJP"}, false},
	} {
		if got := unicodeLocale(env(test.env...)); got != test.want {
			t.Errorf("%v: %t", test.env, got)
		}
	}
}

// TestNoTerminal holds what a pipe gets: words in ASCII, and the width that the
// environment says.
func TestNoTerminal(t *testing.T) {
	for columns, want := range map[string]int{"": 0, "120": 120, "0": 0, "wide": 0} {
		s := newScreen(&bytes.Buffer{}, env("COLUMNS="+columns, "LANG=C.UTF-8"))
		o := (&screenOptions{color: "auto"}).table(s)
		if diff := cmp.Diff(print.TableOptions{Width: want}, o); diff != "" {
			t.Errorf("COLUMNS=%s: %s", columns, diff)
		}
	}
}

// TestSymbols holds that signs beyond ASCII are for terminals that show them.
func TestSymbols(t *testing.T) {
	for _, test := range []struct{ terminal, unicode, symbols, ascii bool }{
		{true, true, true, false},
		{true, false, false, true},
		{false, true, false, false},
		{false, false, false, false},
	} {
		o := (&screenOptions{color: "never"}).table(screen{terminal: test.terminal, unicode: test.unicode, getenv: env()})
		if o.Symbols != test.symbols || o.ASCII != test.ascii {
			t.Errorf("terminal %t, unicode %t: symbols %t, ASCII %t", test.terminal, test.unicode, o.Symbols, o.ASCII)
		}
	}
}

func TestScopeCompletes(t *testing.T) {
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	china := finding.ClusterInfo{ARN: "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", Region: "cn-north-1", Name: "prod"}
	for _, test := range []struct {
		name          string
		args          []string
		cluster       finding.ClusterInfo
		command, want string
	}{
		{"the current context", nil, finding.ClusterInfo{}, "kubectl noderole fix", "kubectl noderole fix"},
		{
			"a context",
			[]string{"--context", "my staging"},
			finding.ClusterInfo{},
			"kubectl -n kube-system rollout restart daemonset aws-node",
			"kubectl --context 'my staging' -n kube-system rollout restart daemonset aws-node",
		},
		{
			"kubeconfig and name",
			[]string{"--kubeconfig", "k.yaml", "--cluster-name", "prod", "--region", "eu-west-1", "--profile", "ops"},
			finding.ClusterInfo{},
			"kubectl noderole fix", "kubectl noderole fix --kubeconfig k.yaml --cluster-name prod --region eu-west-1 --profile ops",
		},
		{"policy has no cluster name", []string{"--context", "a", "--cluster-name", "prod"}, finding.ClusterInfo{}, "kubectl noderole policy reader", "kubectl noderole policy reader --context a"},
		{"a file", []string{"-f", "it's.yaml"}, finding.ClusterInfo{}, "kubectl noderole fix", `kubectl noderole fix --filename 'it'\''s.yaml'`},
		{"standard input", []string{"-f", "-"}, finding.ClusterInfo{}, "kubectl noderole fix", "kubectl noderole fix --filename FILE"},
		{"an example", []string{"--example"}, finding.ClusterInfo{}, "kubectl noderole fix", "kubectl noderole fix --example=broken"},
		{"IAM is global", nil, finding.ClusterInfo{ARN: "arn:aws:eks:eu-west-1:1:cluster/a", Region: "eu-west-1"}, "aws iam get-role --role-name a", "aws iam get-role --role-name a"},
		{"but not in China", nil, china, "aws iam get-role --role-name a", "aws iam get-role --role-name a --region cn-north-1"},
		{"EKS has regions", nil, china, "aws eks list-clusters", "aws eks list-clusters --region cn-north-1"},
		{"said already", nil, china, "aws eks list-clusters --region eu-west-1", "aws eks list-clusters --region eu-west-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := NewCommand(streams)
			check, args, err := root.Find(append([]string{"check"}, test.args...))
			if err != nil {
				t.Fatal(err)
			}
			if err := check.ParseFlags(args); err != nil {
				t.Fatal(err)
			}
			o := factsOptions{file: "given", scope: newScope(check)}
			words := strings.Fields(test.command)
			if got := o.around(test.cluster.ARN).complete(command.New(words[0], words[1:]...)).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestProgressLine(t *testing.T) {
	for _, test := range []struct {
		event collect.Event
		since time.Duration
		width int
		want  string
	}{
		{collect.Event{}, 1500 * time.Millisecond, 80, "reading the facts, 1 s"},
		{collect.Event{What: "role eks-node", Done: 3, Total: 12}, 61 * time.Second, 80, "reading the facts: 3 of 12, 61 s, role eks-node"},
		{collect.Event{What: "role eks-node", Done: 3, Total: 12}, 0, 40, "reading the facts: 3 of 12, 0 s, rol..."},
		{collect.Event{What: "role a\x1b[2J", Done: 3, Total: 12}, 0, 80, `reading the facts: 3 of 12, 0 s, role a\x1b[2J`},
		{collect.Event{What: "role a", Done: 3, Total: 12}, 0, 3, ".."},
	} {
		if got := progressLine(test.event, test.since, test.width); got != test.want {
			t.Errorf("%d columns: got %q, want %q", test.width, got, test.want)
		}
	}
}

// TestErrorsAreSafe: an error and a warning arrive on standard error without what steers
// a terminal; a line of it cannot pass for a message of its own, and what the program
// draws itself arrives.
func TestErrorsAreSafe(t *testing.T) {
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	if code := Main(t.Context(), streams, []string{"check", "--fail-on", "\x1b[2J\u202e"}); code != ExitUsage {
		t.Errorf("exit code %d", code)
	}
	if code := Main(t.Context(), streams, []string{"check", "--nothing\x1b]0;a\a"}); code != ExitUsage {
		t.Errorf("exit code %d", code)
	}
	if code := Main(t.Context(), streams, []string{"check", "-f", "no\x1b[2J\nerror: file\u200b"}); code != ExitUsage {
		t.Errorf("exit code %d", code)
	}
	out := errOut.String()
	if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && !text.Safe(r) }) {
		t.Errorf("not safe: %q", out)
	}
	if n := strings.Count("\n"+out, "\nerror: "); n != 3 {
		t.Errorf("%d errors for 3: %q", n, out)
	}
	var b bytes.Buffer
	w := &text.Writer{W: &b, Lead: clearLine}
	say(w, "warning", "two\nlines \x1b[2J")
	fmt.Fprint(w, clearLine+"reading")
	if want := "warning: two\n  lines \\x1b[2J\n" + clearLine + "reading"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// drawings counts what is written.
type drawings struct {
	mu   sync.Mutex
	list []string
}

func (d *drawings) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, string(p))
	return len(p), nil
}

// TestProgressIsDrawnSeldomAndCleared sends a thousand events in a third of a
// second: few are drawn, nothing after done, and the line is clear then.
func TestProgressIsDrawnSeldomAndCleared(t *testing.T) {
	out := &drawings{}
	show, done := drawProgress(out, func() int { return 80 }, time.Now)
	started := time.Now()
	for i := range 1000 {
		show(collect.Event{What: "role", Done: i, Total: 1000})
		time.Sleep(time.Millisecond / 3)
	}
	most := int(time.Since(started)/drawEvery) + 2
	done()
	done()
	show(collect.Event{What: "late"})
	time.Sleep(2 * drawEvery)
	if n := len(out.list); n < 2 || n > most+1 {
		t.Errorf("%d times drawn, want 1 to %d: %q", n-1, most, out.list)
	}
	for i, line := range out.list {
		last := i == len(out.list)-1
		if (line == clearLine) != last {
			t.Errorf("drawing %d of %d is %q", i+1, len(out.list), line)
		}
	}
}
