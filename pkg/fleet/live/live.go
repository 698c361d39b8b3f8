// Package live finds the clusters that a selection means, in the kubeconfig and in AWS, and
// reads their facts. Accounts are asked side by side, and each one once: its roles and
// policies, and the clusters of its regions, are in memory until its last cluster was read.
// An account, a region or a context that cannot be read costs itself.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

// Kubeconfig is what is read of the kubeconfig.
type Kubeconfig interface {
	// RawConfig returns it whole. It is asked only where contexts are selected.
	RawConfig() (clientcmdapi.Config, error)
	// Prepare loads the certificate authority of a context into the kubeconfig where that
	// names a file, and refuses files that are too large.
	Prepare(raw clientcmdapi.Config, context string) error
	// REST returns how to reach the API server of a context.
	REST(raw clientcmdapi.Config, context string) (*rest.Config, error)
}

// Options are what is looked for, and as whom.
type Options struct {
	Targets *fleet.Targets
	Shard   fleet.Shard
	// AWS is what every account is read with, but for the profile and the role, which the
	// targets may name.
	AWS aws.Config
	// Organization is the profile of the management account or a delegated administrator, with
	// which the policies of the organization are read; empty reads none.
	Organization string
	Kubeconfig   Kubeconfig
	Getenv       func(string) string
	Trace        *trace.Recorder
	// Tool is copied to the snapshots.
	Tool string
	// Bulk reads the roles and policies of each account at once, where that is allowed.
	Bulk bool
}

// Fleet is the clusters that were found. Its methods may be used concurrently.
type Fleet struct {
	// Targets, Unread and Skipped are the parts of a plan.
	Targets []fleet.Target
	Unread  []fleet.Unread
	Skipped []fleet.Skipped
	Empty   map[string][]string

	o       Options
	raw     clientcmdapi.Config
	managed collect.ManagedPolicies
	// organizations is nil where the organization is not read.
	organizations collect.Organization

	mu       sync.Mutex
	accounts map[string]*account
	sources  map[string]source // by ARN
	// calls and throttled are those of accounts that were forgotten.
	calls, throttled map[string]int
}

// account is the credentials by which clusters of one account are read.
type account struct {
	*aws.Account
	answers *collect.Answers
	// regions are those whose clusters are known.
	regions map[string]bool
}

// source is how a cluster is read.
type source struct {
	account *account
	awsOnly bool
	target  *locate.Target // nil for a cluster that no context names
}

// found is what an entry of the targets means, or a part of it.
type found struct {
	targets []fleet.Target
	sources []source
	unread  []fleet.Unread
	skipped []fleet.Skipped
	// empty are the regions of accounts without clusters.
	empty []place
	// seen is what there was to select from.
	seen []string
}

// place is a region of an account.
type place struct{ account, region string }

func (f *found) add(o found) {
	f.targets, f.sources = append(f.targets, o.targets...), append(f.sources, o.sources...)
	f.empty = append(f.empty, o.empty...)
	f.unread, f.skipped, f.seen = append(f.unread, o.unread...), append(f.skipped, o.skipped...), append(f.seen, o.seen...)
}

// inFlight is how many accounts, regions or contexts are asked at once.
const inFlight = 16

// ErrKubeconfig is the cause of an error of Find about a kubeconfig that cannot be read.
var ErrKubeconfig = errors.New("the kubeconfig cannot be read")

