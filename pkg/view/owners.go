package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// OwnerKind says what a role is used for besides nodes.
type OwnerKind string

// The kinds of owners, as people read them.
const (
	ClusterOwner  OwnerKind = "cluster"
	FargateOwner  OwnerKind = "Fargate profile"
	WorkloadOwner OwnerKind = "workload" // pods, by an OIDC provider or EKS Pod Identity
	PersonOwner   OwnerKind = "person"   // an AWS principal or a SAML provider
	// ReplacedProfile is no owner but a mistake: an instance got the role after it had
	// joined with another one.
	ReplacedProfile OwnerKind = "replaced instance profile"
)

// Owner is something besides nodes that uses a role. The trust policy, the permissions
// and the access of such a role are not changed for the sake of nodes: these get a role
// of their own.
type Owner struct {
	Kind OwnerKind
	// Name is the cluster, the Fargate profile, the service account, the principal or
	// the instance.
	Name string
	// Evidence says where that was read.
	Evidence string
}

// String returns the owner as a noun phrase.
func (o Owner) String() string {
	switch o.Kind {
	case ClusterOwner:
		return "the role of cluster " + o.Name
	case FargateOwner:
		return "the pod execution role of Fargate profile " + o.Name
	case WorkloadOwner:
		return "a role of pods (" + o.Name + ")"
	case PersonOwner:
		return "a role of " + o.Name
	case ReplacedProfile:
		return "not the role that instance " + o.Name + " joined with"
	default:
		return string(o.Kind) + " " + o.Name
	}
}

// Owners returns what besides nodes uses a role, in a fixed order. A role that pods
// assume counts whether or not EC2 may assume it too; a role that people assume counts
// only where EC2 may not, as an administrator may assume many a node role.
func (v *View) Owners(roleARN string) []Owner {
	s := v.Snapshot
	var owners []Owner
	add := func(kind OwnerKind, name, evidence string) {
		owners = append(owners, Owner{Kind: kind, Name: name, Evidence: evidence})
	}
	if s.Cluster.RoleARN == roleARN && roleARN != "" {
		add(ClusterOwner, v.Place.Cluster, fmt.Sprintf("eks:DescribeCluster %s: roleArn %s", v.Place.Cluster, roleARN))
	}
	for arn, other := range sortedPairs(s.OtherClusters) {
		if other.RoleARN == roleARN && roleARN != "" {
			add(ClusterOwner, snapshot.NameOf(arn), fmt.Sprintf("eks:DescribeCluster %s: roleArn %s", snapshot.NameOf(arn), roleARN))
		}
	}
	for name, profile := range sortedPairs(s.FargateProfiles) {
		if profile.PodExecutionRoleARN == roleARN && roleARN != "" {
			add(FargateOwner, name, fmt.Sprintf("eks:DescribeFargateProfile %s: podExecutionRoleArn %s", name, roleARN))
		}
	}
	role := v.Role(roleARN)
	ec2 := role.TrustsEC2()
	for _, t := range role.trustees() {
		if t.kind == WorkloadOwner || !ec2 {
			add(t.kind, t.name, fmt.Sprintf("trust policy statement %d: %s", t.statement+1, t.principal))
		}
	}
	for _, m := range v.MisplacedInstances() {
		if m.RoleARN == roleARN && m.Alone {
			add(ReplacedProfile, m.Instance, strings.Join(m.Evidence, "; "))
		}
	}
	return owners
}

// ServiceAccounts returns the subjects, such as system:serviceaccount:NAMESPACE:NAME,
// that the role's trust policy names as conditions of statements for OIDC providers.
func (r *Role) ServiceAccounts() []string {
	var subjects []string
	for _, t := range r.trustees() {
		if t.kind == WorkloadOwner && strings.HasPrefix(t.name, serviceAccountPrefix) {
			subjects = append(subjects, t.name)
		}
	}
	return subjects
}

const serviceAccountPrefix = "system:serviceaccount:"

// trustee is somebody other than EC2 whom a trust policy allows.
type trustee struct {
	kind            OwnerKind
	name, principal string
	statement       int
}

// PodIdentityService assumes roles for EKS Pod Identity.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
const PodIdentityService = "pods.eks.amazonaws.com"

// trustees are the pods and people whom the trust policy's Allow statements name.
func (r *Role) trustees() []trustee {
	doc := r.Trust()
	if doc == nil {
		return nil
	}
	var list []trustee
	for i, s := range doc.Statements {
		if s.Effect != iampolicy.Allow {
			continue
		}
		for kind, names := range sortedPairs(s.Principals) {
			for _, name := range names {
				switch {
				case kind == "Service" && name == PodIdentityService:
					list = append(list, trustee{WorkloadOwner, "EKS Pod Identity", name, i})
				case kind == "Federated" && !strings.Contains(name, ":saml-provider/"):
					list = append(list, trustee{WorkloadOwner, subjectsOf(s, name), name, i})
				case kind == "Federated", kind == "AWS" && !iampolicy.IsUniqueID(name):
					list = append(list, trustee{PersonOwner, name, name, i})
				}
			}
		}
	}
	return list
}

// subjectsOf names the service accounts that a statement for an OIDC provider is
// limited to, or else the provider.
func subjectsOf(s iampolicy.Statement, provider string) string {
	for _, c := range s.Conditions {
		if strings.HasSuffix(c.Key, ":sub") && len(c.Values) > 0 {
			return strings.Join(c.Values, ", ")
		}
	}
	return snapshot.NameOf(provider)
}

