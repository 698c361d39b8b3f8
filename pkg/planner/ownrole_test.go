package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/planner"
)

// TestOwnRole: what keeps aws-node's own role from working is repaired, in the order in
// which it is safe, or left to people.
func TestOwnRole(t *testing.T) {
	const (
		own      = "arn:aws:iam::111122223333:role/eksCNIRole"
		provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C1B2A4D5E6F708192A3B4C5D6E7F8"
		gone     = `roles: {"` + own + `": {notFound: true, trustPolicy: null, attachedPolicies: null, id: null, createdAt: null}}` + "\n"
		pods     = `awsNode: {serviceAccount: {roleArn: null}, pods: {aws-node-7wq5k: {env: null}, aws-node-h2m8x: {env: null}, aws-node-zk4tp: {env: null}}}` + "\n" + podIdentity + "\n"
		trusted  = `roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}'}}` + "\n"
		denied   = `{"Effect":"Deny","Principal":{"Service":"pods.eks.amazonaws.com","Federated":"` + provider + `"},"Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity"]}`
	)
	trust := []string{"allow aws-node to assume eksCNIRole", "  ~ trust policy of role eksCNIRole"}
	cni := "  + policy " + cniARN + " of role eksCNIRole"
	again := []string{"recreate eksCNIRole, the role of aws-node", "  + role eksCNIRole", cni}
	restart := []string{"restart aws-node, so that every pod uses EKS Pod Identity role eksCNIRole", "  + pods of DaemonSet kube-system/aws-node"}
	tests := map[string]struct {
		patch string
		only  string // rules, comma-separated
		steps []string
		why   string
	}{
		"IRSA: the role is gone": {gone, "NR206,NR603", again, ""},
		"IRSA: the role and the provider are gone": {
			gone + `oidcProviders: {"` + provider + `": {notFound: true, clientIDs: null}}`, "NR603",
			append([]string{again[0], "  + OIDC provider " + provider}, again[1:]...), "",
		},
		"IRSA: the role is another account's": {
			strings.ReplaceAll(gone, "111122223333", "999922223333") + `awsNode: {serviceAccount: {roleArn: "arn:aws:iam::999922223333:role/eksCNIRole"}}` + "\n", "NR206", nil, "the role belongs to another account",
		},
		"IRSA: the annotation is no ARN": {
			`awsNode: {serviceAccount: {roleArn: eksCNIRole}}`, "NR603", nil, "which role aws-node should have is your decision",
		},
		"IRSA: it trusts nobody": {
			`roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":[]}'}}`, "NR603", trust, "",
		},
		"IRSA: no audience and no trust": {
			`roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":[]}'}}` + "\n" + `oidcProviders: {"` + provider + `": {clientIDs: [other]}}`, "NR603",
			[]string{trust[0], "  ~ OIDC provider " + provider, trust[1]},
			"",
		},
		"IRSA: it is denied": {
			`roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":[` + denied + `]}'}}`, "NR603", nil, "the trust policy denies it explicitly",
		},
		"it is not allowed what aws-node calls": {`roles: {"` + own + `": {attachedPolicies: []}}`, "NR206", []string{"give eksCNIRole the permissions that aws-node needs", cni}, ""},
		"the same on IPv6": {
			"cluster: {ipFamily: ipv6}\n" + `roles: {"` + own + `": {attachedPolicies: []}}`, "NR206", []string{"give eksCNIRole the permissions that aws-node needs", "  + inline policy vpc-cni-ipv6 of role eksCNIRole"}, "",
		},
		"somebody's policy on IPv6": {
			"cluster: {ipFamily: ipv6}\n" + `roles: {"` + own + `": {attachedPolicies: [], inlinePolicies: {vpc-cni-ipv6: '{"Version":"2012-10-17","Statement":[]}'}}}`, "NR206", nil, "its inline policy vpc-cni-ipv6 does not allow all of them",
		},
		"a Deny on IPv6": {
			"cluster: {ipFamily: ipv6}\n" + `roles: {"` + own + `": {attachedPolicies: [], inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:*","Resource":"*"}}'}}}`, "NR206", nil, "an explicit Deny, a permissions boundary or another limit denies it",
		},
		"Pod Identity: the role is gone": {pods + gone + "podIdentityAgent: " + allNodes, "NR206,NR604", again, ""},
		"Pod Identity: no agent": {
			pods + trusted, "NR604", []string{"give aws-node the credentials of eksCNIRole on every node", "  + add-on eks-pod-identity-agent"}, "",
		},
		"Pod Identity: the agent is not ready": {
			pods + trusted + "podIdentityAgent: {nodes: {}}", "NR604", nil, "eks-pod-identity-agent is installed but not ready on ip-10-0-1-17.eu-west-1.compute.internal, ",
		},
		"Pod Identity: it is denied": {
			pods + "podIdentityAgent: " + allNodes + "\n" + `roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":[` + denied + `]}'}}`, "NR604", nil, "the trust policy denies it explicitly",
		},
		"Pod Identity: vpc-cni is too old": {
			strings.Replace(pods, "awsNode: {", "awsNode: {daemonSet: {image: 'r/amazon-k8s-cni:v1.14.0'}, ", 1) + trusted + "podIdentityAgent: " + allNodes, "NR604", nil, "the cluster runs vpc-cni v1.14.0: upgrade it to v1.15.5 or later first",
		},
		"a restart after the trust that it takes": {
			pods + "podIdentityAgent: " + allNodes, "NR602,NR604", append([]string{"give aws-node the credentials of eksCNIRole on every node", "  ~ trust policy of role eksCNIRole"}, restart...), "",
		},
		"no restart into a role that does not work": {pods + "podIdentityAgent: " + allNodes, "NR602", nil, "repair first: aws-node does not get its Pod Identity role eksCNIRole (NR604)"},
		"nothing is detached before the restart": {
			pods + "podIdentityAgent: " + allNodes + "\n" + `roles: {"` + own + `": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}'}, "` + nodeRole + `": {attachedPolicies: ["` + workerARN + `", "` + pullARN + `", "` + cniARN + `"]}}`,
			"NR205", append(restart[:2:2], "detach AmazonEKS_CNI_Policy from eksNodeRole", "  - policy "+cniARN+" of role eksNodeRole"), "",
		},
		"nothing is detached where aws-node's role does not work": {
			`roles: {"` + own + `": {attachedPolicies: []}, "` + nodeRole + `": {attachedPolicies: ["` + workerARN + `", "` + pullARN + `", "` + cniARN + `"]}}`, "NR205", nil, "repair first: eksCNIRole is missing permissions that aws-node needs on IPv4 (NR206)",
		},
		"static keys and a restart": {
			`awsNode: {daemonSet: {env: {AWS_ACCESS_KEY_ID: '(set)'}}, pods: {aws-node-7wq5k: {env: null}}}`, "NR602", nil, "aws-node does not get its credentials from EKS",
		},
		"only the add-on names a role": {
			`awsNode: {serviceAccount: {roleArn: null}}`, "NR606", nil, "the service account has no role: whether aws-node should have the add-on's role is your decision",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := load(t, "healthy", tt.patch)
			plan := planFor(s, strings.Split(tt.only, ",")...)
			if diff := cmp.Diff(tt.steps, summary(plan.Steps)); diff != "" {
				t.Fatalf("left to people %+v, steps (-want +got):\n%s", plan.Manual, diff)
			}
			if tt.why != "" {
				if len(plan.Manual) != 1 || !strings.HasPrefix(plan.Manual[0].Why, tt.why) {
					t.Errorf("left to people %+v", plan.Manual)
				}
				return
			}
			if len(plan.Manual) > 0 {
				t.Errorf("left to people %+v", plan.Manual)
			}
			f := factsOf(t, s)
			first := f.text()
			f.follow(plan.Steps)
			if hasRestart := strings.Contains(strings.Join(tt.steps, "\n"), "pods of DaemonSet"); hasRestart {
				return // the pods have what is configured, which is not taken back
			}
			f.takeBack(plan.Steps)
			if diff := cmp.Diff(first, f.text()); diff != "" {
				t.Errorf("taken back (-first +got):\n%s", diff)
			}
		})
	}
}

