package iampolicy

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

// boundaryValues collects the values that conditions name, and values between and
// beside these. Every class of values that the conditions tell apart has one among
// them, except where patterns do.
type boundaryValues struct {
	texts     []string
	numbers   []*big.Rat
	instants  []time.Time
	addresses []netip.Addr
	booleans  bool
	arns      bool
	families  [null + 1]bool
}

func (b *boundaryValues) add(f family, v *conditionValue, elements []element) {
	b.families[f] = true
	switch f {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		// A wildcard becomes an ordinary character: one value more than needed.
		b.texts = append(b.texts, strings.ToValidUTF8(textOf(elements), ""))
	case numeric:
		if v.ok {
			b.numbers = append(b.numbers, v.number)
		}
	case date:
		if v.ok {
			b.instants = append(b.instants, v.instant)
		}
	case boolean:
		b.booleans = true
		b.texts = append(b.texts, textOf(elements))
	case binary:
		if v.ok {
			b.texts = append(b.texts, base64.StdEncoding.EncodeToString(v.bytes))
		}
	default: // ipAddress; Null compares no values
		if v.ok {
			first := v.network.Masked().Addr()
			last := lastAddr(v.network)
			b.addresses = append(b.addresses, first.Prev(), first, last, last.Next())
		}
	}
}

// addItself adds what tells apart which values equal themselves.
func (b *boundaryValues) addItself(f family) {
	b.families[f] = true
	b.arns = b.arns || f == arnLike
	b.booleans = b.booleans || f == boolean
}

// merge adds what other conditions name.
func (b *boundaryValues) merge(o boundaryValues) {
	b.texts = append(b.texts, o.texts...)
	b.numbers = append(b.numbers, o.numbers...)
	b.instants = append(b.instants, o.instants...)
	b.addresses = append(b.addresses, o.addresses...)
	b.booleans, b.arns = b.booleans || o.booleans, b.arns || o.arns
	for f, used := range o.families {
		b.families[f] = b.families[f] || used
	}
}

// values returns the values. ok is false where there may be others that the conditions
// tell apart: they read the same text in several ways, or a value has no text.
func (b *boundaryValues) values() (values []string, ok bool) {
	ways, textual := 0, false
	for f, used := range b.families {
		switch family(f) {
		case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike, null:
			textual = textual || used
		default:
			if used {
				ways++
			}
		}
	}
	// One value has many texts in base64, which a condition on text tells apart.
	ok = ways <= 1 && (!b.families[binary] || !textual)
	values = append(values, "", otherThan(b.texts))
	for _, t := range b.texts {
		values = append(values, t, strings.ToUpper(t), strings.ToLower(t), flipFirst(t))
	}
	if b.arns {
		values = append(values, "arn:"+otherThan(b.texts)+"::::")
	}
	if b.booleans {
		values = append(values, "true", "false", "TRUE", "FALSE", "True", "False")
	}
	if len(b.numbers) > 0 {
		for _, n := range around(b.numbers, (*big.Rat).Cmp, addNumber, middleNumber) {
			digits, _ := n.FloatPrec()
			text := n.FloatString(digits)
			_, written := parseNumber(text)
			ok = ok && written
			values = append(values, text, "+"+text)
		}
	}
	if len(b.instants) > 0 {
		for _, t := range around(b.instants, time.Time.Compare, addHours, middleTime) {
			text := t.UTC().Format(time.RFC3339Nano)
			_, written := parseDate(text)
			ok = ok && written
			values = append(values, text, strings.Replace(text, "Z", "+00:00", 1))
		}
	}
	if b.families[ipAddress] {
		for _, a := range append(b.addresses, netip.IPv4Unspecified(), netip.IPv6Unspecified()) {
			if a.IsValid() {
				values = append(values, a.String(), netip.PrefixFrom(a, a.BitLen()).String())
			}
		}
	}
	return values, ok
}

// lastAddr returns the last address of a range.
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
