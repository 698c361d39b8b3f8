package iampolicy

import (
	"encoding/json"
	"fmt"
)

// Kind describes what a document is attached to, which decides its grammar.
type Kind uint8

// The kinds of documents.
const (
	// Identity is a managed or inline policy, a permissions boundary or an SCP:
	// it names no principal.
	Identity Kind = iota
	// Trust is a role's trust policy: it names principals and no resource.
	Trust
	// Resource is any other resource's policy, and that of a VPC endpoint.
	Resource
	// ResourceControl is an RCP: it is about every principal.
	ResourceControl
)

var kindNames = []string{"identity policy", "trust policy", "resource policy", "resource control policy"}

// String returns the kind's name in a sentence.
func (k Kind) String() string { return nameOf("Kind", kindNames, k) }

// Effect is a statement's effect.
type Effect uint8

// The effects.
const (
	Allow Effect = iota
	Deny
)

var effectNames = []string{"Allow", "Deny"}

// String returns the effect as IAM writes it.
func (e Effect) String() string { return nameOf("Effect", effectNames, e) }

// MarshalText returns the effect as IAM writes it.
func (e Effect) MarshalText() ([]byte, error) { return marshalName("Effect", effectNames, e) }

// UnmarshalText reads the effect as IAM writes it.
func (e *Effect) UnmarshalText(text []byte) error {
	return unmarshalName("Effect", effectNames, text, e)
}

// Version2012 is the version that has policy variables.
const Version2012 = "2012-10-17"

// Document is a parsed policy document. It must not be changed. A Document that
// Parse did not return cannot be evaluated: as a policy, it may say anything.
type Document struct {
	// Version is 2012-10-17, 2008-10-17, or empty where the document has none,
	// which means the latter.
	Version    string
	ID         string
	Statements []Statement

	parsed bool
}

// evaluable reports whether the document can be evaluated: it was read and parsed.
func (d *Document) evaluable() bool { return d != nil && d.parsed }

// compiled reports whether Parse made the document and all of its statements.
func (d *Document) compiled() bool {
	if !d.parsed {
		return false
	}
	for i := range d.Statements {
		if !d.Statements[i].compiled.done {
			return false
		}
	}
	return true
}

// Statement is one statement of a document. Of each pair Actions and
// NotActions, Resources and NotResources, Principals and NotPrincipals at most
// one is not nil. An empty list that is not nil is an empty list in the document.
type Statement struct {
	Sid    string
	Effect Effect

	Actions, NotActions     []string
	Resources, NotResources []string
	// Principals are names by type: AWS, Service, Federated, CanonicalUser. The
	// bare "*" is type "*".
	Principals, NotPrincipals map[string][]string
	// Conditions are ordered by operator and key.
	Conditions []Condition

	compiled compiledStatement
}

// Condition is one operator and key of a statement's Condition element.
type Condition struct {
	// Operator is as written, such as ForAnyValue:StringLikeIfExists.
	Operator string
	// Key is empty for an unknown operator without keys, which IAM accepts; the
	// condition then holds.
	Key string
	// Values as text; a JSON boolean or number is its text.
	Values []string

	compiled compiledCondition
}

// ParseError describes why a text is not a policy document that IAM would store.
type ParseError struct {
	// Line and Column are counted from 1, in the decoded text.
	Line, Column int
	// Path is a JSON pointer, such as /Statement/0/Effect.
	Path    string
	Problem string
}

// Error returns the place and the problem, in one line.
func (e *ParseError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
	}
	return fmt.Sprintf("line %d, column %d (%s): %s", e.Line, e.Column, e.Path, e.Problem)
}

// MarshalJSON returns the document in IAM's own order of elements. Parsing it
// gives an equal document.
func (d *Document) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	out := struct {
		Version   string      `json:",omitempty"`
		ID        string      `json:"Id,omitempty"`
		Statement []Statement `json:"Statement"`
	}{d.Version, d.ID, d.Statements}
	if out.Statement == nil {
		out.Statement = []Statement{}
	}
	return json.Marshal(out)
}

// MarshalJSON returns the statement as IAM writes it. A list of one name stays
// a list.
func (s Statement) MarshalJSON() ([]byte, error) {
	type values map[string][]string
	conditions := map[string]values{}
	for _, c := range s.Conditions {
		if conditions[c.Operator] == nil {
			conditions[c.Operator] = values{}
		}
		if c.Key != "" {
			conditions[c.Operator][c.Key] = c.Values
		}
	}
	return json.Marshal(struct {
		Sid          string            `json:",omitempty"`
		Effect       Effect            `json:"Effect"`
		Principal    any               `json:",omitempty"`
		NotPrincipal any               `json:",omitempty"`
		Action       *[]string         `json:",omitempty"`
		NotAction    *[]string         `json:",omitempty"`
		Resource     *[]string         `json:",omitempty"`
		NotResource  *[]string         `json:",omitempty"`
		Condition    map[string]values `json:",omitempty"`
	}{
		s.Sid, s.Effect, principalJSON(s.Principals), principalJSON(s.NotPrincipals),
		present(s.Actions), present(s.NotActions), present(s.Resources), present(s.NotResources), conditions,
	})
}

func principalJSON(p map[string][]string) any {
	if p == nil {
		return nil
	}
	if _, ok := p["*"]; ok {
		return "*"
	}
	return p
}

func present(list []string) *[]string {
	if list == nil {
		return nil
	}
	return &list
}
