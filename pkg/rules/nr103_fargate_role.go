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

var fargateRole = Rule{
	ID: "NR103", Name: "fargate-role", Severity: finding.Error, Concern: finding.ConcernUnique,
	Joining:  160,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.SeparateRole,
	Title:    "The node role is not a Fargate profile's pod execution role",
	Why: `EC2 nodes with a pod execution role become NotReady. EKS maps such a role to the user name of Fargate nodes. AWS
requires different roles.`,
	Fix: `Create a pod execution role for Fargate only, and recreate the Fargate profile with it. Then restore the node role's
mapping for EC2 nodes in aws-auth, or its access entry.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-execution-role.html",
		"https://github.com/eksctl-io/eksctl/issues/2290",
	},
	Needs: []snapshot.Fact{snapshot.FactFargateProfiles},
	Bad:   `fargateProfiles: {batch: {podExecutionRoleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}`,
	Good:  `fargateProfiles: {batch: {podExecutionRoleArn: "arn:aws:iam::111122223333:role/eksFargatePodExecutionRole"}}`,
	Check: func(v *view.View, report Reporter) {
		profiles := v.Snapshot.FargateProfiles
		unread := v.Unread(snapshot.FactFargateProfiles)
		for _, r := range v.NodeRoles() {
			var shared, evidence []string
			for _, name := range slices.Sorted(maps.Keys(profiles)) {
				if profiles[name].PodExecutionRoleARN == r.ARN {
					shared = append(shared, name)
					evidence = append(evidence, fmt.Sprintf("eks:DescribeFargateProfile %s: podExecutionRoleArn %s", name, r.ARN))
				}
			}
			switch {
			case len(shared) > 0:
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Evidence: evidence,
					Message:    fmt.Sprintf("%s is also a pod execution role: Fargate profile %s", r.Name, strings.Join(shared, ", ")),
					WrongRoles: []string{r.ARN},
				})
			case len(unread) > 0:
				report(unknown(roleSubject(r), "whether "+r.Name+" is a Fargate profile's role is unknown", unread))
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: roleSubject(r),
					Message:  r.Name + " is not a Fargate profile's role",
					Evidence: []string{fmt.Sprintf("compared with %d Fargate profiles", len(profiles))},
				})
			}
		}
	},
}
