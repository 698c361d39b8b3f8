package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// perCluster are the formats that have a file for each cluster in a fleet.
var perCluster = []string{"html", "openreports", "sarif"}

// isDir reports whether a name is that of a folder that exists.
func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// completeFleet checks what the flags say where many clusters are checked.
func (o *checkOptions) completeFleet(cmd *cobra.Command) error {
	for _, name := range []string{"show", "group-by"} {
		if cmd.Flags().Changed(name) {
			return usage("check one cluster: -f DIR/ACCOUNT/REGION/NAME.yaml.gz", "--%s applies to one cluster, not to a fleet", name)
		}
	}
	if slices.Contains(perCluster, o.output) && o.output != "html" {
		return usage(fmt.Sprintf("for example --report %s=%s/", o.output, o.output), "--output %s has a file for each cluster of a fleet, so that it needs a folder", o.output)
	}
	if dir := o.team.baselineFile; dir != "" {
		if !isDir(dir) {
			return usage("name the directory of an earlier snapshot", "--baseline %s: the baseline of a fleet is a directory of snapshots", dir)
		}
		earlier, err := fleet.Open(cmd.Context(), dir)
		if err != nil {
			return fmt.Errorf("--baseline %s: %w", dir, err)
		}
		o.earlier, o.team.baselineFile = earlier, ""
	}
	var err error
	o.reports, err = parseFleetReports(o.reportFlags, o.source.file)
	return err
}

// parseFleetReports reads the values of --report for a fleet: the formats of perCluster take
// a folder, the others a file.
func parseFleetReports(values []string, facts string) ([]reportFile, error) {
	var single []string
	var folders []reportFile
	for _, value := range values {
		format, path, _ := strings.Cut(value, "=")
		if !slices.Contains(perCluster, format) {
			single = append(single, value)
			continue
		}
		info, err := os.Stat(path)
		switch {
		case !strings.HasSuffix(path, "/") && err != nil, err == nil && !info.IsDir():
			return nil, usage(fmt.Sprintf("for example --report %s=%s/", format, format), "--report %q: a fleet has a file for each cluster, so that it needs a folder, with / at its end", value)
		case files.Same(path, facts):
			return nil, usage("use another folder", "--report %q: the snapshots are in this folder", value)
		}
		folders = append(folders, reportFile{format, path})
	}
	reports, err := parseReports(single, "")
	return append(reports, folders...), err
}

// runFleet judges the clusters of a directory and prints their report. shown is how the
// report calls the directory; empty for one that does not stay.
func (o *checkOptions) runFleet(ctx context.Context, dir, shown, footer string) error {
	d, err := fleet.Open(ctx, dir)
	if err != nil {
		return err
	}
	report := &finding.FleetReport{Facts: finding.FleetFacts{
		Directory: shown, JudgedBy: toolName(), CNIVersion: strings.TrimPrefix(o.cniVersion, "v"),
	}}
	report.Facts.PlannedAt, report.Facts.Selection = planned(d)
	for _, u := range d.Unread {
		report.AddUnread(finding.FleetCluster{
			Cluster: finding.ClusterInfo{Account: u.Account, Region: u.Region}, Context: u.Context, Profile: u.Profile, Reason: u.Error, Advice: u.Next,
		})
	}
	for _, s := range d.Skipped {
		report.Skipped = append(report.Skipped, finding.Skipped(s))
	}
	across := newTogether(d)
	if err := o.judgeAll(ctx, d, shown, report, across); err != nil {
		return err
	}
	if err := o.judgeTogether(across, d, report); err != nil {
		return err
	}
	report.Finish()
	reportErr := o.writeFleetReports(report, footer)
	if err := o.printFleet(report, footer); err != nil {
		return err
	}
	switch {
	case reportErr != nil:
		return reportErr
	case report.Worst() >= failOnRanks[o.failOn] && o.failOn != "any", o.failOn == "any" && !allPassed(report):
		return codeError{code: ExitFindings}
	case !o.allowPartial && (!report.Complete() || len(o.filters()) > 0 && report.Summary.FleetResults.Unknown > 0):
		return codeError{code: ExitIncomplete}
	default:
		return nil
	}
}

