package print

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml/kyaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// YAML writes a value as YAML, by its JSON tags and with sorted keys. What steers a
// terminal or cannot be seen is written as an escape in double quotes, so that the
// output is safe to show, every YAML parser takes it, and the data stay the same.
func YAML(w io.Writer, value any) error {
	in, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode as YAML: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("encode as YAML: %w", err)
	}
	var y yamlWriter
	y.node(tree, "", "")
	_, err = io.WriteString(w, y.b.String())
	return err
}

// KYAML writes a value in the strict form of YAML that kubectl has. It is as safe to
// show as YAML.
func KYAML(w io.Writer, value any) error {
	var b, out bytes.Buffer
	if err := YAML(&b, value); err != nil {
		return err
	}
	if err := (&kyaml.Encoder{}).FromYAML(&b, &out); err != nil {
		return fmt.Errorf("encode as KYAML: %w", err)
	}
	// The encoder writes every string that is not plain in double quotes.
	var escaped strings.Builder
	for _, r := range out.String() {
		if r == '\n' || text.Safe(r) {
			escaped.WriteRune(r)
		} else {
			escaped.WriteString(yamlEscape(r))
		}
	}
	_, err := io.WriteString(w, escaped.String())
	return err
}

// yamlWriter writes what JSON decodes to.
type yamlWriter struct{ b strings.Builder }

// node writes a value and its line break. before is the text between the value and what it
// is the value of, where it is written on the same line; lines below it are indented.
func (y *yamlWriter) node(value any, before, indent string) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			y.b.WriteString(before + "{}\n")
			return
		}
		y.mapping(v, before, indent)
	case []any:
		if len(v) == 0 {
			y.b.WriteString(before + "[]\n")
			return
		}
		if before == " " {
			y.b.WriteString("\n")
		}
		for i, item := range v {
			if i > 0 || before == " " {
				y.b.WriteString(indent)
			}
			y.b.WriteString("-")
			y.item(item, indent+"  ")
		}
	case string:
		y.b.WriteString(before + yamlString(v, indent) + "\n")
	case nil:
		y.b.WriteString(before + "null\n")
	default: // bool, json.Number
		fmt.Fprintf(&y.b, "%s%v\n", before, v)
	}
}

// item writes the item of a list behind its hyphen. A list or mapping begins on the
// hyphen's line.
func (y *yamlWriter) item(value any, indent string) {
	list, _ := value.([]any)
	m, _ := value.(map[string]any)
	if len(list)+len(m) == 0 {
		y.node(value, " ", indent)
		return
	}
	y.b.WriteString(" ")
	y.node(value, "", indent)
}

// maxSimpleKey is how long a key may be that is on a line with its value.
// https://yaml.org/spec/1.2.2/#742-block-mappings allows 1024 characters.
const maxSimpleKey = 512

func (y *yamlWriter) mapping(m map[string]any, before, indent string) {
	if before == " " {
		y.b.WriteString("\n")
	}
	for i, key := range text.SortedKeys(m) {
		if i > 0 || before == " " {
			y.b.WriteString(indent)
		}
		written := yamlKey(key)
		if len(written) > maxSimpleKey {
			y.b.WriteString("? " + written + "\n" + indent)
			written = ""
		}
		y.b.WriteString(written + ":")
		y.node(m[key], " ", below(m[key], indent))
	}
}

// below is how far the lines of a value are indented below its key. The items of a
// list are under the key, as kubectl writes them.
func below(value any, indent string) string {
	if _, ok := value.([]any); ok {
		return indent
	}
	return indent + "  "
}

// plainYAML is a string that no YAML parser takes for anything else, whatever stands
// beside it: it begins with a letter or a slash, and has neither a colon nor a number
// sign where they have a meaning.
var plainYAML = text.Pattern(`^[\pL/]([\pL\pN_./@%+=;()<>$^~-]|,|[ ]?[\pL\pN_./@%+=;()<>$^~"'*&!|?{}\[\]-]|:+[\pL\pN/_.@*-])*$`)

// yamlWords are plain words that YAML 1.1 or 1.2 reads as another type.
var yamlWords = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

func isPlainYAML(s string) bool {
	return plainYAML().MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) && !strings.ContainsFunc(s, unsafe)
}

func unsafe(r rune) bool { return !text.Safe(r) }

func yamlKey(s string) string {
	if isPlainYAML(s) && !strings.Contains(s, ":") {
		return s
	}
	return quotedYAML(s)
}

// yamlString is a string as plain text, as a block of lines, or in double quotes.
func yamlString(s, indent string) string {
	if isPlainYAML(s) {
		return s
	}
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	block := len(lines) > 1 && indent != "" && !strings.HasPrefix(s, " ")
	for _, l := range lines {
		block = block && l != "" && !strings.HasSuffix(l, " ") && !strings.ContainsFunc(l, unsafe)
	}
	if !block {
		return quotedYAML(s)
	}
	head := "|-"
	if strings.HasSuffix(s, "\n") {
		head = "|"
	}
	return head + "\n" + indent + strings.Join(lines, "\n"+indent)
}

// quotedYAML is a string in double quotes, in which YAML takes the escapes of JSON but
// surrogate pairs: https://yaml.org/spec/1.2.2/#57-escaped-characters
func quotedYAML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case text.Safe(r) && r < 0x10000:
			b.WriteRune(r)
		default:
			b.WriteString(yamlEscape(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func yamlEscape(r rune) string {
	if r < 0x10000 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
