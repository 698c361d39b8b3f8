package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The SDK's clients, with the calls in use as their only methods. A client itself
// would bring all of its operations into the program, several hundred in the case
// of EC2, and make it twice as large: the linker leaves no method out of a type
// that is put into an interface once something, here text/template, looks methods
// up by name. https://go.dev/src/cmd/link/internal/ld/deadcode.go
type (
	eksCalls         eks.Client
	iamCalls         iam.Client
	ec2Calls         ec2.Client
	autoscalingCalls autoscaling.Client
	stsCalls         sts.Client
)

func (c *eksCalls) ListClusters(ctx context.Context, in *eks.ListClustersInput, o ...func(*eks.Options)) (*eks.ListClustersOutput, error) {
	return (*eks.Client)(c).ListClusters(ctx, in, o...)
}

func (c *eksCalls) DescribeCluster(ctx context.Context, in *eks.DescribeClusterInput, o ...func(*eks.Options)) (*eks.DescribeClusterOutput, error) {
	return (*eks.Client)(c).DescribeCluster(ctx, in, o...)
}

func (c *eksCalls) ListNodegroups(ctx context.Context, in *eks.ListNodegroupsInput, o ...func(*eks.Options)) (*eks.ListNodegroupsOutput, error) {
	return (*eks.Client)(c).ListNodegroups(ctx, in, o...)
}

func (c *eksCalls) DescribeNodegroup(ctx context.Context, in *eks.DescribeNodegroupInput, o ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error) {
	return (*eks.Client)(c).DescribeNodegroup(ctx, in, o...)
}

func (c *eksCalls) ListFargateProfiles(ctx context.Context, in *eks.ListFargateProfilesInput, o ...func(*eks.Options)) (*eks.ListFargateProfilesOutput, error) {
	return (*eks.Client)(c).ListFargateProfiles(ctx, in, o...)
}

func (c *eksCalls) DescribeFargateProfile(ctx context.Context, in *eks.DescribeFargateProfileInput, o ...func(*eks.Options)) (*eks.DescribeFargateProfileOutput, error) {
	return (*eks.Client)(c).DescribeFargateProfile(ctx, in, o...)
}

func (c *eksCalls) DescribeAddon(ctx context.Context, in *eks.DescribeAddonInput, o ...func(*eks.Options)) (*eks.DescribeAddonOutput, error) {
	return (*eks.Client)(c).DescribeAddon(ctx, in, o...)
}

func (c *eksCalls) ListPodIdentityAssociations(ctx context.Context, in *eks.ListPodIdentityAssociationsInput, o ...func(*eks.Options)) (*eks.ListPodIdentityAssociationsOutput, error) {
	return (*eks.Client)(c).ListPodIdentityAssociations(ctx, in, o...)
}

func (c *eksCalls) DescribePodIdentityAssociation(ctx context.Context, in *eks.DescribePodIdentityAssociationInput, o ...func(*eks.Options)) (*eks.DescribePodIdentityAssociationOutput, error) {
	return (*eks.Client)(c).DescribePodIdentityAssociation(ctx, in, o...)
}

func (c *eksCalls) ListAccessEntries(ctx context.Context, in *eks.ListAccessEntriesInput, o ...func(*eks.Options)) (*eks.ListAccessEntriesOutput, error) {
	return (*eks.Client)(c).ListAccessEntries(ctx, in, o...)
}

func (c *eksCalls) ListAssociatedAccessPolicies(ctx context.Context, in *eks.ListAssociatedAccessPoliciesInput, o ...func(*eks.Options)) (*eks.ListAssociatedAccessPoliciesOutput, error) {
	return (*eks.Client)(c).ListAssociatedAccessPolicies(ctx, in, o...)
}

func (c *eksCalls) DescribeAccessEntry(ctx context.Context, in *eks.DescribeAccessEntryInput, o ...func(*eks.Options)) (*eks.DescribeAccessEntryOutput, error) {
	return (*eks.Client)(c).DescribeAccessEntry(ctx, in, o...)
}

func (c *eksCalls) CreateAccessEntry(ctx context.Context, in *eks.CreateAccessEntryInput, o ...func(*eks.Options)) (*eks.CreateAccessEntryOutput, error) {
	return (*eks.Client)(c).CreateAccessEntry(ctx, in, o...)
}

func (c *eksCalls) DeleteAccessEntry(ctx context.Context, in *eks.DeleteAccessEntryInput, o ...func(*eks.Options)) (*eks.DeleteAccessEntryOutput, error) {
	return (*eks.Client)(c).DeleteAccessEntry(ctx, in, o...)
}

func (c *eksCalls) AssociateAccessPolicy(ctx context.Context, in *eks.AssociateAccessPolicyInput, o ...func(*eks.Options)) (*eks.AssociateAccessPolicyOutput, error) {
	return (*eks.Client)(c).AssociateAccessPolicy(ctx, in, o...)
}