// Find finds the clusters of the targets. The error is a *problem.Error where the kubeconfig,
// with the cause ErrKubeconfig, or the AWS configuration cannot be used, or where nothing at
// all is selected.
func Find(ctx context.Context, o Options) (*Fleet, error) {
	o.AWS.Many = true
	f := &Fleet{o: o, accounts: map[string]*account{}, sources: map[string]source{}, calls: map[string]int{}, throttled: map[string]int{}}
	if slices.ContainsFunc(o.Targets.Include, func(in fleet.Include) bool { return len(in.Contexts) > 0 }) {
		raw, err := o.Kubeconfig.RawConfig()
		if err != nil {
			return nil, &problem.Error{Problem: "the kubeconfig cannot be read: " + err.Error(), Next: "check --kubeconfig and KUBECONFIG", Err: ErrKubeconfig}
		}
		f.raw = raw
	}
	var all found
	for _, in := range o.Targets.Include {
		find := f.listed
		if len(in.Contexts) > 0 {
			find = f.contexts
		}
		part, err := find(ctx, in)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all.add(part)
	}
	for i, t := range all.targets {
		if _, known := f.sources[t.ARN]; known {
			continue // an entry before this one, or another context, has it
		}
		f.Targets = append(f.Targets, t)
		f.sources[t.ARN] = all.sources[i]
		all.sources[i].account.regions[t.Identity().Region] = true
	}
	slices.SortFunc(f.Targets, fleet.Target.Compare)
	f.Unread, f.Skipped = all.unread, all.skipped
	for _, e := range all.empty {
		if f.Empty == nil {
			f.Empty = map[string][]string{}
		}
		if !slices.Contains(f.Empty[e.account], e.region) {
			f.Empty[e.account] = append(f.Empty[e.account], e.region)
		}
	}
	if len(f.Targets)+len(f.Unread) == 0 && o.Shard.IsZero() {
		return nil, nothing(all)
	}
	if o.Organization != "" && len(f.Targets) > 0 {
		if err := f.openOrganization(ctx, f.Targets[0].Identity().Region); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// openOrganization makes what reads the policies of the organization, once for all accounts.
// A region of the clusters' partition says where the service is, unless one is configured.
func (f *Fleet) openOrganization(ctx context.Context, region string) error {
	cfg := f.o.AWS
	cfg.Region = cmp.Or(cfg.Region, region)
	cfg.Profile, cfg.RoleARN, cfg.ExternalID = f.o.Organization, "", ""
	a, err := f.accountOf("organization", func() (*aws.Account, error) { return aws.NewAccount(ctx, cfg) })
	if err != nil {
		return err
	}
	f.organizations = collect.ShareOrganization(a.In(a.Home()))
	return nil
}

// nothing is the error of a selection that selects nothing.
func nothing(all found) error {
	const most = 10
	p := &problem.Error{Problem: "the selection selects no EKS cluster", Next: "there was: nothing"}
	slices.Sort(all.seen)
	seen := slices.Compact(all.seen)
	if n := len(seen); n > most {
		seen = append(slices.Clone(seen[:most]), fmt.Sprintf("and %d more", n-most))
	}
	if len(seen) > 0 {
		p.Next = "there was: " + strings.Join(seen, ", ")
	}
	return p
}

// each calls a function for every item, several at once, and adds up what they find in the
// order of the items.
func each[T any](items []T, find func(T) found) found {
	parts := make([]found, len(items))
	var group errgroup.Group
	group.SetLimit(inFlight)
	for i, item := range items {
		group.Go(func() error {
			parts[i] = find(item)
			return nil
		})
	}
	_ = group.Wait() // of functions that return no error
	var all found
	for _, p := range parts {
		all.add(p)
	}
	return all
}

// accountOf returns the account of some credentials, always the same one.
func (f *Fleet) accountOf(key string, open func() (*aws.Account, error)) (*account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.accounts[key]; ok {
		return a, nil
	}
	opened, err := open()
	if err != nil {
		return nil, err
	}
	a := &account{Account: opened, answers: collect.NewAnswers(&f.managed), regions: map[string]bool{}}
	f.accounts[key] = a
	return a, nil
}

// unread is a part of a selection that failed.
func unread(u fleet.Unread, err error) found {
	u.Error, u.Next = fleet.Explain(err)
	return found{unread: []fleet.Unread{u}}
}

// listed finds the clusters that EKS lists.
func (f *Fleet) listed(ctx context.Context, in fleet.Include) (found, error) {
	cfg := f.o.AWS
	cfg.Profile = cmp.Or(in.Profile, cfg.Profile)
	if !in.EveryRegion() {
		cfg.Region = cmp.Or(cfg.Region, in.Regions[0])
	}
	base, err := f.accountOf(key(cfg), func() (*aws.Account, error) { return aws.NewAccount(ctx, cfg) })
	switch {
	case err != nil && len(f.o.Targets.Include) == 1:
		return found{}, err // nothing can be read at all
	case err != nil:
		return unread(fleet.Unread{Profile: cfg.Profile}, err), nil
	}
	if in.Organization {
		return f.organization(ctx, in, base, cfg), nil
	}
	if len(in.Accounts) == 0 {
		id, err := base.CallerAccount(ctx)
		if err != nil {
			return unread(fleet.Unread{Profile: cfg.Profile}, err), nil
		}
		if !f.o.Shard.Has(id) {
			return found{}, nil
		}
		return f.regionsOf(ctx, in, base, id, cfg.Profile), nil
	}
	return each(in.Accounts, func(id string) found { return f.assumed(ctx, in, base, cfg, id) }), nil
}

// organization finds the clusters of an organization's accounts.
func (f *Fleet) organization(ctx context.Context, in fleet.Include, base *account, cfg aws.Config) found {
	own, err := base.CallerAccount(ctx)
	if err != nil {
		return unread(fleet.Unread{Profile: cfg.Profile}, err)
	}
	accounts, err := base.In(base.Home()).OrganizationAccounts(ctx, in.Units)
	var out found
	if err != nil { // a list that broke off has some
		out = unread(fleet.Unread{Profile: cfg.Profile}, fmt.Errorf("list the accounts of the organization: %w", err))
	}
	for _, a := range accounts {
		out.seen = append(out.seen, "account "+a.ID)
	}
	out.add(each(accounts, func(a aws.OrganizationAccount) found {
		switch {
		case !f.o.Shard.Has(a.ID) || f.o.Targets.Excludes("", a.ID, "", ""):
			return found{}
		case !a.Active:
			return found{skipped: []fleet.Skipped{{Name: "account " + a.ID, Reason: "it is not active in the organization"}}}
		case a.ID == own:
			return f.regionsOf(ctx, in, base, a.ID, cfg.Profile)
		default:
			return f.assumed(ctx, in, base, cfg, a.ID)
		}
	}))
	return out
}

// assumed finds the clusters of an account in which a role is assumed.
func (f *Fleet) assumed(ctx context.Context, in fleet.Include, base *account, cfg aws.Config, id string) found {
	if !f.o.Shard.Has(id) || f.o.Targets.Excludes("", id, "", "") {
		return found{}
	}
	role := in.RoleARN(locate.PartitionOf(base.Home()), id)
	profile := cfg.Profile
	cfg.RoleARN, cfg.ExternalID = role, in.ExternalID
	a, err := f.accountOf(key(cfg), func() (*aws.Account, error) { return base.Assume(role, in.ExternalID), nil })
	if err == nil {
		err = a.Credentials(ctx)
	}
	if err != nil {
		return unread(fleet.Unread{Account: id, Profile: profile}, err)
	}
	return f.regionsOf(ctx, in, a, id, profile)
}

// key identifies credentials.
func key(cfg aws.Config) string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Env)) {
		env = append(env, name+"="+cfg.Env[name])
	}
	return strings.Join(append(env, cfg.Profile, cfg.RoleARN, cfg.ExternalID), "\x00")
}

