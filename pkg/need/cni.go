package need

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/semver"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// What the VPC CNI needs depends on its version, the cluster's IP family and the
// settings of aws-node. All of it is read in the source of aws/amazon-vpc-cni-k8s at
// the tags v1.15.5, v1.18.6, v1.19.6, v1.20.4, v1.21.2, v1.22.0 to v1.22.4, v1.23.0 and
// at v1.23.1 (commit b52188387), on 2026-11-26. cni_test.go has the lines.
//
// An action is required where aws-node does not start when it is denied, or where a
// node then gets no addresses for pods, or none but those of its first network
// interface. It is recommended where a denied call has a smaller effect: a feature or the
// cleanup does not work. ENABLE_PREFIX_DELEGATION changes no action: prefixes are assigned by
// the actions that assign addresses. Nor does ENABLE_POD_ENI: the VPC resource controller
// attaches the trunk interface, with the cluster's role.

// Setting is an environment variable of aws-node, a Boolean, that changes what it
// calls.
// Source: aws/amazon-vpc-cni-k8s README.md and pkg/ipamd/ipamd.go, v1.23.0.
type Setting string

// The settings.
const (
	// IMDSOnly is taken into account since v1.19.6.
	IMDSOnly         Setting = "ENABLE_IMDS_ONLY_MODE"
	NoProvisioning   Setting = "DISABLE_NETWORK_RESOURCE_PROVISIONING"
	SubnetDiscovery  Setting = "ENABLE_SUBNET_DISCOVERY"
	CustomNetworking Setting = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"
	// MultiNIC is taken into account since v1.20.0.
	MultiNIC Setting = "ENABLE_MULTI_NIC"
)

// Settings lists every Setting.
var Settings = []Setting{IMDSOnly, NoProvisioning, SubnetDiscovery, CustomNetworking, MultiNIC}

// Default is the setting's value where the variable is not set or is not a Boolean.
func (s Setting) Default() bool { return s == SubnetDiscovery }

// CNI describes which VPC CNI is asked about. The zero value is IPv4 with the default
// settings and any version.
type CNI struct {
	// IPFamily is ipv4 or ipv6; empty is ipv4.
	IPFamily string
	// Version is vpc-cni's, such as v1.22.1, without a build; empty where it is not
	// known.
	Version string
	// Settings are the values that differ from their defaults.
	Settings map[Setting]bool
	// Unknown are the settings whose value could not be read.
	Unknown []Setting
	// ExcludedSubnet is set where the subnet of a node's first network interface is
	// tagged kubernetes.io/role/cni=0, so that the node needs another interface.
	ExcludedSubnet bool
	// HyperPod is set where nodes of SageMaker HyperPod are in the cluster.
	HyperPod bool
}

// era is a range of versions that make the same calls. last is the last version that is known
// to belong to it, empty for the newest.
type era struct{ first, last string }

// eras are all versions, by the calls that they make:
//   - v1.18.0 adds subnet discovery,
//   - v1.19.6 ENABLE_IMDS_ONLY_MODE,
//   - v1.20.0 ENABLE_MULTI_NIC, and sets security groups on IPv6,
//   - v1.22.0 asks for the tags of the subnet of every interface, and for security groups,
//   - v1.22.1 asks for no security groups with custom networking,
//   - v1.22.2 asks for none at all,
//   - versions after v1.23.1 continue where the subnets are denied on IPv4
//     (aws/amazon-vpc-cni-k8s#3843, merged on 2026-08-26), and have SageMaker attach
//     interfaces to HyperPod nodes (#3874, 2026-09).
var eras = []era{
	{"v1.0.0", "v1.17.1"},
	{"v1.18.0", "v1.19.5"},
	{"v1.19.6", "v1.19.6"},
	{"v1.20.0", "v1.21.2"},
	{"v1.22.0", "v1.22.0"},
	{"v1.22.1", "v1.22.1"},
	{"v1.22.2", "v1.23.1"},
	{unseen, ""},
}

// unseen is the first version after the newest one whose source was read.
const unseen = "v1.23.2"

// Resource types of EC2 and SageMaker.
const (
	eni           = "arn:{partition}:ec2:{region}:{account}:network-interface/*"
	instance      = "arn:{partition}:ec2:{region}:{account}:instance/*"
	subnet        = "arn:{partition}:ec2:{region}:{account}:subnet/*"
	securityGroup = "arn:{partition}:ec2:{region}:{account}:security-group/*"
	hyperPod      = "arn:{partition}:sagemaker:{region}:{account}:cluster/*"
)

