package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniPolicyOnNodeRole = Rule{
	ID: "NR205", Name: "cni-policy-on-node-role", Severity: finding.Warning, Concern: finding.ConcernCNI, Security: true,
	Repair: finding.DetachCNI,
	Title:  "The node role has no CNI permissions, unless aws-node needs them from it",
	Why: `Every pod that reaches the instance metadata has the CNI permissions. They allow it to create, attach and delete
network interfaces. AWS recommends a separate role for aws-node, which then does not need them from the node role.`,
	Fix: `Where aws-node has no role of its own, give it one first: "kubectl noderole fix --cni-identity auto" moves the permissions.
Where it has one, first make sure that every running aws-node pod uses it, then detach the CNI policy from the node role. Pods that
started before the role was configured still use the node role: restart them first.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity,
	},
	Bad: `roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: [
  "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound {
				report(noSuchRole(r))
				continue
			}
			report(judgeCNIPolicy(v, r, identity))
		}
	},
}

// CNIRemoval describes whether the CNI permissions of a node role can be removed.
type CNIRemoval string

// What keeps CNI permissions on a node role.
const (
	// NoCNIPermissions: the role has none.
	NoCNIPermissions CNIRemoval = "none"
	// CNIRemovable: every aws-node pod of the cluster uses its own role, which works.
	CNIRemovable CNIRemoval = "removable"
	// CNIUsed: aws-node has no role of its own.
	CNIUsed CNIRemoval = "used"
	// CNINotInstalled: the cluster has no aws-node.
	CNINotInstalled CNIRemoval = "notInstalled"
	// CNIStalePods: aws-node pods have not started with their own role yet.
	CNIStalePods CNIRemoval = "stalePods"
	// CNIRoleFails: nothing shows that aws-node's own role works.
	CNIRoleFails CNIRemoval = "roleFails"
	// CNIWindows: Windows nodes have the role.
	CNIWindows CNIRemoval = "windows"
	// CNIPodsUnread: which role the pods use is not known.
	CNIPodsUnread CNIRemoval = "podsUnread"
	// CNIUnknown: whether the role has CNI permissions, or aws-node a role of its own, is
	// not known.
	CNIUnknown CNIRemoval = "unknown"
)

// removal is whether the CNI permissions of a node role can be removed, and why not.
type removal struct {
	kind    CNIRemoval
	granted allowedAll
	// why is a clause about CNIRoleFails.
	why string
	// unread is set for CNIPodsUnread and CNIUnknown.
	unread []snapshot.Missing
}

// CNIRemovalOf says whether the CNI permissions of a node role can be removed, as far as
// one cluster shows it. unread is what was not read where that is not known.
func CNIRemovalOf(v *view.View, r *view.NodeRole) (kind CNIRemoval, unread []snapshot.Missing) {
	if r.Facts.NotFound {
		return NoCNIPermissions, nil
	}
	found := removalOf(v, r, v.ConfiguredIdentity())
	return found.kind, found.unread
}

func removalOf(v *view.View, r *view.NodeRole, identity view.Identity) removal {
	found := removal{granted: askAll(r.Role, need.Indicative())}
	switch {
	case len(found.grants()) == 0 && len(found.granted.unknown) > 0:
		found.kind, found.unread = CNIUnknown, unreadOf(found.granted.unknown)
	case len(found.grants()) == 0:
		found.kind = NoCNIPermissions
	case len(identity.Unread) > 0:
		found.kind, found.unread = CNIUnknown, identity.Unread
	case identity.Kind == view.NotInstalled:
		found.kind = CNINotInstalled
	case !identity.Own():
		found.kind = CNIUsed
	case len(v.Unread(snapshot.FactPods)) > 0:
		found.kind, found.unread = CNIPodsUnread, v.Unread(snapshot.FactPods)
	case len(v.StalePods(identity)) > 0:
		found.kind = CNIStalePods
	default:
		found.kind = CNIRemovable
		if found.why = fails(v, identity); found.why != "" {
			found.kind = CNIRoleFails
		} else if onWindows(v, r) {
			found.kind = CNIWindows
		}
	}
	return found
}

