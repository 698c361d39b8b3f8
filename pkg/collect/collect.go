// Package collect reads the facts of one cluster from AWS and Kubernetes into
// a snapshot.
//
// It starts everything that depends on nothing at once and everything else the
// moment that what it depends on is known, and it reads nothing twice. A part
// that cannot be read becomes an entry under the snapshot's Missing and the run
// goes on. It judges nothing, and Collect and ReadAccount only read; the readers in
// collect/aws and collect/kube also apply the changes of repairs.
//
// The time of a run is the number of AWS calls that wait for each other. In the usual
// cluster these are three levels:
//
//  1. what needs only the cluster's name: the cluster itself, the lists of its parts, its
//     add-ons, instances and Auto Scaling groups, its access entries, and one page of the
//     account's attached managed policies. All of it starts together with the call that
//     confirms the cluster, and is discarded if the cluster is another one. The Kubernetes
//     API is read at the same time.
//  2. what these lists name: node groups, Fargate profiles, instance profiles; the roles
//     that something names by now; and, read ahead, the roles that have an access entry or
//     a node's mapping in aws-auth (see readAhead) and the managed policies that node
//     roles usually have (see readPolicyPage).
//  3. the policies of the roles, whose default versions level 1 has brought.
//
// A role that nothing but its node group names, and that was not read ahead, is read on
// level 3, and its policies on level 4. The role of an Auto Scaling group without instances
// is found as early as that with one page of the account's instance profiles (see readGroup).
// Nothing that was only read ahead is in the
// snapshot, nor is its error: the reader of a role or policy finds the answer in memory.
package collect

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// ErrNotFound is what AWS answers about something that does not exist; test
// with errors.Is.
var ErrNotFound = errors.New("not found")

// CallError is one call that gave no answer, or no whole one. It costs the fact
// that the call was for, not the run.
type CallError struct {
	// Operation is the call, such as iam:GetRole or list nodes.
	Operation string
	// Permission is what would allow the call; empty where it was not refused.
	Permission string
	// Message is one line without request ids.
	Message string
	// Err is the cause. It wraps ErrNotFound where the thing does not exist.
	Err error
}

