package export_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/export"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// hostile are texts that end a line, a comment or a quotation, run a program, steer a
// terminal, or are taken for an option, a file or a template. Each would run touch.
var hostile = []string{
	"x\ntouch pwned\n", "$(touch pwned)`touch pwned`", "'; touch pwned; '", "\"; touch pwned; \"", "\\'; touch pwned #\r\ntouch", "\x1b[2J\x1b]0;x\a\u202etouch\u2066 pwned\u200b",
	"--touch", "file://pwned", "${touch}%{touch}${ACCOUNT}", "EOT\ntouch pwned\nEOT\n", "\u2028touch *", "",
}

// replaced returns a plan in which every text but the kinds and the cluster is another one.
func replaced(t *testing.T, plan *planner.Plan, with string) *planner.Plan {
	t.Helper()
	var value any
	var p planner.Plan
	encoded, err := json.Marshal(plan)
	if err == nil {
		err = json.Unmarshal(encoded, &value)
	}
	if err != nil {
		t.Fatal(err)
	}
	var walk func(name string, v any) any
	walk = func(name string, v any) any {
		switch v := v.(type) {
		case map[string]any:
			if name == "tags" {
				return map[string]any{with: with}
			}
			for k := range v {
				v[k] = walk(k, v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk(name, v[i])
			}
		case string:
			switch {
			case name == "kind", name == "cluster" && strings.HasPrefix(v, "arn:"):
			case name == "name" && strings.HasPrefix(v, "kube-system/"):
				return v + with // a name that kubectl can be given
			default:
				return with
			}
		}
		return v
	}
	if encoded, err = json.Marshal(walk("", value)); err == nil {
		err = json.Unmarshal(encoded, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// inert fails where a text has characters that steer a terminal, or a line that begins
// with what a hostile text would run.
func inert(t *testing.T, what, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if text.Visible(line) != line {
			t.Errorf("%s: %q is not safe to show", what, line)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "touch") {
			t.Errorf("%s: %q begins a line", what, line)
		}
	}
}

// hclLine is a line of a Terraform configuration, but for those in a heredoc.
var hclLine = regexp.MustCompile(`^(|#.*|resource "[a-z_]+" "[A-Za-z0-9_-]+" \{|\}| +([a-z_]+|"([^"\\]|\\.)*") += (\[?("([^"\\]|\\.)*"(, )?)*\]?|[A-Za-z0-9_.-]+|<<-EOT|\{)| +\}| +[a-z_]+ \{)$`)

// configuration fails where a Terraform configuration has anything but blocks,
// attributes and comments.
func configuration(t *testing.T, what, out string) {
	t.Helper()
	heredoc := false
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case heredoc:
			heredoc = strings.TrimSpace(line) != "EOT"
		case !hclLine.MatchString(line):
			t.Errorf("%s: %q is not Terraform", what, line)
		default:
			heredoc = strings.HasSuffix(line, "<<-EOT") && !strings.HasPrefix(line, "#")
		}
	}
	for _, template := range []string{"${touch", "%{touch"} {
		if i := strings.Index(out, template); i > 0 && out[i-1] != template[0] && !strings.HasPrefix(out[strings.LastIndexByte(out[:i], '\n')+1:], "#") {
			t.Errorf("%s: a template in %q", what, out[i-1:i+10])
		}
	}
}

// TestHostilePlan: whatever the names in a plan are, its script runs nothing but the
// plan's commands, and comments stay one line.
func TestHostilePlan(t *testing.T) {
	plan := everyKind()
	plan.Steps[0].Preconditions = []planner.Check{{Rule: "NR602", Subject: "aws-node"}, {Agent: true}}
	plan.Steps[1].Postconditions = []planner.Check{{Rule: "NR201", Subject: "arn", Strict: true}}
	plan.Steps = append(plan.Steps, ownRolePlan().Steps...)
	for i, with := range hostile {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			all := replaced(t, plan, with)
			elsewhere := *all
			elsewhere.Cluster = "arn:aws:eks:" + with + ":" + with + ":cluster/" + with
			plans := []*planner.Plan{all, &elsewhere}
			kinds := map[change.Kind]bool{}
			for _, s := range all.Steps { // a plan for each kind, as a script stops where a change has no command
				for _, c := range s.Changes {
					if kinds[c.Kind] {
						continue
					}
					kinds[c.Kind] = true
					one := s
					one.Changes = []change.Change{c}
					plans = append(plans, &planner.Plan{Cluster: all.Cluster, Steps: []planner.Step{one}})
				}
			}
			var scripts strings.Builder
			for _, p := range plans {
				script, terraform := export.Script(p, inStaging), export.PlanTerraform(p, inStaging)
				inert(t, "script", strings.ReplaceAll(script, "'\n'", ""))
				inert(t, "terraform", terraform)
				configuration(t, "terraform", terraform)
				scripts.WriteString("(\n" + script + ")\n")
			}
			syntax := exec.Command("/bin/sh", "-n")
			syntax.Stdin = strings.NewReader(scripts.String())
			if out, err := syntax.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			ran := runScript(t, scripts.String(), nil, nil)
			for _, call := range ran.calls {
				if !strings.HasPrefix(call, "aws ") && !strings.HasPrefix(call, "kubectl ") {
					t.Errorf("ran %q", call)
				}
			}
			if len(ran.calls) < len(plans) {
				t.Errorf("%q: %d calls of %d scripts: %+v", with, len(ran.calls), len(plans), ran)
			}
		})
	}
}

