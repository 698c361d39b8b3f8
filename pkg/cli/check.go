package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// checkOptions is what the check command was told.
type checkOptions struct {
	streams genericiooptions.IOStreams
	source  factsOptions

	failOn       string
	allowPartial bool
	// cniVersion is as semver writes it, with a v.
	cniVersion    string
	whyNotJoining bool
	output        string
	jsonYAML      *genericclioptions.JSONYamlPrintFlags
	template      *genericclioptions.KubeTemplatePrintFlags

	// printer is nil for the table.
	printer printers.ResourcePrinter
}

func newCheckCommand(streams genericiooptions.IOStreams, config *genericclioptions.ConfigFlags) *cobra.Command {
	o := &checkOptions{
		streams:  streams,
		source:   newFactsOptions(streams, config),
		jsonYAML: &genericclioptions.JSONYamlPrintFlags{},
		template: genericclioptions.NewKubeTemplatePrintFlags(),
	}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Judge the node roles of a cluster",
		Long: `Judge the node roles of a cluster.

Without -f the facts are read live: from the current kube context to the EKS
cluster, its node groups and nodes, their roles and policies, and aws-node.
Exit code 0: nothing at or above --fail-on; 1: findings; 2: wrong use; 3: some
facts could not be read.`,
		Example: `  # Judge the cluster of the current context
  kubectl noderole check

  # Another context, as JSON
  kubectl noderole check --context staging -o json

  # Judge facts that were saved earlier, without AWS or a cluster
  kubectl noderole check -f snapshot.yaml

  # See what a broken cluster looks like
  kubectl noderole check --example=broken

  # On call: what keeps nodes from joining, first things first
  kubectl noderole check --why-not-joining

  # Before an upgrade of the VPC CNI
  kubectl noderole check --cni-version 1.22.1

  # In CI: fail on warnings too
  kubectl noderole check --fail-on warning`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.failOn, "fail-on", "error", "Exit with 1 for findings of this severity or worse: error, warning, info or none")
	f.BoolVar(&o.allowPartial, "allow-partial", false, "Exit as if what could not be read had not been asked for, instead of with 3")
	f.StringVar(&o.cniVersion, "cni-version", "", "Judge for this version of vpc-cni instead of the one that runs, before an upgrade")
	f.BoolVar(&o.whyNotJoining, "why-not-joining", false, "Show only what may keep nodes from joining, first things first")
	f.StringVarP(&o.output, "output", "o", "table", "Output format: "+strings.Join(o.formats(), ", "))
	f.StringVar(o.template.TemplateArgument, "template", "", "Template string or file for -o go-template and -o jsonpath")
	o.source.addFlags(f)
	o.source.live.addSimulateFlag(f)
	return cmd
}

func (o *checkOptions) formats() []string {
	return slices.Concat([]string{"table"}, o.jsonYAML.AllowedFormats(), o.template.AllowedFormats(), print.Formats())
}

var failOnRanks = map[string]int{
	"error": finding.Error.Rank(), "warning": finding.Warning.Rank(), "info": finding.Info.Rank(), "none": finding.Error.Rank() + 1,
}

// complete checks what the flags say and picks the printer.
func (o *checkOptions) complete(cmd *cobra.Command) error {
	if _, ok := failOnRanks[o.failOn]; !ok {
		return usage("use error, warning, info or none", "--fail-on %q is no severity", o.failOn)
	}
	if o.cniVersion != "" {
		version := "v" + strings.TrimPrefix(o.cniVersion, "v")
		if !semver.IsValid(version) {
			return usage("such as --cni-version 1.22.1", "--cni-version %q is no version", o.cniVersion)
		}
		o.cniVersion, _, _ = strings.Cut(version, "-") // the build of EKS says nothing
	}
	if err := o.source.complete(cmd); err != nil {
		return err
	}
	if o.output == "table" || o.output == "" || slices.Contains(print.Formats(), o.output) {
		return nil
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		printer, err = o.template.ToPrinter(o.output)
	}
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return usage("use one of "+strings.Join(o.formats(), ", "), "--output %q is no format", o.output)
	}
	if err != nil {
		return usage("", "--output %s: %s", o.output, err)
	}
	o.printer = printer
	return nil
}

// run judges the facts and prints the report.
func (o *checkOptions) run(ctx context.Context) error {
	facts, footer, err := o.source.read(ctx)
	if err != nil {
		return err
	}
	report := rules.Judge(facts, rules.Options{CNIVersion: o.cniVersion, WhyNotJoining: o.whyNotJoining})
	if err := o.print(report, footer); err != nil {
		return err
	}
	switch {
	case report.Worst() >= failOnRanks[o.failOn]:
		return codeError{code: ExitFindings}
	case !o.allowPartial && !report.Complete():
		return codeError{code: ExitIncomplete}
	default:
		return nil
	}
}

func (o *checkOptions) print(report *finding.Report, footer string) error {
	if o.printer != nil {
		if err := o.printer.PrintObj(report, o.streams.Out); err != nil {
			return usage("", "--output %s: %s", o.output, err)
		}
		return nil
	}
	if slices.Contains(print.Formats(), o.output) {
		return print.Write(o.streams.Out, o.output, report, print.Options{Version: version(), Rules: rules.Docs()})
	}
	width, color := terminal(o.streams.Out)
	if err := print.Table(o.streams.Out, report, print.TableOptions{Width: width, Color: color, Footer: footer}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// terminal returns the width of a terminal and whether it is to be coloured;
// zero values where w is none.
func terminal(w io.Writer) (width int, color bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
