package iampolicy

import (
	"slices"
	"strings"
)

// template is a value of a policy that may have variables: ${key} and
// ${key, 'default'}. Substituted text is literal.
type template struct {
	parts []templatePart
	// variables is set where a part is a variable.
	variables bool
	// elements is the whole where it has none.
	elements []element
}

type templatePart struct {
	elements []element
	// key is in lower case; empty where elements count.
	key         string
	fallback    string
	hasFallback bool
}

// newTemplate compiles a value. Unless variables is set, ${…} is literal text.
// wildcards says whether * and ? are wildcards; ${*}, ${?} and ${$} are always the
// characters themselves.
func newTemplate(text string, variables, wildcards bool) template {
	var t template
	compile := func(s string) []element {
		if wildcards {
			return globElements(s)
		}
		return literalElements(s)
	}
	var literal []element
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		inside, after, closed := strings.Cut(rest, "}")
		if !variables || !found || !closed {
			literal = append(literal, compile(text)...)
			break
		}
		literal = append(literal, compile(before)...)
		text = after
		if inside == "*" || inside == "?" || inside == "$" {
			literal = append(literal, element(inside[0]))
			continue
		}
		part := templatePart{key: inside}
		if key, fallback, ok := strings.Cut(inside, ", '"); ok && strings.HasSuffix(fallback, "'") {
			part = templatePart{key: key, fallback: strings.TrimSuffix(fallback, "'"), hasFallback: true}
		}
		part.key = strings.ToLower(strings.TrimSpace(part.key))
		t.parts = append(t.parts, templatePart{elements: literal}, part)
		t.variables, literal = true, nil
	}
	t.parts = append(t.parts, templatePart{elements: literal})
	if !t.variables {
		t.elements = literal
	}
	return t
}

func literalElements(s string) []element {
	out := make([]element, 0, len(s))
	for _, r := range s {
		out = append(out, element(r))
	}
	return out
}

// isVariable reports whether the whole text is the variable of a key, which is in
// lower case.
func (t *template) isVariable(key string) bool {
	return len(t.parts) == 3 && len(t.parts[0].elements) == 0 && t.parts[1].key == key && len(t.parts[2].elements) == 0
}

// unresolved returns the key of the first variable without a value; expand has found
// that there is one.
func (t *template) unresolved(ctx *facts) string {
	return t.parts[slices.IndexFunc(t.parts, func(part templatePart) bool {
		if part.key == "" {
			return false
		}
		values, presence := ctx.lookup(part.key)
		return presence == absentKey && !part.hasFallback || presence == presentKey && values.count() != 1
	})].key
}

// mayBeUnresolved reports whether a variable of unknown value may have none, because
// the key may be absent or have several values.
func (t *template) mayBeUnresolved(ctx *facts) bool {
	return slices.ContainsFunc(t.parts, func(part templatePart) bool {
		if part.key == "" {
			return false
		}
		_, presence := ctx.lookup(part.key)
		mayBeAbsent := (presence == unknownKey || presence == optionalKey) && !part.hasFallback
		mayHaveSeveral := (presence == unknownKey || presence == unknownValue) && !isSingleValued(part.key)
		return mayBeAbsent || mayHaveSeveral
	})
}

// expand substitutes the variables. It returns no where one has no value, so that
// the text is like no other. It returns maybe where a value is unknown: the
// variable is then replaced by a run, so that a text which the result does not match
// cannot be matched.
func (t *template) expand(ctx *facts) ([]element, ternary) {
	if !t.variables {
		return t.elements, yes
	}
	var out []element
	known := yes
	for _, part := range t.parts {
		if part.key == "" {
			out = append(out, part.elements...)
			continue
		}
		values, presence := ctx.lookup(part.key)
		switch {
		case presence == presentKey && values.count() == 1:
			out = append(out, literalElements(values.at(0))...)
		case presence == unknownKey || presence == unknownValue || presence == optionalKey:
			out, known = append(out, anyRun), and(known, maybe)
		case presence == absentKey && part.hasFallback:
			out = append(out, literalElements(part.fallback)...)
		default:
			known = no
		}
	}
	return out, known
}

// match expands the template and compares the result with a text.
func (t *template) match(ctx *facts, text string, compare func([]element, string) bool) ternary {
	elements, known := t.expand(ctx)
	if known == no || !compare(elements, text) {
		return no
	}
	return known
}

func matchGlob(p []element, text string) bool { return matchElements(p, plainText(text)) }

// matchFold compares whole texts without case. A variable whose value is unknown
// may be anything.
func matchFold(p []element, text string) bool {
	return slices.Contains(p, anyRun) || strings.EqualFold(textOf(p), text)
}
