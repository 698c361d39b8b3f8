package fleetrules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

var controlPlaneRole = Rule{
	ID: "NR902", Name: "role-of-other-cluster", Severity: finding.Error, Concern: finding.ConcernUnique,
	Title: "No node role is the cluster role or the pod execution role of another cluster of the fleet",
	Why: `AWS does not support a node role that a cluster was created with. A Fargate profile must have a role that no node
group has. A repair of the one breaks the other.`,
	Fix: `Create a role for the nodes only and move the node groups to it. The role of a node group cannot be changed: create a
new node group. NR102 has the cluster roles that the cluster's own facts show, and NR103 the cluster's own Fargate profiles.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-execution-role.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactFargateProfiles, snapshot.FactInstanceProfiles, snapshot.FactNodeClasses, snapshot.FactAutoScaling,
		snapshot.FactNodes, snapshot.FactInstances,
	},
	Bad: `
- {name: shop}
- {name: bank, region: us-east-1, patch: {cluster: {roleArn: "arn:aws:iam::111122223333:role/shopNode"}}}`,
	Good: `
- {name: shop}
- {name: bank, region: us-east-1}`,
	check: func(f *fleet, report func(finding.Result)) {
		unread := &reasons{}
		owners := map[string][]owner{} // by role ARN
		for _, c := range f.clusters {
			unread.add(f.name(c), slices.Concat(c.cluster, c.fargateUnread, c.sources))
			if c.clusterRole != "" {
				owners[c.clusterRole] = append(owners[c.clusterRole], owner{c, ""})
			}
			for _, p := range c.fargate {
				owners[p.arn] = append(owners[p.arn], owner{c, p.profile})
			}
		}
		failed, compared := 0, 0
		users := map[string][]Facts{}
		for _, c := range f.clusters {
			for _, r := range c.nodeRoles {
				compared++
				users[r.arn] = append(users[r.arn], c)
			}
		}
		for _, arn := range keys(users) {
			if r, is := f.judgeOwners(arn, users[arn], owners[arn]); is {
				failed++
				report(r)
			}
		}
		unread.addUnread(f.unread)
		switch {
		case failed == 0 && len(f.clusters) < 2 && !unread.any():
			report(finding.Result{Status: finding.NotApplicable, Subject: ofFleet(), Message: "the fleet has no two clusters"})
		case failed == 0 || unread.any():
			rest(report, unread, "whether the node roles are roles of other clusters is unknown",
				"no node role is the cluster role or the pod execution role of another cluster",
				fmt.Sprintf("%s compared with the roles of %s", text.Count(compared, "node role"), text.Count(len(f.clusters), "cluster")))
		}
	},
}

// owner is a cluster that uses a role for its control plane or, where profile is set, for a
// Fargate profile.
type owner struct {
	Facts
	profile string
}

// judgeOwners returns the result about a role that nodes of some clusters have and that
// others own; false where there is none, or NR102 has it.
func (f *fleet) judgeOwners(arn string, users []Facts, owners []owner) (finding.Result, bool) {
	r := finding.Result{
		Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: snapshot.NameOf(arn), ARN: arn},
		Next: []finding.Next{finding.Advise("create a role for the nodes only, and move the node groups to it")},
	}
	var with, clusters, profiles []string
	for _, o := range owners {
		var nodes []Facts
		for _, u := range users {
			if u.ref.ARN != o.ref.ARN && (o.profile != "" || !slices.Contains(u.judged, o.ref.ARN)) {
				nodes = append(nodes, u)
			}
		}
		if len(nodes) == 0 {
			continue
		}
		line := fmt.Sprintf("eks:DescribeCluster %s in %s: roleArn %s", f.name(o.Facts), o.id.Region, arn)
		if o.profile == "" {
			clusters = append(clusters, f.name(o.Facts))
		} else {
			profiles = append(profiles, o.profile+" of "+f.name(o.Facts))
			line = fmt.Sprintf("eks:DescribeFargateProfile %s of %s in %s: podExecutionRoleArn %s", o.profile, f.name(o.Facts), o.id.Region, arn)
		}
		r.Evidence, r.Clusters = append(r.Evidence, line), append(r.Clusters, o.ref)
		for _, n := range nodes {
			i := slices.IndexFunc(n.nodeRoles, func(n nodeRole) bool { return n.arn == arn })
			r.Evidence = appendNew(r.Evidence, fmt.Sprintf("nodes of %s have it: %s", f.name(n), n.nodeRoles[i].sources))
			with, r.Clusters = appendNew(with, f.name(n)), append(r.Clusters, n.ref)
		}
	}
	var of []string
	if len(clusters) > 0 {
		of = append(of, "the cluster role of "+listed(clusters))
	}
	if len(profiles) > 0 {
		of = append(of, "the pod execution role of Fargate profile "+listed(profiles))
	}
	slices.Sort(with)
	r.Message = fmt.Sprintf("%s, the node role of %s, is also %s", r.Subject.Name, listed(with), strings.Join(of, " and "))
	return r, len(of) > 0
}

func dedupe(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range list {
		if !seen[l] {
			seen[l] = true
			out = append(out, l)
		}
	}
	return out
}
