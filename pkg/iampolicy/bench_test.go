package iampolicy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// readOnlyDocument has the shape of the ReadOnlyAccess managed policy: about
// 1,300 actions of 300 services, most with a wildcard, in some 94 kB. Its seed
// is fixed.
func readOnlyDocument() string {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)]
		}
		return string(b)
	}
	var actions []string
	for range 300 {
		service := word(6 + r.IntN(14))
		for range 4 + r.IntN(2) {
			name := []string{"Describe", "List", "Get", "BatchGet"}[r.IntN(4)] + word(12+r.IntN(34))
			if r.IntN(3) > 0 {
				name += "*"
			}
			actions = append(actions, service+":"+name)
		}
	}
	actions = append(actions, "ec2:Describe*", "s3:Get*")
	r.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	pretty := strings.Join(actions, "\",\n                \"")
	text := "{\n    \"Version\": \"2012-10-17\",\n    \"Statement\": [\n        {\n            \"Sid\": \"ReadOnlyActions\",\n            \"Effect\": \"Allow\",\n            \"Action\": [\n                \"" +
		pretty + "\"\n            ],\n            \"Resource\": \"*\"\n        }\n    ]\n}"
	return text
}

// nodePolicies are the five policies that a node role usually has: three AWS
// managed policies for workers, pulls and the CNI, Systems Manager, and logs.
func nodePolicies(t testing.TB) Policies {
	list := func(service string, names ...string) string {
		return `["` + service + ":" + strings.Join(names, `","`+service+":") + `"]`
	}
	documents := []string{
		allow(`"Action":`+list("ec2", "DescribeInstances", "DescribeInstanceTypes", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets", "DescribeVolumes", "DescribeVolumesModifications", "DescribeVpcs")) +
			"," + allow(`"Action":["eks:DescribeCluster","eks-auth:AssumeRoleForPodIdentity"]`),
		allow(`"Action":` + list("ecr", "GetAuthorizationToken", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage", "BatchImportUpstreamImage", "DescribeImages", "ListImages", "DescribeRepositories")),
		allow(`"Action":`+list("ec2", "AssignPrivateIpAddresses", "AttachNetworkInterface", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeInstances", "DescribeTags", "DescribeNetworkInterfaces", "DescribeInstanceTypes", "DescribeSubnets", "DetachNetworkInterface", "ModifyNetworkInterfaceAttribute", "UnassignPrivateIpAddresses")) +
			"," + allow(`"Action":"ec2:CreateTags"`, `"Resource":"arn:aws:ec2:*:*:network-interface/*"`),
		allow(`"Action":`+list("ssm", "DescribeAssociation", "GetDeployablePatchSnapshotForInstance", "GetDocument", "DescribeDocument", "GetManifest", "GetParameter", "GetParameters", "ListAssociations", "ListInstanceAssociations", "PutInventory", "PutComplianceItems", "PutConfigurePackageResult", "UpdateAssociationStatus", "UpdateInstanceAssociationStatus", "UpdateInstanceInformation")) +
			"," + allow(`"Action":`+list("ssmmessages", "CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")) +
			"," + allow(`"Action":`+list("ec2messages", "AcknowledgeMessage", "DeleteMessage", "FailMessage", "GetEndpoint", "GetMessages", "SendReply")),
		allow(`"Action":["cloudwatch:PutMetricData","ec2:DescribeVolumes","ec2:DescribeTags","logs:PutLogEvents","logs:PutRetentionPolicy","logs:DescribeLogStreams","logs:DescribeLogGroups","logs:CreateLogStream","logs:CreateLogGroup"]`) +
			"," + allow(`"Action":"ssm:GetParameter"`, `"Resource":"arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"`, when("StringEquals", "aws:RequestedRegion", `"eu-west-1"`)),
	}
	var p Policies
	for i, d := range documents {
		p.Identity = append(p.Identity, Policy{Name: fmt.Sprintf("policy %d", i), Document: mustParse(t, Identity, string(question{}.document(d)))})
	}
	return p
}

// nodeRequests are asked of nodePolicies: allowed early, late, on a pattern,
// under a condition, and denied.
func nodeRequests() map[string]*Request {
	known := RoleSession(nodeRole, testAccount, "eu-west-1", nil)
	request := func(action, resource string) *Request {
		return &Request{Principal: nodeRole, Action: action, Resource: resource, Account: testAccount, Context: known}
	}
	return map[string]*Request{
		"first":     request("ec2:DescribeInstances", "*"),
		"last":      request("logs:CreateLogGroup", "arn:aws:logs:eu-west-1:111122223333:log-group:a"),
		"resource":  request("ec2:CreateTags", "arn:aws:ec2:eu-west-1:111122223333:network-interface/eni-1"),
		"condition": request("ssm:GetParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/AmazonCloudWatch-a"),
		"denied":    request("s3:GetObject", object),
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(readOnlyDocument())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Identity, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecideNode(b *testing.B) {
	s := Prepare(nodePolicies(b))
	for name, r := range nodeRequests() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Decide(r)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verdicts/s")
		})
	}
}

func BenchmarkReadOnly(b *testing.B) {
	text := []byte(readOnlyDocument())
	r := &Request{Principal: nodeRole, Action: "ec2:DescribeInstances", Resource: "*", Account: testAccount}
	load := func() *Set {
		d, err := Parse(Identity, text)
		if err != nil {
			b.Fatal(err)
		}
		return Prepare(Policies{Identity: []Policy{{Name: "ReadOnlyAccess", Document: d}}})
	}
	verdicts := func(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verdicts/s") }
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = load().Decide(r)
		}
		verdicts(b)
	})
	b.Run("prepared", func(b *testing.B) {
		s := load()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Decide(r)
		}
		verdicts(b)
	})
	b.Run("evaluate", func(b *testing.B) {
		s := load()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Evaluate(r)
		}
		verdicts(b)
	})
}

func TestReadOnlyDocument(t *testing.T) {
	text := readOnlyDocument()
	if n := strings.Count(text, ":"); len(text) < 90_000 || len(text) > 98_000 || n < 1250 || n > 1450 {
		t.Errorf("%d bytes, %d actions", len(text), n)
	}
}

// The decision path allocates nothing.
func TestDecideAllocatesNothing(t *testing.T) {
	s := Prepare(nodePolicies(t))
	for name, r := range nodeRequests() {
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Decide(r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	trust := Policy{Name: "trust", Document: mustParse(t, Trust, string(question{}.document(allow(`"Action":"sts:AssumeRole"`, `"Principal":{"Service":"ec2.amazonaws.com"}`))))}
	s = Prepare(Policies{Resource: &trust})
	r := &Request{Principal: "ec2.amazonaws.com", Action: "sts:AssumeRole", Resource: trustedRole, Account: testAccount}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Decide(r) }); n != 0 {
		t.Errorf("trust: %v allocations", n)
	}
}
