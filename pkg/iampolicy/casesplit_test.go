package iampolicy

import (
	"fmt"
	"strings"
	"testing"
)

// join writes statements for a document.
func join(statements ...string) string { return strings.Join(statements, ",") }

// Cases that a case split settles, that it may not settle, and those that have
// too many cases to try and so stay open.
func TestCaseSplit(t *testing.T) {
	like := func(n int, value func(i int) string, operator string) string {
		var list []string
		for i := range n {
			list = append(list, allow(when(operator, "aws:a", fmt.Sprintf("%q", value(i)))))
		}
		return strings.Join(list, ",")
	}
	contains := func(i int) string { return fmt.Sprintf("*%d*", i) }
	var overlapping []string
	for i := range 10 {
		overlapping = append(overlapping, allow(fmt.Sprintf(`"Resource":"arn:aws:s3:::bucket/*%d*"`, i)))
	}
	ask(t, []question{
		{name: "equal or not", identity: join(allow(when("StringEquals", "aws:a", `"x"`)), allow(when("StringNotEquals", "aws:a", `"x"`))), want: "allowed"},
		{name: "below, equal, above", identity: join(allow(when("NumericLessThan", "aws:a", `"5"`)), allow(when("NumericGreaterThanEquals", "aws:a", `"5"`))), want: "depends"},
		{
			name: "below, equal, above, no number", want: "allowed",
			identity: join(allow(when("NumericLessThan", "aws:a", `"5"`)), allow(when("NumericGreaterThanEquals", "aws:a", `"5"`)), allow(when("NumericNotEquals", "aws:a", `"5"`))),
		},
		{name: "two ways to read one text", identity: join(allow(when("NumericLessThan", "aws:a", `"5"`)), allow(when("DateLessThan", "aws:a", `"2026"`))), want: "depends"},
		{name: "bytes", identity: allow(when("BinaryEquals", "aws:a", `"QQ=="`)), want: "depends"},
		{name: "bytes, all of them denied", identity: join(allow(when("BinaryEquals", "aws:a", `"QQ=="`)), deny(when("BinaryEquals", "aws:a", `["QQ==","QkI="]`))), want: "denied"},
		{name: "bytes, others denied", identity: join(allow(when("BinaryEquals", "aws:a", `"QQ=="`)), deny(when("BinaryEquals", "aws:a", `"QkI="`))), want: "depends"},
		{name: "bytes that are two at once", identity: allow(`"Condition":{"BinaryEquals":{"aws:a":"QQ=="},"BinaryEqualsIfExists":{"aws:a":"QkI="}}`), want: "denied"},
		{name: "bytes, absent or not", identity: join(allow(when("BinaryEqualsIfExists", "aws:a", `"QQ=="`)), deny(when("Null", "aws:a", `"true"`))), want: "depends"},
		{name: "bytes that are none", identity: allow(when("BinaryEquals", "aws:a", `"%"`)), want: "denied"},
		{name: "bytes and text", identity: join(allow(when("BinaryEquals", "aws:a", `"QQ=="`)), deny(when("StringEquals", "aws:a", `"QQ=="`))), want: "depends"},
		{
			name: "bytes that are none, and text of another layer", want: "denied", identity: allow(when("BinaryEquals", "aws:a", `"%"`)),
			boundary: allow(when("StringNotEquals", "aws:a", `"x"`)),
		},
		{
			name: "bytes of an absent key, and text", want: "denied",
			identity: allow(`"Condition":{"BinaryEquals":{"aws:a":"QQ=="},"StringLike":{"aws:a":"x*"},"Null":{"aws:a":"true"}}`),
		},
		{
			name: "no bytes and no text: both are empty", want: "denied",
			identity: allow(`"Condition":{"BinaryEquals":{"aws:a":""},"StringLike":{"aws:a":"x*"},"NumericEquals":{"aws:a":"1"}}`),
		},
		{
			name: "a key with too many patterns beside one that is settled", want: "allowed",
			identity: join(like(10, contains, "StringLike"), allow(when("StringEquals", "aws:b", `"x"`)), allow(when("StringNotEquals", "aws:b", `"x"`))),
		},
		{
			name: "too many resources beside a key that is settled", resource: "arn:aws:s3:::bucket/*", want: "allowed",
			identity: join(strings.Join(overlapping, ","), allow(when("StringEquals", "aws:b", `"x"`)), allow(when("StringNotEquals", "aws:b", `"x"`))),
		},
		{
			name: "an ARN like the empty text, beside a pattern", want: "denied",
			identity: join(allow(when("ArnLike", "aws:a", `""`)), deny(when("StringLike", "aws:a", `"x*"`))), context: map[string]BatchValues{},
		},
		{
			name: "a truth that is a text, beside a number", want: "denied",
			identity: join(allow(`"Condition":{"Bool":{"aws:a":"true"},"StringEquals":{"aws:a":"x"}}`), deny(when("NumericLessThan", "aws:a", `"5"`))),
		},
		{
			name: "a number that is none, beside a set with too many combinations", want: "denied",
			identity: join(allow(when("NumericLessThan", "aws:a", `"x"`)), deny(when("ForAnyValue:StringLike", "aws:a", `["*1*","*2*","*3*","*4*"]`))),
		},
		{
			name: "a key that has several values, beside a set with too many combinations", want: "depends",
			identity: join(allow(`"Condition":{"StringNotEquals":{"aws:a":"x"},"ForAnyValue:StringLike":{"aws:a":["*1*","*2*","*3*","*4*"]}}`), allow(when("StringEquals", "aws:a", `"x"`))),
		},
		{name: "itself", identity: allow(when("StringEquals", "aws:a", `"${aws:a}"`)), want: "depends"},
		{name: "itself, if it exists", identity: allow(when("StringEqualsIfExists", "aws:a", `"${aws:a}"`)), want: "allowed"},
		{name: "itself, where it exists", identity: join(allow(when("StringEquals", "aws:a", `"${aws:A}"`)), allow(when("Null", "aws:a", `"true"`))), want: "allowed"},
		{name: "itself or not", identity: allow(`"Condition":{"StringEquals":{"aws:a":"${aws:a}"},"StringNotEquals":{"aws:a":["x",""]},"Null":{"aws:a":"true"}}`), want: "denied"},
		{name: "not itself", identity: allow(`"Condition":{"StringNotEquals":{"aws:a":"${aws:a}"},"Null":{"aws:a":"false"}}`), want: "denied"},
		{name: "like itself", identity: join(allow(when("StringLikeIfExists", "aws:a", `["x","${aws:a, 'y'}"]`))), want: "allowed"},
		{name: "itself without case", identity: join(allow(when("StringEqualsIgnoreCaseIfExists", "aws:a", `"${aws:a}"`))), want: "allowed"},
		{name: "an ARN like itself", identity: join(allow(when("ArnLikeIfExists", "aws:a", `"${aws:a}"`))), want: "depends"},
		{name: "an ARN like itself, and one that is not", identity: join(allow(when("ArnLike", "aws:a", `"${aws:a}"`)), allow(when("ArnNotLike", "aws:a", `"${aws:a}"`))), want: "allowed"},
		{name: "an ARN like itself and like no ARN", identity: allow(`"Condition":{"ArnLike":{"aws:a":"${aws:a}"},"StringLike":{"aws:a":"x*"},"ArnEquals":{"aws:a":"x"}}`), want: "denied"},
		{name: "a boolean that is itself", identity: allow(`"Condition":{"Bool":{"aws:a":"${aws:a}"},"StringNotEqualsIgnoreCase":{"aws:a":["true","false"]}}`), want: "denied"},
		{name: "a set of itself", identity: allow(`"Condition":{"ForAnyValue:StringEquals":{"aws:a":"${aws:a}"},"StringNotEquals":{"aws:a":"x"}}`), want: "depends"},
		{name: "a set with several values is not itself", identity: join(allow(when("ForAllValues:StringEquals", "aws:a", `"${aws:a}"`)), allow(when("Null", "aws:a", `"true"`))), want: "depends"},
		{
			name: "wildcards for every part of an ARN", want: "denied",
			identity: join(allow(when("ArnLike", "aws:a", `"arn:aws:iam::1:role/x"`)), deny(when("ArnLike", "aws:a", `"*:*:*:*:*:*"`))),
		},
		{name: "many overlapping patterns", identity: like(10, contains, "StringLike"), want: "depends"},
		{name: "many overlapping patterns in a set", identity: like(4, contains, "ForAnyValue:StringLike"), want: "depends"},
		{name: "many overlapping resources", resource: "arn:aws:s3:::bucket/*", identity: strings.Join(overlapping, ","), want: "depends"},
		{
			name: "a set and one value of a key", want: "denied",
			identity: allow(`"Condition":{"ForAllValues:StringEquals":{"aws:a":"x"},"StringEquals":{"aws:a":"y"}}`),
		},
		{
			name: "a resource with a variable that is known", resource: "arn:aws:s3:::bucket/*", context: known("aws:a", "b"), want: "depends",
			identity: join(allow(`"Resource":"arn:aws:s3:::bucket/${aws:a}*"`), allow(`"Resource":"arn:aws:s3:::bucket/c*"`)),
		},
		{
			name: "opposites with a variable that is not known", want: "allowed",
			identity: join(allow(when("StringEquals", "aws:a", `"${aws:b}"`)), allow(when("StringNotEquals", "aws:a", `"${aws:b}"`))),
		},
		{
			name: "no opposites: both hold where the key is missing", want: "depends",
			identity: join(allow(when("StringEqualsIfExists", "aws:a", `"${aws:b}"`)), deny(when("StringNotEqualsIfExists", "aws:a", `"${aws:b}"`))),
		},
		{name: "an ARN like a variable that is not known", context: known("aws:a", "arn:aws:s3:::x"), identity: allow(when("ArnLike", "aws:a", `"${aws:b}"`)), want: "depends"},
		{name: "no ARN like a variable that is not known", context: known("aws:a", "x"), identity: allow(when("ArnLike", "aws:a", `"${aws:b}"`)), want: "denied"},
		{
			name: "a literal among patterns, and other cases of it", want: "allowed",
			identity: join(allow(when("StringLike", "aws:a", `"x"`)), allow(when("StringNotEqualsIgnoreCase", "aws:a", `"X"`)), allow(when("StringLike", "aws:a", `"X"`))),
		},
		{
			name: "an opposite in a resource policy that is partly open", want: "depends",
			identity: "", resourcePolicy: join(
				allow(`"Resource":"*"`, `"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/node/i-1"}`, when("StringEquals", "aws:a", `"x"`)),
				deny(`"Resource":"*"`, `"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/node/i-2"}`, when("Bool", "aws:b", `"true"`))),
		},
		{
			name: "an open principal of a statement that does not apply", want: "depends", identity: allow(when("Bool", "aws:b", `"true"`)),
			resourcePolicy: allow(`"Resource":"arn:aws:s3:::other"`, `"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/node/i-1"}`),
		},
		{name: "a plain operator on an empty set", context: map[string]BatchValues{"aws:a": {}}, identity: allow(when("StringNotEquals", "aws:a", `"x"`)), want: "allowed"},
		{name: "many keys", identity: manyKeys(14), want: "depends"},
		{name: "more parts than a case has bits", identity: manyKeys(70), want: "depends"},
		{name: "an unknown operator without keys", identity: allow(`"Condition":{"StringIs":{}}`), want: "allowed"},
	})
}

