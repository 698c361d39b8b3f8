// Package planner turns results into a plan: ordered steps, each with the changes that
// make it, what the facts must show before it and what proves it. It reads and writes
// nothing.
package planner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// Plan is how to repair what check found, in an order in which every step leaves
// a cluster that works no worse than before.
type Plan struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the cluster's ARN.
	Cluster string `json:"cluster"`
	Steps   []Step `json:"steps"`
	// Manual is what is left to people, and why.
	Manual []Manual `json:"manual,omitempty"`
}

// PlanKind is the Kind of a Plan.
const PlanKind = "Plan"

// Step is one repair.
type Step struct {
	// Title says what it does; Rules are the ids of the rules that ask for it.
	Title string   `json:"title"`
	Rules []string `json:"rules"`
	// Subject is the name of what it repairs.
	Subject string          `json:"subject"`
	Changes []change.Change `json:"changes"`
	// Commands are those of the changes, for readers; what is read from a plan is not used.
	Commands []finding.Next `json:"commands,omitempty"`
	// Requires is what the facts must show before it is made.
	Requires []Check `json:"requires,omitempty"`
	// Proof says what shows that it worked; Proves is the same for the facts. A step
	// that proves nothing is seen to have worked by reading again what it made.
	Proof  string  `json:"proof"`
	Proves []Check `json:"proves,omitempty"`
	// Note is what there is to know before it is made.
	Note string `json:"note,omitempty"`

	rank int
	// arn is that of the subject; its rules are what the step proves, where that is
	// set.
	arn       string
	provesOwn bool
}

// Check is what facts have to show: that a rule does not fail and is not unknown.
type Check struct {
	Rule string `json:"rule,omitempty"`
	// Subject is the ARN or name of what the rule is asked about; empty is everything.
	Subject string `json:"subject,omitempty"`
	// Strict wants the rule to pass: that it depends, or does not apply, will not do.
	Strict bool `json:"strict,omitempty"`
	// Agent stands in the place of a rule: the Pod Identity Agent is ready on every
	// node that runs aws-node.
	Agent bool `json:"agent,omitempty"`
}

// Holds reports whether results and facts show it, and if not, why.
func (c Check) Holds(v *view.View, results []finding.Result) (ok bool, why string) {
	if c.Agent {
		if without := v.WithoutAgent(); v.Snapshot.PodIdentityAgent == nil || len(without) > 0 {
			return false, fmt.Sprintf("eks-pod-identity-agent is not ready on %s with aws-node", counted(max(1, len(without)), "node", "nodes"))
		}
		return true, ""
	}
	asked := false
	for _, r := range results {
		if r.ID != c.Rule || c.Subject != "" && c.Subject != r.Subject.ARN && c.Subject != r.Subject.Name {
			continue
		}
		asked = true
		good := r.Status == finding.Pass || !c.Strict && (r.Status == finding.Depends || r.Status == finding.NotApplicable)
		if !good {
			return false, r.ID + ": " + r.Message
		}
	}
	if !asked {
		return false, fmt.Sprintf("%s was not judged for %s", c.Rule, snapshot.NameOf(c.Subject))
	}
	return true, ""
}

// Manual is a finding that no step repairs.
type Manual struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Why says why it is left to people.
	Why string `json:"why"`
	// Evidence and Next are the finding's.
	Evidence []string       `json:"evidence,omitempty"`
	Next     []finding.Next `json:"next,omitempty"`
}

// ReadPlan reads a plan that was written as JSON. The error says what is wrong with it.
func ReadPlan(text []byte) (*Plan, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var p Plan
	if err := decoder.Decode(&p); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("something follows the plan")
	}
	if p.APIVersion != finding.APIVersion || p.Kind != PlanKind {
		return nil, fmt.Errorf("apiVersion and kind are %q and %q, not %s and %s", p.APIVersion, p.Kind, finding.APIVersion, PlanKind)
	}
	for i, s := range p.Steps {
		p.Steps[i].Commands = nil
		if len(s.Changes) == 0 || len(s.Rules) == 0 {
			return nil, fmt.Errorf("step %d has no changes or no rules", i+1)
		}
		for _, c := range s.Changes {
			if err := c.Validate(); err != nil {
				return nil, fmt.Errorf("step %d: %w", i+1, err)
			}
		}
	}
	return &p, nil
}

