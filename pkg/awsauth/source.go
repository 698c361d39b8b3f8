package awsauth

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

// source is a text with the places of what it says. Structure comes from the
// parser, places from its tokens: of a token only the start is used, and only of
// dashes, keys, brackets, commas and comments; what a value is, is what stands
// between two of them.
type source struct {
	text string
	// eol is the line end of new lines.
	eol string
	// unended: the last line had no end. It has one in text, so that all lines
	// are alike; apply takes it off again.
	unended bool
	// lines holds the offset of each line's start.
	lines  []int
	tokens token.Tokens
	// at holds the offset of each token, -1 where it is not known.
	at []int
	// index finds a token of the parsed document.
	index map[*token.Token]int
	// root is the first document's content, nil where it has none.
	root ast.Node
	// begin and end are the tokens of the first document.
	begin, end int
}

// maxEntries is how many entries the mappings around one place may have together: those of
// a list of roles have three.
const maxEntries = 1000

// parse parses a text, with \r\n as \n: places are lines and columns, which
// does not move them, and the lexer miscounts lines that end with \r\n.
func parse(text string) (token.Tokens, *ast.File, error) {
	tokens := lexer.Tokenize(strings.ReplaceAll(text, "\r\n", "\n"))
	if err := files.CheckTokens(tokens, maxEntries); err != nil {
		return nil, nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	return tokens, file, err
}

var errPlaces = errors.New("the places of its entries are not certain")

func newSource(text string) (*source, error) {
	s := &source{eol: "\n", lines: []int{0}, index: map[*token.Token]int{}}
	if i := strings.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		s.eol = "\r\n"
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		s.unended = true
		text += s.eol
	}
	s.text = text
	for i, c := range []byte(text) {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
		return nil, errors.New("it has carriage returns inside its lines")
	}
	if slices.Contains(skippable, strings.TrimSpace(text)) {
		return s, nil
	}
	tokens, file, err := parse(text)
	if err != nil {
		return nil, syntaxError(text, err)
	}
	s.tokens = tokens
	for i, t := range tokens {
		s.index[t] = i
		s.at = append(s.at, s.offset(t))
	}
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); directive {
			continue
		}
		s.root = inner(doc.Body)
		if doc.Start != nil {
			s.begin = s.index[doc.Start] + 1
		}
		break
	}
	s.end = s.begin
	for s.end < len(s.tokens) && s.tokens[s.end].Type != token.DocumentHeaderType && s.tokens[s.end].Type != token.DocumentEndType {
		s.end++
	}
	return s, nil
}

// marks is what the text has at the position of a token, by its type.
var marks = map[token.Type]string{
	token.SequenceEntryType: "-", token.MappingValueType: ":", token.CollectEntryType: ",", token.CommentType: "#",
	token.SequenceStartType: "[", token.SequenceEndType: "]", token.MappingStartType: "{", token.MappingEndType: "}",
	token.DocumentHeaderType: "---", token.DocumentEndType: "...", token.DoubleQuoteType: `"`, token.SingleQuoteType: "'",
}

// offset returns where a token begins, or -1 where the text has something else
// there.
func (s *source) offset(t *token.Token) int {
	line, column := t.Position.Line, t.Position.Column
	if line < 1 || line > len(s.lines) || column < 1 {
		return -1
	}
	at := s.lines[line-1]
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	mark, ok := marks[t.Type]
	if !ok {
		mark = t.Value
	}
	if !strings.HasPrefix(s.text[at:], mark) {
		return -1
	}
	return at
}

// inner returns what follows an anchor or tag.
func inner(n ast.Node) ast.Node {
	for {
		switch outer := n.(type) {
		case *ast.AnchorNode:
			n = outer.Value
		case *ast.TagNode:
			n = outer.Value
		default:
			return n
		}
	}
}

