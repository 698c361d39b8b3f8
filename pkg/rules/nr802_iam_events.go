package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterEvents = Rule{
	ID: "NR802", Name: "iam-events", Severity: finding.Warning, Concern: finding.ConcernJoin,
	Runtime:  true,
	Joining:  230,
	NoRepair: "it is a symptom: it ends when its causes are repaired",
	Title:    "The cluster reports no event and no node class condition with an IAM cause",
	Why: `AWS denied a call that a node or a controller made. Events show the last hours, conditions of node classes the current
state. The other findings say which role or policy is the cause.`,
	Fix: `Repair what the findings name; the events then stop.`,
	Refs: []string{
		"https://github.com/aws/amazon-vpc-cni-k8s/blob/master/pkg/awsutils/awsutils.go",
		"https://github.com/aws/karpenter-provider-aws/blob/main/pkg/apis/v1/ec2nodeclass_status.go",
		"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html",
	},
	Needs: []snapshot.Fact{snapshot.FactEvents, snapshot.FactNodeClasses},
	Bad:   `events: [{reason: MissingIAMPermissions, object: Pod/aws-node-7wq5k, message: "unauthorized operation: ec2:CreateTags", count: 3}]`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		unread := v.Unread(snapshot.FactEvents, snapshot.FactNodeClasses)
		if len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether events and node classes name an IAM cause is unknown", unread))
		}
		reported := 0
		anonymous := sync.OnceValue(func() bool { return pullsAnonymously(v) })
		for _, c := range v.NodeClasses() {
			if evidence := conditionEvidence(c); len(evidence) > 0 {
				reported++
				report(finding.Result{
					Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectSource, Name: c.Name}, Symptoms: notJoined(c.Class.RoleARN),
					Message: c.Name + " is not ready, with an IAM cause", Evidence: evidence,
				})
			}
		}
		for _, e := range v.Snapshot.Events {
			if name := e.DeniedRole(); name != "" && !knownRole(v, name) {
				continue // of a role that neither nodes nor aws-node have
			}
			if e.LimitExceeded() && !anonymous() {
				continue // more permissions do not help
			}
			reported++
			evidence := []string{e.Message}
			if e.Node != "" {
				evidence = append(evidence, "on node "+e.Node)
			}
			if action := e.DeniedAction(); action != "" && recommended(v.CNI(), action) {
				evidence = append(evidence, "aws-node works without "+action)
			}
			report(finding.Result{
				Next:   []finding.Next{finding.Run(command.Kubectl("get", "events", "--all-namespaces", "--field-selector", "reason="+e.Reason))},
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectEvent, Name: e.Reason + " " + e.Object}, Symptoms: symptomsOf(e),
				Message: fmt.Sprintf("%s: %s, %d times", e.Object, e.Reason, max(e.Count, 1)), Evidence: evidence,
			})
		}
		if reported == 0 && len(unread) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "no event and no node class condition names an IAM cause",
				Evidence: []string{"warnings in kube-system and default", "status conditions of EC2NodeClass and NodeClass objects"},
			})
		}
	},
}

// recommended reports whether the VPC CNI calls an action without requiring it.
func recommended(cni need.CNI, action string) bool {
	is := func(a need.Action) bool { return strings.EqualFold(a.Name, action) }
	return !slices.ContainsFunc(cni.Required(), is) && slices.ContainsFunc(cni.Recommended(), is)
}

// conditionEvidence is the conditions of a node class with an IAM cause, a line each: of
// its role and instance profile, and what its controller was denied.
// Source: aws/karpenter-provider-aws pkg/controllers/nodeclass/instanceprofile.go and
// validation.go.
func conditionEvidence(c view.NamedNodeClass) []string {
	kept := c.Class
	kept.Conditions = nil
	for _, condition := range c.Class.Conditions {
		ofProfile := condition.Type == "InstanceProfileReady" && condition.Status == "False"
		if ofProfile || strings.Contains(condition.Reason, "AuthCheckFailed") || namesIAM(condition.Message) {
			kept.Conditions = append(kept.Conditions, condition)
		}
	}
	return view.ConditionLines(c.Name, kept)
}

func knownRole(v *view.View, name string) bool {
	for arn := range v.Snapshot.Roles {
		if snapshot.NameOf(arn) == name {
			return true
		}
	}
	return false
}

// symptomsOf says of what an event is a symptom. An event that names the denied action is
// explained only by what denies that action.
func symptomsOf(e snapshot.Event) []finding.Symptom {
	action, cause := e.DeniedAction(), e.Cause()
	switch {
	case action != "" && cause != snapshot.CauseNetwork:
		return []finding.Symptom{{Kind: finding.DeniedCall, Action: action}}
	case cause == snapshot.CauseImage:
		return []finding.Symptom{{Kind: finding.NoImage}}
	case cause == snapshot.CausePublicImage:
		return []finding.Symptom{{Kind: finding.NoPublicImage}}
	case cause == snapshot.CauseFargateRole:
		return []finding.Symptom{{Kind: finding.NoFargateNode}}
	}
	return []finding.Symptom{{Kind: finding.NoNetwork}}
}
