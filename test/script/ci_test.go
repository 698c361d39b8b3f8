package script_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kubectlStub exits with what EXIT says for the context, or for a call without one. It
// writes the file of --report unless the flags were wrong.
const kubectlStub = `#!/bin/sh
echo "$*" >> calls
context=none
while [ $# -gt 0 ]; do
  case $1 in
    --context) context=$2 ;;
    apply) exit 0 ;;
    --report) file=${2#*=} ;;
  esac
  shift
done
for e in $EXIT; do
  case $e in
    $context=*)
      code=${e#*=}
      if [ -n "$file" ] && [ "$code" != 2 ]; then echo report > "$file"; fi
      exit "$code" ;;
  esac
done
exit 99
`

// TestCIRecipes runs the shell scripts of docs/ci.md, and holds their exit codes for
// those of check.
func TestCIRecipes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	recipe := func(t *testing.T, begins string) string {
		t.Helper()
		for _, block := range regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
			if strings.HasPrefix(block[1], begins) {
				return block[1]
			}
		}
		t.Fatalf("docs/ci.md has no script that begins with %q", begins)
		return ""
	}
	for _, tt := range []struct {
		begins, exit string
		code         int
		calls        []string
	}{
		{"worst=0", "prod=0 staging=0", 0, []string{"--context prod", "--context staging"}},
		{"worst=0", "prod=1 staging=0", 1, []string{"--context prod", "--context staging"}},
		{"worst=0", "prod=1 staging=3", 1, nil},
		{"worst=0", "prod=3 staging=1", 1, nil},
		{"worst=0", "prod=3 staging=0", 3, nil},
		{"worst=0", "prod=2 staging=3", 2, nil},
		{"worst=0", "prod=3 staging=2", 2, nil},
		{"worst=0", "prod=0 staging=3", 3, nil},
		{"if kubectl noderole check -o json", "none=0", 0, []string{"git add baseline.json"}},
		{"if kubectl noderole check -o json", "none=1", 0, []string{"git add baseline.json"}},
		{"if kubectl noderole check -o json", "none=2", 3, nil},
		{"if kubectl noderole check -o json", "none=3", 3, nil},
		{"code=0\nkubectl noderole check --report openreports", "none=0", 0, []string{"apply --server-side -f report.yaml"}},
		{"code=0\nkubectl noderole check --report openreports", "none=1", 1, []string{"apply --server-side -f report.yaml"}},
		{"code=0\nkubectl noderole check --report openreports", "none=3", 3, []string{"apply --server-side -f report.yaml"}},
		{"code=0\nkubectl noderole check --report openreports", "none=2", 2, nil},
	} {
		t.Run(fmt.Sprintf("%.12s %s", tt.begins, tt.exit), func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"kubectl": kubectlStub, "git": "#!/bin/sh\necho \"git $*\" >> calls\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("sh", "-eu", "-c", recipe(t, tt.begins))
			cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "EXIT=" + tt.exit}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exits with %d, want %d\n%s", code, tt.code, out)
			}
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.calls {
				if !strings.Contains(string(calls), want) {
					t.Errorf("the calls are\n%s, without %s", calls, want)
				}
			}
			if tt.code != 0 && len(tt.calls) == 0 && (strings.Contains(string(calls), "git add") || strings.Contains(string(calls), "apply")) {
				t.Errorf("goes on after a failure:\n%s", calls)
			}
		})
	}
}
