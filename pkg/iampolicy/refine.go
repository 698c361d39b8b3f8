package iampolicy

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Limits of the case split. Beyond them the answer stays Depends.
const (
	maxCases  = 4096    // cases of one request
	maxEffort = 1 << 21 // cases times statements
	maxPoints = 256     // sorts of values of one key
	maxSet    = 8       // sorts of values of a key that may have several
)

// refine settles an open verdict where every case gives the same answer: where
// one statement asks that a key has a value and another that it has not, the key
// does not matter. Each field of what it returns is what all cases agree on.
//
// A case says of everything that is open whether it holds. There is one for
// every combination that may occur, and maybe more; so a verdict that holds in
// all of them is certain.
func (e *evaluation) refine(v verdict) verdict {
	if v.result != maybe {
		return v
	}
	var joined verdict
	first := true
	c := e.openCases(v)
	c.each(e, func(v verdict, _ map[any]ternary) bool {
		if first {
			joined, first = v, false
		} else {
			joined = joined.join(v)
		}
		return joined.result != maybe
	})
	if first {
		return v
	}
	return joined
}

// join returns what both agree on.
func (v verdict) join(w verdict) verdict {
	agreed := func(a, b ternary) ternary {
		if a == b {
			return a
		}
		return maybe
	}
	return verdict{
		result: agreed(v.result, w.result), deny: agreed(v.deny, w.deny), identity: agreed(v.identity, w.identity),
		boundary: agreed(v.boundary, w.boundary), scp: agreed(v.scp, w.scp), resource: agreed(v.resource, w.resource),
	}
}

// part is something open that a verdict may hang on.
type part struct {
	of         any // as in evaluation.given
	dependency Dependency
	effect     Effect
}

// group is parts that are decided together, each row in one way.
type group struct {
	parts []any
	rows  [][]ternary
}

// cases are all ways in which what is open can come out.
type cases struct {
	parts  []part
	groups []group
	// ok is false where there are too many.
	ok bool
}

// each visits the verdict of every case until visit returns false. The map is
// the visitor's until it returns.
func (c *cases) each(e *evaluation, visit func(verdict, map[any]ternary) bool) {
	if !c.ok {
		return
	}
	given := map[any]ternary{}
	one := *e
	one.given = given
	var assign func(groups []group) bool
	assign = func(groups []group) bool {
		if len(groups) == 0 {
			return visit(one.decide(), given)
		}
		for _, row := range groups[0].rows {
			for i, t := range row {
				given[groups[0].parts[i]] = t
			}
			if !assign(groups[1:]) {
				return false
			}
		}
		return true
	}
	assign(c.groups)
}

// openCases collects what is open, the Deny side first.
func (e *evaluation) openCases(v verdict) *cases {
	c := &cases{parts: e.openParts(v)}
	b := caseBuilder{e: e, keys: map[string]*keyCase{}, opaque: map[string]int{}}
	for _, p := range c.parts {
		b.add(p)
	}
	c.groups, c.ok = b.finish()
	total, statements := 1, 1
	e.each(func(match) { statements++ })
	for _, g := range c.groups {
		if total *= len(g.rows); total > maxCases || total*statements > maxEffort {
			c.ok = false
			break
		}
	}
	return c
}

