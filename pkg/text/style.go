package text

// Style is how a terminal shows words, as an escape sequence of ECMA-48.
type Style string

// The styles.
const (
	Plain  Style = ""
	Bold   Style = "\x1b[1m"
	Dim    Style = "\x1b[2m"
	Red    Style = "\x1b[31m"
	Green  Style = "\x1b[32m"
	Yellow Style = "\x1b[33m"
	Cyan   Style = "\x1b[36m"
)

// Paint adds the style to words that are safe to show, where colors are on.
func (s Style) Paint(on bool, words string) string {
	if !on || s == Plain || words == "" {
		return words
	}
	return string(s) + words + "\x1b[0m"
}
