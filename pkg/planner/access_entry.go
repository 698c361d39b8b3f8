package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// grantAccess creates an access entry or, where the cluster uses only aws-auth, maps
// the role there.
func (p *planner) grantAccess(r finding.Result) ([]Step, error) {
	role := p.nodeRole(r)
	switch {
	case role == nil:
		return nil, manual(whyNoStep).next(r.Next...)
	case role.Facts.NotFound:
		if recreate := p.failures(finding.RecreateRole, role.ARN); len(recreate) > 0 {
			if !p.planned(recreate[0]) {
				return nil, blocked(recreate)
			}
		}
	}
	if !p.v.Access(role.ARN).ByEntries {
		return p.mapRole(role, nil)
	}
	kind := p.v.EntryType(role)
	changes := []change.Change{p.entry(role.ARN, nil, &change.State{Type: kind})}
	if _, auto := p.v.Kinds(role); auto && kind == "EC2" {
		changes = append(changes, p.associate(role.ARN, p.autoNodePolicy(), nil))
	}
	return []Step{{
		Title: "create an " + kind + " access entry for " + role.Name, rank: rankEntry, provesOwn: true, Changes: changes,
		Proof: "the role has an access entry of type " + kind,
	}}, nil
}

// replaceAccessEntry deletes an access entry and creates it again, of the type that the
// nodes need, with its access policies where the type takes any.
func (p *planner) replaceAccessEntry(r finding.Result) ([]Step, error) {
	old := p.v.Access(r.Subject.ARN).Entry
	role, elsewhere := p.nodeRole(r), false
	if role == nil { // of hybrid or HyperPod nodes, whose entry has the type that they need
		role, elsewhere = &view.NodeRole{Role: p.v.Role(r.Subject.ARN)}, true
	}
	switch unread := p.v.Snapshot.MissingOf(snapshot.FactAccessPolicies, role.ARN); {
	case old == nil:
		return nil, manual(whyNoStep)
	case len(unread) > 0:
		return nil, policiesUnread(unread)
	}
	kind := p.v.EntryType(role)
	if elsewhere || p.v.EntryFits(role, old.Type) {
		kind = old.Type
	}
	changes, note := p.recreateEntry(role, old, kind)
	return []Step{{
		Title: "replace the access entry of " + role.Name + " by one of type " + kind, rank: rankEntry, provesOwn: true, Changes: changes,
		Proof: "the access entry is of type " + kind + " and newer than the role", Note: note,
	}}, nil
}

func policiesUnread(unread []snapshot.Missing) *ManualError {
	e := manual(whyPoliciesUnread)
	if permission := unread[0].Permission; permission != "" {
		e.Next = []finding.Next{finding.Advise("grant yourself " + permission + " and run fix again")}
	}
	return e
}

// recreateEntry deletes an access entry and creates it again, of a type.
func (p *planner) recreateEntry(role *view.NodeRole, old *snapshot.AccessEntry, kind string) (changes []change.Change, note string) {
	again := &change.State{Type: kind}
	if kind == old.Type {
		again = entryState(old)
		again.CreatedAt = ""
	}
	// Its access policies are deleted with it: the plan lists them, so that they can be
	// restored.
	for _, arn := range text.SortedKeys(old.Policies) {
		changes = append(changes, p.associate(role.ARN, arn, old.Policies[arn]).Invert())
	}
	changes = append(changes, p.entry(role.ARN, entryState(old), nil), p.entry(role.ARN, nil, again))
	note = "the cluster refuses the nodes for the seconds between the two"
	policies := map[string][]string{}
	if _, auto := p.v.Kinds(role); auto && kind == "EC2" {
		policies[p.autoNodePolicy()] = nil
	}
	switch {
	case old.Type == change.Standard && kind != old.Type && len(old.Groups) > 0:
		note += "; its Kubernetes groups " + strings.Join(old.Groups, ", ") + " are lost, as EKS sets those of nodes"
	case kind == old.Type || kind == "EC2":
		for arn, namespaces := range old.Policies {
			policies[arn] = namespaces
		}
	}
	if len(old.Policies) > 0 && len(policies) == 0 {
		note += fmt.Sprintf("; an entry of type %s cannot have access policies: %s removed", kind, removedPolicies(len(old.Policies)))
	}
	for _, arn := range text.SortedKeys(policies) {
		changes = append(changes, p.associate(role.ARN, arn, policies[arn]))
	}
	return changes, note
}

func removedPolicies(n int) string {
	if n == 1 {
		return "1 access policy is"
	}
	return fmt.Sprintf("%d access policies are", n)
}

// entryState is the current state of an access entry, with its time of creation.
func entryState(e *snapshot.AccessEntry) *change.State {
	s := &change.State{Type: e.Type}
	if e.Type == change.Standard {
		s.Username, s.Groups = e.Username, e.Groups
	}
	if !e.CreatedAt.IsZero() {
		s.CreatedAt = e.CreatedAt.UTC().Format(time.RFC3339)
	}
	return s
}

// associateAutoNodePolicy associates the access policy that EKS Auto Mode nodes need.
func (p *planner) associateAutoNodePolicy(r finding.Result) ([]Step, error) {
	role := p.nodeRole(r)
	switch {
	case role == nil:
		return nil, manual(whyNoStep)
	case !p.v.Access(role.ARN).ByEntries:
		return nil, manual("the cluster's authentication mode does not use access entries")
	}
	if entry := p.v.Access(role.ARN).Entry; entry == nil || entry.Type != "EC2" {
		var first []finding.Result
		for _, kind := range []finding.Repair{finding.GrantAccess, finding.ReplaceAccessEntry} {
			first = append(first, p.failures(kind, role.ARN)...)
		}
		for _, f := range first {
			if p.planned(f) { // an entry of type EC2 is created with that policy
				return p.repair(f)
			}
		}
		if len(first) > 0 {
			return nil, blocked(first)
		}
		return nil, manual("it needs an access entry of type EC2 first")
	}
	return []Step{{
		Title: "associate " + newrole.AutoNodePolicy + " with " + role.Name, rank: rankEntry, provesOwn: true,
		Changes: []change.Change{p.associate(role.ARN, p.autoNodePolicy(), nil)}, Proof: newrole.AutoNodePolicy + " is among the entry's access policies",
	}}, nil
}

// entry is the change that creates or deletes an access entry.
func (p *planner) entry(arn string, before, after *change.State) change.Change {
	return change.Change{Kind: change.AccessEntry, Name: arn, Cluster: p.v.Place.Cluster, Before: before, After: after}
}

func (p *planner) associate(arn, policy string, namespaces []string) change.Change {
	return change.Change{Kind: change.AccessPolicy, Name: arn, Part: policy, Cluster: p.v.Place.Cluster, After: &change.State{Namespaces: namespaces}}
}

func (p *planner) autoNodePolicy() string {
	return "arn:" + p.v.Place.Partition + ":eks::aws:cluster-access-policy/" + newrole.AutoNodePolicy
}
