package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hybridSSM = Rule{
	ID: "NR220", Name: "hybrid-ssm", Severity: finding.Warning, Concern: finding.ConcernNode,
	NoRepair: "fix does not change roles of hybrid nodes",
	Title:    "The role of hybrid nodes with SSM hybrid activations has the permissions that SSM Agent needs",
	Why: `Systems Manager shows the machine as offline. SSM Agent on it cannot report to Systems Manager. AWS requires
AmazonSSMManagedInstanceCore on the role of nodes with an SSM hybrid activation.`,
	Fix:  `Attach AmazonSSMManagedInstanceCore to the role.`,
	Refs: []string{"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html"},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactHybridEntries,
	},
	Bad:  hybridPatch("ssm.amazonaws.com", "ssm:*"),
	Good: hybridPatch("ssm.amazonaws.com"),
	Check: func(v *view.View, report Reporter) {
		if !hybridNodes(v, report) {
			return
		}
		for _, r := range v.HybridRoles() {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			if r.TrustAllows(v.HybridSessions()[0], "sts:AssumeRole").Verdict == view.Denied {
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the trust policy of " + r.Name + " does not allow Systems Manager"})
				continue
			}
			result := askAll(r, need.HybridSSM).result(subject, r.Name, "has the permissions that SSM Agent needs", "is missing permissions that SSM Agent needs")
			if result.Status == finding.Fail {
				result.Next = []finding.Next{attach(r, v.Place.Partition, "AmazonSSMManagedInstanceCore")}
			}
			report(result)
		}
	},
}
