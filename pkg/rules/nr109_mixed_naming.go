package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var mixedNaming = Rule{
	ID: "NR109", Name: "mixed-naming", Severity: finding.Error, Concern: finding.ConcernUnique,
	Joining:  145,
	Explains: []finding.SymptomKind{finding.NotJoined, finding.NotReady},
	NoRepair: "which of the nodes get another role is your decision",
	Title:    "All nodes of a node role have the same kind of name, so that one mapping fits them",
	Why: `The cluster refuses the nodes of one of the two namings. Some nodes of the role are named after their instance
ID and some after their private DNS name. An access entry or aws-auth mapping fits only one of the two. Nodes of EKS Auto
Mode are named after their instance ID. Nodes of node groups are named after their private DNS name, unless their user data
selects the instance ID.`,
	Fix: `Create a node role for one of the two kinds of nodes, and move them to it: a separate role for EKS Auto Mode, or for
the nodes with the feature gate InstanceIdNodeName.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html",
		"https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/doc/examples.md",
		"https://github.com/awslabs/amazon-eks-ami/issues/1821",
	},
	Needs: []snapshot.Fact{snapshot.FactNodes},
	Bad:   `cluster: {autoMode: {nodeRoleArn: "arn:aws:iam::111122223333:role/eksNodeRole", nodePools: [general-purpose]}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			unread := v.Unread(snapshot.FactNodes)
			if possible, more := v.WithUnread(r); v.Naming(possible).Mixed() {
				unread = append(unread, more...)
			}
			report(judgeNaming(v, r, unread))
		}
	},
}

func judgeNaming(v *view.View, r *view.NodeRole, unread []snapshot.Missing) finding.Result {
	subject, naming := roleSubject(r), v.Naming(r)
	idle := func(s view.Source) bool {
		return s.Nodes == 0 && s.Kind != view.AutoMode && s.Kind != view.AutoModeClass
	}
	_, auto := v.Kinds(r)
	switch {
	case naming.Mixed():
		return finding.Result{
			Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("nodes of %s are named in two ways, and no mapping fits both", r.Name),
			Evidence: []string{"by instance ID: " + someOf(naming.InstanceID), "by private DNS name: " + someOf(naming.PrivateDNS)},
			Next:     []finding.Next{finding.Run(command.Noderole("create").WithPlaceholder("NAME")).With("creates a role for one of the two kinds of nodes")},
		}
	case len(unread) > 0:
		return unknown(subject, "whether the nodes of "+r.Name+" are named in the same way is unknown", unread)
	case auto && slices.ContainsFunc(r.Sources, idle):
		i := slices.IndexFunc(r.Sources, idle)
		return finding.Result{
			Status: finding.Depends, Subject: subject, Message: fmt.Sprintf("whether one mapping fits all nodes of %s depends on how they are named", r.Name),
			Evidence: []string{"by instance ID: " + someOf(naming.InstanceID), fmt.Sprintf("no node of %s %s has joined: its user data decides", r.Sources[i].Kind, r.Sources[i].Name)},
		}
	case len(naming.InstanceID)+len(naming.PrivateDNS) == 0:
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no node shows how the nodes of " + r.Name + " are named"}
	default:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: "the nodes of " + r.Name + " are named in the same way",
			Evidence: []string{someOf(append(naming.InstanceID, naming.PrivateDNS...))},
		}
	}
}

// someOf lists the first few of many.
func someOf(list []string) string {
	const few = 3
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}
