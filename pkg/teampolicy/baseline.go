package teampolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// ParseBaseline reads a report that check -o json wrote. The name is used in errors,
// all of which are *FileError.
func ParseBaseline(name string, text []byte) (*finding.Report, error) {
	const next = "kubectl noderole check -o json writes one"
	if err := files.CheckDepth(text); err != nil {
		return nil, fromYAML(name, err)
	}
	r := &finding.Report{}
	if err := json.Unmarshal(text, r); err != nil {
		e := &FileError{File: name, Problem: "is not a report: " + err.Error(), Next: next}
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			e.Line, e.Column = lineColumn(text, syntax.Offset)
		case errors.As(err, &kind):
			e.Line, e.Column = lineColumn(text, kind.Offset)
		}
		return nil, e
	}
	group, version := path.Split(finding.APIVersion)
	if is, ours := strings.CutPrefix(r.APIVersion, group); ours && is != version && r.Kind == finding.ReportKind {
		return nil, &FileError{File: name, Problem: fmt.Sprintf("is a report of version %s, and this release reads %s", is, version), Next: next}
	}
	if r.APIVersion != finding.APIVersion || r.Kind != finding.ReportKind {
		return nil, &FileError{File: name, Problem: fmt.Sprintf("apiVersion %q, kind %q is not a report of this program", r.APIVersion, r.Kind), Next: next}
	}
	return r, nil
}

// lineColumn is where a byte offset is, counted from 1.
func lineColumn(text []byte, offset int64) (line, column int) {
	before := string(text[:min(max(offset-1, 0), int64(len(text)))])
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
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
