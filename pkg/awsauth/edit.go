package awsauth

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// appendItem puts a new entry after all that the document has: in [] as the last
// item, else after the last line that is not blank, comments included.
func (s *source) appendItem(m Mapping) ([]splice, error) {
	l, ok, err := s.roles()
	switch {
	case err != nil:
		return nil, err
	case ok && l.flow:
		return s.replace(l, len(l.items), len(l.items), [][]string{{s.style(l).flowItem(m)}}), nil
	case ok:
		return []splice{s.insertLines(s.contentEnd(), s.column(l.items[0].start), s.style(l).blockItem(m))}, nil
	}
	item := blockStyle.blockItem(m)
	switch trimmed := strings.TrimSpace(s.text); {
	case trimmed != "" && slices.Contains(skippable, trimmed):
		return []splice{{0, len(s.text), strings.Join(item, s.eol) + s.eol}}, nil
	case s.root == nil:
		return []splice{s.insertLines(s.contentEnd(), 0, item)}, nil
	case s.root.Type() == ast.NullType:
		null, err := s.find(s.root.GetToken())
		if err != nil {
			return nil, err
		}
		at := s.at[null]
		return []splice{{at, at + len(s.root.GetToken().Value), "[" + flowStyle.flowItem(m) + "]"}}, nil
	}
	return nil, errors.New("it is not a list")
}

// contentEnd returns the offset after the last line of the document that is not
// blank.
func (s *source) contentEnd() int {
	end := len(s.text)
	if s.end < len(s.tokens) {
		end = max(s.at[s.end], 0)
	}
	if trimmed := strings.TrimRight(s.text[:end], " \t\r\n"); trimmed != "" {
		return s.lineEnd(len(trimmed))
	}
	return 0
}

func (s *source) removeItem(i int) ([]splice, error) {
	l, err := s.rolesWith(i)
	if err != nil {
		return nil, err
	}
	splices := s.replace(l, i, i+1, nil)
	if !l.flow {
		splices[0].end = s.commentsEnd(splices[0].end, s.column(l.items[i].start))
	}
	return splices, nil
}

// commentsEnd returns the offset after the comment lines that begin at an offset
// and are indented deeper than a column.
func (s *source) commentsEnd(at, column int) int {
	for at < len(s.text) {
		line := s.text[at:s.lineEnd(at)]
		comment := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(comment, "#") || len(line)-len(comment) <= column {
			break
		}
		at += len(line)
	}
	return at
}

// rolesWith returns the list that holds the entry i.
func (s *source) rolesWith(i int) (list, error) {
	l, _, err := s.roles()
	if err == nil && i >= len(l.items) {
		err = errPlaces
	}
	return l, err
}

// setItem makes the entry i say m where it says something else.
func (s *source) setItem(i int, was, m Mapping) ([]splice, error) {
	l, err := s.rolesWith(i)
	if err != nil {
		return nil, err
	}
	it := l.items[i]
	fields, flow, err := s.fields(it)
	if err != nil {
		return nil, err
	}
	st := s.style(list{items: l.items[i : i+1]})
	var splices []splice
	// missing are the fields that the entry gets.
	var missing, missingFlow []string
	for _, f := range []struct{ name, was, want string }{{roleARN, was.RoleARN, m.RoleARN}, {username, was.Username, m.Username}} {
		if f.was == f.want {
			continue
		}
		if old, ok := named(fields, f.name); ok {
			splices = append(splices, s.setValue(old, func(quote byte) string { return scalar(f.want, quote, flow) }))
			continue
		}
		missing = append(missing, st.key(f.name)+" "+scalar(f.want, st.quote, false))
		missingFlow = append(missingFlow, st.key(f.name)+" "+scalar(f.want, st.quote, true))
	}
	if !slices.Equal(was.Groups, m.Groups) {
		if old, ok := named(fields, groups); ok {
			changes, err := s.setGroups(old, st, was.Groups, m.Groups)
			if err != nil {
				return nil, err
			}
			splices = append(splices, changes...)
		} else {
			missing = append(missing, st.blockGroups(m.Groups)...)
			missingFlow = append(missingFlow, st.key(groups)+" "+st.flowList(m.Groups))
		}
	}
	switch {
	case len(missing) == 0:
	case flow:
		end := fields[len(fields)-1].end
		splices = append(splices, splice{end, end, ", " + strings.Join(missingFlow, ", ")})
	default:
		splices = append(splices, s.insertLines(s.lineEnd(it.end), s.column(fields[0].key), missing))
	}
	return splices, nil
}

