package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestOrganization: the policies of the organization limit every verdict about
// permissions, and the evidence names them.
func TestOrganization(t *testing.T) {
	organization := func(scp, rcp string) string {
		return `
organization:
  id: o-1
  managementAccount: "999999999999"
  levels:
  - {id: r-1, scps: [p-full], rcps: [p-rfull]}
  - {id: ou-1, scps: [p-own], rcps: [p-rfull, p-rown]}
  - {id: "111122223333", scps: [p-full], rcps: [p-rfull]}
  policies:
    p-full: {name: FullAWSAccess, document: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'}
    p-rfull: {name: RCPFullAWSAccess, document: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'}
    p-own: {name: Own, document: '{"Version":"2012-10-17","Statement":[` + scp + `]}'}
    p-rown: {name: Own, document: '{"Version":"2012-10-17","Statement":[` + rcp + `]}'}
`
	}
	const (
		all  = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		none = `{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}`
	)
	const imdsV1 = `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"ec2:RoleDelivery":"2.0"}}}`
	instances := func(tokens string) string {
		of := `{state: running, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole", httpEndpoint: enabled, hopLimit: 1, httpTokens: `
		return `instances: {i-01a2b3c4d5e6f7081: ` + of + `required}, i-02a2b3c4d5e6f7082: ` + of + tokens + `}, i-03a2b3c4d5e6f7083: ` + of + `required}}`
	}
	rcp := func(action, condition string) string {
		return `{"Sid":"Mine","Effect":"Deny","Principal":"*","Action":"` + action + `","Resource":"*"` + condition + `}`
	}
	for name, test := range map[string]struct {
		patch string
		rule  string
		says  string
		next  string
	}{
		"everything is allowed": {organization(all, none), "", "", ""},
		"an SCP denies": {
			organization(all+`,{"Sid":"NoLogin","Effect":"Deny","Action":"ecr:GetAuthorizationToken","Resource":"*"}`, none), "NR202",
			"ecr:GetAuthorizationToken: denied by SCP Own statement 2 (NoLogin)", "ask the administrators of your organization's service control policies to allow ecr:GetAuthorizationToken",
		},
		"a level allows less": {
			organization(`{"Effect":"Allow","Action":["ec2:*","eks:*","sts:*"],"Resource":"*"}`, none), "NR202",
			"ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer: the service control policies (SCPs) of the organization do not allow it at every level", "organization's service control policies",
		},
		"an SCP with an exception for the role": {
			organization(all+`,{"Effect":"Deny","Action":"ecr:*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/eksNodeRole"}}}`, none), "", "", "",
		},
		"an RCP denies what has no resource": {
			organization(all, rcp("ecr:GetAuthorizationToken", "")), "NR202", "ecr:GetAuthorizationToken: denied by RCP Own statement 1 (Mine)", "organization's resource control policies",
		},
		"an RCP for principals of other organizations": {
			organization(all, rcp("ecr:*", `,"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}`)), "", "", "",
		},
		// EKS's images are in another account, whose resources the RCP is not about.
		"an RCP denies the account's own repositories": {organization(all, rcp("ecr:BatchGetImage", "")), "", "", ""},
		"an RCP denies EC2 to assume the role": {
			organization(all, rcp("sts:AssumeRole", "")), "NR301", "denied by RCP Own statement 1 (Mine)", "organization's resource control policies",
		},
		"an RCP denies everyone but services to assume roles": {
			organization(all, rcp("sts:AssumeRole", `,"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}`)), "", "", "",
		},
		"an RCP denies services of other organizations": {
			organization(all, rcp("sts:*", `,"Condition":{"StringNotEqualsIfExists":{"aws:SourceOrgID":"o-1","aws:ResourceTag/exempt":"true"},"Null":{"aws:SourceAccount":"false"},"Bool":{"aws:PrincipalIsAWSService":"true"}}`)), "", "", "",
		},
		"an RCP denies what is not encrypted": {organization(all, rcp("sts:*", `,"Condition":{"BoolIfExists":{"aws:SecureTransport":"false"}}`)), "", "", ""},
		"an RCP denies calls from another region by an endpoint": {
			organization(all, rcp("sts:AssumeRole", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"},"StringNotEqualsIfExists":{"aws:RequestedRegion":"us-east-1"}}`)), "", "", "",
		},
		"an RCP denies tokens of other providers": {
			organization(all, rcp("sts:AssumeRoleWithWebIdentity", `,"Condition":{"Null":{"token.actions.githubusercontent.com:sub":"true"}}`)), "NR603",
			"denied by RCP Own statement 1 (Mine)", "organization's resource control policies",
		},
		// AWS's example leaves the action out, as such a request has no organization.
		"an RCP denies everyone but principals of the organization, tokens included": {
			organization(all, rcp("sts:*", `,"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}`)), "NR603",
			"sts:AssumeRoleWithWebIdentity: denied by RCP Own statement 1 (Mine)", "organization's resource control policies",
		},
		"an RCP denies EKS Pod Identity to tag sessions": {
			organization(all, rcp("sts:TagSession", "")) + ruleNamed(t, "NR604").Good, "NR604",
			"sts:TagSession: denied by RCP Own statement 1 (Mine)", "organization's resource control policies",
		},
		"an SCP denies resources of other organizations": {
			organization(all+`,{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:*:602401143452:repository/*","Condition":{"StringNotEqualsIfExists":{"aws:ResourceOrgID":"o-1","ec2:Owner":"amazon"}}}`, none), "", "", "",
		},
		"an SCP denies resources of other organizations, also EKS's": {
			organization(all+`,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:ResourceOrgID":"${aws:PrincipalOrgID}"}}}`, none), "NR202",
			"ecr:BatchGetImage, ecr:GetDownloadUrlForLayer: denied by SCP Own statement 2", "organization's service control policies",
		},
		"an SCP denies resources outside of an organizational unit": {
			organization(all+`,{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:*:602401143452:repository/*","Condition":{"ForAllValues:StringNotLike":{"aws:ResourceOrgPaths":"o-1/r-1/ou-1/*","aws:PrincipalOrgPaths":"o-1/*"}}}`, none), "", "", "",
		},
		"an SCP denies instances of another VPC": {
			organization(all+`,{"Effect":"Deny","Action":["ec2:AssignPrivateIpAddresses","ec2:CreateTags"],"Resource":"*","Condition":{"Null":{"ec2:SourceInstanceARN":"false"},"StringNotEquals":{"aws:SourceVpc":"${aws:Ec2InstanceSourceVpc}"}}}`, none), "", "", "",
		},
		"an SCP denies IMDSv1 to the role of pods": {
			organization(all+`,{"Effect":"Deny","Action":["ec2:AssignPrivateIpAddresses","ec2:CreateTags"],"Resource":"*","Condition":{"NumericLessThan":{"ec2:RoleDelivery":"2.0"}}}`, none), "", "", "",
		},
		"an SCP denies IMDSv1, and the instances require IMDSv2": {organization(all+imdsV1, none) + instances("required"), "", "", ""},
		"the management account is not limited": {`
organization: {id: o-1, managementAccount: "111122223333"}
`, "", "", ""},
		"types of policies that are not turned on": {`
organization: {id: o-1, managementAccount: "999999999999", levels: [{id: r-1}, {id: "111122223333"}]}
`, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			report := rules.Judge(view.New(overlay(t, test.patch)), rules.Options{})
			if slices.ContainsFunc(report.NotEvaluated, func(line string) bool { return strings.HasPrefix(line, "service control policies") }) {
				t.Errorf("not evaluated: %v", report.NotEvaluated)
			}
			found := test.rule == ""
			for _, r := range report.Results {
				if r.ID == test.rule && r.Status == finding.Fail {
					found = strings.Contains(strings.Join(r.Evidence, "\n"), test.says) && len(r.Next) == 1 && strings.Contains(r.Next[0].Note, test.next)
				}
				if !found && r.ID == test.rule || test.rule == "" && (r.Failed() || r.Status == finding.Unknown || r.Status == finding.Depends) {
					t.Errorf("%s %s: %s\n%s\n%v", r.ID, r.Status, r.Message, strings.Join(r.Evidence, "\n"), r.Next)
				}
			}
			if !found {
				t.Errorf("no %s with %q", test.rule, test.says)
			}
		})
	}
	t.Run("an SCP denies IMDSv1, and one instance takes it", func(t *testing.T) {
		report := rules.Judge(view.New(overlay(t, organization(all+imdsV1, none)+instances("optional"))), rules.Options{})
		if r := resultOf(t, report.Results, "NR201"); r.Status != finding.Depends || !says(r, "NumericLessThan ec2:RoleDelivery 2.0") {
			t.Errorf("%+v", r)
		}
	})
}

// TestOptionalFacts: what is optional and could not be read is one line, and the report is
// complete.
func TestOptionalFacts(t *testing.T) {
	const patch = `
missing:
- {fact: clusterRole, subject: "arn:aws:iam::111122223333:role/eksClusterRole", operation: iam:GetRole, permission: iam:GetRole, error: AccessDenied}
- {fact: clusterRole, subject: "arn:aws:iam::111122223333:role/eksClusterRole", operation: iam:ListRolePolicies, permission: iam:ListRolePolicies, error: AccessDenied}
- {fact: vpcEndpoints, operation: ec2:DescribeVpcEndpoints, permission: ec2:DescribeVpcEndpoints, error: UnauthorizedOperation}
`
	report := rules.Judge(view.New(overlay(t, patch)), rules.Options{})
	if !report.Complete() || report.ClusterRole != nil {
		t.Errorf("missing %v, %d unknown, cluster role %v", report.Missing, report.Summary.Unknown, report.ClusterRole)
	}
	for _, want := range []string{
		"the policies of VPC endpoints, which could not be read: ec2:DescribeVpcEndpoints: UnauthorizedOperation; it needs ec2:DescribeVpcEndpoints",
		"the cluster role and its policies, which could not be read: iam:GetRole of eksClusterRole: AccessDenied, and 1 more; it needs iam:GetRole, iam:ListRolePolicies",
	} {
		if !slices.Contains(report.NotEvaluated, want) {
			t.Errorf("no line %q in %q", want, report.NotEvaluated)
		}
	}
}
