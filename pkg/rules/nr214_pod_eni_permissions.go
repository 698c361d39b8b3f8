package rules

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var podENIPermissions = Rule{
	ID: "NR214", Name: "pod-eni-permissions", Severity: finding.Error, Concern: finding.ConcernCNI,
	NoRepair: "fix does not change the cluster role",
	Title:    "The cluster role has the permissions that security groups for pods and Windows pods need",
	Why: `Pods with security groups of their own, and pods on Windows nodes, stay in ContainerCreating. The VPC resource
controller of EKS gives the first their network interfaces, where aws-node is set to ENABLE_POD_ENI=true, and the others their
addresses. It calls EC2 with the cluster role, and AmazonEKSClusterPolicy does not allow that.`,
	Fix: `Attach AmazonEKSVPCResourceController to the cluster role, or add the actions to your own policy.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/security-groups-pods-deployment.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/windows-support.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSVPCResourceController.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactDaemonSet, snapshot.FactClusterRole,
	},
	Bad: podENI + clusterRolePatch(need.ClusterService, clusterDescribes),
	Good: podENI + clusterRolePatch(need.ClusterService, clusterDescribes+`,
      {"Effect":"Allow","Action":"ec2:CreateNetworkInterfacePermission","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"ec2:ResourceTag/eks:eni:owner":"eks-vpc-resource-controller"}}},
      {"Effect":"Allow","Action":["ec2:CreateNetworkInterface","ec2:DetachNetworkInterface","ec2:ModifyNetworkInterfaceAttribute","ec2:DeleteNetworkInterface","ec2:AttachNetworkInterface"],"Resource":"*"}`),
	Check: func(v *view.View, report Reporter) {
		subject := clusterRoleSubject(v)
		on, unread := v.PodENI()
		windows := v.WindowsUnderEKS()
		r := v.ClusterRole()
		switch {
		case len(windows) > 0: // judged whatever aws-node is set to
		case len(unread) > 0 && r != nil:
			report(unknown(subject, "whether pods have security groups of their own is unknown", unread))
			return
		case len(unread) > 0:
			return // without aws-node and the cluster role nothing says that the rule applies
		case !on && subject.ARN != "":
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-node is not set to " + need.PodENISetting + "=true, and no Windows nodes get addresses from EKS"})
			return
		}
		if subject.ARN == "" || v.Snapshot.Cluster.LocalControlPlane {
			return
		}
		if r == nil && !on {
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the facts do not have the cluster role " + subject.Name})
			return
		}
		if r == nil {
			r = v.Role(subject.ARN) // whose Unread says that the facts do not have it
		}
		report(judgeController(v, r, on, windows))
	},
}

// judgeController asks whether the VPC resource controller may do with the cluster role what
// pods with security groups of their own, and what Windows nodes need.
func judgeController(v *view.View, r *view.Role, podENI bool, windows []string) finding.Result {
	var calls []need.Action
	var users, why []string
	if podENI {
		calls, users, why = need.PodENI, []string{"security groups for pods"}, []string{"aws-node has " + need.PodENISetting + "=true"}
	}
	if len(windows) > 0 {
		calls, users, why = slices.Concat(calls, need.WindowsAddresses), append(users, "Windows pods"), append(why, "Windows nodes: "+someOf(windows))
	}
	what := "permissions that " + strings.Join(users, " and ") + " need"
	subject := clusterRoleSubject(v)
	all := askAs(v.ClusterSession(), r, calls)
	result := all.result(subject, r.Name, "has the "+what, "is missing "+what)
	if result.Status == finding.Unknown && optionalOnly(unreadOf(all.unknown)) {
		idle := finding.Result{Status: finding.NotApplicable, Subject: subject, Evidence: result.Evidence}
		switch {
		case v.Snapshot.Source.Code != "":
			idle.Message = "the policies of the cluster role " + r.Name + " are not all in the code"
			return idle
		case !podENI:
			idle.Message = "the cluster role " + r.Name + " was not read"
			return idle
		}
	}
	if r.Facts.NotFound {
		result.Evidence = []string{"iam:GetRole " + r.Name + ": NoSuchEntity"}
	}
	if result.Status == finding.Fail {
		result.Evidence = append(result.Evidence, why...)
		result.Next = []finding.Next{attachToCluster(v, r, need.PodENIPolicy)}
	}
	return all.unblock(result)
}

const podENI = `
awsNode: {daemonSet: {env: {ENABLE_POD_ENI: "true"}}}`
