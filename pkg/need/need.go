// Package need lists the permissions that a node's kubelet and image puller, the VPC CNI,
// the Pod Identity Agent and this program itself need. Each list has its source. No other
// package has such lists. It judges nothing.
package need

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

// Action is one API action that a role must or should be allowed.
type Action struct {
	// Name is the action as IAM writes it, such as ec2:DescribeInstances.
	Name string
	// Resources are the patterns of everything that the action is called on, one for
	// each resource type, with {partition}, {region}, {account} and {cluster} to be
	// filled in. One request is checked on every type, so all of them must be
	// allowed. Empty means that the action has no resource types: its request's
	// resource is "*".
	// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
	Resources []string
	// Region is where the action is called; empty for the cluster's region.
	Region string
	// For says what calls it, for evidence.
	For string
	// Delegated assumes that the resource's own policy leaves the decision to the
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
var everything = sync.OnceValue(func() []Action {
	var all []Action
	for _, list := range [][]Action{Worker, WorkerRecommended, Pull, PodIdentityAgent, CNI{IPFamily: "ipv4"}.all(), CNI{IPFamily: "ipv6"}.all()} {
		for _, a := range list {
			if !slices.ContainsFunc(all, func(b Action) bool { return a.Name == b.Name }) {
				all = append(all, a)
			}
		}
	}
	return all
})

// Sample is an action on one of the resources that it is called on.
type Sample struct{ Action, Resource string }

// Samples are all actions of the lists below, each on one concrete resource of
// every type that it is called on, for those who cannot be asked about patterns. No
// such resource need exist.
func Samples(at Place) []Sample {
	concrete := strings.NewReplacer(
		"{account}", at.Account, ":*:", ":"+at.Account+":", "repository/*", "repository/noderole-sample",
		"network-interface/*", "network-interface/eni-0123456789abcdef0", "instance/*", "instance/i-0123456789abcdef0",
		"subnet/*", "subnet/subnet-0123456789abcdef0", "security-group/*", "security-group/sg-0123456789abcdef0",
	)
	var samples []Sample
	for _, a := range everything() {
		for _, resource := range a.patterns() {
			samples = append(samples, Sample{Action: a.Name, Resource: at.fill(concrete.Replace(resource))})
		}
	}
	return samples
}

// Place fills in the placeholders of resource patterns.
type Place struct {
	Partition, Region, Account, Cluster string
}

// Requests are the questions whether the role may do the action on everything that
// it is called on: one for each resource type. The action is allowed where all of
// them are.
func (a Action) Requests(at Place, roleARN string, known *iampolicy.Context) []*iampolicy.Request {
	var requests []*iampolicy.Request
	for _, pattern := range a.patterns() {
		resource := at.fill(pattern)
		requests = append(requests, &iampolicy.Request{
			Principal: roleARN, Action: a.Name, Resource: resource, Account: at.Account, Context: a.known(resource, at, known),
		})
	}
	return requests
}

// known adds to what is known of requests what is known of one on a resource: that it
// passes no tags, is about no resource that has tags, is in another region, or the resource
// in another account.
func (a Action) known(resource string, at Place, known *iampolicy.Context) *iampolicy.Context {
	if known == nil {
		return nil
	}
	if passesNoTags()[a.Name] {
		known = known.Without("aws:TagKeys", "aws:RequestTag/")
		if resource == noResource {
			known = known.Without("aws:ResourceTag/", "ec2:ResourceTag/", "ecr:ResourceTag/")
		}
	}
	account := accountOf(resource)
	elsewhere, foreign := a.Region != "" && a.Region != at.Region, account != "" && account != at.Account
	if !elsewhere && !foreign {
		return known
	}
	known = known.Clone()
	if elsewhere {
		known.Set("aws:RequestedRegion", a.Region)
	}
	if foreign {
		known.Set("aws:ResourceAccount", account).Forget("aws:ResourceOrgID").Forget("aws:ResourceOrgPaths")
	}
	if slices.Contains(eksRegistries, account) {
		const organization = "o-of-amazon-eks" // it is not known, and no policy names it
		known.Optional("aws:ResourceOrgID", organization).Optional("aws:ResourceOrgPaths", organization+"/")
	}
	return known
}

// eksRegistries are the accounts of Amazon EKS whose registries have the images of add-ons;
// none of them is in an organization of a customer.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html; those of ISO
// partitions: awslabs/amazon-eks-ami get-ecr-uri.sh.
var eksRegistries = []string{
	"013241004608", "066635153087", "121268973566", "151742754352", "187977181151", "296578399912", "455263428931", "491585149902",
	"558608220178", "590381155156", "602401143452", "725322719131", "730335286997", "759879836304", "761377655185", "800184023465",
	"877085696533", "900612956339", "918309763551", "961992271922",
}

// passesNoTags are the actions of nodes, pods and the control plane whose requests pass no
// tags. A request about network interfaces that are created or tagged does.
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-tagkeys;
// aws/amazon-vpc-cni-k8s pkg/awsutils/awsutils.go.
var passesNoTags = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	cni := CNI{Unknown: Settings}
	for _, list := range [][]Action{everything(), PublicPull, PullThroughCache, Hybrid, ClusterRole, PodENI, SSM, cni.all(), cni.alsoGranted()} {
		for _, a := range list {
			names[a.Name] = true
		}
	}
	for _, name := range []string{"ec2:CreateTags", "ec2:CreateNetworkInterface"} {
		delete(names, name)
	}
	return names
})

