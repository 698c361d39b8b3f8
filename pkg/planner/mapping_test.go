package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

// byID gives the healthy example nodes that are named by their instance ID.
const byID = `nodes: {ip-10-0-1-17.eu-west-1.compute.internal: null, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null,
  i-01a2b3c4d5e6f7081: {providerID: "aws:///eu-west-1a/i-01a2b3c4d5e6f7081", maker: nodeGroup, owner: apps, ready: true}}
nodeGroups: {system: null}
awsNode: {pods: null}
`

// TestMapRoles: where aws-auth lets nodes in, their roles get an entry there, each step's
// text after the one before it, and what stood there stays.
func TestMapRoles(t *testing.T) {
	const (
		mode   = "cluster: {authenticationMode: CONFIG_MAP}\naccessEntries: null\n"
		second = `nodeGroups: {second: {nodeRoleArn: "arn:aws:iam::111122223333:role/path/second", amiType: WINDOWS_CORE_2022_x86_64}}
roles: {"arn:aws:iam::111122223333:role/path/second": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}` + "\n"
		admin = "- rolearn: arn:aws:iam::111122223333:role/admin # ours\n  username: admin\n  groups: [system:masters]\n"
	)
	// miss is an entry that means the role and never matches it, after one of somebody else.
	miss := func(rolearn string) string {
		text := admin + "- rolearn: " + rolearn + "\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
		return "awsAuth: {mapRoles: \"" + strings.ReplaceAll(text, "\n", `\n`) + "\"}"
	}
	nodes := []string{"system:bootstrappers", "system:nodes"}
	const username = "system:node:{{EC2PrivateDNSName}}"
	plain := change.State{Role: nodeRole, Username: username, Groups: nodes}
	windows := change.State{Role: "arn:aws:iam::111122223333:role/second", Username: username, Groups: []string{"system:bootstrappers", "system:nodes", "eks:kube-proxy-windows"}}
	tests := map[string]struct {
		patch, rules string
		want         []change.State
		keeps        string
	}{
		"no ConfigMap":     {mode, "NR501", []change.State{plain}, ""},
		"an entry more":    {mode + "awsAuth: {mapRoles: \"" + strings.ReplaceAll(admin, "\n", `\n`) + "\"}", "NR501", []change.State{plain}, admin},
		"two roles":        {mode + second, "NR501", []change.State{windows, plain}, ""},
		"groups of its":    {mode + `awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"system:node:{{SessionName}}","groups":["mine"]}]'}`, "NR505", []change.State{{Role: nodeRole, Username: username, Groups: []string{"mine", "system:bootstrappers", "system:nodes"}}}, ""},
		"instance IDs":     {mode + byID + `awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"nodes"}]'}`, "NR505", []change.State{{Role: nodeRole, Username: "system:node:{{SessionName}}", Groups: nodes}}, ""},
		"a raw name":       {mode + byID + `awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"system:node:{{SessionNameRaw}}"}]'}`, "NR505", []change.State{{Role: nodeRole, Username: "system:node:{{SessionNameRaw}}", Groups: nodes}}, ""},
		"instance profile": {mode + miss("arn:aws:iam::111122223333:instance-profile/eksNodeRole"), "NR504", []change.State{plain}, admin},
		"another account":  {mode + miss("arn:aws:iam::444455556666:role/eksNodeRole"), "NR504", []change.State{plain}, admin},
		"a session":        {mode + miss("arn:aws:sts::111122223333:assumed-role/eksNodeRole/i-01a2b3c4d5e6f7081"), "NR504", []change.State{plain}, admin},
		"blanks":           {mode + miss("' arn:aws:iam::111122223333:role/eksNodeRole'"), "NR504", []change.State{plain}, admin},
		"a template":       {mode + miss("${module.eks.node_role_arn}"), "NR504", []change.State{plain}, admin},
		"another username": {mode + `awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"nodes","groups":["system:bootstrappers","system:nodes"]}]'}`, "NR505", []change.State{plain}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := load(t, "healthy", tt.patch)
			plan := planFor(s, tt.rules)
			var got []change.State
			for _, step := range plan.Steps {
				got = append(got, *step.Changes[0].After)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || len(plan.Manual) > 0 {
				t.Fatalf("left to people %+v, entries (-want +got):\n%s", plan.Manual, diff)
			}
			f := factsOf(t, s)
			first := f.text()
			f.follow(plan.Steps)
			if !strings.Contains(s.AWSAuth.MapRoles, tt.keeps) {
				t.Errorf("mapRoles is\n%s", s.AWSAuth.MapRoles)
			}
			f.takeBack(plan.Steps)
			if diff := cmp.Diff(first, f.text()); diff != "" {
				t.Errorf("taken back (-first +got):\n%s", diff)
			}
		})
	}
	// A text that cannot be edited entry by entry is left to people.
	plan := planFor(load(t, "healthy", mode+`awsAuth: {mapRoles: "- &a {rolearn: '`+nodeRole+`', username: nodes, groups: [system:nodes]}\n- *a\n"}`), "NR505")
	if len(plan.Steps) > 0 || len(plan.Manual) != 1 || !strings.HasPrefix(plan.Manual[0].Why, "aws-auth cannot be edited entry by entry: ") {
		t.Errorf("%v, left to people %+v", summary(plan.Steps), plan.Manual)
	}
}

// TestAccessPolicies: nodes of EKS Auto Mode get their access policy with their entry, or
// after it.
func TestAccessPolicies(t *testing.T) {
	const auto = `cluster: {autoMode: {nodeRoleArn: "` + nodeRole + `", nodePools: [system]}}` + "\n"
	const policy = "  + access policy arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy of " + nodeRole
	const entry = "access entry of " + nodeRole
	for name, tt := range map[string]struct {
		patch, rule string
		steps       []string
	}{
		"no entry":           {auto + "accessEntries: null\nnodeGroups: null", "NR501", []string{"create an EC2 access entry for eksNodeRole", "  + " + entry, policy}},
		"of another type":    {auto + "nodeGroups: null", "NR502", []string{"replace the access entry of eksNodeRole by one of type EC2", "  - " + entry, "  + " + entry, policy}},
		"without the policy": {auto + `autoModeNodeClasses: {a: {role: eksNodeRole, roleArn: "` + nodeRole + `"}}` + "\nnodeGroups: null\naccessEntries: {\"" + nodeRole + `": {type: EC2}}`, "NR507", []string{"associate AmazonEKSAutoNodePolicy with eksNodeRole", policy}},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, "healthy", tt.patch)
			plan := planFor(s, tt.rule)
			if diff := cmp.Diff(tt.steps, summary(plan.Steps)); diff != "" || len(plan.Manual) > 0 {
				t.Fatalf("left to people %+v, steps (-want +got):\n%s", plan.Manual, diff)
			}
			factsOf(t, s).thereAndBack(plan.Steps)
		})
	}
}
