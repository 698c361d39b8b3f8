package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// detachCNI detaches the CNI permissions from a node role whose nodes' aws-node has a
// role of its own, after the restart that this needs.
func (p *planner) detachCNI(r finding.Result) ([]Step, error) {
	identity := p.v.ConfiguredIdentity()
	if !identity.Own() {
		return p.detachWithMove(r)
	}
	if m := p.v.Unread(snapshot.FactPods); len(m) > 0 {
		return nil, manual("whether every aws-node pod uses its own role is unknown (%s)", m[0].Operation).next(r.Next...)
	}
	role := p.nodeRole(r)
	if role == nil {
		return nil, manual(whyNoStep).next(r.Next...)
	}
	if err := p.blockedByRole(identity.Kind); err != nil {
		return nil, err
	}
	steps, err := p.detachFrom(role, identity.Kind)
	switch {
	case err != nil:
		return nil, err
	case len(steps) == 0:
		return nil, manual(whyNoStep).next(r.Next...)
	case len(p.v.StalePods(identity)) == 0:
		return steps, nil
	}
	restart, err := p.restartAWSNode(r)
	if err != nil {
		return nil, err
	}
	return append(restart, steps...), nil
}

// detachWithMove detaches them where the plan gives aws-node a role of its own.
func (p *planner) detachWithMove(r finding.Result) ([]Step, error) {
	role := p.nodeRole(r)
	switch move := p.failures(finding.MoveCNI, ""); {
	case role == nil:
		return nil, manual(whyNoStep).next(r.Next...)
	case p.ownRolePlanned != "":
		return p.detachFrom(role, p.ownRolePlanned)
	case len(move) > 0:
		return nil, blocked(move)
	default:
		return nil, manual("aws-node has no role of its own and uses these permissions").next(r.Next...)
	}
}

// detachFrom detaches the policies of a node role that grant only CNI permissions. What
// nodes also need from them is attached first. It returns no step where there is no such policy.
func (p *planner) detachFrom(role *view.NodeRole, kind view.IdentityKind) ([]Step, error) {
	if owners := p.v.Owners(role.ARN); len(owners) > 0 {
		return nil, manual("%s is also %s: its nodes need a role of their own", role.Name, owners[0])
	}
	if windows, _ := p.v.Kinds(role); windows {
		return nil, manual("Windows nodes use %s, and Windows networking has used its CNI permissions", role.Name).
			next(finding.Advise("first make sure that the cluster role has AmazonEKSVPCResourceController and that Windows pods get addresses without these permissions"))
	}
	changes, names, err := p.withoutCNI(role)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	requires, err := p.everyPod()
	if err != nil {
		return nil, err
	}
	works, err := p.works(kind, true)
	if err != nil {
		return nil, err
	}
	proves, err := p.checks(finding.DetachCNI, role.ARN, true)
	if err != nil {
		return nil, err
	}
	return []Step{{
		Title: fmt.Sprintf("detach %s from %s", strings.Join(names, ", "), role.Name), rank: rankDetach, Changes: changes,
		Preconditions:  slices.Concat(requires, works),
		Proof:          "the role has no CNI permissions, and its nodes keep the permissions that they need",
		Postconditions: append(proves, p.kept(role)...), Subject: role.Name, arn: role.ARN,
	}}, nil
}

// kept returns the checks of the rules about the nodes' permissions that pass now.
func (p *planner) kept(role *view.NodeRole) []Check {
	var list []Check
	passed := slices.DeleteFunc(
		slices.Concat(p.byRepair[finding.AttachWorkerPolicy], p.byRepair[finding.AttachPullPolicy]),
		func(r *finding.Result) bool { return r.Subject.ARN != role.ARN || r.Status != finding.Pass },
	)
	slices.SortStableFunc(passed, func(a, b *finding.Result) int { return finding.Order(*a, *b) })
	for _, r := range passed {
		list = append(list, Check{Rule: r.ID, Subject: role.ARN})
	}
	return list
}

// withoutCNI are the changes that remove the CNI permissions from a role, and the names of
// the policies.
func (p *planner) withoutCNI(role *view.NodeRole) (changes []change.Change, names []string, err error) {
	var attached, inline []string
	for _, policy := range p.v.CNIPolicies(role.Role) {
		switch {
		case policy.Other != "":
			return nil, nil, manual("policy %s grants CNI permissions and more (%s)", policy.Name, policy.Other).
				next(finding.Advise("remove the CNI permissions from the document of policy " + policy.Name))
		case policy.ARN != "":
			attached = append(attached, policy.ARN)
			changes = append(changes, attachment(role.Name, policy.ARN).Invert())
		default:
			inline = append(inline, policy.Name)
			changes = append(changes, change.Change{Kind: change.InlinePolicy, Name: role.Name, Part: policy.Name, Before: &change.State{Document: policy.Document}})
		}
		names = append(names, policy.Name)
	}
	if len(changes) == 0 {
		return nil, nil, nil
	}
	// The CNI policy also has Describe actions that nodes call.
	rest := role.Without(attached, inline)
	for _, a := range slices.Concat(need.Worker, need.WorkerRecommended) {
		if role.Can(a).Verdict != view.Denied && rest.Can(a).Verdict == view.Denied {
			return slices.Insert(changes, 0, attachment(role.Name, need.ManagedPolicy(p.v.Place.Partition, "AmazonEKSWorkerNodePolicy"))), names, nil
		}
	}
	return changes, names, nil
}
