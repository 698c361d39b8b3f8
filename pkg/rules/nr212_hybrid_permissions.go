package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hybridPermissions = Rule{
	ID: "NR212", Name: "hybrid-permissions", Severity: finding.Error, Concern: finding.ConcernNode,
	Joining:  80,
	Explains: []finding.SymptomKind{finding.NotJoined, finding.DeniedCall},
	NoRepair: "roles of hybrid nodes are not changed by fix",
	Title:    "The role of hybrid nodes allows what they call",
	Why: `A hybrid node reads the cluster with eks:DescribeCluster to join, and pulls its first images from ECR. Without these it does
not join or stays NotReady.`,
	Fix:  `Attach AmazonEC2ContainerRegistryPullOnly, and allow eks:DescribeCluster on the cluster.`,
	Refs: []string{"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html"},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactHybridEntries,
	},
	Bad: hybridPatch("ssm.amazonaws.com") + `    inlinePolicies: {none: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"eks:*","Resource":"*"}}'}
`,
	Good: hybridPatch("ssm.amazonaws.com"),
	Check: func(v *view.View, report Reporter) {
		if !hybridNodes(v, report) {
			return
		}
		for _, r := range v.HybridRoles() {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			result := askAll(r, need.Hybrid).result(subject, r.Name, "allows what hybrid nodes call", "lacks what hybrid nodes call")
			if result.Status == finding.Fail {
				result.Next = []finding.Next{explainAction(r.Name, "eks:DescribeCluster")}
			}
			report(result)
		}
	},
}
