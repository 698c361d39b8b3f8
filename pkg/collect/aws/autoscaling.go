package aws

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// AutoScalingGroups calls each for every Auto Scaling group that is tagged
// kubernetes.io/cluster/NAME, while the pages arrive, with the managed node group that owns
// it, if one does. Of its launch template only the id and version are known then, of its
// launch configuration only the name.
func (c *Client) AutoScalingGroups(ctx context.Context, cluster string, each func(name, nodeGroup string, group snapshot.AutoScalingGroup)) error {
	in := &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []astypes.Filter{{Name: aws.String("tag-key"), Values: []string{clusterTag + cluster}}},
	}
	return pages(ctx, c, "autoscaling:DescribeAutoScalingGroups", autoscaling.NewDescribeAutoScalingGroupsPaginator(c.autoscaling, in),
		func(page *autoscaling.DescribeAutoScalingGroupsOutput) (string, bool) {
			for i := range page.AutoScalingGroups {
				group := &page.AutoScalingGroups[i]
				each(aws.ToString(group.AutoScalingGroupName), nodeGroup(group), snapshot.AutoScalingGroup{
					LaunchTemplate: template(group), LaunchConfiguration: aws.ToString(group.LaunchConfigurationName), Instances: len(group.Instances),
				})
			}
			return byToken(page.NextToken)
		})
}

// nodeGroup is the managed node group that owns the group; empty for none.
func nodeGroup(group *astypes.AutoScalingGroup) string {
	for _, tag := range group.Tags {
		if aws.ToString(tag.Key) == nodeGroupTag {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

// template is ID:VERSION of what the group launches, or empty for a launch
// configuration.
func template(group *astypes.AutoScalingGroup) string {
	t := group.LaunchTemplate
	if mixed := group.MixedInstancesPolicy; t == nil && mixed != nil && mixed.LaunchTemplate != nil {
		t = mixed.LaunchTemplate.LaunchTemplateSpecification
	}
	if t == nil {
		return ""
	}
	return aws.ToString(t.LaunchTemplateId) + ":" + cmp.Or(aws.ToString(t.Version), "$Default")
}

// LaunchTemplate returns what a launch template's ID:VERSION launches instances with, as the
// template has it.
func (c *Client) LaunchTemplate(ctx context.Context, template string) (collect.Launch, error) {
	const operation = "ec2:DescribeLaunchTemplateVersions"
	id, version, _ := strings.Cut(template, ":")
	out, err := call(ctx, c, operation, func(ctx context.Context) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
		return c.ec2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{version}})
	})
	if err != nil {
		return collect.Launch{}, err
	}
	if len(out.LaunchTemplateVersions) == 0 {
		err := errors.New("the response has no version of launch template " + id)
		return collect.Launch{}, &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
	}
	var launch collect.Launch
	if data := out.LaunchTemplateVersions[0].LaunchTemplateData; data != nil {
		if profile := data.IamInstanceProfile; profile != nil {
			launch.InstanceProfile = cmp.Or(aws.ToString(profile.Arn), aws.ToString(profile.Name))
		}
		if set := data.MetadataOptions; set != nil {
			launch.Metadata = snapshot.MetadataOptions{
				HTTPTokens: string(set.HttpTokens), HTTPEndpoint: string(set.HttpEndpoint), HopLimit: aws.ToInt32(set.HttpPutResponseHopLimit),
			}
		}
	}
	return launch, nil
}

// LaunchConfiguration returns what a launch configuration launches instances with, as the
// configuration has it.
func (c *Client) LaunchConfiguration(ctx context.Context, name string) (collect.Launch, error) {
	const operation = "autoscaling:DescribeLaunchConfigurations"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
		return c.autoscaling.DescribeLaunchConfigurations(ctx, &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}})
	})
	if err != nil {
		return collect.Launch{}, err
	}
	if len(out.LaunchConfigurations) == 0 {
		err := errors.New("the response has no launch configuration " + name)
		return collect.Launch{}, &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
	}
	launch := collect.Launch{InstanceProfile: aws.ToString(out.LaunchConfigurations[0].IamInstanceProfile)}
	if set := out.LaunchConfigurations[0].MetadataOptions; set != nil {
		launch.Metadata = snapshot.MetadataOptions{
			HTTPTokens: string(set.HttpTokens), HTTPEndpoint: string(set.HttpEndpoint), HopLimit: aws.ToInt32(set.HttpPutResponseHopLimit),
		}
	}
	return launch, nil
}
