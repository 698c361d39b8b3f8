package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// ListClusters returns the names of the region's clusters.
func (c *Client) ListClusters(ctx context.Context) ([]string, error) {
	return c.clusterNames.Get(ctx, "", func(ctx context.Context) ([]string, error) {
		var names []string
		err := pages(ctx, c, "eks:ListClusters", eks.NewListClustersPaginator(c.eks, &eks.ListClustersInput{}),
			func(page *eks.ListClustersOutput) (string, bool) {
				names = append(names, page.Clusters...)
				return byToken(page.NextToken)
			})
		return names, err
	})
}

// DescribeCluster returns what identifies a cluster. Where EKS has no such
// cluster the error wraps locate.ErrNoCluster.
func (c *Client) DescribeCluster(ctx context.Context, name string) (locate.Cluster, error) {
	cluster, err := c.describeCluster(ctx, name)
	if errors.Is(err, collect.ErrNotFound) {
		return locate.Cluster{}, fmt.Errorf("%w: %w", locate.ErrNoCluster, err)
	}
	if err != nil {
		return locate.Cluster{}, err
	}
	out := locate.Cluster{
		Name:     aws.ToString(cluster.Name),
		ARN:      aws.ToString(cluster.Arn),
		Endpoint: aws.ToString(cluster.Endpoint),
	}
	if authority := cluster.CertificateAuthority; authority != nil {
		data := aws.ToString(authority.Data)
		out.CertificateAuthority, err = base64.StdEncoding.DecodeString(data)
		if err != nil {
			out.CertificateAuthority = []byte(data)
		}
	}
	return out, nil
}

// Cluster returns the facts about a cluster.
func (c *Client) Cluster(ctx context.Context, name string) (snapshot.Cluster, error) {
	cluster, err := c.describeCluster(ctx, name)
	if err != nil {
		return snapshot.Cluster{}, err
	}
	out := snapshot.Cluster{
		ARN:     aws.ToString(cluster.Arn),
		Version: aws.ToString(cluster.Version),
		Status:  string(cluster.Status),
		RoleARN: aws.ToString(cluster.RoleArn),
	}
	if vpc := cluster.ResourcesVpcConfig; vpc != nil {
		out.VPCID = aws.ToString(vpc.VpcId)
	}
	if network := cluster.KubernetesNetworkConfig; network != nil {
		out.IPFamily = string(network.IpFamily)
	}
	if access := cluster.AccessConfig; access != nil {
		out.AuthenticationMode = string(access.AuthenticationMode)
	}
	if identity := cluster.Identity; identity != nil && identity.Oidc != nil {
		out.OIDCIssuer = aws.ToString(identity.Oidc.Issuer)
	}
	if remote := cluster.RemoteNetworkConfig; remote != nil {
		for _, network := range remote.RemoteNodeNetworks {
			out.RemoteNodeNetworks = append(out.RemoteNodeNetworks, network.Cidrs...)
		}
	}
	// Where etcd has instances of its own, the control plane is in an account of AWS.
	if outpost := cluster.OutpostConfig; outpost != nil {
		out.LocalControlPlane = aws.ToString(outpost.ControlPlaneInstanceType) != "" && aws.ToString(outpost.EtcdInstanceType) == ""
	}
	if compute := cluster.ComputeConfig; compute != nil && aws.ToBool(compute.Enabled) {
		out.AutoMode = &snapshot.AutoMode{
			NodeRoleARN: aws.ToString(compute.NodeRoleArn),
			NodePools:   slices.Sorted(slices.Values(compute.NodePools)),
		}
	}
	if cluster.Health != nil {
		for _, issue := range cluster.Health.Issues {
			out.Health = append(out.Health, snapshot.HealthIssue{
				Code:        string(issue.Code),
				Message:     aws.ToString(issue.Message),
				ResourceIDs: issue.ResourceIds,
			})
		}
	}
	return out, nil
}

func (c *Client) describeCluster(ctx context.Context, name string) (*ekstypes.Cluster, error) {
	return c.clusters.Get(ctx, name, func(ctx context.Context) (*ekstypes.Cluster, error) {
		out, err := call(ctx, c, "eks:DescribeCluster", func(ctx context.Context) (*eks.DescribeClusterOutput, error) {
			return c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		})
		if err != nil {
			return nil, err
		}
		return present("eks:DescribeCluster", out.Cluster)
	})
}

