package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var pullThroughCache = Rule{
	ID: "NR210", Name: "pull-through-cache", Severity: finding.Info, Concern: finding.ConcernPull,
	Explains: []finding.SymptomKind{finding.DeniedCall},
	Repair:   finding.AttachPullPolicy,
	Title:    "The node role can import images through an ECR pull-through cache",
	Why: `The first pull of an image through a pull-through cache fails. It imports the image with the permissions of the node
role. Clusters without a pull-through cache are not affected.`,
	Fix:   `Where you use a pull-through cache, attach AmazonEC2ContainerRegistryPullOnly, or allow ecr:BatchImportUpstreamImage.`,
	Refs:  []string{"https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {no-cache: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:BatchImportUpstreamImage","Resource":"*"}}'}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			all := askAll(r.Role, need.PullThroughCache)
			report(all.unblock(all.result(roleSubject(r), r.Name, "can import images through a pull-through cache", "cannot import images through a pull-through cache")))
		}
	},
}
