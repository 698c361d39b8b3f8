package rules

import (
	"fmt"

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

func judgeCNIPolicy(v *view.View, r *view.NodeRole, identity view.Identity) finding.Result {
	subject := roleSubject(r)
	granted := askAll(r.Role, need.Indicative())
	grants := append(granted.allowed, granted.depends...)
	switch {
	case len(grants) == 0 && len(granted.unknown) > 0:
		return unknown(subject, "whether "+r.Name+" has CNI permissions is unknown", unreadOf(granted.unknown))
	case len(grants) == 0 && identity.Kind == view.FromNodeRole && len(v.CNI().Required()) > 0:
		return finding.Result{
			Status: finding.NotApplicable, Subject: subject, Evidence: identity.Evidence,
			Message: r.Name + " has no CNI permissions; aws-node, which has no role of its own, needs them from it",
		}
	case len(grants) == 0:
		return finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " has no CNI permissions", Evidence: deniedLines(granted.denied)}
	case identity.Kind == view.UnknownIdentity:
		return unknown(subject, "whether "+r.Name+" needs its CNI permissions is unknown", identity.Unread)
	case identity.Kind == view.NotInstalled:
		return finding.Result{
			Status: finding.NotApplicable, Subject: subject, Evidence: identity.Evidence,
			Message: fmt.Sprintf("%s has CNI permissions; aws-node is not installed", r.Name),
		}
	case !identity.Own():
		evidence := append(append(grantLines(granted.allowed), dependsLines(granted.depends)...), identity.Evidence...)
		return finding.Result{
			Status: finding.Fail, Severity: finding.Info, Subject: subject,
			Message:  fmt.Sprintf("%s has the CNI permissions for aws-node, which has no role of its own", r.Name),
			Evidence: append(evidence, "not safe to remove now: aws-node uses them"),
		}
	}

	result := finding.Result{
		Status: finding.Fail, Subject: subject,
		Message:  fmt.Sprintf("%s has CNI permissions, although aws-node uses %s %s", r.Name, identity.Kind, snapshot.NameOf(identity.RoleARN)),
		Evidence: append(append(grantLines(granted.allowed), dependsLines(granted.depends)...), identity.Evidence...),
	}
	stale := v.StalePods(identity)
	switch unread := v.Unread(snapshot.FactPods); {
	case len(unread) > 0:
		result.Evidence = append(result.Evidence, "whether every aws-node pod uses it is unknown: "+missingLine(unread[0]))
		result.Next = []finding.Next{finding.Advise("do not remove them until check shows that every aws-node pod uses its own role")}
	case len(stale) > 0:
		result.Evidence = append(result.Evidence, fmt.Sprintf("not safe to remove now: %d of %d aws-node pods do not use it yet", len(stale), len(v.Snapshot.AWSNode.Pods)))
	case !works(v, identity, &result):
	case onWindows(v, r):
		result.Evidence = append(result.Evidence, "not safe to remove now: Windows nodes use this role, and Windows networking has used its CNI permissions (aws/containers-roadmap#766)")
		result.Next = []finding.Next{finding.Advise("first make sure that the cluster role has AmazonEKSVPCResourceController and that Windows pods get addresses without these permissions")}
	default:
		result.Evidence = append(result.Evidence, fmt.Sprintf("safe to remove: all %d aws-node pods use their own role, and it has the permissions that they need", len(v.Snapshot.AWSNode.Pods)))
	}
	return result
}

func onWindows(v *view.View, r *view.NodeRole) bool {
	windows, _ := v.Kinds(r)
	return windows
}

// works reports whether the facts show that aws-node's own role works. Where they do not,
// it adds to the result that removing the CNI permissions is not safe.
func works(v *view.View, identity view.Identity, result *finding.Result) bool {
	checks := []finding.Result{judgeCNI(v, v.Role(identity.RoleARN), awsNodeSubject())}
	if identity.Kind == view.IRSA {
		checks = append(checks, judgeIRSA(v, v.Role(identity.RoleARN)))
	} else {
		checks = append(checks, judgePodIdentity(v))
	}
	for _, c := range checks {
		if c.Status != finding.Pass {
			result.Evidence = append(result.Evidence, "not safe to remove now: "+c.Message)
			return false
		}
	}
	return true
}