// NodeGroups returns the names of a cluster's managed node groups.
func (c *Client) NodeGroups(ctx context.Context, cluster string) ([]string, error) {
	var names []string
	err := pages(ctx, c, "eks:ListNodegroups", eks.NewListNodegroupsPaginator(c.eks, &eks.ListNodegroupsInput{ClusterName: &cluster}),
		func(page *eks.ListNodegroupsOutput) (string, bool) {
			names = append(names, page.Nodegroups...)
			return byToken(page.NextToken)
		})
	return names, err
}

// NodeGroup returns the facts about a managed node group.
func (c *Client) NodeGroup(ctx context.Context, cluster, name string) (snapshot.NodeGroup, error) {
	out, err := call(ctx, c, "eks:DescribeNodegroup", func(ctx context.Context) (*eks.DescribeNodegroupOutput, error) {
		return c.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	})
	if err != nil {
		return snapshot.NodeGroup{}, err
	}
	group, err := present("eks:DescribeNodegroup", out.Nodegroup)
	if err != nil {
		return snapshot.NodeGroup{}, err
	}
	facts := snapshot.NodeGroup{
		NodeRoleARN: aws.ToString(group.NodeRole),
		Status:      string(group.Status),
		AMIType:     string(group.AmiType),
		Subnets:     slices.Sorted(slices.Values(group.Subnets)),
	}
	if template := group.LaunchTemplate; template != nil {
		facts.LaunchTemplate = aws.ToString(template.Id) + ":" + aws.ToString(template.Version)
	}
	if group.Health != nil {
		for _, issue := range group.Health.Issues {
			facts.Health = append(facts.Health, snapshot.HealthIssue{
				Code:        string(issue.Code),
				Message:     aws.ToString(issue.Message),
				ResourceIDs: issue.ResourceIds,
			})
		}
	}
	return facts, nil
}

// FargateProfiles returns the names of a cluster's Fargate profiles.
func (c *Client) FargateProfiles(ctx context.Context, cluster string) ([]string, error) {
	var names []string
	err := pages(ctx, c, "eks:ListFargateProfiles", eks.NewListFargateProfilesPaginator(c.eks, &eks.ListFargateProfilesInput{ClusterName: &cluster}),
		func(page *eks.ListFargateProfilesOutput) (string, bool) {
			names = append(names, page.FargateProfileNames...)
			return byToken(page.NextToken)
		})
	return names, err
}

// FargateProfile returns the facts about a Fargate profile.
func (c *Client) FargateProfile(ctx context.Context, cluster, name string) (snapshot.FargateProfile, error) {
	out, err := call(ctx, c, "eks:DescribeFargateProfile", func(ctx context.Context) (*eks.DescribeFargateProfileOutput, error) {
		return c.eks.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: &cluster, FargateProfileName: &name})
	})
	if err != nil {
		return snapshot.FargateProfile{}, err
	}
	profile, err := present("eks:DescribeFargateProfile", out.FargateProfile)
	if err != nil {
		return snapshot.FargateProfile{}, err
	}
	return snapshot.FargateProfile{
		PodExecutionRoleARN: aws.ToString(profile.PodExecutionRoleArn),
		Status:              string(profile.Status),
	}, nil
}

// Addon returns the facts about an EKS add-on.
func (c *Client) Addon(ctx context.Context, cluster, name string) (snapshot.Addon, error) {
	out, err := call(ctx, c, "eks:DescribeAddon", func(ctx context.Context) (*eks.DescribeAddonOutput, error) {
		return c.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &cluster, AddonName: &name})
	})
	if err != nil {
		return snapshot.Addon{}, err
	}
	addon, err := present("eks:DescribeAddon", out.Addon)
	if err != nil {
		return snapshot.Addon{}, err
	}
	facts := snapshot.Addon{
		Version:                 aws.ToString(addon.AddonVersion),
		Status:                  string(addon.Status),
		ServiceAccountRoleARN:   aws.ToString(addon.ServiceAccountRoleArn),
		PodIdentityAssociations: addon.PodIdentityAssociations,
	}
	if addon.Health != nil {
		for _, issue := range addon.Health.Issues {
			facts.Health = append(facts.Health, snapshot.HealthIssue{
				Code:        string(issue.Code),
				Message:     aws.ToString(issue.Message),
				ResourceIDs: issue.ResourceIds,
			})
		}
	}
	return facts, nil
}

