package iampolicy

import "strings"

// Decision is the answer to a request.
type Decision uint8

// The answers.
const (
	Denied Decision = iota
	// Depends: what is known of the request and its policies does not settle it.
	Depends
	Allowed
)

var decisionNames = []string{"denied", "depends", "allowed"}

// String returns denied, depends or allowed.
func (d Decision) String() string { return nameOf("Decision", decisionNames, d) }

// MarshalText returns denied, depends or allowed.
func (d Decision) MarshalText() ([]byte, error) { return marshalName("Decision", decisionNames, d) }

// UnmarshalText reads denied, depends or allowed.
func (d *Decision) UnmarshalText(text []byte) error {
	return unmarshalName("Decision", decisionNames, text, d)
}

// Policy is a document with the name that evidence calls it by.
type Policy struct {
	Name, ARN, Version string
	// Document is what Parse returned. A policy whose document is nil, because it
	// could not be read, or was not made by Parse, may say anything.
	Document *Document
}

// ResourceState is what is known of a resource's policy of which there is no
// document.
type ResourceState uint8

// The states.
const (
	// NotGiven: nothing is known of it. Where the answer needs its Allow, the
	// answer is Depends at most. Otherwise it is not evaluated, as SCPs are not.
	NotGiven ResourceState = iota
	// NoPolicy: the resource has none.
	NoPolicy
	// Delegates: it leaves the decision to the policies of the resource's account,
	// as a key policy that enables IAM policies does, and a trust policy that names
	// the account.
	Delegates
)

var resourceStateNames = []string{"not given", "none", "delegates"}

// String returns not given, none or delegates.
func (s ResourceState) String() string { return nameOf("ResourceState", resourceStateNames, s) }

// MarshalText returns not given, none or delegates.
func (s ResourceState) MarshalText() ([]byte, error) {
	return marshalName("ResourceState", resourceStateNames, s)
}

// UnmarshalText reads not given, none or delegates.
func (s *ResourceState) UnmarshalText(text []byte) error {
	return unmarshalName("ResourceState", resourceStateNames, text, s)
}

// Policies is what applies to a request.
type Policies struct {
	// Identity are the principal's managed and inline policies.
	Identity []Policy
	// Session is the session policy of a role session; nil means none.
	Session *Policy
	// Boundary is the principal's permissions boundary; nil means none.
	Boundary *Policy
	// SCPs are the service control policies by level, from the organization's
	// root to the account; nil means that they are not evaluated.
	SCPs [][]Policy
	// RCPs are the resource control policies of the resource's account, by level as
	// SCPs; nil means that they are not evaluated. They only deny: the policy that
	// allows, RCPFullAWSAccess, cannot be detached, and need not be given.
	RCPs [][]Policy
	// Endpoint is the policy of the VPC endpoint that the request goes through; nil
	// means that it goes through none.
	Endpoint *Policy
	// Resource is the resource's own policy, for a role its trust policy. Nil means
	// that there is no document of it, and ResourceState says what that means.
	Resource *Policy
	// ResourceState counts where Resource is nil. Its zero value is NotGiven.
	ResourceState ResourceState
}

// Set is policies prepared to answer requests. It is safe for concurrent use.
type Set struct {
	identity      []Policy
	session       []Policy
	boundary      []Policy
	scps          [][]Policy
	rcps          [][]Policy
	endpoint      []Policy
	resource      []Policy
	resourceState ResourceState
}

// Prepare returns the policies as a Set.
func Prepare(p Policies) *Set {
	s := &Set{
		identity: evaluable(p.Identity), session: optional(p.Session), boundary: optional(p.Boundary),
		scps: levels(p.SCPs), rcps: levels(p.RCPs), endpoint: optional(p.Endpoint),
		resource: optional(p.Resource), resourceState: p.ResourceState,
	}
	return s
}

func levels(of [][]Policy) [][]Policy {
	var list [][]Policy
	for _, level := range of {
		list = append(list, evaluable(level))
	}
	return list
}

func optional(p *Policy) []Policy {
	if p == nil {
		return nil
	}
	return evaluable([]Policy{*p})
}

