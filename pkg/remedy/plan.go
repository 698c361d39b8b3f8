package remedy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
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
	// Proof says what shows that it worked.
	Proof string `json:"proof"`
	// Note is what there is to know before it is made.
	Note string `json:"note,omitempty"`

	rank int
}

// Manual is a finding that no step repairs.
type Manual struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Why says why it is left to people.
	Why string `json:"why"`
	// Evidence and Next are the finding's.
	Evidence []string `json:"evidence,omitempty"`
	Next     []string `json:"next,omitempty"`
}

// The order of steps: who may assume the role, what it may do, who lets it in.
const (
	rankTrust = iota
	rankPermissions
	rankEntry
)

// New plans the repair of the results that failed as errors or warnings or,
// where only names rules by id, of exactly those.
func New(v *view.View, results []finding.Result, only []string) *Plan {
	p := &planner{v: v, plan: &Plan{APIVersion: finding.APIVersion, Kind: PlanKind, Cluster: v.Snapshot.Cluster.ARN, Steps: []Step{}}, shared: map[string]string{}, failed: map[string]bool{}}
	var wanted []finding.Result
	for _, r := range results {
		if r.Status != finding.Fail {
			continue
		}
		if slices.Contains(sharing, r.ID) {
			p.shared[r.Subject.ARN] = r.ID
		}
		p.failed[r.ID+" "+r.Subject.ARN] = true
		if slices.Contains(only, r.ID) || len(only) == 0 && r.Severity.Rank() >= finding.Warning.Rank() {
			wanted = append(wanted, r)
		}
	}
	for _, r := range wanted {
		if why := p.repair(r); why != "" {
			p.plan.Manual = append(p.plan.Manual, Manual{Rule: r.ID, Subject: r.Subject.Name, Message: r.Message, Why: why, Evidence: r.Evidence, Next: r.Next})
		}
	}
	slices.SortStableFunc(p.plan.Steps, func(a, b Step) int { return cmp.Compare(a.rank, b.rank) })
	return p.plan
}

// sharing are the rules on roles that nodes may not have at all: nothing is given
// to such a role.
var sharing = []string{"NR101", "NR102", "NR103"}

type planner struct {
	v    *view.View
	plan *Plan
	// shared has the rule by which a role, by ARN, is somebody else's.
	shared map[string]string
	// failed has "RULE ARN" of everything that failed.
	failed map[string]bool
}

// step adds a step, or the rule to the step that makes the same changes.
func (p *planner) step(r finding.Result, s Step) string {
	for i := range p.plan.Steps {
		have := &p.plan.Steps[i]
		if slices.EqualFunc(have.Changes, s.Changes, func(a, b change.Change) bool { return a.String() == b.String() }) {
			if !slices.Contains(have.Rules, r.ID) {
				have.Rules = append(have.Rules, r.ID)
			}
			return ""
		}
	}
	s.Rules, s.Subject = []string{r.ID}, r.Subject.Name
	p.plan.Steps = append(p.plan.Steps, s)
	return ""
}

// Why findings are left to people.
const (
	whyDecision  = "an explicit Deny or a permissions boundary is somebody's decision"
	whyNoRepair  = "fix has no step for it; it is yours to do"
	whyShared    = "the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed"
	whyTrusted   = "the trust policy denies EC2, which is somebody's decision"
	whyConfigMap = "the cluster looks at aws-auth alone, which is yours to edit"
)

// repair plans the repair of one finding, or says why it plans none.
func (p *planner) repair(r finding.Result) (why string) {
	if slices.Contains(sharing, r.ID) {
		return whyShared
	}
	if rule, ok := p.shared[r.Subject.ARN]; ok {
		return whyShared + " (" + rule + ")"
	}
	switch r.ID {
	case "NR201", "NR203":
		return p.attach(r, slices.Concat(need.Worker, need.WorkerRecommended), "AmazonEKSWorkerNodePolicy", "let kubelet on %s call what it needs")
	case "NR202", "NR210":
		return p.attach(r, slices.Concat(need.Pull, need.PullThroughCache), "AmazonEC2ContainerRegistryPullOnly", "allow %s to pull images")
	case "NR204":
		policy := "AmazonEKSWorkerNodeMinimalPolicy" // that one action
		if p.failed["NR201 "+r.Subject.ARN] || p.failed["NR203 "+r.Subject.ARN] {
			policy = "AmazonEKSWorkerNodePolicy" // which allows it too
		}
		return p.attach(r, need.PodIdentityAgent, policy, "let the Pod Identity Agent on %s get credentials")
	case "NR206":
		return p.allowCNI(r)
	case "NR301", "NR302":
		return p.trust(r)
	case "NR501":
		return p.letIn(r)
	case "NR502", "NR503":
		return p.replaceEntry(r)
	case "NR507":
		return p.accessPolicy(r)
	}
	return whyNoRepair
}

