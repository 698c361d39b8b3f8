package print

import (
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// hardSpace is a space at which wrap does not break.
const hardSpace = "\x1f"

// wrap breaks text at spaces into lines of at most limit columns; a longer word
// is alone. It returns at least one line.
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
// prose beside a report; a longer word is alone. It returns at least one line.
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

// cleaned returns a copy of a report with every text in it, also in keys of maps, passed
// through see, such as text.Visible: names come from whoever may tag a resource or create a
// node. Policy documents and commands keep their lines.
func cleaned[T any](report *T, see func(string) string) *T {
	c := *report
	clean(reflect.ValueOf(&c).Elem(), see)
	return &c
}

// clean passes every string in v through see. Of what v refers to, it makes copies.
func clean(v reflect.Value, see func(string) string) {
	switch v.Kind() { //nolint:exhaustive // the others hold no string
	case reflect.String:
		v.SetString(see(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() { // else no format reads it
				clean(v.Field(i), seen(v.Type(), i, see))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			clean(c.Index(i), see)
		}
		v.Set(c)
	case reflect.Map:
		if v.IsNil() {
			break
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for of := v.MapRange(); of.Next(); {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.Set(of.Key())
			value.Set(of.Value())
			clean(key, see)
			clean(value, see)
			c.SetMapIndex(key, value)
		}
		v.Set(c)
	case reflect.Pointer:
		if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(v.Elem())
			clean(p.Elem(), see)
			v.Set(p)
		}
	}
}

// seen returns how the texts of a field of a struct are passed on: documents as JSON, commands
// and comparisons by line.
func seen(of reflect.Type, field int, see func(string) string) func(string) string {
	byLine := func(s string) string { return eachLine(s, see) }
	switch of.Name() {
	case "RolePolicy", "ManagedPolicy":
		if of.Field(field).Name == "Document" {
			return visibleDocument
		}
	case "Next":
		if name := of.Field(field).Name; name == "Text" || name == "Stdin" {
			return byLine
		}
	case "Change":
		if of.Field(field).Name == "PolicyDiff" {
			return byLine
		}
	}
	return see
}

// visibleDocument is a policy document that is safe to show and, where it was JSON,
// still the same JSON.
func visibleDocument(s string) string {
	if json.Valid([]byte(s)) {
		return string(text.EscapeJSON([]byte(s)))
	}
	return text.VisibleLines(s)
}

func eachLine(s string, see func(string) string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = see(l)
	}
	return strings.Join(lines, "\n")
}

// colorOf is the colour of a tone.
func colorOf(t tone) text.Style {
	switch t {
	case toneBad:
		return text.Red
	case toneCaution, toneDepends, toneUnknown:
		return text.Yellow
	case toneNote:
		return text.Cyan
	case toneGood:
		return text.Green
	case toneNeutral:
		return text.Plain
	default:
		return text.Plain
	}
}

// glyphs are what is drawn beside words.
type glyphs struct{ arrow, more, bar, rule string }

// unicodeGlyphs are those of a terminal that shows Unicode.
var (
	unicodeGlyphs = glyphs{arrow: "→", more: "…", bar: "│", rule: "──"}
	asciiGlyphs   = glyphs{arrow: "->", more: "...", bar: "|", rule: "--"}
)

// symbol is a sign before a word, with the same meaning.
func symbol(t tone) string {
	switch t {
	case toneBad:
		return "✗ "
	case toneCaution:
		return "! "
	case toneDepends:
		return "~ "
	case toneUnknown:
		return "? "
	case toneNote:
		return "i "
	case toneGood:
		return "✓ "
	case toneNeutral:
		return "  "
	default:
		return "  "
	}
}
