package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// explainOptions are the options of the explain command.
type explainOptions struct {
	streams  genericiooptions.IOStreams
	output   string
	jsonYAML jsonYAML
}

func newExplainCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &explainOptions{streams: streams, jsonYAML: jsonYAML{}}
	cmd := &cobra.Command{
		Use:   "explain [RULE...]",
		Short: "Explain rules, or list them all",
		Long: `Explain rules: what each checks, what happens if it fails, how to repair it, which
facts it needs, and its sources. A RULE is an ID or a name. Without RULE, explain
lists all rules.`,
		Example: `  # All rules
  kubectl noderole explain

  # One of them, by id or by name
  kubectl noderole explain NR205
  kubectl noderole explain cni-policy-on-node-role

  # As Markdown, for a runbook
  kubectl noderole explain NR205 NR602 -o markdown`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return starting(typed, ruleCompletions(args)), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return o.run(args) },
	}
	(&enum{one: &o.output, words: o.formats(), unknown: unknownFormat}).addTo(cmd.Flags(), "output", "o", "Output format: %s (default for people)")
	return cmd
}

func (o *explainOptions) formats() []string {
	return slices.Concat([]string{"markdown", "name"}, o.jsonYAML.AllowedFormats())
}

func (o *explainOptions) run(args []string) error {
	list := ruleList{Header: finding.Header{APIVersion: finding.APIVersion, Kind: "RuleList"}, Items: allRules()}
	if len(args) > 0 {
		var err error
		if list.Items, err = findRules(list.Items, args); err != nil {
			return err
		}
	}
	if err := o.print(&list, len(args) == 0); err != nil {
		return fmt.Errorf("write the rules: %w", err)
	}
	return nil
}

func (o *explainOptions) print(list *ruleList, all bool) error {
	width := newScreen(o.streams.Out, os.Getenv).width
	switch {
	case o.output == "" && all:
		return print.RuleTable(o.streams.Out, list.Items, width)
	case o.output == "":
		return print.Rules(o.streams.Out, list.Items, width)
	case o.output == "markdown":
		var pages []string
		for _, d := range list.Items {
			pages = append(pages, print.RuleMarkdown(d))
		}
		_, err := fmt.Fprint(o.streams.Out, strings.Join(pages, "\n"))
		return err
	case o.output == "name":
		var err error
		for _, d := range list.Items {
			_, lineErr := fmt.Fprintln(o.streams.Out, d.ID)
			err = errors.Join(err, lineErr)
		}
		return err
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if err != nil {
		return err
	}
	return printer.PrintObj(list, o.streams.Out)
}

// allRules is what every rule says about itself, those about several clusters among them.
func allRules() []finding.RuleDoc { return slices.Concat(rules.Docs(), fleetrules.Docs()) }

// findRules returns the rules that are named, by id or name in any case, each once.
func findRules(docs []finding.RuleDoc, names []string) ([]finding.RuleDoc, error) {
	var found []finding.RuleDoc
	for _, name := range names {
		is := func(d finding.RuleDoc) bool {
			return strings.EqualFold(d.ID, name) || strings.EqualFold(d.Name, name)
		}
		i := slices.IndexFunc(docs, is)
		if i < 0 {
			next := "kubectl noderole explain lists the rules"
			if near := nearestRule(docs, name); near != "" {
				next = "did you mean: kubectl noderole explain " + near
			}
			return nil, usage(next, "unknown rule %q", name)
		}
		if !slices.ContainsFunc(found, is) {
			found = append(found, docs[i])
		}
	}
	return found, nil
}

// nearestRule returns the ID or name of a rule that differs by a typing error,
// by the same measure as the nearest command; or nothing.
func nearestRule(docs []finding.RuleDoc, typed string) string {
	for distance := 1; distance <= max(1, len(typed)/5); distance++ {
		c := &cobra.Command{SuggestionsMinimumDistance: distance}
		for _, d := range docs {
			c.AddCommand(&cobra.Command{Use: d.ID, Run: func(*cobra.Command, []string) {}}, &cobra.Command{Use: d.Name, Run: func(*cobra.Command, []string) {}})
		}
		if near := c.SuggestionsFor(typed); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// ruleCompletions are the rules that are not named yet, each with its title.
func ruleCompletions(named []string) []string {
	var list []string
	for _, d := range allRules() {
		if !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, d.ID) }) {
			list = append(list, cobra.CompletionWithDesc(d.ID, d.Title))
		}
	}
	return list
}

// ruleList is what the printers for machines print.
type ruleList struct {
	finding.Header `json:",inline"`
	Items          []finding.RuleDoc `json:"items"`
}

// DeepCopyObject makes a ruleList printable by the printers of k8s.io/cli-runtime,
// which change nothing of it.
func (l *ruleList) DeepCopyObject() runtime.Object {
	c := *l
	return &c
}