// evaluable returns the policies with an empty document for each that has a
// statement which Parse did not make.
func evaluable(policies []Policy) []Policy {
	var copied []Policy
	for i := range policies {
		if d := policies[i].Document; d == nil || d.compiled() {
			continue
		}
		if copied == nil {
			copied = append(copied, policies...)
		}
		copied[i].Document = &Document{}
	}
	if copied != nil {
		return copied
	}
	return policies
}

// Layer is a kind of policy; each layer decides on its own. A result names the
// layers in this order.
type Layer uint8

// The layers.
const (
	NoLayer Layer = iota
	LayerIdentity
	LayerSession
	LayerBoundary
	LayerSCP
	LayerRCP
	LayerEndpoint
	LayerResource
)

var layerNames = []string{
	"", "identity policies", "session policy", "permissions boundary", "service control policies", "resource control policies", "VPC endpoint policy", "resource policy",
}

// String returns the layer's name in a sentence.
func (l Layer) String() string { return nameOf("Layer", layerNames, l) }

// MarshalText returns the layer's name.
func (l Layer) MarshalText() ([]byte, error) { return marshalName("Layer", layerNames, l) }

// UnmarshalText reads the layer's name.
func (l *Layer) UnmarshalText(text []byte) error {
	return unmarshalName("Layer", layerNames, text, l)
}

// Decide answers a request. Its error is a *RequestError. It allocates nothing
// except where a policy variable has to be expanded, a number, date, binary value
// or pattern to be compared, or all cases to be tried because the answer is open
// at first.
func (s *Set) Decide(r *Request) (Decision, error) {
	var e evaluation
	if err := e.init(s, r); err != nil {
		return Depends, err
	}
	v := e.decide()
	if v.result == maybe {
		return s.decideOpen(r, v), nil
	}
	return decision(v.result), nil
}

// decideOpen is apart from Decide because its evaluation is on the heap.
func (s *Set) decideOpen(r *Request, v verdict) Decision {
	var e evaluation
	_ = e.init(s, r) // Decide checked it
	return decision(e.tryCases(v).result)
}

func decision(t ternary) Decision { return Decision(t) }

// evaluation is one request on its way to an answer.
type evaluation struct {
	set *Set
	// resource is the resource's policy where it has a say, or notGiven.
	resource []Policy
	action   string
	ctx      facts
	target   target
	// crossAccount: the resource is another account's.
	crossAccount bool
	// own is the policy of the resource that has to allow the caller even in the
	// same account.
	own ownPolicy
	// delegates: see Delegates.
	delegates bool
	// free: the action needs no permission. A VPC endpoint can still block it.
	free bool
	// assumed decides what is open, in one of the cases that tryCases tries: a truth
	// for the *Condition, *resource, *Statement (its principal) or unreadPolicy.
	assumed map[any]ternary
}

// notGiven is the resource's policy where it is needed and not given.
var notGiven = []Policy{{}}

// unreadPolicy is the one or the other effect of a policy that may say anything.
type unreadPolicy struct {
	policy *Policy
	effect Effect
}

// settled returns t or, where that is open, what is assumed for the part.
func (e *evaluation) settled(part any, t ternary) ternary {
	if t != maybe || e.assumed == nil {
		return t
	}
	if assumed, ok := e.assumed[part]; ok {
		return assumed
	}
	return t
}

// mayDo is what a policy that may say anything does.
func (e *evaluation) mayDo(p *Policy, effect Effect) ternary {
	if e.assumed == nil {
		return maybe
	}
	return e.settled(unreadPolicy{p, effect}, maybe)
}

