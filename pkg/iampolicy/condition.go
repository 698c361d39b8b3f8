package iampolicy

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ternary is Kleene's logic: no < maybe < yes.
type ternary uint8

const (
	no ternary = iota
	maybe
	yes
)

func and(a, b ternary) ternary { return min(a, b) }
func or(a, b ternary) ternary  { return max(a, b) }
func not(a ternary) ternary    { return yes - a }

func truth(b bool) ternary {
	if b {
		return yes
	}
	return no
}

// setOperator is the part of an operator that makes it compare sets.
type setOperator uint8

const (
	plainOperator setOperator = iota
	forAllValues
	forAnyValue
)

// family is how an operator compares one value with another.
type family uint8

const (
	stringEquals family = iota
	stringEqualsIgnoreCase
	stringLike
	numeric
	date
	boolean
	binary
	ipAddress
	arnLike
	null
)

// operator is a condition operator in its parts.
type operator struct {
	set      setOperator
	family   family
	negated  bool
	ifExists bool
	// order is, for numeric and date, which comparisons match: less, equal, greater.
	order [3]bool
}

var (
	equal        = [3]bool{false, true, false}
	less         = [3]bool{true, false, false}
	lessEqual    = [3]bool{true, true, false}
	greater      = [3]bool{false, false, true}
	greaterEqual = [3]bool{false, true, true}
)

// operators are the condition operators, exactly as IAM writes them.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = map[string]operator{
	"StringEquals":              {family: stringEquals},
	"StringNotEquals":           {family: stringEquals, negated: true},
	"StringEqualsIgnoreCase":    {family: stringEqualsIgnoreCase},
	"StringNotEqualsIgnoreCase": {family: stringEqualsIgnoreCase, negated: true},
	"StringLike":                {family: stringLike},
	"StringNotLike":             {family: stringLike, negated: true},
	"NumericEquals":             {family: numeric, order: equal},
	"NumericNotEquals":          {family: numeric, order: equal, negated: true},
	"NumericLessThan":           {family: numeric, order: less},
	"NumericLessThanEquals":     {family: numeric, order: lessEqual},
	"NumericGreaterThan":        {family: numeric, order: greater},
	"NumericGreaterThanEquals":  {family: numeric, order: greaterEqual},
	"DateEquals":                {family: date, order: equal},
	"DateNotEquals":             {family: date, order: equal, negated: true},
	"DateLessThan":              {family: date, order: less},
	"DateLessThanEquals":        {family: date, order: lessEqual},
	"DateGreaterThan":           {family: date, order: greater},
	"DateGreaterThanEquals":     {family: date, order: greaterEqual},
	"Bool":                      {family: boolean},
	"BinaryEquals":              {family: binary},
	"IpAddress":                 {family: ipAddress},
	"NotIpAddress":              {family: ipAddress, negated: true},
	"ArnEquals":                 {family: arnLike},
	"ArnLike":                   {family: arnLike},
	"ArnNotEquals":              {family: arnLike, negated: true},
	"ArnNotLike":                {family: arnLike, negated: true},
	"Null":                      {family: null},
}

func parseOperator(name string) (operator, bool) {
	set := plainOperator
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		set, name = forAllValues, rest
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		set, name = forAnyValue, rest
	}
	base, ifExists := strings.CutSuffix(name, "IfExists")
	op, ok := operators[base]
	if !ok || ifExists && op.family == null {
		return operator{}, false
	}
	op.set, op.ifExists = set, ifExists
	return op, true
}

// compiledCondition is a Condition prepared for evaluation.
type compiledCondition struct {
	operator
	known  bool   // the operator exists
	key    string // lower case
	values []conditionValue
	// shortARNs: an ARN pattern of fewer than six parts may match. It is set where
	// the statement would allow more if it did not; elsewhere it does not match.
	shortARNs bool
	// several: several values may match under an operator that compares one. It is set
	// where the statement would allow more if they did not.
	several bool
}

// conditionValue is one value of the policy.
type conditionValue struct {
	// text is for the families that have variables, pattern the same where it has
	// none.
	text    template
	pattern pattern
	// itself: the value is the variable of the condition's own key.
	itself bool
	// The others are parsed once; ok says whether that succeeded.
	ok      bool
	number  *big.Rat
	instant time.Time
	bytes   []byte
	network netip.Prefix
	flag    bool
}