// Error returns the operation and the message, in one line.
func (e *CallError) Error() string { return e.Operation + ": " + e.Message }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// AWS is the calls of the AWS APIs that Collect makes, one method per operation
// with all its pages. Where a list breaks off in the middle, the part that was
// read is returned together with the error.
//
// An error that is a *CallError costs one fact; any other error ends the run.
// The implementation bounds how many calls are in flight.
type AWS interface {
	ListClusters(ctx context.Context) ([]string, error)
	Cluster(ctx context.Context, name string) (snapshot.Cluster, error)
	NodeGroups(ctx context.Context, cluster string) ([]string, error)
	NodeGroup(ctx context.Context, cluster, name string) (snapshot.NodeGroup, error)
	FargateProfiles(ctx context.Context, cluster string) ([]string, error)
	FargateProfile(ctx context.Context, cluster, name string) (snapshot.FargateProfile, error)
	Addon(ctx context.Context, cluster, name string) (snapshot.Addon, error)
	// PodIdentityAssociations returns the ids of a service account's associations.
	PodIdentityAssociations(ctx context.Context, cluster, namespace, serviceAccount string) ([]string, error)
	PodIdentityAssociation(ctx context.Context, cluster, id string) (snapshot.PodIdentityAssociation, error)
	AccessEntry(ctx context.Context, cluster, principalARN string) (snapshot.AccessEntry, error)
	// AccessEntries returns the principals that have an access entry.
	AccessEntries(ctx context.Context, cluster string) ([]string, error)
	// AccessPolicies returns the namespaces that each associated access policy is
	// limited to, by ARN.
	AccessPolicies(ctx context.Context, cluster, principalARN string) (map[string][]string, error)

	// Role returns the role's ARN and what iam:GetRole says of it: all of Role
	// but its policies and instance profiles.
	Role(ctx context.Context, name string) (arn string, role snapshot.Role, err error)
	// AttachedPolicies returns the ARNs of the role's managed policies.
	AttachedPolicies(ctx context.Context, role string) ([]string, error)
	InlinePolicies(ctx context.Context, role string) ([]string, error)
	// InlinePolicy returns the decoded document.
	InlinePolicy(ctx context.Context, role, name string) (string, error)
	// RoleProfiles returns the instance profiles that contain the role, by ARN.
	RoleProfiles(ctx context.Context, role string) (map[string]snapshot.InstanceProfile, error)
	// PolicyVersions returns the default versions of the account's attached managed
	// policies by ARN, as far as the first page of the list has them. BoundaryPolicies
	// returns those of the policies that are permissions boundaries.
	PolicyVersions(ctx context.Context) (map[string]string, error)
	BoundaryPolicies(ctx context.Context) (map[string]string, error)
	// PolicyVersion returns the id of the managed policy's default version.
	PolicyVersion(ctx context.Context, arn string) (string, error)
	// PolicyDocument returns the decoded document of a version.
	PolicyDocument(ctx context.Context, arn, version string) (string, error)
	// InstanceProfile returns the profile's ARN and its roles.
	InstanceProfile(ctx context.Context, name string) (arn string, profile snapshot.InstanceProfile, err error)
	// ProfilePage returns the account's instance profiles by ARN, as far as the first page
	// of the list has them.
	ProfilePage(ctx context.Context) (map[string]snapshot.InstanceProfile, error)
	// Details returns all roles of the account and its own managed policies, without the
	// boundaries of the roles. BoundaryRoles returns the names of the roles that a managed
	// policy is the boundary of.
	Details(ctx context.Context) (*Details, error)
	BoundaryRoles(ctx context.Context, policyARN string) ([]string, error)
	OIDCProvider(ctx context.Context, arn string) (snapshot.OIDCProvider, error)
	// OIDCProviders returns the ARNs of the account's OIDC providers.
	OIDCProviders(ctx context.Context) ([]string, error)

	// Instances returns those of at most InstanceBatch instances that exist.
	Instances(ctx context.Context, ids []string) (map[string]snapshot.Instance, error)
	// ClusterInstances calls each for every running instance that is tagged
	// kubernetes.io/cluster/NAME, while the pages arrive.
	ClusterInstances(ctx context.Context, cluster string, each func(id string, instance snapshot.Instance)) error

	// AutoScalingGroups calls each for every Auto Scaling group of the cluster, while the
	// pages arrive. The name of its managed node group is empty for one that none owns.
	AutoScalingGroups(ctx context.Context, cluster string, each func(name, nodeGroup string, group snapshot.AutoScalingGroup)) error
	// LaunchTemplate returns what a launch template's ID:VERSION launches instances with.
	LaunchTemplate(ctx context.Context, template string) (Launch, error)
	// LaunchConfiguration is LaunchTemplate for a launch configuration's name.
	LaunchConfiguration(ctx context.Context, name string) (Launch, error)

	// VPCEndpoints returns, by id, the endpoints of a VPC that snapshot.VPCEndpoint
	// describes; those of gateways with the ids of their route tables in tables.
	VPCEndpoints(ctx context.Context, vpc string) (endpoints map[string]snapshot.VPCEndpoint, tables map[string][]string, err error)
	// RepositoryPolicy returns the decoded policy of an ECR repository of a region and
	// account; empty where the repository has none.
	RepositoryPolicy(ctx context.Context, region, account, repository string) (snapshot.RepositoryPolicy, error)
	// Registry returns the private registry of an account in a region.
	Registry(ctx context.Context, region, account string) (snapshot.Registry, error)
	// InstanceProfileQuota returns how many instance profiles the account has and may have.
	InstanceProfileQuota(ctx context.Context) (snapshot.Quota, error)
	// RouteTables returns the route tables of a VPC by id.
	RouteTables(ctx context.Context, vpc string) (map[string]RouteTable, error)

	// Simulate asks the IAM policy simulator about every action on every resource.
	Simulate(ctx context.Context, roleARN string, actions, resources []string) ([]snapshot.Simulation, error)

	// InRegion reads the EKS clusters of another region with the same credentials and
	// within the same bound. Its calls count among those of Calls.
	InRegion(region string) Clusters

	// Calls returns how many requests were sent so far, by operation.
	Calls() map[string]int
}

// Launch is what instances are launched with.
type Launch struct {
	// InstanceProfile is an ARN or a name; empty for none.
	InstanceProfile string
	Metadata        snapshot.MetadataOptions
}

