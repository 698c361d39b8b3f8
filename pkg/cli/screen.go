package cli

import (
	"cmp"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// screenOptions say how a report looks to a person, and how much of it is shown.
type screenOptions struct {
	color   string
	show    []string
	groupBy string
	quiet   bool
}

// shown are the words of --show.
var shown = map[string]finding.Status{
	"failed": finding.Fail, "depends": finding.Depends, "unknown": finding.Unknown,
	"passed": finding.Pass, "not-applicable": finding.NotApplicable,
}

func (o *screenOptions) addFlags(f *pflag.FlagSet) {
	addColorFlag(f, &o.color)
	(&enum{list: &o.show, words: []string{"failed", "depends", "unknown", "passed", "not-applicable", "all"}, unknown: "unknown verdict %q for --show"}).
		addTo(f, "show", "", "Show the results with these verdicts, repeatable or with commas: %s (default failed,depends,unknown)")
	(&enum{one: &o.groupBy, words: []string{"role", "concern"}, unknown: "unknown grouping %q for --group-by"}).
		addTo(f, "group-by", "", "Group the findings: %s (default worst first)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Print findings and errors only, and nothing if there are none")
}

// addColorFlag adds --color, which is auto by default.
func addColorFlag(f *pflag.FlagSet, color *string) {
	*color = "auto"
	(&enum{one: color, words: []string{"auto", "always", "never"}, unknown: "unknown value %q for --color"}).
		addTo(f, "color", "", "Use colors, by default on a terminal unless NO_COLOR is set: %s")
}

// complete checks what the flags say, and completes the source of the facts. table
// is set where the report is printed for people.
func (o *screenOptions) complete(cmd *cobra.Command, source *factsOptions, table bool) error {
	for _, name := range []string{"show", "group-by"} {
		if !table && cmd.Flags().Changed(name) {
			return usage("leave it out; the other formats have every result", "--%s applies to the table only", name)
		}
	}
	source.live.quiet = o.quiet
	return nil
}

// statuses are what --show says.
func (o *screenOptions) statuses() []finding.Status {
	if slices.Contains(o.show, "all") {
		return []finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}
	}
	var list []finding.Status
	for _, word := range o.show {
		list = append(list, shown[word])
	}
	return list
}

// table returns how to print for a screen.
func (o *screenOptions) table(s screen) print.TableOptions {
	return print.TableOptions{
		Width: s.width, Color: s.colored(o.color), Symbols: s.terminal && s.unicode, ASCII: s.terminal && !s.unicode,
		Quiet: o.quiet, Show: o.statuses(), GroupBy: print.Grouping(o.groupBy),
	}
}

// screen is what a person reads on.
type screen struct {
	// terminal is false for a pipe or file.
	terminal bool
	// width is in columns, 0 where nothing says.
	width int
	// unicode is whether the locale can show more than ASCII.
	unicode bool
	getenv  func(string) string
}

// templateOutput is where the output of a user's template goes. A terminal gets what
// steers it as an escape; a file or another program gets the data as they are.
func templateOutput(w io.Writer) io.Writer {
	if f, ok := fileOf(w); ok && term.IsTerminal(int(f.Fd())) {
		return &text.Writer{W: w, Tabs: true}
	}
	return w
}

// pipeWidth is the width of a report in a file or a pipe, in columns. The logs of CI are wider
// than a terminal, and grep finds a sentence on one line.
const pipeWidth = 132

// newScreen looks at the stream and the environment.
func newScreen(w io.Writer, getenv func(string) string) screen {
	s := screen{getenv: getenv, unicode: unicodeLocale(getenv)}
	if f, ok := fileOf(w); ok {
		if term.IsTerminal(int(f.Fd())) {
			s.terminal = true
			if width, _, err := term.GetSize(int(f.Fd())); err == nil {
				s.width = width
			}
			return s
		}
		s.width = pipeWidth
	}
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		s.width = n
	}
	return s
}

// colored reports whether to use colors. The flag overrides NO_COLOR
// (https://no-color.org), and that overrides CLICOLOR_FORCE
// (https://bixense.com/clicolors/).
func (s screen) colored(flag string) bool {
	force := s.getenv("CLICOLOR_FORCE")
	switch {
	case flag != "auto":
		return flag == "always"
	case s.getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	default:
		return s.terminal && s.getenv("TERM") != "dumb"
	}
}

// unicodeLocale reports whether the first of the variables that is set, in the
// order of POSIX, names UTF-8. Windows sets none and shows UTF-8.
func unicodeLocale(getenv func(string) string) bool {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	if locale == "" && os.PathSeparator == '\\' {
		return true
	}
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}
