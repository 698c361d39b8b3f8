package iampolicy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testKey = "arn:aws:kms:eu-west-1:111122223333:key/k"

// A resource that always has a policy of its own is not decided without it.
func TestOwnPolicies(t *testing.T) {
	everything := allow(`"Action":"*"`)
	assume := func(action, resource string) question {
		return question{action: action, resource: resource, identity: everything, want: "depends"}
	}
	with := func(q question, name string, change func(*question)) question {
		q.name = name
		change(&q)
		return q
	}
	role := assume("sts:AssumeRole", trustedRole)
	key := assume("kms:Decrypt", testKey)
	is := func(want string) func(*question) { return func(q *question) { q.want = want } }
	in := func(state ResourceState, want string) func(*question) {
		return func(q *question) { q.resourceState, q.want = state, want }
	}
	ask(t, []question{
		with(role, "5.9 trust policy not given", is("depends")),
		with(role, "5.9 trust policy not given, identity silent: it may name the role", func(q *question) { q.identity = "" }),
		with(role, "5.9 trust policy not given, identity denies", func(q *question) { q.identity, q.want = deny(`"Action":"sts:*"`), "explicit" }),
		with(role, "5.9 trust policy not given, SCP lacks it", func(q *question) { q.scps, q.want = [][]string{{allow()}}, "denied" }),
		with(role, "5.9 trust policy not given, root user", func(q *question) { q.principal = "arn:aws:iam::111122223333:root" }),
		with(role, "5.9 trust policy not given, service", func(q *question) { q.principal = ec2Service }),
		with(role, "5.9 no trust policy", in(NoPolicy, "denied")),
		with(role, "5.9 trust policy delegates", in(Delegates, "allowed")),
		with(role, "5.9 trust policy delegates, identity silent", func(q *question) { in(Delegates, "denied")(q); q.identity = "" }),
		with(role, "5.9 trust policy delegates, service", func(q *question) { in(Delegates, "denied")(q); q.principal = ec2Service }),
		with(role, "5.9 trust policy of another account delegates", func(q *question) { in(Delegates, "denied")(q); q.account = otherAccount }),
		with(role, "5.9 trust policy given", func(q *question) {
			q.resourcePolicy, q.want = allow(`"Action":"sts:AssumeRole"`, names(testAccount)), "allowed"
		}),
		with(role, "5.9 a given policy counts, not the state", func(q *question) {
			q.resourcePolicy = allow(`"Action":"sts:AssumeRole"`, names(testAccount))
			in(NoPolicy, "allowed")(q)
		}),
		with(assume("sts:TagSession", trustedRole), "5.9 sts:TagSession", is("depends")),
		with(assume("STS:assumerolewithsaml", trustedRole), "5.9 case of an action", is("depends")),
		with(assume("sts:AssumeRole", "arn:aws:iam::111122223333:role/a*"), "5.9 every role of a pattern", is("depends")),
		with(assume("sts:AssumeRole", "arn:aws:iam::111122223333:*"), "5.9 a pattern with roles among others", is("depends")),
		with(assume("sts:AssumeRole", "arn:aws:iam::111122223333:user/*"), "5.9 a pattern without roles", is("allowed")),
		with(assume("sts:AssumeRole", "*"), "5.9 sts:AssumeRole is about a role", is("depends")),
		with(assume("sts:DecodeAuthorizationMessage", "*"), "5.9 an action of STS that is about no role", is("allowed")),
		with(assume("iam:PassRole", trustedRole), "5.9 iam:PassRole does not need the trust policy", is("allowed")),
		with(assume("iam:PassRole", trustedRole), "5.9 iam:PassRole across accounts", func(q *question) { q.account, q.want = otherAccount, "denied" }),
		with(key, "5.9 key policy not given", is("depends")),
		with(key, "5.9 no key policy", in(NoPolicy, "denied")),
		with(key, "5.9 key policy enables IAM policies", in(Delegates, "allowed")),
		with(assume("kms:Decrypt", "arn:aws:kms:*:*:key/*"), "5.9 every key", is("depends")),
		with(assume("kms:CreateAlias", "arn:aws:kms:eu-west-1:111122223333:alias/a"), "5.9 an alias has no policy", is("allowed")),
		with(assume("kms:ListKeys", "*"), "5.9 an action of KMS without a key", is("allowed")),
		with(assume("kms:Decrypt", "*"), "5.9 an action of KMS with a key", is("depends")),
		with(assume("s3:GetObject", object), "5.9 a bucket need not have a policy", is("allowed")),
		with(assume("s3:GetObject", object), "5.9 another account's bucket", func(q *question) { q.account, q.want = otherAccount, "depends" }),
		with(assume("s3:GetObject", object), "5.9 another account's bucket has no policy", func(q *question) { in(NoPolicy, "denied")(q); q.account = otherAccount }),
	})
}

