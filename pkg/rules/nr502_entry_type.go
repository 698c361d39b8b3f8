package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var wrongEntryType = Rule{
	ID: "NR502", Name: "entry-type", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  120,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.ReplaceAccessEntry,
	Title:    "The node role's access entry has the type that its nodes need",
	Why: `The nodes do not join, or become NotReady. The entry maps them to the wrong user name and groups, so that the API
server does not recognize them as nodes. Windows nodes without the group of EC2_WINDOWS have no service network. A
type cannot be changed.`,
	Fix: `Delete the access entry and recreate it with the type that the report names; associate its access policies again.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html",
		"https://github.com/eksctl-io/eksctl/issues/2290",
		"https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3411",
		"https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/doc/examples.md",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries},
	Bad:   `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: STANDARD}}`,
	Good: `
accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2}}
awsNode: {pods: null}
nodes:
  ip-10-0-1-17.eu-west-1.compute.internal: null
  ip-10-0-2-41.eu-west-1.compute.internal: null
  ip-10-0-1-90.eu-west-1.compute.internal: null
  i-01a2b3c4d5e6f7081: {providerID: "aws:///eu-west-1a/i-01a2b3c4d5e6f7081", maker: nodeGroup, owner: apps, ready: true}
nodeGroups: {system: null}`,
	Check: func(v *view.View, report Reporter) {
		for _, r := range v.NodeRoles() {
			subject := roleSubject(r)
			a := v.Access(r.ARN)
			want := v.EntryType(r)
			possible, unread := v.WithUnread(r)
			switch {
			case a.ByEntries && v.Snapshot.IsMissing(snapshot.FactAccessEntries, r.ARN):
				report(unknown(subject, "the type of the access entry of "+r.Name+" is unknown", v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN)))
			case a.Entry == nil:
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: r.Name + " has no access entry"})
			case v.Naming(r).Mixed():
				report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "no type fits all nodes of " + r.Name + ": they are named in two ways"})
			case v.EntryFits(r, a.Entry.Type) && !v.EntryFits(possible, a.Entry.Type):
				report(unknown(subject, fmt.Sprintf("whether access entry type %s fits all nodes of %s is unknown", a.Entry.Type, r.Name), unread))
			case a.Entry.Type == "EC2" && v.Naming(possible).Unseen():
				report(unseenNaming(r, "access entry type EC2 fits", "eks:DescribeAccessEntry: type EC2", "an access entry of type EC2_LINUX, or EC2_WINDOWS for Windows"))
			case v.EntryFits(r, a.Entry.Type):
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("the access entry of %s has type %s", r.Name, a.Entry.Type),
					Evidence: []string{"eks:DescribeAccessEntry: type " + a.Entry.Type},
				})
			default:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("the access entry of %s has type %s; its nodes need type %s", r.Name, a.Entry.Type, want),
					Evidence: append([]string{"eks:DescribeAccessEntry: type " + a.Entry.Type}, whyEntry(v, r, want)...),
				})
			}
		}
	},
}

// unseenNaming is the result where access fits only nodes that are named after their instance
// ID, and no node shows how the nodes of a role are named.
func unseenNaming(r *view.NodeRole, fits, evidence, otherwise string) finding.Result {
	return finding.Result{
		Status: finding.Depends, Subject: roleSubject(r), Message: fmt.Sprintf("whether %s the nodes of %s depends on how they are named", fits, r.Name),
		Evidence: []string{
			evidence, "no node of " + r.Name + " has joined that shows how they are named",
			"it fits only nodes that are named after their instance ID, and nodes of AWS's AMIs are not, unless their user data asks for that",
		},
		Next: []finding.Next{finding.Advise("where their user data does not turn on InstanceIdNodeName of nodeadm or an equivalent, use " + otherwise)},
	}
}

// whyEntry returns what shows that the nodes need an entry of a type.
func whyEntry(v *view.View, r *view.NodeRole, want string) []string {
	naming := v.Naming(r)
	switch windows, auto := v.Kinds(r); {
	case want == "EC2" && auto:
		return []string{"EKS Auto Mode nodes use the role"}
	case want == "EC2":
		return []string{"named by instance ID: " + someOf(naming.InstanceID)}
	case windows:
		return []string{"Windows nodes use the role: " + someOf(windowsNodes(v, r))}
	case len(naming.PrivateDNS) > 0:
		return []string{"named by private DNS name: " + someOf(naming.PrivateDNS)}
	}
	return nil
}

// windowsNodes names the nodes that run Windows or, where none has joined, what starts
// them.
func windowsNodes(v *view.View, r *view.NodeRole) []string {
	var names []string
	for _, name := range r.Nodes {
		if v.Snapshot.Nodes[name].OS() == snapshot.WindowsOS {
			names = append(names, "node "+name)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, s := range r.Sources {
		names = append(names, fmt.Sprintf("%s %s", s.Kind, s.Name))
	}
	return names
}
