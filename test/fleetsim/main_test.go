// Package fleetsim_test runs the built plugin over fleets that a simulator serves: AWS and
// the Kubernetes API of many clusters in many accounts, from snapshots, with a latency for
// each call and with token buckets as AWS has them. What is collected must be what the
// snapshots say, whatever ends a run and however it is divided.
package fleetsim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	// The plugin is built by a command of its own; this import makes go test run the tests
	// again when its code has changed.
	_ "github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

var (
	plugin string // the built plugin
	home   string // its home directory, which is empty
)

func TestMain(m *testing.M) { os.Exit(runMain(m)) }

func runMain(m *testing.M) int {
	dir, err := filepath.Abs("../../build/test/fleetsim")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// It stays there, so that go build links it again only after a change to its code.
	plugin = filepath.Join(dir, "kubectl-noderole")
	if home, err = os.MkdirTemp("", "noderole-fleetsim-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home) //nolint:errcheck // a temporary folder
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", plugin, "../../cmd/kubectl-noderole")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the plugin: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// The role that is assumed in every account, and the account of the credentials.
const (
	readerRole = "NodeRoleReader"
	externalID = "noderole"
	ownAccount = "100000000001"
)

// outcome is what a run of the plugin printed, its exit code, and what it took.
type outcome struct {
	stdout, stderr string
	code           int
	took, cpu      time.Duration
	peak           int64 // KiB of memory
}

// command is a run of the plugin against the cloud; without one, no server is reached.
func (c *cloud) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, plugin, args...)
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "AWS_") && name != "KUBECONFIG" && name != "HOME" {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	endpoint := "http://127.0.0.1:1"
	if c != nil {
		endpoint = c.aws.URL
	}
	cmd.Env = append(
		cmd.Env, "HOME="+home, "KUBECONFIG=/dev/null", "AWS_ACCESS_KEY_ID=AKIA"+ownAccount, "AWS_SECRET_ACCESS_KEY=s",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_DEFAULT_REGION="+exampleRegion, "AWS_ENDPOINT_URL="+endpoint,
	)
	return cmd
}

// run runs the plugin in a folder to its end.
func (c *cloud) run(t testing.TB, folder string, args ...string) outcome {
	t.Helper()
	cmd := c.command(t.Context(), args...)
	cmd.Dir = folder
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var out outcome
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			out.stdout, out.stderr, out.code, out.took = stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(began)
			out.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return out
		case <-time.After(20 * time.Millisecond):
			out.peak = max(out.peak, peakOf(cmd.Process.Pid))
		}
	}
}

// peakOf is the peak memory of a process in KiB, 0 where it has ended or is not yet the
// plugin.
func peakOf(pid int) (peak int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if name, _, _ := strings.Cut(string(status), "\n"); name != "Name:\tkubectl-noderol" {
		return 0 // the kernel cuts the name
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(value, &peak)
		}
	}
	return peak
}

// snapshotArgs read the whole fleet into a directory.
func snapshotArgs(dir string, more ...string) []string {
	return append([]string{"snapshot", "--all-clusters", "--org", "--role-name", readerRole, "--external-id", externalID, "-o", dir}, more...)
}