func (c *eksCalls) DisassociateAccessPolicy(ctx context.Context, in *eks.DisassociateAccessPolicyInput, o ...func(*eks.Options)) (*eks.DisassociateAccessPolicyOutput, error) {
	return (*eks.Client)(c).DisassociateAccessPolicy(ctx, in, o...)
}

func (c *eksCalls) CreatePodIdentityAssociation(ctx context.Context, in *eks.CreatePodIdentityAssociationInput, o ...func(*eks.Options)) (*eks.CreatePodIdentityAssociationOutput, error) {
	return (*eks.Client)(c).CreatePodIdentityAssociation(ctx, in, o...)
}

func (c *eksCalls) UpdatePodIdentityAssociation(ctx context.Context, in *eks.UpdatePodIdentityAssociationInput, o ...func(*eks.Options)) (*eks.UpdatePodIdentityAssociationOutput, error) {
	return (*eks.Client)(c).UpdatePodIdentityAssociation(ctx, in, o...)
}

func (c *eksCalls) DeletePodIdentityAssociation(ctx context.Context, in *eks.DeletePodIdentityAssociationInput, o ...func(*eks.Options)) (*eks.DeletePodIdentityAssociationOutput, error) {
	return (*eks.Client)(c).DeletePodIdentityAssociation(ctx, in, o...)
}

func (c *eksCalls) CreateAddon(ctx context.Context, in *eks.CreateAddonInput, o ...func(*eks.Options)) (*eks.CreateAddonOutput, error) {
	return (*eks.Client)(c).CreateAddon(ctx, in, o...)
}

func (c *eksCalls) DeleteAddon(ctx context.Context, in *eks.DeleteAddonInput, o ...func(*eks.Options)) (*eks.DeleteAddonOutput, error) {
	return (*eks.Client)(c).DeleteAddon(ctx, in, o...)
}

func (c *eksCalls) UpdateAddon(ctx context.Context, in *eks.UpdateAddonInput, o ...func(*eks.Options)) (*eks.UpdateAddonOutput, error) {
	return (*eks.Client)(c).UpdateAddon(ctx, in, o...)
}

func (c *iamCalls) GetRole(ctx context.Context, in *iam.GetRoleInput, o ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	return (*iam.Client)(c).GetRole(ctx, in, o...)
}

func (c *iamCalls) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesInput, o ...func(*iam.Options)) (*iam.ListAttachedRolePoliciesOutput, error) {
	return (*iam.Client)(c).ListAttachedRolePolicies(ctx, in, o...)
}

func (c *iamCalls) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput, o ...func(*iam.Options)) (*iam.ListRolePoliciesOutput, error) {
	return (*iam.Client)(c).ListRolePolicies(ctx, in, o...)
}

func (c *iamCalls) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput, o ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error) {
	return (*iam.Client)(c).GetRolePolicy(ctx, in, o...)
}

func (c *iamCalls) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleInput, o ...func(*iam.Options)) (*iam.ListInstanceProfilesForRoleOutput, error) {
	return (*iam.Client)(c).ListInstanceProfilesForRole(ctx, in, o...)
}

func (c *iamCalls) GetPolicy(ctx context.Context, in *iam.GetPolicyInput, o ...func(*iam.Options)) (*iam.GetPolicyOutput, error) {
	return (*iam.Client)(c).GetPolicy(ctx, in, o...)
}

func (c *iamCalls) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput, o ...func(*iam.Options)) (*iam.GetPolicyVersionOutput, error) {
	return (*iam.Client)(c).GetPolicyVersion(ctx, in, o...)
}

func (c *iamCalls) GetOpenIDConnectProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderInput, o ...func(*iam.Options)) (*iam.GetOpenIDConnectProviderOutput, error) {
	return (*iam.Client)(c).GetOpenIDConnectProvider(ctx, in, o...)
}

func (c *iamCalls) SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput, o ...func(*iam.Options)) (*iam.SimulatePrincipalPolicyOutput, error) {
	return (*iam.Client)(c).SimulatePrincipalPolicy(ctx, in, o...)
}

func (c *iamCalls) GetInstanceProfile(ctx context.Context, in *iam.GetInstanceProfileInput, o ...func(*iam.Options)) (*iam.GetInstanceProfileOutput, error) {
	return (*iam.Client)(c).GetInstanceProfile(ctx, in, o...)
}

func (c *iamCalls) ListRoles(ctx context.Context, in *iam.ListRolesInput, o ...func(*iam.Options)) (*iam.ListRolesOutput, error) {
	return (*iam.Client)(c).ListRoles(ctx, in, o...)
}