// openParts lists what is open in statements that can still change the verdict.
func (e *evaluation) openParts(v verdict) []part {
	var parts []part
	seen := map[any]bool{}
	add := func(of any, effect Effect, d Dependency) {
		if !seen[of] {
			seen[of] = true
			parts = append(parts, part{of, d, effect})
		}
	}
	type level struct {
		layer Layer
		level int
	}
	settled := map[level]bool{}
	e.each(func(m match) {
		if m.statement.Effect == Allow && m.applies == yes && m.layer != LayerResource {
			settled[level{m.layer, m.level}] = true
		}
	})
	e.unread(func(p *Policy) {
		d := Dependency{Reason: p.Name + " could not be read"}
		add(unreadPolicy{p, Deny}, Deny, d)
		add(unreadPolicy{p, Allow}, Deny, d)
	})
	e.each(func(m match) {
		if m.applies != maybe || m.statement.Effect == Allow && (settled[level{m.layer, m.level}] || !v.needs(m.layer)) {
			return
		}
		s, ref := m.statement, m.reference()
		if m.layer == LayerResource && e.namedIn(s).any() == maybe {
			add(s, s.Effect, Dependency{Statement: ref, Reason: fmt.Sprintf("%s: whether its principal is the caller", ref)})
		}
		texts := slices.Concat(s.Resources, s.NotResources)
		for i := range s.compiled.resources {
			r := &s.compiled.resources[i]
			if e.matchesResource(s) == maybe && r.matches(e.ctx, e.target) == maybe {
				add(r, s.Effect, Dependency{Statement: ref, Resource: texts[i]})
			}
		}
		for i := range s.Conditions {
			if c := &s.Conditions[i]; c.eval(e.ctx) == maybe {
				add(c, s.Effect, Dependency{Statement: ref, Operator: c.Operator, Key: c.Key, Values: c.Values})
			}
		}
	})
	slices.SortStableFunc(parts, func(a, b part) int { return int(b.effect) - int(a.effect) })
	return parts
}

// caseBuilder sorts open parts into groups.
type caseBuilder struct {
	e     *evaluation
	order []string
	keys  map[string]*keyCase
	// opaque are the indexes of groups about which nothing is known but that
	// equal ones come out alike.
	opaque  map[string]int
	groups  []group
	entries []*resource // that match part of what is asked for
}

func (b *caseBuilder) add(p part) {
	switch of := p.of.(type) {
	case *Condition:
		b.addCondition(of)
	case *resource:
		if _, known := of.template.expand(b.e.ctx); known == yes {
			b.entries = append(b.entries, of)
			return
		}
		b.addOpaque(of, "resource "+p.dependency.Resource, false)
	case *Statement:
		b.addOpaque(of, fmt.Sprintf("principal %v %v", of.Principals, of.NotPrincipals), false)
	case unreadPolicy:
		b.addOpaque(of, fmt.Sprintf("policy %p %v", of.policy, of.effect), false)
	}
}

// addCondition puts a condition with the others on its key. One with a variable
// whose value is not known stands for itself.
func (b *caseBuilder) addCondition(c *Condition) {
	cc := &c.compiled
	_, presence := b.e.ctx.lookup(cc.key)
	open := presence == presentKey
	for i := range cc.values {
		if _, known := cc.values[i].text.expand(b.e.ctx); known == maybe {
			open = true
		}
	}
	if !open {
		k := b.keys[cc.key]
		if k == nil {
			k = &keyCase{ctx: b.e.ctx, present: presence == unknownValue}
			b.keys[cc.key] = k
			b.order = append(b.order, cc.key)
		}
		k.conditions = append(k.conditions, c)
		return
	}
	opposite := cc.negated && cc.set == plainOperator && !cc.ifExists
	name := fmt.Sprintf("condition %s %d %d %v %v %q", cc.key, cc.set, cc.family, cc.order, cc.ifExists, c.Values)
	if cc.negated && !opposite {
		name = "not " + name
	}
	b.addOpaque(c, name, opposite)
}

func (b *caseBuilder) addOpaque(of any, name string, opposite bool) {
	i, ok := b.opaque[name]
	if !ok {
		i = len(b.groups)
		b.opaque[name] = i
		b.groups = append(b.groups, group{rows: [][]ternary{nil, nil}})
	}
	g := &b.groups[i]
	g.parts = append(g.parts, of)
	g.rows[0] = append(g.rows[0], truth(opposite))
	g.rows[1] = append(g.rows[1], truth(!opposite))
}

