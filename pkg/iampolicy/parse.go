package iampolicy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads a policy document, plain or percent-encoded as the IAM API
// returns it. Names are case-sensitive. A document that IAM would not store is an
// error: one with unknown or repeated elements, with both elements of a pair, or
// with elements that the kind does not have. Every error is a *ParseError.
func Parse(kind Kind, document []byte) (*Document, error) {
	text := document
	if first := bytes.TrimLeft(document, " \t\r\n"); len(first) > 0 && first[0] != '{' {
		decoded, err := url.PathUnescape(string(document))
		if err != nil {
			return nil, &ParseError{Line: 1, Column: 1, Problem: "the document is neither JSON nor percent-encoded JSON"}
		}
		text = []byte(decoded)
	}
	if int(kind) >= len(kindNames) {
		return nil, &ParseError{Line: 1, Column: 1, Problem: fmt.Sprintf("%s is not a kind of policy document", kind)}
	}
	p := &parser{kind: kind, text: text, dec: jsontext.NewDecoder(bytes.NewBuffer(text))}
	d, err := p.document()
	if err != nil {
		return nil, err
	}
	for i := range d.Statements {
		d.Statements[i].compile(d.Version == Version2012)
	}
	d.parsed = true
	return d, nil
}

type parser struct {
	kind Kind
	text []byte
	dec  *jsontext.Decoder
	sids map[string]bool
}

// fail reports a problem of the token that was read last.
func (p *parser) fail(format string, args ...any) error {
	return p.failAt(p.dec.InputOffset()-1, format, args...)
}

func (p *parser) failAt(at int64, format string, args ...any) error {
	before := p.text[:min(max(at, 0), int64(len(p.text)))]
	line := bytes.LastIndexByte(before, '\n')
	return &ParseError{
		Line:    bytes.Count(before, []byte{'\n'}) + 1,
		Column:  utf8.RuneCount(before[line+1:]) + 1,
		Path:    string(p.dec.StackPointer()),
		Problem: fmt.Sprintf(format, args...),
	}
}

// syntax turns an error of the decoder into one with a place.
func (p *parser) syntax(err error) error {
	var s *jsontext.SyntacticError
	switch {
	case errors.As(err, &s) && errors.Is(err, jsontext.ErrDuplicateName):
		return p.failAt(s.ByteOffset, "element %q appears twice", s.JSONPointer.LastToken())
	case errors.As(err, &s):
		return p.failAt(s.ByteOffset, "the document is not JSON: %s", s.Err)
	default:
		return p.failAt(int64(len(p.text)), "the document is incomplete")
	}
}

