package script_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals: one signal ends a run at once with 130, whatever it waits for.
func TestSignals(t *testing.T) {
	large := []byte("apiVersion: noderole.dev/v1alpha1\nkind: Snapshot\nnodes:\n" + strings.Repeat("  a: {ready: true}\n", 30<<20/18))
	// More than a pipe holds: when all of it is written, the program is reading.
	blank := bytes.Repeat([]byte("\n"), 1<<18)
	for _, test := range []struct {
		name string
		args []string // FIFO is a pipe; without it, standard input is one
		text []byte
		// whole closes the pipe after the text, so that the program does something with it.
		whole bool
	}{
		{"a FIFO", []string{"check", "-f", "FIFO"}, blank, false},
		{"standard input", []string{"check", "-f", "-"}, blank, false},
		{"a baseline", []string{"check", "--example", "--baseline", "FIFO"}, blank, false},
		{"a large file", []string{"check", "-f", "-"}, large, true},
		{"the configuration", []string{"check", "--example", "--config", "FIFO"}, blank, false},
		{"a policy document", []string{"can", "--policy-file", "FIFO", "s3:GetObject"}, blank, false},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(test.name+" "+signal.String(), func(t *testing.T) {
				t.Parallel()
				fifo := filepath.Join(t.TempDir(), "fifo")
				if err := syscall.Mkfifo(fifo, 0o600); err != nil {
					t.Fatal(err)
				}
				// With both ends, opening it waits for nobody.
				pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = pipe.Close() }()
				cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), strings.Split(strings.ReplaceAll(strings.Join(test.args, "\n"), "FIFO", fifo), "\n")...)
				if cmd.Stdin, err = os.Open(fifo); err != nil {
					t.Fatal(err)
				}
				var errOut bytes.Buffer
				cmd.Stderr = &errOut
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if err := pipe.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := pipe.Write(test.text); err != nil {
					t.Errorf("it does not read: %s: %s", err, errOut.String())
				}
				if test.whole {
					_ = pipe.Close()
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatalf("it ended before: %s", errOut.String())
				}
				began := time.Now()
				_ = cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 130 || time.Since(began) > 10*time.Second {
					t.Errorf("exit %d after %s: %s", code, time.Since(began), errOut.String())
				}
				if !strings.HasPrefix(errOut.String(), "error: interrupted") {
					t.Errorf("it says %q", errOut.String())
				}
			})
		}
	}
}

// TestNoHangUp: a run that ignores SIGHUP, as with nohup, goes on when the terminal is closed.
func TestNoHangUp(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" check -f -`, filepath.Join(binDir, "kubectl-noderole"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: when all of it is written, the program is reading.
	if _, err := in.Write(bytes.Repeat([]byte("\n"), 1<<18)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(errOut.String(), "-: is empty") {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
}
