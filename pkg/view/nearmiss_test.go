package view

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const pathRole = "arn:aws:iam::111122223333:role/team/eksNodeRole"

func authView(mapRoles string) *View {
	const profile = "arn:aws:iam::111122223333:instance-profile/own/nodes"
	return New(&snapshot.Snapshot{
		Cluster:          snapshot.Cluster{AuthenticationMode: "CONFIG_MAP"},
		AWSAuth:          &snapshot.AWSAuth{MapRoles: mapRoles},
		InstanceProfiles: map[string]snapshot.InstanceProfile{profile: {Roles: []string{pathRole}}},
	})
}

// TestNearMisses: what an entry of aws-auth has in the place of the role's ARN, and the
// kind that it is taken for; an empty kind is an entry of somebody else.
func TestNearMisses(t *testing.T) {
	const node = `, username: "system:node:{{EC2PrivateDNSName}}", groups: [system:bootstrappers, system:nodes]`
	for rolearn, test := range map[string]struct {
		rest string
		want MissKind
	}{
		`"arn:aws:iam::111122223333:role/team/eksNodeRole"`:                 {node, MissPath},
		`"arn:aws:iam::111122223333:role/other/eksNodeRole"`:                {node, MissPath},
		`" arn:aws:iam::111122223333:role/eksNodeRole "`:                    {node, MissBlanks},
		`"'arn:aws:iam::111122223333:role/eksNodeRole'"`:                    {node, MissBlanks},
		`"arn:aws:iam::111122223333:role/eksNodeRole\n"`:                    {node, MissBlanks},
		`"arn:aws:iam::111122223333:instance-profile/eksNodeRole"`:          {node, MissProfile},
		`"arn:aws:iam::111122223333:instance-profile/own/nodes"`:            {node, MissProfile},
		`"arn:aws:iam::111122223333:instance-profile/bastion"`:              {node, ""},
		`"arn:aws:sts::111122223333:assumed-role/eksNodeRole/i-0123456789"`: {node, MissSession},
		`"arn:aws:sts::444455556666:assumed-role/eksNodeRole/i-0123456789"`: {node, ""},
		`"arn:aws:sts::111122223333:assumed-role/other/i-0123456789"`:       {node, ""},
		`"eksNodeRole"`:      {node, MissName},
		`"role/eksNodeRole"`: {node, MissName},
		`"arn:aws:iam::444455556666:role/eksNodeRole"`:      {node, MissAccount},
		`"arn:aws:iam::444455556666:role/other"`:            {node, ""},
		`"arn:aws-cn:iam::111122223333:role/eksNodeRole"`:   {node, MissPartition},
		`"arn:aws:iam::111122223333:user/eksNodeRole"`:      {node, ""},
		`"${module.eks.node_role_arn}"`:                     {node, MissTemplate},
		`"{{ .Values.nodeRole }}"`:                          {node, MissTemplate},
		`"$NODE_ROLE_ARN"`:                                  {node, MissTemplate},
		`"<ARN of instance role (not instance profile)>"`:   {node, MissTemplate},
		`"${var.admin}"`:                                    {", username: admin, groups: [system:masters]", ""},
		`"arn:aws:iam::${AWS::AccountId}:role/eksNodeRole"`: {", username: admin", MissTemplate},
		`"arn:aws:iam::${account}:role/other"`:              {node, ""},
		`"arn:aws:iam::111122223333:role/*"`:                {node, MissWildcard},
		`"arn:aws:iam::111122223333:role/team/*"`:           {node, MissWildcard},
		`"arn:aws:iam::111122223333:role/other*"`:           {node, ""},
		`"x"`: {node, ""},
	} {
		a := authView("# ours\n- {rolearn: " + rolearn + test.rest + "}\n").Access(pathRole)
		if len(a.Mapped) > 0 {
			t.Errorf("%s matches", rolearn)
		}
		var got MissKind
		if len(a.NearMisses) > 0 {
			got = a.NearMisses[0].Kind
			if a.NearMisses[0].Line != 2 || got.Reason() == "" {
				t.Errorf("%s: line %d, reason %q", rolearn, a.NearMisses[0].Line, got.Reason())
			}
		}
		if got != test.want {
			t.Errorf("%s is taken for %q, want %q", rolearn, got, test.want)
		}
	}
}

// TestMatchIsNoNearMiss: an entry that matches, in any case, is one that maps the role,
// and its line and the lines of those that it overrules are known.
func TestMatchIsNoNearMiss(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/eksNodeRole"
	a := authView("- rolearn: " + arn + "\n- groups: [a]\n\n  rolearn: " + strings.ToUpper(arn) + "\n- {username: x}\n").Access(pathRole)
	if len(a.NearMisses) > 0 || len(a.Mapped) != 1 || a.MappedLine != 4 {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff([]int{1}, a.Overruled); diff != "" {
		t.Errorf("overruled (-want +got):\n%s", diff)
	}
}

// TestAnyTextIsClassified: whatever stands in rolearn, it is one of the two or neither,
// and nothing panics.
func TestAnyTextIsClassified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z:/*${}<>"' -]{0,40}`).Draw(t, "rolearn")
		v := authView("")
		kind := v.nearMiss(Mapping{RoleARN: text, Username: ByPrivateDNS}, pathRole)
		if kind != "" && kind.Reason() == "" {
			t.Fatalf("%q is of kind %q, which has no reason", text, kind)
		}
	})
}
