package print

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

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
	return text.EscapeJSON(b.Bytes()), nil
}
