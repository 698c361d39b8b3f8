package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

// liveOptions say which cluster's facts to read.
type liveOptions struct {
	streams genericiooptions.IOStreams
	config  *kubeFlags

	clusterName, region, profile string
	// organization is the profile with which the organization is read; empty reads none.
	organization string
	simulate     bool
	timeout      timeout
	// iam is how roles and policies are read: iamAuto, iamEach or iamBulk.
	iam string
	// regions are other regions whose cluster roles are read.
	regions []string
	// awsOnly is set where the Kubernetes API is not read.
	awsOnly bool
	// selection is set where the facts of many clusters are read.
	selection selection
	// quiet keeps progress and warnings from standard error.
	quiet bool

	// trace is the file to write the calls of the run to; recorder has them.
	trace    string
	recorder *trace.Recorder
}

// liveFlags are the flags that addFlags adds.
var liveFlags = []string{"cluster-name", "region", "profile", "simulate", "regions", "org-profile", "aws-only", "iam", "timeout", "trace", "all-contexts", "contexts", "all-clusters", "accounts", "org", "ou", "role-name", "external-id", "targets", "parallel"}

func (o *liveOptions) addFlags(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		addClusterFlags(f, &o.clusterName, &o.profile)
		f.StringVar(&o.region, "region", "", "AWS region of the EKS cluster")
	})
	inSection(f, sectionConnection, func() { o.timeout.addFlag(f) })
}

// How roles and policies are read: each, or those of the whole account at once. Which takes
// less time, list decides when it has listed the roles; a cluster's roles are read each.
const (
	iamAuto = "auto"
	iamEach = "each"
	iamBulk = "bulk"
)

// addIAMFlag adds --iam.
func (o *liveOptions) addIAMFlag(f *pflag.FlagSet) {
	o.iam = iamAuto
	inSection(f, sectionConnection, func() {
		(&enum{one: &o.iam, words: []string{iamAuto, iamEach, iamBulk}, unknown: "unknown value %q for --iam"}).addTo(f, "iam", "", "How to read roles and policies: %s. bulk reads those of the whole account at once, if that is allowed; auto does so for list if it takes less time")
	})
}

// addClusterFlags adds the flags that replace what the kube context says.
func addClusterFlags(f *pflag.FlagSet, clusterName, profile *string) {
	f.StringVar(clusterName, "cluster-name", "", "Name of the EKS cluster (default the cluster of the kube context)")
	f.StringVar(profile, "profile", "", "AWS profile (default the profile of the kubeconfig's credential plugin)")
}

// addFactsFlags adds what only those need who read all facts.
func (o *liveOptions) addFactsFlags(f *pflag.FlagSet) {
	inSection(f, sectionCluster, func() {
		f.BoolVar(&o.simulate, "simulate", false, "Also call iam:SimulatePrincipalPolicy, once for each role, and report where AWS and this program disagree")
		f.StringVar(&o.organization, "org-profile", "", "Also read the policies of the account's organization, of a fleet those of each account, with this AWS profile of its management account or a delegated administrator")
		f.StringSliceVar(&o.regions, "regions", nil, "Also read the cluster roles in these AWS regions, as REGION,…; nodes must not share them. With --all-clusters: the regions of the clusters")
		f.BoolVar(&o.awsOnly, "aws-only", false, "Do not read the Kubernetes API; the verdicts that need it are unknown")
	})
	o.addIAMFlag(f)
	o.selection.addFlags(f)
	inSection(f, sectionOutput, func() {
		f.StringVar(&o.trace, "trace", "", "Also write which calls were made and when to this file, in Chrome's trace event format")
	})
}

// checkRegions refuses regions that are not of the cluster's partition.
func (o *liveOptions) checkRegions(partition string) error {
	for _, region := range o.regions {
		if !snapshot.IsRegion(region) {
			return usage("such as us-east-1,eu-west-1", "--regions: %q is not the name of a region", region)
		}
		if of := locate.PartitionOf(region); of != partition {
			return usage("name regions of the cluster's partition", "--regions: %s is in partition %s, the cluster in %s", region, of, partition)
		}
	}
	return nil
}

// read goes from the kube context to the cluster and reads its facts. The footer
// says what that cost.
func (o *liveOptions) read(ctx context.Context) (facts *snapshot.Snapshot, footer string, err error) {
	return o.readAnd(ctx, func(context.Context, *snapshot.Snapshot, *aws.Client) error { return nil })
}