// The order of steps. What is given comes before what is taken away, and aws-node's
// own role before anything that leads to it.
const (
	rankRole = iota
	rankTrust
	rankPermissions
	rankProfile
	rankEntry
	rankAgent
	rankPoint
	rankRollout
	rankDetach
)

// Options say what to repair.
type Options struct {
	// Only names rules by id: exactly what they found is repaired. Without it all
	// errors and warnings are.
	Only []string
	// Identity asks for a role of aws-node's own where it has none: how it is given,
	// IRSA, PodIdentity, or Auto for what suits the cluster. It is also asked for by
	// the rule that says that aws-node has none, among Only.
	Identity string
	// Role is the name of that role; empty for CLUSTER-aws-node.
	Role string
}

// Auto chooses between EKS Pod Identity and IRSA.
const Auto = "auto"

// New plans the repair of what failed.
func New(v *view.View, results []finding.Result, o Options) *Plan {
	p := &planner{
		v: v, o: o, shared: map[string]string{}, failed: map[string]bool{}, moved: map[string]bool{},
		plan: &Plan{APIVersion: finding.APIVersion, Kind: PlanKind, Cluster: v.Snapshot.Cluster.ARN, Steps: []Step{}},
	}
	if a := v.Snapshot.AWSAuth; a != nil {
		p.mapRoles = &a.MapRoles
	}
	var wanted []finding.Result
	for _, r := range results {
		if r.Status != finding.Fail {
			continue
		}
		if r.Repair == finding.SeparateRole {
			p.shared[r.Subject.ARN] = r.ID
		}
		p.failed[r.ID+" "+r.Subject.ARN] = true
		if p.wants(r) {
			wanted = append(wanted, r)
		}
	}
	// Where aws-node is given a role of its own, others do not need the CNI's
	// permissions: that is planned first. What is taken away comes last, as whether it
	// is safe hangs on the other steps.
	slices.SortStableFunc(wanted, func(a, b finding.Result) int { return cmp.Compare(turn(a), turn(b)) })
	for _, r := range wanted {
		if why := p.repair(r); why != "" {
			p.plan.Manual = append(p.plan.Manual, manual(r, why))
		}
	}
	for i := range p.plan.Steps {
		p.plan.Steps[i].finish()
	}
	slices.SortStableFunc(p.plan.Steps, func(a, b Step) int { return cmp.Compare(a.rank, b.rank) })
	return p.plan
}

// wants reports whether a failure is to be repaired.
func (p *planner) wants(r finding.Result) bool {
	switch {
	case r.Repair == finding.MoveCNI && p.o.Identity != "":
		return true
	case len(p.o.Only) > 0:
		return slices.Contains(p.o.Only, r.ID)
	default:
		return r.Severity.Rank() >= finding.Warning.Rank()
	}
}

// turn is when a failure is planned for.
func turn(r finding.Result) int { return slices.Index(finding.Repairs, r.Repair) }

func manual(r finding.Result, why string) Manual {
	return Manual{Rule: r.ID, Subject: r.Subject.Name, Message: r.Message, Why: why, Evidence: r.Evidence, Next: r.Next}
}

// finish writes down what the step proves.
func (s *Step) finish() {
	if !s.provesOwn {
		return
	}
	for _, id := range s.Rules {
		s.Proves = append(s.Proves, Check{Rule: id, Subject: cmp.Or(s.arn, s.Subject)})
	}
}

type planner struct {
	v    *view.View
	o    Options
	plan *Plan
	// shared has the rule by which a role, by ARN, is somebody else's.
	shared map[string]string
	// failed has "RULE ARN" of everything that failed.
	failed map[string]bool
	// moved has the roles, by ARN, whose nodes have been given another one.
	moved map[string]bool
	// moving is set where the plan gives aws-node a role of its own.
	moving bool
	// mapRoles is aws-auth's text after the steps so far; nil where there is none.
	mapRoles *string
}

