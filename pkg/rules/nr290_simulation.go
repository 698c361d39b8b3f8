package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var simulation = Rule{
	ID: "NR290", Name: "simulation", Severity: finding.Warning, Concern: finding.ConcernNode, NotOfRole: true,
	NoRepair: "which of the two answers is wrong is unknown",
	Title:    "The IAM policy simulator agrees with this program",
	Why: `AWS and this program disagree: one of the two verdicts is wrong. Both evaluate the same policies. A denial by a
service control policy is not a difference: the rule whose permission it denies fails.`,
	Fix: `Compare "kubectl noderole can ROLE ACTION RESOURCE --explain" with the simulator's answer, and report the difference.`,
	Refs: []string{
		"https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactSimulations, snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
	},
	Bad: `simulations: {"arn:aws:iam::111122223333:role/eksNodeRole": [
  {action: "ec2:DescribeInstances", resource: "*", decision: explicitDeny}]}`,
	Good: `simulations: {"arn:aws:iam::111122223333:role/eksNodeRole": [
  {action: "ec2:DescribeInstances", resource: "*", decision: allowed},
  {action: "s3:GetObject", resource: "arn:aws:s3:::bucket/key", decision: implicitDeny, missingContext: ["aws:SourceIp"]}]}`,
	Check: func(v *view.View, report Reporter) {
		s := v.Snapshot
		if len(s.Simulations) == 0 && len(v.Unread(snapshot.FactSimulations)) == 0 {
			report(finding.Result{Status: finding.NotApplicable, Subject: clusterSubject(v), Message: "the IAM policy simulator was not asked: use --simulate"})
			return
		}
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			answers, asked := s.Simulations[r.ARN]
			switch m := s.MissingOf(snapshot.FactSimulations, r.ARN); {
			case len(m) > 0:
				report(unknown(subject, "whether the IAM policy simulator agrees is unknown", m))
			case asked:
				report(compare(r, subject, answers))
			}
		}
	},
}

// compare names every action on which one says allowed and the other denied.
func compare(r *view.NodeRole, subject finding.Subject, answers []snapshot.Simulation) finding.Result {
	var disagree []string
	var unread []snapshot.Missing
	for _, theirs := range answers {
		action := need.Action{Name: theirs.Action}
		if theirs.Resource != "*" {
			action.Resources = []string{theirs.Resource}
		}
		ours := r.Can(action)
		unread = append(unread, ours.Unread...)
		allowed := theirs.Decision == "allowed"
		open := len(theirs.MissingContext) > 0 || theirs.DeniedBy == snapshot.DeniedByOrganizations || ours.Verdict == view.Unknown || ours.Verdict == view.Depends
		if open || allowed == (ours.Verdict == view.Allowed) {
			continue
		}
		disagree = append(disagree, fmt.Sprintf("%s on %s: AWS says %s, this program %s", theirs.Action, theirs.Resource, simulated(theirs), because(ours.Result)))
	}
	switch {
	case len(disagree) > 0:
		slices.Sort(disagree)
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("the IAM policy simulator disagrees about %s", r.Name), Evidence: disagree,
			Next: []finding.Next{finding.Run(command.Noderole("can", r.Name).WithPlaceholder("ACTION").WithPlaceholder("RESOURCE").With("--explain"))},
		}
	case len(unread) > 0:
		return unknown(subject, "whether the IAM policy simulator agrees is unknown", unread)
	default:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("the IAM policy simulator agrees about %s", r.Name),
			Evidence: []string{fmt.Sprintf("%d actions compared", len(answers))},
		}
	}
}

func simulated(s snapshot.Simulation) string {
	switch s.DeniedBy {
	case snapshot.DeniedByOrganizations:
		return s.Decision + " by a service control policy"
	case "permissionsBoundary":
		return s.Decision + " by the permissions boundary"
	default:
		return s.Decision
	}
}

// because is this program's answer with its statements.
func because(r iampolicy.Result) string {
	switch {
	case r.Decision == iampolicy.Allowed:
		return "allowed by " + statementList(r.Statements)
	case r.Explicit:
		return "denied by " + statementList(r.Statements)
	default:
		return strings.TrimSpace("denied: no statement of the " + r.By.String() + " allows it")
	}
}
