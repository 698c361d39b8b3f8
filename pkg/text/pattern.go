package text

import (
	"regexp"
	"sync"
)

// Pattern returns a function that returns a regular expression, which is compiled when it is
// needed first. A run needs few of the program's, and compiling all of them would take a tenth
// of the time that the program takes to start. The function panics where the pattern is none.
func Pattern(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