// planned says when the clusters of a directory were looked for, the earliest where it has
// several plans, and what was selected.
func planned(d *fleet.Directory) (at, selection string) {
	for _, p := range d.Plans {
		if t := p.PlannedAt.UTC().Format(time.RFC3339); at == "" || t < at {
			at, selection = t, p.Selection
		}
	}
	return at, selection
}

// allPassed reports whether every result of every cluster passed.
func allPassed(f *finding.FleetReport) bool {
	n, together := f.Summary.Results, f.Summary.FleetResults
	n.Passed, together.Passed = 0, 0
	return f.Summary.NotRead == 0 && n == finding.Summary{} && together == finding.Summary{}
}

// judgeAll judges every cluster of the directory, several at once, and forgets each one
// when its row is made.
func (o *checkOptions) judgeAll(ctx context.Context, d *fleet.Directory, shown string, into *finding.FleetReport, across *together) error {
	j := o.newJudge()
	j.unused = false // an exception may be for another cluster
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, e := range d.Entries {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			row, report, err := o.judgeOne(ctx, j, d, e, across)
			if err != nil {
				return err
			}
			if shown != "" {
				row.File = filepath.Join(shown, filepath.FromSlash(e.SnapshotFile()))
			}
			mu.Lock()
			defer mu.Unlock()
			if report == nil {
				row.File = ""
				into.AddUnread(row)
			} else {
				into.Add(row, report)
			}
			return nil
		})
	}
	for _, e := range o.earlierOnly(d) {
		group.Go(func() error {
			_, err := o.earlierView(ctx, e.ARN, across)
			return err
		})
	}
	return group.Wait()
}

// judgeOne returns the row of a cluster and its report, which is nil where the cluster was
// not read, and writes the cluster's own files.
func (o *checkOptions) judgeOne(ctx context.Context, j judge, d *fleet.Directory, e fleet.Entry, across *together) (finding.FleetCluster, *finding.Report, error) {
	id := e.Identity()
	row := finding.FleetCluster{
		Cluster: finding.ClusterInfo{Name: id.Name(), ARN: e.ARN, Region: id.Region, Account: id.Account},
		Context: e.Context, Profile: e.Profile, Group: e.Group,
	}
	around := o.scopeOf(e.Target)
	facts, err := d.Load(ctx, e)
	var unread *fleet.NotReadError
	if errors.As(err, &unread) {
		row.Reason, row.Advice = unread.Reason, unread.Next
		across.addUnread(&across.now, e, unread.Reason)
		return row, nil, o.writeClusterReports(e.Target, unreadReport(row), around)
	}
	if err != nil {
		return row, nil, err
	}
	earlier, err := o.earlierView(ctx, e.ARN, across)
	if err != nil {
		return row, nil, err
	}
	v := view.New(facts)
	report, err := j.report(v, earlier, around)
	if err != nil {
		return row, nil, err
	}
	across.add(&across.now, fleetrules.FactsOf(v, e.Group))
	o.choose(report)
	if len(o.filters()) > 0 {
		report.Missing = nil // what was asked for does not need every fact
	}
	if plannable(report) {
		row.Next = []finding.Next{finding.Run(command.Noderole("fix").Map(around.complete))}
	}
	return row, report, o.writeClusterReports(e.Target, report, around)
}

// unreadReport is the report of a cluster that was not read: it has no verdict, and says why.
func unreadReport(row finding.FleetCluster) *finding.Report {
	return &finding.Report{
		Header: finding.Header{APIVersion: finding.APIVersion, Kind: finding.ReportKind}, Cluster: row.Cluster, Results: []finding.Result{},
		Missing: []finding.Missing{{Fact: "cluster", Operation: "the cluster", Error: row.Reason}},
	}
}

// plannable reports whether fix plans a step for a finding.
func plannable(r *finding.Report) bool {
	under := finding.Under(r.Results)
	for i, res := range r.Results {
		if res.Weight() != "" && under[i] < 0 && slices.ContainsFunc(res.Next, func(n finding.Next) bool { return len(n.Plan) > 0 }) {
			return true
		}
	}
	return false
}

