package snapshot_test

import (
	"slices"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestLaterFacts: what the release that saved a snapshot did not read is missing, what it
// read and did not find is not, and the text of the snapshot stays what it is.
func TestLaterFacts(t *testing.T) {
	const some = minimal + "  roleArn: arn:aws:iam::111122223333:role/cluster\n"
	for name, test := range map[string]struct {
		text    string
		missing []snapshot.Fact
	}{
		"of the first release":      {some, snapshot.LaterFacts()},
		"without a cluster role":    {minimal, snapshot.LaterFacts()[1:]},
		"of this release":           {some + "read: [clusterRole, vpcEndpoints, repositoryPolicies, addonPods, registries, instanceProfileQuota]\n", nil},
		"of a release between":      {some + "read: [clusterRole, vpcEndpoints, repositoryPolicies]\n", []snapshot.Fact{snapshot.FactAddonPods, snapshot.FactRegistries, snapshot.FactProfileQuota}},
		"of a later release":        {some + "read: [clusterRole, vpcEndpoints, repositoryPolicies, addonPods, registries, instanceProfileQuota, weather]\n", nil},
		"facts without the list":    {some + "vpcEndpoints: {vpce-1: {service: ec2, policy: '{}'}}\naddonPods: {a/b: {addon: x, credentials: IRSA}}\ninstanceProfileQuota: {used: 1, max: 2}\nregistries: {eu-west-1: {}}\nrepositoryPolicies: {\"arn:aws:ecr:eu-west-1:111122223333:repository/a\": {}}\n", []snapshot.Fact{snapshot.FactClusterRole}},
		"refused without the list":  {some + "missing: [{fact: vpcEndpoints, operation: x, error: y}]\n", slices.DeleteFunc(snapshot.LaterFacts(), func(f snapshot.Fact) bool { return f == snapshot.FactVPCEndpoints })},
		"the cluster role was read": {some + "roles: {\"arn:aws:iam::111122223333:role/cluster\": {}}\n", snapshot.LaterFacts()[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := snapshot.Decode(name, []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			older := func(s *snapshot.Snapshot) (facts []snapshot.Fact) {
				for _, m := range s.Missing {
					if m.OfOlderRelease() {
						facts = append(facts, m.Fact)
					}
				}
				return facts
			}
			got := older(s)
			slices.Sort(got)
			want := slices.Clone(test.missing)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("missing are %v, want %v", got, want)
			}
			for _, fact := range got {
				if !fact.Optional() {
					t.Errorf("%s is not optional: an old snapshot would be incomplete", fact)
				}
			}
			text, err := s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := snapshot.Decode(name, text)
			if err != nil {
				t.Fatal(err)
			}
			if len(older(again)) != len(test.missing) {
				t.Errorf("read again: %v", again.Missing)
			}
		})
	}
}
