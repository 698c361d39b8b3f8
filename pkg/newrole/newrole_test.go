package newrole_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
)

// TestWhy: every change of every new role says what it is for.
func TestWhy(t *testing.T) {
	kinds := map[change.Kind]bool{}
	for _, role := range []newrole.Role{
		{Name: "r", Partition: "aws", Account: "111122223333", InstanceProfile: "r", CNI: newrole.IPv6CNI, Cluster: "c", EntryType: "EC2"},
		{Name: "r", Partition: "aws", Account: "111122223333", Minimal: true},
	} {
		for _, c := range role.Changes() {
			kinds[c.Kind] = true
			if why := newrole.Why(c); why == "" || why == c.String() {
				t.Errorf("%s: %q", c, why)
			}
		}
	}
	if len(kinds) != 8 {
		t.Errorf("changes of %d kinds", len(kinds))
	}
}
