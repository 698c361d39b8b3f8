package iampolicy

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse_Encoding(t *testing.T) {
	plain := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::a+b%20c/*"}}`
	for name, text := range map[string]string{
		"plain":                      plain,
		"plain after blanks":         " \n\t" + plain,
		"percent-encoded":            url.PathEscape(plain),
		"every byte percent-encoded": everyByte(plain),
	} {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, Identity, text)
			if diff := cmp.Diff([]string{"arn:aws:s3:::a+b%20c/*"}, d.Statements[0].Resources); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, text := range []string{"", " ", "%7", "%zz", "null", "[]", `"{}"`} {
		if _, err := Parse(Identity, []byte(text)); !isParseError(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func everyByte(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789ABCDEF"[c&15])
	}
	return b.String()
}

func isParseError(err error) bool {
	var p *ParseError
	return errors.As(err, &p)
}

func TestParse_Errors(t *testing.T) {
	const (
		head  = `{"Version":"2012-10-17","Statement":[`
		trust = `"Effect":"Allow","Action":"sts:AssumeRole",`
	)
	for _, c := range []struct {
		name string
		kind Kind
		text string
		want string // in Error()
	}{
		{"0.2 repeated element", Identity, head + `{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}]}`, `(/Statement/0/Effect): element "Effect" appears twice`},
		{"0.2 repeated top element", Identity, `{"Statement":[],"Statement":[]}`, "twice"},
		{"0.2 repeated operator", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{},"Bool":{}}}]}`, "twice"},
		{"0.2 repeated condition key", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:a":"true","aws:a":"true"}}}]}`, "twice"},
		{"0.2 other case", Identity, head + `{"effect":"Allow","Action":"*","Resource":"*"}]}`, `"effect" is not an element`},
		{"0.2 not JSON", Identity, "{\n \"Statement\": [\n}", "line 3, column 1"},
		{"0.2 cut off", Identity, `{"Statement":[`, "line 1, column"},
		{"0.2 more follows", Identity, `{"Statement":[]} {}`, "line 1, column 18: unexpected text"},
		{"0.2 an escape that is none", Resource, head + `{"Principal":"\x"}]}`, "is not JSON"},
		{"0.3 no statement", Identity, `{"Version":"2012-10-17"}`, "no Statement"},
		{"0.3 statement is text", Identity, `{"Statement":"x"}`, "JSON object"},
		{"0.3 unknown top element", Identity, `{"Statement":[],"Foo":1}`, `"Foo"`},
		{"0.3 unknown element", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Foo":1}]}`, `"Foo"`},
		{"0.3 version", Identity, `{"Version":"2012-10-18","Statement":[]}`, "2012-10-18"},
		{"0.3 version is a number", Identity, `{"Version":2012,"Statement":[]}`, "string"},
		{"0.3 id is a number", Identity, `{"Id":1,"Statement":[]}`, "string"},
		{"0.3 no action", Identity, head + `{"Effect":"Allow","Resource":"*"}]}`, "one of Action and NotAction"},
		{"0.3 both actions", Identity, head + `{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}`, "Action and NotAction"},
		{"0.3 no resource", Identity, head + `{"Effect":"Allow","Action":"*"}]}`, "one of Resource and NotResource"},
		{"0.3 both resources", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}]}`, "both Resource and NotResource"},
		{"0.3 principal in identity", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}`, "cannot have Principal"},
		{"0.3 notprincipal in identity", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","NotPrincipal":"*"}]}`, "cannot have Principal"},
		{"0.3 resource in trust", Trust, head + `{` + trust + `"Principal":{"Service":"ec2.amazonaws.com"},"Resource":"*"}]}`, "cannot have Resource"},
		{"0.3 no principal in trust", Trust, head + `{"Effect":"Allow","Action":"sts:AssumeRole"}]}`, "needs a Principal"},
		{"0.3 notprincipal in trust", Trust, head + `{` + trust + `"NotPrincipal":{"AWS":"111122223333"}}]}`, "cannot have NotPrincipal"},
		{"0.3 no principal in resource", Resource, head + `{"Effect":"Allow","Action":"*","Resource":"*"}]}`, "Principal and NotPrincipal"},
		{"0.3 both principals", Resource, head + `{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*","NotPrincipal":"*"}]}`, "both Principal and NotPrincipal"},
		{"0.4 action is a number", Identity, head + `{"Effect":"Allow","Action":1,"Resource":"*"}]}`, "string or a list of strings"},
		{"0.4 action holds a number", Identity, head + `{"Effect":"Allow","Action":["s3:*",1],"Resource":"*"}]}`, "string or a list of strings"},
		{"0.4 condition value is null", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:a":null}}}]}`, "string, number or boolean"},
		{"0.4 condition value is an object", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:a":{}}}}]}`, "string, number or boolean"},
		{"0.5 effect's case", Identity, head + `{"Effect":"allow","Action":"*","Resource":"*"}]}`, `"allow" is neither`},
		{"0.5 no effect", Identity, head + `{"Action":"*","Resource":"*"}]}`, "no Effect"},
		{"0.5 effect is a list", Identity, head + `{"Effect":["Allow"],"Action":"*","Resource":"*"}]}`, "string"},
		{"0.6 sid's characters", Identity, head + `{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}]}`, `"a b"`},
		{"0.6 sid twice", Trust, head + `{"Sid":"a",` + trust + `"Principal":{"AWS":"*"}},{"Sid":"a",` + trust + `"Principal":{"AWS":"*"}}]}`, "twice"},
		{"0.6 sid is a number", Identity, head + `{"Sid":1,"Effect":"Allow","Action":"*","Resource":"*"}]}`, "string"},
		{"1.1 no prefix", Identity, head + `{"Effect":"Allow","Action":"GetObject","Resource":"*"}]}`, "no service prefix"},
		{"1.2 wildcard in the prefix", Identity, head + `{"Effect":"Allow","Action":"s*:GetObject","Resource":"*"}]}`, "prefix"},
		{"1.2 star as prefix", Identity, head + `{"Effect":"Allow","Action":"*:GetObject","Resource":"*"}]}`, "prefix"},
		{"1.2 two colons", Identity, head + `{"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"}]}`, "colon"},
		{"2.1 resource is no ARN", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"bucket"}]}`, "neither an ARN"},
		{"2.1 resource is empty", Identity, head + `{"Effect":"Allow","Action":"*","Resource":""}]}`, "neither an ARN"},
		{"4.3 unknown operator", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:a":"x"}}}]}`, `"StringIs" is not a condition operator`},
		{"4.2 key without a prefix", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"SecureTransport":"true"}}}]}`, `"SecureTransport" has no service prefix`},
		{"4.3 operator's case", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"stringEquals":{"aws:a":"x"}}}]}`, "not a condition operator"},
		{"4.3 set operator's case", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"forAnyValue:StringEquals":{"aws:a":"x"}}}]}`, "not a condition operator"},
		{"4.3 BinaryNotEquals", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"BinaryNotEquals":{"aws:a":"x"}}}]}`, "not a condition operator"},
		{"4.3 condition is text", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":"x"}]}`, "JSON object"},
		{"4.3 operator's value is text", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":"x"}}]}`, "JSON object"},
		{"4.9 NullIfExists", Identity, head + `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"aws:a":"true"}}}]}`, "not a condition operator"},
		{"5.1 star in trust", Trust, head + `{` + trust + `"Principal":"*"}]}`, `cannot be "*"`},
		{"5.1 partial wildcard in trust", Trust, head + `{` + trust + `"Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}}]}`, "wildcard"},
		{"5.1 service wildcard in trust", Trust, head + `{` + trust + `"Principal":{"Service":"*"}}]}`, "wildcard"},
		{"5.1 principal is a name", Resource, head + `{"Effect":"Allow","Action":"*","Resource":"*","Principal":"111122223333"}]}`, `"*"`},
		{"5.1 principal's type", Trust, head + `{` + trust + `"Principal":{"aws":"111122223333"}}]}`, `"aws" is not a type`},
		{"5.1 principal's value", Trust, head + `{` + trust + `"Principal":{"AWS":1}}]}`, "string or a list"},
		{"5.2 principal is no account", Trust, head + `{` + trust + `"Principal":{"AWS":"bob"}}]}`, `"bob"`},
		{"5.5 canonical user in trust", Trust, head + `{` + trust + `"Principal":{"CanonicalUser":"79a5"}}]}`, "type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse(c.kind, []byte(c.text))
			if !isParseError(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want an error with %q", d, err, c.want)
			}
		})
	}
}

// Every cut of a document must be refused with a place in it.
func TestParse_CutDocuments(t *testing.T) {
	text := `{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"s","Effect":"Allow","Action":["s3:*"],"Principal":{"AWS":["*"]},"Resource":["*"],"Condition":{"Bool":{"aws:a":[true,"x",1]}}}]}`
	mustParse(t, Resource, text)
	for i := range len(text) {
		if d, err := Parse(Resource, []byte(text[:i])); !isParseError(err) {
			t.Fatalf("%s: %+v, %v", text[:i], d, err)
		}
	}
}

func TestParse_LegalDocuments(t *testing.T) {
	d := mustParse(t, Resource, `{"Id":"i","Statement":{"Sid":"two words","Effect":"Deny","NotPrincipal":{"AWS":["111122223333"],"Service":"s3.amazonaws.com"},
		"NotAction":["s3:*","*:*"],"NotResource":"arn:aws:s3:::b","Condition":{"NumericEquals":{"s3:max-keys":1.50},"Bool":{"aws:SecureTransport":true}}}}`)
	if len(d.Statements) != 1 || d.ID != "i" || d.Version != "" {
		t.Fatalf("%+v", d)
	}
	s := d.Statements[0]
	type plain struct {
		Sid                     string
		Effect                  Effect
		Actions, NotActions     []string
		Resources, NotResources []string
		NotPrincipals           map[string][]string
		Conditions              [][]string
	}
	got := plain{s.Sid, s.Effect, s.Actions, s.NotActions, s.Resources, s.NotResources, s.NotPrincipals, nil}
	for _, c := range s.Conditions {
		got.Conditions = append(got.Conditions, append([]string{c.Operator, c.Key}, c.Values...))
	}
	want := plain{
		Sid: "two words", Effect: Deny, NotActions: []string{"s3:*", "*:*"}, NotResources: []string{"arn:aws:s3:::b"},
		NotPrincipals: map[string][]string{"AWS": {"111122223333"}, "Service": {"s3.amazonaws.com"}},
		Conditions:    [][]string{{"Bool", "aws:SecureTransport", "true"}, {"NumericEquals", "s3:max-keys", "1.50"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyLists(t *testing.T) {
	ask(t, []question{
		{name: "action", identity: allow(`"Action":[]`), want: "denied"},
		{name: "resource", identity: allow(`"Resource":[]`), want: "denied"},
		{name: "principal", resourcePolicy: allow(`"Principal":{"AWS":[]}`), want: "denied"},
		{name: "notaction", identity: allow(`"NotAction":[]`), want: "allowed"},
		{name: "notresource", identity: allow(`"NotResource":[]`), want: "allowed"},
		{name: "no statement", identity: " ", want: "denied"},
		{name: "unknown operator without keys", identity: allow(`"Condition":{"Foo":{}}`), want: "allowed"},
		{name: "plain operator", identity: allow(when("StringEquals", "aws:a", "[]")), context: known("aws:a", "x"), want: "allowed"},
		{name: "plain operator, absent", identity: allow(when("StringEquals", "aws:a", "[]")), complete: true, want: "allowed"},
		{name: "plain operator, unknown", identity: allow(when("StringEquals", "aws:a", "[]")), want: "allowed"},
		{name: "IfExists", identity: allow(when("StringEqualsIfExists", "aws:a", "[]")), context: known("aws:a", "x"), want: "denied"},
		{name: "IfExists, absent", identity: allow(when("StringEqualsIfExists", "aws:a", "[]")), complete: true, want: "allowed"},
		{name: "IfExists, unknown", identity: allow(when("StringEqualsIfExists", "aws:a", "[]")), want: "depends"},
		{name: "ForAllValues", identity: allow(when("ForAllValues:StringEquals", "aws:a", "[]")), context: known("aws:a", "x"), want: "denied"},
		{name: "ForAllValues, absent", identity: allow(when("ForAllValues:StringEquals", "aws:a", "[]")), complete: true, want: "allowed"},
		{name: "ForAnyValue", identity: allow(when("ForAnyValue:StringEquals", "aws:a", "[]")), context: known("aws:a", "x"), want: "denied"},
		{name: "ForAnyValue, absent", identity: allow(when("ForAnyValue:StringEquals", "aws:a", "[]")), complete: true, want: "denied"},
		{name: "Null", identity: allow(when("Null", "aws:a", "[]")), complete: true, want: "allowed"},
	})
}

func TestUnreadPolicies(t *testing.T) {
	unread := Policy{Name: "unread"}
	allowing := Policy{Name: "allowing", Document: mustParse(t, Identity, string(question{}.document(allow())))}
	denying := Policy{Name: "denying", Document: mustParse(t, Identity, string(question{}.document(deny())))}
	trust := Policy{Name: "trust"}
	for _, c := range []struct {
		name string
		p    Policies
		want Decision
	}{
		{"alone", Policies{Identity: []Policy{unread}}, Depends},
		{"it may deny", Policies{Identity: []Policy{unread, allowing}}, Depends},
		{"a Deny is certain", Policies{Identity: []Policy{unread, denying}}, Denied},
		{"boundary", Policies{Identity: []Policy{allowing}, Boundary: &unread}, Depends},
		{"nothing allows", Policies{Boundary: &unread}, Denied},
		{"scp", Policies{Identity: []Policy{allowing}, SCPs: [][]Policy{{unread}}}, Depends},
		{"resource policy", Policies{Resource: &trust}, Depends},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Prepare(c.p)
			r := &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Account: testAccount}
			got := evaluate(t, s, r)
			if got.Decision != c.want || decide(t, s, r) != c.want {
				t.Fatalf("got %v, want %v", got.Decision, c.want)
			}
			if c.want == Depends && (len(got.DependsOn) != 1 || !strings.Contains(got.DependsOn[0].String(), "could not be read")) {
				t.Errorf("depends on %v", got.DependsOn)
			}
		})
	}
}
