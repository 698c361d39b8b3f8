// Package view says what the facts of a snapshot mean: which roles nodes can
// have and from which source, what each role is granted, and whose credentials
// aws-node uses. It is computed once, judges nothing, and makes no calls.
package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// View is a snapshot with its meaning. It is not safe for concurrent use.
type View struct {
	// Snapshot is the facts, which nobody changes.
	Snapshot *snapshot.Snapshot
	// Place fills in the resource patterns of needs.
	Place need.Place

	documents   map[string]document
	roles       []*NodeRole
	roleless    []RolelessNode
	nodeSources []NodeSource
	displaced   []Displaced
	byARN       map[string]*Role
	auth        *AuthMap
	sessions    map[string][]*Session
	authLines   []int
	access      map[string]Access
	images      *systemImages   // made on the first question
	limits      *organization   // made on the first question
	tokens      map[string]bool // made on the first question
	// cniVersion replaces the version of vpc-cni that runs.
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
		access:    map[string]Access{},
	}
	v.resolveNodeRoles()
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
	// What follows is made on the first question.
	usedBy  *Session
	granted *granted
	uses    map[*Session]use
	answers map[question]Answer
	trust   *document
}

// question is what an answer of ByPolicies rests on, besides the facts.
type question struct {
	session                 *Session
	name, region, resources string
	delegated               bool
}

// granted is a role's own policies.
type granted struct {
	policies iampolicy.Policies
	unread   []snapshot.Missing
}

// use is a role as a session uses it.
type use struct {
	// In delegated, a resource's policy that is not known delegates to the account's
	// own policies; in set it may say anything.
	set, delegated limited
	unread         []snapshot.Missing
	known          *iampolicy.Context
}

// limited is a role's policies with those of the organization, and without its resource
// control policies, which are not about resources of other accounts.
type limited struct{ all, withoutRCPs *iampolicy.Set }

func prepare(p iampolicy.Policies) limited {
	l := limited{all: iampolicy.Prepare(p)}
	p.RCPs = nil
	l.withoutRCPs = iampolicy.Prepare(p)
	return l
}

