package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniUpgrade = Rule{
	ID: "NR209", Name: "cni-upgrade", Severity: finding.Warning, Concern: finding.ConcernCNI,
	Repair: finding.PrepareCNIUpgrade,
	Title:  "The role that aws-node uses has the permissions that later versions of vpc-cni require",
	Why: `The next upgrade of vpc-cni breaks nodes. A later version needs more permissions: after the upgrade aws-node crashes
and nodes become NotReady, or nodes get no more addresses. v1.22.0 and v1.22.1 stop when ec2:DescribeSecurityGroups is
denied. On IPv6, v1.22.0 and later stop when ec2:DescribeSubnets is denied; on IPv4, versions up to v1.23.1 then
attach no more network interfaces.`,
	Fix: `Add the actions to the role's policy before the upgrade, or set ENABLE_SUBNET_DISCOVERY=false on aws-node.`,
	Refs: []string{
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3704",
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3705",
		"https://github.com/aws/amazon-vpc-cni-k8s/pull/3843",
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity},
	Bad: `
cluster: {ipFamily: ipv6}
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    attachedPolicies: []
    inlinePolicies: {ipv6: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:AssignIpv6Addresses","ec2:DescribeInstances","ec2:DescribeTags","ec2:DescribeNetworkInterfaces","ec2:DescribeInstanceTypes","ec2:DescribeSecurityGroups","ec2:ModifyNetworkInterfaceAttribute","ec2:CreateTags"],"Resource":"*"}}'}`,
	Good: `
cluster: {ipFamily: ipv6}
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    inlinePolicies: {ipv6: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:AssignIpv6Addresses","Resource":"*"}}'}`,
	Check: func(v *view.View, report Reporter) {
		cni := v.CNI()
		notHere := func(why string) {
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: why})
		}
		switch identity := v.ConfiguredIdentity(); {
		case len(identity.Unread) > 0:
			report(unknown(awsNodeSubject(), "whether aws-node can be upgraded is unknown", identity.Unread))
		case identity.Kind == view.NotInstalled:
			notHere(withoutAWSNode(v))
		case cni.Version == "":
			notHere("the version of vpc-cni is unknown: NR206 checks the permissions that any version requires")
		case len(cni.NeedsMoreFrom()) == 0:
			notHere("no later version of vpc-cni requires more permissions than " + cni.Version)
		case identity.Own():
			report(judgeUpgrade(v.Role(identity.RoleARN), awsNodeSubject(), cni))
		default:
			for _, r := range rolesUnderAWSNode(v, report) {
				report(judgeUpgrade(r.Role, roleSubject(r), cni))
			}
		}
	},
}

func judgeUpgrade(r *view.Role, subject finding.Subject, cni need.CNI) finding.Result {
	if !r.OfAccount() {
		return inAnotherAccount(r, subject)
	}
	if r.Facts.NotFound {
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "role " + r.Name + " does not exist"}
	}
	if len(askAll(r, cni.Required()).denied) > 0 {
		return finding.Result{
			Status: finding.NotApplicable, Subject: subject,
			Message: fmt.Sprintf("%s is missing permissions that vpc-cni %s already requires: see NR206", r.Name, cni.Version),
		}
	}
	more := cni.NeedsMoreFrom()
	var actions []need.Action
	for _, m := range more {
		actions = append(actions, m.Actions...)
	}
	all := askAll(r, actions)
	result := all.result(subject, r.Name, "has the permissions that later versions of vpc-cni require", "is missing permissions that vpc-cni "+firstDenied(more, all.denied)+" requires")
	if result.Status == finding.Fail {
		for _, a := range all.denied {
			result.Evidence = append(result.Evidence, fmt.Sprintf("%s is for %s; required by vpc-cni %s", a.Action.Name, a.Action.For, requiredBy(more, a.Action).Versions()))
		}
		result.Evidence = append(result.Evidence, "the cluster runs vpc-cni "+cni.Version)
	}
	return all.unblock(result)
}

// requiredBy are the versions that require an action.
func requiredBy(more []need.More, a need.Action) need.More {
	for _, m := range more {
		if slices.ContainsFunc(m.Actions, func(b need.Action) bool { return b.Name == a.Name }) {
			return m
		}
	}
	return need.More{}
}

// firstDenied are the first versions that require what is denied.
func firstDenied(more []need.More, denied []view.Answer) string {
	for _, m := range more {
		if slices.ContainsFunc(denied, func(a view.Answer) bool { return requiredBy([]need.More{m}, a.Action).From != "" }) {
			return m.Versions()
		}
	}
	return "a later version"
}
