package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var accessEntryKind = changeKind{
	read: (*Changes).entry,
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "eks:DeleteAccessEntry", c.eks.DeleteAccessEntry, &eks.DeleteAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name})
		}
		in := &eks.CreateAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name, Type: &ch.After.Type, Tags: ch.After.Tags}
		if ch.After.Type == change.Standard {
			in.Username, in.KubernetesGroups = optional(ch.After.Username), ch.After.Groups
		}
		return do(ctx, c, "eks:CreateAccessEntry", c.eks.CreateAccessEntry, in)
	},
	unknownRole: []string{"principal"},
}

// entry reads an access entry: the facts about one hold no tags.
func (c *Changes) entry(ctx context.Context, ch change.Change) (*change.State, error) {
	const operation = "eks:DescribeAccessEntry"
	out, err := call(ctx, c.Client, operation, func(ctx context.Context) (*eks.DescribeAccessEntryOutput, error) {
		return c.Client.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	entry, err := present(operation, out.AccessEntry)
	if err != nil {
		return nil, err
	}
	state := &change.State{Type: aws.ToString(entry.Type), Tags: entry.Tags}
	if entry.CreatedAt != nil {
		state.CreatedAt = utc(entry.CreatedAt).Format(time.RFC3339)
	}
	if state.Type == change.Standard {
		state.Username, state.Groups = aws.ToString(entry.Username), entry.KubernetesGroups
	}
	return state, nil
}