// init prepares a zero evaluation for a request.
func (e *evaluation) init(s *Set, r *Request) error {
	c := &e.ctx.caller
	c.init(r.Principal)
	a, isARN := splitARN(r.Resource)
	if err := r.check(c, isARN); err != nil {
		return err
	}
	e.set, e.action, e.target = s, r.Action, newTarget(r.Resource)
	account := r.Account
	if account == "" && isAccountID(a.account) {
		account = a.account
	}
	e.crossAccount = account != "" && c.arn.account != "" && account != c.arn.account
	if a.partition == "aws-cn" && c.name == ec2Service+".cn" {
		c.name = ec2Service
	}
	c.partition = a.partition
	e.ctx.known = r.Context
	e.ctx.otherAccounts = e.crossAccount || e.target.pattern && (!isARN || hasWildcard(a.account))
	e.free = !needsPermission(e.action, c)
	e.own = ownPolicyOf(e.action, &e.target, a)
	e.addResourcePolicy(a)
	return nil
}

// addResourcePolicy decides what the resource's policy has to do with the request.
func (e *evaluation) addResourcePolicy(a arn) {
	switch {
	case a.service == "iam" && strings.HasPrefix(a.resource, "role/") && e.own != trustPolicy:
		// A trust policy says who may assume the role, nothing else.
	case len(e.set.resource) > 0:
		e.resource = e.set.resource
	case e.set.resourceState == Delegates:
		e.delegates = true
	case e.set.resourceState == NotGiven && (e.own != noOwnPolicy || e.target.text != allResources && (e.crossAccount || e.ctx.caller.outsideIAM())):
		e.resource = notGiven
	}
}

// verdict is what the layers say.
type verdict struct {
	result ternary
	deny   ternary
	// The Allow side of each layer: yes where a layer does not apply.
	identity, session, boundary, scp, endpoint, resource ternary
}

// decide combines the layers.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (e *evaluation) decide() verdict {
	v := verdict{identity: yes, session: yes, boundary: yes, scp: yes, endpoint: yes, resource: yes}
	var deny ternary
	if e.usesEndpoint() {
		v.endpoint, v.deny = e.endpointLayer()
	}
	if e.free {
		v.result = and(v.endpoint, not(v.deny))
		return v
	}
	v.identity = no
	if !e.ctx.caller.outsideIAM() {
		v.identity, deny = e.layer(e.set.identity)
		v.deny = or(v.deny, deny)
		if e.ctx.caller.kind == rootCaller {
			v.identity = yes // no policy limits an account's root user
		}
		if e.set.session != nil {
			v.session, deny = e.layer(e.set.session)
			v.deny = or(v.deny, deny)
		}
		if e.set.boundary != nil {
			v.boundary, deny = e.layer(e.set.boundary)
			v.deny = or(v.deny, deny)
		}
		if !e.serviceLinked() {
			for _, level := range e.set.scps {
				allow, deny := e.layer(level)
				v.scp, v.deny = and(v.scp, allow), or(v.deny, deny)
			}
		}
	}
	if !e.serviceLinked() {
		for _, level := range e.set.rcps {
			_, deny := e.layer(level)
			v.deny = or(v.deny, deny)
		}
	}
	named, deny := e.resourceLayer()
	v.deny = or(v.deny, deny)
	v.resource = named.any()

	limits := and(v.session, v.boundary)
	own := and(v.identity, limits)
	byPolicy := or(named.direct, and(named.byRole, limits))
	var allow ternary
	switch {
	case e.ctx.caller.outsideIAM():
		allow, v.resource = named.direct, named.direct
	case e.crossAccount:
		allow = and(own, named.any())
	case e.own != noOwnPolicy:
		allow = or(byPolicy, and(named.delegated, own))
	default:
		allow = or(own, byPolicy)
	}
	v.result = and(and(and(allow, v.scp), v.endpoint), not(v.deny))
	return v
}

// serviceLinked reports whether SCPs and RCPs do not apply to the caller.
// Sources: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
// and https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
func (e *evaluation) serviceLinked() bool {
	return e.ctx.caller.kind == roleCaller && strings.HasPrefix(e.ctx.caller.arn.resource, "role/aws-service-role/") ||
		e.ctx.caller.kind == sessionCaller && strings.HasPrefix(e.ctx.caller.role, "AWSServiceRoleFor")
}

