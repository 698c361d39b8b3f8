package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsNodeIdentity = Rule{
	ID: "NR601", Name: "aws-node-identity", Severity: finding.Info, Concern: finding.ConcernCNI,
	Repair: finding.MoveCNI,
	Title:  "aws-node has a role of its own",
	Why: `Every pod that reaches the instance metadata has the CNI permissions. Where aws-node uses the node role, that role
must have them. AWS recommends a separate role for aws-node, with EKS Pod Identity or IRSA.`,
	Fix: `Create a role with the CNI policy for the service account kube-system/aws-node and configure it in the vpc-cni
add-on. Then restart aws-node, and only then detach the CNI policy from the node role.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://github.com/aws/amazon-eks-pod-identity-webhook",
	},
	Needs: []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity},
	Bad: `
addons: {vpc-cni: {serviceAccountRoleArn: null}}
awsNode: {serviceAccount: {roleArn: null}, pods: null}
roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: [
  "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}`,
	Good: podIdentityPatch("", `sts:AssumeRole","sts:TagSession`),
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		result := finding.Result{Subject: awsNodeSubject(), Evidence: identity.Evidence}
		switch {
		case identity.Kind == view.UnknownIdentity:
			result = unknown(awsNodeSubject(), "which identity aws-node is configured with is unknown", identity.Unread)
		case identity.Kind == view.NotInstalled:
			result.Status, result.Message = finding.NotApplicable, withoutAWSNode(v)
		case identity.Own():
			result.Status = finding.Pass
			result.Message = fmt.Sprintf("aws-node is configured with %s role %s", identity.Kind, snapshot.NameOf(identity.RoleARN))
		default:
			result.Status, result.Message = finding.Fail, fmt.Sprintf("aws-node has no role of its own and uses %s", identity.Kind)
			result.Next = []finding.Next{finding.Advise("give aws-node a role of its own").See("https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html")}
		}
		report(result)
	},
}
