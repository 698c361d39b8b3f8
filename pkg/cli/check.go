package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/mod/semver"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// checkOptions are the options of the check command.
type checkOptions struct {
	streams genericiooptions.IOStreams
	source  factsOptions
	team    teamOptions

	// only are the IDs of the rules that are reported, severities how bad the results
	// are, and subject is what they are about; empty for everything.
	only       []string
	severities []string
	subject    string

	failOn       string
	allowPartial bool
	// cniVersion is as semver writes it, with a v.
	cniVersion    string
	whyNotJoining bool
	output        string
	screen        screenOptions
	jsonYAML      jsonYAML
	template      *templates

	// earlier is the directory of --baseline of a fleet.
	earlier *fleet.Directory

	// around completes the commands of the report.
	around scope
	// printer is nil for the table, wide or not, and for the formats of pkg/print.
	printer printers.ResourcePrinter
	// reportFlags are the values of --report, of which complete makes reports.
	reportFlags []string
	reports     []reportFile
}

func newCheckCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &checkOptions{
		streams:  streams,
		source:   newFactsOptions(streams, config),
		team:     teamOptions{streams: streams},
		jsonYAML: jsonYAML{},
		template: &templates{},
		failOn:   "error",
		output:   "table",
	}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a cluster's node roles",
		Long: `Check a cluster's node roles.

Without -f, check reads the facts live: the EKS cluster of the current kube
context, its node groups and nodes, their roles and policies, and aws-node.

--terraform checks a Terraform plan before it is applied, as "terraform show
-json" writes it, and --cloudformation a template, without AWS and without a
cluster. --onto applies the code to the facts of a cluster that exists, and
reports as new only what the code brings.

The team's severities and exceptions come from .noderole.yaml, in the working
directory or a parent directory. --baseline compares with an earlier report.

A result that another finding explains is shown below that finding. It does not
count again.

Exit code 0: no finding at or above --fail-on; 1: findings; 2: wrong usage; 3:
some facts could not be read.`,
		Example: `  # Check the cluster of the current context
  kubectl noderole check

  # Another context, as JSON
  kubectl noderole check --context staging -o json

  # Without the Kubernetes API, such as of a private endpoint
  kubectl noderole check --cluster-name prod --region eu-west-1 --aws-only

  # Check facts that were saved earlier, without AWS or a cluster
  kubectl noderole check -f snapshot.yaml

  # Check a Terraform plan before it is applied
  terraform show -json tfplan | kubectl noderole check --terraform -

  # Check a CloudFormation template before it is deployed
  kubectl noderole check --cloudformation template.yaml \
    --account 111122223333 --region eu-west-1

  # Check what a plan changes in the cluster of the current context
  kubectl noderole check --terraform plan.json --onto live

  # Check the plans of the roles and of the cluster as one
  kubectl noderole check --terraform roles.json --terraform cluster.json

  # See what a broken cluster looks like
  kubectl noderole check --example=broken

  # Check the clusters of all contexts, or all clusters of an account
  kubectl noderole check --all-contexts
  kubectl noderole check --all-clusters --regions eu-west-1,us-east-1

  # Check every cluster of a directory that snapshot has written
  kubectl noderole check -f fleet/

  # What keeps nodes from joining, in the order in which a node meets it
  kubectl noderole check --why-not-joining

  # One question, in a script: does every aws-node pod use the configured role?
  kubectl noderole check --only NR602 --fail-on info --quiet

  # Before an upgrade of the VPC CNI
  kubectl noderole check --cni-version 1.22.1

  # Everything about each role, also what passed, with evidence
  kubectl noderole check -o wide --show all --group-by role

  # In CI: fail on warnings too, but not on findings of an earlier report
  kubectl noderole check --fail-on warning --baseline report.json --quiet

  # In CI: the table in the log, and files for code scanning and test reports
  kubectl noderole check --report sarif=noderole.sarif \
    --report junit=noderole.xml

  # Keep the results in the cluster, as a ClusterReport of openreports.io
  kubectl noderole check -o openreports | kubectl apply --server-side -f -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			if o.many() { // whose clusters have a time limit each
				return o.run(cmd.Context())
			}
			return o.source.within(cmd.Context(), o.run)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func (o *checkOptions) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionResults, func() {
		f.StringSliceVar(&o.only, "only", nil, "Report only these rules, by ID, repeatable or with commas")
		(&enum{list: &o.severities, words: []string{"error", "warning", "info"}, unknown: "unknown severity %q for --severity"}).
			addTo(f, "severity", "", "Report only results with these severities, repeatable or with commas: %s")
		f.StringVar(&o.subject, "subject", "", "Report only results about this role, node or other subject, by name or ARN")
		f.BoolVar(&o.whyNotJoining, "why-not-joining", false, "Report only what may keep nodes from joining, in the order in which a node meets it")
		f.StringVar(&o.cniVersion, "cni-version", "", "Check for this version of vpc-cni instead of the running one, before an upgrade")
	})
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: o.formats(), assigned: o.template.AllowedFormats(), unknown: unknownFormat}).
			addTo(f, "output", "o", "Output format: %s")
		(&enum{list: &o.reportFlags, words: reportFormats(), assigned: reportFormats(), unknown: "unknown report format in --report %q; it takes FORMAT=FILE"}).
			addTo(f, "report", "", "Also write a report to a file, as FORMAT=FILE; may be repeated. Formats: %s")
		f.StringVar(&o.template.text, "template", "", "Template string or file for -o go-template and -o jsonpath")
		o.screen.addFlags(f)
	})
	inSection(f, sectionExitCode, func() {
		(&enum{one: &o.failOn, words: []string{"error", "warning", "info", "none", "any"}, unknown: "unknown severity %q for --fail-on"}).
			addTo(f, "fail-on", "", "Exit with 1 for findings of this severity or worse; any is for every result that did not pass: %s")
		f.BoolVar(&o.allowPartial, "allow-partial", false, "Do not exit with 3 if some facts could not be read")
	})
	o.source.addFlags(f)
	o.source.code.addFlags(f)
	o.source.code.addOnto(f)
	o.source.live.addFactsFlags(f)
	o.team.addFlags(f)
	f.Lookup("filename").Usage += ", or the directory of snapshots of a fleet"
	f.Lookup("baseline").Usage += "; for a fleet those of this directory of snapshots"
}

func (o *checkOptions) formats() []string {
	written := slices.Concat(print.Formats(), print.FleetFormats())
	slices.Sort(written)
	return slices.Concat([]string{"table", "wide"}, o.jsonYAML.AllowedFormats(), slices.Compact(written), o.template.AllowedFormats())
}

var failOnRanks = map[string]int{
	"error": finding.Error.Rank(), "warning": finding.Warning.Rank(), "info": finding.Info.Rank(), "none": finding.Error.Rank() + 1,
}

// complete checks what the flags say and picks the printer.
func (o *checkOptions) complete(cmd *cobra.Command) error {
	docs, next := rules.Docs, "such as NR202; kubectl noderole explain lists the rules"
	if o.many() {
		docs = allRules
	} else if slices.ContainsFunc(o.only, func(id string) bool { return strings.HasPrefix(strings.ToUpper(id), "NR9") }) {
		next = "rules of group 9 are about several clusters: select them, for example with --all-contexts"
	}
	if err := completeRules(o.only, docs, next); err != nil {
		return err
	}
	if o.cniVersion != "" {
		version := "v" + strings.TrimPrefix(o.cniVersion, "v")
		if !semver.IsValid(version) {
			return usage("for example --cni-version 1.22.1", "invalid version %q for --cni-version", o.cniVersion)
		}
		o.cniVersion, _, _ = strings.Cut(version, "-") // the build of EKS says nothing
	}
	if err := o.source.complete(cmd); err != nil {
		return err
	}
	if err := o.source.live.completeSelection(cmd); err != nil {
		return err
	}
	table := slices.Contains([]string{"table", "wide"}, o.output)
	if err := o.screen.complete(cmd, &o.source, table); err != nil {
		return err
	}
	var err error
	if o.many() {
		err = o.completeFleet(cmd)
	} else {
		o.reports, err = parseReports(o.reportFlags, o.source.file)
	}
	if err != nil {
		return err
	}
	if err := o.team.complete(cmd.Context()); err != nil {
		return err
	}
	if table || slices.Contains(print.Formats(), o.output) || slices.Contains(print.FleetFormats(), o.output) {
		return nil
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if errors.Is(err, errNoFormat) {
		printer, err = o.template.ToPrinter(cmd.Context(), o.output)
	}
	if err != nil {
		return usage("", "--output %s: %s", o.output, err)
	}
	o.printer = printer
	return nil
}

// many reports whether many clusters are checked.
func (o *checkOptions) many() bool {
	return o.source.live.selection.given() || o.source.file != "" && isDir(o.source.file)
}

// run checks the facts and prints the report: of one cluster, of a fleet, or for
// infrastructure code of each cluster.
func (o *checkOptions) run(ctx context.Context) error {
	switch {
	case o.source.code.given():
		return o.runCode(ctx)
	case o.source.live.selection.given():
		return o.runLiveFleet(ctx)
	case o.many():
		return o.runFleet(ctx, o.source.file, o.source.file, "")
	}
	facts, footer, err := o.source.read(ctx)
	if err != nil {
		return err
	}
	return o.judge(facts, nil, footer)
}

// severalFormats are the output formats in which reports can follow each other.
var severalFormats = []string{"table", "wide", "json", "yaml", "markdown", "github"}

// runCode checks what infrastructure code says of each cluster. The exit code is that of the
// worst report.
func (o *checkOptions) runCode(ctx context.Context) error {
	if o.source.code.onto != "" {
		before, after, footer, err := o.source.code.readOnto(ctx, &o.source.live)
		if err != nil {
			return err
		}
		return o.judge(after, before, footer)
	}
	all, err := o.source.code.read(ctx, &o.source.live)
	if err != nil {
		return err
	}
	if !slices.Contains(severalFormats, o.output) {
		if err := o.source.code.oneCluster(all, "--output "+o.output); err != nil {
			return err
		}
	}
	if len(o.reports) > 0 {
		if err := o.source.code.oneCluster(all, "a file of --report"); err != nil {
			return err
		}
	}
	var worst error
	for i, facts := range all {
		if i > 0 && o.output == "yaml" {
			fmt.Fprintln(o.streams.Out, "---")
		} else if i > 0 && o.output != "json" {
			fmt.Fprintln(o.streams.Out)
		}
		err := o.judge(facts, nil, "")
		var coded codeError
		if errors.As(err, &coded) && coded.code == ExitIncomplete && coded.err != nil && i < len(all)-1 {
			say(o.streams.ErrOut, "error", coded.err.Error()) // the others are reported too
			err = codeError{code: ExitIncomplete}
		}
		worst = worse(worst, err)
	}
	return worst
}

// worse is the error with the exit code that counts more: findings, then facts that could not
// be read.
func worse(a, b error) error {
	rank := func(err error) int {
		var coded codeError
		switch {
		case err == nil:
			return 0
		case errors.As(err, &coded) && coded.code == ExitIncomplete:
			return 1
		case errors.As(err, &coded) && coded.code == ExitFindings:
			return 2
		default:
			return 3
		}
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// judge checks the facts of one cluster and prints the report. Where it is given the facts
// from before a change, their findings are known ones.
func (o *checkOptions) judge(facts, before *snapshot.Snapshot, footer string) error {
	o.around = o.source.around(facts.Cluster.ARN)
	var earlier *view.View
	if before != nil {
		earlier = view.New(before)
	}
	report, err := o.newJudge().report(view.New(facts), earlier, o.around)
	if before != nil && err != nil && !errors.As(err, new(codeError)) {
		return usage("compare with the facts of the same cluster", "--onto: %s", err)
	}
	if err != nil {
		return err
	}
	complete := o.choose(report)
	if filters := o.filters(); len(report.Results) == 0 && len(filters) > 0 && !o.whyNotJoining { // no answer is not a pass
		return unread(errors.New("no result matches " + strings.Join(filters, " and ")))
	}
	reportErr := o.writeReports(report, footer)
	if err := o.print(report, footer); err != nil {
		return err
	}
	if reportErr != nil {
		return reportErr
	}
	switch {
	case o.fails(report):
		return codeError{code: ExitFindings}
	case o.source.code.given() && len(report.NodeRoles) == 0:
		return o.source.code.noNodeRole(report)
	case !o.allowPartial && !complete:
		return codeError{code: ExitIncomplete}
	default:
		return nil
	}
}

// filters are the flags that narrow the report down.
func (o *checkOptions) filters() []string {
	var flags []string
	if len(o.only) > 0 {
		flags = append(flags, "--only")
	}
	if len(o.severities) > 0 {
		flags = append(flags, "--severity")
	}
	if o.subject != "" {
		flags = append(flags, "--subject")
	}
	return flags
}

// choose keeps the results that were asked for, and reports whether all of them could be
// decided. Of a report that is not narrowed down every fact counts.
func (o *checkOptions) choose(report *finding.Report) (complete bool) {
	if len(o.filters()) == 0 {
		return report.Complete()
	}
	report.NarrowedBy = o.filters()
	report.Results = slices.DeleteFunc(report.Results, func(r finding.Result) bool {
		return len(o.only) > 0 && !slices.Contains(o.only, r.ID) ||
			len(o.severities) > 0 && !slices.ContainsFunc(o.severities, func(s string) bool { return hasSeverity(r, finding.Severity(s)) }) ||
			o.subject != "" && o.subject != r.Subject.Name && o.subject != r.Subject.ARN
	})
	report.Recount()
	return report.Summary.Unknown == 0
}

// hasSeverity reports whether a result has a severity: a finding the one that it counts
// with, any other result that of its rule. A rule may find something milder than its own
// severity, so that an unknown result has the milder ones too.
func hasSeverity(r finding.Result, s finding.Severity) bool {
	if r.Status == finding.Unknown {
		return s.Rank() <= r.Severity.Rank()
	}
	return s == cmp.Or(r.Weight(), r.Severity)
}

// fails reports whether a result is as bad as --fail-on says.
func (o *checkOptions) fails(report *finding.Report) bool {
	if o.failOn == "any" {
		return len(report.Results) == 0 || slices.ContainsFunc(report.Results, func(r finding.Result) bool { return r.Status != finding.Pass })
	}
	return report.Worst() >= failOnRanks[o.failOn]
}

func (o *checkOptions) print(report *finding.Report, footer string) error {
	if o.printer != nil {
		if err := o.printer.PrintObj(report, templateOutput(o.streams.Out)); err != nil {
			return usage("", "--output %s: %s", o.output, err)
		}
		return nil
	}
	if slices.Contains(print.Formats(), o.output) || slices.Contains(print.FleetFormats(), o.output) {
		return o.writeReport(o.streams.Out, o.output, report)
	}
	if err := print.Table(o.streams.Out, report, o.tableFor(o.streams.Out, report, footer)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// tableFor says how the table is written to w.
func (o *checkOptions) tableFor(w io.Writer, report *finding.Report, footer string) print.TableOptions {
	table := o.screen.table(newScreen(w, os.Getenv))
	table.Wide, table.Footer, table.Note = o.output == "wide", footer, o.source.beforePaste(report.Cluster)
	table.Complete = o.around.complete
	return table
}
