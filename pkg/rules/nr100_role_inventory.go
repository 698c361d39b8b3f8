package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var roleInventory = Rule{
	ID: "NR100", Name: "role-inventory", Severity: finding.Warning,
	NoRepair: "which nodes the cluster should have is your decision",
	Title:    "The cluster has node roles, and all of them were found",
	Why:      `A cluster without a node role starts only Fargate and hybrid nodes. A node role that was not found is not checked.`,
	Fix: `Create a node group, or let nodes join and run check again. Where a list could not be read, grant the caller the
permission that the report names.`,
	Refs: []string{"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"},
	Needs: []snapshot.Fact{
		snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactNodes, snapshot.FactInstances, snapshot.FactInstanceProfiles,
		snapshot.FactNodeClasses, snapshot.FactAutoScaling,
	},
	Bad:  `{nodeGroups: null, nodes: null}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		subject := clusterSubject(v)
		roles := v.NodeRoles()
		if unread := v.InventoryUnread(); len(unread) > 0 {
			report(unknown(subject, fmt.Sprintf("%s may have more node roles than the %d found", subject.Name, len(roles)), unread))
			return
		}
		if others := otherNodes(v); len(roles) == 0 && len(others) > 0 {
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: subject.Name + " has no EC2 nodes", Evidence: others})
			return
		}
		if len(roles) == 0 {
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: subject.Name + " has no node role",
				Evidence: []string{fmt.Sprintf("%d node groups, %d nodes, no EKS Auto Mode node role", len(v.Snapshot.NodeGroups), len(v.Snapshot.Nodes))},
				Next:     []finding.Next{finding.Run(command.Noderole("create").WithPlaceholder("NAME")).With("creates a role for the node group or node class that you create")},
			})
			return
		}
		result := finding.Result{Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s has %d node roles", subject.Name, len(roles))}
		if len(roles) == 1 {
			result.Message = subject.Name + " has one node role"
		}
		for _, r := range roles {
			for _, s := range r.Sources {
				line := fmt.Sprintf("%s: %s %s", r.Name, s.Kind, s.Name)
				if s.Via != "" {
					line += " (" + s.Via + ")"
				}
				result.Evidence = append(result.Evidence, line)
			}
		}
		report(result)
	},
}

// otherNodes says, a line each, which nodes a cluster has whose role EC2 does not give them.
func otherNodes(v *view.View) []string {
	var lines []string
	if n := v.CountNodes(snapshot.ProvisionedByFargate); n > 0 {
		lines = append(lines, fmt.Sprintf("%d Fargate nodes, with the pod execution role of their profile", n))
	}
	for _, r := range v.HybridRoles() {
		lines = append(lines, fmt.Sprintf("%d hybrid nodes, with role %s", len(v.HybridNodes()), r.Name))
	}
	for _, r := range v.HyperPodRoles() {
		lines = append(lines, fmt.Sprintf("%d HyperPod nodes, with role %s", len(v.HyperPodNodes()), r.Name))
	}
	return lines
}
