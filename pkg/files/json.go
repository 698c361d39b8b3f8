package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSONError says what is wrong with a JSON text.
type JSONError struct {
	// Line and Column are counted from 1; 0 where the problem has no place.
	Line, Column int
	// Problem is a clause, such as "cluster is a text, not an object".
	Problem string
}

// Error returns the place, where it is known, and the problem.
func (e *JSONError) Error() string {
	if e.Line == 0 {
		return e.Problem
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// JSON decodes a JSON text into what a pointer points to. A field that is repeated is
// refused, and so is one that the value does not have, unless other fields are allowed. Its
// errors are *JSONError.
func JSON(text []byte, into any, otherFields bool) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return &JSONError{Problem: "it is empty"}
	}
	err := json.Unmarshal(text, into, json.RejectUnknownMembers(!otherFields))
	if err == nil {
		return nil
	}
	e := &JSONError{Problem: "it ends too early"}
	var syntax *jsontext.SyntacticError
	var value *json.SemanticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Line, e.Column = lineColumn(text, int64(len(text)))
	case errors.As(err, &syntax):
		e.Line, e.Column = lineColumn(text, syntax.ByteOffset)
		e.Problem = "it is not JSON: " + syntax.Err.Error()
		if errors.Is(err, jsontext.ErrDuplicateName) {
			e.Problem = fmt.Sprintf("%s is there twice", fieldOf(syntax.JSONPointer))
		}
	case errors.As(err, &value):
		e.Line, e.Column = lineColumn(text, value.ByteOffset)
		e.Problem = wrongValue(value)
	default:
		e.Problem = "it is not JSON: " + err.Error()
	}
	return e
}

// Object decodes the JSON text of an object of ours into what a pointer points to, as JSON
// does. What the object is comes before what is in it: another kind or version is a
// *JSONError too.
func Object(text []byte, apiVersion, kind string, into any, otherFields bool) error {
	var is struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := JSON(text, &is, true); err != nil {
		return err
	}
	if group, version := path.Split(apiVersion); is.Kind == kind && is.APIVersion != apiVersion && strings.HasPrefix(is.APIVersion, group) {
		return &JSONError{Problem: fmt.Sprintf("it is of version %s, and this release reads %s", strings.TrimPrefix(is.APIVersion, group), version)}
	}
	if is.APIVersion != apiVersion || is.Kind != kind {
		return &JSONError{Problem: fmt.Sprintf("it has apiVersion %q and kind %q, not %q and %q", is.APIVersion, is.Kind, apiVersion, kind)}
	}
	return JSON(text, into, otherFields)
}

// wrongValue says what is wrong with a value, in the words of JSON.
func wrongValue(e *json.SemanticError) string {
	field := fieldOf(e.JSONPointer)
	switch {
	case errors.Is(e.Err, json.ErrUnknownName):
		return "unknown field " + field
	case field == "":
		return fmt.Sprintf("it is %s, not %s", kindOfJSON(e.JSONKind), KindOf(e.GoType, "an object"))
	case errors.Is(e.Err, strconv.ErrSyntax), errors.Is(e.Err, strconv.ErrRange):
		return fmt.Sprintf("%s is %s, not a whole number", field, e.JSONValue)
	case e.Err != nil:
		return fmt.Sprintf("%s: %s", field, e.Err)
	default:
		return fmt.Sprintf("%s is %s, not %s", field, kindOfJSON(e.JSONKind), KindOf(e.GoType, "an object"))
	}
}

// fieldOf writes a JSON pointer as steps[0].title.
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for name := range p.Tokens() {
		switch _, err := strconv.Atoi(name); {
		case err == nil:
			fmt.Fprintf(&b, "[%s]", name)
		case b.Len() == 0:
			b.WriteString(name)
		default:
			b.WriteString("." + name)
		}
	}
	return b.String()
}

func kindOfJSON(k jsontext.Kind) string {
	switch k {
	case '{', '}':
		return "an object"
	case '[', ']':
		return "a list"
	case '"':
		return "a text"
	case '0':
		return "a number"
	default:
		return k.String()
	}
}

// KindOf returns what a field of a type contains, in words. object is the format's word for
// an object: "an object", or "a mapping".
func KindOf(t reflect.Type, object string) string {
	if t == nil {
		return "what the field can have"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return KindOf(t.Elem(), object)
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return object
	default:
		return "a number"
	}
}

// lineColumn is where a byte offset is, counted from 1.
func lineColumn(text []byte, offset int64) (line, column int) {
	before := string(text[:min(max(offset, 0), int64(len(text)))])
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}
