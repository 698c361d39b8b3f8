package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// problem is what validate found, with the path of the field.
type problem struct {
	path []string
	text string
}

// validate reports the first thing that a snapshot written by this program
// never has: names that are not ARNs, words that AWS does not use, and
// references to what is neither there nor missing.
func (s *Snapshot) validate() *problem {
	checks := []func() *problem{s.validateCluster, s.validateKeys, s.validateRoleReferences, s.validateAssociations, s.validateNodes, s.validateSystemImages, s.validateSimulations, s.validateMissing}
	for _, check := range checks {
		if p := check(); p != nil {
			return p
		}
	}
	return nil
}

func (s *Snapshot) validateCluster() *problem {
	if a, ok := ParseARN(s.Cluster.ARN); !ok || a.Service != "eks" || !strings.HasPrefix(a.Resource, "cluster/") {
		return bad(`is not an EKS cluster's ARN, such as arn:aws:eks:eu-west-1:111122223333:cluster/prod`, "cluster", "arn")
	}
	if p := oneOf(s.Cluster.IPFamily, []string{"", "ipv4", "ipv6"}, "cluster", "ipFamily"); p != nil {
		return p
	}
	if p := iamARN(s.Cluster.RoleARN, true, "role/", "cluster", "roleArn"); p != nil {
		return p
	}
	for _, cidr := range s.Cluster.RemoteNodeNetworks {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			return bad(fmt.Sprintf("%q is not a CIDR, such as 10.200.0.0/16", cidr), "cluster", "remoteNodeNetworks")
		}
	}
	return oneOf(s.Cluster.AuthenticationMode, []string{"", "API", "API_AND_CONFIG_MAP", "CONFIG_MAP"}, "cluster", "authenticationMode")
}

func (s *Snapshot) validateKeys() *problem {
	for _, arn := range text.SortedKeys(s.Roles) {
		if p := iamARN(arn, false, "role/", "roles", arn); p != nil {
			return p
		}
	}
	for _, arn := range text.SortedKeys(s.Policies) {
		if p := iamARN(arn, false, "policy/", "policies", arn); p != nil {
			return p
		}
	}
	for _, arn := range text.SortedKeys(s.InstanceProfiles) {
		if p := iamARN(arn, false, "instance-profile/", "instanceProfiles", arn); p != nil {
			return p
		}
	}
	for _, arn := range text.SortedKeys(s.MappedRoles) {
		if p := iamARN(arn, false, "role/", "mappedRoles", arn); p != nil {
			return p
		}
		if p := present(s, s.Roles, arn, FactRoles, "mappedRoles", arn); p != nil {
			return p
		}
	}
	for _, arn := range text.SortedKeys(s.OtherClusters) {
		if a, ok := ParseARN(arn); !ok || a.Service != "eks" {
			return bad("is not an EKS cluster's ARN", "otherClusters", arn)
		}
	}
	return nil
}

func (s *Snapshot) validateRoleReferences() *problem {
	for _, name := range text.SortedKeys(s.NodeGroups) {
		role := s.NodeGroups[name].NodeRoleARN
		path := []string{"nodeGroups", name, "nodeRoleArn"}
		if role == "" && len(s.MissingOf(FactNodeGroups, name)) == 0 {
			return bad("is empty: a node group has a node role, or its facts are among missing", path...)
		}
		if p := iamARN(role, true, "role/", path...); p != nil {
			return p
		}
		if p := present(s, s.Roles, role, FactRoles, path...); p != nil {
			return p
		}
	}
	for _, name := range text.SortedKeys(s.FargateProfiles) {
		if p := iamARN(s.FargateProfiles[name].PodExecutionRoleARN, true, "role/", "fargateProfiles", name, "podExecutionRoleArn"); p != nil {
			return p
		}
	}
	for _, arn := range text.SortedKeys(s.Roles) {
		r := s.Roles[arn]
		for _, policy := range r.AttachedPolicies {
			if p := present(s, s.Policies, policy, FactPolicies, "roles", arn, "attachedPolicies"); p != nil {
				return p
			}
		}
		if p := present(s, s.Policies, r.PermissionsBoundary, FactPolicies, "roles", arn, "permissionsBoundary"); p != nil {
			return p
		}
		for _, profile := range r.InstanceProfiles {
			if p := present(s, s.InstanceProfiles, profile, FactInstanceProfiles, "roles", arn, "instanceProfiles"); p != nil {
				return p
			}
		}
	}
	for _, arn := range text.SortedKeys(s.InstanceProfiles) {
		for _, role := range s.InstanceProfiles[arn].Roles {
			if p := present(s, s.Roles, role, FactRoles, "instanceProfiles", arn, "roles"); p != nil {
				return p
			}
		}
	}
	return nil
}

func (s *Snapshot) validateAssociations() *problem {
	for _, id := range text.SortedKeys(s.PodIdentityAssociations) {
		a := s.PodIdentityAssociations[id]
		if p := iamARN(a.RoleARN, false, "role/", "podIdentityAssociations", id, "roleArn"); p != nil {
			return p
		}
		if p := iamARN(a.TargetRoleARN, true, "role/", "podIdentityAssociations", id, "targetRoleArn"); p != nil {
			return p
		}
	}
	return nil
}

