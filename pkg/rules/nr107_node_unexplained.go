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
	NoRepair: "where the node comes from is not known",
	Title:    "Every node comes from a source that is known",
	Why: `Nothing can be said of the role of a node that names no EC2 instance and no node group, Karpenter, Auto Mode, Fargate
or hybrid origin.`,
	Fix:   `See where the node comes from; kubelet's --provider-id or the cloud provider sets spec.providerID.`,
	Refs:  []string{"https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/"},
	Needs: []snapshot.Fact{snapshot.FactNodes},
	Bad:   `nodes: {stranger: {maker: unknown, ready: true}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		if unread := v.Unread(snapshot.FactNodes); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether every node is explained was not checked", unread))
			return
		}
		names := v.UnexplainedNodes()
		for _, name := range names {
			report(finding.Result{
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectNode, Name: name}, Message: "nothing says where node " + name + " comes from",
				Evidence: []string{"spec.providerID: " + v.Snapshot.Nodes[name].ProviderID, "no label of a node group, Karpenter, Auto Mode, Fargate or hybrid nodes"},
				Next:     []finding.Next{finding.Run(command.Kubectl("get", "node", name, "-o", "yaml"))},
			})
		}
		if len(names) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "every node comes from a source that is known",
				Evidence: []string{fmt.Sprintf("%d nodes, of them %d Fargate and %d hybrid, which hold no EC2 instance role", len(v.Snapshot.Nodes), v.CountNodes(snapshot.ProvisionedByFargate), v.CountNodes(snapshot.ProvisionedByHybrid))},
			})
		}
	},
}
