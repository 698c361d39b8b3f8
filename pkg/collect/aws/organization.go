package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var _ collect.Organization = (*Client)(nil)

// Organization returns the organization of the caller's account.
func (c *Client) Organization(ctx context.Context) (id, managementAccount string, err error) {
	const operation = "organizations:DescribeOrganization"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*organizations.DescribeOrganizationOutput, error) {
		return c.organizations.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	})
	if err != nil {
		return "", "", err
	}
	organization, err := present(operation, out.Organization)
	if err != nil {
		return "", "", err
	}
	return aws.ToString(organization.Id), aws.ToString(organization.MasterAccountId), nil
}

// Parent returns the id of the root or organizational unit that a child is in: a child has
// one parent.
func (c *Client) Parent(ctx context.Context, child string) (string, error) {
	const operation = "organizations:ListParents"
	var parent *string
	err := pages(ctx, c, operation, organizations.NewListParentsPaginator(c.organizations, &organizations.ListParentsInput{ChildId: &child}),
		func(page *organizations.ListParentsOutput) (string, bool) {
			for i := range page.Parents {
				parent = page.Parents[i].Id
			}
			return byToken(page.NextToken)
		})
	if err != nil {
		return "", err
	}
	if parent, err = present(operation, parent); err != nil {
		return "", err
	}
	return *parent, nil
}

// TargetPolicies returns the ids of the policies of a type that are attached to a target.
func (c *Client) TargetPolicies(ctx context.Context, target, policyType string) ([]string, error) {
	in := &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: orgtypes.PolicyType(policyType)}
	var ids []string
	err := pages(ctx, c, "organizations:ListPoliciesForTarget", organizations.NewListPoliciesForTargetPaginator(c.organizations, in),
		func(page *organizations.ListPoliciesForTargetOutput) (string, bool) {
			for i := range page.Policies {
				ids = append(ids, aws.ToString(page.Policies[i].Id))
			}
			return byToken(page.NextToken)
		})
	return ids, err
}

// OrganizationPolicy returns a policy of the organization.
func (c *Client) OrganizationPolicy(ctx context.Context, id string) (snapshot.OrganizationPolicy, error) {
	const operation = "organizations:DescribePolicy"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*organizations.DescribePolicyOutput, error) {
		return c.organizations.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &id})
	})
	if err != nil {
		return snapshot.OrganizationPolicy{}, err
	}
	policy, err := present(operation, out.Policy)
	if err != nil {
		return snapshot.OrganizationPolicy{}, err
	}
	facts := snapshot.OrganizationPolicy{Name: id, Document: document(aws.ToString(policy.Content))}
	if summary := policy.PolicySummary; summary != nil && aws.ToString(summary.Name) != "" {
		facts.Name = *summary.Name
	}
	return facts, nil
}
