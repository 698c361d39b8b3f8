package need_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// short is a list of actions as the table writes them: the name without ec2:, and the
// resource types where there are several.
func short(actions []need.Action) string {
	var names []string
	for _, a := range actions {
		name := strings.TrimPrefix(a.Name, "ec2:")
		if len(a.Resources) > 1 {
			var types []string
			for _, r := range a.Resources {
				types = append(types, strings.TrimSuffix(r[strings.LastIndexByte(r, ':')+1:], "/*"))
			}
			name += "(" + strings.Join(types, ",") + ")"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func set(settings ...need.Setting) map[need.Setting]bool {
	on := map[need.Setting]bool{}
	for _, s := range settings {
		on[s] = s != need.SubnetDiscovery
	}
	return on
}

// The calls that the table repeats.
const (
	// What attaches an interface: AllocENI in pkg/awsutils/awsutils.go. v1.23.0: createENI
	// 965, attachENI 970 with awsGetFreeDeviceNumber 1011, ModifyNetworkInterfaceAttribute
	// 990, which returns an error at 1001. v1.21.2: 927 (attach), 825, 894, 1139.
	attach = "AttachNetworkInterface(network-interface,instance) CreateNetworkInterface(network-interface,subnet,security-group) " +
		"DescribeInstances ModifyNetworkInterfaceAttribute "
	// What takes one away: freeENI. v1.23.0: 1441 and 1516; v1.21.2: 1245 and 1321.
	detach = "DeleteNetworkInterface DetachNetworkInterface(network-interface,instance) "
	// The security groups of the node's interfaces: applySecurityGroupsToENIs warns and goes
	// on. v1.23.0: 605 to 618; v1.21.2: 581.
	groups = "ModifyNetworkInterfaceAttribute(network-interface,security-group) "
)

// TestCNIByVersionFamilyAndSetting is read by hand in the source of
// aws/amazon-vpc-cni-k8s on 2026-11-26. Where nothing else stands, a line is one of
// pkg/ipamd/ipamd.go at the tag that is named; awsutils is pkg/awsutils/awsutils.go.
//
// At every tag: DescribeNetworkInterfaces is called by DescribeAllENIs, and an error ends
// nodeInit (v1.15.5 457, v1.18.6 424, v1.19.6 440, v1.20.4 and v1.21.2 488, v1.22.0 to
// v1.22.2 484, v1.23.0 488). CreateTags is called by TagENI, and an error ends nodeInit
// (v1.15.5 472, v1.18.6 439, v1.19.6 455, v1.20.4 and v1.21.2 508, v1.22.0 527, v1.23.0
// 531), unless DISABLE_NETWORK_RESOURCE_PROVISIONING. DescribeInstanceTypes is called for
// types that pkg/vpc lacks (v1.23.0 awsutils 1914). DescribeTags is called by
// pkg/publisher alone, which cni-metrics-helper starts (v1.23.0 publisher.go 248).
func TestCNIByVersionFamilyAndSetting(t *testing.T) {
	const (
		v4, v6 = "ipv4", "ipv6"
		always = "DescribeInstanceTypes DescribeTags "
	)
	tests := []struct {
		name        string
		cni         need.CNI
		required    string
		recommended string
	}{
		{
			// handlePreScaling: an error of AssignPrivateIpAddresses ends nodeInit (589). The
			// code of v1.15.5 has no call of DescribeSubnets.
			"IPv4, v1.15.5",
			need.CNI{IPFamily: v4, Version: "v1.15.5"},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// createENI asks for the subnets and takes the first interface's without (awsutils 973).
			"IPv4, v1.18.6",
			need.CNI{IPFamily: v4, Version: "v1.18.6"},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "UnassignPrivateIpAddresses DescribeSubnets",
		},
		{
			"IPv4, v1.21.2",
			need.CNI{IPFamily: v4, Version: "v1.21.2"}, // createENI, awsutils 1045 to 1054
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "UnassignPrivateIpAddresses DescribeSubnets",
		},
		{
			// createENI with custom networking does not look for subnets (awsutils 1040).
			"IPv4, v1.21.2, custom networking",
			need.CNI{IPFamily: v4, Version: "v1.21.2", Settings: set(need.CustomNetworking)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + "UnassignPrivateIpAddresses",
		},
		{
			// RefreshCustomSGIDs ends nodeInit (598). setupENI returns where the subnets are
			// denied (1298), createENI makes no interface (awsutils 1211).
			"IPv4, v1.22.0",
			need.CNI{IPFamily: v4, Version: "v1.22.0"},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets DescribeSecurityGroups",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// RefreshCustomSGIDs whatever the networking (597). setupENI of the only interface for
			// pods fails (1298), so the pool stays empty, which ends nodeInit (695 to 697).
			"IPv4, v1.22.0, custom networking",
			need.CNI{IPFamily: v4, Version: "v1.22.0", Settings: set(need.CustomNetworking)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets DescribeSecurityGroups",
			detach + always + "UnassignPrivateIpAddresses",
		},
		{
			// Without subnet discovery createENI asks, warns and goes on (awsutils 1266).
			"IPv4, v1.22.0, no subnet discovery",
			need.CNI{IPFamily: v4, Version: "v1.22.0", Settings: set(need.SubnetDiscovery)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "UnassignPrivateIpAddresses DescribeSubnets",
		},
		{
			// RefreshCustomSGIDs is under !disableENIProvisioning (590).
			"IPv4, v1.22.0, no provisioning",
			need.CNI{IPFamily: v4, Version: "v1.22.0", Settings: set(need.NoProvisioning)},
			"DescribeNetworkInterfaces",
			always + "DescribeSubnets",
		},
		{
			"IPv4, v1.22.1",
			need.CNI{IPFamily: v4, Version: "v1.22.1"}, // 600, 1300, awsutils 1244
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets DescribeSecurityGroups",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// RefreshCustomSGIDs not with custom networking (599).
			"IPv4, v1.22.1, custom networking",
			need.CNI{IPFamily: v4, Version: "v1.22.1", Settings: set(need.CustomNetworking)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			detach + always + "UnassignPrivateIpAddresses",
		},
		{
			// The call of RefreshCustomSGIDs is gone from nodeInit (591 to 598).
			"IPv4, v1.22.2",
			need.CNI{IPFamily: v4, Version: "v1.22.2"},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			"IPv4, v1.23.0",
			need.CNI{IPFamily: v4, Version: "v1.23.0"}, // 682, 1296, awsutils 1150
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// ENABLE_MULTI_NIC attaches on IPv4 by the same calls (handlePreScaling, 676).
			"IPv4, v1.23.0, multi-NIC",
			need.CNI{IPFamily: v4, Version: "v1.23.0", Settings: set(need.MultiNIC)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// aws/amazon-vpc-cni-k8s#3843: setupENI goes on where the subnets are denied.
			// #3874: SageMaker attaches the interfaces of HyperPod nodes, which had none before.
			"IPv4, after v1.23.1, HyperPod",
			need.CNI{IPFamily: v4, Version: "v1.24.0", HyperPod: true},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "sagemaker:AttachClusterNodeNetworkInterface " + "UnassignPrivateIpAddresses DescribeSubnets",
		},
		{
			"IPv4, v1.23.1, HyperPod",
			need.CNI{IPFamily: v4, Version: "v1.23.1", HyperPod: true},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			detach + always + groups + "UnassignPrivateIpAddresses",
		},
		{
			// DescribeAllENIs calls nothing (awsutils 1373); nothing is provisioned (1832).
			"IPv4, v1.19.6, IMDS only",
			need.CNI{IPFamily: v4, Version: "v1.19.6", Settings: set(need.IMDSOnly)},
			"", "DescribeInstanceTypes",
		},
		{
			// The variable is not in the code of v1.18.6.
			"IPv4, v1.18.6, IMDS only",
			need.CNI{IPFamily: v4, Version: "v1.18.6", Settings: set(need.IMDSOnly)},
			attach + "AssignPrivateIpAddresses CreateTags DescribeNetworkInterfaces",
			detach + always + groups + "UnassignPrivateIpAddresses DescribeSubnets",
		},
		{
			// setupENI asks for the subnets in this mode too (1296), and logs (546).
			"IPv4, v1.23.0, IMDS only",
			need.CNI{IPFamily: v4, Version: "v1.23.0", Settings: set(need.IMDSOnly)},
			"", "DescribeInstanceTypes DescribeSubnets",
		},
		{
			"IPv4, v1.23.0, IMDS only, no subnet discovery",
			need.CNI{IPFamily: v4, Version: "v1.23.0", Settings: set(need.IMDSOnly, need.SubnetDiscovery)},
			"", "DescribeInstanceTypes",
		},
		{
			// assignIPv6Prefix asks EC2 for the prefix, then for a new one (1010, 1026). RefreshSGIDs is
			// called on IPv4 alone (538).
			"IPv6, v1.15.5",
			need.CNI{IPFamily: v6, Version: "v1.15.5"},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always,
		},
		{
			// 1160, 1176. RefreshSGIDs on both families (568), since v1.20.0.
			"IPv6, v1.20.4",
			need.CNI{IPFamily: v6, Version: "v1.20.4"},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always + groups,
		},
		{
			// createSecondaryIPv6ENIs returns no error (637).
			"IPv6, v1.20.4, multi-NIC",
			need.CNI{IPFamily: v6, Version: "v1.20.4", Settings: set(need.MultiNIC)},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always + groups + attach + detach,
		},
		{
			"IPv6, v1.19.6, multi-NIC, which came with v1.20.0",
			need.CNI{IPFamily: v6, Version: "v1.19.6", Settings: set(need.MultiNIC)},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always,
		},
		{
			// nodeInit ends where the subnets are denied (503), and the security groups (598).
			"IPv6, v1.22.0",
			need.CNI{IPFamily: v6, Version: "v1.22.0"},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces DescribeSubnets DescribeSecurityGroups",
			always + groups,
		},
		{
			"IPv6, v1.22.0, no subnet discovery",
			need.CNI{IPFamily: v6, Version: "v1.22.0", Settings: set(need.SubnetDiscovery)}, // 500, 597
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always + groups,
		},
		{
			"IPv6, v1.22.1",
			need.CNI{IPFamily: v6, Version: "v1.22.1"}, // 503, 600
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces DescribeSubnets DescribeSecurityGroups",
			always + groups,
		},
		{
			"IPv6, v1.22.2",
			need.CNI{IPFamily: v6, Version: "v1.22.2"}, // 503
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			always + groups,
		},
		{
			"IPv6, v1.23.0",
			need.CNI{IPFamily: v6, Version: "v1.23.0"}, // 507
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			always + groups,
		},
		{
			// Where the first interface is excluded, a failing tryAllocateENI ends nodeInit (521).
			"IPv6, v1.23.0, excluded subnet",
			need.CNI{IPFamily: v6, Version: "v1.23.0", ExcludedSubnet: true},
			attach + "AssignIpv6Addresses CreateTags DescribeNetworkInterfaces DescribeSubnets",
			always + groups + detach,
		},
		{
			// No code of v1.21.2 looks at that tag of the first subnet on IPv6 (awsutils 1046).
			"IPv6, v1.21.2, excluded subnet",
			need.CNI{IPFamily: v6, Version: "v1.21.2", ExcludedSubnet: true},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces",
			always + groups,
		},
		{
			// The check of subnets is not under disableENIProvisioning (504); TagENI and RefreshSGIDs
			// are (530, 594). setupENI asks for the prefix (1305).
			"IPv6, v1.23.0, no provisioning",
			need.CNI{IPFamily: v6, Version: "v1.23.0", Settings: set(need.NoProvisioning)},
			"DescribeNetworkInterfaces DescribeSubnets",
			always + "AssignIpv6Addresses",
		},
		{
			// assignIPv6Prefix asks EC2 in this mode too (1005).
			"IPv6, v1.19.6, IMDS only",
			need.CNI{IPFamily: v6, Version: "v1.19.6", Settings: set(need.IMDSOnly)},
			"DescribeNetworkInterfaces",
			"DescribeInstanceTypes AssignIpv6Addresses",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, list := range []struct {
				name, want string
				got        []need.Action
			}{{"required", tt.required, tt.cni.Required()}, {"recommended", tt.recommended, tt.cni.Recommended()}} {
				want := strings.Fields(list.want)
				slices.Sort(want)
				if diff := cmp.Diff(strings.Join(want, " "), short(list.got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", list.name, diff)
				}
			}
			if got := short(tt.cni.Uncertain()); got != "" {
				t.Errorf("everything is known, and uncertain is %s", got)
			}
		})
	}
}

// TestCNINeedsMoreFrom: which later versions require more, and up to which.
func TestCNINeedsMoreFrom(t *testing.T) {
	tests := []struct {
		cni  need.CNI
		want []string
	}{
		{need.CNI{IPFamily: "ipv4", Version: "v1.20.4"}, []string{"v1.22.0 to v1.23.1: DescribeSubnets", "v1.22.0 to v1.22.1: DescribeSecurityGroups"}},
		{need.CNI{IPFamily: "ipv4", Version: "v1.20.4", Settings: set(need.CustomNetworking)}, []string{"v1.22.0 to v1.23.1: DescribeSubnets", "v1.22.0: DescribeSecurityGroups"}},
		{need.CNI{IPFamily: "ipv4", Version: "v1.20.4", Settings: set(need.SubnetDiscovery)}, nil},
		{need.CNI{IPFamily: "ipv4", Version: "v1.20.4", Settings: set(need.IMDSOnly)}, nil},
		{need.CNI{IPFamily: "ipv4", Version: "v1.22.0"}, nil},
		{need.CNI{IPFamily: "ipv4", Version: "v1.23.0", HyperPod: true}, nil},
		{need.CNI{IPFamily: "ipv6", Version: "v1.21.2"}, []string{"v1.22.0 and later: DescribeSubnets", "v1.22.0 to v1.22.1: DescribeSecurityGroups"}},
		{need.CNI{IPFamily: "ipv6", Version: "v1.22.3"}, nil},
		{need.CNI{IPFamily: "ipv6"}, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, m := range tt.cni.NeedsMoreFrom() {
			got = append(got, m.Versions()+": "+short(m.Actions))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.cni, diff)
		}
	}
}

// TestCNIUncertain: what hangs on a setting or a version that is not known is neither
// required nor left out.
func TestCNIUncertain(t *testing.T) {
	tests := []struct {
		name                string
		cni                 need.CNI
		required, uncertain string
	}{
		{
			"subnet discovery not known",
			need.CNI{IPFamily: "ipv6", Version: "v1.23.0", Unknown: []need.Setting{need.SubnetDiscovery}},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces", "DescribeSubnets",
		},
		{
			"version not known",
			need.CNI{IPFamily: "ipv6"},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces", "DescribeSecurityGroups DescribeSubnets",
		},
		{
			"version not known, no subnet discovery",
			need.CNI{IPFamily: "ipv6", Settings: set(need.SubnetDiscovery)},
			"AssignIpv6Addresses CreateTags DescribeNetworkInterfaces", "",
		},
	}
	for _, tt := range tests {
		if got := short(tt.cni.Required()); got != tt.required {
			t.Errorf("%s: required %s, want %s", tt.name, got, tt.required)
		}
		if got := short(tt.cni.Uncertain()); got != tt.uncertain {
			t.Errorf("%s: uncertain %s, want %s", tt.name, got, tt.uncertain)
		}
	}
	c := need.CNI{IPFamily: "ipv4", Version: "v1.21.2", Unknown: []need.Setting{need.IMDSOnly}}
	if got := short(c.Required()); got != "" {
		t.Errorf("IMDS only not known: required %s", got)
	}
}

// TestCNILists: whatever is known, no action on the same resource types is both required
// and recommended, knowing less never requires more, and the document grants both.
func TestCNILists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := need.CNI{
			IPFamily:       rapid.SampledFrom([]string{"ipv4", "ipv6"}).Draw(t, "family"),
			Version:        rapid.SampledFrom([]string{"v1.15.5", "v1.19.6", "v1.21.2", "v1.22.0", "v1.22.1", "v1.22.4", "v1.23.1", "v1.25.0"}).Draw(t, "version"),
			Settings:       set(rapid.SliceOfDistinct(rapid.SampledFrom(need.Settings), rapid.ID).Draw(t, "settings")...),
			ExcludedSubnet: rapid.Bool().Draw(t, "excluded"),
			HyperPod:       rapid.Bool().Draw(t, "hyperPod"),
		}
		less := c
		less.Unknown = rapid.SliceOfDistinct(rapid.SampledFrom(need.Settings), rapid.ID).Draw(t, "unknown")
		if rapid.Bool().Draw(t, "unknown version") {
			less.Version = ""
		}
		in := func(list []need.Action, a need.Action) bool {
			return slices.ContainsFunc(list, func(b need.Action) bool { return cmp.Equal(a.Name, b.Name) && cmp.Equal(a.Resources, b.Resources) })
		}
		for _, a := range c.Required() {
			if in(c.Recommended(), a) {
				t.Fatalf("%s is required and recommended", a.Name)
			}
			if !in(less.Required(), a) && !in(less.Uncertain(), a) {
				t.Fatalf("%s is lost where less is known", a.Name)
			}
		}
		for _, a := range less.Required() {
			if !in(c.Required(), a) {
				t.Fatalf("%s is required only where less is known", a.Name)
			}
		}
		names := slices.Concat(c.Document("aws").Statement[0].Action, c.Document("aws").Statement[1].Action)
		for _, a := range slices.Concat(c.Required(), c.Recommended()) {
			if !slices.Contains(names, a.Name) || !slices.Contains(need.CNIActions(), a.Name) {
				t.Fatalf("%s is not in the document or not among the CNI's actions", a.Name)
			}
		}
	})
}
