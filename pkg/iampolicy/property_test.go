package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var ignoreCompiled = cmpopts.IgnoreUnexported(Document{}, Statement{}, Condition{})

// universe is small, so that statements, requests and contexts meet.
var universe = struct {
	actions, actionPatterns, resources, resourcePatterns, keys, operators, values []string
}{
	actions:          []string{"s3:GetObject", "s3:PutObject", "ec2:RunInstances"},
	actionPatterns:   []string{"*", "s3:*", "s3:Get*", "s3:?etObject", "ec2:RunInstances", "S3:PUTOBJECT"},
	resources:        []string{"*", "arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::b/x"},
	resourcePatterns: []string{"*", "arn:aws:s3:::a/*", "arn:aws:s3:::*/x", "arn:aws:s3:::b/x", "arn:aws:s3:*", "arn:aws:s3:::a/${aws:k1}"},
	keys:             []string{"aws:k1", "aws:k2"},
	operators: []string{
		"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringEqualsIfExists", "StringNotEqualsIfExists",
		"NumericLessThan", "NumericEquals", "Bool", "Null", "ForAllValues:StringEquals", "ForAnyValue:StringLike", "ForAnyValue:StringNotEquals",
		"ArnLike", "ArnNotEquals", "BinaryEquals",
	},
	values: []string{"x", "X", "x*", "*", "y", "", "5", "true", "false", "${aws:k1}", "${aws:k2}", "eA==", "arn:aws:s3:::x", "arn:*:*:*:*:x", "arn:aws:*"},
}

func some(from []string) *rapid.Generator[[]string] {
	return rapid.SliceOfN(rapid.SampledFrom(from), 0, 3)
}

func genStatement(effects ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		elements := map[string]any{"Effect": rapid.SampledFrom(effects).Draw(t, "effect")}
		not := func(name string) string {
			return rapid.SampledFrom([]string{name, name, name, "Not" + name}).Draw(t, name)
		}
		elements[not("Action")] = some(universe.actionPatterns).Draw(t, "actions")
		elements[not("Resource")] = some(universe.resourcePatterns).Draw(t, "resources")
		condition := map[string]map[string][]string{}
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			condition[rapid.SampledFrom(universe.operators).Draw(t, "operator")] = map[string][]string{
				rapid.SampledFrom(universe.keys).Draw(t, "key"): some(universe.values).Draw(t, "values"),
			}
		}
		if len(condition) > 0 {
			elements["Condition"] = condition
		}
		text, err := json.Marshal(elements)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
}

func genStatements() *rapid.Generator[[]string] {
	return rapid.SliceOfN(genStatement("Allow", "Allow", "Deny"), 0, 4)
}

func genContext() *rapid.Generator[*Context] {
	return rapid.Custom(func(t *rapid.T) *Context {
		c := NewContext()
		c.Complete = rapid.Bool().Draw(t, "complete")
		for _, key := range universe.keys {
			switch rapid.IntRange(0, 5).Draw(t, "state of "+key) {
			case 0:
				c.Absent(key)
			case 1:
				c.Present(key)
			case 2:
				c.Set(key, some(universe.values).Draw(t, "values of "+key)...)
			case 3:
				c.Set(key, rapid.SampledFrom(universe.values).Draw(t, "value of "+key))
			case 4:
				c.Optional(key, rapid.SampledFrom(universe.values).Draw(t, "value of "+key))
			}
		}
		return c
	})
}

func genRequest() *rapid.Generator[*Request] {
	return rapid.Custom(func(t *rapid.T) *Request {
		r := &Request{
			Principal: rapid.SampledFrom([]string{nodeRole, nodeSession, testUser, "ec2.amazonaws.com"}).Draw(t, "principal"),
			Action:    rapid.SampledFrom(universe.actions).Draw(t, "action"),
			Resource:  rapid.SampledFrom(universe.resources).Draw(t, "resource"),
			Account:   rapid.SampledFrom([]string{testAccount, testAccount, testAccount, otherAccount}).Draw(t, "account"),
			Context:   genContext().Draw(t, "context"),
		}
		if rapid.IntRange(0, 4).Draw(t, "a pattern?") == 0 {
			r.Resource = rapid.SampledFrom([]string{"arn:aws:s3:::*", "arn:aws:s3:::a/*", "arn:aws:s3:::?/x"}).Draw(t, "pattern")
		}
		return r
	})
}

// layers are statements by layer; nil is a layer that is not there.
type layers struct {
	identity, session, boundary, scp, rcp, endpoint, resource []string
	state                                                     ResourceState
}

