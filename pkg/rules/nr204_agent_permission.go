package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var agentPermission = Rule{
	ID: "NR204", Name: "agent-permission", Severity: finding.Error, Concern: finding.ConcernNode,
	Joining:  200,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork, finding.DeniedCall},
	Repair:   finding.AllowAgent,
	Title:    "The node role allows the EKS Pod Identity Agent to get credentials",
	Why: `Pods with a Pod Identity association get no credentials on these nodes. The agent on the node asks for them with the
node role; where aws-node itself is such a pod, the node never becomes Ready.`,
	Fix: `Allow eks-auth:AssumeRoleForPodIdentity on the cluster. AmazonEKSWorkerNodePolicy and
AmazonEKSWorkerNodeMinimalPolicy allow it.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSWorkerNodeMinimalPolicy.html",
	},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactAgent, snapshot.FactPodIdentity},
	Bad: `
podIdentityAgent: {nodes: {}}
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {no-agent: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"eks-auth:*","Resource":"*"}}'}`,
	Good: `podIdentityAgent: {nodes: {}}`,
	Check: func(v *view.View, report Reporter) {
		inUse, why, unread := v.PodIdentityInUse()
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			switch {
			case r.Facts.NotFound:
				report(noSuchRole(r))
			case !v.RunsAgent(r):
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the Pod Identity Agent does not run on Windows nodes"})
			case !inUse && r.OnlyAutoMode():
				report(judgeAgent(r.Role, subject, "EKS Auto Mode nodes include the agent"))
			case !inUse && len(unread) > 0:
				report(unknown(subject, "whether the Pod Identity Agent needs "+r.Name+" is unknown", unread))
			case !inUse:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster has no Pod Identity Agent and no Pod Identity association"})
			default:
				report(judgeAgent(r.Role, subject, why))
			}
		}
		agentElsewhere(v, report, v.HybridRoles(), v.HybridNodes(), "hybrid")
		agentElsewhere(v, report, v.HyperPodRoles(), v.HyperPodNodes(), "HyperPod")
	},
}

// agentElsewhere judges the roles of nodes that are not EC2 instances of the account: the
// agent needs them where it runs on such a node.
func agentElsewhere(v *view.View, report Reporter, roles []*view.Role, nodes []string, kind string) {
	agent := v.Snapshot.PodIdentityAgent
	var on []string
	for _, node := range nodes {
		if agent != nil {
			if _, runs := agent.Nodes[node]; runs {
				on = append(on, node)
			}
		}
	}
	unread := v.Unread(snapshot.FactAgent)
	for _, r := range roles {
		subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
		switch {
		case r.Facts.NotFound:
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " does not exist"})
		case len(on) > 0:
			report(judgeAgent(r, subject, fmt.Sprintf("the agent runs on %s nodes: %s", kind, someOf(on))))
		case len(unread) > 0:
			report(unknown(subject, "whether the Pod Identity Agent needs "+r.Name+" is unknown", unread))
		default:
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the Pod Identity Agent runs on no " + kind + " node"})
		}
	}
}

func judgeAgent(r *view.Role, subject finding.Subject, why string) finding.Result {
	all := askAll(r, need.PodIdentityAgent)
	result := all.result(subject, r.Name, "allows the Pod Identity Agent to get credentials", "does not allow the Pod Identity Agent to get credentials")
	result.Evidence = append(result.Evidence, why)
	return all.unblock(result)
}
