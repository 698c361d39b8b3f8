package print

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Options are what a format for machines or for sharing says beside the report.
type Options struct {
	// Version is that of this program, such as v1.2.3.
	Version string
	// Rules are what every rule says about itself, ordered by id.
	Rules []finding.RuleDoc
	// FailOn is the least rank of a severity that is a failure for formats that tell
	// failures from other results; 0 takes every finding for one.
	FailOn int
	// Complete, where set, completes the commands that a format adds to those of the
	// report, so that they act on the cluster that was judged.
	Complete func(command.Command) command.Command
	// Page, where set, returns the address of a cluster's own page, relative to the page
	// of the fleet.
	Page func(finding.FleetCluster) string
}

// writer writes a report in one format.
type writer func(w io.Writer, r *finding.Report, o Options) error

// writers are the formats by name, but for the table and those of cli-runtime.
func writers() map[string]writer {
	return map[string]writer{
		"github":      writeGitHub,
		"html":        writeHTML,
		"junit":       writeJUnit,
		"markdown":    writeMarkdown,
		"openreports": writeOpenReports,
		"sarif":       writeSARIF,
	}
}

// Formats returns the names that Write takes, sorted.
func Formats() []string { return slices.Sorted(maps.Keys(writers())) }

// Write writes the report in a format of Formats.
func Write(w io.Writer, format string, r *finding.Report, o Options) error {
	write, ok := writers()[format]
	if !ok {
		return fmt.Errorf("unknown format %q", format)
	}
	return write(w, r, o)
}
