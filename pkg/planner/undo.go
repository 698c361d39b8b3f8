package planner

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Undo is the plan that undoes steps, the last one first. Pods are replaced after what
// gives them their identity, in either direction.
func Undo(cluster string, steps []Step) *Plan {
	p := &Plan{APIVersion: finding.APIVersion, Kind: PlanKind, Cluster: cluster, Steps: []Step{}}
	var restart *Step
	release := func() {
		if restart != nil {
			p.Steps = append(p.Steps, *restart)
			restart = nil
		}
	}
	for _, s := range slices.Backward(steps) {
		back := Step{Title: "undo: " + s.Title, Rules: s.Rules, Subject: s.Subject, Proof: "the state is the same as before"}
		configures := false
		for i, c := range slices.Backward(s.Changes) {
			if restored(s.Changes, i) {
				continue
			}
			switch c.Kind {
			case change.Rollout:
				if c.Before == nil {
					continue // its pods use what is configured
				}
				restart = &Step{
					Title: "restart aws-node, so that every pod uses what it used before", Rules: s.Rules, Subject: s.Subject,
					Changes: []change.Change{c.Invert()}, Proof: "the environment of every pod selects it", Note: restartNote,
				}
				continue
			case change.AddonRole, change.Association, change.ServiceAccountRole:
				configures = true
			default:
			}
			back.Changes = append(back.Changes, c.Invert())
		}
		if len(back.Changes) > 0 {
			p.Steps = append(p.Steps, back)
		}
		if configures {
			release()
		}
	}
	release()
	return p
}

// restored reports whether a change creates again what another one of them deletes: an
// access entry that is the same but for its time of creation, which cannot be undone, or
// an access policy of such an entry. Where it was not created after all, what was deleted
// is restored.
func restored(changes []change.Change, i int) bool {
	c := changes[i]
	if c.Before != nil || c.Kind != change.AccessEntry && c.Kind != change.AccessPolicy {
		return false
	}
	entry := change.Change{Kind: change.AccessEntry, Cluster: c.Cluster, Name: c.Name}
	return recreated(changes, c.Target()) && recreated(changes, entry.Target())
}

// recreated reports whether changes delete a thing and create it as it was.
func recreated(changes []change.Change, target string) bool {
	var chain []change.Change
	for _, c := range changes {
		if c.Target() == target {
			chain = append(chain, c)
		}
	}
	return len(chain) == 2 && chain[0].After == nil && chain[1].Before == nil && change.Same(chain[0].Invert().After, chain[1].After)
}
