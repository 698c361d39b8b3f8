package iac

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// existing finds, for code that does not say what of it exists, the facts that its resources
// are: by their names, or by the form of the names that CloudFormation makes up. It changes
// the slices of the code that it is given, which has to be a copy.
func (c *Code) existing(base *snapshot.Snapshot) {
	id := base.Cluster.Identity()
	at := Place{Partition: id.Partition, Region: id.Region, Account: id.Account}
	c.Clusters, c.Roles, c.Policies, c.Profiles = slices.Clone(c.Clusters), slices.Clone(c.Roles), slices.Clone(c.Policies), slices.Clone(c.Profiles)
	c.NodeGroups, c.FargateProfiles, c.Groups = slices.Clone(c.NodeGroups), slices.Clone(c.FargateProfiles), slices.Clone(c.Groups)
	uses := map[string]string{} // roles that EKS uses: it does not replace them
	for i := range c.Clusters {
		cluster := &c.Clusters[i]
		if cluster.Name.Text == id.Name() || cluster.Name.Text == "" && len(c.Clusters) == 1 {
			cluster.Name, cluster.ARN, cluster.Existed = Text(id.Name()), base.Cluster.ARN, true
			uses[cluster.Role.Resource] = base.Cluster.RoleARN
		}
	}
	for i := range c.NodeGroups {
		g := &c.NodeGroups[i]
		if g.Name.Text == "" {
			g.Name = Text(madeUp(cmp.Or(g.LogicalID, g.Address), slices.Collect(maps.Keys(base.NodeGroups))))
		}
		if have, ok := base.NodeGroups[g.Name.Text]; ok {
			g.Existed = true
			uses[g.Role.Resource] = have.NodeRoleARN
		}
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		switch used := uses[r.Address]; {
		case r.ARN == "" && r.Name.Name.Text != "":
			r.ARN = r.in(at, "role")
		case r.ARN == "" && used != "":
			r.ARN = used
		case r.ARN == "":
			r.ARN = madeUp(cmp.Or(r.LogicalID, r.Address), slices.Collect(maps.Keys(base.Roles)))
		}
		r.Existed = has(base.Roles, r.ARN)
	}
	for i := range c.Policies {
		if p := &c.Policies[i]; p.ARN == "" && p.Name.Name.Text == "" {
			p.ARN = madeUp(cmp.Or(p.LogicalID, p.Address), slices.Collect(maps.Keys(base.Policies)))
		}
	}
	for i := range c.Profiles {
		if p := &c.Profiles[i]; p.ARN == "" && p.Name.Name.Text == "" {
			p.ARN = madeUp(cmp.Or(p.LogicalID, p.Address), slices.Collect(maps.Keys(base.InstanceProfiles)))
		}
	}
	for i := range c.FargateProfiles {
		if p := &c.FargateProfiles[i]; p.Name.Empty() {
			p.Name = Text(madeUp(cmp.Or(p.LogicalID, p.Address), slices.Collect(maps.Keys(base.FargateProfiles))))
		}
	}
	for i := range c.Groups {
		if g := &c.Groups[i]; g.Name == g.Address {
			if name := madeUp(cmp.Or(g.LogicalID, g.Address), slices.Collect(maps.Keys(base.AutoScalingGroups))); name != "" {
				g.Name = name
			}
		}
	}
	c.standIns(at)
}

// standIns writes the ARNs and names of roles and instance profiles that exist into objects of
// Kubernetes, instead of those by which they are known without a name.
func (c *Code) standIns(at Place) {
	c.AWSAuths, c.ServiceAccounts, c.NodeClasses = slices.Clone(c.AWSAuths), slices.Clone(c.ServiceAccounts), slices.Clone(c.NodeClasses)
	for _, r := range c.Roles {
		if r.ARN == "" || r.Name.Name.Text != "" {
			continue
		}
		standIn := Name{Name: Text(StandIn(r.Prefix))}.in(at, "role")
		for i := range c.AWSAuths {
			c.AWSAuths[i].MapRoles.Text = strings.ReplaceAll(c.AWSAuths[i].MapRoles.Text, standIn, snapshot.WithoutPath(r.ARN))
		}
		for i := range c.ServiceAccounts {
			c.ServiceAccounts[i].Role.Text = strings.ReplaceAll(c.ServiceAccounts[i].Role.Text, standIn, r.ARN)
		}
		for i := range c.NodeClasses {
			c.NodeClasses[i].Role.Text = strings.ReplaceAll(c.NodeClasses[i].Role.Text, StandIn(r.Prefix), snapshot.NameOf(r.ARN))
		}
	}
	for _, p := range c.Profiles {
		if p.ARN == "" || p.Name.Name.Text != "" {
			continue
		}
		for i := range c.NodeClasses {
			c.NodeClasses[i].Profile.Text = strings.ReplaceAll(c.NodeClasses[i].Profile.Text, StandIn(p.Prefix), snapshot.NameOf(p.ARN))
		}
	}
}

// truncated is how long the part of a name has to be that may be only the beginning of a
// logical ID: CloudFormation shortens long names.
const truncated = 20

// madeUp returns the name or ARN that CloudFormation made up for a logical ID, STACK-ID-RANDOM
// or ID-RANDOM, where exactly one has that form; otherwise it is empty.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
func madeUp(id string, names []string) string {
	slices.Sort(names)
	found := ""
	for _, name := range slices.Compact(names) {
		parts := strings.Split(snapshot.NameOf(name), "-")
		if len(parts) < 2 {
			continue
		}
		part := parts[len(parts)-2]
		if part != id && (len(part) < truncated || !strings.HasPrefix(id, part)) {
			continue
		}
		if found != "" {
			return ""
		}
		found = name
	}
	return found
}
