package rules

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var pullOnly = Rule{
	ID: "NR208", Name: "pull-only", Severity: finding.Info, Concern: finding.ConcernPull, Security: true,
	NoRepair: "other workloads may use the permissions: give them roles of their own first",
	Title:    "The node role may pull images and do no more with repositories",
	Why: `AmazonEC2ContainerRegistryPullOnly grants what a pull calls. ReadOnly lets every pod that reaches the instance
metadata list repositories, images and policies too, and cannot fill a pull-through cache.`,
	Fix:   `Attach AmazonEC2ContainerRegistryPullOnly and then detach AmazonEC2ContainerRegistryReadOnly.`,
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
					Status: finding.Fail, Subject: subject, Message: r.Name + " may do more with repositories than pull", Evidence: grantLines(all.allowed),
					Next: pullOnlyAdvice(v, r, all.allowed),
				})
			case len(all.unknown) > 0:
				report(unknown(subject, "whether "+r.Name+" may do more than pull was not checked", unreadOf(all.unknown)))
			default:
				report(finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " may do no more with repositories than pull", Evidence: deniedLines(all.denied)})
			}
		}
	},
}

// pullOnlyAdvice is how a role comes to allow pulls and no more, where no other workload
// needs more.
func pullOnlyAdvice(v *view.View, r *view.NodeRole, allowed []view.Answer) []finding.Next {
	const policy = "AmazonEC2ContainerRegistryPullOnly"
	remove := finding.Advise("remove what no other workload needs from the node role: " + grantedBy(allowed))
	if slices.Contains(r.Facts.AttachedPolicies, need.ManagedPolicy(v.Place.Partition, policy)) {
		return []finding.Next{remove}
	}
	return []finding.Next{attach(r.Role, v.Place.Partition, policy), remove}
}
