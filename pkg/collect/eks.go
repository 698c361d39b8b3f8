package collect

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The VPC CNI's node agent, whose credentials matter: its service account,
// DaemonSet and the value of its pods' label k8s-app have one name.
const (
	awsNodeNamespace = "kube-system"
	awsNodeName      = "aws-node"
)

// The add-ons that are read.
const (
	addonVPCCNI           = "vpc-cni"
	addonPodIdentityAgent = "eks-pod-identity-agent"
)

// configMapMode is the authentication mode in which EKS refuses to be asked for
// access entries.
const configMapMode = "CONFIG_MAP"

func (c *collector) startEKS() {
	c.start("cluster", c.cluster, c.readCluster)
	c.start("clusters beside", c.cluster, c.readOtherClusters)
	for _, region := range c.regions {
		c.start("clusters in", region, func(ctx context.Context) error { return c.readRegion(ctx, region) })
	}
	c.start("node groups of", c.cluster, c.readNodeGroups)
	c.start("Fargate profiles of", c.cluster, c.readFargateProfiles)
	c.start("Auto Scaling groups tagged for", c.cluster, c.readAutoScaling)
	c.start("instances tagged for", c.cluster, c.readClusterInstances)
	c.start("Pod Identity associations of", c.cluster, c.readPodIdentity)
	c.start("access entries of", c.cluster, c.readPrincipals)
	c.start("managed policies attached in account of", c.cluster, c.readPolicyPage)
	if c.providers {
		c.start("OIDC providers of account of", c.cluster, c.readClusterProviders)
	}
	for _, name := range []string{addonVPCCNI, addonPodIdentityAgent} {
		c.start("add-on", name, func(ctx context.Context) error { return c.readAddon(ctx, name) })
	}
}

func (c *collector) readCluster(ctx context.Context) error {
	cluster, err := c.aws.Cluster(ctx, c.cluster)
	if err != nil {
		return c.missing(snapshot.FactCluster, "", err)
	}
	c.write(func(s *snapshot.Snapshot) { s.Cluster = cluster })
	c.startClusterRole(cluster.RoleARN)
	c.startEndpoints(cluster.VPCID)
	if cluster.AutoMode != nil {
		c.startProfileQuota() // EKS creates the instance profiles of its node classes
		c.startRole(cluster.AutoMode.NodeRoleARN)
	}
	if len(cluster.RemoteNodeNetworks) > 0 {
		c.startHybridEntries()
		c.startMappedRoles()
	}
	if issuer, ok := strings.CutPrefix(cluster.OIDCIssuer, "https://"); ok {
		arn := c.iamARN("oidc-provider/" + issuer)
		c.start("OIDC provider", arn, func(ctx context.Context) error { return c.readOIDCProvider(ctx, arn) })
	}
	return nil
}

func (c *collector) readOtherClusters(ctx context.Context) error {
	names, err := c.aws.ListClusters(ctx)
	for _, name := range names {
		if name == c.cluster {
			continue
		}
		c.start("cluster", name, func(ctx context.Context) error {
			return c.readOtherCluster(ctx, c.aws, c.identity().Region, name)
		})
	}
	return c.missing(snapshot.FactOtherClusters, "", err)
}

// readRegion reads the clusters of another region.
func (c *collector) readRegion(ctx context.Context, region string) error {
	if region == c.identity().Region {
		return nil // readOtherClusters does
	}
	c.write(func(s *snapshot.Snapshot) { s.OtherRegions = append(s.OtherRegions, region) })
	clusters := c.aws.InRegion(region)
	names, err := clusters.ListClusters(ctx)
	for _, name := range names {
		c.start("cluster in "+region, name, func(ctx context.Context) error {
			return c.readOtherCluster(ctx, clusters, region, name)
		})
	}
	return c.missingIn(region, "eks:ListClusters", err)
}

func (c *collector) readOtherCluster(ctx context.Context, clusters Clusters, region, name string) error {
	cluster, err := clusters.Cluster(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if id := c.identity(); err != nil && region != id.Region {
		arn := strings.Join([]string{"arn", id.Partition, "eks", region, id.Account, "cluster/" + name}, ":")
		return c.missingIn(arn, "eks:DescribeCluster in "+region, err)
	}
	if err != nil {
		return c.missing(snapshot.FactOtherClusters, c.clusterARN(name), err)
	}
	c.write(func(s *snapshot.Snapshot) {
		put(&s.OtherClusters, cluster.ARN, snapshot.OtherCluster{RoleARN: cluster.RoleARN, OIDCIssuer: cluster.OIDCIssuer})
	})
	return nil
}

// missingIn is missing for clusters of another region, which may be turned off for the
// account: whatever its answer is, it does not end the run.
func (c *collector) missingIn(subject, operation string, err error) error {
	if err == nil || c.ctx.Err() != nil {
		return err
	}
	noted := &CallError{Operation: operation, Message: OneLine(err.Error()), Err: err}
	var call *CallError
	var unusable *problem.Error
	switch {
	case errors.As(err, &call):
		noted.Permission, noted.Message = call.Permission, call.Message
	case errors.As(err, &unusable):
		noted.Message = unusable.Problem
	}
	return c.missing(snapshot.FactOtherClusters, subject, noted)
}

// clusterARN returns the ARN of a cluster beside this one.
func (c *collector) clusterARN(name string) string {
	id := c.identity()
	return strings.Join([]string{"arn", id.Partition, "eks", id.Region, id.Account, "cluster/" + name}, ":")
}

func (c *collector) readNodeGroups(ctx context.Context) error {
	names, err := c.aws.NodeGroups(ctx, c.cluster)
	for _, name := range names {
		c.start("node group", name, func(ctx context.Context) error {
			return c.readNodeGroup(ctx, name)
		})
	}
	return c.missing(snapshot.FactNodeGroups, "", err)
}

func (c *collector) readNodeGroup(ctx context.Context, name string) error {
	group, err := c.aws.NodeGroup(ctx, c.cluster, name)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return c.missing(snapshot.FactNodeGroups, name, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.NodeGroups, name, group) })
	c.startRole(group.NodeRoleARN)
	return nil
}

