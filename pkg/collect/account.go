package collect

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// AccountAWS is the calls that ReadAccount makes. Errors are as in AWS.
type AccountAWS interface {
	AWS
	// Roles returns the account's roles by ARN, without policies, boundary and tags.
	Roles(ctx context.Context) (map[string]snapshot.Role, error)
	// InstanceProfiles returns the account's instance profiles by ARN.
	InstanceProfiles(ctx context.Context) (map[string]snapshot.InstanceProfile, error)
	// PolicyRoles returns the names of the roles that a managed policy is attached to.
	PolicyRoles(ctx context.Context, policyARN string) ([]string, error)
	// RoleUse is Role with when the role was last used; the zero time where IAM has
	// seen no use.
	RoleUse(ctx context.Context, name string) (arn string, role snapshot.Role, lastUsed time.Time, err error)
}

// NodeClasses is the calls of the Kubernetes API that ReadAccount makes. Errors are
// as in Kube.
type NodeClasses interface {
	KarpenterNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error)
	AutoModeNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error)
}

// AccountOptions are what ReadAccount reads.
type AccountOptions struct {
	// Cluster is the cluster to judge for; its name is * for any cluster of the
	// region in its ARN.
	Cluster locate.Cluster
	AWS     AccountAWS
	// Kube reads the node classes of Cluster; nil reads none.
	Kube NodeClasses
	// NodePolicies are the ARNs of AWS's managed policies for nodes: which roles they are
	// attached to is read.
	NodePolicies []string
	// Keep picks the roles to look at closely, by ARN, once all that costs little
	// was read.
	Keep func(*snapshot.Account) []string
	// Bulk reports whether the roles that Keep picks are read by reading all roles and
	// policies of the account at once, where that is allowed; nil reads each.
	Bulk func(picked, all int) bool
	// Progress is as in Options.
	Progress func(Event)
}

// ReadAccount reads the roles of an account and what the clusters of one region
// use them for: first what lists contain, then the policies of the roles that Keep
// picks. It returns an error where nothing could be judged, as Collect does; a
// Kubernetes API that cannot be reached costs the node classes alone.
func ReadAccount(ctx context.Context, o AccountOptions) (*snapshot.Account, error) {
	uses := &roleUses{AccountAWS: o.AWS, lastUsed: map[string]time.Time{}}
	r := &accountReader{
		api:       o.AWS,
		collector: newCollector(uses, o.Progress),
		account:   &snapshot.Account{LastUsed: uses.lastUsed, Clusters: map[string]snapshot.ClusterRoles{}, NodePolicies: map[string][]string{}},
	}
	r.account.Snapshot = r.snap
	r.snap.Cluster = snapshot.Cluster{ARN: o.Cluster.ARN}
	r.arn = r.snap.Cluster.Identity()
	close(r.confirmed)

	r.group, r.ctx = errgroup.WithContext(ctx)
	r.start("roles of account", r.arn.Account, r.readRoles)
	r.start("instance profiles of account", r.arn.Account, r.readProfiles)
	r.start("clusters in", r.arn.Region, r.readClusters)
	r.start("managed policies attached in account", r.arn.Account, func(ctx context.Context) error {
		_, err := r.policyVersions(ctx)
		return ending(err)
	})
	for _, policy := range o.NodePolicies {
		r.start("roles with policy", policy, func(ctx context.Context) error { return r.readPolicyRoles(ctx, policy) })
	}
	if o.Kube != nil {
		r.start("node classes of", "Karpenter", func(ctx context.Context) error {
			classes, err := o.Kube.KarpenterNodeClasses(ctx)
			r.write(func(s *snapshot.Snapshot) { s.KarpenterNodeClasses = classes })
			return r.lackingClasses("karpenter", err)
		})
		r.start("node classes of", "EKS Auto Mode", func(ctx context.Context) error {
			classes, err := o.Kube.AutoModeNodeClasses(ctx)
			r.write(func(s *snapshot.Snapshot) { s.AutoModeNodeClasses = classes })
			return r.lackingClasses("autoMode", err)
		})
	}
	if err := r.group.Wait(); err != nil {
		return nil, err
	}
	r.followClasses("EC2NodeClass", r.snap.KarpenterNodeClasses)
	r.followClasses("NodeClass", r.snap.AutoModeNodeClasses)
	r.finish()
	// What a list does not say is not missing of each role.
	r.account.Unread, r.snap.Missing = r.snap.Missing, nil

	r.group, r.ctx = errgroup.WithContext(ctx)
	picked := o.Keep(r.account)
	details := bulkAWS{r.aws, r.answers}
	bulk := o.Bulk != nil && o.Bulk(len(picked), len(r.snap.Roles))
	if bulk {
		r.aws = details
	}
	for _, arn := range picked {
		r.startCandidate(arn)
	}
	if err := r.group.Wait(); err != nil {
		return nil, err
	}
	if bulk {
		for _, arn := range picked {
			if role, _ := details.role(ctx, snapshot.NameOf(arn)); role.LastUsed != nil {
				r.account.LastUsed[arn] = *role.LastUsed
			}
		}
	}
	r.finish()
	return r.account, nil
}

