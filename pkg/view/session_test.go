package view

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const (
	cluster = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
	issuer  = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
	roleARN = "arn:aws:iam::111122223333:role/tested"
	firstID = "arn:aws:iam::111122223333:role/first"
)

// tested is the view of a cluster with one role and aws-node's association, and the
// role.
func tested(t *testing.T, role snapshot.Role, change func(*snapshot.Snapshot)) (*View, *Role) {
	t.Helper()
	s := &snapshot.Snapshot{
		Cluster: snapshot.Cluster{ARN: cluster, OIDCIssuer: "https://" + issuer},
		AWSNode: snapshot.AWSNode{DaemonSet: &snapshot.DaemonSet{}, ServiceAccount: &snapshot.ServiceAccount{}},
		Roles:   map[string]snapshot.Role{roleARN: role},
		PodIdentityAssociations: map[string]snapshot.PodIdentityAssociation{
			"a-1": {Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: roleARN},
		},
	}
	if change != nil {
		change(s)
	}
	v := New(s)
	return v, v.Role(roleARN)
}

// TestTrust holds, for each kind of session, which conditions of a trust policy are
// decided and which are not.
func TestTrust(t *testing.T) {
	sessions := map[string]func(*View) *Session{
		"ec2":           (*View).InstanceSession,
		"irsa":          (*View).IRSASession,
		"podIdentity":   (*View).PodIdentitySession,
		"ssm":           func(v *View) *Session { return v.HybridSessions()[0] },
		"rolesAnywhere": func(v *View) *Session { return v.HybridSessions()[1] },
	}
	for _, tt := range []struct {
		session, condition string
		want               Verdict
	}{
		{"ec2", `"StringEquals":{"aws:SourceVpc":"vpc-1"}`, Denied},
		{"ec2", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, Depends},
		{"ec2", `"Bool":{"aws:PrincipalIsAWSService":"true","aws:SecureTransport":"true"}`, Allowed},
		{"ec2", `"StringEquals":{"aws:PrincipalOrgID":"o-1"}`, Denied},
		// EC2 may or may not say for which account it asks, and says no other.
		{"ec2", `"StringEquals":{"aws:SourceAccount":"111122223333"}`, Depends},
		{"ec2", `"StringEqualsIfExists":{"aws:SourceAccount":"111122223333"}`, Allowed},
		{"ec2", `"StringEquals":{"aws:SourceAccount":"444455556666"}`, Denied},
		{"ec2", `"StringEqualsIfExists":{"aws:SourceAccount":"444455556666"}`, Depends},
		{"ec2", `"ArnLike":{"aws:SourceArn":"arn:aws:ec2:*:111122223333:instance/*"}`, Depends},
		{"ec2", `"StringEquals":{"aws:ResourceTag/team":"core"}`, Allowed},
		{"ec2", `"StringEquals":{"aws:ResourceTag/team":"other"}`, Denied},
		{"ec2", `"StringEquals":{"aws:ResourceTag/other":"core"}`, Denied},
		{"ec2", `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, Denied},
		{"ec2", `"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`, Allowed},

		{"irsa", `"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:kube-system:aws-node","` + issuer + `:aud":"sts.amazonaws.com"}`, Allowed},
		{"irsa", `"StringLike":{"` + issuer + `:sub":"system:serviceaccount:*:aws-node"}`, Allowed},
		{"irsa", `"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:default:aws-node"}`, Denied},
		{"irsa", `"StringEquals":{"oidc.eks.eu-west-1.amazonaws.com/id/OTHER:sub":"system:serviceaccount:kube-system:aws-node"}`, Denied},
		{"irsa", `"StringEquals":{"arn:aws:iam::111122223333:oidc-provider/` + issuer + `:sub":"system:serviceaccount:kube-system:aws-node"}`, Denied},
		{"irsa", `"StringEquals":{"accounts.google.com:aud":"sts.amazonaws.com"}`, Denied},
		{"irsa", `"StringEquals":{"aws:RequestTag/team":"core"}`, Denied},
		{"irsa", `"StringEquals":{"aws:FederatedProvider":"arn:aws:iam::111122223333:oidc-provider/` + issuer + `"}`, Allowed},
		{"irsa", `"StringEquals":{"aws:PrincipalOrgID":"o-1"}`, Denied},
		{"irsa", `"Null":{"aws:PrincipalIsAWSService":"true","aws:SourceAccount":"true"}`, Allowed},
		{"irsa", `"Bool":{"aws:SecureTransport":"true"}`, Allowed},
		{"irsa", `"StringLike":{"sts:RoleSessionName":"aws-node-*"}`, Depends},
		{"irsa", `"StringEquals":{"` + issuer + `:email":"a@example.com"}`, Depends},
		{"irsa", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, Depends},

		{"podIdentity", `"ArnEquals":{"aws:SourceArn":"` + cluster + `"},"StringEquals":{"aws:SourceAccount":"111122223333"}`, Allowed},
		{"podIdentity", `"ArnLike":{"aws:SourceArn":"arn:aws:eks:*:111122223333:cluster/*"}`, Allowed},
		{"podIdentity", `"ArnLike":{"aws:SourceArn":"arn:aws:eks:*:111122223333:podidentityassociation/prod/*"}`, Denied},
		{"podIdentity", `"StringEquals":{"aws:SourceAccount":"444455556666"}`, Denied},
		{"podIdentity", `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"kube-system","aws:RequestTag/kubernetes-service-account":"aws-node","aws:RequestTag/eks-cluster-name":"prod"}`, Allowed},
		{"podIdentity", `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"default"}`, Denied},
		{"podIdentity", `"StringEquals":{"aws:RequestTag/team":"core"}`, Denied},
		{"podIdentity", `"StringLike":{"aws:RequestTag/kubernetes-pod-name":"aws-node-*"}`, Allowed},
		{"podIdentity", `"StringLike":{"aws:RequestTag/kubernetes-pod-name":"coredns-*"}`, Denied},
		{"podIdentity", `"StringEquals":{"aws:RequestTag/kubernetes-pod-name":"aws-node-x7k2p"}`, Depends},
		{"podIdentity", `"StringEquals":{"aws:RequestTag/kubernetes-pod-uid":"1"}`, Depends},
		{"podIdentity", `"ForAllValues:StringLike":{"aws:TagKeys":["eks-*","kubernetes-*"]}`, Allowed},
		{"podIdentity", `"StringEquals":{"aws:SourceOrgID":"o-1"}`, Depends},
		{"podIdentity", `"StringEquals":{"sts:ExternalId":"x"}`, Denied},

		{"ssm", `"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnEquals":{"aws:SourceArn":"arn:aws:ssm:eu-west-1:111122223333:*"}`, Allowed},
		{"ssm", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:111122223333:*"}`, Allowed},
		{"ssm", `"ArnEquals":{"aws:SourceArn":"arn:aws:ssm:us-east-1:111122223333:*"}`, Denied},
		{"ssm", `"ArnEquals":{"aws:SourceArn":"arn:aws:ssm:eu-west-1:444455556666:*"}`, Denied},
		{"ssm", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:111122223333:managed-instance/*"}`, Depends},
		{"ssm", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:111122223333:*"},"StringLike":{"aws:SourceArn":"*-7"}`, Depends},
		{"ssm", `"StringEquals":{"aws:SourceAccount":"444455556666"}`, Denied},

		{"rolesAnywhere", `"StringEquals":{"aws:SourceAccount":"111122223333"}`, Allowed},
		{"rolesAnywhere", `"ArnLike":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/*"}`, Allowed},
		{"rolesAnywhere", `"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/1"}`, Depends},
		{"rolesAnywhere", `"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/1"}`, Denied},
		{"rolesAnywhere", `"StringEquals":{"sts:RoleSessionName":"${aws:PrincipalTag/x509Subject/CN}"}`, Allowed},
		{"rolesAnywhere", `"StringLike":{"sts:RoleSessionName":"prod-*"}`, Depends},
	} {
		v, _ := tested(t, snapshot.Role{}, nil)
		s := sessions[tt.session](v)
		principal := `{"Service":"` + s.Principal + `"}`
		if tt.session == "irsa" {
			principal = `{"Federated":"` + s.Principal + `"}`
		}
		trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:*","Condition":{` + tt.condition + `}}}`
		v, role := tested(t, snapshot.Role{TrustPolicy: trust, Tags: map[string]string{"team": "core"}}, nil)
		for _, action := range s.TrustActions {
			if got := role.TrustAllows(sessions[tt.session](v), action).Verdict; got != tt.want {
				t.Errorf("%s %s, %s: %v, want %v", tt.session, action, tt.condition, got, tt.want)
			}
		}
	}
}

// TestUse holds what is known of requests with the role's credentials.
func TestUse(t *testing.T) {
	sessions := map[string]func(*View) *Session{
		"ec2": (*View).InstanceSession, "irsa": (*View).IRSASession, "podIdentity": (*View).PodIdentitySession,
		"hybrid": func(v *View) *Session { return v.HybridSessions()[0] },
	}
	for condition, want := range map[string]map[string]Verdict{
		`"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`:                   {"ec2": Depends, "irsa": Allowed, "podIdentity": Depends, "hybrid": Depends},
		`"Bool":{"aws:MultiFactorAuthPresent":"true"}`:                           {"ec2": Denied, "irsa": Denied, "podIdentity": Denied, "hybrid": Denied},
		`"Bool":{"aws:ViaAWSService":"true"}`:                                    {"ec2": Denied, "irsa": Denied, "podIdentity": Denied, "hybrid": Denied},
		`"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"kube-system"}`: {"ec2": Denied, "irsa": Denied, "podIdentity": Allowed, "hybrid": Denied},
		`"StringEquals":{"aws:PrincipalTag/team":"core"}`:                        {"ec2": Allowed, "irsa": Allowed, "podIdentity": Allowed, "hybrid": Allowed},
		`"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"node-1"}`:            {"ec2": Denied, "irsa": Denied, "podIdentity": Denied, "hybrid": Depends},
		`"Null":{"ec2:SourceInstanceARN":"false"}`:                               {"ec2": Allowed, "irsa": Denied, "podIdentity": Denied, "hybrid": Denied},
		`"NumericGreaterThanEqualsIfExists":{"ec2:RoleDelivery":"2.0"}`:          {"ec2": Depends, "irsa": Allowed, "podIdentity": Allowed, "hybrid": Allowed},
		`"Null":{"ssm:SourceInstanceArn":"true"}`:                                {"ec2": Allowed, "irsa": Allowed, "podIdentity": Allowed, "hybrid": Depends},
		`"Null":{"aws:FederatedProvider":"false"}`:                               {"ec2": Denied, "irsa": Allowed, "podIdentity": Denied, "hybrid": Denied},
		`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`:                              {"ec2": Depends, "irsa": Depends, "podIdentity": Depends, "hybrid": Depends},
		`"StringEquals":{"aws:SourceAccount":"111122223333"}`:                    {"ec2": Denied, "irsa": Denied, "podIdentity": Denied, "hybrid": Denied},
	} {
		policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}}`
		v, role := tested(t, snapshot.Role{Tags: map[string]string{"team": "core"}, InlinePolicies: map[string]string{"p": policy}}, nil)
		for name, session := range sessions {
			if got := role.CanAs(session(v), need.Worker[0]).Verdict; got != want[name] {
				t.Errorf("%s, %s: %v, want %v", name, condition, got, want[name])
			}
		}
	}
}

// TestTags: calls that pass no tags have no keys about them, and calls about no resource
// none about its tags. That is so for no action that the program does not know.
func TestTags(t *testing.T) {
	for _, tt := range []struct {
		action    need.Action
		condition string
		want      Verdict
	}{
		{need.Worker[0], `"ForAnyValue:StringLike":{"aws:TagKeys":"dp:*"}`, Denied},
		{need.Worker[0], `"Null":{"aws:RequestTag/team":"true"}`, Allowed},
		{need.Worker[0], `"StringEquals":{"ec2:ResourceTag/team":"core"}`, Denied},
		{need.Pull[0], `"StringEquals":{"aws:ResourceTag/team":"core"}`, Denied},
		{need.Pull[1], `"StringEquals":{"aws:ResourceTag/team":"core"}`, Depends},
		{need.Pull[1], `"ForAllValues:StringEquals":{"aws:TagKeys":"team"}`, Allowed},
		{need.Named("ec2:CreateTags"), `"ForAnyValue:StringLike":{"aws:TagKeys":"dp:*"}`, Depends},
		{need.Named("ec2:CreateNetworkInterface"), `"Null":{"aws:RequestTag/team":"true"}`, Depends},
		{need.Named("ec2:RunInstances"), `"ForAnyValue:StringLike":{"aws:TagKeys":"dp:*"}`, Depends},
		{need.Named("ec2:DescribeImages"), `"StringEquals":{"aws:ResourceTag/team":"core"}`, Depends},
	} {
		policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + tt.condition + `}}}`
		v, role := tested(t, snapshot.Role{InlinePolicies: map[string]string{"p": policy}}, nil)
		if got := role.CanAs(v.InstanceSession(), tt.action).Verdict; got != tt.want {
			t.Errorf("%s, %s: %v, want %v", tt.action.Name, tt.condition, got, tt.want)
		}
	}
}

// TestTime: a date that every session since the facts were read is after decides, as in the
// policy that the console writes to revoke the sessions of a role.
func TestTime(t *testing.T) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	revoke := func(date string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + date + `"}}}]}`
	}
	trust := func(date string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"DateLessThan":{"aws:CurrentTime":"` + date + `"}}}}`
	}
	for _, tt := range []struct {
		date            string
		collected       time.Time
		permits, trusts Verdict
	}{
		{"2025-01-01T00:00:00Z", at, Allowed, Denied},
		{"2026-06-01T11:00:00Z", at, Depends, Denied}, // sessions from before may still run
		{"2027-01-01T00:00:00Z", at, Depends, Depends},
		{"2025-01-01T00:00:00Z", time.Time{}, Depends, Depends},
	} {
		v, role := tested(t, snapshot.Role{TrustPolicy: trust(tt.date), InlinePolicies: map[string]string{"AWSRevokeOlderSessions": revoke(tt.date)}}, func(s *snapshot.Snapshot) {
			s.Source.CollectedAt = tt.collected
		})
		if got := role.CanAs(v.InstanceSession(), need.Worker[0]).Verdict; got != tt.permits {
			t.Errorf("revoked %s: %v, want %v", tt.date, got, tt.permits)
		}
		if got := role.TrustAllows(v.InstanceSession(), "sts:AssumeRole").Verdict; got != tt.trusts {
			t.Errorf("trusted until %s: %v, want %v", tt.date, got, tt.trusts)
		}
	}
}

// TestSessionTagsDisabled: without session tags the role needs no sts:TagSession, and a
// policy that demands a tag is not met.
func TestSessionTagsDisabled(t *testing.T) {
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	off := func(s *snapshot.Snapshot) {
		a := s.PodIdentityAssociations["a-1"]
		a.DisableSessionTags = true
		s.PodIdentityAssociations["a-1"] = a
	}
	byTag := snapshot.Role{TrustPolicy: strings.Replace(trust, `"sts:AssumeRole"`, `"sts:AssumeRole","Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"kube-system"}}`, 1)}
	for name, tt := range map[string]struct {
		role    snapshot.Role
		change  func(*snapshot.Snapshot)
		allowed bool
	}{
		"tags on, no TagSession":  {snapshot.Role{TrustPolicy: trust}, nil, false},
		"tags off, no TagSession": {snapshot.Role{TrustPolicy: trust}, off, true},
		"tags off, by tag":        {byTag, off, false},
	} {
		v, role := tested(t, tt.role, tt.change)
		allowed := true
		for _, action := range v.PodIdentitySession().TrustActions {
			allowed = allowed && role.TrustAllows(v.PodIdentitySession(), action).Verdict == Allowed
		}
		if allowed != tt.allowed {
			t.Errorf("%s: allowed %v", name, allowed)
		}
	}
}

// TestSessionPolicy: what the pods may do is what both the role and the session policy
// allow. With a target role the session policy limits that role alone.
func TestSessionPolicy(t *testing.T) {
	all := map[string]string{"all": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}
	limit := func(policy, target string) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			a := s.PodIdentityAssociations["a-1"]
			a.Policy, a.DisableSessionTags, a.TargetRoleARN = policy, true, target
			if target != "" {
				a.RoleARN = firstID
				s.Roles[firstID] = snapshot.Role{InlinePolicies: all}
			}
			s.PodIdentityAssociations["a-1"] = a
		}
	}
	const describe = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}}`
	for name, tt := range map[string]struct {
		change func(*snapshot.Snapshot)
		action string
		want   Verdict
	}{
		"allowed by both":     {limit(describe, ""), "ec2:DescribeInstances", Allowed},
		"allowed by the role": {limit(describe, ""), "ec2:DescribeTags", Denied},
		"not readable":        {limit(`{"Statement":`, ""), "ec2:DescribeTags", Unknown},
		"of a target role":    {limit(describe, roleARN), "ec2:DescribeTags", Denied},
	} {
		v, role := tested(t, snapshot.Role{InlinePolicies: all}, tt.change)
		answer := role.CanAs(v.sessionBy(PodIdentity), need.Action{Name: tt.action})
		if answer.Verdict != tt.want {
			t.Errorf("%s: %v, want %v", name, answer.Verdict, tt.want)
		}
		if tt.want == Denied && (!answer.Blocked() || answer.Result.By != iampolicy.LayerSession) {
			t.Errorf("%s: denied by %v", name, answer.Result.By)
		}
		if first := v.Role(firstID); tt.want == Denied && v.TargetSession() != nil && first.CanAs(v.PodIdentitySession(), need.Action{Name: tt.action}).Verdict != Allowed {
			t.Errorf("%s: the session policy limits the first role", name)
		}
	}
}

// TestTargetRole: the first role has to be allowed to assume the target role, and the
// target role has to trust it.
func TestTargetRole(t *testing.T) {
	const may = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"` + roleARN + `"}}`
	trust := func(principal, condition string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{` + condition + `}}}`
	}
	const root = "arn:aws:iam::111122223333:root"
	for name, tt := range map[string]struct {
		first, trust string
		tagsOff      bool
		want         Verdict
	}{
		"both":                      {may, trust(root, ""), false, Allowed},
		"by the role's ARN":         {may, trust(firstID, ""), false, Allowed},
		"first may not":             {"", trust(root, ""), false, Denied},
		"target trusts another":     {may, trust("arn:aws:iam::111122223333:role/other", ""), false, Denied},
		"by PrincipalArn":           {may, trust(root, `"ArnEquals":{"aws:PrincipalArn":"`+firstID+`"}`), false, Allowed},
		"by a request tag":          {may, trust(root, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"kube-system"}`), false, Allowed},
		"by a transitive tag":       {may, trust(root, `"StringEquals":{"aws:PrincipalTag/eks-cluster-name":"prod"}`), false, Allowed},
		"by another cluster's tag":  {may, trust(root, `"StringEquals":{"aws:RequestTag/eks-cluster-name":"dev"}`), false, Denied},
		"by the external id":        {may, trust(root, `"StringEquals":{"sts:ExternalId":"eu-west-1/111122223333/prod/kube-system/aws-node"}`), true, Allowed},
		"by another external id":    {may, trust(root, `"StringEquals":{"sts:ExternalId":"eu-west-1/111122223333/dev/kube-system/aws-node"}`), true, Denied},
		"by a tag, and none is set": {may, trust(root, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"kube-system"}`), true, Denied},
	} {
		v, role := tested(t, snapshot.Role{TrustPolicy: tt.trust}, func(s *snapshot.Snapshot) {
			s.PodIdentityAssociations["a-1"] = snapshot.PodIdentityAssociation{
				Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: firstID, TargetRoleARN: roleARN, DisableSessionTags: tt.tagsOff,
			}
			first := snapshot.Role{}
			if tt.first != "" {
				first.InlinePolicies = map[string]string{"may": tt.first}
			}
			s.Roles[firstID] = first
		})
		for _, action := range v.TargetSession().TrustActions {
			if got := role.TrustAllows(v.TargetSession(), action).Verdict; got != tt.want {
				t.Errorf("%s, %s: %v, want %v", name, action, got, tt.want)
			}
		}
	}
}

// TestOrganization: a denial by a service control policy that the IAM policy simulator reported
// is certain, unless the simulator lacked a value of the request.
func TestOrganization(t *testing.T) {
	all := map[string]string{"all": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}
	for name, tt := range map[string]struct {
		simulation snapshot.Simulation
		denied     bool
	}{
		"the action":         {snapshot.Simulation{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/noderole-sample", Decision: "explicitDeny", DeniedBy: snapshot.DeniedByOrganizations}, true},
		"another action":     {snapshot.Simulation{Action: "ecr:ListImages", Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/noderole-sample", Decision: "explicitDeny", DeniedBy: snapshot.DeniedByOrganizations}, false},
		"another resource":   {snapshot.Simulation{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:us-east-1:111122223333:repository/noderole-sample", Decision: "explicitDeny", DeniedBy: snapshot.DeniedByOrganizations}, false},
		"a value is missing": {snapshot.Simulation{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/noderole-sample", Decision: "implicitDeny", DeniedBy: snapshot.DeniedByOrganizations, MissingContext: []string{"aws:SourceVpc"}}, false},
		"by the boundary":    {snapshot.Simulation{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:eu-west-1:111122223333:repository/noderole-sample", Decision: "implicitDeny", DeniedBy: "permissionsBoundary"}, false},
	} {
		_, role := tested(t, snapshot.Role{InlinePolicies: all}, func(s *snapshot.Snapshot) {
			s.Simulations = map[string][]snapshot.Simulation{roleARN: {tt.simulation}}
		})
		answer := role.Can(need.Pull[1])
		if got := answer.Verdict == Denied && answer.Organization != nil; got != tt.denied {
			t.Errorf("%s: %v", name, answer.Verdict)
		}
		if role.ByPolicies(role.v.InstanceSession(), need.Pull[1]).Verdict != Allowed {
			t.Errorf("%s: the role's policies deny it", name)
		}
	}
}

// TestOpenValues: every value that is tried begins as the real one does, and where a
// pattern can match a value that begins so, one that it matches is tried.
func TestOpenValues(t *testing.T) {
	match := func(pattern, value string) bool {
		doc, err := iampolicy.Parse(iampolicy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"k:v":"`+pattern+`"}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		set := iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "p", Document: doc}}})
		decision, err := set.Decide(&iampolicy.Request{Principal: roleARN, Action: "ec2:DescribeTags", Resource: "*", Context: iampolicy.NewContext().Set("k:v", value)})
		if err != nil {
			t.Fatal(err)
		}
		return decision == iampolicy.Allowed
	}
	rapid.Check(t, func(t *rapid.T) {
		o := openValue{prefix: rapid.StringMatching(`[ab:]{0,4}`).Draw(t, "prefix")}
		pattern := rapid.StringMatching(`[ab:*?]{1,6}`).Draw(t, "pattern")
		rest := rapid.StringMatching(`[ab:]{0,3}`).Draw(t, "rest")
		tried := o.instances(pattern)
		for _, v := range tried {
			if !strings.HasPrefix(v, o.prefix) || !match(pattern, v) {
				t.Fatalf("%q is no value of %q that %q matches", v, o.prefix, pattern)
			}
		}
		if len(tried) == 0 && match(pattern, o.prefix+rest) {
			t.Fatalf("%q matches %q, and no value is tried", pattern, o.prefix+rest)
		}
	})
}
