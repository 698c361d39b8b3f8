package iampolicy

import "strings"

// Decision is the answer to a request.
type Decision uint8

// The answers.
const (
	Denied Decision = iota
	// Depends: what is known of the request does not settle it.
	Depends
	Allowed
)

// String returns denied, depends or allowed.
func (d Decision) String() string { return [...]string{"denied", "depends", "allowed"}[d] }

// MarshalText returns denied, depends or allowed.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Policy is a document with the name that evidence calls it by.
type Policy struct {
	Name, ARN, Version string
	// Document is nil where it could not be read or parsed: it may then say
	// anything.
	Document *Document
}

// Policies is what applies to a request.
type Policies struct {
	// Identity are the principal's managed and inline policies.
	Identity []Policy
	// Boundary is the principal's permissions boundary; nil means none.
	Boundary *Policy
	// SCPs are the service control policies by level, from the organization's
	// root to the account; nil means that they are not evaluated.
	SCPs [][]Policy
	// Resource is the resource's own policy, for a role its trust policy; nil
	// means none.
	Resource *Policy
}

// Set is policies made ready to answer requests. It is safe for concurrent use.
type Set struct {
	identity []Policy
	boundary []Policy
	scps     [][]Policy
	resource []Policy
}

// Prepare returns the policies as a Set.
func Prepare(p Policies) *Set {
	s := &Set{identity: p.Identity, scps: p.SCPs}
	if p.Boundary != nil {
		s.boundary = []Policy{*p.Boundary}
	}
	if p.Resource != nil {
		s.resource = []Policy{*p.Resource}
	}
	return s
}

// Request is one question.
type Request struct {
	// Principal is the ARN of a role, role session or user, an account id, the
	// ARN of an identity provider, or a service's name such as ec2.amazonaws.com.
	Principal string
	// Action is one action, such as ec2:DescribeInstances.
	Action string
	// Resource is an ARN, or "*" for an action without resource types.
	Resource string
	// Any makes Resource a pattern and asks about everything that it matches.
	Any bool
	// Account is the account of the resource; empty means the principal's.
	Account string
	// Context is what is known of the request's condition keys; nil is nothing.
	Context *Context
}

// Layer is a kind of policy, each of which has its own say.
type Layer uint8

// The layers.
const (
	NoLayer Layer = iota
	LayerIdentity
	LayerBoundary
	LayerSCP
	LayerResource
)

// String returns the layer's name in a sentence.
func (l Layer) String() string {
	return [...]string{"", "identity policies", "permissions boundary", "service control policies", "resource policy"}[l]
}

// Decide answers a request. It allocates nothing but where a policy variable has
// to be expanded, a number, date, binary value or pattern to be compared, or all
// cases to be tried because the answer is open at first.
func (s *Set) Decide(r *Request) Decision {
	e := s.newEvaluation(r)
	v := e.decide()
	if v.result == maybe {
		return s.decideOpen(r, v)
	}
	return decision(v.result)
}

// decideOpen is apart from Decide because its evaluation is on the heap.
func (s *Set) decideOpen(r *Request, v verdict) Decision {
	e := s.newEvaluation(r)
	return decision(e.refine(v).result)
}

func decision(t ternary) Decision { return Decision(t) }

// evaluation is one request on its way to an answer.
type evaluation struct {
	set      *Set
	resource []Policy // the resource's policy, where it has a say
	action   string
	ctx      facts
	target   target
	caller   caller
	// crossAccount: the resource is another account's.
	crossAccount bool
	// strict: the resource's policy has to name the caller even in the same
	// account, as roles' trust policies and KMS key policies have to.
	strict bool
	// trust: the resource's policy is a role's trust policy.
	trust bool
	// given decides what is open, in one of the cases that refine tries: a truth
	// for the *Condition, *resource, *Statement (its principal) or unreadPolicy.
	given map[any]ternary
}

// unreadPolicy is the one or the other effect of a policy that could not be read.
type unreadPolicy struct {
	policy *Policy
	effect Effect
}

