package iampolicy

import (
	"math/big"
	"slices"
	"time"
)

// maxCases bounds the assignments that refine tries.
const maxCases = 4096

// refine turns an undecided verdict into a decision where every value that the
// unknown keys can have gives the same answer: where one statement asks that a
// key equals a value and another that it does not, the key does not matter.
func (s *Set) refine(r *Request, v verdict) Decision {
	if v.result != maybe {
		return decision(v.result)
	}
	keys, ok := s.unknownKeys(r)
	if !ok || len(keys) == 0 {
		return Depends
	}
	cases := 1
	for _, k := range keys {
		if cases *= len(k.cases); cases > maxCases {
			return Depends
		}
	}
	return decision(s.split(r, r.Context, keys))
}

// split evaluates every assignment of the keys and returns what they agree on.
func (s *Set) split(r *Request, ctx *Context, keys []openKey) ternary {
	if len(keys) == 0 {
		e := s.newEvaluation(r)
		e.ctx = ctx
		return e.decide().result
	}
	agreed := maybe
	for i, values := range keys[0].cases {
		t := s.split(r, ctx.with(keys[0].name, values), keys[1:])
		if t == maybe || i > 0 && t != agreed {
			return maybe
		}
		agreed = t
	}
	return agreed
}

// openKey is an unknown key with one assignment for every way in which the
// conditions on it can come out. A nil assignment is the key's absence.
type openKey struct {
	name  string
	cases [][]string
}

// unknownKeys returns the keys that undecided statements hang on. ok is false
// where something else than comparisons with fixed values is undecided.
func (s *Set) unknownKeys(r *Request) (keys []openKey, ok bool) {
	e := s.newEvaluation(r)
	ok = true
	e.unread(func(*Policy) { ok = false })
	byName := map[string][]*compiledCondition{}
	var names []string
	e.each(func(m match) {
		if m.applies != maybe {
			return
		}
		if m.statement.matchesResource(e.ctx, e.target) == maybe || m.layer == LayerResource && e.namedIn(m.statement).any() == maybe {
			ok = false
		}
		for i := range m.statement.Conditions {
			c := &m.statement.Conditions[i].compiled
			if _, presence := e.ctx.lookup(c.key); presence != unknownKey && presence != unknownValue {
				ok = ok && m.statement.Conditions[i].eval(e.ctx) != maybe // an unknown variable
				continue
			}
			if byName[c.key] == nil {
				names = append(names, c.key)
			}
			byName[c.key] = append(byName[c.key], c)
		}
	})
	if !ok {
		return nil, false
	}
	for _, name := range names {
		cases, fixed := casesOf(byName[name])
		if !fixed {
			return nil, false
		}
		if _, presence := e.ctx.lookup(name); presence == unknownValue {
			cases = cases[1:] // it is not absent
		}
		keys = append(keys, openKey{name, cases})
	}
	return keys, true
}

// casesOf returns an assignment for every outcome that the conditions on one key
// can have together: its absence, each named value, and values between and
// beside them. ok is false where the conditions cannot be told apart so simply:
// sets, variables, and patterns that may overlap.
func casesOf(conditions []*compiledCondition) (cases [][]string, ok bool) {
	var texts []string
	var numbers []*big.Rat
	var instants []time.Time
	kinds := map[family]bool{}
	for _, c := range conditions {
		if c.set != plainOperator {
			return nil, false
		}
		if c.family == null {
			continue
		}
		kinds[c.family] = true
		for _, v := range c.values {
			switch c.family {
			case stringEquals, stringEqualsIgnoreCase, stringLike:
				if v.text.variables || slices.ContainsFunc(v.text.elements, func(e element) bool { return e < 0 }) {
					return nil, false
				}
				texts = append(texts, textOf(v.text.elements))
			case numeric:
				if v.ok {
					numbers = append(numbers, v.number)
				}
			case date:
				if v.ok {
					instants = append(instants, v.instant)
				}
			case boolean:
				if v.text.variables {
					return nil, false
				}
			case binary, ipAddress, arnLike, null:
				return nil, false
			}
		}
	}
	strings := kinds[stringEquals] || kinds[stringLike] || kinds[stringEqualsIgnoreCase]
	if kinds[stringEqualsIgnoreCase] && (kinds[stringEquals] || kinds[stringLike]) || strings && len(kinds) > 1 && (kinds[numeric] || kinds[date] || kinds[boolean]) {
		return nil, false
	}
	if !strings && len(kinds) > 1 {
		return nil, false
	}
	// The absent key, an empty one, and one that is like nothing named.
	cases = [][]string{nil, {""}, {otherThan(texts)}}
	for _, t := range texts {
		cases = append(cases, []string{t})
	}
	for _, n := range around(numbers, (*big.Rat).Cmp, func(n *big.Rat, by int64) *big.Rat { return new(big.Rat).Add(n, big.NewRat(by, 1)) }, func(a, b *big.Rat) *big.Rat {
		return new(big.Rat).Quo(new(big.Rat).Add(a, b), big.NewRat(2, 1))
	}) {
		cases = append(cases, []string{n.FloatString(110)})
	}
	for _, t := range around(instants, time.Time.Compare, func(t time.Time, by int64) time.Time { return t.Add(time.Duration(by) * time.Hour) }, func(a, b time.Time) time.Time {
		return a.Add(b.Sub(a) / 2)
	}) {
		cases = append(cases, []string{t.UTC().Format(time.RFC3339Nano)})
	}
	if kinds[boolean] {
		cases = append(cases, []string{"true"}, []string{"false"})
	}
	return cases, true
}

// otherThan returns a text that is none of the named ones.
func otherThan(named []string) string {
	longest := 0
	for _, n := range named {
		longest = max(longest, len(n))
	}
	other := make([]byte, longest+1)
	for i := range other {
		other[i] = 'x'
	}
	return string(other)
}

// around returns the values, one below, one above, and one between each two.
func around[V any](values []V, compare func(a, b V) int, add func(V, int64) V, middle func(a, b V) V) []V {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, compare)
	out := []V{add(sorted[0], -1)}
	for i, v := range sorted {
		if i > 0 && compare(sorted[i-1], v) != 0 {
			out = append(out, middle(sorted[i-1], v))
		}
		out = append(out, v)
	}
	return append(out, add(sorted[len(sorted)-1], 1))
}
