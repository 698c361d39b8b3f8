package aws

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var attachmentKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		attached, err := c.AttachedPolicies(ctx, ch.Name)
		if err != nil || !slices.Contains(attached, ch.Part) {
			return nil, err
		}
		return &change.State{}, nil
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:DetachRolePolicy", c.iam.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: &ch.Name, PolicyArn: &ch.Part})
		}
		return do(ctx, c, "iam:AttachRolePolicy", c.iam.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: &ch.Name, PolicyArn: &ch.Part})
	},
}
