package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterAccess = Rule{
	ID: "NR501", Name: "cluster-access", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  90,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.GrantAccess,
	Title:    "The node role has access to the cluster",
	Why: `The API server refuses the nodes as Unauthorized: they do not join. EKS creates the access entry for managed node
groups and for the built-in node pools of EKS Auto Mode; for Karpenter and self-managed nodes you create it.`,
	Fix: `Create an access entry for the node role: of type EC2_LINUX, of type EC2_WINDOWS for Windows, of type EC2 for EKS
Auto Mode and for nodes that are named after their instance ID. Where the cluster uses only aws-auth, map the role there.`,
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
			report(judgeClusterAccess(v, r))
		}
		if nodes := v.HyperPodNodes(); len(nodes) > 0 && len(v.HyperPodRoles()) == 0 && len(v.Unread(snapshot.FactHybridEntries)) == 0 {
			report(finding.Result{
				Status: finding.Depends, Subject: clusterSubject(v), Message: "whether HyperPod nodes have access to " + v.Place.Cluster + " depends on how their role is mapped: no access entry is for such nodes",
				Evidence: []string{"no access entry is of type " + view.HyperPodEntry, "HyperPod nodes have joined: " + someOf(nodes)},
				Next: []finding.Next{finding.Run(command.AWS(
					"eks", "create-access-entry", "--cluster-name", v.Place.Cluster, "--type", view.HyperPodEntry, "--principal-arn",
				).WithPlaceholder("ROLE_ARN")).With("for the execution role of the HyperPod instance group")},
			})
		}
	},
}

func judgeClusterAccess(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	a := v.Access(r.ARN)
	switch {
	case a.Entry != nil:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s has an access entry", r.Name),
			Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
		}
	case len(a.Unread) > 0:
		return unknown(subject, "whether "+r.Name+" has access to the cluster is unknown", a.Unread)
	case len(a.Mapped) > 0:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-auth maps %s", r.Name),
			Evidence: []string{fmt.Sprintf("aws-auth: rolearn %s, username %s", a.Mapped[0].RoleARN, a.Mapped[0].Username)},
		}
	case len(a.NearMisses) > 0 || a.ByConfigMap && v.AWSAuth().Problem != "":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-auth names " + r.Name + " in a way that never matches, or cannot be parsed: see NR504 and NR505"}
	}
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: r.Name + " has no " + accessWords(a)}
	if a.ByEntries {
		result.Evidence = append(result.Evidence, "eks:ListAccessEntries: no entry for it")
	} else {
		result.Evidence = append(result.Evidence, "the cluster's authentication mode is CONFIG_MAP: access entries have no effect")
		result.Next = []finding.Next{editAWSAuth("add to mapRoles: " + v.NodeMapping(r, r.ARN))}
	}
	switch {
	case !a.ByConfigMap:
		if m, line := v.MappingOf(r.ARN); line > 0 {
			result.Evidence = append(result.Evidence, "the cluster's authentication mode is API: aws-auth has no effect", entryLine(m, line))
		}
	case v.Snapshot.AWSAuth == nil:
		result.Evidence = append(result.Evidence, "no ConfigMap kube-system/aws-auth")
	default:
		result.Evidence = append(result.Evidence, fmt.Sprintf("aws-auth: none of its %d entries names the role", len(v.AWSAuth().Roles)))
	}
	if a.ByEntries {
		result.Evidence = append(result.Evidence, whyEntry(v, r, v.EntryType(r))...)
	}
	return result
}

// accessWords names what can give a role access to the cluster.
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