// A role has CNI permissions where it is allowed one of these actions.
var (
	assignIPv4 = Action{Name: "ec2:AssignPrivateIpAddresses", Resources: []string{eni}, For: "addresses for pods"}
	unassign   = Action{Name: "ec2:UnassignPrivateIpAddresses", Resources: []string{eni}, For: "releasing addresses"}
	assignIPv6 = Action{Name: "ec2:AssignIpv6Addresses", Resources: []string{eni}, For: "a prefix for the node's pods"}
)

// attaching is what aws-node calls to give a node another network interface. The
// instance is a resource of AttachNetworkInterface, the subnet and the security group
// are resources of CreateNetworkInterface.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
var attaching = []Action{
	{Name: "ec2:CreateNetworkInterface", Resources: []string{eni, subnet, securityGroup}, For: "additional interfaces"},
	{Name: "ec2:AttachNetworkInterface", Resources: []string{eni, instance}, For: "additional interfaces"},
	{Name: "ec2:ModifyNetworkInterfaceAttribute", Resources: []string{eni}, For: "the deletion of an additional interface with its instance"},
	{Name: "ec2:DescribeInstances", For: "a free slot for an additional interface"},
}

// detaching is what aws-node calls to remove an interface.
var detaching = []Action{
	{Name: "ec2:DetachNetworkInterface", Resources: []string{eni, instance}, For: "cleaning up interfaces"},
	{Name: "ec2:DeleteNetworkInterface", Resources: []string{eni}, For: "cleaning up interfaces"},
}

// Indicative are the actions that nothing on a node but a VPC CNI of this IP family
// uses: a role that is allowed one of them has CNI permissions.
func (c CNI) Indicative() []Action {
	if c.ipv6() {
		return []Action{assignIPv6}
	}
	return []Action{assignIPv4, unassign}
}

// Indicative are the actions that nothing on a node but a VPC CNI uses,
// whatever the IP family.
func Indicative() []Action { return []Action{assignIPv4, unassign, assignIPv6} }

// Required are the actions without which aws-node does not start, or a node gets no
// addresses for pods or none but those of its first interface. Where a setting or
// the version is not known, they are those that are required whatever it is.
func (c CNI) Required() []Action {
	required, _ := c.inWorlds()
	return inAll(required)
}

// Uncertain are the actions that are required for some values of what is not known
// of the settings and the version, and not for others.
func (c CNI) Uncertain() []Action {
	required, _ := c.inWorlds()
	return addMissing(nil, inAll(required), required...)
}

// Recommended are the actions without which aws-node works, but not all of it. Those
// of Uncertain are among them.
func (c CNI) Recommended() []Action {
	required, recommended := c.inWorlds()
	return addMissing(nil, inAll(required), append(required, recommended...)...)
}

// inWorlds is what each of the CNIs that this one may be requires, and what is also
// recommended.
func (c CNI) inWorlds() (required, recommended [][]Action) {
	for _, w := range c.worlds() {
		must, should := w.needs()
		required, recommended = append(required, must), append(recommended, should)
	}
	return required, recommended
}

// inAll are the actions of the first list that are in every other one.
func inAll(lists [][]Action) []Action {
	all := slices.Clone(lists[0])
	for _, list := range lists[1:] {
		all = slices.DeleteFunc(all, func(a Action) bool { return !has(list, a) })
	}
	return all
}

// all is what is required or recommended.
func (c CNI) all() []Action { return slices.Concat(c.Required(), c.Recommended()) }

// alsoGranted are the actions of AWS's own policy for the IP family that aws-node
// calls with other settings or versions, or does not call any more.
// Source: AmazonEKS_CNI_Policy v6 (2026-03-04),
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html;
// IPv6: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html.
func (c CNI) alsoGranted() []Action {
	granted := []Action{{Name: "ec2:DescribeInstances"}, {Name: "ec2:DescribeTags"}, {Name: "ec2:DescribeSubnets"}, {Name: "ec2:DescribeSecurityGroups"}}
	if !c.ipv6() {
		granted = append(append(granted, attaching...), detaching...)
	}
	return granted
}

// More is what later versions require and the running one does not.
type More struct {
	// From and To are the first and the last of these versions; To is empty where no
	// later one requires less.
	From, To string
	Actions  []Action
}

// Versions returns which versions it is about, such as "v1.22.0 to v1.22.1".
func (m More) Versions() string {
	switch m.To {
	case "":
		return m.From + " and later"
	case m.From:
		return m.From
	default:
		return m.From + " to " + m.To
	}
}

