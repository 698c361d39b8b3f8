package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	roleusage "github.com/kubectl-noderole/kubectl-noderole/pkg/usage"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// usageOptions are the options of the usage command.
type usageOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions

	days     int
	policy   bool
	output   string
	jsonYAML jsonYAML
	// role is the role to look at; empty is every role that nodes and aws-node use.
	role string
}

func newUsageCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &usageOptions{streams: streams, live: liveOptions{streams: streams, config: config}, output: "table"}
	cmd := &cobra.Command{
		Use:   "usage [ROLE]",
		Short: "Compare what a role is granted with what is needed and used",
		Long: `Compare what a role is granted with what nodes need, and with IAM's last accessed
information. Without ROLE, usage looks at the roles of nodes and of aws-node. ROLE is
a name or an ARN.

  missing    a node needs it, and the role does not have it
  unused     granted, not used in --days days, and not needed
  untracked  granted and not needed; IAM does not track it
  used       granted and used in these days; no node needs it
  needed     granted and needed

What nodes need only sometimes is needed, even if it was never used: pulls from a new
registry, credentials for EKS Pod Identity. IAM tracks management actions of many
services, not every action. An action that IAM does not track is never unused.

--policy prints one policy that grants what all policies of ROLE grant, without the
unused actions. It is printed only if no answer about another action and no verdict
of check gets worse. usage changes nothing; it requests a report from IAM.

Exit code 0: success; 2: wrong usage; 3: some facts could not be read.`,
		Example: `  # What the roles of nodes and aws-node use
  kubectl noderole usage

  # One role, in the last 30 days
  kubectl noderole usage eksNodeRole --days 30

  # A smaller policy for it
  kubectl noderole usage eksNodeRole --policy > smaller.json

  # Every action, for a program
  kubectl noderole usage eksNodeRole -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneArg(cmd, args, "one role", "kubectl noderole usage ROLE")
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			facts := factsOptions{streams: streams, live: o.live}
			return starting(typed, facts.completeRoles(cmd.Context())), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.role = args[0]
			}
			if err := o.complete(cmd); err != nil {
				return err
			}
			return o.live.timeout.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionResults, func() {
		f.IntVar(&o.days, "days", roleusage.DefaultDays, fmt.Sprintf("Days without use that make an action unused, up to the %d that IAM keeps", roleusage.MaxDays))
	})
	inSection(f, sectionOutput, func() {
		f.BoolVar(&o.policy, "policy", false, "Print a policy for ROLE without the unused actions")
		(&enum{one: &o.output, words: slices.Concat([]string{"table"}, o.jsonYAML.AllowedFormats()), unknown: unknownFormat}).
			addTo(f, "output", "o", "Output format: %s")
	})
	o.live.addFlags(f)
	return cmd
}

// complete checks what the flags say.
func (o *usageOptions) complete(cmd *cobra.Command) error {
	switch {
	case o.days < 1 || o.days > roleusage.MaxDays:
		return usage("IAM keeps "+fmt.Sprint(roleusage.MaxDays)+" days", "--days %d is not between 1 and %d", o.days, roleusage.MaxDays)
	case o.policy && o.role == "":
		return usage("kubectl noderole usage ROLE --policy", "--policy needs a role")
	case o.policy && cmd.Flags().Changed("output"):
		return usage("leave one of them out", "--policy prints a policy document and takes no --output")
	}
	return nil
}

// run reads the cluster and the use of its roles, and prints.
func (o *usageOptions) run(ctx context.Context) error {
	connection, err := o.live.open(ctx)
	if err != nil {
		return err
	}
	facts, err := connection.read(ctx)
	if err != nil {
		return err
	}
	v := view.New(facts)
	roles := roleusage.Roles(v)
	if o.role != "" {
		role, ok := v.FindRole(o.role)
		if !ok || !slices.Contains(roles, role.ARN) {
			return usage("the roles are "+strings.Join(namesOf(roles), ", "), "no role of nodes or aws-node is named %q, or several are", o.role)
		}
		roles = []string{role.ARN}
	}
	progress, done := o.live.progress()
	used, missing, err := collect.ReadUsage(ctx, connection.cloud, roles, progress)
	done()
	if err != nil {
		return unread(err)
	}
	list := &roleusage.List{Header: finding.Header{APIVersion: finding.APIVersion, Kind: roleusage.Kind}, Cluster: facts.Cluster.ARN, Days: o.days, Items: []roleusage.Role{}, Missing: slices.Concat(facts.Missing, missing)}
	for _, arn := range roles {
		if report, ok := used[arn]; ok {
			list.Items = append(list.Items, roleusage.Of(v, arn, report, o.days))
		}
	}
	switch {
	case !o.policy:
		return o.print(list)
	case len(list.Items) == 0:
		return unread(errors.New("there is no smaller policy: " + missing[0].Operation + ": " + missing[0].Error))
	default:
		return o.printPolicy(v, list.Items[0])
	}
}

func namesOf(arns []string) []string {
	var names []string
	for _, arn := range arns {
		names = append(names, snapshot.NameOf(arn))
	}
	return names
}

// printPolicy prints the smaller policy of a role, unless a verdict would get worse.
func (o *usageOptions) printPolicy(v *view.View, role roleusage.Role) error {
	smaller, err := roleusage.Policy(v, role)
	if err != nil {
		return unread(fmt.Errorf("there is no smaller policy: %w", err))
	}
	if err := noWorse(v.Snapshot, smaller.Facts); err != nil {
		return unread(fmt.Errorf("there is no smaller policy: %w", err))
	}
	for _, line := range o.about(role, smaller) {
		for _, l := range print.Wrap(line, print.DefaultWidth) {
			fmt.Fprintln(o.streams.ErrOut, l)
		}
	}
	if err := print.JSON(o.streams.Out, smaller.Document); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	return nil
}

// noWorse judges facts before and after a change.
func noWorse(before, after *snapshot.Snapshot) error {
	judge := func(s *snapshot.Snapshot) *finding.Report { return rules.Judge(view.New(s), rules.Options{}) }
	results := func(s *snapshot.Snapshot, _ []string) []finding.Result {
		return rules.Results(view.New(s), rules.Options{})
	}
	d, err := diff.Compare(diff.Side{Facts: before, Report: judge(before)}, diff.Side{Facts: after, Report: judge(after)}, results)
	if err != nil {
		return err
	}
	if d.Summary.Worse+d.Summary.Unread > 0 {
		return errors.New("with it " + d.Headline())
	}
	return nil
}

// about returns notes about the policy, a line each.
func (o *usageOptions) about(role roleusage.Role, s *roleusage.Smaller) []string {
	lines := []string{fmt.Sprintf("%s: the policy replaces all policies of the role; %s %s left out, which %s not used in %d days",
		role.Name, text.Count(len(s.Removed), "action"), is(len(s.Removed)), was(len(s.Removed)), o.days)}
	if len(s.Removed) == 0 {
		lines[0] = fmt.Sprintf("%s: no action is unused in %d days; the policy grants what the policies of the role grant", role.Name, o.days)
	}
	return append(lines, s.Notes...)
}

func is(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// print writes the list to standard output, and what could not be read to standard error.
func (o *usageOptions) print(l *roleusage.List) error {
	var err error
	if o.output == "table" {
		err = o.printTables(l)
		for _, line := range missingLines(l.Missing) {
			fmt.Fprintln(o.streams.ErrOut, line)
		}
	} else {
		err = o.printMachine(l)
	}
	if err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	if slices.ContainsFunc(l.Missing, func(m snapshot.Missing) bool { return !m.Fact.Optional() }) {
		return codeError{code: ExitIncomplete}
	}
	return nil
}

func (o *usageOptions) printMachine(l *roleusage.List) error {
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if err != nil {
		return err
	}
	return printer.PrintObj(l, o.streams.Out)
}

// maxOfService is how many unused actions of a service have rows of their own.
const maxOfService = 8

// printTables writes a table for each role.
func (o *usageOptions) printTables(l *roleusage.List) error {
	width := cmp.Or(newScreen(o.streams.Out, os.Getenv).width, print.DefaultWidth)
	for i, r := range l.Items {
		if i > 0 {
			fmt.Fprintln(o.streams.Out)
		}
		head := fmt.Sprintf("%s: %s. Last %d days, IAM's report of %s", text.Visible(r.Name), counts(r), l.Days, r.ReportedAt.Format(time.DateOnly))
		var notes []string
		if r.Young {
			notes = append(notes, fmt.Sprintf("%s was created on %s: unused means since then", r.Name, r.CreatedAt.Format(time.DateOnly)))
		}
		if len(r.Patterns) > 0 {
			notes = append(notes, "patterns also grant actions that IAM does not track: "+strings.Join(r.Patterns, ", "))
		}
		for _, u := range r.Unread {
			notes = append(notes, "not read: "+u)
		}
		for _, l := range print.Wrap(head, width) {
			fmt.Fprintln(o.streams.Out, l)
		}
		if err := print.Grid(o.streams.Out, []string{"ACTION", "STATUS", "LAST USED", "WHY"}, usageRows(r), width); err != nil {
			return err
		}
		for _, n := range notes {
			for _, l := range print.Wrap(text.Visible(n), width) {
				fmt.Fprintln(o.streams.Out, l)
			}
		}
	}
	return nil
}

// counts returns how many actions have each status.
func counts(r roleusage.Role) string {
	var parts []string
	for _, s := range roleusage.Statuses {
		if n := r.Count(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing is granted")
}

// usageRows are the actions of a role; many unused actions of a service are one row.
func usageRows(r roleusage.Role) [][]string {
	unused := map[string]int{}
	for _, a := range r.Actions {
		if a.Status == roleusage.Unused {
			unused[serviceOf(a.Name)]++
		}
	}
	var rows [][]string
	counted := map[string]bool{}
	for _, a := range r.Actions {
		service := serviceOf(a.Name)
		if a.Status == roleusage.Unused && unused[service] > maxOfService {
			if !counted[service] {
				counted[service] = true
				rows = append(rows, []string{service, string(a.Status), "", fmt.Sprintf("%d actions; -o json lists them", unused[service])})
			}
			continue
		}
		why := cmp.Or(a.NeededFor, strings.Join(a.GrantedBy, "; "))
		if a.Answer == "depends" {
			why += " (a condition or resource decides)"
		}
		rows = append(rows, []string{a.Name, string(a.Status), lastUsedWord(a), cmp.Or(why, "-")})
	}
	return rows
}

func serviceOf(action string) string {
	service, _, _ := strings.Cut(action, ":")
	return service
}

func lastUsedWord(a roleusage.Action) string {
	switch {
	case !a.Tracked:
		return "untracked"
	case a.LastUsedAt.IsZero():
		return "never"
	default:
		return a.LastUsedAt.Format(time.DateOnly)
	}
}
