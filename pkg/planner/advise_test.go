package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// judge judges and advises, as check does.
func judge(s *snapshot.Snapshot) *finding.Report {
	v := view.New(s)
	report := rules.Judge(v, rules.Options{})
	planner.Advise(v, report)
	return report
}

// adviceOf are the next steps of a rule's failures, a line each.
func adviceOf(report *finding.Report, id string) []string {
	var lines []string
	for _, r := range report.Results {
		if r.ID != id || !r.Failed() {
			continue
		}
		for _, n := range r.Next {
			lines = append(lines, strings.TrimSpace(n.Text+" # "+n.Note))
		}
	}
	return lines
}

// TestAdvise: fix where it has the repair, with what has to be repaired together, else
// why it has none and what people do.
func TestAdvise(t *testing.T) {
	const (
		own     = "arn:aws:iam::111122223333:role/eksCNIRole"
		behind  = "awsNode: {pods: {aws-node-7wq5k: {env: null}}}\n"
		lacking = `roles: {"` + own + `": {attachedPolicies: []}}` + "\n"
		denied  = `roles: {"` + own + `": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:*","Resource":"*"}}'}}}` + "\n"
		deny    = "change the Deny statement or the permissions boundary in the evidence: no other policy can allow "
	)
	tests := map[string]struct {
		patch, id string
		want      []string
	}{
		"a restart": {behind, "NR602", []string{"kubectl noderole fix --only NR602,NR607 # plan: restart aws-node"}},
		"a restart that the new role's permissions block": {behind + lacking, "NR602", []string{"kubectl noderole fix --only NR206,NR602,NR607 # plan: restart aws-node"}},
		"a restart that a Deny blocks": {behind + denied, "NR602", []string{
			"# repair first: eksCNIRole is missing permissions that aws-node needs on IPv4 (NR206)",
		}},
		"one repair for two rules": {`roles: {"` + nodeRole + `": {attachedPolicies: []}}`, "NR203", []string{"kubectl noderole fix --only NR201,NR203 # plan: attach AmazonEKSWorkerNodePolicy"}},
		"a Deny": {denied, "NR206", []string{
			"# an explicit Deny, a permissions boundary or another limit denies it, which fix does not change", "# " + deny + "ec2:DescribeNetworkInterfaces",
		}},
		"a role of aws-node's own": {"addons: {vpc-cni: {serviceAccountRoleArn: null}}\nawsNode: {serviceAccount: {roleArn: null}, pods: null}", "NR601", []string{
			"kubectl noderole fix --cni-identity auto # plan: create a role for aws-node; configure aws-node with EKS Pod Identity role prod-aws-node; restart aws-node",
		}},
		"permissions that aws-node uses": {"addons: {vpc-cni: {serviceAccountRoleArn: null}}\nawsNode: {serviceAccount: {roleArn: null}, pods: null}\n" +
			`roles: {"` + nodeRole + `": {attachedPolicies: ["` + workerARN + `", "` + pullARN + `", "` + cniARN + `"]}}`, "NR205", []string{
			"kubectl noderole fix --cni-identity auto # plan: detach AmazonEKS_CNI_Policy from eksNodeRole",
		}},
		"an access policy without its entry": {
			`autoModeNodeClasses: {a: {role: eksNodeRole, roleArn: "` + nodeRole + `"}}` + "\nnodeGroups: null\naccessEntries: null", "NR507",
			[]string{"kubectl noderole fix --only NR501,NR507 # plan: create an EC2 access entry for eksNodeRole"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, adviceOf(judge(load(t, "healthy", tt.patch)), tt.id)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.id, diff)
			}
		})
	}
}

// TestAdviceForEveryFailure: whatever fails and does not follow from something else has
// something to do next, in the examples and for each rule's own failure.
func TestAdviceForEveryFailure(t *testing.T) {
	snapshots := map[string]*snapshot.Snapshot{}
	for _, example := range []string{"broken", "ipv6", "custom-policies"} {
		snapshots[example] = load(t, example, "{}")
	}
	for _, rule := range rules.All() {
		snapshots[rule.ID] = load(t, "healthy", rule.Bad)
	}
	for name, s := range snapshots {
		for _, r := range judge(s).Results {
			switch {
			case r.Failed() && len(r.Causes) == 0 && len(r.Next) == 0:
				t.Errorf("%s: nothing is said about %s %s: %s", name, r.ID, r.Status, r.Message)
			case len(r.Causes) > 0 && len(r.Next) > 0:
				t.Errorf("%s: %s follows from others and has advice of its own: %v", name, r.ID, r.Next)
			}
		}
	}
}
