package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// FileError describes what is wrong with a snapshot file and where.
type FileError struct {
	// File is the name the user gave; "-" is standard input.
	File string
	// Line is counted from 1; 0 where the problem has no place.
	Line int
	// Field is the path of the field, such as roles.'arn:…'.trustPolicy.
	Field string
	// Problem is one line.
	Problem string
}

// Error returns FILE:LINE: FIELD: PROBLEM, without the parts that are unknown.
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	return text.Visible(b.String() + ": " + e.Problem)
}

// Decode reads one snapshot from YAML or JSON text and validates it. Unknown
// and repeated fields are refused. The name is used in errors, all of which are
// *FileError.
func Decode(name string, text []byte) (*Snapshot, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &FileError{File: name, Problem: "is empty; kubectl noderole snapshot writes a snapshot"}
	}
	file, err := files.YAML(text)
	if err != nil {
		return nil, fileError(name, file, err)
	}
	body, err := onlyDocument(name, file)
	if err != nil {
		return nil, err
	}

	// What it is comes before what is in it: a Pod's YAML should not be told
	// that it has an unknown field.
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		// What Terraform writes has one of these.
		FormatVersion    string `json:"format_version"`
		TerraformVersion string `json:"terraform_version"`
	}
	if err := yaml.NodeToValue(body, &head); err != nil {
		return nil, fileError(name, file, err)
	}
	if head.FormatVersion != "" || head.TerraformVersion != "" {
		return nil, &FileError{File: name, Problem: "is a plan or state of Terraform, not a snapshot: use it with --terraform"}
	}
	if version, ours := strings.CutPrefix(head.APIVersion, group); ours && head.Kind == Kind && head.APIVersion != APIVersion {
		return nil, &FileError{File: name, Line: line(body), Field: "apiVersion, kind", Problem: fmt.Sprintf(
			"is a snapshot of version %s, and this release reads %s: save it again, or use the release that wrote it", version, strings.TrimPrefix(APIVersion, group))}
	}
	if head.APIVersion != APIVersion || head.Kind != Kind {
		return nil, &FileError{File: name, Line: line(body), Field: "apiVersion, kind", Problem: fmt.Sprintf(
			"%q, %q is not a snapshot of this program, which is %q, %q", head.APIVersion, head.Kind, APIVersion, Kind)}
	}

	detachTimes(body)
	s := &Snapshot{}
	isolateScalars(body)
	if err := yaml.NodeToValue(body, s, yaml.Strict(), yaml.CustomUnmarshaler(parseTime)); err != nil {
		return nil, fileError(name, file, err)
	}
	if p := s.validate(); p != nil {
		field, at := locateField(file, p.path)
		return nil, &FileError{File: name, Line: at, Field: field, Problem: p.text}
	}
	s.addLater()
	return s, nil
}

// Load reads a snapshot from a file, or from standard input where the name is
// "-"; it may be compressed with gzip. It ends when the context does. Errors of the
// content are *FileError.
func Load(ctx context.Context, name string, stdin io.Reader) (*Snapshot, error) {
	text, err := files.Read(ctx, name, stdin, files.MaxSnapshot)
	if err == nil {
		text, err = files.Gunzip(name, text, files.MaxSnapshot)
	}
	var fileErr *files.Error
	switch {
	case errors.As(err, &fileErr):
		return nil, &FileError{File: name, Problem: fileErr.Problem}
	case err != nil:
		return nil, err
	}
	return Decode(name, text)
}

// Encode returns the snapshot as YAML. The same facts give the same text.
func (s *Snapshot) Encode() ([]byte, error) {
	text, err := yaml.MarshalWithOptions(s, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write the snapshot as YAML: %w", err)
	}
	return text, nil
}

func onlyDocument(name string, file *ast.File) (ast.Node, error) {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, &FileError{File: name, Line: line(doc.Body), Problem: "a second document begins here; check judges one snapshot at a time: split the file"}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, &FileError{File: name, Problem: "contains no document"}
	}
	if body.Type() != ast.MappingType && body.Type() != ast.MappingValueType {
		return nil, &FileError{File: name, Line: line(body), Problem: "is not a snapshot: its top level is not a mapping"}
	}
	return body, nil
}

func line(n ast.Node) int {
	if tok := n.GetToken(); tok != nil {
		return tok.Position.Line
	}
	return 0
}

// fileError turns an error of the YAML library into one line with a place. Where the
// file was parsed, the error about a value of the wrong type has the path of its field.
func fileError(name string, file *ast.File, err error) error {
	var limit *files.LimitError
	if errors.As(err, &limit) {
		return &FileError{File: name, Line: limit.Line, Problem: limit.Problem}
	}
	var bad notTimeError
	if errors.As(err, &bad) {
		field, line := whereIs(file, string(bad))
		return &FileError{File: name, Line: line, Field: field, Problem: bad.Error()}
	}
	var y yaml.Error
	if !errors.As(err, &y) {
		return &FileError{File: name, Problem: firstLine(err.Error())}
	}
	e := &FileError{File: name, Problem: firstLine(y.GetMessage())}
	tok := y.GetToken()
	if tok == nil {
		return e
	}
	e.Line = tok.Position.Line
	var wrong *yaml.TypeError
	var shape *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &wrong):
		e.Field = pathOf(file, tok)
		e.Problem = "is " + kindOfToken(tok) + ", not " + kindOfType(wrong.DstType)
		return e
	case errors.As(err, &shape):
		e.Field = pathOf(file, tok)
		e.Problem = "is " + kindOfToken(tok) + ", not " + kindOfNode(shape.Expected)
		return e
	}
	if tok.Value != "" && !strings.Contains(e.Problem, tok.Value) {
		e.Problem += fmt.Sprintf(" (at %q)", firstLine(tok.Value))
	}
	return e
}