func (p *parser) document() (*Document, error) {
	d := &Document{}
	statements := false
	err := p.object("a policy document", func(name string) (err error) {
		switch name {
		case "Version":
			if d.Version, err = p.stringValue("Version"); err == nil && d.Version != Version2012 && d.Version != "2008-10-17" {
				err = p.fail("Version %q is neither 2012-10-17 nor 2008-10-17", d.Version)
			}
		case "Id":
			d.ID, err = p.stringValue("Id")
		case "Statement":
			statements = true
			d.Statements, err = p.statements()
		default:
			err = p.fail("%q is not an element of a policy document", name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !statements {
		return nil, p.fail("the document has no Statement")
	}
	if rest := bytes.TrimLeft(p.text[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, p.failAt(int64(len(p.text)-len(rest)), "unexpected text after the document")
	}
	return d, nil
}

// object calls member after each name of an object, for it to read the value.
func (p *parser) object(what string, member func(name string) error) error {
	token, err := p.dec.ReadToken()
	switch {
	case err != nil:
		return p.syntax(err)
	case token.Kind() != '{':
		return p.fail("%s must be a JSON object", what)
	}
	for {
		token, err = p.dec.ReadToken()
		if err != nil {
			return p.syntax(err)
		}
		if token.Kind() == '}' {
			return nil
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
}

// list reads the beginning of a list, if one begins here.
func (p *parser) list() bool {
	if p.dec.PeekKind() != '[' {
		return false
	}
	_, err := p.dec.ReadToken()
	return err == nil
}

// stringValue reads one string.
func (p *parser) stringValue(what string) (string, error) {
	token, err := p.dec.ReadToken()
	if err != nil {
		return "", p.syntax(err)
	}
	if token.Kind() != '"' {
		return "", p.fail("%s must be a string", what)
	}
	return token.String(), nil
}

// stringValues reads a string or a list of strings; never nil. With scalars, booleans
// and numbers are read as their own text.
func (p *parser) stringValues(what string, scalars bool) ([]string, error) {
	list := []string{}
	one := func() error {
		token, err := p.dec.ReadToken()
		if err != nil {
			return p.syntax(err)
		}
		switch kind := token.Kind(); {
		case kind == '"', scalars && (kind == '0' || kind == 't' || kind == 'f'):
			list = append(list, token.String())
			return nil
		case scalars:
			return p.fail("%s must be a string, number or boolean, or a list of them", what)
		default:
			return p.fail("%s must be a string or a list of strings", what)
		}
	}
	if !p.list() {
		return list, one()
	}
	for {
		if p.dec.PeekKind() == ']' {
			_, err := p.dec.ReadToken()
			return list, err
		}
		if err := one(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) statements() ([]Statement, error) {
	p.sids = map[string]bool{}
	if !p.list() {
		s, err := p.statement()
		return []Statement{s}, err
	}
	list := []Statement{}
	for {
		if p.dec.PeekKind() == ']' {
			_, err := p.dec.ReadToken()
			return list, err
		}
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
}

func (p *parser) statement() (Statement, error) {
	var s Statement
	effect := false
	err := p.object("a statement", func(name string) (err error) {
		switch name {
		case "Sid":
			s.Sid, err = p.sid()
		case "Effect":
			effect = true
			s.Effect, err = p.effect()
		case "Action":
			s.Actions, err = p.actions(name)
		case "NotAction":
			s.NotActions, err = p.actions(name)
		case "Resource":
			s.Resources, err = p.resources(name)
		case "NotResource":
			s.NotResources, err = p.resources(name)
		case "Principal":
			s.Principals, err = p.principals(name)
		case "NotPrincipal":
			s.NotPrincipals, err = p.principals(name)
		case "Condition":
			s.Conditions, err = p.conditions()
		default:
			err = p.fail("%q is not an element of a statement", name)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if !effect {
		return s, p.fail("the statement has no Effect")
	}
	return s, p.complete(&s)
}

// complete checks which elements a statement of this kind has.
func (p *parser) complete(s *Statement) error {
	switch {
	case (s.Actions == nil) == (s.NotActions == nil):
		return p.fail("the statement needs one of Action and NotAction")
	case s.Resources != nil && s.NotResources != nil:
		return p.fail("the statement has both Resource and NotResource")
	case s.Principals != nil && s.NotPrincipals != nil:
		return p.fail("the statement has both Principal and NotPrincipal")
	}
	resource := s.Resources != nil || s.NotResources != nil
	principal := s.Principals != nil || s.NotPrincipals != nil
	switch p.kind {
	case Identity:
		if principal {
			return p.fail("an identity policy cannot have Principal or NotPrincipal")
		}
		if !resource {
			return p.fail("the statement needs one of Resource and NotResource")
		}
	case Trust:
		if resource {
			return p.fail("a trust policy cannot have Resource or NotResource")
		}
		if s.Principals == nil {
			return p.fail("a statement of a trust policy needs a Principal")
		}
	case Resource:
		if !principal {
			return p.fail("the statement needs one of Principal and NotPrincipal")
		}
	case ResourceControl:
		if !s.everyPrincipal() {
			return p.fail(`a statement of a resource control policy needs "Principal": "*"`)
		}
		if !resource {
			return p.fail("the statement needs one of Resource and NotResource")
		}
	}
	return nil
}

// everyPrincipal reports whether the statement's principal is "*" and nothing else,
// as AWS Organizations requires of RCPs.
// Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html
func (s *Statement) everyPrincipal() bool {
	everyone := func(kind string) bool { return slices.Equal(s.Principals[kind], []string{"*"}) }
	return len(s.Principals) == 1 && (everyone("*") || everyone("AWS"))
}

func (p *parser) sid() (string, error) {
	sid, err := p.stringValue("Sid")
	if err != nil {
		return "", err
	}
	if p.kind != Resource && strings.ContainsFunc(sid, func(r rune) bool { return !isAlphanumeric(r) }) {
		return "", p.fail("Sid %q has characters other than letters and digits", sid)
	}
	if sid != "" && p.sids[sid] {
		return "", p.fail("Sid %q appears twice", sid)
	}
	p.sids[sid] = true
	return sid, nil
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func (p *parser) effect() (Effect, error) {
	text, err := p.stringValue("Effect")
	switch {
	case err != nil:
		return Allow, err
	case text == "Allow":
		return Allow, nil
	case text == "Deny":
		return Deny, nil
	default:
		return Allow, p.fail("Effect %q is neither Allow nor Deny", text)
	}
}

func (p *parser) actions(name string) ([]string, error) {
	list, err := p.stringValues(name, false)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if problem := checkAction(a); problem != "" {
			return nil, p.fail("%s %q %s", name, a, problem)
		}
	}
	return list, nil
}

// checkAction returns what IAM would object to, or nothing.
func checkAction(a string) string {
	if a == "*" {
		return ""
	}
	vendor, rest, ok := strings.Cut(a, ":")
	switch {
	case !ok:
		return "has no service prefix"
	case strings.Contains(rest, ":"):
		return "has more than one colon"
	case a == "*:*":
		return ""
	case vendor == "" || strings.ContainsFunc(vendor, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }):
		return "has an invalid service prefix"
	}
	return ""
}

func (p *parser) resources(name string) ([]string, error) {
	list, err := p.stringValues(name, false)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if !strings.HasPrefix(r, "arn:") && (r == "" || strings.Trim(r, "*") != "") {
			return nil, p.fail(`%s %q is neither an ARN nor "*"`, name, r)
		}
	}
	return list, nil
}

func (p *parser) principals(name string) (map[string][]string, error) {
	if p.kind == Trust && name == "NotPrincipal" {
		return nil, p.fail("a trust policy cannot have NotPrincipal")
	}
	if p.dec.PeekKind() == '"' {
		text, err := p.stringValue(name)
		switch {
		case err != nil:
			return nil, err
		case text != "*":
			return nil, p.fail(`%s must be "*" or an object of principal types`, name)
		case p.kind == Trust:
			return nil, p.fail(`a trust policy's Principal cannot be "*"; {"AWS": "*"} is every AWS principal`)
		}
		return map[string][]string{"*": {"*"}}, nil
	}
	m := map[string][]string{}
	err := p.object(name, func(kind string) error {
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, kind) {
			return p.fail("%q is not a type of principal", kind)
		}
		list, err := p.stringValues(kind, false)
		if err != nil {
			return err
		}
		for _, entry := range list {
			if problem := checkPrincipal(p.kind, kind, entry); problem != "" {
				return p.fail("principal %q %s", entry, problem)
			}
		}
		m[kind] = list
		return nil
	})
	return m, err
}

// checkPrincipal returns what IAM would object to, or nothing.
func checkPrincipal(kind Kind, principalType, entry string) string {
	if strings.ContainsAny(entry, "*?") && (entry != "*" || principalType != "AWS") {
		return `has a wildcard; only "AWS": "*" is allowed`
	}
	if kind != Trust {
		return ""
	}
	switch {
	case principalType == "CanonicalUser":
		return "has a type that trust policies do not have"
	case principalType != "AWS" || entry == "*" || isAccountID(entry) || isUniqueID(entry):
		return ""
	}
	a, ok := splitARN(entry)
	if !ok || a.service != "iam" && a.service != "sts" {
		return "is not an account, IAM or STS principal"
	}
	return ""
}

func (p *parser) conditions() ([]Condition, error) {
	var list []Condition // nil for {}, as json.Marshal leaves out both
	err := p.object("Condition", func(operator string) error {
		from := len(list)
		err := p.object("a condition operator", func(key string) error {
			if i := strings.IndexByte(key, ':'); i <= 0 {
				return p.fail("condition key %q has no service prefix", key)
			}
			values, err := p.stringValues("a condition's value", true)
			list = append(list, Condition{Operator: operator, Key: key, Values: values})
			return err
		})
		if err != nil {
			return err
		}
		if _, known := parseOperator(operator); !known {
			if len(list) > from {
				return p.fail("%q is not a condition operator", operator)
			}
			// IAM accepts an unknown operator without keys.
			list = append(list, Condition{Operator: operator})
		}
		return nil
	})
	// Their order has no meaning; this one is MarshalJSON's.
	slices.SortFunc(list, func(a, b Condition) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Key, b.Key))
	})
	return list, err
}
