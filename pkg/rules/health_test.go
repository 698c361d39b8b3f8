package rules

import (
	"testing"

	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestHealthCodes: every code that EKS's API has is said to have an IAM cause or none,
// and nothing else is in the table.
func TestHealthCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range ekstypes.NodegroupIssueCode("").Values() {
		known[string(c)] = true
	}
	for _, c := range ekstypes.AddonIssueCode("").Values() {
		known[string(c)] = true
	}
	for _, c := range ekstypes.ClusterIssueCode("").Values() {
		known[string(c)] = true
	}
	for code := range known {
		if _, ok := iamHealth[code]; !ok {
			t.Errorf("EKS may report %s, which is not classified", code)
		}
	}
	for code := range iamHealth {
		if !known[code] {
			t.Errorf("EKS reports no %s", code)
		}
	}
}

// TestHealthMessage: a message that names IAM tells the cause where the code does not.
func TestHealthMessage(t *testing.T) {
	for issue, want := range map[[2]string]bool{
		{"IamThrottling", ""}:              true,
		{"Ec2SubnetNotFound", "no subnet"}: false,
		{"Ec2LaunchTemplateInvalidConfiguration", "The instance profile is not valid"}: true,
		{"Ec2LaunchTemplateInvalidConfiguration", "The AMI does not exist"}:            false,
		{"CodeOfTomorrow", "User is not authorized to perform: ec2:RunInstances"}:      true,
	} {
		if got := hasIAMCause(snapshot.HealthIssue{Code: issue[0], Message: issue[1]}); got != want {
			t.Errorf("%v: %v, want %v", issue, got, want)
		}
	}
}
