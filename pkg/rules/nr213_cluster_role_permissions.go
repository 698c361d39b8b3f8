package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterRolePermissions = Rule{
	ID: "NR213", Name: "cluster-role-permissions", Severity: finding.Warning, Concern: finding.ConcernNode,
	NoRepair: "fix does not change the cluster role",
	Title:    "The cluster role has the permissions that the control plane needs to manage nodes",
	Why: `The control plane cannot find the instances and addresses of nodes. New nodes may then stay uninitialized, and load
balancers of the legacy cloud provider are not created.`,
	Fix: `Attach AmazonEKSClusterPolicy to the cluster role, or add the actions to your own policy.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSClusterPolicy.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad:   clusterRolePatch(need.ClusterService, `{"Effect":"Allow","Action":"elasticloadbalancing:*","Resource":"*"}`),
	Good:  clusterRolePatch(need.ClusterService, clusterDescribes),
	Check: func(v *view.View, report Reporter) {
		r := judgedClusterRole(v, report)
		if r == nil {
			return
		}
		subject := clusterRoleSubject(v)
		all := askAs(v.ClusterSession(), r, need.ClusterRole)
		result := all.result(subject, r.Name, "allows what the control plane needs to manage nodes", "is missing permissions that the control plane needs to manage nodes")
		if optionalOnly(unreadOf(all.unknown)) && result.Status == finding.Unknown {
			result = finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the policies of the cluster role " + r.Name + " were not all read", Evidence: result.Evidence}
		}
		if result.Status == finding.Fail {
			result.Next = []finding.Next{attachToCluster(v, r, need.ClusterRolePolicy)}
		}
		report(all.unblock(result))
	},
}
