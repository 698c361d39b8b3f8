package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

const (
	workerARN = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
	pullARN   = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
	cniARN    = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
	allNodes  = "{nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true, ip-10-0-2-41.eu-west-1.compute.internal: true, ip-10-0-1-90.eu-west-1.compute.internal: true}}"
)

// onNodeRole is the healthy cluster with an aws-node that uses the node role.
func onNodeRole(t *testing.T, patch string) *snapshot.Snapshot {
	t.Helper()
	s := load(t, "healthy", patch)
	addon, is := s.Addons["vpc-cni"]
	if addon.ServiceAccountRoleARN = ""; is {
		s.Addons["vpc-cni"] = addon
	}
	s.AWSNode.ServiceAccount.RoleARN = ""
	for name, pod := range s.AWSNode.Pods {
		pod.Env = nil
		s.AWSNode.Pods[name] = pod
	}
	role := s.Roles[nodeRole]
	if s.Cluster.IPFamily == "ipv6" {
		role.InlinePolicies = edited(role.InlinePolicies, "cni", true, func() string { return need.CNI{IPFamily: "ipv6"}.Document("aws").Compact() })
	} else {
		role.AttachedPolicies = append(role.AttachedPolicies, cniARN)
	}
	s.Roles[nodeRole] = role
	return s
}

func move(s *snapshot.Snapshot, o planner.Options) *planner.Plan {
	return planner.New(view.New(s), rules.Judge(view.New(s), rules.Options{}).Results, o)
}

// summary is a plan's steps by their titles and changes, a line each.
func summary(steps []planner.Step) []string {
	var list []string
	for _, s := range steps {
		list = append(list, s.Title)
		for _, c := range s.Changes {
			sign := "~"
			switch {
			case c.Before == nil && c.After != nil:
				sign = "+"
			case c.After == nil:
				sign = "-"
			}
			list = append(list, "  "+sign+" "+c.String())
		}
	}
	return list
}

// TestMove: whatever the cluster is like, aws-node gets a role of its own, every pod uses
// it before anything is taken off the node role, and no rule fails that did not.
func TestMove(t *testing.T) {
	const provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C1B2A4D5E6F708192A3B4C5D6E7F8"
	providers := map[string]string{
		"provider": "", "no provider": `oidcProviders: {"` + provider + `": {notFound: true, clientIDs: null}}`, "no audience": `oidcProviders: {"` + provider + `": {clientIDs: [other]}}`,
	}
	for _, want := range []string{planner.Auto, string(view.PodIdentity), string(view.IRSA)} {
		for _, addon := range []bool{true, false} {
			for _, family := range []string{"ipv4", "ipv6"} {
				for _, agent := range []bool{true, false} {
					for providerName, providerPatch := range providers {
						for _, version := range []string{"v1.14.0", "v1.20.4"} {
							name := fmt.Sprintf("%s, add-on %v, %s, agent %v, %s, %s", want, addon, family, agent, providerName, version)
							t.Run(name, func(t *testing.T) {
								patch := []string{providerPatch, "cluster: {ipFamily: " + family + "}", "awsNode: {daemonSet: {image: 'r/amazon-k8s-cni:" + version + "-eksbuild.1'}}"}
								if !addon {
									patch = append(patch, "addons: null")
								}
								if agent {
									patch = append(patch, "podIdentityAgent: "+allNodes)
								}
								s := onNodeRole(t, strings.Join(patch, "\n"))
								kind, expected := expectedMove(want, addon, family, agent, providerName, version == "v1.14.0")
								plan := move(s, planner.Options{Identity: want})
								if diff := cmp.Diff(expected, summary(plan.Steps)); diff != "" {
									t.Fatalf("steps (-want +got):\n%s", diff)
								}
								if kind == "" {
									if len(plan.Manual) != 1 || plan.Manual[0].Why != "the cluster runs vpc-cni v1.14.0, and EKS Pod Identity needs v1.15.5 or later: upgrade it first, or use IRSA" {
										t.Errorf("left to people %+v", plan.Manual)
									}
									return
								}
								if len(plan.Manual) > 0 {
									t.Errorf("left to people %+v", plan.Manual)
								}
								before := failures(s)
								f := factsOf(t, s)
								first := f.text()
								for i, step := range plan.Steps {
									f.follow(plan.Steps[i : i+1])
									if action := f.denied(); action != "" {
										t.Errorf("after %q aws-node is denied %s", step.Title, action)
									}
								}
								status := map[string][]finding.Status{}
								for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
									status[r.ID] = append(status[r.ID], r.Status)
									if r.Status == finding.Fail && !slices.Contains(before, r.ID+" "+r.Subject.Name) {
										t.Errorf("then %s fails: %s", r.ID, r.Message)
									}
								}
								for _, id := range []string{"NR204", "NR205", "NR206", "NR601", "NR602", "NR603", "NR604"} {
									if len(status[id]) == 0 || slices.ContainsFunc(status[id], func(s finding.Status) bool { return s != finding.Pass && s != finding.NotApplicable }) {
										t.Errorf("then %s: %v", id, status[id])
									}
								}
								f.takeBack(plan.Steps)
								if diff := cmp.Diff(first, f.text()); diff != "" {
									t.Errorf("taken back (-first +got):\n%s", diff)
								}
							})
						}
					}
				}
			}
		}
	}
}

