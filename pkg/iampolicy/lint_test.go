package iampolicy

import (
	"slices"
	"testing"
)

// Each check has a document that raises it and one close by that does not.
func TestLint(t *testing.T) {
	identity := func(statements string) *Document {
		return mustParse(t, Identity, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	}
	trust := func(statements string) *Document {
		return mustParse(t, Trust, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	}
	resource := func(statements string) *Document {
		return mustParse(t, Resource, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	}
	assume := func(action, principal string) *Document {
		return trust(`{"Effect":"Allow","Action":"sts:` + action + `","Principal":` + principal + `}`)
	}
	const oidc = `{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"}`
	const saml = `{"Federated":"arn:aws:iam::111122223333:saml-provider/corp"}`
	tests := []struct {
		name      string
		kind      Kind
		bad, good *Document
		want      string
	}{
		{
			"shadowed", Identity, identity(allow() + "," + allow(`"Action":"s3:*"`)), identity(allow() + "," + allow(`"Action":"s3:PutObject"`)),
			"statement 1: statement 2 includes all of it (shadowed-statement)",
		},
		{
			"shadowed twin", Identity, identity(allow() + "," + allow(`"Sid":"Twin"`)), identity(allow(when("Null", "aws:a", `"true"`)) + "," + allow(when("Null", "aws:b", `"true"`))),
			"statement 2 (Twin): statement 1 includes all of it (shadowed-statement)",
		},
		{
			"overridden", Identity, identity(allow() + "," + deny(`"Action":"s3:*"`)), identity(allow() + "," + deny(when("Null", "aws:a", `"true"`))),
			"statement 1: statement 2 denies all of it (overridden-statement)",
		},
		{
			"overridden by NotAction", Identity, identity(allow(`"NotAction":["s3:Get*","s3:Put*"]`, `"Resource":"arn:aws:s3:::a"`) + "," + deny(`"NotAction":"s3:Get*"`)),
			identity(allow(`"Action":"s3:GetObject"`) + "," + deny(`"NotAction":"s3:Get*"`)),
			"statement 1: statement 2 denies all of it (overridden-statement)",
		},
		{
			"overridden by everything", Identity, identity(allow(`"NotAction":"s3:*"`, `"Resource":"arn:aws:s3:::a"`) + "," + deny(`"Action":"*:*"`)),
			identity(allow(`"Resource":"arn:aws:s3:::${aws:a}"`) + "," + deny(`"Resource":"arn:aws:s3:::${aws:b}"`)),
			"statement 1: statement 2 denies all of it (overridden-statement)",
		},
		{"empty actions", Identity, identity(allow(`"Action":[]`)), identity(allow()), "statement 1: Action is empty: the statement matches nothing (matches-nothing)"},
		{"empty resources", Identity, identity(allow(`"Resource":[]`)), identity(allow()), "statement 1: Resource is empty: the statement matches nothing (matches-nothing)"},
		{
			"empty principals", Trust, trust(allow(`"Principal":{"AWS":[]}`)), trust(allow(`"Principal":{"AWS":["111122223333"]}`)),
			"statement 1: Principal is empty: the statement matches nobody (matches-nothing)",
		},
		{
			"unknown operator", Identity, identity(allow(`"Condition":{"StringIs":{}}`)), identity(allow(`"Condition":{"StringEquals":{}}`)),
			"statement 1: StringIs is not a condition operator (unknown-operator)",
		},
		{
			"unreadable value", Identity, identity(allow(when("NumericEquals", "aws:a", `"five"`))), identity(allow(when("NumericEquals", "aws:a", `"5"`))),
			`statement 1: NumericEquals cannot read "five": it matches nothing (condition-value)`,
		},
		{
			"no value", Identity, identity(allow(when("StringEquals", "aws:a", `[]`))), identity(allow(when("StringEquals", "aws:a", `["x"]`))),
			"statement 1: StringEquals aws:a has no value (condition-value)",
		},
		{
			"no ARN", Identity, identity(allow(when("ArnLike", "aws:a", `"role/*"`))), identity(allow(when("ArnLike", "aws:a", `"arn:aws:iam::*:role/*"`))),
			`statement 1: ArnLike compares ARNs of six parts, and "role/*" has fewer: AWS does not document what it matches (condition-value)`,
		},
		{
			"wildcard as text", Identity, identity(allow(when("StringEquals", "aws:a", `"x*"`))), identity(allow(when("StringLike", "aws:a", `"x*"`))),
			`statement 1: StringEquals compares "x*" literally; StringLike has wildcards (condition-value)`,
		},
		{
			"multivalued key", Identity, identity(allow(when("StringEquals", "aws:TagKeys", `"x"`))), identity(allow(when("ForAnyValue:StringEquals", "aws:TagKeys", `"x"`))),
			"statement 1: aws:TagKeys can have several values: StringEquals needs ForAllValues or ForAnyValue (multivalued-key)",
		},
		{
			"single-valued key", Identity, identity(allow(when("ForAnyValue:StringEquals", "aws:PrincipalArn", `"x"`))), identity(allow(when("ForAnyValue:StringEquals", "ecr:x", `"x"`))),
			"statement 1: aws:PrincipalArn has one value at most: ForAnyValue:StringEquals is for keys that have several (multivalued-key)",
		},
		{
			"ForAllValues", Identity, identity(allow(when("ForAllValues:StringEquals", "aws:TagKeys", `"x"`))),
			identity(allow(`"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"x"},"Null":{"aws:tagkeys":"false"}}`)),
			"statement 1: ForAllValues:StringEquals holds where the request has no aws:TagKeys: add Null with false (for-all-values-without-null)",
		},
		{
			"repeated key", Identity, identity(allow(`"Condition":{"StringEquals":{"aws:a":"x","aws:A":"y"}}`)), identity(allow(`"Condition":{"StringEquals":{"aws:a":"x","aws:b":"y"}}`)),
			"statement 1: StringEquals has the key aws:a twice: both conditions have to hold (repeated-key)",
		},
		{
			"dangling principal", Trust, assume("AssumeRole", `{"AWS":"AROAEXAMPLEEXAMPLE1"}`), assume("AssumeRole", `{"AWS":"111122223333"}`),
			"statement 1: principal AROAEXAMPLEEXAMPLE1 was deleted: IAM shows its unique ID, which matches nobody (dangling-principal)",
		},
		{
			"NotPrincipal allows", Resource, resource(allow(`"Resource":"*"`, `"NotPrincipal":{"AWS":"111122223333"}`)), resource(allow(`"Resource":"*"`, `"Principal":{"AWS":"111122223333"}`)),
			"statement 1: NotPrincipal allows everyone who is not listed, including anonymous callers; AWS does not support it with Allow (not-principal)",
		},
		{
			"NotPrincipal denies", Resource, resource(deny(`"Resource":"*"`, `"NotPrincipal":{"AWS":"111122223333"}`)), resource(deny(`"Resource":"*"`, `"Principal":{"AWS":"111122223333"}`)),
			"statement 1: NotPrincipal denies everyone who is not listed, including the accounts and sessions of those listed (not-principal)",
		},
		{
			"everyone", Trust, assume("AssumeRole", `{"AWS":"*"}`), trust(allow(`"Action":"sts:AssumeRole"`, `"Principal":{"AWS":"*"}`, when("StringEquals", "aws:a", `"x"`))),
			"statement 1: allows every principal of every AWS account, without a condition (everyone)",
		},
		{
			"OIDC by AssumeRole", Trust, assume("AssumeRole", oidc), assume("AssumeRoleWithWebIdentity", oidc),
			"statement 1: identity provider arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF needs sts:AssumeRoleWithWebIdentity (action-for-principal)",
		},
		{
			"SAML by AssumeRole", Trust, assume("AssumeRole", saml), assume("AssumeRoleWithSAML", saml),
			"statement 1: SAML provider arn:aws:iam::111122223333:saml-provider/corp needs sts:AssumeRoleWithSAML (action-for-principal)",
		},
		{
			"service by web identity", Trust, assume("AssumeRoleWithWebIdentity", `{"Service":"ec2.amazonaws.com"}`), assume("AssumeRole", `{"Service":"ec2.amazonaws.com"}`),
			"statement 1: principals of type Service assume a role with sts:AssumeRole (action-for-principal)",
		},
		{"everything", Identity, identity(allow(`"Action":"*"`)), identity(allow(`"Action":"*"`, `"Resource":"arn:aws:s3:::a"`)), "statement 1: allows every action on every resource (over-broad)"},
		{"a whole service", Identity, identity(allow(`"Action":"s3:*"`)), identity(allow(`"Action":"s3:Get*"`)), "statement 1: allows every action of s3 on every resource (over-broad)"},
		{
			"all but", Identity, identity(allow(`"NotAction":"s3:*"`)), identity(deny(`"NotAction":"s3:*"`)),
			"statement 1: allows every action except those of NotAction, including future ones (allow-not)",
		},
		{
			"everywhere but", Identity, identity(allow(`"NotResource":"arn:aws:s3:::a"`)), identity(deny(`"NotResource":"arn:aws:s3:::a"`)),
			"statement 1: allows every resource except those of NotResource (allow-not)",
		},
		{
			"old version", Identity, mustParse(t, Identity, `{"Version":"2008-10-17","Statement":`+allow(`"Resource":"arn:aws:s3:::${aws:a}"`)+`}`), identity(allow(`"Resource":"arn:aws:s3:::${aws:a}"`)),
			`statement 1: "arn:aws:s3:::${aws:a}" is plain text: policy variables need Version 2012-10-17 (variable-in-old-version)`,
		},
		{
			"old version's condition", Identity, mustParse(t, Identity, `{"Version":"2008-10-17","Statement":`+allow(when("StringLike", "aws:a", `"${aws:b}"`))+`}`), identity(allow(when("StringLike", "aws:a", `"${aws:b}"`))),
			`statement 1: "${aws:b}" is plain text: policy variables need Version 2012-10-17 (variable-in-old-version)`,
		},
		{
			"no version", Identity, mustParse(t, Identity, `{"Statement":`+allow()+`}`), identity(allow()),
			"has no Version, which means 2008-10-17, without policy variables (version-missing)",
		},
	}
	covered := map[Check]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := Lint(tt.kind, tt.bad)
			i := slices.IndexFunc(problems, func(p Problem) bool { return p.String() == tt.want })
			if i < 0 {
				t.Fatalf("got  %v\nwant %s", problems, tt.want)
			}
			covered[problems[i].Check] = true
			for _, p := range Lint(tt.kind, tt.good) {
				if p.Check == problems[i].Check {
					t.Errorf("the good one: %s", p)
				}
			}
		})
	}
	for _, c := range []Check{
		CheckShadowed, CheckOverridden, CheckNothing, CheckOperator, CheckValue, CheckMultivalued, CheckForAllValues, CheckRepeatedKey, CheckVariable,
		CheckVersion, CheckDangling, CheckNotPrincipal, CheckEveryone, CheckWrongAction, CheckBroad, CheckAllowNot,
	} {
		if !covered[c] {
			t.Errorf("nothing raises %s", c)
		}
	}
}

func TestLint_PrincipalsOfStatements(t *testing.T) {
	statement := func(principal string) string { return allow(`"Resource":"*"`, `"Principal":`+principal) }
	for _, tt := range []struct {
		a, b     string
		shadowed bool
	}{
		{`{"AWS":["111122223333","444455556666"]}`, `{"AWS":"111122223333"}`, true},
		{`"*"`, `{"AWS":"111122223333"}`, true},
		{`{"AWS":"444455556666"}`, `{"AWS":"111122223333"}`, false},
	} {
		d := mustParse(t, Resource, `{"Version":"2012-10-17","Statement":[`+statement(tt.a)+","+statement(tt.b)+`]}`)
		shadowed := false
		for _, p := range Lint(Resource, d) {
			shadowed = shadowed || p.Check == CheckShadowed
		}
		if shadowed != tt.shadowed {
			t.Errorf("%s and %s: %v", tt.a, tt.b, shadowed)
		}
	}
}
