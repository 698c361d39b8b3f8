package fleetrules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var crossClusterTrust = Rule{
	ID: "NR903", Name: "cross-cluster-trust", Severity: finding.Warning, Concern: finding.ConcernTrust, Security: true,
	Title: "The role of aws-node trusts no other cluster's OIDC provider",
	Why: `Pods of the other cluster can get the role's credentials. They can then create, attach and delete network interfaces
wherever the role may. Clusters whose aws-node share a role cannot be separated later without a change on all of them.`,
	Fix: `Remove the statement for the other cluster's provider from the trust policy. Where aws-node of that cluster uses the role,
give it a role of its own first: kubectl noderole fix --cni-identity auto.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
	},
	Needs: []snapshot.Fact{snapshot.FactCluster, snapshot.FactRoles, snapshot.FactPodIdentity, snapshot.FactServiceAccount, snapshot.FactDaemonSet},
	Bad: `
- {name: shop, patch: {roles: {"arn:aws:iam::111122223333:role/shopCNI": {trustPolicy: '{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/SHOP"},"Action":"sts:AssumeRoleWithWebIdentity",
     "Condition":{"StringEquals":{"oidc.eks.eu-west-1.amazonaws.com/id/SHOP:sub":"system:serviceaccount:kube-system:aws-node"}}},
    {"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/LAB"},"Action":"sts:AssumeRoleWithWebIdentity"}]}'}}}}
- {name: lab, patch: {awsNode: {serviceAccount: {roleArn: null}}}}`,
	Good: `
- {name: shop}
- {name: lab, patch: {awsNode: {serviceAccount: {roleArn: null}}}}`,
	check: func(f *fleet, report func(finding.Result)) {
		by := map[provider]Facts{}
		users := map[string][]Facts{} // by the ARN of aws-node's role
		open := map[string]bool{}     // roles of clusters whose own provider is unknown
		unread := &reasons{}
		for _, c := range f.clusters {
			if c.issuer.known() {
				by[c.issuer] = c
			}
			unread.add(f.name(c), dedupe(slices.Concat(c.identityUnread, c.trustUnread)))
			if c.identityRole == "" {
				continue
			}
			if !c.issuer.known() {
				unread.add(f.name(c), []string{"its OIDC issuer is unknown"})
				unread.add(f.name(c), c.cluster)
				open[c.identityRole] = true
			}
			users[c.identityRole] = append(users[c.identityRole], c)
		}
		failed := 0
		for _, arn := range keys(users) {
			if r, is := f.judgeTrust(arn, users[arn], by); is && !open[arn] {
				failed++
				report(r)
			}
		}
		unread.addUnread(f.unread)
		switch {
		case len(users) == 0 && !unread.any():
			report(finding.Result{Status: finding.NotApplicable, Subject: ofFleet(), Message: "no aws-node of the fleet has a role of its own"})
		case failed == 0 || unread.any():
			rest(report, unread, "whether "+other(failed)+"roles of aws-node trust other clusters' OIDC providers is unknown",
				"no role of aws-node trusts another cluster's OIDC provider", fmt.Sprintf("the trust policies of %s were evaluated", text.Count(len(users), "role")))
		}
	},
}

// judgeTrust returns the result about a role of aws-node that trusts providers of other
// clusters than those in which aws-node uses it alone; false where there is none.
func (f *fleet) judgeTrust(arn string, users []Facts, by map[provider]Facts) (finding.Result, bool) {
	r := finding.Result{
		Status: finding.Fail, Severity: finding.Info, Clusters: refs(users),
		Subject: finding.Subject{Kind: finding.SubjectAWSNode, Name: snapshot.NameOf(arn), ARN: arn},
	}
	own := map[provider]bool{}
	if len(users) == 1 {
		own[users[0].issuer] = true
	}
	var others, shared, foreign []string
	for _, c := range users {
		for _, t := range c.trusts {
			p := providerOf(t.Provider)
			if own[p] {
				continue
			}
			own[p] = true // each provider once
			to, in := by[p]
			uses := in && slices.ContainsFunc(users, func(u Facts) bool { return u.ref.ARN == to.ref.ARN })
			if uses && len(users) == 1 {
				continue
			}
			line := fmt.Sprintf("trust policy of %s, statement %d: %s, %s", r.Subject.Name, t.Statement, strings.TrimPrefix(t.Provider[strings.Index(t.Provider, "oidc-provider/"):], "oidc-provider/"), whoseTokens(t))
			switch {
			case uses:
				shared, line = append(shared, f.name(to)), line+"; of cluster "+f.name(to)+", whose aws-node uses the role"
			case in:
				r.Severity = finding.Warning
				others, line = append(others, f.name(to)), line+"; of cluster "+f.name(to)+", whose aws-node does not use the role"
			default:
				foreign, line = append(foreign, p.region+" "+p.id), line+"; of no cluster that was read"
			}
			r.Evidence = append(r.Evidence, line)
			if in {
				r.Clusters = append(r.Clusters, to.ref)
			}
		}
	}
	switch {
	case len(others) > 0:
		r.Message = fmt.Sprintf("pods of %s can get the credentials of %s, the role of aws-node of %s", listed(others), r.Subject.Name, f.names(users))
	case len(foreign) > 0:
		r.Message = fmt.Sprintf("%s, the role of aws-node of %s, trusts the OIDC provider of a cluster that was not read: %s", r.Subject.Name, f.names(users), listed(foreign))
	case len(shared) > 1:
		r.Message = fmt.Sprintf("aws-node of %s share the role %s", listed(shared), r.Subject.Name)
	default:
		return finding.Result{}, false
	}
	r.Next = []finding.Next{finding.Advise("remove from the trust policy what no aws-node uses; where clusters share the role, give each aws-node a role of its own first")}
	return r, true
}

// whoseTokens returns whose tokens a trust policy accepts.
func whoseTokens(t view.ProviderTrust) string {
	switch {
	case t.Any == view.Allowed:
		return "tokens of every service account"
	case t.AWSNode == view.Allowed:
		return "tokens of aws-node"
	default:
		return "tokens that a condition selects"
	}
}
