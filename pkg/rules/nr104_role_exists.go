package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var roleExists = Rule{
	ID: "NR104", Name: "role-exists", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  10,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.RecreateRole,
	Title:    "The node role exists",
	Why: `New nodes do not join, and running nodes lose access within hours. Without the role, nodes get no credentials. A role
that was deleted and recreated with the same name is a new role.`,
	Fix: `Recreate the role with the same name and path, then recreate its access entry: the old entry does not match the new
role.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad:   `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {notFound: true}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			switch {
			case len(r.Unread) > 0:
				report(unknown(roleSubject(r), "whether "+r.Name+" exists is unknown", r.Unread))
			case r.Facts.NotFound:
				result := finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Message: r.Name + " does not exist",
					Evidence: []string{"iam:GetRole " + r.Name + ": NoSuchEntity"},
				}
				for _, s := range r.Sources {
					result.Evidence = append(result.Evidence, fmt.Sprintf("%s %s uses it", s.Kind, s.Name))
				}
				if a, ok := snapshot.ParseARN(r.ARN); ok && a.Account != v.Place.Account {
					result.Next = []finding.Next{finding.Advise("recreate the role in account " + a.Account)}
				}
				report(result)
			default:
				report(finding.Result{Status: finding.Pass, Subject: roleSubject(r), Message: r.Name + " exists", Evidence: []string{"iam:GetRole " + r.Name}})
			}
		}
	},
}
