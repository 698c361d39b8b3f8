package print

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// JSON writes a value as indented JSON. What steers a terminal or cannot be seen is
// written as \uXXXX, so that the output is safe to show and the data stay the same.
func JSON(w io.Writer, value any) error {
	out, err := encodeJSON(value)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encode as JSON: %w", err)
	}
	return EscapeJSON(b.Bytes()), nil
}

// EscapeJSON returns a valid JSON text with what steers a terminal or cannot be seen
// written as \uXXXX. White space between values stays.
func EscapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for _, r := range string(in) {
		switch {
		case r == '\r': // in no string: JSON has it escaped there
			out = append(out, ' ')
		case r == '\n' || r == '\t' || text.Safe(r):
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