// TrustsEC2 reports whether EC2 may assume the role, or whether that depends.
func (r *Role) TrustsEC2() bool {
	return slices.ContainsFunc(r.v.InstanceSessions(), func(s *Session) bool {
		verdict := r.TrustAllows(s, "sts:AssumeRole").Verdict
		return verdict == Allowed || verdict == Depends
	})
}

// Misplaced is a running instance of the cluster that holds another role than it joined
// with: its instance profile was replaced, as Systems Manager's Quick Setup does.
// Source: https://github.com/eksctl-io/eksctl/issues/1907
type Misplaced struct {
	Instance string
	// Node is the node that the instance is; empty where it has none.
	Node string
	// RoleARN is the role that it holds now; empty where that is not known.
	RoleARN string
	// WantRole and WantProfile are the ARNs of the role and of the instance profile that
	// it joined with; each is empty where it is not known.
	WantRole, WantProfile string
	// Alone is set where nothing but such instances holds RoleARN.
	Alone bool
	// Evidence says where that was read, a line each.
	Evidence []string
}

// MisplacedInstances are the instances whose instance profile was replaced, by id. That
// shows where an instance's node group has another role, or where an instance of the
// cluster has joined, although its role has no access to the cluster and none of the
// permissions with which a node joins.
func (v *View) MisplacedInstances() []Misplaced {
	if v.misplaced == nil {
		v.misplaced = &[]Misplaced{}
		nodes := map[string]string{}
		for name, n := range sortedPairs(v.Snapshot.Nodes) {
			if id := n.InstanceID(); id != "" {
				nodes[id] = name
			}
		}
		for id, i := range sortedPairs(v.Snapshot.Instances) {
			if i.NotFound || i.InstanceProfile == "" {
				continue
			}
			if m, found := v.misplacedInstance(id, i, nodes[id]); found {
				*v.misplaced = append(*v.misplaced, m)
			}
		}
		for i := range *v.misplaced {
			m := &(*v.misplaced)[i]
			m.Alone = m.RoleARN != "" && v.heldByMistake(m.RoleARN, *v.misplaced)
		}
	}
	return *v.misplaced
}

func (v *View) misplacedInstance(id string, i snapshot.Instance, node string) (m Misplaced, found bool) {
	s := v.Snapshot
	m = Misplaced{Instance: id, Node: node}
	if roles := s.InstanceProfiles[i.InstanceProfile].Roles; len(roles) > 0 {
		m.RoleARN = roles[0]
	}
	holds := fmt.Sprintf("ec2:DescribeInstances %s: instance profile %s", id, snapshot.NameOf(i.InstanceProfile))
	if m.RoleARN != "" {
		holds += ", which contains role " + snapshot.NameOf(m.RoleARN)
	}
	if group, known := s.NodeGroups[i.NodeGroup]; known && group.NodeRoleARN != "" {
		m.WantRole = group.NodeRoleARN
		profiles := v.Role(m.WantRole).Facts.InstanceProfiles
		m.WantProfile = only(profiles)
		m.Evidence = []string{holds, fmt.Sprintf("eks:DescribeNodegroup %s: nodeRole %s", i.NodeGroup, m.WantRole)}
		if m.RoleARN != "" {
			return m, m.RoleARN != m.WantRole
		}
		return m, len(profiles) > 0 && !slices.Contains(profiles, i.InstanceProfile)
	}
	if node == "" || !i.Owned || m.RoleARN == "" || !v.cannotJoin(m.RoleARN) {
		return m, false
	}
	m.WantProfile = s.AutoScalingGroups[i.AutoScalingGroup].InstanceProfile
	if m.WantProfile == "" {
		m.WantProfile = v.onlyOtherProfile(m.RoleARN)
	}
	if roles := s.InstanceProfiles[m.WantProfile].Roles; len(roles) > 0 {
		m.WantRole = roles[0]
	}
	m.Evidence = []string{
		holds, "node " + node + " has joined, and " + snapshot.NameOf(m.RoleARN) + " has neither access to the cluster nor the permissions with which a node joins",
	}
	return m, m.WantRole != m.RoleARN
}

// cannotJoin reports whether a node with this role can be seen not to join: the role has
// no access to the cluster and is denied what a node calls first.
func (v *View) cannotJoin(roleARN string) bool {
	a := v.Access(roleARN)
	if a.Entry != nil || len(a.Mapped) > 0 || len(a.Unread) > 0 {
		return false
	}
	role := v.Role(roleARN)
	return !slices.ContainsFunc(need.Worker, func(action need.Action) bool { return role.Can(action).Verdict != Denied })
}

// onlyOtherProfile is the instance profile of the cluster's only node role that nodes
// can join with; empty where there are several roles or profiles.
func (v *View) onlyOtherProfile(not string) string {
	var profiles []string
	for _, r := range v.roles {
		if r.ARN != not && !r.OnlyAutoMode() && !v.cannotJoin(r.ARN) {
			profiles = append(profiles, r.Facts.InstanceProfiles...)
		}
	}
	return only(profiles)
}

// heldByMistake reports whether nothing but misplaced instances gives nodes a role.
func (v *View) heldByMistake(roleARN string, misplaced []Misplaced) bool {
	for _, r := range v.roles {
		if r.ARN != roleARN {
			continue
		}
		return !slices.ContainsFunc(r.Sources, func(s Source) bool {
			return !slices.ContainsFunc(misplaced, func(m Misplaced) bool {
				return s.Kind == SelfManaged && s.Name == m.Node || s.Kind == Unjoined && s.Name == m.Instance
			})
		})
	}
	return false
}

// only returns the one string of a list; empty for none or several.
func only(list []string) string {
	if len(list) != 1 {
		return ""
	}
	return list[0]
}
