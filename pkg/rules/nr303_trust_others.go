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
	NoRepair: "what else assumes the role is not known",
	Title:    "The node role's trust policy lets in nobody but EC2",
	Why: `Whoever else may assume the node role acts as a node: reads what nodes read, and joins the cluster. A role that trusts
eks.amazonaws.com or eks-fargate-pods.amazonaws.com is made to be shared with a cluster or Fargate, which AWS forbids.`,
	Fix: `Take the other principals out of the trust policy, or give them a role of their own.`,
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
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the trust policy of " + r.Name + " is no policy document"}
	case doc == nil:
		return unknown(subject, "who else may assume "+r.Name+" was not checked", r.Unread)
	}
	var others, evidence []string
	for _, o := range othersLetIn(v, r.Trust()) {
		others = appendNew(others, o.name)
		evidence = append(evidence, fmt.Sprintf("trust policy statement %d: %s %s%s", o.index+1, o.kind, o.name, conditioned(o.conditions)))
	}
	if len(others) == 0 {
		return finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " is assumed by EC2 alone", Evidence: []string{"the trust policy lets in " + trusted(r.Role)}}
	}
	slices.Sort(others)
	slices.Sort(evidence)
	accepted, _ := need.EC2Services(v.Place.Partition)
	return finding.Result{
		Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s may also be assumed by %s", r.Name, strings.Join(others, ", ")), Evidence: evidence,
		Next: []finding.Next{finding.Advise("remove these principals from the trust policy, unless something that you know of assumes the role; nodes need only: " + trustStatement(accepted[:1]))},
	}
}

// otherPrincipal is somebody whom a node role's trust policy lets in beside EC2.
type otherPrincipal struct {
	// index counts the document's statements from 0.
	index      int
	kind, name string
	conditions int
}

// othersLetIn are the principals of the Allow statements that are neither EC2 nor
// deleted, in the order of the document.
func othersLetIn(v *view.View, doc *iampolicy.Document) []otherPrincipal {
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
	return ", under conditions"
}
