package iampolicy

import (
	"fmt"
	"slices"
)

// Limits of the case split. Beyond those of one key, its conditions are tried as if all
// combinations could occur; beyond the others the answer stays Depends.
const (
	maxCases   = 4096    // cases of one request
	maxEffort  = 1 << 21 // cases times statements
	maxClasses = 256     // classes of values of one key
	maxSet     = 10      // classes of values of a key that may have several
)

// tryCases settles an open verdict where every case gives the same answer: where
// one statement requires that a key has a value and another that it has not, the
// key does not matter. Each field of the result is what all cases agree on.
//
// A case assumes of everything that is open whether it holds. There is a case for
// every combination that can occur, and perhaps for some that cannot. A verdict that
// holds in all of them is therefore certain.
func (e *evaluation) tryCases(v verdict) verdict {
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
		session: agreed(v.session, w.session), boundary: agreed(v.boundary, w.boundary), scp: agreed(v.scp, w.scp),
		endpoint: agreed(v.endpoint, w.endpoint), resource: agreed(v.resource, w.resource),
	}
}

// openPart is something open that a verdict may depend on.
type openPart struct {
	of         any // as in evaluation.assumed
	dependency Dependency
	effect     Effect
}

// group is parts that are decided together. Each row is one way to decide them.
type group struct {
	parts []any
	rows  [][]ternary
}

// cases are all combinations of what can be assumed of the open parts.
type cases struct {
	parts  []openPart
	groups []group
	// ok is false where there are too many.
	ok bool
}