func (c *Condition) compile(effect Effect, variables bool) {
	cc := compiledCondition{key: strings.ToLower(c.Key)}
	cc.operator, cc.known = parseOperator(c.Operator)
	cc.shortARNs = cc.family == arnLike && (effect == Deny) != cc.negated
	cc.several = effect == Deny && cc.set == plainOperator
	for _, v := range c.Values {
		var cv conditionValue
		switch cc.family {
		case stringEquals, stringEqualsIgnoreCase:
			cv.text = newTemplate(v, variables, false)
		case stringLike, arnLike:
			cv.text = newTemplate(v, variables, true)
		case numeric:
			cv.number, cv.ok = parseNumber(v)
		case date:
			cv.instant, cv.ok = parseDate(v)
		case boolean:
			cv.flag, cv.ok = parseBool(v)
			if !cv.ok {
				cv.text = newTemplate(v, variables, false)
			}
		case null:
			cv.flag, cv.ok = parseBool(v)
		case binary:
			cv.bytes, cv.ok = parseBinary(v)
		case ipAddress:
			cv.network, cv.ok = parseNetwork(v)
		}
		if cv.text.variables {
			cv.itself = cv.text.isVariable(cc.key)
		} else {
			cv.pattern = newPattern(cv.text.elements)
		}
		cc.values = append(cc.values, cv)
	}
	c.compiled = cc
}

// eval decides a condition.
func (c *Condition) eval(ctx *facts) ternary {
	cc := &c.compiled
	if c.Key == "" {
		return yes // an unknown operator without keys
	}
	values, presence := ctx.lookup(cc.key)
	if cc.family == null {
		return cc.evalNull(&values, presence)
	}
	if len(cc.values) == 0 {
		return cc.evalEmpty(presence)
	}
	switch presence {
	case unknownValue:
		if first, known := ctx.dated(cc.key); known && cc.family == date {
			return cc.evalSince(first)
		}
		return maybe
	case unknownKey:
		return maybe
	case absentKey:
		return cc.evalAbsent()
	case optionalKey:
		if result := cc.evalPresent(ctx, &values); result == cc.evalAbsent() {
			return result
		}
		return maybe
	case presentKey:
	}
	return cc.evalPresent(ctx, &values)
}

func (cc *compiledCondition) evalNull(values *keyValues, presence presence) ternary {
	if len(cc.values) == 0 {
		return yes
	}
	isNull := presence == absentKey || presence == presentKey && isNullSet(values)
	result := no
	for _, v := range cc.values {
		switch {
		case !v.ok:
		case presence == unknownKey || presence == optionalKey:
			result = or(result, maybe)
		default:
			result = or(result, truth(v.flag == isNull))
		}
	}
	return result
}

// isNullSet reports what AWS calls a null data set: no value, or one that is empty.
func isNullSet(values *keyValues) bool {
	return values.count() == 0 || values.count() == 1 && values.at(0) == ""
}

// evalEmpty decides a condition without values.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
// (empty array condition).
func (cc *compiledCondition) evalEmpty(presence presence) ternary {
	switch {
	case cc.set == forAnyValue:
		return no
	case cc.ifExists || cc.set == forAllValues:
		return [...]ternary{unknownKey: maybe, absentKey: yes, presentKey: no, unknownValue: no, optionalKey: maybe}[presence]
	default:
		return yes
	}
}

func (cc *compiledCondition) evalAbsent() ternary {
	switch {
	case cc.ifExists, cc.set == forAllValues:
		return yes
	case cc.set == forAnyValue:
		return no
	default:
		return truth(cc.negated)
	}
}

func (cc *compiledCondition) evalPresent(ctx *facts, values *keyValues) ternary {
	switch cc.set {
	case forAllValues:
		if isNullSet(values) {
			return yes
		}
		result := yes
		for i := range values.count() {
			result = and(result, cc.evalOne(ctx, values.at(i)))
		}
		return result
	case forAnyValue:
		result := no
		for i := range values.count() {
			result = or(result, cc.evalOne(ctx, values.at(i)))
		}
		return result
	case plainOperator:
	}
	switch values.count() {
	case 1:
		return cc.evalOne(ctx, values.at(0))
	case 0:
		return cc.evalAbsent()
	default: // several values need a set operator
		return and(maybe, truth(cc.several))
	}
}