// TestSeparate: whose role is also somebody else's gets one for its nodes, and how its
// nodes come to it is said, source by source.
func TestSeparate(t *testing.T) {
	const arn, autoARN = "arn:aws:iam::111122223333:role/eksNodeRole-nodes", "arn:aws:iam::111122223333:role/eksNodeRole-auto-nodes"
	s := load(t, "healthy", `
cluster: {roleArn: "`+nodeRole+`", autoMode: {nodeRoleArn: "`+nodeRole+`", nodePools: [system]}}
karpenterNodeClasses: {k: {role: eksNodeRole, roleArn: "`+nodeRole+`"}}
autoModeNodeClasses: {a: {role: eksNodeRole, roleArn: "`+nodeRole+`"}}
autoScalingGroups: {asg-1: {launchTemplate: "lt-1:3", instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}
nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: selfManaged, ready: true}}
instances: {i-0aaaaaaaaaaaaaaaa: {state: running, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}
roles: {"`+nodeRole+`": {permissionsBoundary: "arn:aws:iam::111122223333:policy/b"}}
policies: {"arn:aws:iam::111122223333:policy/b": {version: v1, document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'}}`)
	plan := planFor(s, "NR101", "NR102", "NR202")
	want := []string{
		"create eksNodeRole-nodes for the nodes of eksNodeRole", "  + role eksNodeRole-nodes",
		"  + policy " + workerARN + " of role eksNodeRole-nodes", "  + policy " + pullARN + " of role eksNodeRole-nodes",
		"  + instance profile eksNodeRole-nodes", "  + role of instance profile eksNodeRole-nodes", "  + access entry of " + arn,
		"create eksNodeRole-auto-nodes for the nodes of eksNodeRole", "  + role eksNodeRole-auto-nodes",
		"  + policy arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy of role eksNodeRole-auto-nodes", "  + policy " + pullARN + " of role eksNodeRole-auto-nodes",
		"  + access entry of " + autoARN, "  + access policy arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy of " + autoARN,
	}
	if diff := cmp.Diff(want, summary(plan.Steps)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if !strings.Contains(plan.Steps[0].Note, "eksNodeRole has permissions boundary b, and the new role has none") {
		t.Errorf("note %q", plan.Steps[0].Note)
	}
	var lines []string
	for _, n := range plan.Manual[0].Next {
		lines = append(lines, n.Text+"   "+n.Note)
	}
	next := strings.Join(lines, "\n")
	for _, part := range []string{
		"node group apps: create a node group like it with role " + arn, "node group system: create a node group like it with role " + arn,
		`kubectl patch ec2nodeclasses.karpenter.k8s.aws k --type merge --patch '{"spec":{"role":"eksNodeRole-nodes"}}'`,
		`kubectl patch nodeclasses.eks.amazonaws.com a --type merge --patch '{"spec":{"role":"eksNodeRole-auto-nodes"}}'`,
		"aws autoscaling start-instance-refresh --auto-scaling-group-name asg-1", "enabled=true,nodeRoleArn=" + autoARN,
		"replace self-managed node ip-10-0-9-9.eu-west-1.compute.internal with a node that has role eksNodeRole-nodes",
	} {
		if !strings.Contains(next, part) {
			t.Errorf("nothing says %s:\n%s", part, next)
		}
	}
	factsOf(t, s).thereAndBack(plan.Steps)
	// Of two rules that say so one step is planned, and one move.
	both := planFor(load(t, "healthy", `{cluster: {roleArn: "`+nodeRole+`"}, otherClusters: {"arn:aws:eks:eu-west-1:111122223333:cluster/staging": {roleArn: "`+nodeRole+`"}}}`), "NR101", "NR102")
	if len(both.Steps) != 1 || len(both.Manual) != 1 || len(both.Manual[0].Next) == 0 {
		t.Errorf("%+v", both)
	}
	if got := planner.Undo(plan.Cluster, plan.Steps).Steps; len(got) != len(plan.Steps) {
		t.Errorf("%v", summary(got))
	}
}
