package need_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// TestNodes: what each kind of node requires and what it is recommended to have.
func TestNodes(t *testing.T) {
	for name, test := range map[string]struct {
		node                  need.Node
		required, recommended []string
	}{
		"EC2": {need.Node{}, []string{"ec2:DescribeInstances"}, []string{
			"ec2:DescribeInstanceTypes", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "eks:DescribeCluster",
		}},
		"EC2, named by instance ID": {need.Node{ByInstanceID: true}, nil, []string{
			"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "eks:DescribeCluster",
		}},
		"Auto Mode":                     {need.Node{Kind: need.AutoModeNode}, nil, nil},
		"HyperPod":                      {need.Node{Kind: need.HyperPodNode}, nil, nil},
		"hybrid":                        {need.Node{Kind: need.HybridNode}, []string{"eks:DescribeCluster", "eks:ListAccessEntries"}, nil},
		"hybrid, with cluster settings": {need.Node{Kind: need.HybridNode, ClusterGiven: true}, nil, nil},
	} {
		names := func(actions []need.Action) []string {
			var list []string
			for _, a := range actions {
				list = append(list, a.Name)
			}
			return list
		}
		if diff := cmp.Diff(test.required, names(test.node.Required())); diff != "" {
			t.Errorf("%s requires (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.recommended, names(test.node.Recommended())); diff != "" {
			t.Errorf("%s is recommended (-want +got):\n%s", name, diff)
		}
	}
}

// TestPullFrom: a pull from another account's registry in another region is asked with
// what is known of it, and what is known of other requests stays as it is.
func TestPullFrom(t *testing.T) {
	at := need.Place{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Cluster: "prod"}
	const role = "arn:aws:iam::111122223333:role/node"
	known := iampolicy.RoleSession(role, at.Account, at.Region, nil)
	document, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
		"Condition":{"StringEquals":{"aws:RequestedRegion":"us-west-2","aws:ResourceAccount":"602401143452"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "there", Document: document}}})
	decide := func(actions []need.Action) []iampolicy.Decision {
		var decisions []iampolicy.Decision
		for _, a := range actions {
			for _, request := range a.Requests(at, role, known) {
				result, err := set.Evaluate(request)
				if err != nil {
					t.Fatal(err)
				}
				decisions = append(decisions, result.Decision)
			}
		}
		return decisions
	}
	// A token is a resource of no other account.
	there := decide(need.PullFrom("us-west-2", "arn:aws:ecr:us-west-2:602401143452:repository/eks/coredns"))
	if want := []iampolicy.Decision{iampolicy.Denied, iampolicy.Allowed, iampolicy.Allowed}; !slices.Equal(there, want) {
		t.Errorf("there: %v, want %v", there, want)
	}
	here := decide(need.PullFrom("eu-west-1", "arn:aws:ecr:eu-west-1:111122223333:repository/app"))
	if want := []iampolicy.Decision{iampolicy.Denied, iampolicy.Denied, iampolicy.Denied}; !slices.Equal(here, want) {
		t.Errorf("here: %v, want %v", here, want)
	}
}