// PodIdentityAssociations returns the ids of a service account's EKS Pod
// Identity associations.
func (c *Client) PodIdentityAssociations(ctx context.Context, cluster, namespace, serviceAccount string) ([]string, error) {
	in := &eks.ListPodIdentityAssociationsInput{ClusterName: &cluster, Namespace: &namespace, ServiceAccount: &serviceAccount}
	var ids []string
	err := pages(ctx, c, "eks:ListPodIdentityAssociations", eks.NewListPodIdentityAssociationsPaginator(c.eks, in),
		func(page *eks.ListPodIdentityAssociationsOutput) (string, bool) {
			for _, association := range page.Associations {
				ids = append(ids, aws.ToString(association.AssociationId))
			}
			return byToken(page.NextToken)
		})
	return ids, err
}

// PodIdentityAssociation returns the facts about an association.
func (c *Client) PodIdentityAssociation(ctx context.Context, cluster, id string) (snapshot.PodIdentityAssociation, error) {
	out, err := call(ctx, c, "eks:DescribePodIdentityAssociation", func(ctx context.Context) (*eks.DescribePodIdentityAssociationOutput, error) {
		return c.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &cluster, AssociationId: &id})
	})
	if err != nil {
		return snapshot.PodIdentityAssociation{}, err
	}
	association, err := present("eks:DescribePodIdentityAssociation", out.Association)
	if err != nil {
		return snapshot.PodIdentityAssociation{}, err
	}
	return snapshot.PodIdentityAssociation{
		Namespace:      aws.ToString(association.Namespace),
		ServiceAccount: aws.ToString(association.ServiceAccount),
		RoleARN:        aws.ToString(association.RoleArn),
		TargetRoleARN:  aws.ToString(association.TargetRoleArn),

		ExternalID:         aws.ToString(association.ExternalId),
		DisableSessionTags: aws.ToBool(association.DisableSessionTags),
		Policy:             aws.ToString(association.Policy),
	}, nil
}

// AccessEntry returns the access entry of an IAM principal.
func (c *Client) AccessEntry(ctx context.Context, cluster, principalARN string) (snapshot.AccessEntry, error) {
	out, err := call(ctx, c, "eks:DescribeAccessEntry", func(ctx context.Context) (*eks.DescribeAccessEntryOutput, error) {
		return c.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &cluster, PrincipalArn: &principalARN})
	})
	if err != nil {
		return snapshot.AccessEntry{}, err
	}
	entry, err := present("eks:DescribeAccessEntry", out.AccessEntry)
	if err != nil {
		return snapshot.AccessEntry{}, err
	}
	return snapshot.AccessEntry{
		Type:      aws.ToString(entry.Type),
		Username:  aws.ToString(entry.Username),
		Groups:    slices.Sorted(slices.Values(entry.KubernetesGroups)),
		CreatedAt: utc(entry.CreatedAt),
	}, nil
}

// AccessPolicies returns the namespaces that each access policy of a principal is
// limited to, by ARN; none means the whole cluster.
func (c *Client) AccessPolicies(ctx context.Context, cluster, principalARN string) (map[string][]string, error) {
	policies := map[string][]string{}
	err := pages(ctx, c, "eks:ListAssociatedAccessPolicies",
		eks.NewListAssociatedAccessPoliciesPaginator(c.eks, &eks.ListAssociatedAccessPoliciesInput{ClusterName: &cluster, PrincipalArn: &principalARN}),
		func(page *eks.ListAssociatedAccessPoliciesOutput) (string, bool) {
			for _, p := range page.AssociatedAccessPolicies {
				namespaces := []string{}
				if p.AccessScope != nil {
					namespaces = append(namespaces, p.AccessScope.Namespaces...)
				}
				policies[aws.ToString(p.PolicyArn)] = namespaces
			}
			return byToken(page.NextToken)
		})
	if len(policies) == 0 {
		return nil, err
	}
	return policies, err
}

// AccessEntries returns the principals that have an access entry.
func (c *Client) AccessEntries(ctx context.Context, cluster string) ([]string, error) {
	var principals []string
	err := pages(ctx, c, "eks:ListAccessEntries", eks.NewListAccessEntriesPaginator(c.eks, &eks.ListAccessEntriesInput{ClusterName: &cluster}),
		func(page *eks.ListAccessEntriesOutput) (string, bool) {
			principals = append(principals, page.AccessEntries...)
			return byToken(page.NextToken)
		})
	return principals, err
}
