package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsAuthForm = Rule{
	ID: "NR505", Name: "aws-auth-form", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  100,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.CorrectMapping,
	Title:    "aws-auth can be parsed and maps node roles to nodes",
	Why: `Where mapRoles is no YAML list, aws-auth lets nobody in. Where a node role is mapped to other names or groups than nodes
have, its nodes are let in as somebody who may not register.`,
	Fix: `Correct mapRoles: the user name system:node:{{EC2PrivateDNSName}}, the groups system:bootstrappers and system:nodes, and
for Windows also eks:kube-proxy-windows.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html"},
	Needs: []snapshot.Fact{snapshot.FactAWSAuth},
	Bad: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: nodes, groups: ['system:nodes']}"}`,
	Good: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{SessionName}}', groups: ['system:nodes', 'system:bootstrappers']}"}`,
	Check: func(v *view.View, report Reporter) {
		auth, subject := v.AWSAuth(), clusterSubject(v)
		switch unread := v.Unread(snapshot.FactAWSAuth); {
		case v.Snapshot.Cluster.AuthenticationMode == "API":
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster does not look at aws-auth"})
			return
		case len(unread) > 0:
			report(unknown(subject, "whether aws-auth is well formed was not checked", unread))
			return
		case v.Snapshot.AWSAuth == nil:
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster has no ConfigMap aws-auth"})
			return
		case auth.Problem != "":
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: "aws-auth's mapRoles cannot be parsed: it lets nobody in", Evidence: []string{auth.Problem},
				Next: []finding.Next{editAWSAuth("")},
			})
			return
		}
		for _, r := range v.NodeRoles() {
			a := v.Access(r.ARN)
			if a.Entry != nil || len(a.Mapped) == 0 {
				continue
			}
			windows, _ := v.Kinds(r)
			m := a.Mapped[0]
			if lacks := view.LacksAsNode(m, windows); lacks != "" {
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("aws-auth does not map %s to nodes: %s", r.Name, lacks),
					Evidence: []string{fmt.Sprintf("aws-auth: rolearn %s, username %s, groups %v", m.RoleARN, m.Username, m.Groups)},
					Next:     []finding.Next{editAWSAuth("write: " + view.NodeMapping(r.ARN))},
				})
				continue
			}
			report(finding.Result{
				Status: finding.Pass, Subject: roleSubject(r), Message: fmt.Sprintf("aws-auth maps %s to nodes", r.Name),
				Evidence: []string{fmt.Sprintf("username %s, groups %v", m.Username, m.Groups)},
			})
		}
	},
}
