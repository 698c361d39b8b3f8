package rules

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// iamHealth says of every code by which EKS reports the health of a cluster, a managed
// node group or an add-on whether its cause is IAM: a role, an instance profile, a
// permission, or AWS's limits on them.
// Sources: https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html,
// https://docs.aws.amazon.com/eks/latest/APIReference/API_AddonIssue.html,
// https://docs.aws.amazon.com/eks/latest/APIReference/API_ClusterIssue.html, and the
// enumerations of aws-sdk-go-v2/service/eks/types.
var iamHealth = map[string]bool{
	"AccessDenied":                true, // all three
	"AddonPermissionFailure":      true,
	"AsgInstanceLaunchFailures":   true, // also of an instance profile that does not work
	"IamInstanceProfileNotFound":  true,
	"IamLimitExceeded":            true,
	"IamNodeRoleNotFound":         true,
	"IamRoleNotFound":             true,
	"IamThrottling":               true,
	"NodeCreationFailure":         true, // AWS names the node role's permissions first
	"StsRegionalEndpointDisabled": true,

	"AddonSubscriptionNeeded":                  false,
	"AdmissionRequestDenied":                   false,
	"AmiIdNotFound":                            false,
	"AutoScalingGroupInstanceRefreshActive":    false,
	"AutoScalingGroupInvalidConfiguration":     false,
	"AutoScalingGroupNotFound":                 false,
	"AutoScalingGroupOptInRequired":            false,
	"AutoScalingGroupRateLimitExceeded":        false,
	"ClusterUnreachable":                       false,
	"ConfigurationConflict":                    false,
	"Ec2InstanceTypeDoesNotExist":              false,
	"Ec2LaunchTemplateDeletionFailure":         false,
	"Ec2LaunchTemplateInvalidConfiguration":    false,
	"Ec2LaunchTemplateMaxLimitExceeded":        false,
	"Ec2LaunchTemplateNotFound":                false,
	"Ec2LaunchTemplateVersionMaxLimitExceeded": false,
	"Ec2LaunchTemplateVersionMismatch":         false,
	"Ec2SecurityGroupDeletionFailure":          false,
	"Ec2SecurityGroupNotFound":                 false,
	"Ec2ServiceNotSubscribed":                  false,
	"Ec2SubnetInvalidConfiguration":            false,
	"Ec2SubnetListTooLong":                     false,
	"Ec2SubnetMissingIpv6Assignment":           false,
	"Ec2SubnetNotFound":                        false,
	"InstanceLimitExceeded":                    false,
	"InsufficientFreeAddresses":                false,
	"InsufficientNumberOfReplicas":             false,
	"InternalFailure":                          false,
	"K8sResourceNotFound":                      false,
	"KmsGrantRevoked":                          false, // a grant is not a policy
	"KmsKeyDisabled":                           false,
	"KmsKeyMarkedForDeletion":                  false,
	"KmsKeyNotFound":                           false,
	"KubernetesLabelInvalid":                   false,
	"LimitExceeded":                            false,
	"NodeTerminationFailure":                   false,
	"Other":                                    false,
	"PodEvictionFailure":                       false,
	"ResourceLimitExceeded":                    false,
	"ResourceNotFound":                         false,
	"SourceEc2LaunchTemplateNotFound":          false,
	"Unknown":                                  false,
	"UnsupportedAddonModification":             false,
	"UnsupportedVersion":                       false,
	"VpcNotFound":                              false,
}

// iamWords, in lower case, show a cause in IAM where a message contains one of them, whatever the code is.
var iamWords = []string{"instance profile", "iam role", "not authorized to perform", "unauthorizedoperation", "accessdenied"}

// hasIAMCause reports whether IAM is the cause of a health issue.
func hasIAMCause(issue snapshot.HealthIssue) bool {
	return iamHealth[issue.Code] || namesIAM(issue.Message)
}

// namesIAM reports whether a message of AWS or a controller names a cause in IAM.
func namesIAM(message string) bool {
	message = strings.ToLower(message)
	return slices.ContainsFunc(iamWords, func(w string) bool { return strings.Contains(message, w) })
}

// healthEvidence is the issues with an IAM cause, a line each.
func healthEvidence(issues []snapshot.HealthIssue) []string {
	var lines []string
	for _, issue := range issues {
		if hasIAMCause(issue) {
			lines = append(lines, strings.TrimSpace(issue.Code+": "+issue.Message+" "+strings.Join(issue.ResourceIDs, " ")))
		}
	}
	return lines
}

// judgeHealth is the result about something whose health EKS reports. call is where the
// health was read.
func judgeHealth(subject finding.Subject, name, status, call string, issues []snapshot.HealthIssue) finding.Result {
	evidence := healthEvidence(issues)
	if len(evidence) == 0 {
		return finding.Result{Status: finding.Pass, Subject: subject, Message: name + " has no health issue with an IAM cause", Evidence: []string{call + ": health"}}
	}
	return finding.Result{Status: finding.Fail, Subject: subject, Message: strings.TrimSpace("EKS reports "+status) + ": " + name, Evidence: evidence}
}