// layer returns what the Allow and the Deny statements of policies without
// principals say.
func (e *evaluation) layer(policies []Policy) (allow, deny ternary) {
	for i := range policies {
		d := policies[i].Document
		if !d.evaluable() {
			allow, deny = or(allow, e.mayDo(&policies[i], Allow)), or(deny, e.mayDo(&policies[i], Deny))
			continue
		}
		for j := range d.Statements {
			s := &d.Statements[j]
			if s.Effect == Allow && allow == yes || s.Effect == Deny && deny == yes {
				continue
			}
			m := e.statement(s)
			if s.Effect == Allow {
				allow = or(allow, m)
			} else {
				deny = or(deny, m)
			}
		}
	}
	return allow, deny
}

// statement decides whether a statement applies, leaving principals aside.
func (e *evaluation) statement(s *Statement) ternary {
	if !s.matchesAction(e.action) {
		return no
	}
	m := e.matchesResource(s)
	if m == no {
		return no
	}
	return and(m, e.matchesConditions(s))
}

// usesEndpoint reports whether the request goes through the VPC endpoint: a service
// does not call from a customer's VPC.
func (e *evaluation) usesEndpoint() bool {
	return len(e.set.endpoint) > 0 && e.ctx.caller.kind != serviceCaller
}

// endpointLayer returns what the Allow and the Deny statements of the VPC endpoint's
// policy say.
func (e *evaluation) endpointLayer() (allow, deny ternary) {
	for i := range e.set.endpoint {
		p := &e.set.endpoint[i]
		if !p.Document.evaluable() {
			return e.mayDo(p, Allow), e.mayDo(p, Deny)
		}
		for j := range p.Document.Statements {
			s := &p.Document.Statements[j]
			m := and(e.statement(s), e.namedByEndpoint(s))
			if s.Effect == Allow {
				allow = or(allow, m)
			} else {
				deny = or(deny, m)
			}
		}
	}
	return allow, deny
}

// namedByEndpoint decides whether a statement of an endpoint policy names the caller.
// An account is, in the policy of a gateway endpoint, its root user only; elsewhere it
// is every principal of the account. Which of them the endpoint is, is not known.
// Source: https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
func (e *evaluation) namedByEndpoint(s *Statement) ternary {
	principals := s.Principals
	if s.NotPrincipals != nil {
		principals = s.NotPrincipals
	}
	n := namedBy(principals, &e.ctx.caller, false, s.Effect)
	if e.ctx.caller.kind != rootCaller {
		n.delegated = and(n.delegated, maybe)
	}
	named := n.any()
	if s.NotPrincipals != nil {
		named = not(s.excepted(n, &e.ctx.caller))
	}
	return e.settled(s, named)
}

// resourceLayer returns how the resource's policy allows the caller, and what its
// Deny statements say.
func (e *evaluation) resourceLayer() (allow naming, deny ternary) {
	if e.delegates {
		allow.delegated = truth(!e.crossAccount)
	}
	for i := range e.resource {
		d := e.resource[i].Document
		if !d.evaluable() {
			allow.direct = or(allow.direct, e.mayDo(&e.resource[i], Allow))
			deny = or(deny, e.mayDo(&e.resource[i], Deny))
			continue
		}
		for j := range d.Statements {
			s := &d.Statements[j]
			n := e.namedIn(s)
			if n.any() == no {
				continue
			}
			m := e.statement(s)
			if s.Effect == Deny {
				deny = or(deny, and(m, n.any()))
				continue
			}
			allow.delegated = or(allow.delegated, and(m, n.delegated))
			allow.byRole = or(allow.byRole, and(m, n.byRole))
			allow.direct = or(allow.direct, and(m, n.direct))
		}
	}
	return allow, deny
}

// namedIn decides how a statement names the caller. Deny with NotPrincipal
// always denies a principal that has a permissions boundary.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func (e *evaluation) namedIn(s *Statement) naming {
	if s.NotPrincipals != nil && s.Effect == Deny && e.set.boundary != nil {
		return naming{direct: yes}
	}
	n := s.named(&e.ctx.caller, e.own == trustPolicy)
	n.delegated, n.byRole, n.direct = e.settled(s, n.delegated), e.settled(s, n.byRole), e.settled(s, n.direct)
	return n
}
