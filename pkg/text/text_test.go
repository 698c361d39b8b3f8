package text_test

import (
	"io"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"eksNodeRole":           "eksNodeRole",
		"Größe 节点":              "Größe 节点",
		"a\nb\tc":               "a b c",
		"\x1b[31mred":           `\x1b[31mred`,
		"\u202eelor":            `\u202eelor`,
		"zero\u200bwidth":       `zero\u200bwidth`,
		"\U000e0001tag":         `\U000e0001tag`,
		"line\u2028paragraph":   `line\u2028paragraph`,
		"broken \xff utf-8":     `broken \xff utf-8`,
		"a replacement \uFFFD":  "a replacement \uFFFD",
		"\u009b31m":             `\x9b31m`,
		"\uE000":                `\ue000`,
		"a noncharacter \ufffe": `a noncharacter \ufffe`,
		"a filler \u3164":       `a filler \u3164`,
		"a selector \ufe0f":     `a selector \ufe0f`,
	} {
		if got := text.Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := text.VisibleASCII("é\x1b"), `\u00e9\x1b`; got != want {
		t.Errorf("VisibleASCII = %q, want %q", got, want)
	}
}

func TestVisibleLines(t *testing.T) {
	if got, want := text.VisibleLines("a\x1b[2J\n\n\tb\r\n"), "a\\x1b[2J\n\n b\\x0d\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriter(t *testing.T) {
	var b strings.Builder
	w := &text.Writer{W: &b, Lead: "\r\x1b[K"}
	for _, s := range []string{"\r\x1b[Kreading \x1b[2J\r\x1b[K", "error: a\n  \u202eb\tc\n"} {
		if n, err := io.WriteString(w, s); n != len(s) || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if want := "\r\x1b[Kreading \\x1b[2J\\x0d\\x1b[Kerror: a\n  \\u202eb c\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	if _, err := io.WriteString(&text.Writer{W: &b, Tabs: true}, "a\tb\x1b\n"); err != nil || b.String() != "a\tb\\x1b\n" {
		t.Errorf("got %q, %v", b.String(), err)
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
