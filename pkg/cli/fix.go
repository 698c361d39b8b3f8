package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/remedy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// fixOptions is what the fix command was told.
type fixOptions struct {
	streams genericiooptions.IOStreams
	source  factsOptions

	only   []string
	output string
}

var fixFormats = []string{"aws-cli", "json"}

func newFixCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &fixOptions{streams: streams, source: newFactsOptions(streams, config)}
	cmd := &cobra.Command{
		Use:   "fix",
		Short: "Plan the repair of what check finds",
		Long: `Plan the repair of what check finds as errors and warnings: ordered steps, each
with the AWS CLI commands that make it, what proves that it worked, and what takes
it back. What no step repairs is listed with the reason why it is left to you: an
explicit Deny or a permissions boundary is somebody's decision.

Nothing is changed: fix shows the commands, and you run them.
Exit code 0: nothing to repair, or a plan; 2: wrong use; 3: some facts could not be
read, so that the plan may lack steps.`,
		Example: `  # What to do about the cluster of the current context
  kubectl noderole fix

  # Only what keeps images from being pulled
  kubectl noderole fix --only NR202

  # As a shell script, from facts that were saved earlier
  kubectl noderole fix -f prod.yaml -o aws-cli

  # See the plan for a broken cluster
  kubectl noderole fix --example=broken`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.only, "only", nil, "Repair only what these rules found, by id, also where it is no more than information")
	f.StringVarP(&o.output, "output", "o", "", "Output format: "+strings.Join(fixFormats, ", ")+" (default for people)")
	o.source.addFlags(f)
	offer(cmd, "output", fixFormats...)
	return cmd
}

func (o *fixOptions) complete(cmd *cobra.Command) error {
	if o.output != "" && !slices.Contains(fixFormats, o.output) {
		return usage("use one of "+strings.Join(fixFormats, ", "), "--output %q is no format", o.output)
	}
	for i, id := range o.only {
		o.only[i] = strings.ToUpper(id)
		if !slices.ContainsFunc(rules.All(), func(r rules.Rule) bool { return r.ID == o.only[i] }) {
			return usage("such as NR202; check prints the ids", "--only %q is no rule", id)
		}
	}
	return o.source.complete(cmd)
}

func (o *fixOptions) run(ctx context.Context) error {
	facts, _, err := o.source.read(ctx)
	if err != nil {
		return err
	}
	report := rules.Judge(facts, rules.Options{})
	plan := remedy.New(view.New(facts), report.Results, o.only)
	switch o.output {
	case "json":
		encoder := json.NewEncoder(o.streams.Out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(plan)
	case "aws-cli":
		err = printScript(o.streams.Out, plan)
	default:
		err = printPlan(o.streams.Out, plan)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return incomplete(facts)
}

// printScript writes the plan as a shell script; what is left to people stands in
// it as comments.
func printScript(out io.Writer, p *remedy.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\n# Repairs %s. Stops at the first error; read it before you run it.\nset -eu\n", p.Cluster)
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "\n# %d. %s (%s)\n", i+1, s.Title, strings.Join(s.Rules, ", "))
		if s.Note != "" {
			fmt.Fprintf(&b, "# %s\n", s.Note)
		}
		for _, c := range s.Changes {
			fmt.Fprintln(&b, c.Command())
		}
		fmt.Fprintf(&b, "# proof: %s\n", s.Proof)
	}
	for _, m := range p.Manual {
		fmt.Fprintf(&b, "\n# left to you: %s %s\n#   %s\n", m.Rule, m.Message, m.Why)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printPlan writes the plan for people.
func printPlan(out io.Writer, p *remedy.Plan) error {
	var b strings.Builder
	cluster := snapshot.NameOf(p.Cluster)
	switch {
	case len(p.Steps) > 0:
		fmt.Fprintf(&b, "%s for %s, in this order (nothing is changed by fix):\n", counted(len(p.Steps), "step"), cluster)
	case len(p.Manual) > 0:
		fmt.Fprintf(&b, "no step repairs what check found in %s\n", cluster)
	default:
		fmt.Fprintf(&b, "nothing to repair in %s\n", cluster)
	}
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "\n%2d  %s  (%s)\n", i+1, s.Title, strings.Join(s.Rules, ", "))
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "    %s\n", c.Command())
		}
		fmt.Fprintf(&b, "    proof  %s\n", s.Proof)
		if s.Note != "" {
			fmt.Fprintf(&b, "    note   %s\n", s.Note)
		}
		for _, c := range slices.Backward(s.Changes) {
			fmt.Fprintf(&b, "    undo   %s\n", c.Invert().Command())
		}
	}
	if len(p.Manual) > 0 {
		fmt.Fprintf(&b, "\nleft to you:\n")
	}
	for _, m := range p.Manual {
		fmt.Fprintf(&b, "\n %s  %s\n        %s\n", m.Rule, m.Message, m.Why)
		for _, n := range m.Next {
			fmt.Fprintf(&b, "        -> %s\n", n)
		}
	}
	if len(p.Steps) > 0 {
		fmt.Fprintf(&b, "\nthen: kubectl noderole check\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}
