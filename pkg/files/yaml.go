package files

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep collections may be nested. The parser's time and
// memory grow with the square of the depth, and no file of ours has more than ten.
const maxDepth = 64

// DepthError is a YAML text that the parser is not given.
type DepthError struct {
	// Line is counted from 1.
	Line    int
	Problem string
}

// Error returns the problem.
func (e *DepthError) Error() string { return e.Problem }

// YAML parses a YAML or JSON text. Collections that are nested too deep are refused
// before they are parsed, and so are aliases, which can make a small text a large value;
// these errors are *DepthError. Other errors are the parser's, which takes the options.
func YAML(text []byte, options ...parser.Option) (*ast.File, error) {
	tokens := lexer.Tokenize(withoutMark(text))
	if err := bounded(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, options...)
}

// withoutMark is a text without the byte order mark that some editors begin it with.
func withoutMark(text []byte) string { return strings.TrimPrefix(string(text), "\ufeff") }

// CheckDepth returns a *DepthError for a text that YAML would refuse.
func CheckDepth(text []byte) error { return bounded(lexer.Tokenize(withoutMark(text))) }

// bounded looks at tokens as they come: the depth of brackets, and of block collections
// by the columns at which their entries begin.
func bounded(tokens token.Tokens) error {
	flow := 0
	var columns []int // of the block collections that are open, outermost first
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if flow > 0 || t.Position == nil {
				break
			}
			column := t.Position.Column
			if t.Type == token.MappingValueType && t.Prev != nil && t.Prev.Position != nil {
				column = t.Prev.Position.Column
			}
			for len(columns) > 0 && columns[len(columns)-1] > column {
				columns = columns[:len(columns)-1]
			}
			if len(columns) == 0 || columns[len(columns)-1] < column {
				columns = append(columns, column)
			}
		case token.AliasType:
			return &DepthError{Line: line(t), Problem: "aliases are not supported: write the value itself"}
		case token.DocumentHeaderType, token.DocumentEndType:
			flow, columns = 0, columns[:0]
		default:
		}
		if flow+len(columns) > maxDepth {
			return &DepthError{Line: line(t), Problem: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
		}
	}
	return nil
}

func line(t *token.Token) int {
	if t.Position == nil {
		return 0
	}
	return t.Position.Line
}
