package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hyperPodPermissions = Rule{
	ID: "NR221", Name: "hyperpod-permissions", Severity: finding.Error, Concern: finding.ConcernNode,
	Joining:  85,
	Explains: []finding.SymptomKind{finding.NotReady},
	NoRepair: "fix does not change roles of SageMaker HyperPod",
	Title:    "The role of SageMaker HyperPod nodes has the permissions that they need",
	Why: `HyperPod nodes cannot pull aws-node and kube-proxy, and stay NotReady. They pull these images from ECR with this role.
Where aws-node has no role of its own, it also makes its calls with this role.
AmazonSageMakerClusterInstanceRolePolicy grants neither.`,
	Fix: `Attach AmazonEC2ContainerRegistryPullOnly to the role, and give aws-node a role of its own, or allow its calls in
this role.`,
	Refs: []string{
		"https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-hyperpod-prerequisites-iam.html",
		"https://github.com/aws/amazon-vpc-cni-k8s/pull/3874",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactHybridEntries,
	},
	Bad:  hyperPodPatch(need.HyperPodService, "ecr:*"),
	Good: hyperPodPatch(need.HyperPodService),
	Check: func(v *view.View, report Reporter) {
		if !hyperPodNodes(v, report) {
			return
		}
		calls := need.Node{Kind: need.HyperPodNode}.Required()
		if v.ConfiguredIdentity().Kind == view.FromNodeRole {
			calls = append(calls, v.CNI().Required()...)
		}
		for _, r := range v.HyperPodRoles() {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			pulls := pullOf(v, r, true)
			all := sumUp(slices.Concat(answersOf(r, calls), pulls.needed()))
			report(withPulls(r, all, pulls, all.result(subject, r.Name, "has the permissions that HyperPod nodes need", "is missing permissions that HyperPod nodes need")))
		}
	},
}

// hyperPodNodes reports whether there are roles of HyperPod nodes to judge. Where there are
// none, or they could not be read, it reports that.
func hyperPodNodes(v *view.View, report Reporter) bool {
	if m := v.Unread(snapshot.FactHybridEntries); len(m) > 0 {
		report(unknown(clusterSubject(v), "the roles of HyperPod nodes are unknown", m))
	}
	if len(v.HyperPodRoles()) == 0 {
		report(finding.Result{
			Status: finding.NotApplicable, Subject: clusterSubject(v),
			Message: fmt.Sprintf("%d HyperPod nodes, and no access entry for them", len(v.HyperPodNodes())),
		})
		return false
	}
	return true
}

// hyperPodPatch adds HyperPod nodes and their role to the healthy example: who may assume
// it, and what an inline policy denies it.
func hyperPodPatch(service string, denied ...string) string {
	return fmt.Sprintf(`
nodes: {hyperpod-i-0abcdef0123456789: {providerID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", maker: hyperPod, owner: workers, ready: true}}
accessEntries: {"arn:aws:iam::111122223333:role/hyperPodRole": {type: HYPERPOD_LINUX, createdAt: "2026-02-01T00:00:00Z"}}
roles:
  "arn:aws:iam::111122223333:role/hyperPodRole":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
    inlinePolicies:
      guard: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["%s"],"Resource":"*"}}'
  "arn:aws:iam::111122223333:role/eksCNIRole":
    inlinePolicies:
      hyperpod: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sagemaker:AttachClusterNodeNetworkInterface","Resource":"*"}}'
`, service, strings.Join(append(denied, "iam:*"), `","`))
}
