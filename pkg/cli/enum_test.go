package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// enums are a flag of each form that enums have.
type enums struct {
	color, output, example string
	show, report           []string
}

func newEnums() (*enums, *cobra.Command) {
	e := &enums{color: "auto"}
	cmd := &cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}
	f := cmd.Flags()
	(&enum{one: &e.color, words: []string{"auto", "never"}, unknown: "unknown value %q for --color"}).addTo(f, "color", "", "Use colors: %s")
	(&enum{one: &e.output, words: []string{"table", "jsonpath"}, assigned: []string{"jsonpath"}, unknown: unknownFormat}).addTo(f, "output", "o", "Output format: %s (default for people)")
	(&enum{one: &e.example, words: []string{"broken", "healthy"}, implied: "any", unknown: "unknown example %q"}).addTo(f, "example", "", "Example: %s")
	(&enum{list: &e.show, words: []string{"failed", "passed", "all"}, unknown: "unknown verdict %q for --show"}).addTo(f, "show", "", "Show: %s")
	formats := []string{"json", "junit", "sarif"}
	(&enum{list: &e.report, words: formats, assigned: formats, unknown: "unknown report format in --report %q; it takes FORMAT=FILE"}).addTo(f, "report", "", "Write: %s")
	return e, cmd
}

func TestEnum(t *testing.T) {
	for line, want := range map[string]enums{
		"":                                 {color: "auto"},
		"--color never":                    {color: "never"},
		"--color never --color=":           {color: "auto"},
		"-o table":                         {color: "auto", output: "table"},
		"-o jsonpath={.a},b":               {color: "auto", output: "jsonpath={.a},b"},
		"--example":                        {color: "auto", example: "any"},
		"--example=healthy":                {color: "auto", example: "healthy"},
		"--show all --show":                {},
		"--show failed,all":                {color: "auto", show: []string{"failed", "all"}},
		"--show failed --show all":         {color: "auto", show: []string{"failed", "all"}},
		"--report json=a,b":                {color: "auto", report: []string{"json=a,b"}},
		"--report json":                    {color: "auto", report: []string{"json"}},
		"--report json=a --report=junit=b": {color: "auto", report: []string{"json=a", "junit=b"}},
	} {
		got, cmd := newEnums()
		err := cmd.ParseFlags(strings.Fields(line))
		if want.color == "" {
			if err == nil {
				t.Errorf("%s: no error", line)
			}
			continue
		}
		if diff := cmp.Diff(want, *got, cmp.AllowUnexported(enums{})); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", line, err, diff)
		}
	}
	for line, want := range map[string][2]string{
		"--color sometimes": {`unknown value "sometimes" for --color`, "use one of: auto, never"},
		"-o jsn":            {`unknown output format "jsn"`, "use one of: table, jsonpath"},
		"-o table=x":        {`unknown output format "table=x"`, "use one of: table, jsonpath"},
		"--example=none":    {`unknown example "none"`, "use one of: broken, healthy"},
		"--show failed,bad": {`unknown verdict "bad" for --show`, "use one of: failed, passed, all"},
		"--show=":           {`unknown verdict "" for --show`, "use one of: failed, passed, all"},
		"--report xml=a":    {`unknown report format in --report "xml=a"; it takes FORMAT=FILE`, "use one of: json, junit, sarif"},
		"--report=":         {`unknown report format in --report ""; it takes FORMAT=FILE`, "use one of: json, junit, sarif"},
	} {
		_, cmd := newEnums()
		var p *problem.Error
		if err := cmd.ParseFlags(strings.Fields(line)); !errors.As(err, &p) || p.Problem != want[0] || p.Next != want[1] {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestEnumHelp: help lists the words, shows a default, and says of which form a value is.
func TestEnumHelp(t *testing.T) {
	_, cmd := newEnums()
	want := `      --color string             Use colors: auto, never (default "auto")
      --example string[="any"]   Example: broken, healthy
  -o, --output string            Output format: table, jsonpath (default for people)
      --report stringArray       Write: json, junit, sarif
      --show strings             Show: failed, passed, all
`
	if diff := cmp.Diff(want, cmd.Flags().FlagUsages()); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
}

func TestEnumCompletes(t *testing.T) {
	_, cmd := newEnums()
	completeValues(cmd, newKubeFlags())
	for _, tt := range []struct {
		flag, typed string
		want        []string
		directive   cobra.ShellCompDirective
	}{
		{"color", "", []string{"auto", "never"}, cobra.ShellCompDirectiveNoFileComp},
		{"output", "J", []string{"jsonpath"}, cobra.ShellCompDirectiveNoFileComp},
		{"example", "h", []string{"healthy"}, cobra.ShellCompDirectiveNoFileComp},
		{"show", "failed,a", []string{"failed,all"}, cobra.ShellCompDirectiveNoFileComp},
		{"report", "j", []string{"json=", "junit="}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace},
		{"report", "json=", nil, cobra.ShellCompDirectiveDefault},
	} {
		complete, ok := cmd.GetFlagCompletionFunc(tt.flag)
		if !ok {
			t.Fatalf("--%s does not complete", tt.flag)
		}
		got, directive := complete(cmd, nil, tt.typed)
		if diff := cmp.Diff(tt.want, got); diff != "" || directive != tt.directive {
			t.Errorf("--%s %s: directive %d %s", tt.flag, tt.typed, directive, diff)
		}
	}
}

// TestEveryEnum: every enum takes each of its words, lists it in its help, and completes
// it; the error about another word says what was typed.
func TestEveryEnum(t *testing.T) {
	found := 0
	for _, cmd := range everyCommand(newRoot()) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			e, ok := f.Value.(*enum)
			if !ok {
				return
			}
			found++
			name := cmd.CommandPath() + " --" + f.Name
			complete, ok := cmd.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Fatalf("%s does not complete", name)
			}
			for _, word := range e.words {
				completed, _ := complete(cmd, nil, word)
				if err := e.Set(word); err != nil || !strings.Contains(f.Usage, word) || !slices.ContainsFunc(completed, func(c string) bool { return strings.TrimSuffix(c, "=") == word }) {
					t.Errorf("%s %s: %v; completed %q; help %q", name, word, err, completed, f.Usage)
				}
			}
			if err := e.Set("no such word"); err == nil || !strings.Contains(err.Error(), `"no such word"`) {
				t.Errorf("%s takes any word: %v", name, err)
			}
			if e.implied != "" && e.Set(e.implied) != nil {
				t.Errorf("%s does not take what it implies", name)
			}
		})
	}
	if found < 15 {
		t.Errorf("found only %d", found)
	}
}
