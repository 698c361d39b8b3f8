package iac

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/managed"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Build returns a snapshot for each cluster that the code declares, or that something in the
// code is for, ordered by ARN. Its errors are *problem.Error.
func Build(code *Code) ([]*snapshot.Snapshot, error) {
	b := &builder{code: code, arns: map[string]string{}}
	targets := b.targets()
	if len(targets) == 0 {
		return nil, b.noCluster()
	}
	b.alone = len(targets) == 1
	for _, t := range targets {
		if err := b.located(t); err != nil {
			return nil, err
		}
	}
	b.nameResources()
	snapshots := make([]*snapshot.Snapshot, 0, len(targets))
	for _, t := range targets {
		snapshots = append(snapshots, b.build(t))
	}
	slices.SortFunc(snapshots, func(x, y *snapshot.Snapshot) int { return cmp.Compare(x.Cluster.ARN, y.Cluster.ARN) })
	return snapshots, nil
}

// noCluster is the error of code without a cluster.
func (b *builder) noCluster() error {
	values := b.clusterValues()
	for _, u := range b.code.Unsure {
		if u.Fact == snapshot.FactAutoScaling {
			values = append(values, u.Why)
		}
	}
	for _, v := range values {
		if v.Unknown != "" {
			return &problem.Error{
				Problem: fmt.Sprintf("%s does not say which EKS cluster its nodes are for: %s", b.code.File, v.Unknown),
				Next:    "check it together with the " + b.code.Kind + " that has the cluster, or give the value",
			}
		}
	}
	return &problem.Error{
		Problem: fmt.Sprintf("%s has no EKS cluster, and nothing in it is for one", b.code.File),
		Next:    "check the " + b.code.Kind + " that has the cluster, its node groups or its access entries",
	}
}

// builder makes snapshots of one Code.
type builder struct {
	code *Code
	// alone is set where there is only one cluster.
	alone bool
	// arns are the ARNs of the roles, policies and instance profiles of the code, by
	// address.
	arns map[string]string
}

// target is a cluster that a snapshot is made for: one of the code, or one that only its
// name says.
type target struct {
	*Cluster
	name string
}

// created reports whether the code creates the cluster.
func (t target) created() bool { return t.Cluster != nil && !t.Existed && !t.Read }

// declared reports whether the cluster is part of the code.
func (t target) declared() bool { return t.Cluster != nil && !t.Read }

// targets are the clusters of the code and those that something in it names.
func (b *builder) targets() []target {
	var targets []target
	for i := range b.code.Clusters {
		c := &b.code.Clusters[i]
		if !slices.ContainsFunc(targets, func(t target) bool { return b.same(*t.Cluster, *c) }) {
			targets = append(targets, target{c, cmp.Or(c.Name.Text, c.Address)})
		}
	}
	for _, v := range b.clusterValues() {
		if v.Text != "" && !slices.ContainsFunc(targets, func(t target) bool { return t.name == v.Text }) {
			targets = append(targets, target{nil, v.Text})
		}
	}
	return slices.DeleteFunc(targets, func(t target) bool { return t.Cluster != nil && t.Read && !b.used(t) })
}

// used reports whether something in the code is for a cluster.
func (b *builder) used(t target) bool {
	return slices.ContainsFunc(b.clusterValues(), func(v Value) bool { return b.of(t, v) })
}

// clusterValues are the names of clusters that make or map nodes.
func (b *builder) clusterValues() []Value {
	var values []Value
	for _, g := range b.code.NodeGroups {
		values = append(values, g.Cluster)
	}
	for _, e := range b.code.AccessEntries {
		if nodeEntry(e.Type.Text) {
			values = append(values, e.Cluster)
		}
	}
	for _, g := range b.code.Groups {
		values = append(values, g.Cluster)
	}
	for _, c := range b.code.NodeClasses {
		values = append(values, c.Cluster)
	}
	return values
}

// of reports whether a cluster's name is that of a target.
func (b *builder) of(t target, cluster Value) bool {
	if t.Cluster != nil && cluster.Resource != "" {
		return slices.ContainsFunc(b.code.Clusters, func(c Cluster) bool { return c.Address == cluster.Resource && b.same(*t.Cluster, c) })
	}
	return cluster.Text != "" && (cluster.Text == t.name || t.Cluster != nil && cluster.Text == t.ARN)
}

