package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// correctMapping corrects aws-auth's entry of a node role, so that it matches its nodes
// and maps them to nodes.
func (p *planner) correctMapping(r finding.Result) ([]Step, error) {
	role := p.nodeRole(r)
	if role == nil {
		return nil, manual("mapRoles is not a YAML list, which fix does not change").next(r.Next...) // the cluster failed
	}
	access := p.v.Access(role.ARN)
	switch {
	case len(access.Mapped) > 0:
		return p.mapRole(role, &access.Mapped[0])
	case len(access.NearMisses) > 0:
		return p.mapRole(role, &access.NearMisses[0].Mapping)
	}
	return nil, manual(whyNoStep).next(r.Next...)
}

// mapRole writes the entry of a role in aws-auth: a new one, or one in the place of
// old. A username that nodes may have, and groups besides those of nodes, are kept.
func (p *planner) mapRole(role *view.NodeRole, old *awsauth.Mapping) ([]Step, error) {
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
		return nil, manual("aws-auth cannot be edited entry by entry: %s", err).next(editAWSAuth(after))
	}
	whole := &change.Whole{Before: p.mapRoles, After: &edited}
	p.mapRoles = &edited
	title := "map " + role.Name + " to nodes in aws-auth"
	if old != nil {
		title = "correct the entry of " + role.Name + " in aws-auth"
	}
	return []Step{{
		Title: title, rank: rankEntry, provesOwn: true,
		Changes: []change.Change{{
			Kind: change.AuthRole, Name: after.RoleARN, Before: before, Whole: whole,
			After: &change.State{Role: after.RoleARN, Username: after.Username, Groups: after.Groups},
		}},
		Proof: "aws-auth maps " + after.RoleARN + " to " + after.Username,
		Note:  "fix writes only this entry, and starts over if another write came first; the command writes all entries, and is refused if mapRoles was changed since",
	}}, nil
}

// editAWSAuth is the command with which people write an entry.
func editAWSAuth(m awsauth.Mapping) finding.Next {
	return finding.Run(command.Kubectl("-n", "kube-system", "edit", "configmap", "aws-auth")).
		With(fmt.Sprintf("in mapRoles write: {rolearn: %s, username: '%s', groups: [%s]}", m.RoleARN, m.Username, strings.Join(m.Groups, ", ")))
}
