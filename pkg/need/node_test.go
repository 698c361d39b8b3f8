package need_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
