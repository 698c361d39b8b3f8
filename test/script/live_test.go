package script_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// liveCluster is an EKS cluster with an API server on loopback, and AWS's answers about it.
type liveCluster struct {
	dir string
	// aws and kube are the servers; their handlers may be replaced.
	aws, kube *httptest.Server
	env       []string
}

// newLiveCluster returns a cluster of which AWS says nothing but where it is, and whose API
// server answers as kube does.
func newLiveCluster(t testing.TB, kube http.HandlerFunc) *liveCluster {
	t.Helper()
	c := &liveCluster{dir: t.TempDir(), kube: httptest.NewTLSServer(kube)}
	t.Cleanup(c.kube.Close)
	answers := answerFrom(filepath.Join(c.dir, "aws"))
	c.aws = httptest.NewServer(answers)
	t.Cleanup(c.aws.Close)
	c.put(t, "aws/eks/clusters/prod.json", fmt.Sprintf(`{"cluster": {"name": "prod", "arn": "arn:aws:eks:eu-west-1:444455556666:cluster/prod", "endpoint": %q, "certificateAuthority": {"data": %q}, "roleArn": "arn:aws:iam::444455556666:role/eksClusterRole"}}`, c.kube.URL, c.authority()))
	c.put(t, "aws/GetCallerIdentity.xml", `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::444455556666:user/ci</Arn><Account>444455556666</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "AWS_EC2_METADATA_DISABLED=true", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"),
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI", "AWS_ENDPOINT_URL=" + c.aws.URL,
	}
	c.kubeconfig(t, c.kube.URL, "certificate-authority-data: "+c.authority(), "token: x")
	return c
}

// authority is the certificate authority of the API server, in base64.
func (c *liveCluster) authority() string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.kube.Certificate().Raw}))
}

// put writes a file into the folder of the test and returns its name.
func (c *liveCluster) put(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { // some are programs
		t.Fatal(err)
	}
	return path
}

// kubeconfig writes the kubeconfig, with further fields of its cluster and its user.
func (c *liveCluster) kubeconfig(t testing.TB, server, cluster, user string) {
	t.Helper()
	c.put(t, ".kube/config", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: "arn:aws:eks:eu-west-1:444455556666:cluster/prod", cluster: {server: %q, %s}}]
users: [{name: me, user: {%s}}]
contexts: [{name: prod, context: {cluster: "arn:aws:eks:eu-west-1:444455556666:cluster/prod", user: me}}]
`, server, cluster, user))
}

// outcome is what a run of the plugin ended with.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
	memory         int64 // the most that it had resident, in bytes
}

// run runs the plugin in the folder of the test. Its address space is limited, so that a
// plugin that reads without bounds dies before the machine swaps.
func (c *liveCluster) run(t testing.TB, stdin *os.File, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `ulimit -v 4000000; exec "$0" "$@"`, filepath.Join(binDir, "kubectl-noderole")}, args...)...)
	cmd.WaitDelay = time.Second // a credential plugin may keep the streams open
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, &stdout, &stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	out := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(began), 0}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		out.memory = usage.Maxrss << 10
	}
	return out
}

// oneProblem holds that a run ended with a code and said one line about what is wrong, which
// has a text, and one about what to do.
func (o outcome) oneProblem(t *testing.T, code int, want string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	if o.code != code || !strings.HasPrefix(lines[0], "error: ") || !strings.Contains(lines[0], want) || len(lines) > 2 || strings.Contains(o.stderr, "goroutine ") {
		t.Errorf("exit %d, want %d with %q:\n%s", o.code, code, want, o.stderr)
	}
}