// NeedsMoreFrom is what later versions require that this one does not, by version;
// empty where none does, and where the version is not known.
func (c CNI) NeedsMoreFrom() []More {
	if c.Version == "" {
		return nil
	}
	var found []More
	now := c.Required()
	seen := slices.Clone(now)
	for i, e := range eras {
		if !c.Before(e.first) {
			continue
		}
		for _, a := range c.at(e.first).Required() {
			if has(seen, a) {
				continue
			}
			seen = append(seen, a)
			m := More{From: e.first, To: c.lastWith(a, eras[i:])}
			at := slices.IndexFunc(found, func(f More) bool { return f.From == m.From && f.To == m.To })
			if at < 0 {
				found, at = append(found, m), len(found)
			}
			found[at].Actions = append(found[at].Actions, a)
		}
	}
	return found
}

// lastWith is the last version of the eras, of which the first requires an action, up
// to which it stays required; empty for the newest.
func (c CNI) lastWith(a Action, from []era) string {
	last := from[0].last
	for _, e := range from[1:] {
		if !has(c.at(e.first).Required(), a) {
			break
		}
		last = e.last
	}
	return last
}

// at is the same CNI at another version.
func (c CNI) at(version string) CNI {
	c.Version = version
	return c
}

// worlds are the CNIs that this one may be, each with all settings and the version known.
func (c CNI) worlds() []CNI {
	worlds := []CNI{c}
	if c.Version == "" {
		worlds = nil
		for _, e := range eras {
			worlds = append(worlds, c.at(e.first))
		}
	}
	for _, s := range c.Unknown {
		var both []CNI
		for _, w := range worlds {
			for _, value := range []bool{true, false} {
				one := w
				one.Settings = maps.Clone(w.Settings)
				if one.Settings == nil {
					one.Settings = map[Setting]bool{}
				}
				one.Settings[s] = value
				both = append(both, one)
			}
		}
		worlds = both
	}
	return worlds
}

// needs is what a CNI whose settings and version are known requires, and what is also
// recommended.
func (c CNI) needs() (required, recommended []Action) {
	imdsOnly := c.on(IMDSOnly) && c.since("v1.19.6")
	provisions := !c.on(NoProvisioning) && !imdsOnly

	if !imdsOnly || c.ipv6() { // on IPv6 EC2 is asked for the prefixes in every mode
		required = append(required, Action{Name: "ec2:DescribeNetworkInterfaces", For: "the interfaces and prefixes of the node"})
	}
	if provisions {
		required = append(required, Action{Name: "ec2:CreateTags", Resources: []string{eni}, For: "tags on the node's interfaces"})
	}
	switch {
	case c.ipv6() && provisions:
		required = append(required, assignIPv6)
	case c.ipv6(): // the node's interface may have a prefix already
		recommended = append(recommended, assignIPv6)
	case provisions:
		required = append(required, assignIPv4)
		recommended = append(recommended, unassign)
	}
	attached := c.attaching(provisions)
	if !c.ipv6() || c.firstSubnetExcluded() {
		required = append(required, attached...)
	} else {
		recommended = append(recommended, attached...)
	}
	if len(attached) > 0 {
		recommended = append(recommended, detaching...)
	}
	if len(attached) > 0 && c.HyperPod && c.since(unseen) { // older versions attach nothing there
		recommended = append(recommended, Action{
			Name: "sagemaker:AttachClusterNodeNetworkInterface", Resources: []string{hyperPod}, For: "additional interfaces of HyperPod nodes",
		})
	}
	if provisions && !c.on(CustomNetworking) && (!c.ipv6() || c.since("v1.20.0")) {
		recommended = append(recommended, Action{Name: "ec2:ModifyNetworkInterfaceAttribute", Resources: []string{eni, securityGroup}, For: "the security groups of the node's interfaces; without it aws-node continues, and reports an event"})
	}
	subnets, securityGroups := c.discovery(provisions)
	required = append(append(required, subnets.required...), securityGroups...)
	recommended = append(recommended, subnets.recommended...)

	recommended = append(recommended, Action{Name: "ec2:DescribeInstanceTypes", For: "instance types that the CNI does not list"})
	if !imdsOnly {
		recommended = append(recommended, Action{Name: "ec2:DescribeTags", For: "the cluster's name in the metrics of cni-metrics-helper"})
	}
	return required, recommended
}

