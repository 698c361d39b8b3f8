// Package finding has the results of the rules with their evidence, and the versioned
// Report that every output format prints.
package finding

// Severity describes how bad a failed rule is.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // nodes do not join or do not work, or AWS forbids it
	Warning Severity = "warning" // works today, but is unsafe or will break
	Info    Severity = "info"    // worth knowing
)

// Rank orders severities: 3 for Error, 2 for Warning, 1 for Info, 0 for anything else.
func (s Severity) Rank() int {
	switch s {
	case Error:
		return 3
	case Warning:
		return 2
	case Info:
		return 1
	default:
		return 0
	}
}

// Status is a rule's verdict on one subject.
type Status string

// The verdicts.
const (
	Fail          Status = "fail"    // the rule is broken, and the evidence shows it
	Depends       Status = "depends" // all facts were read; a condition or resource of a request decides
	Unknown       Status = "unknown" // a needed fact could not be read
	Pass          Status = "pass"
	NotApplicable Status = "notApplicable"
)

// Concern groups rules into the columns of the table.
type Concern string

// The concerns, in the order of the columns.
const (
	ConcernUnique Concern = "unique" // the role is nobody else's
	ConcernTrust  Concern = "trust"  // EC2 may assume the role
	ConcernNode   Concern = "node"   // what kubelet calls
	ConcernPull   Concern = "pull"   // image pulls from ECR
	ConcernCNI    Concern = "cni"    // the CNI permissions, wherever they belong
	ConcernJoin   Concern = "join"   // instance profile, access entry, aws-auth
)

// Concerns lists every Concern in order.
var Concerns = []Concern{ConcernUnique, ConcernTrust, ConcernNode, ConcernPull, ConcernCNI, ConcernJoin}

// SubjectKind describes what a result is about.
type SubjectKind string

// The kinds of subjects.
const (
	SubjectNodeRole SubjectKind = "NodeRole"
	SubjectCluster  SubjectKind = "Cluster"
	SubjectAWSNode  SubjectKind = "AWSNode"
	SubjectNode     SubjectKind = "Node"
	SubjectEvent    SubjectKind = "Event"
	// SubjectClusterRole is the IAM role of the cluster itself.
	SubjectClusterRole SubjectKind = "EKSClusterRole"
	SubjectSource      SubjectKind = "Source" // what starts nodes: a node class, an Auto Scaling group, an instance
	// What rules about several clusters are about.
	SubjectOIDCProvider SubjectKind = "OIDCProvider" // an IAM OIDC provider of an account
	SubjectGroup        SubjectKind = "Group"        // what clusters of a group have in common
	SubjectFleet        SubjectKind = "Fleet"
)

// Subject is what a result is about.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	// Name is the short name, such as the role's.
	Name string `json:"name"`
	// ARN is set where the subject has one.
	ARN string `json:"arn,omitempty"`
}