// policies returns the role's policies for a question about an action.
func (u use) policies(a need.Action) limited {
	if a.Delegated {
		return u.delegated
	}
	return u.set
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
	ofCluster, _ := v.unreadClusterRole(arn)
	switch missing := append(v.Snapshot.MissingOf(snapshot.FactRoles, arn), ofCluster...); {
	case len(missing) > 0:
		r.Unread = missing
	case !ok:
		r.Unread = []snapshot.Missing{{Fact: snapshot.FactRoles, Subject: arn, Operation: "iam:GetRole", Error: "the snapshot does not contain this role"}}
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
	// Depends: every fact was read, and a condition or the resource of the
	// request decides.
	Depends
	Allowed
)

// Answer is whether a role may do something, and why.
type Answer struct {
	Action  need.Action
	Verdict Verdict
	// On is the resource type that Result is about, such as subnet/*, where the action
	// is called on several; empty where all of them have the same answer.
	On     string
	Result iampolicy.Result
	// Unread says, for Unknown, what was not read.
	Unread []snapshot.Missing
	// NotNeeded is set, for Depends, where the policies deny it, and says where nodes do
	// without.
	NotNeeded string
	// Organization is set where the IAM policy simulator reports that a service control
	// policy denies it, and the role's policies do not.
	Organization *snapshot.Simulation
}

// Blocked reports whether another policy would not change a denial: an explicit Deny,
// the permissions boundary, the session policy or a service control policy denies.
func (a Answer) Blocked() bool {
	return a.Organization != nil || a.Result.Explicit || a.Result.By == iampolicy.LayerBoundary || a.Result.By == iampolicy.LayerSession || a.ByOrganization()
}

// ByOrganization reports whether a policy of the organization denies.
func (a Answer) ByOrganization() bool {
	return a.Organization != nil || a.Verdict == Denied && (a.Result.By == iampolicy.LayerSCP || a.Result.By == iampolicy.LayerRCP)
}

// Can answers whether the role is effectively allowed an action, everywhere that
// the action is needed: managed and inline policies, explicit Deny, boundary. It
// asks for the session by which the cluster uses the role.
func (r *Role) Can(a need.Action) Answer { return r.CanAs(r.session(), a) }

func (r *Role) session() *Session {
	if r.usedBy == nil {
		r.usedBy = r.v.SessionOf(r.ARN)
	}
	return r.usedBy
}

// CanAs is Can for a session. A denial by a service control policy that AWS's policy
// simulator reports is certain, whatever the role's policies allow, unless the simulator
// lacked a value of the request. Where the service control policies themselves were read,
// they decide: the simulator evaluates them without most values of a real request.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
func (r *Role) CanAs(s *Session, a need.Action) Answer {
	answer := r.ByPolicies(s, a)
	if answer.Verdict == Denied || r.v.OrganizationRead() {
		return answer
	}
	if simulation := r.deniedByOrganization(a); simulation != nil {
		answer.Verdict, answer.Unread, answer.Organization = Denied, nil, simulation
	}
	return answer
}

// ByPolicies is CanAs by what was read of the role's policies alone. Several rules ask
// the same, so each question is evaluated once.
func (r *Role) ByPolicies(s *Session, a need.Action) Answer {
	q := question{session: s, name: a.Name, region: a.Region, resources: strings.Join(a.Resources, "\n"), delegated: a.Delegated}
	answer, known := r.answers[q]
	if !known {
		answer = r.byPolicies(s, a)
		answer.Unread, answer.Result.Statements = slices.Clip(answer.Unread), slices.Clip(answer.Result.Statements)
		if r.answers == nil {
			r.answers = map[question]Answer{}
		}
		r.answers[q] = answer
	}
	answer.Action = a
	return answer
}

func (r *Role) byPolicies(s *Session, a need.Action) Answer {
	u := r.use(s)
	set := u.policies(a)
	var worst Answer
	same := true
	for i, request := range a.Requests(r.v.Place, r.ARN, u.known) {
		result, err := r.v.evaluate(set.all, set.withoutRCPs, request)
		one := answer(a, result, err, u.unread)
		one.On = resourceType(request.Resource)
		if i > 0 && one.Verdict != worst.Verdict {
			same = false
		}
		if i == 0 || graver(one.Verdict, worst.Verdict) {
			worst = one
		} else if one.Verdict == Allowed && worst.Verdict == Allowed {
			worst.Result.Statements = addReferences(worst.Result.Statements, one.Result.Statements)
		}
	}
	if same {
		worst.On = ""
	}
	return worst
}

// graver reports whether one verdict takes precedence over another: denied, then unknown,
// then depends.
func graver(a, b Verdict) bool {
	order := []Verdict{Denied, Unknown, Depends, Allowed}
	return slices.Index(order, a) < slices.Index(order, b)
}

// resourceType is the end of an ARN pattern that people read, such as subnet/*.
func resourceType(pattern string) string {
	if i := strings.LastIndexByte(pattern, ':'); i >= 0 {
		return pattern[i+1:]
	}
	return pattern
}

func addReferences(have, more []iampolicy.Reference) []iampolicy.Reference {
	have = slices.Clone(have)
	for _, m := range more {
		if !slices.ContainsFunc(have, func(h iampolicy.Reference) bool { return h.ARN == m.ARN && h.Policy == m.Policy && h.Index == m.Index }) {
			have = append(have, m)
		}
	}
	return have
}

// deniedByOrganization returns the simulator's answer that a service control policy
// denies an action where it is needed; nil for none. An answer that lacked a value of
// the request is not certain.
func (r *Role) deniedByOrganization(a need.Action) *snapshot.Simulation {
	for _, wanted := range a.Requests(r.v.Place, r.ARN, nil) {
		for _, s := range r.v.Snapshot.Simulations[r.ARN] {
			if strings.EqualFold(s.Action, a.Name) && s.DeniedBy == snapshot.DeniedByOrganizations && len(s.MissingContext) == 0 && covers(wanted.Resource, s.Resource) {
				return &s
			}
		}
	}
	return nil
}

// covers reports whether a pattern with the wildcard * matches a resource.
func covers(pattern, resource string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(resource, parts[0])
	for _, part := range parts[1:] {
		i := strings.Index(rest, part)
		if !ok || i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return ok && (rest == "" || strings.HasSuffix(pattern, "*"))
}

// Explain says what each statement of the role's policies does for an action, on one of
// its resource types after the other. Its error is an *iampolicy.RequestError.
func (r *Role) Explain(a need.Action) ([]iampolicy.Trace, error) {
	u := r.use(r.session())
	var traces []iampolicy.Trace
	for _, request := range a.Requests(r.v.Place, r.ARN, u.known) {
		set := u.policies(a).all
		if foreign, _ := r.v.foreignResource(request.Resource); foreign {
			set = u.policies(a).withoutRCPs
		}
		more, err := set.Explain(request)
		if err != nil {
			return nil, err
		}
		traces = append(traces, more...)
	}
	return traces, nil
}

// TrustAllows answers whether a session may get the role's credentials by an action
// such as sts:AssumeRole. The role's trust policy decides; for a session that assumes
// the role with another role's credentials that role's policies, too.
func (r *Role) TrustAllows(s *Session, action string) Answer {
	if s.via == nil {
		return r.trustAllows(s, action, granted{})
	}
	return r.trustAllows(s, action, *s.via.grants())
}

// TrustNames is TrustAllows by the role's trust policy alone, as if every other policy
// allowed the action.
func (r *Role) TrustNames(s *Session, action string) Answer {
	return r.trustAllows(s, action, granted{policies: iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "everything", Document: everything}}}})
}

// everything is a policy that allows all actions.
var everything = func() *iampolicy.Document {
	doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		panic(err) // the text is constant
	}
	return doc
}()

