package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"
)

func everyCommand(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		list = append(list, everyCommand(sub)...)
	}
	return list
}

func newRoot() *cobra.Command {
	return NewCommand(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}})
}

// TestHelpConventions holds kubectl's conventions for help:
// https://github.com/kubernetes/community/blob/main/contributors/devel/sig-cli/kubectl-conventions.md
func TestHelpConventions(t *testing.T) {
	for _, cmd := range everyCommand(newRoot()) {
		sentence(t, cmd.CommandPath(), cmd.Short)
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" { // cobra's
				sentence(t, cmd.CommandPath()+" --"+f.Name, f.Usage)
			}
			// What lists the values that a flag takes refuses others.
			if _, ok := f.Value.(*enum); !ok && listsWords.MatchString(f.Usage) {
				t.Errorf("%s --%s lists words and is no enum: %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
		if cmd.HasSubCommands() || cmd.Hidden {
			continue
		}
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, line := range strings.Split(strings.ReplaceAll(cmd.Example, "\\\n", ""), "\n") {
			switch text, indented := strings.CutPrefix(line, "  "); {
			case line == "":
			case !indented, strings.HasPrefix(text, "$"):
				t.Errorf("%s: an example is indented by two spaces and has no prompt: %q", cmd.CommandPath(), line)
			case strings.HasPrefix(text, "# "):
			case !strings.Contains(text, "noderole"):
				t.Errorf("%s: %q is no example of this program", cmd.CommandPath(), line)
			}
		}
		for _, line := range commandsIn(cmd.Example) {
			if err := parses(line); err != nil {
				t.Errorf("%s: the example %q: %s", cmd.CommandPath(), line, err)
			}
		}
	}
}

// listsWords is help that lists words after a colon or with "or".
var listsWords = regexp.MustCompile(`: [\w.-]+(, [\w.-]+)*( or [\w.-]+)?( \([^()]*\))?$`)

// sentence begins with a capital letter and ends without a period.
func sentence(t *testing.T, what, text string) {
	t.Helper()
	if text == "" || !unicode.IsUpper([]rune(text)[0]) || strings.HasSuffix(text, ".") {
		t.Errorf("%s begins with a small letter or ends with a period: %q", what, text)
	}
}

// TestDocsParse: every command of this program in the documentation is one that it
// takes, with flags that it has and values that it knows.
func TestDocsParse(t *testing.T) {
	commands := 0
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandsIn(string(text)) {
			commands++
			if err := parses(line); err != nil {
				t.Errorf("%s: %q: %s", file, line, err)
			}
		}
	}
	if commands < 50 {
		t.Errorf("found only %d commands", commands)
	}
}

