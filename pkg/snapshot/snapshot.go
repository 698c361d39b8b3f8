// Package snapshot holds the facts about one EKS cluster that the rules judge:
// plain structs, read from AWS and Kubernetes by pkg/collect or from a file by
// Load, and never changed afterwards.
//
// A snapshot states what was read. What could not be read is an entry under
// Missing; everything else that is absent was looked for and is not there.
// No secret is ever part of it.
package snapshot

import "time"

// APIVersion and Kind identify the file format.
const (
	APIVersion = "noderole.dev/v1alpha1"
	Kind       = "Snapshot"
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
	// Addons are the cluster's EKS add-ons that this program cares about, by
	// add-on name: vpc-cni and eks-pod-identity-agent.
	Addons map[string]Addon `json:"addons,omitempty"`
	// PodIdentityAssociations are the EKS Pod Identity associations of the
	// service account kube-system/aws-node, by association id.
	PodIdentityAssociations map[string]PodIdentityAssociation `json:"podIdentityAssociations,omitempty"`
	// AccessEntries are the cluster's access entries by principal ARN. Only the
	// entries of the roles in Roles are kept.
	AccessEntries map[string]AccessEntry `json:"accessEntries,omitempty"`

	// Roles are the IAM roles that matter here, by ARN: every role that a node
	// can hold and every role that aws-node is configured with.
	Roles map[string]Role `json:"roles,omitempty"`
	// Policies are the managed policies attached to Roles or used as their
	// permissions boundary, by ARN.
	Policies map[string]Policy `json:"policies,omitempty"`
	// InstanceProfiles are the instance profiles of Roles and Instances, by ARN.
	InstanceProfiles map[string]InstanceProfile `json:"instanceProfiles,omitempty"`

	// Simulations are what AWS's own policy simulator answered about Roles, by role
	// ARN. They are read only on request, and no other verdict depends on them.
	Simulations map[string][]Simulation `json:"simulations,omitempty"`

	// Nodes are the cluster's nodes by name.
	Nodes map[string]Node `json:"nodes,omitempty"`
	// Instances are the EC2 instances of the nodes that no managed node group
	// made, by instance id.
	Instances map[string]Instance `json:"instances,omitempty"`

	// AWSNode is the VPC CNI's node agent.
	AWSNode AWSNode `json:"awsNode,omitzero"`

	// Missing lists what could not be read, in the order of Fact and Subject.
	Missing []Missing `json:"missing,omitempty"`
}

// Source says how a snapshot came to be.
type Source struct {
	// Tool is the program and version that read the facts.
	Tool string `json:"tool,omitempty"`
	// CollectedAt is when reading began, UTC.
	CollectedAt time.Time `json:"collectedAt,omitzero"`
	// Context is the kube context.
	Context string `json:"context,omitempty"`
	// Evidence says, a sentence each, how the context led to the cluster.
	Evidence []string `json:"evidence,omitempty"`
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
	AutoMode *AutoMode `json:"autoMode,omitempty"`
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
}

// HealthIssue is a problem that EKS reports on a node group or add-on.
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
}

// AccessEntry lets an IAM principal into the cluster.
type AccessEntry struct {
	// Type is STANDARD, EC2_LINUX, EC2_WINDOWS, EC2, FARGATE_LINUX, HYBRID_LINUX
	// or HYPERPOD_LINUX.
	Type      string    `json:"type"`
	Username  string    `json:"username,omitempty"`
	Groups    []string  `json:"groups,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// Role is an IAM role.
type Role struct {
	// NotFound is set where IAM knows no such role.
	NotFound bool `json:"notFound,omitempty"`
	// ID is the unique id (AROA…).
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

// Maker says what started a node.
type Maker string

// The makers of nodes, told apart by the labels and provider ids that they set.
const (
	MadeByNodeGroup Maker = "nodeGroup"   // label eks.amazonaws.com/nodegroup
	MadeByKarpenter Maker = "karpenter"   // label karpenter.sh/nodepool
	MadeByAutoMode  Maker = "autoMode"    // label eks.amazonaws.com/compute-type=auto
	MadeByFargate   Maker = "fargate"     // label eks.amazonaws.com/compute-type=fargate
	MadeByHybrid    Maker = "hybrid"      // label eks.amazonaws.com/compute-type=hybrid or provider id eks-hybrid:///
	MadeBySelf      Maker = "selfManaged" // an EC2 instance without any of these
	MadeByUnknown   Maker = "unknown"     // no EC2 provider id and none of these labels
)

// Node is a Kubernetes node.
type Node struct {
	// ProviderID is spec.providerID, such as aws:///eu-west-1a/i-0123456789abcdef0.
	ProviderID string `json:"providerID,omitempty"`
	Maker      Maker  `json:"maker"`
	// Owner is the name of the node group, Karpenter node pool, Auto Mode node
	// pool or Fargate profile that made the node.
	Owner string `json:"owner,omitempty"`
	// NodeClass is the EC2NodeClass (Karpenter) or NodeClass (Auto Mode).
	NodeClass string `json:"nodeClass,omitempty"`
	// Windows is set where kubernetes.io/os says so.
	Windows bool `json:"windows,omitempty"`
	// Ready is the node's Ready condition.
	Ready bool `json:"ready,omitempty"`
}

// Instance is an EC2 instance.
type Instance struct {
	// NotFound is set where EC2 knows no such instance (any more).
	NotFound bool   `json:"notFound,omitempty"`
	State    string `json:"state,omitempty"`
	// InstanceProfile is a key of InstanceProfiles; empty where the instance has none.
	InstanceProfile string `json:"instanceProfile,omitempty"`
	// HTTPTokens is "required" or "optional"; HTTPEndpoint "enabled" or "disabled".
	HTTPTokens   string `json:"httpTokens,omitempty"`
	HTTPEndpoint string `json:"httpEndpoint,omitempty"`
	// HopLimit is the metadata service's PUT response hop limit.
	HopLimit int32 `json:"hopLimit,omitempty"`
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

// Set stands in a snapshot for the value of a variable that may hold a secret.
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
	FactRoles            Fact = "roles"            // a role itself: trust, boundary, tags (iam:GetRole)
	FactAttachedPolicies Fact = "attachedPolicies" // Subject is the role's ARN
	FactInlinePolicies   Fact = "inlinePolicies"   // Subject is the role's ARN, or ARN#NAME for one document
	FactPolicies         Fact = "policies"         // a managed policy's document; Subject is its ARN
	FactRoleProfiles     Fact = "roleProfiles"     // a role's instance profiles; Subject is the role's ARN
	FactInstanceProfiles Fact = "instanceProfiles"
	FactSimulations      Fact = "simulations" // Subject is the role's ARN
	FactNodes            Fact = "nodes"
	FactInstances        Fact = "instances"
	FactServiceAccount   Fact = "serviceAccount"
	FactDaemonSet        Fact = "daemonSet"
	FactPods             Fact = "pods"
)

// Facts lists every Fact.
var Facts = []Fact{
	FactCluster, FactNodeGroups, FactFargateProfiles, FactOtherClusters, FactAddons, FactPodIdentity,
	FactAccessEntries, FactRoles, FactAttachedPolicies, FactInlinePolicies, FactPolicies, FactRoleProfiles,
	FactInstanceProfiles, FactSimulations, FactNodes, FactInstances, FactServiceAccount, FactDaemonSet, FactPods,
}

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
}
