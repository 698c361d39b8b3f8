package view

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// What aws-auth says of a role is what the authenticator makes of its text.
func TestAccessByAWSAuth(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	tests := []struct {
		name, mapRoles string
		mapped         []awsauth.Mapping
		problem        string
	}{
		{"one", "- {rolearn: '" + role + "', username: nodes}", []awsauth.Mapping{{RoleARN: role, Username: "nodes"}}, ""},
		{"the last of two", "- {rolearn: '" + role + "', username: first}\n- {rolearn: '" + role + "', username: last}", []awsauth.Mapping{{RoleARN: role, Username: "last"}}, ""},
		{"all but a field of the wrong type", "- {rolearn: '" + role + "', username: 7, groups: [a]}", []awsauth.Mapping{{RoleARN: role, Groups: []string{"a"}}}, ""},
		{"no list", "mapRoles: []", nil, "mapRoles, line 1, column 1: found a mapping, not a list of mappings"},
		{"no YAML", "- rolearn: [\n", nil, "mapRoles, line 1, column 12: sequence end token ']' not found"},
		{"no mapping", "- " + role, nil, "mapRoles, line 1, column 1: found a string, not a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := New(&snapshot.Snapshot{Cluster: snapshot.Cluster{AuthenticationMode: "CONFIG_MAP"}, AWSAuth: &snapshot.AWSAuth{MapRoles: tt.mapRoles}})
			if diff := cmp.Diff(tt.mapped, v.Access(role).Mapped); diff != "" {
				t.Errorf("mapped: -want +got:\n%s", diff)
			}
			if got := v.AWSAuth().Problem; got != tt.problem {
				t.Errorf("problem %q, want %q", got, tt.problem)
			}
		})
	}
}
