package iac_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestMetadata: what launch templates and node classes set of the instance metadata service
// decides NR701; where they do not set it, the account or the AMI decides, and what is not
// known is unknown.
func TestMetadata(t *testing.T) {
	required, optional, disabled, unknown := iac.Text("required"), iac.Text("optional"), iac.Text("disabled"), iac.Unknown("x is known only after apply")
	one, two := iac.Text("1"), iac.Text("2")
	for name, c := range map[string]struct {
		metadata iac.Metadata
		want     finding.Status
	}{
		"tokens and one hop":            {iac.Metadata{Tokens: required, HopLimit: one}, finding.Pass},
		"two hops":                      {iac.Metadata{Tokens: required, HopLimit: two}, finding.Fail},
		"two hops alone":                {iac.Metadata{HopLimit: two}, finding.Fail},
		"no tokens":                     {iac.Metadata{Tokens: optional, HopLimit: one}, finding.Fail},
		"no endpoint":                   {iac.Metadata{Tokens: optional, Endpoint: disabled}, finding.Pass},
		"nothing":                       {iac.Metadata{}, finding.Depends},
		"tokens alone":                  {iac.Metadata{Tokens: required}, finding.Depends},
		"unknown tokens":                {iac.Metadata{Tokens: unknown, HopLimit: one}, finding.Unknown},
		"unknown hops":                  {iac.Metadata{Tokens: required, HopLimit: unknown}, finding.Unknown},
		"unknown hops, without tokens":  {iac.Metadata{Tokens: optional, HopLimit: unknown}, finding.Fail},
		"unknown endpoint, with tokens": {iac.Metadata{Tokens: optional, Endpoint: unknown}, finding.Unknown},
	} {
		group, class, asg := base(), base(), base()
		group.NodeGroups[0].LaunchTemplate, group.NodeGroups[0].Metadata = true, &c.metadata
		class.NodeGroups = nil
		class.NodeClasses = []iac.NodeClass{{
			Declared: declared("c"), Kind: iac.KarpenterClass, Name: "default", Cluster: iac.Value{Resource: "cluster"}, Role: iac.Value{Resource: "nodeRole"}, Metadata: &c.metadata,
		}}
		asg.NodeGroups = nil
		asg.Profiles = []iac.Profile{{Declared: declared("profile"), Name: iac.Name{Name: iac.Text("nodes")}, Role: iac.Value{Resource: "nodeRole"}}}
		asg.Groups = []iac.Group{{Declared: declared("g"), Name: "nodes", Cluster: iac.Text("shop"), Profile: iac.Value{Resource: "profile"}, Metadata: &c.metadata}}
		for kind, code := range map[string]*iac.Code{"node group": group, "node class": class, "Auto Scaling group": asg} {
			if got := status(t, code, "NR701"); got != c.want {
				t.Errorf("%s, %s: %s, not %s", kind, name, got, c.want)
			}
		}
	}
	// A second source whose launch template is not in the code, or is EKS's.
	code := base()
	code.NodeGroups[0].Metadata = &iac.Metadata{Tokens: required, HopLimit: one}
	code.NodeGroups = append(code.NodeGroups, iac.NodeGroup{Declared: declared("g2"), Name: iac.Text("other"), Cluster: iac.Value{Resource: "cluster"}, Role: iac.Value{Resource: "nodeRole"}})
	for amiType, want := range map[string]finding.Status{
		"": finding.NotApplicable, "AL2_x86_64": finding.NotApplicable, "BOTTLEROCKET_ARM_64": finding.NotApplicable,
		"AL2023_x86_64_STANDARD": finding.Pass, "AL2023_ARM_64_STANDARD": finding.Pass,
	} {
		code.NodeGroups[1].AMIType = amiType
		if got := status(t, code, "NR701"); got != want {
			t.Errorf("a node group of AMI type %q without a launch template: %s, not %s", amiType, got, want)
		}
	}
	code.NodeGroups[1].LaunchTemplate = true
	if got := status(t, code, "NR701"); got != finding.NotApplicable {
		t.Errorf("a node group with a launch template of other code: %s", got)
	}
}