// find returns the index of a token whose place is known.
func (s *source) find(t *token.Token) (int, error) {
	i, ok := s.index[t]
	if !ok || s.at[i] < 0 {
		return 0, errPlaces
	}
	return i, nil
}

// endBefore returns where the text before a token ends: without the spaces,
// comments and commas in between.
func (s *source) endBefore(i int) (int, error) {
	end := len(s.text)
	if i < len(s.tokens) {
		end = s.at[i]
	}
	for i > 0 && (i == len(s.tokens) || end >= 0) {
		before := s.tokens[i-1].Type
		if before != token.CommentType && before != token.CollectEntryType {
			break
		}
		i--
		end = s.at[i]
	}
	if end < 0 {
		return 0, errPlaces
	}
	return len(strings.TrimRight(s.text[:end], " \t\r\n")), nil
}

// list is a YAML list.
type list struct {
	flow  bool
	items []item
	// open is the offset after [ and shut that of ], in flow.
	open, shut int
}

// item is one item of a list.
type item struct {
	// start is where its dash is or, in flow, where it begins.
	start, end int
	// comma is the offset of the comma after it in flow, -1 where there is none.
	comma int
	node  ast.Node
	// limit is the token after it.
	limit int
}

// list returns the items of a sequence, at least one where it is not in flow;
// limit is the token after it.
func (s *source) list(n *ast.SequenceNode, limit int) (list, error) {
	if n.IsFlowStyle {
		return s.flowList(n)
	}
	var l list
	if len(n.Entries) == 0 || len(n.Entries) != len(n.Values) {
		return l, errPlaces
	}
	for i, e := range n.Entries {
		dash, err := s.find(e.Start)
		if err != nil {
			return l, err
		}
		next := limit
		if i+1 < len(n.Entries) {
			if next, err = s.find(n.Entries[i+1].Start); err != nil {
				return l, err
			}
		}
		end, err := s.endBefore(next)
		if err != nil {
			return l, err
		}
		start := s.at[dash]
		if end <= start || strings.TrimLeft(s.text[s.lineStart(start):start], " ") != "" {
			return l, errors.New("an entry does not begin on a line of its own")
		}
		l.items = append(l.items, item{start: start, end: end, comma: -1, node: inner(n.Values[i]), limit: next})
	}
	return l, nil
}

func (s *source) flowList(n *ast.SequenceNode) (list, error) {
	l := list{flow: true}
	open, err := s.find(n.Start)
	if err != nil {
		return l, err
	}
	shut, err := s.find(n.End)
	if err != nil {
		return l, err
	}
	l.open, l.shut = s.at[open]+1, s.at[shut]
	depth, first := 0, -1
	for i := open + 1; i <= shut; i++ {
		kind := s.tokens[i].Type
		if kind == token.CommentType {
			continue
		}
		if depth == 0 && (kind == token.CollectEntryType || i == shut) {
			if first < 0 {
				continue // a comma before ]
			}
			end, err := s.endBefore(i)
			if err != nil || s.at[i] < 0 || s.at[first] < 0 {
				return l, errPlaces
			}
			it := item{start: s.at[first], end: end, comma: -1, limit: i}
			if i < shut {
				it.comma = s.at[i]
			}
			l.items = append(l.items, it)
			first = -1
			continue
		}
		if first < 0 {
			first = i
		}
		switch kind {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		default:
		}
	}
	// The parser takes a: in [a:b] for a key; then only the places are good.
	if len(l.items) == len(n.Values) {
		for i := range l.items {
			l.items[i].node = inner(n.Values[i])
		}
	}
	return l, nil
}

// roles returns the list of the document; ok is false where it has none.
func (s *source) roles() (l list, ok bool, err error) {
	n, ok := s.root.(*ast.SequenceNode)
	if !ok {
		return l, false, nil
	}
	l, err = s.list(n, s.end)
	return l, true, err
}

