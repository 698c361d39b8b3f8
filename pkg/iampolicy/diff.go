package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Equal reports whether two documents have the same meaning. The order of
// statements and of list entries, repeated entries, and the case of actions and
// condition keys do not matter, nor whether an account as principal is written as its
// id or as its root's ARN. Sids and the Id do matter. Nil equals only nil.
func Equal(a, b *Document) bool {
	if a == nil || b == nil {
		return a == b
	}
	return canonical(a) == canonical(b)
}

// canonical is a text that equal documents share.
func canonical(d *Document) string {
	var statements []string
	for i := range d.Statements {
		statements = append(statements, canonicalStatement(&d.Statements[i]))
	}
	slices.Sort(statements)
	version := d.Version
	if version == "" {
		version = "2008-10-17" // what a missing version means
	}
	return fmt.Sprintf("%q %q %s", version, d.ID, strings.Join(statements, "\n"))
}

func canonicalStatement(s *Statement) string {
	var conditions []string
	for _, c := range s.Conditions {
		conditions = append(conditions, fmt.Sprintf("%q %q %s", c.Operator, strings.ToLower(c.Key), sorted(c.Values, nil)))
	}
	return fmt.Sprintf("%q %v %s %s %s %s %s %s %s", s.Sid, s.Effect,
		sorted(s.Actions, canonicalAction), sorted(s.NotActions, canonicalAction), sorted(s.Resources, nil), sorted(s.NotResources, nil),
		canonicalPrincipals(s.Principals), canonicalPrincipals(s.NotPrincipals), sorted(conditions, nil))
}

func canonicalAction(a string) string {
	if a == "*:*" {
		return "*"
	}
	return strings.ToLower(a)
}

func canonicalPrincipals(principals map[string][]string) string {
	if principals == nil {
		return "-"
	}
	list := []string{}
	for kind, entries := range principals {
		for _, entry := range entries {
			if kind == "*" {
				kind = "AWS"
			}
			if c := newCaller(entry); kind == "AWS" && c.kind == rootCaller {
				entry = c.arn.account
			}
			list = append(list, kind+" "+entry)
		}
	}
	return sorted(list, nil)
}

// sorted returns a text for a list, regardless of order and repetition; "-" for nil.
func sorted(list []string, change func(string) string) string {
	if list == nil {
		return "-"
	}
	list = slices.Clone(list)
	if change != nil {
		for i := range list {
			list[i] = change(list[i])
		}
	}
	slices.Sort(list)
	return fmt.Sprintf("%q", slices.Compact(list))
}

// diffContext is how many unchanged lines a diff shows around changed ones.
const diffContext = 3

// Diff returns the shortest unified diff from a to b, as indented JSON: lines of a
// with "-", lines of b with "+", and unchanged lines with a blank. It is empty where
// the documents are Equal. A nil document has no lines.
func Diff(a, b *Document) string {
	if Equal(a, b) {
		return ""
	}
	return diffLines(indented(a), indented(b))
}

func indented(d *Document) []string {
	if d == nil {
		return nil
	}
	text, _ := json.MarshalIndent(d, "", "  ") // every document can be written as JSON
	return strings.Split(string(text), "\n")
}

// edit is one line of a diff, with its line numbers.
type edit struct {
	sign     byte
	line     string
	atA, atB int
	shown    bool // changed, or close to a change
}

func diffLines(a, b []string) string {
	edits := editsOf(a, b)
	for i := range edits {
		if edits[i].sign != ' ' {
			for j := max(0, i-diffContext); j < min(len(edits), i+diffContext+1); j++ {
				edits[j].shown = true
			}
		}
	}
	var out strings.Builder
	for i := 0; i < len(edits); {
		if !edits[i].shown {
			i++
			continue
		}
		end, countA, countB := i, 0, 0
		for ; end < len(edits) && edits[end].shown; end++ {
			if edits[end].sign != '+' {
				countA++
			}
			if edits[end].sign != '-' {
				countB++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", lineRange(edits[i].atA, countA), lineRange(edits[i].atB, countB))
		for ; i < end; i++ {
			out.WriteByte(edits[i].sign)
			out.WriteString(edits[i].line)
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// lineRange is a range of lines as a unified diff writes it; at counts from 0.
func lineRange(at, count int) string {
	if count == 0 {
		return fmt.Sprintf("%d,0", at)
	}
	return fmt.Sprintf("%d,%d", at+1, count)
}

// editsOf finds a longest common subsequence of lines between the common beginning
// and the common end.
func editsOf(a, b []string) []edit {
	var edits []edit
	i, j := 0, 0
	put := func(sign byte) {
		e := edit{sign: sign, atA: i, atB: j}
		if sign == '+' {
			e.line = b[j]
		} else {
			e.line = a[i]
		}
		edits = append(edits, e)
		if sign != '+' {
			i++
		}
		if sign != '-' {
			j++
		}
	}
	for i < len(a) && j < len(b) && a[i] == b[j] {
		put(' ')
	}
	endA, endB := len(a), len(b)
	for endA > i && endB > j && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	// longest[x][y] is the length of the longest common subsequence of a[x:endA] and
	// b[y:endB].
	fromA, fromB := i, j
	longest := make([][]int32, endA-fromA+1)
	for x := range longest {
		longest[x] = make([]int32, endB-fromB+1)
	}
	for x := endA - 1; x >= fromA; x-- {
		for y := endB - 1; y >= fromB; y-- {
			if a[x] == b[y] {
				longest[x-fromA][y-fromB] = longest[x-fromA+1][y-fromB+1] + 1
			} else {
				longest[x-fromA][y-fromB] = max(longest[x-fromA+1][y-fromB], longest[x-fromA][y-fromB+1])
			}
		}
	}
	for i < endA || j < endB {
		switch {
		case i < endA && j < endB && a[i] == b[j]:
			put(' ')
		case j == endB || i < endA && longest[i-fromA+1][j-fromB] >= longest[i-fromA][j-fromB+1]:
			put('-')
		default:
			put('+')
		}
	}
	for i < len(a) {
		put(' ')
	}
	return edits
}
