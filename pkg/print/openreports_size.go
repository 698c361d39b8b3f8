package print

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The limits of a ClusterReport. etcd refuses requests of more than 1.5 MiB, and the API
// server adds what it manages to an object.
// Source: https://etcd.io/docs/v3.6/dev-guide/limit/
const (
	maxClusterReport = 1 << 20
	// foldedResources are named where several findings are one result, whose message has at
	// most foldedMessage bytes.
	foldedResources = 100
	foldedMessage   = 1000
)

// fit shortens a report that is too large for one object, by what is missed least first. The
// summary still counts every result, and an annotation says what was shortened.
func (r *clusterReport) fit() error {
	var done []string
	for _, step := range []struct {
		words   string
		shorten func()
	}{
		{"what passed or does not apply is one result for each rule", func() { r.fold(undisputed) }},
		{"findings have no evidence", r.dropDetails},
		{"the findings of a rule are one result", func() { r.fold(func(clusterReportResult) bool { return true }) }},
	} {
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write the ClusterReport: %w", err)
		}
		if len(text) <= maxClusterReport {
			return nil
		}
		step.shorten()
		done = append(done, step.words)
		r.Metadata.Annotations["noderole.dev/shortened"] = "The whole report is too large for an object: " + strings.Join(done, "; ") + "; check -o json has all of it"
	}
	return nil
}

// undisputed reports whether a result passed or does not apply.
func undisputed(r clusterReportResult) bool {
	status := r.Properties["status"]
	return status == string(finding.Pass) || status == string(finding.NotApplicable)
}

// dropDetails removes the properties of findings that are long.
func (r *clusterReport) dropDetails() {
	for i := range r.Results {
		for _, name := range []string{"evidence", "impact", "next", "explains"} {
			delete(r.Results[i].Properties, name)
		}
	}
}

// fold makes one result of all results of a rule that are alike and that a function chooses.
// It is where the first of them was.
func (r *clusterReport) fold(chosen func(clusterReportResult) bool) {
	type kind struct {
		policy, rule, severity, result, status string
	}
	at := map[kind]int{}
	count := map[kind]int{}
	var folded []clusterReportResult
	for _, res := range r.Results {
		if !chosen(res) {
			folded = append(folded, res)
			continue
		}
		k := kind{res.Policy, res.Rule, res.Severity, res.Result, res.Properties["status"]}
		count[k]++
		i, ok := at[k]
		if !ok {
			at[k] = len(folded)
			folded = append(folded, res)
			continue
		}
		first := &folded[i]
		if len(first.Resources) < foldedResources {
			first.Resources = append(first.Resources, res.Resources...)
		}
	}
	for k, i := range at {
		if n := count[k]; n > 1 {
			folded[i].foldWords(n)
		}
	}
	r.Results = folded
}

// foldWords gives a result that replaces n results its message and properties.
func (r *clusterReportResult) foldWords(n int) {
	switch r.Properties["status"] {
	case string(finding.Pass):
		r.Message, r.Resources = text.Count(n, "result")+" passed", nil
	case string(finding.NotApplicable):
		r.Message, r.Resources = "the rule does not apply to "+text.Count(n, "subject"), nil
	default:
		r.Message = fmt.Sprintf("%s, and %s of this rule", clip(r.Message, foldedMessage), text.Count(n-1, "more result"))
	}
	delete(r.Properties, "arn")
	delete(r.Properties, "causes")
}