// RouteTable is which subnets a route table is for.
type RouteTable struct {
	// Main is set for the table of the subnets that have none of their own.
	Main    bool
	Subnets []string
}

// Clusters is the calls of Amazon EKS by which the clusters of a region are known. Errors
// are as in AWS.
type Clusters interface {
	ListClusters(ctx context.Context) ([]string, error)
	Cluster(ctx context.Context, name string) (snapshot.Cluster, error)
}

// Kube is the calls of the Kubernetes API that Collect makes. Errors are as in
// AWS.
type Kube interface {
	// Nodes calls each for every node while the pages arrive. It is not called
	// concurrently.
	Nodes(ctx context.Context, each func(name string, node snapshot.Node)) error
	// ServiceAccount returns kube-system/aws-node, or nil where there is none.
	ServiceAccount(ctx context.Context) (*snapshot.ServiceAccount, error)
	// DaemonSet returns kube-system/aws-node and the images of its pods, or nil where
	// there is none.
	DaemonSet(ctx context.Context) (*snapshot.DaemonSet, snapshot.PodImages, error)
	// KubeProxy and CoreDNS return the images of the DaemonSet kube-system/kube-proxy and
	// the Deployment kube-system/coredns; none where there is no such object.
	KubeProxy(ctx context.Context) (snapshot.PodImages, error)
	CoreDNS(ctx context.Context) (snapshot.PodImages, error)
	// Pods calls each for every running pod of aws-node while the pages arrive.
	// It is not called concurrently.
	Pods(ctx context.Context, each func(name string, pod snapshot.Pod)) error
	// AddonPods calls each for every pod of snapshot.KnownAddons that is on a node and has not
	// ended, by NAMESPACE/NAME, while the pages arrive. It is not called concurrently.
	AddonPods(ctx context.Context, each func(name string, pod snapshot.AddonPod)) error
	// AccountRole returns the IAM role that a service account is annotated with; empty where
	// there is no annotation or no service account.
	AccountRole(ctx context.Context, namespace, name string) (string, error)
	// AWSAuth returns kube-system/aws-auth, or nil where there is none.
	AWSAuth(ctx context.Context) (*snapshot.AWSAuth, error)
	// PodIdentityAgent returns where the agent runs, or nil where it is not installed.
	PodIdentityAgent(ctx context.Context) (*snapshot.PodIdentityAgent, error)
	// The node classes by name, without the roles and profiles that they name.
	KarpenterNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error)
	AutoModeNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error)
	// KarpenterNodeTemplates returns the node classes of Karpenter before v0.32.
	KarpenterNodeTemplates(ctx context.Context) (map[string]snapshot.NodeClass, error)
	// Events returns warnings with an IAM cause, the newest first.
	Events(ctx context.Context) ([]snapshot.Event, error)
	// Calls returns how many requests were sent so far.
	Calls() int
}

// InstanceBatch is how many instances are asked for in one call: the most
// values that a filter of ec2:DescribeInstances takes.
// Source: EC2 user guide, "Filtering considerations".
const InstanceBatch = 200

// Options are what Collect reads from and what it notes about the run.
type Options struct {
	// Cluster is the cluster to read, as locate found it; its name and ARN are
	// used.
	Cluster locate.Cluster
	// Confirm, where set, returns Cluster, of which only the name is known before. What
	// needs no more than the name is read at the same time. An error ends the run.
	Confirm func(context.Context) (locate.Cluster, error)

	AWS AWS
	// Answers are what IAM has answered to other runs with the same credentials; nil where
	// there were none.
	Answers *Answers

	// Bulk reads all roles and policies of the account at once, where that is allowed.
	Bulk bool

	// Kube is nil where the Kubernetes API is not to be read; WithoutKube then says why.
	Kube        Kube
	WithoutKube string
	// KubeOptional is set where an API server that cannot be reached, or that refuses the
	// credentials, makes its facts missing and does not end the run.
	KubeOptional bool

	// Organization reads the organization of the cluster's account; nil reads nothing.
	Organization Organization

	// Providers is set where the account's OIDC providers of EKS clusters are read.
	Providers bool

	// Regions are the regions besides the cluster's own whose clusters are read, for
	// their cluster roles.
	Regions []string

	// Simulate lists what the IAM policy simulator is asked about each role of a cluster;
	// nil asks nothing.
	Simulate func(cluster snapshot.ARN) []Question

	// Tool and Context are copied to the snapshot's Source.
	Tool    string
	Context string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Progress, where set, is called after every part that was read, one call
	// at a time. It must not block.
	Progress func(Event)
}

