package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
)

// blocks returns the texts between ```LANGUAGE and ``` in the project's Markdown
// files, by file.
func blocks(t *testing.T, language string) map[string][]string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	found := map[string][]string{}
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range fence.FindAllStringSubmatch(string(text), -1) {
			found[file] = append(found[file], match[1])
		}
	}
	return found
}

// TestDocsOutput runs the commands of the console blocks and holds that what is
// quoted below them is printed, in that order; "..." stands for what is left out.
// Lines may be broken elsewhere.
func TestDocsOutput(t *testing.T) {
	ran := 0
	for file, texts := range blocks(t, "console") {
		for _, text := range texts {
			command, quoted, _ := strings.Cut(text, "\n")
			words, err := shellWords(strings.TrimPrefix(command, "$ "))
			if err != nil {
				t.Fatalf("%s: %s: %v", file, command, err)
			}
			var out bytes.Buffer
			streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &out}
			if code := Main(t.Context(), streams, words[2:]); code == ExitUsage {
				t.Fatalf("%s: %s: %s", file, command, out.String())
			}
			ran++
			rest := oneLine(out.String())
			for _, part := range strings.Split(quoted, "\n...\n") {
				_, after, ok := strings.Cut(rest, oneLine(part))
				if !ok {
					t.Errorf("%s: %s does not print\n%s\nafter what is quoted before; it prints\n%s", file, command, part, out.String())
					break
				}
				rest = after
			}
		}
	}
	if ran == 0 {
		t.Error("no console block was found")
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestDocsConfig: the team's policies in the documentation are taken.
func TestDocsConfig(t *testing.T) {
	var ids []string
	for _, r := range rules.All() {
		ids = append(ids, r.ID)
	}
	parsed := 0
	for file, texts := range blocks(t, "yaml") {
		for _, text := range texts {
			if !strings.Contains(text, "kind: "+teampolicy.Kind+"\n") {
				continue
			}
			parsed++
			if _, err := teampolicy.Parse(file, []byte(text), ids); err != nil {
				t.Error(err)
			}
		}
	}
	if parsed == 0 {
		t.Error("no team configuration was found")
	}
}

// TestDocsLinks: what a page links to in the project is there.
func TestDocsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, match[1], err)
			}
		}
	}
}
