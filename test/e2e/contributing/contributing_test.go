// Package contributing runs what CONTRIBUTING.md says.
package contributing

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestContributing takes the steps of "Add a rule" in CONTRIBUTING.md in a copy of the
// work tree: each failure on the way says what to write next, and in the end nothing has
// changed but the rule's file, the list of rules and generated pages.
func TestContributing(t *testing.T) {
	dir := copyOfTree(t)
	page := read(t, filepath.Join(dir, "CONTRIBUTING.md"))
	_, page, _ = strings.Cut(page, "## Add a rule")
	page, _, _ = strings.Cut(page, "\n## ")
	blocks := regexp.MustCompile("(?s)```(go)?\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) != 3 || blocks[1][1] != "go" {
		t.Fatalf("the section has %d blocks of code, not a command, a rule and commands", len(blocks))
	}

	out := step(t, dir, true, strings.Fields(blocks[0][2])...)
	found := regexp.MustCompile(`wrote (pkg/rules/nr(1\d\d)_temporary_role\.go); next: add temporaryRoleRule to All`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("make rule says %q", out)
	}
	file, id := filepath.Join(dir, found[1]), "NR"+found[2]
	step(t, dir, true, "go", "vet", "./pkg/rules")

	if out := step(t, dir, false, "go", "test", "./pkg/rules"); !strings.Contains(out, id+" is not listed: add temporaryRoleRule to All in pkg/rules/rules.go") {
		t.Errorf("the test of a rule that is not listed says\n%s", out)
	}
	list := filepath.Join(dir, "pkg", "rules", "rules.go")
	write(t, list, strings.Replace(read(t, list), "all := []Rule{\n", "all := []Rule{\n\t\ttemporaryRoleRule,\n", 1))

	out = step(t, dir, false, "go", "test", "./pkg/rules")
	for _, field := range []string{"Title", "Why", "Fix"} {
		if !strings.Contains(out, id+" has no "+field) {
			t.Errorf("the test of an empty rule does not say that %s is missing:\n%s", field, out)
		}
	}

	head, _, _ := strings.Cut(read(t, file), "var temporaryRoleRule")
	head = strings.Replace(head, "import (\n", "import (\n\t\"github.com/kubectl-noderole/kubectl-noderole/pkg/command\"\n", 1)
	write(t, file, head+strings.ReplaceAll(blocks[1][2], "NR1NN", id))
	step(t, dir, true, "gofmt", "-l", "-w", file)
	for line := range strings.Lines(blocks[2][2]) {
		step(t, dir, true, strings.Fields(line)...)
	}

	changed := strings.Fields(step(t, dir, true, "git", "status", "--porcelain", "-uall"))
	changed = slices.DeleteFunc(changed, func(s string) bool { return s == "M" || s == "??" })
	for _, name := range changed {
		generated := name == "README.md" || strings.HasPrefix(name, "docs/rules/") || strings.HasPrefix(name, "docs/reference/")
		if name != found[1] && name != "pkg/rules/rules.go" && !generated {
			t.Errorf("a new rule also changes %s", name)
		}
	}
	if !slices.Contains(changed, "docs/rules/"+id+".md") {
		t.Errorf("make generate wrote no page for %s: %v", id, changed)
	}
}

// step runs a command in a folder and returns what it prints. It fails where the
// command does not end as wanted.
func step(t *testing.T, dir string, ok bool, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); (err == nil) != ok {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// copyOfTree returns a repository with the files of the work tree as its only commit.
func copyOfTree(t *testing.T) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.Join("..", "..", "..")
	files := strings.Split(strings.TrimRight(step(t, root, true, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00")
	for _, name := range files {
		info, err := os.Stat(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted in the work tree
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "the work tree"},
	} {
		step(t, dir, true, append([]string{"git"}, args...)...)
	}
	return dir
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