// attaching is what is called to attach interfaces, empty where none is attached. On
// IPv6 that is so only for the further network cards of ENABLE_MULTI_NIC, and where
// the subnet of the first interface is excluded.
func (c CNI) attaching(provisions bool) []Action {
	switch {
	case c.firstSubnetExcluded():
	case !provisions, c.ipv6() && (!c.on(MultiNIC) || !c.since("v1.20.0")):
		return nil
	}
	return attaching
}

// firstSubnetExcluded reports whether a node on IPv6 needs another interface than its
// first to start at all.
func (c CNI) firstSubnetExcluded() bool {
	return c.ipv6() && c.ExcludedSubnet && c.asksForSubnetTags()
}

// asksForSubnetTags reports whether aws-node asks whether the subnet of an interface
// is excluded.
func (c CNI) asksForSubnetTags() bool { return c.on(SubnetDiscovery) && c.since("v1.22.0") }

// subnetNeeds is ec2:DescribeSubnets, where it belongs.
type subnetNeeds struct{ required, recommended []Action }

// discovery is what discovering subnets and security groups needs.
//
// Since v1.22.0 aws-node asks for the tags of the subnet of each interface. On IPv6 it
// stops where it is denied. On IPv4 up to v1.23.1 it then creates no additional interface,
// and does not set up those that it finds; with custom networking it stops, as it has no
// others. Older versions create additional interfaces in the subnet of the first.
// Sources: aws/amazon-vpc-cni-k8s#3704, #3705, #3843.
func (c CNI) discovery(provisions bool) (subnets subnetNeeds, securityGroups []Action) {
	find := Action{Name: "ec2:DescribeSubnets", For: "subnet discovery"}
	asks := Action{Name: "ec2:DescribeSubnets", For: "the tags of the subnet of every interface, since v1.22.0"}
	switch {
	case c.ipv6() && c.asksForSubnetTags():
		subnets.required = []Action{asks}
	case c.ipv6():
	case c.asksForSubnetTags() && !c.since(unseen) && provisions:
		subnets.required = []Action{asks}
	case c.asksForSubnetTags():
		subnets.recommended = []Action{asks}
	case !provisions, c.on(CustomNetworking):
	case c.on(SubnetDiscovery) && c.since("v1.18.0"):
		subnets.recommended = []Action{find}
	case c.since("v1.22.0"): // called although subnet discovery is off; a denial has no effect
		subnets.recommended = []Action{asks}
	}
	customSince := c.since("v1.22.1") && c.on(CustomNetworking)
	if c.asksForSubnetTags() && !c.since("v1.22.2") && provisions && !customSince {
		securityGroups = []Action{{Name: "ec2:DescribeSecurityGroups", For: "discovery of security groups, without which v1.22.0 and v1.22.1 stop"}}
	}
	return subnets, securityGroups
}

func (c CNI) ipv6() bool { return c.IPFamily == "ipv6" }

// on is the value of a setting.
func (c CNI) on(s Setting) bool {
	if value, set := c.Settings[s]; set {
		return value
	}
	return s.Default()
}

// Before reports whether the version is known and older than another.
func (c CNI) Before(version string) bool { return c.Version != "" && !c.since(version) }

// since reports whether a known version is this one or later.
func (c CNI) since(version string) bool { return semver.Compare(c.Version, version) >= 0 }

// addMissing appends the actions of the lists that neither it nor others have yet.
func addMissing(to, others []Action, lists ...[]Action) []Action {
	for _, list := range lists {
		for _, a := range list {
			if !has(to, a) && !has(others, a) {
				to = append(to, a)
			}
		}
	}
	return to
}

// has reports whether a list has an action on the same resource types.
func has(list []Action, a Action) bool {
	return slices.ContainsFunc(list, func(b Action) bool {
		return strings.EqualFold(a.Name, b.Name) && slices.Equal(a.Resources, b.Resources)
	})
}

// CNIActions returns the names of all actions that a VPC CNI of any version, IP family
// and setting calls, and of those that AWS's own policies grant it; sorted. Callers must
// not change them.
var CNIActions = sync.OnceValue(func() []string {
	names := map[string]bool{}
	add := func(actions []Action) {
		for _, a := range actions {
			names[a.Name] = true
		}
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		c := CNI{IPFamily: family, Unknown: Settings, HyperPod: true}
		for _, w := range c.worlds() {
			required, recommended := w.needs()
			add(required)
			add(recommended)
		}
		add(c.alsoGranted())
	}
	return text.SortedKeys(names)
})
