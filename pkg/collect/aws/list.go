package aws

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var _ collect.AccountAWS = (*Client)(nil)

// Roles returns the account's roles by ARN, as iam:ListRoles returns
// them: without policies, boundary and tags.
func (a *Account) Roles(ctx context.Context) (map[string]snapshot.Role, error) {
	roles := map[string]snapshot.Role{}
	err := pages(ctx, a, "iam:ListRoles", iam.NewListRolesPaginator(a.iam, &iam.ListRolesInput{MaxItems: aws.Int32(listPage)}),
		func(page *iam.ListRolesOutput) (string, bool) {
			for i := range page.Roles {
				role := &page.Roles[i]
				roles[aws.ToString(role.Arn)] = roleFacts(role)
			}
			return byMarker(page.IsTruncated, page.Marker)
		})
	return roles, err
}

// InstanceProfiles returns the account's instance profiles by ARN.
func (a *Account) InstanceProfiles(ctx context.Context) (map[string]snapshot.InstanceProfile, error) {
	profiles := map[string]snapshot.InstanceProfile{}
	err := pages(ctx, a, "iam:ListInstanceProfiles", iam.NewListInstanceProfilesPaginator(a.iam, &iam.ListInstanceProfilesInput{MaxItems: aws.Int32(listPage)}),
		func(page *iam.ListInstanceProfilesOutput) (string, bool) {
			for i := range page.InstanceProfiles {
				profile := &page.InstanceProfiles[i]
				profiles[aws.ToString(profile.Arn)] = instanceProfile(profile)
			}
			return byMarker(page.IsTruncated, page.Marker)
		})
	return profiles, err
}

// ProfilePage is InstanceProfiles with the first page alone. Few accounts have more than one.
func (a *Account) ProfilePage(ctx context.Context) (map[string]snapshot.InstanceProfile, error) {
	page, err := call(ctx, a, "iam:ListInstanceProfiles", func(ctx context.Context) (*iam.ListInstanceProfilesOutput, error) {
		return a.iam.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{MaxItems: aws.Int32(listPage)})
	})
	if err != nil {
		return nil, err
	}
	profiles := make(map[string]snapshot.InstanceProfile, len(page.InstanceProfiles))
	for i := range page.InstanceProfiles {
		profile := &page.InstanceProfiles[i]
		profiles[aws.ToString(profile.Arn)] = instanceProfile(profile)
	}
	return profiles, nil
}

// PolicyRoles returns the names of the roles that a managed policy is attached to.
func (a *Account) PolicyRoles(ctx context.Context, policyARN string) ([]string, error) {
	return a.rolesWith(ctx, policyARN, iamtypes.PolicyUsageTypePermissionsPolicy)
}

// rolesWith returns the names of the roles that have a managed policy for a use, in order.
func (a *Account) rolesWith(ctx context.Context, policyARN string, use iamtypes.PolicyUsageType) ([]string, error) {
	var names []string
	err := pages(ctx, a, "iam:ListEntitiesForPolicy", iam.NewListEntitiesForPolicyPaginator(a.iam, &iam.ListEntitiesForPolicyInput{
		PolicyArn: &policyARN, EntityFilter: iamtypes.EntityTypeRole, PolicyUsageFilter: use, MaxItems: aws.Int32(listPage),
	}), func(page *iam.ListEntitiesForPolicyOutput) (string, bool) {
		for _, role := range page.PolicyRoles {
			names = append(names, aws.ToString(role.RoleName))
		}
		return byMarker(page.IsTruncated, page.Marker)
	})
	slices.Sort(names)
	return names, err
}

// RoleUse is Role with when the role was last used; the zero time where IAM has
// seen no use in the 400 days that it keeps.
func (a *Account) RoleUse(ctx context.Context, name string) (arn string, facts snapshot.Role, lastUsed time.Time, err error) {
	out, err := call(ctx, a, "iam:GetRole", func(ctx context.Context) (*iam.GetRoleOutput, error) {
		return a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	})
	if err != nil {
		return "", snapshot.Role{}, time.Time{}, err
	}
	role, err := present("iam:GetRole", out.Role)
	if err != nil {
		return "", snapshot.Role{}, time.Time{}, err
	}
	if use := role.RoleLastUsed; use != nil {
		lastUsed = utc(use.LastUsedDate)
	}
	return aws.ToString(role.Arn), roleFacts(role), lastUsed, nil
}

// listPage is how many roles, profiles or entities a page holds: the most that IAM gives.
const listPage = 1000

func roleFacts(role *iamtypes.Role) snapshot.Role {
	facts := snapshot.Role{
		ID:          aws.ToString(role.RoleId),
		CreatedAt:   utc(role.CreateDate),
		TrustPolicy: document(aws.ToString(role.AssumeRolePolicyDocument)),
	}
	if boundary := role.PermissionsBoundary; boundary != nil {
		facts.PermissionsBoundary = aws.ToString(boundary.PermissionsBoundaryArn)
	}
	if len(role.Tags) > 0 {
		facts.Tags = make(map[string]string, len(role.Tags))
		for _, tag := range role.Tags {
			facts.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return facts
}