// scopeOf returns what completes commands about a cluster of a fleet.
func (o *checkOptions) scopeOf(t fleet.Target) scope {
	id := t.Identity()
	s := scope{root: o.source.scope.root, given: map[string]string{}, region: id.Region, profile: t.Profile, everywhere: id.Partition != "aws"}
	if name := o.source.scope.given["kubeconfig"]; name != "" {
		s.given["kubeconfig"] = name
	}
	if t.Context != "" {
		return s.with("context", t.Context)
	}
	s.given["cluster-name"], s.given["region"], s.given["profile"] = id.Name(), id.Region, t.Profile
	return s
}

// writeClusterReports writes the files of --report that each cluster has.
func (o *checkOptions) writeClusterReports(t fleet.Target, report *finding.Report, around scope) error {
	for _, r := range o.reports {
		if !slices.Contains(perCluster, r.format) {
			continue
		}
		var text strings.Builder
		if err := print.Write(&text, r.format, report, o.printOptions(around)); err != nil {
			return err
		}
		name := filepath.Join(r.path, filepath.FromSlash(pageOf(t, endings[r.format])))
		err := os.MkdirAll(filepath.Dir(name), 0o777)
		if err == nil {
			err = files.Write(name, []byte(text.String()), 0o666)
		}
		if err != nil {
			return usage("choose a folder that you can write to", "--report %s=%s: %s", r.format, r.path, err)
		}
	}
	return nil
}

// endings are those of the files of perCluster.
var endings = map[string]string{"html": ".html", "openreports": ".yaml", "sarif": ".sarif"}

// pageOf is the name of a cluster's file in a folder of --report, with slashes.
func pageOf(t fleet.Target, ending string) string {
	id := t.Identity()
	return strings.Join([]string{id.Account, id.Region, id.Name() + ending}, "/")
}

// writeFleetReports writes the files of --report that the fleet has. The other reports are
// written where one fails.
func (o *checkOptions) writeFleetReports(report *finding.FleetReport, footer string) error {
	var failed []string
	for _, r := range o.reports {
		name, format := r.path, r.format
		switch format {
		case "sarif", "openreports":
			name = filepath.Join(r.path, "fleet"+endings[format])
		case "html":
			name = filepath.Join(r.path, "index.html")
		}
		var text strings.Builder
		err := o.writeFleet(&text, format, report, footer, func(c finding.FleetCluster) string {
			return pageOf(fleet.Target{ARN: c.Cluster.ARN}, endings["html"])
		})
		if err == nil {
			if err = os.MkdirAll(filepath.Dir(name), 0o777); err == nil {
				err = files.Write(name, []byte(text.String()), 0o666)
			}
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("--report %s=%s: %s", r.format, r.path, err))
		}
	}
	if len(failed) > 0 {
		return usage("choose a folder that you can write to", "%s", strings.Join(failed, "; "))
	}
	return nil
}

func (o *checkOptions) printFleet(report *finding.FleetReport, footer string) error {
	if o.printer != nil {
		if err := o.printer.PrintObj(report, templateOutput(o.streams.Out)); err != nil {
			return usage("", "--output %s: %s", o.output, err)
		}
		return nil
	}
	if err := o.writeFleet(o.streams.Out, o.output, report, footer, nil); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeFleet writes the fleet's report in any format but a template.
func (o *checkOptions) writeFleet(w io.Writer, format string, report *finding.FleetReport, footer string, page func(finding.FleetCluster) string) error {
	switch {
	case format == "table" || format == "wide":
		table := o.screen.table(newScreen(w, os.Getenv))
		table.Wide, table.Footer = format == "wide", footer
		return print.FleetTable(w, report, table, allRules())
	case slices.Contains(perCluster, format) && format != "html": // what is about several clusters has a file of its own
		options := o.printOptions(scope{})
		options.Rules = fleetrules.Docs()
		return print.Write(w, format, report.Across(), options)
	case slices.Contains(print.FleetFormats(), format):
		options := o.printOptions(scope{})
		options.Rules, options.Page = allRules(), page
		return print.WriteFleet(w, format, report, options)
	}
	printer, err := o.jsonYAML.ToPrinter(format)
	if err != nil {
		return err
	}
	return printer.PrintObj(report, w)
}
