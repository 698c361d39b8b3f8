package iampolicy_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

// TestKeysByPrefix: a key that was not set is absent where the last prefix that fits
// says so, and a key that was set is there whatever prefixes say.
func TestKeysByPrefix(t *testing.T) {
	known := iampolicy.NewContext().
		AbsentPrefix("").UnknownPrefix("aws:").AbsentPrefix("aws:RequestTag/").
		Set("aws:RequestTag/team", "core").Set("issuer:sub", "me")
	for key, want := range map[string]iampolicy.Decision{
		"issuer:sub":           iampolicy.Denied, // it is there
		"ISSUER:SUB":           iampolicy.Denied,
		"issuer:aud":           iampolicy.Allowed,
		"other:sub":            iampolicy.Allowed,
		"aws:SourceIp":         iampolicy.Depends,
		"aws:RequestTag/team":  iampolicy.Denied,
		"aws:RequestTag/other": iampolicy.Allowed,
	} {
		doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"`+key+`":"true"}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
		request := &iampolicy.Request{Principal: "arn:aws:iam::111122223333:role/r", Action: "ec2:DescribeInstances", Resource: "*", Context: known}
		if got, err := set.Decide(request); err != nil || got != want {
			t.Errorf("Null %s: %s, %v, want %s", key, got, err, want)
		}
	}
}

// TestContextClone: a clone is what the context was, and a change of one does not
// change the other.
func TestContextClone(t *testing.T) {
	doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"core"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
	decide := func(known *iampolicy.Context) iampolicy.Decision {
		t.Helper()
		got, err := set.Decide(&iampolicy.Request{Principal: "arn:aws:iam::111122223333:role/r", Action: "ec2:DescribeInstances", Resource: "*", Context: known})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := iampolicy.NewContext().AbsentPrefix("aws:RequestTag/")
	clone := before.Clone()
	if got := decide(clone); got != iampolicy.Denied {
		t.Errorf("the clone has lost what the context knew: %s", got)
	}
	clone.Set("aws:RequestTag/team", "core")
	if a, b := decide(before), decide(clone); a != iampolicy.Denied || b != iampolicy.Allowed {
		t.Errorf("the context %s, the clone %s after a key was set in the clone", a, b)
	}
	before.AbsentPrefix("")
	if got := decide(clone); got != iampolicy.Allowed {
		t.Errorf("a change of the context changed the clone: %s", got)
	}
}

// TestContextWithout: what is said besides of prefixes does not change what is set, nor the
// context that it is said of.
func TestContextWithout(t *testing.T) {
	known := iampolicy.NewContext().Set("aws:RequestTag/team", "core")
	without := known.Without("aws:RequestTag/", "aws:TagKeys")
	for _, tt := range []struct {
		known *iampolicy.Context
		key   string
		want  iampolicy.Decision
	}{
		{known, "aws:RequestTag/team", iampolicy.Denied},
		{known, "aws:RequestTag/other", iampolicy.Depends},
		{known, "aws:TagKeys", iampolicy.Depends},
		{without, "aws:RequestTag/team", iampolicy.Denied},
		{without, "aws:RequestTag/other", iampolicy.Allowed},
		{without, "aws:TagKeys", iampolicy.Allowed},
		{without, "aws:ResourceTag/team", iampolicy.Depends},
	} {
		doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"`+tt.key+`":"true"}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
		request := &iampolicy.Request{Principal: "arn:aws:iam::111122223333:role/r", Action: "ec2:DescribeInstances", Resource: "*", Context: tt.known}
		if got, err := set.Decide(request); err != nil || got != tt.want {
			t.Errorf("Null %s: %s, %v, want %s", tt.key, got, err, tt.want)
		}
	}
}