// regionsOf finds the clusters of an account.
func (f *Fleet) regionsOf(ctx context.Context, in fleet.Include, a *account, id, profile string) found {
	regions := in.Regions
	if in.EveryRegion() {
		var err error
		if regions, err = a.In(a.Home()).Regions(ctx); err != nil {
			return unread(fleet.Unread{Account: id, Profile: profile}, err)
		}
	}
	return each(regions, func(region string) found {
		if f.o.Targets.Excludes("", id, region, "") {
			return found{}
		}
		return f.clustersOf(ctx, in, a, id, region, profile)
	})
}

// clustersOf finds the clusters of a region.
func (f *Fleet) clustersOf(ctx context.Context, in fleet.Include, a *account, id, region, profile string) found {
	var out found
	names, err := a.In(region).ListClusters(ctx)
	if err != nil { // a list that broke off has some
		out = unread(fleet.Unread{Account: id, Region: region, Profile: profile}, err)
	} else {
		f.mu.Lock()
		a.regions[region] = true
		f.mu.Unlock()
		if len(names) == 0 {
			out.empty = append(out.empty, place{id, region})
		}
	}
	partition := locate.PartitionOf(region)
	for _, name := range names {
		out.seen = append(out.seen, fmt.Sprintf("%s in %s, account %s", name, region, id))
		if !in.Selects(name) || f.o.Targets.Excludes("", id, region, name) {
			continue
		}
		arn := strings.Join([]string{"arn", partition, "eks", region, id, "cluster/" + name}, ":")
		out.targets = append(out.targets, fleet.Target{ARN: arn, Profile: profile, Group: in.Group})
		out.sources = append(out.sources, source{account: a, awsOnly: in.AWSOnly})
	}
	return out
}

