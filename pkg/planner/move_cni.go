package planner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// moveCNI gives aws-node a role of its own and then detaches the CNI permissions from the
// node roles: role, agent or OIDC provider, configuration, restart, proof, and only then
// the detachment.
func (p *planner) moveCNI(finding.Result) ([]Step, error) {
	kind, err := p.chooseIdentity()
	if err == nil {
		err = p.blockedByCredentials()
	}
	if err != nil {
		return nil, err
	}
	name := p.o.Role
	if name == "" {
		name = cutName(p.v.Place.Cluster, "-aws-node")
	}
	steps, err := p.ownRoleSteps(kind, name)
	if err != nil {
		return nil, err
	}
	arn := newrole.Role{Name: name, Partition: p.v.Place.Partition, Account: p.v.Place.Account}.ARN()
	more, err := p.useOwnRole(kind, arn)
	if err != nil {
		return nil, err
	}
	p.ownRolePlanned = kind
	steps = append(steps, more...)
	var left []error
	for _, role := range p.v.NodeRoles() {
		detach, err := p.detachFrom(role, kind)
		steps = append(steps, detach...)
		for _, why := range manualErrors(err) {
			why.Finding = &finding.Result{
				ID: p.ruleOf(finding.DetachCNI), Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: role.Name, ARN: role.ARN},
				Message: role.Name + " keeps its CNI permissions",
			}
			left = append(left, why)
		}
	}
	return steps, errors.Join(left...)
}

// ruleOf is the id of a rule with a kind of repair.
func (p *planner) ruleOf(kind finding.Repair) string {
	if results := p.byRepair[kind]; len(results) > 0 {
		return results[0].ID
	}
	return ""
}

// ownRoleSteps create aws-node's own role and what it needs to get it.
func (p *planner) ownRoleSteps(kind view.IdentityKind, name string) ([]Step, error) {
	if kind == view.IRSA {
		trust := need.IRSATrust(p.v.OIDCProviderARN(), view.AWSNodeSubject, p.v.TokenAudience())
		return []Step{{
			Title: "create a role for aws-node", rank: rankRole, Changes: append(p.provider(), p.ownRole(name, "", trust.Compact())...),
			Proof: "the OIDC provider and the role exist, with its trust policy and the CNI permissions",
		}}, nil
	}
	steps, err := p.agentPermission()
	if err != nil {
		return nil, err
	}
	steps = append(steps, Step{
		Title: "create a role for aws-node", rank: rankRole, Changes: p.ownRole(name, "", need.PodIdentityTrust().Compact()),
		Proof: "the role exists, with its trust policy and the CNI permissions",
	})
	if p.v.Snapshot.PodIdentityAgent == nil && len(p.v.WithoutAgent()) > 0 {
		steps = append(steps, Step{
			Title: "install the EKS Pod Identity Agent", rank: rankAgent, Changes: []change.Change{p.agent()},
			Proof: "the agent is ready on every node with aws-node", Postconditions: []Check{{Agent: true}},
		})
	}
	return steps, nil
}

// useOwnRole configures aws-node with its own role and restarts it.
func (p *planner) useOwnRole(kind view.IdentityKind, arn string) ([]Step, error) {
	configured, err := p.checks(finding.MoveCNI, awsNode, true)
	if err != nil {
		return nil, err
	}
	works, err := p.works(kind, true)
	if err != nil {
		return nil, err
	}
	configure := Step{
		Title: "configure aws-node with " + identityWords(kind, arn), rank: rankConfigure, Changes: []change.Change{p.configure(kind, arn)},
		Proof: "a new pod of aws-node gets it, and the role works", Postconditions: slices.Concat(configured, works),
		Note: "running pods keep the node role until they are restarted",
	}
	if kind == view.PodIdentity && len(p.v.WithoutAgent()) > 0 {
		agent, err := p.checks(finding.AllowAgent, "", false)
		if err != nil {
			return nil, err
		}
		configure.Preconditions = append([]Check{{Agent: true}}, agent...)
	}
	restart, err := p.rolloutStep(&change.State{Type: change.NodeRole}, kind, arn)
	return []Step{configure, restart}, err
}

