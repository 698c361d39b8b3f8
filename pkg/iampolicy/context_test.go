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

// TestClone: a clone has the keys of the original, and changing it does not change the
// original.
func TestClone(t *testing.T) {
	known := iampolicy.NewContext().Set("aws:a", "x").AbsentPrefix("aws:")
	clone := known.Clone().Set("aws:a", "y").UnknownPrefix("aws:")
	doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:a":"x"},"Null":{"aws:b":"true"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
	for name, c := range map[string]struct {
		known *iampolicy.Context
		want  iampolicy.Decision
	}{"original": {known, iampolicy.Allowed}, "clone": {clone, iampolicy.Denied}, "clone of the original": {known.Clone(), iampolicy.Allowed}} {
		request := &iampolicy.Request{Principal: "arn:aws:iam::111122223333:role/r", Action: "ec2:DescribeInstances", Resource: "*", Context: c.known}
		if got, err := set.Decide(request); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}
