package aws

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContextEntries: the simulator is told what is known of a node's requests.
func TestContextEntries(t *testing.T) {
	got := map[string]string{}
	for _, e := range contextEntries("eu-west-1", "arn:aws:iam::111122223333:role/node") {
		got[*e.ContextKeyName] = string(e.ContextKeyType) + " " + e.ContextKeyValues[0]
	}
	want := map[string]string{
		"aws:RequestedRegion": "string eu-west-1", "aws:ResourceAccount": "string 111122223333", "aws:SecureTransport": "boolean true",
		"aws:ViaAWSService": "boolean false", "aws:PrincipalIsAWSService": "boolean false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
