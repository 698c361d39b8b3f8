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
// kubernetes.io/cluster/NAME and that no managed node group owns, while the pages
// arrive. Of its launch template only the id and version are known then, of its launch
// configuration only the name.
func (c *Client) AutoScalingGroups(ctx context.Context, cluster string, each func(name string, group snapshot.AutoScalingGroup)) error {
	in := &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []astypes.Filter{{Name: aws.String("tag-key"), Values: []string{clusterTag + cluster}}},
	}
	return pages(ctx, c, "autoscaling:DescribeAutoScalingGroups", autoscaling.NewDescribeAutoScalingGroupsPaginator(c.autoscaling, in),
		func(page *autoscaling.DescribeAutoScalingGroupsOutput) (string, bool) {
			for i := range page.AutoScalingGroups {
				group := &page.AutoScalingGroups[i]
				if !managed(group) {
					each(aws.ToString(group.AutoScalingGroupName), snapshot.AutoScalingGroup{
						LaunchTemplate: template(group), LaunchConfiguration: aws.ToString(group.LaunchConfigurationName), Instances: len(group.Instances),
					})
				}
			}
			return byToken(page.NextToken)
		})
}

func managed(group *astypes.AutoScalingGroup) bool {
	for _, tag := range group.Tags {
		if aws.ToString(tag.Key) == "eks:nodegroup-name" {
			return true
		}
	}
	return false
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

// TemplateProfile returns the instance profile of a launch template's version, by
// ARN or by name, as the template has it; empty where it names none.
func (c *Client) TemplateProfile(ctx context.Context, template string) (string, error) {
	const operation = "ec2:DescribeLaunchTemplateVersions"
	id, version, _ := strings.Cut(template, ":")
	out, err := call(ctx, c, operation, func(ctx context.Context) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
		return c.ec2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{version}})
	})
	if err != nil {
		return "", err
	}
	if len(out.LaunchTemplateVersions) == 0 {
		err := errors.New("the response has no version of launch template " + id)
		return "", &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
	}
	for _, v := range out.LaunchTemplateVersions {
		if v.LaunchTemplateData != nil && v.LaunchTemplateData.IamInstanceProfile != nil {
			profile := v.LaunchTemplateData.IamInstanceProfile
			return cmp.Or(aws.ToString(profile.Arn), aws.ToString(profile.Name)), nil
		}
	}
	return "", nil
}

// ConfigurationProfile returns the instance profile of a launch configuration, by ARN or by
// name, as the configuration has it; empty where it names none.
func (c *Client) ConfigurationProfile(ctx context.Context, name string) (string, error) {
	const operation = "autoscaling:DescribeLaunchConfigurations"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
		return c.autoscaling.DescribeLaunchConfigurations(ctx, &autoscaling.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{name}})
	})
	if err != nil {
		return "", err
	}
	if len(out.LaunchConfigurations) == 0 {
		err := errors.New("the response has no launch configuration " + name)
		return "", &collect.CallError{Operation: operation, Message: err.Error(), Err: err}
	}
	return aws.ToString(out.LaunchConfigurations[0].IamInstanceProfile), nil
}
