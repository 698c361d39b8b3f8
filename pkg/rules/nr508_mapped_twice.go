package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var mappedTwice = Rule{
	ID: "NR508", Name: "mapped-twice", Severity: finding.Info, Concern: finding.ConcernJoin,
	NoRepair: "both mappings work; which of them you keep is your decision",
	Title:    "The node role has an access entry or an aws-auth mapping, not both",
	Why: `Where a role has both, the access entry takes precedence and the aws-auth mapping has no effect. A change of
aws-auth then does nothing.`,
	Fix:   `Keep the access entry, and remove the role from aws-auth when every node works.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/migrating-access-entries.html"},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries, snapshot.FactAWSAuth},
	Bad:   `awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject, a := roleSubject(r), v.Access(r.ARN)
			switch {
			case !a.ByEntries || !a.ByConfigMap:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster uses only one of access entries and aws-auth"})
			case a.Entry != nil && len(a.Mapped) > 0:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s has an access entry and an aws-auth mapping: the access entry takes precedence", r.Name),
					Next:     []finding.Next{editAWSAuth("keep the access entry, and remove " + r.Name + " from mapRoles when every node works")},
					Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type, fmt.Sprintf("aws-auth: rolearn %s, groups %v", a.Mapped[0].RoleARN, a.Mapped[0].Groups)},
				})
			case len(a.Unread) > 0:
				report(unknown(subject, "whether "+r.Name+" is mapped twice is unknown", a.Unread))
			default:
				report(finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " is not mapped twice", Evidence: []string{"access entry and aws-auth were compared"}})
			}
		}
	},
}
