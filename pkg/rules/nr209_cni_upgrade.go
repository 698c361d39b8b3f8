package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniUpgrade = Rule{
	ID: "NR209", Name: "cni-upgrade", Severity: finding.Warning, Concern: finding.ConcernCNI,
	Repair: finding.PrepareCNIUpgrade,
	Title:  "The role that aws-node uses is ready for vpc-cni v1.22.1 and later",
	Why: `On IPv6, vpc-cni v1.22.1 and later stop when ec2:DescribeSubnets is denied: after the upgrade aws-node crashes and nodes turn
NotReady.`,
	Fix: `Add ec2:DescribeSubnets and ec2:DescribeSecurityGroups to the IPv6 policy before the upgrade, or set
ENABLE_SUBNET_DISCOVERY=false on aws-node.`,
	Refs: []string{
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3704",
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity},
	Bad: `
cluster: {ipFamily: ipv6}
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    attachedPolicies: []
    inlinePolicies: {ipv6: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:AssignIpv6Addresses","ec2:DescribeInstances","ec2:DescribeTags","ec2:DescribeNetworkInterfaces","ec2:DescribeInstanceTypes","ec2:DescribeSecurityGroups","ec2:CreateTags"],"Resource":"*"}}'}`,
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
		case identity.Kind == view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether aws-node can be upgraded was not checked", identity.Unread))
		case identity.Kind == view.NotInstalled:
			notHere("aws-node is not installed")
		case cni.IPFamily != "ipv6" || cni.NoSubnetDiscovery || !cni.Before(need.BreaksSince):
			notHere("the question is for IPv6 before vpc-cni " + need.BreaksSince)
		case identity.Own():
			report(judgeUpgrade(v.Role(identity.RoleARN), awsNodeSubject(), cni))
		default:
			for _, r := range v.NodeRoles() {
				report(judgeUpgrade(r.Role, roleSubject(r), cni))
			}
		}
	},
}

func judgeUpgrade(r *view.Role, subject finding.Subject, cni need.CNI) finding.Result {
	if r.Facts.NotFound {
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "role " + r.Name + " does not exist"}
	}
	all := askAll(r, []need.Action{{Name: "ec2:DescribeSubnets", For: "aws-node on IPv6 since " + need.BreaksSince}})
	result := all.result(subject, r.Name, "is ready for vpc-cni "+need.BreaksSince+" and later", "breaks aws-node when vpc-cni is upgraded to "+need.BreaksSince+" or later")
	if result.Status == finding.Fail {
		result.Evidence = append(result.Evidence, "vpc-cni runs at "+cni.Version)
	}
	return all.unblock(result)
}
