package candidate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Names are what tools and AWS's pages call node roles, or a part of it.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html,
// auto-create-node-role.html; AWS's and eksctl's CloudFormation templates.
var Names = []string{"eksNodeRole", "AmazonEKSNodeRole", "NodeInstanceRole", "AmazonEKSAutoNodeRole"}

// Filter selects candidates.
type Filter struct {
	// Name is a part of the name, in any case.
	Name string
	// Fit wants only those that could serve nodes as they are; Unused only those of
	// which it is certain that nothing of EKS in the region uses them and, where the
	// cluster's node classes were to be read, none of these.
	Fit, Unused bool
}

// Preselect returns the ARNs of the roles that may be candidates, in order, by
// what costs little to read: name, use, trust and instance profiles.
func Preselect(a *snapshot.Account, f Filter) []string {
	j := newJudge(a)
	roles := slices.Collect(maps.Keys(a.Snapshot.Roles))
	for arn := range j.uses {
		if _, listed := a.Snapshot.Roles[arn]; !listed {
			roles = append(roles, arn)
		}
	}
	roles = slices.DeleteFunc(roles, func(arn string) bool { return !f.matches(arn) || !j.mayBe(arn) })
	slices.SortFunc(roles, func(a, b string) int {
		return cmp.Or(cmp.Compare(snapshot.NameOf(a), snapshot.NameOf(b)), cmp.Compare(a, b))
	})
	return roles
}

func (f Filter) matches(arn string) bool { return containsFold(snapshot.NameOf(arn), f.Name) }

// New judges the candidates of an account, ordered by name.
func New(a *snapshot.Account, f Filter) *List {
	j := newJudge(a)
	cluster := a.Snapshot.Cluster
	l := &List{
		Header:  finding.Header{APIVersion: finding.APIVersion, Kind: Kind},
		Account: cluster.Identity().Account, Region: cluster.Identity().Region, IPFamily: cluster.IPFamily,
		Items:   []Role{},
		Missing: slices.Concat(a.Unread, a.Snapshot.Missing),
	}
	if name := cluster.Identity().Name(); name != "*" {
		l.Cluster = name
	}
	for _, arn := range Preselect(a, f) {
		if a.Snapshot.Roles[arn].NotFound {
			continue // deleted since it was listed, or what uses it is broken
		}
		r := j.role(arn)
		switch {
		case len(r.Reasons) == 0:
		case f.Fit && r.Verdict.Status != Fit:
		case f.Unused && (len(r.UsedBy) > 0 || r.UsedByUnknown):
		default:
			l.Items = append(l.Items, r)
		}
	}
	return l
}

// judge answers questions about the roles of an account.
type judge struct {
	account *snapshot.Account
	// granted has what roles may do, trusting who may assume them. A role that
	// could not be read in full was still listed with its trust policy.
	granted, trusting *view.View
	uses              map[string][]Use    // by role ARN
	profiled          map[string]bool     // role ARNs with an instance profile
	nodePolicies      map[string][]string // AWS's policies for nodes, by the name of the role
}

func newJudge(a *snapshot.Account) *judge {
	listed := *a.Snapshot
	listed.Missing = slices.DeleteFunc(slices.Clone(listed.Missing), func(m snapshot.Missing) bool { return m.Fact == snapshot.FactRoles })
	j := &judge{
		account: a, granted: view.New(a.Snapshot), trusting: view.New(&listed),
		uses: map[string][]Use{}, profiled: map[string]bool{}, nodePolicies: map[string][]string{},
	}
	for _, policy := range slices.Sorted(maps.Keys(a.NodePolicies)) {
		for _, name := range a.NodePolicies[policy] {
			j.nodePolicies[name] = append(j.nodePolicies[name], snapshot.NameOf(policy))
		}
	}
	for name, c := range a.Clusters {
		j.use(c.Cluster, Use{Kind: UseCluster, Cluster: name})
		j.use(c.AutoMode, Use{Kind: UseAutoMode, Cluster: name})
		for group, arn := range c.NodeGroups {
			j.use(arn, Use{Kind: UseNodeGroup, Cluster: name, Name: group})
		}
		for profile, arn := range c.FargateProfiles {
			j.use(arn, Use{Kind: UseFargate, Cluster: name, Name: profile})
		}
	}
	j.useClasses(UseKarpenter, a.Snapshot.KarpenterNodeClasses)
	j.useClasses(UseNodeClass, a.Snapshot.AutoModeNodeClasses)
	for _, uses := range j.uses {
		slices.SortFunc(uses, func(a, b Use) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Name, b.Name))
		})
	}
	for _, p := range a.Snapshot.InstanceProfiles {
		for _, arn := range p.Roles {
			j.profiled[arn] = true
		}
	}
	return j
}