// step adds a step, or the rule to the step that makes the same changes.
func (p *planner) step(r finding.Result, s Step) string {
	for i := range p.plan.Steps {
		have := &p.plan.Steps[i]
		if slices.EqualFunc(have.Changes, s.Changes, func(a, b change.Change) bool { return a.String() == b.String() }) {
			if !slices.Contains(have.Rules, r.ID) {
				have.Rules = append(have.Rules, r.ID)
				if s.provesOwn && !have.provesOwn { // one that stands for itself
					have.Proves = append(have.Proves, Check{Rule: r.ID, Subject: cmp.Or(r.Subject.ARN, r.Subject.Name)})
					have.Proof += "; " + s.Proof
				}
			}
			return ""
		}
	}
	s.Rules, s.Subject, s.arn = []string{r.ID}, r.Subject.Name, r.Subject.ARN
	p.plan.Steps = append(p.plan.Steps, s)
	return ""
}

// Why findings are left to people.
const (
	whyDecision       = "an explicit Deny or a permissions boundary is somebody's decision"
	whyNoRepair       = "fix has no step for it; it is yours to do"
	whyShared         = "the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed"
	whyTrusted        = "the trust policy denies it, which is somebody's decision"
	whyPoliciesUnread = "the access policies of its access entry could not be read, and would be lost"
)

// repair plans the repair of one finding, or says why it plans none.
func (p *planner) repair(r finding.Result) (why string) {
	if r.Repair == finding.SeparateRole {
		return p.separate(r)
	}
	if rule, ok := p.shared[r.Subject.ARN]; ok {
		return whyShared + " (" + rule + ")"
	}
	switch r.Repair {
	case finding.RecreateRole:
		return p.roleAgain(r)
	case finding.FillInstanceProfile:
		return p.profile(r)
	case finding.AttachWorkerPolicy:
		return p.attach(r, slices.Concat(need.Worker, need.WorkerRecommended), "AmazonEKSWorkerNodePolicy", "let kubelet on %s call what it needs")
	case finding.AttachPullPolicy:
		return p.attach(r, slices.Concat(need.Pull, need.PullThroughCache), "AmazonEC2ContainerRegistryPullOnly", "allow %s to pull images")
	case finding.AllowAgent:
		return p.attach(r, need.PodIdentityAgent, p.agentPolicy(r.Subject.ARN), "let the Pod Identity Agent on %s get credentials")
	case finding.DetachCNI:
		return p.detachCNI(r)
	case finding.AllowCNI:
		return p.allowCNI(r)
	case finding.PrepareCNIUpgrade:
		return p.prepareUpgrade(r)
	case finding.TrustEC2:
		return p.trust(r)
	case finding.GrantAccess:
		return p.letIn(r)
	case finding.ReplaceAccessEntry:
		return p.replaceEntry(r)
	case finding.CorrectMapping:
		return p.correctMapping(r)
	case finding.AssociatePolicy:
		return p.accessPolicy(r)
	case finding.MoveCNI:
		return p.moveCNI(r)
	case finding.RestartAWSNode:
		return p.restart(r)
	case finding.RepairIRSA:
		return p.makeIRSAWork(r)
	case finding.RepairPodIdentity:
		return p.makePodIdentityWork(r)
	case finding.AlignAddonRole:
		return p.agree(r)
	case finding.SeparateRole:
	}
	return cmp.Or(r.NoRepair, whyNoRepair)
}

// attach attaches a managed policy for actions that are denied, unless that does
// not help: an explicit Deny or a boundary stands in the way.
func (p *planner) attach(r finding.Result, actions []need.Action, policy, title string) string {
	return p.attachTo(r, p.v.Role(r.Subject.ARN), actions, policy, title)
}

