package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// byInstanceID gives the healthy example nodes that are named by their instance ID.
const byInstanceID = `
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: null, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null,
  i-01a2b3c4d5e6f7081: {providerID: "aws:///eu-west-1a/i-01a2b3c4d5e6f7081", maker: nodeGroup, owner: apps, ready: true}}
nodeGroups: {system: null}
awsNode: {pods: null}
`

// hybridRole is a role of hybrid nodes with what it is allowed.
func hybridRole(service, actions string) string {
	return `
roles:
  "arn:aws:iam::111122223333:role/hybrid":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}'
    inlinePolicies: {all: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}}'}
`
}

// autoMode turns on EKS Auto Mode with its built-in node pools. It ends within the roles.
const autoMode = `
cluster: {autoMode: {nodeRoleArn: "arn:aws:iam::111122223333:role/autoNodeRole", nodePools: [general-purpose]}}
accessEntries: {"arn:aws:iam::111122223333:role/autoNodeRole": {
  type: EC2, createdAt: "2026-02-01T00:00:00Z", policies: {"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy": []}}}
roles:
  "arn:aws:iam::111122223333:role/autoNodeRole":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]
    inlinePolicies: {agent: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"*"}}'}
`

// localCluster adds a node whose instance has the cluster role, as the nodes of the control
// plane of a local cluster on AWS Outposts have.
func localCluster(local string) string {
	return `
cluster: {localControlPlane: ` + local + `}
nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: selfManaged, ready: true}}
instances: {i-0aaaaaaaaaaaaaaaa: {state: running, instanceProfile: "arn:aws:iam::111122223333:instance-profile/local"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/local": {roles: ["arn:aws:iam::111122223333:role/eksClusterRole"]}}
roles:
  "arn:aws:iam::111122223333:role/eksClusterRole":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'
`
}

// fargateMapped has aws-auth map the role of a Fargate profile, or only that of the nodes.
func fargateMapped(role, username string) string {
	patch := `
cluster: {authenticationMode: CONFIG_MAP}
accessEntries: null
awsAuth:
  mapRoles: |
    - rolearn: arn:aws:iam::111122223333:role/eksNodeRole
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:nodes]
`
	if role == "" {
		return patch
	}
	return patch + `
    - rolearn: arn:aws:iam::111122223333:role/` + role + `
      username: "` + username + `"
      groups: [system:bootstrappers, system:nodes, system:node-proxier]
`
}

// fargateEvent is what the scheduler of Fargate says of a pod.
const fargateEvent = `
events: [{reason: FailedScheduling, object: Pod/coredns-1, message: "Misconfigured Fargate Profile: fargate profile coredns blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods."}]
`

