package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// TestProfile: an instance profile gets the only role that it can be meant for; where
// several can be, or somebody else makes the profile, it is left to people.
func TestProfile(t *testing.T) {
	const (
		profile = "arn:aws:iam::111122223333:instance-profile/"
		class   = `karpenterNodeClasses: {default: {instanceProfile: lost, profileArn: "` + profile + `lost"}}` + "\n"
		empty   = `instanceProfiles: {"` + profile + `lost": {roles: null}}` + "\n"
		missing = `instanceProfiles: {"` + profile + `path/lost": {notFound: true}}` + "\n"
		node    = `nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: selfManaged, ready: true}}` + "\n"
		two     = `nodeGroups: {second: {nodeRoleArn: "arn:aws:iam::111122223333:role/second"}}
roles: {"arn:aws:iam::111122223333:role/second": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}` + "\n"
	)
	fill := []string{"add eksNodeRole to instance profile lost", "  + role of instance profile lost"}
	makeIt := []string{"create instance profile lost with eksNodeRole", "  + instance profile lost", "  + role of instance profile lost"}
	tests := map[string]struct {
		patch, rule string
		steps       []string
		why         string
	}{
		"Karpenter, empty":       {class + empty, "NR106", fill, ""},
		"Karpenter, missing":     {strings.ReplaceAll(class, `profile/lost`, `profile/path/lost`) + missing, "NR106", makeIt, ""},
		"two node roles":         {class + empty + two, "NR106", nil, "which role its instance profile lost should contain is your decision"},
		"Karpenter, spec.role":   {`karpenterNodeClasses: {default: {role: eksNodeRole, roleArn: "` + nodeRole + `", statusProfile: lost, profileArn: "` + profile + `lost"}}` + "\n" + empty, "NR106", nil, "which instance profile it should use is your decision"},
		"Karpenter, an ARN":      {`karpenterNodeClasses: {default: {instanceProfile: "` + profile + `lost"}}`, "NR106", nil, "which instance profile it should use is your decision"},
		"Auto Mode, empty":       {`autoModeNodeClasses: {default: {instanceProfile: lost, profileArn: "` + profile + `lost"}}` + "\n" + empty, "NR106", fill, ""},
		"Auto Scaling, empty":    {`autoScalingGroups: {asg-1: {launchTemplate: "lt-1:3", instanceProfile: "` + profile + `lost"}}` + "\n" + empty, "NR106", fill, ""},
		"Auto Scaling, no name":  {`autoScalingGroups: {asg-1: {launchTemplate: "lt-1:3"}}`, "NR106", nil, "which instance profile it should use is your decision"},
		"instance, empty":        {node + `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, instanceProfile: "` + profile + `lost"}}` + "\n" + empty, "NR105", fill, ""},
		"instance, missing":      {node + `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, instanceProfile: "` + profile + `path/lost"}}` + "\n" + missing, "NR105", makeIt, ""},
		"instance, none":         {node + `instances: {i-0aaaaaaaaaaaaaaaa: {state: running}}`, "NR105", nil, "which instance profile it should use is your decision"},
		"unjoined, empty":        {`instances: {i-0bbbbbbbbbbbbbbbb: {state: running, owned: true, instanceProfile: "` + profile + `lost"}}` + "\n" + empty, "NR106", fill, ""},
		"the role is shared too": {`cluster: {roleArn: "` + nodeRole + `"}` + "\n" + class + empty, "NR106", nil, "eksNodeRole is also the role of cluster prod"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := load(t, "healthy", tt.patch)
			plan := planFor(s, tt.rule)
			if diff := cmp.Diff(tt.steps, summary(plan.Steps)); diff != "" {
				t.Fatalf("left to people %+v, steps (-want +got):\n%s", plan.Manual, diff)
			}
			if tt.why != "" {
				if len(plan.Manual) != 1 || !strings.HasPrefix(plan.Manual[0].Why, tt.why) {
					t.Errorf("left to people %+v", plan.Manual)
				}
				return
			}
			if plan.Steps[0].Note != "it is the only node role of the cluster" {
				t.Errorf("note %q", plan.Steps[0].Note)
			}
			factsOf(t, s).thereAndBack(plan.Steps)
		})
	}
}