// denied is an action that aws-node's pods call and are denied by the role that they
// use; empty for none.
func (f *facts) denied() string {
	v := view.New(f.s)
	for _, use := range v.RunningIdentities() {
		arn := nodeRole
		switch use.Kind {
		case view.IRSA:
			arn = use.RoleARN
		case view.PodIdentity:
			arn = v.AssociatedRole()
		default:
		}
		for _, a := range v.CNI().Required() {
			if v.Role(arn).Can(a).Verdict != view.Allowed {
				return a.Name
			}
		}
	}
	return ""
}

// expectedMove are the steps that the move is to have; kind is empty where it is refused.
func expectedMove(want string, addon bool, family string, agent bool, provider string, old bool) (kind string, steps []string) {
	kind = want
	if want == planner.Auto {
		kind = string(view.PodIdentity)
		if old || !agent && provider != "no provider" {
			kind = string(view.IRSA)
		}
	}
	if kind == string(view.PodIdentity) && old {
		return "", nil
	}
	add := func(lines ...string) { steps = append(steps, lines...) }
	add("create a role for aws-node")
	if kind == string(view.IRSA) {
		switch provider {
		case "no provider":
			add("  + OIDC provider arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C1B2A4D5E6F708192A3B4C5D6E7F8")
		case "no audience":
			add("  ~ OIDC provider arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C1B2A4D5E6F708192A3B4C5D6E7F8")
		}
	}
	add("  + role prod-aws-node")
	if family == "ipv6" {
		add("  + inline policy vpc-cni-ipv6 of role prod-aws-node")
	} else {
		add("  + policy " + cniARN + " of role prod-aws-node")
	}
	words := "IRSA"
	if kind == string(view.PodIdentity) {
		words = "EKS Pod Identity"
		if !agent {
			add("install the EKS Pod Identity Agent", "  + add-on eks-pod-identity-agent")
		}
	}
	add("configure aws-node with " + words + " role prod-aws-node")
	switch {
	case addon:
		add("  + role of service account aws-node in add-on vpc-cni")
	case kind == string(view.PodIdentity):
		add("  + Pod Identity association of kube-system/aws-node")
	default:
		add("  + role of service account kube-system/aws-node")
	}
	add("restart aws-node, so that every pod uses "+words+" role prod-aws-node", "  ~ pods of DaemonSet kube-system/aws-node")
	if family == "ipv6" {
		add("detach cni from eksNodeRole", "  - inline policy cni of role eksNodeRole")
	} else {
		add("detach AmazonEKS_CNI_Policy from eksNodeRole", "  - policy "+cniARN+" of role eksNodeRole")
	}
	return kind, steps
}

// cniDocument is what grants CNI permissions, and more.
const cniDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:AssignPrivateIpAddresses","ec2:AttachNetworkInterface","ec2:CreateNetworkInterface","ec2:DeleteNetworkInterface","ec2:DetachNetworkInterface","ec2:UnassignPrivateIpAddresses"%s],"Resource":"*"}]}`

