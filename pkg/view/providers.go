package view

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// ProviderOf returns the region and the id of the EKS cluster whose issuer an IAM OIDC
// provider is for, by the provider's ARN or the issuer's URL; ok is false for any other
// provider. A cluster has one id and, with the endpoints for IPv6, issuers by two names.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html
func ProviderOf(name string) (region, id string, ok bool) {
	if _, path, found := strings.Cut(name, ":oidc-provider/"); found {
		name = path
	}
	parts := eksIssuer().FindStringSubmatch(strings.TrimPrefix(name, "https://"))
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

var eksIssuer = text.Pattern(`^oidc[.-]eks\.([a-z0-9-]+)\.[a-z0-9.]+/id/([0-9A-Za-z]+)$`)

// ProviderTrust is an OIDC provider of an EKS cluster whose tokens a role's trust policy
// accepts.
type ProviderTrust struct {
	// Provider is its ARN.
	Provider string
	// Statement is the first statement of the trust policy that names it, from 1.
	Statement int
	// AWSNode is the answer for the service account of aws-node, Any for any service
	// account: Depends where some may.
	AWSNode, Any Verdict
}

// TrustedProviders are the OIDC providers of EKS clusters whose tokens the role's trust
// policy accepts from some service account, ordered by ARN. A trust policy that was not read
// has none; see Unread.
func (r *Role) TrustedProviders() []ProviderTrust {
	doc := r.Trust()
	if doc == nil {
		return nil
	}
	var list []ProviderTrust
	for i, s := range doc.Statements {
		if s.Effect != iampolicy.Allow {
			continue
		}
		for _, arn := range s.Principals["Federated"] {
			if _, _, ok := ProviderOf(arn); !ok || slices.ContainsFunc(list, func(t ProviderTrust) bool { return t.Provider == arn }) {
				continue
			}
			_, issuer, _ := strings.Cut(arn, ":oidc-provider/")
			ask := func(subject string) Verdict {
				return r.TrustAllows(r.v.webIdentity(arn, issuer, defaultAudience, subject), webIdentityAction).Verdict
			}
			t := ProviderTrust{Provider: arn, Statement: i + 1, AWSNode: ask(AWSNodeSubject), Any: ask("")}
			if t.AWSNode != Denied || t.Any != Denied {
				list = append(list, t)
			}
		}
	}
	slices.SortFunc(list, func(a, b ProviderTrust) int { return strings.Compare(a.Provider, b.Provider) })
	return list
}

// TrustUnread is what keeps the role's trust policy from being known.
func (r *Role) TrustUnread() []snapshot.Missing { return r.trustDocument().unread }
