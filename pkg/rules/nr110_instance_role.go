package rules

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var instanceRole = Rule{
	ID: "NR110", Name: "instance-role", Severity: finding.Error, Concern: finding.ConcernJoin,
	Runtime:  true,
	Joining:  35,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NotJoined},
	NoRepair: "fix does not replace instance profiles: which one the instance was launched with is not certain",
	Title:    "Every instance has the role that it was launched with",
	Why: `The node becomes NotReady when its credentials change. Its instance profile was replaced while it ran, and the cluster
refuses kubelet with the other role. Quick Setup of AWS Systems Manager does that, and so does everybody who
associates an instance profile manually.`,
	Fix: `Associate the instance profile of its node group with the instance again, or replace the instance. Grant the other
role no permissions: it is not a node role. Do not let Quick Setup attach its instance profile to nodes; attach
AmazonSSMManagedInstanceCore to the node role where you want Systems Manager on nodes.`,
	Refs: []string{
		"https://github.com/eksctl-io/eksctl/issues/1907",
		"https://docs.aws.amazon.com/systems-manager/latest/userguide/quick-setup-host-management.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstances, snapshot.FactInstanceProfiles, snapshot.FactNodeGroups},
	Bad: `
instances: {i-01a2b3c4d5e6f7081: {state: running, nodeGroup: apps, instanceProfile: "arn:aws:iam::111122223333:instance-profile/QuickSetup"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/QuickSetup": {roles: ["arn:aws:iam::111122223333:role/QuickSetup"]}}
roles: {"arn:aws:iam::111122223333:role/QuickSetup": {}}`,
	Good: `instances: {i-01a2b3c4d5e6f7081: {state: running, nodeGroup: apps, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}`,
	Check: func(v *view.View, report Reporter) {
		displaced := v.DisplacedInstances()
		for _, d := range displaced {
			subject := finding.Subject{Kind: finding.SubjectSource, Name: "instance " + d.Instance}
			if len(d.Unread) > 0 {
				report(unknown(subject, "the role of instance "+d.Instance+" is unknown", d.Unread))
				continue
			}
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("instance %s %s", d.Instance, d.Reason()),
				Evidence: displacedEvidence(v, d), Next: profileBack(v, d),
			})
		}
		switch unread := v.Unread(snapshot.FactInstances, snapshot.FactNodeGroups); {
		case len(unread) > 0:
			report(unknown(clusterSubject(v), "whether every instance has the role of its node group is unknown", unread))
		case len(displaced) == 0:
			report(finding.Result{
				Status: finding.Pass, Subject: clusterSubject(v), Message: "every instance has the role that it was launched with",
				Evidence: []string{fmt.Sprintf("%d instances were compared with their node groups", len(v.Snapshot.Instances))},
			})
		}
	},
}

func displacedEvidence(v *view.View, d view.Displaced) []string {
	evidence := []string{fmt.Sprintf("ec2:DescribeInstances %s: instance profile %s", d.Instance, text.OrNone(snapshot.NameOf(d.Profile)))}
	if d.Group != "" {
		return append(evidence, fmt.Sprintf("eks:DescribeNodegroup %s: nodeRole %s", d.Group, d.GroupRole))
	}
	ready := "is Ready"
	if !v.Snapshot.Nodes[d.Node].Ready {
		ready = "is not Ready"
	}
	for _, r := range v.NodeRoles() {
		evidence = append(evidence, fmt.Sprintf("a node role of the cluster is %s, in instance profile %s", r.Name, text.OrNone(strings.Join(names(r.Facts.InstanceProfiles), ", "))))
	}
	return append(evidence,
		fmt.Sprintf("node %s has joined and %s", d.Node, ready),
		fmt.Sprintf("%s has no access entry or aws-auth mapping; it allows calls of SSM Agent, and none of the calls with which a node joins and pulls images", snapshot.NameOf(d.RoleARN)),
	)
}

func names(arns []string) []string {
	var list []string
	for _, arn := range arns {
		list = append(list, snapshot.NameOf(arn))
	}
	return list
}

// profileBack associates the instance profile of its node role with an instance again.
func profileBack(v *view.View, d view.Displaced) []finding.Next {
	const note = "associates the instance profile that the instance was launched with; grant the other role no permissions"
	back := func(c command.Command) finding.Next {
		c = c.With("--iam-instance-profile")
		if profile := profileOf(v, d); profile != "" {
			return finding.Run(c.With("Name=" + snapshot.NameOf(profile))).With(note)
		}
		return finding.Run(c.WithPlaceholder("Name=INSTANCE_PROFILE")).With(note)
	}
	if d.Profile == "" {
		return []finding.Next{back(command.AWS("ec2", "associate-iam-instance-profile", "--instance-id", d.Instance))}
	}
	association := command.AWS(
		"ec2", "describe-iam-instance-profile-associations", "--filters", "Name=instance-id,Values="+d.Instance, "Name=state,Values=associated",
		"--query", "IamInstanceProfileAssociations[0].AssociationId", "--output", "text",
	)
	return []finding.Next{back(command.AWS("ec2", "replace-iam-instance-profile-association", "--association-id").WithOutput(association))}
}

// profileOf is the ARN of the instance profile that an instance was launched with: that of
// its node group's role or, where the group is not known, of the cluster's only node role;
// empty where there are several.
func profileOf(v *view.View, d view.Displaced) string {
	profiles := v.Snapshot.Roles[d.GroupRole].InstanceProfiles
	if roles := v.NodeRoles(); d.GroupRole == "" && len(roles) == 1 {
		profiles = roles[0].Facts.InstanceProfiles
	}
	if len(profiles) != 1 {
		return ""
	}
	return profiles[0]
}