// timeForms are the forms of a time: RFC 3339, and YAML's own form of it.
var timeForms = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"}

// detachTimes takes the times of a document out of its chain of tokens. For each value that
// parseTime is given, the YAML library goes through all tokens that it can reach from it, so
// that the instances of a large cluster would take time with the square of their number.
func detachTimes(body ast.Node) {
	t := body.GetToken()
	for t != nil && t.Prev != nil {
		t = t.Prev
	}
	for t != nil {
		next := t.Next
		if v := t.Value; len(v) >= len("2026-03-01T08:00:00Z") && v[4] == '-' && v[7] == '-' && v[13] == ':' {
			t.Prev, t.Next = nil, nil
		}
		t = next
	}
}

// notTimeError is a text where a time is expected.
type notTimeError string

func (n notTimeError) Error() string {
	return fmt.Sprintf("is %q, not a time such as 2026-03-01T08:00:00Z", string(n))
}

// parseTime reads a time. The YAML library leaves the zero time where it cannot.
func parseTime(t *time.Time, text []byte) error {
	value := strings.Trim(strings.TrimSpace(string(text)), `"'`)
	for _, form := range timeForms {
		if parsed, err := time.Parse(form, value); err == nil {
			*t = parsed
			return nil
		}
	}
	return notTimeError(value)
}

// isolateScalars cuts the links from the tokens of scalars to those around them. The YAML
// library goes through all tokens that are linked to one, to get the text of a time for
// parseTime: with the links, a file of many times would take quadratic time.
func isolateScalars(body ast.Node) {
	ast.Walk(visitor(func(n ast.Node) bool {
		if scalar, ok := n.(ast.ScalarNode); ok && scalar.GetToken() != nil {
			scalar.GetToken().Prev, scalar.GetToken().Next = nil, nil
		}
		return true
	}), body)
}

// pathOf returns the path of the value that a token begins, such as
// nodeGroups.apps.nodeRoleArn; empty where there is none.
func pathOf(file *ast.File, at *token.Token) string {
	if file == nil {
		return ""
	}
	path := ""
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(visitor(func(n ast.Node) bool {
				if n.GetToken() == at {
					path = strings.TrimPrefix(strings.TrimPrefix(n.GetPath(), "$"), ".")
				}
				return path == ""
			}), doc.Body)
		}
	}
	return path
}

// whereIs returns path and line of the first value with this text.
func whereIs(file *ast.File, value string) (path string, at int) {
	for _, doc := range file.Docs {
		ast.Walk(visitor(func(n ast.Node) bool {
			if path == "" && n.GetToken() != nil && n.GetToken().Value == value {
				path, at = strings.TrimPrefix(strings.TrimPrefix(n.GetPath(), "$"), "."), line(n)
			}
			return path == ""
		}), doc.Body)
	}
	return path, at
}

// visitor calls a function for each node until it returns false.
type visitor func(ast.Node) bool

// Visit is part of ast.Visitor.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	if !v(n) {
		return nil
	}
	return v
}

// kindOfToken returns what a value is, as people say it.
func kindOfToken(t *token.Token) string {
	switch t.Type {
	case token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.FloatType:
		return "a number"
	case token.BoolType:
		return "a boolean"
	case token.MappingStartType, token.MappingValueType:
		return "a mapping"
	case token.SequenceStartType, token.SequenceEntryType:
		return "a list"
	default:
		return fmt.Sprintf("the text %q", firstLine(t.Value))
	}
}

// kindOfNode returns what the YAML library expects.
func kindOfNode(t ast.NodeType) string {
	switch t {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.StringType, ast.LiteralType:
		return "a text"
	default:
		return "a " + strings.ToLower(t.String())
	}
}

// kindOfType returns what a field of a type holds.
func kindOfType(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as 2026-03-01T08:00:00Z"
	}
	return files.KindOf(t, "a mapping")
}

// firstLine returns the first line of a text, or its first 200 bytes.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// locateField returns the printable path and the line of the deepest part of
// the path that the file has.
func locateField(file *ast.File, path []string) (field string, at int) {
	field = strings.Join(path, ".")
	for n := len(path); n > 0; n-- {
		b := (&yaml.PathBuilder{}).Root()
		for _, p := range path[:n] {
			b = b.Child(p)
		}
		node, err := b.Build().FilterFile(file)
		if err == nil && node != nil {
			return field, lineOfValue(node)
		}
	}
	return field, 0
}

// lineOfValue is the line of the key where the node is a mapping, whose own
// token stands at its first colon.
func lineOfValue(n ast.Node) int {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return line(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return line(m.Key)
	}
	return line(n)
}
