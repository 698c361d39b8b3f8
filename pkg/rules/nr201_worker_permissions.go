package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var workerPermissions = Rule{
	ID: "NR201", Name: "worker-permissions", Severity: finding.Error, Concern: finding.ConcernNode,
	Joining:  70,
	Explains: []finding.SymptomKind{finding.NotJoined, finding.DeniedCall},
	Repair:   finding.AttachWorkerPolicy,
	Title:    "The node role has the permissions that a node needs to join",
	Why: `A node that cannot describe its own instance does not join. It does not learn its name. Running nodes keep working
until they are replaced. Nodes that are named after their instance ID do not make this call.`,
	Fix: `Attach AmazonEKSWorkerNodePolicy, or allow ec2:DescribeInstances on "*" in a policy of your own. Change an explicit
Deny or a permissions boundary where it is written: another policy does not override it.`,
	Refs: []string{
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSWorkerNodePolicy.html",
		"https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/api/status.go",
		"https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/doc/examples.md",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad:   `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]}}`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
    inlinePolicies:
      node: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:Describe*","eks:DescribeCluster"],"Resource":"*"}}'`,
	Check: func(v *view.View, report Reporter) {
		checkPermissions(v, notOnAutoMode(v, report), need.Node.Required, "has the permissions that a node needs to join", "is missing permissions that a node needs to join")
	},
}

// checkPermissions asks every node role for all of the actions that its nodes call.
func checkPermissions(v *view.View, report Reporter, calls func(need.Node) []need.Action, can, cannot string) {
	for _, r := range v.NodeRoles() {
		if r.Facts.NotFound {
			report(noSuchRole(r))
			continue
		}
		node := v.NeedsOf(r)
		actions := calls(node)
		if len(actions) == 0 && node.ByInstanceID {
			report(finding.Result{
				Status: finding.NotApplicable, Subject: roleSubject(r),
				Message: "the nodes of " + r.Name + " are named after their instance ID and do not read their name from EC2",
			})
			continue
		}
		all := askAll(r.Role, actions)
		result := all.result(roleSubject(r), r.Name, can, cannot)
		report(all.unblock(result))
	}
}

// notOnAutoMode turns results about roles that only EKS Auto Mode nodes use into not
// applicable: those nodes make none of the calls of kubelet on other nodes.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html
func notOnAutoMode(v *view.View, report Reporter) Reporter {
	auto := map[string]bool{}
	for _, r := range v.NodeRoles() {
		auto[r.ARN] = r.OnlyAutoMode()
	}
	return func(result finding.Result) {
		if auto[result.Subject.ARN] {
			result = finding.Result{
				Status: finding.NotApplicable, Subject: result.Subject, Message: "only EKS Auto Mode nodes use " + result.Subject.Name + ", and they do not make these calls",
			}
		}
		report(result)
	}
}

// noSuchRole is the result for a role that does not exist, of every rule but
// role-exists, which reports it.
func noSuchRole(r *view.NodeRole) finding.Result {
	return finding.Result{Status: finding.NotApplicable, Subject: roleSubject(r), Message: r.Name + " does not exist"}
}