func (c *collector) readFargateProfiles(ctx context.Context) error {
	names, err := c.aws.FargateProfiles(ctx, c.cluster)
	for _, name := range names {
		c.start("Fargate profile", name, func(ctx context.Context) error {
			return c.readFargateProfile(ctx, name)
		})
	}
	return c.missing(snapshot.FactFargateProfiles, "", err)
}

func (c *collector) readFargateProfile(ctx context.Context, name string) error {
	profile, err := c.aws.FargateProfile(ctx, c.cluster, name)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return c.missing(snapshot.FactFargateProfiles, name, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.FargateProfiles, name, profile) })
	return nil
}

func (c *collector) readAddon(ctx context.Context, name string) error {
	addon, err := c.aws.Addon(ctx, c.cluster, name)
	if errors.Is(err, ErrNotFound) {
		return nil // not installed
	}
	if err != nil {
		return c.missing(snapshot.FactAddons, name, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.Addons, name, addon) })
	if name == addonVPCCNI {
		c.startRole(addon.ServiceAccountRoleARN)
	}
	return nil
}

func (c *collector) readPodIdentity(ctx context.Context) error {
	ids, err := c.aws.PodIdentityAssociations(ctx, c.cluster, awsNodeNamespace, awsNodeName)
	for _, id := range ids {
		c.start("Pod Identity association", id, func(ctx context.Context) error {
			return c.readPodIdentityAssociation(ctx, id)
		})
	}
	return c.missing(snapshot.FactPodIdentity, "", err)
}

func (c *collector) readPodIdentityAssociation(ctx context.Context, id string) error {
	association, err := c.aws.PodIdentityAssociation(ctx, c.cluster, id)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return c.missing(snapshot.FactPodIdentity, id, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.PodIdentityAssociations, id, association) })
	c.startRole(association.RoleARN)
	c.startRole(association.TargetRoleARN)
	return nil
}

// mayHaveEntries reports whether the cluster's authentication mode may use access entries.
// It waits for the answer that readCluster also waits for.
func (c *collector) mayHaveEntries(ctx context.Context) bool {
	cluster, err := c.aws.Cluster(ctx, c.cluster)
	return err != nil || cluster.AuthenticationMode != configMapMode
}

// readAccessEntry reads the access entry of a role, unless the cluster's
// authentication mode uses none.
func (c *collector) readAccessEntry(ctx context.Context, roleARN string) error {
	if !c.mayHaveEntries(ctx) {
		return nil
	}
	if principals, err := c.principals(ctx); err == nil && !slices.Contains(principals, roleARN) {
		return nil // the role has none
	}
	entry, err := c.accessEntry(ctx, roleARN)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return c.missing(snapshot.FactAccessEntries, roleARN, err)
	}
	if mayHavePolicies(entry.Type) {
		var refused error
		entry.Policies, refused = c.aws.AccessPolicies(ctx, c.cluster, roleARN)
		if err := c.missing(snapshot.FactAccessPolicies, roleARN, refused); err != nil {
			return err
		}
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.AccessEntries, roleARN, entry) })
	return nil
}

// The types of the access entries of nodes whose roles nothing but these entries names.
const (
	hybridEntry   = "HYBRID_LINUX"
	hyperPodEntry = "HYPERPOD_LINUX"
)

// startHybridEntries finds the roles of hybrid and HyperPod nodes, once.
func (c *collector) startHybridEntries() {
	c.start("access entries of hybrid nodes of", c.cluster, c.readHybridEntries)
}

// readHybridEntries finds the roles of hybrid and HyperPod nodes, which only their access
// entries identify.
func (c *collector) readHybridEntries(ctx context.Context) error {
	if !c.mayHaveEntries(ctx) {
		return nil
	}
	principals, err := c.principals(ctx)
	for _, arn := range principals {
		if a, ok := snapshot.ParseARN(arn); !ok || !isIAM(a, "role/") {
			continue
		}
		c.start("access entry of principal", arn, func(ctx context.Context) error {
			entry, err := c.accessEntry(ctx, arn)
			if err == nil && (entry.Type == hybridEntry || entry.Type == hyperPodEntry) {
				c.startRole(arn)
			}
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return c.missing(snapshot.FactHybridEntries, "", err)
		})
	}
	return c.missing(snapshot.FactHybridEntries, "", err)
}

// accessEntry reads the access entry of a principal, once.
func (c *collector) accessEntry(ctx context.Context, arn string) (snapshot.AccessEntry, error) {
	return c.entries.Get(ctx, arn, func(ctx context.Context) (snapshot.AccessEntry, error) {
		return c.aws.AccessEntry(ctx, c.cluster, arn)
	})
}

// mayHavePolicies reports whether access policies can be associated with access entries of
// a type.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html
func mayHavePolicies(entryType string) bool { return entryType == "STANDARD" || entryType == "EC2" }
