package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var podIdentityWorks = Rule{
	ID: "NR604", Name: "pod-identity-works", Severity: finding.Error, Concern: finding.ConcernCNI,
	Joining:  180,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork},
	Repair:   finding.RepairPodIdentity,
	Title:    "aws-node gets its Pod Identity role on every node",
	Why: `aws-node crashes, and the node becomes NotReady. It gets credentials from the agent on its own
node. It has no fallback if there is no agent, or if the role does not trust EKS Pod Identity.`,
	Fix: `Install the add-on eks-pod-identity-agent so that it runs on every node. Allow sts:AssumeRole and sts:TagSession for
pods.eks.amazonaws.com in the role's trust policy. Run vpc-cni v1.15.5 or later.`,
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
			report(unknown(awsNodeSubject(), "whether aws-node gets its role is unknown", identity.Unread))
		case view.PodIdentity:
			report(judgePodIdentity(v))
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

// judgePodIdentity judges all that aws-node needs to get credentials: the agent on its
// node, the association's role and, where there is one, the target role.
func judgePodIdentity(v *view.View) finding.Result {
	subject, own := awsNodeSubject(), v.Role(v.ConfiguredIdentity().RoleARN)
	result := finding.Result{Status: finding.Fail, Subject: subject, Message: "aws-node does not get its Pod Identity role " + own.Name}
	var unread []snapshot.Missing
	if cni := v.CNI(); cni.Before(view.PodIdentitySince) {
		result.Evidence = append(result.Evidence, fmt.Sprintf("the cluster runs vpc-cni %s; EKS Pod Identity needs %s or later", cni.Version, view.PodIdentitySince))
		result.Next = append(result.Next, finding.Advise("upgrade vpc-cni to "+view.PodIdentitySince+" or later"))
	}
	if m := v.Unread(snapshot.FactAgent, snapshot.FactPods); len(m) > 0 {
		unread = append(unread, m...)
	} else if without := v.WithoutAgent(); len(without) > 0 {
		result.Message = fmt.Sprintf("aws-node does not get its Pod Identity role %s on %d of %d nodes", own.Name, len(without), len(v.Snapshot.AWSNode.Pods))
		for _, node := range without {
			result.Evidence = append(result.Evidence, "no ready pod of eks-pod-identity-agent on node "+node)
		}
		if v.Snapshot.PodIdentityAgent != nil {
			result.Next = append(result.Next, finding.Run(command.Kubectl("-n", "kube-system", "get", "pods", "-l", "app.kubernetes.io/name=eks-pod-identity-agent", "-o", "wide")).With("shows why they are not ready"))
		}
	}
	var all allowedAll
	associated := v.Role(v.AssociatedRole())
	assume(associated, v.PodIdentitySession(), &result, &all)
	if target := v.TargetSession(); target != nil {
		assumeTarget(v, associated, own, target, &result, &all)
	}
	unread = append(unread, unreadOf(all.unknown)...)
	switch {
	case len(result.Evidence) > 0:
		return result
	case len(unread) > 0:
		return unknown(subject, "whether aws-node gets "+own.Name+" on every node is unknown", unread)
	case len(all.depends) > 0:
		return finding.Result{Status: finding.Depends, Subject: subject, Message: "whether aws-node gets " + own.Name + " depends on a condition", Evidence: dependsLines(all.depends), Next: []finding.Next{explainTrust(view.PodIdentityService, all.depends[0].Action.Name)}}
	}
	return finding.Result{
		Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("aws-node gets its Pod Identity role %s on every node", own.Name),
		Evidence: append(grantLines(all.allowed), fmt.Sprintf("the agent is ready on all %d nodes with aws-node", len(v.Snapshot.AWSNode.Pods))),
	}
}

// assume asks whether EKS Pod Identity may assume the association's role.
func assume(r *view.Role, s *view.Session, result *finding.Result, all *allowedAll) {
	if r.Facts.NotFound {
		result.Evidence = append(result.Evidence, "iam:GetRole "+r.Name+": NoSuchEntity")
		return
	}
	denied := len(all.denied)
	for _, action := range s.TrustActions {
		all.add(r.TrustAllows(s, action))
	}
	if len(all.denied) > denied {
		result.Evidence = append(result.Evidence, trustLines(r, s, all.denied[denied:])...)
		result.Next = append(result.Next, organizationSteps(all.denied[denied:])...)
	}
}

// assumeTarget asks whether EKS Pod Identity may assume the target role with the
// association's role, and says which of the two denies it: the policies of the
// association's role or the trust policy of the target role.
func assumeTarget(v *view.View, associated, target *view.Role, s *view.Session, result *finding.Result, all *allowedAll) {
	if target.Facts.NotFound {
		result.Evidence = append(result.Evidence, "iam:GetRole "+target.Name+": NoSuchEntity")
		return
	}
	var mayNot, notTrusted []view.Answer
	for _, action := range s.TrustActions {
		answer := target.TrustAllows(s, action)
		if answer.Verdict != view.Denied {
			all.add(answer)
			continue
		}
		may := associated.CanAs(v.PodIdentitySession(), need.Action{Name: action, Resources: []string{target.ARN}, Delegated: true})
		trusts := target.TrustNames(s, action)
		if may.Verdict == view.Denied {
			mayNot = append(mayNot, may)
		}
		if trusts.Verdict == view.Denied || may.Verdict != view.Denied {
			notTrusted = append(notTrusted, trusts)
		}
	}
	if asks := organizationSteps(slices.Concat(mayNot, notTrusted)); len(asks) > 0 {
		result.Evidence = append(result.Evidence, trustLines(target, s, slices.Concat(mayNot, notTrusted))...)
		result.Next = append(result.Next, asks...)
		return
	}
	if len(mayNot) > 0 {
		for _, line := range deniedLines(mayNot) {
			result.Evidence = append(result.Evidence, fmt.Sprintf("%s cannot assume the target role %s: %s", associated.Name, target.Name, line))
		}
		result.Next = append(result.Next, finding.Advise(fmt.Sprintf("allow %s on %s in a policy of %s", strings.Join(s.TrustActions, " and "), target.ARN, associated.Name)))
	}
	if len(notTrusted) > 0 {
		result.Evidence = append(result.Evidence, trustLines(target, s, notTrusted)...)
		result.Next = append(result.Next, finding.Advise(fmt.Sprintf("allow %s for %s in the trust policy of %s", strings.Join(s.TrustActions, " and "), associated.ARN, target.Name)))
	}
}

// organizationSteps asks for what policies of the organization deny; nothing where none of
// them does.
func organizationSteps(denied []view.Answer) []finding.Next {
	if i := slices.IndexFunc(denied, view.Answer.ByOrganization); i >= 0 {
		return []finding.Next{askOrganization(denied[i])}
	}
	return nil
}

// trustLines returns why a role's trust policy denies actions to a session, and which
// principals it names.
func trustLines(r *view.Role, s *view.Session, denied []view.Answer) []string {
	var lines []string
	ofTrust := slices.DeleteFunc(slices.Clone(denied), view.Answer.ByOrganization)
	ofOrganization := slices.DeleteFunc(slices.Clone(denied), func(a view.Answer) bool { return !a.ByOrganization() })
	for _, line := range deniedLines(ofTrust) {
		lines = append(lines, fmt.Sprintf("trust policy of %s: %s", r.Name, line))
	}
	lines = append(lines, deniedLines(ofOrganization)...)
	return append(lines, fmt.Sprintf("the trust policy of %s names %s", r.Name, text.OrNone(trusted(r))), s.Asks())
}
