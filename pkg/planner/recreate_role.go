package planner

import (
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// nodeRoleLike is a role with the permissions that the nodes of another role need, with the
// CNI permissions where aws-node has no role of its own.
func (p *planner) nodeRoleLike(role *view.NodeRole, name, path string) newrole.Role {
	n := newrole.Role{
		Name: name, Path: path, Description: "Amazon EKS node role", Partition: p.v.Place.Partition, Account: p.v.Place.Account,
		AutoMode: role.OnlyAutoMode(), Cluster: p.v.Place.Cluster,
	}
	if identity := p.v.ConfiguredIdentity(); identity.Kind == view.FromNodeRole && !n.AutoMode {
		n.CNI = newrole.IPv4CNI
		if p.v.CNI().IPFamily == "ipv6" {
			n.CNI = newrole.IPv6CNI
		}
	}
	return n
}

// roleName matches the names that IAM accepts for a role.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
var roleName = text.Pattern(`^[\w+=,.@-]{1,64}$`)

// namedBy returns where the name of a node role is configured.
func namedBy(role *view.NodeRole) string {
	var names []string
	for _, s := range role.Sources {
		names = append(names, string(s.Kind)+" "+s.Name)
	}
	return "correct the role's name in " + strings.Join(names, ", ")
}

// recreateRole recreates a node role that was deleted, and its access entry, which does
// not match the new one.
func (p *planner) recreateRole(r finding.Result) ([]Step, error) {
	role := p.nodeRole(r)
	a, ok := snapshot.ParseARN(r.Subject.ARN)
	unread := p.v.Snapshot.MissingOf(snapshot.FactAccessPolicies, r.Subject.ARN)
	switch {
	case role == nil || !ok:
		return nil, manual(whyNoStep).next(r.Next...)
	case a.Account != p.v.Place.Account:
		return nil, manual("the role belongs to another account").next(r.Next...)
	case !roleName().MatchString(a.Name()):
		return nil, manual("%q is not a valid role name", a.Name()).next(finding.Advise(namedBy(role)))
	case len(unread) > 0:
		return nil, policiesUnread(unread)
	}
	changes := p.nodeRoleLike(role, a.Name(), pathOf(a)).Changes()
	note := "what else the deleted role allowed is unknown"
	if access := p.v.Access(role.ARN); access.Entry != nil {
		entry, more := p.recreateEntry(role, access.Entry, access.Entry.Type)
		changes, note = append(changes, entry...), note+"; "+more
	}
	return []Step{{
		Title: "recreate " + role.Name, rank: rankRole, provesOwn: true, Changes: changes,
		Proof: "the role exists, and its access entry is newer", Note: note,
	}}, nil
}
