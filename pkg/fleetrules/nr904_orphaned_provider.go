package fleetrules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

var orphanedProvider = Rule{
	ID: "NR904", Name: "orphaned-oidc-provider", Severity: finding.Info, Concern: finding.ConcernTrust,
	Title: "Every IAM OIDC provider of EKS belongs to a cluster that exists",
	Why: `A provider without a cluster remains of a cluster that was deleted, and so do the roles that trust it. An account has a
limited number of providers, so that a new cluster may get none. A provider can also be of a cluster of another account, whose pods
use roles of this one.`,
	Fix: `Find the cluster's name in the provider's tags. If the cluster is gone, delete the roles that trust the provider, then the
provider: aws iam delete-open-id-connect-provider.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/cross-account-access.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
	},
	Needs: []snapshot.Fact{snapshot.FactCluster, snapshot.FactOtherClusters, snapshot.FactClusterProviders},
	Bad: `
- {name: shop, patch: {clusterProviders: {arns: ["arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/GONE", "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/SHOP"]}}}
- {name: bank, account: "444455556666"}`,
	Good: `
- {name: shop}
- {name: bank, account: "444455556666"}`,
	check: checkProviders,
}

// accountProviders is what the snapshots of an account's clusters say of its providers.
type accountProviders struct {
	// regions are known by each provider's ARN: the region and the id in it.
	seen map[string]provider
	// read is set where one of the snapshots has the providers, and unread says why one
	// does not.
	read   bool
	unread []string
	// issued are the clusters of the account that are known.
	issued map[provider]bool
	// orphans are providers without a cluster, by ARN, with the snapshot whose region was
	// listed in full. What another snapshot knows of may take them off again.
	orphans map[string]finding.ClusterRef
	// incomplete says why the clusters of a region are not all known.
	incomplete map[string][]string
}

// addProviders keeps what a cluster's facts say of its account.
func (f *Fleet) addProviders(c Facts) {
	if f.account == nil {
		f.account = map[string]*accountProviders{}
	}
	a := f.account[c.id.Account]
	if a == nil {
		a = &accountProviders{seen: map[string]provider{}, issued: map[provider]bool{}, orphans: map[string]finding.ClusterRef{}, incomplete: map[string][]string{}}
		f.account[c.id.Account] = a
	}
	from := c.providers
	for _, l := range from.unread {
		a.unread = appendNew(a.unread, l)
	}
	for _, p := range from.issued {
		a.issued[p] = true
	}
	for _, l := range from.incomplete {
		a.incomplete[c.id.Region] = appendNew(a.incomplete[c.id.Region], l)
	}
	a.read = a.read || from.read
	for _, arn := range from.arns {
		p, known := a.seen[arn]
		if !known {
			p = providerOf(arn)
			a.seen[arn] = p
		}
		if p.region != c.id.Region || len(from.incomplete) > 0 || slices.Contains(from.issued, p) {
			continue
		}
		if by, ok := a.orphans[arn]; !ok || compareRefs(c.ref, by) < 0 {
			a.orphans[arn] = c.ref
		}
	}
}

func checkProviders(f *fleet, report func(finding.Result)) {
	issued := map[provider]bool{} // by any account
	for _, a := range f.account {
		for p := range a.issued {
			issued[p] = true
		}
	}
	judged, failed := 0, 0
	unread := &reasons{}
	var notAsked []string
	for _, account := range keys(f.account) {
		a := f.account[account]
		if !a.read && len(a.unread) == 0 {
			notAsked = append(notAsked, account)
		}
		for _, l := range slices.Sorted(slices.Values(a.unread)) {
			unread.add("account "+account, []string{l})
		}
		open := map[string]int{} // providers without a verdict, by region
		for _, arn := range keys(a.seen) {
			p := a.seen[arn]
			by, orphan := a.orphans[arn]
			empty := f.empty[region{account, p.region}]
			switch {
			case issued[p]:
				judged++
			case orphan, empty:
				judged++
				failed++
				report(f.orphan(account, arn, p, by))
			default:
				open[p.region]++
			}
		}
		for _, in := range keys(open) {
			why := "the clusters of the region were not listed"
			if list := a.incomplete[in]; len(list) > 0 {
				why = strings.Join(slices.Sorted(slices.Values(list)), "; ")
			}
			unread.note(fmt.Sprintf("account %s, region %s: %s of no cluster that was read: %s", account, in, text.Count(open[in], "OIDC provider"), why))
		}
	}
	if len(notAsked) > 0 {
		unread.note(fmt.Sprintf("the OIDC providers of account %s were not read: the snapshots are not of a fleet, or of an earlier version", listed(notAsked)))
	}
	for _, u := range f.unread {
		if f.account[u.Account] == nil {
			unread.addUnread([]Unread{u})
		}
	}
	switch {
	case judged == 0 && !unread.any():
		report(finding.Result{Status: finding.NotApplicable, Subject: ofFleet(), Message: "the accounts have no OIDC providers of EKS clusters"})
	case failed == 0 || unread.any():
		rest(report, unread, "whether "+other(judged)+"OIDC providers belong to clusters that exist is unknown", "every OIDC provider of EKS belongs to a cluster that exists",
			fmt.Sprintf("%s of %s compared with the clusters", text.Count(judged, "OIDC provider"), text.Count(len(f.account), "account")))
	}
}

// orphan is the result about a provider without a cluster. by is the cluster whose snapshot
// has all clusters of the region; it is zero where the region has none.
func (f *fleet) orphan(account, arn string, p provider, by finding.ClusterRef) finding.Result {
	r := finding.Result{
		Status:  finding.Fail,
		Subject: finding.Subject{Kind: finding.SubjectOIDCProvider, Name: p.region + " " + p.id, ARN: arn},
		Message: fmt.Sprintf("account %s has an OIDC provider of no cluster: %s in %s", account, p.id, p.region),
		Evidence: []string{
			"iam:ListOpenIDConnectProviders: " + arn,
			fmt.Sprintf("no cluster of account %s in %s has this issuer, and no cluster of another account that was read", account, p.region),
		},
	}
	show := command.AWS("iam", "get-open-id-connect-provider", "--open-id-connect-provider-arn", arn)
	next := finding.Run(show)
	if by.ARN != "" {
		r.Clusters = []finding.ClusterRef{by}
		next = f.run(by.ARN, show)
	}
	r.Next = []finding.Next{next.With("its tags often name the cluster; a cluster of an account that was not read may have it")}
	return r
}