// manyKeys allows where any one of many keys has a value.
func manyKeys(n int) string {
	var list []string
	for i := range n {
		list = append(list, allow(when("StringEquals", fmt.Sprintf("aws:k%d", i), `"x"`)))
	}
	return join(list...)
}

// Of more parts than can be searched for the smallest set, those are left out
// that nothing hangs on.
func TestCaseSplit_ManyParts(t *testing.T) {
	var statements []string
	for i := range 14 {
		statements = append(statements, allow(when("StringEquals", "aws:a", fmt.Sprintf(`"v%d"`, i))))
	}
	statements = append(statements, deny(when("StringEquals", "aws:a", `"v3"`)))
	a := question{identity: strings.Join(statements, ","), want: "depends"}.ask(t)
	for _, d := range a.DependsOn {
		if d.Statement.Effect == Allow && d.Statement.Index == 3 {
			t.Errorf("what is denied where it is allowed decides nothing: %v", a.DependsOn)
		}
	}
	if len(a.DependsOn) != 13 {
		t.Errorf("%d: %v", len(a.DependsOn), a.DependsOn)
	}
}

func TestCaseSplit_SCPs(t *testing.T) {
	a := question{identity: allow(), scps: [][]string{{allow(when("Bool", "aws:x", `"true"`))}}, want: "depends"}.ask(t)
	if len(a.DependsOn) != 1 || a.DependsOn[0].Statement.Policy != "scp 0.0" {
		t.Errorf("%v", a.DependsOn)
	}
}