// trustAllows is TrustAllows with the policies of the principal.
func (r *Role) trustAllows(s *Session, action string, own granted) Answer {
	d := r.trustDocument()
	policies, base := own.policies, iampolicy.NewContext
	policies.Resource = &d.policy
	limits := r.v.organization()
	policies.SCPs = limits.scps
	if r.OfAccount() {
		policies.RCPs = limits.rcps
	}
	unread := slices.Concat(d.unread, own.unread, limits.unread)
	if s.via != nil {
		base = func() *iampolicy.Context { return s.viaSession.known(s.via) }
	}
	set := iampolicy.Prepare(policies)
	var problem error
	evaluate := func(c *iampolicy.Context) iampolicy.Result {
		result, err := set.Evaluate(&iampolicy.Request{
			Principal: s.Principal, Action: action, Resource: r.ARN, Account: cmp.Or(AccountOf(r.ARN), r.v.Place.Account), Context: c,
		})
		problem = cmp.Or(problem, err)
		return result
	}
	known := func() *iampolicy.Context {
		c := base()
		s.assume(c)
		r.v.atTime(c)
		if r.OfAccount() {
			r.v.inOrganization(c, "aws:Resource")
		}
		if len(r.Unread) == 0 {
			c.AbsentPrefix("aws:ResourceTag/")
			for key, value := range r.Facts.Tags {
				c.Set("aws:ResourceTag/"+key, value)
			}
		}
		return c
	}
	doc := d.policy.Document
	if doc == nil {
		doc = &iampolicy.Document{}
	}
	result := s.decide(doc, known, evaluate)
	return answer(need.Action{Name: action, For: s.Principal}, result, problem, unread)
}

// trustDocument returns the role's trust policy.
func (r *Role) trustDocument() *document {
	if r.trust == nil {
		name := iampolicy.Policy{Name: r.TrustName()}
		d := document{policy: name, unread: r.Unread}
		if len(r.Unread) == 0 {
			d = r.v.parse(iampolicy.Trust, r.ARN+"#trust", name, r.Facts.TrustPolicy)
		}
		r.trust = &d
	}
	return r.trust
}

// Trust returns the role's parsed trust policy, nil where it could not be read.
func (r *Role) Trust() *iampolicy.Document { return r.trustDocument().policy.Document }

// TrustedServices are the services that the trust policy's Allow statements name,
// whatever their conditions are.
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

// use returns the role as a session uses it.
func (r *Role) use(s *Session) use {
	if u, ok := r.uses[s]; ok {
		return u
	}
	g := r.grants()
	u := use{unread: g.unread, known: s.known(r)}
	policies := g.policies
	if s.policy != nil {
		policies.Session = &s.policy.policy
		u.unread = slices.Concat(u.unread, s.policy.unread)
	}
	limits := r.v.organization()
	policies.RCPs = limits.rcps
	if r.OfAccount() {
		policies.SCPs = limits.scps
	}
	u.unread = slices.Concat(u.unread, limits.unread)
	u.set = prepare(policies)
	policies.ResourceState = iampolicy.Delegates
	u.delegated = prepare(policies)
	if r.uses == nil {
		r.uses = map[*Session]use{}
	}
	r.uses[s] = u
	return u
}

// grants gathers the role's policies. What could not be read is a policy
// without a document, which for the evaluator can allow or deny anything.
func (r *Role) grants() *granted {
	if r.granted != nil {
		return r.granted
	}
	s := r.v.Snapshot
	g := &granted{}
	add := func(d document) {
		g.policies.Identity = append(g.policies.Identity, d.policy)
		g.unread = append(g.unread, d.unread...)
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
	if _, m := r.v.unreadClusterRole(r.ARN); len(m) > 0 {
		add(unreadDocument("policies of "+r.Name, m))
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
		g.policies.Boundary = &d.policy
		g.unread = append(g.unread, d.unread...)
	}
	r.granted = g
	return g
}

// managed returns the document of a managed policy.
func (v *View) managed(arn string) document {
	policy, ok := v.Snapshot.Policies[arn]
	name := iampolicy.Policy{Name: snapshot.NameOf(arn), ARN: arn, Version: policy.Version}
	if m := append(v.Snapshot.MissingOf(snapshot.FactPolicies, arn), v.unreadOfCluster(arn)...); len(m) > 0 || !ok {
		if len(m) == 0 {
			m = []snapshot.Missing{{Fact: snapshot.FactPolicies, Subject: arn, Operation: "iam:GetPolicyVersion", Error: "the snapshot does not contain this policy"}}
		}
		return document{policy: name, unread: m}
	}
	return v.parse(iampolicy.Identity, arn, name, policy.Document)
}

// parse parses a document once. A document that IAM would not have stored counts as
// unread: what it allows is unknown.
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

// InlineName is the name of an inline policy in references to its statements.
func InlineName(policy string) string { return "inline " + policy }

// TrustName is the name of the role's trust policy in references to its statements.
func (r *Role) TrustName() string { return "trust policy of " + r.Name }
