package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var policyKind = changeKind{
	read: (*Changes).policy,
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "iam:DeletePolicy", c.iam.DeletePolicy, &iam.DeletePolicyInput{PolicyArn: &ch.Name})
		}
		return do(ctx, c, "iam:CreatePolicy", c.iam.CreatePolicy, &iam.CreatePolicyInput{
			PolicyName: aws.String(snapshot.NameOf(ch.Name)), Path: optional(ch.After.Path), PolicyDocument: &ch.After.Document,
			Description: optional(ch.After.Description), Tags: iamTags(ch.After.Tags),
		})
	},
}

func (c *Changes) policy(ctx context.Context, ch change.Change) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetPolicy", func(ctx context.Context) (*iam.GetPolicyOutput, error) {
		return c.Client.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	policy, err := present("iam:GetPolicy", out.Policy)
	if err != nil {
		return nil, err
	}
	text, err := c.PolicyDocument(ctx, ch.Name, aws.ToString(policy.DefaultVersionId))
	if err != nil {
		return nil, err
	}
	return &change.State{Document: text, Path: aws.ToString(policy.Path), Description: aws.ToString(policy.Description), Tags: tagMap(policy.Tags)}, nil
}
