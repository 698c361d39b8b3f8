package export

import (
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// comment returns comments of a shell script or of HCL, a line for each text whatever
// is in it.
func comment(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight("# "+text.Visible(line), " ") + "\n")
	}
	return b.String()
}
