// Package text makes text safe for a terminal, a log and a comment of a script: one line,
// without characters that control a terminal or hide text. It also has counts and plurals.
package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe reports whether a rune may be written to a terminal as it is. It refuses
// control characters, line and paragraph separators, private-use characters,
// noncharacters, and what turns the direction of writing or cannot be seen. Source:
// https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
func Safe(r rune) bool {
	if ' ' <= r && r <= '~' { // the tables say the same, but they are slow
		return true
	}
	return r != utf8.RuneError && !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs,
		unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Visible returns s with everything that is not Safe written as an escape, such as
// \x1b or \u202e. Line breaks and tabs become spaces, so that the result is one line.
func Visible(s string) string { return visible(s, Safe) }

// VisibleLines is Visible for a text of several lines, whose line breaks stay.
func VisibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Visible(l)
	}
	return strings.Join(lines, "\n")
}

// VisibleASCII is Visible, and writes everything outside ASCII as an escape too.
func VisibleASCII(s string) string {
	return visible(s, func(r rune) bool { return r < utf8.RuneSelf && Safe(r) })
}

func visible(s string, ok func(rune) bool) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !ok(r) }) < 0 {
		return s // as nearly every text is
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n', r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case ok(r), r == utf8.RuneError && ok('é'):
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// Count returns "1 node" or "3 nodes": the number and the noun, whose plural adds s,
// or turns y after a consonant into ies.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, Plural(noun))
}

// Plural returns the plural of an English noun that has a regular one.
func Plural(noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case y && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou"):
		return stem + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	default:
		return noun + "s"
	}
}

// OrNone returns s, or none where it is empty.
func OrNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// SortedKeys returns the keys of a map in order.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
