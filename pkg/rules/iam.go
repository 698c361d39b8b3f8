package rules

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// iamOf gathers what the verdicts about permissions rest on. It judges nothing
// that the rules do not: it asks the view the same questions, and keeps which
// statements decide.
func iamOf(v *view.View) finding.IAM {
	out := finding.IAM{Roles: []finding.IAMRole{}, Policies: map[string]finding.ManagedPolicy{}}
	identity := v.ConfiguredIdentity()
	uses := map[string][]finding.RoleUse{}
	nodeRoles := map[string]*view.NodeRole{}
	for _, r := range v.NodeRoles() {
		nodeRoles[r.ARN] = r
		uses[r.ARN] = append(uses[r.ARN], finding.UsedByNodes)
	}
	for _, r := range v.HybridRoles() {
		uses[r.ARN] = append(uses[r.ARN], finding.UsedByHybridNodes)
	}
	if identity.Own() && identity.RoleARN != "" {
		uses[identity.RoleARN] = append(uses[identity.RoleARN], finding.UsedByAWSNode)
	}
	if arn := v.AssociatedRole(); arn != "" && arn != identity.RoleARN {
		uses[arn] = append(uses[arn], finding.UsedByAssociation)
	}

	for _, arn := range slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		return cmp.Or(cmp.Compare(snapshot.NameOf(a), snapshot.NameOf(b)), cmp.Compare(a, b))
	}) {
		r := iamRole{v: v, Role: v.Role(arn), out: finding.IAMRole{Name: snapshot.NameOf(arn), ARN: arn, Uses: uses[arn]}}
		r.facts(out.Policies)
		if name, document := v.SessionPolicy(); document != "" && identity.Kind == view.PodIdentity && identity.RoleARN == arn {
			r.out.Policies = append(r.out.Policies, written(finding.SessionPolicy, name, document))
		}
		if !r.Facts.NotFound {
			if node := nodeRoles[arn]; node != nil {
				r.nodeNeeds(node, identity)
			}
			if slices.Contains(uses[arn], finding.UsedByHybridNodes) {
				r.hybridNeeds()
			}
			if slices.Contains(uses[arn], finding.UsedByAWSNode) {
				r.cniNeeds(identity)
			}
			if slices.Contains(uses[arn], finding.UsedByAssociation) {
				r.podIdentityTrust()
			}
		}
		out.Roles = append(out.Roles, r.out)
	}
	for _, n := range v.RolelessNodes() {
		if !n.Gone {
			out.WithoutRole = append(out.WithoutRole, finding.RolelessSource{Kind: "node", Name: n.Node, Reason: n.Reason, Unknown: len(n.Unread) > 0})
		}
	}
	for _, l := range v.NodeSources() {
		switch {
		case l.RoleARN != "":
		case len(l.Unread) > 0:
			out.WithoutRole = append(out.WithoutRole, finding.RolelessSource{Kind: string(l.Kind), Name: l.Name, Reason: "its role could not be read", Unknown: true})
		default:
			out.WithoutRole = append(out.WithoutRole, finding.RolelessSource{Kind: string(l.Kind), Name: l.Name, Reason: l.Problem})
		}
	}
	return out
}

// iamRole is a role of the report while it is built.
type iamRole struct {
	*view.Role
	v   *view.View
	out finding.IAMRole
}

