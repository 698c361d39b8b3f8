// Package compare measures pkg/iampolicy beside Cedar's engine for Go, on policies that say
// the same in both languages:
//
//	cd tools/compare && go test -bench . -benchmem
package compare

import (
	"testing"

	"github.com/cedar-policy/cedar-go"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
)

const (
	account = "111122223333"
	role    = "arn:aws:iam::" + account + ":role/eksNodeRole"
	region  = "eu-west-1"
)

const iamPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
        "ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
        "ecr:BatchImportUpstreamImage", "ecr:DescribeImages", "ecr:ListImages", "ecr:DescribeRepositories"
      ],
      "Resource": "*"
    },
    {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*:*:network-interface/*"},
    {
      "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*",
      "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    },
    {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/secret/*"}
  ]
}`

const cedarPolicy = `
permit (
  principal == Role::"eksNodeRole",
  action in [
    Action::"ec2:DescribeInstances", Action::"ec2:DescribeInstanceTypes", Action::"ec2:DescribeRouteTables", Action::"ec2:DescribeSecurityGroups",
    Action::"ec2:DescribeSubnets", Action::"ec2:DescribeVolumes", Action::"ec2:DescribeVolumesModifications", Action::"ec2:DescribeVpcs",
    Action::"eks:DescribeCluster", Action::"eks-auth:AssumeRoleForPodIdentity"
  ],
  resource
);
permit (
  principal == Role::"eksNodeRole",
  action in [
    Action::"ecr:GetAuthorizationToken", Action::"ecr:BatchCheckLayerAvailability", Action::"ecr:GetDownloadUrlForLayer", Action::"ecr:BatchGetImage",
    Action::"ecr:BatchImportUpstreamImage", Action::"ecr:DescribeImages", Action::"ecr:ListImages", Action::"ecr:DescribeRepositories"
  ],
  resource
);
permit (principal == Role::"eksNodeRole", action == Action::"ec2:CreateTags", resource)
when { resource.arn like "arn:aws:ec2:*:*:network-interface/*" };
permit (principal == Role::"eksNodeRole", action == Action::"ssm:GetParameter", resource)
when { resource.arn like "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*" && context.region == "eu-west-1" };
forbid (principal, action, resource)
when { resource.arn like "arn:aws:ecr:*:*:repository/secret/*" };
`

// questions are asked of both engines.
var questions = []struct {
	name, action, resource string
	allowed                bool
}{
	{"first", "ec2:DescribeInstances", "*", true},
	{"pull", "ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:" + account + ":repository/app", true},
	{"resource", "ec2:CreateTags", "arn:aws:ec2:eu-west-1:" + account + ":network-interface/eni-1", true},
	{"condition", "ssm:GetParameter", "arn:aws:ssm:eu-west-1:" + account + ":parameter/AmazonCloudWatch-a", true},
	{"another resource", "ssm:GetParameter", "arn:aws:ssm:eu-west-1:" + account + ":parameter/password", false},
	{"no statement", "s3:GetObject", "arn:aws:s3:::bucket/key", false},
	{"explicit deny", "ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:" + account + ":repository/secret/app", false},
}

func iamSet(t testing.TB) *iampolicy.Set {
	t.Helper()
	document, err := iampolicy.Parse(iampolicy.Identity, []byte(iamPolicy))
	if err != nil {
		t.Fatal(err)
	}
	return iampolicy.Prepare(iampolicy.Policies{Identity: []iampolicy.Policy{{Name: "node", Document: document}}})
}

func iamRequest(action, resource string) *iampolicy.Request {
	return &iampolicy.Request{Principal: role, Account: account, Action: action, Resource: resource, Context: iampolicy.RoleSession(role, account, region, nil)}
}

func cedarSet(t testing.TB) *cedar.PolicySet {
	t.Helper()
	set, err := cedar.NewPolicySetFromBytes("node.cedar", []byte(cedarPolicy))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func cedarRequest(action, resource string) (cedar.EntityMap, cedar.Request) {
	uid := cedar.NewEntityUID("Resource", cedar.String(resource))
	entities := cedar.EntityMap{uid: {UID: uid, Attributes: cedar.NewRecord(cedar.RecordMap{"arn": cedar.String(resource)})}}
	return entities, cedar.Request{
		Principal: cedar.NewEntityUID("Role", "eksNodeRole"), Action: cedar.NewEntityUID("Action", cedar.String(action)), Resource: uid,
		Context: cedar.NewRecord(cedar.RecordMap{"region": cedar.String(region)}),
	}
}

// TestSame: the policies say the same, so that the figures are of the same question.
func TestSame(t *testing.T) {
	iam, other := iamSet(t), cedarSet(t)
	for _, q := range questions {
		decision, err := iam.Decide(iamRequest(q.action, q.resource))
		if err != nil || (decision == iampolicy.Allowed) != q.allowed {
			t.Errorf("%s: iampolicy says %v, %v", q.name, decision, err)
		}
		entities, request := cedarRequest(q.action, q.resource)
		if decision, diagnostic := cedar.Authorize(other, entities, request); (decision == cedar.Allow) != q.allowed || len(diagnostic.Errors) > 0 {
			t.Errorf("%s: Cedar says %v, %v", q.name, decision, diagnostic)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.Run("iampolicy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			iamSet(b)
		}
	})
	b.Run("cedar", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			cedarSet(b)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	iam, other := iamSet(b), cedarSet(b)
	for _, q := range questions {
		b.Run(q.name+"/iampolicy", func(b *testing.B) {
			request := iamRequest(q.action, q.resource)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = iam.Decide(request)
			}
		})
		b.Run(q.name+"/cedar", func(b *testing.B) {
			entities, request := cedarRequest(q.action, q.resource)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = cedar.Authorize(other, entities, request)
			}
		})
	}
}
