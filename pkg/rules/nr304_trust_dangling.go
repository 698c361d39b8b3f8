package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var trustDangling = Rule{
	ID: "NR304", Name: "trust-dangling", Severity: finding.Info, Concern: finding.ConcernTrust,
	NoRepair: "a deleted principal does no harm; remove it when you next edit the trust policy",
	Title:    "The node role's trust policy names no deleted principal",
	Why: `IAM shows the unique ID of a principal that was deleted. It matches nobody, not even a new principal of the same
name; tools that write the same policy again fail.`,
	Fix:   `Remove the ID from the trust policy, or replace it with the principal that is meant.`,
	Refs:  []string{"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com","AWS":"AROAEXAMPLEEXAMPLE1"},"Action":"sts:AssumeRole"}}'`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject, doc := roleSubject(r), r.Trust()
			switch {
			case r.Facts.NotFound:
				report(noSuchRole(r))
				continue
			case doc == nil && len(r.Unread) > 0:
				report(unknown(subject, "whether "+r.Name+" trusts a deleted principal is unknown", r.Unread))
				continue
			case doc == nil:
				continue
			}
			result := finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " trusts no deleted principal", Evidence: []string{"the trust policy allows " + trusted(r.Role)}}
			for _, p := range iampolicy.Lint(iampolicy.Trust, doc) {
				if p.Check == iampolicy.CheckDangling {
					if result.Status == finding.Pass {
						result = finding.Result{Status: finding.Fail, Subject: subject, Message: r.Name + "'s trust policy names a principal that was deleted"}
					}
					result.Evidence = append(result.Evidence, "trust policy "+p.String())
				}
			}
			if result.Status == finding.Fail {
				result.Next = []finding.Next{finding.Advise("remove the unique ID, or name the principal that is meant, when you next edit the trust policy")}
			}
			report(result)
		}
	},
}
