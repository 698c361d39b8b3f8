// Package snapshot contains the facts about one EKS cluster that the rules judge, as
// plain structs, read from AWS and Kubernetes by pkg/collect or from a file by
// Load, and never changed afterwards.
//
// A snapshot states what was read. What could not be read is an entry under
// Missing; everything else that is absent was looked for and does not exist.
// No secret is ever part of it.
package snapshot

import (
	"slices"
	"time"
)

// APIVersion and Kind identify the file format.
const (
	APIVersion = group + "v1alpha1"
	Kind       = "Snapshot"

	group = "noderole.dev/"
)

// Snapshot is the facts of one cluster. Maps are keyed by ARN where AWS gives
// one, otherwise by name or id, so that the text of a snapshot is deterministic.
type Snapshot struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`

	// Source says where and when the facts were read. No verdict depends on it.
	Source Source `json:"source,omitzero"`

	Cluster Cluster `json:"cluster"`

	// NodeGroups are the cluster's EKS managed node groups by name.
	NodeGroups map[string]NodeGroup `json:"nodeGroups,omitempty"`
	// FargateProfiles are the cluster's Fargate profiles by name.
	FargateProfiles map[string]FargateProfile `json:"fargateProfiles,omitempty"`
	// OtherClusters are the other EKS clusters that the caller may see, by ARN.
	OtherClusters map[string]OtherCluster `json:"otherClusters,omitempty"`
	// OtherRegions are the regions besides the cluster's own whose clusters are among
	// OtherClusters.
	OtherRegions []string `json:"otherRegions,omitempty"`
	// Addons are the cluster's EKS add-ons that this program cares about, by
	// add-on name: vpc-cni and eks-pod-identity-agent.
	Addons map[string]Addon `json:"addons,omitempty"`
	// PodIdentityAssociations are the EKS Pod Identity associations of the
	// service account kube-system/aws-node, by association id.
	PodIdentityAssociations map[string]PodIdentityAssociation `json:"podIdentityAssociations,omitempty"`
	// AccessEntries are the cluster's access entries by principal ARN. Only the
	// entries of the roles in Roles are kept. The roles of hybrid and HyperPod nodes are
	// found by them.
	AccessEntries map[string]AccessEntry `json:"accessEntries,omitempty"`

	// Roles are the IAM roles that matter here, by ARN: every role that a node
	// can have, every role that aws-node is configured with and, without its
	// instance profiles, the cluster role.
	Roles map[string]Role `json:"roles,omitempty"`
	// Policies are the managed policies attached to Roles or used as their
	// permissions boundary, by ARN.
	Policies map[string]Policy `json:"policies,omitempty"`
	// OIDCProviders are the account's IAM OIDC provider of the cluster's issuer, by
	// ARN.
	OIDCProviders map[string]OIDCProvider `json:"oidcProviders,omitempty"`
	// ClusterProviders are the account's IAM OIDC providers of EKS clusters; nil where they
	// were not read, which happens only for fleets.
	ClusterProviders *ClusterProviders `json:"clusterProviders,omitempty"`
	// AWSAuth is the ConfigMap kube-system/aws-auth; nil where there is none.
	AWSAuth *AWSAuth `json:"awsAuth,omitempty"`
	// InstanceProfiles are the instance profiles of Roles and Instances, by ARN.
	InstanceProfiles map[string]InstanceProfile `json:"instanceProfiles,omitempty"`

	// Organization is what the account's organization limits; nil where it was not read,
	// which happens only on request.
	Organization *Organization `json:"organization,omitempty"`
	// RepositoryPolicies are the policies of ECR repositories from which the cluster could not
	// pull an image, by ARN: those of other accounts, and those that a pull-through cache rule
	// of this account is for.
	RepositoryPolicies map[string]RepositoryPolicy `json:"repositoryPolicies,omitempty"`
	// Registries are the private registries of this account from which the cluster could not
	// pull an image, by region.
	Registries map[string]Registry `json:"registries,omitempty"`
	// InstanceProfileQuota is how many instance profiles the account has and may have; nil
	// where it was not read, which happens only where Karpenter or EKS Auto Mode creates them.
	InstanceProfileQuota *Quota `json:"instanceProfileQuota,omitempty"`

	// Simulations are what AWS's own policy simulator answered about Roles, by role
	// ARN. They are read only on request, and no other verdict depends on them.
	Simulations map[string][]Simulation `json:"simulations,omitempty"`

	// Nodes are the cluster's nodes by name.
	Nodes map[string]Node `json:"nodes,omitempty"`
	// KarpenterNodeClasses are Karpenter's EC2NodeClass objects by name.
	KarpenterNodeClasses map[string]NodeClass `json:"karpenterNodeClasses,omitempty"`
	// KarpenterNodeTemplates are the AWSNodeTemplate objects of Karpenter before v0.32, by
	// name. They are read where a node of a Provisioner has joined.
	KarpenterNodeTemplates map[string]NodeClass `json:"karpenterNodeTemplates,omitempty"`
	// AutoModeNodeClasses are EKS Auto Mode's NodeClass objects by name.
	AutoModeNodeClasses map[string]NodeClass `json:"autoModeNodeClasses,omitempty"`
	// AutoScalingGroups are the Auto Scaling groups tagged
	// kubernetes.io/cluster/NAME that no managed node group owns, by name.
	AutoScalingGroups map[string]AutoScalingGroup `json:"autoScalingGroups,omitempty"`
	// Instances are EC2 instances by id: those that are tagged
	// kubernetes.io/cluster/NAME, joined or not, and those of nodes that no managed
	// node group made.
	Instances map[string]Instance `json:"instances,omitempty"`

	// VPCEndpoints are the VPC endpoints through which nodes of the cluster's VPC call
	// AWS, by id: interface endpoints whose private names resolve to them, and gateway
	// endpoints. Only those of services that nodes call are kept.
	VPCEndpoints map[string]VPCEndpoint `json:"vpcEndpoints,omitempty"`

	// AWSNode is the VPC CNI's node agent.
	AWSNode AWSNode `json:"awsNode,omitzero"`
	// SystemImages are the images of what every cluster runs in kube-system, by name:
	// the DaemonSets aws-node and kube-proxy and the Deployment coredns. The cluster does
	// not have what has no images here; what is not listed was not read.
	SystemImages map[string]PodImages `json:"systemImages,omitempty"`
	// PodIdentityAgent is the EKS Pod Identity Agent; nil where its DaemonSet is not
	// there.
	PodIdentityAgent *PodIdentityAgent `json:"podIdentityAgent,omitempty"`
	// AddonPods are the running pods of known add-ons that call AWS, by NAMESPACE/NAME. The
	// pods of aws-node are not among them.
	AddonPods map[string]AddonPod `json:"addonPods,omitempty"`
	// AddonAccounts are the service accounts of those of AddonPods that use the node role's
	// credentials, by NAMESPACE/NAME.
	AddonAccounts map[string]AddonAccount `json:"addonAccounts,omitempty"`
	// Events are warnings of the cluster that have an IAM cause, the newest first,
	// MaxEvents at most.
	Events []Event `json:"events,omitempty"`

	// MappedRoles are roles that infrastructure code maps to nodes of the cluster, by ARN,
	// with what maps them: an access entry's type, or aws-auth. They are node roles also
	// where the code does not show what starts their nodes, such as Karpenter. Only facts
	// that were read from code have them.
	MappedRoles map[string]string `json:"mappedRoles,omitempty"`
	// Places say where code declares what the snapshot has, by ARN. No verdict depends on
	// them.
	Places map[string]Place `json:"places,omitempty"`

	// Read are those of the facts which not every release reads that the release reads which
	// saved the snapshot. What Decode does not find among them is missing.
	Read []Fact `json:"read,omitempty"`
	// Missing lists what could not be read, in the order of Fact and Subject.
	Missing []Missing `json:"missing,omitempty"`
}

// Place is where infrastructure code declares something.
type Place struct {
	// Address is the code's own name, such as module.eks.aws_iam_role.node[0].
	Address string `json:"address"`
	// File and Line are where its block begins; empty and 0 where that is not known.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Source describes how a snapshot came to be.
type Source struct {
	// Tool is the program and version that read the facts.
	Tool string `json:"tool,omitempty"`
	// CollectedAt is when reading began, UTC.
	CollectedAt time.Time `json:"collectedAt,omitzero"`
	// Context is the kube context.
	Context string `json:"context,omitempty"`
	// Evidence says, a sentence each, how the context led to the cluster.
	Evidence []string `json:"evidence,omitempty"`
	// Code is the kind of infrastructure code that the facts are from, such as plan; empty
	// for facts that were read from AWS and Kubernetes.
	Code string `json:"code,omitempty"`
	// Derived says, a clause each, which facts were not read but follow from what AWS
	// does; Unseen what the source of the facts cannot show.
	Derived []string `json:"derived,omitempty"`
	Unseen  []string `json:"unseen,omitempty"`
}

// Cluster is what eks:DescribeCluster returns of the cluster.
type Cluster struct {
	// ARN names partition, region, account and cluster.
	ARN     string `json:"arn"`
	Version string `json:"version,omitempty"`
	// Status is EKS's word, such as ACTIVE.
	Status string `json:"status,omitempty"`
	// RoleARN is the cluster role, which no node may use.
	RoleARN string `json:"roleArn,omitempty"`
	// IPFamily is ipv4 or ipv6.
	IPFamily string `json:"ipFamily,omitempty"`
	// AuthenticationMode is API, API_AND_CONFIG_MAP or CONFIG_MAP; empty where
	// the endpoint did not say.
	AuthenticationMode string `json:"authenticationMode,omitempty"`
	// OIDCIssuer is the issuer URL of the cluster's service account tokens.
	OIDCIssuer string `json:"oidcIssuer,omitempty"`
	// AutoMode is set where EKS Auto Mode's compute is enabled.
	AutoMode *AutoMode     `json:"autoMode,omitempty"`
	Health   []HealthIssue `json:"health,omitempty"`
	// VPCID is the cluster's VPC.
	VPCID string `json:"vpcId,omitempty"`
	// RemoteNodeNetworks are the CIDRs of hybrid nodes. A cluster without any has no hybrid nodes.
	// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cluster-create.html
	RemoteNodeNetworks []string `json:"remoteNodeNetworks,omitempty"`
	// LocalControlPlane is set for a local cluster on AWS Outposts whose control plane runs
	// on instances of the account. These are nodes of the cluster, and have the cluster role.
	// Sources: https://docs.aws.amazon.com/eks/latest/userguide/eks-outposts-local-cluster-create.html,
	// https://docs.aws.amazon.com/eks/latest/userguide/eks-outposts-troubleshooting.html
	LocalControlPlane bool `json:"localControlPlane,omitempty"`
}

// AutoMode is the compute configuration of EKS Auto Mode.
type AutoMode struct {
	// NodeRoleARN is the role of nodes of the built-in node pools; empty where
	// only custom node classes are used.
	NodeRoleARN string   `json:"nodeRoleArn,omitempty"`
	NodePools   []string `json:"nodePools,omitempty"`
}

// NodeGroup is one EKS managed node group.
type NodeGroup struct {
	NodeRoleARN string `json:"nodeRoleArn,omitempty"`
	// Status is EKS's word, such as ACTIVE or DEGRADED.
	Status  string `json:"status,omitempty"`
	AMIType string `json:"amiType,omitempty"`
	// LaunchTemplate is the user's own template, as ID:VERSION.
	LaunchTemplate string        `json:"launchTemplate,omitempty"`
	Health         []HealthIssue `json:"health,omitempty"`
	// Subnets are the ids of the subnets in which its nodes start.
	Subnets []string `json:"subnets,omitempty"`
	// Metadata are the options in the launch template of its Auto Scaling group, which EKS
	// makes; nil where they were not read.
	Metadata *MetadataOptions `json:"metadata,omitempty"`
}

// MetadataOptions are what instances are launched with for the instance metadata service. What
// is not set is decided by the account's default or else by the AMI.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
type MetadataOptions struct {
	// HTTPTokens is "required" or "optional"; HTTPEndpoint "enabled" or "disabled".
	HTTPTokens   string `json:"httpTokens,omitempty"`
	HTTPEndpoint string `json:"httpEndpoint,omitempty"`
	// HopLimit is the metadata service's PUT response hop limit.
	HopLimit int32 `json:"hopLimit,omitempty"`
}

// HealthIssue is a problem that EKS reports on the cluster, a node group or an
// add-on.
type HealthIssue struct {
	Code        string   `json:"code"`
	Message     string   `json:"message,omitempty"`
	ResourceIDs []string `json:"resourceIds,omitempty"`
}

// FargateProfile is one Fargate profile.
type FargateProfile struct {
	PodExecutionRoleARN string `json:"podExecutionRoleArn,omitempty"`
	Status              string `json:"status,omitempty"`
}

// OtherCluster is another EKS cluster of the account and region.
type OtherCluster struct {
	RoleARN string `json:"roleArn,omitempty"`
	// OIDCIssuer is as in Cluster; empty in a file of an earlier version.
	OIDCIssuer string `json:"oidcIssuer,omitempty"`
}

// Addon is an EKS add-on.
type Addon struct {
	Version string `json:"version,omitempty"`
	Status  string `json:"status,omitempty"`
	// ServiceAccountRoleARN is the IRSA role that the add-on was given.
	ServiceAccountRoleARN string `json:"serviceAccountRoleArn,omitempty"`
	// PodIdentityAssociations are the ARNs of the associations that the add-on owns.
	PodIdentityAssociations []string      `json:"podIdentityAssociations,omitempty"`
	Health                  []HealthIssue `json:"health,omitempty"`
}

// PodIdentityAssociation gives a service account's pods a role.
type PodIdentityAssociation struct {
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
	// TargetRoleARN is the role that is assumed by means of RoleARN and whose
	// credentials the pods get; empty where they get RoleARN's own.
	TargetRoleARN string `json:"targetRoleArn,omitempty"`
	// ExternalID is what EKS says of the association for the condition key
	// sts:ExternalId in the target role's trust policy.
	ExternalID string `json:"externalId,omitempty"`
	// DisableSessionTags is set where EKS adds no session tags when it assumes the
	// role.
	DisableSessionTags bool `json:"disableSessionTags,omitempty"`
	// Policy is the JSON document of the session policy that limits the credentials
	// which the pods get; empty for none.
	Policy string `json:"policy,omitempty"`
}

// AccessEntry gives an IAM principal access to the cluster.
type AccessEntry struct {
	// Type is STANDARD, EC2_LINUX, EC2_WINDOWS, EC2, FARGATE_LINUX, HYBRID_LINUX
	// or HYPERPOD_LINUX.
	Type      string    `json:"type"`
	Username  string    `json:"username,omitempty"`
	Groups    []string  `json:"groups,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// Policies are the associated access policies, by ARN: the namespaces that
	// each is limited to, or none for the whole cluster.
	Policies map[string][]string `json:"policies,omitempty"`
}

