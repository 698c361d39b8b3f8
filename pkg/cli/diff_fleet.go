package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// runFleet compares two directories of snapshots and prints the differences.
func (o *diffOptions) runFleet(ctx context.Context) error {
	older, err := fleet.Open(ctx, o.older)
	if err != nil {
		return fmt.Errorf("%s: %w", o.older, err)
	}
	newer, err := fleet.Open(ctx, o.newer)
	if err != nil {
		return fmt.Errorf("%s: %w", o.newer, err)
	}
	d := &diff.FleetDiff{Old: fleetSource(o.older, older), New: fleetSource(o.newer, newer)}
	for _, u := range newer.Unread {
		before := slices.ContainsFunc(older.Unread, func(b fleet.Unread) bool { return b.String() == u.String() })
		d.AddUnread(u.String()+", which could not be read: "+u.Error, before)
	}
	across := newTogether(newer)
	addPlans(&across.earlier, older)
	if err := o.compareAll(ctx, older, newer, across, d); err != nil {
		return err
	}
	var reports [2]*finding.Report
	for i, f := range []*fleetrules.Fleet{&across.earlier, &across.now} {
		options := o.options()
		judged := &finding.FleetReport{FleetResults: fleetrules.Judge(f, fleetrules.Options{Severities: options.Severities, Off: options.Off})}
		reports[i] = judged.Across()
		if err := o.team.apply(reports[i], o.now, false); err != nil {
			return err
		}
	}
	d.Finish(reports[0], reports[1])
	if err := o.printFleet(d); err != nil {
		return fmt.Errorf("write the differences: %w", err)
	}
	return differenceCode(d.Summary.Worse, d.Summary.Unread)
}

// fleetSource says where a directory comes from.
func fleetSource(dir string, d *fleet.Directory) diff.FleetSource {
	plannedAt, selection := planned(d)
	return diff.FleetSource{Directory: dir, Selection: selection, PlannedAt: plannedAt}
}

// compareAll compares the clusters of two directories, several at once, and forgets the
// facts of each one when it was compared.
func (o *diffOptions) compareAll(ctx context.Context, older, newer *fleet.Directory, across *together, into *diff.FleetDiff) error {
	type pair struct{ older, newer *fleet.Entry }
	pairs := map[string]*pair{}
	var order []string
	at := func(arn string) *pair {
		if pairs[arn] == nil {
			pairs[arn] = &pair{}
			order = append(order, arn)
		}
		return pairs[arn]
	}
	for i := range older.Entries {
		at(older.Entries[i].ARN).older = &older.Entries[i]
	}
	for i := range newer.Entries {
		at(newer.Entries[i].ARN).newer = &newer.Entries[i]
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, arn := range order {
		p := pairs[arn]
		group.Go(func() error {
			was, err := o.fleetSide(ctx, older, o.older, p.older, across, &across.earlier)
			if err != nil {
				return err
			}
			is, err := o.fleetSide(ctx, newer, o.newer, p.newer, across, &across.now)
			if err != nil {
				return err
			}
			id := (fleet.Target{ARN: arn}).Identity()
			c := diff.ClusterDiff{
				Cluster:  finding.ClusterInfo{Name: id.Name(), ARN: arn, Region: id.Region, Account: id.Account},
				Presence: presence(was, is), Reason: is.reason, OldFile: was.Name, NewFile: is.Name,
			}
			if c.Presence == diff.ReadNow {
				c.Reason = was.reason
			}
			c, err = diff.CompareCluster(c, was.Side, is.Side, o.results)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			into.Add(c)
			return nil
		})
	}
	return group.Wait()
}

// fleetSide is a cluster of one directory.
type fleetSide struct {
	diff.Side
	// planned is set where the directory has the cluster, reason where it was not read.
	planned bool
	reason  string
}

func presence(was, is fleetSide) diff.Presence {
	switch {
	case !was.planned && is.Report == nil, was.Report == nil && is.planned && is.Report == nil:
		return diff.NeverRead
	case !was.planned:
		return diff.OnlyInNew
	case !is.planned:
		return diff.OnlyInOld
	case is.Report == nil:
		return diff.NotReadNow
	case was.Report == nil:
		return diff.ReadNow
	default:
		return diff.InBoth
	}
}

// fleetSide loads and judges a cluster of a directory, which may not have it, and adds to a
// fleet what the rules about several clusters need of it.
func (o *diffOptions) fleetSide(ctx context.Context, d *fleet.Directory, dir string, e *fleet.Entry, across *together, to *fleetrules.Fleet) (fleetSide, error) {
	if e == nil {
		return fleetSide{}, nil
	}
	side := fleetSide{planned: true}
	facts, err := d.Load(ctx, *e)
	var notRead *fleet.NotReadError
	if errors.As(err, &notRead) {
		side.reason = notRead.Reason
		across.addUnread(to, *e, notRead.Reason)
		return side, nil
	}
	if err != nil {
		return side, err
	}
	side.Name, side.Facts = filepath.Join(dir, filepath.FromSlash(e.SnapshotFile())), facts
	v := view.New(facts)
	across.add(to, fleetrules.FactsOf(v, e.Group))
	side.Report, err = o.judge(v)
	return side, err
}

func (o *diffOptions) printFleet(d *diff.FleetDiff) error {
	switch o.output {
	case "table":
		s := newScreen(o.streams.Out, os.Getenv)
		return print.FleetDiff(o.streams.Out, d, print.TableOptions{
			Width: s.width, Color: s.colored(o.color), Symbols: s.terminal && s.unicode, ASCII: s.terminal && !s.unicode,
		})
	case "markdown":
		return print.FleetDiffMarkdown(o.streams.Out, d)
	}
	printer, err := o.jsonYAML.ToPrinter(o.output)
	if err != nil {
		return err
	}
	return printer.PrintObj(d, o.streams.Out)
}
