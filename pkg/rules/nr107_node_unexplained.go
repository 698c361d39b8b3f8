package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var nodeUnexplained = Rule{
	ID: "NR107", Name: "node-unexplained", Severity: finding.Info,
	Runtime:  true,
	NoRepair: "the source of the node is unknown",
	Title:    "Every node has a known source",
	Why: `The role of the node cannot be checked. The node does not refer to an EC2 instance, and has no label of a node group,
Karpenter, EKS Auto Mode, Fargate or hybrid nodes.`,
	Fix:   `Find out what created the node. kubelet's --provider-id or the cloud provider sets spec.providerID.`,
	Refs:  []string{"https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/"},
	Needs: []snapshot.Fact{snapshot.FactNodes},
	Bad:   `nodes: {stranger: {maker: unknown, ready: true}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		if unread := v.Unread(snapshot.FactNodes); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether every node has a known source is unknown", unread))
			return
		}
		names := v.UnexplainedNodes()
		for _, name := range names {
			report(finding.Result{
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectNode, Name: name}, Message: "node " + name + " has no known source",
				Evidence: []string{"spec.providerID: " + v.Snapshot.Nodes[name].ProviderID, "no label of a node group, Karpenter, Auto Mode, Fargate or hybrid nodes"},
				Next:     []finding.Next{finding.Run(command.Kubectl("get", "node", name, "-o", "yaml"))},
			})
		}
		if len(names) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "every node has a known source",
				Evidence: []string{fmt.Sprintf("%d nodes, including %d Fargate and %d hybrid nodes, which have no EC2 instance role", len(v.Snapshot.Nodes), v.CountNodes(snapshot.ProvisionedByFargate), v.CountNodes(snapshot.ProvisionedByHybrid))},
			})
		}
	},
}
