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
	Why: `The nodes authenticate as a user who may not register nodes, or aws-auth maps no role at all. The first
happens where a node role is mapped to a user name or groups that are wrong for its nodes. The second happens where mapRoles is
not a YAML list.`,
	Fix: `Correct mapRoles: the user name system:node:{{EC2PrivateDNSName}}, or system:node:{{SessionName}} for nodes that are
named after their instance ID; the groups system:nodes and, as AWS documents it, system:bootstrappers, and for Windows also
eks:kube-proxy-windows.
Of several entries with the same ARN only the last has an effect.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html",
		"https://github.com/awslabs/amazon-eks-ami/issues/1821",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/1456",
		"https://github.com/aws/karpenter-provider-aws/issues/5369",
	},
	Needs: []snapshot.Fact{snapshot.FactAWSAuth},
	Bad: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: nodes, groups: ['system:nodes']}"}`,
	Good: `
cluster: {authenticationMode: CONFIG_MAP}
awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{EC2PrivateDNSName}}', groups: ['system:nodes', 'system:bootstrappers']}"}`,
	Check: func(v *view.View, report Reporter) {
		auth, subject := v.AWSAuth(), clusterSubject(v)
		switch unread := v.Unread(snapshot.FactAWSAuth); {
		case v.Snapshot.Cluster.AuthenticationMode == "API":
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster does not use aws-auth"})
			return
		case len(unread) > 0:
			report(unknown(subject, "whether aws-auth is well formed is unknown", unread))
			return
		case v.Snapshot.AWSAuth == nil:
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster has no ConfigMap aws-auth"})
			return
		case auth.Problem != "":
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: "mapRoles of aws-auth cannot be parsed: it maps no role", Evidence: []string{auth.Problem},
				Next: []finding.Next{editAWSAuth("")},
			})
			return
		}
		for _, r := range v.NodeRoles() {
			a := v.Access(r.ARN)
			if a.Entry != nil || len(a.Mapped) == 0 {
				continue
			}
			m := a.Mapped[0]
			if lacks := v.LacksAsNode(r, m); lacks != "" {
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("aws-auth does not map %s to nodes: %s", r.Name, lacks),
					Evidence: append(append([]string{entryLine(m, a.MappedLine)}, overruled(a)...), whyMapping(v, r)...),
					Next:     []finding.Next{editAWSAuth("write: " + v.NodeMapping(r, r.ARN))},
				})
				continue
			}
			possible, unread := v.WithUnread(r)
			if v.LacksAsNode(possible, m) != "" {
				report(unknown(roleSubject(r), fmt.Sprintf("whether aws-auth maps all nodes of %s is unknown", r.Name), unread))
				continue
			}
			if m.Username != view.ByPrivateDNS && v.Naming(possible).Unseen() {
				report(unseenNaming(r, "username "+m.Username+" fits", entryLine(m, a.MappedLine), "username "+view.ByPrivateDNS))
				continue
			}
			report(finding.Result{
				Status: finding.Pass, Subject: roleSubject(r), Message: fmt.Sprintf("aws-auth maps %s to nodes", r.Name),
				Evidence: []string{fmt.Sprintf("username %s, groups %v", m.Username, m.Groups)},
			})
		}
	},
}

// entryLine quotes an entry of aws-auth, with its line in mapRoles where that is known.
func entryLine(m view.Mapping, line int) string {
	where := "aws-auth"
	if line > 0 {
		where = fmt.Sprintf("aws-auth, line %d of mapRoles", line)
	}
	return fmt.Sprintf("%s: rolearn %s, username %s, groups %v", where, m.RoleARN, m.Username, m.Groups)
}

// overruled names the entries that a later one with the same ARN overrules.
func overruled(a view.Access) []string {
	var lines []string
	for _, line := range a.Overruled {
		lines = append(lines, fmt.Sprintf("aws-auth, line %d of mapRoles: an entry with the same rolearn, which has no effect", line))
	}
	return lines
}

// whyMapping returns what shows that the nodes need a mapping.
func whyMapping(v *view.View, r *view.NodeRole) []string {
	var lines []string
	if windows, _ := v.Kinds(r); windows {
		lines = append(lines, "Windows nodes use the role: "+someOf(windowsNodes(v, r)))
	}
	switch naming := v.Naming(r); {
	case naming.ByInstanceID():
		lines = append(lines, "named by instance ID: "+someOf(naming.InstanceID))
	case len(naming.PrivateDNS) > 0:
		lines = append(lines, "named by private DNS name: "+someOf(naming.PrivateDNS))
	}
	return lines
}
