package finding

// IAM is what the verdicts about permissions rest on: the roles that nodes and
// aws-node hold, with their policy documents and the statements that decide. It
// repeats facts of AWS and holds no secret.
type IAM struct {
	// Roles are ordered by name: node roles, roles of hybrid nodes, and the roles
	// that aws-node is configured with.
	Roles []IAMRole `json:"roles"`
	// Policies are the managed policies of Roles, by ARN, each once.
	Policies map[string]ManagedPolicy `json:"policies,omitempty"`
	// WithoutRole are the nodes and sources that should have a role and have none.
	WithoutRole []RolelessSource `json:"withoutRole,omitempty"`
}

// RoleUse describes who holds a role.
type RoleUse string

// The uses of a role.
const (
	UsedByNodes       RoleUse = "nodes"
	UsedByHybridNodes RoleUse = "hybridNodes"
	UsedByAWSNode     RoleUse = "awsNode"
	// UsedByAssociation is the role of a Pod Identity association that only gives access to
	// aws-node's, its target role.
	UsedByAssociation RoleUse = "podIdentityAssociation"
)

// IAMRole is an IAM role, what it is granted and by which statements.
type IAMRole struct {
	Name string    `json:"name"`
	ARN  string    `json:"arn"`
	Uses []RoleUse `json:"uses"`
	// NotFound is set where IAM has no such role.
	NotFound bool `json:"notFound,omitempty"`
	// SharedWith is who else holds it, and may not: clusters and Fargate profiles.
	SharedWith []Sharer `json:"sharedWith,omitempty"`
	// InstanceProfiles are the names of the instance profiles that hold it.
	InstanceProfiles []string `json:"instanceProfiles,omitempty"`
	// Policies are ordered: trust, managed, inline, boundary, session policy.
	Policies []RolePolicy `json:"policies,omitempty"`
	// Needs are what is asked of the role.
	Needs []RoleNeed `json:"needs,omitempty"`
	// Unread is what of the role could not be read, a line each.
	Unread []string `json:"unread,omitempty"`
}

// Sharer is somebody else who holds a node's role.
type Sharer struct {
	// Kind is "cluster" or "Fargate profile".
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// PolicyKind describes how a policy belongs to a role.
type PolicyKind string

// The kinds of policies.
const (
	AWSManaged      PolicyKind = "awsManaged"
	CustomerManaged PolicyKind = "customerManaged"
	Inline          PolicyKind = "inline"
	Boundary        PolicyKind = "boundary"
	Trust           PolicyKind = "trust"
	// SessionPolicy limits what pods get of the role.
	SessionPolicy PolicyKind = "sessionPolicy"
)

// RolePolicy is one policy of a role.
type RolePolicy struct {
	Kind PolicyKind `json:"kind"`
	Name string     `json:"name"`
	// ARN is a key of IAM.Policies; empty for inline and trust policies.
	ARN string `json:"arn,omitempty"`
	// Document is the JSON text of an inline or trust policy.
	Document string `json:"document,omitempty"`
	// Unread is why the document is not known, a line each.
	Unread []string `json:"unread,omitempty"`
}

// ManagedPolicy is the default version of a managed policy.
type ManagedPolicy struct {
	Version string `json:"version,omitempty"`
	// Document is the JSON text; empty where it could not be read.
	Document string `json:"document,omitempty"`
}

// Wanted describes whether a role is to be allowed something.
type Wanted string

// The values. With WantedNo, what is allowed is a finding.
const (
	WantedYes     Wanted = "yes"
	WantedNo      Wanted = "no"
	WantedUnknown Wanted = "unknown"
)

// RoleNeed is one thing that a role is asked for.
type RoleNeed struct {
	// Need is trust, worker, workerRecommended, pull, podIdentity, cni or hybrid, or
	// what nobody needs: trustOthers, other principals that the trust policy allows, and excess, actions
	// that no node calls.
	Need   string `json:"need"`
	Wanted Wanted `json:"wanted"`
	// Status is pass, fail, depends or unknown. For permissions that a role should not
	// have, pass means that they are not allowed.
	Status Status `json:"status"`
	// Decisions have every action once, actions with the same reason together.
	Decisions []Decision `json:"decisions,omitempty"`
}

// Decision is an answer that several actions share.
type Decision struct {
	// Actions are as IAM writes them, such as ecr:BatchGetImage.
	Actions []string `json:"actions"`
	// Principal is who asks for them, for trust.
	Principal string `json:"principal,omitempty"`
	// Verdict is allowed, denied, depends or unknown.
	Verdict string `json:"verdict"`
	// Why is a clause for people.
	Why string `json:"why"`
	// By is boundary, sessionPolicy or organization where that allows too little: the
	// permissions boundary, the session policy of a Pod Identity association, or a
	// service control policy.
	By string `json:"by,omitempty"`
	// Statements decide it: those that allow, those that deny, or those that it
	// hangs on. Nearest allow the actions elsewhere.
	Statements []StatementRef `json:"statements,omitempty"`
	Nearest    []StatementRef `json:"nearest,omitempty"`
}

// StatementRef names a statement of one of the role's policies.
type StatementRef struct {
	// Policy is the policy's name; ARN is empty for inline and trust policies.
	Policy string `json:"policy"`
	ARN    string `json:"arn,omitempty"`
	Trust  bool   `json:"trust,omitempty"`
	// Statement counts from 1.
	Statement int    `json:"statement"`
	Sid       string `json:"sid,omitempty"`
	// Effect is Allow or Deny.
	Effect string `json:"effect"`
}

// RolelessSource is a node, or something that starts nodes, without a role.
type RolelessSource struct {
	// Kind is a phrase such as "node" or "Auto Scaling group".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Reason is a clause.
	Reason string `json:"reason"`
	// Unknown is set where there may be a role, and it could not be read.
	Unknown bool `json:"unknown,omitempty"`
}
