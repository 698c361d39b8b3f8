package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// AuthMap is aws-auth's mapRoles, parsed.
type AuthMap struct {
	Roles []awsauth.Mapping
	// Problem says why it could not be parsed: it then maps no role. A
	// field of the wrong type is left out, as the authenticator does, and is a
	// problem only where no entry with an ARN remains.
	Problem string
}

// AWSAuth returns the ConfigMap's mapping of roles.
func (v *View) AWSAuth() AuthMap {
	if v.auth == nil {
		v.auth = &AuthMap{}
		if a := v.Snapshot.AWSAuth; a != nil {
			var err error
			v.auth.Roles, err = awsauth.Parse(a.MapRoles)
			if err != nil && !slices.ContainsFunc(v.auth.Roles, func(m awsauth.Mapping) bool { return m.RoleARN != "" }) {
				v.auth.Problem = err.Error()
			}
		}
	}
	return *v.auth
}

// Access is what gives a role access to the cluster.
type Access struct {
	// ByEntries and ByConfigMap say which of the two the cluster uses.
	ByEntries, ByConfigMap bool
	// Entry is the role's access entry, nil where there is none.
	Entry *snapshot.AccessEntry
	// Mapped is aws-auth's entry that matches the role: the last of several, as
	// for the authenticator; empty where none does. MappedLine is its line in mapRoles,
	// counted from 1, and Overruled are the lines of the entries before it that match too.
	Mapped     []awsauth.Mapping
	MappedLine int
	Overruled  []int
	// NearMisses are aws-auth's entries that are meant for the role and never match it.
	NearMisses []NearMiss
	// Unread is what was not read of all that.
	Unread []snapshot.Missing
}

// Access returns what gives a role access, by the cluster's authentication mode: API uses
// only access entries, CONFIG_MAP only aws-auth, and API_AND_CONFIG_MAP both, where an
// access entry takes precedence.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/grant-k8s-access.html
func (v *View) Access(roleARN string) Access {
	if a, known := v.access[roleARN]; known {
		return a
	}
	a := v.findAccess(roleARN)
	v.access[roleARN] = a
	return a
}

func (v *View) findAccess(roleARN string) Access {
	s := v.Snapshot
	mode := s.Cluster.AuthenticationMode
	a := Access{ByEntries: mode != "CONFIG_MAP", ByConfigMap: mode != "API"}
	if mode == "" {
		a.Unread = v.Unread(snapshot.FactCluster)
	}
	if a.ByEntries {
		if entry, ok := s.AccessEntries[roleARN]; ok {
			a.Entry = &entry
		}
		a.Unread = append(a.Unread, s.MissingOf(snapshot.FactAccessEntries, roleARN)...)
	}
	if a.ByConfigMap {
		a.Unread = append(a.Unread, s.MissingOf(snapshot.FactAWSAuth, roleARN)...)
		for i, m := range v.AWSAuth().Roles {
			if strings.EqualFold(m.RoleARN, snapshot.WithoutPath(roleARN)) {
				if len(a.Mapped) > 0 {
					a.Overruled = append(a.Overruled, a.MappedLine)
				}
				a.Mapped, a.MappedLine = []awsauth.Mapping{m}, v.mappingLine(i)
			} else if kind := v.nearMiss(m, roleARN); kind != "" {
				a.NearMisses = append(a.NearMisses, NearMiss{Mapping: m, Kind: kind, Line: v.mappingLine(i)})
			}
		}
	}
	return a
}

// MappingOf returns the last entry of aws-auth that names a role by its ARN, whether or not
// the cluster uses aws-auth, and its line in mapRoles; 0 where none does.
func (v *View) MappingOf(roleARN string) (m Mapping, line int) {
	for i, mapping := range v.AWSAuth().Roles {
		if strings.EqualFold(mapping.RoleARN, snapshot.WithoutPath(roleARN)) {
			m, line = mapping, v.mappingLine(i)
		}
	}
	return m, line
}

// The groups and names that a node is mapped to in aws-auth.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html,
// awslabs/amazon-eks-ami nodeadm/doc/examples.md (SessionName).
const (
	NodesGroup         = "system:nodes"
	BootstrappersGroup = "system:bootstrappers"
	WindowsGroup       = "eks:kube-proxy-windows"
	MastersGroup       = "system:masters"
)

// The user names of nodes, by what they are named after: a private DNS name such as
// ip-10-0-1-17.eu-west-1.compute.internal, or an instance ID such as
// i-0123456789abcdef0, which is also the name of an instance's session.
const (
	ByPrivateDNS = "system:node:{{EC2PrivateDNSName}}"
	BySession    = "system:node:{{SessionName}}"
)

// NodeNames are the user names that a node's mapping may have.
var NodeNames = []string{ByPrivateDNS, BySession, "system:node:{{SessionNameRaw}}"}

// NodeGroups are the groups that AWS documents for a node's mapping.
func NodeGroups(windows bool) []string {
	return append([]string{BootstrappersGroup}, RequiredNodeGroups(windows)...)
}

// RequiredNodeGroups are the groups that a node's mapping must have. Nodes do without
// system:bootstrappers: they authenticate with IAM, and EKS binds eks:node-bootstrapper, by
// which kubelet asks for its serving certificate, to system:nodes too. Access entries of
// nodes do not have that group either.
// Source: https://github.com/aws/karpenter-provider-aws/issues/5369.
func RequiredNodeGroups(windows bool) []string {
	groups := []string{NodesGroup}
	if windows {
		groups = append(groups, WindowsGroup)
	}
	return groups
}

// NodeMapping is the entry of aws-auth, as YAML on one line, by which a node role's nodes
// get access with a role.
func (v *View) NodeMapping(r *NodeRole, roleARN string) string {
	windows, _ := v.Kinds(r)
	return fmt.Sprintf("{rolearn: %s, username: '%s', groups: [%s]}", snapshot.WithoutPath(roleARN), v.UserName(r), strings.Join(NodeGroups(windows), ", "))
}

// Mapping is an entry of aws-auth.
type Mapping = awsauth.Mapping