// Question is an action on one resource: an ARN, or * for an action without
// resource types.
type Question struct{ Action, Resource string }

// Event describes how far reading has come. Total grows while more is discovered.
type Event struct {
	// What was just read, such as "role eks-node": a kind and a name.
	What        string
	Done, Total int
}

// Stats describes what reading cost, calls of locate through the same clients
// included. A retried request counts again.
type Stats struct {
	AWSCalls int
	// PerOperation is AWSCalls by operation, such as iam:GetRole.
	PerOperation map[string]int
	KubeCalls    int
}

// Collect reads the facts of one cluster. It returns an error and no snapshot
// where nothing could be judged: the context ended, credentials do not work, or
// AWS or, unless it is optional, the Kubernetes API cannot be reached at all (a
// *problem.Error).
// Everything else that could not be read is under the snapshot's Missing.
func Collect(ctx context.Context, o Options) (*snapshot.Snapshot, Stats, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	c := newCollector(o.AWS, o.Progress)
	if o.Answers != nil {
		c.answers = o.Answers
	}
	if o.Bulk {
		c.aws = bulkAWS{c.aws, c.answers}
	}
	c.kube, c.withoutKube, c.kubeOptional = o.Kube, o.WithoutKube, o.KubeOptional
	c.cluster, c.regions, c.providers = o.Cluster.Name, o.Regions, o.Providers
	c.snap.APIVersion, c.snap.Kind, c.snap.Read = snapshot.APIVersion, snapshot.Kind, snapshot.LaterFacts()
	c.snap.Source = snapshot.Source{Tool: o.Tool, CollectedAt: now().UTC(), Context: o.Context}

	err := c.run(ctx, func() { c.startConfirm(o) }, c.startEKS, c.startBulk, c.startKube, func() { c.startOrganization(o.Organization) })
	if err == nil {
		err = c.run(ctx, c.startReplacedProfiles)
	}

	stats := Stats{PerOperation: o.AWS.Calls()}
	if o.Kube != nil {
		stats.KubeCalls = o.Kube.Calls()
	}
	for _, n := range stats.PerOperation {
		stats.AWSCalls += n
	}
	if err != nil {
		return nil, stats, err
	}
	return c.finish(), stats, nil
}

// newCollector returns a collector whose cluster is not confirmed.
func newCollector(api AWS, progress func(Event)) *collector {
	return &collector{
		aws:       api,
		answers:   NewAnswers(nil),
		progress:  progress,
		confirmed: make(chan struct{}),
		started:   map[string]bool{},
		snap:      &snapshot.Snapshot{},
	}
}

// startConfirm confirms the cluster, which every other task may wait for.
func (c *collector) startConfirm(o Options) {
	confirm := func(cluster locate.Cluster) {
		c.arn = snapshot.Cluster{ARN: cluster.ARN}.Identity()
		if o.Simulate != nil {
			c.simulate = o.Simulate(c.arn)
		}
		c.write(func(s *snapshot.Snapshot) {
			if s.Cluster.ARN == "" { // else it was read meanwhile
				s.Cluster.ARN = cluster.ARN
			}
		})
		close(c.confirmed)
	}
	if o.Confirm == nil {
		confirm(o.Cluster)
		return
	}
	c.group.Go(func() error {
		cluster, err := o.Confirm(c.ctx)
		if err == nil {
			confirm(cluster)
		}
		return err
	})
}

// identity waits for the cluster to be confirmed and returns its ARN, the zero ARN where
// the run ended before.
func (c *collector) identity() snapshot.ARN {
	select {
	case <-c.confirmed:
		return c.arn
	case <-c.ctx.Done():
		return snapshot.ARN{}
	}
}

// run makes the tasks that the functions start, and those that these start, and waits for
// them.
func (c *collector) run(ctx context.Context, starts ...func()) error {
	c.group, c.ctx = errgroup.WithContext(ctx)
	for _, start := range starts {
		start()
	}
	return c.group.Wait()
}

