package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var runningPermissions = Rule{
	ID: "NR607", Name: "aws-node-running-permissions", Severity: finding.Error, Concern: finding.ConcernCNI,
	Runtime:  true,
	Joining:  215,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork, finding.DeniedCall},
	Repair:   finding.RestartAWSNode,
	Title:    "Every running aws-node pod has the permissions that the VPC CNI needs",
	Why: `A pod of aws-node keeps the identity that it was started with. Where that identity has no CNI permissions, the pod
cannot assign addresses to other pods on its node now, even if the configured identity has them.`,
	Fix: `Restart the DaemonSet aws-node, so that its pods use the configured identity. Until then, give the permissions back to the
identity that they use.`,
	Refs: []string{
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/1338",
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity, snapshot.FactPods,
	},
	Bad:  `awsNode: {pods: {aws-node-7wq5k: {env: {AWS_ROLE_ARN: null, AWS_WEB_IDENTITY_TOKEN_FILE: null}}}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		unread := v.Unread(snapshot.FactPods)
		switch {
		case identity.Kind == view.NotInstalled:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: withoutAWSNode(v)})
			return
		case identity.Kind == view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether the running pods of aws-node have CNI permissions is unknown", identity.Unread))
			return
		case len(unread) > 0:
			report(unknown(awsNodeSubject(), "whether the running pods of aws-node have CNI permissions is unknown", unread))
		}
		stale := staleByIdentity(v, identity)
		for _, key := range slices.Sorted(maps.Keys(stale)) {
			report(judgeRunning(v, stale[key]))
		}
		if len(stale) == 0 && len(unread) == 0 {
			report(finding.Result{
				Status: finding.Pass, Subject: awsNodeSubject(), Message: "no running aws-node pod relies on another role than the configured one",
				Evidence: []string{"the credential variables in each pod's environment"},
			})
		}
	},
}

// staleByIdentity are the pods of aws-node that run with another identity than the
// configured one, by that identity. Another rule reports static keys and shared profiles.
func staleByIdentity(v *view.View, configured view.Identity) map[string][]view.PodIdentityUse {
	stale := map[string][]view.PodIdentityUse{}
	for _, use := range v.StalePods(configured) {
		if use.Kind == view.StaticKeys || use.Kind == view.UnknownIdentity {
			continue
		}
		arn, _ := v.RoleOfPod(use)
		key := fmt.Sprintf("%s %s", use.Kind, arn)
		stale[key] = append(stale[key], use)
	}
	return stale
}

// judgeRunning judges the identity that some pods still use.
func judgeRunning(v *view.View, pods []view.PodIdentityUse) finding.Result {
	arn, unread := v.RoleOfPod(pods[0])
	what := pods[0].Kind.String()
	switch {
	case arn != "" && pods[0].Kind == view.FromNodeRole:
		what = "node role " + snapshot.NameOf(arn)
	case arn != "":
		what += " role " + snapshot.NameOf(arn)
	}
	subject := finding.Subject{Kind: finding.SubjectAWSNode, Name: "aws-node with " + what}
	who := fmt.Sprintf("aws-node pod %s on node %s still uses %s", pods[0].Pod, pods[0].Node, what)
	if len(pods) > 1 {
		who = fmt.Sprintf("%d aws-node pods still use %s", len(pods), what)
	}
	var lines []string
	for _, p := range pods {
		lines = append(lines, fmt.Sprintf("pod %s on node %s uses %s", p.Pod, p.Node, what))
	}
	switch {
	case len(unread) > 0:
		return unknown(subject, who+", whose permissions are unknown", unread)
	case arn == "" && pods[0].Kind == view.PodIdentity:
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: who + ", and no association gives it a role",
			Evidence: append(lines, "no Pod Identity association names kube-system/aws-node"),
		}
	case arn == "":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: who + ", and its role is unknown", Evidence: lines}
	}
	r := v.Role(arn)
	if r.Facts.NotFound {
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: who + ", which does not exist",
			Evidence: append(lines, "iam:GetRole "+r.Name+": NoSuchEntity"),
		}
	}
	result := askAs(pods[0].Session(v), r, v.CNI().Required()).result(subject, r.Name, "has the permissions that the VPC CNI needs", "is missing permissions that the VPC CNI needs")
	result.Message = who + ": " + result.Message
	result.Evidence = append(lines, result.Evidence...)
	return result
}
