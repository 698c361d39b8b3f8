package view

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const (
	aRole    = "arn:aws:iam::111122223333:role/eksNodeRole"
	aProfile = "arn:aws:iam::111122223333:instance-profile/eksNodeRole"
	dnsNode  = "ip-10-0-1-17.eu-west-1.compute.internal"
	idNode   = "i-0123456789abcdef0"
	// resourceName is the private DNS name of an instance whose hostname type is the
	// resource name: it begins with the id, and is a DNS name all the same.
	resourceName = "i-0123456789abcdef0.eu-west-1.compute.internal"
)

// nodeCase is a role with nodes of one source.
type nodeCase struct {
	nodes       []string
	windows     bool
	template    string // the node group's launch template
	auto        bool   // EKS Auto Mode has the role too
	provisioner snapshot.Provisioner
	amiType     string
	family      string // of an EC2NodeClass
}

func (c nodeCase) view() (*View, *NodeRole) {
	s := &snapshot.Snapshot{
		Cluster: snapshot.Cluster{ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/prod"},
		Roles:   map[string]snapshot.Role{aRole: {InstanceProfiles: []string{aProfile}}}, InstanceProfiles: map[string]snapshot.InstanceProfile{aProfile: {Roles: []string{aRole}}},
		Nodes: map[string]snapshot.Node{}, Instances: map[string]snapshot.Instance{"i-0a": {InstanceProfile: aProfile}},
	}
	switch c.provisioner {
	case snapshot.ProvisionedByKarpenter:
		s.KarpenterNodeClasses = map[string]snapshot.NodeClass{"c": {RoleARN: aRole, AMIFamily: c.family}}
	case snapshot.SelfManaged:
	default:
		s.NodeGroups = map[string]snapshot.NodeGroup{"g": {NodeRoleARN: aRole, LaunchTemplate: c.template, AMIType: c.amiType}}
	}
	if c.auto {
		s.Cluster.AutoMode = &snapshot.AutoMode{NodeRoleARN: aRole}
	}
	for _, name := range c.nodes {
		s.Nodes[name] = snapshot.Node{ProviderID: "aws:///eu-west-1a/i-0a", Provisioner: c.provisioner, Owner: "g", NodeClass: "c", Windows: c.windows}
	}
	v := New(s)
	return v, v.NodeRoles()[0]
}

// TestMappingOfNodes: how nodes are named and what they run decides which access entries
// and which user names let them in, whatever made them.
func TestMappingOfNodes(t *testing.T) {
	const group, karpenter, self = snapshot.ProvisionedByNodeGroup, snapshot.ProvisionedByKarpenter, snapshot.SelfManaged
	for name, test := range map[string]struct {
		nodeCase
		entry string   // the type that is wanted
		fit   []string // the types that fit
		user  string
		users []string // the user names that fit
		mixed bool
		needs int // required actions
	}{
		"private DNS names":       {nodeCase{provisioner: group, nodes: []string{dnsNode}}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"resource names":          {nodeCase{provisioner: group, nodes: []string{resourceName}}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"instance IDs":            {nodeCase{provisioner: group, nodes: []string{idNode}}, "EC2", []string{"EC2"}, BySession, []string{BySession, NodeNames[2]}, false, 0},
		"instance IDs, Karpenter": {nodeCase{provisioner: karpenter, nodes: []string{idNode}}, "EC2", []string{"EC2"}, BySession, []string{BySession, NodeNames[2]}, false, 0},
		"both":                    {nodeCase{provisioner: group, nodes: []string{dnsNode, idNode}}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, NodeNames, true, 1},
		"Auto Mode beside a node group": {
			nodeCase{provisioner: group, nodes: []string{dnsNode}, auto: true}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, NodeNames, true, 1,
		},
		"Auto Mode beside an idle node group": {nodeCase{provisioner: group, auto: true}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, NodeNames, true, 1},
		"Auto Mode beside instance IDs":       {nodeCase{provisioner: group, nodes: []string{idNode}, auto: true}, "EC2", []string{"EC2"}, BySession, []string{BySession, NodeNames[2]}, false, 0},
		"an idle node group":                  {nodeCase{provisioner: group}, "EC2_LINUX", []string{"EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"an idle node group with user data":   {nodeCase{provisioner: group, template: "lt-1:1"}, "EC2_LINUX", []string{"EC2", "EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, NodeNames, false, 1},
		"a name of somebody's own":            {nodeCase{provisioner: group, template: "lt-1:1", nodes: []string{"worker1"}}, "EC2_LINUX", []string{"EC2", "EC2_LINUX", "EC2_WINDOWS"}, ByPrivateDNS, NodeNames, false, 1},
		"Windows, custom AMI":                 {nodeCase{provisioner: group, nodes: []string{dnsNode}, windows: true, amiType: "CUSTOM"}, "EC2_WINDOWS", []string{"EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"Windows, Karpenter":                  {nodeCase{provisioner: karpenter, nodes: []string{dnsNode}, windows: true}, "EC2_WINDOWS", []string{"EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"Windows, Karpenter, not joined":      {nodeCase{provisioner: karpenter, family: "windows2022"}, "EC2_WINDOWS", []string{"EC2_WINDOWS"}, ByPrivateDNS, NodeNames, false, 1},
		"Windows, self-managed":               {nodeCase{provisioner: self, nodes: []string{dnsNode}, windows: true}, "EC2_WINDOWS", []string{"EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
		"Windows, not joined":                 {nodeCase{provisioner: group, amiType: "WINDOWS_CORE_2022_x86_64"}, "EC2_WINDOWS", []string{"EC2_WINDOWS"}, ByPrivateDNS, []string{ByPrivateDNS}, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			v, r := test.view()
			if got := v.EntryType(r); got != test.entry {
				t.Errorf("wants an entry of type %s, want %s", got, test.entry)
			}
			var fit, users []string
			for _, entry := range []string{"EC2", "EC2_LINUX", "EC2_WINDOWS", "STANDARD", "FARGATE_LINUX", HybridEntry, HyperPodEntry} {
				if v.EntryFits(r, entry) {
					fit = append(fit, entry)
				}
			}
			for _, user := range append(slices.Clone(NodeNames), "system:node:me", "") {
				if v.UserNameFits(r, user) {
					users = append(users, user)
				}
			}
			if diff := cmp.Diff(test.fit, fit); diff != "" {
				t.Errorf("types that fit (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.users, users); diff != "" {
				t.Errorf("user names that fit (-want +got):\n%s", diff)
			}
			if got := v.UserName(r); got != test.user {
				t.Errorf("user name %s, want %s", got, test.user)
			}
			if got := v.Naming(r).Mixed(); got != test.mixed {
				t.Errorf("mixed: %v, want %v", got, test.mixed)
			}
			if got := len(v.NeedsOf(r).Required()); got != test.needs {
				t.Errorf("requires %d actions, want %d", got, test.needs)
			}
		})
	}
}

// TestDisplaced: an instance that holds another role than its node group names is found,
// by its tag or its node's label, and the other role is no node role.
func TestDisplaced(t *testing.T) {
	const (
		other   = "arn:aws:iam::111122223333:role/QuickSetup"
		profile = "arn:aws:iam::111122223333:instance-profile/QuickSetup"
	)
	ssm := map[string]string{"ssm": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:*","Resource":"*"}}`}
	pull := map[string]string{"pull": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ssm:*","ecr:*"],"Resource":"*"}}`}
	for name, test := range map[string]struct {
		node     snapshot.Node
		instance snapshot.Instance
		inline   map[string]string
		entry    bool
		want     string // Reason; empty for none
		roles    int    // node roles
	}{
		"by tag":             {instance: snapshot.Instance{NodeGroup: "g", InstanceProfile: profile}, want: "has role QuickSetup from instance profile QuickSetup, but its node group g has role eksNodeRole", roles: 1},
		"by label":           {node: snapshot.Node{Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "g"}, instance: snapshot.Instance{InstanceProfile: profile}, want: "has role QuickSetup from instance profile QuickSetup, but its node group g has role eksNodeRole", roles: 1},
		"label taken off":    {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{NodeGroup: "g", InstanceProfile: profile}, want: "has role QuickSetup from instance profile QuickSetup, but its node group g has role eksNodeRole", roles: 1},
		"no profile":         {node: snapshot.Node{Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "g"}, instance: snapshot.Instance{}, want: "has no role, but its node group g has role eksNodeRole", roles: 1},
		"never joined":       {instance: snapshot.Instance{NodeGroup: "g"}, roles: 1},
		"as it should be":    {instance: snapshot.Instance{NodeGroup: "g", InstanceProfile: aProfile}, roles: 1},
		"without a tag":      {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{Owned: true, InstanceProfile: profile}, inline: ssm, want: "has role QuickSetup from instance profile QuickSetup, with which it cannot have joined", roles: 1},
		"not the cluster's":  {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{InstanceProfile: profile}, inline: ssm, roles: 2},
		"let in":             {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{Owned: true, InstanceProfile: profile}, inline: ssm, entry: true, roles: 2},
		"pulls images":       {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{Owned: true, InstanceProfile: profile}, inline: pull, roles: 2},
		"allows nothing":     {node: snapshot.Node{Provisioner: snapshot.SelfManaged}, instance: snapshot.Instance{Owned: true, InstanceProfile: profile}, roles: 2},
		"a group not read":   {instance: snapshot.Instance{NodeGroup: "lost", InstanceProfile: profile}, roles: 1},
		"a profile not read": {instance: snapshot.Instance{NodeGroup: "g", InstanceProfile: aProfile + "2"}, roles: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &snapshot.Snapshot{
				Cluster:          snapshot.Cluster{ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/prod", AuthenticationMode: "API"},
				NodeGroups:       map[string]snapshot.NodeGroup{"g": {NodeRoleARN: aRole}},
				Roles:            map[string]snapshot.Role{aRole: {InstanceProfiles: []string{aProfile}}, other: {InlinePolicies: test.inline}},
				InstanceProfiles: map[string]snapshot.InstanceProfile{aProfile: {Roles: []string{aRole}}, profile: {Roles: []string{other}}},
				Instances:        map[string]snapshot.Instance{"i-0a": test.instance},
			}
			if test.node.Provisioner != "" {
				test.node.ProviderID = "aws:///eu-west-1a/i-0a"
				s.Nodes = map[string]snapshot.Node{dnsNode: test.node}
			}
			if test.entry {
				s.AccessEntries = map[string]snapshot.AccessEntry{other: {Type: "EC2_LINUX"}}
			}
			v := New(s)
			got := ""
			for _, d := range v.DisplacedInstances() {
				got += d.Reason()
			}
			if got != test.want || len(v.NodeRoles()) != test.roles {
				t.Errorf("%q and %d node roles, want %q and %d", got, len(v.NodeRoles()), test.want, test.roles)
			}
		})
	}
}

// TestHybridRoles: the roles of hybrid nodes are those with an entry of their type, and
// those that aws-auth maps to sessions and that trust what gives such nodes their role.
func TestHybridRoles(t *testing.T) {
	trust := func(service string) snapshot.Role {
		return snapshot.Role{TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}}`}
	}
	arn := func(name string) string { return "arn:aws:iam::111122223333:role/" + name }
	mapped := func(name string) string {
		return "- {rolearn: '" + arn(name) + "', username: 'system:node:{{SessionName}}'}\n"
	}
	v := New(&snapshot.Snapshot{
		Cluster: snapshot.Cluster{AuthenticationMode: "API_AND_CONFIG_MAP"},
		Roles: map[string]snapshot.Role{
			arn("entry"): trust("ec2.amazonaws.com"), arn("on-prem/ssm"): trust("ssm.amazonaws.com"), arn("anywhere"): trust("rolesanywhere.amazonaws.com"),
			arn("ec2"): trust("ec2.amazonaws.com"), arn("unmapped"): trust("ssm.amazonaws.com"), arn("group"): trust("ssm.amazonaws.com"), arn("pod"): trust("sagemaker.amazonaws.com"),
		},
		NodeGroups:    map[string]snapshot.NodeGroup{"g": {NodeRoleARN: arn("group")}},
		Nodes:         map[string]snapshot.Node{"mi-1": {Provisioner: snapshot.ProvisionedByHybrid}},
		AccessEntries: map[string]snapshot.AccessEntry{arn("entry"): {Type: HybridEntry}, arn("pod"): {Type: HyperPodEntry}},
		AWSAuth:       &snapshot.AWSAuth{MapRoles: mapped("ssm") + mapped("anywhere") + mapped("ec2") + mapped("group") + mapped("unread")},
		Missing:       []snapshot.Missing{{Fact: snapshot.FactRoles, Subject: arn("unread"), Operation: "iam:GetRole", Error: "refused"}},
	})
	var got []string
	for _, r := range v.HybridRoles() {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"entry", "anywhere", "ssm", "unread"}, got); diff != "" {
		t.Errorf("hybrid roles (-want +got):\n%s", diff)
	}
	if roles := v.HyperPodRoles(); len(roles) != 1 || roles[0].Name != "pod" {
		t.Errorf("HyperPod roles %v", roles)
	}
}
