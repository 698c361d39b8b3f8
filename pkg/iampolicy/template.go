package iampolicy

import (
	"slices"
	"strings"
)

// template is a value of a policy that may hold variables: ${key} and
// ${key, 'default'}. Substituted text is literal.
type template struct {
	parts []templatePart
	// variables is set where a part is a variable.
	variables bool
	// elements is the whole where it holds none.
	elements []element
}

type templatePart struct {
	elements []element
	// key is in lower case; empty where elements count.
	key         string
	fallback    string
	hasFallback bool
}

// newTemplate compiles a value. Without variables ${…} is literal text. With
// wildcards * and ? are; ${*}, ${?} and ${$} are the characters themselves.
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

// expand substitutes the variables. It answers no where one has no value, so
// that the text matches nothing, and maybe where one is not known: a run stands
// for it then, so that what the outcome does not match is matched in no case.
func (t *template) expand(ctx facts) ([]element, ternary) {
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
		case presence == presentKey && len(values) == 1:
			out = append(out, literalElements(values[0])...)
		case presence == unknownKey || presence == unknownValue:
			out, known = append(out, anyRun), and(known, maybe)
		case presence == absentKey && part.hasFallback:
			out = append(out, literalElements(part.fallback)...)
		default:
			known = no
		}
	}
	return out, known
}

// match expands the template and compares the outcome with a text.
func (t *template) match(ctx facts, text string, compare func([]element, string) bool) ternary {
	elements, known := t.expand(ctx)
	if known == no || !compare(elements, text) {
		return no
	}
	return known
}

func matchGlob(p []element, text string) bool { return matchElements(p, plainText(text)) }

// matchFold compares whole texts without case. A variable whose value is not
// known may be anything.
func matchFold(p []element, text string) bool {
	return slices.Contains(p, anyRun) || strings.EqualFold(textOf(p), text)
}
