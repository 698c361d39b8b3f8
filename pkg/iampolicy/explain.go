package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Trace says what became of one statement of a request, or of one policy that
// could not be read.
type Trace struct {
	Layer Layer
	// Statement is the statement. Of a policy that could not be read it has the
	// names alone, and Index -1.
	Statement Reference
	// Applies is Allowed where the statement applies to the request and Denied
	// where it does not, whatever its effect is, and Depends where that is open.
	Applies Decision
	// Sentence says so, and why.
	Sentence string
}

// Explain returns what became of every statement that has a say in the request,
// by layer and in the order of the policies.
func (s *Set) Explain(r *Request) []Trace {
	e := s.newEvaluation(r)
	var traces []Trace
	e.each(func(m match) {
		ref := m.reference()
		traces = append(traces, Trace{Layer: m.layer, Statement: ref, Applies: decision(m.applies), Sentence: e.sentence(m, ref)})
	})
	e.unread(func(p *Policy) {
		traces = append(traces, Trace{
			Statement: Reference{Policy: p.Name, ARN: p.ARN, Version: p.Version, Index: -1},
			Applies:   Depends, Sentence: p.Name + " could not be read: it may say anything.",
		})
	})
	return traces
}

// sentence says whether the statement applies and names the first element that
// keeps it from it, or all that it hangs on.
func (e *evaluation) sentence(m match, ref Reference) string {
	s := m.statement
	verb := "allows"
	if s.Effect == Deny {
		verb = "denies"
	}
	switch m.applies {
	case yes:
		return fmt.Sprintf("%s %s %s on %s%s.", ref, verb, e.action, e.target.text, satisfied(s))
	case maybe:
		return fmt.Sprintf("%s %s %s on %s only if %s.", ref, verb, e.action, e.target.text, strings.Join(e.ifs(m), " and "))
	default:
		return fmt.Sprintf("%s does not apply: %s.", ref, e.obstacle(m))
	}
}

func satisfied(s *Statement) string {
	switch len(s.Conditions) {
	case 0:
		return ""
	case 1:
		return "; its condition holds"
	default:
		return "; its conditions hold"
	}
}

// ifs are the open elements as clauses.
func (e *evaluation) ifs(m match) []string {
	s := m.statement
	var list []string
	if m.layer == LayerResource && e.namedIn(s).any() == maybe {
		list = append(list, e.caller.name+" is the principal that it names")
	}
	if e.matchesResource(s) == maybe {
		list = append(list, "the resource is "+alternatives(s.Resources, s.NotResources))
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.eval(e.ctx) == maybe {
			list = append(list, clause(c))
		}
	}
	return list
}

// obstacle is the first element that does not match.
func (e *evaluation) obstacle(m match) string {
	s := m.statement
	switch {
	case !s.matchesAction(e.action):
		return fmt.Sprintf("it is about %s, not %s", alternatives(s.Actions, s.NotActions), e.action)
	case m.layer == LayerResource && e.namedIn(s).any() == no:
		return fmt.Sprintf("its principal is %s, not %s", principalText(s), e.caller.name)
	case e.matchesResource(s) == no:
		return fmt.Sprintf("it is about %s, not %s", alternatives(s.Resources, s.NotResources), e.target.text)
	}
	c := &s.Conditions[slices.IndexFunc(s.Conditions, func(c Condition) bool { return c.eval(e.ctx) == no })]
	return fmt.Sprintf("it asks for %s, and %s", clause(c), e.reality(c))
}

// reality is what the request has for the condition's key.
func (e *evaluation) reality(c *Condition) string {
	values, presence := e.ctx.lookup(c.compiled.key)
	switch {
	case presence == presentKey && len(values) > 0:
		return fmt.Sprintf("%s is %s", c.Key, strings.Join(values, ", "))
	case presence == presentKey:
		return c.Key + " has no value"
	case presence == absentKey:
		return "the request has no " + c.Key
	default:
		return "that is never so"
	}
}

func clause(c *Condition) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Key, c.Operator, strings.Join(c.Values, " or ")))
}

// alternatives lists the entries of an element or of its opposite, a few of many.
func alternatives(list, not []string) string {
	if list == nil {
		return "anything but " + few(not)
	}
	return few(list)
}

func few(list []string) string {
	const most = 3
	switch {
	case len(list) == 0:
		return "nothing"
	case len(list) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	case len(list) == 1:
		return list[0]
	default:
		return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
	}
}

func principalText(s *Statement) string {
	if s.NotPrincipals != nil {
		return "anybody but " + few(principalList(s.NotPrincipals))
	}
	return few(principalList(s.Principals))
}

// principalList is the names of all types, sorted.
func principalList(principals map[string][]string) []string {
	var list []string
	for _, entries := range principals {
		list = append(list, entries...)
	}
	slices.Sort(list)
	return list
}
