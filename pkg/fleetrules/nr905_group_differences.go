package fleetrules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var groupDifferences = Rule{
	ID: "NR905", Name: "group-differences", Severity: finding.Info,
	Title: "The clusters of a group are configured alike",
	Why: `What was tested on one cluster of the group does not hold for the others. A change, such as an upgrade of the VPC CNI, can
break the one that differs.`,
	Fix: `Configure the clusters of the group alike, or put those that are meant to differ into another group of the file of
--targets.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/managing-vpc-cni.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactPodIdentity, snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactInstanceProfiles, snapshot.FactNodeClasses, snapshot.FactAutoScaling, snapshot.FactNodes, snapshot.FactInstances, snapshot.FactServiceAccount, snapshot.FactDaemonSet,
	},
	Bad: `
- {name: shop, group: prod}
- {name: bank, group: prod, patch: {cluster: {authenticationMode: API}}}`,
	Good: `
- {name: shop, group: prod}
- {name: bank, group: prod, region: us-east-1}
- {name: lab, group: test, patch: {cluster: {authenticationMode: API}}}
- {name: old, patch: {cluster: {authenticationMode: API}}}`,
	check: func(f *fleet, report func(finding.Result)) {
		groups, unread := map[string][]Facts{}, map[string][]Unread{}
		planned := map[string]int{}
		for _, c := range f.clusters {
			if c.group != "" {
				groups[c.group] = append(groups[c.group], c)
				planned[c.group]++
			}
		}
		for _, u := range f.unread {
			if u.Group != "" {
				planned[u.Group]++
				unread[u.Group] = append(unread[u.Group], u)
			}
		}
		judged := false
		for _, group := range keys(planned) {
			if planned[group] > 1 {
				judged = true
				f.judgeGroup(group, groups[group], unread[group], report)
			}
		}
		if !judged {
			report(finding.Result{Status: finding.NotApplicable, Subject: ofFleet(), Message: "no two clusters are in one group; a file of --targets names groups"})
		}
	},
}

// aspect is something in which the clusters of a group may differ.
type aspect struct {
	name string
	// of is what a cluster has; unread says why that is not known.
	of func(c Facts) (value string, unread []string)
	// words says how clusters differ, by value, what most have first; nil names the value.
	words func(f *fleet, values []string, by map[string][]Facts) []string
}

var aspects = []aspect{
	{name: "authentication mode", of: func(c Facts) (string, []string) {
		return known(c.authentication, c.cluster, "EKS returns no authentication mode")
	}},
	{name: "VPC CNI version", of: func(c Facts) (string, []string) {
		if c.identity == view.NotInstalled {
			return "not installed", nil
		}
		return known(c.cniVersion, c.daemonSetMissing, "the image of aws-node and the add-on name no version")
	}},
	{name: "identity of aws-node", of: func(c Facts) (string, []string) {
		if c.identity == view.UnknownIdentity {
			return "", c.identityUnread
		}
		if c.identity == view.NotInstalled {
			return "not installed", nil
		}
		return c.identity.String(), nil
	}},
	{name: "permissions of node roles", of: rightsOfCluster, words: rightsWords},
}

// known returns a value, or why it is not known.
func known(value string, unread []string, otherwise string) (string, []string) {
	if value == "" && len(unread) == 0 {
		unread = []string{otherwise}
	}
	return value, unread
}

// rightsOfCluster is what the node roles of a cluster are allowed, whatever the roles and
// policies are called.
func rightsOfCluster(c Facts) (string, []string) {
	unread := slices.Clone(c.sources)
	var all []string
	for _, r := range c.nodeRoles {
		for _, l := range r.rightsUnread {
			unread = appendNew(unread, r.name+": "+l)
		}
		all = append(all, r.rights)
	}
	if len(all) == 0 && len(unread) == 0 {
		return "no node role", nil
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " "), unread
}

// judgeGroup reports in what the clusters of a group differ.
func (f *fleet) judgeGroup(group string, clusters []Facts, notRead []Unread, report func(finding.Result)) {
	unread := &reasons{}
	unread.addUnread(notRead)
	differs := false
	for _, a := range aspects {
		by := map[string][]Facts{}
		var seen []Facts
		for _, c := range clusters {
			value, why := a.of(c)
			if len(why) > 0 {
				unread.add(f.name(c), prefixed(a.name, why))
				continue
			}
			by[value] = append(by[value], c)
			seen = append(seen, c)
		}
		if len(by) < 2 {
			continue
		}
		differs = true
		values := keys(by)
		slices.SortStableFunc(values, func(x, y string) int { return len(by[y]) - len(by[x]) }) // what most have first
		r := finding.Result{
			Status: finding.Fail, Subject: finding.Subject{Kind: finding.SubjectGroup, Name: group + ": " + a.name}, Clusters: refs(seen),
			Message: fmt.Sprintf("the clusters of group %s differ in the %s", group, a.name),
			Next:    []finding.Next{finding.Advise("configure them alike, or put those that are meant to differ into another group")},
		}
		if a.words == nil {
			for _, v := range values {
				r.Evidence = append(r.Evidence, v+": "+f.names(by[v]))
			}
		} else {
			r.Evidence = a.words(f, values, by)
		}
		report(r)
	}
	subject := finding.Subject{Kind: finding.SubjectGroup, Name: group}
	switch {
	case unread.any():
		report(finding.Result{Status: finding.Unknown, Subject: subject, Message: "whether all clusters of group " + group + " are configured alike is unknown", Evidence: unread.lines(), Clusters: refs(clusters)})
	case !differs:
		var names []string
		for _, a := range aspects {
			names = append(names, a.name)
		}
		report(finding.Result{
			Status: finding.Pass, Subject: subject, Clusters: refs(clusters), Message: "the clusters of group " + group + " are configured alike",
			Evidence: []string{fmt.Sprintf("%s compared: %s", text.Count(len(clusters), "cluster"), strings.Join(names, ", "))},
		})
	}
}

func prefixed(prefix string, list []string) []string {
	var out []string
	for _, l := range list {
		out = append(out, prefix+": "+l)
	}
	return out
}

// rightsWords returns what the node roles of some clusters are allowed that those of the first,
// which most have, are not, and the reverse.
func rightsWords(f *fleet, values []string, by map[string][]Facts) []string {
	out := []string{"compared with " + f.names(by[values[0]])}
	first := together(values[0])
	for _, v := range values[1:] {
		words := map[string][]string{}
		own := together(v)
		for i, a := range compared() {
			was, is := letter(first, i), letter(own, i)
			switch {
			case was == is:
			case is == rightDepends:
				words["allows under a condition"] = append(words["allows under a condition"], a.Name)
			case is == rightAllowed:
				words["also allows"] = append(words["also allows"], a.Name)
			default:
				words["does not allow"] = append(words["does not allow"], a.Name)
			}
		}
		var parts []string
		for _, verb := range []string{"also allows", "allows under a condition", "does not allow"} {
			if len(words[verb]) > 0 {
				slices.Sort(words[verb])
				parts = append(parts, verb+" "+listed(words[verb]))
			}
		}
		if len(parts) == 0 {
			parts = []string{"divides the same permissions between its node roles in another way"}
		}
		roles := map[string]bool{}
		for _, c := range by[v] {
			for _, r := range c.nodeRoles {
				roles[r.name] = true
			}
		}
		out = append(out, fmt.Sprintf("%s (%s): %s", f.names(by[v]), listed(keys(roles)), strings.Join(parts, "; ")))
	}
	return out
}

// together is what any of the node roles of a cluster is allowed.
func together(value string) string {
	var best []byte
	for _, rights := range strings.Fields(value) {
		if len(rights) != len(compared()) {
			return "" // no node role
		}
		if best == nil {
			best = []byte(rights)
			continue
		}
		for i := range best {
			if rights[i] == rightAllowed || rights[i] == rightDepends && best[i] == rightDenied {
				best[i] = rights[i]
			}
		}
	}
	return string(best)
}

// letter is the answer about an action; where there is no node role, nothing is allowed.
func letter(rights string, i int) byte {
	if i >= len(rights) {
		return rightDenied
	}
	return rights[i]
}
