package planner

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// ipv6PolicyName is the inline policy with what the VPC CNI calls on IPv6, for which AWS
// has no managed policy.
const ipv6PolicyName = "vpc-cni-ipv6"

// allowCNI gives the role that aws-node uses the permissions that it needs.
func (p *planner) allowCNI(r finding.Result) ([]Step, error) {
	const title = "give %s the permissions that aws-node needs"
	cni, role, identity := p.v.CNI(), p.roleOfAWSNode(r), p.v.ConfiguredIdentity()
	switch {
	case p.ownRolePlanned != "":
		return nil, nil // the planned role of aws-node has them
	case !role.OfAccount():
		return nil, manual("the role belongs to another account").next(r.Next...)
	case role.Facts.NotFound && identity.Own():
		return p.recreateOwnRole(identity)
	case role.Facts.NotFound:
		return p.withRecreatedRole(r)
	}
	if identity.Own() {
		if err := p.ofOthers(role); err != nil {
			return nil, err
		}
	}
	inline := p.inlineCNI()
	if inline == "" {
		return p.attach(r, role, cni.Required(), "AmazonEKS_CNI_Policy", title)
	}
	denied, why := deniedOf(role, cni.Required())
	switch {
	case why != "":
		return nil, manual("%s", why).next(r.Next...)
	case len(denied) == 0:
		return nil, manual(whyNoStep).next(r.Next...)
	case role.Facts.InlinePolicies[inline] != "":
		return nil, extend(role, inline, denied)
	}
	return []Step{{
		Title: fmt.Sprintf(title, role.Name), rank: rankPermissions, provesOwn: true,
		Changes: []change.Change{p.cniInline(role.Name)}, Proof: fmt.Sprintf("%s %s allowed", strings.Join(denied, ", "), becomes(len(denied))),
	}}, nil
}

// withRecreatedRole adds a finding about a node role that does not exist to the step that
// recreates it.
func (p *planner) withRecreatedRole(r finding.Result) ([]Step, error) {
	first := p.failures(finding.RecreateRole, r.Subject.ARN)
	switch {
	case len(first) == 0:
		return nil, manual(whyNoStep).next(r.Next...)
	case p.planned(first[0]):
		return p.repair(first[0])
	default:
		return nil, blocked(first)
	}
}

// roleOfAWSNode is the role that aws-node uses: its own, or the node role that a result
// is about.
func (p *planner) roleOfAWSNode(r finding.Result) *view.Role {
	if identity := p.v.ConfiguredIdentity(); identity.Own() {
		return p.v.Role(identity.RoleARN)
	}
	return p.v.Role(r.Subject.ARN)
}

func (p *planner) cniInline(role string) change.Change {
	cni := p.v.CNI()
	cni.Version = "" // for every version, so that an upgrade needs no more
	document := cni.Document(p.v.Place.Partition)
	return change.Change{Kind: change.InlinePolicy, Name: role, Part: p.inlineCNI(), After: &change.State{Document: document.Compact()}}
}

// inlineCNI is the name of the inline policy for the VPC CNI; empty where
// AmazonEKS_CNI_Policy has all that it calls.
func (p *planner) inlineCNI() string {
	if p.v.CNI().IPFamily == "ipv6" {
		return ipv6PolicyName
	}
	return ""
}

// extend leaves to people an inline policy that exists under the name that the plan would
// give a new one: writing it would replace what it allows.
func extend(role *view.Role, inline string, denied []string) error {
	return manual("its inline policy %s does not allow all of them", inline).
		next(finding.Advise("allow " + strings.Join(denied, ", ") + " in inline policy " + inline + " of " + role.Name))
}

// prepareCNIUpgrade grants the permissions that later versions of vpc-cni require.
func (p *planner) prepareCNIUpgrade(r finding.Result) ([]Step, error) {
	const name = "vpc-cni-upgrade"
	role := p.roleOfAWSNode(r)
	if p.v.ConfiguredIdentity().Own() {
		if err := p.ofOthers(role); err != nil {
			return nil, err
		}
	}
	more := p.v.CNI().NeedsMoreFrom()
	var actions []need.Action
	for _, m := range more {
		actions = append(actions, m.Actions...)
	}
	denied, why := deniedOf(role, actions)
	switch {
	case why != "":
		return nil, manual("%s", why).next(r.Next...)
	case len(denied) == 0:
		return nil, manual(whyNoStep).next(r.Next...)
	case role.Facts.InlinePolicies[name] != "":
		return nil, extend(role, name, denied)
	}
	document := need.Only(p.v.Place, actions)
	return []Step{{
		Title: "give " + role.Name + " the permissions that vpc-cni " + more[0].From + " needs", rank: rankPermissions, provesOwn: true,
		Changes: []change.Change{{Kind: change.InlinePolicy, Name: role.Name, Part: name, After: &change.State{Document: document.Compact()}}},
		Proof:   fmt.Sprintf("%s %s allowed", strings.Join(denied, ", "), becomes(len(denied))),
	}}, nil
}
