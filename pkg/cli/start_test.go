package cli

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestStart: no package of this program builds much before main, whatever the command: tables
// are built and patterns compiled where they are needed. The Go runtime says what each
// package has allocated.
func TestStart(t *testing.T) {
	t.Parallel()
	const most = 96 << 10 // bytes of one package
	run := exec.Command(os.Args[0], "-test.run", "^$")
	run.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		// init PACKAGE @0.01 ms, 0.01 ms clock, 160 bytes, 5 allocs
		words := strings.Fields(line)
		if len(words) != 11 || words[0] != "init" || !strings.HasPrefix(words[1], "github.com/kubectl-noderole/") {
			continue
		}
		packages++
		if n, err := strconv.Atoi(words[7]); err != nil || n > most {
			t.Errorf("%s, want at most %d bytes (%v): use text.Pattern for patterns and sync.OnceValue for tables", strings.TrimSpace(line), most, err)
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were counted:\n%s", packages, out)
	}
}
