package text

import (
	"io"
	"strings"
)

// Writer writes text to a terminal or a log. What steers a terminal or cannot be seen
// arrives as an escape; line breaks stay. Each Write is taken for a text of its own.
type Writer struct {
	W io.Writer
	// Lead, where set, is passed on as it is where a Write begins with it: what the
	// program itself draws a line with.
	Lead string
	// Tabs keeps tabs.
	Tabs bool
}

// Write implements io.Writer. It reports the length of p where all of it was written.
func (w *Writer) Write(p []byte) (int, error) {
	s, lead := string(p), ""
	if w.Lead != "" {
		if rest, ok := strings.CutPrefix(s, w.Lead); ok {
			s, lead = rest, w.Lead
		}
	}
	if w.Tabs {
		columns := strings.Split(s, "\t")
		for i, c := range columns {
			columns[i] = VisibleLines(c)
		}
		s = strings.Join(columns, "\t")
	} else {
		s = VisibleLines(s)
	}
	if _, err := io.WriteString(w.W, lead+s); err != nil {
		return 0, err
	}
	return len(p), nil
}
