package view

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// CNIPolicy is a policy of a role that grants permissions that nothing on a node but a
// CNI uses.
type CNIPolicy struct {
	// Name is the policy's; ARN is empty for an inline one.
	Name, ARN string
	// Document is its text.
	Document string
	// Other is what else it grants, such as an action or ec2:*; empty where it grants only
	// CNI permissions, so that detaching it has no other effect.
	Other string
}

// CNIPolicies are the policies by which a role has CNI permissions, ordered as the
// role has them. What they grant decides, not their names. A policy that could not be read is
// not among them.
func (v *View) CNIPolicies(r *Role) []CNIPolicy {
	var found []CNIPolicy
	add := func(d document, p CNIPolicy) {
		if d.policy.Document == nil {
			return
		}
		if marked, other := v.grantsCNI(d.policy.Document, r.ARN); marked {
			p.Name, p.Other = d.policy.Name, other
			found = append(found, p)
		}
	}
	for _, arn := range r.Facts.AttachedPolicies {
		add(v.managed(arn), CNIPolicy{ARN: arn, Document: v.Snapshot.Policies[arn].Document})
	}
	for name, text := range sortedPairs(r.Facts.InlinePolicies) {
		d := v.parse(iampolicy.Identity, r.ARN+"#"+name, iampolicy.Policy{Name: InlineName(name)}, text)
		d.policy.Name = name
		add(d, CNIPolicy{Document: text})
	}
	return found
}

// grantsCNI reports whether a document allows a role an action that indicates a CNI, of
// either IP family, and what it says that is not about a CNI.
func (v *View) grantsCNI(d *iampolicy.Document, role string) (marked bool, other string) {
	known := need.CNIActions()
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Document: d}}})
	for _, a := range need.Indicative() {
		for _, request := range a.Requests(v.Place, role, nil) {
			if decision, err := set.Decide(request); err == nil && decision != iampolicy.Denied {
				marked = true
			}
		}
	}
	for _, s := range d.Statements {
		switch {
		case s.Effect == iampolicy.Deny:
			return marked, "a Deny"
		case s.NotActions != nil:
			return marked, "NotAction"
		}
		for _, a := range s.Actions {
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, a) }) {
				return marked, a
			}
		}
	}
	return marked, ""
}

// Without is the role without some of its attached and inline policies, by ARN and
// by name.
func (r *Role) Without(attached, inline []string) *Role {
	rest := &Role{ARN: r.ARN, Name: r.Name, Facts: r.Facts, Unread: r.Unread, v: r.v}
	rest.Facts.AttachedPolicies = slices.DeleteFunc(slices.Clone(r.Facts.AttachedPolicies), func(arn string) bool { return slices.Contains(attached, arn) })
	rest.Facts.InlinePolicies = map[string]string{}
	for name, text := range r.Facts.InlinePolicies {
		if !slices.Contains(inline, name) {
			rest.Facts.InlinePolicies[name] = text
		}
	}
	return rest
}