// same reports whether two clusters of the code are one: the second is the first, or is only
// read and has its name.
func (b *builder) same(x, y Cluster) bool {
	return x.Address == y.Address || y.Read && y.Name.Text != "" && x.Name.Text == y.Name.Text && b.place(x.Place) == b.place(y.Place)
}

// located completes the place of the code from a cluster, and asks for what is not known.
func (b *builder) located(t target) error {
	p := b.placeOf(t)
	switch {
	case p.Account == "":
		return &problem.Error{
			Problem: fmt.Sprintf("%s does not say in which AWS account cluster %s is", b.code.File, t.name),
			Next:    "give the account: --account 111122223333",
		}
	case p.Region == "":
		return &problem.Error{
			Problem: fmt.Sprintf("%s does not say in which AWS region cluster %s is", b.code.File, t.name),
			Next:    "give the region, such as --region eu-west-1",
		}
	}
	return nil
}

func (b *builder) placeOf(t target) Place {
	if t.Cluster == nil {
		return b.code.Place
	}
	if a, ok := snapshot.ParseARN(t.ARN); ok {
		return Place{Partition: a.Partition, Region: a.Region, Account: a.Account}
	}
	return b.place(t.Place)
}

// place completes what is known of a resource's place.
func (b *builder) place(p Place) Place {
	all := b.code.Place
	region := cmp.Or(p.Region, all.Region)
	return Place{Partition: cmp.Or(p.Partition, all.Partition, "aws"), Region: region, Account: cmp.Or(p.Account, all.Account)}
}

// afterApply stands in for the part of a name that AWS chooses.
const afterApply = "(after apply)"

// StandIn is the name of something in IAM, of which only the beginning is known.
func StandIn(prefix string) string { return prefix + afterApply }

// in is the ARN of something with the name.
func (n Name) in(p Place, kind string) string {
	path := "/" + strings.Trim(n.Path, "/") + "/"
	if path == "//" {
		path = "/"
	}
	return fmt.Sprintf("arn:%s:iam::%s:%s%s%s", p.Partition, p.Account, kind, path, cmp.Or(n.Name.Text, n.Prefix+afterApply))
}

// nameResources gives roles, policies and instance profiles their ARNs.
func (b *builder) nameResources() {
	taken := map[string]bool{}
	add := func(d Declared, n Name, kind string) {
		arn := n.ARN
		if arn == "" {
			if n.Name.Text == "" && n.Prefix == "" {
				n.Prefix = blockName(d.Address) + "-"
			}
			arn = n.in(b.place(d.Place), kind)
			for base, i := arn, 2; taken[arn] && n.Name.Text == ""; i++ {
				arn = fmt.Sprintf("%s-%d", base, i)
			}
		}
		taken[arn] = true
		b.arns[d.Address] = arn
	}
	for _, r := range b.code.Roles {
		add(r.Declared, r.Name, "role")
	}
	for _, p := range b.code.Policies {
		add(p.Declared, p.Name, "policy")
	}
	for _, p := range b.code.Profiles {
		add(p.Declared, p.Name, "instance-profile")
	}
}

// blockName is the last part of an address, without the key.
func blockName(address string) string {
	if i := strings.LastIndexByte(address, '['); i >= 0 && strings.HasSuffix(address, "]") {
		address = address[:i]
	}
	return address[strings.LastIndexByte(address, '.')+1:]
}

// work is a snapshot as it is made.
type work struct {
	*builder
	target
	s  *snapshot.Snapshot
	at Place
	// base are the facts that the code is applied to; nil where there are none.
	base *snapshot.Snapshot
}

