package finding_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

func TestJoined(t *testing.T) {
	fix := func(only string, plan ...string) finding.Next {
		return finding.Fix(command.Noderole("fix", "--only", only, "--context", "a b"), plan)
	}
	worker, pull := fix("NR201,NR203", "attach A to r"), fix("NR202", "attach B to r")
	for name, tt := range map[string]struct {
		a, b finding.Next
		want string // "" for two that stay apart
	}{
		"two repairs":                    {worker, pull, "kubectl noderole fix --only NR201,NR202,NR203 --context 'a b' # plan: attach A to r; attach B to r"},
		"rules and a step of both":       {worker, fix("NR202,NR203", "attach A to r", "attach B to r"), "kubectl noderole fix --only NR201,NR202,NR203 --context 'a b' # plan: attach A to r; attach B to r"},
		"another option":                 {worker, finding.Fix(command.Noderole("fix", "--only", "NR202", "--context", "other"), []string{"x"}), ""},
		"one more option":                {worker, finding.Fix(command.Noderole("fix", "--only", "NR202"), []string{"x"}), ""},
		"a repair without rules":         {worker, finding.Fix(command.Noderole("fix", "--cni-identity", "auto", "--context", "a b"), []string{"x"}), ""},
		"words":                          {worker, finding.Advise("decide"), ""},
		"a command that repairs nothing": {finding.Run(command.Noderole("check", "--only", "NR201")), finding.Run(command.Noderole("check", "--only", "NR202")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := tt.a.Joined(tt.b)
			if ok != (tt.want != "") {
				t.Fatalf("joined: %v", ok)
			}
			if text := got.Text + " # " + got.Note; ok && text != tt.want {
				t.Error(cmp.Diff(tt.want, text))
			}
			if _, back := tt.b.Joined(tt.a); back != ok {
				t.Error("the order of the two decides")
			}
		})
	}
	if diff := cmp.Diff([]string{"attach A to r"}, worker.Plan); diff != "" {
		t.Error("joining changed a repair: " + diff)
	}
}
