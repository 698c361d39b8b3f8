package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var trustOthers = Rule{
	ID: "NR303", Name: "trust-others", Severity: finding.Warning, Concern: finding.ConcernTrust, Security: true,
	NoRepair: "what else assumes the role is unknown",
	Title:    "Only EC2, or Systems Manager, can assume the node role",
	Why: `Another principal that can assume the node role can act as a node. It can read what nodes read, and join the cluster.
A role that trusts eks.amazonaws.com or eks-fargate-pods.amazonaws.com is meant to be shared with a cluster or
Fargate, which AWS does not support.`,
	Fix: `Remove the other principals from the trust policy, or give them a role of their own.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com","AWS":"arn:aws:iam::444455556666:root"},"Action":"sts:AssumeRole"}}'`,
	Good: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","ssm.amazonaws.com"]},"Action":"sts:AssumeRole"}}'`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			report(judgeOthers(v, r))
		}
	},
}

func judgeOthers(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	switch doc := r.Trust(); {
	case r.Facts.NotFound:
		return noSuchRole(r)
	case doc == nil && len(r.Unread) == 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the trust policy of " + r.Name + " is not a policy document"}
	case doc == nil:
		return unknown(subject, "who else may assume "+r.Name+" is unknown", r.Unread)
	}
	var others, evidence []string
	for _, o := range othersOf(v, r.Trust()) {
		others = appendNew(others, o.name)
		evidence = append(evidence, fmt.Sprintf("trust policy statement %d: %s %s%s", o.index+1, o.kind, o.name, conditioned(o.conditions)))
	}
	if len(others) == 0 {
		return finding.Result{Status: finding.Pass, Subject: subject, Message: "the trust policy of " + r.Name + " allows no other principals", Evidence: []string{"the trust policy allows " + trusted(r.Role)}}
	}
	slices.Sort(others)
	slices.Sort(evidence)
	accepted, _ := need.EC2Services(v.Place.Partition)
	return finding.Result{
		Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s can also be assumed by %s", r.Name, strings.Join(others, ", ")), Evidence: evidence,
		Next: []finding.Next{finding.Advise("remove these principals from the trust policy, unless you know what assumes the role; nodes need only: " + trustStatement(accepted[:1]))},
	}
}

// otherPrincipal is a principal other than EC2 whom a node role's trust policy allows.
type otherPrincipal struct {
	// index counts the document's statements from 0.
	index      int
	kind, name string
	conditions int
}

// othersOf are the principals of the Allow statements that are neither EC2 nor
// deleted, in the order of the document.
func othersOf(v *view.View, doc *iampolicy.Document) []otherPrincipal {
	accepted, _ := need.EC2Services(v.Place.Partition)
	// Hybrid nodes and instances under Systems Manager hold roles that SSM assumes.
	accepted = append(accepted, "ssm.amazonaws.com")
	var others []otherPrincipal
	for i, s := range doc.Statements {
		if s.Effect != iampolicy.Allow {
			continue
		}
		for _, kind := range slices.Sorted(maps.Keys(s.Principals)) {
			for _, name := range s.Principals[kind] {
				if kind == "Service" && slices.Contains(accepted, name) || iampolicy.IsUniqueID(name) {
					continue
				}
				others = append(others, otherPrincipal{i, kind, name, len(s.Conditions)})
			}
		}
	}
	return others
}

func conditioned(conditions int) string {
	if conditions == 0 {
		return ""
	}
	return ", with conditions"
}
