package files

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What the parser is given. Its time and memory grow with the square of the depth of
// collections, of the number of documents and of the entries of a block mapping, and it
// calls itself for each of them, so that a text of a few megabytes would end the process.
const (
	// maxDepth is how deep collections may be nested. No file of ours has more than ten levels.
	maxDepth = 64
	// maxEntries is how many entries the block mappings around one place may have together.
	// A cluster has 100,000 nodes at most,
	// https://aws.amazon.com/blogs/containers/under-the-hood-amazon-eks-ultra-scale-clusters/
	maxEntries = 200_000
	// maxDocuments is how many documents a text may have.
	maxDocuments = 10_000
)

// LimitError is a YAML text that the parser is not given.
type LimitError struct {
	// Line is counted from 1.
	Line    int
	Problem string
}

// Error returns the line and the problem.
func (e *LimitError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// YAML parses a YAML or JSON text. A text that is not UTF-8 or takes the parser too long is
// refused before it is parsed, and so are aliases, which can make a small text a large value;
// these errors are *LimitError. Other errors are the parser's, which takes the options.
func YAML(text []byte, options ...parser.Option) (*ast.File, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, options...)
}

// CheckYAML returns the *LimitError of YAML, if it has one.
func CheckYAML(text []byte) error {
	_, err := tokenize(text)
	return err
}

// tokenize returns the tokens of a text, without the byte order mark that some editors begin
// it with.
func tokenize(text []byte) (token.Tokens, error) {
	if !utf8.Valid(text) {
		bad := slices.IndexFunc(bytes.Split(text, []byte("\n")), func(l []byte) bool { return !utf8.Valid(l) })
		return nil, &LimitError{Line: bad + 1, Problem: "is not UTF-8 text: save it as UTF-8"}
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(text), "\ufeff"))
	for _, t := range tokens {
		if t.Type == token.AliasType {
			return nil, &LimitError{Line: line(t), Problem: "aliases are not supported: write the value itself"}
		}
	}
	return tokens, CheckTokens(tokens, maxEntries)
}

// CheckTokens returns a *LimitError for tokens that take the parser too long. The block
// mappings around one place may have so many entries together. Aliases are no reason.
func CheckTokens(tokens token.Tokens, entries int) error {
	documents := 0
	var open collections
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open.flow++
		case token.SequenceEndType, token.MappingEndType:
			open.flow = max(0, open.flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			open.entry(t)
		case token.DocumentHeaderType, token.DocumentEndType:
			documents++
			open = collections{}
		default:
		}
		switch {
		case open.flow+len(open.blocks) > maxDepth:
			return &LimitError{Line: line(t), Problem: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
		case open.entries > entries:
			return &LimitError{Line: line(t), Problem: fmt.Sprintf("has mappings with more than %d entries", entries)}
		case documents > maxDocuments:
			return &LimitError{Line: line(t), Problem: fmt.Sprintf("has more than %d documents", maxDocuments)}
		}
	}
	return nil
}

// collections are those that are open at a token.
type collections struct {
	// flow counts the brackets and braces that are open.
	flow int
	// blocks are the block collections, outermost first; entries are those of all of them.
	blocks  []block
	entries int
}

type block struct{ column, entries int }

// entry takes the token of an entry; the column where it begins tells of which block
// collection it is.
func (c *collections) entry(t *token.Token) {
	if c.flow > 0 || t.Position == nil {
		return
	}
	column := t.Position.Column
	if t.Type == token.MappingValueType && t.Prev != nil && t.Prev.Position != nil {
		column = t.Prev.Position.Column
	}
	for len(c.blocks) > 0 && c.blocks[len(c.blocks)-1].column > column {
		c.entries -= c.blocks[len(c.blocks)-1].entries
		c.blocks = c.blocks[:len(c.blocks)-1]
	}
	if len(c.blocks) == 0 || c.blocks[len(c.blocks)-1].column < column {
		c.blocks = append(c.blocks, block{column: column})
	}
	if t.Type != token.SequenceEntryType {
		c.blocks[len(c.blocks)-1].entries++
		c.entries++
	}
}

func line(t *token.Token) int {
	if t.Position == nil {
		return 0
	}
	return t.Position.Line
}
