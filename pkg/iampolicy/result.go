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
	result := Result{Decision: s.refine(r, v)}
	if r.Any && result.Decision != Allowed {
		result.Uncovered = r.Resource
	}
	switch result.Decision {
	case Allowed:
		e.each(func(m match) {
			if m.statement.Effect == Allow && m.applies != no {
				result.Statements = append(result.Statements, m.reference())
			}
		})
	case Denied:
		e.explainDenial(v, &result)
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
	layer(LayerResource, 0, e.set.resource)
}

// unread visits the policies that could not be read.
func (e *evaluation) unread(visit func(*Policy)) {
	layers := [][]Policy{e.set.resource}
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
func (e *evaluation) explainDenial(v verdict, result *Result) {
	if v.deny == yes {
		result.Explicit = true
		e.each(func(m match) {
			if m.statement.Effect == Deny && m.applies == yes {
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

// explainDependence collects what is undecided. Every Deny that may apply
// counts; of the Allow side each undecided layer counts with the one statement
// that hangs on the fewest things.
func (e *evaluation) explainDependence(v verdict, result *Result) {
	type candidate struct {
		match match
		on    []Dependency
	}
	type place struct {
		layer Layer
		level int
	}
	var denies []candidate
	best := map[place]candidate{}
	settled := map[place]bool{}
	var places []place
	add := func(p place, c candidate) {
		old, ok := best[p]
		if !ok {
			places = append(places, p)
		}
		if !ok || len(c.on) < len(old.on) {
			best[p] = c
		}
	}
	e.each(func(m match) {
		p := place{m.layer, m.level}
		switch {
		case m.applies == yes && m.statement.Effect == Allow:
			settled[p] = true
		case m.applies != maybe:
		case m.statement.Effect == Deny:
			denies = append(denies, candidate{m, e.dependencies(m)})
		default:
			add(p, candidate{m, e.dependencies(m)})
		}
	})
	take := func(c candidate) {
		if c.match.statement != nil {
			result.Statements = append(result.Statements, c.match.reference())
		}
		for _, d := range c.on {
			if !slices.ContainsFunc(result.DependsOn, func(have Dependency) bool { return have.String() == d.String() }) {
				result.DependsOn = append(result.DependsOn, d)
			}
		}
	}
	for _, c := range denies {
		take(c)
	}
	e.unread(func(p *Policy) { take(candidate{on: []Dependency{{Reason: p.Name + " could not be read"}}}) })
	for _, p := range places {
		if settled[p] || !v.needs(p.layer) {
			continue
		}
		take(best[p])
	}
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
	case LayerResource:
		return v.resource == maybe
	case NoLayer:
		return false
	default:
		return false
	}
}

// dependencies are the undecided parts of a statement.
func (e *evaluation) dependencies(m match) []Dependency {
	ref := m.reference()
	var on []Dependency
	if m.layer == LayerResource && e.namedIn(m.statement).any() == maybe {
		on = append(on, Dependency{Statement: ref, Reason: fmt.Sprintf("%s: whether its principal is the caller", ref)})
	}
	if m.statement.matchesResource(e.ctx, e.target) == maybe {
		resources := m.statement.Resources
		if resources == nil {
			resources = m.statement.NotResources
		}
		on = append(on, Dependency{Statement: ref, Resource: strings.Join(resources, ", ")})
	}
	for i := range m.statement.Conditions {
		c := &m.statement.Conditions[i]
		if c.eval(e.ctx) == maybe {
			on = append(on, Dependency{Statement: ref, Operator: c.Operator, Key: c.Key, Values: c.Values})
		}
	}
	return on
}
