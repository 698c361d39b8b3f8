package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestOtherRegions: a cluster role of another region counts, and a region that was not
// read makes the answer unknown.
func TestOtherRegions(t *testing.T) {
	const (
		regions = `otherRegions: [us-east-1, us-west-2]`
		far     = `otherClusters: {"arn:aws:eks:us-east-1:111122223333:cluster/far": {roleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}`
		unread  = `missing: [{fact: otherClusters, subject: us-west-2, operation: eks:ListClusters, permission: eks:ListClusters, error: not authorized}]`
	)
	for name, tt := range map[string]struct {
		patches  []string
		status   finding.Status
		evidence string
	}{
		"the same role":             {[]string{regions, far}, finding.Fail, "eks:DescribeCluster far in us-east-1: roleArn arn:aws:iam::111122223333:role/eksNodeRole"},
		"the same role, one unread": {[]string{regions, far, unread}, finding.Fail, "eks:DescribeCluster far in us-east-1: roleArn arn:aws:iam::111122223333:role/eksNodeRole"},
		"all read":                  {[]string{regions, `otherClusters: null`}, finding.Pass, "compared with 0 other clusters of account 111122223333 in eu-west-1, us-east-1, us-west-2"},
		"one unread":                {[]string{regions, unread}, finding.Unknown, "eks:ListClusters of us-west-2: not authorized"},
	} {
		var got []finding.Result
		for _, r := range rules.Run(view.New(overlay(t, tt.patches...)), rules.All()) {
			if r.ID == "NR102" && r.Subject.Name == "eksNodeRole" {
				got = append(got, r)
			}
		}
		if len(got) != 1 || got[0].Status != tt.status {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if diff := cmp.Diff(tt.evidence, got[0].Evidence[0]); diff != "" {
			t.Errorf("%s: evidence (-want +got):\n%s", name, diff)
		}
	}
}
