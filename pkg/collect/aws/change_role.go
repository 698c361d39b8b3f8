package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var roleKind = changeKind{
	read: (*Changes).role,
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:DeleteRole", c.iam.DeleteRole, &iam.DeleteRoleInput{RoleName: &ch.Name})
		}
		return do(ctx, c, "iam:CreateRole", c.iam.CreateRole, &iam.CreateRoleInput{
			RoleName: &ch.Name, AssumeRolePolicyDocument: &ch.After.Document, Path: optional(ch.After.Path),
			Description: optional(ch.After.Description), PermissionsBoundary: optional(ch.After.Boundary), Tags: iamTags(ch.After.Tags),
		})
	},
}

func (c *Changes) role(ctx context.Context, ch change.Change) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetRole", func(ctx context.Context) (*iam.GetRoleOutput, error) {
		return c.Client.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	role, err := present("iam:GetRole", out.Role)
	if err != nil {
		return nil, err
	}
	state := &change.State{
		Document: document(aws.ToString(role.AssumeRolePolicyDocument)), Path: aws.ToString(role.Path),
		Description: aws.ToString(role.Description), Tags: tagMap(role.Tags),
	}
	if role.PermissionsBoundary != nil {
		state.Boundary = aws.ToString(role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	return state, nil
}
