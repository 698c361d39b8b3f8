package iampolicy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check is the name of one of the linter's checks.
type Check string

// The checks.
const (
	// CheckShadowed: another statement of the same effect includes it.
	CheckShadowed Check = "shadowed-statement"
	// CheckOverridden: a Deny without conditions denies all of an Allow.
	CheckOverridden Check = "overridden-statement"
	// CheckNothing: an empty list, so that the statement matches nothing.
	CheckNothing Check = "matches-nothing"
	// CheckOperator: an unknown condition operator.
	CheckOperator Check = "unknown-operator"
	// CheckValue: a condition value that the operator cannot read, or no value.
	CheckValue Check = "condition-value"
	// CheckMultivalued: a plain operator on a key that may have several values, or
	// a set operator on one that has one at most.
	CheckMultivalued Check = "multivalued-key"
	// CheckForAllValues: an Allow that holds where the key is missing.
	CheckForAllValues Check = "for-all-values-without-null"
	// CheckRepeatedKey: one operator has the same key twice, in different case.
	CheckRepeatedKey Check = "repeated-key"
	// CheckVariable: a policy variable in a version without policy variables.
	CheckVariable Check = "variable-in-old-version"
	// CheckVersion: no Version, which means an old one.
	CheckVersion Check = "version-missing"
	// CheckDangling: the principal was deleted.
	CheckDangling Check = "dangling-principal"
	// CheckNotPrincipal: NotPrincipal.
	CheckNotPrincipal Check = "not-principal"
	// CheckEveryone: everyone is allowed, without a condition.
	CheckEveryone Check = "everyone"
	// CheckWrongAction: an action that principals of the type do not use to assume
	// a role.
	CheckWrongAction Check = "action-for-principal"
	// CheckBroad: every action, or every action of a service, on everything.
	CheckBroad Check = "over-broad"
	// CheckAllowNot: an Allow of everything except what is listed.
	CheckAllowNot Check = "allow-not"
	// CheckNotParsed: Parse did not return the document, so that nothing is checked.
	CheckNotParsed Check = "not-parsed"
)

// Problem is something in a document that is legal but probably not intended.
type Problem struct {
	Check Check
	// Index is the statement's, from 0; -1 is the document as a whole.
	Index int
	Sid   string
	// Message says what is wrong, in one line.
	Message string
}

// String returns the place, the message and the check's name, in one line.
func (p Problem) String() string {
	switch {
	case p.Index < 0:
		return fmt.Sprintf("%s (%s)", p.Message, p.Check)
	case p.Sid == "":
		return fmt.Sprintf("statement %d: %s (%s)", p.Index+1, p.Message, p.Check)
	default:
		return fmt.Sprintf("statement %d (%s): %s (%s)", p.Index+1, p.Sid, p.Message, p.Check)
	}
}

// Lint returns what is legal in the document but probably not intended, by statement.
// Source of most checks:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
func Lint(kind Kind, d *Document) []Problem {
	if d == nil || !d.compiled() {
		return []Problem{{Check: CheckNotParsed, Index: -1, Message: "was not parsed and cannot be checked"}}
	}
	l := linter{kind: kind, document: d}
	if d.Version == "" {
		l.report(-1, CheckVersion, "has no Version, which means 2008-10-17, without policy variables")
	}
	for i := range d.Statements {
		l.lists(i)
		l.scope(i)
		l.principals(i)
		l.conditions(i)
		l.variables(i)
		l.others(i)
	}
	return l.problems
}

type linter struct {
	kind     Kind
	document *Document
	problems []Problem
}

func (l *linter) report(index int, check Check, format string, args ...any) {
	p := Problem{Check: check, Index: index, Message: fmt.Sprintf(format, args...)}
	if index >= 0 {
		p.Sid = l.document.Statements[index].Sid
	}
	l.problems = append(l.problems, p)
}

// lists finds empty ones.
func (l *linter) lists(index int) {
	s := &l.document.Statements[index]
	empty := func(name string, list []string) {
		if list != nil && len(list) == 0 {
			l.report(index, CheckNothing, "%s is empty: the statement matches nothing", name)
		}
	}
	empty("Action", s.Actions)
	empty("Resource", s.Resources)
	if s.Principals != nil && len(principalList(s.Principals)) == 0 {
		l.report(index, CheckNothing, "Principal is empty: the statement matches nobody")
	}
}

