package export_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

const (
	ownRole = "arn:aws:iam::111122223333:role/prod-aws-node"
	cni     = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
)

// ownRolePlan is a plan that gives aws-node a role of its own.
func ownRolePlan() *planner.Plan {
	return &planner.Plan{
		Cluster: "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
		Steps: []planner.Step{
			{
				Title: "create a role for aws-node", Rules: []string{"NR601"}, Proof: "the role exists",
				Changes: []change.Change{
					{Kind: change.Role, Name: "prod-aws-node", After: &change.State{Document: "{}"}},
					{Kind: change.Attachment, Name: "prod-aws-node", Part: cni, After: &change.State{}},
				},
			},
			{
				Title: "give aws-node the role", Rules: []string{"NR601"}, Proof: "new pods get the role", Note: "running pods keep the node role",
				Preconditions:  []planner.Check{{Agent: true}},
				Changes:        []change.Change{{Kind: change.AddonRole, Name: "vpc-cni", Part: "aws-node", Cluster: "prod", After: &change.State{Type: change.PodIdentity, Role: ownRole}}},
				Postconditions: []planner.Check{{Rule: "NR604", Subject: "aws-node", Strict: true}},
			},
			{
				Title: "restart aws-node", Rules: []string{"NR602"}, Proof: "every pod uses the role",
				Changes:        []change.Change{{Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Type: change.PodIdentity}}},
				Postconditions: []planner.Check{{Rule: "NR602", Subject: "aws-node"}},
			},
			{
				Title: "detach the CNI policy", Rules: []string{"NR205"}, Proof: "the node role has no CNI permissions",
				Preconditions:  []planner.Check{{Rule: "NR602", Subject: "aws-node"}, {Rule: "NR206", Subject: "aws-node", Strict: true}},
				Changes:        []change.Change{{Kind: change.Attachment, Name: "nodes", Part: cni, Before: &change.State{}}},
				Postconditions: []planner.Check{{Rule: "NR205", Subject: "arn:aws:iam::111122223333:role/nodes", Strict: true}},
			},
		},
	}
}

// programs are what a script calls, as functions of the shell: no other program is on its
// PATH. They record their arguments; touch is what hostile texts run.
var programs = map[string]string{
	"aws": `case "$*" in
"sts get-caller-identity"*) printf '%s\n' "${ACCOUNT_OF_CALLER-111122223333}";;
*cluster.endpoint*) printf '%s\n' https://prod.eks.example;;
*certificateAuthority*) printf '%s\n' Q0E=;;
esac
`,
	"kubectl": `case "$*" in
*cluster.server*) printf '%s\n' "${SERVER-https://prod.eks.example}";;
*certificate-authority*) printf '%s\n' "${AUTHORITY-}";;
esac
`,
	"sleep": ":", "touch": ":", "id": ":",
}

// ran is what a script did.
type ran struct {
	code   int
	calls  []string
	sleeps int
	stdout string
	stderr string
}

