package rules

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var clusterRoleTrust = Rule{
	ID: "NR306", Name: "cluster-role-trust", Severity: finding.Error, Concern: finding.ConcernTrust,
	NoRepair: "fix does not change the cluster role",
	Title:    "The cluster role's trust policy allows EKS to assume it",
	Why: `The control plane cannot use its role. It then finds no instances for new nodes and gives pods no network interfaces of
their own. In Auto Mode, EKS also tags its session, and needs sts:TagSession.`,
	Fix: `In the trust policy of the cluster role, allow sts:AssumeRole for the service eks.amazonaws.com, and in Auto Mode
sts:TagSession too.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad:   clusterRolePatch("ec2.amazonaws.com", clusterDescribes),
	Good:  clusterRolePatch(need.ClusterService, clusterDescribes),
	Check: func(v *view.View, report Reporter) {
		r := judgedClusterRole(v, report)
		if r == nil {
			return
		}
		subject := clusterRoleSubject(v)
		if len(r.Unread) > 0 {
			report(unknown(subject, "whether EKS may assume "+r.Name+" is unknown", r.Unread))
			return
		}
		session := v.ClusterSession()
		var all allowedAll
		for _, action := range session.TrustActions {
			all.add(r.TrustAllows(session, action))
		}
		result := all.result(subject, r.Name, "allows EKS to assume it", "does not allow EKS to assume it")
		if result.Status == finding.Fail {
			result.Evidence = append(result.Evidence, "the trust policy allows "+text.OrNone(trusted(r)))
			if i := slices.IndexFunc(all.denied, view.Answer.ByOrganization); i >= 0 {
				result.Message = "the organization does not allow EKS to assume " + r.Name
				result.Next = []finding.Next{askOrganization(all.denied[i])}
			} else if slices.ContainsFunc(all.denied, func(a view.Answer) bool { return a.Result.Explicit }) {
				result.Next = []finding.Next{finding.Advise("change the Deny statement of the trust policy: an Allow statement does not override it")}
			} else {
				result.Next = []finding.Next{finding.Advise("allow " + strings.Join(session.TrustActions, " and ") + " for " + need.ClusterService + " in the trust policy of " + r.Name)}
			}
			result.Evidence = append(result.Evidence, session.Asks())
		}
		if result.Status == finding.Depends {
			result.Next = []finding.Next{explainTrust(session.Principal, "sts:AssumeRole").With("shows what it depends on")}
		}
		report(result)
	},
}
