package planner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// The order of steps. What is added comes before what is removed, and aws-node's own role
// before anything that configures it.
const (
	rankRole = iota
	rankTrust
	rankPermissions
	rankProfile
	rankEntry
	rankAgent
	rankConfigure
	rankRollout
	rankDetach
)

// Options say what to repair.
type Options struct {
	// Only names rules by id: exactly what they found is repaired. Without it all
	// errors and warnings are.
	Only []string
	// Identity asks for a role of aws-node's own where it has none, given by IRSA,
	// PodIdentity, or Auto for the one that suits the cluster. The rule that reports that
	// aws-node has none asks for it too, where Only names it.
	Identity string
	// Role is the name of that role; empty for CLUSTER-aws-node.
	Role string
}

// Auto chooses between EKS Pod Identity and IRSA.
const Auto = "auto"

// repairs returns the functions that plan, by kind of repair. Each returns the steps for one
// failure. An error is a ManualError, or several that are joined: what people have to do
// in place of the steps or in addition to them.
func repairs() map[finding.Repair]func(*planner, finding.Result) ([]Step, error) {
	return map[finding.Repair]func(*planner, finding.Result) ([]Step, error){
		finding.MoveCNI:             (*planner).moveCNI,
		finding.SeparateRole:        (*planner).planDedicatedRole,
		finding.RecreateRole:        (*planner).recreateRole,
		finding.FillInstanceProfile: (*planner).fillInstanceProfile,
		finding.AttachWorkerPolicy:  (*planner).attachWorkerPolicy,
		finding.AttachPullPolicy:    (*planner).attachPullPolicy,
		finding.AllowAgent:          (*planner).allowAgent,
		finding.AllowCNI:            (*planner).allowCNI,
		finding.PrepareCNIUpgrade:   (*planner).prepareCNIUpgrade,
		finding.TrustEC2:            (*planner).trustEC2,
		finding.GrantAccess:         (*planner).grantAccess,
		finding.ReplaceAccessEntry:  (*planner).replaceAccessEntry,
		finding.CorrectMapping:      (*planner).correctMapping,
		finding.AssociatePolicy:     (*planner).associateAutoNodePolicy,
		finding.RepairIRSA:          (*planner).repairIRSA,
		finding.RepairPodIdentity:   (*planner).repairPodIdentity,
		finding.AlignAddonRole:      (*planner).alignAddonRole,
		finding.RestartAWSNode:      (*planner).restartAWSNode,
		finding.DetachCNI:           (*planner).detachCNI,
	}
}

// HasRepair reports whether the planner has a function for a kind of repair.
func HasRepair(kind finding.Repair) bool { return repairs()[kind] != nil }

// New plans the repair of the failures that are not excepted.
func New(v *view.View, results []finding.Result, o Options) *Plan {
	plan, _ := plan(v, results, o)
	return plan
}

// plan is New. It also returns what became of each failure: nil where steps repair it.
func plan(v *view.View, results []finding.Result, o Options) (*Plan, map[finding.Ref]error) {
	p := &planner{
		v: v, o: o, byRepair: map[finding.Repair][]*finding.Result{}, steps: map[string]int{}, dedicated: map[string]bool{},
		plan: &Plan{APIVersion: finding.APIVersion, Kind: PlanKind, Cluster: v.Snapshot.Cluster.ARN, Steps: []Step{}},
	}
	if a := v.Snapshot.AWSAuth; a != nil {
		p.mapRoles = &a.MapRoles
	}
	var wanted []finding.Result
	for i, r := range results {
		p.byRepair[r.Repair] = append(p.byRepair[r.Repair], &results[i])
		if r.Status == finding.Fail && !r.Excepted() && p.wants(r) {
			wanted = append(wanted, r)
		}
	}
	// Where aws-node is given a role of its own, others do not need the CNI's
	// permissions: that is planned first. Detachments come last, as whether they are safe
	// depends on the other steps.
	slices.SortStableFunc(wanted, func(a, b finding.Result) int { return cmp.Compare(planOrder(a), planOrder(b)) })
	// What only follows from another finding ends with that one; nobody repairs it alone.
	symptoms := map[finding.Ref]bool{}
	if len(o.Only) == 0 {
		for i, u := range finding.Under(results) {
			symptoms[results[i].Ref()] = u >= 0
		}
	}
	outcomes := map[finding.Ref]error{}
	for _, r := range wanted {
		steps, err := p.repair(r)
		for _, s := range steps {
			p.add(r, s)
		}
		for _, left := range manualErrors(err) {
			if symptoms[r.Ref()] {
				break
			}
			p.plan.Manual = append(p.plan.Manual, left.manual(r))
		}
		outcomes[r.Ref()] = nil
		if len(steps) == 0 {
			outcomes[r.Ref()] = err
		}
	}
	for i := range p.plan.Steps {
		p.plan.Steps[i].finish()
	}
	slices.SortStableFunc(p.plan.Steps, func(a, b Step) int { return cmp.Compare(a.rank, b.rank) })
	return p.plan, outcomes
}

