package rules

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var ssmAccess = Rule{
	ID: "NR223", Name: "ssm-access", Severity: finding.Info, Concern: finding.ConcernNode,
	NoRepair: "whether people are to log in to nodes is your decision",
	Title:    "Bottlerocket nodes can be reached by Systems Manager",
	Why: `Nobody can log in to these nodes to find out why they do not work. Bottlerocket has no SSH by default: its control
container is reached by Session Manager only, which needs permissions of the node role.`,
	Fix:   `Attach AmazonSSMManagedInstanceCore to the node role, if people are to log in to nodes.`,
	Refs:  []string{"https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-getting-started-instance-profile.html", "https://github.com/bottlerocket-os/bottlerocket#control-container"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies},
	Bad:   bottlerocketNode,
	Good: bottlerocketNode + `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {ssm: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:*"],"Resource":"*"}}'}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if r.Facts.NotFound || !slices.Contains(v.OSFamilies(r), snapshot.Bottlerocket) {
				continue // other systems have SSH and serial consoles that people log in by
			}
			all := askAll(r.Role, need.SSM)
			result := all.result(roleSubject(r), r.Name, "allows what Systems Manager calls on nodes", "does not allow what Systems Manager calls on nodes")
			if result.Status == finding.Fail {
				result.Evidence = append(result.Evidence, "Bottlerocket nodes hold the role")
				result.Next = []finding.Next{attach(r.Role, v.Place.Partition, "AmazonSSMManagedInstanceCore")}
			}
			report(all.unblock(result))
		}
	},
}

const bottlerocketNode = `
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {osImage: "Bottlerocket OS 1.44.0 (aws-k8s-1.33)"}}`
