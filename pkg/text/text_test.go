package text_test

import (
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"eksNodeRole":          "eksNodeRole",
		"Größe 节点":             "Größe 节点",
		"a\nb\tc":              "a b c",
		"\x1b[31mred":          `\x1b[31mred`,
		"\u202eelor":           `\u202eelor`,
		"zero\u200bwidth":      `zero\u200bwidth`,
		"\U000e0001tag":        `\U000e0001tag`,
		"line\u2028paragraph":  `line\u2028paragraph`,
		"broken \xff utf-8":    `broken \xff utf-8`,
		"a replacement \uFFFD": "a replacement \uFFFD",
		"\u009b31m":            `\x9b31m`,
		"\uE000":               `\ue000`,
	} {
		if got := text.Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := text.VisibleASCII("é\x1b"), `\u00e9\x1b`; got != want {
		t.Errorf("VisibleASCII = %q, want %q", got, want)
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("\x1b]0;title\a\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{text.Visible(s), text.VisibleASCII(s)} {
			if i := strings.IndexFunc(got, func(r rune) bool { return !text.Safe(r) && r != '\uFFFD' }); i >= 0 {
				t.Errorf("Visible(%q) = %q is not safe at byte %d", s, got, i)
			}
		}
	})
}

func TestCount(t *testing.T) {
	for _, test := range []struct {
		n    int
		noun string
		want string
	}{
		{0, "node", "0 nodes"},
		{1, "policy", "1 policy"},
		{2, "policy", "2 policies"},
		{2, "key", "2 keys"},
		{3, "class", "3 classes"},
		{2, "access policy", "2 access policies"},
	} {
		if got := text.Count(test.n, test.noun); got != test.want {
			t.Errorf("Count(%d, %q) = %q, want %q", test.n, test.noun, got, test.want)
		}
	}
}