// wants reports whether the plan should repair a failure.
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

// planOrder is when a failure is planned for: last where there is no repair.
func planOrder(r finding.Result) int {
	if i := slices.Index(finding.Repairs, r.Repair); i >= 0 {
		return i
	}
	return len(finding.Repairs)
}

// repair plans the repair of one failure. A role that something else uses too is not
// changed: its nodes get a role of their own.
func (p *planner) repair(r finding.Result) ([]Step, error) {
	if r.Subject.Kind == finding.SubjectNodeRole && !r.NotOfRole && len(p.v.Owners(r.Subject.ARN)) > 0 {
		shared := p.failures(finding.SeparateRole, r.Subject.ARN)
		if r.Repair != finding.SeparateRole && len(shared) > 0 && !slices.ContainsFunc(shared, p.planned) {
			return nil, blocked(shared)
		}
		return p.planDedicatedRole(r)
	}
	if repair := repairs()[r.Repair]; repair != nil {
		return repair(p, r)
	}
	return nil, &ManualError{Why: r.NoRepair, Next: r.Next}
}

// add adds a step, or the rule to the step that makes the same changes.
func (p *planner) add(r finding.Result, s Step) {
	var key strings.Builder
	for _, c := range s.Changes {
		key.WriteString(c.String() + "\n")
	}
	if i, known := p.steps[key.String()]; known {
		have := &p.plan.Steps[i]
		if !slices.Contains(have.Rules, r.ID) {
			have.Rules = append(have.Rules, r.ID)
			if s.provesOwn && !have.provesOwn {
				have.Postconditions = append(have.Postconditions, Check{Rule: r.ID, Subject: cmp.Or(r.Subject.ARN, r.Subject.Name)})
				have.Proof += "; " + s.Proof
			}
		}
		return
	}
	s.Rules = []string{r.ID}
	if s.Subject == "" {
		s.Subject, s.arn = r.Subject.Name, r.Subject.ARN
	}
	p.steps[key.String()] = len(p.plan.Steps)
	p.plan.Steps = append(p.plan.Steps, s)
}

// finish writes down what the step proves.
func (s *Step) finish() {
	if !s.provesOwn {
		return
	}
	for _, id := range s.Rules {
		s.Postconditions = append(s.Postconditions, Check{Rule: id, Subject: cmp.Or(s.arn, s.Subject)})
	}
}

// planner is the state of planning.
type planner struct {
	v *view.View
	o Options
	// byRepair has the results by the kind of repair of their rules.
	byRepair map[finding.Repair][]*finding.Result
	plan     *Plan
	// steps has the indexes of the plan's steps by their changes in words.
	steps map[string]int
	// dedicated has the roles, by ARN, whose nodes the plan gives another one.
	dedicated map[string]bool
	// ownRolePlanned is how the plan gives aws-node a role of its own; empty where it does
	// not.
	ownRolePlanned view.IdentityKind
	// mapRoles is aws-auth's text after the steps so far; nil where there is none.
	mapRoles *string
}

// failures are what failed of the rules with a kind of repair, about a subject by ARN or
// name; an empty subject is every one.
func (p *planner) failures(kind finding.Repair, subject string) []finding.Result {
	var list []finding.Result
	for _, r := range p.byRepair[kind] {
		if r.Status == finding.Fail && (subject == "" || subject == r.Subject.ARN || subject == r.Subject.Name) {
			list = append(list, *r)
		}
	}
	return list
}

// fails reports whether there are such failures.
func (p *planner) fails(kind finding.Repair, subject string) bool {
	return len(p.failures(kind, subject)) > 0
}

// planned reports whether the plan has a step for a failure.
func (p *planner) planned(r finding.Result) bool {
	return slices.ContainsFunc(p.plan.Steps, func(s Step) bool { return s.isFor(r) })
}

// isFor reports whether a step repairs a failure. What is wrong with pods of aws-node has
// several subjects and one repair.
func (s Step) isFor(r finding.Result) bool {
	return (s.Subject == r.Subject.Name || r.Subject.Kind == finding.SubjectAWSNode) && slices.Contains(s.Rules, r.ID)
}

// checks are those of the rules with a kind of repair, about a subject. It is an error where
// no such rule has results, as when a team switched it off: nothing can then be proven.
func (p *planner) checks(kind finding.Repair, subject string, strict bool) ([]Check, error) {
	var list []Check
	for _, r := range p.byRepair[kind] {
		if c := (Check{Rule: r.ID, Subject: subject, Strict: strict}); !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return nil, manual("the rule that would prove it is switched off")
	}
	return list, nil
}

// nodeRole finds the node role that a result is about.
func (p *planner) nodeRole(r finding.Result) *view.NodeRole {
	for _, role := range p.v.NodeRoles() {
		if role.ARN == r.Subject.ARN {
			return role
		}
	}
	return nil
}
