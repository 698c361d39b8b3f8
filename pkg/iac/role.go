package iac

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/managed"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// role adds a role with its policies, once.
func (w *work) role(arn string) {
	if _, ok := w.s.Roles[arn]; ok || arn == "" || w.s.IsMissing(snapshot.FactRoles, arn) {
		return
	}
	r, ok := w.findRole(arn)
	switch {
	case !ok:
		w.missing(snapshot.FactRoles, arn, w.elsewhere("role "+snapshot.NameOf(arn)+" is"))
		return
	case r.Facts.NotFound:
		put(&w.s.Roles, arn, r.Facts)
		return
	}
	if r.Address != "" {
		w.declare(arn, r.Declared)
	}
	facts := r.Facts
	facts.Tags = r.Tags
	switch {
	case r.Trust.Unknown != "":
		w.missing(snapshot.FactRoles, arn, r.Trust)
	case r.asksForName(r.Trust):
		w.missing(snapshot.FactRoles, arn, r.nameUnknown())
	default:
		facts.TrustPolicy = r.Trust.Text
	}
	boundary, why := w.iamARN(r.Boundary, "policy")
	if why.Unknown != "" {
		w.missing(snapshot.FactRoles, arn, why)
	}
	facts.PermissionsBoundary = boundary
	put(&w.s.Roles, arn, facts) // before what refers to it
	w.policy(boundary, r)

	facts.AttachedPolicies = w.attached(r, arn)
	facts.InlinePolicies = w.inline(r, arn)
	w.perhapsRemoved(r, arn, facts)
	for _, p := range w.code.Profiles {
		if role, _ := w.roleARN(p.Role); role == arn {
			profile := w.arns[p.Address]
			facts.InstanceProfiles = append(facts.InstanceProfiles, profile)
			put(&w.s.InstanceProfiles, profile, snapshot.InstanceProfile{Roles: []string{arn}})
			w.declare(profile, p.Declared)
		}
	}
	facts.InstanceProfiles = slices.DeleteFunc(facts.InstanceProfiles, func(profile string) bool { return !has(w.s.InstanceProfiles, profile) })
	slices.Sort(facts.InstanceProfiles)
	facts.InstanceProfiles = slices.Compact(facts.InstanceProfiles)
	put(&w.s.Roles, arn, facts)
	if r.Existed || r.Read {
		w.notCreated()
	}
}

// perhapsRemoved notes the policies that a role has today and that the code does not have,
// where it does not say what it had before: it may remove them.
func (w *work) perhapsRemoved(r Role, arn string, now snapshot.Role) {
	if w.base == nil || !w.code.Timeless || r.Address == "" {
		return
	}
	depends := func(policy string) Value {
		return Unknown(fmt.Sprintf("whether %s keeps %s, which is not in the %s, depends on the stack", snapshot.NameOf(arn), policy, w.code.Kind))
	}
	before := w.base.Roles[arn]
	for _, policy := range before.AttachedPolicies {
		if !slices.Contains(now.AttachedPolicies, policy) {
			w.missing(snapshot.FactAttachedPolicies, arn, depends(snapshot.NameOf(policy)))
		}
	}
	for _, name := range text.SortedKeys(before.InlinePolicies) {
		if _, ok := now.InlinePolicies[name]; !ok && !w.s.IsMissing(snapshot.FactInlinePolicies, arn+"#"+name) {
			w.missing(snapshot.FactInlinePolicies, arn+"#"+name, depends("inline policy "+name))
		}
	}
}

// findRole returns a role of the code, as a change of the facts that the code is applied to,
// or one of these facts that the code does not have.
func (w *work) findRole(arn string) (Role, bool) {
	i := slices.IndexFunc(w.code.Roles, func(r Role) bool { return w.arns[r.Address] == arn })
	if w.base == nil {
		if i < 0 {
			return Role{}, false
		}
		return w.code.Roles[i], true
	}
	facts, known := w.base.Roles[arn]
	switch {
	case i < 0 && slices.Contains(w.code.Deleted, Deletion{Fact: snapshot.FactRoles, Key: arn}):
		return Role{Facts: snapshot.Role{NotFound: true}}, known
	case !known && i < 0:
		return Role{}, false
	case !known || i >= 0 && !w.code.Roles[i].Existed && !w.code.Roles[i].Read:
		return w.code.Roles[i], true
	}
	r := Role{Trust: Text(facts.TrustPolicy), Boundary: Text(facts.PermissionsBoundary), Tags: facts.Tags}
	if i >= 0 && !w.code.Roles[i].Read {
		r = w.code.Roles[i]
	}
	r.ARN, r.Existed = arn, true
	r.Facts = snapshot.Role{NotFound: facts.NotFound, ID: facts.ID, CreatedAt: facts.CreatedAt, InstanceProfiles: slices.Clone(facts.InstanceProfiles)}
	if w.code.Timeless && r.Address != "" {
		return r, true // whose policies from before may be those of the code from before
	}
	if !r.AttachedOnly {
		for _, policy := range facts.AttachedPolicies {
			r.Attached = append(r.Attached[:len(r.Attached):len(r.Attached)], Text(policy))
		}
	}
	if !r.InlineOnly {
		var inline []Document
		for _, name := range text.SortedKeys(facts.InlinePolicies) {
			inline = append(inline, Document{Name: Text(name), Document: Text(facts.InlinePolicies[name])})
		}
		r.Inline = append(inline, r.Inline...) // the code's own come last and count
	}
	return r, true
}

