package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var nodeGroupHealth = Rule{
	ID: "NR801", Name: "node-group-health", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  220,
	NoRepair: "it is a symptom: it ends when its causes are repaired",
	Title:    "EKS reports no health issue with an IAM cause on a node group",
	Why: `EKS itself has seen that the node group cannot start or register nodes. The other findings say which role or policy is
behind it.`,
	Fix: `Repair what the findings name. Where EKS says AccessDenied and they name nothing, restore the ClusterRole and
ClusterRoleBinding eks:node-manager.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html",
	},
	Needs: []snapshot.Fact{snapshot.FactNodeGroups},
	Bad:   `nodeGroups: {apps: {status: DEGRADED, health: [{code: IamInstanceProfileNotFound, message: "the profile is gone", resourceIds: [i-1]}]}}`,
	Good:  `nodeGroups: {apps: {health: [{code: InsufficientFreeAddresses, message: "the subnet is full"}]}}`,
	Check: func(v *view.View, report Reporter) {
		groups := v.Snapshot.NodeGroups
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			subject := finding.Subject{Kind: finding.SubjectSource, Name: "node group " + name}
			var evidence []string
			var next []finding.Next
			symptoms := notJoined(groups[name].NodeRoleARN)
			for _, issue := range groups[name].Health {
				if issue.Code == "NodeCreationFailure" { // its nodes never became Ready
					symptoms = append(symptoms, finding.Symptom{Kind: finding.NotReady, RoleARN: groups[name].NodeRoleARN})
				}
				if slices.Contains(iamIssues, issue.Code) {
					evidence = append(evidence, strings.TrimSpace(issue.Code+": "+issue.Message+" "+strings.Join(issue.ResourceIDs, " ")))
				}
				if issue.Code == "AccessDenied" {
					next = append(next, finding.Run(command.Kubectl("get", "clusterrole,clusterrolebinding", "eks:node-manager")))
				}
			}
			if m := v.Snapshot.MissingOf(snapshot.FactNodeGroups, name); len(m) > 0 {
				report(unknown(subject, "the health of "+subject.Name+" was not checked", m))
				continue
			}
			if len(evidence) > 0 {
				next = append(next, finding.Run(command.AWS("eks", "describe-nodegroup", "--cluster-name", v.Place.Cluster, "--nodegroup-name", name, "--query", "nodegroup.health")))
				report(finding.Result{Status: finding.Fail, Subject: subject, Message: "EKS reports " + groups[name].Status + ": " + subject.Name, Evidence: evidence, Next: next, Symptoms: symptoms})
				continue
			}
			report(finding.Result{Status: finding.Pass, Subject: subject, Message: subject.Name + " has no health issue with an IAM cause", Evidence: []string{"eks:DescribeNodegroup " + name + ": health"}})
		}
	},
}

// iamIssues are the health codes with an IAM cause.
// Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html
var iamIssues = []string{"AccessDenied", "IamInstanceProfileNotFound", "IamNodeRoleNotFound", "NodeCreationFailure", "AsgInstanceLaunchFailures"}
