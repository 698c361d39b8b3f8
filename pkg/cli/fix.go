package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/apply"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// fixOptions is what the fix command was told.
type fixOptions struct {
	streams genericiooptions.IOStreams
	source  factsOptions
	team    teamOptions

	only              []string
	identity, cniRole string
	output, color     string
	apply, yes        bool
	plan, undo        string
	// reviewed is the plan in the file of --plan.
	reviewed     *planner.Plan
	journal      string
	proofTimeout time.Duration
}

var fixFormats = []string{"aws-cli", "terraform", "json"}

// identities are the values of --cni-identity.
var identities = map[string]string{"auto": planner.Auto, "pod-identity": change.PodIdentity, "irsa": change.IRSA}

func newFixCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &fixOptions{streams: streams, source: newFactsOptions(streams, config), team: teamOptions{streams: streams}}
	cmd := &cobra.Command{
		Use:   "fix",
		Short: "Repair what check finds, in a safe order",
		Long: `Repair the errors and warnings of check, in ordered steps. Each step has its
commands, the proof that it worked, and the commands that undo it. What no step
repairs is listed with the reason, for you to repair manually: an explicit Deny or a
permissions boundary is a decision of your organization. What the team configuration excepts, or
the baseline has, is not repaired.

Without --apply, fix shows the plan and changes nothing. With it, each step is
applied when its requirements are met, and the next step only when this one is
proven. fix reads the current state again before it changes it, and a step stops if
that is not as planned. The next run finishes an interrupted run. A journal records
every change, and --undo undoes them.

--cni-identity gives aws-node a separate role if it has none: it creates the role,
configures and restarts aws-node, and detaches the CNI policy from the node role only
when every pod uses the new role.

Exit code 0: nothing to repair, a plan, or all steps applied; 1: a requirement or a
proof is not met, or a plan no longer fits; 2: wrong usage; 3: facts could not be
read, or a step could not be applied.`,
		Example: `  # What to do about the cluster of the current context
  kubectl noderole fix

  # Apply the plan, after confirmation
  kubectl noderole fix --apply

  # Only what prevents image pulls
  kubectl noderole fix --only NR202 --apply

  # Move the CNI policy to a separate role for aws-node
  kubectl noderole fix --cni-identity auto --apply

  # Have a plan reviewed, and apply that plan
  kubectl noderole fix -o json > plan.json
  kubectl noderole fix --plan plan.json --apply --yes

  # Undo a run
  kubectl noderole fix --undo JOURNAL --apply

  # As a shell script, from facts that were saved earlier
  kubectl noderole fix -f prod.yaml -o aws-cli

  # See the plan for a broken cluster
  kubectl noderole fix --example=broken`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			return o.source.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionPlan, func() {
		f.StringSliceVar(&o.only, "only", nil, "Repair only what these rules found, by ID, repeatable or with commas; also with severity info")
		(&enum{one: &o.identity, words: []string{"pod-identity", "irsa", "auto"}, unknown: "unknown value %q for --cni-identity"}).
			addTo(f, "cni-identity", "", "Create a separate role for aws-node if it has none, with EKS Pod Identity, IRSA, or what fits the cluster: %s")
		f.StringVar(&o.cniRole, "cni-role", "", "Name of that role (default CLUSTER-aws-node)")
		f.StringVar(&o.plan, "plan", "", "Read the plan from this file, which -o json wrote")
		f.StringVar(&o.undo, "undo", "", "Undo the changes in this journal")
	})
	inSection(f, sectionApply, func() {
		f.BoolVar(&o.apply, "apply", false, "Apply the plan after confirmation")
		f.BoolVar(&o.yes, "yes", false, "Apply the plan without confirmation")
		f.StringVar(&o.journal, "journal", "", "Journal file (default in the user's state folder)")
		f.DurationVar(&o.proofTimeout, "proof-timeout", 2*time.Minute, "How long to wait for the proof of a step")
	})
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: fixFormats, unknown: unknownFormat}).addTo(f, "output", "o", "Print the plan in this format: %s (default for people)")
		addColorFlag(f, &o.color)
	})
	o.source.addFlags(f)
	f.Lookup("timeout").DefValue += ", with --apply " + applyTimeout.String()
	o.team.addFlags(f)
	return cmd
}