func genLayers() *rapid.Generator[layers] {
	return rapid.Custom(func(t *rapid.T) layers {
		l := layers{identity: genStatements().Draw(t, "identity")}
		if rapid.IntRange(0, 3).Draw(t, "session?") == 0 {
			l.session = append([]string{}, genStatements().Draw(t, "session")...)
		}
		if rapid.Bool().Draw(t, "boundary?") {
			l.boundary = append([]string{}, genStatements().Draw(t, "boundary")...)
		}
		if rapid.Bool().Draw(t, "scp?") {
			l.scp = append([]string{}, genStatements().Draw(t, "scp")...)
		}
		if rapid.IntRange(0, 3).Draw(t, "rcp?") == 0 {
			l.rcp = genRCP(t)
		}
		if rapid.IntRange(0, 3).Draw(t, "endpoint?") == 0 {
			l.endpoint = genPrincipalStatements(t, "endpoint")
		}
		if rapid.Bool().Draw(t, "resource?") {
			l.resource = genPrincipalStatements(t, "resource")
		}
		return l
	})
}

func genRCP(t *rapid.T) []string {
	list := []string{}
	for _, s := range genStatements().Draw(t, "rcp") {
		list = append(list, strings.TrimSuffix(s, "}")+`,"Principal":"*"}`)
	}
	return list
}

// genPrincipalStatements draws the statements of a policy that names principals.
func genPrincipalStatements(t *rapid.T, label string) []string {
	list := []string{}
	for _, s := range genStatements().Draw(t, label) {
		who := rapid.SampledFrom([]string{`"*"`, `{"AWS":"` + nodeRole + `"}`, `{"AWS":"` + nodeSession + `"}`, `{"AWS":"` + testAccount + `"}`, `{"Service":"ec2.amazonaws.com"}`}).Draw(t, "who")
		element := rapid.SampledFrom([]string{"Principal", "Principal", "Principal", "NotPrincipal"}).Draw(t, "element")
		list = append(list, strings.TrimSuffix(s, "}")+`,"`+element+`":`+who+"}")
	}
	return list
}

func (l layers) prepare(t interface{ Fatalf(string, ...any) }) *Set {
	policy := func(kind Kind, statements []string) *Policy {
		d, err := Parse(kind, question{}.document(strings.Join(statements, ",")))
		if err != nil {
			t.Fatalf("%v: %s", err, statements)
		}
		return &Policy{Name: "p", Document: d}
	}
	p := Policies{Identity: []Policy{*policy(Identity, l.identity)}, ResourceState: l.state}
	if l.session != nil {
		p.Session = policy(Identity, l.session)
	}
	if l.boundary != nil {
		p.Boundary = policy(Identity, l.boundary)
	}
	if l.scp != nil {
		p.SCPs = [][]Policy{{*policy(Identity, l.scp)}}
	}
	if l.rcp != nil {
		p.RCPs = [][]Policy{{*policy(ResourceControl, l.rcp)}}
	}
	if l.endpoint != nil {
		p.Endpoint = policy(Resource, l.endpoint)
	}
	if l.resource != nil {
		p.Resource = policy(Resource, l.resource)
	}
	return Prepare(p)
}

func TestProperty_AddedDenyNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		before := decide(t, l.prepare(t), r)
		l.identity = append(slices.Clone(l.identity), genStatement("Deny").Draw(t, "added"))
		if after := decide(t, l.prepare(t), r); after > before {
			t.Fatalf("%v became %v", before, after)
		}
	})
}

func TestProperty_AddedAllowNeverNarrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		before := decide(t, l.prepare(t), r)
		l.identity = append(slices.Clone(l.identity), genStatement("Allow").Draw(t, "added"))
		if after := decide(t, l.prepare(t), r); after < before {
			t.Fatalf("%v became %v", before, after)
		}
	})
}

// Every layer but the identity policies and the resource's policy only restricts.
func TestProperty_AddedLayerNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), rapid.OneOf(genRequest(), genOwnPolicyRequest()).Draw(t, "request")
		without := l
		without.session, without.boundary, without.scp, without.rcp, without.endpoint = nil, nil, nil, nil, nil
		for name, remove := range map[string]func(*layers){
			"session policy":            func(l *layers) { l.session = nil },
			"permissions boundary":      func(l *layers) { l.boundary = nil },
			"service control policies":  func(l *layers) { l.scp = nil },
			"resource control policies": func(l *layers) { l.rcp = nil },
			"VPC endpoint policy":       func(l *layers) { l.endpoint = nil },
			"all of them":               func(l *layers) { *l = without },
		} {
			fewer := l
			remove(&fewer)
			if before, after := decide(t, fewer.prepare(t), r), decide(t, l.prepare(t), r); after > before {
				t.Fatalf("%s: %v became %v", name, before, after)
			}
		}
	})
}

