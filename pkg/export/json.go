package export

import (
	"bytes"
	"encoding/json"
	"strings"

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
	return strings.TrimRight(string(text.EscapeJSON(b.Bytes())), "\n") + "\n", true
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
	return string(text.EscapeJSON(out)) + "\n", err
}