func TestOwnPolicies_Reason(t *testing.T) {
	for _, c := range []struct{ action, resource, account, want string }{
		{"sts:AssumeRole", trustedRole, testAccount, "the trust policy of arn:aws:iam::111122223333:role/target was not given"},
		{"kms:Decrypt", testKey, testAccount, "the key policy of " + testKey + " was not given"},
		{"kms:Decrypt", "*", testAccount, "the key policy of the resource was not given"},
		{"s3:GetObject", object, otherAccount, "the resource policy of arn:aws:s3:::bucket/key was not given"},
	} {
		r := question{action: c.action, resource: c.resource, account: c.account, identity: allow(`"Action":"*"`)}.request()
		a := r.Answer()
		if diff := cmp.Diff([]Dependency{{Reason: c.want}}, a.DependsOn); diff != "" {
			t.Errorf("%s: %s", c.action, diff)
		}
		set, request, err := r.prepare()
		if err != nil {
			t.Fatal(err)
		}
		traces := explain(t, set, request)
		last := Trace{Layer: LayerResource, Statement: Reference{Index: -1}, Applies: Depends, Sentence: c.want + ": it may allow or deny anything."}
		if diff := cmp.Diff(last, traces[len(traces)-1]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPermissionFreeActions(t *testing.T) {
	everythingDenied := deny(`"Action":"*"`)
	free := func(name, principal, action, want string) question {
		return question{
			name: name, principal: principal, action: action, resource: "*", want: want,
			identity: everythingDenied, boundary: everythingDenied, scps: [][]string{{everythingDenied}},
		}
	}
	ask(t, []question{
		free("1.6 sts:GetCallerIdentity", nodeRole, "sts:GetCallerIdentity", "allowed"),
		free("1.6 case", nodeSession, "STS:getcalleridentity", "allowed"),
		free("1.6 user", testUser, "sts:GetCallerIdentity", "allowed"),
		free("1.6 a service is not a caller of it", ec2Service, "sts:GetCallerIdentity", "denied"),
		free("1.6 sts:GetSessionToken, user", testUser, "sts:GetSessionToken", "allowed"),
		free("1.6 sts:GetSessionToken, root user", testAccount, "sts:GetSessionToken", "allowed"),
		free("1.6 sts:GetSessionToken, role", nodeRole, "sts:GetSessionToken", "explicit"),
		free("1.6 another action", nodeRole, "sts:GetAccessKeyInfo", "explicit"),
		{name: "1.6 nothing is attached", action: "sts:GetCallerIdentity", resource: "*", want: "allowed"},
	})
	set := Prepare(Policies{Identity: []Policy{{Name: "unread"}}})
	r := &Request{Principal: nodeRole, Action: "sts:GetCallerIdentity", Resource: "*"}
	const why = "sts:GetCallerIdentity needs no permission, and no policy can deny it"
	if diff := cmp.Diff(Result{Decision: Allowed, Reason: why}, evaluate(t, set, r)); diff != "" || decide(t, set, r) != Allowed {
		t.Error(diff)
	}
	want := []Trace{{Statement: Reference{Index: -1}, Applies: Allowed, Sentence: why + "."}}
	if diff := cmp.Diff(want, explain(t, set, r)); diff != "" {
		t.Error(diff)
	}
}

// The keys that follow from the principal are known without a context.
func TestPrincipalKeys(t *testing.T) {
	const (
		root      = "arn:aws:iam::111122223333:root"
		federated = "arn:aws:sts::111122223333:federated-user/eve"
		pathUser  = "arn:aws:iam::111122223333:user/a/b/bob"
		pathRole  = "arn:aws:iam::111122223333:role/a/node"
	)
	for _, c := range []struct {
		principal, key string
		value          string // empty: nothing follows; ?: the value is unknown
	}{
		{nodeRole, "aws:PrincipalArn", nodeRole},
		{nodeRole, "aws:PrincipalAccount", testAccount},
		{nodeRole, "aws:PrincipalType", "AssumedRole"},
		{nodeRole, "aws:username", ""},
		{nodeSession, "aws:PrincipalArn", "?"},
		{nodeSession, "aws:PrincipalAccount", testAccount},
		{nodeSession, "aws:PrincipalType", "AssumedRole"},
		{testUser, "aws:PrincipalArn", testUser},
		{testUser, "aws:PrincipalType", "User"},
		{testUser, "aws:username", "bob"},
		{pathUser, "aws:username", "bob"},
		{root, "aws:PrincipalArn", root},
		{root, "aws:PrincipalType", "Account"},
		{testAccount, "aws:PrincipalArn", "?"},
		{testAccount, "aws:PrincipalAccount", testAccount},
		{federated, "aws:PrincipalArn", federated},
		{federated, "aws:PrincipalType", "FederatedUser"},
		{ec2Service, "aws:PrincipalArn", ""},
		{ec2Service, "aws:PrincipalType", ""},
		{"arn:aws:iam::111122223333:mfa/x", "aws:PrincipalType", ""},
	} {
		for operator, wants := range map[string][3]string{ // known, unknown value, nothing follows
			"StringEquals":    {"allowed", "depends", "depends"},
			"StringNotEquals": {"denied", "depends", "depends"},
		} {
			value, want := c.value, wants[0]
			switch value {
			case "?":
				value, want = "x", wants[1]
			case "":
				value, want = "x", wants[2]
			}
			q := question{name: c.principal + " " + operator + " " + c.key, principal: c.principal, want: want}
			q.resourcePolicy = allow(`"Principal":"*"`, `"Resource":"*"`, when(operator, c.key, `"`+value+`"`))
			if c.principal == root || c.principal == testAccount { // is allowed anyway
				q.resourcePolicy = deny(`"Principal":"*"`, `"Resource":"*"`, when(operator, c.key, `"`+value+`"`))
				q.want = map[string]string{"allowed": "explicit", "denied": "allowed", "depends": "depends"}[want]
			}
			ask(t, []question{q})
		}
		if c.value == "" || c.value == "?" {
			continue
		}
		ask(t, []question{
			{name: c.principal + " given " + c.key, principal: c.principal, context: known(c.key, c.value), identity: allow(), resourcePolicy: allow(`"Principal":"*"`, `"Resource":"*"`), want: "allowed"},
			{name: c.principal + " given another " + c.key, principal: c.principal, context: known(strings.ToUpper(c.key), "x"), want: "error " + c.key + ` is ["x"]`},
		})
	}
	given := func(name, principal, value, want string) question {
		return question{name: name, principal: principal, context: known("aws:PrincipalArn", value), identity: allow(), want: want}
	}
	ask(t, []question{
		given("7.1 a session's role", nodeSession, nodeRole, "allowed"),
		given("7.1 a session's role with a path", nodeSession, pathRole, "allowed"),
		given("7.1 a session's ARN", nodeSession, nodeSession, "error it is the ARN of its role"),
		given("7.1 another role's ARN", nodeSession, nodeRole+"2", "error it is the ARN of its role"),
		given("7.1 another account's role", nodeSession, "arn:aws:iam::444455556666:role/node", "error it is the ARN of its role"),
		given("7.1 another partition's role", nodeSession, "arn:aws-cn:iam::111122223333:role/node", "error it is the ARN of its role"),
		given("7.1 an account's root user", testAccount, "arn:aws-cn:iam::111122223333:root", "allowed"),
		given("7.1 an account's user", testAccount, testUser, "error it is the ARN of its root user"),
		given("7.1 an account id", testAccount, testAccount, "error it is the ARN of its root user"),
		{
			name: "7.1 a session's role decides", principal: nodeSession, context: known("aws:PrincipalArn", pathRole), want: "allowed",
			identity: allow(when("ArnEquals", "aws:PrincipalArn", `"`+pathRole+`"`)),
		},
		{name: "7.1 a role may have any aws:username", context: known("aws:username", "x"), identity: allow(), want: "allowed"},
	})
	absent := NewContext().Absent("aws:PrincipalAccount")
	if _, err := Prepare(Policies{}).Decide(&Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: absent}); !isRequestError(err) {
		t.Errorf("absent: %v", err)
	}
	if err := (&Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: NewContext().Present("aws:PrincipalAccount")}).Validate(); err != nil {
		t.Errorf("present: %v", err)
	}
}

func isRequestError(err error) bool {
	var r *RequestError
	return errors.As(err, &r)
}

func TestSingleValuedKeys(t *testing.T) {
	two := func(key, want string) question {
		return question{name: "4.6 " + key, context: known(key, "a", key, "b"), identity: allow(), want: want}
	}
	ask(t, []question{
		two("aws:RequestedRegion", `error condition key aws:RequestedRegion has one value at most, got ["a" "b"]`),
		two("AWS:SOURCEVPC", "error has one value at most"),
		two("aws:PrincipalTag/team", "error has one value at most"),
		two("aws:ResourceTag/team", "error has one value at most"),
		two("ec2:SourceInstanceARN", "error has one value at most"),
		two("aws:TagKeys", "allowed"),
		two("aws:PrincipalOrgPaths", "allowed"),
		two("ecr:ResourceTag/team", "allowed"),
		two("aws:NotDocumented", "allowed"),
		{name: "4.6 the same value twice", context: known("aws:RequestedRegion", "a", "aws:RequestedRegion", "a"), want: "error has one value at most"},
	})
	c := NewContext().Set("aws:SourceVpc", "a", "b").Set("aws:SourceVpce", "c", "d")
	_, err := Prepare(Policies{}).Evaluate(&Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object, Context: c})
	if !isRequestError(err) || !strings.Contains(err.Error(), "aws:SourceVpc ") {
		t.Errorf("the first problem counts: %v", err)
	}
}

