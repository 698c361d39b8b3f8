package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var letIn = Rule{
	ID: "NR501", Name: "let-in", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  90,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.GrantAccess,
	Title:    "The node role has access to the cluster",
	Why: `The API server refuses the nodes as Unauthorized, so that they do not join. EKS creates the access entry for managed node
groups and Auto Mode's own node pools; for Karpenter and self-managed nodes you create it.`,
	Fix: `Create an access entry of type EC2_LINUX (EC2_WINDOWS for Windows, EC2 for Auto Mode and for nodes that are named by their
instance id) for the node role or, where the cluster uses aws-auth alone, map the role there.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries, snapshot.FactAWSAuth},
	Bad:   `accessEntries: null`,
	Good: `
accessEntries: null
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:bootstrappers', 'system:nodes']}"}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			report(judgeLetIn(v, r))
		}
	},
}

func judgeLetIn(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	a := v.Access(r.ARN)
	switch {
	case a.Entry != nil:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s has an access entry", r.Name),
			Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
		}
	case len(a.Unread) > 0:
		return unknown(subject, "whether "+r.Name+" has access to the cluster was not checked", a.Unread)
	case len(a.Mapped) > 0:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-auth maps %s", r.Name),
			Evidence: []string{fmt.Sprintf("aws-auth: rolearn %s, username %s", a.Mapped[0].RoleARN, a.Mapped[0].Username)},
		}
	case len(a.NearMisses) > 0 || a.ByConfigMap && v.AWSAuth().Problem != "":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth names " + r.Name + " in a way that never matches, or cannot be read: see there"}
	}
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: r.Name + " has no " + accessWords(a)}
	if a.ByEntries {
		result.Evidence = append(append(result.Evidence, "eks:DescribeAccessEntry: the role has none"), whyEntry(v, r, v.EntryType(r))...)
	} else {
		result.Evidence = append(result.Evidence, "the cluster's authentication mode is CONFIG_MAP: access entries do not count")
		result.Next = []finding.Next{editAWSAuth("add to mapRoles: " + v.NodeMapping(r, r.ARN))}
	}
	switch {
	case a.ByConfigMap && v.Snapshot.AWSAuth == nil:
		result.Evidence = append(result.Evidence, "the cluster has no ConfigMap kube-system/aws-auth")
	case a.ByConfigMap:
		result.Evidence = append(result.Evidence, fmt.Sprintf("aws-auth: none of its %d entries names the role", len(v.AWSAuth().Roles)))
	}
	return result
}

// accessWords says by what a role gets access to the cluster.
func accessWords(a view.Access) string {
	switch {
	case !a.ByEntries:
		return "aws-auth mapping"
	case a.ByConfigMap:
		return "access entry or aws-auth mapping"
	default:
		return "access entry"
	}
}
