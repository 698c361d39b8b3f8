package iampolicy

import (
	"fmt"
	"strings"
	"testing"
)

const (
	testAccount  = "111122223333"
	otherAccount = "444455556666"
	nodeRole     = "arn:aws:iam::111122223333:role/node"
	nodeSession  = "arn:aws:sts::111122223333:assumed-role/node/i-0abc"
	testUser     = "arn:aws:iam::111122223333:user/bob"
	object       = "arn:aws:s3:::bucket/key"
)

// question is a request in a table of a test. What is empty has a default:
// nodeRole asks for s3:GetObject on object in testAccount.
type question struct {
	name                                 string
	principal, action, resource, account string
	context                              map[string]BatchValues
	complete                             bool
	// version of the documents; "none" leaves the element out.
	version string
	// The layers hold statements, as JSON objects with commas between them.
	identity, session, boundary, endpoint, resourcePolicy string
	resourceState                                         ResourceState
	scps, rcps                                            [][]string
	// want is allowed, denied, explicit, depends, or error and a part of its text.
	want string
}

func (q question) document(statements string) []byte {
	version := `"Version":"2012-10-17",`
	if q.version != "" {
		version = fmt.Sprintf(`"Version":%q,`, q.version)
	}
	if q.version == "none" {
		version = ""
	}
	return []byte("{" + version + `"Statement":[` + statements + "]}")
}

func (q question) request() BatchRequest {
	or := func(s, byDefault string) string {
		if s == "" {
			return byDefault
		}
		return s
	}
	r := BatchRequest{
		ID: q.name, Principal: or(q.principal, nodeRole), Action: or(q.action, "s3:GetObject"), Resource: or(q.resource, object),
		Account: or(q.account, testAccount), Context: q.context, Complete: q.complete,
		ResourceState: q.resourceState,
	}
	layer := func(name, statements string) []BatchPolicy {
		if statements == "" {
			return nil
		}
		return []BatchPolicy{{Name: name, Document: q.document(statements)}}
	}
	r.Identity = layer("identity", q.identity)
	r.Session = layer("session", q.session)
	r.Boundary = layer("boundary", q.boundary)
	if q.resourcePolicy != "" {
		r.ResourcePolicy = q.document(q.resourcePolicy)
	}
	r.Endpoint = layer("endpoint", q.endpoint)
	levels := func(name string, of [][]string) [][]BatchPolicy {
		var list [][]BatchPolicy
		for i, level := range of {
			policies := []BatchPolicy{}
			for j, statements := range level {
				policies = append(policies, BatchPolicy{Name: fmt.Sprintf("%s %d.%d", name, i, j), Document: q.document(statements)})
			}
			list = append(list, policies)
		}
		return list
	}
	r.SCPs, r.RCPs = levels("scp", q.scps), levels("rcp", q.rcps)
	return r
}

func (q question) ask(t *testing.T) BatchAnswer {
	t.Helper()
	r := q.request()
	a := r.Answer()
	got := a.Decision.String()
	switch {
	case a.Error != "":
		got = "error " + a.Error
	case a.Explicit:
		got = "explicit"
	}
	if text, wantError := strings.CutPrefix(q.want, "error"); wantError {
		if a.Error == "" || !strings.Contains(a.Error, strings.TrimSpace(text)) {
			t.Errorf("got %s, want an error with %q", got, strings.TrimSpace(text))
		}
		return a
	}
	if got != q.want {
		t.Errorf("got %s, want %s\n%s", got, q.want, r.trace())
	}
	return a
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func decide(t tester, s *Set, r *Request) Decision {
	t.Helper()
	d, err := s.Decide(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

func evaluate(t tester, s *Set, r *Request) Result {
	t.Helper()
	result, err := s.Evaluate(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return result
}

func explain(t tester, s *Set, r *Request) []Trace {
	t.Helper()
	traces, err := s.Explain(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return traces
}

func (b *BatchRequest) trace() string {
	set, request, err := b.prepare()
	if err != nil {
		return err.Error()
	}
	result, err := set.Evaluate(request)
	return fmt.Sprintf("by %v, statements %v, depends on %v, error %v", result.By, result.Statements, result.DependsOn, err)
}

func ask(t *testing.T, questions []question) {
	t.Helper()
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) { q.ask(t) })
	}
}

// allow and deny write a statement about the default request; more are further
// elements.
func allow(more ...string) string { return statementText("Allow", more) }
func deny(more ...string) string  { return statementText("Deny", more) }

func statementText(effect string, more []string) string {
	elements := []string{fmt.Sprintf(`"Effect":%q`, effect)}
	has := func(name string) bool {
		for _, m := range more {
			if strings.HasPrefix(m, `"`+name+`"`) || strings.HasPrefix(m, `"Not`+name+`"`) {
				return true
			}
		}
		return false
	}
	if !has("Action") {
		elements = append(elements, `"Action":"s3:GetObject"`)
	}
	if !has("Resource") && !has("Principal") {
		elements = append(elements, `"Resource":"*"`)
	}
	return "{" + strings.Join(append(elements, more...), ",") + "}"
}

// when is a Condition element of one condition.
func when(operator, key, values string) string {
	return fmt.Sprintf(`"Condition":{%q:{%q:%s}}`, operator, key, values)
}

func known(pairs ...string) map[string]BatchValues {
	m := map[string]BatchValues{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = append(m[pairs[i]], pairs[i+1])
	}
	return m
}

func mustParse(t testing.TB, kind Kind, text string) *Document {
	t.Helper()
	d, err := Parse(kind, []byte(text))
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return d
}
