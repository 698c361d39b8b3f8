package print

import (
	"slices"
	"strings"
	"unicode"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Where the program and its rules are described.
const (
	homepage  = "https://github.com/kubectl-noderole/kubectl-noderole"
	rulePages = homepage + "/blob/main/docs/rules/"
)

// excuse says why a result does not count, or that its exception is over. It is
// empty for a result without exception that no baseline knows.
func excuse(r finding.Result) string {
	switch e := r.Exception; {
	case r.Known:
		return "known before, as the baseline says"
	case e == nil:
		return ""
	case e.Expired:
		return "the exception ended on " + e.Expires + " (" + e.Source + "): " + e.Reason
	case e.Expires != "":
		return "excepted until " + e.Expires + " (" + e.Source + "): " + e.Reason
	default:
		return "excepted (" + e.Source + "): " + e.Reason
	}
}

// details are the lines that stand below a result's message: its excuse, the
// evidence, the impact and what to type.
func details(r finding.Result) []string {
	var lines []string
	if e := excuse(r); e != "" {
		lines = append(lines, e)
	}
	lines = append(lines, r.Evidence...)
	if r.Impact != "" {
		lines = append(lines, r.Impact)
	}
	for _, n := range r.Next {
		lines = append(lines, "-> "+nextLine(n))
	}
	return lines
}

// nextLine is what to do in one line: the command, and what is to be known of it.
func nextLine(n finding.Next) string {
	parts := []string{n.Text, n.Note, n.Link}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "   ")
}

// unreadLine says what could not be read and why.
func unreadLine(m finding.Missing) string {
	line := m.Operation
	if m.Subject != "" {
		line += " " + m.Subject
	}
	line += " could not be read: " + m.Error
	if m.Permission != "" {
		line += " (needs " + m.Permission + ")"
	}
	return line
}

// oneLine returns valid UTF-8 without line breaks and control characters, each of
// which becomes a space, and without marks that turn the direction of writing, with
// which a name could show as another one.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c), unicode.IsControl(c):
			return ' '
		case unicode.Is(unicode.Bidi_Control, c), unicode.Is(unicode.Noncharacter_Code_Point, c), c == '\uFEFF':
			return unicode.ReplacementChar
		default:
			return c
		}
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar))))
}