// accountOf is the account in an ARN; empty where it has none, or a pattern.
func accountOf(resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 || strings.ContainsAny(parts[4], "*?") {
		return ""
	}
	return parts[4]
}

// patterns are the action's resource patterns, "*" where it has no resource types.
func (a Action) patterns() []string {
	if len(a.Resources) == 0 {
		return []string{noResource}
	}
	return a.Resources
}

// noResource is the resource of a request whose action has no resource types.
const noResource = "*"

// fill is called for every question about a role, so it does without a strings.Replacer,
// which costs more to make than to use.
func (p Place) fill(s string) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(s, "{")
		name, after, closed := strings.Cut(rest, "}")
		b.WriteString(before)
		if !open {
			return b.String()
		}
		value, known := p.value(name)
		if !closed || !known {
			b.WriteByte('{')
			s = rest
			continue
		}
		b.WriteString(value)
		s = after
	}
}

// value is the value of a placeholder.
func (p Place) value(name string) (value string, known bool) {
	switch name {
	case "partition":
		return p.Partition, true
	case "region":
		return p.Region, true
	case "account":
		return p.Account, true
	case "cluster":
		return p.Cluster, true
	}
	return "", false
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
	{Name: "ec2:DescribeInstanceTypes", For: "instance types that the AMI does not list"},
	{Name: "ec2:DescribeRouteTables", For: "kubelet"},
	{Name: "ec2:DescribeSecurityGroups", For: "kubelet"},
	{Name: "ec2:DescribeSubnets", For: "kubelet"},
	{Name: "ec2:DescribeVolumes", For: "kubelet"},
	{Name: "ec2:DescribeVolumesModifications", For: "kubelet"},
	{Name: "ec2:DescribeVpcs", For: "kubelet"},
	{Name: "eks:DescribeCluster", Resources: []string{theCluster}, For: "bootstrap of Amazon Linux 2 and Bottlerocket"},
}

// NodeKind is how a node joins the cluster, which decides the calls that it makes.
type NodeKind int

// The kinds of nodes.
const (
	// EC2Node is an EC2 instance that nodeadm, bootstrap.sh or Bottlerocket joins.
	EC2Node NodeKind = iota
	// AutoModeNode is a node of EKS Auto Mode.
	AutoModeNode
	// HybridNode is a machine outside AWS that nodeadm joins.
	HybridNode
	// HyperPodNode is an instance of SageMaker HyperPod.
	HyperPodNode
)

// Node describes which nodes are asked about.
type Node struct {
	Kind NodeKind
	// ByInstanceID is set where the nodes are named by their instance ID, such as
	// i-0123456789abcdef0: the feature gate InstanceIdNodeName of nodeadm, or
	// Bottlerocket's hostname-override-source. They do not ask EC2 for a name.
	ByInstanceID bool
	// ClusterGiven is set where the configuration of hybrid nodes has the cluster's
	// endpoint, CA and CIDR.
	ClusterGiven bool
}

// Required are the actions that such a node cannot join without, image pulls aside; see
// Pull.
// Sources: awslabs/amazon-eks-ami nodeadm/doc/examples.md (InstanceIdNodeName);
// https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html;
// https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html;
// https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-hyperpod-prerequisites-iam.html.
func (n Node) Required() []Action {
	switch n.Kind {
	case AutoModeNode, HyperPodNode:
		return nil
	case HybridNode:
		if n.ClusterGiven {
			return nil
		}
		return slices.Concat(HybridDiscovery, HybridEntryCheck)
	case EC2Node:
	}
	if n.ByInstanceID {
		return nil
	}
	return Worker
}

// Recommended are the actions that some nodes of the kind call besides.
func (n Node) Recommended() []Action {
	if n.Kind != EC2Node {
		return nil
	}
	if n.ByInstanceID {
		return append(slices.Clone(Worker), WorkerRecommended...)
	}
	return WorkerRecommended
}