func (b *builder) build(t target) *snapshot.Snapshot {
	w := &work{builder: b, target: t, at: b.placeOf(t)}
	w.s = &snapshot.Snapshot{
		APIVersion: snapshot.APIVersion, Kind: snapshot.Kind, Read: snapshot.LaterFacts(),
		Cluster: snapshot.Cluster{ARN: fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", w.at.Partition, w.at.Region, w.at.Account, t.name)},
	}
	if at, err := time.Parse(time.RFC3339, b.code.At); err == nil {
		w.s.Source.CollectedAt = at.UTC()
	}
	w.s.Source.Code = b.code.Kind
	w.fill()
	w.nodesElsewhere()
	w.entriesElsewhere()
	w.unseen()
	sortMissing(w.s)
	return w.s
}

// fill adds to the snapshot what the code has.
func (w *work) fill() {
	w.cluster()
	w.otherClusters()
	w.nodeGroups()
	w.fargateProfiles()
	w.nodeClasses()
	w.groups()
	w.accessEntries()
	w.awsAuth()
	w.addons()
	w.awsNode()
	w.unsure()
	w.clusterRole()
}

// nodesElsewhere notes, for a cluster without anything that starts nodes, that other code may
// start them.
func (w *work) nodesElsewhere() {
	s := w.s
	auto := s.Cluster.AutoMode != nil && s.Cluster.AutoMode.NodeRoleARN != "" // else its own node classes have the roles
	if len(s.NodeGroups)+len(s.KarpenterNodeClasses)+len(s.AutoModeNodeClasses)+len(s.AutoScalingGroups)+len(s.MappedRoles) == 0 && !auto {
		w.missing(snapshot.FactNodeGroups, "", w.elsewhere("what starts nodes of cluster "+w.name+" is"))
	}
}

// sortMissing puts what is missing in the order of a snapshot, each once.
func sortMissing(s *snapshot.Snapshot) {
	slices.SortStableFunc(s.Missing, func(x, y snapshot.Missing) int {
		return cmp.Or(cmp.Compare(slices.Index(snapshot.Facts, x.Fact), slices.Index(snapshot.Facts, y.Fact)), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.Error, y.Error))
	})
	s.Missing = slices.Compact(s.Missing)
}

// missing notes a fact that the code does not show. What is outside of the code is among the
// facts that the code is applied to.
func (w *work) missing(fact snapshot.Fact, subject string, why Value) {
	if w.base != nil && why.outside && fact != snapshot.FactRoles && fact != snapshot.FactPolicies && fact != snapshot.FactInstanceProfiles {
		return
	}
	w.s.Missing = append(w.s.Missing, snapshot.Missing{Fact: fact, Subject: subject, Operation: w.code.Command, Error: why.Unknown, Until: why.Until})
}

// elsewhere is the reason for a fact that is not part of the code.
func (w *work) elsewhere(what string) Value {
	return Value{Unknown: fmt.Sprintf("%s not in the %s", what, w.code.Kind), outside: true}
}

// derived notes a fact that follows from what EKS does.
func (w *work) derived(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !slices.Contains(w.s.Source.Derived, line) {
		w.s.Source.Derived = append(w.s.Source.Derived, line)
	}
}

func (w *work) declare(arn string, d Declared) {
	if w.s.Places == nil {
		w.s.Places = map[string]snapshot.Place{}
	}
	w.s.Places[arn] = snapshot.Place{Address: d.Address, File: d.File, Line: d.Line}
}

func (w *work) cluster() {
	c := &w.s.Cluster
	if w.Cluster == nil {
		w.missing(snapshot.FactCluster, "", w.elsewhere("cluster "+w.name+" is"))
		return
	}
	w.declare(c.ARN, w.Declared)
	if w.base == nil { // AWS does not change these, or knows better
		c.Version, c.OIDCIssuer, c.RemoteNodeNetworks = w.Version, w.Issuer.Text, w.RemoteNetworks
		c.LocalControlPlane = w.LocalControlPlane
		c.IPFamily = w.IPFamily.Text
		if w.IPFamily.Empty() {
			c.IPFamily = "ipv4" // EKS's default
		}
		if w.IPFamily.Unknown != "" {
			w.missing(snapshot.FactCluster, "", w.IPFamily)
		}
	}
	c.AuthenticationMode = cmp.Or(w.Mode.Text, c.AuthenticationMode)
	switch {
	case w.Mode.Unknown != "":
		w.missing(snapshot.FactCluster, "", w.Mode)
	case w.Mode.Empty() && c.AuthenticationMode == "":
		// Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessConfigRequest.html
		c.AuthenticationMode = "CONFIG_MAP"
		w.derived("the authentication mode is CONFIG_MAP: the %s sets none, and that is the default of EKS's API", w.code.Kind)
	}
	if w.base == nil {
		role, why := w.roleARN(w.Role)
		c.RoleARN = role
		if why.Unknown != "" {
			w.missing(snapshot.FactCluster, "", why)
		}
	}
	switch {
	case w.AutoModeUnknown.Unknown != "":
		w.missing(snapshot.FactCluster, "", w.AutoModeUnknown)
	case w.AutoMode != nil:
		c.AutoMode = &snapshot.AutoMode{NodePools: w.AutoMode.Pools}
		role, why := w.roleARN(w.AutoMode.Role)
		if why.Unknown != "" {
			w.missing(snapshot.FactNodeGroups, "", why)
			return
		}
		c.AutoMode.NodeRoleARN = role
		w.role(role)
		if role != "" {
			w.deriveEntry(role, "EC2", "the built-in node pools of EKS Auto Mode")
		}
	}
}

