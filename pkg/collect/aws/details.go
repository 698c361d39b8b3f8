package aws

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// detailsPage is how many roles and policies are asked for at once, each with its documents:
// so few that an answer arrives within the time limit of a request.
const detailsPage = 200

// Details returns what iam:GetAccountAuthorizationDetails says of the account's roles and of
// its own managed policies.
func (a *Account) Details(ctx context.Context) (*collect.Details, error) {
	details := &collect.Details{Roles: map[string]collect.RoleDetails{}, Policies: map[string]snapshot.Policy{}}
	in := &iam.GetAccountAuthorizationDetailsInput{
		Filter: []iamtypes.EntityType{iamtypes.EntityTypeRole, iamtypes.EntityTypeLocalManagedPolicy}, MaxItems: aws.Int32(detailsPage),
	}
	err := pages(ctx, a, "iam:GetAccountAuthorizationDetails", iam.NewGetAccountAuthorizationDetailsPaginator(a.iam, in),
		func(page *iam.GetAccountAuthorizationDetailsOutput) (string, bool) {
			for i := range page.RoleDetailList {
				role := &page.RoleDetailList[i]
				details.Roles[aws.ToString(role.RoleName)] = roleDetails(role)
			}
			for i := range page.Policies {
				policy := &page.Policies[i]
				for _, version := range policy.PolicyVersionList {
					if version.IsDefaultVersion {
						details.Policies[aws.ToString(policy.Arn)] = snapshot.Policy{
							Version: aws.ToString(version.VersionId), Document: document(aws.ToString(version.Document)),
						}
					}
				}
			}
			return byMarker(page.IsTruncated, page.Marker)
		})
	if err != nil {
		return nil, err
	}
	return details, nil
}

// roleDetails are the facts of a role. IAM's answer has no permissions boundary, though its
// documentation says so.
// Source: https://github.com/awsdocs/iam-user-guide/issues/81.
func roleDetails(role *iamtypes.RoleDetail) collect.RoleDetails {
	details := collect.RoleDetails{
		ARN: aws.ToString(role.Arn),
		Facts: roleFacts(&iamtypes.Role{
			RoleId: role.RoleId, CreateDate: role.CreateDate, AssumeRolePolicyDocument: role.AssumeRolePolicyDocument, Tags: role.Tags,
		}),
	}
	for _, policy := range role.AttachedManagedPolicies {
		details.Facts.AttachedPolicies = append(details.Facts.AttachedPolicies, aws.ToString(policy.PolicyArn))
	}
	slices.Sort(details.Facts.AttachedPolicies)
	for _, policy := range role.RolePolicyList {
		if details.Facts.InlinePolicies == nil {
			details.Facts.InlinePolicies = map[string]string{}
		}
		details.Facts.InlinePolicies[aws.ToString(policy.PolicyName)] = document(aws.ToString(policy.PolicyDocument))
	}
	for i := range role.InstanceProfileList {
		if details.Profiles == nil {
			details.Profiles = map[string]snapshot.InstanceProfile{}
		}
		profile := &role.InstanceProfileList[i]
		details.Profiles[aws.ToString(profile.Arn)] = instanceProfile(profile)
	}
	if use := role.RoleLastUsed; use != nil {
		lastUsed := utc(use.LastUsedDate)
		details.LastUsed = &lastUsed
	}
	return details
}

// BoundaryRoles returns the names of the roles that have a managed policy as their permissions
// boundary.
func (a *Account) BoundaryRoles(ctx context.Context, policyARN string) ([]string, error) {
	return a.rolesWith(ctx, policyARN, iamtypes.PolicyUsageTypePermissionsBoundary)
}
