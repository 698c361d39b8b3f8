package finding

import (
	"cmp"
	"math"
	"slices"
)

// Weight returns the severity that a result counts with, and "" for a result that
// counts as no finding: one that passed, is unknown, does not apply, is excepted or is
// in the baseline. A result that depends counts as a warning. A failure whose exception
// has expired counts as an error. Exit codes, summaries and every format use it.
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
	}
	under := Under(r.Results)
	below := map[int][]Result{}
	for i, u := range under {
		if u >= 0 {
			below[u] = append(below[u], r.Results[i])
		}
	}
	var order []int // of results without a cause
	if r.WhyNotJoining {
		for i, u := range under {
			if u < 0 {
				order = append(order, i)
			}
		}
	} else {
		order = bySubject(r.Results, under)
	}
	list := make([]Result, 0, len(r.Results))
	for _, i := range order {
		list = append(append(list, r.Results[i]), below[i]...)
	}
	r.Results = list
}

// bySubject returns the indexes of the results without a cause, of results that
// are in Order: first the findings, by subject. A subject has the place of the first
// finding about it or below one about it.
func bySubject(results []Result, under []int) []int {
	var subjects []Subject
	blocks := map[Subject][]int{}
	var rest []int
	for i, r := range results {
		root := i
		if under[i] >= 0 {
			root = under[i]
		} else if r.Weight() == "" {
			rest = append(rest, i)
			continue
		}
		subject := results[root].Block()
		if blocks[subject] == nil {
			subjects = append(subjects, subject)
			blocks[subject] = []int{}
		}
		if root == i {
			blocks[subject] = append(blocks[subject], i)
		}
	}
	order := make([]int, 0, len(results))
	for _, subject := range subjects {
		order = append(order, byCommand(results, blocks[subject])...)
	}
	return append(order, rest...)
}

// Block is the subject that a finding is listed with: its own, or aws-node for whatever
// identity of aws-node it is about.
func (r Result) Block() Subject {
	if r.Subject.Kind == SubjectAWSNode {
		return Subject{Kind: SubjectAWSNode}
	}
	return r.Subject
}

// byCommand puts the indexes of results with the same advice together, where the first of
// them is.
func byCommand(results []Result, block []int) []int {
	order := make([]int, 0, len(block))
	for k, i := range block {
		if slices.Contains(order, i) {
			continue
		}
		order = append(order, i)
		for _, j := range block[k+1:] {
			if len(results[i].Next) > 0 && slices.EqualFunc(results[i].Next, results[j].Next, Next.Equal) {
				order = append(order, j)
			}
		}
	}
	return order
}
