package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// TestPlanNamesTheCluster: every command of a plan, in every format, acts on the cluster
// that was judged.
func TestPlanNamesTheCluster(t *testing.T) {
	for _, format := range append([]string{""}, fixFormats...) {
		plan := &planner.Plan{
			Cluster: "arn:aws:eks:eu-west-1:111122223333:cluster/shop",
			Steps: []planner.Step{{
				Title: "t", Rules: []string{"NR602"}, Proof: "p",
				Changes: []change.Change{
					{Kind: change.Addon, Name: "a", Cluster: "shop", After: &change.State{}},
					{Kind: change.Association, Name: "kube-system/aws-node", Cluster: "shop", Before: &change.State{Role: "a"}, After: &change.State{Role: "b"}},
					{Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: &change.State{Role: "r"}},
					{Kind: change.Rollout, Name: "kube-system/aws-node", Before: &change.State{Type: change.NodeRole}, After: &change.State{Type: change.IRSA}},
				},
				Preconditions: []planner.Check{{Agent: true}}, Postconditions: []planner.Check{{Rule: "NR602", Subject: "aws-node"}},
			}},
			Manual: []planner.Manual{{Rule: "NR101", Message: "m", Why: "w", Next: []finding.Next{finding.Run(command.Kubectl("drain", "-l", "x=y")), finding.Run(command.AWS("eks", "delete-nodegroup"))}}},
		}
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		root := NewCommand(streams)
		o := &fixOptions{streams: streams, output: format, source: newFactsOptions(streams, newKubeFlags())}
		o.source.file = "facts.yaml" // saved facts, so that no kubeconfig is read
		o.source.scope = scope{root: root, given: map[string]string{"context": "staging", "kubeconfig": "k.yaml", "filename": "facts.yaml"}, profile: "team"}
		if err := o.print(plan); err != nil {
			t.Fatal(err)
		}
		if format == "json" {
			var compact bytes.Buffer
			if err := json.Compact(&compact, out.Bytes()); err != nil {
				t.Fatal(err)
			}
			out = bytes.NewBufferString(strings.ReplaceAll(compact.String(), `"text":"`, "\n"))
		}
		commands := 0
		for line := range strings.Lines(out.String()) {
			for _, c := range strings.Split(line, "$(aws ")[1:] {
				if !strings.Contains(c, "sts ") && !strings.Contains(c, "--region eu-west-1 --profile team") {
					t.Errorf("%s: %q", format, line)
				}
			}
			i := strings.Index(line, "kubectl ")
			switch {
			case i >= 0 && !strings.Contains(line, "plugin") && !strings.HasPrefix(line[i:], "kubectl noderole"):
				commands++
				if !strings.Contains(line[i:], "--context staging --kubeconfig k.yaml") && !strings.Contains(line[i:], "--kubeconfig k.yaml --context staging") {
					t.Errorf("%s: %q", format, line)
				}
			case i >= 0 && strings.HasPrefix(line[i:], "kubectl noderole"):
				commands++
				if !strings.Contains(line, "--context staging") || strings.Contains(line, "facts.yaml") {
					t.Errorf("%s: %q", format, line)
				}
			case strings.Contains(line, "aws eks "):
				commands++
				if !strings.Contains(line, "--region eu-west-1 --profile team") {
					t.Errorf("%s: %q", format, line)
				}
			}
		}
		if commands < 3 {
			t.Errorf("%s: %d commands in\n%s", format, commands, out)
		}
	}
}

// TestPlanIsSafeToShow: names in a plan steer no terminal, in any format.
func TestPlanIsSafeToShow(t *testing.T) {
	const hostile = "a\x1b[2J\r\u009b\u202eb\u200b\ue000\x7f"
	for _, format := range append([]string{""}, fixFormats...) {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		o := &fixOptions{streams: streams, output: format, source: newFactsOptions(streams, newKubeFlags())}
		o.source.file, o.source.scope = "facts.yaml", scope{root: NewCommand(streams)}
		state := &change.State{Document: hostile, Role: hostile, Type: hostile, Description: hostile}
		err := o.print(&planner.Plan{
			Cluster: "arn:aws:eks:" + hostile + ":111122223333:cluster/" + hostile,
			Steps: []planner.Step{{
				Title: hostile, Rules: []string{hostile}, Subject: hostile, Proof: hostile, Note: hostile, Postconditions: []planner.Check{{Rule: hostile, Subject: hostile}},
				Changes: []change.Change{{Kind: change.Role, Name: hostile, After: state}, {Kind: change.TrustPolicy, Name: hostile, Before: &change.State{}, After: state}},
			}},
			Manual: []planner.Manual{{Rule: hostile, Message: hostile, Why: hostile, Evidence: []string{hostile}, Next: []finding.Next{finding.Run(command.AWS(hostile)).With(hostile)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); text.Visible(line) != line {
				t.Errorf("%s: %q", format, line)
			}
		}
	}
}
