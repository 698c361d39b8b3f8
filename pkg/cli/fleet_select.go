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
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet/live"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// selection describes which clusters a run over many of them is about.
type selection struct {
	allContexts, allClusters bool
	contexts, accounts       []string
	organization             bool
	units                    []string
	roleName, externalID     string
	file                     string
	parallel                 int

	// words is the selection as the command line says it, and targets what it means.
	words   string
	targets *fleet.Targets
}

// selectionFlags are the flags that select clusters, and those that say more about it.
var selectionFlags = []string{"all-contexts", "contexts", "all-clusters", "targets", "accounts", "org", "ou", "role-name", "regions"}

func (s *selection) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionFleet, func() {
		f.BoolVar(&s.allContexts, "all-contexts", false, "Select the clusters of all contexts of the kubeconfig, each cluster once")
		f.StringSliceVar(&s.contexts, "contexts", nil, "Select the clusters of the contexts with these names, in which * matches any characters; repeatable or with commas")
		f.BoolVar(&s.allClusters, "all-clusters", false, "Select all EKS clusters of the account in --regions, by default in all enabled regions")
		f.StringSliceVar(&s.accounts, "accounts", nil, "With --all-clusters: the ids of the accounts, in each of which --role-name is assumed")
		f.BoolVar(&s.organization, "org", false, "With --all-clusters: all active accounts of the organization, in each of which --role-name is assumed")
		f.StringSliceVar(&s.units, "ou", nil, "With --org: the ids of the roots or organizational units whose accounts are meant, with those below them")
		f.StringVar(&s.roleName, "role-name", "", "With --accounts or --org: the name of the role to assume in each account, with its path")
		f.StringVar(&s.externalID, "external-id", "", "With --role-name: the external ID that the role's trust policy requires")
		f.StringVar(&s.file, "targets", "", "Select the clusters that this file of kind Targets names")
		f.IntVar(&s.parallel, "parallel", fleet.Parallel, "How many clusters to read at once")
	})
}

// given reports whether many clusters are selected.
func (s *selection) given() bool {
	return s.allContexts || len(s.contexts) > 0 || s.allClusters || s.file != ""
}

// complete checks the flags and reads --targets.
func (o *liveOptions) completeSelection(cmd *cobra.Command) error {
	s := &o.selection
	changed := cmd.Flags().Changed
	if !s.given() {
		for _, name := range []string{"accounts", "org", "ou", "role-name", "external-id"} {
			if changed(name) {
				return usage("kubectl noderole "+cmd.Name()+" --all-clusters --"+name+" …", "--%s needs --all-clusters", name)
			}
		}
		if changed("parallel") {
			return usage("select many clusters, for example with --all-contexts", "--parallel applies to a fleet")
		}
		return nil
	}
	ways := 0
	for _, name := range []string{"all-contexts", "contexts", "all-clusters", "targets"} {
		if changed(name) {
			ways++
		}
	}
	if ways > 1 {
		return usage("use one of them; a file of --targets can have several selections", "--all-contexts, --contexts, --all-clusters and --targets exclude each other")
	}
	for _, name := range []string{"context", "cluster-name", "filename", "example"} {
		if f := cmd.Flag(name); f != nil && f.Changed {
			return usage("omit it, or check one cluster", "--%s names one cluster, and the selection many", name)
		}
	}
	if o.simulate {
		return usage("check one cluster with --simulate", "--simulate does not apply to a fleet, because the policy simulator is throttled first")
	}
	if o.timeout < 0 {
		return o.timeout.negative()
	}
	if s.parallel < 1 || s.parallel > maxParallel {
		return usage(fmt.Sprintf("such as --parallel %d", fleet.Parallel), "--parallel %d is not between 1 and %d", s.parallel, maxParallel)
	}
	if !s.allClusters {
		for _, name := range []string{"accounts", "org", "ou", "role-name", "external-id", "regions"} {
			if changed(name) {
				return usage("use --all-clusters, or a file of --targets", "--%s applies to --all-clusters", name)
			}
		}
	}
	var words []string
	for _, name := range selectionFlags {
		if f := cmd.Flag(name); f != nil && f.Changed {
			words = append(words, "--"+name)
			if f.Value.Type() != "bool" {
				words = append(words, strings.Trim(f.Value.String(), "[]"))
			}
		}
	}
	s.words = strings.Join(words, " ")
	return o.selectTargets(cmd.Context())
}

// maxParallel bounds --parallel: each cluster has its own connections and facts in memory.
const maxParallel = 64

// selectTargets sets what the selection means.
func (o *liveOptions) selectTargets(ctx context.Context) error {
	s := &o.selection
	if s.file != "" {
		targets, err := fleet.LoadTargets(ctx, s.file)
		if err != nil {
			return codeError{code: ExitUsage, err: err}
		}
		for i := range targets.Include {
			targets.Include[i].AWSOnly = targets.Include[i].AWSOnly || o.awsOnly
		}
		s.targets = targets
		return nil
	}
	in := fleet.Include{
		Contexts: s.contexts, Accounts: s.accounts, Organization: s.organization, Units: s.units, Regions: o.regions,
		RoleName: s.roleName, ExternalID: s.externalID, AWSOnly: o.awsOnly,
	}
	if s.allContexts {
		in.Contexts = []string{"*"}
	}
	if err := in.Check(); err != nil {
		return usage("kubectl noderole check --help lists the flags", "%s", flagWords.Replace(err.Error()))
	}
	s.targets = &fleet.Targets{Include: []fleet.Include{in}}
	return nil
}

