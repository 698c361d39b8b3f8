package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var instanceProfile = Rule{
	ID: "NR106", Name: "instance-profile", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  20,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.FillInstanceProfile,
	Title:    "Every source of new nodes uses an instance profile that contains the node role",
	Why:      `New instances get no role or a wrong role, and do not join. They have no credentials for the cluster and for ECR.`,
	Fix: `Correct the role or instance profile in the node class or launch template; use names, not ARNs. If the instance
profile is empty, add the role to it.`,
	Refs: []string{
		"https://karpenter.sh/docs/concepts/nodeclasses/",
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstanceProfiles, snapshot.FactAutoScaling},
	Bad: `karpenterNodeClasses: {default: {instanceProfile: lost, profileArn: "arn:aws:iam::111122223333:instance-profile/lost"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/lost": {notFound: true}}`,
	Good: `
karpenterNodeClasses: {default: {instanceProfile: eksNodeRole, profileArn: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}
autoScalingGroups: {asg-1: {launchTemplate: "lt-1:3", instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}`,
	Check: func(v *view.View, report Reporter) {
		for _, l := range v.NodeSources() {
			subject := finding.Subject{Kind: finding.SubjectSource, Name: string(l.Kind) + " " + l.Name}
			switch {
			case len(l.Unread) > 0:
				report(unknown(subject, "the role of "+subject.Name+" is unknown", l.Unread))
			case l.Problem != "":
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: subject.Name + ": " + l.Problem, Evidence: l.Evidence, Next: repairNodeSource(l),
				})
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s uses role %s", subject.Name, snapshot.NameOf(l.RoleARN)), Evidence: l.Evidence,
				})
			}
		}
	},
}

// repairNodeSource is the command with which people give a source of nodes an instance profile.
func repairNodeSource(l view.NodeSource) []finding.Next {
	switch l.Kind {
	case view.KarpenterClass:
		return []finding.Next{finding.Run(command.Kubectl("edit", "ec2nodeclasses.karpenter.k8s.aws", l.Name))}
	case view.AutoModeClass:
		return []finding.Next{finding.Run(command.Kubectl("edit", "nodeclasses.eks.amazonaws.com", l.Name))}
	case view.Unjoined:
		return []finding.Next{associateProfile(l.Name)}
	default:
		return []finding.Next{finding.Advise("create a version of the launch template with an instance profile that contains the node role")}
	}
}
