package script_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// TestEveryRule runs check on each rule's own two snapshots, as a user would on a saved one:
// Bad shows the rule with its severity and exit code, Good does not show it. It runs in this
// process, as a hundred starts of the plugin take longer than the judging.
func TestEveryRule(t *testing.T) {
	words := map[finding.Severity]string{finding.Error: "FAIL", finding.Warning: "warn", finding.Info: "info"}
	for _, rule := range rules.All() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join("..", "..", "docs", "rules", rule.ID+".md")); err != nil {
				t.Errorf("reports link to a page that is not there, make generate writes it: %v", err)
			}
			line := "\n" + words[rule.Severity] + "  " + rule.ID + "  "
			code, out := checkFile(t, rule.Bad, "-o", "wide", "--fail-on", string(rule.Severity))
			if code != 1 || !strings.Contains(out, line) || !strings.Contains(out, strings.Join(strings.Fields(rule.Why)[:4], " ")) {
				t.Errorf("Bad: exit %d\n%s", code, out)
			}
			if code, out := checkFile(t, rule.Good, "--fail-on", string(rule.Severity)); code != 0 || strings.Contains(out, line) {
				t.Errorf("Good: exit %d\n%s", code, out)
			}
		})
	}
}

// healthyJSON is the healthy example as JSON.
var healthyJSON = sync.OnceValues(func() ([]byte, error) {
	base, ok := examples.Read("healthy")
	if !ok {
		return nil, errors.New("there is no healthy example")
	}
	return yaml.YAMLToJSON(base)
})

// checkFile judges the healthy example with a merge patch laid over it.
func checkFile(t *testing.T, patch string, args ...string) (code int, out string) {
	t.Helper()
	base, err := healthyJSON()
	if err != nil {
		t.Fatal(err)
	}
	patchJSON, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(base, patchJSON)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot.json")
	if err := os.WriteFile(file, merged, 0o600); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &text, ErrOut: &text}
	code = cli.Main(t.Context(), streams, append([]string{"check", "--no-config", "-f", file}, args...))
	return code, text.String()
}
