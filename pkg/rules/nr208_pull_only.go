package rules

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var pullOnly = Rule{
	ID: "NR208", Name: "pull-only", Severity: finding.Info, Concern: finding.ConcernPull, Security: true,
	NoRepair: "other workloads may use the permissions: give them roles of their own first",
	Title:    "The node role can pull images and has no other permissions for repositories",
	Why: `Every pod that reaches the instance metadata can read repositories. It can list repositories, images or repository
policies. AmazonEC2ContainerRegistryPullOnly grants only what a pull needs. AmazonEC2ContainerRegistryReadOnly grants
more, and yet does not allow the import of images through a pull-through cache.`,
	Fix:   `Attach AmazonEC2ContainerRegistryPullOnly, then detach AmazonEC2ContainerRegistryReadOnly.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {list: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:ListImages","ecr:DescribeRepositories"],"Resource":"*"}}'}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			subject, all := roleSubject(r), askAll(r.Role, need.ExcessivePull)
			switch {
			case len(all.allowed) > 0:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: r.Name + " has more permissions for repositories than a pull needs", Evidence: grantLines(all.allowed),
					Next: pullOnlyAdvice(v, r, all.allowed),
				})
			case len(all.unknown) > 0:
				report(unknown(subject, "whether "+r.Name+" has more permissions for repositories than a pull needs is unknown", unreadOf(all.unknown)))
			default:
				report(finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " has no more permissions for repositories than a pull needs", Evidence: deniedLines(all.denied)})
			}
		}
	},
}

// pullOnlyAdvice says how to reduce a role to the permissions of a pull, where no other
// workload needs more.
func pullOnlyAdvice(v *view.View, r *view.NodeRole, allowed []view.Answer) []finding.Next {
	const policy = "AmazonEC2ContainerRegistryPullOnly"
	remove := finding.Advise("remove the permissions that no other workload needs from the node role: " + grantedBy(allowed))
	if slices.Contains(r.Facts.AttachedPolicies, need.ManagedPolicy(v.Place.Partition, policy)) {
		return []finding.Next{remove}
	}
	return []finding.Next{attach(r.Role, v.Place.Partition, policy), remove}
}

// grantedBy names the policies that allow the actions.
func grantedBy(answers []view.Answer) string {
	var names []string
	for _, a := range answers {
		for _, s := range a.Result.Statements {
			names = appendNew(names, s.Policy)
		}
	}
	return strings.Join(names, ", ")
}
