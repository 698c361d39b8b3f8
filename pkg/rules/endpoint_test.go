package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func ruleNamed(t *testing.T, id string) rules.Rule {
	t.Helper()
	for _, r := range rules.All() {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("there is no rule %s", id)
	return rules.Rule{}
}

// TestEndpointPolicies: what each endpoint lets pass, and which nodes call through it.
func TestEndpointPolicies(t *testing.T) {
	const (
		vpc  = "cluster: {vpcId: vpc-1}\n"
		full = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
		own  = `{"Version":"2012-10-17","Statement":[{"Sid":"Own","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::own-bucket/*"}]}`
	)
	endpoint := func(service, policy, more string) string {
		return vpc + "vpcEndpoints: {vpce-1: {service: " + service + ", policy: '" + policy + "'" + more + "}}"
	}
	inSubnets := "\nnodeGroups: {apps: {subnets: [subnet-a]}, system: {subnets: [subnet-b]}}"
	when := func(condition string) string {
		return strings.Replace(full, `"Resource":"*"`, `"Resource":"*","Condition":`+condition, 1)
	}
	for name, test := range map[string]struct {
		patch  string
		status finding.Status
		says   string
	}{
		"no policy of its own":                  {endpoint("ecr.api", full, ""), finding.Pass, "policy of VPC endpoint vpce-1 (ecr.api) allows ecr:GetAuthorizationToken"},
		"another service":                       {endpoint("ssm", own, ""), finding.NotApplicable, ""},
		"layers of images":                      {endpoint("s3", own, ""), finding.Fail, "s3:GetObject on prod-eu-west-1-starport-layer-bucket/*: no statement of the policy of VPC endpoint vpce-1 (s3) allows it (nearest: policy of VPC endpoint vpce-1 (s3) statement 1 (Own), arn:aws:s3:::own-bucket/*)"},
		"layers, through every route table":     {endpoint("s3", own, ", routes: {main: true, subnets: [subnet-a]}") + inSubnets, finding.Fail, "s3:GetObject"},
		"layers, through some route tables":     {endpoint("s3", own, ", routes: {subnets: [subnet-a], others: [subnet-b]}") + inSubnets, finding.NotApplicable, "for the subnets whose route table has the endpoint"},
		"layers, through no route table":        {endpoint("s3", own, ", routes: {main: true, others: [subnet-a, subnet-b]}") + inSubnets, finding.NotApplicable, ""},
		"layers, of whoever is in a VPC":        {endpoint("s3", when(`{"StringEquals":{"aws:SourceVpc":"vpc-1","aws:SourceVpce":"vpce-1"}}`), ""), finding.Pass, ""},
		"layers, of principals of an account":   {endpoint("s3", when(`{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`), ""), finding.NotApplicable, "aws:PrincipalAccount"},
		"the organization is unknown":           {endpoint("ec2", when(`{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`), ""), finding.NotApplicable, "aws:PrincipalOrgID"},
		"images of EKS, in no organization":     {endpoint("ecr.dkr", when(`{"StringEquals":{"aws:ResourceOrgID":"o-1"}}`), ""), finding.Fail, "ecr:BatchGetImage"},
		"images of EKS, by account":             {endpoint("ecr.dkr", when(`{"StringEquals":{"aws:ResourceAccount":"602401143452"}}`), ""), finding.Pass, ""},
		"the node role alone":                   {endpoint("ec2", when(`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/eksNodeRole"}}`), ""), finding.Pass, ""},
		"another role alone":                    {endpoint("ec2", when(`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/bastion"}}`), ""), finding.Fail, "ec2:DescribeInstances: no statement"},
		"a Deny":                                {endpoint("ecr.api", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Sid":"NoLogin","Effect":"Deny","Principal":"*","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`, ""), finding.Fail, "ecr:GetAuthorizationToken: denied by policy of VPC endpoint vpce-1 (ecr.api) statement 2 (NoLogin)"},
		"not a policy":                          {endpoint("ec2", `{}`, ""), finding.NotApplicable, ""},
		"the Pod Identity Agent, not installed": {endpoint("eks-auth", own, ""), finding.NotApplicable, ""},
		"the Pod Identity Agent":                {endpoint("eks-auth", own, "") + "\npodIdentityAgent: {}", finding.Fail, "eks-auth:AssumeRoleForPodIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, test.patch)), []rules.Rule{ruleNamed(t, "NR231")})
			for _, r := range results {
				if r.Subject.Kind != finding.SubjectNodeRole {
					continue
				}
				if r.Status != test.status || !strings.Contains(strings.Join(r.Evidence, "\n"), test.says) {
					t.Errorf("%s: %s\n%s", r.Status, r.Message, strings.Join(r.Evidence, "\n"))
				}
				return
			}
			t.Errorf("says nothing of the node role: %v", results)
		})
	}
	for name, test := range map[string]struct {
		policy string
		status finding.Status
	}{
		"the token of aws-node, full access":       {full, finding.Pass},
		"the token of aws-node, that call alone":   {`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Resource":"arn:aws:iam::111122223333:role/*"}}`, finding.Pass},
		"the token of aws-node, other calls":       {own, finding.Fail},
		"the token of aws-node, another role":      {`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:*","Resource":"arn:aws:iam::111122223333:role/bastion"}}`, finding.Fail},
		"the token of aws-node, principals of AWS": {`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/eksCNIRole"},"Action":"sts:*","Resource":"*"}}`, finding.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, endpoint("sts", test.policy, ""))), []rules.Rule{ruleNamed(t, "NR231")})
			i := slices.IndexFunc(results, func(r finding.Result) bool { return r.Subject.Kind == finding.SubjectAWSNode })
			if len(results) != 2 || i < 0 {
				t.Fatalf("%+v", results)
			}
			if r := results[i]; r.Status != test.status || !strings.Contains(r.Evidence[0], "sts:AssumeRoleWithWebIdentity") || strings.Contains(r.Evidence[0], "trust") {
				t.Errorf("%+v", r)
			}
		})
	}
}
