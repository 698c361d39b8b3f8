package text

import (
	"fmt"
	"unicode/utf8"
)

// EscapeJSON returns a valid JSON text with what steers a terminal or cannot be seen
// written as \uXXXX. White space between values stays.
func EscapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for _, r := range string(in) {
		switch {
		case r == '\r': // in no string: JSON has it escaped there
			out = append(out, ' ')
		case r == '\n' || r == '\t' || Safe(r):
			out = utf8.AppendRune(out, r)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default: // a surrogate pair, https://www.rfc-editor.org/rfc/rfc8259#section-7
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return out
}
