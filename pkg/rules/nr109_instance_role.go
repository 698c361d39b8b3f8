package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var instanceRole = Rule{
	ID: "NR109", Name: "instance-role", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  35,
	Explains: []finding.SymptomKind{finding.NotReady},
	NoRepair: "an instance profile is replaced on the instance, which fix does not change",
	Title:    "Every instance holds the role that it joined with",
	Why: `The instance profile was replaced after the node had joined, as Systems Manager's Quick Setup does. Once its credentials
expire, kubelet is Unauthorized and the node turns NotReady.`,
	Fix: `Give the instance the instance profile of its node group or launch template back, and keep the tool that replaced it from
doing so again.`,
	Refs: []string{
		"https://github.com/eksctl-io/eksctl/issues/1907",
		"https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstances, snapshot.FactInstanceProfiles, snapshot.FactNodeGroups, snapshot.FactNodes},
	Bad: `
instances: {i-01a2b3c4d5e6f7081: {state: running, owned: true, nodeGroup: apps, instanceProfile: "arn:aws:iam::111122223333:instance-profile/ssm"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/ssm": {roles: ["arn:aws:iam::111122223333:role/ssm"]}}
roles: {"arn:aws:iam::111122223333:role/ssm": {trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'}}`,
	Good: `instances: {i-01a2b3c4d5e6f7081: {state: running, owned: true, nodeGroup: apps, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}`,
	Check: func(v *view.View, report Reporter) {
		misplaced := v.MisplacedInstances()
		for _, m := range misplaced {
			report(judgeMisplaced(m))
		}
		if unread := v.Unread(snapshot.FactInstances, snapshot.FactInstanceProfiles, snapshot.FactNodeGroups, snapshot.FactNodes); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether every instance holds the role that it joined with was not checked", unread))
			return
		}
		if len(misplaced) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "no instance is seen to hold another role than it joined with",
				Evidence: []string{fmt.Sprintf("%d instances were compared with node groups and access", len(v.Snapshot.Instances))},
			})
		}
	},
}

func judgeMisplaced(m view.Misplaced) finding.Result {
	subject := finding.Subject{Kind: finding.SubjectNode, Name: m.Node}
	who := m.Node
	if m.Node == "" {
		who = "instance " + m.Instance
		subject = finding.Subject{Kind: finding.SubjectSource, Name: who}
	}
	held, want := "another role", "the one that it joined with"
	if m.RoleARN != "" {
		held = "role " + snapshot.NameOf(m.RoleARN)
	}
	if m.WantRole != "" {
		want = snapshot.NameOf(m.WantRole)
	}
	result := finding.Result{
		Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s holds %s, not %s", who, held, want), Evidence: m.Evidence,
		Next: []finding.Next{replaceProfile(m.Instance, m.WantProfile)},
	}
	if m.Alone {
		result.WrongRoles = []string{m.RoleARN}
	}
	return result
}

// replaceProfile gives an instance another instance profile in the place of its own;
// which one is left to the reader where it is not known.
func replaceProfile(instance, profile string) finding.Next {
	association := command.AWS(
		"ec2", "describe-iam-instance-profile-associations", "--filters", "Name=instance-id,Values="+instance, "Name=state,Values=associated",
		"--query", "IamInstanceProfileAssociations[0].AssociationId", "--output", "text",
	)
	c := command.AWS("ec2", "replace-iam-instance-profile-association", "--association-id").WithOutput(association).With("--iam-instance-profile")
	if profile == "" {
		c = c.WithPlaceholder("Name=INSTANCE_PROFILE")
	} else {
		c = c.With("Name=" + snapshot.NameOf(profile))
	}
	return finding.Run(c).With("gives the instance its instance profile back; see first which tool replaced it")
}