// roleUses notes when the roles that are asked for were last used.
type roleUses struct {
	AccountAWS
	mu       sync.Mutex
	lastUsed map[string]time.Time
}

// Role implements AWS.
func (u *roleUses) Role(ctx context.Context, name string) (string, snapshot.Role, error) {
	arn, role, lastUsed, err := u.RoleUse(ctx, name)
	if err == nil {
		u.mu.Lock()
		u.lastUsed[arn] = lastUsed
		u.mu.Unlock()
	}
	return arn, role, err
}

// accountReader is one run of ReadAccount. The collector's mutex guards account.
type accountReader struct {
	*collector
	api     AccountAWS
	account *snapshot.Account
}

func (r *accountReader) readRoles(ctx context.Context) error {
	roles, err := r.api.Roles(ctx)
	r.write(func(s *snapshot.Snapshot) { s.Roles = roles })
	return r.missing(snapshot.FactRoles, "", err)
}

func (r *accountReader) readProfiles(ctx context.Context) error {
	profiles, err := r.api.InstanceProfiles(ctx)
	r.write(func(s *snapshot.Snapshot) { s.InstanceProfiles = profiles })
	return r.missing(snapshot.FactRoleProfiles, "", err)
}

func (r *accountReader) readPolicyRoles(ctx context.Context, policy string) error {
	names, err := r.api.PolicyRoles(ctx, policy)
	r.write(func(*snapshot.Snapshot) { r.account.NodePolicies[policy] = names })
	return r.lacking(snapshot.FactAttachedPolicies, policy, err) // a partition may lack the policy
}

func (r *accountReader) readClusters(ctx context.Context) error {
	names, err := r.aws.ListClusters(ctx)
	for _, name := range names {
		r.start("cluster", name, func(ctx context.Context) error { return r.readClusterRoles(ctx, name) })
	}
	if own := r.arn.Name(); own != AnyCluster {
		r.start("cluster", own, func(ctx context.Context) error { return r.readClusterRoles(ctx, own) })
	}
	return r.missing(snapshot.FactOtherClusters, "", err)
}

// AnyCluster is the name of a cluster in an ARN that means any cluster.
const AnyCluster = "*"

func (r *accountReader) readClusterRoles(ctx context.Context, name string) error {
	r.start("node groups of", name, func(ctx context.Context) error { return r.readNodeGroupRoles(ctx, name) })
	r.start("Fargate profiles of", name, func(ctx context.Context) error { return r.readFargateRoles(ctx, name) })
	cluster, err := r.aws.Cluster(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return r.missing(snapshot.FactOtherClusters, r.clusterARN(name), err)
	}
	r.use(name, func(c *snapshot.ClusterRoles) {
		c.Cluster = cluster.RoleARN
		if cluster.AutoMode != nil {
			c.AutoMode = cluster.AutoMode.NodeRoleARN
		}
	})
	if name == r.arn.Name() {
		r.write(func(s *snapshot.Snapshot) { s.Cluster = cluster })
	}
	return nil
}

