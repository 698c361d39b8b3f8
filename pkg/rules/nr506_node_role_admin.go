package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var nodeRoleAdmin = Rule{
	ID: "NR506", Name: "node-role-admin", Severity: finding.Warning, Concern: finding.ConcernJoin, Security: true,
	NoRepair: "who is an administrator of the cluster is your decision",
	Title:    "The node role is not an administrator of the cluster",
	Why:      `Every pod that reaches the instance metadata is a cluster administrator. It can act as the node role.`,
	Fix: `Disassociate the access policy from the node role's access entry, or remove system:masters from its mapping in
aws-auth. Give people and pipelines roles of their own.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html",
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries, snapshot.FactAccessPolicies, snapshot.FactAWSAuth},
	Bad:   `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {policies: {"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy": []}}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			report(judgeAdmin(v, r))
		}
	},
}

// adminPolicies are the access policies that give control over a cluster or namespace.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
var adminPolicies = []string{"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSSecretReaderPolicy", "AmazonEKSAdminViewPolicy"}

func judgeAdmin(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	a := v.Access(r.ARN)
	var evidence []string
	var next []finding.Next
	if a.Entry != nil {
		for arn := range a.Entry.Policies {
			for _, name := range adminPolicies {
				if snapshot.NameOf(arn) == name {
					evidence = append(evidence, "eks:ListAssociatedAccessPolicies: "+name)
					next = append(next, finding.Run(command.AWS("eks", "disassociate-access-policy", "--cluster-name", v.Place.Cluster, "--principal-arn", r.ARN, "--policy-arn", arn)))
				}
			}
		}
	}
	for _, m := range a.Mapped {
		for _, g := range m.Groups {
			if g == view.MastersGroup {
				evidence = append(evidence, fmt.Sprintf("aws-auth: rolearn %s, groups %v", m.RoleARN, m.Groups))
				next = append(next, editAWSAuth("remove "+view.MastersGroup+" from its groups"))
			}
		}
	}
	if len(evidence) > 0 {
		return finding.Result{Status: finding.Fail, Subject: subject, Message: r.Name + " is an administrator of the cluster", Evidence: evidence, Next: next}
	}
	unread := append(a.Unread, v.Snapshot.MissingOf(snapshot.FactAccessPolicies, r.ARN)...)
	if len(unread) > 0 {
		return unknown(subject, "whether "+r.Name+" is an administrator of the cluster is unknown", unread)
	}
	return finding.Result{
		Status: finding.Pass, Subject: subject, Message: r.Name + " is not an administrator of the cluster",
		Evidence: []string{"no access policy and no group of administrators"},
	}
}
