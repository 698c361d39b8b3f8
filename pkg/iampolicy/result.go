package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Result is an answer with its reasons.
type Result struct {
	Decision Decision
	// Explicit is set where a Deny statement denies.
	Explicit bool
	// By is, for a denial, the layer that denies or lacks the Allow.
	By Layer
	// Statements decided it: for Allowed the Allow statements of every layer that
	// applies, for an explicit denial the Deny statements, for Depends those that
	// it hangs on.
	Statements []Reference
	// DependsOn is, for Depends, the smallest set of conditions and resources
	// that it hangs on: what could deny first, then what would allow.
	DependsOn []Dependency
	// Nearest are, for a denial that is not explicit, Allow statements for the
	// action that apply to other resources or under other conditions.
	Nearest []Reference
	// Uncovered is, for a question about a pattern that is not allowed as a
	// whole, that pattern.
	Uncovered string
}

// Reference names a statement.
type Reference struct {
	// Policy, ARN and Version are the policy's.
	Policy, ARN, Version string
	// Index counts the document's statements from 0.
	Index  int
	Sid    string
	Effect Effect
	// Resources are the statement's Resource entries.
	Resources []string
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

// Dependency is one thing that an answer hangs on: a condition, a resource or
// principal that the statement may or may not match, or a policy that could not
// be read.
type Dependency struct {
	Statement Reference
	// Operator, Key and Values are set for a condition.
	Operator, Key string
	Values        []string
	// Resource is set where the statement matches only part of what was asked.
	Resource string
	// Reason is set for anything else.
	Reason string
}

// String returns the dependency as a clause, with the statement it stands in.
func (d Dependency) String() string {
	switch {
	case d.Key != "":
		return fmt.Sprintf("%s: %s %s %s", d.Statement, d.Operator, d.Key, strings.Join(d.Values, ", "))
	case d.Resource != "":
		return fmt.Sprintf("%s: resource %s", d.Statement, d.Resource)
	default:
		return d.Reason
	}
}

// Evaluate answers a request with reasons.
func (s *Set) Evaluate(r *Request) Result {
	e := s.newEvaluation(r)
	v := e.decide()
	refined := e.refine(v)
	result := Result{Decision: decision(refined.result)}
	if r.Any && result.Decision != Allowed {
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
		e.explainDenial(v, refined, &result)
	case Depends:
		e.explainDependence(v, &result)
	}
	return result
}

// match is a statement with what became of it.
type match struct {
	layer     Layer
	level     int // of SCPs
	policy    *Policy
	index     int
	statement *Statement
	applies   ternary
}

func (m match) reference() Reference {
	return Reference{
		Policy: m.policy.Name, ARN: m.policy.ARN, Version: m.policy.Version,
		Index: m.index, Sid: m.statement.Sid, Effect: m.statement.Effect, Resources: m.statement.Resources,
	}
}

// each visits the statements of every layer that applies to the caller.
func (e *evaluation) each(visit func(match)) {
	layer := func(l Layer, level int, policies []Policy) {
		for i := range policies {
			m := match{layer: l, level: level, policy: &policies[i]}
			if m.policy.Document == nil {
				continue
			}
			for j := range m.policy.Document.Statements {
				m.index, m.statement = j, &m.policy.Document.Statements[j]
				m.applies = e.statement(m.statement)
				if l == LayerResource {
					m.applies = and(m.applies, e.namedIn(m.statement).any())
				}
				visit(m)
			}
		}
	}
	if !e.caller.outsideIAM() {
		layer(LayerIdentity, 0, e.set.identity)
		layer(LayerBoundary, 0, e.set.boundary)
		if !e.serviceLinked() {
			for i, level := range e.set.scps {
				layer(LayerSCP, i, level)
			}
		}
	}
	layer(LayerResource, 0, e.resource)
}

// unread visits the policies that could not be read.
func (e *evaluation) unread(visit func(*Policy)) {
	layers := [][]Policy{e.resource}
	if !e.caller.outsideIAM() {
		layers = slices.Concat([][]Policy{e.set.identity, e.set.boundary}, e.set.scps, layers)
	}
	for _, policies := range layers {
		for i := range policies {
			if policies[i].Document == nil {
				visit(&policies[i])
			}
		}
	}
}

// explainDenial names the Deny statements, or else the layer that allows nothing
// and what comes nearest.
// open is the verdict before all cases were tried.
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
	case e.caller.outsideIAM():
		result.By = LayerResource
	case v.identity == no && !e.strict:
		result.By = LayerIdentity
	case v.scp == no:
		result.By = LayerSCP
	case v.boundary == no:
		result.By = LayerBoundary
	case v.resource == no:
		result.By = LayerResource
	default:
		result.By = LayerIdentity
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
	case LayerBoundary:
		return v.boundary == maybe
	case LayerSCP:
		return v.scp == maybe
	default: // LayerResource
		return v.resource != no // how it names the caller counts too
	}
}
