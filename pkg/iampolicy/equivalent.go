package iampolicy

import (
	"slices"
	"strings"
)

// Equivalent reports whether two documents grant and deny the same. Besides what Equal
// leaves out, these do not matter: Sids and the Id; a version that changes nothing, as
// no resource or condition has a policy variable; and how an effect is divided into
// statements, such as one for each service instead of one with a list. Nil is
// equivalent to nil alone. Documents that grant the same by different patterns, such as
// a wildcard beside what it covers, are not told to be equivalent.
func Equivalent(a, b *Document) bool {
	if a == nil || b == nil {
		return a == b
	}
	return usesVariables(a) == usesVariables(b) && slices.Equal(grants(a), grants(b))
}

// usesVariables reports whether the document has policy variables, which version
// 2012-10-17 alone replaces.
func usesVariables(d *Document) bool {
	if d.Version != Version2012 {
		return false
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "${") })
	}
	return slices.ContainsFunc(d.Statements, func(s Statement) bool {
		return has(s.Resources) || has(s.NotResources) || slices.ContainsFunc(s.Conditions, func(c Condition) bool { return has(c.Values) })
	})
}

// maxGrants bounds how many parts a statement is divided into. Statements with more are
// compared as they are.
const maxGrants = 1 << 12

// grants are the document's statements divided into parts with one principal, action
// and resource each, as texts in order.
func grants(d *Document) []string {
	var parts []string
	for i := range d.Statements {
		s := d.Statements[i]
		s.Sid = ""
		principals := divided(s.Principals)
		if max(1, len(s.Actions))*max(1, len(s.Resources))*len(principals) > maxGrants {
			parts = append(parts, canonicalStatement(&s))
			continue
		}
		for _, principal := range principals {
			for _, action := range singles(s.Actions) {
				for _, resource := range singles(s.Resources) {
					part := s
					part.Principals, part.Actions, part.Resources = principal, action, resource
					parts = append(parts, canonicalStatement(&part))
				}
			}
		}
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// singles divides a list into lists of one entry; a list without entries stays.
func singles(list []string) [][]string {
	if len(list) == 0 {
		return [][]string{list}
	}
	return slices.Collect(slices.Chunk(list, 1))
}

// divided divides principals into ones of one entry.
func divided(principals map[string][]string) []map[string][]string {
	var parts []map[string][]string
	for kind, entries := range principals {
		for _, entry := range entries {
			parts = append(parts, map[string][]string{kind: {entry}})
		}
	}
	if len(parts) == 0 {
		return []map[string][]string{principals}
	}
	return parts
}
