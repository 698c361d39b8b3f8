package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var podIdentityWorks = Rule{
	ID: "NR604", Name: "pod-identity-works", Severity: finding.Error, Concern: finding.ConcernCNI,
	Joining:  180,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork},
	Repair:   finding.RepairPodIdentity,
	Title:    "aws-node gets its Pod Identity role on every node",
	Why: `aws-node asks the agent on its own node for credentials and falls back to nothing: without the agent, or where the role
does not trust EKS Pod Identity, it crashes and the node turns NotReady.`,
	Fix: `Install the add-on eks-pod-identity-agent so that it runs on every node, let pods.eks.amazonaws.com do sts:AssumeRole and
sts:TagSession in the role's trust policy, and run vpc-cni v1.15.5 or later.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html",
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3840",
	},
	Needs: []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity, snapshot.FactRoles, snapshot.FactAgent, snapshot.FactPods},
	Bad:   podIdentityPatch("podIdentityAgent: {nodes: {}}", `sts:AssumeRole","sts:TagSession`),
	Good:  podIdentityPatch("", `sts:AssumeRole","sts:TagSession`),
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		switch identity.Kind {
		case view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether aws-node gets its role was not checked", identity.Unread))
		case view.PodIdentity:
			report(judgePodIdentity(v, v.Role(v.AssociatedRole())))
		default:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: "aws-node is not configured with EKS Pod Identity"})
		}
	},
}

// podIdentityPatch turns the healthy example into one with Pod Identity.
func podIdentityPatch(agent, actions string) string {
	if agent == "" {
		agent = "podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true, ip-10-0-2-41.eu-west-1.compute.internal: true, ip-10-0-1-90.eu-west-1.compute.internal: true}}"
	}
	pods := ""
	for _, name := range []string{"7wq5k", "h2m8x", "zk4tp"} {
		pods += fmt.Sprintf(`aws-node-%s: {env: {AWS_ROLE_ARN: null, AWS_WEB_IDENTITY_TOKEN_FILE: null, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials"}}, `, name)
	}
	return agent + `
podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: "arn:aws:iam::111122223333:role/eksCNIRole"}}
awsNode: {serviceAccount: {roleArn: null}, pods: {` + pods + `}}
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["` + actions + `"]}}'
`
}

func judgePodIdentity(v *view.View, r *view.Role) finding.Result {
	subject := awsNodeSubject()
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: "aws-node does not get its Pod Identity role " + r.Name}
	var unread []snapshot.Missing
	if r.Facts.NotFound {
		result.Evidence = append(result.Evidence, "iam:GetRole "+r.Name+": NoSuchEntity")
	}
	if cni := v.CNI(); cni.Before(view.PodIdentitySince) {
		result.Evidence = append(result.Evidence, fmt.Sprintf("vpc-cni runs at %s; EKS Pod Identity needs %s or later", cni.Version, view.PodIdentitySince))
		result.Next = append(result.Next, finding.Advise("upgrade vpc-cni to "+view.PodIdentitySince+" or later"))
	}
	if m := v.Unread(snapshot.FactAgent, snapshot.FactPods); len(m) > 0 {
		unread = append(unread, m...)
	} else if without := v.WithoutAgent(); len(without) > 0 {
		result.Message = fmt.Sprintf("aws-node does not get its Pod Identity role %s on %d of %d nodes", r.Name, len(without), len(v.Snapshot.AWSNode.Pods))
		for _, node := range without {
			result.Evidence = append(result.Evidence, "no ready pod of eks-pod-identity-agent on node "+node)
		}
		if v.Snapshot.PodIdentityAgent != nil {
			result.Next = append(result.Next, finding.Run(command.Kubectl("-n", "kube-system", "get", "pods", "-l", "app.kubernetes.io/name=eks-pod-identity-agent", "-o", "wide")).With("shows why they are not ready"))
		}
	}
	var depends, allowed []view.Answer
	for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
		if r.Facts.NotFound {
			break
		}
		switch a := r.LetsIn(view.PodIdentityService, action); a.Verdict {
		case view.Denied:
			result.Evidence = append(result.Evidence, deniedLines([]view.Answer{a})...)
		case view.Unknown:
			unread = append(unread, a.Unread...)
		case view.Depends:
			depends = append(depends, a)
		case view.Allowed:
			allowed = append(allowed, a)
		}
	}
	switch {
	case len(result.Evidence) > 0:
		return result
	case len(unread) > 0:
		return unknown(subject, "whether aws-node gets "+r.Name+" on every node was not checked", unread)
	case len(depends) > 0:
		return finding.Result{Status: finding.Depends, Subject: subject, Message: "whether aws-node gets " + r.Name + " depends on a condition", Evidence: dependsLines(depends), Next: []finding.Next{explainTrust(view.PodIdentityService, depends[0].Action.Name)}}
	}
	return finding.Result{
		Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-node gets its Pod Identity role %s on every node", r.Name),
		Evidence: append(grantLines(allowed), fmt.Sprintf("the agent is ready on all %d nodes with aws-node", len(v.Snapshot.AWSNode.Pods))),
	}
}