// field is one field of a mapping.
type field struct {
	name string
	// key and colon are offsets; value is empty where the field has none.
	key, colon, value, end int
	node                   ast.Node
	// limit is the token after it.
	limit int
}

// fields returns the fields of a list's item.
func (s *source) fields(it item) (fields []field, flow bool, err error) {
	n, ok := it.node.(ast.MapNode)
	if !ok {
		return nil, false, errors.New("the entry is not a mapping of its own")
	}
	limit := it.limit
	if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle {
		flow = true
		if limit, err = s.find(m.End); err != nil {
			return nil, false, err
		}
	}
	var pairs []*ast.MappingValueNode
	for iter := n.MapRange(); iter.Next(); {
		pairs = append(pairs, iter.KeyValue())
	}
	for i, pair := range pairs {
		f := field{name: pair.Key.GetToken().Value, node: inner(pair.Value), limit: limit}
		key, err := s.find(pair.Key.GetToken())
		if err != nil {
			return nil, false, err
		}
		colon, err := s.find(pair.Start)
		if err != nil {
			return nil, false, err
		}
		if i+1 < len(pairs) {
			if f.limit, err = s.find(pairs[i+1].Key.GetToken()); err != nil {
				return nil, false, err
			}
		}
		if f.end, err = s.endBefore(f.limit); err != nil {
			return nil, false, err
		}
		f.key, f.colon = s.at[key], s.at[colon]
		f.value = f.end
		if f.end > f.colon+1 {
			value := colon + 1
			for value < f.limit && s.tokens[value].Type == token.CommentType {
				value++
			}
			if value >= f.limit {
				return nil, false, errPlaces
			}
			if f.value = s.at[value]; value == colon+1 {
				rest := s.text[f.colon+1:]
				f.value = f.colon + 1 + len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
			}
		}
		if f.value < 0 || f.value > f.end {
			return nil, false, errPlaces
		}
		fields = append(fields, f)
	}
	return fields, flow, nil
}

