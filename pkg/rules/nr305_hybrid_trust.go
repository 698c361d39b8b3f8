package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hybridTrust = Rule{
	ID: "NR305", Name: "hybrid-trust", Severity: finding.Error, Concern: finding.ConcernTrust,
	Joining:  60,
	Explains: []finding.SymptomKind{finding.NotJoined},
	NoRepair: "fix does not change roles of hybrid nodes",
	Title:    "The role of hybrid nodes trusts Systems Manager or IAM Roles Anywhere",
	Why: `Hybrid nodes get the role from Systems Manager or IAM Roles Anywhere, not from EC2. If neither can assume the role,
they have no credentials and do not join.`,
	Fix: `In the trust policy, allow sts:AssumeRole for ssm.amazonaws.com, or sts:AssumeRole, sts:TagSession and
sts:SetSourceIdentity for rolesanywhere.amazonaws.com.`,
	Refs:  []string{"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactHybridEntries},
	Bad:   hybridPatch("ec2.amazonaws.com"),
	Good:  hybridPatch("ssm.amazonaws.com"),
	Check: func(v *view.View, report Reporter) {
		if !hybridNodes(v, report) {
			return
		}
		for _, r := range v.HybridRoles() {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			report(judgeHybridTrust(v, r, subject))
		}
	},
}

// hybridNodes reports whether there are roles of hybrid nodes to judge. Where there are
// none, or they could not be read, it reports that.
func hybridNodes(v *view.View, report Reporter) bool {
	if m := v.Unread(snapshot.FactHybridEntries); len(m) > 0 {
		report(unknown(clusterSubject(v), "the roles of hybrid nodes are unknown", m))
	}
	if len(v.HybridRoles()) == 0 {
		report(finding.Result{
			Status: finding.NotApplicable, Subject: clusterSubject(v),
			Message: fmt.Sprintf("%d hybrid nodes, and no access entry for them", v.CountNodes(snapshot.ProvisionedByHybrid)),
		})
		return false
	}
	return true
}

// hybridPatch adds hybrid nodes and their role to the healthy example: who may assume it,
// and what an inline policy denies it.
func hybridPatch(service string, denied ...string) string {
	const arn = "arn:aws:iam::111122223333:role/hybridNodeRole"
	return fmt.Sprintf(`
nodes: {mi-1: {providerID: "eks-hybrid:///eu-west-1/prod/mi-1", maker: hybrid, ready: true}}
accessEntries: {%[1]q: {type: HYBRID_LINUX, createdAt: "2026-02-01T00:00:00Z"}}
roles:
  %[1]q:
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":%[2]q},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
    inlinePolicies:
      hybrid: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["eks:ListAccessEntries","ssm:UpdateInstanceInformation"],"Resource":"*"},{"Effect":"Deny","Action":["%[3]s"],"Resource":"*"}]}'
`, arn, service, strings.Join(append(denied, "iam:*"), `","`))
}

func judgeHybridTrust(v *view.View, r *view.Role, subject finding.Subject) finding.Result {
	if len(r.Unread) > 0 {
		return unknown(subject, "who may assume "+r.Name+" is unknown", r.Unread)
	}
	var denied []view.Answer
	var asks []string
	var depends finding.Result
	for _, session := range v.HybridSessions() {
		service := session.Principal
		var all allowedAll
		for _, action := range session.TrustActions {
			switch a := r.TrustAllows(session, action); a.Verdict {
			case view.Allowed:
				all.allowed = append(all.allowed, a)
			case view.Depends:
				all.depends = append(all.depends, a)
			case view.Unknown:
				return unknown(subject, "who may assume "+r.Name+" is unknown", a.Unread)
			case view.Denied:
				all.denied = append(all.denied, a)
			}
		}
		result := all.result(subject, r.Name, "allows "+service+" to assume it", "does not allow "+service+" to assume it")
		switch result.Status {
		case finding.Pass:
			return result
		case finding.Depends:
			depends = result
			depends.Next = []finding.Next{explainTrust(service, all.depends[0].Action.Name)}
		default:
			denied = append(denied, all.denied...)
			asks = append(asks, session.Asks())
		}
	}
	if depends.Status == finding.Depends {
		return depends
	}
	return finding.Result{
		Status: finding.Fail, Subject: subject, Message: r.Name + " trusts neither Systems Manager nor IAM Roles Anywhere",
		Evidence: slices.Concat(deniedLines(denied), []string{"the trust policy names " + text.OrNone(trusted(r))}, asks),
		Next:     []finding.Next{finding.Advise("add to the trust policy: " + trustStatement([]string{"ssm.amazonaws.com"}))},
	}
}
