package aws

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDocument(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{"encoded", "%7B%22a%22%3A%20%5B%22x%2Ay%22%5D%7D", "{\n  \"a\": [\n    \"x*y\"\n  ]\n}"},
		{"plain", ` {"a":"b%20c"} `, "{\n  \"a\": \"b%20c\"\n}"},
		{"plus is plus", `%7B%22a%22%3A%22b+c%22%7D`, "{\n  \"a\": \"b+c\"\n}"},
		{"key order and repeated keys stay", `{"b":1,"a":2,"a":3}`, "{\n  \"b\": 1,\n  \"a\": 2,\n  \"a\": 3\n}"},
		{"not JSON", `{"a":`, `{"a":`},
		{"not encoded either", "100%", "100%"},
		{"empty", "", ""},
	} {
		if got := document(test.raw); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// However IAM hands out a document, what arrives is the same.
func TestDocumentDecodesEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		statement := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "statement")
		text, err := json.Marshal(statement)
		if err != nil {
			t.Skip(err)
		}
		plain := document(string(text))
		encoded := document(strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20"))
		if plain != encoded {
			t.Fatalf("plain %q, encoded %q", plain, encoded)
		}
		if again := document(plain); again != plain {
			t.Fatalf("decoded twice %q, once %q", again, plain)
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add("%7B%7D")
	f.Add(`{"Version":"2012-10-17"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		text := document(raw)
		if json.Valid([]byte(text)) && document(text) != text && strings.HasPrefix(text, "{") {
			t.Errorf("%q is not stable", text)
		}
	})
}
