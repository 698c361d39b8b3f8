package collect

import (
	"strings"
	"unicode"
)

// MaxMessage is how much of a foreign message is kept, in bytes.
const MaxMessage = 400

// OneLine is a foreign message as one line of at most MaxMessage bytes, without control
// characters, which YAML cannot hold.
func OneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > MaxMessage {
		text = strings.ToValidUTF8(text[:MaxMessage], "") + "…"
	}
	return text
}
