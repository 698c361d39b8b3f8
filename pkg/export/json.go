package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// indented returns a JSON document with two spaces a level, ending in a newline, in
// which characters that a terminal must not see are escaped; ok is false for a text that
// is not JSON.
func indented(document string) (s string, ok bool) {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(document), "", "  "); err != nil {
		return "", false
	}
	return escapeJSON(strings.TrimRight(b.String(), "\n")) + "\n", true
}

// escapeJSON escapes the characters in a JSON document's strings that are not safe to
// show.
func escapeJSON(document string) string {
	var b strings.Builder
	for _, r := range document {
		switch {
		case r == '\n', text.Safe(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// asYAML returns a value as YAML. Where a string in it has characters that a terminal
// must not see, the YAML is written as JSON, which can escape all of them.
func asYAML(value any) (string, error) {
	out, err := yaml.Marshal(value)
	if err != nil {
		return "", err
	}
	if strings.IndexFunc(string(out), func(r rune) bool { return r != '\n' && !text.Safe(r) }) < 0 {
		return string(out), nil
	}
	out, err = json.MarshalIndent(value, "", "  ")
	return escapeJSON(string(out)) + "\n", err
}
