package planner

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// restartAWSNode replaces aws-node's pods.
func (p *planner) restartAWSNode(finding.Result) ([]Step, error) {
	identity := p.v.ConfiguredIdentity()
	if err := p.blockedByRoleOf(identity); err != nil {
		return nil, err
	}
	step, err := p.rolloutStep(nil, identity.Kind, identity.RoleARN)
	if err != nil {
		return nil, err
	}
	if !identity.Own() { // the node roles that the new pods use have the CNI permissions
		if step.Preconditions, err = p.checks(finding.AllowCNI, "", false); err != nil {
			return nil, err
		}
	}
	return []Step{step}, nil
}

// blockedByRoleOf says why pods that use this identity would not work.
func (p *planner) blockedByRoleOf(identity view.Identity) error {
	if identity.Own() {
		return p.blockedByRole(identity.Kind)
	}
	failing := slices.DeleteFunc(p.failures(finding.AllowCNI, ""), p.planned)
	if len(failing) > 0 {
		return blocked(failing)
	}
	return p.blockedByCredentials()
}

// rolloutStep replaces aws-node's pods, so that all of them use an identity; before is
// what they use now, nil for what is not restored. Pods do not show which role EKS Pod
// Identity gives them.
func (p *planner) rolloutStep(before *change.State, kind view.IdentityKind, arn string) (Step, error) {
	after := &change.State{Type: string(kind)}
	if kind == view.IRSA {
		after.Role = arn
	}
	proves, err := p.everyPod()
	if err != nil {
		return Step{}, err
	}
	step := Step{
		Title: "restart aws-node, so that every pod uses " + identityWords(kind, arn), rank: rankRollout,
		Changes: []change.Change{{Kind: change.Rollout, Name: awsNodeFull, Before: before, After: after}},
		Proof:   "the environment of every pod selects it", Postconditions: proves, Note: restartNote,
	}
	if kind == view.IRSA || kind == view.PodIdentity {
		step.Preconditions, err = p.works(kind, false)
	}
	return step, err
}
