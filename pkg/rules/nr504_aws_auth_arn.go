package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsAuthARN = Rule{
	ID: "NR504", Name: "aws-auth-arn", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  110,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.CorrectMapping,
	Title:    "aws-auth maps the node role by an ARN that matches its nodes",
	Why: `Nodes of the role do not join: the entry of aws-auth never matches it. The whole rolearn has to equal the ARN of the
role, in its account and without its path: the ARN of an instance profile or of a session, another account, spaces or
quotes, and placeholders that were not filled in match no role.`,
	Fix: `Use the role's ARN without its path as rolearn, or create an access entry, where the ARN may have a path. Fill in
the placeholders of a template before it is applied.`,
	Refs: []string{
		"https://github.com/kubernetes-sigs/aws-iam-authenticator/issues/268",
		"https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html",
	},
	Needs: []snapshot.Fact{snapshot.FactAWSAuth},
	Bad: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:instance-profile/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Good: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			a := v.Access(r.ARN)
			unread := v.Snapshot.MissingOf(snapshot.FactAWSAuth, r.ARN)
			switch {
			case a.Entry != nil || !a.ByConfigMap:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth does not decide the access of " + r.Name})
			case len(unread) > 0:
				report(unknown(subject, "whether aws-auth names "+r.Name+" by its ARN is unknown", unread))
			case len(a.Mapped) > 0:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-auth names %s by its ARN", r.Name),
					Evidence: []string{entryLine(a.Mapped[0], a.MappedLine)},
				})
			case len(a.NearMisses) > 0:
				report(nearMissed(r, a.NearMisses))
			default:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth does not name " + r.Name})
			}
		}
	},
}

// nearMissed is the result for a role that entries of aws-auth are meant for and never match.
func nearMissed(r *view.NodeRole, misses []view.NearMiss) finding.Result {
	want := snapshot.WithoutPath(r.ARN)
	result := finding.Result{
		Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("aws-auth never matches %s: rolearn %s", r.Name, misses[0].Kind.Reason()),
		Next: []finding.Next{editAWSAuth("write: rolearn: " + want)},
	}
	for _, m := range misses {
		result.Evidence = append(result.Evidence, entryLine(m.Mapping, m.Line), "  rolearn "+m.Kind.Reason())
	}
	result.Evidence = append(result.Evidence, "the sessions of the nodes match "+want)
	return result
}
