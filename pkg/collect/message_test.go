package collect_test

import (
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		" a\tb\n\nc ":                   "a b c",
		"a\x7fb\u0085c\x1b[2Jd":         "a b c [2Jd",
		strings.Repeat("é", 300):        strings.Repeat("é", 200) + "…",
		strings.Repeat("x", 399) + "éé": strings.Repeat("x", 399) + "…",
	} {
		if got := collect.OneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