// contexts finds the clusters of contexts of the kubeconfig.
func (f *Fleet) contexts(ctx context.Context, in fleet.Include) (found, error) {
	names := slices.Sorted(maps.Keys(f.raw.Contexts))
	out := found{}
	var selected []string
	for _, name := range names {
		out.seen = append(out.seen, "context "+name)
		if fleet.Matches(in.Contexts, name) && !f.o.Targets.Excludes(name, "", "", "") {
			selected = append(selected, name)
		}
	}
	unusable := map[string]error{}
	for _, name := range selected { // one after the other, as it completes the kubeconfig
		unusable[name] = f.o.Kubeconfig.Prepare(f.raw, name)
	}
	out.add(each(selected, func(name string) found {
		if err := unusable[name]; err != nil {
			return f.failed(fleet.Unread{Context: name}, err)
		}
		return f.contextOf(ctx, in, name)
	}))
	return out, nil
}

// failed is a context that failed, in the shard of its account or, where that is not known,
// of its name.
func (f *Fleet) failed(u fleet.Unread, err error) found {
	if !f.o.Shard.Has(cmp.Or(u.Account, u.Context)) {
		return found{}
	}
	return unread(u, err)
}

// contextOf finds the cluster of a context.
func (f *Fleet) contextOf(ctx context.Context, in fleet.Include, name string) found {
	u := fleet.Unread{Context: name}
	target, err := locate.FromKubeconfig(f.raw, locate.Flags{Context: name, Profile: cmp.Or(in.Profile, f.o.AWS.Profile)}, f.o.Getenv)
	if errors.Is(err, locate.ErrNotEKS) {
		return found{skipped: []fleet.Skipped{{Name: "context " + name, Reason: err.Error()}}}
	}
	if err != nil {
		return f.failed(u, err)
	}
	u.Account, u.Region, u.Profile = target.Account, target.Region, target.Profile
	if f.o.Targets.Excludes(name, target.Account, target.Region, target.Name) || target.Account != "" && !f.o.Shard.Has(target.Account) {
		return found{}
	}
	cfg := f.o.AWS
	cfg.Region, cfg.Profile, cfg.RoleARN, cfg.Env = target.Region, target.Profile, target.RoleARN, target.Env
	a, err := f.accountOf(key(cfg), func() (*aws.Account, error) { return aws.NewAccount(ctx, cfg) })
	if err != nil {
		return f.failed(u, err)
	}
	cluster, err := target.Confirm(ctx, a.In(cmp.Or(target.Region, a.Home())))
	if err != nil {
		return f.failed(u, err)
	}
	t := fleet.Target{ARN: cluster.ARN, Context: name, Profile: target.Profile, Group: in.Group}
	id := t.Identity()
	if !f.o.Shard.Has(id.Account) || !in.Selects(id.Name()) || f.o.Targets.Excludes(name, id.Account, id.Region, id.Name()) {
		return found{}
	}
	return found{targets: []fleet.Target{t}, sources: []source{{account: a, awsOnly: in.AWSOnly, target: target}}}
}

