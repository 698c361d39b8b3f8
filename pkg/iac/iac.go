// Package iac turns infrastructure code into the facts that the rules judge, before the code
// is applied. A reader of a format, such as pkg/iac/terraform, returns a Code; Build alone
// makes snapshots of it.
//
// What the code creates is complete: a cluster that does not exist yet has no nodes, pods and
// events, and a role that does not exist yet has no policy but those in the code. What is
// known only after the code was applied is missing in the snapshot, never assumed.
package iac

import "github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"

// Value is the value of an attribute in the code: a text, a resource of the code, or unknown.
// The zero Value is an attribute that is not set.
type Value struct {
	// Text is the value.
	Text string
	// Resource is the address of the resource of the code whose name or ARN the value is.
	Resource string
	// Unknown says why neither is known, as a clause such as "aws_iam_role.node.arn is
	// known only after apply". Until is as in snapshot.Missing.
	Unknown, Until string
	// outside is set where the reason is that the code does not have it.
	outside bool
}

// Text returns a known value.
func Text(s string) Value { return Value{Text: s} }

// Unknown returns a value that is known only after the code was applied.
func Unknown(why string) Value { return Value{Unknown: why, Until: snapshot.UntilApply} }

// Empty reports whether the attribute is not set.
func (v Value) Empty() bool { return v == Value{} }

// unknown is the value where it is not known; otherwise the zero Value.
func (v Value) unknown() Value {
	if v.Unknown == "" {
		return Value{}
	}
	return v
}

// Place is where in AWS the code creates something. Parts that are not known are empty.
type Place struct {
	Partition, Region, Account string
}

// Declared is what every resource of the code has.
type Declared struct {
	// Address is the code's own name for it, and no other resource has it.
	Address string
	// LogicalID is that of which CloudFormation makes up names, where it is not Address.
	LogicalID string
	Place     Place
	// Existed is set for what exists before the code is applied, and Read for what the
	// code only reads: it declares nothing else about it.
	Existed, Read bool
	// File and Line are where its block begins, where that is known.
	File string
	Line int
}

// Name is the name of something in IAM, or the ARN where that is known too.
type Name struct {
	ARN string
	// Name is unknown where AWS completes Prefix.
	Name   Value
	Prefix string
	Path   string
}

// Role is an IAM role.
type Role struct {
	Declared
	Name
	Trust    Value
	Boundary Value
	Tags     map[string]string
	// Attached and Inline are what the role's own block, or the state, says of its
	// policies. AttachedOnly and InlineOnly are set where the block removes all others.
	Attached                 []Value
	Inline                   []Document
	AttachedOnly, InlineOnly bool
	// Facts are those that only a state knows.
	Facts snapshot.Role
	// Replaced is set where the role takes the place of one that is deleted.
	Replaced bool
}

// Document is a policy document with the name of the policy.
type Document struct {
	Name, Document Value
}

// Policy is a managed policy of the account.
type Policy struct {
	Declared
	Name
	Document Value
}

// Attachment attaches a managed policy to a role.
type Attachment struct {
	Declared
	Role, Policy Value
}

// PolicyAttachment attaches a managed policy to these roles and detaches it from all others.
type PolicyAttachment struct {
	Declared
	Policy Value
	Roles  []Value
}

// InlinePolicy is an inline policy of a role.
type InlinePolicy struct {
	Declared
	Role Value
	Document
}

// Exclusive is a list of all that a role has: ARNs of managed policies, or names of inline
// policies. What is not in it is removed.
type Exclusive struct {
	Declared
	Role Value
	Only []Value
}

// Profile is an instance profile.
type Profile struct {
	Declared
	Name
	Role Value
}

// Cluster is an EKS cluster.
type Cluster struct {
	Declared
	Name                         Value
	ARN, Version                 string
	Role, Mode, IPFamily, Issuer Value
	// AutoMode is EKS Auto Mode's compute; nil where it is not enabled, and unknown where
	// AutoModeUnknown is not empty.
	AutoMode        *AutoMode
	AutoModeUnknown Value
	RemoteNetworks  []string
	// LocalControlPlane is set where the control plane runs on instances of the account.
	LocalControlPlane bool
	// SelfManagedAddons is "false" where EKS does not install aws-node by itself.
	SelfManagedAddons Value
}

// AutoMode is the compute of EKS Auto Mode.
type AutoMode struct {
	Pools []string
	Role  Value
}

// NodeGroup is an EKS managed node group.
type NodeGroup struct {
	Declared
	Name, Cluster, Role Value
	// Prefix is the beginning of a name that AWS completes.
	Prefix  string
	AMIType string
	// LaunchTemplate is set where the group has one of its own.
	LaunchTemplate bool
	// Metadata are the options in its launch template; nil where that is not in the code.
	Metadata *Metadata
}

