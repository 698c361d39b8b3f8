package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// factsOptions say where the facts come from: a file, an example, or the live
// cluster.
type factsOptions struct {
	streams       genericiooptions.IOStreams
	live          liveOptions
	file, example string
	// code is filled by check alone.
	code codeOptions
	// scope completes commands; complete and around say what is known of it.
	scope scope
}

func newFactsOptions(streams genericiooptions.IOStreams, config *kubeFlags) factsOptions {
	return factsOptions{streams: streams, live: liveOptions{streams: streams, config: config}}
}

func (o *factsOptions) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		f.VarP(&onceValue{value: &o.file}, "filename", "f", "Use the snapshot in this file instead of a live cluster, - for standard input")
		(&enum{one: &o.example, words: examples.Names(), implied: "broken", unknown: "unknown example %q"}).addTo(f, "example", "", "Use a built-in example instead of a live cluster: %s")
		o.live.addFlags(f)
	})
}

// onceValue is the value of a flag that is given once: of kubectl's own -f all files count, and
// here all but the last would be ignored.
type onceValue struct {
	value *string
	given bool
}

// Set implements pflag.Value. Its error is a *problem.Error.
func (o *onceValue) Set(value string) error {
	if o.given && value != *o.value {
		return &problem.Error{Problem: fmt.Sprintf("two files are given, %q and %q, and one is read", *o.value, value), Next: "run the command once for each file; check also takes a directory of snapshots"}
	}
	*o.value, o.given = value, true
	return nil
}

// String implements pflag.Value.
func (o *onceValue) String() string {
	if o.value == nil {
		return ""
	}
	return *o.value
}

// Type implements pflag.Value.
func (o *onceValue) Type() string { return "string" }

// complete refuses flags that name two sources.
func (o *factsOptions) complete(cmd *cobra.Command) error {
	o.scope = newScope(cmd)
	if o.file != "" && o.example != "" {
		return usage("give one of them", "--filename and --example are two sources of facts")
	}
	if err := o.code.complete(cmd); err != nil {
		return err
	}
	if o.code.given() && (o.file != "" || o.example != "") {
		return usage("give one of them", "infrastructure code and --filename or --example are two sources of facts")
	}
	if !o.saved() || o.code.given() {
		return nil
	}
	return refuseLive(cmd, "omit it, or check the cluster live")
}

// refuseLive refuses flags that say how to read a live cluster.
func refuseLive(cmd *cobra.Command, next string) error {
	for _, name := range append([]string{"context", "kubeconfig"}, liveFlags...) {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			return usage(next, "--%s does not apply to saved facts", name)
		}
	}
	return nil
}

// saved reports whether the facts come from a file, an example or infrastructure code.
func (o *factsOptions) saved() bool { return o.file != "" || o.example != "" || o.code.given() }

// read returns the facts, and for live ones what reading them cost.
func (o *factsOptions) read(ctx context.Context) (facts *snapshot.Snapshot, footer string, err error) {
	switch {
	case o.file != "" && isDir(o.file):
		return nil, "", usage("name one of its snapshots: DIR/ACCOUNT/REGION/NAME.yaml.gz", "--filename %s is a directory, and only check takes many clusters", o.file)
	case o.file != "":
		facts, err = snapshot.Load(ctx, o.file, o.streams.In)
	case o.example != "":
		text, _ := examples.Read(o.example) // the flag takes no other
		facts, err = snapshot.Decode("example "+o.example, text)
	default:
		return o.live.read(ctx)
	}
	return facts, "", err
}

// within makes a run, which may take no longer than --timeout where the facts are live.
func (o *factsOptions) within(ctx context.Context, run func(context.Context) error) error {
	if o.saved() && o.code.onto != ontoLive {
		return run(ctx)
	}
	return o.live.timeout.within(ctx, run)
}

// around returns what completes commands about the cluster with this ARN.
func (o *factsOptions) around(clusterARN string) scope {
	s := o.scope
	if a, ok := snapshot.ParseARN(clusterARN); ok {
		s.region, s.everywhere = a.Region, a.Partition != "aws"
	}
	if o.saved() {
		return s
	}
	if target, err := o.live.target(); err == nil { // it was read before
		s.profile = target.Profile
		s = s.with("context", target.Context)
	}
	return s
}

// beforePaste returns what to know before a command about saved facts is pasted.
func (o *factsOptions) beforePaste(cluster finding.ClusterInfo) string {
	switch {
	case o.example != "":
		return "The cluster is an example."
	case o.file != "":
		return "First select the context of " + cluster.Name + "."
	default:
		return ""
	}
}
