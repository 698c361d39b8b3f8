package rules

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var workerRecommended = Rule{
	ID: "NR203", Name: "worker-recommended", Severity: finding.Warning, Concern: finding.ConcernNode,
	Explains: []finding.SymptomKind{finding.DeniedCall},
	Repair:   finding.AttachWorkerPolicy,
	Title:    "The node role allows all that AmazonEKSWorkerNodePolicy grants",
	Why: `Some AMIs, instance types and storage drivers need these permissions. Amazon Linux 2 and Bottlerocket read the cluster
with eks:DescribeCluster. Nodes of another AMI may then fail to join. Bottlerocket joins without it. It then guesses the
address of the cluster's DNS, which is wrong for a service CIDR of your own.`,
	Fix:   `Attach AmazonEKSWorkerNodePolicy, or add the actions to your own policy. Leave them out where you know that your AMI does not call them.`,
	Refs:  []string{"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSWorkerNodePolicy.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
    inlinePolicies:
      node: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}}'`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		checkPermissions(v, notOnAutoMode(v, withBottlerocket(v, report)), need.Node.Recommended, "allows what AmazonEKSWorkerNodePolicy grants", "allows less than AmazonEKSWorkerNodePolicy grants")
	},
}

// withBottlerocket says what Bottlerocket nodes make of a denied eks:DescribeCluster.
// Source: bottlerocket-os/bottlerocket-core-kit sources/api/pluto.
func withBottlerocket(v *view.View, report Reporter) Reporter {
	nodes := map[string][]snapshot.OSFamily{}
	for _, r := range v.NodeRoles() {
		nodes[r.ARN] = v.OSFamilies(r)
	}
	describe := need.Named("eks:DescribeCluster")
	return func(result finding.Result) {
		if result.Failed() && slices.Contains(nodes[result.Subject.ARN], snapshot.Bottlerocket) && v.Role(result.Subject.ARN).Can(describe).Verdict == view.Denied {
			result.Evidence = append(result.Evidence, "Bottlerocket nodes hold the role: without eks:DescribeCluster they guess the address of the cluster's DNS")
		}
		report(result)
	}
}
