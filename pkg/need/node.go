package need

import "slices"

// NodeKind is what joins a node to the cluster: what it calls hangs on it.
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

// Node says which nodes are asked about.
type Node struct {
	Kind NodeKind
	// ByInstanceID is set where the nodes are named by their instance id, such as
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

// HybridSSM is what the SSM agent of a machine with an SSM hybrid activation calls again
// and again; AmazonSSMManagedInstanceCore grants it.
// Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSSMManagedInstanceCore.html
var HybridSSM = []Action{{Name: "ssm:UpdateInstanceInformation", For: "the SSM agent"}}

// Hybrid is all that hybrid nodes call with their role.
var Hybrid = slices.Concat(HybridDiscovery, HybridEntryCheck, HybridSSM, Pull)
