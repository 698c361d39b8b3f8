package command_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// run runs a line in sh, with a program record in the place of aws, and returns the
// arguments that the program got and its standard input.
func run(t interface {
	Helper()
	Fatalf(string, ...any)
}, dir, line string,
) (args []string, stdin string) {
	t.Helper()
	log := filepath.Join(dir, "log")
	_ = os.Remove(log)
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "LOG=" + log, "ACCOUNT=111122223333"}
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("sh -c %q: %v\n%s", line, err, out.String())
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%q ran no program: %v", line, err)
	}
	list := strings.Split(string(got), "\x00")
	return list[:len(list)-1], out.String()
}

// recorder makes a folder with programs aws and kubectl that write down their
// arguments and print their standard input.
func recorder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf '%s\\0' \"${0##*/}\" \"$@\" >>\"$LOG\"\n[ -t 0 ] || cat\n"
	for _, name := range []string{"aws", "kubectl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestString(t *testing.T) {
	for _, test := range []struct {
		name    string
		command command.Command
		want    string
	}{
		{"plain", command.AWS("iam", "get-role", "--role-name", "eksNodeRole"), "aws iam get-role --role-name eksNodeRole"},
		{"quoted", command.AWS("x", "it's $(date)"), `aws x 'it'\''s $(date)'`},
		{"empty", command.AWS("x", ""), `aws x ''`},
		{"line break inside", command.AWS("x", "a\nb%\\'"), `aws x "$(printf 'a\012b%%\\'\''')"`},
		{"escape and bidi", command.AWS("x", "\x1b[0m\u202e"), `aws x "$(printf '\033[0m\342\200\256')"`},
		{"line break at the end", command.AWS("x", "a\n"), "aws x \"$(printf 'a')\"'\n'"},
		{"placeholder", command.AWS("x").WithPlaceholder("ROLE_ARN"), "aws x ROLE_ARN"},
		{"account", command.AWS("x").WithAccount("arn:aws:iam::${ACCOUNT}:policy/p", "y"), `aws x "arn:aws:iam::${ACCOUNT}:policy/p" y`},
		{"account in JSON", command.AWS("x").WithAccount(`{"a":"${ACCOUNT}:$b"}`), `aws x '{"a":"'"${ACCOUNT}"':$b"}'`},
		{"a variable is no account in a literal", command.AWS("x", "${ACCOUNT}"), `aws x '${ACCOUNT}'`},
		{"output", command.AWS("x", "--id").WithOutput(command.AWS("list", "--query", "a[0].b")), `aws x --id "$(aws list --query 'a[0].b')"`},
		{"stdin", command.Kubectl("create", "-f", "-").WithStdin("it's\n"), "printf '%s\\n' \"$(printf 'it'\\''s')\"'\n' | kubectl create -f -"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.command.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestArgs(t *testing.T) {
	c := command.AWS("x", "a b").WithPlaceholder("NAME")
	if diff := cmp.Diff([]string{"aws", "x", "a b", "NAME"}, c.Args()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"NAME"}, c.Placeholders()); diff != "" {
		t.Error(diff)
	}
	shell := command.AWS("x").WithOutput(command.AWS("y"))
	if diff := cmp.Diff([]string{"sh", "-c", `aws x "$(aws y)"`}, shell.Args()); diff != "" {
		t.Error(diff)
	}
	if !c.Has("x") == c.Has("x") || c.Has("region") || !c.With("--region=b").Has("region") || !c.With("--region", "b").Has("region") {
		t.Error("Has does not tell options")
	}
}

func TestInsertAndMap(t *testing.T) {
	c := command.Kubectl("-n", "kube-system", "get", "pods")
	if got, want := c.Insert(1, "--context", "a b").String(), "kubectl --context 'a b' -n kube-system get pods"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	nested := command.AWS("eks", "x").WithOutput(command.AWS("eks", "y"))
	got := nested.Map(func(c command.Command) command.Command { return c.With("--region", "r") }).String()
	if want := `aws eks x "$(aws eks y --region r)" --region r`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := `aws eks x "$(aws eks y)"`; nested.String() != want {
		t.Errorf("Map changed the command: %s", nested)
	}
}

// Whatever an argument is, sh passes it as it is, runs nothing else, and the line is
// safe to show.
func TestPropertyShellPassesArguments(t *testing.T) {
	dir := recorder(t)
	hostile := rapid.SampledFrom([]string{
		"$(touch owned)", "`touch owned`", "; touch owned", "\n touch owned\n", "'; touch owned; '", "&& touch owned", "\x1b]0;x\a", "\u202e", "#", "~", "*", "%s", `\`, "\xff",
		"${ACCOUNT}", "-x", "a=b", "\n\n",
	})
	part := rapid.OneOf(hostile, rapid.StringN(0, 8, -1))
	rapid.Check(t, func(t *rapid.T) {
		arg := strings.ReplaceAll(strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "parts"), ""), "\x00", "")
		c := command.AWS("iam", arg, "end")
		got, _ := run(t, dir, c.String())
		if diff := cmp.Diff([]string{"aws", "iam", arg, "end"}, got); diff != "" {
			t.Errorf("%s\n%s", c, diff)
		}
		in := command.Kubectl("create", "-f", "-").WithStdin(arg)
		if _, out := run(t, dir, in.String()); arg != "" && out != arg+"\n" {
			t.Errorf("%s\ngot stdin %q, want %q", in, out, arg+"\n")
		}
		if i := strings.IndexFunc(strings.TrimRight(c.String(), "\n"), func(r rune) bool { return !text.Safe(r) && r != '\n' }); i >= 0 {
			t.Errorf("%q is not safe to show", c)
		}
		if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
			t.Fatalf("%s ran another program", c)
		}
	})
}

func TestNULFails(t *testing.T) {
	dir := recorder(t)
	line := command.AWS("a\x00b").String()
	if out, err := exec.Command("sh", "-c", "PATH="+dir+":$PATH; "+line).CombinedOutput(); err == nil || !strings.Contains(string(out), "NUL") {
		t.Errorf("%s: %v %s", line, err, out)
	}
}

// TestOption: a value that begins with a hyphen is no option of its own.
func TestOption(t *testing.T) {
	for value, want := range map[string]string{"prod": "kubectl --context prod", "-x": "kubectl --context=-x", "-x y": "kubectl '--context=-x y'", "": "kubectl --context ''"} {
		if got := command.Kubectl(command.Option("context", value)...).String(); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}
