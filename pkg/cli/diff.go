package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// diffOptions are the options of the diff command.
type diffOptions struct {
	streams genericiooptions.IOStreams
	live    liveOptions
	team    teamOptions

	output, color string
	jsonYAML      jsonYAML

	// older and newer are file names; no newer is the live cluster.
	older, newer string
	now          time.Time
}

func newDiffCommand(streams genericiooptions.IOStreams, config *kubeFlags) *cobra.Command {
	o := &diffOptions{
		streams: streams, live: liveOptions{streams: streams, config: config}, team: teamOptions{streams: streams},
		output: "table",
	}
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "Show what changed in a cluster, and which verdicts moved",
		Long: `Show what changed in a cluster, and which verdicts moved because of it.

OLD and NEW are files that snapshot or "check -o json" wrote, - for standard input.
Without NEW, OLD is compared with the live cluster. Two directories that snapshot
wrote are compared cluster by cluster.

Policies are compared by what they grant and deny, not by their text. A verdict
names the changes on which it rests: diff judges the facts again without each
change, and with it alone. A report has no access entries, aws-auth, add-ons and
instances; compare snapshots to see these and the causes.

new: it is a finding now and was not one before; resolved: it was a finding and
is not one now; changed: its severity changed, or it is unknown or excepted now
or was before.

Exit code 0: nothing got worse; 1: a verdict got worse; 2: wrong usage; 3:
something that was known could no longer be read.`,
		Example: `  # What changed since yesterday?
  kubectl noderole snapshot -o yesterday.yaml
  kubectl noderole diff yesterday.yaml

  # Two snapshots
  kubectl noderole diff before.yaml after.yaml

  # Two reports, for a comment on a pull request
  kubectl noderole diff old.json new.json -o markdown

  # Two directories of snapshots: which clusters changed, were added or are gone
  kubectl noderole diff last-week/ today/

  # A snapshot from a pipe and the live cluster of another context
  cat prod.yaml | kubectl noderole diff - --context prod`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usage("kubectl noderole snapshot -o FILE writes one", "diff needs the name of a file")
			case len(args) > 2:
				return usage("kubectl noderole diff OLD NEW", "diff takes two files, got also %q", args[2])
			case len(args) == 2 && args[0] == "-" && args[1] == "-":
				return usage("name a file for one of them", "OLD and NEW cannot both be standard input")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) < 2 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.older = args[0]
			if len(args) == 2 {
				o.newer = args[1]
			}
			if err := o.complete(cmd); err != nil {
				return err
			}
			if isDir(o.older) || isDir(o.newer) {
				return o.runFleet(cmd.Context())
			}
			if o.newer != "" {
				return o.run(cmd.Context())
			}
			return o.live.timeout.within(cmd.Context(), o.run)
		},
	}
	f := cmd.Flags()
	inSection(f, sectionOutput, func() {
		(&enum{one: &o.output, words: slices.Concat([]string{"table", "markdown"}, o.jsonYAML.AllowedFormats()), unknown: unknownFormat}).
			addTo(f, "output", "o", "Output format: %s")
		addColorFlag(f, &o.color)
	})
	o.team.addConfigFlags(f)
	o.live.addFlags(f)
	o.live.addFactsFlags(f)
	return cmd
}

// complete checks what the flags say, and reads the team's configuration.
func (o *diffOptions) complete(cmd *cobra.Command) error {
	o.now = time.Now()
	switch {
	case o.newer == "" && isDir(o.older):
		return usage("kubectl noderole diff OLDDIR/ NEWDIR/", "a directory of snapshots is compared with another one")
	case o.newer != "" && isDir(o.older) != isDir(o.newer):
		return usage("kubectl noderole diff OLDDIR/ NEWDIR/", "a directory of snapshots is compared with another one, not with a file")
	}
	if o.newer != "" {
		if err := refuseLive(cmd, "omit it, or leave out NEW to compare with the live cluster"); err != nil {
			return err
		}
	}
	return o.team.complete(cmd.Context())
}

