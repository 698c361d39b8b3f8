// Package script_test runs test/script/*.txtar: the command line, in and out, as
// a user sees it. The scripts run the built binary. Where they talk to AWS they
// talk to a server on loopback that answers from the script's own files.
package script_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binDir is the folder of the built plugin.
var binDir string

// update writes what scripts compare output with anew: go test ./test/script -update.
var update = flag.Bool("update", false, "write the expected output in the scripts anew")

func TestMain(m *testing.M) {
	flag.Parse()
	// Linux counts the memory of this process for the programs that it starts, whose memory is
	// measured: it stays small, whatever GOGC is for them.
	debug.SetGCPercent(100)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// The plugin stays, so that go build links it again only after a change to its code.
	dir, err := filepath.Abs("../../build/test/script")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// This package imports pkg/cli, so that go test runs the scripts again when the plugin's code has changed.
	args := []string{"build", "-ldflags", "-s -w", "-o", dir + "/"}
	if os.Getenv("GOCOVERDIR") != "" { // make coverage: the plugin writes there what it ran, and does so only with main among the packages
		const module = "github.com/kubectl-noderole/kubectl-noderole/"
		args = append(args, "-cover", "-coverpkg="+module+"pkg/cli,"+module+"cmd/kubectl-noderole")
	}
	build := exec.Command("go", append(args, "../../cmd/kubectl-noderole")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the plugin:", err)
		return 1
	}
	// The kubeconfigs of EKS clusters run the AWS CLI for a token; the scripts do not need it.
	token := "#!/bin/sh\necho '" + `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"k8s-aws-v1.x"}}` + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(token), 0o755); err != nil { //nolint:gosec // a program
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binDir = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sub": sub, "gz": gz},
	})
}

// TestBrokenIsShort: the report on the broken example has at most 110 lines, from 80 columns on.
func TestBrokenIsShort(t *testing.T) {
	for _, columns := range []string{"", "80", "140", "160"} {
		cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), "check", "--example", "--no-config")
		cmd.Env = []string{"COLUMNS=" + columns, "HOME=" + t.TempDir()}
		out, _ := cmd.Output() // it exits with 1, as there are findings
		if lines := strings.Count(string(out), "\n"); lines < 50 || lines > 110 {
			t.Errorf("COLUMNS=%s: %d lines\n%s", columns, lines, out)
		}
	}
}

// setup gives a script a PATH with the plugin, no AWS configuration but its own,
// and the address of a server that answers from the script's folder aws.
func setup(env *testscript.Env) error {
	server := httptest.NewServer(answerFrom(filepath.Join(env.WorkDir, "aws")))
	env.Defer(server.Close)
	env.Setenv("PATH", binDir+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
	env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	env.Setenv("SERVER", server.URL)
	env.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
	env.Setenv("GOGC", os.Getenv("GOGC"))
	env.Setenv("COLUMNS", "80") // the scripts quote a usual terminal
	examples, err := filepath.Abs("../../examples")
	env.Setenv("EXAMPLES", examples)
	return err
}

// gz compresses a file: gz FROM TO. The folders of TO are made.
func gz(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gz FROM TO")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(errors.Join(err, z.Close()))
	to := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(to), 0o700))
	ts.Check(os.WriteFile(to, b.Bytes(), 0o600))
}

// answerFrom serves EKS from files named after the path (eks/clusters/prod.json)
// and IAM, EC2 and STS from files named after the action
// (GetCallerIdentity.xml); NAME.404.json is sent with that status. What has no
// file is refused as AWS refuses.
func answerFrom(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ext := "eks"+r.URL.Path, ".json"
		if err := r.ParseForm(); err == nil && r.PostForm.Get("Action") != "" {
			name, ext = r.PostForm.Get("Action"), ".xml"
		}
		for _, status := range []int{0, http.StatusNotFound, http.StatusForbidden, http.StatusBadRequest} {
			file, code := filepath.Join(dir, filepath.FromSlash(name)), http.StatusOK
			if status != 0 {
				file, code = fmt.Sprintf("%s.%d", file, status), status
			}
			body, err := os.ReadFile(file + ext)
			if err != nil {
				continue
			}
			w.Header().Set("Content-Type", map[string]string{".json": "application/json", ".xml": "text/xml"}[ext])
			if code == http.StatusNotFound {
				w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			}
			w.WriteHeader(code)
			_, _ = w.Write(body)
			return
		}
		if ext == ".xml" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: %s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, name)
			return
		}
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"message":"not authorized to perform: %s %s"}`, r.Method, r.URL.Path)
	})
}

// exits runs a command and holds its exit code: exits 3 kubectl-noderole check.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	if got := fmt.Sprint(exitCode(ts, args[1:])); got != args[0] {
		ts.Fatalf("%s exited with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// exitCode runs a command and returns its exit code.
func exitCode(ts *testscript.TestScript, command []string) int {
	err := ts.Exec(command[0], command[1:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		ts.Fatalf("%s: %v", command[0], err)
	}
	return exit.ExitCode()
}

// sub replaces WORD by the value of $WORD's namesake in files: sub SERVER file….
func sub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sub VARIABLE FILE…")
	}
	for _, name := range args[1:] {
		text := strings.ReplaceAll(ts.ReadFile(name), "@"+args[0]+"@", ts.Getenv(args[0]))
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