// notCreated notes that a role that exists may be used by clusters that are not in the code.
func (w *work) notCreated() {
	if !slices.ContainsFunc(w.s.Missing, func(m snapshot.Missing) bool { return m.Fact == snapshot.FactOtherClusters && m.Subject == "" }) {
		w.missing(snapshot.FactOtherClusters, "", w.elsewhere("other clusters of the account are"))
	}
}

// isRole reports whether a value names a role; the reason is set where that is not known.
func (w *work) isRole(v Value, r Role, arn string) (is bool, why Value) {
	if v.Unknown != "" {
		if r.Existed || r.Read {
			return false, Value{} // the name of a role that exists is known
		}
		return false, v
	}
	named, why := w.roleARN(v)
	switch {
	case why.Unknown != "" || named == arn || v.Text != "" && v.Text == snapshot.NameOf(arn):
		return why.Unknown == "", why
	case r.nameless() && v.Resource == "" && strings.HasPrefix(snapshot.NameOf(v.Text), r.Prefix) && !slices.Contains(w.knownARNs(), named):
		return false, Unknown(fmt.Sprintf("whether %s is role %s is known only after apply", r.Address, v.Text))
	}
	return false, Value{}
}

// attached are the managed policies of a role, as ARNs. What is not known is noted.
func (w *work) attached(r Role, arn string) []string {
	var list []string
	for _, v := range r.Attached {
		list = w.attach(list, v, r, arn)
	}
	for _, a := range w.code.Detached {
		if is, _ := w.isRole(a.Role, r, arn); is && !r.AttachedOnly {
			policy, _ := w.iamARN(a.Policy, "policy")
			list = slices.DeleteFunc(list, func(have string) bool { return have == policy })
		}
	}
	for _, a := range w.code.Attachments {
		switch is, why := w.isRole(a.Role, r, arn); {
		case is:
			list = w.attach(list, a.Policy, r, arn)
		case why.Unknown != "":
			w.missing(snapshot.FactAttachedPolicies, arn, why)
		}
	}
	for _, a := range w.code.PolicyAttachments {
		list = w.policyAttachment(list, a, r, arn)
	}
	for _, e := range w.code.ExclusiveAttachments {
		switch is, why := w.isRole(e.Role, r, arn); {
		case is:
			list = nil
			for _, v := range e.Only {
				list = w.attach(list, v, r, arn)
			}
		case why.Unknown != "":
			w.missing(snapshot.FactAttachedPolicies, arn, why)
		}
	}
	if r.Read {
		w.missing(snapshot.FactAttachedPolicies, arn, w.elsewhere("the policies of "+snapshot.NameOf(arn)+" are"))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	for _, policy := range list {
		w.policy(policy, r)
	}
	return list
}

// attach adds the policy that a value names, or notes that it is not known.
func (w *work) attach(list []string, v Value, r Role, arn string) []string {
	policy, why := w.iamARN(v, "policy")
	switch {
	case why.Unknown != "":
		w.missing(snapshot.FactAttachedPolicies, arn, why)
	case policy != "":
		w.policy(policy, r)
		return append(list, policy)
	}
	return list
}

// policyAttachment attaches a policy to the roles of an exclusive attachment, and detaches
// it from all others.
func (w *work) policyAttachment(list []string, a PolicyAttachment, r Role, arn string) []string {
	policy, why := w.iamARN(a.Policy, "policy")
	listed, perhaps := false, Value{}
	for _, v := range a.Roles {
		is, why := w.isRole(v, r, arn)
		listed = listed || is
		perhaps = cmp.Or(perhaps, why)
	}
	switch {
	case listed && why.Unknown != "":
		w.missing(snapshot.FactAttachedPolicies, arn, why)
	case listed:
		list = append(list, policy)
	case perhaps.Unknown != "":
		w.missing(snapshot.FactAttachedPolicies, arn, perhaps)
	case why.Unknown != "" && len(list) > 0:
		w.missing(snapshot.FactAttachedPolicies, arn, why) // it may be one of them
	case slices.Contains(list, policy):
		w.derived("%s detaches %s from %s, which it does not name", a.Address, snapshot.NameOf(policy), snapshot.NameOf(arn))
		list = slices.DeleteFunc(list, func(have string) bool { return have == policy })
	}
	return list
}

// inline are the inline policies of a role by name. What is not known is noted.
func (w *work) inline(r Role, arn string) map[string]string {
	documents := map[string]Value{}
	add := func(d Document, address string) {
		documents[cmp.Or(d.Name.Text, address)] = d.Document
	}
	for _, d := range r.Inline {
		if d.Name.Unknown != "" && d.Document.Empty() {
			w.missing(snapshot.FactInlinePolicies, arn, d.Name)
			continue
		}
		add(d, r.Address)
	}
	for _, p := range w.code.Removed {
		if is, _ := w.isRole(p.Role, r, arn); is && !r.InlineOnly {
			delete(documents, p.Name.Text)
		}
	}
	for _, p := range w.code.InlinePolicies {
		switch is, why := w.isRole(p.Role, r, arn); {
		case is:
			add(p.Document, p.Address)
		case why.Unknown != "":
			w.missing(snapshot.FactInlinePolicies, arn, why)
		}
	}
	for _, e := range w.code.ExclusiveInline {
		is, why := w.isRole(e.Role, r, arn)
		if why.Unknown != "" {
			w.missing(snapshot.FactInlinePolicies, arn, why)
		}
		if is {
			w.keepInline(documents, e, arn)
		}
	}
	if r.Read {
		w.missing(snapshot.FactInlinePolicies, arn, w.elsewhere("the policies of "+snapshot.NameOf(arn)+" are"))
	}
	var known map[string]string
	for _, name := range text.SortedKeys(documents) {
		switch d := documents[name]; {
		case d.Unknown != "":
			w.missing(snapshot.FactInlinePolicies, arn+"#"+name, d)
		case r.asksForName(d):
			w.missing(snapshot.FactInlinePolicies, arn+"#"+name, r.nameUnknown())
		default:
			put(&known, name, d.Text)
		}
	}
	return known
}

// keepInline removes the inline policies that an exclusive list does not have.
func (w *work) keepInline(documents map[string]Value, e Exclusive, arn string) {
	var names []string
	for _, v := range e.Only {
		if v.Unknown != "" {
			w.missing(snapshot.FactInlinePolicies, arn, v)
			return
		}
		names = append(names, v.Text)
	}
	for name := range documents {
		if !slices.Contains(names, name) {
			delete(documents, name)
		}
	}
}

// policy adds a managed policy, once: of the code, or a copy of AWS's.
func (w *work) policy(arn string, of Role) {
	if _, ok := w.s.Policies[arn]; ok || arn == "" || w.s.IsMissing(snapshot.FactPolicies, arn) {
		return
	}
	if w.base != nil && (w.base.IsMissing(snapshot.FactPolicies, arn) || w.base.IsMissing(snapshot.FactClusterRole, arn)) {
		return
	}
	i := slices.IndexFunc(w.code.Policies, func(p Policy) bool { return w.arns[p.Address] == arn })
	if w.base != nil && (i < 0 || w.code.Policies[i].Read) {
		if policy, ok := w.base.Policies[arn]; ok {
			put(&w.s.Policies, arn, policy)
			return
		}
	}
	if managed.Is(arn) {
		if policy, ok := managed.Policy(arn); ok {
			put(&w.s.Policies, arn, policy)
			return
		}
		w.missing(snapshot.FactPolicies, arn, Value{Unknown: fmt.Sprintf("%s is not among the copies of AWS's managed policies that this program has", snapshot.NameOf(arn))})
		return
	}
	if i < 0 {
		w.missing(snapshot.FactPolicies, arn, w.elsewhere("policy "+snapshot.NameOf(arn)+" is"))
		return
	}
	switch p := w.code.Policies[i]; {
	case p.Document.Unknown != "":
		w.missing(snapshot.FactPolicies, arn, p.Document)
	case of.asksForName(p.Document):
		w.missing(snapshot.FactPolicies, arn, of.nameUnknown())
	default:
		put(&w.s.Policies, arn, snapshot.Policy{Document: p.Document.Text})
		w.declare(arn, p.Declared)
	}
}

// asksForName reports whether a document asks for the name of a role whose name AWS
// completes: the answer is known only then.
func (r Role) asksForName(document Value) bool {
	return r.nameless() && strings.Contains(strings.ToLower(document.Text), "aws:principalarn")
}

// nameless reports whether the role's name is known only after apply.
func (r Role) nameless() bool { return r.ARN == "" && r.Name.Name.Text == "" }

func (r Role) nameUnknown() Value {
	return Unknown(fmt.Sprintf("a condition asks for the name of %s, which is known only after apply", r.Address))
}