// Read reads the facts of a cluster that was found.
func (f *Fleet) Read(ctx context.Context, t fleet.Target) (*snapshot.Snapshot, error) {
	f.mu.Lock()
	from, known := f.sources[t.ARN]
	var regions []string
	if known {
		regions = slices.Sorted(maps.Keys(from.account.regions))
	}
	f.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("%s was not found", t.ARN)
	}
	id := t.Identity()
	client := from.account.In(id.Region)
	cluster, err := client.DescribeCluster(ctx, id.Name())
	if err != nil {
		return nil, err
	}
	options := collect.Options{
		Cluster: cluster, AWS: client, Answers: from.account.answers, Bulk: f.o.Bulk, KubeOptional: true,
		Regions:      slices.DeleteFunc(regions, func(r string) bool { return r == id.Region }),
		Organization: f.organizations, Providers: true, Tool: f.o.Tool, Context: t.Context,
	}
	api, err := f.kubernetes(ctx, from, client, cluster)
	var unusable *problem.Error
	switch {
	case api != nil:
		defer api.Close() // a thousand clusters are more connections than a process may have
		options.Kube = api
	case errors.As(err, &unusable):
		options.WithoutKube = unusable.Problem
	case err != nil:
		options.WithoutKube = err.Error()
	}
	facts, _, err := collect.Collect(ctx, options)
	if err != nil {
		return nil, err
	}
	if from.target != nil {
		facts.Source.Evidence = slices.Clone(from.target.Evidence)
	} else {
		facts.Source.Evidence = []string{fmt.Sprintf("EKS lists cluster %s in account %s, region %s", id.Name(), id.Account, id.Region)}
	}
	return facts, nil
}

// Ready reports whether the rates of the cluster's account have room for a cluster of its region.
func (f *Fleet) Ready(t fleet.Target) bool {
	f.mu.Lock()
	from, known := f.sources[t.ARN]
	f.mu.Unlock()
	return !known || from.account.Ready(t.Identity().Region)
}

// errAWSOnly is why the Kubernetes API is not read.
var errAWSOnly = errors.New("it was not asked for (--aws-only)")

// kubernetes returns a client for the API server of a cluster, or why there is none.
func (f *Fleet) kubernetes(ctx context.Context, from source, client *aws.Client, cluster locate.Cluster) (*kube.Client, error) {
	if from.awsOnly {
		return nil, errAWSOnly
	}
	if from.target == nil {
		token, err := client.Token(ctx, cluster.Name)
		if err != nil {
			return nil, err
		}
		return kube.New(&rest.Config{
			Host: cluster.Endpoint, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: cluster.CertificateAuthority},
		}, kube.Options{Trace: f.o.Trace})
	}
	config, err := f.o.Kubeconfig.REST(f.raw, from.target.Context)
	if err != nil {
		return nil, err
	}
	if config.ExecProvider != nil && from.target.EKSToken {
		// A process for each of a thousand clusters would take most of the time.
		if config.BearerToken, err = client.Token(ctx, cluster.Name); err != nil {
			return nil, err
		}
		config.ExecProvider = nil
	}
	return kube.New(config, kube.Options{Context: from.target.Context, Trace: f.o.Trace})
}

// Close forgets what was read of an account. Its calls are counted.
func (f *Fleet) Close(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := map[*account]bool{}
	for arn, s := range f.sources {
		if (fleet.Target{ARN: arn}).Identity().Account == id {
			gone[s.account] = true
			delete(f.sources, arn)
		}
	}
	for key, a := range f.accounts {
		if gone[a] {
			f.count(a)
			delete(f.accounts, key)
		}
	}
}

func (f *Fleet) count(a *account) {
	add(f.calls, a.Calls())
	add(f.throttled, a.Throttled())
}

func add(to, from map[string]int) {
	for name, n := range from {
		to[name] += n
	}
}

// Calls returns how many requests were sent so far, and how many of their answers said that
// there were too many, both by operation.
func (f *Fleet) Calls() (sent, throttled map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent, throttled = maps.Clone(f.calls), maps.Clone(f.throttled)
	for _, a := range f.accounts {
		add(sent, a.Calls())
		add(throttled, a.Throttled())
	}
	return sent, throttled
}
