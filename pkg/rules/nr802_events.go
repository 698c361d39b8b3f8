package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterEvents = Rule{
	ID: "NR802", Name: "iam-events", Severity: finding.Warning, Concern: finding.ConcernJoin,
	Joining:  230,
	NoRepair: "it is a symptom: it ends when its causes are repaired",
	Title:    "The cluster reports no event with an IAM cause",
	Why: `Something in the cluster was refused by AWS within the last hours, which is how long events are kept. The other findings say
which role or policy is behind it.`,
	Fix: `Repair what the findings name; then the events stop.`,
	Refs: []string{
		"https://github.com/aws/amazon-vpc-cni-k8s/blob/master/pkg/awsutils/awsutils.go",
		"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html",
	},
	Needs: []snapshot.Fact{snapshot.FactEvents},
	Bad:   `events: [{reason: MissingIAMPermissions, object: Pod/aws-node-7wq5k, message: "unauthorized operation: ec2:CreateTags", count: 3}]`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		if unread := v.Unread(snapshot.FactEvents); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether events name an IAM cause was not checked", unread))
		}
		for _, e := range v.Snapshot.Events {
			evidence := []string{e.Message}
			if e.Node != "" {
				evidence = append(evidence, "on node "+e.Node)
			}
			symptom := finding.Symptom{Kind: finding.NoImage}
			if slices.Contains(networkReasons, e.Reason) {
				symptom.Kind = finding.NoNetwork
			}
			report(finding.Result{
				Next:   []finding.Next{finding.Run(command.Kubectl("get", "events", "--all-namespaces", "--field-selector", "reason="+e.Reason))},
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectEvent, Name: e.Reason + " " + e.Object}, Symptoms: []finding.Symptom{symptom},
				Message: fmt.Sprintf("%s: %s, %d times", e.Object, e.Reason, max(e.Count, 1)), Evidence: evidence,
			})
		}
		if len(v.Snapshot.Events) == 0 && len(v.Unread(snapshot.FactEvents)) == 0 {
			report(finding.Result{Status: finding.Pass, Subject: clusterSubject(v), Message: "no event names an IAM cause", Evidence: []string{"warnings in kube-system and default"}})
		}
	},
}

// networkReasons are the reasons of events about addresses of pods.
var networkReasons = []string{"MissingIAMPermissions", "FailedCreatePodSandBox"}
