package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var cniPermissions = Rule{
	ID: "NR206", Name: "cni-permissions", Severity: finding.Error, Concern: finding.ConcernCNI,
	Joining:  210,
	Explains: []finding.SymptomKind{finding.NotReady, finding.NoNetwork, finding.DeniedCall},
	Repair:   finding.AllowCNI,
	Title:    "The role that aws-node uses has the permissions that the VPC CNI needs",
	Why: `Pods get no IP addresses or aws-node crashes; new nodes stay NotReady. Pods that get no address stay in
ContainerCreating. The permissions depend on the cluster's IP family, on the version of vpc-cni and on aws-node's
settings.`,
	Fix: `Attach AmazonEKS_CNI_Policy (IPv4), or a policy of your own with the IPv6 actions, to the role that aws-node uses: the
node role only where aws-node has no role of its own.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html",
		"https://github.com/aws/amazon-vpc-cni-k8s/issues/3704",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies,
		snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity,
	},
	Bad:  `roles: {"arn:aws:iam::111122223333:role/eksCNIRole": {attachedPolicies: []}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		switch {
		case identity.Kind == view.NotInstalled:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: withoutAWSNode(v), Evidence: identity.Evidence})
		case len(identity.Unread) > 0:
			report(unknown(awsNodeSubject(), "whether aws-node has the permissions that it needs is unknown", identity.Unread))
		case identity.Kind == view.IRSA && v.NoRole(identity.RoleARN) != "":
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: "aws-node is configured with no role that exists in IAM: see NR603", Evidence: identity.Evidence})
		case identity.Own():
			report(judgeCNI(v, v.Role(identity.RoleARN), awsNodeSubject()))
		default:
			for _, r := range rolesUnderAWSNode(v, report) {
				report(judgeCNI(v, r.Role, roleSubject(r)))
			}
		}
	},
}

func judgeCNI(v *view.View, r *view.Role, subject finding.Subject) finding.Result {
	if account := view.AccountOf(r.ARN); !r.OfAccount() {
		return finding.Result{
			Status: finding.Fail, Subject: subject,
			Message:  fmt.Sprintf("%s is in account %s, and aws-node cannot manage the network interfaces of account %s with it", r.Name, account, v.Place.Account),
			Evidence: []string{"aws-node is configured with " + r.ARN, "EC2 gives a role access to the instances and network interfaces of its own account alone"},
			Next:     []finding.Next{finding.Advise("give aws-node a role in account " + v.Place.Account).See("https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html")},
		}
	}
	if r.Facts.NotFound {
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("role %s, which aws-node is configured with, does not exist", r.Name),
			Evidence: []string{"iam:GetRole " + r.Name + ": NoSuchEntity"},
		}
	}
	cni := v.CNI()
	family := "IPv4"
	if cni.IPFamily == "ipv6" {
		family = "IPv6"
	}
	can := "has the permissions that aws-node needs on " + family
	required, uncertain := cni.Required(), cni.Uncertain()
	if len(required) == 0 && len(uncertain) == 0 {
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: "aws-node needs no permission to start",
			Evidence: []string{fmt.Sprintf("vpc-cni %s with %s", cni.Version, settings(v, cni))},
		}
	}
	all := askAll(r, required)
	result := all.result(subject, r.Name, can, "is missing permissions that aws-node needs on "+family)
	perhaps := askAll(r, uncertain)
	if missing := append(perhaps.denied, perhaps.unknown...); len(missing) > 0 && result.Status != finding.Fail && result.Status != finding.Unknown {
		unread := slices.Concat(unreadOf(perhaps.unknown), unreadSettings(v, cni))
		result = unknown(subject, fmt.Sprintf("whether %s %s is unknown", r.Name, can), unread)
		result.Evidence = append(deniedLines(perhaps.denied), result.Evidence...)
	}
	if result.Status == finding.Fail {
		if len(all.allowed) > 0 {
			result.Evidence = append(result.Evidence, forLines(all.denied)...)
		}
		result.Evidence = append(result.Evidence, eventLines(v, all.denied)...)
		if cni.Version != "" {
			result.Evidence = append(result.Evidence, "vpc-cni "+cni.Version+with(settings(v, cni)))
		}
	}
	return all.unblock(result)
}

// inAnotherAccount is the result of the other rules about the permissions of aws-node for a
// role that NR206 fails for its account.
func inAnotherAccount(r *view.Role, subject finding.Subject) finding.Result {
	return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " is in another account: see NR206"}
}

// forLines returns what the actions are for, actions for the same in one line.
func forLines(answers []view.Answer) []string {
	var purposes []string
	names := map[string][]string{}
	for _, a := range answers {
		purposes = appendNew(purposes, a.Action.For)
		names[a.Action.For] = append(names[a.Action.For], a.Action.Name)
	}
	for i, purpose := range purposes {
		verb := " is for "
		if len(names[purpose]) > 1 {
			verb = " are for "
		}
		purposes[i] = strings.Join(names[purpose], ", ") + verb + purpose
	}
	return purposes
}

// eventLines names the events by which aws-node says that it is denied these actions.
func eventLines(v *view.View, denied []view.Answer) []string {
	var lines []string
	for _, e := range v.Snapshot.Events {
		if name := e.DeniedRole(); e.Cause() != snapshot.CauseDeniedCall || name != "" && !knownRole(v, name) {
			continue
		}
		for _, a := range denied {
			if strings.EqualFold(e.DeniedAction(), a.Action.Name) {
				lines = appendNew(lines, fmt.Sprintf("%s reports %s for %s, %d times", e.Object, e.Reason, a.Action.Name, max(e.Count, 1)))
			}
		}
	}
	return lines
}

// settings are the variables of aws-node that change what it calls, as they are set.
func settings(v *view.View, cni need.CNI) string {
	var set []string
	for _, s := range need.Settings {
		if _, changed := cni.Settings[s]; changed {
			set = append(set, fmt.Sprintf("%s=%s", s, v.Snapshot.AWSNode.DaemonSet.Env[string(s)]))
		}
	}
	return strings.Join(set, ", ")
}

func with(settings string) string {
	if settings == "" {
		return ""
	}
	return " with " + settings
}

// unreadSettings says what is not known of the VPC CNI.
func unreadSettings(v *view.View, cni need.CNI) []snapshot.Missing {
	var unread []snapshot.Missing
	ds := v.Snapshot.AWSNode.DaemonSet
	if cni.Version == "" && ds != nil {
		unread = append(unread, snapshot.Missing{
			Fact: snapshot.FactDaemonSet, Operation: "read the version of vpc-cni",
			Error: fmt.Sprintf("the image %q has no version; see check --cni-version", ds.Image),
		})
	}
	for _, s := range cni.Unknown {
		unread = append(unread, snapshot.Missing{Fact: snapshot.FactDaemonSet, Operation: "read " + string(s) + " of aws-node", Error: ds.Origin(string(s))})
	}
	return unread
}
