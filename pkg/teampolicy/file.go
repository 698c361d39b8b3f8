package teampolicy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// FileError describes what is wrong with a file, where, and what to do.
type FileError struct {
	// File is the name that the user gave.
	File string
	// Line and Column are counted from 1; 0 where the problem has no place.
	Line, Column int
	// Problem is one line, and Next one that says what to do.
	Problem, Next string
}

// Error returns FILE:LINE:COLUMN: PROBLEM, without the parts that are unknown.
func (e *FileError) Error() string {
	place := e.File
	if e.Line > 0 {
		place += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	return place + ": " + e.Problem
}

// Parse reads a Config from YAML text and checks it: an unknown or repeated field, an
// id that is not among known, an exception without a reason or a day, and an
// exception that is said twice are refused. The name is used in errors, all of
// which are *FileError, and in reports.
func Parse(name string, text []byte, known []string) (*Config, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &FileError{File: name, Problem: "is empty", Next: "delete it, or begin with: " + head}
	}
	file, err := files.YAML(text)
	if err != nil {
		return nil, fromYAML(name, err)
	}
	p := parsing{name: name, known: known}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case p.body != nil:
			return nil, p.problem(doc.Body, "split the file", "a second document begins here")
		default:
			p.body = doc.Body
		}
	}
	if p.body == nil {
		return nil, &FileError{File: name, Problem: "contains no document", Next: "begin with: " + head}
	}
	c := &Config{file: name}
	if err := p.decode(c); err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

const head = "apiVersion: " + finding.APIVersion + ", kind: " + Kind

// parsing is what the checks need beside the values: their positions.
type parsing struct {
	name  string
	body  ast.Node
	known []string
}

// decode reads the values. What the file is comes before what is in it: a Pod's
// YAML should not be told that it has an unknown field.
func (p *parsing) decode(c *Config) error {
	var is struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.NodeToValue(p.body, &is); err != nil {
		return fromYAML(p.name, err)
	}
	if is.APIVersion != finding.APIVersion || is.Kind != Kind {
		return p.problem(p.body, "a team configuration begins with: "+head, "apiVersion %q, kind %q is not a team configuration", is.APIVersion, is.Kind)
	}
	if err := yaml.NodeToValue(p.body, c, yaml.Strict()); err != nil {
		return fromYAML(p.name, err)
	}
	return nil
}

func (p *parsing) check(c *Config) error {
	for _, id := range slices.Sorted(maps.Keys(c.Severities)) {
		key, value := find(p.body, "severities", id)
		if err := p.rule(key, id); err != nil {
			return err
		}
		if !slices.Contains(Severities, c.Severities[id]) {
			return p.problem(value, "use error, warning, info or off", "%q is not a severity", c.Severities[id])
		}
	}
	lines := map[Exception]int{}
	for i := range c.Exceptions {
		e := &c.Exceptions[i]
		item := element(p.body, "exceptions", i)
		if item == nil {
			return p.problem(p.body, "write them as a list: - rule: …", "exceptions is not a list")
		}
		if err := p.exception(item, *e); err != nil {
			return err
		}
		same := Exception{Rule: e.Rule, Role: e.Role, Subject: e.Subject, Cluster: e.Cluster}
		if first, ok := lines[same]; ok {
			return p.problem(item, "keep one of them", "this exception of %s for %s is already in line %d", e.Rule, e.Role+e.Subject, first)
		}
		e.line = place(item).Line
		lines[same] = e.line
	}
	return nil
}

func (p *parsing) exception(item ast.Node, e Exception) error {
	at := func(field string) ast.Node {
		_, value := find(item, field)
		return cmp.Or(value, item)
	}
	switch {
	case e.Rule == "":
		return p.problem(item, "add rule: and its id", "an exception names no rule")
	case (e.Role == "") == (e.Subject == ""):
		return p.problem(item, `add one of them, such as role: eksNodeRole or subject: aws-node; "*" is any`, "an exception names a role or a subject")
	case strings.TrimSpace(e.Reason) == "":
		return p.problem(item, "add reason: with why the failure is accepted", "the exception of %s for %s has no reason", e.Rule, e.Role+e.Subject)
	case e.Expires == "":
		return p.problem(item, "add expires: with its last day as YYYY-MM-DD, or never", "the exception of %s for %s has no end date", e.Rule, e.Role+e.Subject)
	}
	if _, err := time.Parse(time.DateOnly, e.Expires); err != nil && e.Expires != never {
		return p.problem(at("expires"), "write it as YYYY-MM-DD, or never", "expires %q is not a date", e.Expires)
	}
	return p.rule(at("rule"), e.Rule)
}

func (p *parsing) rule(at ast.Node, id string) error {
	if slices.Contains(p.known, id) {
		return nil
	}
	next := "kubectl noderole explain lists the rules"
	if upper := strings.ToUpper(id); slices.Contains(p.known, upper) {
		next = "write it as " + upper
	}
	return p.problem(at, next, "unknown rule %q", id)
}

func (p *parsing) problem(at ast.Node, next, format string, args ...any) error {
	pos := place(at)
	return &FileError{File: p.name, Line: pos.Line, Column: pos.Column, Problem: fmt.Sprintf(format, args...), Next: next}
}

// position is a place in a file, counted from 1; 0 is none.
type position struct{ Line, Column int }

// place is where a node begins. A mapping's own token is its first colon, so that
// its first key is asked.
func place(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return place(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return place(m.Key)
	}
	if n == nil || n.GetToken() == nil {
		return position{}
	}
	pos := n.GetToken().Position
	return position{pos.Line, pos.Column}
}

// find returns the key and the value at a path of keys; nil where there
// is none.
func find(n ast.Node, path ...string) (key, value ast.Node) {
	for _, name := range path {
		key, value = nil, nil
		for _, kv := range pairs(n) {
			if kv.Key.GetToken() != nil && kv.Key.GetToken().Value == name {
				key, value = kv.Key, kv.Value
			}
		}
		n = value
	}
	return key, value
}

func pairs(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// element returns an element of a list; nil where there is none.
func element(n ast.Node, list string, i int) ast.Node {
	_, value := find(n, list)
	if s, ok := value.(*ast.SequenceNode); ok && i < len(s.Values) {
		return s.Values[i]
	}
	return nil
}

// fromYAML turns an error of the YAML library into one line with a place.
func fromYAML(name string, err error) error {
	e := &FileError{File: name, Problem: firstLine(err.Error()), Next: "docs/schema/config.json describes the file"}
	var limit *files.LimitError
	if errors.As(err, &limit) {
		e.Line, e.Column, e.Problem = limit.Line, 1, limit.Problem
	}
	var y yaml.Error
	if errors.As(err, &y) {
		e.Problem = firstLine(y.GetMessage())
		if tok := y.GetToken(); tok != nil {
			e.Line, e.Column = tok.Position.Line, tok.Position.Column
		}
	}
	var kinds *yaml.TypeError
	if errors.As(err, &kinds) {
		e.Problem = fmt.Sprintf("expected %s, found %s", form(kinds.DstType), form(kinds.SrcType))
	}
	return e
}

// form returns in YAML's words what a Go type is written as.
func form(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Map, reflect.Struct:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	default:
		return "a single value"
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}
