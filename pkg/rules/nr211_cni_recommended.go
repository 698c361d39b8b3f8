package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniRecommended = Rule{
	ID: "NR211", Name: "cni-recommended", Severity: finding.Info, Concern: finding.ConcernCNI,
	Explains: []finding.SymptomKind{finding.DeniedCall},
	NoRepair: "you decide which features you use: allow the actions that they need",
	Title:    "The role that aws-node uses has all permissions that the VPC CNI can use",
	Why: `aws-node starts and assigns addresses, but cannot do part of its work. An example is to update the security groups of
the node's network interfaces, or to release addresses. When a call is denied, it reports the event
MissingIAMPermissions.`,
	Fix: `Attach the current AmazonEKS_CNI_Policy (IPv4), or update your own policy to match it.`,
	Refs: []string{
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    inlinePolicies: {less: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:DescribeTags","Resource":"*"}}'}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		judge := func(r *view.Role, subject finding.Subject) {
			if !r.OfAccount() {
				report(inAnotherAccount(r, subject))
				return
			}
			if r.Facts.NotFound {
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "role " + r.Name + " does not exist"})
				return
			}
			all := askAll(r, v.CNI().Recommended())
			result := all.unblock(all.result(subject, r.Name, "has all permissions that aws-node can use", "is missing permissions that aws-node can use"))
			if result.Status == finding.Fail {
				result.Evidence = append(result.Evidence, append(forLines(all.denied), eventLines(v, all.denied)...)...)
			}
			report(result)
		}
		switch identity := v.ConfiguredIdentity(); {
		case len(identity.Unread) > 0:
			report(unknown(awsNodeSubject(), "whether aws-node has all permissions that it can use is unknown", identity.Unread))
		case identity.Kind == view.NotInstalled:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: withoutAWSNode(v)})
		case identity.Own():
			judge(v.Role(identity.RoleARN), awsNodeSubject())
		default:
			for _, r := range rolesUnderAWSNode(v, report) {
				judge(r.Role, roleSubject(r))
			}
		}
	},
}