// attach attaches a managed policy for actions that are denied, unless that does
// not help: an explicit Deny or a boundary stands in the way.
func (p *planner) attach(r finding.Result, actions []need.Action, policy, title string) string {
	return p.attachTo(r, p.v.Role(r.Subject.ARN), actions, policy, title)
}

// allowCNI attaches the CNI policy to the role that aws-node is given. For IPv6
// AWS has no managed policy.
func (p *planner) allowCNI(r finding.Result) string {
	cni, arn := p.v.CNI(), r.Subject.ARN
	if identity := p.v.ConfiguredIdentity(); identity.Own() {
		arn = identity.RoleARN
	}
	role := p.v.Role(arn)
	if cni.IPFamily == "ipv6" || role.Facts.NotFound {
		return whyNoRepair
	}
	return p.attachTo(r, role, cni.Must(), "AmazonEKS_CNI_Policy", "allow %s what aws-node calls")
}

func (p *planner) attachTo(r finding.Result, role *view.Role, actions []need.Action, policy, title string) string {
	var denied []string
	for _, a := range actions {
		answer := role.Can(a)
		if answer.Verdict != view.Denied {
			continue
		}
		if answer.Result.Explicit || answer.Result.By == iampolicy.LayerBoundary {
			return whyDecision
		}
		denied = append(denied, a.Name)
	}
	arn := need.ManagedPolicy(p.v.Place.Partition, policy)
	return p.step(r, Step{
		Title: fmt.Sprintf(title, role.Name), rank: rankPermissions,
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
	for _, service := range services {
		a := role.LetsIn(service, "sts:AssumeRole")
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
		Title: "let EC2 assume " + role.Name, rank: rankTrust,
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
	return "arn:" + p.v.Place.Partition + ":eks::aws:cluster-access-policy/" + autoNodePolicy
}

// letIn makes an access entry.
func (p *planner) letIn(r finding.Result) string {
	role := p.nodeRole(r)
	if role == nil {
		return whyNoRepair
	}
	if !p.v.Access(role.ARN).ByEntries {
		return whyConfigMap
	}
	kind := p.v.EntryType(role)
	changes := []change.Change{p.entry(role.ARN, nil, &change.State{Type: kind})}
	if kind == "EC2" {
		changes = append(changes, p.associate(role.ARN, p.autoNodePolicy(), nil))
	}
	return p.step(r, Step{Title: "let " + role.Name + " into the cluster", rank: rankEntry, Changes: changes, Proof: "the role has an access entry of type " + kind})
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
		return "its access policies could not be read, and would be lost"
	}
	kind := p.v.EntryType(role)
	if r.ID == "NR503" && !p.failed["NR502 "+role.ARN] {
		kind = old.Type
	}
	again := &change.State{Type: kind}
	if kind == old.Type {
		again = entryState(old)
		again.CreatedAt = ""
	}
	changes := []change.Change{
		p.entry(role.ARN, entryState(old), nil),
		p.entry(role.ARN, nil, again),
	}
	note := "between the two its nodes are refused, for seconds"
	policies := map[string][]string{}
	if p.v.EntryType(role) == "EC2" {
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
	return p.step(r, Step{Title: "replace the access entry of " + role.Name, rank: rankEntry, Changes: changes, Proof: "the entry is of type " + kind + " and younger than the role", Note: note})
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
		Title: "allow nodes of " + role.Name + " what Auto Mode's nodes do", rank: rankEntry,
		Changes: []change.Change{p.associate(role.ARN, p.autoNodePolicy(), nil)}, Proof: autoNodePolicy + " is among the entry's access policies",
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
