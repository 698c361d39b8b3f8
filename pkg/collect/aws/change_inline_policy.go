package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var inlinePolicyKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		text, err := c.InlinePolicy(ctx, ch.Name, ch.Part)
		return &change.State{Document: text}, err
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:DeleteRolePolicy", c.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: &ch.Name, PolicyName: &ch.Part})
		}
		return do(ctx, c, "iam:PutRolePolicy", c.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: &ch.Name, PolicyName: &ch.Part, PolicyDocument: &ch.After.Document})
	},
}
