package finding

import (
	"cmp"
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
// and what does not apply; and among equals by id and subject. Every format lists
// results in this order; see Report.Sort.
func Order(a, b Result) int {
	return cmp.Or(
		cmp.Compare(place(a), place(b)),
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

// Sort puts the results of a report in Order, and what is shown under its cause right
// behind it. A report of what keeps nodes from joining keeps the order in which a node
// meets the results.
func (r *Report) Sort() {
	if !r.WhyNotJoining {
		slices.SortStableFunc(r.Results, Order)
	}
	r.Results = behindCauses(r.Results)
}