// OIDCProvider is an IAM OIDC identity provider.
type OIDCProvider struct {
	NotFound bool `json:"notFound,omitempty"`
	// ClientIDs are the audiences, such as sts.amazonaws.com.
	ClientIDs []string `json:"clientIDs,omitempty"`
}

// AWSAuth is the ConfigMap kube-system/aws-auth.
type AWSAuth struct {
	// MapRoles is the YAML text of data.mapRoles.
	MapRoles string `json:"mapRoles,omitempty"`
}

// NodeClass is an EC2NodeClass of Karpenter or a NodeClass of EKS Auto Mode,
// reduced to what gives its nodes a role.
// Sources: karpenter-provider-aws pkg/apis/v1/ec2nodeclass.go,
// https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
type NodeClass struct {
	// AMIFamily is spec.amiFamily, or the family of the alias in spec.amiSelectorTerms,
	// such as Bottlerocket, AL2023 or Windows2022; empty where neither is set.
	AMIFamily string `json:"amiFamily,omitempty"`
	// Role and InstanceProfile are spec.role and spec.instanceProfile, as written;
	// StatusProfile is status.instanceProfile. All of them are to be names.
	Role            string `json:"role,omitempty"`
	InstanceProfile string `json:"instanceProfile,omitempty"`
	StatusProfile   string `json:"statusProfile,omitempty"`
	// RoleARN is the key in Roles for Role, ProfileARN the key in InstanceProfiles for
	// InstanceProfile or else StatusProfile.
	RoleARN    string `json:"roleArn,omitempty"`
	ProfileARN string `json:"profileArn,omitempty"`
	// Conditions are those of status.conditions that are not met.
	Conditions []Condition `json:"conditions,omitempty"`
	// Metadata is spec.metadataOptions; nil where it sets nothing.
	Metadata *MetadataOptions `json:"metadata,omitempty"`
}

