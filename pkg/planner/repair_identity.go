package planner

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// repairIRSA repairs why aws-node cannot assume its IRSA role.
func (p *planner) repairIRSA(r finding.Result) ([]Step, error) {
	identity := p.v.ConfiguredIdentity()
	if p.v.NoRole(identity.RoleARN) != "" {
		return nil, manual("which role aws-node should have is your decision").next(r.Next...)
	}
	role, provider := p.v.Role(identity.RoleARN), p.v.OIDCProviderARN()
	if role.Facts.NotFound {
		return p.recreateOwnRole(identity)
	}
	changes := p.provider()
	if answer := role.TrustAllows(p.v.IRSASession(), "sts:AssumeRoleWithWebIdentity"); answer.Verdict == view.Denied {
		if answer.Result.Explicit {
			return nil, manual("%s", whyNotTrusted(answer)).next(r.Next...)
		}
		if err := p.ofOthers(role); err != nil {
			return nil, err
		}
		document, err := addStatement(role.Facts.TrustPolicy, need.TrustServiceAccount(provider, view.AWSNodeSubject, p.v.TokenAudience()))
		if err != nil {
			return nil, manual(whyNoStep).next(r.Next...)
		}
		changes = append(changes, trustChange(role, document))
	}
	if len(changes) == 0 {
		return nil, manual(whyNoStep).next(r.Next...)
	}
	return []Step{{
		Title: "allow aws-node to assume " + role.Name, rank: rankTrust, provesOwn: true, Changes: changes,
		Proof: "the OIDC provider exists, and the trust policy allows " + view.AWSNodeSubject,
	}}, nil
}

// provider creates the account's OIDC provider of the cluster's issuer, or adds the
// audience that aws-node's token has.
func (p *planner) provider() []change.Change {
	arn := p.v.OIDCProviderARN()
	found, read := p.v.Snapshot.OIDCProviders[arn]
	audience := p.v.TokenAudience()
	switch {
	case !read || arn == "":
		return nil
	case found.NotFound:
		return []change.Change{{Kind: change.OIDCProvider, Name: arn, After: &change.State{ClientIDs: []string{audience}}}}
	case !slices.Contains(found.ClientIDs, audience):
		return []change.Change{{
			Kind: change.OIDCProvider, Name: arn, Before: &change.State{ClientIDs: found.ClientIDs},
			After: &change.State{ClientIDs: append(slices.Clone(found.ClientIDs), audience)},
		}}
	}
	return nil
}

// repairPodIdentity repairs why aws-node does not get its Pod Identity role.
func (p *planner) repairPodIdentity(r finding.Result) ([]Step, error) {
	role := p.v.Role(p.v.AssociatedRole())
	cni := p.v.CNI()
	switch {
	case cni.Before(view.PodIdentitySince):
		return nil, manual("the cluster runs vpc-cni %s: upgrade it to %s or later first", cni.Version, view.PodIdentitySince).next(r.Next...)
	case role.Facts.NotFound:
		return p.recreateOwnRole(view.Identity{Kind: view.PodIdentity, RoleARN: role.ARN})
	}
	var changes []change.Change
	if without := p.v.WithoutAgent(); len(without) > 0 {
		if p.v.Snapshot.PodIdentityAgent != nil {
			return nil, agentNotReady(without).next(r.Next...)
		}
		changes = append(changes, p.agent())
	}
	missing := false
	for _, action := range p.v.PodIdentitySession().TrustActions {
		if answer := role.TrustAllows(p.v.PodIdentitySession(), action); answer.Verdict == view.Denied {
			if answer.Result.Explicit {
				return nil, manual("%s", whyNotTrusted(answer)).next(r.Next...)
			}
			missing = true
		}
	}
	if missing {
		if err := p.ofOthers(role); err != nil {
			return nil, err
		}
		document, err := addStatement(role.Facts.TrustPolicy, need.TrustPodIdentity())
		if err != nil {
			return nil, manual(whyNoStep).next(r.Next...)
		}
		changes = append(changes, trustChange(role, document))
	}
	if len(changes) == 0 {
		return nil, manual(whyNoStep).next(r.Next...)
	}
	return []Step{{
		Title: "give aws-node the credentials of " + role.Name + " on every node", rank: rankAgent, provesOwn: true, Changes: changes,
		Proof: "the agent is ready on every node, and the role trusts EKS Pod Identity",
	}}, nil
}

func agentNotReady(nodes []string) *ManualError {
	return manual("%s is installed but not ready on %s: check its pods there", agentAddon, strings.Join(nodes, ", "))
}

// agent installs the EKS Pod Identity Agent.
func (p *planner) agent() change.Change {
	return change.Change{Kind: change.Addon, Name: agentAddon, Cluster: p.v.Place.Cluster, After: &change.State{}}
}

// alignAddonRole configures the add-on with the role that the service account has.
func (p *planner) alignAddonRole(r finding.Result) ([]Step, error) {
	addon, account := p.v.Snapshot.Addons[vpcCNI], p.v.Snapshot.AWSNode.ServiceAccount
	if account == nil || account.RoleARN == "" {
		return nil, manual("the service account has no role: whether aws-node should have the add-on's role is your decision").next(r.Next...)
	}
	return []Step{{
		Title: "configure the vpc-cni add-on with the role that the service account has", rank: rankConfigure, provesOwn: true,
		Changes: []change.Change{{
			Kind: change.AddonRole, Name: vpcCNI, Part: awsNode, Cluster: p.v.Place.Cluster,
			Before: &change.State{Type: change.IRSA, Role: addon.ServiceAccountRoleARN}, After: &change.State{Type: change.IRSA, Role: account.RoleARN},
		}},
		Proof: "both name " + snapshot.NameOf(account.RoleARN),
	}}, nil
}