func (o *fixOptions) complete(cmd *cobra.Command) error {
	if err := completeRules(o.only, rules.Docs, "such as NR202; check prints the ids"); err != nil {
		return err
	}
	if o.cniRole != "" && !roleName().MatchString(o.cniRole) {
		return usage("1 to 64 letters, digits and _+=,.@-", "--cni-role %q is not a role name", o.cniRole)
	}
	changed := func(names ...string) (name string) {
		for _, n := range names {
			if f := cmd.Flags().Lookup(n); f.Changed && (f.Value.Type() != "bool" || f.Value.String() == "true") {
				return n
			}
		}
		return ""
	}
	saved := changed("filename", "example")
	for _, not := range []struct{ flag, with, why string }{
		{saved, changed("apply", "plan", "undo"), "fix cannot change saved facts"},
		{changed("plan"), changed("only", "cni-identity", "cni-role", "undo"), "the plan lists what to repair"},
		{changed("undo"), changed("only", "cni-identity", "cni-role"), "the journal lists what to undo"},
		{changed("output"), changed("apply"), "--output prints the plan, --apply applies it"},
	} {
		if not.flag != "" && not.with != "" {
			return usage("leave one of them out: "+not.why, "--%s and --%s exclude each other", not.flag, not.with)
		}
	}
	if name := changed("yes", "journal", "proof-timeout"); name != "" && !o.apply {
		return usage("add --apply, or leave it out", "--%s needs --apply", name)
	}
	if o.apply && changed("timeout") == "" {
		o.source.live.timeout = timeout(applyTimeout)
	}
	if err := o.team.complete(cmd.Context()); err != nil {
		return err
	}
	if err := o.readFiles(cmd.Context()); err != nil {
		return err
	}
	return o.source.complete(cmd)
}

// readFiles reads the plan and looks at the journal, before anything is asked of a
// cluster.
func (o *fixOptions) readFiles(ctx context.Context) (err error) {
	if o.undo != "" {
		return apply.CheckJournal(ctx, o.undo, stateDir())
	}
	if o.plan != "" {
		o.reviewed, err = readPlan(ctx, o.plan)
	}
	return err
}

// completeRules writes the ids of --only as the rules do, and refuses others; next is what
// the user does then.
func completeRules(ids []string, docs func() []finding.RuleDoc, next string) error {
	if len(ids) == 0 {
		return nil
	}
	all := docs()
	for i, id := range ids {
		ids[i] = strings.ToUpper(id)
		if !slices.ContainsFunc(all, func(d finding.RuleDoc) bool { return d.ID == ids[i] }) {
			return usage(next, "--only %q is not a rule", id)
		}
	}
	return nil
}

func (o *fixOptions) run(ctx context.Context) error {
	if o.source.saved() {
		facts, _, err := o.source.read(ctx)
		if err != nil {
			return err
		}
		plan, err := o.newPlan(view.New(facts))
		if err != nil {
			return err
		}
		if err := o.print(plan); err != nil {
			return err
		}
		return incomplete(facts)
	}
	f, err := o.open(ctx)
	if err != nil {
		return err
	}
	if o.apply {
		return f.apply(ctx)
	}
	return f.showPlan(ctx)
}

// newPlan plans what is found and not excepted.
func (o *fixOptions) newPlan(v *view.View) (*planner.Plan, error) {
	options := rules.Options{}
	options.Severities, options.Off = o.team.policy.Overrides()
	report := rules.Judge(v, options)
	if err := o.team.apply(report, time.Now(), false); err != nil {
		return nil, err
	}
	return planner.New(v, report.Results, planner.Options{Only: o.only, Identity: identities[o.identity], Role: o.cniRole}), nil
}

// print writes the plan. Every command in it acts on the cluster of the plan.
func (o *fixOptions) print(plan *planner.Plan) error {
	around := o.source.around(plan.Cluster)
	for _, m := range plan.Manual {
		finding.MapCommands(m.Next, around.complete)
	}
	var err error
	switch o.output {
	case "json":
		err = printJSONPlan(o.streams.Out, plan, around.complete)
	case "aws-cli":
		_, err = io.WriteString(o.streams.Out, export.Script(plan, around.live().complete))
	case "terraform":
		_, err = io.WriteString(o.streams.Out, export.PlanTerraform(plan, around.complete))
	default:
		err = printPlan(o.streams, plan, o.apply, o.color, around.complete)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// printJSONPlan writes the plan as JSON, with the commands of each step.
func printJSONPlan(w io.Writer, plan *planner.Plan, complete export.Complete) error {
	readable := *plan
	readable.Steps = slices.Clone(plan.Steps)
	for i, s := range readable.Steps {
		readable.Steps[i].Commands = commandsOf(s.Changes, complete)
	}
	return print.JSON(w, readable)
}

// commandsOf are the commands of changes, or why there is none.
func commandsOf(changes []change.Change, complete export.Complete) []finding.Next {
	var list []finding.Next
	for _, c := range changes {
		for _, cmd := range c.Commands() {
			list = append(list, finding.Run(cmd.Map(complete)))
		}
		if why := c.NoCommand(); why != "" {
			list = append(list, finding.Advise("no command for "+c.String()+": "+why))
		}
	}
	return list
}
