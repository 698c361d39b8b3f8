package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func (p *planner) attachWorkerPolicy(r finding.Result) ([]Step, error) {
	return p.attach(r, p.v.Role(r.Subject.ARN), slices.Concat(need.Worker, need.WorkerRecommended), "AmazonEKSWorkerNodePolicy", "give %s the permissions that kubelet needs")
}

func (p *planner) attachPullPolicy(r finding.Result) ([]Step, error) {
	actions := slices.Concat(need.Pull, need.PullThroughCache)
	images, _, _ := p.v.SystemImages()
	for _, i := range images {
		actions = append(actions, view.PullOf(i.Image)...)
	}
	return p.attach(r, p.v.Role(r.Subject.ARN), actions, "AmazonEC2ContainerRegistryPullOnly", "allow %s to pull images")
}

func (p *planner) allowAgent(r finding.Result) ([]Step, error) {
	return p.attach(r, p.v.Role(r.Subject.ARN), need.PodIdentityAgent, p.agentPolicy(r.Subject.ARN), "give %s the permission that the Pod Identity Agent needs")
}

// agentPolicy is the managed policy that allows what the Pod Identity Agent calls: where
// the role is also missing permissions that kubelet needs, the one that has both.
func (p *planner) agentPolicy(role string) string {
	if p.fails(finding.AttachWorkerPolicy, role) {
		return "AmazonEKSWorkerNodePolicy"
	}
	return "AmazonEKSWorkerNodeMinimalPolicy"
}

// attach attaches a managed policy for actions that are denied, unless that does
// not help: an explicit Deny or a boundary denies them.
func (p *planner) attach(r finding.Result, role *view.Role, actions []need.Action, policy, title string) ([]Step, error) {
	denied, why := deniedOf(role, actions)
	switch arn := need.ManagedPolicy(p.v.Place.Partition, policy); {
	case why != "":
		return nil, manual("%s", why).next(r.Next...)
	case role.Facts.NotFound:
		return nil, manual("%s does not exist", role.Name)
	case len(denied) == 0 || slices.Contains(role.Facts.AttachedPolicies, arn):
		return nil, manual(whyNoStep).next(r.Next...)
	default:
		return []Step{{
			Title: fmt.Sprintf(title, role.Name), rank: rankPermissions, provesOwn: true, Changes: []change.Change{attachment(role.Name, arn)},
			Proof: fmt.Sprintf("%s %s allowed (%s)", strings.Join(denied, ", "), becomes(len(denied)), policy),
		}}, nil
	}
}

func attachment(role, policyARN string) change.Change {
	return change.Change{Kind: change.Attachment, Name: role, Part: policyARN, After: &change.State{}}
}

func becomes(n int) string {
	if n == 1 {
		return "becomes"
	}
	return "become"
}

// deniedOf are the actions that a role is denied; why is set where another policy would
// not help.
func deniedOf(role *view.Role, actions []need.Action) (denied []string, why string) {
	for _, a := range actions {
		answer := role.Can(a)
		if answer.Verdict != view.Denied {
			continue
		}
		if answer.Blocked() {
			return nil, whyDenied
		}
		if !slices.Contains(denied, a.Name) {
			denied = append(denied, a.Name)
		}
	}
	return denied, ""
}
