package rules

import (
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var nodeGroupHealth = Rule{
	ID: "NR801", Name: "node-group-health", Severity: finding.Error, Concern: finding.ConcernJoin,
	Runtime:  true,
	Joining:  220,
	NoRepair: "it is a symptom: it ends when its causes are repaired",
	Title:    "EKS reports no health issue with an IAM cause on the cluster, a node group or an add-on",
	Why: `EKS reports a missing role, instance profile or permission. The report is about the cluster, a node group or an
add-on. The other findings say which role or policy is the cause.`,
	Fix: `Repair what the findings name. Where EKS reports AccessDenied for a node group and no finding names a cause, restore
the ClusterRole and ClusterRoleBinding eks:node-manager. IamLimitExceeded needs a higher IAM quota, IamThrottling fewer
requests.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html",
		"https://docs.aws.amazon.com/eks/latest/APIReference/API_ClusterIssue.html",
		"https://docs.aws.amazon.com/eks/latest/APIReference/API_AddonIssue.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html",
	},
	Needs: []snapshot.Fact{snapshot.FactNodeGroups, snapshot.FactAddons, snapshot.FactCluster},
	Bad:   `nodeGroups: {apps: {status: DEGRADED, health: [{code: IamInstanceProfileNotFound, message: "the profile is gone", resourceIds: [i-1]}]}}`,
	Good:  `nodeGroups: {apps: {health: [{code: InsufficientFreeAddresses, message: "the subnet is full"}]}}`,
	Check: func(v *view.View, report Reporter) {
		s := v.Snapshot
		if m := v.Unread(snapshot.FactCluster); len(m) > 0 {
			report(unknown(clusterSubject(v), "the health of the cluster is unknown", m))
		} else {
			report(judgeHealth(clusterSubject(v), "cluster "+v.Place.Cluster, s.Cluster.Status, "eks:DescribeCluster", s.Cluster.Health))
		}
		for _, name := range slices.Sorted(maps.Keys(s.NodeGroups)) {
			report(judgeNodeGroup(v, name))
		}
		for _, name := range slices.Sorted(maps.Keys(s.Addons)) {
			subject := finding.Subject{Kind: finding.SubjectSource, Name: "add-on " + name}
			if m := s.MissingOf(snapshot.FactAddons, name); len(m) > 0 {
				report(unknown(subject, "the health of "+subject.Name+" is unknown", m))
				continue
			}
			report(judgeHealth(subject, subject.Name, s.Addons[name].Status, "eks:DescribeAddon "+name, s.Addons[name].Health))
		}
	},
}

func judgeNodeGroup(v *view.View, name string) finding.Result {
	group := v.Snapshot.NodeGroups[name]
	subject := finding.Subject{Kind: finding.SubjectSource, Name: "node group " + name}
	if m := v.Snapshot.MissingOf(snapshot.FactNodeGroups, name); len(m) > 0 {
		return unknown(subject, "the health of "+subject.Name+" is unknown", m)
	}
	result := judgeHealth(subject, subject.Name, group.Status, "eks:DescribeNodegroup "+name, group.Health)
	if result.Status != finding.Fail {
		return result
	}
	result.Symptoms = notJoined(group.NodeRoleARN)
	for _, issue := range group.Health {
		switch issue.Code {
		case "NodeCreationFailure": // its nodes never became Ready
			result.Symptoms = append(result.Symptoms, finding.Symptom{Kind: finding.NotReady, RoleARN: group.NodeRoleARN})
		case "AccessDenied":
			result.Next = append(result.Next, finding.Run(command.Kubectl("get", "clusterrole,clusterrolebinding", "eks:node-manager")))
		}
	}
	result.Next = append(result.Next, finding.Run(command.AWS("eks", "describe-nodegroup", "--cluster-name", v.Place.Cluster, "--nodegroup-name", name, "--query", "nodegroup.health")))
	return result
}
