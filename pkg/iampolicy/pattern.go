package iampolicy

import (
	"strings"
	"unicode/utf8"
)

// element is one symbol of a pattern: a rune, or a wildcard.
type element rune

const (
	anyRun     element = -1 // * : any run, colons included
	segmentRun element = -2 // * : any run without a colon
	anyOne     element = -3 // ? : one character
	segmentOne element = -4 // ? : one character but a colon
)

// pattern is a compiled text with wildcards.
type pattern struct {
	elements []element
	// literal is the text where it has no wildcard, prefix the text before a single
	// * at its end. They are compared without walking the elements.
	literal, prefix string
	form            patternForm
}

type patternForm uint8

const (
	formGeneral patternForm = iota
	formLiteral
	formPrefix
	formAll
)

func newPattern(elements []element) pattern {
	p := pattern{elements: elements}
	for i, e := range elements {
		if e >= 0 {
			continue
		}
		if e == anyRun && i == len(elements)-1 {
			p.form, p.prefix = formPrefix, textOf(elements[:i])
			if i == 0 {
				p.form = formAll
			}
		}
		return p
	}
	p.form, p.literal = formLiteral, textOf(elements)
	return p
}

func textOf(elements []element) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteRune(rune(e))
	}
	return b.String()
}

// globElements compiles text in which * and ? match anything.
func globElements(text string) []element {
	out := make([]element, 0, len(text))
	for _, r := range text {
		switch r {
		case '*':
			out = append(out, anyRun)
		case '?':
			out = append(out, anyOne)
		default:
			out = append(out, element(r))
		}
	}
	return out
}

// scoped narrows the wildcards of a resource pattern: in the first five segments
// * and ? do not match a colon. With stretches, a * that is the last character of its
// segment does.
func scoped(elements []element, stretches bool) []element {
	colons := 0
	for i, e := range elements {
		last := i == len(elements)-1 || elements[i+1] == ':'
		switch {
		case colons >= 5:
			return elements
		case e == ':':
			colons++
		case e == anyRun && (!stretches || !last):
			elements[i] = segmentRun
		case e == anyOne:
			elements[i] = segmentOne
		}
	}
	return elements
}

// match reports whether the pattern matches all of s, in time proportional to the
// product of their lengths at worst. With fold, the pattern is in lower case and
// ASCII letters are compared without case.
func (p *pattern) match(s string, fold bool) bool {
	switch {
	case p.form == formAll:
		return true
	case fold:
		return matchElements(p.elements, foldedText(s))
	case p.form == formLiteral:
		return s == p.literal
	case p.form == formPrefix:
		return strings.HasPrefix(s, p.prefix)
	default:
		return matchElements(p.elements, plainText(s))
	}
}

// symbols is what a pattern is matched against: a text, or another pattern.
type symbols interface {
	// at returns the symbol at position i and the position after it; ok is false
	// at the end.
	at(i int) (e element, next int, ok bool)
}

type (
	plainText  string
	foldedText string
	patternOf  []element
)

func (t plainText) at(i int) (element, int, bool) {
	if i >= len(t) {
		return 0, i, false
	}
	if c := t[i]; c < 0x80 {
		return element(c), i + 1, true
	}
	r, size := utf8.DecodeRuneInString(string(t[i:]))
	return element(r), i + size, true
}

func (t foldedText) at(i int) (element, int, bool) {
	e, next, ok := plainText(t).at(i)
	if e >= 'A' && e <= 'Z' {
		e += 'a' - 'A'
	}
	return e, next, ok
}

func (t patternOf) at(i int) (element, int, bool) {
	if i >= len(t) {
		return 0, i, false
	}
	return t[i], i + 1, true
}

// one reports whether the pattern element matches one symbol. It matches a wildcard
// only if it matches everything that the wildcard matches.
func (e element) one(symbol element) bool {
	switch e {
	case anyOne:
		return symbol >= 0 || symbol == anyOne || symbol == segmentOne
	case segmentOne:
		return symbol >= 0 && symbol != ':' || symbol == segmentOne
	case anyRun:
		return true
	case segmentRun:
		return symbol != ':' && symbol != anyRun && symbol != anyOne
	default:
		return e == symbol
	}
}

// matchElements matches greedily. On a mismatch the last run takes one symbol more;
// a run that cannot cross a colon falls back to the last one that can. No earlier run
// has to be tried again, because the last one can skip whatever it could.
func matchElements[S symbols](p []element, s S) bool {
	const none = -1
	i, j := 0, 0
	run, runFrom := none, 0       // the last run, and where it ends
	anyrun, anyrunFrom := none, 0 // the last run that can cross colons
	for {
		symbol, next, more := s.at(j)
		if i < len(p) {
			switch e := p[i]; {
			case e == anyRun:
				i++
				run, runFrom, anyrun, anyrunFrom = i, j, i, j
				continue
			case e == segmentRun:
				i++
				run, runFrom = i, j
				continue
			case more && e.one(symbol):
				i, j = i+1, next
				continue
			}
		} else if !more {
			return true
		}
		if run == none {
			return false
		}
		skipped, after, ok := s.at(runFrom)
		if !ok {
			return false
		}
		if p[run-1].one(skipped) {
			runFrom = after
			i, j = run, after
			continue
		}
		if anyrun == none {
			return false
		}
		_, after, _ = s.at(anyrunFrom)
		anyrunFrom = after
		run, runFrom = anyrun, after
		i, j = anyrun, after
	}
}

// covers reports whether the pattern matches everything that q matches. A false
// answer may be wrong where only runs of several wildcards differ, a true one is not.
func (p *pattern) covers(q []element) bool {
	return p.form == formAll || matchElements(p.elements, patternOf(normal(q)))
}

// normal moves a run behind the single wildcards next to it, so that *? and ?* are
// equal.
func normal(q []element) []element {
	for i := 0; i+1 < len(q); i++ {
		if (q[i] == anyRun && q[i+1] == anyOne) || (q[i] == segmentRun && q[i+1] == segmentOne) {
			q = append([]element(nil), q...)
			for j := 0; j+1 < len(q); j++ {
				if (q[j] == anyRun && q[j+1] == anyOne) || (q[j] == segmentRun && q[j+1] == segmentOne) {
					q[j], q[j+1] = q[j+1], q[j]
					j = max(j-2, -1)
				}
			}
			return q
		}
	}
	return q
}

// overlaps reports whether some text is matched by both.
func overlaps(p, q []element) bool {
	// reach[j] says whether p[:i] and q[:j] can match the same text.
	reach := make([]bool, len(q)+1)
	isRun := func(e element) bool { return e == anyRun || e == segmentRun }
	both := func(a, b element) bool { // one text of one character for both
		switch {
		case a >= 0 && b >= 0:
			return a == b
		case a >= 0:
			return a != ':' || b == anyRun || b == anyOne
		case b >= 0:
			return b != ':' || a == anyRun || a == anyOne
		default:
			return true
		}
	}
	for i := 0; i <= len(p); i++ {
		next := make([]bool, len(q)+1)
		for j := 0; j <= len(q); j++ {
			switch {
			case i == 0 && j == 0:
				next[j] = true
			default:
				// A run is empty.
				ok := i > 0 && isRun(p[i-1]) && reach[j] || j > 0 && isRun(q[j-1]) && next[j-1]
				if !ok && i > 0 && j > 0 && both(p[i-1], q[j-1]) {
					// One character for both; a run may continue.
					ok = reach[j-1] || isRun(p[i-1]) && next[j-1] || isRun(q[j-1]) && reach[j]
				}
				next[j] = ok
			}
		}
		reach = next
	}
	return reach[len(q)]
}
