package view

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// ClusterRole returns the cluster's own role; nil where the facts do not have it: it is
// optional. Its Unread says what could not be read of it.
func (v *View) ClusterRole() *Role {
	arn := v.Snapshot.Cluster.RoleARN
	_, read := v.Snapshot.Roles[arn]
	if arn == "" || !read && !v.Snapshot.IsMissing(snapshot.FactClusterRole, arn) {
		return nil
	}
	return v.Role(arn)
}

// unreadClusterRole returns what the facts lack of a role where it is the cluster's own:
// of the role itself, and of its lists of policies and inline policies.
func (v *View) unreadClusterRole(roleARN string) (role, policies []snapshot.Missing) {
	if roleARN != v.Snapshot.Cluster.RoleARN {
		return nil, nil
	}
	for _, m := range v.Snapshot.Missing {
		switch {
		case m.Fact != snapshot.FactClusterRole:
		case m.Subject == "", m.Subject == roleARN && (m.Operation == "iam:GetRole" || m.OfOlderRelease()):
			role = append(role, m)
		case m.Subject == roleARN, strings.HasPrefix(m.Subject, roleARN+"#"):
			policies = append(policies, m)
		}
	}
	return role, policies
}

// PodENI reports whether aws-node gives pods network interfaces with security groups of
// their own. unread says why that is not known.
func (v *View) PodENI() (on bool, unread []snapshot.Missing) {
	if m := v.Unread(snapshot.FactDaemonSet); len(m) > 0 {
		return false, m
	}
	ds := v.Snapshot.AWSNode.DaemonSet
	if ds == nil {
		return false, nil
	}
	on, known := ds.Setting(need.PodENISetting, false)
	if !known {
		return false, []snapshot.Missing{{Fact: snapshot.FactDaemonSet, Operation: "read " + need.PodENISetting + " of aws-node", Error: ds.Origin(need.PodENISetting)}}
	}
	return on, nil
}

// WindowsUnderEKS are the Windows nodes that have joined whose pods get their addresses from
// the VPC resource controller of EKS, and the sources of such nodes. It is empty where
// aws-node does not run, or nodes report another CNI: that one then gives pods their
// addresses.
func (v *View) WindowsUnderEKS() []string {
	if v.Snapshot.AWSNode.DaemonSet == nil || len(v.otherCNI()) > 0 {
		return nil
	}
	var found []string
	for _, r := range v.roles {
		for _, name := range r.Nodes {
			if v.Snapshot.Nodes[name].OS() == snapshot.WindowsOS {
				found = append(found, "node "+name)
			}
		}
		for _, source := range r.Sources {
			if v.onlyWindows(source) && source.Nodes == 0 {
				found = append(found, string(source.Kind)+" "+source.Name)
			}
		}
	}
	return found
}

// ClusterSession is the session of EKS with the cluster role. EKS names the cluster as the
// source of the request that assumes the role; in Auto Mode it tags the session.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html,
// https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html,
// https://docs.aws.amazon.com/eks/latest/userguide/cross-service-confused-deputy-prevention.html
func (v *View) ClusterSession() *Session {
	return cached(v, "cluster", func() []*Session {
		s := &Session{
			Name: "Amazon EKS", Principal: need.ClusterService, TrustActions: []string{"sts:AssumeRole"},
			assume: func(c *iampolicy.Context) {
				byService(c)
				v.fromAccount(c)
				c.Set("aws:SourceArn", v.Snapshot.Cluster.ARN).Absent("sts:ExternalId")
			},
			// The requests for security groups of pods are about interfaces that the VPC
			// resource controller has tagged.
			use: func(c *iampolicy.Context) {
				notOfInstance(c)
				c.Absent("aws:FederatedProvider").Set("ec2:ResourceTag/"+need.PodENIOwnerTag, need.PodENIOwner)
			},
			asks: "EKS sends aws:SourceArn " + v.Snapshot.Cluster.ARN + " and aws:SourceAccount " + v.Place.Account,
		}
		if v.Snapshot.Cluster.AutoMode != nil {
			s.TrustActions = append(s.TrustActions, "sts:TagSession")
		}
		return []*Session{s}
	})[0]
}

// UsedByNodes reports whether nodes of EC2 can hold a role.
func (v *View) UsedByNodes(roleARN string) bool {
	return slices.ContainsFunc(v.roles, func(r *NodeRole) bool { return r.ARN == roleARN })
}

// unreadOfCluster returns what is missing of a managed policy that was read for the cluster
// role.
func (v *View) unreadOfCluster(policyARN string) []snapshot.Missing {
	var list []snapshot.Missing
	for _, m := range v.Snapshot.Missing {
		if m.Fact == snapshot.FactClusterRole && m.Subject == policyARN {
			list = append(list, m)
		}
	}
	return list
}
