// Package view says what the facts of a snapshot mean: which roles nodes can
// hold and from what, what each of them is granted, and whose credentials
// aws-node uses. It is computed once, passes no verdict, and asks nobody.
package view

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// View is a snapshot with its meaning. It is not safe for concurrent use.
type View struct {
	// Snapshot is the facts; not to be changed.
	Snapshot *snapshot.Snapshot
	// Place fills in the resource patterns of needs.
	Place need.Place

	documents map[string]document
	roles     []*NodeRole
	roleless  []RolelessNode
	launchers []Launcher
	byARN     map[string]*Role
	auth      *AuthMap
	misplaced *[]Misplaced
	// cniVersion stands in for the version of vpc-cni that runs.
	cniVersion string
}

// document is a parsed policy document, or why there is none.
type document struct {
	policy iampolicy.Policy
	unread []snapshot.Missing
}

// New returns the view of a snapshot.
func New(s *snapshot.Snapshot) *View {
	id := s.Cluster.Identity()
	v := &View{
		Snapshot:  s,
		Place:     need.Place{Partition: id.Partition, Region: id.Region, Account: id.Account, Cluster: id.Name()},
		documents: map[string]document{},
		byARN:     map[string]*Role{},
	}
	v.takeInventory()
	return v
}

// Unread returns what is missing of the given facts as a whole, in order.
func (v *View) Unread(facts ...snapshot.Fact) []snapshot.Missing {
	var found []snapshot.Missing
	for _, m := range v.Snapshot.Missing {
		if slices.Contains(facts, m.Fact) {
			found = append(found, m)
		}
	}
	return found
}

// Role is an IAM role and what it may do.
type Role struct {
	ARN, Name string
	// Facts is what IAM says of the role; the zero Role where it was not read.
	Facts snapshot.Role
	// Unread says why Facts is not known; empty where it is.
	Unread []snapshot.Missing

	v *View
	// These are set on the first question. In delegated, a resource's policy that is
	// not known delegates to the account's own policies; in set it may say anything.
	set, delegated *iampolicy.Set
	setUnread      []snapshot.Missing
	known     *iampolicy.Context
	trust     *document
}

// FindRole returns the role with this ARN or, where it is the only one, name; ok
// is false where the snapshot has none or several.
func (v *View) FindRole(name string) (r *Role, ok bool) {
	var found []string
	for arn := range v.Snapshot.Roles {
		if arn == name || snapshot.NameOf(arn) == name {
			found = append(found, arn)
		}
	}
	for _, m := range v.Snapshot.Missing {
		if m.Fact == snapshot.FactRoles && m.Subject != "" && (m.Subject == name || snapshot.NameOf(m.Subject) == name) && !slices.Contains(found, m.Subject) {
			found = append(found, m.Subject)
		}
	}
	if len(found) != 1 {
		return nil, false
	}
	return v.Role(found[0]), true
}

// Role returns the role of this ARN, read or not.
func (v *View) Role(arn string) *Role {
	if r, ok := v.byARN[arn]; ok {
		return r
	}
	r := &Role{ARN: arn, Name: snapshot.NameOf(arn), v: v}
	facts, ok := v.Snapshot.Roles[arn]
	r.Facts = facts
	switch missing := v.Snapshot.MissingOf(snapshot.FactRoles, arn); {
	case len(missing) > 0:
		r.Unread = missing
	case !ok:
		r.Unread = []snapshot.Missing{{Fact: snapshot.FactRoles, Subject: arn, Operation: "iam:GetRole", Error: "the snapshot does not hold this role"}}
	}
	v.byARN[arn] = r
	return r
}

// Verdict is the answer to a question about a role.
type Verdict int

// The answers.
const (
	// Unknown: a fact that could change the answer was not read.
	Unknown Verdict = iota
	Denied
	// Depends: every fact was read, and the answer hangs on a condition or on
	// the resource.
	Depends
	Allowed
)

// Answer is whether a role may do something, and why.
type Answer struct {
	Action  need.Action
	Verdict Verdict
	Result  iampolicy.Result
	// Unread says, for Unknown, what was not read.
	Unread []snapshot.Missing
}

// Can answers whether the role is effectively allowed an action, everywhere that
// the action is needed: managed and inline policies, explicit Deny, boundary.
func (r *Role) Can(a need.Action) Answer {
	set := r.policies(a)
	result, err := set.Evaluate(a.Request(r.v.Place, r.ARN, r.known))
	return answer(a, result, err, r.setUnread)
}

// Explain says what each statement of the role's policies does for an action. Its
// error is an *iampolicy.RequestError.
func (r *Role) Explain(a need.Action) ([]iampolicy.Trace, error) {
	return r.policies(a).Explain(a.Request(r.v.Place, r.ARN, r.known))
}

// policies returns the role's policies for a question about an action.
func (r *Role) policies(a need.Action) *iampolicy.Set {
	r.prepare()
	if a.Delegated {
		return r.delegated
	}
	return r.set
}

// LetsIn answers whether the role's trust policy lets a service principal do an
// action such as sts:AssumeRole.
func (r *Role) LetsIn(service, action string) Answer {
	return r.LetsInWith(service, action, nil)
}

