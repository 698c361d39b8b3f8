package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var trustPolicyKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		_, role, err := c.Role(ctx, ch.Name)
		return &change.State{Document: role.TrustPolicy}, err
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return errors.New("a role always has a trust policy")
		}
		return do(ctx, c, "iam:UpdateAssumeRolePolicy", c.iam.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: &ch.Name, PolicyDocument: &ch.After.Document})
	},
}
