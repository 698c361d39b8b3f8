package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var profileRoleKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		profile, err := c.profile(ctx, ch.Name)
		if err != nil || len(profile.Roles) == 0 {
			return nil, err
		}
		return &change.State{Role: aws.ToString(profile.Roles[0].RoleName)}, nil
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:RemoveRoleFromInstanceProfile", c.iam.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &ch.Name, RoleName: &ch.Before.Role})
		}
		return do(ctx, c, "iam:AddRoleToInstanceProfile", c.iam.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &ch.Name, RoleName: &ch.After.Role})
	},
}
