package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterRole = Rule{
	ID: "NR101", Name: "cluster-role", Severity: finding.Error, Concern: finding.ConcernUnique,
	Joining:  150,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.SeparateRole,
	Title:    "The node role is not this cluster's role",
	Why: `AWS does not support a node role that a cluster was created with. Nodes and the control plane then share one set of
permissions, so that every pod that reaches the instance metadata acts as the control plane.`,
	Fix: `Create a role for the nodes only, move the node groups to it (the role of a node group cannot be changed: create a
new node group), then remove EC2 from the cluster role's trust policy.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"},
	Needs: []snapshot.Fact{snapshot.FactCluster},
	Bad:   `cluster: {roleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		cluster := v.Snapshot.Cluster
		unread := v.Unread(snapshot.FactCluster)
		if cluster.RoleARN == "" && len(unread) == 0 {
			unread = []snapshot.Missing{{Fact: snapshot.FactCluster, Operation: "eks:DescribeCluster", Error: "the response has no cluster role"}}
		}
		for _, r := range v.NodeRoles() {
			switch {
			case cluster.RoleARN == r.ARN:
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r),
					Message:    fmt.Sprintf("%s is also the cluster role of %s", r.Name, v.Place.Cluster),
					Evidence:   []string{"eks:DescribeCluster " + v.Place.Cluster + ": roleArn " + cluster.RoleARN},
					WrongRoles: []string{r.ARN},
				})
			case len(unread) > 0:
				report(unknown(roleSubject(r), "whether "+r.Name+" is the cluster role is unknown", unread))
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: roleSubject(r),
					Message:  fmt.Sprintf("%s is not the cluster role of %s", r.Name, v.Place.Cluster),
					Evidence: []string{"the cluster role is " + cluster.RoleARN},
				})
			}
		}
	},
}
