package iac

import (
	"cmp"
	"slices"
)

// Join makes one Code of several: each has a part of what a cluster needs, such as a plan of
// the roles and a plan of the cluster. Their addresses have to differ.
func Join(codes []*Code) *Code {
	all := *codes[0]
	for _, c := range codes[1:] {
		if c.Kind != all.Kind {
			all.Kind, all.Command = "code", "terraform"
		}
		all.File += ", " + c.File
		all.At = max(all.At, c.At)
		all.Kubernetes = all.Kubernetes || c.Kubernetes
		all.Place = Place{
			Partition: cmp.Or(all.Place.Partition, c.Place.Partition), Region: cmp.Or(all.Place.Region, c.Place.Region), Account: cmp.Or(all.Place.Account, c.Place.Account),
		}
		all.Roles = slices.Concat(all.Roles, c.Roles)
		all.Policies = slices.Concat(all.Policies, c.Policies)
		all.Attachments = slices.Concat(all.Attachments, c.Attachments)
		all.PolicyAttachments = slices.Concat(all.PolicyAttachments, c.PolicyAttachments)
		all.InlinePolicies = slices.Concat(all.InlinePolicies, c.InlinePolicies)
		all.Detached = slices.Concat(all.Detached, c.Detached)
		all.Removed = slices.Concat(all.Removed, c.Removed)
		all.Deleted = slices.Concat(all.Deleted, c.Deleted)
		all.ExclusiveAttachments = slices.Concat(all.ExclusiveAttachments, c.ExclusiveAttachments)
		all.ExclusiveInline = slices.Concat(all.ExclusiveInline, c.ExclusiveInline)
		all.Profiles = slices.Concat(all.Profiles, c.Profiles)
		all.Clusters = slices.Concat(all.Clusters, c.Clusters)
		all.NodeGroups = slices.Concat(all.NodeGroups, c.NodeGroups)
		all.FargateProfiles = slices.Concat(all.FargateProfiles, c.FargateProfiles)
		all.AccessEntries = slices.Concat(all.AccessEntries, c.AccessEntries)
		all.AccessPolicies = slices.Concat(all.AccessPolicies, c.AccessPolicies)
		all.Addons = slices.Concat(all.Addons, c.Addons)
		all.Associations = slices.Concat(all.Associations, c.Associations)
		all.OIDCProviders = slices.Concat(all.OIDCProviders, c.OIDCProviders)
		all.AWSAuths = slices.Concat(all.AWSAuths, c.AWSAuths)
		all.ServiceAccounts = slices.Concat(all.ServiceAccounts, c.ServiceAccounts)
		all.NodeClasses = slices.Concat(all.NodeClasses, c.NodeClasses)
		all.Groups = slices.Concat(all.Groups, c.Groups)
		all.Unsure = slices.Concat(all.Unsure, c.Unsure)
	}
	all.joinRead()
	return &all
}

// joinRead puts what a part only reads behind what another part declares, so that the latter
// is found first by the name that both have.
func (c *Code) joinRead() {
	read := func(a, b Declared) int {
		switch {
		case a.Read == b.Read:
			return 0
		case b.Read:
			return -1
		}
		return 1
	}
	slices.SortStableFunc(c.Roles, func(a, b Role) int { return read(a.Declared, b.Declared) })
	slices.SortStableFunc(c.Policies, func(a, b Policy) int { return read(a.Declared, b.Declared) })
	slices.SortStableFunc(c.Profiles, func(a, b Profile) int { return read(a.Declared, b.Declared) })
	slices.SortStableFunc(c.Clusters, func(a, b Cluster) int { return read(a.Declared, b.Declared) })
}
