package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var entryOlderThanRole = Rule{
	ID: "NR503", Name: "entry-older-than-role", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  130,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.ReplaceAccessEntry,
	Title:    "The node role's access entry was created for this role",
	Why: `An access entry contains the unique ID of the role that it was created for. A role that was deleted and recreated
with the same name has another ID, and the cluster refuses its nodes.`,
	Fix: `Delete and recreate the access entry; associate its access policies again.`,
	Refs: []string{
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3329",
		"https://github.com/aws/containers-roadmap/issues/2631",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries, snapshot.FactRoles},
	Bad:   `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {createdAt: "2025-06-01T00:00:00Z"}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range rolesOfEntries(v) {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			a := v.Access(r.ARN)
			unread := append(v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN), r.Unread...)
			switch {
			case !a.ByEntries, a.Entry == nil && len(unread) == 0:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " has no access entry"})
			case len(unread) > 0 || a.Entry.CreatedAt.IsZero() || r.Facts.CreatedAt.IsZero():
				report(undated(r, subject, unread))
			case a.Entry.CreatedAt.Before(r.Facts.CreatedAt.Truncate(time.Second)):
				const day = "2006-01-02 15:04"
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("the access entry of %s is older than the role", r.Name),
					Evidence: []string{fmt.Sprintf("entry created %s, role created %s", a.Entry.CreatedAt.Format(day), r.Facts.CreatedAt.Format(day))},
				})
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("the access entry of %s is newer than the role", r.Name),
					Evidence: []string{"eks:DescribeAccessEntry createdAt, iam:GetRole CreateDate"},
				})
			}
		}
	},
}

// rolesOfEntries are the roles of nodes of every kind, each once. The entries of hybrid and
// HyperPod nodes contain the unique ID of their role, too.
func rolesOfEntries(v *view.View) []*view.Role {
	var roles []*view.Role
	for _, r := range v.NodeRoles() {
		roles = append(roles, r.Role)
	}
	for _, r := range slices.Concat(v.HybridRoles(), v.HyperPodRoles()) {
		if !slices.ContainsFunc(roles, func(have *view.Role) bool { return have.ARN == r.ARN }) {
			roles = append(roles, r)
		}
	}
	return roles
}

// undated is the result where one of the two dates is not known.
func undated(r *view.Role, subject finding.Subject, unread []snapshot.Missing) finding.Result {
	if len(unread) == 0 || r.Facts.NotFound {
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "when " + r.Name + " or its access entry was created is unknown"}
	}
	return unknown(subject, "whether the access entry of "+r.Name+" is older than the role is unknown", unread)
}
