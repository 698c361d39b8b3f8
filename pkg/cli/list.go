package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/candidate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// listOptions is what the list command was told.
type listOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions

	filter   candidate.Filter
	output   string
	jsonYAML jsonYAML

	// printer is nil for the table and the names.
	printer printers.ResourcePrinter
}

func newListCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &listOptions{
		streams:  streams,
		live:     liveOptions{streams: streams, config: config},
		jsonYAML: jsonYAML{},
	}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the roles of the account that nodes could use",
		Long: `List the roles of the account that nodes could use, with a verdict on each.

list shows a role if its name contains a common name of node roles
(` + strings.Join(candidate.Names, ", ") + `),
if a managed node group or EKS Auto Mode uses it, or if EC2 can assume it and one of
these is true: ` + strings.Join(need.NodePolicies, " or\n") + ` is attached to it, or it has
an instance profile and a permission that nodes need.

The roles are checked for the cluster of the kube context. With --region alone (no
--context, no --cluster-name) they are checked for any cluster in that region, and
list needs neither a kubeconfig nor a cluster. USED BY shows EKS clusters, node
groups and Fargate profiles in that region, and node classes of Karpenter and EKS
Auto Mode in the context's cluster. It does not show self-managed nodes, node classes
of other clusters and other regions; see LAST USED.

TRUST: EC2 can assume it; WORKER: it allows what a node needs to join; ECR: it allows
image pulls; CNI: it has permissions of the VPC CNI. "depends": a condition decides;
"unknown": a fact could not be read.

These commands print the permissions that list needs; the second is for node classes:

  kubectl noderole policy reader
  kubectl noderole policy reader --rbac

Exit code 0: success, even if no role was found; 2: wrong usage; 3: some facts could not
be read.`,
		Example: `  # The candidate node roles for the cluster of the current context
  kubectl noderole list

  # Which roles could a new node group use unchanged?
  kubectl noderole list --fit -o name

  # Without a cluster, with dates and uses
  kubectl noderole list --region eu-west-1 -o wide

  # Node roles that are no longer used
  kubectl noderole list --unused --name eksctl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			return o.live.timeout.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionResults, func() {
		f.StringVar(&o.filter.Name, "name", "", "List only roles whose name contains this, in any case")
		f.BoolVar(&o.filter.Fit, "fit", false, "List only roles that nodes could use unchanged, without roles that fit EKS Auto Mode only")
		f.BoolVar(&o.filter.Unused, "unused", false, "List only roles that no EKS resource in the region and no node class of the context's cluster uses")
	})
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: o.formats(), unknown: unknownFormat}).addTo(f, "output", "o", "Output format: %s (default a table)")
	})
	o.live.addFlags(f)
	o.live.addIAMFlag(f)
	return cmd
}

func (o *listOptions) formats() []string {
	return slices.Concat([]string{"wide", "name"}, o.jsonYAML.AllowedFormats())
}

// complete checks what the flags say and picks the printer.
func (o *listOptions) complete() error {
	switch o.output {
	case "", "wide", "name":
		return nil
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if err != nil {
		return usage("", "--output %s: %s", o.output, err)
	}
	o.printer = printer
	return nil
}

// run reads the account and prints its candidates.
func (o *listOptions) run(ctx context.Context) error {
	options, err := o.locate(ctx)
	if err != nil {
		return err
	}
	progress, done := o.live.progress()
	options.Progress = progress
	switch o.live.iam {
	case iamAuto:
		options.Bulk = collect.BulkWins
	case iamBulk:
		options.Bulk = func(int, int) bool { return true }
	}
	options.Keep = func(a *snapshot.Account) []string { return candidate.Preselect(a, o.filter) }
	for _, name := range need.NodePolicies {
		partition := snapshot.Cluster{ARN: options.Cluster.ARN}.Identity().Partition
		options.NodePolicies = append(options.NodePolicies, need.ManagedPolicy(partition, name))
	}
	account, err := collect.ReadAccount(ctx, options)
	done()
	if err != nil {
		return unread(err)
	}
	list := candidate.New(account, o.filter)
	if err := o.print(list); err != nil {
		return err
	}
	if options.Kube == nil && o.printer == nil && (o.filter.Unused || o.output == "wide") {
		fmt.Fprintln(o.streams.ErrOut, "node classes were not read, because they need a kube context")
	}
	if len(list.Missing) > 0 {
		return codeError{code: ExitIncomplete}
	}
	return nil
}

// locate returns what to read: the cluster of the kube context, with its node
// classes, or any cluster of the region where only that was named.
func (o *listOptions) locate(ctx context.Context) (collect.AccountOptions, error) {
	if o.live.region != "" && o.live.clusterName == "" && *o.live.config.Context == "" {
		return o.locateRegion(ctx)
	}
	target, err := o.live.target()
	if err != nil {
		return collect.AccountOptions{}, err
	}
	settings, err := o.live.awsConfig(target)
	if err != nil {
		return collect.AccountOptions{}, err
	}
	cloud, err := aws.New(ctx, settings)
	if err != nil {
		return collect.AccountOptions{}, unread(err)
	}
	cluster, err := o.live.confirm(ctx, target, cloud)
	if err != nil {
		return collect.AccountOptions{}, err
	}
	options := collect.AccountOptions{Cluster: cluster, AWS: cloud}
	if target.Context == "" {
		return options, nil // the flags alone name the cluster
	}
	if options.Kube, err = o.live.kubernetes(target); err != nil {
		return collect.AccountOptions{}, err
	}
	return options, nil
}

// locateRegion needs AWS only.
func (o *listOptions) locateRegion(ctx context.Context) (collect.AccountOptions, error) {
	settings, err := o.live.awsConfig(&locate.Target{Region: o.live.region, Profile: o.live.profile})
	if err != nil {
		return collect.AccountOptions{}, err
	}
	cloud, err := aws.New(ctx, settings)
	if err != nil {
		return collect.AccountOptions{}, unread(err)
	}
	account, err := cloud.CallerAccount(ctx)
	if err != nil {
		return collect.AccountOptions{}, unread(fmt.Errorf("get the account of the credentials: %w", err))
	}
	arn := fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", locate.PartitionOf(o.live.region), o.live.region, account, collect.AnyCluster)
	return collect.AccountOptions{Cluster: locate.Cluster{Name: collect.AnyCluster, ARN: arn}, AWS: cloud}, nil
}

// print writes the list to standard output, and notes for a person
// to standard error.
func (o *listOptions) print(l *candidate.List) error {
	if o.printer != nil {
		if err := o.printer.PrintObj(l, o.streams.Out); err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
		return nil
	}
	if len(l.Items) == 0 {
		fmt.Fprintln(o.streams.ErrOut, "No candidate roles found")
	} else if err := o.printItems(l); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	for _, line := range missingLines(l.Missing) {
		fmt.Fprintln(o.streams.ErrOut, line)
	}
	return nil
}

func (o *listOptions) printItems(l *candidate.List) error {
	if o.output == "name" {
		for _, r := range l.Items {
			if _, err := fmt.Fprintln(o.streams.Out, text.Visible(r.Name)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := candidateTable(o.streams.Out, l.Items, o.output == "wide", cmp.Or(newScreen(o.streams.Out, os.Getenv).width, print.DefaultWidth)); err != nil {
		return err
	}
	if l.Cluster != "" {
		fmt.Fprintf(o.streams.ErrOut, "checked for cluster %s in %s, %s\n", l.Cluster, l.Region, cmp.Or(l.IPFamily, "either IP family"))
	} else {
		fmt.Fprintf(o.streams.ErrOut, "checked for any cluster in %s\n", l.Region)
	}
	return nil
}

// candidateColumn is a column of the table.
type candidateColumn struct {
	name string
	wide bool
	cell func(candidate.Role) string
}

var candidateColumns = []candidateColumn{
	{"NAME", false, func(r candidate.Role) string { return r.Name }},
	{"CREATED", true, func(r candidate.Role) string { return date(r.CreatedAt, "unknown") }},
	{"LAST USED", true, lastUsed},
	{"TRUST", false, func(r candidate.Role) string { return okWord(r.Trust) }},
	{"WORKER", false, func(r candidate.Role) string { return okWord(r.Worker) }},
	{"ECR", false, func(r candidate.Role) string { return okWord(r.ECR) }},
	{"CNI", false, func(r candidate.Role) string { return yesWord(r.CNI) }},
	{"POD IDENTITY", true, func(r candidate.Role) string { return okWord(r.PodIdentity) }},
	{"USED BY", true, usedBy},
	{"VERDICT", false, func(r candidate.Role) string { return r.Verdict.Text }},
	{"WHY LISTED", true, func(r candidate.Role) string { return strings.Join(r.Reasons, "; ") }},
}

// candidateTable writes a row for each role. The wide table has a line for each,
// however long; the other folds to the width.
func candidateTable(out io.Writer, roles []candidate.Role, wide bool, width int) error {
	row := func(cell func(candidateColumn) string) []string {
		var cells []string
		for _, c := range candidateColumns {
			if wide || !c.wide {
				cells = append(cells, cell(c))
			}
		}
		return cells
	}
	if wide {
		width = 0
	}
	var rows [][]string
	for _, r := range roles {
		rows = append(rows, row(func(c candidateColumn) string { return c.cell(r) }))
	}
	return print.Grid(out, row(func(c candidateColumn) string { return c.name }), rows, width)
}

func okWord(a candidate.Answer) string {
	return answerWord(a, "ok", "FAIL")
}

func yesWord(a candidate.Answer) string {
	return answerWord(a, "yes", "no")
}

func answerWord(a candidate.Answer, allowed, denied string) string {
	switch a {
	case candidate.Allowed:
		return allowed
	case candidate.Denied:
		return denied
	case candidate.Depends:
		return "depends"
	case candidate.Unknown:
		return "unknown"
	default:
		return "unknown"
	}
}

func date(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Format(time.DateOnly)
}

func lastUsed(r candidate.Role) string {
	if r.LastUsedUnknown {
		return "unknown"
	}
	return date(r.LastUsedAt, "-")
}

func usedBy(r candidate.Role) string {
	var uses []string
	for _, u := range r.UsedBy {
		uses = append(uses, u.String())
	}
	if r.UsedByUnknown {
		uses = append(uses, "unknown")
	}
	return cmp.Or(strings.Join(uses, ", "), "-")
}

// maxSubjects is how many subjects a line about a refused call names.
const maxSubjects = 3

// missingLines say what could not be read, a line for each call and permission.
func missingLines(missing []snapshot.Missing) []string {
	type call struct{ operation, permission, problem string }
	var calls []call
	subjects := map[call][]string{}
	for _, m := range missing {
		c := call{m.Operation, m.Permission, m.Error}
		if c.permission != "" {
			c.problem = "refused" // the messages differ in the role that they name
		}
		if _, seen := subjects[c]; !seen {
			calls = append(calls, c)
			subjects[c] = nil
		}
		if m.Subject != "" {
			role, policy, _ := strings.Cut(m.Subject, "#")
			subjects[c] = append(subjects[c], strings.TrimSpace(snapshot.NameOf(role)+" "+policy))
		}
	}
	var lines []string
	for _, c := range calls {
		names := subjects[c]
		of := strings.Join(names, ", ")
		if len(names) > maxSubjects {
			of = fmt.Sprintf("%s and %d more", strings.Join(names[:maxSubjects], ", "), len(names)-maxSubjects)
		}
		line := "not read: " + c.operation
		if of != "" {
			line += " of " + of
		}
		line += ": " + c.problem
		if c.permission != "" {
			line += "; grant yourself " + c.permission
		}
		lines = append(lines, line)
	}
	return lines
}