// runScript runs a script with the programs. fails has the words of a call that fails,
// and how often it does.
func runScript(t *testing.T, script string, env []string, fails map[string]int) ran {
	t.Helper()
	dir, record := t.TempDir(), filepath.Join(t.TempDir(), "record")
	var text strings.Builder
	text.WriteString("record() {\n  printf '%s' \"$1\"\n  shift\n  for word in \"$@\"; do printf ' %s' \"$word\"; done\n  printf '\\0'\n}\n")
	for name, body := range programs {
		text.WriteString(name + "() {\n  record " + name + " \"$@\" >>\"$RECORD\"\n")
		for i, words := range slices.Sorted(maps.Keys(fails)) {
			left := fmt.Sprintf("left_%d", i)
			text.WriteString("  case \"$*\" in *" + command.Quote(words) + "*)\n    : \"${" + left + "=" + strconv.Itoa(fails[words]) + "}\"\n" +
				"    if [ \"$" + left + "\" -gt 0 ]; then " + left + "=$((" + left + " - 1)); return 1; fi;;\n  esac\n")
		}
		text.WriteString(body + "\n}\n")
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(text.String()+script), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("/bin/sh", file)
	shell.Dir = dir
	shell.Env = append([]string{"PATH=/nowhere", "RECORD=" + record}, env...)
	var out, errs strings.Builder
	shell.Stdout, shell.Stderr = &out, &errs
	var exited *exec.ExitError
	if err := shell.Run(); err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	r := ran{code: shell.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
	for _, call := range strings.Split(strings.TrimSuffix(string(calls), "\x00"), "\x00") {
		if strings.HasPrefix(call, "sleep ") {
			r.sleeps++
		} else if call != "" {
			r.calls = append(r.calls, call)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("the script left files: %v %v", files, err)
	}
	return r
}

func nothing(c command.Command) command.Command { return c }

// TestScript: a script asks, changes and proves in order, and stops where it must.
func TestScript(t *testing.T) {
	const (
		detach  = "aws iam detach-role-policy --role-name nodes --policy-arn " + cni
		rollout = "kubectl --context staging -n kube-system rollout restart daemonset aws-node"
		create  = "aws iam create-role --role-name prod-aws-node --assume-role-policy-document {}"
		check   = "kubectl --context staging noderole check --no-config --only "
	)
	account := []string{"aws sts get-caller-identity --query Account --output text"}
	cluster := append(slices.Clone(account),
		"kubectl --context staging config view --minify --raw -o jsonpath={.clusters[0].cluster.server}",
		"aws eks describe-cluster --name prod --query cluster.endpoint --output text")
	tunnel := append(slices.Clone(cluster),
		"kubectl --context staging config view --minify --raw -o jsonpath={.clusters[0].cluster.certificate-authority-data}",
		"aws eks describe-cluster --name prod --query cluster.certificateAuthority.data --output text")
	first := []string{
		create, "aws iam wait role-exists --role-name prod-aws-node", "aws iam attach-role-policy --role-name prod-aws-node --policy-arn " + cni,
		"kubectl --context staging -n kube-system rollout status daemonset eks-pod-identity-agent --timeout=10s",
	}
	second := append(slices.Clone(first),
		"aws eks update-addon --cluster-name prod --addon-name vpc-cni --pod-identity-associations serviceAccount=aws-node,roleArn="+ownRole+" --resolve-conflicts PRESERVE",
		"aws eks wait addon-active --cluster-name prod --addon-name vpc-cni", check+"NR604 --subject aws-node --quiet --fail-on any")
	third := append(slices.Clone(second), rollout, "kubectl --context staging -n kube-system rollout status daemonset aws-node", check+"NR602 --subject aws-node --quiet --fail-on info")
	all := append(slices.Clone(third), check+"NR602 --subject aws-node --quiet --fail-on info", check+"NR206 --subject aws-node --quiet --fail-on any", detach,
		check+"NR205 --subject arn:aws:iam::111122223333:role/nodes --quiet --fail-on any")
	after := func(before []string, calls ...string) []string { return append(slices.Clone(before), calls...) }
	repeated := func(call string, times int) (calls []string) {
		for range times {
			calls = append(calls, call)
		}
		return calls
	}
	const never = 1000
	for name, tt := range map[string]struct {
		env    []string
		fails  map[string]int
		calls  []string
		sleeps int
		stderr string
	}{
		"all is well":            {calls: after(cluster, all...)},
		"another account":        {env: []string{"ACCOUNT_OF_CALLER=999999999999"}, calls: account, stderr: "error: the AWS credentials belong to account 999999999999, but the cluster is in account 111122223333\n"},
		"no account":             {env: []string{"ACCOUNT_OF_CALLER="}, calls: account, stderr: "error: the AWS credentials belong to account , but the cluster is in account 111122223333\n"},
		"no credentials":         {fails: map[string]int{"sts": never}, calls: account},
		"another cluster":        {env: []string{"SERVER=https://other"}, calls: tunnel, stderr: "error: kubectl's context points to https://other, but cluster prod is https://prod.eks.example\n"},
		"another authority":      {env: []string{"SERVER=https://other", "AUTHORITY=T0=="}, calls: tunnel, stderr: "error: kubectl's context points to https://other, but cluster prod is https://prod.eks.example\n"},
		"a tunnel":               {env: []string{"SERVER=https://localhost:8443", "AUTHORITY=Q0E="}, calls: after(tunnel, all...)},
		"no answer of EKS":       {fails: map[string]int{"cluster.endpoint": never}, calls: cluster},
		"no context":             {fails: map[string]int{"cluster.server": never}, calls: cluster[:2]},
		"a change fails":         {fails: map[string]int{"attach-role-policy": never}, calls: after(cluster, first[:3]...)},
		"a change does not show": {fails: map[string]int{"role-exists": never}, calls: after(cluster, first[:2]...), stderr: "error: step 1 of 4: the change is not visible: role prod-aws-node\n"},
		"what is required does not show": {
			fails: map[string]int{"eks-pod-identity-agent": never}, calls: after(after(cluster, first...), repeated(first[3], 23)...), sleeps: 23,
			stderr: "error: step 2 of 4: was not started, because it is not safe yet: eks-pod-identity-agent is not ready on every node\n",
		},
		"EKS learns of the role late": {fails: map[string]int{"update-addon": 2}, calls: after(after(after(cluster, first...), repeated(second[4], 2)...), all[4:]...), sleeps: 2},
		"the proof comes late":        {fails: map[string]int{"NR602": 3}, calls: after(after(after(cluster, third...), repeated(third[9], 3)...), all[10:]...), sleeps: 3},
		"the proof never comes": {
			fails: map[string]int{"NR602": never}, calls: after(after(cluster, third...), repeated(third[9], 23)...), sleeps: 23,
			stderr: "error: step 3 of 4: was not proven: NR602 does not pass for aws-node\n",
		},
		"the role does not work": {
			fails: map[string]int{"NR206": never}, calls: after(after(cluster, all[:12]...), repeated(all[11], 23)...), sleeps: 23,
			stderr: "error: step 4 of 4: was not started, because it is not safe yet: NR206 does not pass for aws-node\n",
		},
		"the last proof never comes": {
			fails: map[string]int{"NR205": never}, calls: after(after(cluster, all...), repeated(all[13], 23)...), sleeps: 23,
			stderr: "error: step 4 of 4: was not proven: NR205 does not pass for nodes\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := runScript(t, export.Script(ownRolePlan(), inStaging), tt.env, tt.fails)
			if diff := cmp.Diff(tt.calls, got.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			wantCode := 1
			if slices.Contains(tt.calls, all[13]) && tt.fails["NR205"] == 0 {
				wantCode = 0
			}
			if got.code != wantCode || got.sleeps != tt.sleeps || got.stderr != tt.stderr {
				t.Errorf("exit %d, %d sleeps, stderr %q", got.code, got.sleeps, got.stderr)
			}
		})
	}
}

// TestScriptStops: a script never runs what it cannot run safely.
func TestScriptStops(t *testing.T) {
	edit := ownRolePlan()
	edit.Steps = []planner.Step{
		{Title: "edit", Rules: []string{"NR504"}, Changes: []change.Change{{Kind: change.AuthRole, Name: "r", After: &change.State{}}}},
		edit.Steps[3],
	}
	if got := runScript(t, export.Script(edit, nothing), nil, nil); got.code != 1 || len(got.calls) != 3 ||
		got.stderr != "error: step 1 of 2: make this change yourself, and then run the steps after it: entry of r in aws-auth\n" {
		t.Errorf("no command: %+v", got)
	}
	nowhere := ownRolePlan()
	nowhere.Cluster = "prod"
	if got := runScript(t, export.Script(nowhere, nothing), nil, nil); got.code != 1 || len(got.calls) != 0 || got.stderr != "error: the plan does not name the account of the cluster\n" {
		t.Errorf("no account: %+v", got)
	}
	empty := ownRolePlan()
	empty.Steps = nil
	if got := runScript(t, export.Script(empty, nothing), nil, nil); got.code != 0 || len(got.calls) != 0 {
		t.Errorf("no steps: %+v", got)
	}
	whole := export.Script(ownRolePlan(), nothing)
	for _, part := range []int{2, 3, 5, 10} {
		cut := whole[:len(whole)*(part-1)/part]
		if got := runScript(t, cut[:strings.LastIndexByte(cut, '\n')+1], nil, nil); got.code == 0 || len(got.calls) != 0 {
			t.Errorf("cut off: %+v", got)
		}
	}
	// Without anything of kubectl nothing is asked of it.
	made := ownRolePlan()
	made.Steps = made.Steps[:1]
	got := runScript(t, export.Script(made, nothing), nil, nil)
	if got.code != 0 || slices.ContainsFunc(got.calls, func(c string) bool { return strings.HasPrefix(c, "kubectl") }) {
		t.Errorf("of AWS alone: %+v", got)
	}
	if golden(t, "moving.sh", export.Script(ownRolePlan(), inStaging)); got.stdout != "1. create a role for aws-node (NR601)\n" {
		t.Errorf("%q", got.stdout)
	}
}
