package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var otherClusterRole = Rule{
	ID: "NR102", Name: "other-cluster-role", Severity: finding.Error, Concern: finding.ConcernUnique,
	Joining:  155,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.SeparateRole,
	Title:    "The node role is not another cluster's role",
	Why: `AWS does not support a node role that any cluster was created with. The nodes then hold the permissions of that
cluster's control plane.`,
	Fix: `Create a role for the nodes only and move the node groups to it. The role of a node group cannot be changed: create
a new node group.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"},
	Needs: []snapshot.Fact{snapshot.FactOtherClusters},
	Bad:   `otherClusters: {"arn:aws:eks:eu-west-1:111122223333:cluster/staging": {roleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}`,
	Good:  `otherClusters: {"arn:aws:eks:eu-west-1:111122223333:cluster/staging": {roleArn: "arn:aws:iam::111122223333:role/stagingClusterRole"}}`,
	Check: func(v *view.View, report Reporter) {
		others := v.Snapshot.OtherClusters
		unread := v.Unread(snapshot.FactOtherClusters)
		regions := append([]string{v.Place.Region}, v.Snapshot.OtherRegions...)
		for _, r := range v.NodeRoles() {
			var evidence []string
			var names string
			for _, arn := range slices.Sorted(maps.Keys(others)) {
				if others[arn].RoleARN == r.ARN {
					name := snapshot.NameOf(arn)
					if a, ok := snapshot.ParseARN(arn); ok && a.Region != v.Place.Region {
						name += " in " + a.Region
					}
					evidence = append(evidence, fmt.Sprintf("eks:DescribeCluster %s: roleArn %s", name, r.ARN))
					if names != "" {
						names += ", "
					}
					names += name
				}
			}
			switch {
			case len(evidence) > 0:
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Evidence: evidence, WrongRoles: []string{r.ARN},
					Message: fmt.Sprintf("%s is also the cluster role of %s", r.Name, names),
				})
			case len(unread) > 0:
				report(unknown(roleSubject(r), "whether "+r.Name+" is another cluster's role is unknown", unread))
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: roleSubject(r),
					Message:  r.Name + " is not another cluster's role",
					Evidence: []string{fmt.Sprintf("compared with %d other clusters of account %s in %s", len(others), v.Place.Account, strings.Join(regions, ", "))},
				})
			}
		}
	},
}