// scope finds Allow statements that are too wide.
func (l *linter) scope(index int) {
	s := &l.document.Statements[index]
	if s.Effect == Deny {
		return
	}
	if s.NotActions != nil {
		l.report(index, CheckAllowNot, "allows every action except those of NotAction, including future ones")
	}
	if s.NotResources != nil {
		l.report(index, CheckAllowNot, "allows every resource except those of NotResource")
	}
	if l.kind != Identity || len(s.Conditions) > 0 || !slices.ContainsFunc(s.Resources, isEverything) {
		return
	}
	for _, a := range s.Actions {
		service, name, _ := strings.Cut(a, ":")
		switch {
		case isEverything(a) || a == "*:*":
			l.report(index, CheckBroad, "allows every action on every resource")
		case isEverything(name):
			l.report(index, CheckBroad, "allows every action of %s on every resource", service)
		}
	}
}

func isEverything(s string) bool { return s != "" && strings.Trim(s, "*") == "" }

// principals finds deleted principals, and everyone.
func (l *linter) principals(index int) {
	s := &l.document.Statements[index]
	if s.NotPrincipals != nil {
		what := "denies everyone who is not listed, including the accounts and sessions of those listed"
		if s.Effect == Allow {
			what = "allows everyone who is not listed, including anonymous callers; AWS does not support it with Allow"
		}
		l.report(index, CheckNotPrincipal, "NotPrincipal %s", what)
	}
	for _, principals := range []map[string][]string{s.Principals, s.NotPrincipals} {
		for _, kind := range slices.Sorted(maps.Keys(principals)) {
			for _, entry := range principals[kind] {
				if kind == "AWS" && isUniqueID(entry) {
					l.report(index, CheckDangling, "principal %s was deleted: IAM shows its unique ID, which matches nobody", entry)
				}
			}
		}
	}
	if s.Effect == Deny {
		return
	}
	for _, kind := range []string{"*", "AWS"} {
		if slices.Contains(s.Principals[kind], "*") && len(s.Conditions) == 0 {
			l.report(index, CheckEveryone, "allows every principal of every AWS account, without a condition")
		}
	}
	if l.kind == Trust {
		l.assuming(index)
	}
}

// assuming finds principals that need another action to assume the role.
func (l *linter) assuming(index int) {
	s := &l.document.Statements[index]
	allows := func(action string) bool { return s.matchesAction(action) }
	web, saml := allows("sts:AssumeRoleWithWebIdentity"), allows("sts:AssumeRoleWithSAML")
	for _, entry := range s.Principals["Federated"] {
		if a, ok := splitARN(entry); ok && strings.HasPrefix(a.resource, "saml-provider/") {
			if !saml {
				l.report(index, CheckWrongAction, "SAML provider %s needs sts:AssumeRoleWithSAML", entry)
			}
		} else if !web {
			l.report(index, CheckWrongAction, "identity provider %s needs sts:AssumeRoleWithWebIdentity", entry)
		}
	}
	for _, kind := range []string{"AWS", "Service"} {
		if len(s.Principals[kind]) > 0 && !allows("sts:AssumeRole") && (web || saml) {
			l.report(index, CheckWrongAction, "principals of type %s assume a role with sts:AssumeRole", kind)
		}
	}
}

// conditions finds conditions that cannot mean what they say.
func (l *linter) conditions(index int) {
	s := &l.document.Statements[index]
	seen := map[string]bool{}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		op, ok := parseOperator(c.Operator)
		if !ok {
			l.report(index, CheckOperator, "%s is not a condition operator", c.Operator)
			continue
		}
		key := strings.ToLower(c.Key)
		if name := c.Operator + " " + key; seen[name] {
			l.report(index, CheckRepeatedKey, "%s has the key %s twice: both conditions have to hold", c.Operator, key)
		} else {
			seen[name] = true
		}
		one, several := isSingleValued(key), slices.Contains(multivaluedKeys, key)
		switch {
		case op.family == null:
		case several && op.set == plainOperator:
			l.report(index, CheckMultivalued, "%s can have several values: %s needs ForAllValues or ForAnyValue", c.Key, c.Operator)
		case one && op.set != plainOperator:
			l.report(index, CheckMultivalued, "%s has one value at most: %s is for keys that have several", c.Key, c.Operator)
		case op.set == forAllValues && s.Effect == Allow && !l.hasNull(s, key):
			l.report(index, CheckForAllValues, "%s holds where the request has no %s: add Null with false", c.Operator, c.Key)
		}
		l.values(index, c)
	}
}

// hasNull reports whether the statement requires the key to be present.
func (l *linter) hasNull(s *Statement, key string) bool {
	return slices.ContainsFunc(s.Conditions, func(c Condition) bool {
		return c.Operator == "Null" && strings.EqualFold(c.Key, key) && slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, "false") })
	})
}

