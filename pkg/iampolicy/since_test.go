package iampolicy

import (
	"strings"
	"testing"
	"time"
)

// TestSince: a key with a date of which only the earliest is known decides a condition where
// every such date does.
func TestSince(t *testing.T) {
	const key = "aws:TokenIssueTime"
	first := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	known := NewContext().Since(key, first)
	allowIf := func(operator, values string) string { return allow(when(operator, key, values)) }
	for _, tt := range []struct {
		policy string
		want   Decision
	}{
		{allowIf("DateLessThan", `"2025-12-31T00:00:00Z"`), Denied},
		{allowIf("DateLessThan", `"2026-01-01T12:00:00Z"`), Denied},
		{allowIf("DateLessThanEquals", `"2026-01-01T12:00:00Z"`), Depends},
		{allowIf("DateLessThan", `"2026-01-02T00:00:00Z"`), Depends},
		{allowIf("DateGreaterThan", `"2025-12-31T00:00:00Z"`), Allowed},
		{allowIf("DateGreaterThan", `"2026-01-01T12:00:00Z"`), Depends},
		{allowIf("DateGreaterThanEquals", `"2026-01-01T12:00:00Z"`), Allowed},
		{allowIf("DateEquals", `"2025-12-31T00:00:00Z"`), Denied},
		{allowIf("DateEquals", `"2026-01-02T00:00:00Z"`), Depends},
		{allowIf("DateNotEquals", `"2025-12-31T00:00:00Z"`), Allowed},
		{allowIf("DateNotEquals", `"2026-01-02T00:00:00Z"`), Depends},
		{allowIf("DateLessThan", `["2025-12-31T00:00:00Z","2026-01-02T00:00:00Z"]`), Depends},
		{allowIf("DateLessThan", `"no date"`), Denied},
		{allowIf("DateGreaterThanIfExists", `"1700000000"`), Allowed},
		{allowIf("StringLike", `"2026*"`), Depends},
		{allowIf("Null", `"false"`), Allowed},
		{allow() + "," + deny(when("DateLessThan", key, `"2025-12-31T00:00:00Z"`)), Allowed},
		{allow() + "," + deny(when("DateLessThan", key, `"2027-01-01T00:00:00Z"`)), Depends},
		{allow() + "," + deny(when("DateGreaterThan", key, `"2025-12-31T00:00:00Z"`)), Denied},
		{allowIf("DateLessThan", `"2027-01-01T00:00:00Z"`) + "," + allowIf("DateLessThan", `"2027-01-01T00:00:00Z"`), Depends},
	} {
		doc := mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[`+tt.policy+`]}`)
		set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: doc}}})
		r := &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: known}
		if got := decide(t, set, r); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.policy, got, tt.want)
		}
		if result := evaluate(t, set, r); (tt.want == Depends) != (len(result.DependsOn) > 0) {
			t.Errorf("%s: %+v", tt.policy, result)
		}
	}
	doc := mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[`+allowIf("DateLessThan", `"2025-12-31T00:00:00Z"`)+`]}`)
	set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: doc}}})
	traces := explain(t, set, &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: known})
	if want := key + " is 2026-01-01T12:00:00Z or later"; !strings.Contains(traces[0].Sentence, want) {
		t.Errorf("%q does not say %q", traces[0].Sentence, want)
	}
	for name, changed := range map[string]*Context{"set": known.Clone().Set(key, "2020-01-01T00:00:00Z"), "forgotten": known.Clone().Forget(key)} {
		if got := decide(t, set, &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: changed}); (got == Allowed) != (name == "set") || got == Denied {
			t.Errorf("%s: %s", name, got)
		}
	}
}