// properties are the anchor and tag before a value, which stay.
var properties = regexp.MustCompile(`^([&!]\S*\s+)*`)

// setValue replaces a field's value, in the quotes that it has.
func (s *source) setValue(f field, text func(quote byte) string) splice {
	value := s.text[f.value:f.end]
	if value == "" {
		return splice{f.colon + 1, f.colon + 1, " " + text(0)}
	}
	start := f.value + len(properties.FindString(value))
	var quote byte
	if start < f.end && (s.text[start] == '"' || s.text[start] == '\'') {
		quote = s.text[start]
	}
	return splice{start, f.end, text(quote)}
}

// setGroups changes a list of groups item by item, so that the ones that stay
// keep their lines. A value that is not a list becomes one, in [].
func (s *source) setGroups(f field, st style, was, want []string) ([]splice, error) {
	wholly := []splice{s.setValue(f, func(byte) string { return st.flowList(want) })}
	n, ok := f.node.(*ast.SequenceNode)
	if !ok || f.value < f.end && s.text[f.value] == '*' {
		return wholly, nil
	}
	l, err := s.list(n, f.limit)
	if err != nil {
		return nil, err
	}
	if len(l.items) != len(was) {
		return nil, errPlaces
	}
	if len(want) == 0 && !l.flow {
		return []splice{{f.colon + 1, f.end, " []"}}, nil
	}
	quote := st.quote
	if len(l.items) > 0 {
		quote = s.quoteAt(l.items[0], l.flow)
	}
	// want has what stays of was, in its order, and then what is new.
	var splices []splice
	from, kept := 0, 0
	for i, g := range was {
		if kept == len(want) || g != want[kept] {
			continue
		}
		splices = append(splices, s.replace(l, from, i, nil)...)
		from, kept = i+1, kept+1
	}
	var added [][]string
	for _, g := range want[kept:] {
		text := scalar(g, quote, l.flow)
		if !l.flow {
			text = "- " + text
		}
		added = append(added, []string{text})
	}
	return append(splices, s.replace(l, from, len(was), added)...), nil
}

// inOrder returns the groups of want: first those that was has too, in its order.
func inOrder(was, want []string) []string {
	var groups []string
	for _, g := range was {
		if slices.Contains(want, g) && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, g := range want {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// quoteAt returns the quote that an item of a list begins with, 0 for none.
func (s *source) quoteAt(it item, flow bool) byte {
	text := s.text[it.start:it.end]
	if !flow {
		text = strings.TrimLeft(text[1:], " ")
	}
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		return text[0]
	}
	return 0
}

// style returns how the last entry of a list is written that shows it.
func (s *source) style(l list) style {
	st := blockStyle
	if l.flow {
		st = flowStyle
	}
	for _, it := range slices.Backward(l.items) {
		fields, flow, err := s.fields(it)
		if err != nil {
			continue
		}
		arn, ok := named(fields, roleARN)
		if !ok {
			continue
		}
		st = style{flow: flow, keys: 2, groups: 2, quoteKeys: s.text[fields[0].key] == '"'}
		if !flow {
			st.keys = max(2, s.column(fields[0].key)-s.column(it.start))
		}
		if first := s.text[arn.value : arn.value+min(1, arn.end-arn.value)]; first == `"` || first == "'" {
			st.quote = first[0]
		}
		if f, ok := named(fields, groups); ok {
			if n, ok := f.node.(*ast.SequenceNode); ok {
				st.flowGroups = n.IsFlowStyle
				if g, err := s.list(n, f.limit); err == nil && !n.IsFlowStyle && len(g.items) > 0 {
					st.groups = max(0, s.column(g.items[0].start)-s.column(f.key))
				}
			}
		}
		break
	}
	return st
}
