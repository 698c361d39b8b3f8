package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var autoModeEntry = Rule{
	ID: "NR507", Name: "auto-mode-entry", Severity: finding.Error, Concern: finding.ConcernJoin,
	Joining:  140,
	Explains: []finding.SymptomKind{finding.NotJoined},
	Repair:   finding.AssociatePolicy,
	Title:    "The node role of an Auto Mode NodeClass has the access policy that its nodes need",
	Why: `Nodes of your own NodeClass do not join. They need AmazonEKSAutoNodePolicy on the access entry of their role. EKS
creates the entry only for the built-in node pools.`,
	Fix: `Create an access entry of type EC2 for the role and associate AmazonEKSAutoNodePolicy with it, for the whole cluster.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html",
		"https://github.com/eksctl-io/eksctl/issues/8098",
	},
	Needs: []snapshot.Fact{snapshot.FactAccessEntries, snapshot.FactAccessPolicies},
	Bad:   autoClassPatch(""),
	Good:  autoClassPatch(autoNodePolicy),
	Check: func(v *view.View, report Reporter) {
		arn := fmt.Sprintf("arn:%s:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy", v.Place.Partition)
		for _, r := range v.NodeRoles() {
			class, builtin := "", false
			for _, s := range r.Sources {
				builtin = builtin || s.Kind == view.AutoMode && len(v.Snapshot.Cluster.AutoMode.NodePools) > 0
				if s.Kind == view.AutoModeClass {
					class = s.Name
				}
			}
			subject, a := roleSubject(r), v.Access(r.ARN)
			if class == "" {
				if builtin && a.Entry != nil {
					report(judgeBuiltinEntry(v, r, arn))
				}
				continue
			}
			unread := append(v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN), v.Snapshot.MissingOf(snapshot.FactAccessPolicies, r.ARN)...)
			var has bool
			if a.Entry != nil {
				_, has = a.Entry.Policies[arn]
			}
			switch {
			case has:
				report(finding.Result{
					Status: finding.Pass, Subject: subject, Message: fmt.Sprintf("%s, the role of NodeClass %s, has AmazonEKSAutoNodePolicy", r.Name, class),
					Evidence: []string{"eks:ListAssociatedAccessPolicies"},
				})
			case len(unread) > 0:
				report(unknown(subject, "whether "+r.Name+" has AmazonEKSAutoNodePolicy is unknown", unread))
			default:
				report(finding.Result{
					Status: finding.Fail, Subject: subject, Message: fmt.Sprintf("%s, the role of NodeClass %s, does not have AmazonEKSAutoNodePolicy", r.Name, class),
					Evidence: []string{"eks:ListAssociatedAccessPolicies: AmazonEKSAutoNodePolicy is not associated"},
				})
			}
		}
	},
}

// judgeBuiltinEntry judges the access entry of the role of the built-in node pools. EKS
// creates it, with the policy, when the pools are enabled. Somebody else may have created or
// recreated it.
func judgeBuiltinEntry(v *view.View, r *view.NodeRole, policy string) finding.Result {
	subject := roleSubject(r)
	entry := v.Access(r.ARN).Entry
	unread := append(v.Snapshot.MissingOf(snapshot.FactAccessEntries, r.ARN), v.Snapshot.MissingOf(snapshot.FactAccessPolicies, r.ARN)...)
	_, has := entry.Policies[policy]
	switch {
	case has:
		return finding.Result{
			Status: finding.Pass, Subject: subject, Message: r.Name + ", the role of the built-in node pools, has AmazonEKSAutoNodePolicy",
			Evidence: []string{"eks:ListAssociatedAccessPolicies"},
		}
	case len(unread) > 0:
		return unknown(subject, "whether "+r.Name+" has AmazonEKSAutoNodePolicy is unknown", unread)
	case entry.Type != "EC2":
		return finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "the access entry of " + r.Name + " has type " + entry.Type + ", which takes no access policies: see NR502"}
	}
	return finding.Result{
		Status: finding.Depends, Subject: subject, Message: "whether nodes of the built-in node pools join depends on who created the access entry of " + r.Name + ": it does not have AmazonEKSAutoNodePolicy",
		Evidence: []string{
			"eks:ListAssociatedAccessPolicies: AmazonEKSAutoNodePolicy is not associated",
			"EKS associates it when it creates the entry for the built-in node pools, and not with an entry that exists",
		},
	}
}

// autoNodePolicy is the access policy of Auto Mode's nodes, as autoClassPatch takes it.
const autoNodePolicy = `"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy": []`

// autoClassPatch adds an Auto Mode NodeClass with a role of its own to the healthy example,
// with the access policies of its entry.
func autoClassPatch(policies string) string {
	return fmt.Sprintf(`
autoModeNodeClasses: {private: {role: autoNodeRole, roleArn: "arn:aws:iam::111122223333:role/autoNodeRole"}}
accessEntries: {"arn:aws:iam::111122223333:role/autoNodeRole": {type: EC2, createdAt: "2026-02-01T00:00:00Z", policies: {%s}}}
roles:
  "arn:aws:iam::111122223333:role/autoNodeRole":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
`, policies)
}
