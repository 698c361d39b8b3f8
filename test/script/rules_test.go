package script_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// TestEveryRule runs the built plugin on each rule's own two snapshots, as a user
// would on a saved one: Bad shows the rule with its severity and exit code, Good
// does not show it.
func TestEveryRule(t *testing.T) {
	words := map[finding.Severity]string{finding.Error: "FAIL", finding.Warning: "warn", finding.Info: "info"}
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join("..", "..", "docs", "rules", rule.ID+".md")); err != nil {
				t.Errorf("reports link to a page that is not there, make generate writes it: %v", err)
			}
			line := "\n" + words[rule.Severity] + "  " + rule.ID + "  "
			code, out := checkFile(t, rule.Bad, "--fail-on", string(rule.Severity))
			if code != 1 || !strings.Contains(out, line) || !strings.Contains(out, strings.Join(strings.Fields(rule.Why)[:4], " ")) {
				t.Errorf("Bad: exit %d\n%s", code, out)
			}
			if code, out := checkFile(t, rule.Good, "--fail-on", string(rule.Severity)); code != 0 || strings.Contains(out, line) {
				t.Errorf("Good: exit %d\n%s", code, out)
			}
		})
	}
}

// checkFile judges the healthy example with a merge patch laid over it.
func checkFile(t *testing.T, patch string, args ...string) (code int, out string) {
	t.Helper()
	base, ok := examples.Read("healthy")
	if !ok {
		t.Fatal("there is no healthy example")
	}
	baseJSON, err := yaml.YAMLToJSON(base)
	if err != nil {
		t.Fatal(err)
	}
	patchJSON, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(baseJSON, patchJSON)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot.json")
	if err := os.WriteFile(file, merged, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), append([]string{"check", "-f", file}, args...)...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), text.String()
}
