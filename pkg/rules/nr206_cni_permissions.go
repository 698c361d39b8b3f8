package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniPermissions = Rule{
	ID: "NR206", Name: "cni-permissions", Severity: finding.Error, Concern: finding.ConcernCNI,
	Joining:  210,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork},
	Repair:   finding.AllowCNI,
	Title:    "The role that aws-node uses allows what the VPC CNI calls",
	Why: `aws-node cannot give addresses to pods: it crashes or pods stay in ContainerCreating, and new nodes stay NotReady. What
it needs depends on the cluster's IP family and on vpc-cni's version.`,
	Fix: `Attach AmazonEKS_CNI_Policy (IPv4), or a policy of your own with the IPv6 actions, to the role that aws-node uses: the
node role only where aws-node has no role of its own.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html",
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3704",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity,
	},
	Bad:  `roles: {"arn:aws:iam::111122223333:role/eksCNIRole": {attachedPolicies: []}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		switch {
		case identity.Kind == view.NotInstalled:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: "aws-node is not installed", Evidence: identity.Evidence})
		case identity.Kind == view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether aws-node is allowed what it calls was not checked", identity.Unread))
		case identity.Own():
			report(judgeCNI(v, v.Role(identity.RoleARN), awsNodeSubject()))
		default:
			for _, r := range v.NodeRoles() {
				report(judgeCNI(v, r.Role, roleSubject(r)))
			}
		}
	},
}

func judgeCNI(v *view.View, r *view.Role, subject finding.Subject) finding.Result {
	if r.Facts.NotFound {
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("role %s, which aws-node is given, does not exist", r.Name),
			Evidence: []string{"iam:GetRole " + r.Name + ": NoSuchEntity"},
		}
	}
	cni := v.CNI()
	family := "IPv4"
	if cni.IPFamily == "ipv6" {
		family = "IPv6"
	}
	all := askAll(r, cni.Must())
	result := all.result(subject, r.Name, "allows what aws-node calls on "+family, "lacks what aws-node calls on "+family)
	if result.Status == finding.Fail {
		if cni.Version != "" {
			result.Evidence = append(result.Evidence, "vpc-cni "+cni.Version)
		}
	}
	return all.unblock(result)
}
