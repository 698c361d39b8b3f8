package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// partsOfFacts are the parts of either side's facts.
func partsOfFacts(older, newer *snapshot.Snapshot) []part[*snapshot.Snapshot] {
	f := &factParts{older: older, newer: newer}
	f.cluster()
	f.sources()
	f.roles()
	f.access()
	f.awsNode()
	f.nodes()
	f.limits()
	f.addons()
	f.registries()
	f.others()
	return f.list
}

// factParts gathers the parts of facts.
type factParts struct {
	older, newer *snapshot.Snapshot
	list         []part[*snapshot.Snapshot]
}

func (f *factParts) add(p part[*snapshot.Snapshot]) { f.list = append(f.list, p) }

// field is a part of the values of a map of facts.
type field[V any] struct {
	name string
	text func(V) string
	// same is nil where the texts say it.
	same func(older, newer V) bool
	// copyTo makes the field of one as it is in the other.
	copyTo func(to *V, from V)
	// needs is set where another fact than the entry itself has it.
	needs snapshot.Fact
	// document is set for a policy, which the text then is, in this grammar.
	document bool
	grammar  iampolicy.Kind
}

// table adds the parts of a map of facts: an entry as a whole where one side has it, and
// the fields of an entry of both. about describes an entry.
type table[V any] struct {
	kind ObjectKind
	fact snapshot.Fact
	// of is where the map is.
	of     func(*snapshot.Snapshot) *map[string]V
	about  func(V) string
	fields []field[V]
	// subject is the subject of an entry under missing; nil is the key.
	subject func(key string) string
	// referred is set for what is there as something refers to it: the reference is
	// what changes.
	referred bool
	grouped  bool
	// findBy are the facts without which an entry may not have been found.
	findBy []snapshot.Fact
	// skip leaves out entries that only one side has.
	skip func(key string) bool
	// with copies what belongs to entries, before them.
	with func(to, from *snapshot.Snapshot, keys []string)
}

func addTable[V any](f *factParts, t table[V]) {
	for _, key := range keysOf(*t.of(f.older), *t.of(f.newer)) {
		_, was := (*t.of(f.older))[key]
		_, is := (*t.of(f.newer))[key]
		base := part[*snapshot.Snapshot]{kind: t.kind, name: snapshot.NameOf(key), needs: []factRef{t.factOf(t.fact, key)}, key: key}
		if _, ok := snapshot.ParseARN(key); ok {
			base.arn = key
		}
		if was != is {
			if t.skip == nil || !t.skip(key) {
				f.add(t.whole(base, key))
			}
			continue
		}
		for _, fd := range t.fields {
			f.add(t.field(base, key, fd))
		}
	}
}

func (t table[V]) factOf(fact snapshot.Fact, key string) factRef {
	if t.subject != nil {
		return factOf(fact, t.subject(key))
	}
	return factOf(fact, key)
}

func (t table[V]) whole(p part[*snapshot.Snapshot], key string) part[*snapshot.Snapshot] {
	p.value = func(s *snapshot.Snapshot) (string, bool) {
		v, ok := (*t.of(s))[key]
		if !ok || t.about == nil {
			return "", ok
		}
		return t.about(v), ok
	}
	p.needs = slices.Clone(p.needs)
	for _, fact := range t.findBy {
		p.needs = append(p.needs, factOf(fact, ""))
	}
	if t.referred {
		return p
	}
	p.copyTo = func(to, from *snapshot.Snapshot) { t.copyEntries(to, from, []string{key}) }
	if t.grouped {
		p.copyAll = t.copyEntries
	}
	return p
}

func (t table[V]) copyEntries(to, from *snapshot.Snapshot, keys []string) {
	if t.with != nil {
		t.with(to, from, keys)
	}
	setKeys(t.of(to), *t.of(from), keys)
}

