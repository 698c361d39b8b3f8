package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var fargateAccess = Rule{
	ID: "NR515", Name: "fargate-access", Severity: finding.Error,
	Explains: []finding.SymptomKind{finding.NoFargateNode},
	NoRepair: "fix changes only the mappings of node roles",
	Title:    "aws-auth maps the pod execution role of every Fargate profile to Fargate nodes",
	Why: `Pods of the Fargate profile stay Pending. EKS starts no Fargate node with a role that the cluster does not map to Fargate
nodes. EKS writes the mapping when it creates the profile; whoever replaces aws-auth later, removes it.`,
	Fix: `Map the role in aws-auth, by its ARN without its path, to the user name system:node:{{SessionName}} and to the groups
system:bootstrappers, system:nodes and system:node-proxier.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/pod-execution-role.html",
		"https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2972",
	},
	Needs: []snapshot.Fact{snapshot.FactFargateProfiles, snapshot.FactAWSAuth},
	Bad:   fargatePatch("system:node:{{EC2PrivateDNSName}}"),
	Good:  fargatePatch("system:node:{{SessionName}}"),
	Check: func(v *view.View, report Reporter) {
		if unread := v.Unread(snapshot.FactFargateProfiles); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether Fargate profiles have access to the cluster is unknown", unread))
			return
		}
		for _, name := range text.SortedKeys(v.Snapshot.FargateProfiles) {
			if arn := v.Snapshot.FargateProfiles[name].PodExecutionRoleARN; arn != "" {
				report(judgeFargateAccess(v, name, arn))
			}
		}
	},
}

func judgeFargateAccess(v *view.View, profile, arn string) finding.Result {
	a := v.Access(arn)
	result := finding.Result{
		Status: finding.NotApplicable, Subject: finding.Subject{Kind: finding.SubjectSource, Name: "Fargate profile " + profile},
		Evidence: []string{fmt.Sprintf("eks:DescribeFargateProfile %s: podExecutionRoleArn %s", profile, arn)},
	}
	name := snapshot.NameOf(arn)
	switch unread := v.Unread(snapshot.FactAWSAuth); {
	case v.UsedByNodes(arn):
		result.Message = name + " is a node role, too: see NR103"
		return result
	case a.Entry != nil:
		result.Message = "the access entry of " + name + " decides"
		return result
	case !a.ByConfigMap:
		result.Message = "the access entries of Fargate profiles are not read"
		return result
	case len(unread) > 0:
		return unknown(result.Subject, "whether aws-auth maps "+name+" to Fargate nodes is unknown", unread)
	case len(a.Mapped) > 0 && lacksAsFargate(a.Mapped[0]) == "":
		result.Status, result.Message = finding.Pass, "aws-auth maps "+name+" to Fargate nodes"
		result.Evidence = append(result.Evidence, entryLine(a.Mapped[0], a.MappedLine))
		return result
	case a.ByEntries:
		result.Message = "the access entries of Fargate profiles are not read, and take precedence over aws-auth"
		return result
	case len(a.Mapped) == 0 && !refusesFargate(v): // no pod shows that the profile is in use
		result.Message = "aws-auth does not map " + name + ", and no event says that pods of Fargate profiles do not start"
		return result
	}
	result.Status = finding.Fail
	switch {
	case len(a.Mapped) > 0:
		result.Message = fmt.Sprintf("aws-auth does not map %s, the pod execution role of Fargate profile %s, to Fargate nodes: %s", name, profile, lacksAsFargate(a.Mapped[0]))
		result.Evidence = append(result.Evidence, entryLine(a.Mapped[0], a.MappedLine))
	case len(a.NearMisses) > 0:
		result.Message = fmt.Sprintf("aws-auth never matches %s, the pod execution role of Fargate profile %s: rolearn %s", name, profile, a.NearMisses[0].Kind.Reason())
		result.Evidence = append(result.Evidence, entryLine(a.NearMisses[0].Mapping, a.NearMisses[0].Line))
	default:
		result.Message = fmt.Sprintf("aws-auth does not map %s, the pod execution role of Fargate profile %s", name, profile)
		result.Evidence = append(result.Evidence, "the cluster's authentication mode is CONFIG_MAP: access entries have no effect")
	}
	result.Next = []finding.Next{editAWSAuth(fmt.Sprintf(
		"add to mapRoles: {rolearn: %s, username: '%s', groups: [%s, %s, %s]}", snapshot.WithoutPath(arn), view.BySession, view.BootstrappersGroup, view.NodesGroup, nodeProxierGroup,
	))}
	return result
}

// refusesFargate reports whether an event says that EKS refuses the role of a Fargate profile.
func refusesFargate(v *view.View) bool {
	return slices.ContainsFunc(v.Snapshot.Events, func(e snapshot.Event) bool { return e.Cause() == snapshot.CauseFargateRole })
}

// nodeProxierGroup is the group by which kube-proxy on Fargate nodes has its permissions.
const nodeProxierGroup = "system:node-proxier"

// lacksAsFargate says what a mapping is missing for Fargate nodes, as a clause; empty where
// it fits.
func lacksAsFargate(m view.Mapping) string {
	if m.Username != view.BySession {
		return fmt.Sprintf("username is %q, not %s", m.Username, view.BySession)
	}
	for _, group := range []string{view.NodesGroup, nodeProxierGroup} {
		if !slices.Contains(m.Groups, group) {
			return "groups do not include " + group
		}
	}
	return ""
}

// fargatePatch has aws-auth alone map roles: that of the healthy example's nodes, and that of
// its Fargate profile with a user name.
func fargatePatch(username string) string {
	return "\ncluster: {authenticationMode: CONFIG_MAP}" + mappedPatch(fmt.Sprintf(`    - rolearn: arn:aws:iam::111122223333:role/eksFargatePodExecutionRole
      username: %q
      groups: [system:bootstrappers, system:nodes, system:node-proxier]
`, username))
}
