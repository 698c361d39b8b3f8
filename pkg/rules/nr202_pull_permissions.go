package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var pullPermissions = Rule{
	ID: "NR202", Name: "pull-permissions", Severity: finding.Error, Concern: finding.ConcernPull,
	Joining:  170,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoImage, finding.DeniedCall},
	Repair:   finding.AttachPullPolicy,
	Title:    "The node role can pull images from ECR",
	Why: `New nodes cannot pull aws-node and kube-proxy, which come from ECR, and stay NotReady. Pods with images in private
repositories end in ImagePullBackOff.`,
	Fix: `Attach AmazonEC2ContainerRegistryPullOnly (or ReadOnly), or allow ecr:GetAuthorizationToken, ecr:BatchGetImage and
ecr:GetDownloadUrlForLayer in a policy of your own.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad:   `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]}}`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
    inlinePolicies:
      pull: |
        {
          "Version": "2012-10-17",
          "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchImportUpstreamImage"], "Resource": "arn:aws:ecr:*:*:repository/*"}
          ]
        }`,
	Check: func(v *view.View, report Reporter) {
		checkPermissions(v, report, func(need.Node) []need.Action { return need.Pull }, "can pull images from ECR", "cannot pull images from ECR")
	},
}