// status is the status of the only result of a rule.
func status(t *testing.T, code *iac.Code, rule string) finding.Status {
	t.Helper()
	var found []finding.Status
	for _, r := range rules.Judge(view.New(build(t, code)[0]), rules.Options{}).Results {
		if r.ID == rule {
			found = append(found, r.Status)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d results", rule, len(found))
	}
	return found[0]
}

// TestMappedElsewhere: code without objects of Kubernetes does not show that nothing maps the
// role of self-managed nodes; that of a managed node group is mapped by EKS.
func TestMappedElsewhere(t *testing.T) {
	for _, c := range []struct {
		mode       string
		kubernetes bool
		entry      bool
		want       finding.Status
	}{
		{"CONFIG_MAP", false, false, finding.Unknown},
		{"API_AND_CONFIG_MAP", false, false, finding.Unknown},
		{"API_AND_CONFIG_MAP", false, true, finding.Pass},
		{"CONFIG_MAP", false, true, finding.Unknown},
		{"API", false, false, finding.Fail},
		{"CONFIG_MAP", true, false, finding.Fail},
		{"API_AND_CONFIG_MAP", true, false, finding.Fail},
	} {
		code := base()
		code.Kubernetes, code.Clusters[0].Mode = c.kubernetes, iac.Text(c.mode)
		code.Roles = append(code.Roles, iac.Role{Declared: declared("own"), Name: iac.Name{Name: iac.Text("own")}, Trust: iac.Text("{}")})
		code.Profiles = []iac.Profile{{Declared: declared("profile"), Name: iac.Name{Name: iac.Text("own")}, Role: iac.Value{Resource: "own"}}}
		code.Groups = []iac.Group{{Declared: declared("g"), Name: "own", Cluster: iac.Text("shop"), Profile: iac.Value{Resource: "profile"}}}
		if c.entry {
			code.AccessEntries = []iac.AccessEntry{{Declared: declared("entry"), Cluster: iac.Value{Resource: "cluster"}, Principal: iac.Value{Resource: "own"}, Type: iac.Text("EC2_LINUX")}}
		}
		got := map[string]finding.Status{}
		for _, r := range rules.Judge(view.New(build(t, code)[0]), rules.Options{}).Results {
			if r.ID == "NR501" {
				got[r.Subject.Name] = r.Status
			}
		}
		if got["own"] != c.want || got["node"] != finding.Pass {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestAutoModeWithoutRole: EKS Auto Mode without a role for its own node pools has node classes
// that may be applied with kubectl, so that no node role in the code is no proof of none.
func TestAutoModeWithoutRole(t *testing.T) {
	for role, want := range map[iac.Value]finding.Status{{}: finding.Unknown, {Resource: "nodeRole"}: finding.Pass} {
		code := base()
		code.NodeGroups = nil
		code.Clusters[0].AutoMode = &iac.AutoMode{Role: role}
		if got := status(t, code, "NR100"); got != want {
			t.Errorf("with the role %+v: %s, not %s", role, got, want)
		}
	}
}

// TestUnknownPrincipal: an access entry of nodes whose role is not known leaves it open whether
// all node roles were found, and whether hybrid nodes have access.
func TestUnknownPrincipal(t *testing.T) {
	for _, c := range []struct {
		kind            iac.Value
		found, isHybrid finding.Status
	}{
		{iac.Text("STANDARD"), finding.Pass, finding.Depends},
		{iac.Text("EC2_LINUX"), finding.Unknown, finding.Depends},
		{iac.Text("HYBRID_LINUX"), finding.Pass, finding.Unknown},
		{iac.Unknown("x is known only after apply"), finding.Unknown, finding.Unknown},
	} {
		code := base()
		code.Clusters[0].RemoteNetworks = []string{"10.200.0.0/16"}
		code.AccessEntries = []iac.AccessEntry{{
			Declared: declared("entry"), Cluster: iac.Value{Resource: "cluster"}, Principal: iac.Unknown("y is known only after apply"), Type: c.kind,
		}}
		if got := status(t, code, "NR100"); got != c.found {
			t.Errorf("an entry of type %+v: NR100 is %s, not %s", c.kind, got, c.found)
		}
		if got := status(t, code, "NR509"); got != c.isHybrid {
			t.Errorf("an entry of type %+v: NR509 is %s, not %s", c.kind, got, c.isHybrid)
		}
	}
}