// roleARN resolves what names a role; the reason is set where that is not possible.
func (w *work) roleARN(v Value) (arn string, why Value) { return w.iamARN(v, "role") }

// iamARN resolves what names a role, a policy or an instance profile.
func (w *work) iamARN(v Value, kind string) (arn string, why Value) {
	switch {
	case v.Empty():
		return "", Value{}
	case v.Unknown != "":
		return "", v
	case v.Resource != "":
		if arn, ok := w.arns[v.Resource]; ok {
			return arn, Value{}
		}
		return "", Unknown(v.Resource + " is known only after apply")
	case strings.HasPrefix(v.Text, "arn:"):
		return v.Text, Value{}
	}
	for _, arn := range w.knownARNs() {
		if a, ok := snapshot.ParseARN(arn); ok && strings.HasPrefix(a.Resource, kind+"/") && a.Name() == v.Text {
			return arn, Value{}
		}
	}
	return fmt.Sprintf("arn:%s:iam::%s:%s/%s", w.at.Partition, w.at.Account, kind, strings.TrimPrefix(v.Text, "/")), Value{}
}

// knownARNs are the ARNs of the code's roles, policies and instance profiles, in order.
func (b *builder) knownARNs() []string { return slices.Sorted(maps.Values(b.arns)) }

// otherClusters are those of the code. Others of the account are not known, but a role that
// the code creates is not theirs.
func (w *work) otherClusters() {
	for _, c := range w.code.Clusters {
		if c.Address == "" || w.Cluster != nil && w.same(*w.Cluster, c) {
			continue
		}
		p := w.placeOf(target{Cluster: &c})
		arn := cmp.Or(c.ARN, fmt.Sprintf("arn:%s:eks:%s:%s:cluster/%s", p.Partition, p.Region, p.Account, cmp.Or(c.Name.Text, c.Address)))
		role, why := w.roleARN(c.Role)
		if why.Unknown != "" {
			w.missing(snapshot.FactOtherClusters, arn, why)
			continue
		}
		put(&w.s.OtherClusters, arn, snapshot.OtherCluster{RoleARN: role})
	}
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

// belongs reports whether something of the code is for the target's cluster; the reason is
// set where that is not known.
func (w *work) belongs(cluster Value) (is bool, why Value) {
	switch {
	case cluster.Unknown != "":
		return false, cluster
	case w.of(w.target, cluster), cluster.Empty() && w.alone:
		return true, Value{}
	case slices.ContainsFunc(w.code.Clusters, func(c Cluster) bool { return c.Read && c.Address == cluster.Resource && c.Name.Unknown != "" }):
		return false, Unknown(fmt.Sprintf("which cluster %s is, is known only after apply", cluster.Resource))
	case w.Cluster != nil && w.Name.Unknown != "" && cluster.Text != "":
		return false, Unknown(fmt.Sprintf("whether cluster %s is %s is known only after apply", cluster.Text, w.Address))
	}
	return false, Value{}
}

// mine is belongs, and notes a fact that is not known.
func (w *work) mine(cluster Value, fact snapshot.Fact, subject string) bool {
	is, why := w.belongs(cluster)
	if why.Unknown != "" {
		w.missing(fact, subject, why)
	}
	return is
}

// label is a name for people and for the keys of a snapshot.
func label(name Value, d Declared) string { return cmp.Or(name.Text, d.Address) }

func (w *work) nodeGroups() {
	for _, g := range w.code.NodeGroups {
		name := label(g.Name, g.Declared)
		if completed := g.Prefix + afterApply; g.Name.Text == "" && g.Prefix != "" && !has(w.s.NodeGroups, completed) {
			name = completed
		}
		if !w.mine(g.Cluster, snapshot.FactNodeGroups, name) {
			continue
		}
		role, why := w.roleARN(g.Role)
		group := w.s.NodeGroups[name]
		group.NodeRoleARN, group.AMIType = role, cmp.Or(g.AMIType, group.AMIType)
		if g.LaunchTemplate && group.LaunchTemplate == "" {
			group.LaunchTemplate = g.Address
		}
		put(&w.s.NodeGroups, name, group)
		if role == "" {
			if why.Unknown == "" {
				why = Unknown("the node role of " + g.Address + " is not known")
			}
			w.missing(snapshot.FactNodeGroups, name, why)
			continue
		}
		w.role(role)
		group.Metadata = w.metadata(g.Metadata, role, group.Metadata)
		if group.Metadata == nil && group.LaunchTemplate == "" && strings.HasPrefix(group.AMIType, "AL2023_") {
			// Source: https://docs.aws.amazon.com/eks/latest/userguide/al2023.html
			group.Metadata = &snapshot.MetadataOptions{HTTPTokens: "required", HopLimit: 1}
			w.derived("EKS requires tokens and sets a hop limit of 1 in the launch template that it makes for managed node group %s, whose AMI is of Amazon Linux 2023", name)
		}
		w.s.NodeGroups[name] = group
		kind := "EC2_LINUX"
		if strings.HasPrefix(g.AMIType, "WINDOWS") {
			kind = "EC2_WINDOWS"
		}
		w.deriveEntry(role, kind, "managed node group "+name)
	}
	if !w.declared() {
		w.missing(snapshot.FactNodeGroups, "", w.elsewhere("other node groups of the cluster are"))
	}
}

// The user name and groups of the access entries that EKS creates.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
const nodeUser = "system:node:{{EC2PrivateDNSName}}"

// deriveEntry notes the access that EKS gives a role, in whichever way the cluster uses.
func (w *work) deriveEntry(role, kind, source string) {
	name := snapshot.NameOf(role)
	if w.s.Cluster.AuthenticationMode == "CONFIG_MAP" {
		w.derived("EKS maps %s in aws-auth, for %s", name, source)
		return // awsAuth writes it
	}
	if _, ok := w.s.AccessEntries[role]; ok && w.base != nil {
		return
	} else if !ok {
		entry := snapshot.AccessEntry{Type: kind, Username: nodeUser, Groups: []string{"system:nodes"}}
		if kind == "EC2" {
			entry.Username = "system:node:{{SessionName}}"
			entry.Policies = map[string][]string{fmt.Sprintf("arn:%s:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy", w.at.Partition): nil}
		}
		put(&w.s.AccessEntries, role, entry)
	}
	w.derived("EKS gives %s access to the cluster, for %s", name, source)
}

func (w *work) fargateProfiles() {
	for _, p := range w.code.FargateProfiles {
		name := label(p.Name, p.Declared)
		if !w.mine(p.Cluster, snapshot.FactFargateProfiles, name) {
			continue
		}
		role, why := w.roleARN(p.Role)
		if why.Unknown != "" {
			w.missing(snapshot.FactFargateProfiles, name, why)
		}
		profile := w.s.FargateProfiles[name]
		profile.PodExecutionRoleARN = role
		put(&w.s.FargateProfiles, name, profile)
	}
	if !w.declared() {
		w.missing(snapshot.FactFargateProfiles, "", w.elsewhere("Fargate profiles of the cluster are"))
	}
}

func (w *work) nodeClasses() {
	for _, c := range w.code.NodeClasses {
		subject := c.Kind + "/" + c.Name
		if !w.mine(c.Cluster, snapshot.FactNodeClasses, subject) {
			continue
		}
		class := snapshot.NodeClass{AMIFamily: c.AMIFamily} // of a class that is replaced, nothing else stays
		role, why := w.roleARN(c.Role)
		if why.Unknown == "" && !c.Role.Empty() {
			class.Role, class.RoleARN = w.written(c.Role, role), role
			w.role(role)
		}
		if why.Unknown == "" && !c.Profile.Empty() {
			var profile string
			profile, why = w.iamARN(c.Profile, "instance-profile")
			if why.Unknown == "" {
				class.InstanceProfile, class.ProfileARN = w.written(c.Profile, profile), profile
				w.profile(profile)
			}
		}
		if why.Unknown != "" {
			w.missing(snapshot.FactNodeClasses, subject, why)
			continue
		}
		class.Metadata = w.metadata(c.Metadata, cmp.Or(role, w.roleOf(class.ProfileARN)), nil)
		if c.Kind == AutoModeClass {
			put(&w.s.AutoModeNodeClasses, c.Name, class)
		} else {
			put(&w.s.KarpenterNodeClasses, c.Name, class)
		}
	}
	if !w.declared() {
		w.missing(snapshot.FactNodeClasses, "", w.elsewhere("other node classes of the cluster are"))
	}
}

// written is how a node class names a role or profile: an ARN where the code has one.
func (w *work) written(v Value, arn string) string { return cmp.Or(v.Text, snapshot.NameOf(arn)) }

// profile adds an instance profile with its role.
func (w *work) profile(arn string) {
	for _, p := range w.code.Profiles {
		if w.arns[p.Address] != arn {
			continue
		}
		role, why := w.roleARN(p.Role)
		if why.Unknown != "" {
			w.missing(snapshot.FactInstanceProfiles, arn, why)
			return
		}
		var roles []string
		if role != "" {
			roles = []string{role}
			w.role(role)
		}
		put(&w.s.InstanceProfiles, arn, snapshot.InstanceProfile{Roles: roles})
		w.declare(arn, p.Declared)
		return
	}
	if has(w.s.InstanceProfiles, arn) {
		return // among the facts that the code is applied to
	}
	w.missing(snapshot.FactInstanceProfiles, arn, w.elsewhere("instance profile "+snapshot.NameOf(arn)+" is"))
}

func (w *work) groups() {
	for _, g := range w.code.Groups {
		if !w.mine(g.Cluster, snapshot.FactAutoScaling, g.Name) {
			continue
		}
		profile, why := w.iamARN(g.Profile, "instance-profile")
		if why.Unknown != "" {
			w.missing(snapshot.FactAutoScaling, g.Name, why)
		} else if profile != "" {
			w.profile(profile)
		}
		put(&w.s.AutoScalingGroups, g.Name, snapshot.AutoScalingGroup{
			LaunchTemplate: g.Template, InstanceProfile: profile, Instances: w.s.AutoScalingGroups[g.Name].Instances,
			Metadata: w.metadata(g.Metadata, w.roleOf(profile), w.s.AutoScalingGroups[g.Name].Metadata),
		})
	}
}

// roleOf is the role in an instance profile; empty where that is not known.
func (w *work) roleOf(profile string) string {
	if roles := w.s.InstanceProfiles[profile].Roles; len(roles) > 0 {
		return roles[0]
	}
	return ""
}

// metadata are the options that new instances with a role get, or those from before where the
// code does not have them. What of them is not known is noted, where it decides something.
func (w *work) metadata(m *Metadata, role string, before *snapshot.MetadataOptions) *snapshot.MetadataOptions {
	if m == nil {
		return before
	}
	options := &snapshot.MetadataOptions{HTTPTokens: m.Tokens.Text, HTTPEndpoint: m.Endpoint.Text}
	if hops, err := strconv.ParseInt(m.HopLimit.Text, 10, 32); err == nil {
		options.HopLimit = int32(hops)
	}
	why := cmp.Or(m.Tokens.unknown(), m.Endpoint.unknown(), m.HopLimit.unknown())
	if exposed, decided := options.Exposed(); why.Unknown != "" && (!decided || exposed != "" && m.Endpoint.Unknown != "") && role != "" {
		w.missing(snapshot.FactMetadata, role, why)
		return nil
	}
	return options
}

// unsure notes what may be a fact of the cluster.
func (w *work) unsure() {
	for _, u := range w.code.Unsure {
		if is, why := w.belongs(u.Cluster); is || why.Unknown != "" || u.Cluster.Empty() {
			w.missing(u.Fact, u.Subject, u.Why)
		}
	}
}

// unseen says what code does not show.
func (w *work) unseen() {
	s := &w.s.Source
	if w.created() {
		s.Unseen = append(s.Unseen, fmt.Sprintf("what is done outside the %s, such as policies that others attach and objects that Helm or kubectl create", w.code.Kind))
	} else {
		s.Unseen = append(s.Unseen, fmt.Sprintf("nodes, pods and events, and what was created outside the %s", w.code.Kind))
	}
	w.copies()
}

// copies says that copies of AWS's managed policies were judged.
func (w *work) copies() {
	line := "changes of AWS's managed policies since " + managed.AsOf() + ": copies of that day were judged"
	for arn, policy := range w.s.Policies {
		if copied, ok := managed.Policy(arn); ok && policy == copied && !slices.Contains(w.s.Source.Unseen, line) {
			w.s.Source.Unseen = append(w.s.Source.Unseen, line)
		}
	}
}