func (j *judge) use(arn string, u Use) {
	if arn != "" {
		j.uses[arn] = append(j.uses[arn], u)
	}
}

// useClasses notes the roles of the cluster's node classes: the one that a class
// names, and the one in its instance profile, which its nodes get.
func (j *judge) useClasses(kind UseKind, classes map[string]snapshot.NodeClass) {
	s := j.account.Snapshot
	for name, class := range classes {
		use := Use{Kind: kind, Cluster: s.Cluster.Identity().Name(), Name: name}
		j.use(class.RoleARN, use)
		for _, arn := range s.InstanceProfiles[class.ProfileARN].Roles {
			if arn != class.RoleARN {
				j.use(arn, use)
			}
		}
	}
}

// The facts by which the uses of roles are known.
var (
	usesOfAnyKind   = []snapshot.Fact{snapshot.FactOtherClusters, snapshot.FactNodeGroups, snapshot.FactNodeClasses, snapshot.FactFargateProfiles}
	usesNotToShare  = []snapshot.Fact{snapshot.FactOtherClusters, snapshot.FactFargateProfiles}
	usesAsNodeRoles = []UseKind{UseNodeGroup, UseAutoMode, UseKarpenter, UseNodeClass}
)

func (j *judge) usesUnread(facts ...snapshot.Fact) bool {
	return slices.ContainsFunc(j.account.Unread, func(m snapshot.Missing) bool { return slices.Contains(facts, m.Fact) })
}

// profilesUnread reports whether not all instance profiles are known.
func (j *judge) profilesUnread() bool {
	return slices.ContainsFunc(j.account.Unread, func(m snapshot.Missing) bool { return m.Fact == snapshot.FactRoleProfiles })
}

// mayBe reports whether a role passes the checks that cost little.
func (j *judge) mayBe(arn string) bool {
	if a, ok := snapshot.ParseARN(arn); ok && strings.HasPrefix(a.Resource, "role/aws-service-role/") {
		return false // only the service itself can use it
	}
	return nameOf(arn) != "" || len(j.nodeUses(arn)) > 0 || j.mayLaunch(arn) || len(j.attached(arn)) > 0
}

// attached are the names of AWS's policies for nodes on a role that EC2 may assume, as
// far as that was read. Managed node groups and Karpenter make the instance profile.
func (j *judge) attached(arn string) []string {
	if trust := j.trust(arn); trust != Allowed && trust != Depends {
		return nil
	}
	return j.nodePolicies[snapshot.NameOf(arn)]
}

// mayLaunch reports whether EC2 may give the role to an instance, as far as that
// was read.
func (j *judge) mayLaunch(arn string) bool {
	trust := j.trust(arn)
	return (trust == Allowed || trust == Depends) && (j.profiled[arn] || j.profilesUnread())
}

