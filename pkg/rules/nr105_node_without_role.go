package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var nodeWithoutRole = Rule{
	ID: "NR105", Name: "node-without-role", Severity: finding.Error, Concern: finding.ConcernJoin,
	Runtime: true,
	Joining: 30,
	Repair:  finding.FillInstanceProfile,
	Title:   "Every self-managed node has a role in its instance profile, and every node reaches its credentials",
	Why: `The node has no AWS credentials: it cannot authenticate or pull images. The node becomes NotReady when its last
credentials expire.`,
	Fix: `Add the node role to an instance profile and associate the profile with the instance, or replace the instance. Where the
endpoint of the instance metadata is disabled, enable it: nodes get their credentials from it. A hop limit of 1 keeps it
from pods.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html",
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstances, snapshot.FactInstanceProfiles},
	Bad: `
nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: selfManaged, ready: true}}
instances: {i-0aaaaaaaaaaaaaaaa: {state: running}}`,
	Good: `
nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: selfManaged, ready: true}}
instances: {i-0aaaaaaaaaaaaaaaa: {state: running, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}`,
	Check: func(v *view.View, report Reporter) {
		for _, n := range v.RolelessNodes() {
			subject := finding.Subject{Kind: finding.SubjectNode, Name: n.Node}
			switch {
			case len(n.Unread) > 0:
				report(unknown(subject, "the role of "+n.Node+" is unknown: "+n.Reason, n.Unread))
			case n.Gone:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: n.Node + " has no role: " + n.Reason})
			default:
				message := n.Node + " has no role: " + n.Reason
				if v.Snapshot.Instances[n.Instance].InstanceProfile == "" {
					message = n.Node + " has no instance profile"
				}
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: message,
					Evidence: []string{"ec2:DescribeInstances " + n.Instance},
					Next:     []finding.Next{associateProfile(n.Instance)},
				})
			}
		}
		cut := v.NodesWithoutMetadata()
		for _, name := range text.SortedKeys(cut) {
			report(finding.Result{
				Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectNode, Name: name}, Message: name + " cannot get its credentials: " + view.NoMetadata,
				Evidence: []string{"ec2:DescribeInstances " + cut[name] + ": HttpEndpoint disabled"},
				Next:     []finding.Next{finding.Run(command.AWS("ec2", "modify-instance-metadata-options", "--instance-id", cut[name], "--http-endpoint", "enabled"))},
			})
		}
		for _, r := range v.NodeRoles() {
			for _, s := range r.Sources {
				if s.Kind == view.SelfManaged && cut[s.Name] == "" {
					report(finding.Result{
						Status: finding.Pass, Subject: finding.Subject{Kind: finding.SubjectNode, Name: s.Name},
						Message: s.Name + " has role " + r.Name, Evidence: []string{s.Via},
					})
				}
			}
		}
	},
}

// associateProfile gives an instance an instance profile.
func associateProfile(instance string) finding.Next {
	return finding.Run(command.AWS("ec2", "associate-iam-instance-profile", "--instance-id", instance, "--iam-instance-profile").
		WithPlaceholder("Name=INSTANCE_PROFILE"))
}
