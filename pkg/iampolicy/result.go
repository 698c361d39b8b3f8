package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Result is an answer with its reasons.
type Result struct {
	Decision Decision `json:"decision"`
	// Explicit is set where a Deny statement denies.
	Explicit bool `json:"explicit"`
	// By is, for a denial, the layer that denies or lacks the Allow.
	By Layer `json:"by,omitzero"`
	// Statements decided it: for Allowed the Allow statements of every layer that
	// applies, for an explicit denial the Deny statements, for Depends those that
	// it depends on.
	Statements []Reference `json:"statements,omitzero"`
	// Reason says why, where no statement does.
	Reason string `json:"reason,omitzero"`
	// DependsOn is, for Depends, the smallest set of conditions, resources and
	// policies that the answer depends on: what could deny first, then what would
	// allow.
	DependsOn []Dependency `json:"dependsOn,omitzero"`
	// Nearest are, for a denial that is not explicit, Allow statements for the
	// action that apply to other resources or under other conditions.
	Nearest []Reference `json:"nearest,omitzero"`
	// Uncovered is the pattern of a request about a pattern that is not allowed as
	// a whole.
	Uncovered string `json:"uncovered,omitzero"`
}

// Reference names a statement.
type Reference struct {
	// Policy is the policy's name; ARN and Version are the policy's too.
	Policy  string `json:"policy"`
	ARN     string `json:"arn,omitzero"`
	Version string `json:"version,omitzero"`
	// Index counts the document's statements from 0.
	Index  int    `json:"index"`
	Sid    string `json:"sid,omitzero"`
	Effect Effect `json:"effect"`
	// Resources are the statement's Resource entries.
	Resources []string `json:"resources,omitzero"`
}

// String returns the policy, the statement's position counted from 1, and its Sid.
func (r Reference) String() string {
	text := r.Policy
	if r.Version != "" {
		text += " " + r.Version
	}
	text += fmt.Sprintf(" statement %d", r.Index+1)
	if r.Sid != "" {
		text += fmt.Sprintf(" (%s)", r.Sid)
	}
	return text
}

// Dependency is one thing that an answer depends on: a condition, a resource or
// principal that the statement may or may not match, or a policy of which the
// document is not known.
type Dependency struct {
	// Statement is the statement; zero for a policy without a document.
	Statement Reference `json:"statement,omitzero"`
	// Operator, Key and Values are set for a condition.
	Operator string   `json:"operator,omitzero"`
	Key      string   `json:"key,omitzero"`
	Values   []string `json:"values,omitzero"`
	// Resource is the entry, where the statement's resources decide.
	Resource string `json:"resource,omitzero"`
	// Reason says why it is open, where what is known of the request is not the
	// reason: a policy without a document, or what AWS does not document.
	Reason string `json:"reason,omitzero"`
}

// String returns the dependency as a clause, with its statement.
func (d Dependency) String() string {
	what := ""
	switch {
	case d.Key != "":
		what = fmt.Sprintf("%s %s %s", d.Operator, d.Key, strings.Join(d.Values, ", "))
	case d.Resource != "":
		what = "resource " + d.Resource
	case d.Statement.isZero():
		return d.Reason
	default:
		return fmt.Sprintf("%s: %s", d.Statement, d.Reason)
	}
	if d.Reason != "" {
		what += " (" + d.Reason + ")"
	}
	return fmt.Sprintf("%s: %s", d.Statement, what)
}

func (r Reference) isZero() bool { return r.Policy+r.ARN+r.Version+r.Sid == "" && r.Index == 0 }

// Evaluate answers a request with reasons. Its error is a *RequestError.
func (s *Set) Evaluate(r *Request) (Result, error) {
	var e evaluation
	if err := e.init(s, r); err != nil {
		return Result{Decision: Depends}, err
	}
	v := e.decide()
	if e.free && v.result == yes {
		return Result{Decision: Allowed, Reason: e.freeReason()}, nil
	}
	final := e.tryCases(v)
	result := Result{Decision: decision(final.result)}
	if e.target.pattern && result.Decision != Allowed {
		result.Uncovered = r.Resource
	}
	switch result.Decision {
	case Allowed:
		e.each(func(m match) {
			if m.statement.Effect == Allow && (m.applies == yes || m.applies == maybe && v.result == maybe && v.needs(m.layer)) {
				result.Statements = append(result.Statements, m.reference())
			}
		})
	case Denied:
		e.explainDenial(v, final, &result)
	case Depends:
		e.explainDependence(v, &result)
	}
	return result, nil
}

func (e *evaluation) freeReason() string {
	if e.usesEndpoint() {
		return e.action + " needs no permission, and the VPC endpoint policy allows it"
	}
	return e.action + " needs no permission, and no policy can deny it"
}

// match is a statement, and whether it applies.
type match struct {
	layer     Layer
	level     int // of SCPs and RCPs, from 0
	policy    *Policy
	index     int
	statement *Statement
	applies   ternary
	// naming is how a statement names the caller, where the layer names principals.
	naming naming
}

func (m match) reference() Reference {
	return Reference{
		Policy: m.policy.Name, ARN: m.policy.ARN, Version: m.policy.Version,
		Index: m.index, Sid: m.statement.Sid, Effect: m.statement.Effect, Resources: m.statement.Resources,
	}
}

