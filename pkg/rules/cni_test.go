package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// cniRole gives aws-node's own role one inline policy instead of its own.
func cniRole(statements string) string {
	return `
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole":
    attachedPolicies: []
    inlinePolicies: {cni: '{"Version":"2012-10-17","Statement":[` + statements + `]}'}
`
}

func allow(resource string, actions ...string) string {
	return `{"Effect":"Allow","Action":["ec2:` + strings.Join(actions, `","ec2:`) + `"],"Resource":"` + resource + `"}`
}

func daemonSet(version string, rest string) string {
	return `
awsNode: {daemonSet: {image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:` + version + `"` + rest + `}}
`
}

// TestCNIVerdicts: what the VPC CNI needs by version, IP family and setting, seen from
// the snapshot.
func TestCNIVerdicts(t *testing.T) {
	const ipv6 = "cluster: {ipFamily: ipv6}\n"
	describe := []string{"DescribeInstances", "DescribeTags", "DescribeNetworkInterfaces", "DescribeInstanceTypes", "DescribeSubnets", "DescribeSecurityGroups"}
	interfaces := []string{
		"AssignPrivateIpAddresses", "AttachNetworkInterface", "CreateNetworkInterface", "DeleteNetworkInterface", "DetachNetworkInterface",
		"ModifyNetworkInterfaceAttribute", "UnassignPrivateIpAddresses", "CreateTags",
	}
	without := func(gone string) string {
		rest := slices.DeleteFunc(slices.Concat(describe, interfaces), func(a string) bool { return a == gone })
		return cniRole(allow("*", rest...))
	}
	six := cniRole(allow("*", "AssignIpv6Addresses", "DescribeInstances", "DescribeTags", "DescribeNetworkInterfaces", "DescribeInstanceTypes", "CreateTags"))
	sixNew := cniRole(allow("*", "AssignIpv6Addresses", "DescribeInstances", "DescribeTags", "DescribeNetworkInterfaces", "DescribeInstanceTypes", "CreateTags", "DescribeSubnets", "DescribeSecurityGroups"))
	nothing := cniRole(allow("*", "DescribeRegions"))

	tests := []struct {
		name, patch string
		want        map[string]finding.Status
		evidence    string
	}{
		{
			"EC2 is not asked in IMDS-only mode", nothing + daemonSet("v1.20.4-eksbuild.1", `, env: {ENABLE_IMDS_ONLY_MODE: "true"}`),
			map[string]finding.Status{"NR206": finding.Pass},
			"ENABLE_IMDS_ONLY_MODE=true",
		},
		{
			"versions before v1.19.6 do not know the mode", nothing + daemonSet("v1.19.5-eksbuild.1", `, env: {ENABLE_IMDS_ONLY_MODE: "true"}`),
			map[string]finding.Status{"NR206": finding.Fail},
			"ec2:AssignPrivateIpAddresses",
		},
		{
			"a mode from a ConfigMap is unknown", nothing + daemonSet("v1.20.4", `, env: {ENABLE_IMDS_ONLY_MODE: "(from configmap cni)"}`),
			map[string]finding.Status{"NR206": finding.Unknown},
			"ENABLE_IMDS_ONLY_MODE of aws-node: from configmap cni",
		},
		{
			"nor is one that may come from a ConfigMap", nothing + daemonSet("v1.20.4", `, envFrom: [ConfigMap/cni]`),
			map[string]finding.Status{"NR206": finding.Unknown},
			"perhaps from ConfigMap/cni",
		},
		{
			"what is unknown does not matter where all is allowed", daemonSet("v1.20.4", `, envFrom: [ConfigMap/cni]`),
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Pass},
			"",
		},
		{
			"interfaces are made in a subnet, with security groups, and attached to an instance",
			cniRole(allow("*", describe...) + "," + allow("arn:aws:ec2:*:*:network-interface/*", interfaces...)),
			map[string]finding.Status{"NR206": finding.Fail},
			"ec2:CreateNetworkInterface on subnet/*",
		},
		{
			"all of its resource types allowed",
			cniRole(allow("*", describe...) + "," + allow("arn:aws:ec2:*:*:network-interface/*", interfaces...) + "," +
				allow("arn:aws:ec2:*:*:subnet/*", "CreateNetworkInterface") + "," + allow("arn:aws:ec2:*:*:instance/*", "AttachNetworkInterface", "DetachNetworkInterface") + "," +
				allow("arn:aws:ec2:*:*:security-group/*", "CreateNetworkInterface", "ModifyNetworkInterfaceAttribute")),
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Pass},
			"",
		},
		{
			"ec2:DescribeTags is for the metrics", without("DescribeTags"),
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Fail},
			"ec2:DescribeTags is for the cluster's name in the metrics",
		},
		{
			"cleaning up is not required", without("DeleteNetworkInterface"),
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Fail},
			"ec2:DeleteNetworkInterface is for cleaning up",
		},
		{
			"v1.22.0 asks for security groups on IPv4", without("DescribeSecurityGroups") + daemonSet("v1.22.0-eksbuild.1", ""),
			map[string]finding.Status{"NR206": finding.Fail, "NR209": finding.NotApplicable},
			"vpc-cni v1.22.0",
		},
		{
			"v1.22.1 too", without("DescribeSecurityGroups") + daemonSet("v1.22.1-eksbuild.1", ""),
			map[string]finding.Status{"NR206": finding.Fail},
			"no statement allows ec2:DescribeSecurityGroups",
		},
		{
			"before, the upgrade is warned of", without("DescribeSecurityGroups") + daemonSet("v1.21.1-eksbuild.1", ""),
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.Fail, "NR211": finding.Pass},
			"required by vpc-cni v1.22.0 to v1.22.1",
		},
		{
			"v1.22.2 does not ask", without("DescribeSecurityGroups") + daemonSet("v1.22.2-eksbuild.1", ""),
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.NotApplicable, "NR211": finding.Pass},
			"",
		},
		{
			"IPv4 before v1.22.0 does without ec2:DescribeSubnets", without("DescribeSubnets") + daemonSet("v1.21.1-eksbuild.1", ""),
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.Fail, "NR211": finding.Fail},
			"required by vpc-cni v1.22.0 to v1.23.1",
		},
		{
			"without subnet discovery no version needs it", without("DescribeSubnets") + daemonSet("v1.21.1", `, env: {ENABLE_SUBNET_DISCOVERY: "false"}`),
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.NotApplicable, "NR211": finding.Pass},
			"",
		},
		{
			"IPv6 at v1.22.0", ipv6 + six + daemonSet("v1.22.0", ""),
			map[string]finding.Status{"NR206": finding.Fail},
			"no statement allows ec2:DescribeSubnets, ec2:DescribeSecurityGroups",
		},
		{
			"IPv6 of a version that is unknown", ipv6 + six + `
addons: {vpc-cni: null}
awsNode: {daemonSet: {image: "registry.example/cni@sha256:00"}}`,
			map[string]finding.Status{"NR206": finding.Unknown, "NR209": finding.NotApplicable},
			"has no version",
		},
		{
			"the add-on's version stands in for the image's", ipv6 + six + `
addons: {vpc-cni: {version: v1.21.1-eksbuild.1}}
awsNode: {daemonSet: {image: "registry.example/cni@sha256:00"}}`,
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.Fail},
			"the cluster runs vpc-cni v1.21.1",
		},
		{
			"a denied change of security groups on IPv6 is an event", ipv6 + sixNew + daemonSet("v1.22.3", "") + `
events: [{reason: MissingIAMPermissions, object: Pod/aws-node-x, count: 7, message: "Unauthorized operation: failed to call ec2:ModifyNetworkInterfaceAttribute due to missing permissions."}]`,
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Fail, "NR802": finding.Fail},
			"Pod/aws-node-x reports MissingIAMPermissions for ec2:ModifyNetworkInterfaceAttribute, 7 times",
		},
		{
			"and the event says that aws-node works without", ipv6 + sixNew + daemonSet("v1.22.3", "") + `
events: [{reason: MissingIAMPermissions, object: Pod/aws-node-x, message: "failed to call ec2:ModifyNetworkInterfaceAttribute due to missing permissions."}]`,
			map[string]finding.Status{"NR802": finding.Fail},
			"aws-node works without ec2:ModifyNetworkInterfaceAttribute",
		},
		{
			"a denied interface on IPv6 shows that the first subnet is excluded", ipv6 + sixNew + daemonSet("v1.22.3", "") + `
events: [{reason: MissingIAMPermissions, object: Pod/aws-node-x, message: "failed to call ec2:CreateNetworkInterface due to missing permissions."}]`,
			map[string]finding.Status{"NR206": finding.Fail},
			"are for additional interfaces",
		},
		{
			"multi-NIC on IPv6 attaches interfaces", ipv6 + sixNew + daemonSet("v1.22.3", `, env: {ENABLE_MULTI_NIC: "true"}`),
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Fail},
			"are for additional interfaces",
		},
		{
			"before v1.23.2 nothing is attached to HyperPod nodes", `nodes: {hyperpod-i-0abcdef0123456789: {providerID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", maker: hyperPod}}`,
			map[string]finding.Status{"NR206": finding.Pass, "NR209": finding.Pass, "NR211": finding.Pass},
			"",
		},
		{
			"then SageMaker attaches interfaces to them", daemonSet("v1.24.0", "") + `nodes: {hyperpod-i-0abcdef0123456789: {providerID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", maker: hyperPod}}`,
			map[string]finding.Status{"NR206": finding.Pass, "NR211": finding.Fail},
			"sagemaker:AttachClusterNodeNetworkInterface is for additional interfaces of HyperPod nodes",
		},
		{
			"the policy of the other IP family on the node role", `
roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {inlinePolicies: {six: '{"Version":"2012-10-17","Statement":` + allow("*", "AssignIpv6Addresses") + `}'}}}`,
			map[string]finding.Status{"NR205": finding.Fail},
			"safe to remove: all",
		},
		{
			"and the other way round", ipv6 + daemonSet("v1.22.3", "") + sixNew + `  "arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}
`,
			map[string]finding.Status{"NR205": finding.Fail},
			"ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses: allowed by AmazonEKS_CNI_Policy",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, tt.patch)), rules.All())
			var evidence []string
			for id, want := range tt.want {
				i := slices.IndexFunc(results, func(r finding.Result) bool { return r.ID == id })
				if got := results[i]; got.Status != want {
					t.Errorf("%s: %s, want %s: %s\n%s", id, got.Status, want, got.Message, strings.Join(got.Evidence, "\n"))
				}
				evidence = append(evidence, results[i].Evidence...)
			}
			if !strings.Contains(strings.Join(evidence, "\n"), tt.evidence) {
				t.Errorf("the evidence lacks %q:\n%s", tt.evidence, strings.Join(evidence, "\n"))
			}
		})
	}
}

// TestRecommendedEvent: the event of an action that aws-node can do without is explained by
// NR211, that of a required one by NR206.
func TestRecommendedEvent(t *testing.T) {
	event := func(action string) string {
		return `
events: [{reason: MissingIAMPermissions, object: Pod/aws-node-x, message: "failed to call ` + action + ` due to missing permissions."}]
roles: {"arn:aws:iam::111122223333:role/eksCNIRole": {inlinePolicies: {no: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"` + action + `","Resource":"*"}}'}}}`
	}
	for action, want := range map[string]string{"ec2:DetachNetworkInterface": "NR211", "ec2:CreateTags": "NR206"} {
		results := rules.Judge(view.New(overlay(t, event(action))), rules.Options{}).Results
		i := slices.IndexFunc(results, func(r finding.Result) bool { return r.ID == "NR802" })
		var causes []string
		for _, c := range results[i].Causes {
			causes = append(causes, c.ID)
		}
		if !slices.Equal(causes, []string{want}) {
			t.Errorf("%s: caused by %v, want %s", action, causes, want)
		}
	}
}