// named returns the field that the authenticator takes for a name.
func named(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// position returns line and column, from 1, of a field's value in the entry i,
// of the entry where it has no such field, of the list where i is -1.
func (s *source) position(i int, name string) (line, column int, ok bool) {
	at := -1
	if i < 0 {
		for t := s.begin; t < s.end && at < 0; t++ {
			if s.tokens[t].Type != token.CommentType {
				at = s.at[t]
			}
		}
	} else if l, _, err := s.roles(); err == nil && i < len(l.items) {
		at = l.items[i].start
		if fields, _, err := s.fields(l.items[i]); err == nil {
			if f, ok := named(fields, name); ok {
				at = f.value
			}
		}
	}
	if at < 0 {
		return 0, 0, false
	}
	return 1 + strings.Count(s.text[:at], "\n"), 1 + s.column(at), true
}

// splice is a piece of the text and what comes in its place.
type splice struct {
	start, end int
	text       string
}

func (s *source) apply(splices []splice) string {
	slices.SortStableFunc(splices, func(a, b splice) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var b strings.Builder
	done := 0
	for _, sp := range splices {
		b.WriteString(s.text[done:max(done, sp.start)])
		b.WriteString(sp.text)
		done = max(done, sp.end)
	}
	b.WriteString(s.text[done:])
	if s.unended {
		return strings.TrimSuffix(b.String(), s.eol)
	}
	return b.String()
}

func (s *source) lineStart(at int) int { return strings.LastIndexByte(s.text[:at], '\n') + 1 }

// lineEnd returns the offset after the line's end.
func (s *source) lineEnd(at int) int {
	if i := strings.IndexByte(s.text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(s.text)
}

// replace puts other items in the place of the items from up to to. Each item
// is a list of lines without indentation or dash; one line in flow.
func (s *source) replace(l list, from, to int, items [][]string) []splice {
	if l.flow {
		return s.replaceFlow(l, from, to, items)
	}
	var splices []splice
	for _, it := range l.items[from:to] {
		splices = append(splices, splice{start: s.lineStart(it.start), end: s.lineEnd(it.end)})
	}
	if len(items) == 0 {
		return splices
	}
	var lines []string
	for _, it := range items {
		lines = append(lines, it...)
	}
	at := s.lineStart(l.items[0].start)
	if from > 0 {
		at = s.lineEnd(l.items[from-1].end)
	}
	return append(splices, s.insertLines(at, s.column(l.items[0].start), lines))
}

// insertLines puts lines, indented by column, before the line that starts at an
// offset.
func (s *source) insertLines(at, column int, lines []string) splice {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.Repeat(" ", column) + line + s.eol)
	}
	return splice{at, at, b.String()}
}

// replaceFlow keeps to the lines of the items around: where they have lines of
// their own, so have the new ones.
func (s *source) replaceFlow(l list, from, to int, items [][]string) []splice {
	var texts []string
	for _, it := range items {
		texts = append(texts, strings.Join(it, " "))
	}
	if len(l.items) == 0 {
		return []splice{{l.open, l.open, strings.Join(texts, ", ")}}
	}
	if from == 0 && to == len(l.items) {
		end := l.items[to-1].end
		if comma := l.items[to-1].comma; comma >= 0 && len(texts) == 0 {
			end = comma + 1
		}
		return []splice{{l.items[0].start, end, strings.Join(texts, ", ")}}
	}
	var splices []splice
	// The neighbour before, or after where there is none before.
	next := l.items[min(to, len(l.items)-1)]
	if from > 0 {
		next = l.items[from-1]
	}
	ownLines := s.ownLine(next) && s.lineEnd(next.end) <= l.shut
	for _, it := range l.items[from:to] {
		ownLines = ownLines && s.ownLine(it)
	}
	switch {
	case from == to:
	case ownLines:
		for _, it := range l.items[from:to] {
			splices = append(splices, splice{start: s.lineStart(it.start), end: s.lineEnd(it.end)})
		}
		if to == len(l.items) && l.items[to-1].comma < 0 && len(texts) == 0 {
			splices = append(splices, splice{start: next.comma, end: next.comma + 1})
		}
	case from > 0:
		splices = append(splices, splice{start: next.end, end: l.items[to-1].end})
	default:
		splices = append(splices, splice{start: l.items[0].start, end: next.start})
	}
	if len(texts) == 0 {
		return splices
	}
	switch {
	case ownLines && from == 0:
		return append(splices, s.insertLines(s.lineStart(l.items[0].start), s.column(next.start), ended(texts, ",", ",")))
	case ownLines:
		last := ","
		if to == len(l.items) && l.items[to-1].comma < 0 {
			last = ""
		}
		if next.comma < 0 {
			splices = append(splices, splice{next.end, next.end, ","})
		}
		return append(splices, s.insertLines(s.lineEnd(next.end), s.column(next.start), ended(texts, ",", last)))
	case from > 0:
		return append(splices, splice{next.end, next.end, ", " + strings.Join(texts, ", ")})
	default:
		return append(splices, splice{l.items[0].start, l.items[0].start, strings.Join(texts, ", ") + ", "})
	}
}

// ended returns texts with an end each, the last one with another.
func ended(texts []string, end, last string) []string {
	var all []string
	for i, t := range texts {
		if i == len(texts)-1 {
			end = last
		}
		all = append(all, t+end)
	}
	return all
}

// ownLine reports whether a flow item fills its lines, but for its comma and a
// comment.
func (s *source) ownLine(it item) bool {
	before := s.text[s.lineStart(it.start):it.start]
	after := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s.text[it.end:s.lineEnd(it.end)], " \t"), ","), " \t\r\n")
	return strings.TrimLeft(before, " ") == "" && (after == "" || after[0] == '#')
}

func (s *source) column(at int) int { return utf8.RuneCountInString(s.text[s.lineStart(at):at]) }