func (c *iamCalls) ListInstanceProfiles(ctx context.Context, in *iam.ListInstanceProfilesInput, o ...func(*iam.Options)) (*iam.ListInstanceProfilesOutput, error) {
	return (*iam.Client)(c).ListInstanceProfiles(ctx, in, o...)
}

func (c *iamCalls) CreateRole(ctx context.Context, in *iam.CreateRoleInput, o ...func(*iam.Options)) (*iam.CreateRoleOutput, error) {
	return (*iam.Client)(c).CreateRole(ctx, in, o...)
}

func (c *iamCalls) DeleteRole(ctx context.Context, in *iam.DeleteRoleInput, o ...func(*iam.Options)) (*iam.DeleteRoleOutput, error) {
	return (*iam.Client)(c).DeleteRole(ctx, in, o...)
}

func (c *iamCalls) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput, o ...func(*iam.Options)) (*iam.AttachRolePolicyOutput, error) {
	return (*iam.Client)(c).AttachRolePolicy(ctx, in, o...)
}

func (c *iamCalls) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput, o ...func(*iam.Options)) (*iam.DetachRolePolicyOutput, error) {
	return (*iam.Client)(c).DetachRolePolicy(ctx, in, o...)
}

func (c *iamCalls) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput, o ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error) {
	return (*iam.Client)(c).PutRolePolicy(ctx, in, o...)
}

func (c *iamCalls) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput, o ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error) {
	return (*iam.Client)(c).DeleteRolePolicy(ctx, in, o...)
}

func (c *iamCalls) CreatePolicy(ctx context.Context, in *iam.CreatePolicyInput, o ...func(*iam.Options)) (*iam.CreatePolicyOutput, error) {
	return (*iam.Client)(c).CreatePolicy(ctx, in, o...)
}

func (c *iamCalls) DeletePolicy(ctx context.Context, in *iam.DeletePolicyInput, o ...func(*iam.Options)) (*iam.DeletePolicyOutput, error) {
	return (*iam.Client)(c).DeletePolicy(ctx, in, o...)
}

func (c *iamCalls) CreateInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileInput, o ...func(*iam.Options)) (*iam.CreateInstanceProfileOutput, error) {
	return (*iam.Client)(c).CreateInstanceProfile(ctx, in, o...)
}

func (c *iamCalls) DeleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileInput, o ...func(*iam.Options)) (*iam.DeleteInstanceProfileOutput, error) {
	return (*iam.Client)(c).DeleteInstanceProfile(ctx, in, o...)
}

func (c *iamCalls) AddRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileInput, o ...func(*iam.Options)) (*iam.AddRoleToInstanceProfileOutput, error) {
	return (*iam.Client)(c).AddRoleToInstanceProfile(ctx, in, o...)
}

func (c *iamCalls) RemoveRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileInput, o ...func(*iam.Options)) (*iam.RemoveRoleFromInstanceProfileOutput, error) {
	return (*iam.Client)(c).RemoveRoleFromInstanceProfile(ctx, in, o...)
}

func (c *iamCalls) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput, o ...func(*iam.Options)) (*iam.UpdateAssumeRolePolicyOutput, error) {
	return (*iam.Client)(c).UpdateAssumeRolePolicy(ctx, in, o...)
}

func (c *iamCalls) CreateOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderInput, o ...func(*iam.Options)) (*iam.CreateOpenIDConnectProviderOutput, error) {
	return (*iam.Client)(c).CreateOpenIDConnectProvider(ctx, in, o...)
}

func (c *iamCalls) DeleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderInput, o ...func(*iam.Options)) (*iam.DeleteOpenIDConnectProviderOutput, error) {
	return (*iam.Client)(c).DeleteOpenIDConnectProvider(ctx, in, o...)
}

func (c *iamCalls) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput, o ...func(*iam.Options)) (*iam.AddClientIDToOpenIDConnectProviderOutput, error) {
	return (*iam.Client)(c).AddClientIDToOpenIDConnectProvider(ctx, in, o...)
}

func (c *iamCalls) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput, o ...func(*iam.Options)) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return (*iam.Client)(c).RemoveClientIDFromOpenIDConnectProvider(ctx, in, o...)
}

func (c *ec2Calls) DescribeLaunchTemplateVersions(ctx context.Context, in *ec2.DescribeLaunchTemplateVersionsInput, o ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	return (*ec2.Client)(c).DescribeLaunchTemplateVersions(ctx, in, o...)
}

func (c *ec2Calls) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, o ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return (*ec2.Client)(c).DescribeInstances(ctx, in, o...)
}

func (c *autoscalingCalls) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, o ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return (*autoscaling.Client)(c).DescribeAutoScalingGroups(ctx, in, o...)
}

func (c *stsCalls) GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, o ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return (*sts.Client)(c).GetCallerIdentity(ctx, in, o...)
}
