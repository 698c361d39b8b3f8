// Package need is the one home of what must be allowed: to a node's kubelet and
// image puller, to the VPC CNI, to the Pod Identity Agent, and to this program
// itself. Each list carries its source. It judges nothing.
package need

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

// Action is one API action that somebody must or should be allowed.
type Action struct {
	// Name is the action as IAM writes it, such as ec2:DescribeInstances.
	Name string
	// Resource is the pattern of everything that the action is called on, with
	// {partition}, {region}, {account} and {cluster} to be filled in. Empty means
	// that the action has no resource types: its request's resource is "*".
	// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
	Resource string
	// For says what calls it, for evidence.
	For string
	// Delegated takes it that the resource's own policy leaves the decision to the
	// policies of its account: that a role's trust policy names the account, that a
	// key policy enables IAM policies.
	Delegated bool
}

// Named returns the action of the lists below with this name, which knows what
// it is called on; any other name is taken for an action without resource types.
func Named(name string) Action {
	for _, a := range everything() {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return Action{Name: name}
}

// Names returns the names of all actions of the lists below, each once, sorted.
func Names() []string {
	var names []string
	for _, a := range everything() {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return names
}

// everything is all actions of the lists below, each once.
func everything() []Action {
	var all []Action
	for _, list := range [][]Action{Worker, WorkerRecommended, Pull, CNI{IPFamily: "ipv4"}.Must(), CNI{IPFamily: "ipv6"}.Must()} {
		for _, a := range list {
			if !slices.ContainsFunc(all, func(b Action) bool { return a.Name == b.Name }) {
				all = append(all, a)
			}
		}
	}
	return all
}

// Sample is an action on one of the resources that it is called on.
type Sample struct{ Action, Resource string }

// Samples are all actions of the lists below, each on one concrete resource, for
// those who cannot be asked about patterns. No such repository or network
// interface need exist.
func Samples(at Place) []Sample {
	names := strings.NewReplacer("{account}", at.Account, ":*:", ":"+at.Account+":", "repository/*", "repository/noderole-sample", "network-interface/*", "network-interface/eni-0123456789abcdef0")
	var samples []Sample
	for _, a := range everything() {
		s := Sample{Action: a.Name, Resource: "*"}
		if a.Resource != "" {
			s.Resource = at.fill(names.Replace(a.Resource))
		}
		samples = append(samples, s)
	}
	return samples
}

// Place fills in the placeholders of resource patterns.
type Place struct {
	Partition, Region, Account, Cluster string
}

// Request is the question whether the role may do the action on everything that
// it is called on.
func (a Action) Request(at Place, roleARN string, known *iampolicy.Context) *iampolicy.Request {
	r := &iampolicy.Request{Principal: roleARN, Action: a.Name, Resource: "*", Account: at.Account, Context: known}
	if a.Resource != "" {
		r.Resource = at.fill(a.Resource)
	}
	return r
}

func (p Place) fill(s string) string {
	return strings.NewReplacer("{partition}", p.Partition, "{region}", p.Region, "{account}", p.Account, "{cluster}", p.Cluster).Replace(s)
}

const (
	anyRepository = "arn:{partition}:ecr:{region}:*:repository/*"
	theCluster    = "arn:{partition}:eks:{region}:{account}:cluster/{cluster}"
)

// Worker is what a node cannot join without.
// Source: awslabs/amazon-eks-ami nodeadm/internal/api/status.go (the private DNS
// name of the node comes from ec2:DescribeInstances), read 2026-11-23.
var Worker = []Action{
	{Name: "ec2:DescribeInstances", For: "the node's private DNS name"},
}

// WorkerRecommended is the rest of AmazonEKSWorkerNodePolicy v3 (2023-11-27)
// but for eks-auth:AssumeRoleForPodIdentity, which only the Pod Identity Agent
// needs. Older AMIs and some instance types call these.
// Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSWorkerNodePolicy.html
var WorkerRecommended = []Action{
	{Name: "ec2:DescribeInstanceTypes", For: "instance types that the AMI's own list lacks"},
	{Name: "ec2:DescribeRouteTables", For: "kubelet"},
	{Name: "ec2:DescribeSecurityGroups", For: "kubelet"},
	{Name: "ec2:DescribeSubnets", For: "kubelet"},
	{Name: "ec2:DescribeVolumes", For: "kubelet"},
	{Name: "ec2:DescribeVolumesModifications", For: "kubelet"},
	{Name: "ec2:DescribeVpcs", For: "kubelet"},
	{Name: "eks:DescribeCluster", Resource: theCluster, For: "bootstrap of Amazon Linux 2 and Bottlerocket"},
}

// Pull is what an image pull from a private ECR repository calls. Images come
// from repositories of any account: aws-node's own from one of AWS.
// Source: AmazonEC2ContainerRegistryPullOnly v1,
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html
var Pull = []Action{
	{Name: "ecr:GetAuthorizationToken", For: "logging in to ECR"},
	{Name: "ecr:BatchGetImage", Resource: anyRepository, For: "reading image manifests"},
	{Name: "ecr:GetDownloadUrlForLayer", Resource: anyRepository, For: "downloading layers"},
}

// PodIdentityAgent is what the EKS Pod Identity Agent calls, with the node role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html
var PodIdentityAgent = []Action{
	{Name: "eks-auth:AssumeRoleForPodIdentity", Resource: theCluster, For: "the EKS Pod Identity Agent"},
}

// Hybrid is what a hybrid node calls to join and to pull its first images.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html
var Hybrid = append([]Action{
	{Name: "eks:DescribeCluster", Resource: theCluster, For: "nodeadm on a hybrid node"},
}, Pull...)

// HybridServices are the service principals of which one has to be let in by the
// role of hybrid nodes: Systems Manager or IAM Roles Anywhere, with the actions
// that each calls.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html
var HybridServices = map[string][]string{
	"ssm.amazonaws.com":           {"sts:AssumeRole"},
	"rolesanywhere.amazonaws.com": {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
}

// PullThroughCache is what the first pull through an ECR pull-through cache calls.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
var PullThroughCache = []Action{
	{Name: "ecr:BatchImportUpstreamImage", Resource: "arn:{partition}:ecr:{region}:{account}:repository/*", For: "the first pull through a pull-through cache"},
}

// MoreThanPull are actions that AmazonEC2ContainerRegistryReadOnly and wider
// policies grant and no image pull calls.
// Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryReadOnly.html
var MoreThanPull = []Action{
	{Name: "ecr:ListImages", Resource: anyRepository, For: "no image pull"},
	{Name: "ecr:DescribeRepositories", Resource: anyRepository, For: "no image pull"},
	{Name: "ecr:GetRepositoryPolicy", Resource: anyRepository, For: "no image pull"},
}

// Broad are actions that no node calls and that hand over the account, the
// cluster or its data to whoever holds the role. Administrator and PowerUser
// access grant most of them, the cluster policy some.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
var Broad = []Action{
	{Name: "iam:PassRole", Resource: "arn:{partition}:iam::{account}:role/*", For: "giving any role to a new instance"},
	{Name: "iam:AttachRolePolicy", Resource: "arn:{partition}:iam::{account}:role/*", For: "granting itself anything"},
	{Name: "iam:CreateAccessKey", Resource: "arn:{partition}:iam::{account}:user/*", For: "keys of any user"},
	{Name: "sts:AssumeRole", Resource: "arn:{partition}:iam::{account}:role/*", For: "any role that trusts the account", Delegated: true},
	{Name: "ec2:RunInstances", Resource: "arn:{partition}:ec2:{region}:{account}:instance/*", For: "new instances"},
	{Name: "ec2:TerminateInstances", Resource: "arn:{partition}:ec2:{region}:{account}:instance/*", For: "ending instances"},
	{Name: "elasticloadbalancing:DeleteLoadBalancer", Resource: "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/*", For: "the cluster's load balancers"},
	{Name: "eks:UpdateClusterConfig", Resource: theCluster, For: "the cluster itself"},
	{Name: "s3:GetObject", Resource: "arn:{partition}:s3:::*/*", For: "every object of S3"},
	{Name: "secretsmanager:GetSecretValue", Resource: "arn:{partition}:secretsmanager:{region}:{account}:secret:*", For: "every secret"},
	{Name: "kms:Decrypt", Resource: "arn:{partition}:kms:{region}:{account}:key/*", For: "what any key encrypts", Delegated: true},
	{Name: "ssm:SendCommand", Resource: "arn:{partition}:ec2:{region}:{account}:instance/*", For: "commands on any instance"},
}

const eni = "arn:{partition}:ec2:{region}:{account}:network-interface/*"

// CNI says which VPC CNI is asked about.
type CNI struct {
	// IPFamily is ipv4 or ipv6; empty is ipv4.
	IPFamily string
	// Version is vpc-cni's, such as v1.22.1; empty where it is not known.
	Version string
	// NoSubnetDiscovery is set where ENABLE_SUBNET_DISCOVERY is false.
	NoSubnetDiscovery bool
}

// Marks are the actions that nothing on a node but a CNI makes use of: a role
// that is allowed one of them carries CNI permissions.
func (c CNI) Marks() []Action {
	if c.IPFamily == "ipv6" {
		return []Action{{Name: "ec2:AssignIpv6Addresses", Resource: eni, For: "a prefix for the node's pods"}}
	}
	return []Action{
		{Name: "ec2:AssignPrivateIpAddresses", Resource: eni, For: "addresses for pods"},
		{Name: "ec2:UnassignPrivateIpAddresses", Resource: eni, For: "releasing addresses"},
	}
}

// interfaces are the actions on network interfaces that the CNI shares with
// controllers of the control plane; on IPv6 it does without.
func (c CNI) interfaces() []Action {
	if c.IPFamily == "ipv6" {
		return nil
	}
	return []Action{
		{Name: "ec2:AttachNetworkInterface", Resource: eni, For: "further interfaces"},
		{Name: "ec2:CreateNetworkInterface", Resource: eni, For: "further interfaces"},
		{Name: "ec2:DeleteNetworkInterface", Resource: eni, For: "cleaning up interfaces"},
		{Name: "ec2:DetachNetworkInterface", Resource: eni, For: "cleaning up interfaces"},
		{Name: "ec2:ModifyNetworkInterfaceAttribute", Resource: eni, For: "interface settings"},
	}
}

// Must are the actions without which aws-node does not start or gives no
// addresses.
//
// On IPv6 vpc-cni v1.22.1 and later stop when ec2:DescribeSubnets is denied,
// unless subnet discovery is off; an unknown version counts as one of them.
// Sources: AmazonEKS_CNI_Policy v6 (2026-03-04),
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html;
// IPv6: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html;
// aws/amazon-vpc-cni-k8s#3704 and pkg/ipamd/ipamd.go of v1.22.1.
func (c CNI) Must() []Action {
	must := append(append(c.Marks(), c.interfaces()...),
		Action{Name: "ec2:DescribeInstances", For: "aws-node"},
		Action{Name: "ec2:DescribeTags", For: "aws-node"},
		Action{Name: "ec2:DescribeNetworkInterfaces", For: "aws-node"},
		Action{Name: "ec2:DescribeInstanceTypes", For: "aws-node"},
		Action{Name: "ec2:CreateTags", Resource: eni, For: "aws-node tags its interfaces"},
	)
	if c.IPFamily == "ipv6" && !c.NoSubnetDiscovery && c.since("v1.22.1") {
		must = append(must, Action{Name: "ec2:DescribeSubnets", For: "subnet discovery, which stops aws-node on IPv6 since v1.22.1"})
		if c.Version == "v1.22.1" {
			must = append(must, Action{Name: "ec2:DescribeSecurityGroups", For: "subnet discovery of v1.22.1, the one version that stops without"})
		}
	}
	return must
}

// Should are the actions without which aws-node works, but not all of it.
// Sources: aws/amazon-vpc-cni-k8s docs/iam-policy.md (2026-06-01); AmazonEKS_CNI_Policy v6.
func (c CNI) Should() []Action {
	should := []Action{{Name: "ec2:DescribeSecurityGroups", For: "security groups of further interfaces"}}
	if c.IPFamily != "ipv6" {
		should = append(should, Action{Name: "ec2:DescribeSubnets", For: "subnet discovery"})
	}
	return should
}

// Upgraded is the same CNI at another version.
func (c CNI) Upgraded(version string) CNI {
	c.Version = version
	return c
}

// BreaksSince is the version from which on IPv6 subnet discovery is fatal where
// it is denied; see Must.
const BreaksSince = "v1.22.1"

// Before reports whether the version is known and older than another.
func (c CNI) Before(version string) bool { return c.Version != "" && !c.since(version) }

// since reports whether the version is unknown, or this one or later.
func (c CNI) since(version string) bool {
	return c.Version == "" || semver.Compare(c.Version, version) >= 0
}

// EC2Services are the service principals by which EC2 may assume a role in this
// partition. One of accepted suffices to launch a node; where wanted is not
// empty, all of it is wanted and fewer deserve a warning.
//
// In aws-cn AWS's own pages show the plain name, while CreateNodegroup and
// Karpenter's users have needed ec2.amazonaws.com.cn; sources:
// awslabs/cdk-eks-blueprints#558, terraform-aws-modules/terraform-aws-eks#3359,
// docs.amazonaws.cn eks auto-create-node-role. ISO partitions (E and F use the
// plain name): eksctl-io/eksctl pkg/apis/eksctl.io/v1alpha5/partitions.go.
func EC2Services(partition string) (accepted, wanted []string) {
	const plain = "ec2.amazonaws.com"
	switch partition {
	case "aws-cn":
		both := []string{plain, "ec2.amazonaws.com.cn"}
		return both, both
	case "aws-iso":
		return []string{plain, "ec2.c2s.ic.gov"}, nil
	case "aws-iso-b":
		return []string{plain, "ec2.sc2s.sgov.gov"}, nil
	default:
		return []string{plain}, nil
	}
}

// ManagedPolicy returns the ARN of an AWS managed policy in a partition.
func ManagedPolicy(partition, name string) string {
	return fmt.Sprintf("arn:%s:iam::aws:policy/%s", partition, name)
}
