package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

// snapshotOptions are the options of the snapshot command.
type snapshotOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions

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
  kubectl noderole check -f prod.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.live.timeout.within(cmd.Context(), o.run) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "-", "Write to this file, - for standard output")
	f.BoolVar(&o.allowPartial, "allow-partial", false, "Exit with 0 although some facts could not be read")
	o.live.addFlags(f)
	o.live.addFactsFlags(f)
	return cmd
}

// run reads the facts and writes them completely. A partial snapshot is written too: it
// says what is missing.
func (o *snapshotOptions) run(ctx context.Context) error {
	facts, footer, err := o.live.read(ctx)
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
