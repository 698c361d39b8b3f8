package snapshot_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestSetting: a variable is taken as the VPC CNI takes it, and is not known where it
// comes from an object.
func TestSetting(t *testing.T) {
	env := map[string]string{"ON": "true", "ONE": "1", "OFF": "False", "ODD": "yes please", "EMPTY": "", "FROM": "(from configmap cni key)"}
	plain := &snapshot.DaemonSet{Env: env}
	more := &snapshot.DaemonSet{Env: env, EnvFrom: []string{"ConfigMap/a", "Secret/b"}}
	tests := []struct {
		set                     *snapshot.DaemonSet
		name                    string
		otherwise, value, known bool
	}{
		{plain, "ON", false, true, true},
		{plain, "ONE", false, true, true},
		{plain, "OFF", true, false, true},
		{plain, "ODD", true, true, true},
		{plain, "EMPTY", true, true, true},
		{plain, "ABSENT", true, true, true},
		{plain, "FROM", true, true, false},
		{more, "OFF", true, false, true},
		{more, "ABSENT", false, false, false},
	}
	for _, tt := range tests {
		if value, known := tt.set.Setting(tt.name, tt.otherwise); value != tt.value || known != tt.known {
			t.Errorf("%s: %v, known %v; want %v, %v", tt.name, value, known, tt.value, tt.known)
		}
	}
	for name, want := range map[string]string{"FROM": "from configmap cni key", "ABSENT": "perhaps from ConfigMap/a or Secret/b"} {
		if got := more.Origin(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
