// Package e2e runs the built plugin through real kubectl against a real
// kube-apiserver and against moto, and nothing of it is skipped: what is missing
// fails with the command that installs it.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// What all tests share; they run one after the other.
var (
	kube  *apiServer
	cloud *moto
	proxy *awsproxy.Proxy
	// binDir holds the built plugin.
	binDir string
)

func TestMain(m *testing.M) { os.Exit(runMain(m)) }

func runMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "noderole-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	defer func() {
		kube.stop()
		if cloud != nil {
			cloud.stop()
		}
		if proxy != nil {
			proxy.Close()
		}
	}()
	kube = &apiServer{}
	if err := startAll(dir); err != nil {
		fmt.Fprintf(os.Stderr, "the end-to-end tests cannot start: %v\n", err)
		return 1
	}
	return m.Run()
}

func startAll(dir string) (err error) {
	bin := os.Getenv("KUBEBUILDER_ASSETS")
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil || bin == "" {
			return errors.New("KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver; from the project's root: make e2e (hack/e2e-tools.sh installs them and prints the folder)")
		}
	}
	for _, name := range []string{"kubectl", "aws", "python3", "terraform"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w; hack/e2e-tools.sh says how to install it", err)
		}
	}
	binDir = filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-o", binDir+"/", "./cmd/kubectl-noderole")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	if kube, err = startKubernetes(bin, dir); err != nil {
		return err
	}
	if cloud, err = startMoto(); err != nil {
		return err
	}
	proxy, err = awsproxy.New(cloud.url)
	return err
}

// output is what a command printed and its exit code.
type output struct {
	stdout, stderr string
	code           int
}

// kubectl runs kubectl with the plugin on PATH. env is laid over the test's own.
func kubectl(t testing.TB, env []string, args ...string) output {
	t.Helper()
	cmd := exec.Command("kubectl", args...)
	cmd.Env = append(baseEnv(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// kubectlOK is kubectl for a command that has to succeed, and returns what it prints.
func kubectlOK(t testing.TB, env []string, args ...string) string {
	t.Helper()
	out := kubectl(t, env, args...)
	if out.code != 0 {
		t.Fatalf("kubectl %s: %s%s", strings.Join(args, " "), out.stdout, out.stderr)
	}
	return out.stdout
}

// installOpenReports installs the resource definitions of openreports.io until the test ends.
func installOpenReports(t testing.TB, env []string) {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	crds := filepath.Join(strings.TrimSpace(string(module)), "config", "crd")
	kubectlOK(t, env, "apply", "--server-side", "-f", crds)
	t.Cleanup(func() { kubectlOK(t, env, "delete", "-f", crds) })
	kubectlOK(t, env, "wait", "--for=condition=Established", "--timeout=60s", "-f", crds)
}

// baseEnv is the environment without anybody's AWS and Kubernetes settings.
func baseEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "AWS_") && name != "KUBECONFIG" && name != "PATH" && name != "HOME" {
			env = append(env, e)
		}
	}
	return append(
		env,
		"PATH="+binDir+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+binDir, "COLUMNS=80",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=2",
	)
}

// TestQuick: what make e2e-quick leaves out is the name of a test.
func TestQuick(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	slow := regexp.MustCompile(`(?m)^SLOW = (.+)$`).FindSubmatch(text)
	if slow == nil {
		t.Fatal("the Makefile has no SLOW")
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for name := range strings.SplitSeq(string(slow[1]), "|") {
		if !strings.Contains(tests.String(), "\nfunc Test"+name+"(t *testing.T) {\n") {
			t.Errorf("there is no test Test%s", name)
		}
	}
}