// LetsInWith is LetsIn for any principal and with what is known of the request.
func (r *Role) LetsInWith(principal, action string, known *iampolicy.Context) Answer {
	if r.trust == nil {
		d := r.v.parse(iampolicy.Trust, r.ARN+"#trust", iampolicy.Policy{Name: r.TrustName()}, r.Facts.TrustPolicy)
		if len(r.Unread) > 0 {
			d = document{policy: iampolicy.Policy{Name: r.TrustName()}, unread: r.Unread}
		}
		r.trust = &d
	}
	a := need.Action{Name: action, For: principal}
	result, err := iampolicy.Prepare(iampolicy.Policies{Resource: &r.trust.policy}).Evaluate(&iampolicy.Request{
		Principal: principal, Action: action, Resource: r.ARN, Account: r.v.Place.Account, Context: known,
	})
	return answer(a, result, err, r.trust.unread)
}

// Trust returns the role's parsed trust policy, nil where it could not be read.
func (r *Role) Trust() *iampolicy.Document {
	r.LetsIn("ec2.amazonaws.com", "sts:AssumeRole")
	return r.trust.policy.Document
}

// TrustedServices are the services that the trust policy's Allow statements name,
// whatever else they demand.
func (r *Role) TrustedServices() map[string]bool {
	named := map[string]bool{}
	if doc := r.Trust(); doc != nil {
		for _, s := range doc.Statements {
			if s.Effect == iampolicy.Allow {
				for _, service := range s.Principals["Service"] {
					named[service] = true
				}
			}
		}
	}
	return named
}

// answer returns the answer to a question. One that cannot be asked, because the
// snapshot lacks a name or has one that is not AWS's, is unknown.
func answer(a need.Action, result iampolicy.Result, err error, unread []snapshot.Missing) Answer {
	ans := Answer{Action: a, Result: result}
	if err != nil {
		ans.Unread = append(slices.Clone(unread), snapshot.Missing{Fact: snapshot.FactPolicies, Operation: "ask about " + a.Name, Error: err.Error()})
		return ans
	}
	switch result.Decision {
	case iampolicy.Allowed:
		ans.Verdict = Allowed
	case iampolicy.Denied:
		ans.Verdict = Denied
	case iampolicy.Depends:
		ans.Verdict = Depends
		if len(unread) > 0 {
			ans.Verdict, ans.Unread = Unknown, unread
		}
	}
	return ans
}

// prepare gathers the role's policies. What could not be read stands in as a
// policy without a document, which the evaluator takes for "may say anything".
func (r *Role) prepare() {
	if r.set != nil {
		return
	}
	s := r.v.Snapshot
	var p iampolicy.Policies
	add := func(d document) {
		p.Identity = append(p.Identity, d.policy)
		r.setUnread = append(r.setUnread, d.unread...)
	}
	if len(r.Unread) > 0 {
		add(unreadDocument("policies of "+r.Name, r.Unread))
	}
	for _, arn := range r.Facts.AttachedPolicies {
		add(r.v.managed(arn))
	}
	if m := s.MissingOf(snapshot.FactAttachedPolicies, r.ARN); len(m) > 0 {
		add(unreadDocument("attached policies of "+r.Name, m))
	}
	for name, text := range sortedPairs(r.Facts.InlinePolicies) {
		add(r.v.parse(iampolicy.Identity, r.ARN+"#"+name, iampolicy.Policy{Name: InlineName(name)}, text))
	}
	for _, m := range s.Missing {
		if m.Fact == snapshot.FactInlinePolicies && (m.Subject == "" || m.Subject == r.ARN || strings.HasPrefix(m.Subject, r.ARN+"#")) {
			add(unreadDocument("inline policies of "+r.Name, []snapshot.Missing{m}))
		}
	}
	if b := r.Facts.PermissionsBoundary; b != "" {
		d := r.v.managed(b)
		p.Boundary = &d.policy
		r.setUnread = append(r.setUnread, d.unread...)
	}
	r.set = iampolicy.Prepare(p)
	p.ResourceState = iampolicy.Delegates
	r.delegated = iampolicy.Prepare(p)
	r.known = iampolicy.RoleSession(r.ARN, r.v.Place.Account, r.v.Place.Region, r.Facts.Tags)
}

// managed returns the document of a managed policy.
func (v *View) managed(arn string) document {
	policy, ok := v.Snapshot.Policies[arn]
	name := iampolicy.Policy{Name: snapshot.NameOf(arn), ARN: arn, Version: policy.Version}
	if m := v.Snapshot.MissingOf(snapshot.FactPolicies, arn); len(m) > 0 || !ok {
		if len(m) == 0 {
			m = []snapshot.Missing{{Fact: snapshot.FactPolicies, Subject: arn, Operation: "iam:GetPolicyVersion", Error: "the snapshot does not hold this policy"}}
		}
		return document{policy: name, unread: m}
	}
	return v.parse(iampolicy.Identity, arn, name, policy.Document)
}

// parse parses a document once. One that IAM would not have stored is as good as
// unread: nothing can be said of what it allows.
func (v *View) parse(kind iampolicy.Kind, key string, p iampolicy.Policy, text string) document {
	if d, ok := v.documents[key]; ok {
		return d
	}
	d := document{policy: p}
	doc, err := iampolicy.Parse(kind, []byte(text))
	if err != nil {
		d.unread = []snapshot.Missing{{Fact: snapshot.FactPolicies, Subject: key, Operation: "read the document", Error: p.Name + " is not a policy document: " + err.Error()}}
	}
	d.policy.Document = doc
	v.documents[key] = d
	return d
}

func unreadDocument(name string, m []snapshot.Missing) document {
	return document{policy: iampolicy.Policy{Name: name}, unread: m}
}

// InlineName is what statements of an inline policy are cited by.
func InlineName(policy string) string { return "inline " + policy }

// TrustName is what statements of the role's trust policy are cited by.
func (r *Role) TrustName() string { return "trust policy of " + r.Name }
