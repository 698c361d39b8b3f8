// Package planner turns results into a plan of ordered steps. Each step has its changes,
// what the facts must show before it, and what proves it. The package also says what to do
// next about each result. It reads and writes nothing.
package planner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
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
	// Manual are the findings that people have to repair, and why.
	Manual []Manual `json:"manual,omitempty"`
}

// PlanKind is the Kind of a Plan.
const PlanKind = "Plan"

// Step is one repair.
type Step struct {
	// Title says what it does; Rules are the IDs of the rules whose findings it repairs.
	Title string   `json:"title"`
	Rules []string `json:"rules"`
	// Subject is the name of what it repairs.
	Subject string          `json:"subject"`
	Changes []change.Change `json:"changes"`
	// Commands are those of the changes, for readers; what is read from a plan is not used.
	Commands []finding.Next `json:"commands,omitempty"`
	// Preconditions are what the facts must show before the step is applied.
	Preconditions []Check `json:"requires,omitempty"`
	// Proof says what shows that it worked.
	Proof string `json:"proof"`
	// Postconditions are what the facts must show after it. A step without any is seen to
	// have worked by reading again what it wrote.
	Postconditions []Check `json:"proves,omitempty"`
	// Note is what to know before it is applied.
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
	// Strict requires the status pass: depends and notApplicable are not enough.
	Strict bool `json:"strict,omitempty"`
	// Agent replaces a rule: the Pod Identity Agent is ready on every
	// node that runs aws-node.
	Agent bool `json:"agent,omitempty"`
}

// UnreadError is a check that could not be made, because facts were not read.
type UnreadError struct {
	// Problem is what is unknown; Unread are the calls that failed, each with its error.
	Problem string
	Unread  []string
}

// Error returns one line.
func (u *UnreadError) Error() string { return u.Problem + ": " + strings.Join(u.Unread, "; ") }

// Unmet returns nil where results and facts show it, an *UnreadError where that is unknown,
// and otherwise an error that says why they do not.
func (c Check) Unmet(v *view.View, results []finding.Result) error {
	if c.Agent {
		return agentUnmet(v)
	}
	asked := false
	for _, r := range results {
		if r.ID != c.Rule || c.Subject != "" && c.Subject != r.Subject.ARN && c.Subject != r.Subject.Name {
			continue
		}
		asked = true
		switch {
		case r.Status == finding.Pass, !c.Strict && (r.Status == finding.Depends || r.Status == finding.NotApplicable):
		case r.Status == finding.Unknown:
			return &UnreadError{r.ID + ": " + r.Message, r.Evidence}
		default:
			return errors.New(r.ID + ": " + r.Message)
		}
	}
	if !asked {
		what := fmt.Sprintf("%s was not judged for %s", c.Rule, snapshot.NameOf(c.Subject))
		if missing := v.Snapshot.Missing; len(missing) > 0 {
			return &UnreadError{what, []string{unreadCall(missing[0])}}
		}
		return errors.New(what)
	}
	return nil
}

// agentUnmet is Unmet for the Pod Identity Agent.
func agentUnmet(v *view.View) error {
	for _, m := range v.Snapshot.Missing {
		if m.Fact == snapshot.FactAgent || m.Fact == snapshot.FactPods {
			return &UnreadError{"whether " + agentAddon + " is ready is unknown", []string{unreadCall(m)}}
		}
	}
	if without := v.WithoutAgent(); v.Snapshot.PodIdentityAgent == nil || len(without) > 0 {
		return fmt.Errorf("%s is not ready on %s with aws-node", agentAddon, text.Count(max(1, len(without)), "node"))
	}
	return nil
}

func unreadCall(m snapshot.Missing) string { return m.Operation + ": " + m.Error }

// Manual is a finding that no step repairs.
type Manual struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Why says why no step repairs it.
	Why string `json:"why"`
	// Evidence is the finding's; Next is what people do about it.
	Evidence []string       `json:"evidence,omitempty"`
	Next     []finding.Next `json:"next,omitempty"`
}

// ReadPlan reads a plan that was written as JSON. The error says what is wrong with it.
func ReadPlan(data []byte) (*Plan, error) {
	var p Plan
	if err := files.Object(data, finding.APIVersion, PlanKind, &p, false); err != nil {
		return nil, err
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
