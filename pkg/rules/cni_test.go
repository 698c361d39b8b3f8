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

// withoutOwnRole has aws-node use the node role, which has no CNI permissions, and no pods yet.
const withoutOwnRole = `
addons: {vpc-cni: {serviceAccountRoleArn: null}}
awsNode: {serviceAccount: {roleArn: null}, pods: null}
`

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
		{
			"the role of another service account is not read", daemonSet("v1.20.4", `, serviceAccount: vpc-cni`),
			map[string]finding.Status{"NR206": finding.Unknown, "NR601": finding.Unknown, "NR602": finding.Unknown},
			"aws-node runs as service account kube-system/vpc-cni",
		},
		{
			"whose static keys they are is not read", daemonSet("v1.20.4", `, env: {AWS_ACCESS_KEY_ID: "(set)"}`),
			map[string]finding.Status{"NR206": finding.Unknown, "NR601": finding.Fail, "NR602": finding.Fail, "NR603": finding.NotApplicable, "NR605": finding.Fail},
			"sets static access keys",
		},
		{
			"new pods of a container that the webhook skips have the node role", daemonSet("v1.20.4", `, skipContainers: "aws-node,other"`) + "addons: {vpc-cni: null}\n",
			map[string]finding.Status{"NR206": finding.Fail, "NR601": finding.Fail, "NR605": finding.Fail},
			"the pods of aws-node are annotated eks.amazonaws.com/skip-containers: aws-node,other",
		},
		{
			"the webhook adds no token where the template names a role", daemonSet("v1.20.4", `, env: {AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/eksCNIRole"}`),
			map[string]finding.Status{"NR206": finding.Fail, "NR601": finding.Fail, "NR605": finding.Fail},
			"EKS then adds no token",
		},
		{
			"the template's own web identity comes before that of EKS",
			daemonSet("v1.20.4", `, env: {AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/eksCNIRole", AWS_WEB_IDENTITY_TOKEN_FILE: /token}`) +
				"podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: 'arn:aws:iam::111122223333:role/other'}}\nroles: {'arn:aws:iam::111122223333:role/other': {notFound: true}}\n",
			map[string]finding.Status{"NR206": finding.Pass, "NR602": finding.Pass, "NR603": finding.Pass, "NR605": finding.Fail},
			"the DaemonSet sets AWS_WEB_IDENTITY_TOKEN_FILE",
		},
		{
			"an annotation that is not the ARN of a role", `awsNode: {serviceAccount: {roleArn: "arn:aws:iam::111122223333:role/eksCNIRole "}, pods: null}` + "\naddons: {vpc-cni: null}\n",
			map[string]finding.Status{"NR206": finding.NotApplicable, "NR603": finding.Fail},
			"role-arn annotation arn:aws:iam::111122223333:role/eksCNIRole ",
		},
		{
			"a role of another partition", `awsNode: {serviceAccount: {roleArn: "arn:aws-cn:iam::111122223333:role/eksCNIRole"}, pods: null}` + "\naddons: {vpc-cni: null}\n",
			map[string]finding.Status{"NR206": finding.NotApplicable, "NR603": finding.Fail},
			"",
		},
		{
			"a role of another account cannot manage the interfaces of this one",
			`awsNode: {serviceAccount: {roleArn: "arn:aws:iam::444455556666:role/eksCNIRole"}, pods: null}
addons: {vpc-cni: {serviceAccountRoleArn: "arn:aws:iam::444455556666:role/eksCNIRole"}}
missing: [{fact: roles, subject: "arn:aws:iam::444455556666:role/eksCNIRole", operation: "iam:GetRole", error: "the role is in account 444455556666"}]`,
			map[string]finding.Status{"NR206": finding.Fail, "NR603": finding.NotApplicable},
			"aws-node is configured with arn:aws:iam::444455556666:role/eksCNIRole",
		},
		{
			"nor can a target role of another account",
			`podIdentityAssociations: {a-1: {namespace: kube-system, serviceAccount: aws-node, roleArn: "arn:aws:iam::111122223333:role/eksCNIRole", targetRoleArn: "arn:aws:iam::444455556666:role/target"}}
roles: {"arn:aws:iam::444455556666:role/target": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}}`,
			map[string]finding.Status{"NR206": finding.Fail},
			"aws-node is configured with arn:aws:iam::444455556666:role/target",
		},
		{
			"a nodeSelector that no node fits keeps aws-node away", withoutOwnRole + `systemImages: {aws-node: {nodeSelector: {"io.cilium/aws-node-enabled": "true"}}}`,
			map[string]finding.Status{"NR206": finding.NotApplicable, "NR211": finding.NotApplicable, "NR601": finding.NotApplicable},
			"nodes lack a label that its nodeSelector asks for: io.cilium/aws-node-enabled",
		},
		{
			"and so does an affinity, where nodes are Ready with another CNI", withoutOwnRole + `nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {network: CalicoIsUp}}`,
			map[string]finding.Status{"NR206": finding.NotApplicable, "NR601": finding.NotApplicable},
			"1 nodes report CalicoIsUp",
		},
		{
			"nodes that are not Ready may lack aws-node because its pods cannot start",
			withoutOwnRole + `systemImages: {aws-node: {nodeSelector: {"io.cilium/aws-node-enabled": "true"}}}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {ready: false}, ip-10-0-2-41.eu-west-1.compute.internal: {ready: false}, ip-10-0-1-90.eu-west-1.compute.internal: {ready: false}}`,
			map[string]finding.Status{"NR206": finding.Fail},
			"ec2:AssignPrivateIpAddresses",
		},
		{
			"Windows nodes do not run aws-node", withoutOwnRole + `
nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}, system: null}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {windows: true}, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null}`,
			map[string]finding.Status{"NR206": finding.NotApplicable, "NR211": finding.NotApplicable},
			"",
		},
		{
			"nor the Pod Identity Agent", `
podIdentityAgent: {nodes: {}}
awsNode: {pods: null}
nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}, system: null}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {windows: true}, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null}
roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: []}}`,
			map[string]finding.Status{"NR204": finding.NotApplicable, "NR214": finding.NotApplicable},
			"",
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

// TestWindowsAddresses: Windows pods get their addresses by the cluster role, unless another
// CNI gives them.
func TestWindowsAddresses(t *testing.T) {
	const windows = `
nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {windows: true}}
`
	role := func(actions string) string {
		return windows + `
roles: {"arn:aws:iam::111122223333:role/eksClusterRole": {trustPolicy: '{}', inlinePolicies: {own: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` + actions + `"],"Resource":"*"}}'}}}
`
	}
	for name, test := range map[string]struct {
		patch string
		want  finding.Status
	}{
		"granted":                    {role(`ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses`), finding.Pass},
		"not granted":                {role("ec2:Describe*"), finding.Fail},
		"security groups too":        {role(`ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses`) + `awsNode: {daemonSet: {env: {ENABLE_POD_ENI: "true"}}}`, finding.Fail},
		"the role was not read":      {windows + `missing: [{fact: clusterRole, subject: "arn:aws:iam::111122223333:role/eksClusterRole", operation: "iam:GetRole", error: AccessDenied}]`, finding.NotApplicable},
		"another CNI":                {strings.Replace(role("ec2:Describe*"), "windows: true", "windows: true, network: CalicoIsUp", 1), finding.NotApplicable},
		"a node group without nodes": {strings.Replace(role("ec2:Describe*"), "windows: true", "ready: true", 1) + "nodes: null\nawsNode: {pods: null}\n", finding.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, test.patch)), rules.All())
			i := slices.IndexFunc(results, func(r finding.Result) bool { return r.ID == "NR214" })
			if i < 0 || results[i].Status != test.want {
				t.Errorf("got %+v, want %s", results[max(i, 0)], test.want)
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
