package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var addonSetting = Rule{
	ID: "NR606", Name: "addon-setting", Severity: finding.Warning, Concern: finding.ConcernCNI,
	Repair: finding.AlignAddonRole,
	Title:  "The vpc-cni add-on and the service account name the same role",
	Why: `The next update of the add-on changes the role of aws-node. EKS writes the add-on's role into the service account
whenever it updates the add-on. Where the two differ, the next update changes the identity of aws-node unexpectedly.`,
	Fix: `Give the add-on the role that aws-node should have: with a Pod Identity association, or with
--service-account-role-arn.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/updating-an-add-on.html",
	},
	Needs: []snapshot.Fact{snapshot.FactAddons, snapshot.FactServiceAccount},
	Bad:   `addons: {vpc-cni: {serviceAccountRoleArn: "arn:aws:iam::111122223333:role/oldCNIRole"}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		subject := awsNodeSubject()
		addon, ok := v.Snapshot.Addons["vpc-cni"]
		account := v.Snapshot.AWSNode.ServiceAccount
		unread := append(v.Unread(snapshot.FactServiceAccount), v.Snapshot.MissingOf(snapshot.FactAddons, "vpc-cni")...)
		switch {
		case len(unread) > 0:
			report(unknown(subject, "whether the add-on and the service account name the same role is unknown", unread))
		case v.AssociatedRole() != "":
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-node has a Pod Identity association, which takes precedence over both"})
		case !ok || account == nil || addon.ServiceAccountRoleARN == "":
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "vpc-cni is not an EKS add-on, or the add-on has no role"})
		case addon.ServiceAccountRoleARN == account.RoleARN:
			report(finding.Result{
				Status: finding.Pass, Subject: subject, Message: "the vpc-cni add-on and the service account name the same role",
				Evidence: []string{"eks:DescribeAddon vpc-cni: serviceAccountRoleArn " + addon.ServiceAccountRoleARN},
			})
		default:
			report(finding.Result{
				Status: finding.Fail, Subject: subject,
				Message: fmt.Sprintf("the vpc-cni add-on names role %s, the service account %s", snapshot.NameOf(addon.ServiceAccountRoleARN), text.OrNone(snapshot.NameOf(account.RoleARN))),
				Evidence: []string{
					"eks:DescribeAddon vpc-cni: serviceAccountRoleArn " + addon.ServiceAccountRoleARN,
					"service account kube-system/aws-node: eks.amazonaws.com/role-arn " + text.OrNone(account.RoleARN),
				},
				Next: []finding.Next{finding.Run(command.AWS("eks", "update-addon", "--cluster-name", v.Place.Cluster, "--addon-name", "vpc-cni", "--service-account-role-arn").WithPlaceholder("ROLE_ARN"))},
			})
		}
	},
}