// The layer that a denial names is the first that lacks the Allow, in this order:
// session policy, permissions boundary, SCPs, resource policy.
func TestDenyingLayer(t *testing.T) {
	full, other := allow(`"Action":"*"`), allow(`"Action":"s3:PutObject"`)
	others := [][]string{{other}}
	ifA := func(value string) string { return allow(when("StringEquals", "aws:a", `"`+value+`"`)) }
	for _, c := range []struct {
		question
		want Layer
	}{
		{question{name: "identity", session: other, boundary: other, scps: others}, LayerIdentity},
		{question{name: "session", identity: full, session: other, boundary: other, scps: others}, LayerSession},
		{question{name: "boundary", identity: full, session: full, boundary: other, scps: others}, LayerBoundary},
		{question{name: "SCP", identity: full, session: full, boundary: full, scps: others, account: otherAccount, resourceState: NoPolicy}, LayerSCP},
		{question{name: "resource", identity: full, session: full, boundary: full, account: otherAccount, resourceState: NoPolicy}, LayerResource},
		{question{name: "trust policy", identity: full, action: "sts:AssumeRole", resource: trustedRole, resourceState: NoPolicy}, LayerResource},
		{question{name: "trust policy and identity", action: "sts:AssumeRole", resource: trustedRole, resourceState: NoPolicy}, LayerResource},
		{question{name: "identity, where the trust policy delegates", action: "sts:AssumeRole", resource: trustedRole, resourceState: Delegates}, LayerIdentity},
		{question{name: "no layer alone", identity: ifA("x"), session: ifA("y")}, LayerIdentity},
		{question{name: "an explicit Deny", identity: deny(), session: other}, LayerIdentity},
		{question{name: "an explicit Deny of the session policy", identity: full, session: full + "," + deny()}, LayerSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.request()
			set, r, err := b.prepare()
			if err != nil {
				t.Fatal(err)
			}
			if got := evaluate(t, set, r); got.Decision != Denied || got.By != c.want {
				t.Errorf("%v by %v, want %v", got.Decision, got.By, c.want)
			}
		})
	}
}

