package aws

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

// TestEveryKind: each kind of change that AWS has is read and written, and no other.
func TestEveryKind(t *testing.T) {
	for _, k := range change.Kinds() {
		kind, ok := changeKinds[k]
		if want := k.API() == change.AWS; ok != want || want && (kind.read == nil || kind.write == nil) {
			t.Errorf("%s: in the table %v, want %v; read %v, write %v", k, ok, want, kind.read != nil, kind.write != nil)
		}
	}
	c := change.Change{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{}}
	if _, err := (&Changes{}).State(t.Context(), c); err == nil {
		t.Error("a kind of the cluster was read")
	}
	if err := (&Changes{}).Write(t.Context(), c); err == nil {
		t.Error("a kind of the cluster was written")
	}
}
