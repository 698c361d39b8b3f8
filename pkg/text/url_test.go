package text_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

func TestWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "",
		"no URL":                                "no URL",
		"https://host:443/a/b":                  "https://host:443/a/b",
		"https://u:p@host/a":                    "https://host/a",
		"https://p@host":                        "https://host",
		"https://u:p/q@host/a":                  "https://host/a",
		"https://u:p@q@host/a":                  "https://host/a",
		"https://host/a?k=v#f":                  "https://host/a",
		"https://host#f":                        "https://host",
		"https://host?u:p@x":                    "https://host",
		`Get "https://u:p@host/a?k=v": refused`: `Get "https://host/a": refused`,
		"at https://u:p@host/a?k=v: refused":    "at https://host/a: refused",
		"at https://u:p@host: refused, (http://h?k=v).":             "at https://host: refused, (http://h).",
		"arn:aws:sts::111122223333:assumed-role/r/jane@example.com": "arn:aws:sts::111122223333:assumed-role/r/jane@example.com",
		"Failed to parse uri: http://u:p q@host/":                   "AWS_ENDPOINT_URL is not a URL",
		"oidc.eks://x?y": "oidc.eks://x",
		`invalid proxy address "u:p@host": parse "u:p@host": x`: "invalid proxy address in HTTPS_PROXY or HTTP_PROXY",
	} {
		if got := text.WithoutSecrets(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