// A resource's policy widens only in the same account and, in another account, never
// what the principal's own policies do not allow.
func TestProperty_ResourcePolicyAcrossAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		r.Account = otherAccount
		if l.resource == nil {
			l.resource = genPrincipalStatements(t, "resource")
		}
		if c := newCaller(r.Principal); c.outsideIAM() {
			return
		}
		same := l
		same.resource = nil
		own := *r
		own.Account = testAccount
		if before, after := decide(t, same.prepare(t), &own), decide(t, l.prepare(t), r); after > before {
			t.Fatalf("without the resource's policy %v, with it and across accounts %v", before, after)
		}
	})
}

// A layer that could not be read is every policy that the layer can have, and none is
// allowed because of it.
func TestProperty_UnreadLayerIsEveryPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		l.session, l.boundary, l.scp, l.rcp, l.endpoint = nil, nil, nil, nil, nil
		statements, rcp := genStatements().Draw(t, "statements"), genRCP(t)
		endpoint := genPrincipalStatements(t, "endpoint")
		for name, layer := range map[string]struct {
			set    func(*layers)
			unread func(*Set)
		}{
			"session policy":            {func(l *layers) { l.session = statements }, func(s *Set) { s.session = []Policy{{Name: "p"}} }},
			"permissions boundary":      {func(l *layers) { l.boundary = statements }, func(s *Set) { s.boundary = []Policy{{Name: "p"}} }},
			"service control policies":  {func(l *layers) { l.scp = statements }, func(s *Set) { s.scps = [][]Policy{{{Name: "p"}}} }},
			"resource control policies": {func(l *layers) { l.rcp = rcp }, func(s *Set) { s.rcps = [][]Policy{{{Name: "p"}}} }},
			"VPC endpoint policy":       {func(l *layers) { l.endpoint = endpoint }, func(s *Set) { s.endpoint = []Policy{{Name: "p"}} }},
		} {
			given := l
			layer.set(&given)
			unread := l.prepare(t)
			layer.unread(unread)
			before, after := decide(t, unread, r), decide(t, given.prepare(t), r)
			caller := newCaller(r.Principal)
			concerns := !caller.outsideIAM() || name == "resource control policies"
			if concerns && before == Allowed || before != Depends && before != after {
				t.Fatalf("%s: %v became %v", name, before, after)
			}
		}
	})
}

func TestProperty_OrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		before := evaluate(t, l.prepare(t), r)
		turned := layers{
			reversed(l.identity), reversed(l.session), reversed(l.boundary), reversed(l.scp), reversed(l.rcp), reversed(l.endpoint), reversed(l.resource), l.state,
		}
		s := turned.prepare(t)
		for _, p := range slices.Concat(append(slices.Concat(s.scps, s.rcps), s.identity, s.session, s.boundary, s.endpoint, s.resource)...) {
			reverseLists(p.Document)
		}
		after := evaluate(t, s, r)
		if before.Decision != after.Decision || before.Explicit != after.Explicit || len(before.DependsOn) != len(after.DependsOn) {
			t.Fatalf("%+v became %+v", before, after)
		}
	})
}

// reverseLists turns every list of a document round.
func reverseLists(d *Document) {
	for i := range d.Statements {
		s := &d.Statements[i]
		for _, list := range [][]string{s.Actions, s.NotActions, s.Resources, s.NotResources} {
			slices.Reverse(list)
		}
		slices.Reverse(s.Conditions)
		for j := range s.Conditions {
			slices.Reverse(s.Conditions[j].Values)
		}
		s.compiled = compiledStatement{}
		s.compile(true)
	}
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func TestProperty_DecideIsEvaluate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := genLayers().Draw(t, "layers").prepare(t), genRequest().Draw(t, "request")
		e := evaluate(t, s, r)
		if d := decide(t, s, r); d != e.Decision {
			t.Fatalf("Decide %v, Evaluate %v", d, e.Decision)
		}
		switch e.Decision {
		case Allowed:
			if len(e.DependsOn) > 0 || e.Explicit {
				t.Fatalf("%+v", e)
			}
		case Denied:
			if e.By == NoLayer || e.Explicit != (len(e.Statements) > 0) {
				t.Fatalf("%+v", e)
			}
		case Depends:
			if len(e.DependsOn) == 0 {
				t.Fatalf("%+v", e)
			}
		}
		for _, trace := range explain(t, s, r) {
			if trace.Sentence == "" {
				t.Fatalf("%+v", trace)
			}
		}
	})
}

