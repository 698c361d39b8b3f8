package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// reportFile is a report that --report asks for.
type reportFile struct{ format, path string }

// reportFormats are those of --report: all that need no template.
func reportFormats() []string {
	json := jsonYAML{}
	list := slices.Sorted(slices.Values(slices.Concat([]string{"table"}, json.AllowedFormats(), print.Formats(), print.FleetFormats())))
	return slices.Compact(list)
}

// parseReports reads the values of --report, FORMAT=FILE. What could not be written
// later is refused here, before any fact is read: an unknown format, a missing
// folder, a file that is named twice or that the facts come from.
func parseReports(values []string, facts string) ([]reportFile, error) {
	taken := map[string]string{}
	if facts != "" && facts != "-" {
		name, err := filepath.Abs(facts)
		if err != nil {
			return nil, usage("", "--filename %s: %s", facts, err)
		}
		taken[name] = "--filename"
	}
	var reports []reportFile
	for _, value := range values {
		format, path, ok := strings.Cut(value, "=")
		switch {
		case !ok || path == "":
			return nil, usage("for example --report "+format+"=report."+format, "--report %q has no file name", value)
		case path == "-":
			return nil, usage("use --output "+format, "--report %q: --report writes to a file, --output to standard output", value)
		}
		name, err := filepath.Abs(path)
		if err != nil {
			return nil, usage("", "--report %q: %s", value, err)
		}
		if other, ok := taken[name]; ok {
			return nil, usage("use two different files", "--report %q: %s already uses this file", value, other)
		}
		taken[name] = fmt.Sprintf("--report %q", value)
		if err := checkFolder(path, fmt.Sprintf("--report %q", value)); err != nil {
			return nil, err
		}
		// The file is replaced, which would end a device such as /dev/stdout.
		if file, err := os.Stat(name); err == nil && !file.Mode().IsRegular() {
			return nil, usage("use a regular file", "--report %q: %s is not a regular file", value, path)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, usage("use a file that you can write", "--report %q: %s", value, err)
		}
		reports = append(reports, reportFile{format, path})
	}
	return reports, nil
}

// checkFolder refuses a file in a folder that does not exist, which a flag names.
func checkFolder(path, flag string) error {
	dir := filepath.Dir(path)
	switch folder, err := os.Stat(dir); {
	case err != nil:
		return usage("create the folder first: "+command.New("mkdir", "-p", dir).String(), "%s: folder %s does not exist", flag, dir)
	case !folder.IsDir():
		return usage("name a folder", "%s: %s is not a folder", flag, dir)
	}
	return nil
}

// writeReports writes the files of --report. The other reports are written where
// one fails.
func (o *checkOptions) writeReports(report *finding.Report, footer string) error {
	var failed []error
	for _, r := range o.reports {
		var text strings.Builder
		var err error
		if r.format == "table" {
			err = print.Table(&text, report, o.tableFor(&text, report, footer))
		} else {
			err = o.writeReport(&text, r.format, report)
		}
		if err == nil {
			err = files.Write(r.path, []byte(text.String()), 0o666)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("--report %s=%s: %w", r.format, r.path, err))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return usage("choose a folder that you can write to", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

// writeReport writes a report in one of reportFormats but the table.
func (o *checkOptions) writeReport(w io.Writer, format string, report *finding.Report) error {
	switch {
	case slices.Contains(print.Formats(), format):
		return print.Write(w, format, report, o.printOptions(o.around))
	case slices.Contains(print.FleetFormats(), format): // of a fleet of one cluster
		f := &finding.FleetReport{}
		f.Add(finding.FleetCluster{}, report)
		f.Finish()
		return print.WriteFleet(w, format, f, o.printOptions(o.around))
	}
	printer, err := jsonYAML{}.ToPrinter(format)
	if err != nil {
		return err
	}
	return printer.PrintObj(report, w)
}

// printOptions are what formats say beside a report, whose commands around completes.
func (o *checkOptions) printOptions(around scope) print.Options {
	return print.Options{Version: version(), Rules: rules.Docs(), FailOn: failOnRanks[o.failOn], Complete: around.complete}
}
