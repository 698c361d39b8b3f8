package collect

import (
	"strings"
	"unicode"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// MaxMessage is how much of a foreign message is kept, in bytes.
const MaxMessage = 400

// OneLine is a foreign message as one line of at most MaxMessage bytes, without control
// characters, which YAML cannot hold, and without what may be secret in URLs.
func OneLine(message string) string {
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	message = text.WithoutSecrets(message)
	if len(message) > MaxMessage {
		message = strings.ToValidUTF8(message[:MaxMessage], "") + "…"
	}
	return message
}
