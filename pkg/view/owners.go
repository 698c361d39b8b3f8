package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// OwnerKind describes what a role is used for besides nodes.
type OwnerKind string

// The kinds of owners, as people read them.
const (
	ClusterOwner  OwnerKind = "cluster"
	FargateOwner  OwnerKind = "Fargate profile"
	WorkloadOwner OwnerKind = "workload" // pods, by an OIDC provider or EKS Pod Identity
	PersonOwner   OwnerKind = "person"   // an AWS principal or a SAML provider
)

// Owner is something besides nodes that uses a role. Repairs do not change the trust
// policy, the permissions or the access of such a role: the nodes get a role of their own.
type Owner struct {
	Kind OwnerKind
	// Name is the cluster, the Fargate profile, the service account or the principal.
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
	default:
		return string(o.Kind) + " " + o.Name
	}
}

// Owners returns who uses a role besides nodes, in a fixed order. A role that pods
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

// trustee is a principal other than EC2 that a trust policy allows.
type trustee struct {
	kind            OwnerKind
	name, principal string
	statement       int
}

// PodIdentityService assumes roles for EKS Pod Identity.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
const PodIdentityService = "pods.eks.amazonaws.com"

// trustees are the pods and people that the trust policy's Allow statements name.
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