// TestNodesOfAllKinds: what fails or depends for nodes of each kind, by rule, where
// everything else is in order.
func TestNodesOfAllKinds(t *testing.T) {
	const (
		entry  = `accessEntries: {"arn:aws:iam::111122223333:role/hybrid": {type: HYBRID_LINUX, createdAt: "2026-02-01T00:00:00Z"}}` + "\n"
		node   = `nodes: {mi-1: {providerID: "eks-hybrid:///eu-west-1/prod/mi-1", maker: hybrid, ready: true}}` + "\n"
		ssm    = "ssm.amazonaws.com"
		all    = `"eks:*","ssm:*","ecr:*"`
		mode   = "cluster: {authenticationMode: CONFIG_MAP}\naccessEntries: null\n"
		mapped = `awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/hybrid', username: 'system:node:{{SessionName}}', groups: ['system:bootstrappers', 'system:nodes']}"}` + "\n"
	)
	const custom = "nodeGroups: {apps: {launchTemplate: 'lt-1:1'}, system: null}\nnodes: null\nawsNode: {pods: null}\n"
	session := func(username string) string {
		return mode + `awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: '` + username + `', groups: ['system:bootstrappers', 'system:nodes']}"}` + "\n"
	}
	for name, test := range map[string]struct {
		patch string
		want  []string // RULE STATUS
	}{
		"hybrid":                        {entry + node + hybridRole(ssm, all), nil},
		"hybrid, IAM Roles Anywhere":    {entry + node + hybridRole("rolesanywhere.amazonaws.com", `"eks:*","ecr:*"`), nil},
		"hybrid without ListAccess":     {entry + node + hybridRole(ssm, `"eks:DescribeCluster","ssm:*","ecr:*"`), []string{"NR212 fail"}},
		"hybrid without Describe":       {entry + node + hybridRole(ssm, `"ssm:*","ecr:*"`), []string{"NR212 depends"}},
		"hybrid without pull":           {entry + node + hybridRole(ssm, `"ssm:*"`), []string{"NR212 fail"}},
		"hybrid without SSM":            {entry + node + hybridRole(ssm, `"eks:*","ecr:*"`), []string{"NR220 fail"}},
		"hybrid with the agent":         {entry + node + hybridRole(ssm, all) + "podIdentityAgent: {nodes: {mi-1: true}}\n", []string{"NR204 fail"}},
		"hybrid, the agent elsewhere":   {entry + node + hybridRole(ssm, all) + "podIdentityAgent: {nodes: {ip-10-0-1-17.eu-west-1.compute.internal: true}}\n", nil},
		"hybrid, role recreated":        {strings.Replace(entry, "2026-02", "2025-02", 1) + node + hybridRole(ssm, all), []string{"NR503 fail"}},
		"hybrid by aws-auth":            {mapped + node + hybridRole(ssm, all), []string{"NR509 depends"}},
		"hybrid, nothing lets them in":  {node + hybridRole(ssm, all), []string{"NR509 fail"}},
		"hybrid, none has joined":       {"cluster: {remoteNodeNetworks: [10.200.0.0/16]}", []string{"NR509 depends"}},
		"hybrid, CONFIG_MAP":            {session(view.ByPrivateDNS) + node, []string{"NR509 fail"}},
		"instance IDs, EC2_LINUX entry": {byInstanceID, []string{"NR502 fail"}},
		"instance IDs, private DNS":     {byInstanceID + session(view.ByPrivateDNS), []string{"NR505 fail"}},
		"instance IDs, sessions":        {byInstanceID + session(view.BySession), nil},
		"private DNS, sessions":         {session(view.BySession), []string{"NR505 fail"}},
		"private DNS, EC2 entry":        {`accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2}}`, []string{"NR502 fail"}},
		"two namings": {`
nodes: {i-0abcdef0123456789: {providerID: "aws:///eu-west-1a/i-0abcdef0123456789", maker: nodeGroup, owner: apps, ready: true}}`, []string{"NR109 fail"}},
		"Auto Mode and a group whose user data decides": {`
cluster: {autoMode: {nodeRoleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}
accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2}}
nodeGroups: {apps: {launchTemplate: "lt-1:1"}, system: null}
nodes: null
awsNode: {pods: null}`, []string{"NR109 depends"}},
		"EC2 entry, no node shows its name": {custom + `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2}}`, []string{"NR502 depends"}},
		"sessions, no node shows its name":  {custom + session(view.BySession), []string{"NR505 depends"}},
		"EC2_LINUX, no node shows its name": {custom, nil},
		"without system:bootstrappers":      {strings.Replace(session(view.ByPrivateDNS), "'system:bootstrappers', ", "", 1), nil},
		"without system:nodes":              {strings.Replace(session(view.ByPrivateDNS), "'system:nodes'", "", 1), []string{"NR505 fail"}},
		"Auto Mode beside aws-node with the node role": {
			withoutOwnRole + autoMode + `
  "arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: [
    "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]}`,
			[]string{"NR205 fail", "NR601 fail"},
		},
		"HyperPod, role recreated": {`
nodes: {hyperpod-i-0abcdef0123456789: {providerID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", maker: hyperPod, ready: true}}
accessEntries: {"arn:aws:iam::111122223333:role/pod": {type: HYPERPOD_LINUX, createdAt: "2025-02-01T00:00:00Z"}}
roles:
  "arn:aws:iam::111122223333:role/eksCNIRole": {inlinePolicies: {hyperpod: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sagemaker:AttachClusterNodeNetworkInterface","Resource":"*"}}'}}
  "arn:aws:iam::111122223333:role/pod":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}}'
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]`, []string{"NR503 fail"}},
		"no instance metadata":                             {`instances: {i-01a2b3c4d5e6f7081: {state: running, nodeGroup: apps, httpEndpoint: disabled, instanceProfile: "arn:aws:iam::111122223333:instance-profile/eksNodeRole"}}`, []string{"NR105 fail"}},
		"a node class without instance metadata":           {`karpenterNodeClasses: {default: {role: eksNodeRole, roleArn: "arn:aws:iam::111122223333:role/eksNodeRole", metadata: {httpEndpoint: disabled}}}`, []string{"NR106 fail"}},
		"built-in node pools":                              {autoMode, nil},
		"built-in node pools without their access policy":  {strings.Replace(autoMode, "AmazonEKSAutoNodePolicy", "AmazonEKSViewPolicy", 1), []string{"NR507 depends"}},
		"the control plane of a local cluster on Outposts": {localCluster("true"), nil},
		"nodes with the cluster role":                      {localCluster("false"), []string{"NR101 fail", "NR201 fail", "NR202 fail", "NR203 fail", "NR210 fail", "NR501 fail"}},
		"the profile of a Karpenter node was replaced": {`
karpenterNodeClasses: {default: {amiFamily: AL2023, role: eksNodeRole, roleArn: "arn:aws:iam::111122223333:role/eksNodeRole"}}
nodes: {ip-10-0-9-9.eu-west-1.compute.internal: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: karpenter, owner: pool, nodeClass: default}}
instances: {i-0aaaaaaaaaaaaaaaa: {state: running, owned: true, nodePool: pool, instanceProfile: "arn:aws:iam::111122223333:instance-profile/QuickSetup"}}
instanceProfiles: {"arn:aws:iam::111122223333:instance-profile/QuickSetup": {roles: ["arn:aws:iam::111122223333:role/QuickSetup"]}}
roles:
  "arn:aws:iam::111122223333:role/QuickSetup":
    inlinePolicies: {ssm: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:UpdateInstanceInformation","Resource":"*"}}'}`, []string{"NR110 fail"}},
		"HyperPod without an access entry": {`nodes: {hyperpod-i-0abcdef0123456789: {providerID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", maker: hyperPod, ready: true}}
roles: {"arn:aws:iam::111122223333:role/eksCNIRole": {inlinePolicies: {hyperpod: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sagemaker:AttachClusterNodeNetworkInterface","Resource":"*"}}'}}}`, []string{"NR501 depends"}},
		"Fargate, aws-auth was replaced":     {fargateMapped("", "system:node:{{SessionName}}") + fargateEvent, []string{"NR515 fail", "NR802 fail"}},
		"Fargate, mapped":                    {fargateMapped("eksFargatePodExecutionRole", "system:node:{{SessionName}}"), nil},
		"Fargate, mapped with its path":      {fargateMapped("team/eksFargatePodExecutionRole", "system:node:{{SessionName}}") + fargateEvent, []string{"NR515 fail", "NR802 fail"}},
		"Fargate, mapped as a node":          {fargateMapped("eksFargatePodExecutionRole", "system:node:{{EC2PrivateDNSName}}"), []string{"NR515 fail"}},
		"Fargate, not mapped and not in use": {fargateMapped("", ""), nil},
		"Fargate, access entries decide":     {"nodes: {fargate-ip-10-0-4-4.eu-west-1.compute.internal: {maker: fargate, ready: true}}", nil},
		"Fargate alone": {`
nodeGroups: null
accessEntries: null
awsNode: {pods: null}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: null, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null,
  fargate-ip-10-0-4-4.eu-west-1.compute.internal: {maker: fargate, ready: true}}`, nil},
		"EC2 nodes with an entry for hybrid nodes":   {`accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: HYBRID_LINUX}}`, []string{"NR502 fail"}},
		"EC2 nodes with an entry for HyperPod nodes": {`accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: HYPERPOD_LINUX}}`, []string{"NR502 fail"}},
		"built-in node pools, a role with a path":    {strings.ReplaceAll(autoMode, ":role/auto", ":role/team/auto"), []string{"NR510 fail"}},
		"built-in node pools, nodes with a path have joined": {strings.ReplaceAll(autoMode, ":role/auto", ":role/team/auto") + `
nodes: {i-0aaaaaaaaaaaaaaaa: {providerID: "aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa", maker: autoMode, owner: general-purpose, nodeClass: default, ready: true}}`, nil},
		"a node class with a path": {`karpenterNodeClasses: {default: {role: team/eksNodeRole}}`, []string{"NR106 fail"}},
		"Windows of a custom AMI": {`
nodeGroups: {apps: {amiType: CUSTOM}}
nodes: {ip-10-0-1-17.eu-west-1.compute.internal: {osImage: Windows Server 2022 Datacenter}}`, []string{"NR502 fail"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range rules.Run(view.New(overlay(t, test.patch)), rules.All()) {
				if r.Failed() && !slices.Contains(got, r.ID+" "+string(r.Status)) {
					got = append(got, r.ID+" "+string(r.Status))
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNearMissIsNamed: the finding says which entry never matches, and why, and that it is
// the only one about the role.
func TestNearMissIsNamed(t *testing.T) {
	s := overlay(t, "cluster: {authenticationMode: CONFIG_MAP}\naccessEntries: null\nawsAuth: {mapRoles: \"- {rolearn: x}\\n- {rolearn: '${module.eks.node_role_arn}', username: 'system:node:{{EC2PrivateDNSName}}', groups: []}\"}")
	var found []finding.Result
	for _, r := range rules.Run(view.New(s), rules.All()) {
		if r.Failed() {
			found = append(found, r)
		}
	}
	if len(found) != 1 || found[0].ID != "NR504" || found[0].Message != "aws-auth never matches eksNodeRole: rolearn has a placeholder that was not filled in" ||
		!strings.HasPrefix(found[0].Evidence[0], "aws-auth, line 2 of mapRoles: rolearn ${module.eks.node_role_arn}") {
		t.Errorf("%+v", found)
	}
}

// TestDisplacedRoleIsGrantedNothing: the role of an instance whose profile was replaced is
// not judged as a node role, and the advice gives the instance its profile back.
func TestDisplacedRoleIsGrantedNothing(t *testing.T) {
	for _, rule := range rules.All() {
		if rule.ID != "NR110" {
			continue
		}
		for _, r := range rules.Run(view.New(overlay(t, rule.Bad)), rules.All()) {
			if strings.Contains(r.Subject.ARN, "QuickSetup") {
				t.Errorf("%s judges the role: %s", r.ID, r.Message)
			}
			if r.ID == "NR110" && r.Status == finding.Fail {
				advice := fmt.Sprint(r.Next)
				if !strings.Contains(advice, "replace-iam-instance-profile-association") || !strings.Contains(advice, "Name=eksNodeRole") || strings.Contains(advice, "attach-role-policy") {
					t.Errorf("advice %s", advice)
				}
			}
		}
	}
}

// TestUnreadNodesMayHoldTheRole: where the role of a node could not be read, an access
// entry or mapping that would not let that node in does not pass.
func TestUnreadNodesMayHoldTheRole(t *testing.T) {
	const unread = `
nodes: {%s: {providerID: "aws:///eu-west-1a/i-0abcdef0123456789", maker: selfManaged, ready: true}}
missing: [{fact: instances, operation: "ec2:DescribeInstances", permission: "ec2:DescribeInstances", error: refused}]
`
	// None of the other nodes shows how the nodes of the role are named.
	const noNodes = "nodes: {ip-10-0-1-17.eu-west-1.compute.internal: null, ip-10-0-2-41.eu-west-1.compute.internal: null, ip-10-0-1-90.eu-west-1.compute.internal: null}\n" +
		"nodeGroups: {apps: {launchTemplate: 'lt-1:1'}, system: null}\nawsNode: {pods: null}\n"
	mapping := "cluster: {authenticationMode: CONFIG_MAP}\naccessEntries: null\n" +
		`awsAuth: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/eksNodeRole', username: 'system:node:{{SessionName}}', groups: ['system:bootstrappers', 'system:nodes']}"}` + "\n"
	entry := `accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: EC2}}` + "\n"
	for name, test := range map[string]struct {
		patches []string
		rule    string
		want    finding.Status
	}{
		"entry for instance ids, unread node has a DNS name": {[]string{noNodes, entry, fmt.Sprintf(unread, "ip-10-0-3-8.eu-west-1.compute.internal")}, "NR502", finding.Unknown},
		"entry for instance ids, unread node has one":        {[]string{noNodes, entry, fmt.Sprintf(unread, "i-0abcdef0123456789")}, "NR502", finding.Pass},
		"mapping to sessions, unread node has a DNS name":    {[]string{noNodes, mapping, fmt.Sprintf(unread, "ip-10-0-3-8.eu-west-1.compute.internal")}, "NR505", finding.Unknown},
		"mapping to sessions, unread node has an id":         {[]string{noNodes, mapping, fmt.Sprintf(unread, "i-0abcdef0123456789")}, "NR505", finding.Pass},
		"two namings, one unread":                            {[]string{fmt.Sprintf(unread, "i-0abcdef0123456789")}, "NR109", finding.Unknown},
		"one naming, one unread":                             {[]string{fmt.Sprintf(unread, "ip-10-0-3-8.eu-west-1.compute.internal")}, "NR109", finding.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			var got []finding.Status
			for _, r := range rules.Run(view.New(overlay(t, test.patches...)), rules.All()) {
				if r.ID == test.rule {
					got = append(got, r.Status)
				}
			}
			if !slices.Equal(got, []finding.Status{test.want}) {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}
