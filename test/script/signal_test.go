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
	dir := t.TempDir()
	fifo, large := filepath.Join(dir, "fifo"), filepath.Join(dir, "large.yaml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("apiVersion: noderole.dev/v1alpha1\nkind: Snapshot\nnodes:\n")
	for b.Len() < 30<<20 {
		b.WriteString("  a: {ready: true}\n")
	}
	if err := os.WriteFile(large, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		wait time.Duration
	}{
		{"a FIFO", []string{"check", "-f", fifo}, 2 * time.Second},
		{"standard input", []string{"check", "-f", "-"}, 2 * time.Second},
		{"a baseline", []string{"check", "--example", "--baseline", fifo}, 2 * time.Second},
		{"a large file", []string{"check", "-f", large}, 2 * time.Second},
		{"the configuration", []string{"check", "--example", "--config", fifo}, 2 * time.Second},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(test.name+" "+signal.String(), func(t *testing.T) {
				t.Parallel()
				cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), test.args...)
				reader, writer, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _, _ = reader.Close(), writer.Close() }()
				var errOut bytes.Buffer
				cmd.Stdin, cmd.Stderr = reader, &errOut
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.wait)
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