// Requests that nobody can send are errors everywhere.
func TestRequest_Validate(t *testing.T) {
	valid := Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object}
	set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: mustParse(t, Identity, string(question{}.document(allow(`"Action":"*"`))))}}})
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   string // empty: it is valid
	}{
		{"valid", func(*Request) {}, ""},
		{"no resource types", func(r *Request) { r.Resource = "*" }, ""},
		{"a pattern", func(r *Request) { r.Resource = "arn:aws:s3:::bucket/*" }, ""},
		{"a short pattern", func(r *Request) { r.Resource = "arn:aws:s3:*" }, ""},
		{"an empty name", func(r *Request) { r.Resource = "arn:aws:s3:::" }, ""},
		{"no principal", func(r *Request) { r.Principal = "" }, "the request has no principal"},
		{"no action", func(r *Request) { r.Action = "" }, "the request has no action"},
		{"no resource", func(r *Request) { r.Resource = "" }, "the request has no resource"},
		{"an action without a service", func(r *Request) { r.Action = "GetObject" }, `action "GetObject" is not one action such as ec2:DescribeInstances`},
		{"an action without a name", func(r *Request) { r.Action = "s3:" }, `action "s3:" is not one action such as ec2:DescribeInstances`},
		{"a service without a prefix", func(r *Request) { r.Action = ":x" }, `action ":x" is not one action such as ec2:DescribeInstances`},
		{"two colons", func(r *Request) { r.Action = "s3:a:b" }, `action "s3:a:b" is not one action such as ec2:DescribeInstances`},
		{"several actions", func(r *Request) { r.Action = "s3:Get*" }, `action "s3:Get*" is not one action such as ec2:DescribeInstances`},
		{"every action", func(r *Request) { r.Action = "*" }, `action "*" is not one action such as ec2:DescribeInstances`},
		{"a name for a resource", func(r *Request) { r.Resource = "bucket" }, `resource "bucket" is neither an ARN nor "*"`},
		{"two stars", func(r *Request) { r.Resource = "**" }, `resource "**" is neither an ARN nor "*"`},
		{"an incomplete ARN", func(r *Request) { r.Resource = "arn:aws:s3" }, `resource "arn:aws:s3" is neither an ARN nor "*"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := valid
			c.change(&r)
			decision, decideErr := set.Decide(&r)
			result, evaluateErr := set.Evaluate(&r)
			traces, explainErr := set.Explain(&r)
			for _, err := range []error{r.Validate(), decideErr, evaluateErr, explainErr} {
				text := ""
				if err != nil {
					text = err.Error()
				}
				if text != c.want || isRequestError(err) != (c.want != "") {
					t.Errorf("error %q, want %q", text, c.want)
				}
			}
			if c.want != "" && (decision != Depends || result.Decision != Depends || traces != nil) {
				t.Errorf("an error with the answer %v, %+v, %v", decision, result, traces)
			}
		})
	}
}

// "*" as a request's resource has one meaning in the Go API and in a batch.
func TestRequest_Star(t *testing.T) {
	for _, c := range []struct {
		name, resource, statements string
		want                       Decision
	}{
		{"star and star", "*", allow(`"Action":"*"`), Allowed},
		{"star and a pattern", "*", allow(`"Resource":"arn:aws:s3:::*"`), Denied},
		{"star and everything but a pattern", "*", allow(`"NotResource":"arn:aws:s3:::*"`), Allowed},
		{"star and a Deny on a pattern", "*", allow() + "," + deny(`"Resource":"arn:aws:s3:::*"`), Allowed},
		{"every object and star", "arn:aws:s3:::*", allow(), Allowed},
		{"every object and one bucket's", "arn:aws:s3:::*", allow(`"Resource":"arn:aws:s3:::bucket/*"`), Depends},
		{"every object and a bucket's that are denied", "arn:aws:s3:::*", allow() + "," + deny(`"Resource":"arn:aws:s3:::bucket/*"`), Depends},
		{"one character and star", "arn:aws:s3:::bucket/?", allow(`"Resource":"arn:aws:s3:::bucket/*"`), Allowed},
		{"star and one character", "arn:aws:s3:::bucket/*", allow(`"Resource":"arn:aws:s3:::bucket/?"`), Depends},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := question{resource: c.resource, identity: c.statements}.request()
			if a := b.Answer(); a.Error != "" || a.Decision != c.want {
				t.Errorf("batch: %+v", a)
			}
			set := Prepare(Policies{Identity: []Policy{{Name: "p", Document: mustParse(t, Identity, string(question{}.document(c.statements)))}}})
			r := &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: c.resource}
			result := evaluate(t, set, r)
			if result.Decision != c.want || decide(t, set, r) != c.want {
				t.Errorf("API: %+v", result)
			}
			pattern := c.resource
			if c.resource == "*" || c.want == Allowed {
				pattern = ""
			}
			if result.Uncovered != pattern {
				t.Errorf("uncovered: %q, want %q", result.Uncovered, pattern)
			}
		})
	}
}

// A document that Parse did not make may say anything.
func TestUnparsedDocuments(t *testing.T) {
	parsed := mustParse(t, Identity, string(question{}.document(allow())))
	changed := *parsed
	changed.Statements = append(changed.Statements, Statement{Effect: Deny, Actions: []string{"*"}, Resources: []string{"*"}})
	r := &Request{Principal: nodeRole, Action: "s3:GetObject", Resource: object}
	for name, d := range map[string]*Document{
		"zero":                {},
		"written by hand":     {Version: Version2012, Statements: []Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}},
		"statements of Parse": {Statements: parsed.Statements},
		"a statement added":   &changed,
	} {
		t.Run(name, func(t *testing.T) {
			for layer, p := range map[string]Policies{
				"identity": {Identity: []Policy{{Name: "p", Document: parsed}, {Name: "q", Document: d}}},
				"session":  {Identity: []Policy{{Name: "p", Document: parsed}}, Session: &Policy{Name: "q", Document: d}},
				"boundary": {Identity: []Policy{{Name: "p", Document: parsed}}, Boundary: &Policy{Name: "q", Document: d}},
				"SCP":      {Identity: []Policy{{Name: "p", Document: parsed}}, SCPs: [][]Policy{{{Name: "q", Document: d}}}},
				"resource": {Identity: []Policy{{Name: "p", Document: parsed}}, Resource: &Policy{Name: "q", Document: d}},
			} {
				set := Prepare(p)
				if diff := cmp.Diff([]Dependency{{Reason: "q was not parsed"}}, evaluate(t, set, r).DependsOn); diff != "" {
					t.Errorf("%s: %s", layer, diff)
				}
			}
			if problems := Lint(Identity, d); len(problems) != 1 || problems[0].Check != CheckNotParsed {
				t.Errorf("lint: %v", problems)
			}
		})
	}
	if decide(t, Prepare(Policies{Identity: []Policy{{Document: parsed}}}), r) != Allowed {
		t.Error("the parsed document was changed")
	}
	if problems := Lint(Identity, nil); len(problems) != 1 {
		t.Errorf("lint of nothing: %v", problems)
	}
	if _, err := Parse(Kind(9), []byte(`{"Statement":[]}`)); !isParseError(err) || !strings.Contains(err.Error(), "Kind(9)") {
		t.Errorf("unknown kind: %v", err)
	}
}

// Where AWS's documentation leaves the outcome open, the answer depends on that.
func TestUndocumented(t *testing.T) {
	const short = "AWS does not document what an ARN pattern of fewer than six parts matches"
	arn := func(effect func(...string) string, operator, pattern string) string {
		return effect(when(operator, "aws:SourceArn", `"`+pattern+`"`))
	}
	source := known("aws:SourceArn", "arn:aws:sns:eu-west-1:111122223333:topic")
	for _, c := range []struct {
		question
		reasons []string
	}{
		{question{name: "4.10 Deny", identity: allow() + "," + arn(deny, "ArnLike", "arn:aws:sns:*"), context: source, want: "depends"}, []string{short}},
		{question{name: "4.10 Deny, star", identity: allow() + "," + arn(deny, "ArnEquals", "*"), context: source, want: "depends"}, []string{short}},
		{question{name: "4.10 Deny, key unknown", identity: allow() + "," + arn(deny, "ArnLike", "arn:aws:sns:*"), want: "depends"}, []string{short}},
		{question{name: "4.10 Deny, key absent", identity: allow() + "," + arn(deny, "ArnLike", "arn:aws:sns:*"), complete: true, want: "allowed"}, nil},
		{question{name: "4.10 Deny, matches in no reading", identity: allow() + "," + arn(deny, "ArnLike", "arn:aws:sqs:*"), context: source, want: "allowed"}, nil},
		{question{name: "4.10 Deny, a value that is not an ARN", identity: allow() + "," + arn(deny, "ArnLike", "*"), context: known("aws:SourceArn", "x"), want: "allowed"}, nil},
		{question{name: "4.10 Deny, six parts", identity: allow() + "," + arn(deny, "ArnLike", "arn:aws:sns:*:*:*"), context: source, want: "explicit"}, nil},
		{question{name: "4.10 Deny, another Deny", identity: allow() + "," + arn(deny, "ArnLike", "*") + "," + deny(), context: source, want: "explicit"}, nil},
		{question{name: "4.10 Deny, negated", identity: allow() + "," + arn(deny, "ArnNotLike", "*"), context: source, want: "explicit"}, nil},
		{question{name: "4.10 Allow", identity: arn(allow, "ArnLike", "arn:aws:sns:*"), context: source, want: "denied"}, nil},
		{question{name: "4.10 Allow, negated", identity: arn(allow, "ArnNotLike", "arn:aws:sns:*"), context: source, want: "depends"}, []string{short}},
		{question{name: "4.10 Deny and Allow of the same", identity: arn(allow, "ArnNotLike", "*") + "," + arn(deny, "ArnLike", "*"), context: source, want: "depends"}, []string{short}},
		{question{name: "4.10 a variable that expands to few parts", identity: allow() + "," + arn(deny, "ArnLike", "${aws:SourceVpc}"), context: known("aws:SourceArn", "arn:aws:a:b:c:d", "aws:SourceVpc", "arn:aws"), want: "allowed"}, nil},
		{
			question{name: "2.7 NotResource", identity: allow(`"NotResource":"arn:aws:s3:::bucket/${aws:SourceVpc}"`), complete: true, want: "depends"},
			[]string{"the request has no value for aws:sourcevpc, and AWS does not document what NotResource then excludes"},
		},
		{
			question{name: "2.7 NotResource, a default and no default", identity: allow(`"NotResource":"arn:aws:s3:::${aws:SourceVpc, 'a'}/${aws:SourceVpce}"`), complete: true, want: "depends"},
			[]string{"the request has no value for aws:sourcevpce, and AWS does not document what NotResource then excludes"},
		},
		{
			question{name: "5.6 NotPrincipal", principal: testUser, boundary: allow(`"Action":"s3:PutObject"`), resourcePolicy: allow(`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/eve"}`, `"Resource":"*"`), want: "depends"},
			[]string{"AWS does not document whether a permissions boundary or a session policy limits an Allow with NotPrincipal"},
		},
		{
			question{name: "5.6 Deny NotPrincipal", identity: allow(), resourcePolicy: deny(`"NotPrincipal":{"AWS":["`+nodeRole+`","111122223333"]}`, `"Resource":"*"`), want: "depends"},
			[]string{"a Deny with NotPrincipal may deny a principal unless its account, its role and its session are all listed"},
		},
		{
			question{name: "4.6 several values", identity: allow() + "," + deny(when("StringEquals", "aws:TagKeys", `"a"`)), context: known("aws:TagKeys", "a", "aws:TagKeys", "b"), want: "depends"},
			[]string{"AWS does not document what an operator without ForAllValues or ForAnyValue does with several values"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var reasons []string
			for _, d := range c.ask(t).DependsOn {
				reasons = append(reasons, d.Reason)
				if !strings.Contains(d.String(), d.Reason) || !strings.HasPrefix(d.String(), d.Statement.Policy) {
					t.Errorf("%q", d)
				}
			}
			if diff := cmp.Diff(c.reasons, reasons); diff != "" {
				t.Error(diff)
			}
		})
	}
}