// TestMoveKeeps: what the last step takes off a node role, and what it leaves, and why.
func TestMoveKeeps(t *testing.T) {
	const custom = "arn:aws:iam::111122223333:policy/custom"
	tests := map[string]struct {
		patch string
		last  []string // the last step
		left  []string // RULE: why
	}{
		"Windows nodes": {
			patch: "nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}}",
			left:  []string{"NR205: Windows nodes use eksNodeRole"},
		},
		"a customer's policy with more": {
			patch: `roles: {"` + nodeRole + `": {attachedPolicies: ["` + workerARN + `", "` + pullARN + `", "` + custom + `"]}}
policies: {"` + custom + `": {version: v1, document: '` + fmt.Sprintf(cniDocument, `,"s3:GetObject"`) + `'}}`,
			left: []string{"NR205: policy custom grants CNI permissions and more (s3:GetObject)"},
		},
		"a customer's policy with a Deny": {
			patch: `roles: {"` + nodeRole + `": {attachedPolicies: ["` + workerARN + `", "` + pullARN + `", "` + custom + `"]}}
policies: {"` + custom + `": {version: v1, document: '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"*"},{"Effect":"Allow","Action":"ec2:AssignPrivateIpAddresses","Resource":"*"}]}'}}`,
			left: []string{"NR205: policy custom grants CNI permissions and more (a Deny)"},
		},
		"an inline policy for the CNI alone": {
			patch: `roles: {"` + nodeRole + `": {inlinePolicies: {mine: '` + fmt.Sprintf(cniDocument, "") + `'}}}`,
			last:  []string{"detach AmazonEKS_CNI_Policy, mine from eksNodeRole", "  - policy " + cniARN + " of role eksNodeRole", "  - inline policy mine of role eksNodeRole"},
		},
		"DescribeInstances by the CNI policy alone": {
			patch: `roles: {"` + nodeRole + `": {attachedPolicies: ["` + pullARN + `"], inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["eks:DescribeCluster","eks-auth:AssumeRoleForPodIdentity","ec2:DescribeRouteTables","ec2:DescribeVolumes","ec2:DescribeVolumesModifications","ec2:DescribeVpcs"],"Resource":"*"}}'}}}`,
			last:  []string{"detach AmazonEKS_CNI_Policy from eksNodeRole", "  + policy " + workerARN + " of role eksNodeRole", "  - policy " + cniARN + " of role eksNodeRole"},
		},
		"a role that is the cluster's too": {
			patch: `cluster: {roleArn: "` + nodeRole + `"}`,
			left:  []string{"NR205: eksNodeRole is also the role of cluster prod"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := onNodeRole(t, tt.patch)
			if strings.Contains(tt.patch, custom) { // it stands in the place of the managed policy
				role := s.Roles[nodeRole]
				role.AttachedPolicies = slices.DeleteFunc(role.AttachedPolicies, func(arn string) bool { return arn == cniARN })
				s.Roles[nodeRole] = role
			}
			plan := move(s, planner.Options{Only: []string{"NR601"}})
			last := plan.Steps[len(plan.Steps)-1]
			if tt.last != nil {
				if diff := cmp.Diff(tt.last, summary([]planner.Step{last})); diff != "" {
					t.Errorf("last step (-want +got):\n%s", diff)
				}
			} else if last.Changes[0].Kind != change.Rollout {
				t.Errorf("last step %v", summary([]planner.Step{last}))
			}
			if len(plan.Manual) != len(tt.left) {
				t.Fatalf("left to people %+v", plan.Manual)
			}
			for i, m := range plan.Manual {
				if got := m.Rule + ": " + m.Why; !strings.HasPrefix(got, tt.left[i]) || m.Subject != "eksNodeRole" {
					t.Errorf("left to people %q of %s, want %q", got, m.Subject, tt.left[i])
				}
			}
			factsOf(t, s).thereAndBack(plan.Steps)
		})
	}
}

