package diff

import (
	"fmt"
	"maps"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// addons compares the pods of add-ons by add-on and service account, as their names change
// with every restart, and the service accounts.
func (f *factParts) addons() {
	groups := map[string]bool{}
	for _, s := range []*snapshot.Snapshot{f.older, f.newer} {
		for name, pod := range s.AddonPods {
			groups[addonGroup(name, pod)] = true
		}
	}
	for _, group := range text.SortedKeys(groups) {
		f.add(part[*snapshot.Snapshot]{
			kind: KindAddonPods, name: group, needs: []factRef{factOf(snapshot.FactAddonPods, "")},
			value: func(s *snapshot.Snapshot) (string, bool) {
				var values []string
				for name, pod := range s.AddonPods {
					if addonGroup(name, pod) == group {
						values = append(values, addonPodText(pod))
					}
				}
				return listed(values), len(values) > 0
			},
			copyTo: func(to, from *snapshot.Snapshot) {
				ofGroup := func(name string, pod snapshot.AddonPod) bool { return addonGroup(name, pod) == group }
				changed := cloned(to.AddonPods)
				maps.DeleteFunc(changed, ofGroup)
				for name, pod := range from.AddonPods {
					if ofGroup(name, pod) {
						changed[name] = pod
					}
				}
				to.AddonPods = changed
			},
		})
	}
	type account = snapshot.AddonAccount
	addTable(f, table[account]{
		kind: KindServiceAccount, fact: snapshot.FactAddonAccounts, referred: true, findBy: []snapshot.Fact{snapshot.FactAddonPods},
		of: func(s *snapshot.Snapshot) *map[string]account { return &s.AddonAccounts },
		fields: []field[account]{
			single("role", func(a *account) *string { return &a.RoleARN }),
			set("Pod Identity associations", func(a *account) *[]string { return &a.PodIdentityAssociations }),
		},
	})
}

// addonGroup names an add-on with the service account of a pod.
func addonGroup(name string, pod snapshot.AddonPod) string {
	namespace, _, _ := strings.Cut(name, "/")
	return pod.Addon + " of " + namespace + "/" + pod.ServiceAccount
}

func addonPodText(pod snapshot.AddonPod) string {
	words := pod.Credentials
	if pod.OptionalKeys != "" {
		words += " or Secret " + pod.OptionalKeys
	}
	if pod.Container != "" {
		words += " in container " + pod.Container
	}
	if pod.HostNetwork {
		words += " on the node's network"
	}
	return words
}

// registries compares the private registries of the account, and how many instance profiles
// it has.
func (f *factParts) registries() {
	type registry = snapshot.Registry
	addTable(f, table[registry]{
		kind: KindRegistry, fact: snapshot.FactRegistries, referred: true, findBy: []snapshot.Fact{snapshot.FactEvents},
		of: func(s *snapshot.Snapshot) *map[string]registry { return &s.Registries },
		fields: []field[registry]{
			{
				name:   "pull-through cache",
				text:   func(r registry) string { return pairs(r.PullThroughCache) },
				copyTo: func(to *registry, from registry) { to.PullThroughCache = from.PullThroughCache },
			},
			document("permissions", iampolicy.Resource, func(r *registry) *string { return &r.Policy }),
		},
	})
	quota := func(s *snapshot.Snapshot) snapshot.Quota {
		if s.InstanceProfileQuota == nil {
			return snapshot.Quota{}
		}
		return *s.InstanceProfileQuota
	}
	// Instance profiles come and go: a few more are no change.
	const step = 5
	share := func(s *snapshot.Snapshot) int32 { return 100 * quota(s).Used / max(quota(s).Max, 1) / step }
	f.add(part[*snapshot.Snapshot]{
		kind: KindCluster, name: f.newer.Cluster.Identity().Name(), field: "quota of instance profiles", needs: []factRef{factOf(snapshot.FactProfileQuota, "")},
		value: func(s *snapshot.Snapshot) (string, bool) {
			return fmt.Sprintf("%d of %d", quota(s).Used, quota(s).Max), s.InstanceProfileQuota != nil
		},
		same: func(older, newer *snapshot.Snapshot) bool {
			return share(older) == share(newer) && quota(older).Max == quota(newer).Max
		},
		copyTo: func(to, from *snapshot.Snapshot) { to.InstanceProfileQuota = from.InstanceProfileQuota },
	})
}