// Pull is what an image pull from a private ECR repository calls. Images come
// from repositories of any account: aws-node's own from one of AWS.
// Source: AmazonEC2ContainerRegistryPullOnly v1,
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html
var Pull = []Action{
	{Name: "ecr:GetAuthorizationToken", For: "logging in to ECR"},
	{Name: "ecr:BatchGetImage", Resources: []string{anyRepository}, For: "reading image manifests"},
	{Name: "ecr:GetDownloadUrlForLayer", Resources: []string{anyRepository}, For: "downloading layers"},
}

// PullFrom is Pull for one repository in a region. The credential provider of kubelet logs
// in to ECR in the region of the image.
// Source: kubernetes/cloud-provider-aws cmd/ecr-credential-provider/main.go.
func PullFrom(region, repositoryARN string) []Action {
	actions := slices.Clone(Pull)
	for i := range actions {
		actions[i].Region = region
		if len(actions[i].Resources) > 0 {
			actions[i].Resources = []string{repositoryARN}
		}
	}
	return actions
}

// publicECRRegion is where public ECR gives out tokens.
// Source: https://docs.aws.amazon.com/general/latest/gr/ecr-public.html
const publicECRRegion = "us-east-1"

// PublicPull is what logging in to public ECR calls. An image is pulled from there
// without, too, and then counts against the lower limits of anonymous pulls.
// Sources: https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html;
// awslabs/amazon-eks-ami nodeadm/internal/kubelet/image-credential-provider.go.
var PublicPull = []Action{
	{Name: "ecr-public:GetAuthorizationToken", Region: publicECRRegion, For: "logging in to public ECR"},
	{Name: "sts:GetServiceBearerToken", Region: publicECRRegion, For: "logging in to public ECR"},
}

// PodIdentityAgent is what the EKS Pod Identity Agent calls, with the node role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html
var PodIdentityAgent = []Action{
	{Name: "eks-auth:AssumeRoleForPodIdentity", Resources: []string{theCluster}, For: "the EKS Pod Identity Agent"},
}

// HybridDiscovery is what nodeadm on a hybrid node calls to find the cluster; it does not
// where its configuration has the cluster's endpoint, CA and CIDR.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html;
// aws/eks-hybrid internal/node/hybrid/configenricher.go.
var HybridDiscovery = []Action{{Name: "eks:DescribeCluster", Resources: []string{theCluster}, For: "nodeadm on a hybrid node"}}

// HybridEntryCheck is what nodeadm since v1.0.16 calls on a hybrid node, after
// HybridDiscovery, to see whether the role has an access entry: nodeadm init ends where it
// is denied.
// Source: aws/eks-hybrid internal/node/hybrid/hybrid_role_validator.go.
var HybridEntryCheck = []Action{{Name: "eks:ListAccessEntries", Resources: []string{theCluster}, For: "nodeadm v1.0.16 and later on a hybrid node"}}

// HybridSSM is what SSM Agent on a machine with an SSM hybrid activation calls regularly; AmazonSSMManagedInstanceCore grants it.
// Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSSMManagedInstanceCore.html
var HybridSSM = []Action{{Name: "ssm:UpdateInstanceInformation", For: "SSM Agent"}}

// Hybrid is all that hybrid nodes call with their role.
var Hybrid = slices.Concat(HybridDiscovery, HybridEntryCheck, HybridSSM, Pull)

