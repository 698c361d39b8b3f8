// Package candidate says which roles of an account nodes could use: by their name, by what
// uses them, or by their trust policy, permissions and policies. It evaluates the policies of each
// and reads nothing.
package candidate

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Kind is the kind of a List.
const Kind = "NodeRoleList"

// List is the candidate node roles of an account. It is a versioned object:
// fields are added, never changed, within a version.
type List struct {
	finding.Header `json:",inline"`

	Account string `json:"account"`
	Region  string `json:"region"`
	// Cluster is the cluster that the roles are judged for; empty for any cluster of
	// the region.
	Cluster string `json:"cluster,omitempty"`
	// IPFamily is the cluster's; empty where both were judged.
	IPFamily string `json:"ipFamily,omitempty"`
	// Items are the candidates by name.
	Items []Role `json:"items"`
	// Missing is what could not be read.
	Missing []snapshot.Missing `json:"missing,omitempty"`
}

// Role is a candidate node role.
type Role struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	// CreatedAt is absent where the role could not be read.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// LastUsedAt is absent where IAM has seen no use, or LastUsedUnknown is set.
	LastUsedAt      time.Time `json:"lastUsedAt,omitzero"`
	LastUsedUnknown bool      `json:"lastUsedUnknown,omitempty"`
	// Reasons say why the role is a candidate.
	Reasons []string `json:"reasons"`

	// Trust is whether EC2 may assume the role.
	Trust Answer `json:"trust"`
	// Worker is whether it may do what a node cannot join without, ECR what an
	// image pull calls.
	Worker Answer `json:"worker"`
	ECR    Answer `json:"ecr"`
	// CNI is whether it has permissions that only a CNI uses.
	CNI Answer `json:"cni"`
	// PodIdentity is whether it may do what the EKS Pod Identity Agent calls.
	PodIdentity Answer `json:"podIdentity"`

	// UsedBy is what of EKS in the region uses the role, and which node classes of
	// Cluster, as far as that was read.
	UsedBy []Use `json:"usedBy"`
	// UsedByUnknown is set where some of it could not be read.
	UsedByUnknown bool    `json:"usedByUnknown,omitempty"`
	Verdict       Verdict `json:"verdict"`
}

// Answer is the answer to a question about a role.
type Answer string

// The answers.
const (
	Allowed Answer = "allowed"
	Denied  Answer = "denied"
	// Depends: the answer hangs on a condition or on the resource of a request.
	Depends Answer = "depends"
	// Unknown: what could change the answer was not read.
	Unknown Answer = "unknown"
)

// Use is something of EKS that uses a role.
type Use struct {
	Kind    UseKind `json:"kind"`
	Cluster string  `json:"cluster"`
	// Name is the node group's, node class's or Fargate profile's.
	Name string `json:"name,omitempty"`
}

// UseKind describes what uses a role.
type UseKind string

// The uses of roles.
const (
	UseNodeGroup UseKind = "nodeGroup"
	UseAutoMode  UseKind = "autoMode"
	UseKarpenter UseKind = "ec2NodeClass" // Karpenter's
	UseNodeClass UseKind = "nodeClass"    // EKS Auto Mode's
	UseFargate   UseKind = "fargateProfile"
	UseCluster   UseKind = "clusterRole"
)

// String returns the use as people read it, such as "node group prod/apps".
func (u Use) String() string {
	switch u.Kind {
	case UseNodeGroup:
		return "node group " + u.Cluster + "/" + u.Name
	case UseFargate:
		return "Fargate profile " + u.Cluster + "/" + u.Name
	case UseAutoMode:
		return "Auto Mode of " + u.Cluster
	case UseKarpenter:
		return "EC2NodeClass " + u.Cluster + "/" + u.Name
	case UseNodeClass:
		return "Auto Mode NodeClass " + u.Cluster + "/" + u.Name
	case UseCluster:
		return "cluster role of " + u.Cluster
	default:
		return string(u.Kind) + " of " + u.Cluster
	}
}

// Verdict describes what the role could serve.
type Verdict struct {
	Status Status `json:"status"`
	// Text is a phrase, such as "could serve as it is".
	Text string `json:"text"`
}

// Status is a verdict in one word.
type Status string

// The verdicts.
const (
	// Fit: it could serve nodes as it is.
	Fit Status = "fit"
	// FitAutoMode: it could serve nodes of EKS Auto Mode, and no others.
	FitAutoMode Status = "fitAutoMode"
	// Lacks: it lacks trust or permissions.
	Lacks Status = "lacks"
	// Taken: a cluster or Fargate profile uses it, which no node role may share.
	Taken Status = "taken"
	// Conditional: it could serve where conditions hold.
	Conditional Status = "depends"
	// NotJudged: something that decides was not read.
	NotJudged Status = "unknown"
)

// DeepCopyObject returns a copy of the list's top level. A list is never changed
// once it is made, so that its slices may be shared.
func (l *List) DeepCopyObject() runtime.Object {
	c := *l
	return &c
}
