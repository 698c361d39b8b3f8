package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var workloadRole = Rule{
	ID: "NR111", Name: "workload-role", Severity: finding.Error, Concern: finding.ConcernUnique,
	Joining:  165,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.SeparateRole,
	Title:    "The node role is not a role of pods or people",
	Why: `Nodes get no credentials from the role: EC2 cannot assume it. Pods or people assume it. An
example is the role of Karpenter's controller in an EC2NodeClass. If its trust policy allowed EC2, every node would have the permissions of
those pods or people.`,
	Fix: `Create a role for the nodes only, and use it in the node class, launch template or node group.`,
	Refs: []string{
		"https://github.com/aws/karpenter-provider-aws/issues/6659",
		"https://karpenter.sh/docs/concepts/nodeclasses/",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles},
	Bad: `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}'`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			report(judgeWorkloadRole(v, r))
		}
	},
}

func judgeWorkloadRole(v *view.View, r *view.NodeRole) finding.Result {
	subject := roleSubject(r)
	switch {
	case r.Facts.NotFound:
		return noSuchRole(r)
	case len(r.Unread) > 0:
		return unknown(subject, "whether "+r.Name+" is a role of pods or people is unknown", r.Unread)
	case r.TrustsEC2():
		return finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " is a role that EC2 assumes", Evidence: []string{"the trust policy allows " + trusted(r.Role)}}
	}
	for _, owner := range v.Owners(r.ARN) {
		if owner.Kind == view.WorkloadOwner || owner.Kind == view.PersonOwner {
			return finding.Result{
				Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s is %s", r.Name, owner), Evidence: []string{owner.Evidence},
				WrongRoles: []string{r.ARN},
			}
		}
	}
	return finding.Result{Status: finding.Pass, Subject: subject, Message: r.Name + " is not a role of pods or people", Evidence: []string{"the trust policy allows " + trusted(r.Role)}}
}