// grants are the CNI permissions that the role has.
func (m removal) grants() []view.Answer { return slices.Concat(m.granted.allowed, m.granted.depends) }

func judgeCNIPolicy(v *view.View, r *view.NodeRole, identity view.Identity) finding.Result {
	subject, found := roleSubject(r), removalOf(v, r, identity)
	grants := append(append(grantLines(found.granted.allowed), dependsLines(found.granted.depends)...), identity.Evidence...)
	result := finding.Result{
		Status: finding.Fail, Subject: subject, Evidence: grants,
		Message: fmt.Sprintf("%s has CNI permissions, but aws-node uses %s", r.Name, snapshot.NameOf(identity.RoleARN)),
	}
	add := func(line string) { result.Evidence = append(result.Evidence, line) }
	switch found.kind {
	case CNIUnknown:
		if len(found.grants()) > 0 {
			return unknown(subject, "whether "+r.Name+" needs its CNI permissions is unknown", found.unread)
		}
		return unknown(subject, "whether "+r.Name+" has CNI permissions is unknown", found.unread)
	case NoCNIPermissions:
		if identity.Kind == view.FromNodeRole && v.RunsSystemImages(r) && len(v.CNI().Required()) > 0 {
			return finding.Result{
				Status: finding.NotApplicable, Subject: subject, Evidence: identity.Evidence,
				Message: r.Name + " has no CNI permissions; aws-node, which has no role of its own, needs them from it",
			}
		}
		return finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " has no CNI permissions", Evidence: deniedLines(found.granted.denied)}
	case CNINotInstalled:
		return finding.Result{
			Status: finding.NotApplicable, Subject: subject, Evidence: identity.Evidence,
			Message: fmt.Sprintf("%s has CNI permissions; %s", r.Name, withoutAWSNode(v)),
		}
	case CNIUsed:
		result.Severity, result.Message = finding.Info, fmt.Sprintf("%s has the CNI permissions for aws-node, which has no role of its own", r.Name)
		add("not safe to remove now: aws-node uses them")
	case CNIPodsUnread:
		add("whether every aws-node pod uses it is unknown: " + missingLine(found.unread[0]))
		result.Next = []finding.Next{finding.Advise("do not remove them until check shows that every aws-node pod uses its own role")}
	case CNIStalePods:
		add(fmt.Sprintf("not safe to remove now: %d of %d aws-node pods do not use it yet", len(v.StalePods(identity)), len(v.Snapshot.AWSNode.Pods)))
	case CNIRoleFails:
		add("not safe to remove now: " + found.why)
	case CNIWindows:
		add("not safe to remove now: Windows nodes use this role, and Windows networking has used its CNI permissions (aws/containers-roadmap#766)")
		result.Next = []finding.Next{finding.Advise("first make sure that the cluster role has AmazonEKSVPCResourceController and that Windows pods get addresses without these permissions")}
	case CNIRemovable:
		add(fmt.Sprintf("safe to remove: all %d aws-node pods use their own role, and it has the permissions that they need", len(v.Snapshot.AWSNode.Pods)))
	}
	return result
}

func onWindows(v *view.View, r *view.NodeRole) bool {
	windows, _ := v.Kinds(r)
	return windows
}

// fails returns what does not show that aws-node's own role works; empty where the facts show
// that it does.
func fails(v *view.View, identity view.Identity) string {
	if identity.Kind == view.IRSA {
		if why := v.NoRole(identity.RoleARN); why != "" {
			return fmt.Sprintf("%q %s", identity.RoleARN, why)
		}
	}
	checks := []finding.Result{judgeCNI(v, v.Role(identity.RoleARN), awsNodeSubject())}
	if identity.Kind == view.IRSA {
		checks = append(checks, judgeIRSA(v, v.Role(identity.RoleARN)))
	} else {
		checks = append(checks, judgePodIdentity(v))
	}
	for _, c := range checks {
		if c.Status != finding.Pass {
			return c.Message
		}
	}
	return ""
}