// flagWords are the flags for the fields of a file of --targets.
var flagWords = strings.NewReplacer("roleName", "--role-name", "externalId", "--external-id", "accounts need", "--accounts needs", "needs accounts", "needs --accounts",
	"organization needs", "--org needs", "organization excludes", "--org excludes", "organizationalUnits needs organization: true", "--ou needs --org")

// findFleet finds the selected clusters and plans to read them.
func (o *liveOptions) findFleet(ctx context.Context, shard fleet.Shard, maxAge time.Duration) (*live.Fleet, *fleet.Plan, error) {
	settings, err := o.awsConfig(&locate.Target{Region: o.region, Profile: o.profile})
	if err != nil {
		return nil, nil, err
	}
	settings.Trace = o.recorder
	found, err := live.Find(ctx, live.Options{
		Targets: o.selection.targets, Shard: shard, AWS: settings, Organization: o.organization, Kubeconfig: eachContext{o.config}, Getenv: os.Getenv,
		Trace: o.recorder, Tool: toolName(), Bulk: o.iam == iamBulk,
	})
	switch {
	case errors.Is(err, live.ErrKubeconfig):
		return nil, nil, codeError{code: ExitUsage, err: err}
	case err != nil:
		return nil, nil, unread(err)
	}
	now := time.Now().UTC()
	return found, &fleet.Plan{
		Selection: o.selection.words, Tool: toolName(), PlannedAt: now, NotBefore: now.Add(-maxAge),
		Shard: shard, Targets: found.Targets, Unread: found.Unread, Skipped: found.Skipped, Empty: found.Empty,
	}, nil
}

// fleetRead is what reading a fleet cost, and what failed.
type fleetRead struct {
	read, kept, failed, incomplete int
	// problems are a line for each cluster that was not read.
	problems []string
	footer   string
}

// readFleet reads the clusters of a plan into a directory that has the plan.
func (o *liveOptions) readFleet(ctx context.Context, dir string, found *live.Fleet, plan *fleet.Plan) (*fleetRead, error) {
	started := time.Now()
	show, done := o.progress()
	defer done()
	out := &fleetRead{}
	err := fleet.Collect(ctx, dir, plan, fleet.Options{
		Read: found.Read, Close: found.Close, Ready: found.Ready, Parallel: o.selection.parallel, Limit: time.Duration(o.timeout),
		Progress: func(e fleet.Outcome) {
			if show != nil {
				show(collect.Event{What: "cluster " + e.Target.Identity().Name(), Done: e.Done, Total: e.Total})
			}
			switch {
			case e.Err != nil:
				what, _ := fleet.Explain(e.Err)
				out.failed++
				out.problems = append(out.problems, snapshot.NameOf(e.Target.ARN)+" in "+e.Target.Identity().Region+", account "+e.Target.Identity().Account+": "+what)
			case e.Kept:
				out.kept++
			default:
				out.read++
			}
			if e.Missing > 0 {
				out.incomplete++
			}
		},
	})
	slices.Sort(out.problems)
	out.footer = o.usage(found, time.Since(started))
	return out, err
}

// usage returns which calls were made.
func (o *liveOptions) usage(found *live.Fleet, took time.Duration) string {
	services := map[string]int{}
	all := 0
	calls, throttled := found.Calls()
	for operation, n := range calls {
		service, _, _ := strings.Cut(operation, ":")
		services[service] += n
		all += n
	}
	var parts []string
	for _, service := range text.SortedKeys(services) {
		parts = append(parts, fmt.Sprintf("%s %d", service, services[service]))
	}
	line := text.Count(all, "AWS call")
	if len(parts) > 0 {
		line += " (" + strings.Join(parts, ", ") + ")"
	}
	slow := "none throttled"
	if len(throttled) > 0 {
		var names []string
		for _, operation := range text.SortedKeys(throttled) {
			names = append(names, fmt.Sprintf("%s %d times", operation, throttled[operation]))
		}
		slow = "throttled: " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, %s, %.1f s", line, slow, took.Seconds())
}

// runLiveFleet reads the selected clusters into a directory of its own, which is removed, and
// checks them.
func (o *checkOptions) runLiveFleet(ctx context.Context) (err error) {
	defer func(write func() error) { err = cmp.Or(err, write()) }(o.source.live.startTrace())
	found, plan, err := o.source.live.findFleet(ctx, fleet.Shard{}, 0)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kubectl-noderole-")
	if err != nil {
		return usage("set TMPDIR to a folder that you can write to", "no folder for the facts: %s", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := plan.Write(dir); err != nil {
		return usage("set TMPDIR to a folder that you can write to", "%s", err)
	}
	read, err := o.source.live.readFleet(ctx, dir, found, plan)
	if err != nil {
		return err
	}
	return o.runFleet(ctx, dir, "", read.footer)
}
