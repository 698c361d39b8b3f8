package iampolicy

import (
	"math/bits"
	"slices"
)

// maxSearch is the number of parts up to which the smallest set is searched. Of
// more parts, those that are not needed are left out one by one.
const maxSearch = 12

// needed returns the indexes of the smallest set of parts that decides the
// verdict: two cases that assume the same of them have the same answer. Where there
// are too many cases, it returns all parts, equal ones once.
func (c *cases) needed(e *evaluation) []int {
	columns, rows := c.table(e)
	if rows == nil {
		return c.distinct()
	}
	decides := func(chosen uint64) bool {
		var mask uint64
		for i, column := range columns {
			if chosen>>i&1 == 1 {
				mask |= column.mask
			}
		}
		answers := map[uint64]ternary{}
		for _, r := range rows {
			answer, seen := answers[r.holds&mask]
			if seen && answer != r.answer {
				return false
			}
			answers[r.holds&mask] = r.answer
		}
		return true
	}
	chosen := uint64(1)<<len(columns) - 1
	if len(columns) <= maxSearch {
		chosen = smallest(len(columns), decides)
	} else {
		for i := len(columns) - 1; i >= 0; i-- {
			if without := chosen &^ (1 << i); decides(without) {
				chosen = without
			}
		}
	}
	var parts []int
	for i, column := range columns {
		if chosen>>i&1 == 1 {
			parts = append(parts, column.part)
		}
	}
	return parts
}

// smallest returns the smallest subset of n that decides, among equally small ones
// the one with the first members. The whole set decides.
func smallest(n int, decides func(uint64) bool) uint64 {
	var sets []uint64
	for s := range uint64(1) << n {
		sets = append(sets, s)
	}
	slices.SortFunc(sets, func(a, b uint64) int {
		if d := bits.OnesCount64(a) - bits.OnesCount64(b); d != 0 {
			return d
		}
		// The lowest member in which they differ decides.
		if lowest := (a ^ b) & -(a ^ b); a&lowest != 0 {
			return -1
		}
		return 1
	})
	return sets[slices.IndexFunc(sets, decides)]
}

// column is a part, and its bits in a row. An unread policy has two.
type column struct {
	part int
	mask uint64
}

type row struct {
	holds  uint64 // a bit for each part
	answer ternary
}

// table returns every case as a row, and a column for each part that is not always
// assumed the same as one before it. No rows means that there are too many.
func (c *cases) table(e *evaluation) (columns []column, rows []row) {
	if len(c.parts) > 64 {
		return nil, nil
	}
	c.each(e, func(v verdict, assumed map[any]ternary) bool {
		r := row{answer: v.result}
		for i, p := range c.parts {
			if assumed[p.of] == yes {
				r.holds |= 1 << i
			}
		}
		rows = append(rows, r)
		return true
	})
	for i, p := range c.parts {
		if of, ok := p.of.(unreadPolicy); ok {
			if same := slices.IndexFunc(columns, func(o column) bool {
				other, ok := c.parts[o.part].of.(unreadPolicy)
				return ok && other.policy == of.policy
			}); same >= 0 {
				columns[same].mask |= 1 << i
				continue
			}
		} else if slices.ContainsFunc(columns, func(o column) bool { return alike(rows, o.part, i) }) {
			continue
		}
		columns = append(columns, column{part: i, mask: 1 << i})
	}
	return columns, rows
}

// alike reports whether every case assumes the same of two parts.
func alike(rows []row, i, j int) bool {
	return !slices.ContainsFunc(rows, func(r row) bool { return r.holds>>i&1 != r.holds>>j&1 })
}

// distinct returns the parts without those that equal one before.
func (c *cases) distinct() []int {
	var list []int
	for i, p := range c.parts {
		if !slices.ContainsFunc(list, func(j int) bool { return p.dependency.sameTerms(c.parts[j].dependency) }) {
			list = append(list, i)
		}
	}
	return list
}

func (d Dependency) sameTerms(o Dependency) bool {
	return d.Operator == o.Operator && d.Key == o.Key && d.Resource == o.Resource && d.Reason == o.Reason && slices.Equal(d.Values, o.Values)
}