// TestRoleAgain: a node role that is gone is made again with what its nodes need, and its
// access entry, which does not know the new role, after it.
func TestRoleAgain(t *testing.T) {
	const gone = `roles: {"` + nodeRole + `": {notFound: true, trustPolicy: null, attachedPolicies: null, instanceProfiles: null, id: null, createdAt: null}}` + "\n"
	entry := []string{"  - access entry of " + nodeRole, "  + access entry of " + nodeRole}
	role := []string{"recreate eksNodeRole", "  + role eksNodeRole", "  + policy " + workerARN + " of role eksNodeRole", "  + policy " + pullARN + " of role eksNodeRole"}
	const accessPolicy = "arn:aws:eks::aws:cluster-access-policy/A"
	tests := map[string]struct {
		patch string
		steps []string
	}{
		"with its entry": {gone, append(role[:4:4], entry...)},
		"by aws-auth":    {gone + "accessEntries: null\n" + `awsAuth: {mapRoles: '[{"rolearn":"` + nodeRole + `","username":"system:node:{{EC2PrivateDNSName}}","groups":["system:bootstrappers","system:nodes"]}]'}`, role},
		"with its entry's access policies": {
			gone + `accessEntries: {"` + nodeRole + `": {policies: {"` + accessPolicy + `": [x]}}}`,
			append(append(append(role[:4:4], "  - access policy "+accessPolicy+" of "+nodeRole), entry...), "  + access policy "+accessPolicy+" of "+nodeRole),
		},
		"with the CNI policy": {
			gone + "awsNode: {serviceAccount: {roleArn: null}, pods: null}\naddons: {vpc-cni: {serviceAccountRoleArn: null}}",
			append(append(role[:4:4], "  + policy "+cniARN+" of role eksNodeRole"), entry...),
		},
		"with the CNI policy on IPv6": {
			gone + "cluster: {ipFamily: ipv6}\nawsNode: {serviceAccount: {roleArn: null}, pods: null}\naddons: {vpc-cni: {serviceAccountRoleArn: null}}",
			append(append([]string{role[0], role[1], "  + policy arn:aws:iam::111122223333:policy/AmazonEKS_CNI_IPv6_Policy", role[2], role[3]}, "  + policy arn:aws:iam::111122223333:policy/AmazonEKS_CNI_IPv6_Policy of role eksNodeRole"), entry...),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := load(t, "healthy", tt.patch)
			plan := planFor(s, "NR104")
			if diff := cmp.Diff(tt.steps, summary(plan.Steps)); diff != "" || len(plan.Manual) > 0 {
				t.Fatalf("left to people %+v, steps (-want +got):\n%s", plan.Manual, diff)
			}
			f := factsOf(t, s)
			first := f.text()
			f.follow(plan.Steps)
			if left := failures(s); len(left) > 0 && left[0] == "NR104 eksNodeRole" {
				t.Errorf("then %v", left)
			}
			f.takeBack(plan.Steps)
			if diff := cmp.Diff(first, f.text()); diff != "" {
				t.Errorf("taken back (-first +got):\n%s", diff)
			}
		})
	}
	unread := planFor(load(t, "healthy", gone+`missing: [{fact: accessPolicies, subject: "`+nodeRole+`", operation: "eks:ListAssociatedAccessPolicies", error: refused}]`), "NR104")
	if len(unread.Steps) > 0 || len(unread.Manual) != 1 || !strings.HasPrefix(unread.Manual[0].Why, "the access policies of its access entry could not be read") {
		t.Errorf("%+v", unread)
	}
}

// TestUndo: pods are replaced after what gives them their identity; a restart that led to
// what was configured anyway is not taken back.
func TestUndo(t *testing.T) {
	plan := move(onNodeRole(t, "{}"), planner.Options{Identity: planner.Auto})
	want := []string{
		"undo: detach AmazonEKS_CNI_Policy from eksNodeRole", "  + policy " + cniARN + " of role eksNodeRole",
		"undo: configure aws-node with IRSA role prod-aws-node", "  - role of service account aws-node in add-on vpc-cni",
		"restart aws-node, so that every pod uses what it used before", "  ~ pods of DaemonSet kube-system/aws-node",
		"undo: create a role for aws-node", "  - policy " + cniARN + " of role prod-aws-node", "  - role prod-aws-node",
	}
	undo := planner.Undo(plan.Cluster, plan.Steps)
	if diff := cmp.Diff(want, summary(undo.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	// Of a run that broke off before the pointer was made, the restart stays.
	if got := summary(planner.Undo(plan.Cluster, plan.Steps[2:3]).Steps); len(got) != 2 {
		t.Errorf("a restart alone: %v", got)
	}
	restart := planFor(load(t, "healthy", `awsNode: {pods: {aws-node-7wq5k: {env: null}}}`), "NR602").Steps
	if got := planner.Undo(plan.Cluster, restart).Steps; len(restart) != 1 || len(got) != 0 {
		t.Errorf("%v is taken back by %v", summary(restart), summary(got))
	}
}
