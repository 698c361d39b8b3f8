package print

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// writeGitHub writes workflow commands, of which GitHub Actions makes annotations: one for
// each finding, for the verdicts that are unknown for one reason, and for each excepted
// result. What infrastructure code declares is shown at its line. GitHub shows ten of each level for a step, so that the order of the report
// decides which. Source:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
func writeGitHub(w io.Writer, r *finding.Report, _ Options) error {
	r = cleaned(r, text.Visible)
	m := newModel(r, everything)
	var b strings.Builder
	for _, e := range m.findings {
		b.WriteString(annotation(githubLevel(e.Weight()), e.ID+" "+subjectTitle(e.Subject), e.Place, slices.Concat([]string{e.Message}, details(e))))
	}
	for _, g := range m.unknown {
		lines := slices.Concat([]string{g.title()}, g.rules(), g.first.Evidence, nextLines(g.first.Next))
		title := "unknown"
		if g.verdicts() == 1 {
			title = g.first.ID + " unknown"
		}
		b.WriteString(annotation("warning", title, g.first.Place, lines))
	}
	for _, e := range m.excepted {
		b.WriteString(annotation("notice", e.ID+" "+e.Word, e.Place, slices.Concat([]string{e.Message}, details(e))))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func githubLevel(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "error"
	case finding.Warning:
		return "warning"
	case finding.Info:
		return "notice"
	default:
		return "notice"
	}
}

// annotation is one workflow command, about a line of a file where infrastructure code
// declares the subject. A line break ends a command, and a comma or a colon its property, so
// that they are escaped as the runner reads them.
func annotation(level, title string, place *finding.Place, lines []string) string {
	at := ""
	if place != nil && place.File != "" {
		at = fmt.Sprintf("file=%s,line=%d,", githubProperty.Replace(place.File), place.Line)
	}
	return "::" + level + " " + at + "title=" + githubProperty.Replace(title) + "::" + githubData.Replace(strings.Join(lines, "\n")) + "\n"
}

var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