// nameOf returns the part of a role's name that node roles are known by.
func nameOf(arn string) string {
	i := slices.IndexFunc(Names, func(part string) bool { return containsFold(snapshot.NameOf(arn), part) })
	if i < 0 {
		return ""
	}
	return Names[i]
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func (j *judge) nodeUses(arn string) []Use {
	return slices.DeleteFunc(slices.Clone(j.uses[arn]), func(u Use) bool { return !slices.Contains(usesAsNodeRoles, u.Kind) })
}

// role judges one role. Without Reasons it is not a candidate.
func (j *judge) role(arn string) Role {
	facts := j.account.Snapshot.Roles[arn]
	granted := j.granted.Role(arn)
	r := Role{
		Name: snapshot.NameOf(arn), ARN: arn, CreatedAt: facts.CreatedAt,
		Trust:       j.trust(arn),
		Worker:      all(granted, need.Worker),
		ECR:         all(granted, need.Pull),
		CNI:         some(granted, j.indicative()),
		PodIdentity: all(granted, need.PodIdentityAgent),
		UsedBy:      append([]Use{}, j.uses[arn]...), UsedByUnknown: j.usesUnread(usesOfAnyKind...),
	}
	used, known := j.account.LastUsed[arn]
	r.LastUsedAt, r.LastUsedUnknown = used, !known
	r.Reasons = j.reasons(arn)
	r.Verdict = j.verdict(r)
	return r
}

// indicative is what only a CNI uses, for either IP family where the
// cluster's is not known.
func (j *judge) indicative() []need.Action {
	if family := j.account.Snapshot.Cluster.IPFamily; family != "" {
		return need.CNI{IPFamily: family}.Indicative()
	}
	return need.Indicative()
}

// reasons say why a role is a candidate.
func (j *judge) reasons(arn string) []string {
	var reasons []string
	if part := nameOf(arn); part != "" {
		reasons = append(reasons, "its name contains "+part)
	}
	for _, u := range j.nodeUses(arn) {
		reasons = append(reasons, u.String()+" uses it")
	}
	if names := j.attached(arn); len(names) > 0 {
		reason := "EC2 may assume it, and it has " + strings.Join(names, " and ")
		if j.trust(arn) == Depends {
			reason = "on a condition " + reason
		}
		reasons = append(reasons, reason)
	}
	if !j.mayLaunch(arn) {
		return reasons
	}
	reason := "EC2 may assume it, it has an instance profile"
	if !j.profiled[arn] {
		reason = "EC2 may assume it, whether it has an instance profile was not read"
	}
	if j.trust(arn) == Depends {
		reason = "on a condition " + reason
	}
	var may []string
	unknown := false
	for _, a := range slices.Concat(need.Worker, need.Pull) {
		switch j.granted.Role(arn).Can(a).Verdict {
		case view.Allowed, view.Depends:
			may = append(may, a.Name)
		case view.Unknown:
			unknown = true
		case view.Denied:
		}
	}
	switch {
	case len(may) > 0:
		reasons = append(reasons, reason+", and it may do "+strings.Join(may, ", "))
	case unknown:
		reasons = append(reasons, reason+", and what it may do was not read in full")
	}
	return reasons
}

func (j *judge) verdict(r Role) Verdict {
	for _, u := range r.UsedBy {
		switch u.Kind {
		case UseCluster:
			return Verdict{Taken, "is the cluster role of " + u.Cluster}
		case UseFargate:
			return Verdict{Taken, "is the pod execution role of profile " + u.Name + " of " + u.Cluster}
		case UseNodeGroup, UseAutoMode, UseKarpenter, UseNodeClass: // may be shared
		}
	}
	questions := []struct {
		word   string
		answer Answer
	}{{"trust", r.Trust}, {"worker", r.Worker}, {"ECR", r.ECR}}
	that := map[Answer][]string{}
	for _, q := range questions {
		that[q.answer] = append(that[q.answer], q.word)
	}
	shareUnknown := j.usesUnread(usesNotToShare...)
	// Auto Mode's nodes call nothing of what other nodes need to join.
	forAutoMode := r.Worker == Denied && r.PodIdentity == Allowed &&
		!slices.ContainsFunc(r.UsedBy, func(u Use) bool { return u.Kind == UseNodeGroup || u.Kind == UseKarpenter })
	switch {
	case forAutoMode && r.Trust == Allowed && r.ECR == Allowed && !shareUnknown:
		return Verdict{FitAutoMode, "could serve EKS Auto Mode"}
	case len(that[Denied]) > 0:
		return Verdict{Lacks, "lacks: " + strings.Join(that[Denied], ", ")}
	case len(that[Unknown]) > 0:
		return Verdict{NotJudged, "not read: " + strings.Join(that[Unknown], ", ")}
	case shareUnknown:
		return Verdict{NotJudged, "not read: what else uses it"}
	case len(that[Depends]) > 0:
		return Verdict{Conditional, "depends on conditions: " + strings.Join(that[Depends], ", ")}
	default:
		return Verdict{Fit, "could serve as it is"}
	}
}

// trust answers whether EC2 may assume a role, by any of its names.
func (j *judge) trust(arn string) Answer {
	var answers []Answer
	for _, session := range j.trusting.InstanceSessions() {
		answers = append(answers, answerOf(j.trusting.Role(arn).TrustAllows(session, "sts:AssumeRole")))
	}
	return first(answers, Allowed, Unknown, Depends, Denied)
}

// all answers whether a role may do all of the actions.
func all(r *view.Role, actions []need.Action) Answer {
	return first(ask(r, actions), Denied, Unknown, Depends, Allowed)
}

// some answers whether a role may do any of the actions.
func some(r *view.Role, actions []need.Action) Answer {
	return first(ask(r, actions), Allowed, Depends, Unknown, Denied)
}

func ask(r *view.Role, actions []need.Action) []Answer {
	var answers []Answer
	for _, a := range actions {
		answers = append(answers, answerOf(r.Can(a)))
	}
	return answers
}

func answerOf(a view.Answer) Answer {
	switch a.Verdict {
	case view.Allowed:
		return Allowed
	case view.Denied:
		return Denied
	case view.Depends:
		return Depends
	case view.Unknown:
		return Unknown
	default:
		return Unknown
	}
}

// first returns the first of the answers, in this order, that was given.
func first(given []Answer, order ...Answer) Answer {
	for _, a := range order {
		if slices.Contains(given, a) {
			return a
		}
	}
	return Unknown
}
