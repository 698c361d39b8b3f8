package rules

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var letIn = Rule{
	ID: "NR501", Name: "let-in", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  90,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.GrantAccess,
	Title:    "The cluster lets the node role in",
	Why: `The API server refuses the nodes as Unauthorized, so that they do not join. EKS makes the mapping for managed node
groups and Auto Mode's own node pools; for Karpenter and self-managed nodes it is yours to make.`,
	Fix: `Create an access entry of type EC2_LINUX (EC2_WINDOWS for Windows, EC2 for Auto Mode and for nodes that are named by their
instance id) for the node role or, where the
cluster looks at aws-auth alone, map the role there.`,
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
		return unknown(subject, "whether the cluster lets "+r.Name+" in was not checked", a.Unread)
	case len(a.Mapped) > 0:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-auth maps %s", r.Name),
			Evidence: []string{fmt.Sprintf("aws-auth: rolearn %s, username %s", a.Mapped[0].RoleARN, a.Mapped[0].Username)},
		}
	case len(a.NearMisses) > 0 || a.ByConfigMap && v.AWSAuth().Problem != "":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth names " + r.Name + " in a way that never matches, or cannot be read: see there"}
	}
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("nothing lets %s into the cluster", r.Name)}
	if a.ByEntries {
		result.Evidence = append(append(result.Evidence, "eks:DescribeAccessEntry: the role has none"), whyEntry(v, r, v.EntryType(r))...)
		result.Next = []finding.Next{finding.Run(command.AWS("eks", "create-access-entry", "--cluster-name", v.Place.Cluster, "--principal-arn", r.ARN, "--type", v.EntryType(r)))}
	} else {
		result.Evidence = append(result.Evidence, "the cluster's authentication mode is CONFIG_MAP: access entries do not count")
		result.Next = []finding.Next{editAWSAuth("add to mapRoles: " + mapping(v, r))}
	}
	switch {
	case a.ByConfigMap && v.Snapshot.AWSAuth == nil:
		result.Evidence = append(result.Evidence, "the cluster has no ConfigMap kube-system/aws-auth")
	case a.ByConfigMap:
		result.Evidence = append(result.Evidence, fmt.Sprintf("aws-auth: none of its %d entries names the role", len(v.AWSAuth().Roles)))
	}
	return result
}

// mapping is the entry of aws-auth that lets a node role in.
func mapping(v *view.View, r *view.NodeRole) string {
	windows, _ := v.Kinds(r)
	return fmt.Sprintf("{rolearn: %s, username: '%s', groups: [%s]}", snapshot.WithoutPath(r.ARN), v.UserName(r), strings.Join(view.NodeGroups(windows), ", "))
}