// cutName joins a name and an ending to at most as much as the name of a role may be
// long.
func cutName(name, ending string) string {
	const most = 64 // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
	return name[:min(len(name), most-len(ending))] + ending
}

// configure gives aws-node a role. Where vpc-cni is an EKS add-on, the add-on gets the role:
// its next update would undo any other change.
func (p *planner) configure(kind view.IdentityKind, arn string) change.Change {
	addon, is := p.v.Snapshot.Addons[vpcCNI]
	after := &change.State{Type: string(kind), Role: arn}
	switch {
	case is:
		c := change.Change{Kind: change.AddonRole, Name: vpcCNI, Part: awsNode, Cluster: p.v.Place.Cluster, After: after}
		if addon.ServiceAccountRoleARN != "" {
			c.Before = &change.State{Type: change.IRSA, Role: addon.ServiceAccountRoleARN}
		}
		return c
	case kind == view.PodIdentity:
		return change.Change{Kind: change.Association, Name: awsNodeFull, Cluster: p.v.Place.Cluster, After: &change.State{Role: arn}}
	default:
		return change.Change{Kind: change.ServiceAccountRole, Name: awsNodeFull, After: &change.State{Role: arn}}
	}
}

// chooseIdentity says how aws-node gets its role.
func (p *planner) chooseIdentity() (view.IdentityKind, error) {
	s := p.v.Snapshot
	cni := p.v.CNI()
	provider, read := s.OIDCProviders[p.v.OIDCProviderARN()]
	for _, fact := range []snapshot.Fact{snapshot.FactAddons, snapshot.FactPods, snapshot.FactAgent} {
		if m := p.v.Unread(fact); len(m) > 0 {
			return "", manual("%s could not be read (%s)", fact, m[0].Operation)
		}
	}
	tooOld := cni.Before(view.PodIdentitySince)
	var kind view.IdentityKind
	switch {
	case p.o.Identity == string(view.PodIdentity) && tooOld:
		return "", manual("the cluster runs vpc-cni %s, and EKS Pod Identity needs %s or later: upgrade it first, or use IRSA", cni.Version, view.PodIdentitySince)
	case p.o.Identity == string(view.PodIdentity), p.o.Identity == string(view.IRSA):
		kind = view.IdentityKind(p.o.Identity)
	case tooOld, s.PodIdentityAgent == nil && len(p.v.WithoutAgent()) > 0 && read && !provider.NotFound: // what IRSA needs exists
		kind = view.IRSA
	default:
		kind = view.PodIdentity
	}
	if kind == view.IRSA && !read {
		return "", manual("the cluster's OIDC provider could not be read, or the cluster has no issuer")
	}
	if kind == view.PodIdentity && s.PodIdentityAgent != nil {
		if without := p.v.WithoutAgent(); len(without) > 0 {
			return "", agentNotReady(without)
		}
	}
	return kind, nil
}

// agentPermission gives the node roles the permission that the agent needs, where it is missing.
func (p *planner) agentPermission() ([]Step, error) {
	var steps []Step
	for _, role := range p.v.NodeRoles() {
		if len(p.v.Owners(role.ARN)) > 0 || role.Facts.NotFound || p.fails(finding.AllowAgent, role.ARN) {
			continue
		}
		denied, why := deniedOf(role.Role, need.PodIdentityAgent)
		switch {
		case why != "":
			return nil, manual("%s is missing the permission that the Pod Identity Agent needs: %s", role.Name, why)
		case len(denied) > 0:
			policy := p.agentPolicy(role.ARN)
			steps = append(steps, Step{
				Title: fmt.Sprintf("give %s the permission that the Pod Identity Agent needs", role.Name), rank: rankPermissions,
				Changes: []change.Change{attachment(role.Name, need.ManagedPolicy(p.v.Place.Partition, policy))},
				Proof:   denied[0] + " becomes allowed (" + policy + ")",
			})
		case role.Can(need.PodIdentityAgent[0]).Verdict == view.Unknown:
			return nil, manual("whether %s has the permission that the Pod Identity Agent needs is unknown", role.Name)
		}
	}
	return steps, nil
}