func (s *Snapshot) validateNodes() *problem {
	provisioners := []string{
		string(ProvisionedByNodeGroup), string(ProvisionedByKarpenter), string(ProvisionedByAutoMode), string(ProvisionedByFargate),
		string(ProvisionedByHybrid), string(ProvisionedByHyperPod), string(SelfManaged), string(ProvisionedByUnknown),
	}
	for _, name := range text.SortedKeys(s.Nodes) {
		n := s.Nodes[name]
		if n.KarpenterProvisioner && n.Provisioner != ProvisionedByKarpenter {
			return bad(fmt.Sprintf("only a node of maker %s has a Provisioner", ProvisionedByKarpenter), "nodes", name, "provisioner")
		}
		if p := oneOf(string(n.Provisioner), provisioners, "nodes", name, "maker"); p != nil {
			return p
		}
		if n.Provisioner == SelfManaged || n.Provisioner == ProvisionedByKarpenter {
			if n.InstanceID() == "" && n.Provisioner == ProvisionedByKarpenter {
				continue // a node that Karpenter has just made has no provider id for a moment
			}
			if n.InstanceID() == "" {
				return bad(fmt.Sprintf("%q names no EC2 instance, which a %s node has", n.ProviderID, n.Provisioner), "nodes", name, "providerID")
			}
			if p := present(s, s.Instances, n.InstanceID(), FactInstances, "nodes", name, "providerID"); p != nil {
				return p
			}
		}
	}
	for kind, classes := range map[string]map[string]NodeClass{
		"karpenterNodeClasses": s.KarpenterNodeClasses, "karpenterNodeTemplates": s.KarpenterNodeTemplates, "autoModeNodeClasses": s.AutoModeNodeClasses,
	} {
		for _, name := range text.SortedKeys(classes) {
			for _, c := range classes[name].Conditions {
				if c.Type == "" {
					return bad("a condition needs a type", kind, name, "conditions")
				}
				if p := oneOf(c.Status, []string{"False", "Unknown"}, kind, name, "conditions"); p != nil {
					return p
				}
			}
			if p := present(s, s.Roles, classes[name].RoleARN, FactRoles, kind, name, "roleArn"); p != nil {
				return p
			}
			if p := present(s, s.InstanceProfiles, classes[name].ProfileARN, FactInstanceProfiles, kind, name, "profileArn"); p != nil {
				return p
			}
		}
	}
	for _, name := range text.SortedKeys(s.AutoScalingGroups) {
		if g := s.AutoScalingGroups[name]; g.LaunchTemplate != "" && g.LaunchConfiguration != "" {
			return bad("a group has a launch template or a launch configuration, not both", "autoScalingGroups", name, "launchConfiguration")
		}
		if p := present(s, s.InstanceProfiles, s.AutoScalingGroups[name].InstanceProfile, FactInstanceProfiles, "autoScalingGroups", name, "instanceProfile"); p != nil {
			return p
		}
	}
	for _, id := range text.SortedKeys(s.Instances) {
		if s.Instances[id].NodeGroup != "" {
			continue // EKS made its profile; the node group names the role
		}
		if p := present(s, s.InstanceProfiles, s.Instances[id].InstanceProfile, FactInstanceProfiles, "instances", id, "instanceProfile"); p != nil {
			return p
		}
	}
	return nil
}

func (s *Snapshot) validateSystemImages() *problem {
	for _, name := range text.SortedKeys(s.SystemImages) {
		if p := oneOf(name, SystemWorkloads, "systemImages"); p != nil {
			return p
		}
	}
	return nil
}

func (s *Snapshot) validateSimulations() *problem {
	for _, arn := range text.SortedKeys(s.Simulations) {
		if p := iamARN(arn, false, "role/", "simulations", arn); p != nil {
			return p
		}
		for _, sim := range s.Simulations[arn] {
			if sim.Action == "" || sim.Resource == "" {
				return bad("a simulation needs action and resource", "simulations", arn)
			}
			if p := oneOf(sim.Decision, []string{"allowed", "explicitDeny", "implicitDeny"}, "simulations", arn); p != nil {
				return p
			}
			if p := oneOf(sim.DeniedBy, []string{"", DeniedByOrganizations, "permissionsBoundary"}, "simulations", arn); p != nil {
				return p
			}
		}
	}
	return nil
}

func (s *Snapshot) validateMissing() *problem {
	known := make([]string, len(Facts))
	for i, f := range Facts {
		known[i] = string(f)
	}
	for _, m := range s.Missing {
		if p := oneOf(string(m.Fact), known, "missing"); p != nil {
			return p
		}
		if m.Operation == "" || m.Error == "" {
			return bad(fmt.Sprintf("the entry for %s needs operation and error", m.Fact), "missing")
		}
		if p := oneOf(m.Until, []string{"", UntilApply}, "missing"); p != nil {
			return p
		}
	}
	return nil
}

// present reports a reference to what is neither in the map nor missing.
func present[V any](s *Snapshot, in map[string]V, key string, fact Fact, path ...string) *problem {
	if key == "" {
		return nil
	}
	if _, ok := in[key]; ok || s.IsMissing(fact, key) || s.IsMissing(FactClusterRole, key) {
		return nil
	}
	return bad(fmt.Sprintf("%s is neither under %s nor listed under missing", key, fact), path...)
}

func iamARN(arn string, emptyOK bool, prefix string, path ...string) *problem {
	if arn == "" && emptyOK {
		return nil
	}
	if a, ok := ParseARN(arn); !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, prefix) {
		return bad(fmt.Sprintf("%q is not an ARN of IAM's form arn:PARTITION:iam::ACCOUNT:%sNAME", arn, prefix), path...)
	}
	return nil
}

func oneOf(value string, allowed []string, path ...string) *problem {
	if slices.Contains(allowed, value) {
		return nil
	}
	words := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	return bad(fmt.Sprintf("%q is none of %s", value, strings.Join(words, ", ")), path...)
}

func bad(text string, path ...string) *problem { return &problem{path: path, text: text} }