// readAnd is read, and then calls a function that may read more of AWS into the facts.
func (o *liveOptions) readAnd(ctx context.Context, more func(context.Context, *snapshot.Snapshot, *aws.Client) error) (facts *snapshot.Snapshot, footer string, err error) {
	started := time.Now()
	defer func(write func() error) { err = cmp.Or(err, write()) }(o.startTrace())
	c, err := o.open(ctx)
	if err != nil {
		return nil, "", err
	}
	if facts, err = c.read(ctx); err != nil {
		return nil, "", err
	}
	if err := more(ctx, facts, c.cloud); err != nil {
		return nil, "", err
	}
	calls := 0
	for _, n := range c.cloud.Calls() {
		calls += n
	}
	return facts, fmt.Sprintf("%d AWS calls, %.1f s", calls, time.Since(started).Seconds()), nil
}

// startTrace records the calls from now on where --trace asks for it, and returns what writes
// them.
func (o *liveOptions) startTrace() (write func() error) {
	if o.trace == "" {
		return func() error { return nil }
	}
	o.recorder = &trace.Recorder{}
	return o.writeTrace
}

// writeTrace writes the calls, those of a run that failed too.
func (o *liveOptions) writeTrace() error {
	text, err := o.recorder.Encode()
	if err != nil {
		return err
	}
	if err := files.Write(o.trace, text, files.Private); err != nil {
		return usage("choose a folder that you can write to", "%s", err)
	}
	return nil
}

// connection is a cluster that may be read any number of times.
type connection struct {
	o      *liveOptions
	target *locate.Target
	// cluster is what EKS says of the cluster, once it is confirmed.
	cluster   locate.Cluster
	confirmed bool
	cloud     *aws.Client
	// organization is nil where the organization is not read.
	organization *aws.Client
	api          *kube.Client // nil for --aws-only
}

// open makes the clients for the cluster of the kube context. It asks nothing.
func (o *liveOptions) open(ctx context.Context) (*connection, error) {
	target, err := o.target()
	if err != nil {
		return nil, err
	}
	settings, err := o.awsConfig(target)
	if err != nil {
		return nil, err
	}
	settings.Trace = o.recorder
	cloud, err := aws.New(ctx, settings)
	if err != nil {
		return nil, unread(err)
	}
	c := &connection{o: o, target: target, cluster: locate.Cluster{Name: target.Name}, cloud: cloud}
	if !o.awsOnly {
		if c.api, err = o.kubernetes(target); err != nil {
			return nil, err
		}
	}
	if o.organization != "" {
		settings.Profile, settings.RoleARN = o.organization, ""
		if c.organization, err = aws.New(ctx, settings); err != nil {
			return nil, unread(err)
		}
	}
	return c, nil
}

// connect goes from the kube context to the cluster.
func (o *liveOptions) connect(ctx context.Context) (*connection, error) {
	c, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.confirm(ctx); err != nil {
		return nil, err
	}
	o.warn(c.target)
	return c, nil
}

// confirm asks EKS for the cluster.
func (c *connection) confirm(ctx context.Context) (locate.Cluster, error) {
	cluster, err := c.target.Confirm(ctx, c.cloud)
	if err != nil {
		return locate.Cluster{}, unread(err)
	}
	if err := c.o.checkRegions((snapshot.Cluster{ARN: cluster.ARN}).Identity().Partition); err != nil {
		return locate.Cluster{}, err
	}
	c.cluster, c.confirmed = cluster, true
	return cluster, nil
}

// kubernetes returns a client for the Kubernetes API of the context.
func (o *liveOptions) kubernetes(target *locate.Target) (*kube.Client, error) {
	rest, err := o.config.ToRESTConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, usage("write one with "+target.UpdateKubeconfig(target.Name)+", or add --aws-only: then the verdicts that need the Kubernetes API are unknown", "the kubeconfig has no context for cluster %q", target.Name)
	}
	if err != nil {
		return nil, usage("check the context's cluster and user in the kubeconfig", "the kubeconfig cannot be used: %s", err)
	}
	api, err := kube.New(rest, kube.Options{Context: target.Context, Kubeconfig: o.config.kubeconfig, Trace: o.recorder})
	if err != nil {
		return nil, unread(err)
	}
	return api, nil
}

