package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// snapshotOptions are the options of the snapshot command.
type snapshotOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions
	code    codeOptions

	output       string
	allowPartial bool
}

func newSnapshotCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &snapshotOptions{streams: streams, live: liveOptions{streams: streams, config: config}}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Save the facts that check judges",
		Long: `Save the facts that check judges: the cluster, its node groups and nodes, their
roles and policies, and aws-node. The file contains no secrets. "check -f FILE"
checks it anywhere, without AWS and without the cluster.`,
		Example: `  # Print the facts of the current context's cluster
  kubectl noderole snapshot

  # Save them, and judge them later
  kubectl noderole snapshot -o prod.yaml
  kubectl noderole check -f prod.yaml

  # Save the facts of a Terraform plan
  kubectl noderole snapshot --terraform plan.json -o planned.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			return o.live.timeout.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionOutput, func() { f.StringVarP(&o.output, "output", "o", "-", "Write to this file, - for standard output") })
	inSection(f, sectionExitCode, func() {
		f.BoolVar(&o.allowPartial, "allow-partial", false, "Do not exit with 3 if some facts could not be read")
	})
	o.live.addFlags(f)
	o.code.addFlags(f)
	o.live.addFactsFlags(f)
	return cmd
}

// formatNames are the values that -o of other commands takes for the format of a snapshot.
var formatNames = append(jsonYAML{}.AllowedFormats(), "yml")

// complete refuses a file that could not be written later, and the name of a format: -o
// names a file here, and elsewhere a format.
func (o *snapshotOptions) complete(cmd *cobra.Command) error {
	if err := o.code.complete(cmd); err != nil {
		return err
	}
	if slices.Contains(formatNames, o.output) {
		return usage(
			fmt.Sprintf("for standard output leave it out; for a file of that name: -o ./%s", o.output),
			"--output %s: a snapshot is always YAML, and --output names a file", o.output,
		)
	}
	if o.output == "-" {
		return nil
	}
	return checkFolder(o.output, "--output "+o.output)
}

// run reads the facts and writes them completely. A partial snapshot is written too: it
// says what is missing.
func (o *snapshotOptions) run(ctx context.Context) error {
	facts, footer, err := o.read(ctx)
	if err != nil {
		return err
	}
	text, err := facts.Encode()
	if err != nil {
		return err
	}
	if o.output == "-" {
		if _, err := o.streams.Out.Write(text); err != nil {
			return fmt.Errorf("write the snapshot: %w", err)
		}
	} else {
		if err := files.Write(o.output, text, files.Private); err != nil {
			return usage("choose a folder that you can write to", "%s", err)
		}
		fmt.Fprintf(o.streams.ErrOut, "wrote %s (%s)\n", o.output, footer)
	}
	if err := incomplete(facts); err != nil && !o.allowPartial {
		return err
	}
	return nil
}

// read reads the facts, of a live cluster or of infrastructure code.
func (o *snapshotOptions) read(ctx context.Context) (facts *snapshot.Snapshot, footer string, err error) {
	if !o.code.given() {
		return o.live.read(ctx)
	}
	all, err := o.code.read(ctx, &o.live)
	if err != nil {
		return nil, "", err
	}
	if err := o.code.oneCluster(all, "a snapshot"); err != nil {
		return nil, "", err
	}
	return all[0], "from " + o.code.file(), nil
}