// collector is one run. Every part is a task of group that writes what it read
// into snap and starts the tasks for what it learnt of.
type collector struct {
	ctx     context.Context
	group   *errgroup.Group
	aws     AWS
	cluster string   // the cluster's name
	regions []string // besides the cluster's own

	providers bool // whether the account's OIDC providers are read

	kube         Kube   // nil for none
	withoutKube  string // why there is none
	kubeOptional bool   // whether its errors cost facts only

	confirmed chan struct{} // closed when what follows is known
	arn       snapshot.ARN  // the cluster's ARN; see identity
	simulate  []Question

	simulating sync.Mutex // the simulator is asked about one role at a time

	mu      sync.Mutex // guards what follows
	snap    *snapshot.Snapshot
	started map[string]bool
	// managed are the Auto Scaling groups of managed node groups, by the node group's name;
	// groupsUnread is why not all groups were listed.
	managed      map[string]managedGroup
	groupsUnread *CallError
	// What was asked, so that it is asked once: IAM, the cluster's access entries by ARN and
	// their list, and launch templates by ID:VERSION.
	answers        *Answers
	entries        Memo[snapshot.AccessEntry]
	principalLists Memo[[]string]
	templates      Memo[Launch]

	progress    func(Event)
	done, total int
}

// start runs a task that reads something of a subject, a name or an ARN, unless
// the same was started before. What the task returns ends the run; see missing.
func (c *collector) start(what, subject string, task func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := what + " " + subject
	if c.started[key] {
		return
	}
	c.started[key] = true
	c.total++
	c.group.Go(func() error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.attempt(task); err != nil {
			return err
		}
		c.finished(what + " " + snapshot.NameOf(subject))
		return nil
	})
}

// attempt runs a task. An error that ends the run counts only when the cluster is
// confirmed: until then the error of the confirmation goes before it, and what a service
// that cannot be reached costs depends on whether AWS has answered. So a task that failed
// before runs again.
func (c *collector) attempt(task func(context.Context) error) error {
	early := !c.isConfirmed()
	err := task(c.ctx)
	if err == nil || !early {
		return err
	}
	c.identity()
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return task(c.ctx)
}

func (c *collector) isConfirmed() bool {
	select {
	case <-c.confirmed:
		return true
	default:
		return false
	}
}

func (c *collector) finished(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.progress != nil {
		c.progress(Event{What: what, Done: c.done, Total: c.total})
	}
}

// write changes the snapshot.
func (c *collector) write(change func(s *snapshot.Snapshot)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.snap)
}

// missing notes a fact that could not be read. It returns the error where it is
// not about that fact alone but ends the run.
func (c *collector) missing(fact snapshot.Fact, subject string, err error) error {
	var call *CallError
	if !errors.As(err, &call) {
		return err // also nil
	}
	c.note(missingOf(fact, subject, call))
	return nil
}

// missingOf is a fact that a call did not give.
func missingOf(fact snapshot.Fact, subject string, call *CallError) snapshot.Missing {
	return snapshot.Missing{Fact: fact, Subject: subject, Operation: call.Operation, Permission: call.Permission, Error: call.Message}
}

func (c *collector) note(m snapshot.Missing) {
	c.write(func(s *snapshot.Snapshot) { s.Missing = append(s.Missing, m) })
}

// finish puts in order what was appended in the order of arrival.
func (c *collector) finish() *snapshot.Snapshot {
	s := c.snap
	slices.Sort(s.OtherRegions)
	c.fillManaged()
	for arn, role := range s.Roles {
		slices.Sort(role.InstanceProfiles)
		s.Roles[arn] = role
	}
	slices.SortFunc(s.Missing, func(a, b snapshot.Missing) int {
		return cmp.Or(
			cmp.Compare(slices.Index(snapshot.Facts, a.Fact), slices.Index(snapshot.Facts, b.Fact)),
			cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Operation, b.Operation),
			cmp.Compare(a.Permission, b.Permission),
			cmp.Compare(a.Error, b.Error),
		)
	})
	s.Missing = slices.Compact(s.Missing)
	return s
}

// put stores a value in a map of the snapshot, which is made when the first
// value arrives.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}