func (b *caseBuilder) finish() ([]group, bool) {
	for _, key := range b.order {
		g, ok := b.keys[key].group()
		if !ok {
			return nil, false
		}
		b.groups = append(b.groups, g)
	}
	if len(b.entries) > 0 {
		g, ok := b.resourceGroup()
		if !ok {
			return nil, false
		}
		b.groups = append(b.groups, g)
	}
	return b.groups, true
}

// resourceGroup has a row for every set of patterns that one of the resources
// that are asked about may match.
func (b *caseBuilder) resourceGroup() (group, bool) {
	var g group
	var sorts glossary
	var class []int
	for _, r := range b.entries {
		elements, _ := r.template.expand(b.e.ctx)
		if r.template.variables {
			elements = scoped(elements, true)
		} else {
			elements = r.pattern.elements
		}
		g.parts = append(g.parts, r)
		class = append(class, sorts.add(sortOfValue{name: fmt.Sprint(elements), elements: elements}))
	}
	points, ok := sorts.combinations()
	for _, p := range points {
		row := make([]ternary, len(class))
		for i, c := range class {
			row[i] = truth(p.holds[c])
		}
		g.rows = append(g.rows, row)
	}
	return g, ok
}

// keyCase is the open conditions on one key.
type keyCase struct {
	ctx        facts
	present    bool // the key is not absent
	conditions []*Condition
	class      map[*conditionValue]int
}

// sortOfValue is a comparison that a value passes or not.
type sortOfValue struct {
	name string
	// elements is set for patterns.
	elements []element
	// exact: passed by named values alone, which are tried each.
	exact bool
	// never: passed by none.
	never bool
	test  func(value string) bool
}

// glossary is distinct comparisons.
type glossary []sortOfValue

func (g *glossary) add(s sortOfValue) int {
	if i := slices.IndexFunc(*g, func(t sortOfValue) bool { return t.name == s.name }); i >= 0 {
		return i
	}
	*g = append(*g, s)
	return len(*g) - 1
}

// point is a sort of values: those that pass just these comparisons.
type point struct {
	holds []bool
	// empty is the empty text, which is a null data set.
	empty bool
}

// combinations returns the sets of comparisons that one value may pass. Values
// that pass exact comparisons are left out.
func (g glossary) combinations() ([]point, bool) {
	var points []point
	holds := make([]bool, len(g))
	fits := func(i int) bool {
		for j := range i {
			if p, q := g[i], g[j]; p.elements != nil && q.elements != nil && !compatible(p.elements, holds[i], q.elements, holds[j]) {
				return false
			}
		}
		return true
	}
	var assign func(i int) bool
	assign = func(i int) bool {
		if i == len(g) {
			points = append(points, point{holds: slices.Clone(holds)})
			return len(points) <= maxPoints
		}
		everything := g[i].elements != nil && newPattern(g[i].elements).form == formAll
		for _, t := range []bool{false, true} {
			if holds[i] = t; t && (g[i].exact || g[i].never) || !t && everything || !fits(i) {
				continue
			}
			if !assign(i + 1) {
				return false
			}
		}
		return true
	}
	ok := assign(0)
	return points, ok
}

// compatible reports whether some text matches p as given, and q as given.
func compatible(p []element, inP bool, q []element, inQ bool) bool {
	pp, qq := newPattern(p), newPattern(q)
	switch {
	case inP && inQ:
		return overlaps(p, q)
	case inP:
		return !qq.covers(p)
	case inQ:
		return !pp.covers(q)
	default:
		return true
	}
}

