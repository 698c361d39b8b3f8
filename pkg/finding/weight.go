package finding

import (
	"cmp"
	"math"
	"slices"
)

// Weight returns the severity that a result counts with, and "" for a result that
// counts as no finding: one that passed, is unknown, does not apply, is excepted or is
// in the baseline. A result that depends counts as a warning. A failure whose exception
// has expired counts as an error. Exit codes, summaries and every format go by it.
func (r Result) Weight() Severity {
	switch {
	case !r.Failed() || r.Excepted():
		return ""
	case r.Exception != nil:
		return Error
	case r.Status == Depends:
		return Warning
	default:
		return r.Severity
	}
}

// Failed reports whether the rule fails or depends, whether or not that counts.
func (r Result) Failed() bool { return r.Status == Fail || r.Status == Depends }

// Order compares two results: by Weight, what counts most first; a failure before a
// result that depends; then what is unknown, what is excepted or known, what passed,
// and what does not apply; among equals in the order in which a starting node meets them,
// and then by id and subject. See Report.Sort.
func Order(a, b Result) int {
	return cmp.Or(
		cmp.Compare(place(a), place(b)),
		cmp.Compare(joining(a), joining(b)),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Subject.Name, b.Subject.Name),
		cmp.Compare(a.Subject.ARN, b.Subject.ARN),
	)
}

// place is the place of a result's kind in Order.
func place(r Result) int {
	switch {
	case r.Weight() == Error:
		return 0
	case r.Weight() == Warning && r.Status == Fail:
		return 1
	case r.Weight() == Warning:
		return 2
	case r.Weight() == Info:
		return 3
	case r.Status == Unknown:
		return 4
	case r.Failed():
		return 5
	case r.Status == Pass:
		return 6
	case r.Status == NotApplicable:
		return 7
	default:
		return 8
	}
}

// joining is the place of a result in Order among those that count alike: what keeps no
// node from joining comes last.
func joining(r Result) int {
	if r.Joining == 0 {
		return math.MaxInt
	}
	return r.Joining
}

// Sort puts the results of a report in the order in which every format lists them:
// findings first, those of one subject together, the subject with the first result by
// Order first, and in it what one command repairs together; then the other results by
// Order. What is shown under its cause comes right behind it. A report of what keeps nodes
// from joining keeps the order in which a node meets the results.
func (r *Report) Sort() {
	if !r.WhyNotJoining {
		slices.SortStableFunc(r.Results, Order)
		r.Results = bySubject(r.Results)
	}
	r.Results = behindCauses(r.Results)
}

// bySubject groups the findings of results that are in Order.
func bySubject(results []Result) []Result {
	type block struct{ results []Result }
	var blocks []*block
	at := map[Subject]*block{}
	under := Under(results)
	var rest []Result
	for i, r := range results {
		if r.Weight() == "" {
			rest = append(rest, r)
			continue
		}
		subject := r.Block()
		if under[i] >= 0 { // it moves behind its cause
			subject = results[under[i]].Block()
		}
		if at[subject] == nil {
			at[subject] = &block{}
			blocks = append(blocks, at[subject])
		}
		at[subject].results = append(at[subject].results, r)
	}
	list := make([]Result, 0, len(results))
	for _, b := range blocks {
		list = append(list, byCommand(b.results)...)
	}
	return append(list, rest...)
}

// Block is the subject that a finding is listed with: its own, or aws-node for whatever
// identity of aws-node it is about.
func (r Result) Block() Subject {
	if r.Subject.Kind == SubjectAWSNode {
		return Subject{Kind: SubjectAWSNode}
	}
	return r.Subject
}

// byCommand puts results with the same advice together, where the first of them is.
func byCommand(results []Result) []Result {
	list := make([]Result, 0, len(results))
	listed := make([]bool, len(results))
	for i, r := range results {
		for j := i; j < len(results); j++ {
			same := j == i || len(r.Next) > 0 && slices.EqualFunc(r.Next, results[j].Next, Next.Equal)
			if same && !listed[j] {
				list, listed[j] = append(list, results[j]), true
			}
		}
	}
	return list
}
