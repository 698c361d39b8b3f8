package iampolicy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trace describes whether one statement applies to a request. Where no statement can
// be named, it says why: a policy has no document, or the action needs no permission.
type Trace struct {
	Layer Layer `json:"layer,omitzero"`
	// Level is, for SCPs and RCPs, the level of the organization, counted from 1 at
	// the root.
	Level int `json:"level,omitzero"`
	// Statement is the statement. For a policy without a document it has only the
	// policy's names, and Index -1.
	Statement Reference `json:"statement"`
	// Applies is Allowed where the statement applies to the request and Denied
	// where it does not, whatever its effect is, and Depends where that is open.
	Applies Decision `json:"applies"`
	// Sentence says whether it applies, and why.
	Sentence string `json:"sentence"`
}

// Explain returns a trace for every statement of the policies that decide the
// request, by layer and in the order of the policies. Its error is a *RequestError.
func (s *Set) Explain(r *Request) ([]Trace, error) {
	var e evaluation
	if err := e.init(s, r); err != nil {
		return nil, err
	}
	if e.free && !e.usesEndpoint() {
		return []Trace{{Statement: Reference{Index: -1}, Applies: Allowed, Sentence: e.freeReason() + "."}}, nil
	}
	var traces []Trace
	e.each(func(m match) {
		ref := m.reference()
		traces = append(traces, Trace{Layer: m.layer, Level: levelOf(m.layer, m.level), Statement: ref, Applies: decision(m.applies), Sentence: e.sentence(m, ref)})
	})
	e.unread(func(l Layer, level int, p *Policy, why string) {
		traces = append(traces, Trace{
			Layer: l, Level: levelOf(l, level),
			Statement: Reference{Policy: p.Name, ARN: p.ARN, Version: p.Version, Index: -1},
			Applies:   Depends, Sentence: why + ": it may allow or deny anything.",
		})
	})
	return traces, nil
}

func levelOf(l Layer, level int) int {
	if l == LayerSCP || l == LayerRCP {
		return level + 1
	}
	return 0
}

// sentence returns whether the statement applies. It names the first element that does
// not match, or everything that it depends on.
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
	switch {
	case m.naming.any() != maybe:
	case s.NotPrincipals != nil && s.Effect == Deny:
		list = append(list, e.ctx.caller.name+" is not one of the principals that it excepts")
	default:
		list = append(list, e.ctx.caller.name+" is the principal that it names")
	}
	if e.matchesResource(s) == maybe {
		list = append(list, "the resource is "+alternatives(s.Resources, s.NotResources))
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.eval(&e.ctx) == maybe {
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
		return fmt.Sprintf("it covers %s, not %s", alternatives(s.Actions, s.NotActions), e.action)
	case m.naming.any() == no:
		return fmt.Sprintf("its principal is %s, not %s", principalText(s), e.ctx.caller.name)
	case e.matchesResource(s) == no:
		return fmt.Sprintf("it covers %s, not %s", alternatives(s.Resources, s.NotResources), e.target.text)
	}
	c := &s.Conditions[slices.IndexFunc(s.Conditions, func(c Condition) bool { return c.eval(&e.ctx) == no })]
	return fmt.Sprintf("it requires %s, and %s", clause(c), e.requestValue(c))
}

// requestValue returns what the request has for the condition's key.
func (e *evaluation) requestValue(c *Condition) string {
	values, presence := e.ctx.lookup(c.compiled.key)
	first, dated := e.ctx.dated(c.compiled.key)
	switch {
	case dated:
		return fmt.Sprintf("%s is %s or later", c.Key, first.UTC().Format(time.RFC3339))
	case presence == presentKey && values.count() > 0:
		var list []string
		for i := range values.count() {
			list = append(list, values.at(i))
		}
		return fmt.Sprintf("%s is %s", c.Key, strings.Join(list, ", "))
	case presence == presentKey:
		return c.Key + " has no value"
	case presence == absentKey:
		return "the request has no " + c.Key
	case presence == optionalKey:
		return fmt.Sprintf("%s is %s, if the request has it", c.Key, values.at(0))
	default:
		return "that never holds"
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
		return "everyone but " + few(principalList(s.NotPrincipals))
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
