package rules

import (
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

var hyperPodTrust = Rule{
	ID: "NR310", Name: "hyperpod-trust", Severity: finding.Error, Concern: finding.ConcernTrust,
	Joining:  65,
	Explains: []finding.SymptomKind{finding.NotJoined},
	NoRepair: "fix does not change roles of SageMaker HyperPod",
	Title:    "The role of SageMaker HyperPod nodes trusts SageMaker",
	Why: `SageMaker gives the role to HyperPod instances. If it cannot assume the role, they have no credentials and do not
join.`,
	Fix:   `In the trust policy, allow sts:AssumeRole for sagemaker.amazonaws.com.`,
	Refs:  []string{"https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-hyperpod-prerequisites-iam.html"},
	Needs: []snapshot.Fact{snapshot.FactRoles, snapshot.FactHybridEntries},
	Bad:   hyperPodPatch("ec2.amazonaws.com"),
	Good:  hyperPodPatch(need.HyperPodService),
	Check: func(v *view.View, report Reporter) {
		if !hyperPodNodes(v, report) {
			return
		}
		for _, r := range v.HyperPodRoles() {
			subject := finding.Subject{Kind: finding.SubjectNodeRole, Name: r.Name, ARN: r.ARN}
			if len(r.Unread) > 0 {
				report(unknown(subject, "who may assume "+r.Name+" is unknown", r.Unread))
				continue
			}
			var all allowedAll
			all.add(r.TrustAllows(v.HyperPodSession(), "sts:AssumeRole"))
			result := all.result(subject, r.Name, "allows SageMaker to assume it", "does not allow SageMaker to assume it")
			if result.Status == finding.Fail {
				result.Evidence = append(result.Evidence, "the trust policy allows "+text.OrNone(trusted(r)))
				result.Next = []finding.Next{finding.Advise("add to the trust policy: " + trustStatement([]string{need.HyperPodService}))}
			}
			report(result)
		}
	},
}