func (t table[V]) field(p part[*snapshot.Snapshot], key string, fd field[V]) part[*snapshot.Snapshot] {
	p.field = fd.name
	if fd.needs != "" {
		p.needs = append(slices.Clone(p.needs), t.factOf(fd.needs, key))
	}
	p.value = func(s *snapshot.Snapshot) (string, bool) {
		value := fd.text((*t.of(s))[key])
		return value, value != ""
	}
	if fd.document {
		p.document, p.grammar = func(s *snapshot.Snapshot) string { return fd.text((*t.of(s))[key]) }, fd.grammar
	}
	if fd.same != nil {
		p.same = func(older, newer *snapshot.Snapshot) bool { return fd.same((*t.of(older))[key], (*t.of(newer))[key]) }
	}
	copyFields := func(to, from *snapshot.Snapshot, keys []string) {
		changed := cloned(*t.of(to))
		for _, k := range keys {
			v := changed[k]
			fd.copyTo(&v, (*t.of(from))[k])
			changed[k] = v
		}
		*t.of(to) = changed
	}
	p.copyTo = func(to, from *snapshot.Snapshot) { copyFields(to, from, []string{key}) }
	if t.grouped {
		p.copyAll = copyFields
	}
	return p
}

// keysOf are the keys of either map, sorted.
func keysOf[V any](older, newer map[string]V) []string {
	return text.SortedKeys(united(older, newer))
}

// cloned is a copy of a map that can be changed.
func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// put sets a key of a map that others may share.
func put[V any](m *map[string]V, key string, v V) {
	changed := cloned(*m)
	changed[key] = v
	*m = changed
}

// setKey makes a key of a map that others may share as it is in another.
func setKey[V any](m *map[string]V, from map[string]V, key string) { setKeys(m, from, []string{key}) }

// setKeys is setKey for several keys.
func setKeys[V any](m *map[string]V, from map[string]V, keys []string) {
	changed := cloned(*m)
	for _, key := range keys {
		if v, ok := from[key]; ok {
			changed[key] = v
		} else {
			delete(changed, key)
		}
	}
	*m = changed
}

// single is a field of a struct that is a text.
func single[V any](name string, of func(*V) *string) field[V] {
	return field[V]{
		name:   name,
		text:   func(v V) string { return *of(&v) },
		copyTo: func(to *V, from V) { *of(to) = *of(&from) },
	}
}

// document is a field of a struct that is a policy.
func document[V any](name string, grammar iampolicy.Kind, of func(*V) *string) field[V] {
	f := single(name, of)
	f.document, f.grammar = true, grammar
	return f
}

// metadata is what a source of nodes sets of the instance metadata service.
func metadata[V any](of func(*V) **snapshot.MetadataOptions) field[V] {
	return field[V]{
		name: "instance metadata",
		text: func(v V) string {
			if set := *of(&v); set != nil {
				return set.String()
			}
			return ""
		},
		copyTo: func(to *V, from V) { *of(to) = *of(&from) },
	}
}

// set is a field of a struct that is a list without order.
func set[V any](name string, of func(*V) *[]string) field[V] {
	return field[V]{
		name:   name,
		text:   func(v V) string { return listed(*of(&v)) },
		copyTo: func(to *V, from V) { *of(to) = *of(&from) },
	}
}

// listed is a list without order, as a text.
func listed(list []string) string {
	list = slices.Sorted(slices.Values(list))
	return strings.Join(slices.Compact(list), ", ")
}

// flag is a field of a struct that is true or false.
func flag[V any](name string, of func(*V) *bool) field[V] {
	return field[V]{
		name: name,
		text: func(v V) string {
			if *of(&v) {
				return "yes"
			}
			return ""
		},
		copyTo: func(to *V, from V) { *of(to) = *of(&from) },
	}
}