// read reads the cluster's facts. What needs only the cluster's name is read while EKS is
// asked whether that is the cluster.
func (c *connection) read(ctx context.Context) (*snapshot.Snapshot, error) {
	known := c.confirmed
	options := collect.Options{
		Bulk: c.o.iam == iamBulk, Regions: c.o.regions, AWS: c.cloud, WithoutKube: "it was not asked for (--aws-only)", Tool: toolName(), Context: c.target.Context,
	}
	if c.api != nil {
		options.Kube = c.api
	}
	switch {
	case c.confirmed:
	case c.cluster.Name != "":
		options.Confirm = c.confirm
	default: // the name is found by its endpoint
		if _, err := c.confirm(ctx); err != nil {
			return nil, err
		}
	}
	options.Cluster = c.cluster
	if c.organization != nil {
		options.Organization = c.organization
	}
	if c.o.simulate {
		options.Simulate = samples
	}
	progress, done := c.o.progress()
	options.Progress = progress
	facts, _, err := collect.Collect(ctx, options)
	done()
	var coded codeError
	switch {
	case errors.As(err, &coded):
		return nil, err // of confirm
	case err != nil:
		return nil, unread(err)
	}
	if !known {
		c.o.warn(c.target)
	}
	facts.Source.Evidence = slices.Clone(c.target.Evidence)
	return facts, nil
}

// samples are what the IAM policy simulator is asked about each role of a cluster.
func samples(id snapshot.ARN) []collect.Question {
	var questions []collect.Question
	for _, q := range need.Samples(need.Place{Partition: id.Partition, Region: id.Region, Account: id.Account, Cluster: id.Name()}) {
		questions = append(questions, collect.Question(q))
	}
	return questions
}

// target reads the cluster of the context from the kubeconfig.
func (o *liveOptions) target() (*locate.Target, error) {
	raw, err := o.config.RawConfig()
	if err != nil {
		return nil, usage("check --kubeconfig and KUBECONFIG", "the kubeconfig cannot be read: %s", err)
	}
	if o.awsOnly && o.clusterName != "" && *o.config.Context == "" {
		raw = clientcmdapi.Config{} // the flags name the cluster, and no context's API server is read
	}
	if err := loadAuthority(raw, *o.config.Context); err != nil {
		return nil, err
	}
	return locate.FromKubeconfig(raw, locate.Flags{
		Command: o.config.command, Context: *o.config.Context, ClusterName: o.clusterName, Region: o.region, Profile: o.profile,
	}, os.Getenv)
}

// awsConfig is how to reach AWS for a cluster.
func (o *liveOptions) awsConfig(t *locate.Target) (aws.Config, error) {
	limit, err := o.config.requestTimeout()
	return aws.Config{Region: t.Region, Profile: t.Profile, RoleARN: t.RoleARN, Env: t.Env, RequestTimeout: limit}, err
}

// confirm reads the cluster from EKS, and warns the user.
func (o *liveOptions) confirm(ctx context.Context, target *locate.Target, cloud locate.API) (locate.Cluster, error) {
	cluster, err := target.Confirm(ctx, cloud)
	if err != nil {
		return locate.Cluster{}, unread(err)
	}
	o.warn(target)
	return cluster, nil
}

// warn writes the warnings about the cluster.
func (o *liveOptions) warn(target *locate.Target) {
	if o.quiet {
		return
	}
	for _, w := range target.Warnings {
		warn(o.streams.ErrOut, "%s", w)
	}
}

// loadAuthority reads the certificate authority of the context's cluster where
// the kubeconfig names a file.
func loadAuthority(raw clientcmdapi.Config, name string) error {
	kubeContext, ok := raw.Contexts[cmp.Or(name, raw.CurrentContext)]
	if !ok {
		return nil
	}
	cluster, ok := raw.Clusters[kubeContext.Cluster]
	if !ok || cluster.CertificateAuthority == "" || len(cluster.CertificateAuthorityData) > 0 {
		return nil
	}
	data, err := os.ReadFile(cluster.CertificateAuthority)
	if err != nil {
		return usage("correct certificate-authority of cluster "+kubeContext.Cluster, "the kubeconfig's certificate authority cannot be read: %s", err)
	}
	cluster.CertificateAuthorityData = data
	return nil
}

// incomplete reports whether a snapshot says that facts are missing.
func incomplete(s *snapshot.Snapshot) error {
	missing := slices.DeleteFunc(slices.Clone(s.Missing), func(m snapshot.Missing) bool { return m.Fact.Optional() })
	if len(missing) == 0 {
		return nil
	}
	first := missing[0]
	return unread(errors.New(countFacts(len(missing)) + " could not be read, the first: " + first.Operation + ": " + first.Error))
}

func countFacts(n int) string {
	if n == 1 {
		return "one fact"
	}
	return fmt.Sprintf("%d facts", n)
}
