package newrole_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/newrole"
)

// TestWhy: every change of every new role says what it is for.
func TestWhy(t *testing.T) {
	kinds := map[change.Kind]bool{}
	for _, role := range []newrole.Role{
		{Name: "r", Partition: "aws", Account: "111122223333", InstanceProfile: "r", CNI: newrole.IPv6CNI, Cluster: "c", EntryType: "EC2"},
		{Name: "r", Partition: "aws", Account: "111122223333", Minimal: true},
	} {
		for _, c := range role.Changes() {
			kinds[c.Kind] = true
			if why := newrole.Why(c); why == "" || why == c.String() {
				t.Errorf("%s: %q", c, why)
			}
		}
	}
	if len(kinds) != 8 {
		t.Errorf("changes of %d kinds", len(kinds))
	}
}

// TestCNIPolicyLacks: which existing policies a new role can use.
func TestCNIPolicyLacks(t *testing.T) {
	role := newrole.Role{Name: "r", Path: "/", Partition: "aws", Account: "111122223333", CNI: newrole.IPv6CNI}
	discovery := []string{"ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"}
	for name, tt := range map[string]struct {
		document         string
		required, some   []string
		notAPolicyOfIAMs bool
	}{
		"as create makes it":  {document: need.CNI{IPFamily: "ipv6"}.Document("aws").String()},
		"as the guide had it": {document: need.OriginalIPv6Document("aws").String(), some: discovery},
		"more than is needed": {document: `{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`},
		"tags of another partition": {
			document: need.OriginalIPv6Document("aws-cn").String(), required: []string{"ec2:CreateTags"}, some: discovery,
		},
		"a condition": {
			document: `{"Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"},{"Effect":"Deny","Action":"ec2:AssignIpv6Addresses","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}]}`,
			required: []string{"ec2:AssignIpv6Addresses"},
		},
		"the IPv4 policy": {
			document: need.CNI{IPFamily: "ipv4"}.Document("aws").String(), required: []string{"ec2:AssignIpv6Addresses"},
		},
		"no policy": {document: "{}", notAPolicyOfIAMs: true},
	} {
		required, some, err := role.CNIPolicyLacks(tt.document)
		if (err != nil) != tt.notAPolicyOfIAMs {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.required, required); diff != "" {
			t.Errorf("%s: required (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.some, some); diff != "" {
			t.Errorf("%s: for some versions (-want +got):\n%s", name, diff)
		}
	}
}
