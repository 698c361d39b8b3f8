package iampolicy

import (
	"encoding/json"
	"fmt"
)

// Kind says what a document is attached to, which decides its grammar.
type Kind uint8

// The kinds of documents.
const (
	// Identity is a managed or inline policy, a permissions boundary or an SCP:
	// it names no principal.
	Identity Kind = iota
	// Trust is a role's trust policy: it names principals and no resource.
	Trust
	// Resource is any other resource's policy.
	Resource
)

// Effect is a statement's effect.
type Effect uint8

// The effects.
const (
	Allow Effect = iota
	Deny
)

// String returns the effect as IAM writes it.
func (e Effect) String() string {
	if e == Deny {
		return "Deny"
	}
	return "Allow"
}

// MarshalText returns the effect as IAM writes it.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Version2012 is the version that has policy variables.
const Version2012 = "2012-10-17"

// Document is a parsed policy document. It is not to be changed.
type Document struct {
	// Version is 2012-10-17, 2008-10-17, or empty where the document has none,
	// which means the latter.
	Version    string
	ID         string
	Statements []Statement
}

// Statement is one statement of a document. Of each pair Actions and
// NotActions, Resources and NotResources, Principals and NotPrincipals one at
// most is not nil; an empty list that is not nil stands in the document.
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
	// Key is empty for an operator that IAM does not know, which it takes where no
	// key follows; the condition holds then.
	Key string
	// Values as text; a JSON boolean or number is its text.
	Values []string

	compiled compiledCondition
}

// ParseError says why a text is no policy document that IAM would store.
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
