package diff_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOptionalFacts: an optional fact that one side could not read is never said to be
// removed or added, and one that the release of a side did not read is in one line of what
// is not compared.
func TestOptionalFacts(t *testing.T) {
	const (
		some = `
vpcEndpoints: {vpce-1: {service: ec2, policy: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'}}
addonPods: {kube-system/dns-1: {addon: external-dns, serviceAccount: dns, credentials: IRSA}}
`
		refused = `missing: [{fact: vpcEndpoints, operation: "ec2:DescribeVpcEndpoints", permission: "ec2:DescribeVpcEndpoints", error: refused}, {fact: addonPods, operation: list pods, permission: list pods, error: refused}]`
		older   = `read: null`
	)
	for name, test := range map[string]struct {
		older, newer string
		changes      []string
		notCompared  string
	}{
		"read and refused": {some, refused, []string{"VPC endpoints could not be read: ec2:DescribeVpcEndpoints: refused", "pods of add-ons could not be read: list pods: refused"}, ""},
		"refused and read": {refused, some, []string{"VPC endpoints can be read now; before: ec2:DescribeVpcEndpoints: refused", "pods of add-ons can be read now; before: list pods: refused"}, ""},
		"refused twice":    {refused, refused, nil, "pods of add-ons, which could not be read either time"},
		"not read before":  {older, some, nil, "what the release that saved a snapshot did not read: "},
		"a role, and what was not read": {
			older, older + "\nroles: {\"arn:aws:iam::111122223333:role/eksNodeRole\": {tags: {team: core}}}",
			[]string{"role eksNodeRole: tag team core added"},
			"what the release that saved a snapshot did not read: ",
		},
		"read and gone":           {some, `{}`, []string{"VPC endpoint vpce-1 removed (for ec2)", "pods of external-dns of kube-system/dns removed (IRSA)"}, ""},
		"pods that were replaced": {some, strings.Replace(some, "dns-1", "dns-2", 1), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := compare(t, facts(t, "healthy", test.older), facts(t, "healthy", test.newer))
			var changes []string
			for _, c := range d.Changes {
				changes = append(changes, c.String())
			}
			slices.Sort(changes)
			slices.Sort(test.changes)
			if diff := cmp.Diff(test.changes, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			lines := 0
			for _, line := range d.NotCompared {
				if test.notCompared != "" && strings.HasPrefix(line, test.notCompared) {
					lines++
				}
			}
			if (lines == 1) != (test.notCompared != "") || d.Summary.Unread > 0 {
				t.Errorf("not compared %q, unread %d", d.NotCompared, d.Summary.Unread)
			}
		})
	}
}
