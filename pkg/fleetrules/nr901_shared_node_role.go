package fleetrules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

var sharedNodeRole = Rule{
	ID: "NR901", Name: "shared-node-role", Severity: finding.Warning, Concern: finding.ConcernUnique, Security: true,
	Title: "No node role serves clusters of several regions, accounts or groups",
	Why: `A change of the role changes all of these clusters at once. A node of one cluster has the permissions of the nodes of the
others. A permission that one cluster needs is granted to all, such as to production because of a test.`,
	Fix: `Create a node role for each cluster, or at least for each group and region, and move the node groups to it. The role of a
node group cannot be changed: create a new node group.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactInstanceProfiles, snapshot.FactNodeClasses, snapshot.FactAutoScaling, snapshot.FactNodes, snapshot.FactInstances,
	},
	Bad: `
- {name: shop, group: prod, nodeRole: eksNodeRole}
- {name: lab, group: test, nodeRole: eksNodeRole}`,
	Good: `
- {name: shop, group: prod, nodeRole: eksNodeRole}
- {name: bank, group: prod, nodeRole: eksNodeRole}`,
	check: func(f *fleet, report func(finding.Result)) {
		users := map[string][]Facts{} // by role ARN
		unread := &reasons{}
		for _, c := range f.clusters {
			unread.add(f.name(c), c.sources)
			for _, r := range c.nodeRoles {
				users[r.arn] = append(users[r.arn], c)
			}
		}
		shared := 0
		for _, arn := range keys(users) {
			if r, is := f.judgeShared(arn, users[arn]); is {
				shared++
				report(r)
			}
		}
		unread.addUnread(f.unread)
		switch {
		case shared == 0 && len(f.clusters) < 2 && !unread.any():
			report(finding.Result{Status: finding.NotApplicable, Subject: ofFleet(), Message: "the fleet has no two clusters"})
		case shared == 0 || unread.any():
			rest(report, unread, "whether clusters of other regions, accounts or groups use the node roles too is unknown",
				"no node role serves clusters of several regions, accounts or groups",
				fmt.Sprintf("%s of %s were compared", text.Count(len(users), "node role"), text.Count(len(f.clusters), "cluster")))
		}
	},
}

// judgeShared returns the result about a node role and its clusters; false where nothing is
// wrong with that.
func (f *fleet) judgeShared(arn string, users []Facts) (finding.Result, bool) {
	var regions, accounts, groups []string
	for _, c := range users {
		regions, accounts = appendNew(regions, c.id.Region), appendNew(accounts, c.id.Account)
		if c.group != "" {
			groups = appendNew(groups, c.group)
		}
	}
	r := finding.Result{
		Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: snapshot.NameOf(arn), ARN: arn}, Clusters: refs(users),
		Next: []finding.Next{finding.Advise("create a node role for each of them, and move their node groups to it")},
	}
	var several string
	slices.Sort(groups)
	slices.Sort(regions)
	slices.Sort(accounts)
	switch {
	case len(groups) > 1:
		several = "the groups " + listed(groups)
	case len(accounts) > 1:
		several = "the accounts " + listed(accounts)
	case len(regions) > 1:
		r.Severity, several = finding.Info, "the regions "+listed(regions)
	default:
		return finding.Result{}, false
	}
	r.Message = fmt.Sprintf("%s is the node role of clusters of %s", r.Subject.Name, several)
	for _, c := range users {
		i := slices.IndexFunc(c.nodeRoles, func(n nodeRole) bool { return n.arn == arn })
		line := fmt.Sprintf("%s in account %s, region %s", f.name(c), c.id.Account, c.id.Region)
		if c.group != "" {
			line += ", group " + c.group
		}
		r.Evidence = append(r.Evidence, line+": "+c.nodeRoles[i].sources)
	}
	return r, true
}
