package iampolicy

import (
	"strings"
	"testing"
)

// TestOptional: a key that is absent or has one value decides a condition where both
// do, and nothing but both is tried.
func TestOptional(t *testing.T) {
	const key = "aws:MultiFactorAuthPresent"
	for _, tt := range []struct {
		policy string
		want   Decision
	}{
		{allow(when("Bool", key, `"true"`)), Denied},
		{allow(when("BoolIfExists", key, `"true"`)), Depends},
		{allow(when("BoolIfExists", key, `"false"`)), Allowed},
		{allow(when("Bool", key, `"false"`)), Depends},
		{allow() + "," + deny(when("BoolIfExists", key, `"false"`)), Denied},
		{allow() + "," + deny(when("Bool", key, `"false"`)), Depends},
		{allow(when("Null", key, `"true"`)), Depends},
		{allow(when("Null", key, `["true","false"]`)), Allowed},
		{allow(when("ForAllValues:StringEquals", key, `"false"`)), Allowed},
		{allow(when("ForAnyValue:StringEquals", key, `"false"`)), Depends},
		{allow(when("ForAnyValue:StringEquals", key, `"true"`)), Denied},
		{allow(when("StringNotEquals", key, `"true"`)), Allowed},
		{allow(when("StringEqualsIfExists", key, `[]`)), Depends},
		{allow(when("StringEquals", "aws:a", `"${`+key+`}"`)), Depends},
		{allow(when("StringEquals", "aws:a", `"x${`+key+`}"`)), Denied},
		// Either is enough, and one of them is there.
		{allow(when("Bool", key, `"false"`)) + "," + allow(when("Null", key, `"true"`)), Allowed},
		{allow(when("ForAnyValue:StringEquals", key, `"false"`)) + "," + allow(when("Null", key, `"true"`)), Allowed},
		{allow(when("Bool", key, `"false"`)) + "," + allow(when("BoolIfExists", key, `"true"`)), Allowed},
	} {
		known := NewContext().Optional(key, "false").Set("aws:a", "false")
		doc := mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[`+tt.policy+`]}`)
		set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: doc}}})
		r := &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: known}
		if got := decide(t, set, r); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.policy, got, tt.want)
		}
		traces, err := set.Explain(r)
		if err != nil || tt.policy == allow(when("Bool", key, `"true"`)) && !strings.Contains(traces[0].Sentence, key+" is false, if the request has it") {
			t.Errorf("%+v, %v", traces, err)
		}
		r.Context = known.Clone().Set(key, "true")
		if got := decide(t, set, r); got == Depends {
			t.Errorf("%s: a value that is set is not optional", tt.policy)
		}
	}
}

// TestForget: what was said of a key is not known any more.
func TestForget(t *testing.T) {
	for name, known := range map[string]*Context{
		"set":      NewContext().Set("aws:PrincipalType", "User").Set("aws:a", "x"),
		"absent":   NewContext().Absent("aws:a"),
		"present":  NewContext().Present("aws:a"),
		"optional": NewContext().Optional("aws:a", "x"),
	} {
		doc := mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[`+allow(when("Null", "aws:a", `"true"`))+`]}`)
		set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: doc}}})
		known.Forget("AWS:A").Forget("aws:PrincipalType")
		if got := decide(t, set, &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: known}); got != Depends {
			t.Errorf("%s: %s", name, got)
		}
	}
}
