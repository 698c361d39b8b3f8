package rules

import (
	"fmt"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var sharedMapping = Rule{
	ID: "NR512", Name: "shared-mapping", Severity: finding.Info, Concern: finding.ConcernJoin,
	NoRepair: "which nodes are to share a role is your decision",
	Title:    "No other nodes rely on the aws-auth entry of a managed node group's role",
	Why: `Deleting a managed node group can end the access of other nodes with its role. EKS writes the entry of aws-auth for the
role of managed node groups. It removes the entry with the last of these node groups, also where Karpenter or self-managed nodes use the role.
These nodes then become NotReady. Other managed node groups keep the entry, and EKS does not remove access entries.`,
	Fix: `Give the role an access entry that you manage, or the other nodes a role of their own. Until then, check aws-auth after
you have deleted a node group.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/delete-managed-node-group.html",
		"https://github.com/aws/containers-roadmap/issues/755",
		"https://github.com/aws/containers-roadmap/issues/2631",
		"https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries},
	Bad:   mappedPatch("karpenterNodeClasses: {default: {role: eksNodeRole, roleArn: 'arn:aws:iam::111122223333:role/eksNodeRole'}}"),
	Good:  mappedPatch(""),
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			access := v.Access(r.ARN)
			ofEKS := func(s view.Source) bool { return s.Kind == view.NodeGroup }
			others := slices.DeleteFunc(slices.Clone(r.Sources), ofEKS)
			managed := slices.DeleteFunc(slices.Clone(r.Sources), func(s view.Source) bool { return !ofEKS(s) })
			if len(managed) == 0 || access.Entry != nil || len(access.Mapped) == 0 {
				continue // EKS does not write its access, or it is an access entry
			}
			var evidence []string
			for _, s := range r.Sources {
				evidence = append(evidence, string(s.Kind)+" "+s.Name+" uses "+r.Name)
			}
			evidence = firstLines(evidence)
			switch unread := v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN); {
			case len(unread) > 0:
				report(unknown(roleSubject(r), "whether "+r.Name+" has an access entry is unknown", unread))
			case len(others) == 0:
				report(finding.Result{Status: finding.Pass, Subject: roleSubject(r), Message: "only managed node groups rely on the aws-auth entry of " + r.Name, Evidence: evidence})
			default:
				report(finding.Result{
					Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("nodes of %s %s rely on the aws-auth entry of %s, which EKS removes with %s", others[0].Kind, others[0].Name, r.Name, lastOf(managed)),
					Evidence: evidence,
				})
			}
		}
	},
}

// lastOf names the managed node group with which EKS removes the entry of their role.
func lastOf(groups []view.Source) string {
	if len(groups) == 1 {
		return "node group " + groups[0].Name
	}
	return fmt.Sprintf("the last of its %d managed node groups", len(groups))
}

// mappedPatch has aws-auth give the nodes of the healthy example access, in place of an
// access entry.
func mappedPatch(more string) string {
	return `
accessEntries: null
awsAuth:
  mapRoles: |
    - rolearn: arn:aws:iam::111122223333:role/eksNodeRole
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:bootstrappers, system:nodes]
` + more
}