// A full context decides, and never against what was decided without it.
func TestProperty_DependsRefines(t *testing.T) {
	values := append([]string{"z", "xx", "4", "5.0", "6", "eQ==", "arn:aws:s3:::y"}, universe.values...)
	rapid.Check(t, func(t *rapid.T) {
		s, r := genLayers().Draw(t, "layers").prepare(t), genRequest().Draw(t, "request")
		if r.Principal == nodeRole {
			r.Principal = nodeSession // a role's ARN leaves the session open
		}
		before := decide(t, s, r)
		full := *r
		full.Context = NewContext()
		full.Context.Complete = true
		for _, key := range universe.keys {
			known, presence := r.Context.lookup(key)
			switch presence {
			case presentKey:
				full.Context.Set(key, known...)
			case absentKey:
			case optionalKey:
				if rapid.Bool().Draw(t, "is it there") {
					full.Context.Set(key, known...)
				}
			case unknownKey, unknownValue:
				n := rapid.IntRange(0, 1).Draw(t, "is it there")
				if presence == unknownValue {
					n = 1
				}
				if n == 1 {
					full.Context.Set(key, rapid.SampledFrom(values).Draw(t, "value of "+key))
				}
			}
		}
		if newTarget(r.Resource).pattern {
			full.Resource = rapid.SampledFrom(universe.resources[1:]).Filter(func(s string) bool {
				p := newPattern(scoped(globElements(r.Resource), false))
				return p.match(s, false)
			}).Draw(t, "one resource")
		}
		after := decide(t, s, &full)
		if before != Depends && before != after {
			t.Fatalf("%v became %v under %v", before, after, full.Context.values)
		}
		for _, d := range evaluate(t, s, &full).DependsOn {
			if d.Reason == "" {
				t.Fatalf("depends on %v under %v", d, full.Context.values)
			}
		}
	})
}

// genOwnPolicyRequest asks about a resource whose policy has to allow the caller.
func genOwnPolicyRequest() *rapid.Generator[*Request] {
	return rapid.Custom(func(t *rapid.T) *Request {
		r := genRequest().Draw(t, "request")
		switch rapid.IntRange(0, 2).Draw(t, "resource with a policy") {
		case 0:
			r.Action, r.Resource = "sts:AssumeRole", trustedRole
		case 1:
			r.Action, r.Resource = "kms:Decrypt", testKey
		default:
			r.Account = otherAccount
			if r.Resource == "*" { // not a resource, and so without a policy
				r.Resource = object
			}
		}
		return r
	})
}

// What is certain without the resource's policy holds with every such policy, and
// without one; and nothing is allowed without it.
func TestProperty_NotGivenIsEveryPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genOwnPolicyRequest().Draw(t, "request")
		given := l
		if given.resource == nil {
			given.state = NoPolicy
		}
		l.resource = nil
		before, after := decide(t, l.prepare(t), r), decide(t, given.prepare(t), r)
		if before == Allowed || before != Depends && before != after {
			t.Fatalf("%v became %v", before, after)
		}
	})
}

// A state is the same as a document that says it.
func TestProperty_StateIsADocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), rapid.OneOf(genRequest(), genOwnPolicyRequest()).Draw(t, "request")
		account := rapid.SampledFrom([]string{testAccount, otherAccount}).Draw(t, "account")
		r.Account = account
		l.resource = nil
		for state, document := range map[ResourceState][]string{
			NoPolicy:  {},
			Delegates: {`{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":"` + account + `"}}`},
		} {
			stated, documented := l, l
			stated.state, documented.resource = state, document
			if a, b := decide(t, stated.prepare(t), r), decide(t, documented.prepare(t), r); a != b {
				t.Fatalf("%v: %v, as a document %v", state, a, b)
			}
		}
	})
}

