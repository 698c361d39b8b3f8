package planner

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// correctMapping makes aws-auth's entry of a node role one that matches its nodes and
// lets them in as nodes.
func (p *planner) correctMapping(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return "mapRoles is no YAML list: it is yours to correct" // it is the cluster that failed
	}
	access := p.v.Access(role.ARN)
	switch {
	case len(access.Mapped) > 0:
		return p.mapRole(r, role, &access.Mapped[0])
	case len(access.NearMisses) > 0:
		return p.mapRole(r, role, &access.NearMisses[0].Mapping)
	}
	return whyNoRepair
}

// mapRole writes the entry of a role in aws-auth: a new one, or one in the place of
// old. A username that nodes may have, and groups besides those of nodes, are kept.
func (p *planner) mapRole(r finding.Result, role *view.NodeRole, old *awsauth.Mapping) string {
	windows, _ := p.v.Kinds(role)
	after := awsauth.Mapping{RoleARN: snapshot.WithoutPath(role.ARN), Username: p.v.UserName(role)}
	text, before := "", (*change.State)(nil)
	if p.mapRoles != nil {
		text = *p.mapRoles
	}
	found := after.RoleARN
	if old != nil {
		found = old.RoleARN
		before = &change.State{Role: old.RoleARN, Username: old.Username, Groups: old.Groups}
		after.Groups = slices.Clone(old.Groups)
		if p.v.UserNameFits(role, old.Username) {
			after.Username = old.Username
		}
	}
	for _, group := range view.NodeGroups(windows) {
		if !slices.Contains(after.Groups, group) {
			after.Groups = append(after.Groups, group)
		}
	}
	edited, err := awsauth.Set(text, found, after)
	if err != nil {
		return fmt.Sprintf("aws-auth cannot be edited for you: %s", err)
	}
	whole := &change.Whole{Before: p.mapRoles, After: &edited}
	p.mapRoles = &edited
	title := "map " + role.Name + " to nodes in aws-auth"
	if old != nil {
		title = "correct the entry of " + role.Name + " in aws-auth"
	}
	return p.step(r, Step{
		Title: title, rank: rankEntry, provesOwn: true,
		Changes: []change.Change{{
			Kind: change.AuthRole, Name: after.RoleARN, Before: before, Whole: whole,
			After: &change.State{Role: after.RoleARN, Username: after.Username, Groups: after.Groups},
		}},
		Proof: "aws-auth maps " + after.RoleARN + " to " + after.Username,
		Note:  "fix writes that entry alone, and begins again where somebody else has written; the command writes mapRoles as it was read",
	})
}