// each visits the statements of every layer that applies to the caller.
func (e *evaluation) each(visit func(match)) {
	e.layers(func(l Layer, level int, policies []Policy) {
		for i := range policies {
			m := match{layer: l, level: level, policy: &policies[i]}
			if !m.policy.Document.evaluable() {
				continue
			}
			for j := range m.policy.Document.Statements {
				m.index, m.statement = j, &m.policy.Document.Statements[j]
				m.applies = e.statement(m.statement)
				switch l {
				case LayerEndpoint:
					m.naming = naming{direct: e.namedByEndpoint(m.statement)}
				case LayerResource:
					m.naming = e.namedIn(m.statement)
				default:
					m.naming = naming{direct: yes}
				}
				m.applies = and(m.applies, m.naming.any())
				visit(m)
			}
		}
	})
}

// layers visits the layers that apply to the caller, in order, SCPs and RCPs level by
// level.
func (e *evaluation) layers(visit func(l Layer, level int, policies []Policy)) {
	levels := func(l Layer, of [][]Policy) {
		for i, level := range of {
			visit(l, i, level)
		}
	}
	if !e.free && !e.ctx.caller.outsideIAM() {
		visit(LayerIdentity, 0, e.set.identity)
		visit(LayerSession, 0, e.set.session)
		visit(LayerBoundary, 0, e.set.boundary)
		if !e.serviceLinked() {
			levels(LayerSCP, e.set.scps)
		}
	}
	if !e.free && !e.serviceLinked() {
		levels(LayerRCP, e.set.rcps)
	}
	if e.usesEndpoint() {
		visit(LayerEndpoint, 0, e.set.endpoint)
	}
	if !e.free {
		visit(LayerResource, 0, e.resource)
	}
}

// unread visits the policies that may say anything, and says why they may.
func (e *evaluation) unread(visit func(layer Layer, level int, p *Policy, why string)) {
	e.layers(func(l Layer, level int, policies []Policy) {
		for i := range policies {
			if p := &policies[i]; !p.Document.evaluable() {
				visit(l, level, p, e.whyUnread(p))
			}
		}
	})
}

func (e *evaluation) whyUnread(p *Policy) string {
	switch {
	case p == &notGiven[0]:
		of := e.target.text
		if of == allResources {
			of = "the resource"
		}
		return fmt.Sprintf("the %s of %s was not given", e.own, of)
	case p.Document == nil:
		return p.Name + " could not be read"
	default:
		return p.Name + " was not parsed"
	}
}

// explainDenial names the Deny statements, or else the layer that allows nothing
// and the statements that come nearest. open is the verdict before all cases were
// tried.
func (e *evaluation) explainDenial(open, v verdict, result *Result) {
	if v.deny == yes {
		result.Explicit = true
		e.each(func(m match) {
			if m.statement.Effect == Deny && (m.applies == yes || m.applies == maybe && open.deny == maybe) {
				result.Statements = append(result.Statements, m.reference())
				if result.By == NoLayer {
					result.By = m.layer
				}
			}
		})
		return
	}
	switch {
	case e.ctx.caller.outsideIAM() && v.resource == no:
		result.By = LayerResource
	case v.identity == no && (e.own == noOwnPolicy || v.resource != no):
		result.By = LayerIdentity
	case v.session == no:
		result.By = LayerSession
	case v.boundary == no:
		result.By = LayerBoundary
	case v.scp == no:
		result.By = LayerSCP
	case v.endpoint == no:
		result.By = LayerEndpoint
	case v.resource == no && (e.own != noOwnPolicy || e.crossAccount):
		result.By = LayerResource
	default:
		result.By = LayerIdentity // each layer allows it in some case, but not all in one
	}
	e.each(func(m match) {
		if m.layer == result.By && m.statement.Effect == Allow && m.applies == no && m.statement.matchesAction(e.action) {
			result.Nearest = append(result.Nearest, m.reference())
		}
	})
}

// explainDependence names the smallest set of open parts that the answer is a
// function of, those of Deny statements before others.
func (e *evaluation) explainDependence(v verdict, result *Result) {
	c := e.openCases(v)
	for _, i := range c.needed(e) {
		d := c.parts[i].dependency
		result.DependsOn = append(result.DependsOn, d)
		known := func(r Reference) bool { return r.same(d.Statement) }
		if d.Statement.Policy+d.Statement.ARN != "" && !slices.ContainsFunc(result.Statements, known) {
			result.Statements = append(result.Statements, d.Statement)
		}
	}
}

func (r Reference) same(s Reference) bool {
	return r.Policy == s.Policy && r.ARN == s.ARN && r.Version == s.Version && r.Index == s.Index
}

// needs reports whether the Allow side of a layer is still open.
func (v verdict) needs(l Layer) bool {
	switch l {
	case LayerIdentity:
		return v.identity == maybe
	case LayerSession:
		return v.session == maybe
	case LayerBoundary:
		return v.boundary == maybe
	case LayerSCP:
		return v.scp == maybe
	case LayerRCP:
		return false // an Allow of an RCP changes nothing
	case LayerEndpoint:
		return v.endpoint == maybe
	default: // LayerResource
		return v.resource != no // how it names the caller counts too
	}
}
