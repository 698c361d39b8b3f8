package aws

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

// document decodes a policy document: IAM percent-encodes it (RFC 3986), other
// implementations of its API do not. JSON is indented; what is not JSON is kept
// as it is, for the rules to report.
func document(raw string) string {
	text := strings.TrimSpace(raw)
	if !strings.HasPrefix(text, "{") {
		if decoded, err := url.PathUnescape(text); err == nil {
			text = strings.TrimSpace(decoded)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(text), "", "  "); err != nil {
		return text
	}
	return indented.String()
}
