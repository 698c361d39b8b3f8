package script_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// inputs are the files that the program reads: the arguments, in which FILE is the file, or
// what names it otherwise.
var inputs = []struct {
	name  string
	args  string
	env   string // variable that names the file
	user  string // field of the kubeconfig's user
	stdin bool
	flat  bool // set where the file is not nested
	code  int
}{
	{name: "--filename", args: "check -f FILE", code: 2},
	{name: "standard input", args: "check -f -", stdin: true, code: 2},
	{name: "fix --filename", args: "fix -f FILE", code: 2},
	{name: "--terraform", args: "check --terraform FILE", code: 2},
	{name: "--cloudformation", args: "check --cloudformation FILE", code: 2},
	{name: "can --filename", args: "can r s3:GetObject -f FILE", code: 2},
	{name: "--config", args: "check --example --config FILE", code: 2},
	{name: "--baseline", args: "check --example --baseline FILE", code: 2},
	{name: "go-template-file", args: "check --example -o go-template-file=FILE", flat: true, code: 2},
	{name: "templatefile", args: "check --example -o templatefile=FILE", flat: true, code: 2},
	{name: "jsonpath-file", args: "check --example -o jsonpath-file=FILE", flat: true, code: 2},
	{name: "--policy-file", args: "can --policy-file FILE s3:GetObject", code: 2},
	{name: "--trust-policy", args: "can --trust-policy FILE sts:AssumeRole", code: 2},
	{name: "--boundary", args: "can --boundary FILE s3:GetObject", code: 2},
	{name: "--scp", args: "can --scp FILE s3:GetObject", code: 2},
	{name: "--plan", args: "fix --plan FILE", code: 2},
	{name: "--undo", args: "fix --undo FILE", code: 2},
	{name: "--journal", args: "fix --apply --yes --journal FILE", code: 2},
	{name: "--kubeconfig", args: "check --kubeconfig FILE", code: 2},
	{name: "KUBECONFIG", args: "check", env: "KUBECONFIG", code: 2},
	{name: "client-key", args: "check", user: "client-key", flat: true, code: 2},
	{name: "tokenFile", args: "check", user: "tokenFile", flat: true, code: 2},
	{name: "AWS_CONFIG_FILE", args: "check", env: "AWS_CONFIG_FILE", flat: true, code: 3},
	{name: "AWS_SHARED_CREDENTIALS_FILE", args: "check", env: "AWS_SHARED_CREDENTIALS_FILE", flat: true, code: 3},
	{name: "AWS_CA_BUNDLE", args: "check", env: "AWS_CA_BUNDLE", flat: true, code: 3},
}

// TestInputsAreBounded: a file that is too large, or nested too deep, is an error that names
// it, within 200 MiB and 5 seconds.
func TestInputsAreBounded(t *testing.T) {
	c := newLiveCluster(t, nil)
	large := c.put(t, "large", "")
	if err := os.Truncate(large, 200<<20); err != nil {
		t.Fatal(err)
	}
	nested := c.put(t, "nested", strings.Repeat("[", 100_000))
	objects := c.put(t, "objects", strings.Repeat(`{"Statement":`, 100_000/13))
	env := c.env
	for _, input := range inputs {
		for _, file := range []string{large, nested, objects} {
			if input.flat && file != large {
				continue
			}
			t.Run(input.name+" "+file[len(c.dir)+1:], func(t *testing.T) {
				c.env = env
				if input.env != "" {
					c.env = append(c.env, input.env+"="+file)
				}
				c.kubeconfig(t, c.kube.URL, "certificate-authority-data: "+c.authority(), "token: x")
				if input.user != "" {
					c.kubeconfig(t, c.kube.URL, "certificate-authority-data: "+c.authority(), input.user+": "+file)
				}
				var stdin *os.File
				want := file
				if input.stdin {
					var err error
					if stdin, err = os.Open(file); err != nil {
						t.Fatal(err)
					}
					defer func() { _ = stdin.Close() }()
					want = "-"
				}
				out := c.run(t, stdin, strings.Fields(strings.ReplaceAll(input.args, "FILE", file))...)
				out.oneProblem(t, input.code, want)
				if out.took > 5*time.Second || out.memory > 200<<20 {
					t.Errorf("%s, %d MiB", out.took, out.memory>>20)
				}
			})
		}
	}
	t.Run("--batch", func(t *testing.T) {
		for _, file := range []string{large, nested, objects} {
			stdin, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			out := c.run(t, stdin, "can", "--batch")
			_ = stdin.Close()
			if !strings.Contains(out.stderr+out.stdout, "error") || out.took > 5*time.Second || out.memory > 200<<20 {
				t.Errorf("%s: exit %d, %s, %d MiB: %s%s", file, out.code, out.took, out.memory>>20, out.stdout, out.stderr)
			}
		}
	})
}