// group returns a row for every way in which the conditions can come out.
func (k *keyCase) group() (group, bool) {
	g := group{}
	for _, c := range k.conditions {
		g.parts = append(g.parts, c)
	}
	points, ok := k.points()
	if !ok {
		return g, false
	}
	sets := slices.ContainsFunc(k.conditions, func(c *Condition) bool { return c.compiled.set != plainOperator })
	if sets && len(points) > maxSet {
		return g, false
	}
	seen := map[string]bool{}
	add := func(values []point, several bool) {
		row := make([]ternary, len(k.conditions))
		for i, c := range k.conditions {
			row[i] = k.comesOut(&c.compiled, values, several)
		}
		if name := string(row); !seen[name] {
			seen[name] = true
			g.rows = append(g.rows, row)
		}
	}
	if !k.present {
		add(nil, false)
	}
	for _, p := range points {
		add([]point{p}, false)
	}
	if !sets {
		return g, true
	}
	for chosen := 1; chosen < 1<<len(points); chosen++ {
		var values []point
		for i, p := range points {
			if chosen>>i&1 == 1 {
				values = append(values, p)
			}
		}
		add(values, true)
	}
	return g, true
}

// comesOut decides a condition for a key with these sorts of values; none is its
// absence. several says that there are more values than one.
func (k *keyCase) comesOut(cc *compiledCondition, values []point, several bool) ternary {
	empty := len(values) == 1 && values[0].empty && !several
	switch {
	case cc.family == null:
		isNull := len(values) == 0 || empty
		return truth(slices.ContainsFunc(cc.values, func(v conditionValue) bool { return v.ok && v.flag == isNull }))
	case len(cc.values) == 0 && len(values) == 0:
		return cc.evalEmpty(absentKey)
	case len(cc.values) == 0:
		return cc.evalEmpty(presentKey)
	case len(values) == 0:
		return cc.evalAbsent()
	case cc.set == forAllValues && empty:
		return yes
	case cc.set == plainOperator && several:
		return no
	}
	all, some := yes, no
	for _, p := range values {
		one := no
		for i := range cc.values {
			one = or(one, truth(p.holds[k.class[&cc.values[i]]]))
		}
		if cc.negated {
			one = not(one)
		}
		all, some = and(all, one), or(some, one)
	}
	if cc.set == forAnyValue {
		return some
	}
	return all
}

// points returns the sorts of values that the conditions tell apart.
func (k *keyCase) points() ([]point, bool) {
	var sorts glossary
	var samples sampler
	k.class = map[*conditionValue]int{}
	patterns := false
	for _, c := range k.conditions {
		cc := &c.compiled
		for i := range cc.values {
			v := &cc.values[i]
			if cc.family == null {
				continue
			}
			s := sortOfValue{
				name: fmt.Sprintf("%d %v %q", cc.family, cc.order, c.Values[i]),
				test: func(value string) bool { return cc.matches(v, k.ctx, value) == yes },
			}
			elements, known := v.text.expand(k.ctx)
			switch cc.family {
			case stringLike:
				s.elements, s.never = elements, known == no
			case arnLike:
				s.elements = scoped(slices.Clone(elements), false)
				_, isARN := splitARN(textOf(elements))
				s.never = known == no || !isARN
			case stringEquals:
				s.exact = true
			default:
			}
			if s.elements != nil {
				if p := newPattern(s.elements); p.form == formLiteral {
					s.exact = true
				} else {
					patterns = true
				}
			}
			samples.add(cc.family, v, elements)
			k.class[v] = sorts.add(s)
		}
	}
	values, ok := samples.values()
	if !ok {
		return nil, false
	}
	var points []point
	seen := map[string]bool{}
	add := func(p point) {
		if name := fmt.Sprint(p); !seen[name] {
			seen[name] = true
			points = append(points, p)
		}
	}
	for _, value := range values {
		p := point{empty: value == ""}
		for _, s := range sorts {
			p.holds = append(p.holds, s.test(value))
		}
		add(p)
	}
	if patterns {
		more, ok := sorts.combinations()
		if !ok {
			return nil, false
		}
		for _, p := range more {
			add(p)
		}
	}
	return points, len(points) <= maxPoints
}

// sampler gathers values: what conditions name, and what lies between and beside
// it. All the values that they tell apart are among them, but for patterns.
type sampler struct {
	texts     []string
	numbers   []*big.Rat
	instants  []time.Time
	addresses []netip.Addr
	booleans  bool
	families  [null + 1]bool
}

