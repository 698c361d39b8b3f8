package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsNodeCredentials = Rule{
	ID: "NR605", Name: "aws-node-credentials", Severity: finding.Warning, Concern: finding.ConcernCNI, Security: true,
	NoRepair: "who set the keys or the annotation is unknown",
	Title:    "aws-node has no static keys, and the webhook does not skip it",
	Why: `Static access keys override every role, and do not expire. Everybody who can read the DaemonSet can read them, and a
change of aws-node's role has no effect. A container that the webhook skips gets no role of its own, and neither does one
that sets the variables of the webhook itself.`,
	Fix: `Remove the AWS_ variables, or the annotation eks.amazonaws.com/skip-containers, from the DaemonSet aws-node and let
it restart.`,
	Refs: []string{
		"https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
		"https://github.com/aws/amazon-eks-pod-identity-webhook",
	},
	Needs: []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactPods},
	Bad:   `awsNode: {daemonSet: {env: {AWS_SHARED_CREDENTIALS_FILE: /secrets/credentials}}}`,
	Good:  `{}`,
	Check: func(v *view.View, report Reporter) {
		subject, ds := awsNodeSubject(), v.Snapshot.AWSNode.DaemonSet
		unread := v.Unread(snapshot.FactDaemonSet, snapshot.FactPods)
		evidence := v.OwnCredentials()
		switch {
		case len(evidence) > 0:
			report(finding.Result{
				Status: finding.Fail, Subject: subject, Message: "aws-node does not get its credentials from EKS", Evidence: evidence,
				Next: []finding.Next{finding.Run(command.Kubectl("-n", "kube-system", "edit", "daemonset", "aws-node"))},
			})
		case len(unread) > 0:
			report(unknown(subject, "whether aws-node has static keys is unknown", unread))
		case ds == nil:
			report(finding.Result{Status: finding.NotApplicable, Subject: subject, Message: "aws-node is not installed"})
		default:
			report(finding.Result{
				Status: finding.Pass, Subject: subject, Message: "aws-node has no static keys, and the webhook does not skip it",
				Evidence: []string{fmt.Sprintf("the DaemonSet's environment and that of %d pods", len(v.Snapshot.AWSNode.Pods))},
			})
		}
	},
}