// TestMoveRefused: what keeps the move from being safe is said, and nothing is planned.
func TestMoveRefused(t *testing.T) {
	const deny = `roles: {"` + nodeRole + `": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"eks-auth:*","Resource":"*"}}'}}}`
	const boundary = `roles: {"` + nodeRole + `": {permissionsBoundary: "arn:aws:iam::111122223333:policy/b"}}
policies: {"arn:aws:iam::111122223333:policy/b": {version: v1, document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:*","ecr:*","eks:*"],"Resource":"*"}}'}}`
	podIdentity, irsa := string(view.PodIdentity), string(view.IRSA)
	tests := map[string]struct{ patch, identity, why string }{
		"static keys":         {"awsNode: {daemonSet: {env: {AWS_ACCESS_KEY_ID: '(set)'}}}", irsa, "aws-node does not get its credentials from EKS"},
		"a Deny":              {deny, podIdentity, "eksNodeRole is missing the permission that the Pod Identity Agent needs: an explicit Deny, a permissions boundary or another limit denies it"},
		"a boundary":          {boundary, podIdentity, "eksNodeRole is missing the permission that the Pod Identity Agent needs: an explicit Deny, a permissions boundary or another limit denies it"},
		"pods unread":         {"missing: [{fact: pods, operation: list pods in kube-system, error: forbidden}]", planner.Auto, "pods could not be read (list pods in kube-system)"},
		"add-ons unread":      {"missing: [{fact: addons, operation: 'eks:ListAddons', error: AccessDenied}]", planner.Auto, "addons could not be read (eks:ListAddons)"},
		"agent unread":        {"missing: [{fact: podIdentityAgent, operation: list pods in kube-system, error: forbidden}]", podIdentity, "podIdentityAgent could not be read (list pods in kube-system)"},
		"agent not ready":     {"podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true, ip-10-0-2-41.eu-west-1.compute.internal: true}}", podIdentity, "eks-pod-identity-agent is installed but not ready on ip-10-0-1-90.eu-west-1.compute.internal: check its pods there"},
		"no issuer":           {"cluster: {oidcIssuer: null}\noidcProviders: null", irsa, "the cluster's OIDC provider could not be read, or the cluster has no issuer"},
		"node policy unread":  {`policies: {"` + workerARN + `": null}` + "\n" + `missing: [{fact: policies, subject: "` + workerARN + `", operation: 'iam:GetPolicyVersion', error: AccessDenied}]`, podIdentity, "whether eksNodeRole has the permission that the Pod Identity Agent needs is unknown"},
		"provider unreadable": {"oidcProviders: null\nmissing: [{fact: oidcProviders, operation: 'iam:GetOpenIDConnectProvider', error: AccessDenied}]", irsa, "the cluster's OIDC provider could not be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan := move(onNodeRole(t, tt.patch), planner.Options{Only: []string{"NR601"}, Identity: tt.identity})
			if len(plan.Steps) > 0 || len(plan.Manual) != 1 || plan.Manual[0].Rule != "NR601" || !strings.HasPrefix(plan.Manual[0].Why, tt.why) {
				t.Errorf("steps %v, left to people %+v", summary(plan.Steps), plan.Manual)
			}
		})
	}
}

// TestMoveAllowsTheAgent: a node role that lacks what the agent calls gets it first.
func TestMoveAllowsTheAgent(t *testing.T) {
	s := onNodeRole(t, `roles: {"`+nodeRole+`": {attachedPolicies: ["`+pullARN+`"], inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["eks:DescribeCluster","ec2:Describe*"],"Resource":"*"}}'}}}`)
	plan := move(s, planner.Options{Identity: string(view.PodIdentity)})
	want := []string{
		"create a role for aws-node", "  + role prod-aws-node", "  + policy " + cniARN + " of role prod-aws-node",
		"give eksNodeRole the permission that the Pod Identity Agent needs", "  + policy arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy of role eksNodeRole",
		"install the EKS Pod Identity Agent", "  + add-on eks-pod-identity-agent",
		"configure aws-node with EKS Pod Identity role prod-aws-node", "  + role of service account aws-node in add-on vpc-cni",
		"restart aws-node, so that every pod uses EKS Pod Identity role prod-aws-node", "  ~ pods of DaemonSet kube-system/aws-node",
		"detach AmazonEKS_CNI_Policy from eksNodeRole", "  - policy " + cniARN + " of role eksNodeRole",
	}
	if diff := cmp.Diff(want, summary(plan.Steps)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	factsOf(t, s).follow(plan.Steps)
}

// TestMoveNames: the role is called as is asked, or after the cluster, as far as a role's
// name goes.
func TestMoveNames(t *testing.T) {
	tests := map[string]struct{ cluster, role, want string }{
		"after the cluster": {"prod", "", "prod-aws-node"},
		"as asked":          {"prod", "mine", "mine"},
		"a long cluster":    {strings.Repeat("c", 100), "", strings.Repeat("c", 55) + "-aws-node"},
	}
	for name, tt := range tests {
		s := onNodeRole(t, "cluster: {arn: 'arn:aws:eks:eu-west-1:111122223333:cluster/"+tt.cluster+"'}")
		plan := move(s, planner.Options{Identity: string(view.IRSA), Role: tt.role})
		role := plan.Steps[0].Changes[0]
		if role.Kind != change.Role || role.Name != tt.want || plan.Steps[1].Changes[0].After.Role != "arn:aws:iam::111122223333:role/"+tt.want {
			t.Errorf("%s: %s, %+v", name, role, plan.Steps[1].Changes[0].After)
		}
		factsOf(t, s).follow(plan.Steps)
	}
}