func (s *sampler) add(f family, v *conditionValue, elements []element) {
	s.families[f] = true
	switch f {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		// Wildcards taken for text make a value too many, which does no harm.
		s.texts = append(s.texts, strings.ToValidUTF8(textOf(elements), ""))
	case numeric:
		if v.ok {
			s.numbers = append(s.numbers, v.number)
		}
	case date:
		if v.ok {
			s.instants = append(s.instants, v.instant)
		}
	case boolean:
		s.booleans = true
		s.texts = append(s.texts, textOf(elements))
	case binary:
		s.texts = append(s.texts, textOf(elements))
	default: // ipAddress; Null compares no values
		if v.ok {
			first := v.network.Masked().Addr()
			last := lastAddr(v.network)
			s.addresses = append(s.addresses, first.Prev(), first, last, last.Next())
		}
	}
}

// values returns the samples. ok is false where the conditions read the same
// text in several ways, or a sample cannot be written down.
func (s *sampler) values() (values []string, ok bool) {
	ways := 0
	for _, f := range []family{numeric, date, boolean, binary, ipAddress} {
		if s.families[f] {
			ways++
		}
	}
	if ways > 1 || s.families[binary] {
		return nil, false
	}
	ok = true
	values = append(values, "", otherThan(s.texts))
	for _, t := range s.texts {
		values = append(values, t, strings.ToUpper(t), strings.ToLower(t), flipFirst(t))
	}
	if s.booleans {
		values = append(values, "true", "false", "TRUE", "FALSE", "True", "False")
	}
	if len(s.numbers) > 0 {
		for _, n := range around(s.numbers, (*big.Rat).Cmp, addNumber, middleNumber) {
			digits, _ := n.FloatPrec()
			text := n.FloatString(digits)
			_, written := parseNumber(text)
			ok = ok && written
			values = append(values, text, "+"+text)
		}
	}
	if len(s.instants) > 0 {
		for _, t := range around(s.instants, time.Time.Compare, addHours, middleTime) {
			text := t.UTC().Format(time.RFC3339Nano)
			_, written := parseDate(text)
			ok = ok && written
			values = append(values, text, strings.Replace(text, "Z", "+00:00", 1))
		}
	}
	if s.families[ipAddress] {
		for _, a := range append(s.addresses, netip.IPv4Unspecified(), netip.IPv6Unspecified()) {
			if a.IsValid() {
				values = append(values, a.String(), netip.PrefixFrom(a, a.BitLen()).String())
			}
		}
	}
	return values, ok
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// flipFirst changes the case of the first letter.
func flipFirst(s string) string {
	for i, r := range s {
		if unicode.IsLetter(r) {
			flipped := unicode.ToUpper(r)
			if flipped == r {
				flipped = unicode.ToLower(r)
			}
			return s[:i] + string(flipped) + s[i+len(string(r)):]
		}
	}
	return s
}

// otherThan returns a text that is none of the named ones.
func otherThan(named []string) string {
	longest := 0
	for _, n := range named {
		longest = max(longest, len(n))
	}
	return strings.Repeat("~", longest+1)
}

func addNumber(n *big.Rat, by int64) *big.Rat { return new(big.Rat).Add(n, big.NewRat(by, 1)) }

func middleNumber(a, b *big.Rat) *big.Rat {
	return new(big.Rat).Quo(new(big.Rat).Add(a, b), big.NewRat(2, 1))
}

func addHours(t time.Time, by int64) time.Time { return t.Add(time.Duration(by) * time.Hour) }
func middleTime(a, b time.Time) time.Time      { return a.Add(b.Sub(a) / 2) }

// around returns the values, one below, one above, and one between each two.
func around[V any](values []V, compare func(a, b V) int, add func(V, int64) V, middle func(a, b V) V) []V {
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