// TestContainerArguments: what the containers of deploy and of the examples in the
// documentation run is what the program takes.
func TestContainerArguments(t *testing.T) {
	texts := map[string][]string{}
	for _, language := range []string{"yaml", "json"} {
		for file, found := range blocks(t, language) {
			texts[file] = append(texts[file], found...)
		}
	}
	manifests, err := filepath.Glob(filepath.Join("..", "..", "deploy", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range manifests {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = strings.Split(string(text), "\n---\n")
	}
	ran := map[string]int{}
	for file, list := range texts {
		for _, text := range list {
			var value any
			if err := yaml.Unmarshal([]byte(text), &value); err != nil {
				continue // a part of a file, such as one with two documents
			}
			for _, args := range argumentsIn(value) {
				ran[filepath.Base(file)]++
				root := newRoot()
				cmd, rest, err := root.Find(args)
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: %q: %s", file, args, err)
				}
			}
		}
	}
	for file, least := range map[string]int{"in-cluster.md": 4, "cronjob.yaml": 1, "snapshot.yaml": 1, "check.yaml": 1, "prune.yaml": 1} {
		if ran[file] < least {
			t.Errorf("%s: found %d containers that run the program, want %d", file, ran[file], least)
		}
	}
}

// argumentsIn returns the lists of words in a value that are the arguments of this program:
// lists, and calls of States.Array, the function of Step Functions.
func argumentsIn(value any) (found [][]string) {
	command := func(words []string) {
		if len(words) > 1 && (words[0] == "check" || words[0] == "snapshot") {
			found = append(found, words)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			found = append(found, argumentsIn(v)...)
		}
	case []any:
		var words []string
		for _, v := range value {
			found = append(found, argumentsIn(v)...)
			if word, ok := v.(string); ok {
				words = append(words, word)
			}
		}
		command(words)
	case string:
		if !strings.HasPrefix(value, "States.Array(") {
			break
		}
		var words []string
		for _, m := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(value, -1) {
			words = append(words, m[1])
		}
		command(words)
	}
	return found
}

// documents are the project's Markdown files.
func documents(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []string
	for _, dir := range []string{root, filepath.Join(root, "docs")} {
		list, err := filepath.Glob(filepath.Join(dir, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, _ fs.DirEntry, err error) error {
		if name := filepath.Join(root, path); err == nil && strings.HasSuffix(path, ".md") && !slices.Contains(files, name) {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// commandsIn returns the commands of this program in a text: in shell lines, in
// steps of CI, and between backquotes. A line that ends in a backslash goes on.
func commandsIn(text string) []string {
	const name = "kubectl noderole "
	var commands []string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if before, _, ok := strings.Cut(line, name); ok && !strings.Contains(before, "`") && !strings.Contains(before, "#") && startsCommand(before) {
			commands = append(commands, line[len(before):])
			continue
		}
		for i, span := range strings.Split(line, "`") {
			if i%2 == 1 && strings.HasPrefix(span, name) {
				commands = append(commands, span)
			}
		}
	}
	return commands
}

// startsCommand reports whether a command can begin after this part of a line: at
// its start, or after what begins a step, a prompt or a part of a pipe.
func startsCommand(before string) bool {
	before = strings.TrimSpace(before)
	return before == "" || slices.ContainsFunc([]string{"$", "run:", "-", "|", "&&", "||", ";", "if"}, func(s string) bool { return strings.HasSuffix(before, s) })
}

// parses reports why the program would not take a command; the command ends where
// the shell's own signs begin.
func parses(line string) error {
	words, err := shellWords(line)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "[") || strings.HasPrefix(w, "(") || w == "…" }) {
		return nil // the form of a command, not a command
	}
	root := newRoot()
	cmd, rest, err := root.Find(words[2:])
	switch {
	case err != nil:
		return err
	case cmd == root && !slices.Equal(rest, []string{"--help"}):
		return fmt.Errorf("there is no command %q", rest)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	args := cmd.Flags().Args()
	if err := cmd.ValidateArgs(args); err != nil {
		return err
	}
	for _, arg := range args {
		if len(cmd.ValidArgs) > 0 && !slices.Contains(cmd.ValidArgs, arg) {
			return fmt.Errorf("%s does not take %q", cmd.CommandPath(), arg)
		}
	}
	if cmd.Name() == "explain" && !slices.Equal(args, []string{"RULE"}) {
		if _, err := findRules(allRules(), args); err != nil {
			return err
		}
	}
	return nil
}

// shellWords splits a command as a shell does, up to the first sign that ends it.
func shellWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case unicode.IsSpace(r):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		case strings.ContainsRune("|&;<>)", r), r == '#' && !inWord:
			if inWord && !strings.ContainsRune("<>", r) { // 2> is a stream
				words = append(words, word.String())
			}
			return words, nil
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

func TestShellWords(t *testing.T) {
	for line, want := range map[string][]string{
		`a  b`:                    {"a", "b"},
		`a 'b c' "d e"f`:          {"a", "b c", "d ef"},
		`a b | c`:                 {"a", "b"},
		`a b > file`:              {"a", "b"},
		`a b 2>/dev/null`:         {"a", "b"},
		`a b# c # d`:              {"a", "b#", "c"},
		`a b;c`:                   {"a", "b"},
		`a '{.results[?(@.id)]}'`: {"a", "{.results[?(@.id)]}"},
	} {
		got, err := shellWords(line)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
	for _, bad := range []string{"kubectl noderole chekc", "kubectl noderole check --no-such-flag", "kubectl noderole check -o nothing", "kubectl noderole policy nothing", "kubectl noderole explain NR999", "kubectl noderole check prod", "kubectl noderole check 'x"} {
		if parses(bad) == nil {
			t.Errorf("%q is taken for a command", bad)
		}
	}
}
