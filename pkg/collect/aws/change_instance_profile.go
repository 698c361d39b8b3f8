package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var instanceProfileKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		profile, err := c.profile(ctx, ch.Name)
		if err != nil {
			return nil, err
		}
		return &change.State{Path: aws.ToString(profile.Path), Tags: tagMap(profile.Tags)}, nil
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:DeleteInstanceProfile", c.iam.DeleteInstanceProfile, &iam.DeleteInstanceProfileInput{InstanceProfileName: &ch.Name})
		}
		return do(ctx, c, "iam:CreateInstanceProfile", c.iam.CreateInstanceProfile, &iam.CreateInstanceProfileInput{
			InstanceProfileName: &ch.Name, Path: optional(ch.After.Path), Tags: iamTags(ch.After.Tags),
		})
	},
}

// profile reads an instance profile by name.
func (c *Changes) profile(ctx context.Context, name string) (*iamtypes.InstanceProfile, error) {
	const operation = "iam:GetInstanceProfile"
	out, err := call(ctx, c.Client, operation, func(ctx context.Context) (*iam.GetInstanceProfileOutput, error) {
		return c.Client.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	})
	if err != nil {
		return nil, err
	}
	return present(operation, out.InstanceProfile)
}