// each visits the verdict of every case until visit returns false. The map is
// valid until visit returns.
func (c *cases) each(e *evaluation, visit func(verdict, map[any]ternary) bool) {
	if !c.ok {
		return
	}
	assumed := map[any]ternary{}
	one := *e
	one.assumed = assumed
	var assign func(groups []group) bool
	assign = func(groups []group) bool {
		if len(groups) == 0 {
			return visit(one.decide(), assumed)
		}
		for _, row := range groups[0].rows {
			for i, t := range row {
				assumed[groups[0].parts[i]] = t
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
	b := caseBuilder{e: e, keys: map[string]*keyConditions{}, opaque: map[string]int{}}
	for _, p := range c.parts {
		b.add(p)
	}
	c.groups, c.ok = b.finish(), true
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
func (e *evaluation) openParts(v verdict) []openPart {
	var parts []openPart
	seen := map[any]bool{}
	add := func(of any, effect Effect, d Dependency) {
		if !seen[of] {
			seen[of] = true
			parts = append(parts, openPart{of, d, effect})
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
	e.unread(func(_ Layer, _ int, p *Policy, why string) {
		d := Dependency{Reason: why}
		add(unreadPolicy{p, Deny}, Deny, d)
		add(unreadPolicy{p, Allow}, Deny, d)
	})
	e.each(func(m match) {
		openNaming := m.naming.open() && m.applies != no
		if m.applies != maybe && !openNaming || m.statement.Effect == Allow && (settled[level{m.layer, m.level}] || !v.needs(m.layer)) {
			return
		}
		s, ref := m.statement, m.reference()
		if openNaming {
			add(s, s.Effect, Dependency{Statement: ref, Reason: namingReason(m)})
		}
		texts := slices.Concat(s.Resources, s.NotResources)
		for i := range s.compiled.resources {
			r := &s.compiled.resources[i]
			if e.matchesResource(s) == maybe && r.matches(&e.ctx, e.target) == maybe {
				add(r, s.Effect, Dependency{Statement: ref, Resource: texts[i], Reason: r.reason(&e.ctx)})
			}
		}
		for i := range s.Conditions {
			if c := &s.Conditions[i]; c.eval(&e.ctx) == maybe {
				add(c, s.Effect, Dependency{Statement: ref, Operator: c.Operator, Key: c.Key, Values: c.Values, Reason: c.reason(&e.ctx)})
			}
		}
	})
	slices.SortStableFunc(parts, func(a, b openPart) int { return int(b.effect) - int(a.effect) })
	return parts
}

// namingReason returns why it is open how a statement names the caller.
func namingReason(m match) string {
	if m.statement.NotPrincipals != nil && m.statement.Effect == Deny {
		return "a Deny with NotPrincipal may deny a principal unless its account, its role and its session are all listed"
	}
	if m.layer == LayerEndpoint {
		return "the policy of a gateway endpoint that names an account means its root user only, that of an interface endpoint the whole account"
	}
	if m.naming.any() == yes {
		return "AWS does not document whether a permissions boundary or a session policy limits an Allow with NotPrincipal"
	}
	return "whether its principal is the caller"
}

// reason returns why an entry is open, where AWS's documentation leaves it open.
func (r *resource) reason(ctx *facts) string {
	if _, known := r.template.expand(ctx); known != no {
		return ""
	}
	return fmt.Sprintf("the request has no value for %s, and AWS does not document what NotResource then excludes", r.template.unresolved(ctx))
}

// reason returns why a condition is open, where AWS's documentation leaves it open.
func (c *Condition) reason(ctx *facts) string {
	values, presence := ctx.lookup(c.compiled.key)
	switch {
	case c.compiled.hasShortARN(ctx):
		return "AWS does not document what an ARN pattern of fewer than six parts matches"
	case c.compiled.several && presence == presentKey && values.count() > 1:
		return "AWS does not document what an operator without ForAllValues or ForAnyValue does with several values"
	default:
		return ""
	}
}

// hasShortARN reports whether a value is an ARN pattern of fewer than six parts that
// may match.
func (cc *compiledCondition) hasShortARN(ctx *facts) bool {
	return cc.shortARNs && slices.ContainsFunc(cc.values, func(v conditionValue) bool {
		elements, known := v.text.expand(ctx)
		return known == yes && isShortARN(elements)
	})
}

// caseBuilder sorts open parts into groups.
type caseBuilder struct {
	e     *evaluation
	order []string
	keys  map[string]*keyConditions
	// opaque are the indexes of groups of which nothing is known except that equal
	// parts are decided alike.
	opaque  map[string]int
	groups  []group
	entries []openPart // resources that match part of what is asked for
}

func (b *caseBuilder) add(p openPart) {
	switch of := p.of.(type) {
	case *Condition:
		b.addCondition(of)
	case *resource:
		if _, known := of.template.expand(&b.e.ctx); known == yes {
			b.entries = append(b.entries, p)
			return
		}
		b.addOpaqueResource(p)
	case *Statement:
		b.addOpaque(of, fmt.Sprintf("principal %v %v", of.Principals, of.NotPrincipals), false)
	case unreadPolicy:
		b.addOpaque(of, fmt.Sprintf("policy %p %v", of.policy, of.effect), false)
	}
}

// addCondition puts a condition with the others on its key. One of which nothing
// can be derived from the key's values is a group of its own: the key's value is
// known, or a variable's is not, or AWS's documentation leaves the comparison open.
func (b *caseBuilder) addCondition(c *Condition) {
	cc := &c.compiled
	values, presence := b.e.ctx.lookup(cc.key)
	_, dated := b.e.ctx.dated(cc.key)
	opaque := presence == presentKey || dated || cc.hasShortARN(&b.e.ctx)
	for i := range cc.values {
		v := &cc.values[i]
		if _, known := v.text.expand(&b.e.ctx); known == maybe && !v.itself {
			opaque = true
		}
	}
	if !opaque {
		k := b.keys[cc.key]
		if k == nil {
			k = &keyConditions{ctx: &b.e.ctx, present: presence == unknownValue}
			if presence == optionalKey {
				k.only = values.list
			}
			b.keys[cc.key] = k
			b.order = append(b.order, cc.key)
		}
		k.conditions = append(k.conditions, c)
		return
	}
	b.addOpaqueCondition(c, presence == presentKey && values.count() > 1)
}

// addOpaqueCondition decides a condition on its own, with those that are equal or, of a
// key that has not several values, its opposite.
func (b *caseBuilder) addOpaqueCondition(c *Condition, several bool) {
	cc := &c.compiled
	opposite := cc.negated && cc.set == plainOperator && !cc.ifExists && !several
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

func (b *caseBuilder) addOpaqueResource(p openPart) {
	b.addOpaque(p.of, "resource "+p.dependency.Resource, false)
}

// finish returns the groups. Parts that have too many combinations are decided each on
// its own, as if all combinations could occur.
func (b *caseBuilder) finish() []group {
	for _, key := range b.order {
		if !b.addGroup(b.keys[key]) {
			b.addWithoutSets(b.keys[key])
		}
	}
	if len(b.entries) > 0 {
		if g, ok := b.resourceGroup(); ok {
			b.groups = append(b.groups, g)
			return b.groups
		}
		for _, p := range b.entries {
			b.addOpaqueResource(p)
		}
	}
	return b.groups
}

// addGroup decides the conditions on a key together. It returns false where they have
// too many combinations.
func (b *caseBuilder) addGroup(k *keyConditions) bool {
	g, ok := k.group()
	if ok {
		b.groups = append(b.groups, g)
	}
	return ok
}

// addWithoutSets decides the conditions with ForAllValues and ForAnyValue, which have
// the most combinations, each on its own; if that is not enough, the others too.
func (b *caseBuilder) addWithoutSets(k *keyConditions) {
	others := &keyConditions{ctx: k.ctx, present: k.present, several: true}
	for _, c := range k.conditions {
		if c.compiled.set == plainOperator {
			others.conditions = append(others.conditions, c)
		} else {
			b.addOpaqueCondition(c, true)
		}
	}
	if b.addGroup(others) {
		return
	}
	for _, c := range others.conditions {
		b.addOpaqueCondition(c, true)
	}
}

// resourceGroup has a row for every set of patterns that one of the resources
// that are asked about may match.
func (b *caseBuilder) resourceGroup() (group, bool) {
	var g group
	var list predicates
	var class []int
	for _, p := range b.entries {
		r := p.of.(*resource)
		elements, _ := r.template.expand(&b.e.ctx)
		if r.template.variables {
			elements = scoped(elements, true)
		} else {
			elements = r.pattern.elements
		}
		g.parts = append(g.parts, r)
		class = append(class, list.add(predicate{name: fmt.Sprint(elements), elements: elements}))
	}
	classes, ok := list.combinations()
	for _, p := range classes {
		row := make([]ternary, len(class))
		for i, c := range class {
			row[i] = truth(p.satisfies[c])
		}
		g.rows = append(g.rows, row)
	}
	return g, ok
}

// keyConditions are the open conditions on one key.
type keyConditions struct {
	ctx        *facts
	present    bool     // the key is not absent
	several    bool     // the key may have several values, also where no operator on sets says so
	only       []string // the value that the key has unless it is absent; nil where that is not known
	conditions []*Condition
	// predicate is the index of each value's predicate.
	predicate map[*conditionValue]int
}

// predicate is a comparison that a value satisfies or not.
type predicate struct {
	name string
	// elements is set for patterns, and not nil for the empty one.
	elements []element
	// exact: only values that the conditions name satisfy it, and each of these is
	// tried.
	exact bool
	// never: no value satisfies it; always: each does.
	never, always bool
	test          func(value string) bool
}

// predicates are distinct comparisons.
type predicates []predicate

// add returns the index of the predicate, which is added unless it is there.
func (l *predicates) add(p predicate) int {
	if i := slices.IndexFunc(*l, func(q predicate) bool { return q.name == p.name }); i >= 0 {
		return i
	}
	*l = append(*l, p)
	return len(*l) - 1
}

// valueClass is the values that satisfy the same predicates.
type valueClass struct {
	satisfies []bool // by predicate
	// empty is the class of the empty text, which is a null data set.
	empty bool
}

// combinations returns the classes that the patterns leave possible. Classes of
// values that satisfy exact predicates are left out.
func (l predicates) combinations() ([]valueClass, bool) {
	var classes []valueClass
	satisfies := make([]bool, len(l))
	possible := func(i int) bool {
		for j := range i {
			if p, q := l[i], l[j]; p.elements != nil && q.elements != nil && !compatible(p.elements, satisfies[i], q.elements, satisfies[j]) {
				return false
			}
		}
		return true
	}
	var assign func(i int) bool
	assign = func(i int) bool {
		if i == len(l) {
			classes = append(classes, valueClass{satisfies: slices.Clone(satisfies)})
			return len(classes) <= maxClasses
		}
		everything := l[i].always || l[i].elements != nil && newPattern(l[i].elements).form == formAll
		for _, t := range []bool{false, true} {
			if satisfies[i] = t; t && (l[i].exact || l[i].never) || !t && everything || !possible(i) {
				continue
			}
			if !assign(i + 1) {
				return false
			}
		}
		return true
	}
	ok := assign(0)
	return classes, ok
}

// compatible reports whether some text matches p or not, as inP says, and q or not,
// as inQ says.
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

// group returns a row for every combination of truths that the conditions can have.
func (k *keyConditions) group() (group, bool) {
	g := group{}
	for _, c := range k.conditions {
		g.parts = append(g.parts, c)
	}
	classes, ok := k.valueClasses()
	if !ok {
		return g, false
	}
	sets := slices.ContainsFunc(k.conditions, func(c *Condition) bool { return c.compiled.set != plainOperator })
	if sets && len(classes) > maxSet {
		return g, false
	}
	seen := map[string]bool{}
	add := func(values []valueClass, several bool) {
		row := make([]ternary, len(k.conditions))
		for i, c := range k.conditions {
			row[i] = k.evaluate(&c.compiled, values, several)
		}
		if name := string(row); !seen[name] {
			seen[name] = true
			g.rows = append(g.rows, row)
		}
	}
	if !k.present {
		add(nil, false)
	}
	for _, class := range classes {
		add([]valueClass{class}, false)
	}
	if k.several {
		add(classes[:1], true)
	}
	if !sets || k.only != nil {
		return g, true
	}
	for chosen := 1; chosen < 1<<len(classes); chosen++ {
		var values []valueClass
		for i, class := range classes {
			if chosen>>i&1 == 1 {
				values = append(values, class)
			}
		}
		add(values, true)
	}
	return g, true
}

// evaluate decides a condition for a key with values of these classes; none means
// that the key is absent. several says that there is more than one value.
func (k *keyConditions) evaluate(cc *compiledCondition, values []valueClass, several bool) ternary {
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
	for _, class := range values {
		one := no
		for i := range cc.values {
			v := &cc.values[i]
			// The variable of a key with several values has no value.
			one = or(one, truth(class.satisfies[k.predicate[v]] && (!v.itself || !several)))
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

// way is how a value is read: as text, or as a number, a date, a truth, bytes or an
// address.
type way struct {
	predicates predicates
	samples    boundaryValues
	patterns   bool
}

// valueClasses returns the classes of values that the conditions tell apart. The values
// that these name are tried. Where there may be others that they tell apart, because of
// patterns or because they read a value in several ways, as text and as a number, such a
// value may be of any class of each way.
func (k *keyConditions) valueClasses() ([]valueClass, bool) {
	ways := k.ways()
	var all predicates
	var samples boundaryValues
	patterns := false
	for _, w := range ways {
		all = append(all, w.predicates...)
		samples.merge(w.samples)
		patterns = patterns || w.patterns
	}
	if k.only != nil {
		return all.classesOf(k.only), true
	}
	values, complete := samples.values()
	classes := all.classesOf(values)
	if complete && !patterns {
		return classes, len(classes) <= maxClasses
	}
	others := []valueClass{{}}
	for f, w := range ways {
		list, ok := w.otherClasses(family(f))
		if !ok || len(others)*len(list) > maxClasses {
			return nil, false
		}
		others = product(others, list)
	}
	classes = distinctClasses(append(classes, others...))
	return classes, len(classes) <= maxClasses
}

// ways sorts the conditions by the way in which they read the value, and numbers the
// predicates of all ways.
func (k *keyConditions) ways() []way {
	ways := make([]way, null)
	k.predicate = map[*conditionValue]int{}
	first := 0
	for f := range ways {
		w := &ways[f]
		for _, c := range k.conditions {
			if c.compiled.family.way() == family(f) {
				w.add(k, c, first)
			}
		}
		first += len(w.predicates)
	}
	return ways
}

// add adds the values of a condition. The first predicate of the way has the number
// first.
func (w *way) add(k *keyConditions, c *Condition, first int) {
	cc := &c.compiled
	for i := range cc.values {
		v := &cc.values[i]
		p := k.predicateOf(c, v, c.Values[i])
		w.patterns = w.patterns || p.elements != nil && !p.exact && !v.itself
		if v.itself {
			w.samples.addItself(cc.family)
		} else {
			elements, _ := v.text.expand(k.ctx)
			w.samples.add(cc.family, v, elements)
		}
		k.predicate[v] = first + w.predicates.add(p)
	}
}

// way returns the first of the families that read a value in the same way.
func (f family) way() family {
	switch f {
	case stringEqualsIgnoreCase, stringLike, arnLike:
		return stringEquals
	default:
		return f
	}
}

// otherClasses returns the classes of values but the empty text that one way tells
// apart; of texts, those that the conditions do not name.
func (w *way) otherClasses(f family) ([]valueClass, bool) {
	if f == stringEquals {
		return w.predicates.combinations()
	}
	values, ok := w.samples.values()
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	return w.predicates.classesOf(values), ok
}

// classesOf returns the classes of the values.
func (l predicates) classesOf(values []string) []valueClass {
	var classes []valueClass
	for _, value := range values {
		class := valueClass{empty: value == ""}
		for _, p := range l {
			class.satisfies = append(class.satisfies, p.test(value))
		}
		classes = append(classes, class)
	}
	return distinctClasses(classes)
}

// distinctClasses returns the classes, each once.
func distinctClasses(classes []valueClass) []valueClass {
	seen := map[string]bool{}
	return slices.DeleteFunc(classes, func(class valueClass) bool {
		name := fmt.Sprint(class)
		defer func() { seen[name] = true }()
		return seen[name]
	})
}

// product returns every class of a joined with every class of b.
func product(a, b []valueClass) []valueClass {
	var classes []valueClass
	for _, x := range a {
		for _, y := range b {
			classes = append(classes, valueClass{satisfies: slices.Concat(x.satisfies, y.satisfies)})
		}
	}
	return classes
}

// predicateOf returns the comparison with one value of a condition.
func (k *keyConditions) predicateOf(c *Condition, v *conditionValue, text string) predicate {
	cc := &c.compiled
	p := predicate{name: fmt.Sprintf("%d %v %q", cc.family, cc.order, text)}
	if v.itself {
		p.test = cc.family.equalsItself
		if cc.family == arnLike {
			p.elements = scoped(globElements("arn:*:*:*:*:*"), false)
		} else {
			p.always = cc.family.way() == stringEquals
		}
		return p
	}
	p.test = func(value string) bool { return cc.matches(v, k.ctx, value) == yes }
	elements, known := v.text.expand(k.ctx)
	switch cc.family {
	case stringLike:
		p.elements, p.never = append([]element{}, elements...), known == no
	case arnLike:
		p.elements, p.never = scoped(append([]element{}, elements...), false), known == no
	case stringEquals:
		p.exact = true
	default:
	}
	if p.elements != nil && newPattern(p.elements).form == formLiteral {
		p.exact = true
	}
	return p
}

// equalsItself reports whether a comparison of the family holds between a value and
// itself.
func (f family) equalsItself(value string) bool {
	switch f {
	case arnLike:
		_, ok := splitARN(value)
		return ok
	case boolean:
		_, ok := parseBool(value)
		return ok
	default: // a family of strings; the others have no variables
		return true
	}
}