func (r *accountReader) readNodeGroupRoles(ctx context.Context, cluster string) error {
	names, err := r.aws.NodeGroups(ctx, cluster)
	for _, name := range names {
		r.start("node group", cluster+"/"+name, func(ctx context.Context) error {
			group, err := r.aws.NodeGroup(ctx, cluster, name)
			if err == nil {
				r.use(cluster, func(c *snapshot.ClusterRoles) { put(&c.NodeGroups, name, group.NodeRoleARN) })
			}
			return r.lacking(snapshot.FactNodeGroups, cluster+"/"+name, err)
		})
	}
	return r.lacking(snapshot.FactNodeGroups, cluster, err)
}

func (r *accountReader) readFargateRoles(ctx context.Context, cluster string) error {
	names, err := r.aws.FargateProfiles(ctx, cluster)
	for _, name := range names {
		r.start("Fargate profile", cluster+"/"+name, func(ctx context.Context) error {
			profile, err := r.aws.FargateProfile(ctx, cluster, name)
			if err == nil {
				r.use(cluster, func(c *snapshot.ClusterRoles) { put(&c.FargateProfiles, name, profile.PodExecutionRoleARN) })
			}
			return r.lacking(snapshot.FactFargateProfiles, cluster+"/"+name, err)
		})
	}
	return r.lacking(snapshot.FactFargateProfiles, cluster, err)
}

// lacking is missing for what may have been deleted since it was listed.
func (r *accountReader) lacking(fact snapshot.Fact, subject string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return r.missing(fact, subject, err)
}

// lackingClasses is missing for node classes: nothing else is read from the
// Kubernetes API.
func (r *accountReader) lackingClasses(kind string, err error) error {
	var unusable *problem.Error
	if errors.As(err, &unusable) {
		err = &CallError{Operation: "list node classes", Message: unusable.Problem, Err: err}
	}
	return r.missing(snapshot.FactNodeClasses, kind, err)
}

// followClasses finds the roles and instance profiles that node classes name in the
// lists of the account. What a list that broke off might have held is missing.
func (r *accountReader) followClasses(kind string, classes map[string]snapshot.NodeClass) {
	for _, name := range text.SortedKeys(classes) {
		class := classes[name]
		class.RoleARN = follow(r, kind+"/"+name, class.Role, r.snap.Roles, snapshot.FactRoles)
		class.ProfileARN = follow(r, kind+"/"+name, cmp.Or(class.InstanceProfile, class.StatusProfile), r.snap.InstanceProfiles, snapshot.FactRoleProfiles)
		classes[name] = class
	}
}

// follow returns the ARN in a list of a thing that a node class names; empty where
// it names none, or there is none.
func follow[V any](r *accountReader, class, name string, listed map[string]V, list snapshot.Fact) string {
	for arn := range listed {
		if name != "" && (arn == name || snapshot.NameOf(arn) == name) {
			return arn
		}
	}
	for _, m := range r.snap.MissingOf(list, "") {
		if name != "" {
			m.Fact, m.Subject = snapshot.FactNodeClasses, class
			r.snap.Missing = append(r.snap.Missing, m)
		}
	}
	return ""
}

// use changes what is known of the roles that a cluster uses.
func (r *accountReader) use(cluster string, change func(*snapshot.ClusterRoles)) {
	r.write(func(*snapshot.Snapshot) {
		roles := r.account.Clusters[cluster]
		change(&roles)
		r.account.Clusters[cluster] = roles
	})
}

// startCandidate reads a role itself and its policies.
func (r *accountReader) startCandidate(roleARN string) {
	role, ok := snapshot.ParseARN(roleARN)
	if !ok || !isIAM(role, "role/") || role.Account != r.arn.Account {
		r.unreadable(roleARN, roleARN+" is not the ARN of a role of account "+r.arn.Account)
		return
	}
	name := role.Name()
	for what, read := range map[string]func(ctx context.Context, arn, name string) error{
		"role": r.readRole, "attached policies of": r.readAttachedPolicies, "inline policies of": r.readInlinePolicies,
	} {
		r.start(what, roleARN, func(ctx context.Context) error { return read(ctx, roleARN, name) })
	}
}
