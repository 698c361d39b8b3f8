package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hybridAccess = Rule{
	ID: "NR509", Name: "hybrid-access", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  95,
	Explains: []finding.SymptomKind{finding.NotJoined},
	NoRepair: "which role the hybrid nodes use is not known for certain",
	Title:    "Hybrid nodes have access to the cluster",
	Why: `The API server refuses hybrid nodes as Unauthorized: they do not join. EKS creates no access entry for their role, and
does not support hybrid nodes where the authentication mode is CONFIG_MAP. nodeadm v1.0.16 and later exits where the
role has no access entry, even if aws-auth maps it.`,
	Fix: `Set the authentication mode to API or API_AND_CONFIG_MAP, and create an access entry of type HYBRID_LINUX for the role of the
hybrid nodes.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cluster-prep.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-prereqs.html",
		"https://github.com/aws/eks-hybrid/blob/main/internal/node/hybrid/hybrid_role_validator.go",
	},
	Needs: []snapshot.Fact{snapshot.FactHybridEntries, snapshot.FactAWSAuth},
	Bad:   `nodes: {mi-1: {providerID: "eks-hybrid:///eu-west-1/prod/mi-1", maker: hybrid}}`,
	Good:  hybridPatch("ssm.amazonaws.com"),
	Check: func(v *view.View, report Reporter) {
		subject := clusterSubject(v)
		if !v.ConfiguredForHybrid() {
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the cluster is not configured for hybrid nodes"})
			return
		}
		if v.Snapshot.Cluster.AuthenticationMode == "CONFIG_MAP" {
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: v.Place.Cluster + " is configured for hybrid nodes, but its authentication mode is CONFIG_MAP",
				Evidence: []string{"eks:DescribeCluster: authentication mode CONFIG_MAP, which EKS does not support for hybrid nodes"},
				Next: []finding.Next{finding.Run(command.AWS(
					"eks", "update-cluster-config", "--name", v.Place.Cluster, "--access-config", "authenticationMode=API_AND_CONFIG_MAP",
				)).With("cannot be undone")},
			})
			return
		}
		roles := v.HybridRoles()
		for _, r := range roles {
			report(judgeHybridAccess(v, r))
		}
		if len(roles) == 0 {
			report(noHybridRole(v, subject))
		}
	},
}

func judgeHybridAccess(v *view.View, r *view.Role) finding.Result {
	subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
	a := v.Access(r.ARN)
	if a.Entry != nil {
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s, the role of hybrid nodes, has an access entry", r.Name),
			Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
		}
	}
	return finding.Result{
		Status: finding.Depends, Subject: subject, Message: fmt.Sprintf("whether hybrid nodes with %s join depends on their nodeadm: aws-auth maps the role, and it has no access entry", r.Name),
		Evidence: []string{entryLine(a.Mapped[0], a.MappedLine), "nodeadm v1.0.16 and later requires an access entry, unless its configuration contains the cluster's endpoint, certificate authority and service CIDR"},
		Next:     []finding.Next{createHybridEntry(v, r.ARN)},
	}
}

// noHybridRole is the result where the cluster is configured for hybrid nodes and no role of
// theirs was found.
func noHybridRole(v *view.View, subject finding.Subject) finding.Result {
	if unread := v.Unread(snapshot.FactHybridEntries, snapshot.FactAWSAuth); len(unread) > 0 {
		return unknown(subject, "whether hybrid nodes have access to the cluster is unknown", unread)
	}
	evidence := []string{"no role of hybrid nodes has an access entry of type " + view.HybridEntry, "aws-auth maps no role that trusts Systems Manager or IAM Roles Anywhere to session names"}
	next := []finding.Next{createHybridEntry(v, "")}
	nodes := v.HybridNodes()
	if len(nodes) == 0 {
		return finding.Result{
			Status: finding.Depends, Subject: subject, Message: v.Place.Cluster + " is configured for hybrid nodes, which cannot join until their role has an access entry",
			Evidence: evidence, Next: next,
		}
	}
	return finding.Result{
		Status: finding.Fail, Subject: subject, Message: "hybrid nodes have no access to " + v.Place.Cluster,
		Evidence: append(evidence, "hybrid nodes have joined: "+someOf(nodes)), Next: next,
	}
}

// createHybridEntry creates an access entry for the role of hybrid nodes; an empty ARN is
// left for the user to fill in.
func createHybridEntry(v *view.View, roleARN string) finding.Next {
	c := command.AWS("eks", "create-access-entry", "--cluster-name", v.Place.Cluster, "--type", view.HybridEntry, "--principal-arn")
	if roleARN == "" {
		return finding.Run(c.WithPlaceholder("ROLE_ARN"))
	}
	return finding.Run(c.With(roleARN))
}
