package print

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// hardSpace is a space at which wrap does not break.
const hardSpace = "\x1f"

// wrap breaks text at spaces into lines of at most limit columns; a longer word
// stands alone. It returns at least one line.
func wrap(text string, limit int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }) {
		word = strings.ReplaceAll(word, hardSpace, " ")
		size := columns(word)
		switch {
		case line == "":
			line, used = word, size
		case used+1+size <= limit:
			line, used = line+" "+word, used+1+size
		default:
			lines = append(lines, line)
			line, used = word, size
		}
	}
	return append(lines, line)
}

// Wrap breaks text at spaces into lines of at most limit columns, for those who print
// prose beside a report; a longer word stands alone. It returns at least one line.
func Wrap(text string, limit int) []string { return wrap(text, limit) }

// pad fills s with spaces to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-columns(s))) }

// columns returns how many columns of a terminal s takes: two for what East Asian
// scripts and emoji write wide (https://www.unicode.org/reports/tr11/), none for
// what is drawn over the letter before it.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// Cut returns s, or as much of it as fits into limit columns with a mark at the
// end that something was left out.
func Cut(s string, limit int) string {
	if columns(s) <= limit {
		return s
	}
	const mark = "..."
	kept, used := 0, 0
	for i, r := range s {
		used += columns(string(r))
		if used > limit-len(mark) {
			break
		}
		kept = i + utf8.RuneLen(r)
	}
	return s[:kept] + mark[:max(0, min(len(mark), limit))]
}

// clean returns the report with every text passed through visible: names come
// from whoever may tag a resource or create a node.
func clean(r *finding.Report, ascii bool) *finding.Report {
	see := text.Visible
	if ascii {
		see = text.VisibleASCII
	}
	all := func(list []string) []string {
		seen := make([]string, 0, len(list))
		for _, s := range list {
			seen = append(seen, see(s))
		}
		return seen
	}
	c := *r
	for _, s := range []*string{
		&c.Cluster.Name, &c.Cluster.ARN, &c.Cluster.Region, &c.Cluster.Account, &c.Cluster.Version, &c.Cluster.RoleARN,
		&c.AWSNode.RoleARN, &c.AWSNode.Text,
	} {
		*s = see(*s)
	}
	c.NodeRoles = make([]finding.RoleRow, 0, len(r.NodeRoles))
	for _, row := range r.NodeRoles {
		row.Name, row.ARN = see(row.Name), see(row.ARN)
		sources := make([]finding.Source, 0, len(row.Sources))
		for _, s := range row.Sources {
			sources = append(sources, finding.Source{Kind: see(s.Kind), Name: see(s.Name), Nodes: s.Nodes})
		}
		row.Sources = sources
		c.NodeRoles = append(c.NodeRoles, row)
	}
	c.Results = make([]finding.Result, 0, len(r.Results))
	for _, res := range r.Results {
		for _, s := range []*string{&res.ID, &res.Message, &res.Impact, &res.Subject.Name, &res.Subject.ARN} {
			*s = see(*s)
		}
		res.Evidence = all(res.Evidence)
		next := make([]finding.Next, 0, len(res.Next))
		for _, n := range res.Next {
			n.Text, n.Note, n.Link = see(n.Text), see(n.Note), see(n.Link)
			next = append(next, n)
		}
		res.Next = next
		if res.Exception != nil {
			e := *res.Exception
			e.Reason, e.Expires, e.Source = see(e.Reason), see(e.Expires), see(e.Source)
			res.Exception = &e
		}
		c.Results = append(c.Results, res)
	}
	c.NotEvaluated = all(r.NotEvaluated)
	return &c
}

type color string

const (
	plain  color = ""
	bold   color = "\x1b[1m"
	dim    color = "\x1b[2m"
	red    color = "\x1b[31m"
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	cyan   color = "\x1b[36m"
)

// paint colours s where colours are on.
func (c color) paint(on bool, s string) string {
	if !on || c == plain || s == "" {
		return s
	}
	return string(c) + s + "\x1b[0m"
}

// glyphs are what is drawn beside words.
type glyphs struct{ arrow, more, bar, rule string }

// drawn are the glyphs of a terminal that shows Unicode, typed those of ASCII.
var (
	drawn = glyphs{arrow: "→", more: "…", bar: "│", rule: "──"}
	typed = glyphs{arrow: "->", more: "...", bar: "|", rule: "--"}
)

// symbol stands before a word and says the same.
func symbol(word string) string {
	switch word {
	case "FAIL":
		return "✗ "
	case "ok":
		return "✓ "
	case "warn":
		return "! "
	case "info":
		return "i "
	case "may":
		return "~ "
	default:
		return "  "
	}
}
