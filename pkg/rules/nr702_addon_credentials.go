package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var addonCredentials = Rule{
	ID: "NR702", Name: "addon-credentials", Severity: finding.Warning, Concern: finding.ConcernNode,
	Runtime:  true,
	NoRepair: "which role an add-on is to have is your decision",
	Title:    "No add-on relies on the credentials of the node role",
	Why: `A hop limit of 1 on the nodes leaves the add-on without credentials. The add-on has no role of its own: it calls AWS
with the node role's credentials from the instance metadata. So every other pod on the nodes can do what the add-on may do.
Pods that use the node's network get the credentials whatever the hop limit is.`,
	Fix: `Give the service account of the add-on a role of its own, by EKS Pod Identity or IRSA. Then restart its pods, remove the
permissions from the node role, and only then set the hop limit to 1.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html",
		"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
		"https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/install-CloudWatch-Observability-EKS-addon.html",
	},
	Needs: []snapshot.Fact{
		snapshot.FactRoles, snapshot.FactAttachedPolicies, snapshot.FactInlinePolicies, snapshot.FactPolicies, snapshot.FactNodes,
	},
	Bad:  addonPatch("NodeRole"),
	Good: addonPatch("PodIdentity"),
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			if uses := v.AddonsOn(r); len(uses) > 0 && !r.Facts.NotFound {
				report(judgeAddons(v, r, uses))
			}
		}
	},
}

// addonPatch adds to the healthy example a pod of the EBS CSI driver with some credentials,
// on an instance with a hop limit of 1, and to the node role what the driver calls.
func addonPatch(credentials string) string {
	return fmt.Sprintf(`
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies: {volumes: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:CreateVolume","ec2:AttachVolume"],"Resource":"*"}}'}
addonPods:
  kube-system/ebs-csi-controller-7d9f:
    {addon: aws-ebs-csi-driver, node: ip-10-0-1-17.eu-west-1.compute.internal, serviceAccount: ebs-csi-controller-sa, container: ebs-plugin, credentials: %s}
addonAccounts: {kube-system/ebs-csi-controller-sa: {}}
instances: {i-01a2b3c4d5e6f7081: {state: running, nodeGroup: apps, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole", httpTokens: required, httpEndpoint: enabled, hopLimit: 1}}
`, credentials)
}

// reliance is an add-on that the node role allows what it calls.
type reliance struct {
	view.AddonUse
	granted allowedAll
}

// judgeAddons keeps the add-ons that use the node role and are allowed what they call: what
// a role does not allow, an add-on does not call with it.
func judgeAddons(v *view.View, r *view.NodeRole, uses []view.AddonUse) finding.Result {
	subject := roleSubject(r)
	otherwise := finding.Result{Status: finding.Pass, Subject: subject, Message: "no known add-on relies on " + r.Name}
	var relying []reliance
	var unread []snapshot.Missing
	for _, use := range uses {
		line, known := otherCredentials(use), use.Unclear == 0
		if len(use.OnNodeRole) > 0 {
			all := askAll(r.Role, use.Addon.Calls)
			switch {
			case len(all.denied) > 0:
				line, known = notCalled(r, use, all)
			case len(all.unknown) > 0:
				unread = append(unread, unreadOf(all.unknown)...)
			default:
				relying = append(relying, reliance{use, all})
			}
		}
		if !known {
			otherwise.Status, otherwise.Message = finding.NotApplicable, "whether add-ons rely on "+r.Name+" depends on what is not read"
		}
		otherwise.Evidence = append(otherwise.Evidence, fmt.Sprintf("%s (service account %s): %s", use.Addon.Title, use.Account, line))
	}
	switch {
	case len(relying) > 0:
		return relyingResult(v, r, relying)
	case len(unread) > 0:
		return unknown(subject, "whether an add-on relies on "+r.Name+" is unknown", unread)
	case len(v.Unread(snapshot.FactNodes)) > 0:
		return unknown(subject, "whether an add-on on other nodes relies on "+r.Name+" is unknown", v.Unread(snapshot.FactNodes))
	}
	if m := v.Unread(snapshot.FactAddonPods); len(m) > 0 && otherwise.Status == finding.Pass {
		otherwise.Status, otherwise.Message = finding.NotApplicable, "whether other add-ons rely on "+r.Name+" is not known, as not all pods of add-ons were read"
		otherwise.Evidence = append(otherwise.Evidence, missingLine(m[0]))
	}
	otherwise.Evidence = firstLines(otherwise.Evidence)
	return otherwise
}

// otherCredentials says which credentials the pods of an add-on have that do not use the node
// role's, or may not.
func otherCredentials(use view.AddonUse) string {
	if use.Unclear > 0 {
		return text.Count(use.Unclear, "pod") + " with a profile, an environment from a ConfigMap or Secret, or containers with different credentials"
	}
	return text.Count(use.Others, "pod") + " with other credentials"
}

// notCalled says that a node role does not allow what an add-on calls; known is false where
// the role allows what it may call instead.
func notCalled(r *view.NodeRole, use view.AddonUse, calls allowedAll) (line string, known bool) {
	instead := askAll(r.Role, use.Addon.Instead)
	var may []view.Answer
	for _, answers := range [][]view.Answer{instead.allowed, instead.depends, instead.unknown} {
		may = append(may, answers...)
	}
	if len(may) == 0 {
		return r.Name + " does not allow what it calls", true
	}
	return fmt.Sprintf("%s does not allow %s; whether it calls %s instead is in its configuration, which is not read", r.Name, strings.Join(namesOf(calls.denied), ", "), strings.Join(namesOf(may), " or ")), false
}

// relyingResult says which add-ons rely on a node role, and what a hop limit of 1 does to
// them. Those that a Secret may give keys, which is not read, count only where no other does.
func relyingResult(v *view.View, r *view.NodeRole, relying []reliance) finding.Result {
	result := finding.Result{Status: finding.Fail, Subject: roleSubject(r), Severity: finding.Info}
	certain := slices.DeleteFunc(slices.Clone(relying), func(use reliance) bool { return use.OptionalKeys != "" })
	if len(certain) == 0 {
		result.Status, certain = finding.Depends, relying
	}
	var names, reached, cut, secrets, accounts []string
	for _, use := range certain {
		names = appendNew(names, use.Addon.Title)
		if len(use.Reach) > 0 {
			reached = appendNew(reached, use.Addon.Title)
		}
		if len(use.Cut) > 0 {
			cut = appendNew(cut, use.Addon.Title)
		}
		secrets = appendNew(secrets, use.OptionalKeys)
	}
	for _, use := range relying {
		result.Evidence = append(result.Evidence, relianceLines(v, use)...)
		accounts = appendNew(accounts, use.Account)
	}
	for _, account := range accounts {
		result.Next = append(result.Next, finding.Advise("give service account "+account+" a role of its own, by EKS Pod Identity or IRSA, and restart its pods"))
	}
	result.Message = fmt.Sprintf("add-ons use the credentials of %s: %s", r.Name, strings.Join(names, ", "))
	switch {
	case len(cut) > 0:
		result.Severity = ""
		result.Message = fmt.Sprintf("add-ons without a role of their own cannot get the credentials of %s, because of a hop limit of 1: %s", r.Name, strings.Join(cut, ", "))
	case len(reached) > 0:
		result.Severity = ""
		result.Message = fmt.Sprintf("a hop limit of 1 would cut add-ons off from AWS, which use the credentials of %s: %s", r.Name, strings.Join(reached, ", "))
	}
	if result.Status == finding.Depends {
		result.Message += "; unless Secret " + strings.Join(secrets, " or ") + " exists"
		if result.Severity == finding.Info {
			result.Status = finding.NotApplicable // too little to count as a warning
		}
	}
	return result
}

// relianceLines say on what it rests that an add-on uses the node role.
func relianceLines(v *view.View, use reliance) []string {
	pods := use.OnNodeRole[0]
	if more := len(use.OnNodeRole) - 1; more > 0 {
		pods += fmt.Sprintf(" and %d more", more)
	}
	where := "pod " + pods
	if use.Container != "" {
		where = "container " + use.Container + " of " + where
	}
	lines := []string{where + ": its environment selects no credentials but those of the instance"}
	account, read := v.Snapshot.AddonAccounts[use.Account]
	switch {
	case !read || v.Snapshot.IsMissing(snapshot.FactAddonAccounts, use.Account):
	case account.RoleARN != "":
		lines = append(lines, "service account "+use.Account+" is annotated with "+account.RoleARN+": its pods started before, or the webhook did not change them")
	case len(account.PodIdentityAssociations) > 0:
		lines = append(lines, "service account "+use.Account+" has Pod Identity association "+account.PodIdentityAssociations[0]+": its pods started before, or their SDK does not know it")
	default:
		lines = append(lines, "service account "+use.Account+" has no annotation eks.amazonaws.com/role-arn and no Pod Identity association")
	}
	if use.OptionalKeys != "" {
		lines = append(lines, "its static keys are from Secret "+use.OptionalKeys+", if that exists; Secrets are not read")
	}
	lines = append(lines, append(grantLines(use.granted.allowed), dependsLines(use.granted.depends)...)...)
	for _, list := range [][]view.Exposed{use.Cut, use.Reach} {
		if len(list) > 0 {
			lines = append(lines, "instance "+list[0].ID+": "+list[0].Why)
		}
	}
	return lines
}
