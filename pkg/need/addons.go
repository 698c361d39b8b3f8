package need

import "slices"

// Addon is an add-on whose pods call AWS.
type Addon struct {
	// Names are the values of the label app.kubernetes.io/name of its pods.
	Names []string
	// Title is what its documentation calls it.
	Title string
	// Calls are actions that it cannot do without: who may not call them is not whom its pods
	// call AWS as. They are not all that it calls.
	Calls []Action
}

const (
	volume      = "arn:{partition}:ec2:{region}:{account}:volume/*"
	fileSystem  = "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/*"
	scaledGroup = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*"
)

// addons are the add-ons that are known.
// Sources: the policies that their projects document: AmazonEBSCSIDriverPolicy,
// AmazonEFSCSIDriverPolicy and CloudWatchAgentServerPolicy in
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/; kubernetes-sigs/aws-load-balancer-controller
// docs/install/iam_policy.json; kubernetes/autoscaler cluster-autoscaler/cloudprovider/aws/README.md;
// kubernetes-sigs/external-dns docs/tutorials/aws.md.
var addons = []Addon{
	{Names: []string{"aws-ebs-csi-driver"}, Title: "the EBS CSI driver", Calls: []Action{
		{Name: "ec2:CreateVolume", Resources: []string{volume}}, {Name: "ec2:AttachVolume", Resources: []string{volume, instance}},
	}},
	{Names: []string{"aws-efs-csi-driver"}, Title: "the EFS CSI driver", Calls: []Action{
		{Name: "elasticfilesystem:DescribeMountTargets", Resources: []string{fileSystem}}, {Name: "elasticfilesystem:CreateAccessPoint", Resources: []string{fileSystem}},
	}},
	{Names: []string{"aws-load-balancer-controller"}, Title: "the AWS Load Balancer Controller", Calls: []Action{
		{Name: "elasticloadbalancing:DescribeLoadBalancers"},
		{Name: "elasticloadbalancing:CreateLoadBalancer", Resources: []string{"arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/*"}},
	}},
	{Names: []string{"aws-cluster-autoscaler", "cluster-autoscaler"}, Title: "Cluster Autoscaler", Calls: []Action{
		{Name: "autoscaling:DescribeAutoScalingGroups"}, {Name: "autoscaling:SetDesiredCapacity", Resources: []string{scaledGroup}},
	}},
	{Names: []string{"cloudwatch-agent"}, Title: "the CloudWatch agent", Calls: []Action{
		{Name: "cloudwatch:PutMetricData"},
		{Name: "logs:PutLogEvents", Resources: []string{"arn:{partition}:logs:{region}:{account}:log-group:*:log-stream:*"}},
	}},
	{Names: []string{"external-dns"}, Title: "ExternalDNS", Calls: []Action{
		{Name: "route53:ListHostedZones"}, {Name: "route53:ChangeResourceRecordSets", Resources: []string{"arn:{partition}:route53:::hostedzone/*"}},
	}},
}

// AddonOf returns the add-on whose pods have a label; ok is false for one that is not known.
func AddonOf(name string) (addon Addon, ok bool) {
	i := slices.IndexFunc(addons, func(a Addon) bool { return slices.Contains(a.Names, name) })
	if i < 0 {
		return Addon{}, false
	}
	return addons[i], true
}