// run compares and prints.
func (o *diffOptions) run(ctx context.Context) error {
	older, err := o.load(ctx, o.older)
	if err != nil {
		return err
	}
	newer, footer := diff.Side{}, ""
	if o.newer != "" {
		newer, err = o.load(ctx, o.newer)
	} else {
		newer.Name = "live cluster"
		newer.Facts, footer, err = o.live.read(ctx)
	}
	if err != nil {
		return err
	}
	for _, side := range []*diff.Side{&older, &newer} {
		if side.Facts == nil {
			continue
		}
		if side.Report, err = o.judge(view.New(side.Facts)); err != nil {
			return err
		}
	}
	d, err := diff.Compare(older, newer, o.results)
	if err != nil {
		return usage("compare files of one cluster", "%s", err)
	}
	if err := o.print(d, footer); err != nil {
		return fmt.Errorf("write the differences: %w", err)
	}
	return differenceCode(d.Summary.Worse, d.Summary.Unread)
}

// differenceCode is the exit code of a comparison: how many verdicts got worse, and how much
// can no longer be read.
func differenceCode(worse, unread int) error {
	switch {
	case worse > 0:
		return codeError{code: ExitFindings}
	case unread > 0:
		return codeError{code: ExitIncomplete}
	default:
		return nil
	}
}

// load reads a snapshot or a report.
func (o *diffOptions) load(ctx context.Context, name string) (diff.Side, error) {
	side := diff.Side{Name: name}
	if name == "-" {
		side.Name = "standard input"
	}
	text, err := files.Read(ctx, name, o.streams.In, files.MaxSnapshot)
	var fileErr *files.Error
	if errors.As(err, &fileErr) {
		return side, usage("", "%s", fileErr)
	}
	if err != nil {
		return side, err
	}
	report, ok, err := reportText(text)
	if err != nil {
		return side, usage("", "%s: %s", name, err)
	}
	if !ok {
		side.Facts, err = snapshot.Decode(name, text)
		return side, err
	}
	if side.Report, err = teampolicy.ParseBaseline(name, report); err != nil {
		return side, ofFile(err)
	}
	switch r := side.Report; {
	case r.WhyNotJoining:
		return side, usage("write a report without --why-not-joining", "%s has only what may keep nodes from joining", name)
	case len(r.NarrowedBy) > 0:
		return side, usage("write a report without these flags", "%s has only a part of the results: it was written with %s", name, r.NarrowedBy)
	}
	return side, nil
}

// reportText returns a report as JSON; ok is false for a text that is none.
func reportText(text []byte) (report []byte, ok bool, err error) {
	if !bytes.Contains(text, []byte(finding.ReportKind)) {
		return nil, false, nil // nothing else has to be parsed twice
	}
	report = text
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		if err := files.CheckYAML(text); err != nil {
			return nil, false, err
		}
		if report, err = yaml.YAMLToJSON(text); err != nil {
			return nil, false, nil // the error of a snapshot says where
		}
	}
	var head struct {
		Kind string `json:"kind"`
	}
	if json.Unmarshal(report, &head) != nil {
		return nil, false, nil
	}
	return report, head.Kind == finding.ReportKind, nil
}

// options are those of the rules, with the team's severities.
func (o *diffOptions) options() rules.Options {
	var options rules.Options
	options.Severities, options.Off = o.team.policy.Overrides()
	return options
}

// judge gives the report that check would give, with the team's exceptions of today.
func (o *diffOptions) judge(v *view.View) (*finding.Report, error) {
	report := rules.Judge(v, o.options())
	return report, o.team.apply(report, o.now, false)
}

// results are those of some rules, with the team's exceptions of today.
func (o *diffOptions) results(facts *snapshot.Snapshot, ids []string) []finding.Result {
	options, v := o.options(), view.New(facts)
	for _, r := range rules.All() {
		if !slices.Contains(ids, r.ID) {
			options.Off = append(options.Off, r.ID)
		}
	}
	report := &finding.Report{Cluster: finding.ClusterInfo{Name: v.Place.Cluster, ARN: facts.Cluster.ARN}, Results: rules.Results(v, options)}
	o.team.policy.Apply(report, o.now.UTC().Format(time.DateOnly))
	return report.Results
}

func (o *diffOptions) print(d *diff.Diff, footer string) error {
	switch o.output {
	case "table":
		s := newScreen(o.streams.Out, os.Getenv)
		return print.Diff(o.streams.Out, d, print.TableOptions{
			Width: s.width, Color: s.colored(o.color), Symbols: s.terminal && s.unicode, ASCII: s.terminal && !s.unicode, Footer: footer,
		})
	case "markdown":
		return print.DiffMarkdown(o.streams.Out, d)
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if err != nil {
		return err
	}
	return printer.PrintObj(d, o.streams.Out)
}