// health is a field with the issues that EKS reports.
func health[V any](of func(*V) *[]snapshot.HealthIssue) field[V] {
	return field[V]{
		name: "health issues",
		text: func(v V) string {
			var lines []string
			for _, issue := range *of(&v) {
				lines = append(lines, issue.Code)
			}
			return listed(lines)
		},
		same: func(older, newer V) bool {
			return slices.Equal(issueTexts(*of(&older)), issueTexts(*of(&newer)))
		},
		copyTo: func(to *V, from V) { *of(to) = *of(&from) },
	}
}

func issueTexts(issues []snapshot.HealthIssue) []string {
	var lines []string
	for _, issue := range issues {
		lines = append(lines, fmt.Sprintf("%q %q %q", issue.Code, issue.Message, slices.Sorted(slices.Values(issue.ResourceIDs))))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// setting adds a text of facts that are not a map; an empty text is not added.
func (f *factParts) setting(kind ObjectKind, name, field string, fact snapshot.Fact, value func(*snapshot.Snapshot) string, copyTo func(to, from *snapshot.Snapshot)) {
	f.add(part[*snapshot.Snapshot]{
		kind: kind, name: name, field: field, needs: []factRef{factOf(fact, "")}, copyTo: copyTo,
		value: func(s *snapshot.Snapshot) (string, bool) {
			text := value(s)
			return text, text != ""
		},
	})
}

func (f *factParts) cluster() {
	name := f.newer.Cluster.Identity().Name()
	add := func(field string, of func(*snapshot.Cluster) *string) {
		f.setting(KindCluster, name, field, snapshot.FactCluster,
			func(s *snapshot.Snapshot) string { return *of(&s.Cluster) },
			func(to, from *snapshot.Snapshot) { *of(&to.Cluster) = *of(&from.Cluster) })
	}
	add("version", func(c *snapshot.Cluster) *string { return &c.Version })
	add("status", func(c *snapshot.Cluster) *string { return &c.Status })
	add("cluster role", func(c *snapshot.Cluster) *string { return &c.RoleARN })
	add("IP family", func(c *snapshot.Cluster) *string { return &c.IPFamily })
	add("authentication mode", func(c *snapshot.Cluster) *string { return &c.AuthenticationMode })
	add("VPC", func(c *snapshot.Cluster) *string { return &c.VPCID })
	add("OIDC issuer", func(c *snapshot.Cluster) *string { return &c.OIDCIssuer })
	f.setting(KindCluster, name, "EKS Auto Mode", snapshot.FactCluster, func(s *snapshot.Snapshot) string {
		a := s.Cluster.AutoMode
		if a == nil {
			return ""
		}
		return "node role " + text.OrNone(a.NodeRoleARN) + ", node pools " + text.OrNone(listed(a.NodePools))
	}, func(to, from *snapshot.Snapshot) { to.Cluster.AutoMode = from.Cluster.AutoMode })
	f.setting(KindCluster, name, "remote node networks", snapshot.FactCluster,
		func(s *snapshot.Snapshot) string { return listed(s.Cluster.RemoteNodeNetworks) },
		func(to, from *snapshot.Snapshot) { to.Cluster.RemoteNodeNetworks = from.Cluster.RemoteNodeNetworks })
	f.setting(KindCluster, name, "control plane", snapshot.FactCluster, func(s *snapshot.Snapshot) string {
		if s.Cluster.LocalControlPlane {
			return "on instances of the account"
		}
		return ""
	}, func(to, from *snapshot.Snapshot) { to.Cluster.LocalControlPlane = from.Cluster.LocalControlPlane })
	issues := health(func(c *snapshot.Cluster) *[]snapshot.HealthIssue { return &c.Health })
	f.add(part[*snapshot.Snapshot]{
		kind: KindCluster, name: name, field: issues.name, needs: []factRef{factOf(snapshot.FactCluster, "")},
		value:  func(s *snapshot.Snapshot) (string, bool) { return issues.text(s.Cluster), len(s.Cluster.Health) > 0 },
		same:   func(older, newer *snapshot.Snapshot) bool { return issues.same(older.Cluster, newer.Cluster) },
		copyTo: func(to, from *snapshot.Snapshot) { to.Cluster.Health = from.Cluster.Health },
	})
	f.regions(name)
}

// regions compares other clusters, as far as both sides read their regions.
func (f *factParts) regions(name string) {
	region := func(arn string) string { return (snapshot.Cluster{ARN: arn}).Identity().Region }
	readBy := func(s *snapshot.Snapshot, arn string) bool {
		return region(arn) == region(s.Cluster.ARN) || slices.Contains(s.OtherRegions, region(arn))
	}
	f.setting(KindCluster, name, "regions of other clusters", snapshot.FactOtherClusters,
		func(s *snapshot.Snapshot) string { return listed(s.OtherRegions) },
		func(to, from *snapshot.Snapshot) {
			to.OtherRegions = from.OtherRegions
			for _, arn := range keysOf(to.OtherClusters, from.OtherClusters) {
				if region(arn) != region(to.Cluster.ARN) {
					setKey(&to.OtherClusters, from.OtherClusters, arn)
				}
			}
		})
	addTable(f, table[snapshot.OtherCluster]{
		kind: KindOtherCluster, fact: snapshot.FactOtherClusters,
		of:     func(s *snapshot.Snapshot) *map[string]snapshot.OtherCluster { return &s.OtherClusters },
		about:  func(c snapshot.OtherCluster) string { return "cluster role " + text.OrNone(c.RoleARN) },
		fields: []field[snapshot.OtherCluster]{single("cluster role", func(c *snapshot.OtherCluster) *string { return &c.RoleARN })},
		skip:   func(arn string) bool { return !readBy(f.older, arn) || !readBy(f.newer, arn) },
	})
	addTable(f, table[snapshot.FargateProfile]{
		kind: KindFargate, fact: snapshot.FactFargateProfiles,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.FargateProfile { return &s.FargateProfiles },
		about: func(p snapshot.FargateProfile) string { return "role " + text.OrNone(p.PodExecutionRoleARN) },
		fields: []field[snapshot.FargateProfile]{
			single("role", func(p *snapshot.FargateProfile) *string { return &p.PodExecutionRoleARN }),
			single("status", func(p *snapshot.FargateProfile) *string { return &p.Status }),
		},
	})
}

// sources compares what starts nodes.
func (f *factParts) sources() {
	addTable(f, table[snapshot.NodeGroup]{
		kind: KindNodeGroup, fact: snapshot.FactNodeGroups,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.NodeGroup { return &s.NodeGroups },
		about: func(g snapshot.NodeGroup) string { return "role " + text.OrNone(g.NodeRoleARN) },
		fields: []field[snapshot.NodeGroup]{
			single("role", func(g *snapshot.NodeGroup) *string { return &g.NodeRoleARN }),
			single("status", func(g *snapshot.NodeGroup) *string { return &g.Status }),
			single("AMI type", func(g *snapshot.NodeGroup) *string { return &g.AMIType }),
			single("launch template", func(g *snapshot.NodeGroup) *string { return &g.LaunchTemplate }),
			set("subnets", func(g *snapshot.NodeGroup) *[]string { return &g.Subnets }),
			health(func(g *snapshot.NodeGroup) *[]snapshot.HealthIssue { return &g.Health }),
			metadata(func(g *snapshot.NodeGroup) **snapshot.MetadataOptions { return &g.Metadata }),
		},
	})
	f.nodeClasses(KindKarpenterClass, "karpenter", func(s *snapshot.Snapshot) *map[string]snapshot.NodeClass { return &s.KarpenterNodeClasses })
	f.nodeClasses(KindNodeTemplate, "karpenter", func(s *snapshot.Snapshot) *map[string]snapshot.NodeClass { return &s.KarpenterNodeTemplates })
	f.nodeClasses(KindAutoModeClass, "autoMode", func(s *snapshot.Snapshot) *map[string]snapshot.NodeClass { return &s.AutoModeNodeClasses })
	addTable(f, table[snapshot.AutoScalingGroup]{
		kind: KindAutoScaling, fact: snapshot.FactAutoScaling,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.AutoScalingGroup { return &s.AutoScalingGroups },
		about: func(g snapshot.AutoScalingGroup) string { return "instance profile " + text.OrNone(g.InstanceProfile) },
		fields: []field[snapshot.AutoScalingGroup]{
			single("launch template", func(g *snapshot.AutoScalingGroup) *string { return &g.LaunchTemplate }),
			single("launch configuration", func(g *snapshot.AutoScalingGroup) *string { return &g.LaunchConfiguration }),
			single("instance profile", func(g *snapshot.AutoScalingGroup) *string { return &g.InstanceProfile }),
			metadata(func(g *snapshot.AutoScalingGroup) **snapshot.MetadataOptions { return &g.Metadata }),
		},
	})
}

func (f *factParts) nodeClasses(kind ObjectKind, fact string, of func(*snapshot.Snapshot) *map[string]snapshot.NodeClass) {
	role := field[snapshot.NodeClass]{
		name:   "role",
		text:   func(c snapshot.NodeClass) string { return firstOf(c.RoleARN, c.Role) },
		copyTo: func(to *snapshot.NodeClass, from snapshot.NodeClass) { to.Role, to.RoleARN = from.Role, from.RoleARN },
	}
	profile := field[snapshot.NodeClass]{
		name: "instance profile",
		text: func(c snapshot.NodeClass) string { return snapshot.NameOf(firstOf(c.InstanceProfile, c.StatusProfile)) },
		same: func(a, b snapshot.NodeClass) bool {
			return a.InstanceProfile == b.InstanceProfile && a.StatusProfile == b.StatusProfile
		},
		copyTo: func(to *snapshot.NodeClass, from snapshot.NodeClass) {
			to.InstanceProfile, to.StatusProfile, to.ProfileARN = from.InstanceProfile, from.StatusProfile, from.ProfileARN
		},
	}
	conditions := field[snapshot.NodeClass]{
		name: "conditions that are not met",
		text: func(c snapshot.NodeClass) string {
			var types []string
			for _, condition := range c.Conditions {
				types = append(types, strings.TrimSpace(condition.Type+" "+condition.Status+" "+condition.Reason))
			}
			return listed(types)
		},
		same:   func(a, b snapshot.NodeClass) bool { return slices.Equal(conditionTexts(a), conditionTexts(b)) },
		copyTo: func(to *snapshot.NodeClass, from snapshot.NodeClass) { to.Conditions = from.Conditions },
	}
	addTable(f, table[snapshot.NodeClass]{
		kind: kind, fact: snapshot.FactNodeClasses, of: of, subject: func(string) string { return fact },
		about: func(c snapshot.NodeClass) string {
			if c.Role != "" {
				return "role " + c.Role
			}
			return "instance profile " + text.OrNone(firstOf(c.InstanceProfile, c.StatusProfile))
		},
		fields: []field[snapshot.NodeClass]{
			role, profile, single("AMI family", func(c *snapshot.NodeClass) *string { return &c.AMIFamily }), conditions,
			metadata(func(c *snapshot.NodeClass) **snapshot.MetadataOptions { return &c.Metadata }),
		},
	})
}

func conditionTexts(c snapshot.NodeClass) []string {
	var lines []string
	for _, condition := range c.Conditions {
		lines = append(lines, fmt.Sprintf("%q", condition))
	}
	slices.Sort(lines)
	return lines
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// findRoles are the facts by which roles are found.
var findRoles = []snapshot.Fact{
	snapshot.FactCluster, snapshot.FactNodeGroups, snapshot.FactNodes, snapshot.FactInstances, snapshot.FactInstanceProfiles, snapshot.FactNodeClasses,
	snapshot.FactAutoScaling, snapshot.FactAddons, snapshot.FactPodIdentity, snapshot.FactServiceAccount, snapshot.FactHybridEntries,
}