// facts fills in who shares the role, its profiles and its policies. managed
// takes the documents of managed policies.
func (r *iamRole) facts(managed map[string]finding.ManagedPolicy) {
	s := r.v.Snapshot
	r.out.NotFound = r.Facts.NotFound
	if s.Cluster.RoleARN == r.ARN {
		r.out.SharedWith = append(r.out.SharedWith, finding.Sharer{Kind: "cluster", Name: r.v.Place.Cluster})
	}
	for _, arn := range slices.Sorted(maps.Keys(s.OtherClusters)) {
		if s.OtherClusters[arn].RoleARN == r.ARN {
			r.out.SharedWith = append(r.out.SharedWith, finding.Sharer{Kind: "cluster", Name: snapshot.NameOf(arn)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.FargateProfiles)) {
		if s.FargateProfiles[name].PodExecutionRoleARN == r.ARN {
			r.out.SharedWith = append(r.out.SharedWith, finding.Sharer{Kind: "Fargate profile", Name: name})
		}
	}
	for _, arn := range r.Facts.InstanceProfiles {
		r.out.InstanceProfiles = append(r.out.InstanceProfiles, snapshot.NameOf(arn))
	}
	for _, m := range r.Unread {
		r.out.Unread = appendNew(r.out.Unread, missingLine(m))
	}
	for _, m := range s.Missing {
		whole := m.Fact == snapshot.FactAttachedPolicies || m.Fact == snapshot.FactInlinePolicies || m.Fact == snapshot.FactRoleProfiles
		if whole && (m.Subject == "" || m.Subject == r.ARN || strings.HasPrefix(m.Subject, r.ARN+"#")) {
			r.out.Unread = appendNew(r.out.Unread, missingLine(m))
		}
	}

	if r.Facts.TrustPolicy != "" {
		r.out.Policies = append(r.out.Policies, written(finding.Trust, "trust policy", r.Facts.TrustPolicy))
	}
	for _, arn := range r.Facts.AttachedPolicies {
		kind := finding.CustomerManaged
		if a, ok := snapshot.ParseARN(arn); ok && a.Account == "aws" {
			kind = finding.AWSManaged
		}
		r.managed(kind, arn, managed)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Facts.InlinePolicies)) {
		r.out.Policies = append(r.out.Policies, written(finding.Inline, name, r.Facts.InlinePolicies[name]))
	}
	if arn := r.Facts.PermissionsBoundary; arn != "" {
		r.managed(finding.Boundary, arn, managed)
	}
}

// written is a policy whose document is a part of the role: its trust policy or an inline policy.
func written(kind finding.PolicyKind, name, text string) finding.RolePolicy {
	p := finding.RolePolicy{Kind: kind, Name: name, Document: text}
	grammar := iampolicy.Identity
	if kind == finding.Trust {
		grammar = iampolicy.Trust
	}
	if _, err := iampolicy.Parse(grammar, []byte(text)); err != nil {
		p.Unread = []string{"not a policy document: " + err.Error()}
	}
	return p
}

func (r *iamRole) managed(kind finding.PolicyKind, arn string, managed map[string]finding.ManagedPolicy) {
	p := finding.RolePolicy{Kind: kind, Name: snapshot.NameOf(arn), ARN: arn}
	policy := r.v.Snapshot.Policies[arn]
	switch m := r.v.Snapshot.MissingOf(snapshot.FactPolicies, arn); {
	case len(m) > 0:
		for _, one := range m {
			p.Unread = appendNew(p.Unread, missingLine(one))
		}
	case policy.Document == "":
		p.Unread = []string{"the snapshot does not contain this policy"}
	default:
		p.Unread = written(kind, p.Name, policy.Document).Unread
	}
	managed[arn] = finding.ManagedPolicy{Version: policy.Version, Document: policy.Document}
	r.out.Policies = append(r.out.Policies, p)
}

// nodeNeeds asks what the rules ask of a role that EC2 nodes use.
func (r *iamRole) nodeNeeds(node *view.NodeRole, identity view.Identity) {
	r.trustEC2()
	calls := r.v.NeedsOf(node)
	if required := calls.Required(); len(required) > 0 {
		r.need("worker", finding.WantedYes, required)
	}
	if recommended := calls.Recommended(); len(recommended) > 0 {
		r.need("workerRecommended", finding.WantedYes, recommended)
	}
	if asked := pullOf(r.v, node.Role, r.v.RunsSystemImages(node)); len(asked.elsewhere) == 0 {
		r.answered("pull", finding.WantedYes, asked.answers)
	}
	agent := finding.WantedUnknown
	switch inUse, _, unread := r.v.PodIdentityInUse(); {
	case !r.v.RunsAgent(node):
		agent = ""
	case inUse || node.OnlyAutoMode():
		agent = finding.WantedYes
	case len(unread) == 0:
		agent = ""
	}
	if agent != "" {
		r.need("podIdentity", agent, need.PodIdentityAgent)
	}
	switch {
	case identity.Kind == view.FromNodeRole && r.v.RunsSystemImages(node):
		r.requiredCNI()
	case identity.Own(), node.OnlyAutoMode():
		r.need("cni", finding.WantedNo, need.Indicative())
	default:
		r.need("cni", finding.WantedUnknown, need.Indicative())
	}
	r.need("excess", finding.WantedNo, need.Excessive)
}

func (r *iamRole) hybridNeeds() {
	var asked []answerOf
	for _, session := range r.v.HybridSessions() {
		asked = append(asked, r.trustedBy(session)...)
	}
	r.add("trust", finding.WantedYes, asked, anyPrincipal(asked))
	calls, _ := r.HybridCalls()
	r.answered("hybrid", finding.WantedYes, slices.Concat(answersOf(r.Role, calls), hybridPulls(r.v, r.Role).needed()))
	if len(r.v.HybridNodesWithAgent()) > 0 {
		r.need("podIdentity", finding.WantedYes, need.PodIdentityAgent)
	}
}

// cniNeeds asks what the rules ask of aws-node's own role.
func (r *iamRole) cniNeeds(identity view.Identity) {
	if identity.Kind == view.PodIdentity {
		asked := r.trustedBy(r.v.AWSNodeSession())
		r.add("trust", finding.WantedYes, asked, everyAnswer(asked))
	}
	if identity.Kind == view.IRSA && r.v.OIDCProviderARN() != "" {
		asked := []answerOf{{r.TrustAllows(r.v.IRSASession(), "sts:AssumeRoleWithWebIdentity"), view.AWSNodeSubject}}
		r.add("trust", finding.WantedYes, asked, everyAnswer(asked))
	}
	r.requiredCNI()
}

// requiredCNI asks, as NR206, what the VPC CNI requires.
func (r *iamRole) requiredCNI() {
	cni := r.v.CNI()
	r.need("cni", finding.WantedYes, cni.Required())
	sum := &r.out.Needs[len(r.out.Needs)-1]
	perhaps := askAll(r.Role, cni.Uncertain())
	if len(perhaps.denied)+len(perhaps.unknown) > 0 && sum.Status != finding.Fail {
		sum.Status = finding.Unknown
	}
}

func (r *iamRole) podIdentityTrust() {
	asked := r.trustedBy(r.v.PodIdentitySession())
	r.add("trust", finding.WantedYes, asked, everyAnswer(asked))
}

// trustedBy asks whether a session may get the role's credentials.
func (r *iamRole) trustedBy(s *view.Session) []answerOf {
	var asked []answerOf
	for _, action := range s.TrustActions {
		asked = append(asked, answerOf{r.TrustAllows(s, action), s.Principal})
	}
	return asked
}

// trustEC2 asks whether the trust policy allows EC2, by any of its service names, and whom else it allows.
func (r *iamRole) trustEC2() {
	var asked []answerOf
	for _, session := range r.v.InstanceSessions() {
		asked = append(asked, r.trustedBy(session)...)
	}
	r.add("trust", finding.WantedYes, asked, anyPrincipal(asked))
	doc := r.Trust()
	if doc == nil {
		return
	}
	others := finding.RoleNeed{Need: "trustOthers", Wanted: finding.WantedNo, Status: finding.Fail}
	for _, o := range othersOf(r.v, doc) {
		s := doc.Statements[o.index]
		ref := iampolicy.Reference{Policy: r.TrustName(), Index: o.index, Sid: s.Sid, Effect: s.Effect}
		others.Decisions = append(others.Decisions, finding.Decision{
			Actions: append(slices.Clone(s.Actions), s.NotActions...), Principal: o.name, Verdict: "allowed",
			Why: "allowed by " + ref.String() + conditioned(o.conditions), Statements: r.refs([]iampolicy.Reference{ref}),
		})
	}
	if len(others.Decisions) > 0 {
		r.out.Needs = append(r.out.Needs, others)
	}
}

// answerOf is the view's answer for somebody who asks.
type answerOf struct {
	view.Answer
	principal string
}

func (r *iamRole) need(name string, wanted finding.Wanted, actions []need.Action) {
	r.answered(name, wanted, answersOf(r.Role, actions))
}

// answered is need for what was asked already.
func (r *iamRole) answered(name string, wanted finding.Wanted, answers []view.Answer) {
	var asked []answerOf
	for _, answer := range answers {
		if name == "excess" && (answer.Verdict == view.Denied || answer.Verdict == view.Depends) {
			continue // as NR207
		}
		asked = append(asked, answerOf{Answer: answer})
	}
	status := everyAnswer(asked)
	if wanted != finding.WantedYes {
		status = noAnswer(asked)
	}
	if wanted == finding.WantedUnknown && status == finding.Fail {
		status = finding.Unknown
	}
	r.add(name, wanted, asked, status)
}

// everyAnswer is the status of a need whose actions all have to be allowed.
func everyAnswer(asked []answerOf) finding.Status {
	return worstOf(asked, []view.Verdict{view.Denied, view.Unknown, view.Depends}, []finding.Status{finding.Fail, finding.Unknown, finding.Depends})
}

// noAnswer is the status of a need whose actions all have to be denied.
func noAnswer(asked []answerOf) finding.Status {
	return worstOf(asked, []view.Verdict{view.Allowed, view.Depends, view.Unknown}, []finding.Status{finding.Fail, finding.Fail, finding.Unknown})
}

func worstOf(asked []answerOf, verdicts []view.Verdict, statuses []finding.Status) finding.Status {
	for i, verdict := range verdicts {
		if slices.ContainsFunc(asked, func(a answerOf) bool { return a.Verdict == verdict }) {
			return statuses[i]
		}
	}
	return finding.Pass
}

// anyPrincipal is the status of a need where it is enough that one of the principals is allowed.
func anyPrincipal(asked []answerOf) finding.Status {
	best := finding.Fail
	for i := 0; i < len(asked); {
		j := i
		for j < len(asked) && asked[j].principal == asked[i].principal {
			j++
		}
		switch status := everyAnswer(asked[i:j]); {
		case status == finding.Pass:
			return finding.Pass
		case status == finding.Unknown, best == finding.Fail:
			best = status
		}
		i = j
	}
	return best
}

// add reports a need: answers with the same reason are one decision.
func (r *iamRole) add(name string, wanted finding.Wanted, asked []answerOf, status finding.Status) {
	n := finding.RoleNeed{Need: name, Wanted: wanted, Status: status}
	for _, a := range asked {
		d := finding.Decision{Principal: a.principal, Statements: r.refs(a.Result.Statements), Nearest: r.refs(a.Result.Nearest)}
		switch a.Verdict {
		case view.Allowed:
			d.Verdict, d.Why = "allowed", whyAllowed(a.Answer).String()
		case view.Denied:
			d.Verdict, d.Why = "denied", whyDenied(a.Answer).String()
			d.By = deniedBy(a.Answer)
		case view.Depends:
			d.Verdict, d.Why = "depends", whyDepends(a.Answer).String()
		case view.Unknown:
			d.Verdict, d.Why = "unknown", "unknown"
			if len(a.Unread) > 0 {
				d.Why = missingLine(a.Unread[0])
			}
		}
		i := slices.IndexFunc(n.Decisions, func(have finding.Decision) bool {
			return have.Verdict == d.Verdict && have.Why == d.Why && have.Principal == d.Principal
		})
		if i < 0 {
			n.Decisions, i = append(n.Decisions, d), len(n.Decisions)
		}
		n.Decisions[i].Actions = appendNew(n.Decisions[i].Actions, a.Action.Name)
	}
	r.out.Needs = append(r.out.Needs, n)
}

// written is the name of the inline policy that a reference names.
func (r *iamRole) written(cited string) string {
	for name := range r.Facts.InlinePolicies {
		if view.InlineName(name) == cited {
			return name
		}
	}
	return cited
}

// deniedBy names what denies, where that is not one of the role's own policies.
func deniedBy(a view.Answer) string {
	switch {
	case a.ByOrganization():
		return "organization"
	case a.Result.Explicit:
		return ""
	case a.Result.By == iampolicy.LayerBoundary:
		return "boundary"
	case a.Result.By == iampolicy.LayerSession:
		return "sessionPolicy"
	}
	return ""
}

// has reports whether a statement is one of the role's policies. Whether a target role
// can be assumed depends on another role's policies as well.
func (r *iamRole) has(ref finding.StatementRef) bool {
	return slices.ContainsFunc(r.out.Policies, func(p finding.RolePolicy) bool {
		return p.ARN == ref.ARN && p.Name == ref.Policy && (p.Kind == finding.Trust) == ref.Trust
	})
}

// refs names statements as the report's policies are named.
func (r *iamRole) refs(list []iampolicy.Reference) []finding.StatementRef {
	var refs []finding.StatementRef
	for _, s := range list {
		ref := finding.StatementRef{Policy: s.Policy, ARN: s.ARN, Statement: s.Index + 1, Sid: s.Sid, Effect: s.Effect.String()}
		if s.ARN == "" {
			ref.Policy = r.written(s.Policy)
			if s.Policy == r.TrustName() {
				ref.Policy, ref.Trust = "trust policy", true
			}
		}
		if !slices.Contains(refs, ref) && r.has(ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