func (p *planner) attachTo(r finding.Result, role *view.Role, actions []need.Action, policy, title string) string {
	denied, why := deniedOf(role, actions)
	if why != "" {
		return why
	}
	arn := need.ManagedPolicy(p.v.Place.Partition, policy)
	return p.step(r, Step{
		Title: fmt.Sprintf(title, role.Name), rank: rankPermissions, provesOwn: true,
		Changes: []change.Change{{Kind: change.Attachment, Name: role.Name, Part: arn, After: &change.State{}}},
		Proof:   fmt.Sprintf("%s %s allowed (%s)", strings.Join(denied, ", "), becomes(len(denied)), policy),
	})
}

func becomes(n int) string {
	if n == 1 {
		return "becomes"
	}
	return "become"
}

// trust adds a statement that lets EC2 in, and keeps the others as they are.
func (p *planner) trust(r finding.Result) string {
	role := p.v.Role(r.Subject.ARN)
	partition := p.v.Place.Partition
	if a, ok := snapshot.ParseARN(role.ARN); ok {
		partition = a.Partition
	}
	accepted, services := need.EC2Services(partition)
	if len(services) == 0 {
		services = accepted[:1]
	}
	var missing []string
	named := role.TrustedServices()
	for _, session := range p.v.InstanceSessions() {
		service := session.Principal
		if !slices.Contains(services, service) {
			continue
		}
		a := role.TrustAllows(session, "sts:AssumeRole")
		if a.Verdict == view.Denied && a.Result.Explicit {
			return whyTrusted
		}
		// In China each name is wanted for itself, though one lets EC2 in.
		if a.Verdict == view.Denied || !named[service] {
			missing = append(missing, service)
		}
	}
	document, err := addStatement(role.Facts.TrustPolicy, need.LetsServiceIn(missing, "sts:AssumeRole"))
	if err != nil || len(missing) == 0 {
		return whyNoRepair
	}
	return p.step(r, Step{
		Title: "let EC2 assume " + role.Name, rank: rankTrust, provesOwn: true,
		Changes: []change.Change{{Kind: change.TrustPolicy, Name: role.Name, Before: &change.State{Document: role.Facts.TrustPolicy}, After: &change.State{Document: document}}},
		Proof:   "the trust policy allows sts:AssumeRole to " + strings.Join(missing, " and "),
		Note:    "the other statements of the trust policy stay as they are",
	})
}

