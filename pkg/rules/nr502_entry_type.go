package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var wrongEntryType = Rule{
	ID: "NR502", Name: "entry-type", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  120,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.ReplaceAccessEntry,
	Title:    "The node role's access entry is of a type for its nodes",
	Why: `The entry maps nodes to the wrong user name and groups, so that the API server does not take them for nodes and they
do not join or turn NotReady. A type cannot be changed.`,
	Fix: `Delete the access entry and create it again with the type that the report names; associate its access policies again.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html",
		"https://github.com/eksctl-io/eksctl/issues/2290",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries},
	Bad:   `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: STANDARD}}`,
	Good:  `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2, policies: {"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy": []}}}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			a := v.Access(r.ARN)
			want := v.EntryType(r)
			switch {
			case a.ByEntries && v.Snapshot.IsMissing(snapshot.FactAccessEntries, r.ARN):
				report(unknown(subject, "the type of "+r.Name+"'s access entry was not checked", v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN)))
			case a.Entry == nil:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " has no access entry"})
			case v.EntryFits(a.Entry.Type, r):
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s's access entry is of type %s", r.Name, a.Entry.Type),
					Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
				})
			default:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s's access entry is of type %s; its nodes need %s", r.Name, a.Entry.Type, want),
					Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
				})
			}
		}
	},
}
