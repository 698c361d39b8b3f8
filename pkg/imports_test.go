// Package pkg_test holds the table of who may import whom.
package pkg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kubectl-noderole/kubectl-noderole/"

// mayImport is the table of docs/architecture.md: the packages of ours that a
// package may import directly. "all" is any.
var mayImport = map[string][]string{
	"cmd/kubectl-noderole":   {"pkg/cli"},
	"examples":               {},
	"examples/policycheck":   {"pkg/iampolicy"},
	"internal/docgen":        {"pkg/rules", "pkg/fleetrules", "pkg/cli", "pkg/diff", "pkg/snapshot", "pkg/finding", "pkg/fleet", "pkg/need", "pkg/print", "pkg/teampolicy", "pkg/usage"},
	"internal/krew":          {},
	"internal/linkgen":       {},
	"internal/site":          {},
	"pkg/apply":              {"pkg/change", "pkg/files", "pkg/finding", "pkg/planner", "pkg/problem", "pkg/snapshot", "pkg/view"},
	"pkg/awsauth":            {"pkg/files"},
	"pkg/candidate":          {"pkg/finding", "pkg/snapshot", "pkg/view", "pkg/need"},
	"pkg/change":             {"pkg/command", "pkg/iampolicy", "pkg/text"},
	"pkg/cli":                {"all"},
	"pkg/collect":            {"pkg/awsauth", "pkg/problem", "pkg/snapshot", "pkg/locate", "pkg/text"},
	"pkg/collect/aws":        {"pkg/change", "pkg/collect", "pkg/command", "pkg/files", "pkg/problem", "pkg/snapshot", "pkg/locate", "pkg/trace"},
	"pkg/collect/kube":       {"pkg/awsauth", "pkg/change", "pkg/collect", "pkg/command", "pkg/problem", "pkg/snapshot", "pkg/text", "pkg/trace"},
	"pkg/command":            {"pkg/text"},
	"pkg/diff":               {"pkg/awsauth", "pkg/finding", "pkg/iampolicy", "pkg/snapshot", "pkg/text"},
	"pkg/export":             {"pkg/change", "pkg/command", "pkg/need", "pkg/newrole", "pkg/planner", "pkg/snapshot", "pkg/text"},
	"pkg/files":              {},
	"pkg/finding":            {"pkg/command"},
	"pkg/fleet":              {"pkg/files", "pkg/problem", "pkg/snapshot", "pkg/text"},
	"pkg/fleetrules":         {"pkg/command", "pkg/finding", "pkg/need", "pkg/rules", "pkg/snapshot", "pkg/text", "pkg/view"},
	"pkg/fleet/live":         {"pkg/collect", "pkg/collect/aws", "pkg/collect/kube", "pkg/fleet", "pkg/locate", "pkg/problem", "pkg/snapshot", "pkg/trace"},
	"pkg/iac":                {"pkg/awsauth", "pkg/files", "pkg/managed", "pkg/problem", "pkg/snapshot", "pkg/text"},
	"pkg/iac/cloudformation": {"pkg/files", "pkg/iac", "pkg/iac/manifests", "pkg/locate", "pkg/problem", "pkg/snapshot", "pkg/text"},
	"pkg/iac/manifests":      {"pkg/files", "pkg/iac", "pkg/problem"},
	"pkg/iac/terraform":      {"pkg/files", "pkg/iac", "pkg/iac/manifests", "pkg/locate", "pkg/problem", "pkg/snapshot", "pkg/text"},
	"pkg/iampolicy":          {},
	"pkg/locate":             {"pkg/command", "pkg/problem", "pkg/text"},
	"pkg/managed":            {"pkg/snapshot"},
	"pkg/need":               {"pkg/iampolicy", "pkg/text"},
	"pkg/newrole":            {"pkg/change", "pkg/iampolicy", "pkg/need", "pkg/snapshot"},
	"pkg/planner":            {"pkg/awsauth", "pkg/change", "pkg/command", "pkg/files", "pkg/finding", "pkg/need", "pkg/newrole", "pkg/snapshot", "pkg/text", "pkg/view"},
	"pkg/print":              {"pkg/command", "pkg/diff", "pkg/finding", "pkg/text"},
	"pkg/problem":            {},
	"pkg/rules":              {"pkg/command", "pkg/view", "pkg/snapshot", "pkg/finding", "pkg/need", "pkg/iampolicy", "pkg/text"},
	"pkg/snapshot":           {"pkg/files", "pkg/text"},
	"pkg/text":               {},
	"pkg/trace":              {},
	"pkg/teampolicy":         {"pkg/files", "pkg/finding"},
	"pkg/usage":              {"pkg/finding", "pkg/iampolicy", "pkg/need", "pkg/snapshot", "pkg/text", "pkg/view"},
	"pkg/view":               {"pkg/awsauth", "pkg/snapshot", "pkg/iampolicy", "pkg/need", "pkg/text"},
	"test/fleetsim":          {},
	"test/hostile":           {},
	"test/script":            {},
}

// pure packages reach neither the network, the environment nor a clock.
var pure = []string{"pkg/snapshot", "pkg/iampolicy", "pkg/need", "pkg/view", "pkg/rules", "pkg/fleetrules", "pkg/finding", "pkg/print", "pkg/candidate", "pkg/change", "pkg/command", "pkg/diff", "pkg/export", "pkg/newrole", "pkg/planner", "pkg/text", "pkg/awsauth", "pkg/teampolicy", "pkg/problem", "pkg/usage", "pkg/iac", "pkg/managed"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportTable(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "pkg" {
			continue // this test
		}
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("%s is not in the table: add it here and to docs/architecture.md", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, ok := strings.CutPrefix(imported, module)
			if ok && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "all") {
				t.Errorf("%s imports %s, which the table does not allow", name, ours)
			}
		}
		for _, ours := range allowed {
			if ours != "all" && !slices.Contains(p.Imports, module+ours) {
				t.Errorf("%s does not import %s: remove it from the table and from docs/architecture.md", name, ours)
			}
		}
	}
}

// TestImportTableIsDocumented: docs/architecture.md has a row for each package, with the same
// imports.
func TestImportTableIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	code := regexp.MustCompile("`([^`]+)`")
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*\\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		imports := []string{}
		for _, name := range code.FindAllStringSubmatch(m[2], -1) {
			imports = append(imports, name[1])
		}
		if m[2] == "all" {
			imports = []string{"all"}
		}
		slices.Sort(imports)
		rows[m[1]] = imports
	}
	for name, allowed := range mayImport {
		want := []string{}
		for _, ours := range allowed {
			want = append(want, strings.TrimPrefix(ours, "pkg/"))
		}
		slices.Sort(want)
		if name == "cmd/kubectl-noderole" {
			want = allowed
		}
		if row, ok := rows[name]; !ok || !slices.Equal(row, want) {
			t.Errorf("the row of %s in docs/architecture.md has %q, the table %q", name, row, want)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !slices.Contains(pure, name) {
			continue
		}
		for _, imported := range p.Imports {
			switch {
			case strings.HasPrefix(imported, "net/http"), strings.HasPrefix(imported, "github.com/aws/"), strings.HasPrefix(imported, "k8s.io/client-go"):
				t.Errorf("%s imports %s; what judges facts reads none", name, imported)
			}
		}
	}
}

func list(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < len(mayImport) {
		t.Fatalf("go list found %d packages, the table has %d", len(packages), len(mayImport))
	}
	return packages
}