// addStatement appends a statement to a policy document.
func addStatement(document string, s need.Statement) (string, error) {
	var d struct {
		Version   string          `json:"Version,omitempty"`
		ID        string          `json:"Id,omitempty"`
		Statement json.RawMessage `json:"Statement"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return "", err
	}
	var list []json.RawMessage
	if json.Unmarshal(d.Statement, &list) != nil {
		list = []json.RawMessage{d.Statement} // one statement may stand without brackets
	}
	added, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if d.Statement, err = json.Marshal(append(list, added)); err != nil {
		return "", err
	}
	text, err := json.Marshal(d)
	return string(text), err
}

// nodeRole finds the node role that a result is about.
func (p *planner) nodeRole(r finding.Result) *view.NodeRole {
	roles := p.v.NodeRoles()
	i := slices.IndexFunc(roles, func(n *view.NodeRole) bool { return n.ARN == r.Subject.ARN })
	if i < 0 {
		return nil
	}
	return roles[i]
}

// entry is the change that makes or deletes an access entry.
func (p *planner) entry(arn string, before, after *change.State) change.Change {
	return change.Change{Kind: change.AccessEntry, Name: arn, Cluster: p.v.Place.Cluster, Before: before, After: after}
}

func (p *planner) associate(arn, policy string, namespaces []string) change.Change {
	return change.Change{Kind: change.AccessPolicy, Name: arn, Part: policy, Cluster: p.v.Place.Cluster, After: &change.State{Namespaces: namespaces}}
}

func (p *planner) autoNodePolicy() string {
	return "arn:" + p.v.Place.Partition + ":eks::aws:cluster-access-policy/" + newrole.AutoNodePolicy
}

// letIn makes an access entry.
func (p *planner) letIn(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return whyNoRepair
	}
	if !p.v.Access(role.ARN).ByEntries {
		return p.mapRole(r, role, nil)
	}
	kind := p.v.EntryType(role)
	changes := []change.Change{p.entry(role.ARN, nil, &change.State{Type: kind})}
	if _, auto := p.v.Kinds(role); auto && kind == "EC2" {
		changes = append(changes, p.associate(role.ARN, p.autoNodePolicy(), nil))
	}
	return p.step(r, Step{Title: "let " + role.Name + " into the cluster", rank: rankEntry, provesOwn: true, Changes: changes, Proof: "the role has an access entry of type " + kind})
}

// replaceEntry deletes an access entry and makes it again, of the type that the
// nodes want, with its access policies where the type takes any.
func (p *planner) replaceEntry(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return whyNoRepair
	}
	old := p.v.Access(role.ARN).Entry
	if old == nil {
		return whyNoRepair
	}
	if unread := p.v.Snapshot.MissingOf(snapshot.FactAccessPolicies, role.ARN); len(unread) > 0 {
		return whyPoliciesUnread
	}
	kind := p.v.EntryType(role)
	if r.ID == "NR503" && !p.failed["NR502 "+role.ARN] {
		kind = old.Type
	}
	changes, note := p.entryAgain(role, old, kind)
	return p.step(r, Step{Title: "replace the access entry of " + role.Name, rank: rankEntry, provesOwn: true, Changes: changes, Proof: "the entry is of type " + kind + " and younger than the role", Note: note})
}

// entryAgain deletes an access entry and makes it again, of a type.
func (p *planner) entryAgain(role *view.NodeRole, old *snapshot.AccessEntry, kind string) (changes []change.Change, note string) {
	again := &change.State{Type: kind}
	if kind == old.Type {
		again = entryState(old)
		again.CreatedAt = ""
	}
	// Its access policies go with it: they are named, so that they can be given back.
	for _, arn := range sortedPolicies(old.Policies) {
		changes = append(changes, p.associate(role.ARN, arn, old.Policies[arn]).Invert())
	}
	changes = append(changes, p.entry(role.ARN, entryState(old), nil), p.entry(role.ARN, nil, again))
	note = "between the two its nodes are refused, for seconds"
	policies := map[string][]string{}
	if _, auto := p.v.Kinds(role); auto && p.v.EntryType(role) == "EC2" {
		policies[p.autoNodePolicy()] = nil
	}
	switch {
	case old.Type == change.Standard && kind != old.Type && len(old.Groups) > 0:
		note += "; its Kubernetes groups " + strings.Join(old.Groups, ", ") + " end, as EKS sets those of nodes"
	case kind == old.Type || kind == "EC2":
		for arn, namespaces := range old.Policies {
			policies[arn] = namespaces
		}
	}
	if len(old.Policies) > 0 && len(policies) == 0 {
		note += fmt.Sprintf("; an entry of type %s takes no access policies, so that %s end", kind, counted(len(old.Policies), "access policy", "access policies"))
	}
	for _, arn := range sortedPolicies(policies) {
		changes = append(changes, p.associate(role.ARN, arn, policies[arn]))
	}
	return changes, note
}

// entryState is an access entry as it is: that very one, by its time of creation.
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

// accessPolicy associates what Auto Mode's nodes need.
func (p *planner) accessPolicy(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return whyNoRepair
	}
	entry := p.v.Access(role.ARN).Entry
	if entry == nil || entry.Type != "EC2" {
		return "its access entry comes first, and is made with that policy"
	}
	return p.step(r, Step{
		Title: "allow nodes of " + role.Name + " what Auto Mode's nodes do", rank: rankEntry, provesOwn: true,
		Changes: []change.Change{p.associate(role.ARN, p.autoNodePolicy(), nil)}, Proof: newrole.AutoNodePolicy + " is among the entry's access policies",
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func sortedPolicies(m map[string][]string) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
