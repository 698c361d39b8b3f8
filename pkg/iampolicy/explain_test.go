package iampolicy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain_Sentences(t *testing.T) {
	tests := []struct {
		question
		sentence string
	}{
		{question{name: "applies", identity: allow()}, "identity statement 1 allows s3:GetObject on arn:aws:s3:::bucket/key."},
		{
			question{name: "its condition holds", context: known("aws:a", "x"), identity: deny(when("StringEquals", "aws:a", `"x"`))},
			"identity statement 1 denies s3:GetObject on arn:aws:s3:::bucket/key; its condition holds.",
		},
		{
			question{name: "its conditions hold", context: known("aws:a", "x"), identity: allow(`"Condition":{"StringEquals":{"aws:a":"x"},"Null":{"aws:a":"false"}}`)},
			"identity statement 1 allows s3:GetObject on arn:aws:s3:::bucket/key; its conditions hold.",
		},
		{question{name: "another action", identity: allow(`"Action":"s3:PutObject"`)}, "identity statement 1 does not apply: it covers s3:PutObject, not s3:GetObject."},
		{question{name: "two actions", identity: allow(`"Action":["s3:PutObject","s3:Head*"]`)}, "identity statement 1 does not apply: it covers s3:PutObject or s3:Head*, not s3:GetObject."},
		{
			question{name: "many actions", identity: allow(`"Action":["s3:A","s3:B","s3:C","s3:D","s3:E"]`)},
			"identity statement 1 does not apply: it covers s3:A, s3:B, s3:C and 2 more, not s3:GetObject.",
		},
		{question{name: "no action", identity: allow(`"Action":[]`)}, "identity statement 1 does not apply: it covers nothing, not s3:GetObject."},
		{question{name: "every other action", identity: allow(`"NotAction":"s3:*"`)}, "identity statement 1 does not apply: it covers anything but s3:*, not s3:GetObject."},
		{
			question{name: "another resource", identity: allow(`"Sid":"Other"`, `"Resource":"arn:aws:s3:::other/*"`)},
			"identity statement 1 (Other) does not apply: it covers arn:aws:s3:::other/*, not arn:aws:s3:::bucket/key.",
		},
		{
			question{name: "part of the resources", resource: "arn:aws:s3:::bucket/*", identity: allow(`"Resource":"arn:aws:s3:::bucket/a*"`)},
			"identity statement 1 allows s3:GetObject on arn:aws:s3:::bucket/* only if the resource is arn:aws:s3:::bucket/a*.",
		},
		{
			question{name: "an unknown key", identity: allow(when("StringEquals", "aws:a", `["x","y"]`))},
			"identity statement 1 allows s3:GetObject on arn:aws:s3:::bucket/key only if aws:a StringEquals x or y.",
		},
		{
			question{name: "another value", context: known("aws:a", "z"), identity: allow(when("StringEquals", "aws:a", `"x"`))},
			"identity statement 1 does not apply: it requires aws:a StringEquals x, and aws:a is z.",
		},
		{
			question{name: "an absent key", complete: true, identity: allow(when("StringEquals", "aws:a", `"x"`))},
			"identity statement 1 does not apply: it requires aws:a StringEquals x, and the request has no aws:a.",
		},
		{
			question{name: "an empty set", context: map[string]BatchValues{"aws:a": {}}, identity: allow(when("ForAnyValue:StringEquals", "aws:a", `"x"`))},
			"identity statement 1 does not apply: it requires aws:a ForAnyValue:StringEquals x, and aws:a has no value.",
		},
		{
			question{name: "a condition that never holds", identity: allow(when("ForAnyValue:StringEquals", "aws:a", `[]`))},
			"identity statement 1 does not apply: it requires aws:a ForAnyValue:StringEquals, and that never holds.",
		},
		{
			question{name: "another principal", resourcePolicy: allow(`"Resource":"*"`, `"Principal":{"AWS":"444455556666","Service":"a.amazonaws.com"}`)},
			"resource policy statement 1 does not apply: its principal is 444455556666 or a.amazonaws.com, not arn:aws:iam::111122223333:role/node.",
		},
		{
			question{name: "everybody else", principal: testUser, resourcePolicy: deny(`"Resource":"*"`, `"NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/bob","111122223333"]}`)},
			"resource policy statement 1 does not apply: its principal is everyone but 111122223333 or arn:aws:iam::111122223333:user/bob, not arn:aws:iam::111122223333:user/bob.",
		},
		{
			question{name: "everybody but the role", resourcePolicy: deny(`"Resource":"*"`, `"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/node"}`)},
			"resource policy statement 1 denies s3:GetObject on arn:aws:s3:::bucket/key only if arn:aws:iam::111122223333:role/node is not one of the principals that it excepts.",
		},
		{
			question{name: "an account in an endpoint policy", action: "sts:GetCallerIdentity", resource: "*", endpoint: allow(`"Action":"sts:*"`, `"Resource":"*"`, names(testAccount))},
			"endpoint statement 1 allows sts:GetCallerIdentity on * only if arn:aws:iam::111122223333:role/node is the principal that it names.",
		},
		{
			question{name: "one session of the role", resourcePolicy: allow(`"Resource":"*"`, `"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/node/i-1"}`)},
			"resource policy statement 1 allows s3:GetObject on arn:aws:s3:::bucket/key only if arn:aws:iam::111122223333:role/node is the principal that it names.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.request()
			set, request, err := r.prepare()
			if err != nil {
				t.Fatal(err)
			}
			traces := explain(t, set, request)
			if len(traces) != 1 || traces[0].Sentence != tt.sentence {
				t.Errorf("got  %+v\nwant %s", traces, tt.sentence)
			}
		})
	}
}

func TestExplain_EveryLayerAndWhatCouldNotBeRead(t *testing.T) {
	everyone := allow(`"Principal":"*"`, `"Resource":"*"`)
	q := question{
		identity: allow(), session: allow(), boundary: allow(), scps: [][]string{{allow()}, {deny()}}, rcps: [][]string{{everyone}}, endpoint: everyone,
		resourcePolicy: allow(names(nodeRole), `"Resource":"*"`),
	}
	r := q.request()
	set, request, err := r.prepare()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, trace := range explain(t, set, request) {
		if trace.Applies != Allowed {
			t.Errorf("%+v", trace)
		}
		got = append(got, fmt.Sprintf("%s %d", trace.Layer, trace.Level))
	}
	want := []string{
		"identity policies 0", "session policy 0", "permissions boundary 0", "service control policies 1", "service control policies 2",
		"resource control policies 1", "VPC endpoint policy 0", "resource policy 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	set = Prepare(Policies{Identity: []Policy{{Name: "a", ARN: "arn:a", Version: "v2"}}})
	traces := explain(t, set, request)
	if len(traces) != 1 || traces[0].Applies != Depends || traces[0].Statement.Index != -1 || traces[0].Sentence != "a could not be read: it may allow or deny anything." {
		t.Errorf("unread: %+v", traces)
	}
}

func TestReference_String(t *testing.T) {
	r := Reference{Policy: "p", Version: "v3", Index: 1, Sid: "S"}
	if got := r.String(); got != "p v3 statement 2 (S)" {
		t.Error(got)
	}
}
