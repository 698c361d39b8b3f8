package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// clearLine is what takes progress off the screen.
const clearLine = "\r\x1b[K"

// onTerminal runs a shell command on a pseudo terminal of 100 columns and returns
// all that the terminal was sent, and the exit code.
func onTerminal(t *testing.T, env []string, keys io.Reader, command string) (sent string, code int) {
	t.Helper()
	if _, err := exec.LookPath("script"); err != nil {
		t.Fatalf("%v; it is in Debian's package bsdutils", err)
	}
	cmd := exec.Command("script", "--quiet", "--return", "--flush", "--command", "stty cols 100 rows 40; "+command, os.DevNull)
	cmd.Env = append(append(baseEnv(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR="), env...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = keys, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

// openKeys are those of a keyboard on which nobody has typed yet.
func openKeys(t *testing.T) (keys io.Reader, press io.Writer) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, w
}

// progress returns the lines that were drawn and cleared, and what the screen
// shows in the end.
func progress(t *testing.T, sent string) (drawn []string, left string) {
	t.Helper()
	first, last := strings.Index(sent, clearLine), strings.LastIndex(sent, clearLine)
	if first < 0 || first == last {
		t.Fatalf("no progress in %q", sent)
	}
	for _, line := range strings.Split(sent[first+len(clearLine):last], clearLine) {
		if !strings.HasPrefix(line, "reading the facts") || len(line) > 99 || strings.Contains(line, "\n") {
			t.Errorf("drawn: %q", line)
		}
		drawn = append(drawn, line)
	}
	return drawn, sent[:first] + sent[last+len(clearLine):]
}

// TestTerminal: on a terminal there are colours and symbols, and progress that is
// gone in the end.
func TestTerminal(t *testing.T) {
	s := newScenario(t, "terminal")
	s.healthy()
	proxy.SetLatency(100 * time.Millisecond)
	t.Cleanup(func() { proxy.SetLatency(0) })
	keys, _ := openKeys(t)
	started := time.Now()
	sent, code := onTerminal(t, s.kubeconfig(proxy.URL), keys, "kubectl noderole check --show passed")
	most := int(time.Since(started)/(100*time.Millisecond)) + 1
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, sent)
	}
	drawn, left := progress(t, sent)
	if len(drawn) > most {
		t.Errorf("drawn %d times, at most %d were due", len(drawn), most)
	}
	if last := drawn[len(drawn)-1]; !strings.Contains(last, " of ") || !strings.Contains(last, " s") {
		t.Errorf("the last progress is %q", last)
	}
	for _, want := range []string{"\x1b[1mterminal\x1b[0m  ", "\x1b[32m✓ ok  \x1b[0m  NR201  ", " AWS calls, "} {
		if !strings.Contains(left, want) {
			t.Errorf("%q is not in\n%s", want, left)
		}
	}

	sent, code = onTerminal(t, s.kubeconfig(proxy.URL), keys, "kubectl noderole check --quiet")
	if code != 0 || sent != "" {
		t.Errorf("--quiet: exit %d, %q", code, sent)
	}
}

// TestPipe: what goes into a file is plain, and progress is on the terminal all
// the same.
func TestPipe(t *testing.T) {
	s := newScenario(t, "pipe")
	s.healthy()
	proxy.SetLatency(100 * time.Millisecond)
	t.Cleanup(func() { proxy.SetLatency(0) })
	file := filepath.Join(t.TempDir(), "report.txt")
	keys, _ := openKeys(t)
	sent, code := onTerminal(t, s.kubeconfig(proxy.URL), keys, "kubectl noderole check --show passed > "+file)
	if _, left := progress(t, sent); code != 0 || left != "" {
		t.Errorf("exit %d, the terminal shows %q", code, left)
	}
	text, err := os.ReadFile(file)
	s.must(err)
	if !bytes.Contains(text, []byte("\nok    NR201  ")) || bytes.ContainsFunc(text, func(r rune) bool { return r == 0x1b || r > 0x7e }) {
		t.Errorf("%q", text)
	}
}

// TestControlC: the key takes progress off the screen, too.
func TestControlC(t *testing.T) {
	s := newScenario(t, "control-c")
	s.healthy()
	proxy.SetFault("iam:GetRole", awsproxy.Fault{Hang: true})
	keys, press := openKeys(t)
	pressed := make(chan error, 1)
	go func() {
		proxy.AwaitCall("iam:GetRole")
		time.Sleep(300 * time.Millisecond) // progress is drawn meanwhile
		_, err := press.Write([]byte{3})
		pressed <- err
	}()
	sent, code := onTerminal(t, s.kubeconfig(proxy.URL), keys, "kubectl noderole check")
	s.must(<-pressed)
	_, left := progress(t, sent)
	left = strings.TrimPrefix(left, "^C")
	if code != 130 || strings.TrimSpace(left) != "error: interrupted, the facts were not read in full" {
		t.Errorf("exit %d, the screen shows %q", code, left)
	}
}