// evalSince decides a condition on a key with one date, which is not before another.
func (cc *compiledCondition) evalSince(first time.Time) ternary {
	result := no
	for i := range cc.values {
		v := &cc.values[i]
		some, all := cc.order[2], cc.order[2]          // a later date is always possible
		for at := range 1 - first.Compare(v.instant) { // as late as v, and earlier
			some, all = some || cc.order[1-at], all && cc.order[1-at]
		}
		switch {
		case v.ok && all:
			result = yes
		case v.ok && some:
			result = or(result, maybe)
		}
	}
	if cc.negated {
		return not(result)
	}
	return result
}

// evalOne compares one value of the request with the policy's.
func (cc *compiledCondition) evalOne(ctx *facts, value string) ternary {
	result := no
	for i := range cc.values {
		if result = or(result, cc.matches(&cc.values[i], ctx, value)); result == yes {
			break
		}
	}
	if cc.negated {
		return not(result)
	}
	return result
}

func (cc *compiledCondition) matches(v *conditionValue, ctx *facts, value string) ternary {
	switch cc.family {
	case stringEquals, stringLike:
		if v.text.variables {
			return v.text.match(ctx, value, matchGlob)
		}
		return truth(v.pattern.match(value, false))
	case stringEqualsIgnoreCase:
		if v.text.variables {
			return v.text.match(ctx, value, matchFold)
		}
		return truth(strings.EqualFold(v.pattern.literal, value))
	case arnLike:
		elements, known := v.text.expand(ctx)
		return cc.matchARN(elements, known, value)
	case numeric:
		n, ok := parseNumber(value)
		return truth(ok && v.ok && cc.order[n.Cmp(v.number)+1])
	case date:
		d, ok := parseDate(value)
		return truth(ok && v.ok && cc.order[d.Compare(v.instant)+1])
	case boolean:
		flag, ok := parseBool(value)
		if !v.ok && v.text.variables {
			return and(truth(ok), v.text.match(ctx, value, matchFold))
		}
		return truth(ok && v.ok && flag == v.flag)
	case binary:
		b, ok := parseBinary(value)
		return truth(ok && v.ok && bytes.Equal(b, v.bytes))
	default: // ipAddress; evalNull compares no values
		n, ok := parseNetwork(value)
		return truth(ok && v.ok && n.IsSingleIP() && v.network.Contains(n.Addr()))
	}
}

// matchARN compares an ARN with an expanded pattern part by part: a wildcard stays
// inside its part, and the sixth part is the rest. A value that is not an ARN matches
// nothing.
//
// AWS does not document what a pattern of fewer than six parts matches. With
// shortARNs it may match an ARN, where its wildcards could reach over colons. The same
// goes for a pattern with a variable whose value is unknown, which may have colons.
func (cc *compiledCondition) matchARN(p []element, known ternary, value string) ternary {
	if _, ok := splitARN(value); !ok || known == no {
		return no
	}
	if short := isShortARN(p); known == maybe || short {
		return and(maybe, truth((known == maybe || cc.shortARNs) && matchElements(p, plainText(value))))
	}
	for range 5 {
		i, j := slices.Index(p, ':'), strings.IndexByte(value, ':')
		if !matchElements(p[:i], plainText(value[:j])) {
			return no
		}
		p, value = p[i+1:], value[j+1:]
	}
	return truth(matchElements(p, plainText(value)))
}

// isShortARN reports whether a pattern has fewer than the six parts of an ARN.
func isShortARN(p []element) bool {
	colons := 0
	for _, e := range p {
		if e == ':' {
			colons++
		}
	}
	return colons < 5
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

// parseNumber reads an integer or decimal.
func parseNumber(s string) (*big.Rat, bool) {
	if len(s) > 100 || !decimal.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// dateForms are those of https://www.w3.org/TR/NOTE-datetime; a form without a
// zone is UTC.
var dateForms = []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}

// parseDate reads a date of one of dateForms, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

func parseBool(s string) (value, ok bool) {
	value = strings.EqualFold(s, "true")
	return value, value || strings.EqualFold(s, "false")
}

func parseBinary(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}

// parseNetwork reads a CIDR range or an address, which is a range of one.
func parseNetwork(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a.WithZone(""), a.BitLen()), true
}
