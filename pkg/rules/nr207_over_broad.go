package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var overBroad = Rule{
	ID: "NR207", Name: "over-broad", Severity: finding.Warning, Concern: finding.ConcernNode, Security: true,
	NoRepair: "give workloads their own roles, then remove these permissions",
	Title:    "The node role has no dangerous permissions that nodes do not need",
	Why: `Every pod that reaches the instance metadata has these permissions. They are enough to take over the account, the
cluster or its data. No node needs these permissions.`,
	Fix: `Detach the policies that the report names. Give workloads roles of their own with EKS Pod Identity or IRSA.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {deploy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}}'}`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {deploy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/one"}}'}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			subject, all := roleSubject(r), askAll(r.Role, need.Excessive)
			switch {
			case len(all.allowed) > 0:
				report(finding.Result{Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s has dangerous permissions: %s", r.Name, reasons(all.allowed)), Evidence: grantLines(all.allowed)})
			case len(all.unknown) > 0:
				report(unknown(subject, "whether "+r.Name+" has dangerous permissions is unknown", unreadOf(all.unknown)))
			default:
				report(finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " has no dangerous permissions", Evidence: []string{fmt.Sprintf("%d actions that no node calls were evaluated", len(need.Excessive))}})
			}
		}
	},
}

// reasons are the purposes of the actions, a few of many.
func reasons(answers []view.Answer) string {
	text := ""
	for i, a := range answers {
		switch {
		case i == 3:
			return fmt.Sprintf("%s and %d more", text, len(answers)-3)
		case i > 0:
			text += ", "
		}
		text += a.Action.For
	}
	return text
}
