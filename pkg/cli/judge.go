package cli

import (
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// judge turns the facts of a cluster into its report, by the rules and the team's
// decisions. It reads nothing, so that it may judge any number of clusters.
type judge struct {
	rules rules.Options
	team  *teamOptions
	// now is when the team's exceptions are compared with their last day.
	now time.Time
	// unused is set where an exception that no result needs is worth a warning.
	unused bool
	// advise says what to do next about the results.
	advise func(*view.View, *finding.Report)
}

// newJudge returns the judge of this run.
func (o *checkOptions) newJudge() judge {
	j := judge{rules: rules.Options{CNIVersion: o.cniVersion, WhyNotJoining: o.whyNotJoining}, team: &o.team, now: time.Now(), unused: !o.whyNotJoining, advise: planner.Advise}
	if o.source.code.given() {
		j.advise = func(_ *view.View, r *finding.Report) { o.source.code.advise(r) }
	}
	j.rules.Severities, j.rules.Off = o.team.policy.Overrides()
	return j
}

// report returns the report of a cluster, with what to do next. What the earlier facts of
// the cluster show too, nil for none, is known. around completes its commands. It returns an
// error where the baseline is that of another cluster.
func (j judge) report(v, earlier *view.View, around scope) (*finding.Report, error) {
	report := rules.Judge(v, j.rules)
	if err := j.team.apply(report, j.now, j.unused); err != nil {
		return nil, err
	}
	if earlier != nil {
		running := j.rules
		running.CNIVersion = "" // they are judged as they were
		baseline := rules.Judge(earlier, running)
		if err := j.team.apply(baseline, j.now, false); err != nil {
			return nil, err
		}
		if err := teampolicy.ApplyBaseline(report, baseline); err != nil {
			return nil, err
		}
	}
	j.advise(v, report)
	report.Facts.JudgedBy = toolName()
	report.MapCommands(around.complete)
	return report, nil
}