// TestHostileRole: the same of what create prints for other tools.
func TestHostileRole(t *testing.T) {
	for _, h := range hostile {
		role := newrole.Role{
			Name: h, Path: "/" + h + "/", Description: h, Tags: map[string]string{h: h}, Boundary: "arn:aws:iam::1:policy/" + h,
			Partition: "aws", CNI: newrole.IPv6CNI, InstanceProfile: h, Cluster: h, EntryType: "EC2",
		}
		out := export.Commands(role, nothing)
		inert(t, "commands", out)
		out, asked := strings.CutPrefix(out, "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)\n")
		ran := runScript(t, "set -eu\nACCOUNT=1\n"+out, nil, nil)
		for _, call := range ran.calls {
			if !strings.HasPrefix(call, "aws ") {
				t.Errorf("%q: ran %q", h, call)
			}
		}
		if !asked || ran.code != 0 || len(ran.calls) < len(role.Changes()) {
			t.Errorf("%q: asked for the account %v, %+v", h, asked, ran)
		}
		terraform := export.Terraform(role)
		inert(t, "terraform", terraform)
		configuration(t, "terraform", terraform)
		role.Path = ""
		for tool, write := range map[string]func() (string, error){
			"CloudFormation": func() (string, error) { return export.CloudFormation(role) },
			"eksctl":         func() (string, error) { return export.Eksctl(role, h, h) },
		} {
			out, err := write()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out) {
				if text.Visible(strings.TrimSuffix(line, "\n")) != strings.TrimSuffix(line, "\n") {
					t.Errorf("%s: %q is not safe to show", tool, line)
				}
			}
			var value struct {
				Resources map[string]struct{ Properties map[string]any }
				Metadata  struct{ Name, Region string }
			}
			if err := yaml.Unmarshal([]byte(out), &value); err != nil {
				t.Errorf("%s %q: %v", tool, h, err)
			}
			if name := value.Metadata.Name; tool == "eksctl" && name != h {
				t.Errorf("the cluster's name comes out as %q, not %q", name, h)
			}
			if name, _ := value.Resources["NodeRole"].Properties["RoleName"].(string); tool == "CloudFormation" && name != h {
				t.Errorf("the role's name comes out as %q, not %q", name, h)
			}
		}
	}
}

// TestTerraformKinds: every kind of change comes out as something.
func TestTerraformKinds(t *testing.T) {
	for _, k := range change.Kinds() {
		c := change.Change{Kind: k, Name: "kube-system/aws-node", Part: "p", Cluster: "c", After: &change.State{Document: "{}", Role: "r", Type: change.IRSA}}
		p := &planner.Plan{Cluster: "c", Steps: []planner.Step{{Title: "t", Rules: []string{"NR201"}, Changes: []change.Change{c}}}}
		out := export.PlanTerraform(p, nothing)
		if strings.Contains(out, "no Terraform resource") || len(strings.Split(out, "\n")) < 6 {
			t.Errorf("%s:\n%s", k, out)
		}
	}
}