// values finds values that the operator cannot read.
func (l *linter) values(index int, c *Condition) {
	if len(c.Values) == 0 && c.Key != "" {
		l.report(index, CheckValue, "%s %s has no value", c.Operator, c.Key)
	}
	for i, v := range c.compiled.values {
		switch c.compiled.family {
		case numeric, date, boolean, binary, ipAddress, null:
			if !v.ok && !v.text.variables {
				l.report(index, CheckValue, "%s cannot read %q: it matches nothing", c.Operator, c.Values[i])
			}
		case arnLike:
			if !v.text.variables && strings.Count(c.Values[i], ":") < 5 {
				l.report(index, CheckValue, "%s compares ARNs of six parts, and %q has fewer: AWS does not document what it matches", c.Operator, c.Values[i])
			}
		case stringEquals:
			if strings.ContainsAny(c.Values[i], "*?") && !v.text.variables && !strings.Contains(c.Values[i], "${") {
				l.report(index, CheckValue, "%s compares %q literally; StringLike has wildcards", c.Operator, c.Values[i])
			}
		case stringEqualsIgnoreCase, stringLike:
		}
	}
}

// variables finds variables that are plain text in the document's version.
func (l *linter) variables(index int) {
	if l.document.Version == Version2012 {
		return
	}
	s := &l.document.Statements[index]
	texts := slices.Concat(s.Resources, s.NotResources)
	for _, c := range s.Conditions {
		texts = append(texts, c.Values...)
	}
	for _, t := range texts {
		if strings.Contains(t, "${") {
			l.report(index, CheckVariable, "%q is plain text: policy variables need Version %s", t, Version2012)
		}
	}
}

// others compares the statement with the rest of the document.
func (l *linter) others(index int) {
	s := &l.document.Statements[index]
	for j := range l.document.Statements {
		o := &l.document.Statements[j]
		switch {
		case j == index || !o.includes(s):
		case o.Effect == s.Effect && (j < index || !s.includes(o)):
			l.report(index, CheckShadowed, "statement %d includes all of it", j+1)
			return
		case o.Effect == Deny && s.Effect == Allow:
			l.report(index, CheckOverridden, "statement %d denies all of it", j+1)
			return
		}
	}
}

// includes reports whether s applies wherever o does. A false answer may be wrong,
// a true one is not.
func (s *Statement) includes(o *Statement) bool {
	return includesAll(s.Actions, s.NotActions, o.Actions, o.NotActions, actionIncludes) &&
		(s.Resources == nil && s.NotResources == nil || includesAll(s.Resources, s.NotResources, o.Resources, o.NotResources, resourceIncludes)) &&
		s.NotPrincipals == nil && o.NotPrincipals == nil && principalsInclude(s.Principals, o.Principals) &&
		conditionsInclude(s.Conditions, o.Conditions)
}

// includesAll compares elements, each of which is a list or the opposite of one.
func includesAll(list, not, other, otherNot []string, includes func(a, b string) bool) bool {
	covered := func(by, what []string) bool {
		return !slices.ContainsFunc(what, func(w string) bool {
			return !slices.ContainsFunc(by, func(b string) bool { return includes(b, w) })
		})
	}
	switch {
	case list != nil && other != nil:
		return covered(list, other)
	case list != nil:
		return slices.ContainsFunc(list, func(e string) bool { return isEverything(e) || e == "*:*" })
	case otherNot != nil:
		return covered(otherNot, not)
	default:
		return false
	}
}

func actionIncludes(a, b string) bool {
	p, q := compileAction(a), compileAction(b)
	return p.covers(q.elements)
}

func resourceIncludes(a, b string) bool {
	if strings.Contains(a, "${") || strings.Contains(b, "${") {
		return a == b || isEverything(a)
	}
	p := newPattern(scoped(globElements(a), true))
	return p.covers(scoped(globElements(b), true))
}

func principalsInclude(a, b map[string][]string) bool {
	for kind, list := range b {
		for _, entry := range list {
			if !slices.Contains(a[kind], entry) && !slices.Contains(a["*"], "*") {
				return false
			}
		}
	}
	return true
}

// conditionsInclude reports whether a's conditions are among b's.
func conditionsInclude(a, b []Condition) bool {
	return !slices.ContainsFunc(a, func(c Condition) bool {
		return !slices.ContainsFunc(b, func(d Condition) bool {
			return c.Operator == d.Operator && strings.EqualFold(c.Key, d.Key) && sorted(c.Values, nil) == sorted(d.Values, nil)
		})
	})
}
