package rules

import (
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hybridPermissions = Rule{
	ID: "NR212", Name: "hybrid-permissions", Severity: finding.Error, Concern: finding.ConcernNode,
	Joining:  80,
	Explains: []finding.SymptomKind{finding.NotJoined, finding.DeniedCall},
	NoRepair: "fix does not change roles of hybrid nodes",
	Title:    "The role of hybrid nodes has the permissions that they need",
	Why: `A hybrid node without these permissions does not join, or has no images. It reads the cluster with
eks:DescribeCluster, and pulls its first images from ECR. nodeadm v1.0.16 and later looks for its role in the access entries with
eks:ListAccessEntries. Where the node's configuration contains the cluster's endpoint, certificate
authority and service CIDR, it makes neither of the first two calls.`,
	Fix: `Attach AmazonEC2ContainerRegistryPullOnly, and allow eks:DescribeCluster and eks:ListAccessEntries on the cluster.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3617",
		"https://github.com/aws/eks-hybrid/blob/main/internal/node/hybrid/hybrid_role_validator.go",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactHybridEntries,
	},
	Bad:  hybridPatch("ssm.amazonaws.com", "eks:ListAccessEntries"),
	Good: hybridPatch("ssm.amazonaws.com"),
	Check: func(v *view.View, report Reporter) {
		if !hybridNodes(v, report) {
			return
		}
		for _, r := range v.HybridRoles() {
			report(judgeHybridCalls(v, r))
		}
	},
}

func judgeHybridCalls(v *view.View, r *view.Role) finding.Result {
	subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
	calls, undiscovered := r.HybridCalls()
	pulls := hybridPulls(v, r)
	all := sumUp(slices.Concat(answersOf(r, calls), pulls.needed()))
	result := all.result(subject, r.Name, "has the permissions that hybrid nodes need", "is missing permissions that hybrid nodes need")
	switch result.Status {
	case finding.Fail:
		return withPulls(r, all, pulls, result)
	case finding.Pass:
		if len(undiscovered) == 0 {
			break
		}
		denied := askAll(r, undiscovered).denied
		result.Status = finding.Depends
		result.Message = "whether " + r.Name + " has the permissions that hybrid nodes need depends on their configuration"
		result.Evidence = append(deniedLines(denied), "they do not make this call where their configuration contains the cluster's endpoint, certificate authority and service CIDR")
		result.Next = []finding.Next{explainAction(r.Name, undiscovered[0].Name)}
	default:
	}
	return result
}

// hybridPulls asks a role about the images that hybrid nodes pull: the VPC CNI does not run
// on them.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cni.html
func hybridPulls(v *view.View, r *view.Role) pull {
	return pullOf(v, r, true, snapshot.WorkloadAWSNode)
}