// Metadata are the options of the instance metadata service in a launch template or node
// class.
type Metadata struct {
	Tokens, Endpoint, HopLimit Value
}

// FargateProfile is a Fargate profile.
type FargateProfile struct {
	Declared
	Name, Cluster, Role Value
}

// AccessEntry is an access entry; Facts has what a state knows besides.
type AccessEntry struct {
	Declared
	Cluster, Principal, Type Value
	Facts                    snapshot.AccessEntry
}

// AccessPolicy associates an access policy with an entry.
type AccessPolicy struct {
	Declared
	Cluster, Principal, Policy Value
	Namespaces                 []string
}

// Addon is an EKS add-on.
type Addon struct {
	Declared
	Name, Cluster, Version, Role Value
	// Config is the add-on's configuration, JSON or YAML.
	Config       Value
	Associations []Association
}

// Association is an EKS Pod Identity association.
type Association struct {
	Declared
	Cluster, Namespace, ServiceAccount, Role, TargetRole, Policy Value
	ID, ExternalID                                               string
	DisableSessionTags                                           bool
}

// OIDCProvider is an IAM OIDC identity provider.
type OIDCProvider struct {
	Declared
	URL       Value
	ClientIDs []string
}

// AWSAuth is the ConfigMap kube-system/aws-auth.
type AWSAuth struct {
	Declared
	Cluster, MapRoles Value
}

// ServiceAccount annotates the service account kube-system/aws-node with a role.
type ServiceAccount struct {
	Declared
	Cluster, Role Value
}

// The kinds of NodeClass.
const (
	KarpenterClass = "EC2NodeClass"
	AutoModeClass  = "NodeClass"
)

// NodeClass is an EC2NodeClass of Karpenter or a NodeClass of EKS Auto Mode.
type NodeClass struct {
	Declared
	// Kind is KarpenterClass or AutoModeClass.
	Kind, Name             string
	Cluster, Role, Profile Value
	AMIFamily              string
	// Metadata are its options; nil where it sets none.
	Metadata *Metadata
}

// Group is an Auto Scaling group whose instances belong to a cluster.
type Group struct {
	Declared
	Name    string
	Cluster Value
	// Profile is the instance profile in its launch template; unknown where that is not in
	// the code.
	Profile Value
	// Template is the launch template's name for people.
	Template string
	// Metadata are the options in it; nil where it is not in the code.
	Metadata *Metadata
}

// Unsure is something in the code that may be a fact and cannot be read.
type Unsure struct {
	// Cluster is empty where it may be about any cluster.
	Cluster Value
	Fact    snapshot.Fact
	Subject string
	Why     Value
}

// Deletion is something that the code deletes.
type Deletion struct {
	// Fact and Key are as in a snapshot: the name, the ARN or the ID. Part is the policy
	// of an access entry.
	Fact      snapshot.Fact
	Key, Part string
	// Cluster is its cluster's name; empty for what belongs to none.
	Cluster string
}

// Code is what infrastructure code declares, as it is when the code has been applied.
type Code struct {
	// Kind is what was read, such as "plan", and Command what shows it, such as "terraform
	// show". File is its name.
	Kind, Command, File string
	// Place is for what has none of its own.
	Place Place
	// At is when the code was read, RFC 3339.
	At string
	// Timeless is set where the code does not say what of it exists already, and what it
	// had before, as a template does not.
	Timeless bool
	// Kubernetes is set where the code has objects of Kubernetes. Code without any does not
	// say what is in aws-auth, besides what EKS writes.
	Kubernetes bool

	Roles             []Role
	Policies          []Policy
	Attachments       []Attachment
	PolicyAttachments []PolicyAttachment
	InlinePolicies    []InlinePolicy
	// Detached and Removed are attachments and inline policies that the code deletes.
	Detached []Attachment
	Removed  []InlinePolicy
	// Deleted is what else it deletes.
	Deleted                               []Deletion
	ExclusiveAttachments, ExclusiveInline []Exclusive
	Profiles                              []Profile
	Clusters                              []Cluster
	NodeGroups                            []NodeGroup
	FargateProfiles                       []FargateProfile
	AccessEntries                         []AccessEntry
	AccessPolicies                        []AccessPolicy
	Addons                                []Addon
	Associations                          []Association
	OIDCProviders                         []OIDCProvider
	AWSAuths                              []AWSAuth
	ServiceAccounts                       []ServiceAccount
	NodeClasses                           []NodeClass
	Groups                                []Group
	Unsure                                []Unsure
}
