package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var metadataExposed = Rule{
	ID: "NR701", Name: "metadata-exposed", Severity: finding.Warning, Concern: finding.ConcernNode, Security: true, NotOfRole: true,
	Runtime:  true,
	NoRepair: "pods may rely on the instance metadata: first find out which of them do",
	Title:    "Pods cannot get the node role's credentials from the instance metadata",
	Why: `Every pod on these nodes has all permissions of the node role. It can get the role's credentials from the instance
metadata. Pods that use the host's network, as aws-node does, work with a hop limit of 1.`,
	Fix: `Set HttpTokens to required and the hop limit to 1 in the launch template or node class, and replace the nodes. First
make sure that no pod relies on the node role; NR702 names the known add-ons that do.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
	},
	Needs: []snapshot.Fact{snapshot.FactInstances},
	Bad:   `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpTokens: required, httpEndpoint: enabled, hopLimit: 2}}`,
	Good:  `instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpTokens: required, httpEndpoint: enabled, hopLimit: 1}}`,
	Check: func(v *view.View, report Reporter) {
		exposed, seen := v.ExposedInstances()
		unread := v.Unread(snapshot.FactInstances)
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			switch list := exposed[r.ARN]; {
			case len(list) > 0:
				result := finding.Result{
					Status: finding.Fail, Subject: subject,
					Message: fmt.Sprintf("pods can get %s's credentials on %d of %d instances", r.Name, len(list), seen[r.ARN]),
					Next:    []finding.Next{finding.Run(command.AWS("ec2", "modify-instance-metadata-options", "--instance-id", list[0].ID, "--http-tokens", "required", "--http-put-response-hop-limit", "1"))},
				}
				for _, e := range list {
					result.Evidence = append(result.Evidence, "instance "+e.ID+": "+e.Why)
				}
				result.Evidence = append(result.Evidence, worth(r))
				report(result)
			case len(unread) > 0:
				report(unknown(subject, "whether pods can get "+r.Name+"'s credentials is unknown", unread))
			case seen[r.ARN] == 0:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no running instance holds " + r.Name})
			default:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("pods cannot get %s's credentials", r.Name),
					Evidence: []string{fmt.Sprintf("ec2:DescribeInstances: tokens required and hop limit 1 on all %d instances", seen[r.ARN])},
				})
			}
		}
	},
}

// worth says what the role's credentials allow besides what every node needs.
func worth(r *view.NodeRole) string {
	dangerous := askAll(r.Role, append(need.Indicative(), need.Excessive...))
	if len(dangerous.allowed) == 0 {
		return "the role allows what nodes call, and none of the dangerous actions that were evaluated"
	}
	return "with the role: " + reasons(dangerous.allowed)
}
