package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var irsaWorks = Rule{
	ID: "NR603", Name: "irsa-works", Severity: finding.Error, Concern: finding.ConcernCNI,
	Joining:  190,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork},
	Repair:   finding.RepairIRSA,
	Title:    "aws-node can assume its IRSA role",
	Why:      `aws-node crashes, pods get no addresses, and nodes become NotReady. It does not fall back to the node role.`,
	Fix: `Create the IAM OIDC provider for the cluster's issuer with the audience sts.amazonaws.com, and allow it in the
role's trust policy for system:serviceaccount:kube-system:aws-node.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity, snapshot.FactRoles, snapshot.FactOIDCProviders},
	Bad: `
oidcProviders: {"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C1B2A4D5E6F708192A3B4C5D6E7F8": {notFound: true, clientIDs: null}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		switch identity.Kind {
		case view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether aws-node can assume its role is unknown", identity.Unread))
		case view.IRSA:
			if why := v.NoRole(identity.RoleARN); why != "" {
				report(finding.Result{
					Status: finding.Fail, Subject: awsNodeSubject(), Message: fmt.Sprintf("aws-node cannot assume its IRSA role: %q %s", identity.RoleARN, why),
					Evidence: identity.Evidence,
					Next:     []finding.Next{finding.Run(command.Kubectl("-n", "kube-system", "annotate", "serviceaccount", "aws-node", "--overwrite").WithPlaceholder("eks.amazonaws.com/role-arn=ROLE_ARN"))},
				})
				return
			}
			report(judgeIRSA(v, v.Role(identity.RoleARN)))
		default:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: "aws-node is not configured with IRSA"})
		}
	},
}

func judgeIRSA(v *view.View, r *view.Role) finding.Result {
	subject, provider := awsNodeSubject(), v.OIDCProviderARN()
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: "aws-node cannot assume its IRSA role " + r.Name}
	found, read := v.Snapshot.OIDCProviders[provider]
	missing := append(v.Unread(snapshot.FactOIDCProviders), r.Unread...)
	var trust view.Answer
	if provider != "" && len(r.Unread) == 0 {
		trust = r.TrustAllows(v.IRSASession(), "sts:AssumeRoleWithWebIdentity")
	}
	switch account := view.AccountOf(r.ARN); {
	case !r.OfAccount(): // it needs an OIDC provider there, which is not read
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " is in account " + account + ", where aws-node cannot use it: see NR206"}
	case r.Facts.NotFound:
		result.Evidence = []string{"iam:GetRole " + r.Name + ": NoSuchEntity"}
		return result
	case provider == "":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster's OIDC issuer is unknown"}
	case read && found.NotFound:
		result.Evidence = []string{"iam:GetOpenIDConnectProvider " + provider + ": NoSuchEntity"}
		return result
	case read && !slices.Contains(found.ClientIDs, v.TokenAudience()):
		result.Evidence = []string{fmt.Sprintf("the OIDC provider's audiences are %v, without %s", found.ClientIDs, v.TokenAudience())}
		return result
	case trust.Verdict == view.Denied && len(r.Unread) == 0 && trust.Action.Name != "":
		result.Evidence = deniedLines([]view.Answer{trust})
		result.Evidence = append(result.Evidence, "evaluated for "+view.AWSNodeSubject+" of "+provider, "the trust policy allows "+trusted(r))
		result.Next = []finding.Next{explainTrust(provider, trust.Action.Name)}
		if trust.ByOrganization() {
			result.Next = []finding.Next{askOrganization(trust)}
		}
		return result
	case len(missing) > 0 || len(trust.Unread) > 0:
		return unknown(subject, "whether aws-node can assume "+r.Name+" is unknown", append(missing, trust.Unread...))
	case !read:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the snapshot does not contain the OIDC provider"}
	case trust.Verdict == view.Depends:
		return finding.Result{Status: finding.Depends, Subject: subject, Message: "whether aws-node can assume " + r.Name + " depends on a condition", Evidence: dependsLines([]view.Answer{trust}), Next: []finding.Next{explainTrust(provider, trust.Action.Name)}}
	}
	return finding.Result{
		Status: finding.Pass, Subject: subject, Message: "aws-node can assume its IRSA role " + r.Name,
		Evidence: append(grantLines([]view.Answer{trust}), "OIDC provider "+provider),
	}
}