// Condition is a status condition of a Kubernetes object whose status is not True.
type Condition struct {
	// Type is such as InstanceProfileReady.
	Type string `json:"type"`
	// Status is False or Unknown.
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// VPCEndpoint is a VPC endpoint for a service of AWS.
type VPCEndpoint struct {
	// Service is the service's name without its region, such as ecr.dkr; see
	// EndpointServices.
	Service string `json:"service"`
	// Policy is the JSON document of its policy.
	Policy string `json:"policy"`
	// Routes says, for a gateway endpoint, which subnets' traffic goes through it; nil for
	// an interface endpoint, through which the whole VPC goes.
	Routes *EndpointRoutes `json:"routes,omitempty"`
}

// EndpointRoutes are the route tables with a gateway endpoint.
type EndpointRoutes struct {
	// Main is set where the VPC's main route table has it: then all subnets go through it
	// that have no route table of their own.
	Main bool `json:"main,omitempty"`
	// Subnets are the subnets whose own route table has it, Others those whose own route
	// table has not.
	Subnets []string `json:"subnets,omitempty"`
	Others  []string `json:"others,omitempty"`
}

// EndpointServices are the services that nodes call, by the names that VPC endpoints have
// for them.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
var EndpointServices = []string{"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "s3", "ssm", "sts"}

// Organization is the part of an organization that limits an account.
type Organization struct {
	// ID is such as o-a1b2c3d4e5.
	ID string `json:"id"`
	// ManagementAccount is the account that no policy of the organization limits.
	ManagementAccount string `json:"managementAccount,omitempty"`
	// Levels are the root, the organizational units down to the account, and the account.
	// The management account has none.
	Levels []OrganizationLevel `json:"levels,omitempty"`
	// Policies are the policies of Levels by id.
	Policies map[string]OrganizationPolicy `json:"policies,omitempty"`
}

// OrganizationLevel is the policies that are attached to a root, an organizational unit or
// an account.
type OrganizationLevel struct {
	ID string `json:"id"`
	// SCPs and RCPs are keys of Policies.
	SCPs []string `json:"scps,omitempty"`
	RCPs []string `json:"rcps,omitempty"`
}

// OrganizationPolicy is a service control policy or resource control policy.
type OrganizationPolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// Registry is a private registry of Amazon ECR.
type Registry struct {
	// Policy is the JSON document of the registry's permissions; empty where it has none.
	Policy string `json:"policy,omitempty"`
	// PullThroughCache are the prefixes of the repositories that pull-through cache rules are
	// for, and the upstream registries; ROOT is the prefix of a rule for all repositories.
	PullThroughCache map[string]string `json:"pullThroughCache,omitempty"`
}

// Quota is how many things of a kind an account has, and how many it may have.
type Quota struct {
	Used int32 `json:"used"`
	Max  int32 `json:"max"`
}

// RepositoryPolicy is the policy of an ECR repository.
type RepositoryPolicy struct {
	// NotFound is set where there is no such repository.
	NotFound bool `json:"notFound,omitempty"`
	// Document is the JSON document; empty where the repository has no policy.
	Document string `json:"document,omitempty"`
}

// AutoScalingGroup is an EC2 Auto Scaling group.
type AutoScalingGroup struct {
	// LaunchTemplate is ID:VERSION; empty for a launch configuration.
	LaunchTemplate string `json:"launchTemplate,omitempty"`
	// LaunchConfiguration is a name; empty for a launch template.
	LaunchConfiguration string `json:"launchConfiguration,omitempty"`
	// InstanceProfile is a key of InstanceProfiles; empty where its instances get
	// none.
	InstanceProfile string `json:"instanceProfile,omitempty"`
	// Instances is how many it has now.
	Instances int `json:"instances,omitempty"`
	// Metadata are the options in its launch template or launch configuration; nil where they
	// were not read.
	Metadata *MetadataOptions `json:"metadata,omitempty"`
}

// ClusterProviders are the IAM OIDC providers of an account whose URL is that of an EKS
// cluster's issuer.
type ClusterProviders struct {
	// ARNs are sorted.
	ARNs []string `json:"arns,omitempty"`
}

// Role is an IAM role.
type Role struct {
	// NotFound is set where IAM has no such role.
	NotFound bool `json:"notFound,omitempty"`
	// ID is the unique ID (AROA…).
	ID        string    `json:"id,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// TrustPolicy is the JSON document, decoded, as IAM stores it but for white space.
	TrustPolicy string `json:"trustPolicy,omitempty"`
	// PermissionsBoundary is a key of Policies.
	PermissionsBoundary string            `json:"permissionsBoundary,omitempty"`
	Tags                map[string]string `json:"tags,omitempty"`
	// AttachedPolicies are keys of Policies.
	AttachedPolicies []string `json:"attachedPolicies,omitempty"`
	// InlinePolicies are JSON documents by policy name.
	InlinePolicies map[string]string `json:"inlinePolicies,omitempty"`
	// InstanceProfiles are keys of InstanceProfiles.
	InstanceProfiles []string `json:"instanceProfiles,omitempty"`
}

// Policy is the default version of a managed policy.
type Policy struct {
	// Version is the default version's id, such as v3.
	Version string `json:"version,omitempty"`
	// Document is the JSON document, decoded, as IAM stores it but for white space.
	Document string `json:"document,omitempty"`
}

// InstanceProfile is an IAM instance profile.
type InstanceProfile struct {
	NotFound bool `json:"notFound,omitempty"`
	// Roles are role ARNs; IAM allows one at most.
	Roles []string `json:"roles,omitempty"`
}

// Provisioner describes what started a node.
type Provisioner string

// The makers of nodes, recognized by the labels and provider IDs that they set.
const (
	ProvisionedByNodeGroup Provisioner = "nodeGroup"   // label eks.amazonaws.com/nodegroup
	ProvisionedByKarpenter Provisioner = "karpenter"   // label karpenter.sh/nodepool, before v0.32 karpenter.sh/provisioner-name
	ProvisionedByAutoMode  Provisioner = "autoMode"    // label eks.amazonaws.com/compute-type=auto
	ProvisionedByFargate   Provisioner = "fargate"     // label eks.amazonaws.com/compute-type=fargate
	ProvisionedByHybrid    Provisioner = "hybrid"      // label eks.amazonaws.com/compute-type=hybrid or provider id eks-hybrid:///
	ProvisionedByHyperPod  Provisioner = "hyperPod"    // a label of sagemaker.amazonaws.com, or a provider id of SageMaker's
	SelfManaged            Provisioner = "selfManaged" // an EC2 instance without any of these
	ProvisionedByUnknown   Provisioner = "unknown"     // no EC2 provider id and none of these labels
)

// Node is a Kubernetes node.
type Node struct {
	// ProviderID is spec.providerID, such as aws:///eu-west-1a/i-0123456789abcdef0.
	ProviderID  string      `json:"providerID,omitempty"`
	Provisioner Provisioner `json:"maker"`
	// Owner is the name of the node group, Karpenter node pool or Provisioner, Auto Mode
	// node pool, Fargate profile or HyperPod instance group that made the node.
	Owner string `json:"owner,omitempty"`
	// Provisioner is set where Owner is a Provisioner of Karpenter before v0.32.
	KarpenterProvisioner bool `json:"provisioner,omitempty"`
	// NodeClass is the EC2NodeClass (Karpenter) or NodeClass (Auto Mode).
	NodeClass string `json:"nodeClass,omitempty"`
	// Windows is set where the label kubernetes.io/os or status.nodeInfo.operatingSystem
	// says so.
	Windows bool `json:"windows,omitempty"`
	// OSImage is status.nodeInfo.osImage, such as Amazon Linux 2023.9.20251117.
	OSImage string `json:"osImage,omitempty"`
	// Ready is the node's Ready condition.
	Ready bool `json:"ready,omitempty"`
	// Network is the reason of the condition NetworkUnavailable, by which a CNI
	// other than the VPC CNI shows itself: CiliumIsUp, CalicoIsUp.
	Network string `json:"network,omitempty"`
}

// Instance is an EC2 instance.
type Instance struct {
	// NotFound is set where EC2 has no such instance, or no longer has it.
	NotFound bool   `json:"notFound,omitempty"`
	State    string `json:"state,omitempty"`
	// InstanceProfile is a key of InstanceProfiles; empty where the instance has none.
	InstanceProfile string `json:"instanceProfile,omitempty"`
	// HTTPTokens is "required" or "optional"; HTTPEndpoint "enabled" or "disabled".
	HTTPTokens   string `json:"httpTokens,omitempty"`
	HTTPEndpoint string `json:"httpEndpoint,omitempty"`
	// HopLimit is the metadata service's PUT response hop limit.
	HopLimit int32 `json:"hopLimit,omitempty"`
	// Owned is set where the tag kubernetes.io/cluster/NAME says owned.
	Owned bool `json:"owned,omitempty"`
	// NodeGroup, NodePool and AutoScalingGroup are the tags eks:nodegroup-name,
	// karpenter.sh/nodepool and aws:autoscaling:groupName.
	NodeGroup        string    `json:"nodeGroup,omitempty"`
	NodePool         string    `json:"nodePool,omitempty"`
	AutoScalingGroup string    `json:"autoScalingGroup,omitempty"`
	LaunchedAt       time.Time `json:"launchedAt,omitzero"`
}

// AWSNode is the VPC CNI's DaemonSet aws-node in kube-system, its service
// account and its pods.
type AWSNode struct {
	// ServiceAccount and DaemonSet are nil where the API server has none.
	ServiceAccount *ServiceAccount `json:"serviceAccount,omitempty"`
	DaemonSet      *DaemonSet      `json:"daemonSet,omitempty"`
	// Pods are the running pods by name.
	Pods map[string]Pod `json:"pods,omitempty"`
}

// ServiceAccount is a Kubernetes service account.
type ServiceAccount struct {
	// RoleARN is the annotation eks.amazonaws.com/role-arn.
	RoleARN string `json:"roleArn,omitempty"`
	// Audience is the annotation eks.amazonaws.com/audience: the token's, where it
	// is not sts.amazonaws.com.
	Audience string `json:"audience,omitempty"`
}

// DaemonSet is a Kubernetes DaemonSet, reduced to what selects credentials and
// settings.
type DaemonSet struct {
	// Image is the main container's image.
	Image string `json:"image,omitempty"`
	// ServiceAccount is the pod template's service account name.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// SkipContainers is the annotation eks.amazonaws.com/skip-containers.
	SkipContainers string `json:"skipContainers,omitempty"`
	// Env holds the variables named by KeptEnv of the main container. A secret's
	// value is never kept, only that it is set.
	Env map[string]string `json:"env,omitempty"`
	// EnvFrom are the objects that further variables of the main container come from,
	// such as ConfigMap/cni-settings. What they hold is not read.
	EnvFrom []string `json:"envFrom,omitempty"`
}

// The keys of Snapshot.SystemImages.
const (
	WorkloadAWSNode   = "aws-node"
	WorkloadKubeProxy = "kube-proxy"
	WorkloadCoreDNS   = "coredns"
)

// SystemWorkloads are all keys of Snapshot.SystemImages.
var SystemWorkloads = []string{WorkloadAWSNode, WorkloadKubeProxy, WorkloadCoreDNS}

// PodImages are the images that the pods of a workload run, and what says whether every
// node pulls them with its role.
type PodImages struct {
	// Images are those of the pod template's containers and init containers, each once,
	// sorted.
	Images []string `json:"images,omitempty"`
	// PullSecrets are the names of the pod template's imagePullSecrets.
	PullSecrets []string `json:"imagePullSecrets,omitempty"`
	// NodeSelector is the pod template's.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
}

// Pod is a pod of aws-node.
type Pod struct {
	Node  string `json:"node,omitempty"`
	Ready bool   `json:"ready,omitempty"`
	// Image is the main container's image.
	Image          string `json:"image,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	SkipContainers string `json:"skipContainers,omitempty"`
	// Env as in DaemonSet, but of the running pod: what the admission webhook
	// injected is here.
	Env map[string]string `json:"env,omitempty"`
}

// AddonPod is a pod of an add-on that calls AWS.
type AddonPod struct {
	// Addon is the pod's label app.kubernetes.io/name, such as aws-ebs-csi-driver. It is
	// aws-for-fluent-bit also for a pod with that image and the label k8s-app=fluent-bit.
	Addon string `json:"addon"`
	Node  string `json:"node,omitempty"`
	// ServiceAccount is the name of its service account, in the pod's namespace.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// HostNetwork is set where the pod uses the node's network, and so reaches the instance
	// metadata whatever its hop limit.
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// Container is the container that calls AWS. It is empty where no container has the name that
	// the add-on gives it, so that every container may be the one.
	Container string `json:"container,omitempty"`
	// Credentials is the source of credentials that the environment of that container selects,
	// such as NodeRole. It is Unknown where several containers may be the one, and they differ.
	Credentials string `json:"credentials"`
	// OptionalKeys is the name of a Secret that the pod takes static keys from, if it exists.
	// Secrets are not read.
	OptionalKeys string `json:"optionalKeys,omitempty"`
}

// AddonAccount is a service account of an add-on.
type AddonAccount struct {
	// RoleARN is the annotation eks.amazonaws.com/role-arn.
	RoleARN string `json:"roleArn,omitempty"`
	// PodIdentityAssociations are the ids of its EKS Pod Identity associations.
	PodIdentityAssociations []string `json:"podIdentityAssociations,omitempty"`
}

// PodIdentityAgent is the DaemonSet kube-system/eks-pod-identity-agent.
type PodIdentityAgent struct {
	// Nodes are the nodes that a pod of it runs on, and whether it is ready.
	Nodes map[string]bool `json:"nodes,omitempty"`
}

// MaxEvents bounds how many events a snapshot keeps.
const MaxEvents = 50

// Event is a warning event of Kubernetes, events of one object and reason, and of one
// denied action, as one.
type Event struct {
	// Reason is such as MissingIAMPermissions or Failed.
	Reason string `json:"reason"`
	// Object is KIND/NAME, such as Pod/aws-node-x7k2p.
	Object  string `json:"object"`
	Message string `json:"message,omitempty"`
	// Node is where it was reported from, where the event says so.
	Node     string    `json:"node,omitempty"`
	Count    int32     `json:"count,omitempty"`
	LastSeen time.Time `json:"lastSeen,omitzero"`
}

// Set replaces in a snapshot the value of a variable that may contain a secret.
const Set = "(set)"

// SecretEnv are variables of which a snapshot says only that they are set.
var SecretEnv = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}

// KeptEnv are the variables of aws-node that a snapshot keeps with their value:
// those that select credentials, in the order in which the AWS SDK looks at
// them, and the VPC CNI's settings that change what it calls.
// Source: aws-sdk-go-v2 config/resolve_credentials.go; amazon-vpc-cni-k8s README.
var KeptEnv = []string{
	"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
	"ENABLE_SUBNET_DISCOVERY", "ENABLE_PREFIX_DELEGATION", "ENABLE_IPv4", "ENABLE_IPv6",
	"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENABLE_IMDS_ONLY_MODE", "DISABLE_NETWORK_RESOURCE_PROVISIONING",
	"ENABLE_MULTI_NIC", "ENABLE_POD_ENI",
}

// Simulation is one answer of iam:SimulatePrincipalPolicy.
type Simulation struct {
	Action string `json:"action"`
	// Resource is an ARN, or * for an action without resource types.
	Resource string `json:"resource"`
	// Decision is allowed, explicitDeny or implicitDeny.
	Decision string `json:"decision"`
	// MissingContext are the condition keys that the simulator had no value for.
	MissingContext []string `json:"missingContext,omitempty"`
	// DeniedBy is organizations or permissionsBoundary where that alone denies.
	DeniedBy string `json:"deniedBy,omitempty"`
}

// DeniedByOrganizations is the value of Simulation.DeniedBy for the service control policies
// of the account's organization.
const DeniedByOrganizations = "organizations"

// Fact names a kind of fact, so that a rule can say what it needs and Missing
// what could not be read.
type Fact string

// The facts. In a Missing entry, Subject says which one where there are several:
// a name, an id or an ARN as the map of that fact is keyed; empty means all.
const (
	FactCluster          Fact = "cluster"
	FactNodeGroups       Fact = "nodeGroups"
	FactFargateProfiles  Fact = "fargateProfiles"
	FactOtherClusters    Fact = "otherClusters"
	FactAddons           Fact = "addons"
	FactPodIdentity      Fact = "podIdentityAssociations"
	FactAccessEntries    Fact = "accessEntries"
	FactAccessPolicies   Fact = "accessPolicies"   // of an access entry; Subject is the principal's ARN
	FactHybridEntries    Fact = "hybridEntries"    // the access entries of hybrid and HyperPod nodes; read where the cluster is configured for hybrid nodes or such a node has joined
	FactRoles            Fact = "roles"            // a role itself: trust, boundary, tags (iam:GetRole)
	FactAttachedPolicies Fact = "attachedPolicies" // Subject is the role's ARN
	FactInlinePolicies   Fact = "inlinePolicies"   // Subject is the role's ARN, or ARN#NAME for one document
	FactPolicies         Fact = "policies"         // a managed policy's document; Subject is its ARN
	FactRoleProfiles     Fact = "roleProfiles"     // a role's instance profiles; Subject is the role's ARN
	FactInstanceProfiles Fact = "instanceProfiles"
	FactSimulations      Fact = "simulations" // Subject is the role's ARN
	FactOIDCProviders    Fact = "oidcProviders"
	FactAWSAuth          Fact = "awsAuth"     // Subject is the ARN of a role that it may map, or empty
	FactNodeClasses      Fact = "nodeClasses" // Subject is karpenter or autoMode, or KIND/NAME for what its role or profile is
	FactAutoScaling      Fact = "autoScalingGroups"
	FactNodes            Fact = "nodes"
	FactInstances        Fact = "instances"
	FactMetadata         Fact = "metadata" // of sources of nodes; Subject is the node role's ARN
	FactServiceAccount   Fact = "serviceAccount"
	FactDaemonSet        Fact = "daemonSet"
	FactPods             Fact = "pods"
	FactSystemImages     Fact = "systemImages" // Subject is the workload's name
	FactAgent            Fact = "podIdentityAgent"
	FactEvents           Fact = "events"
	// What is optional; see Optional.
	FactVPCEndpoints       Fact = "vpcEndpoints"
	FactOrganization       Fact = "organization"       // read on request
	FactRepositoryPolicies Fact = "repositoryPolicies" // Subject is the repository's ARN
	FactClusterProviders   Fact = "clusterProviders"   // read for fleets
	FactClusterRole        Fact = "clusterRole"        // Subject is the role's ARN, ARN#NAME for an inline policy, or a policy's ARN
	FactAddonPods          Fact = "addonPods"
	FactAddonAccounts      Fact = "addonAccounts" // Subject is NAMESPACE/NAME
	FactRegistries         Fact = "registries"    // Subject is the region
	FactProfileQuota       Fact = "instanceProfileQuota"
)

// Facts lists every Fact.
var Facts = []Fact{
	FactCluster, FactNodeGroups, FactFargateProfiles, FactOtherClusters, FactAddons, FactPodIdentity,
	FactAccessEntries, FactAccessPolicies, FactHybridEntries, FactRoles, FactAttachedPolicies, FactInlinePolicies, FactPolicies, FactRoleProfiles,
	FactInstanceProfiles, FactSimulations, FactOIDCProviders, FactAWSAuth, FactNodeClasses, FactAutoScaling,
	FactNodes, FactInstances, FactMetadata, FactServiceAccount, FactDaemonSet, FactPods, FactSystemImages, FactAgent, FactEvents,
	FactClusterRole, FactVPCEndpoints, FactOrganization, FactRepositoryPolicies, FactClusterProviders,
	FactAddonPods, FactAddonAccounts, FactRegistries, FactProfileQuota,
}

// optional are the facts without which a run is complete.
var optional = []Fact{
	FactClusterRole, FactVPCEndpoints, FactOrganization, FactRepositoryPolicies, FactClusterProviders,
	FactAddonPods, FactAddonAccounts, FactRegistries, FactProfileQuota,
}

// Optional reports whether a run is complete without the fact: the caller may well not be
// allowed to read it.
func (f Fact) Optional() bool { return slices.Contains(optional, f) }

// Missing is a fact that could not be read.
type Missing struct {
	Fact Fact `json:"fact"`
	// Subject says which one; empty means all of the kind.
	Subject string `json:"subject,omitempty"`
	// Operation is the call that failed, such as iam:GetRole or list nodes.
	Operation string `json:"operation"`
	// Permission is what would allow it, such as iam:GetRole, or get
	// daemonsets.apps in kube-system; empty where the call was not refused.
	Permission string `json:"permission,omitempty"`
	// Error is one line.
	Error string `json:"error"`
	// Until is UntilApply for a fact of infrastructure code that is known when the code
	// has been applied; empty for any other.
	Until string `json:"until,omitempty"`
}

// UntilApply is the value of Missing.Until.
const UntilApply = "apply"
