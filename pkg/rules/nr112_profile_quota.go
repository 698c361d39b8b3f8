package rules

import (
	"fmt"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// How many percent of the instance profiles that an account may have are near its quota,
// and how many leave little time.
const (
	quotaNear     = 80
	quotaVeryNear = 95
)

var profileQuota = Rule{
	ID: "NR112", Name: "profile-quota", Severity: finding.Warning, Concern: finding.ConcernJoin,
	Explains: []finding.SymptomKind{finding.NotJoined},
	NoRepair: "fix deletes no instance profile: who uses one is unknown",
	Title:    "The account has room for the instance profiles that Karpenter or EKS Auto Mode creates",
	Why: `New node classes get no instance profile, and no nodes. Karpenter and EKS Auto Mode create an instance profile for the
role of a node class. An account may have a limited number of them.`,
	Fix: `Delete instance profiles that nothing uses, or request a higher quota for "Instance profiles". Karpenter creates none
for an EC2NodeClass with instanceProfile in place of role.`,
	Refs: []string{
		"https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html",
		"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
		"https://github.com/aws/karpenter-provider-aws/issues/8838",
		"https://karpenter.sh/docs/concepts/nodeclasses/",
	},
	Bad:  quotaPatch(1000),
	Good: quotaPatch(40),
	Check: func(v *view.View, report Reporter) {
		quota := v.Snapshot.InstanceProfileQuota
		if quota == nil {
			return // nothing creates any, or it was not read
		}
		evidence := []string{fmt.Sprintf("iam:GetAccountSummary: %d of %d instance profiles", quota.Used, quota.Max)}
		if v.Snapshot.Cluster.AutoMode != nil {
			evidence = append(evidence, "EKS Auto Mode creates instance profiles for its node classes")
		}
		for _, name := range text.SortedKeys(v.Snapshot.KarpenterNodeClasses) {
			if v.Snapshot.KarpenterNodeClasses[name].Role != "" {
				evidence = append(evidence, "EC2NodeClass "+name+" names a role: Karpenter creates an instance profile for it")
			}
		}
		result := finding.Result{Status: finding.Fail, Subject: clusterSubject(v), Evidence: firstLines(evidence)}
		switch percent := 100 * int64(quota.Used) / max(int64(quota.Max), 1); {
		case quota.Used >= quota.Max:
			result.Message = fmt.Sprintf("no instance profile can be created: account %s has %d of %d", v.Place.Account, quota.Used, quota.Max)
		case percent >= quotaNear:
			result.Message = fmt.Sprintf("account %s has %d of the %d instance profiles that it may have", v.Place.Account, quota.Used, quota.Max)
			if percent < quotaVeryNear {
				result.Severity = finding.Info
			}
		default:
			result.Status, result.Message = finding.Pass, fmt.Sprintf("account %s has %d of the %d instance profiles that it may have", v.Place.Account, quota.Used, quota.Max)
		}
		report(result)
	},
}

// quotaPatch has Karpenter create an instance profile, in an account that has a number of
// them.
func quotaPatch(used int) string {
	return fmt.Sprintf(`
karpenterNodeClasses: {default: {role: eksNodeRole, roleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}
instanceProfileQuota: {used: %d, max: 1000}
`, used)
}
