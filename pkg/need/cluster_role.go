package need

// ClusterService is the service principal that assumes the cluster role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html
const ClusterService = "eks.amazonaws.com"

// ClusterRole is what the control plane calls with the cluster role to find its nodes: of
// the least that AWS documents for a policy of one's own, what every version of that page
// has and no condition of the request decides. AmazonEKSClusterPolicy grants it.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html
var ClusterRole = []Action{
	{Name: "ec2:DescribeInstances", For: "the control plane, to find the instances of nodes"},
	{Name: "ec2:DescribeNetworkInterfaces", For: "the control plane, to find the addresses of nodes"},
	{Name: "ec2:DescribeVpcs", For: "the control plane, to find the addresses of nodes"},
	{Name: "ec2:DescribeDhcpOptions", For: "the control plane, to find the names of nodes"},
}

// ClusterRolePolicy is the managed policy that grants ClusterRole.
const ClusterRolePolicy = "AmazonEKSClusterPolicy"

// PodENISetting is the environment variable of aws-node that turns on security groups
// for pods.
const PodENISetting = "ENABLE_POD_ENI"

// PodENI is what the VPC resource controller of EKS calls, with the cluster role, to give
// pods network interfaces with their own security groups: a trunk interface for each node
// and a branch interface for each pod. AmazonEKSVPCResourceController grants it.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/security-groups-pods-deployment.html;
// aws/amazon-vpc-resource-controller-k8s pkg/aws/ec2/api/wrapper.go and
// pkg/provider/branch/trunk/trunk.go.
var PodENI = []Action{
	{Name: "ec2:CreateNetworkInterface", Resources: []string{eni, subnet, securityGroup}, For: "the interfaces of pods with security groups"},
	{Name: "ec2:CreateNetworkInterfacePermission", Resources: []string{eni}, For: "the association of a pod's interface with the node's trunk interface"},
	{Name: "ec2:AttachNetworkInterface", Resources: []string{eni, instance}, For: "the trunk interface of a node"},
	{Name: "ec2:ModifyNetworkInterfaceAttribute", Resources: []string{eni}, For: "the deletion of the trunk interface with its instance"},
	{Name: "ec2:DetachNetworkInterface", Resources: []string{eni, instance}, For: "removing the trunk interface"},
	{Name: "ec2:DeleteNetworkInterface", Resources: []string{eni}, For: "removing the interfaces of pods"},
}

// WindowsAddresses is what the VPC resource controller of EKS calls, with the cluster role, to
// give pods on Windows nodes their addresses.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/windows-support.html;
// aws/amazon-vpc-resource-controller-k8s pkg/aws/ec2/api/helper.go.
var WindowsAddresses = []Action{
	{Name: "ec2:AssignPrivateIpAddresses", Resources: []string{eni}, For: "the addresses of pods on Windows nodes"},
	{Name: "ec2:UnassignPrivateIpAddresses", Resources: []string{eni}, For: "releasing the addresses of pods on Windows nodes"},
}

// PodENIPolicy is the managed policy that grants PodENI and WindowsAddresses.
const PodENIPolicy = "AmazonEKSVPCResourceController"

// The tag by which the VPC resource controller marks its network interfaces. The managed
// policy limits CreateNetworkInterfacePermission to interfaces with it.
// Source: aws/amazon-vpc-resource-controller-k8s pkg/config/type.go.
const (
	PodENIOwnerTag = "eks:eni:owner"
	PodENIOwner    = "eks-vpc-resource-controller"
)
