package iampolicy

import (
	"slices"
	"strings"
)

// compiledStatement is a Statement prepared for evaluation.
type compiledStatement struct {
	done      bool
	actions   []pattern // of Actions or NotActions, in lower case
	resources []resource
}

// resource is one entry of Resource or NotResource.
type resource struct {
	template template
	// excludes is set for an entry of NotResource.
	excludes bool
	// pattern is the whole where the template has no variables.
	pattern pattern
	// aligned is the pattern with each wildcard inside its own segment. It is set
	// for an entry of an Allow that has all six segments: what it has in common with
	// the pattern of a request does not include names that contain an ARN.
	aligned []element
}

func (s *Statement) compile(variables bool) {
	s.compiled.done = true
	for _, a := range slices.Concat(s.Actions, s.NotActions) {
		s.compiled.actions = append(s.compiled.actions, compileAction(a))
	}
	for _, r := range slices.Concat(s.Resources, s.NotResources) {
		t := newTemplate(r, variables, true)
		res := resource{template: t, excludes: s.NotResources != nil}
		if !t.variables {
			if s.Effect == Allow && s.Resources != nil && strings.Count(r, ":") >= 5 {
				res.aligned = scoped(slices.Clone(t.elements), false)
			}
			res.pattern = newPattern(scoped(t.elements, true))
		}
		s.compiled.resources = append(s.compiled.resources, res)
	}
	for i := range s.Conditions {
		s.Conditions[i].compile(s.Effect, variables)
	}
}

func compileAction(a string) pattern {
	if a == "*:*" {
		a = "*"
	}
	return newPattern(globElements(strings.ToLower(a)))
}

// matchesAction decides the Action or NotAction element. Case does not matter.
func (s *Statement) matchesAction(action string) bool {
	found := false
	for i := range s.compiled.actions {
		if matchAction(&s.compiled.actions[i], action) {
			found = true
			break
		}
	}
	return found == (s.Actions != nil)
}

func matchAction(p *pattern, action string) bool {
	switch p.form {
	case formAll:
		return true
	case formLiteral:
		return len(action) == len(p.literal) && strings.EqualFold(action, p.literal)
	case formPrefix:
		return len(action) >= len(p.prefix) && strings.EqualFold(action[:len(p.prefix)], p.prefix)
	case formGeneral:
	}
	return p.match(action, true)
}

// target is what a request asks about: one resource, or every resource that a
// pattern matches.
type target struct {
	text     string
	pattern  bool
	elements []element // of the pattern
}

func newTarget(resource string) target {
	t := target{text: resource, pattern: resource != allResources && hasWildcard(resource)}
	if t.pattern {
		t.elements = scoped(globElements(resource), false)
	}
	return t
}

// matchesResource decides the Resource or NotResource element; a statement
// without either is about the resource that it is attached to.
func (e *evaluation) matchesResource(s *Statement) ternary {
	if s.Resources == nil && s.NotResources == nil {
		return yes
	}
	found := no
	for i := range s.compiled.resources {
		r := &s.compiled.resources[i]
		if found = or(found, e.settled(r, r.matches(&e.ctx, e.target))); found == yes {
			break
		}
	}
	if s.Resources == nil {
		return not(found)
	}
	return found
}

// matches decides one entry. For a request about a pattern it returns yes where the
// entry covers the pattern, and no where they have nothing in common.
//
// A variable without a value makes an entry of Resource match nothing, however the
// documentation is read. For an entry of NotResource that is open: AWS says both
// that such a variable is like no other value, so that the entry excludes nothing,
// and that it can make the whole statement invalid.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (r *resource) matches(ctx *facts, t target) ternary {
	p, known := &r.pattern, yes
	if r.template.variables {
		var elements []element
		if elements, known = r.template.expand(ctx); known == no {
			if r.excludes {
				return maybe
			}
			return no
		}
		expanded := newPattern(scoped(elements, true))
		p = &expanded
	}
	if r.excludes && known == maybe && r.template.mayBeUnresolved(ctx) {
		return maybe
	}
	switch {
	case !t.pattern:
		return and(known, truth(p.match(t.text, false)))
	case known == yes && p.covers(t.elements):
		return yes
	case r.aligned != nil:
		return min(maybe, truth(overlaps(r.aligned, t.elements)))
	case overlaps(p.elements, t.elements):
		return maybe
	default:
		return no
	}
}

// matchesConditions is the conjunction of all conditions.
func (e *evaluation) matchesConditions(s *Statement) ternary {
	result := yes
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if result = and(result, e.settled(c, c.eval(&e.ctx))); result == no {
			break
		}
	}
	return result
}