func TestMatch_ShortRunGivesWayToLongOne(t *testing.T) {
	p := newPattern(scoped(globElements("a*:b*c"), true))
	for text, want := range map[string]bool{"a1:bq:bzc": true, "a:bc": true, "a1:bq:bz": false, "a1:b:c": false} {
		if got := p.match(text, false); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestContext_Zero(t *testing.T) {
	var none *Context
	if _, p := none.lookup("aws:a"); p != unknownKey {
		t.Error("nothing is known of no context")
	}
	var c Context
	if values, p := c.Set("aws:A").lookup("aws:a"); p != presentKey || values == nil || len(values) != 0 {
		t.Error("a key without values is an empty set")
	}
	if text, err := c.Absent("aws:b"), Denied.String(); text == nil || err != "denied" {
		t.Error("absent")
	}
	if text, err := Allowed.MarshalText(); string(text) != "allowed" || err != nil {
		t.Error(string(text), err)
	}
	if text, err := (&Document{}).MarshalJSON(); string(text) != `{"Statement":[]}` || err != nil {
		t.Error(string(text), err)
	}
	if !IsUniqueID("AROAEXAMPLEEXAMPLE1") || IsUniqueID(nodeRole) {
		t.Error("unique IDs")
	}
	if _, ok := splitARN("arn:aws:s3"); ok {
		t.Error("not an ARN")
	}
}

// The account of a resource is that of its ARN where nothing else is said.
func TestRequest_AccountOfTheARN(t *testing.T) {
	s := Prepare(Policies{Identity: []Policy{{Document: mustParse(t, Identity, string(question{}.document(allow(`"Action":"*"`))))}}})
	for account, want := range map[string]Decision{testAccount: Allowed, otherAccount: Depends} {
		r := &Request{Principal: nodeRole, Action: "sqs:SendMessage", Resource: "arn:aws:sqs:eu-west-1:" + account + ":q"}
		if got := decide(t, s, r); got != want {
			t.Errorf("%s: %v", account, got)
		}
	}
}
