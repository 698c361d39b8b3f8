package teampolicy

import (
	"errors"
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// ParseBaseline reads a report that check -o json wrote. The name is used in errors,
// all of which are *FileError.
func ParseBaseline(name string, text []byte) (*finding.Report, error) {
	const next = "kubectl noderole check -o json writes one"
	r := &finding.Report{}
	if err := files.Object(text, finding.APIVersion, finding.ReportKind, r, true); err != nil {
		e := &FileError{File: name, Problem: "is not a report: " + err.Error(), Next: next}
		var wrong *files.JSONError
		if errors.As(err, &wrong) {
			e.Line, e.Column, e.Problem = wrong.Line, wrong.Column, "is not a report: "+wrong.Problem
		}
		return nil, e
	}
	return r, nil
}

// ApplyBaseline marks as known what the baseline has too: the same rule with the same
// verdict on the same subject, at no lower severity. Other evidence is no other
// failure. What an exception is about, in the baseline or now, is not known by the
// baseline: the exception has a day of its own. It is an error if the baseline is of
// another cluster.
func ApplyBaseline(r, baseline *finding.Report) error {
	if baseline.Cluster.ARN != r.Cluster.ARN {
		return fmt.Errorf("the baseline is of %s, not of %s", baseline.Cluster.ARN, r.Cluster.ARN)
	}
	type verdict struct {
		id      string
		status  finding.Status
		subject finding.Subject
	}
	known := map[verdict]int{}
	for _, old := range baseline.Results {
		if (old.Status == finding.Fail || old.Status == finding.Depends) && old.Exception == nil {
			v := verdict{old.ID, old.Status, old.Subject}
			known[v] = max(known[v], old.Severity.Rank())
		}
	}
	for i := range r.Results {
		res := &r.Results[i]
		rank, ok := known[verdict{res.ID, res.Status, res.Subject}]
		res.Known = ok && res.Severity.Rank() <= rank && res.Exception == nil
	}
	r.Recount()
	return nil
}