// settled returns t or, where that is open, what is given for the part.
func (e *evaluation) settled(part any, t ternary) ternary {
	if t != maybe || e.given == nil {
		return t
	}
	if given, ok := e.given[part]; ok {
		return given
	}
	return t
}

// mayDo is what a policy that could not be read does.
func (e *evaluation) mayDo(p *Policy, effect Effect) ternary {
	if e.given == nil {
		return maybe
	}
	return e.settled(unreadPolicy{p, effect}, maybe)
}

func (s *Set) newEvaluation(r *Request) evaluation {
	e := evaluation{set: s, resource: s.resource, action: r.Action, target: newTarget(r), caller: newCaller(r.Principal)}
	a, isARN := splitARN(r.Resource)
	account := r.Account
	if account == "" && isAccountID(a.account) {
		account = a.account
	}
	e.crossAccount = account != "" && e.caller.arn.account != "" && account != e.caller.arn.account
	e.ctx = facts{known: r.Context, otherAccounts: e.crossAccount || r.Any && !isARN || strings.ContainsAny(a.account, "*?")}
	if isARN && len(s.resource) > 0 {
		e.trust = a.service == "iam" && strings.HasPrefix(a.resource, "role/")
		e.strict = e.trust || a.service == "kms" && strings.HasPrefix(a.resource, "key/")
	}
	if e.trust && len(e.action) > 4 && !strings.EqualFold(e.action[:4], "sts:") {
		e.resource, e.trust, e.strict = nil, false, false // it says who may assume the role, nothing else
	}
	if a.partition == "aws-cn" && e.caller.name == ec2Service+".cn" {
		e.caller.name = ec2Service
	}
	e.caller.partition = a.partition
	return e
}

// verdict is what the layers say.
type verdict struct {
	result ternary
	deny   ternary
	// The Allow side of each layer: yes where a layer does not apply.
	identity, boundary, scp, resource ternary
}

// decide combines the layers.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (e *evaluation) decide() verdict {
	v := verdict{identity: no, boundary: yes, scp: yes, resource: no}
	if !e.caller.outsideIAM() {
		var deny ternary
		v.identity, deny = e.layer(e.set.identity)
		v.deny = deny
		if e.caller.kind == rootCaller {
			v.identity = yes // no policy limits an account's root user
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
	named, deny := e.resourceLayer()
	v.deny = or(v.deny, deny)
	v.resource = named.any()

	own := and(v.identity, v.boundary)
	byPolicy := or(named.direct, and(named.byRole, v.boundary))
	var allow ternary
	switch {
	case e.caller.outsideIAM():
		allow = named.direct
	case e.crossAccount:
		allow = and(own, named.any())
	case e.strict:
		allow = or(byPolicy, and(named.delegated, own))
	default:
		allow = or(own, byPolicy)
	}
	v.result = and(and(allow, v.scp), not(v.deny))
	return v
}

// serviceLinked reports whether SCPs do not apply to the caller.
// Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
func (e *evaluation) serviceLinked() bool {
	return e.caller.kind == roleCaller && strings.HasPrefix(e.caller.arn.resource, "role/aws-service-role/") ||
		e.caller.kind == sessionCaller && strings.HasPrefix(e.caller.role, "AWSServiceRoleFor")
}

// layer returns what the Allow and the Deny statements of policies without
// principals say.
func (e *evaluation) layer(policies []Policy) (allow, deny ternary) {
	for i := range policies {
		d := policies[i].Document
		if d == nil {
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

// resourceLayer returns how the resource's policy allows the caller, and what its
// Deny statements say.
func (e *evaluation) resourceLayer() (allow naming, deny ternary) {
	for i := range e.resource {
		d := e.resource[i].Document
		if d == nil {
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
	n := s.named(&e.caller, e.trust)
	n.delegated, n.byRole, n.direct = e.settled(s, n.delegated), e.settled(s, n.byRole), e.settled(s, n.direct)
	return n
}
