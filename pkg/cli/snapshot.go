package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// snapshotOptions are the options of the snapshot command.
type snapshotOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions
	code    codeOptions

	output       string
	allowPartial bool

	// maxAge and shardFlag are of a fleet; complete makes shard of the latter.
	maxAge    time.Duration
	shardFlag string
	shard     fleet.Shard
}

func newSnapshotCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &snapshotOptions{streams: streams, live: liveOptions{streams: streams, config: config}}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Save the facts that check judges",
		Long: `Save the facts that check judges: the cluster, its node groups and nodes, their
roles and policies, and aws-node. The file contains no secrets. "check -f FILE"
checks it anywhere, without AWS and without the cluster.

With a selection of many clusters, -o names a directory. snapshot first writes a
plan with every selected cluster, and then for each cluster a snapshot, or the
reason why it was not read. "check -f DIR/" checks them. To continue an
interrupted run, run it again with --max-age.

Exit code 0: everything was read; 2: wrong usage; 3: a fact or a cluster could not be
read.`,
		Example: `  # Print the facts of the current context's cluster
  kubectl noderole snapshot

  # Save them, and judge them later
  kubectl noderole snapshot -o prod.yaml
  kubectl noderole check -f prod.yaml

  # Save the facts of a Terraform plan
  kubectl noderole snapshot --terraform plan.json -o planned.yaml

  # Save the facts of the clusters of all contexts, and judge them later
  kubectl noderole snapshot --all-contexts -o fleet/
  kubectl noderole check -f fleet/

  # All clusters of an account in which a role is assumed; keep what was read in
  # the last 6 hours
  kubectl noderole snapshot --all-clusters --accounts 111122223333 \
    --role-name NodeRoleReader --max-age 6h -o fleet/

  # The same in three processes or machines, which share the directory
  kubectl noderole snapshot --all-contexts --shard 1/3 -o fleet/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			if o.live.selection.given() { // whose clusters have a time limit each
				return o.runFleet(cmd.Context())
			}
			return o.live.timeout.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionOutput, func() {
		f.StringVarP(&o.output, "output", "o", "-", "Write to this file, - for standard output; for a fleet to this directory")
	})
	inSection(f, sectionExitCode, func() {
		f.BoolVar(&o.allowPartial, "allow-partial", false, "Do not exit with 3 if some facts could not be read")
	})
	o.live.addFlags(f)
	o.code.addFlags(f)
	o.live.addFactsFlags(f)
	inSection(f, sectionFleet, func() {
		f.DurationVar(&o.maxAge, "max-age", 0, "Keep the snapshots in the directory that are not older than this")
		f.StringVar(&o.shardFlag, "shard", "", "Read only part K of N of the selection, as K/N; an account is in one part")
	})
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
	if err := o.live.completeSelection(cmd); err != nil {
		return err
	}
	if o.live.selection.given() {
		return o.completeFleet()
	}
	for _, name := range []string{"max-age", "shard"} {
		if cmd.Flags().Changed(name) {
			return usage("select many clusters, for example with --all-contexts", "--%s applies to a fleet", name)
		}
	}
	if isDir(o.output) {
		return usage("name a file, or select many clusters, for example with --all-contexts", "--output %s is a directory", o.output)
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

// completeFleet refuses what is not a directory.
func (o *snapshotOptions) completeFleet() error {
	if info, err := os.Stat(o.output); o.output == "-" || err == nil && !info.IsDir() {
		return usage("for example -o fleet/", "--output %s: the facts of a fleet are written to a directory", o.output)
	}
	if o.maxAge < 0 {
		return usage("such as --max-age 6h", "--max-age %s is negative", o.maxAge)
	}
	if o.shardFlag == "" {
		return nil
	}
	var err error
	if o.shard, err = fleet.ParseShard(o.shardFlag); err != nil {
		return usage("such as --shard 1/4", "--shard: %s", err)
	}
	return nil
}

// runFleet plans, and reads the clusters of the plan into the directory.
func (o *snapshotOptions) runFleet(ctx context.Context) (err error) {
	defer func(write func() error) { err = cmp.Or(err, write()) }(o.live.startTrace())
	found, plan, err := o.live.findFleet(ctx, o.shard, o.maxAge)
	if err != nil {
		return err
	}
	if err := plan.Write(o.output); err != nil {
		return usage("choose a folder that you can write to", "%s", err)
	}
	read, err := o.live.readFleet(ctx, o.output, found, plan)
	if err != nil && ctx.Err() == nil {
		return usage("choose a folder that you can write to", "%s", err)
	}
	if err != nil {
		return err
	}
	for _, u := range plan.Unread {
		warn(o.streams.ErrOut, "%s", unreadWords(u))
	}
	for _, line := range read.problems {
		warn(o.streams.ErrOut, "%s", line)
	}
	for _, s := range plan.Skipped {
		fmt.Fprintf(o.streams.ErrOut, "skipped %s: %s\n", text.Visible(s.Name), text.Visible(s.Reason))
	}
	words := fmt.Sprintf("wrote %s: %s read", o.output, text.Count(read.read, "cluster"))
	if read.kept > 0 {
		words += fmt.Sprintf(", %d kept", read.kept)
	}
	if n := read.failed + len(plan.Unread); n > 0 {
		words += fmt.Sprintf(", %d not read", n)
	}
	if read.incomplete > 0 {
		words += fmt.Sprintf(", %d not read in full", read.incomplete)
	}
	fmt.Fprintf(o.streams.ErrOut, "%s (%s)\n", words, read.footer)
	if !o.allowPartial && read.failed+len(plan.Unread)+read.incomplete > 0 {
		return codeError{code: ExitIncomplete}
	}
	return nil
}

// unreadWords returns which part of a selection was not read, and why.
func unreadWords(u fleet.Unread) string {
	var parts []string
	for _, p := range []struct{ name, value string }{{"context", u.Context}, {"account", u.Account}, {"region", u.Region}, {"profile", u.Profile}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if len(parts) == 0 {
		return u.Error
	}
	return strings.Join(parts, ", ") + ": " + u.Error
}

// run reads the facts and writes them completely. A partial snapshot is written too: it
// says what is missing.
func (o *snapshotOptions) run(ctx context.Context) error {
	facts, footer, err := o.read(ctx)
	if err != nil {
		return err
	}
	encoded, err := facts.Encode()
	if err != nil {
		return err
	}
	if o.output == "-" {
		if _, err := o.streams.Out.Write(encoded); err != nil {
			return fmt.Errorf("write the snapshot: %w", err)
		}
	} else {
		if err := files.Write(o.output, encoded, files.Private); err != nil {
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
