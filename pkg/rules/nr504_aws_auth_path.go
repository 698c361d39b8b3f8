package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsAuthPath = Rule{
	ID: "NR504", Name: "aws-auth-path", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  110,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.CorrectMapping,
	Title:    "aws-auth names the node role without its path",
	Why: `aws-auth compares with the ARN of the role's sessions, which has no path, so that an entry with one never matches and
the nodes do not join.`,
	Fix:   `Take the path out of rolearn in aws-auth, or let the role in by an access entry, which may have one.`,
	Refs:  []string{"https://github.com/kubernetes-sigs/aws-iam-authenticator/issues/268"},
	Needs: []snapshot.Fact{snapshot.FactAWSAuth},
	Bad: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/team/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Good: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			a := v.Access(r.ARN)
			unread := v.Unread(snapshot.FactAWSAuth)
			switch {
			case a.Entry != nil || !a.ByConfigMap:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth does not decide about " + r.Name})
			case len(unread) > 0:
				report(unknown(subject, "whether aws-auth names "+r.Name+" by a path was not checked", unread))
			case len(a.Mapped) > 0:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-auth names %s without a path", r.Name),
					Evidence: []string{"aws-auth: rolearn " + a.Mapped[0].RoleARN},
				})
			case len(a.NearMisses) > 0:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("aws-auth names %s with a path and never matches it", r.Name),
					Evidence: []string{"aws-auth: rolearn " + a.NearMisses[0].RoleARN, "the nodes' sessions come as " + snapshot.WithoutPath(r.ARN)},
					Next:     []finding.Next{editAWSAuth("write: rolearn: " + snapshot.WithoutPath(r.ARN))},
				})
			default:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth does not name " + r.Name})
			}
		}
	},
}
