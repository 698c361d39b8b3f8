package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var awsNodeRestart = Rule{
	ID: "NR602", Name: "aws-node-restart", Severity: finding.Warning, Concern: finding.ConcernCNI,
	Runtime:  true,
	Explains: []finding.SymptomKind{finding.NoNetwork},
	Repair:   finding.RestartAWSNode,
	Title:    "Every running aws-node pod uses the identity that is configured",
	Why: `Pods that started before a change still use the old identity. They stop working when that identity's permissions are
removed. A pod gets its credentials when it is admitted.`,
	Fix:  `Restart the DaemonSet aws-node; its pods are replaced one at a time.`,
	Refs: []string{"https://github.com/aws/amazon-vpc-cni-k8s/issues/1338"},
	Needs: []snapshot.Fact{
		snapshot.FactDaemonSet, snapshot.FactServiceAccount, snapshot.FactPodIdentity, snapshot.FactPods,
	},
	Bad:  `awsNode: {pods: {aws-node-7wq5k: {env: {AWS_ROLE_ARN: null, AWS_WEB_IDENTITY_TOKEN_FILE: null}}}}`,
	Good: `{}`,
	Check: func(v *view.View, report Reporter) {
		identity := v.ConfiguredIdentity()
		pods := len(v.Snapshot.AWSNode.Pods)
		unread := v.Unread(snapshot.FactPods)
		stale := v.StalePods(identity)
		switch {
		case identity.Kind == view.NotInstalled:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: withoutAWSNode(v)})
		case identity.Kind == view.UnknownIdentity:
			report(unknown(awsNodeSubject(), "whether aws-node's pods use the configured identity is unknown", identity.Unread))
		case len(stale) > 0:
			result := finding.Result{
				Status: finding.Fail, Subject: awsNodeSubject(),
				Message: fmt.Sprintf("%d of %d aws-node pods do not use the configured identity", len(stale), pods),
			}
			for _, use := range stale {
				result.Evidence = append(result.Evidence, fmt.Sprintf("%s on %s: %s", use.Pod, use.Node, use.Kind))
			}
			report(result)
		case len(unread) > 0:
			report(unknown(awsNodeSubject(), "whether aws-node's pods use the configured identity is unknown", unread))
		case pods == 0:
			report(finding.Result{Status: finding.NotApplicable, Subject: awsNodeSubject(), Message: "no aws-node pod runs"})
		default:
			report(finding.Result{
				Status: finding.Pass, Subject: awsNodeSubject(), Message: fmt.Sprintf("all %d aws-node pods use the configured identity", pods),
				Evidence: []string{"the credential variables in each pod's environment"},
			})
		}
	},
}
