package need

import "slices"

// Addon is an add-on whose pods call AWS.
type Addon struct {
	// Names are what snapshot.AddonPod calls it.
	Names []string
	// Title is what its documentation calls it.
	Title string
	// Calls are actions that it cannot do without: who may not call them is not whom its pods
	// call AWS as. They are not all that it calls.
	Calls []Action
	// Instead are actions each of which it may call instead, where its configuration says so.
	Instead []Action
}

const (
	volume      = "arn:{partition}:ec2:{region}:{account}:volume/*"
	fileSystem  = "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/*"
	logStream   = "arn:{partition}:logs:{region}:{account}:log-group:*:log-stream:*"
	scaledGroup = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*"
)

// addons are the add-ons that are known.
// Sources: the policies that their projects document: AmazonEBSCSIDriverPolicy,
// AmazonEFSCSIDriverPolicy and CloudWatchAgentServerPolicy in
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/; kubernetes-sigs/aws-load-balancer-controller
// docs/install/iam_policy.json; kubernetes/autoscaler cluster-autoscaler/cloudprovider/aws/README.md;
// kubernetes-sigs/external-dns docs/tutorials/aws.md. The CloudWatch agent and Fluent Bit write to
// CloudWatch Logs unless their configuration says otherwise: values.yaml and templates/_helpers.tpl of
// charts/amazon-cloudwatch-observability in aws-observability/helm-charts, and
// stable/aws-for-fluent-bit/values.yaml of aws/eks-charts, which has other outputs.
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
	{Names: []string{
		"aws-cloudwatch-metrics", "cloudwatch-agent", "cloudwatch-agent-cluster-scraper", "cloudwatch-agent-windows", "cloudwatch-agent-windows-container-insights",
	}, Title: "the CloudWatch agent", Calls: []Action{
		{Name: "logs:PutLogEvents", Resources: []string{logStream}},
	}, Instead: []Action{{Name: "cloudwatch:PutMetricData"}, {Name: "xray:PutTraceSegments"}}},
	{
		Names: []string{"aws-for-fluent-bit"}, Title: "AWS for Fluent Bit", Calls: []Action{{Name: "logs:PutLogEvents", Resources: []string{logStream}}},
		Instead: []Action{
			{Name: "firehose:PutRecordBatch", Resources: []string{"arn:{partition}:firehose:{region}:{account}:deliverystream/*"}},
			{Name: "kinesis:PutRecords", Resources: []string{"arn:{partition}:kinesis:{region}:{account}:stream/*"}},
			{Name: "s3:PutObject", Resources: []string{"arn:{partition}:s3:::*/*"}},
			{Name: "es:ESHttpPost", Resources: []string{"arn:{partition}:es:{region}:{account}:domain/*"}},
		},
	},
	{Names: []string{"external-dns"}, Title: "ExternalDNS", Calls: []Action{
		{Name: "route53:ListHostedZones"}, {Name: "route53:ChangeResourceRecordSets", Resources: []string{"arn:{partition}:route53:::hostedzone/*"}},
	}},
}

// AddonOf returns the add-on with a name; ok is false for one that is not known.
func AddonOf(name string) (addon Addon, ok bool) {
	i := slices.IndexFunc(addons, func(a Addon) bool { return slices.Contains(a.Names, name) })
	if i < 0 {
		return Addon{}, false
	}
	return addons[i], true
}
