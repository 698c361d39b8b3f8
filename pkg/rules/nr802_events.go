package rules

import (
	"fmt"

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
		reported := 0
		for _, e := range v.Snapshot.Events {
			if name := e.DeniedRole(); name != "" && !knownRole(v, name) {
				continue // of a role that neither nodes nor aws-node have
			}
			reported++
			evidence := []string{e.Message}
			if e.Node != "" {
				evidence = append(evidence, "on node "+e.Node)
			}
			report(finding.Result{
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectEvent, Name: e.Reason + " " + e.Object}, Symptoms: symptomsOf(e),
				Message: fmt.Sprintf("%s: %s, %d times", e.Object, e.Reason, max(e.Count, 1)), Evidence: evidence,
			})
		}
		if reported == 0 && len(v.Unread(snapshot.FactEvents)) == 0 {
			report(finding.Result{Status: finding.Pass, Subject: clusterSubject(v), Message: "no event names an IAM cause", Evidence: []string{"warnings in kube-system and default"}})
		}
	},
}

func knownRole(v *view.View, name string) bool {
	for arn := range v.Snapshot.Roles {
		if snapshot.NameOf(arn) == name {
			return true
		}
	}
	return false
}

// symptomsOf says of what an event is a symptom. Where it names the action that was
// denied, what denies that action explains it, and nothing else.
func symptomsOf(e snapshot.Event) []finding.Symptom {
	switch e.Cause() {
	case snapshot.CauseImage:
		return []finding.Symptom{{Kind: finding.NoImage}}
	case snapshot.CauseDeniedCall:
		if action := e.DeniedAction(); action != "" {
			return []finding.Symptom{{Kind: finding.DeniedCall, Action: action}}
		}
		return []finding.Symptom{{Kind: finding.NoNetwork}}
	case snapshot.CauseNetwork:
	}
	return []finding.Symptom{{Kind: finding.NoNetwork}}
}