// The keys that follow from the principal make no difference when they are given.
func TestProperty_PrincipalKeysFollow(t *testing.T) {
	defer func(keys, values []string) { universe.keys, universe.values = keys, values }(universe.keys, universe.values)
	universe.keys = []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:username", "aws:k1"}
	universe.values = []string{testUser, nodeRole, testAccount, "User", "AssumedRole", "bob", "b*", "${aws:username}", "${aws:PrincipalAccount}"}
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLayers().Draw(t, "layers"), genRequest().Draw(t, "request")
		kind := "AssumedRole"
		r.Principal = rapid.SampledFrom([]string{nodeRole, testUser}).Draw(t, "principal")
		given := NewContext().Set("aws:PrincipalArn", r.Principal).Set("aws:PrincipalAccount", testAccount)
		if r.Principal == testUser {
			kind = "User"
			given.Set("aws:username", "bob")
		}
		given.Set("aws:PrincipalType", kind)
		without := NewContext()
		given.Complete = rapid.Bool().Draw(t, "complete")
		without.Complete = given.Complete
		s := l.prepare(t)
		r.Context = given
		a := evaluate(t, s, r)
		r.Context = without
		if diff := cmp.Diff(a, evaluate(t, s, r)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestProperty_ParseMarshalParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := genLayers().Draw(t, "layers")
		kind, statements := Identity, l.identity
		if l.resource != nil {
			kind, statements = Resource, l.resource
		}
		first, err := Parse(kind, question{}.document(strings.Join(statements, ",")))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Parse(kind, text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if diff := cmp.Diff(first, second, ignoreCompiled); diff != "" || !Equal(first, second) || Diff(first, second) != "" {
			t.Fatalf("%s: %s", text, diff)
		}
	})
}

// naive matches by trying everything.
func naive(p []element, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch e := p[0]; e {
	case anyRun, segmentRun:
		for i := 0; ; i++ {
			if naive(p[1:], s[i:]) {
				return true
			}
			if i == len(s) || e == segmentRun && s[i] == ':' {
				return false
			}
		}
	case anyOne, segmentOne:
		return len(s) > 0 && (e == anyOne || s[0] != ':') && naive(p[1:], s[1:])
	default:
		return len(s) > 0 && s[0] == rune(e) && naive(p[1:], s[1:])
	}
}

func TestProperty_MatcherEqualsNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.RuneFrom([]rune("ab:*?ä")), 0, 12, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("ab:ä")), 0, 12, -1).Draw(t, "text")
		for name, elements := range map[string][]element{"glob": globElements(p), "resource": scoped(globElements(p), true), "request": scoped(globElements(p), false)} {
			pattern := newPattern(elements)
			if got, want := pattern.match(s, false), naive(elements, []rune(s)); got != want {
				t.Fatalf("%s %q %q: got %v, want %v", name, p, s, got, want)
			}
		}
	})
}

func TestProperty_CoverAndOverlap(t *testing.T) {
	var texts []string
	for _, a := range []string{"", "a", "b", ":"} {
		for _, b := range []string{"", "a", "b", ":"} {
			for _, c := range []string{"", "a", "b", ":"} {
				texts = append(texts, a+b+c)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.StringOfN(rapid.RuneFrom([]rune("ab:*?")), 0, 5, -1)
		p := newPattern(scoped(globElements(gen.Draw(t, "p")), true))
		q := newPattern(scoped(globElements(gen.Draw(t, "q")), rapid.Bool().Draw(t, "as a resource")))
		covers, overlap := p.covers(q.elements), overlaps(p.elements, q.elements)
		for _, s := range texts {
			inP, inQ := p.match(s, false), q.match(s, false)
			if covers && inQ && !inP {
				t.Fatalf("covers, but not %q", s)
			}
			if !overlap && inP && inQ {
				t.Fatalf("does not overlap, but in %q", s)
			}
		}
		if covers && len(q.elements) > 0 && !overlap {
			t.Fatal("covers and does not overlap")
		}
	})
}

// A hostile pattern takes time in proportion to the product of the lengths.
func TestHostilePatterns(t *testing.T) {
	steps := func(n int) int {
		count := 0
		p := globElements(strings.Repeat("*a", n) + "b")
		matchElements(p, countedText{strings.Repeat("a", 2*n), &count})
		return count
	}
	for _, n := range []int{100, 400, 1600} {
		if got, most := steps(n), 4*(2*n+1)*(2*n+1); got > most {
			t.Errorf("n=%d: %d steps, want at most %d", n, got, most)
		}
	}
}

type countedText struct {
	text  string
	count *int
}

func (c countedText) at(i int) (element, int, bool) {
	*c.count++
	return plainText(c.text).at(i)
}

// Documents at IAM's size limits that are made to be slow are judged at once.
func TestHostileDocuments(t *testing.T) {
	var statements []string
	for i := range 60 {
		statements = append(statements, allow(fmt.Sprintf(`"Resource":"arn:aws:s3:::%s%d"`, strings.Repeat("*a", 20), i), when("StringLike", fmt.Sprintf("aws:k%d", i), `"`+strings.Repeat("*a", 20)+`"`)))
	}
	q := question{identity: strings.Join(statements, ","), resource: "arn:aws:s3:::" + strings.Repeat("a*", 40), want: "depends"}
	if a := q.ask(t); len(a.DependsOn) == 0 {
		t.Error("depends on nothing")
	}
}
