package aws

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Instances returns the instances that exist of at most collect.InstanceBatch
// ids. It asks with a filter: asked by id, EC2 refuses the whole call where one
// instance is gone.
func (c *Client) Instances(ctx context.Context, ids []string) (map[string]snapshot.Instance, error) {
	in := &ec2.DescribeInstancesInput{
		Filters:    []ec2types.Filter{{Name: aws.String("instance-id"), Values: ids}},
		MaxResults: aws.Int32(1000), // the most that EC2 takes
	}
	instances := map[string]snapshot.Instance{}
	err := pages(ctx, c, "ec2:DescribeInstances", ec2.NewDescribeInstancesPaginator(c.ec2, in),
		func(page *ec2.DescribeInstancesOutput) (string, bool) {
			for i := range page.Reservations {
				for j := range page.Reservations[i].Instances {
					instance := &page.Reservations[i].Instances[j]
					instances[aws.ToString(instance.InstanceId)] = instanceFacts(instance)
				}
			}
			return byToken(page.NextToken)
		})
	return instances, err
}

// ClusterInstances calls each for every pending or running instance that is
// tagged kubernetes.io/cluster/NAME.
func (c *Client) ClusterInstances(ctx context.Context, cluster string, each func(id string, instance snapshot.Instance)) error {
	in := &ec2.DescribeInstancesInput{
		Filters: []ec2types.Filter{
			{Name: aws.String("tag-key"), Values: []string{clusterTag + cluster}},
			{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}},
		},
		MaxResults: aws.Int32(1000),
	}
	return pages(ctx, c, "ec2:DescribeInstances", ec2.NewDescribeInstancesPaginator(c.ec2, in), func(page *ec2.DescribeInstancesOutput) (string, bool) {
		for i := range page.Reservations {
			for j := range page.Reservations[i].Instances {
				instance := &page.Reservations[i].Instances[j]
				each(aws.ToString(instance.InstanceId), instanceFacts(instance))
			}
		}
		return byToken(page.NextToken)
	})
}

// clusterTag and a cluster's name are the tag of what belongs to the cluster; nodeGroupTag
// has the managed node group that something belongs to.
const (
	clusterTag   = "kubernetes.io/cluster/"
	nodeGroupTag = "eks:nodegroup-name"
)

func instanceFacts(instance *ec2types.Instance) snapshot.Instance {
	facts := snapshot.Instance{LaunchedAt: utc(instance.LaunchTime)}
	for _, tag := range instance.Tags {
		switch key, value := aws.ToString(tag.Key), aws.ToString(tag.Value); {
		case strings.HasPrefix(key, clusterTag):
			facts.Owned = facts.Owned || value == "owned"
		case key == nodeGroupTag:
			facts.NodeGroup = value
		case key == "karpenter.sh/nodepool":
			facts.NodePool = value
		case key == "aws:autoscaling:groupName":
			facts.AutoScalingGroup = value
		}
	}
	if instance.State != nil {
		facts.State = string(instance.State.Name)
	}
	if profile := instance.IamInstanceProfile; profile != nil {
		facts.InstanceProfile = aws.ToString(profile.Arn)
	}
	if metadata := instance.MetadataOptions; metadata != nil {
		facts.HTTPTokens = string(metadata.HttpTokens)
		facts.HTTPEndpoint = string(metadata.HttpEndpoint)
		facts.HopLimit = aws.ToInt32(metadata.HttpPutResponseHopLimit)
	}
	return facts
}
