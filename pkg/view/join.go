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
	// Problem says why it could not be parsed: nobody is let in by it then. A
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

// Access is what lets a node role into the cluster.
type Access struct {
	// ByEntries and ByConfigMap say which of the two the cluster looks at.
	ByEntries, ByConfigMap bool
	// Entry is the role's access entry, nil where there is none.
	Entry *snapshot.AccessEntry
	// Mapped is aws-auth's entry that matches the role: the last of several, as
	// for the authenticator; empty where none does.
	Mapped []awsauth.Mapping
	// NearMisses are aws-auth's entries that mean the role and never match it:
	// with a path in the ARN.
	NearMisses []awsauth.Mapping
	// Unread is what was not read of all that.
	Unread []snapshot.Missing
}

// Access returns what lets a role in, by the cluster's authentication mode: API
// looks at access entries alone, CONFIG_MAP at aws-auth alone, and with both an
// access entry wins.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/grant-k8s-access.html
func (v *View) Access(roleARN string) Access {
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
		a.Unread = append(a.Unread, v.Unread(snapshot.FactAWSAuth)...)
		for _, m := range v.AWSAuth().Roles {
			switch {
			case strings.EqualFold(m.RoleARN, snapshot.WithoutPath(roleARN)):
				a.Mapped = []awsauth.Mapping{m}
			case m.RoleARN != snapshot.WithoutPath(m.RoleARN) && strings.EqualFold(snapshot.WithoutPath(m.RoleARN), snapshot.WithoutPath(roleARN)):
				a.NearMisses = append(a.NearMisses, m)
			}
		}
	}
	return a
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

// NodeNames are the user names that a node's mapping may have.
var NodeNames = []string{"system:node:{{EC2PrivateDNSName}}", "system:node:{{SessionName}}", "system:node:{{SessionNameRaw}}"}

// NodeGroups are the groups that a node's mapping must have.
func NodeGroups(windows bool) []string {
	groups := []string{BootstrappersGroup, NodesGroup}
	if windows {
		groups = append(groups, WindowsGroup)
	}
	return groups
}

// LacksAsNode says what a mapping lacks to let nodes in; empty where it does.
func LacksAsNode(m awsauth.Mapping, windows bool) string {
	if !slices.Contains(NodeNames, m.Username) {
		return fmt.Sprintf("username is %q, not %s", m.Username, NodeNames[0])
	}
	for _, g := range NodeGroups(windows) {
		if !slices.Contains(m.Groups, g) {
			return "groups lack " + g
		}
	}
	return ""
}

// OnlyAutoMode reports whether nothing but EKS Auto Mode gives nodes this role.
func (r *NodeRole) OnlyAutoMode() bool {
	return !slices.ContainsFunc(r.Sources, func(s Source) bool { return s.Kind != AutoMode && s.Kind != AutoModeClass })
}

// Kinds says what a node role's nodes are: Windows, or Auto Mode's.
func (v *View) Kinds(r *NodeRole) (windows, autoMode bool) {
	autoMode = slices.ContainsFunc(r.Sources, func(s Source) bool { return s.Kind == AutoMode || s.Kind == AutoModeClass })
	for _, src := range r.Sources {
		if src.Kind == NodeGroup {
			windows = windows || strings.HasPrefix(v.Snapshot.NodeGroups[src.Name].AMIType, "WINDOWS")
		}
		if src.Kind == SelfManaged {
			windows = windows || v.Snapshot.Nodes[src.Name].Windows
		}
	}
	return windows, autoMode
}

// EntryType is the type of access entry that lets a node role's nodes in.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
func (v *View) EntryType(r *NodeRole) string {
	switch windows, auto := v.Kinds(r); {
	case auto:
		return "EC2"
	case windows:
		return "EC2_WINDOWS"
	default:
		return "EC2_LINUX"
	}
}

// EntryFits reports whether a node role's nodes join by an access entry of a type. EC2
// also serves Linux nodes that are named by their instance id.
func (v *View) EntryFits(kind string, r *NodeRole) bool {
	switch windows, auto := v.Kinds(r); {
	case auto:
		return kind == "EC2"
	case windows:
		return kind == "EC2_WINDOWS"
	default:
		return kind == "EC2_LINUX" || kind == "EC2_WINDOWS" || kind == "EC2"
	}
}

// NodeMapping is the entry of aws-auth, as YAML on one line, by which a role's Linux nodes
// get access.
func NodeMapping(roleARN string) string {
	return fmt.Sprintf("{rolearn: %s, username: '%s', groups: [%s, %s]}", snapshot.WithoutPath(roleARN), NodeNames[0], BootstrappersGroup, NodesGroup)
}