// HybridServices are the service principals of which the role of hybrid nodes has to
// allow one: Systems Manager or IAM Roles Anywhere, with the actions
// that each calls.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html
var HybridServices = map[string][]string{
	"ssm.amazonaws.com":           {"sts:AssumeRole"},
	"rolesanywhere.amazonaws.com": {"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
}

// HyperPodService is the service principal that gives HyperPod's instances their role.
// Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-hyperpod-prerequisites-iam.html
const HyperPodService = "sagemaker.amazonaws.com"

// PullThroughCache is what the first pull through an ECR pull-through cache calls.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
var PullThroughCache = []Action{
	{Name: "ecr:BatchImportUpstreamImage", Resources: []string{"arn:{partition}:ecr:{region}:{account}:repository/*"}, For: "the first pull through a pull-through cache"},
}

// ImportInto is what the first pull of an image through a pull-through cache calls, for a
// repository of a region that exists or is to be created.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
func ImportInto(region, repositoryARN string, create bool) []Action {
	actions := []Action{{Name: "ecr:BatchImportUpstreamImage", Resources: []string{repositoryARN}, Region: region, For: "the first pull through a pull-through cache"}}
	if create {
		actions = append(actions, Action{Name: "ecr:CreateRepository", Resources: []string{repositoryARN}, Region: region, For: "the repository of the first pull through a pull-through cache"})
	}
	return actions
}

// ExcessivePull are actions that AmazonEC2ContainerRegistryReadOnly and wider
// policies grant and no image pull calls.
// Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryReadOnly.html
var ExcessivePull = []Action{
	{Name: "ecr:ListImages", Resources: []string{anyRepository}, For: "no image pull"},
	{Name: "ecr:DescribeRepositories", Resources: []string{anyRepository}, For: "no image pull"},
	{Name: "ecr:GetRepositoryPolicy", Resources: []string{anyRepository}, For: "no image pull"},
}

// Excessive are dangerous actions that no node calls: they give control over the account, the
// cluster or its data to everybody who can use the role. Administrator and PowerUser
// access grant most of them, the cluster policy some.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
var Excessive = []Action{
	{Name: "iam:PassRole", Resources: []string{"arn:{partition}:iam::{account}:role/*"}, For: "giving any role to a new instance"},
	{Name: "iam:AttachRolePolicy", Resources: []string{"arn:{partition}:iam::{account}:role/*"}, For: "granting itself any permission"},
	{Name: "iam:CreateAccessKey", Resources: []string{"arn:{partition}:iam::{account}:user/*"}, For: "access keys of any user"},
	{Name: "sts:AssumeRole", Resources: []string{"arn:{partition}:iam::{account}:role/*"}, For: "assuming any role that trusts the account", Delegated: true},
	{Name: "ec2:RunInstances", Resources: []string{"arn:{partition}:ec2:{region}:{account}:instance/*"}, For: "launching instances"},
	{Name: "ec2:TerminateInstances", Resources: []string{"arn:{partition}:ec2:{region}:{account}:instance/*"}, For: "terminating instances"},
	{Name: "elasticloadbalancing:DeleteLoadBalancer", Resources: []string{"arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/*"}, For: "deleting the cluster's load balancers"},
	{Name: "eks:UpdateClusterConfig", Resources: []string{theCluster}, For: "changing the cluster's configuration"},
	{Name: "s3:GetObject", Resources: []string{"arn:{partition}:s3:::*/*"}, For: "reading every S3 object"},
	{Name: "secretsmanager:GetSecretValue", Resources: []string{"arn:{partition}:secretsmanager:{region}:{account}:secret:*"}, For: "reading every secret"},
	{Name: "kms:Decrypt", Resources: []string{"arn:{partition}:kms:{region}:{account}:key/*"}, For: "decrypting with any KMS key", Delegated: true},
	{Name: "ssm:SendCommand", Resources: []string{"arn:{partition}:ec2:{region}:{account}:instance/*"}, For: "commands on any instance"},
}

// EC2Services are the service principals by which EC2 may assume a role in this
// partition. One of accepted is enough to launch a node, and a new trust policy names all
// of them; where recommended is not empty, a trust policy with fewer deserves a warning.
//
// In aws-cn AWS's own pages show the plain name, while CreateNodegroup and
// Karpenter's users have needed ec2.amazonaws.com.cn; sources:
// awslabs/cdk-eks-blueprints#558, terraform-aws-modules/terraform-aws-eks#3359,
// docs.amazonaws.cn eks auto-create-node-role. ISO partitions (E and F use the
// plain name): eksctl-io/eksctl pkg/apis/eksctl.io/v1alpha5/partitions.go, while
// pulumi/pulumi-eks#2344 takes the plain name to work in every partition.
func EC2Services(partition string) (accepted, recommended []string) {
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

// NodePolicies are the names of the AWS managed policies that nothing but a node needs.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html and
// auto-create-node-role.html there.
var NodePolicies = []string{"AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"}

// ManagedPolicy returns the ARN of an AWS managed policy in a partition.
func ManagedPolicy(partition, name string) string {
	return fmt.Sprintf("arn:%s:iam::aws:policy/%s", partition, name)
}

// LayerBucket is the bucket from which ECR has the layers of images downloaded, with a
// placeholder for the region.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-minimum-s3-perms
const LayerBucket = "arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*"

// SSM is what SSM Agent calls on an EC2 instance to be known to Systems Manager and to open
// sessions; AmazonSSMManagedInstanceCore grants it.
// Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-add-permissions-to-existing-profile.html
var SSM = []Action{
	{Name: "ssm:UpdateInstanceInformation", For: "SSM Agent"},
	{Name: "ssmmessages:CreateControlChannel", For: "sessions of Systems Manager"},
	{Name: "ssmmessages:CreateDataChannel", For: "sessions of Systems Manager"},
	{Name: "ssmmessages:OpenControlChannel", For: "sessions of Systems Manager"},
	{Name: "ssmmessages:OpenDataChannel", For: "sessions of Systems Manager"},
}
