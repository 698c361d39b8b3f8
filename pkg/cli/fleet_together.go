package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleet"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/fleetrules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// together is what the rules about several clusters need: of the clusters that are checked
// and, for --baseline, of the earlier ones. Its methods may be used concurrently.
type together struct {
	mu           sync.Mutex
	now, earlier fleetrules.Fleet
}

// newTogether returns what the plans of a directory say.
func newTogether(d *fleet.Directory) *together {
	t := &together{}
	addPlans(&t.now, d)
	return t
}

// addPlans adds what the plans of a directory say before any cluster is read.
func addPlans(f *fleetrules.Fleet, d *fleet.Directory) {
	for _, u := range d.Unread {
		f.AddUnread(fleetrules.Unread{Name: u.String(), Account: u.Account, Region: u.Region, Reason: u.Error})
	}
	for _, p := range d.Plans {
		for account, regions := range p.Empty {
			for _, region := range regions {
				f.AddEmpty(account, region)
			}
		}
	}
}

func (t *together) add(to *fleetrules.Fleet, facts fleetrules.Facts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to.Add(facts)
}

// addUnread adds a cluster that was not read.
func (t *together) addUnread(to *fleetrules.Fleet, e fleet.Entry, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := e.Identity()
	to.AddUnread(fleetrules.Unread{Name: id.Name(), ARN: e.ARN, Account: id.Account, Region: id.Region, Group: e.Group, Reason: reason})
}

// earlierView returns the facts of a cluster in the directory of --baseline; nil where it
// has none.
func (o *checkOptions) earlierView(ctx context.Context, arn string, across *together) (*view.View, error) {
	if o.earlier == nil {
		return nil, nil //nolint:nilnil // no baseline is no error
	}
	i := slices.IndexFunc(o.earlier.Entries, func(e fleet.Entry) bool { return e.ARN == arn })
	if i < 0 {
		return nil, nil //nolint:nilnil // a new cluster
	}
	e := o.earlier.Entries[i]
	facts, err := o.earlier.Load(ctx, e)
	var unread *fleet.NotReadError
	if errors.As(err, &unread) {
		across.addUnread(&across.earlier, e, unread.Reason)
		return nil, nil //nolint:nilnil // what was not read has no known findings
	}
	if err != nil {
		return nil, err
	}
	v := view.New(facts)
	across.add(&across.earlier, fleetrules.FactsOf(v, e.Group))
	return v, nil
}

// earlierOnly are the clusters of the directory of --baseline that another directory does not
// have.
func (o *checkOptions) earlierOnly(d *fleet.Directory) []fleet.Entry {
	if o.earlier == nil {
		return nil
	}
	now := map[string]bool{}
	for _, e := range d.Entries {
		now[e.ARN] = true
	}
	return slices.DeleteFunc(slices.Clone(o.earlier.Entries), func(e fleet.Entry) bool { return now[e.ARN] })
}

// judgeTogether adds to the report what the rules about several clusters say.
func (o *checkOptions) judgeTogether(across *together, d *fleet.Directory, into *finding.FleetReport) error {
	if o.whyNotJoining {
		return nil // none of them keeps nodes from joining
	}
	j := o.newJudge()
	options := fleetrules.Options{Severities: j.rules.Severities, Off: j.rules.Off, Complete: o.completeOn(d)}
	into.FleetResults = fleetrules.Judge(&across.now, options)
	judged := into.Across()
	if err := o.team.apply(judged, j.now, false); err != nil {
		return err
	}
	if o.earlier != nil {
		addPlans(&across.earlier, o.earlier)
		known := (&finding.FleetReport{FleetResults: fleetrules.Judge(&across.earlier, options)}).Across()
		if err := cmp.Or(o.team.apply(known, j.now, false), teampolicy.ApplyBaseline(judged, known)); err != nil {
			return err
		}
	}
	o.choose(judged)
	into.FleetResults = judged.Results
	return nil
}

// completeOn returns what completes a command so that it acts on a cluster of a directory.
func (o *checkOptions) completeOn(d *fleet.Directory) func(arn string, c command.Command) command.Command {
	targets := map[string]fleet.Target{}
	for _, e := range d.Entries {
		targets[e.ARN] = e.Target
	}
	return func(arn string, c command.Command) command.Command {
		t, ok := targets[arn]
		if !ok {
			return c
		}
		return o.scopeOf(t).complete(c)
	}
}
