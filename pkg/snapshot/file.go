package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// FileError says what is wrong with a snapshot file and where.
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
	return b.String() + ": " + e.Problem
}

// Decode reads one snapshot from YAML or JSON text and validates it. Unknown
// and repeated fields are refused. The name is used in errors, all of which are
// *FileError.
func Decode(name string, text []byte) (*Snapshot, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &FileError{File: name, Problem: "is empty; kubectl noderole snapshot writes one"}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fileError(name, err)
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
	}
	if err := yaml.NodeToValue(body, &head); err != nil {
		return nil, fileError(name, err)
	}
	if head.APIVersion != APIVersion || head.Kind != Kind {
		return nil, &FileError{File: name, Line: line(body), Field: "apiVersion, kind", Problem: fmt.Sprintf(
			"%q, %q is not a snapshot of this program, which is %q, %q", head.APIVersion, head.Kind, APIVersion, Kind)}
	}

	s := &Snapshot{}
	if err := yaml.NodeToValue(body, s, yaml.Strict()); err != nil {
		return nil, fileError(name, err)
	}
	if p := s.validate(); p != nil {
		field, at := locateField(file, p.path)
		return nil, &FileError{File: name, Line: at, Field: field, Problem: p.text}
	}
	return s, nil
}

// Load reads a snapshot from a file, or from standard input where the name is
// "-". Errors of the content are *FileError.
func Load(name string, stdin io.Reader) (*Snapshot, error) {
	var text []byte
	var err error
	if name == "-" {
		text, err = io.ReadAll(stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, &FileError{File: name, Problem: "cannot be read: " + err.Error()}
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

// WriteFile writes text to a file in one step: the file is whole or not there,
// and an old one is replaced only by a whole new one. Mode 0600, as a snapshot
// describes an account's permissions. What is no regular file, such as /dev/stdout, is
// written to and stays.
func WriteFile(name string, text []byte) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, text, 0o600)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(tmp.Name()))
		}
	}()
	if _, err = tmp.Write(text); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err = tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

func onlyDocument(name string, file *ast.File) (ast.Node, error) {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, &FileError{File: name, Line: line(doc.Body), Problem: "a second document begins here; one snapshot is judged at a time, so split the file"}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, &FileError{File: name, Problem: "holds no document"}
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

// fileError turns an error of the YAML library into one line with a place.
func fileError(name string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &FileError{File: name, Problem: firstLine(err.Error())}
	}
	e := &FileError{File: name, Problem: firstLine(y.GetMessage())}
	if tok := y.GetToken(); tok != nil {
		e.Line = tok.Position.Line
		if tok.Value != "" && !strings.Contains(e.Problem, tok.Value) {
			e.Problem += fmt.Sprintf(" (at %q)", firstLine(tok.Value))
		}
	}
	return e
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
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
