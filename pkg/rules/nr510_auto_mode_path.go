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

var autoModePath = Rule{
	ID: "NR510", Name: "auto-mode-path", Severity: finding.Warning, Concern: finding.ConcernJoin,
	Joining:  142,
	Explains: []finding.SymptomKind{finding.NotJoined},
	NoRepair: "the path of a role cannot be changed",
	Title:    "The node role of EKS Auto Mode has no path",
	Why: `Nodes of the role do not join. EKS Auto Mode looks for the access entry of the role under its ARN without the path and
does not find it. The NodeClass stays NotReady, and none of its nodes start.`,
	Fix: `Create a role without a path, with an access entry of type EC2 and AmazonEKSAutoNodePolicy, and use it in the
NodeClass.`,
	Refs: []string{
		"https://github.com/aws/containers-roadmap/issues/2486",
		"https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html",
	},
	Needs: []snapshot.Fact{snapshot.FactNodeClasses},
	Bad:   strings.ReplaceAll(autoClassPatch(autoNodePolicy), ":role/", ":role/team/"),
	Good:  autoClassPatch(autoNodePolicy),
	Check: func(v *view.View, report Reporter) {
		if unread := v.Snapshot.MissingOf(snapshot.FactNodeClasses, "autoMode"); len(unread) > 0 {
			report(unknown(clusterSubject(v), "whether the roles of Auto Mode's node classes have a path is unknown", unread))
		}
		for _, r := range v.NodeRoles() {
			for _, s := range r.Sources {
				switch {
				case s.Kind == view.AutoModeClass:
					report(judgeAutoModePath(v, r, "NodeClass "+s.Name))
				case s.Kind == view.AutoMode && len(v.Snapshot.Cluster.AutoMode.NodePools) > 0:
					report(judgeAutoModePath(v, r, "the built-in node pools"))
				default:
					continue
				}
				break
			}
		}
	},
}

func judgeAutoModePath(v *view.View, r *view.NodeRole, source string) finding.Result {
	without := snapshot.WithoutPath(r.ARN)
	ready := slices.IndexFunc(r.Nodes, func(name string) bool {
		n := v.Snapshot.Nodes[name]
		return n.Ready && n.Provisioner == snapshot.ProvisionedByAutoMode
	})
	switch {
	case without != r.ARN && ready >= 0:
		return finding.Result{
			Status: finding.Pass, Subject: roleSubject(r), Message: fmt.Sprintf("%s, the role of %s, has a path, and its nodes join", r.Name, source),
			Evidence: []string{"the role is " + r.ARN, "node " + r.Nodes[ready] + " is Ready"},
		}
	case without != r.ARN:
		return finding.Result{
			Status: finding.Fail, Subject: roleSubject(r), Message: fmt.Sprintf("%s, the role of %s, has a path", r.Name, source),
			Evidence: []string{"the role is " + r.ARN, "EKS Auto Mode looks for an access entry of " + without},
			Next:     []finding.Next{finding.Run(command.Noderole("create").WithPlaceholder("NAME")).With("creates a role without a path")},
		}
	}
	return finding.Result{
		Status: finding.Pass, Subject: roleSubject(r), Message: fmt.Sprintf("%s, the role of %s, has no path", r.Name, source),
		Evidence: []string{"the role is " + r.ARN},
	}
}
