package iac_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const (
	pull   = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
	worker = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
	node   = "arn:aws:iam::111122223333:role/node"
)

func declared(address string) iac.Declared { return iac.Declared{Address: address} }

// base is code that creates a cluster with a node group.
func base() *iac.Code {
	return &iac.Code{
		Kind: "plan", Command: "terraform plan", File: "plan.json",
		Place:    iac.Place{Account: "111122223333", Region: "eu-west-1"},
		Clusters: []iac.Cluster{{Declared: declared("cluster"), Name: iac.Text("shop"), Role: iac.Value{Resource: "clusterRole"}, Mode: iac.Text("API")}},
		Roles: []iac.Role{
			{Declared: declared("clusterRole"), Name: iac.Name{Name: iac.Text("cluster")}},
			{Declared: declared("nodeRole"), Name: iac.Name{Name: iac.Text("node")}, Trust: iac.Text("{}")},
		},
		NodeGroups: []iac.NodeGroup{{Declared: declared("group"), Name: iac.Text("apps"), Cluster: iac.Value{Resource: "cluster"}, Role: iac.Value{Resource: "nodeRole"}}},
	}
}

// TestRole: what a role has when the code has been applied.
func TestRole(t *testing.T) {
	role, unknown := iac.Value{Resource: "nodeRole"}, iac.Unknown("x is known only after apply")
	attach := func(r, p iac.Value) iac.Attachment {
		return iac.Attachment{Declared: declared("a"), Role: r, Policy: p}
	}
	for _, c := range []struct {
		name     string
		change   func(*iac.Code)
		attached []string
		inline   []string
		missing  []string // FACT SUBJECT of the role
	}{
		{"attached by resource and by name", func(c *iac.Code) {
			c.Attachments = []iac.Attachment{attach(role, iac.Text(pull)), attach(iac.Text("node"), iac.Text(worker)), attach(iac.Text("other"), iac.Text(worker))}
		}, []string{pull, worker}, nil, nil},
		{"unknown policy", func(c *iac.Code) { c.Attachments = []iac.Attachment{attach(role, unknown)} }, nil, nil, []string{"attachedPolicies node"}},
		{"unknown role", func(c *iac.Code) { c.Attachments = []iac.Attachment{attach(unknown, iac.Text(pull))} }, nil, nil, []string{"attachedPolicies node"}},
		{"unknown role, but this one exists", func(c *iac.Code) {
			c.Roles[1].Existed = true
			c.Attachments = []iac.Attachment{attach(unknown, iac.Text(pull))}
		}, nil, nil, nil},
		{"policy of AWS without a copy", func(c *iac.Code) {
			c.Attachments = []iac.Attachment{attach(role, iac.Text("arn:aws:iam::aws:policy/NoSuchPolicy"))}
		}, []string{"arn:aws:iam::aws:policy/NoSuchPolicy"}, nil, []string{"policies NoSuchPolicy"}},
		{"own policy with an unknown document", func(c *iac.Code) {
			c.Policies = []iac.Policy{{Declared: declared("own"), Name: iac.Name{Name: iac.Text("own"), Path: "/p/"}, Document: unknown}}
			c.Attachments = []iac.Attachment{attach(role, iac.Value{Resource: "own"})}
		}, []string{"arn:aws:iam::111122223333:policy/p/own"}, nil, []string{"policies own"}},
		{"detached", func(c *iac.Code) {
			c.Roles[1].Existed, c.Roles[1].Attached = true, []iac.Value{iac.Text(pull), iac.Text(worker)}
			c.Detached = []iac.Attachment{attach(iac.Text("node"), iac.Text(pull))}
		}, []string{worker}, nil, nil},
		{"detached and attached again", func(c *iac.Code) {
			c.Roles[1].Existed, c.Roles[1].Attached = true, []iac.Value{iac.Text(pull)}
			c.Detached = []iac.Attachment{attach(iac.Text("node"), iac.Text(pull))}
			c.Attachments = []iac.Attachment{attach(role, iac.Text(pull))}
		}, []string{pull}, nil, nil},
		{"exclusive attachments", func(c *iac.Code) {
			c.Attachments = []iac.Attachment{attach(role, iac.Text(worker))}
			c.ExclusiveAttachments = []iac.Exclusive{{Role: iac.Text("node"), Only: []iac.Value{iac.Text(pull)}}}
		}, []string{pull}, nil, nil},
		{"policy attached to others alone", func(c *iac.Code) {
			c.Attachments = []iac.Attachment{attach(role, iac.Text(worker)), attach(role, iac.Text(pull))}
			c.PolicyAttachments = []iac.PolicyAttachment{{Policy: iac.Text(pull), Roles: []iac.Value{iac.Text("other")}}}
		}, []string{worker}, nil, nil},
		{"policy attached to unknown roles alone", func(c *iac.Code) {
			c.PolicyAttachments = []iac.PolicyAttachment{{Policy: iac.Text(pull), Roles: []iac.Value{unknown}}}
		}, nil, nil, []string{"attachedPolicies node"}},
		{"inline", func(c *iac.Code) {
			c.InlinePolicies = []iac.InlinePolicy{
				{Role: role, Document: iac.Document{Name: iac.Text("a"), Document: iac.Text("{}")}},
				{Declared: declared("b"), Role: role, Document: iac.Document{Name: unknown, Document: unknown}},
			}
		}, nil, []string{"a"}, []string{"inlinePolicies node#b"}},
		{"inline removed and exclusive", func(c *iac.Code) {
			c.Roles[1].Existed = true
			for _, name := range []string{"a", "b", "c"} {
				c.Roles[1].Inline = append(c.Roles[1].Inline, iac.Document{Name: iac.Text(name), Document: iac.Text("{}")})
			}
			c.Removed = []iac.InlinePolicy{{Role: iac.Text("node"), Document: iac.Document{Name: iac.Text("a")}}}
			c.ExclusiveInline = []iac.Exclusive{{Role: role, Only: []iac.Value{iac.Text("b")}}}
		}, nil, []string{"b"}, nil},
		{"only read", func(c *iac.Code) { c.Roles[1].Read = true }, nil, nil, []string{"attachedPolicies node", "inlinePolicies node"}},
		{"trust unknown", func(c *iac.Code) { c.Roles[1].Trust = unknown }, nil, nil, []string{"roles node"}},
		{"not in the code", func(c *iac.Code) { c.NodeGroups[0].Role, c.Roles = iac.Text(node), c.Roles[:1] }, nil, nil, []string{"roles node"}},
		{"a condition on the name that AWS completes", func(c *iac.Code) {
			c.Roles[1].Name = iac.Name{Name: unknown, Prefix: "node"}
			c.InlinePolicies = []iac.InlinePolicy{{Role: role, Document: iac.Document{Name: iac.Text("a"), Document: iac.Text(`{"Condition":{"ArnLike":{"aws:PrincipalARN":"x"}}}`)}}}
		}, nil, nil, []string{"inlinePolicies node(after apply)#a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := base()
			c.change(code)
			s := build(t, code)[0]
			arn := s.NodeGroups["apps"].NodeRoleARN
			role := s.Roles[arn]
			if !slices.Equal(role.AttachedPolicies, c.attached) {
				t.Errorf("attached are %v, not %v", role.AttachedPolicies, c.attached)
			}
			var inline, missing []string
			for name := range role.InlinePolicies {
				inline = append(inline, name)
			}
			slices.Sort(inline)
			if !slices.Equal(inline, c.inline) {
				t.Errorf("inline are %v, not %v", inline, c.inline)
			}
			for _, m := range s.Missing {
				if m.Fact != snapshot.FactOtherClusters && !clusterWide(m.Fact) {
					missing = append(missing, string(m.Fact)+" "+m.Subject[strings.LastIndexByte(m.Subject, '/')+1:])
				}
			}
			if !slices.Equal(missing, c.missing) {
				t.Errorf("missing are %v, not %v", missing, c.missing)
			}
		})
	}
}

func clusterWide(f snapshot.Fact) bool {
	return f == snapshot.FactCluster || f == snapshot.FactAccessEntries
}

func build(t *testing.T, code *iac.Code) []*snapshot.Snapshot {
	t.Helper()
	snapshots, err := iac.Build(code)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Decode("snapshot", text); err != nil {
			t.Errorf("%s\n%s", err, text)
		}
	}
	return snapshots
}

// TestAccess: EKS maps the roles of managed node groups by the cluster's mode, and the code's
// own entries and ConfigMap come first.
func TestAccess(t *testing.T) {
	code := base()
	s := build(t, code)[0]
	if got := s.AccessEntries[node].Type; got != "EC2_LINUX" || s.AWSAuth != nil {
		t.Errorf("in mode API the entry is %q, aws-auth %v", got, s.AWSAuth)
	}
	if len(s.Source.Derived) == 0 {
		t.Error("nothing says that the entry is derived")
	}

	code.Clusters[0].Mode = iac.Text("CONFIG_MAP")
	code.NodeGroups[0].AMIType = "WINDOWS_CORE_2022_x86_64"
	s = build(t, code)[0]
	if s.AWSAuth == nil || !strings.Contains(s.AWSAuth.MapRoles, node) || !strings.Contains(s.AWSAuth.MapRoles, "eks:kube-proxy-windows") || len(s.AccessEntries) > 0 {
		t.Errorf("in mode CONFIG_MAP aws-auth is %+v, the entries %v", s.AWSAuth, s.AccessEntries)
	}

	code.AWSAuths = []iac.AWSAuth{{Cluster: iac.Value{Resource: "cluster"}, MapRoles: iac.Text("[]")}}
	if s = build(t, code)[0]; s.AWSAuth.MapRoles != "[]" {
		t.Errorf("the ConfigMap of the code is replaced by %q", s.AWSAuth.MapRoles)
	}

	code.AWSAuths[0].MapRoles = iac.Unknown("x is known only after apply")
	if s = build(t, code)[0]; s.AWSAuth != nil || !s.IsMissing(snapshot.FactAWSAuth, "") {
		t.Error("an unknown ConfigMap is not missing")
	}

	code = base()
	code.AccessEntries = []iac.AccessEntry{{Cluster: iac.Text("shop"), Principal: iac.Text(node), Type: iac.Text("EC2_WINDOWS")}}
	if s = build(t, code)[0]; s.AccessEntries[node].Type != "EC2_WINDOWS" {
		t.Errorf("the entry of the code is replaced by %+v", s.AccessEntries[node])
	}
}

// TestAWSNode: what runs as aws-node, and whose credentials it has.
func TestAWSNode(t *testing.T) {
	cluster := iac.Value{Resource: "cluster"}
	addon := func(change func(*iac.Addon)) func(*iac.Code) {
		return func(c *iac.Code) {
			a := iac.Addon{Declared: declared("addon"), Name: iac.Text("vpc-cni"), Cluster: cluster}
			change(&a)
			c.Addons = append(c.Addons, a)
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*iac.Code)
		runs    bool
		role    string
		missing snapshot.Fact
	}{
		{"by EKS", func(*iac.Code) {}, true, "", ""},
		{"without add-ons", func(c *iac.Code) { c.Clusters[0].SelfManagedAddons = iac.Text("false") }, false, "", ""},
		{"unknown", func(c *iac.Code) { c.Clusters[0].SelfManagedAddons = iac.Unknown("x") }, false, "", snapshot.FactDaemonSet},
		{"add-on", addon(func(*iac.Addon) {}), true, "", ""},
		{"add-on with a role", addon(func(a *iac.Addon) { a.Role = iac.Text("arn:aws:iam::111122223333:role/cni") }), true, "arn:aws:iam::111122223333:role/cni", snapshot.FactOIDCProviders},
		{"add-on with an unknown role", addon(func(a *iac.Addon) { a.Role = iac.Unknown("x") }), true, "", snapshot.FactServiceAccount},
		{"annotation", func(c *iac.Code) {
			c.ServiceAccounts = []iac.ServiceAccount{{Cluster: cluster, Role: iac.Text("arn:aws:iam::111122223333:role/cni")}}
		}, true, "arn:aws:iam::111122223333:role/cni", snapshot.FactRoles},
		{"association of another service account", func(c *iac.Code) {
			c.Associations = []iac.Association{{Cluster: cluster, Namespace: iac.Text("default"), ServiceAccount: iac.Text("aws-node"), Role: iac.Unknown("x")}}
		}, true, "", ""},
		{"association with an unknown role", func(c *iac.Code) {
			c.Associations = []iac.Association{{Cluster: cluster, Namespace: iac.Text("kube-system"), ServiceAccount: iac.Text("aws-node"), Role: iac.Unknown("x")}}
		}, true, "", snapshot.FactPodIdentity},
		{"cluster that exists", func(c *iac.Code) { c.Clusters[0].Existed = true }, false, "", snapshot.FactDaemonSet},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := base()
			c.change(code)
			s := build(t, code)[0]
			if runs := s.AWSNode.DaemonSet != nil; runs != c.runs {
				t.Errorf("the DaemonSet: %v", runs)
			}
			if sa := s.AWSNode.ServiceAccount; c.runs && sa.RoleARN != c.role {
				t.Errorf("the role is %q, not %q", sa.RoleARN, c.role)
			}
			if c.missing == "" && len(s.Missing) > 0 || c.missing != "" && !s.IsMissing(c.missing, "") {
				t.Errorf("missing are %v, not %s", s.Missing, c.missing)
			}
		})
	}
}

// TestSettings: the add-on's configuration has aws-node's settings.
func TestSettings(t *testing.T) {
	for text, want := range map[string]string{
		`{"env":{"ENABLE_PREFIX_DELEGATION":"true","OTHER":"x"}}`: "true",
		"env:\n  ENABLE_PREFIX_DELEGATION: true\n":                "true",
		"": "",
	} {
		code := base()
		code.Addons = []iac.Addon{{Name: iac.Text("vpc-cni"), Cluster: iac.Text("shop"), Config: iac.Text(text)}}
		ds := build(t, code)[0].AWSNode.DaemonSet
		if got := ds.Env["ENABLE_PREFIX_DELEGATION"]; got != want || ds.Env["OTHER"] != "" || len(ds.EnvFrom) > 0 {
			t.Errorf("%q: the settings are %v, from %v", text, ds.Env, ds.EnvFrom)
		}
	}
	code := base()
	code.Addons = []iac.Addon{{Name: iac.Text("vpc-cni"), Cluster: iac.Text("shop"), Config: iac.Unknown("x is known only after apply")}}
	if ds := build(t, code)[0].AWSNode.DaemonSet; len(ds.EnvFrom) != 1 {
		t.Errorf("an unknown configuration gives %v", ds.EnvFrom)
	}
}

// TestErrors: without a cluster, an account or a region there is nothing to judge.
func TestErrors(t *testing.T) {
	for next, change := range map[string]func(*iac.Code){
		"check the plan that has the cluster": func(c *iac.Code) { c.Clusters, c.NodeGroups = nil, nil },
		"give the account":                    func(c *iac.Code) { c.Place.Account = "" },
		"give the region":                     func(c *iac.Code) { c.Place.Region = "" },
	} {
		code := base()
		change(code)
		_, err := iac.Build(code)
		var p *problem.Error
		if !errors.As(err, &p) || !strings.HasPrefix(p.Next, next) {
			t.Errorf("%s: the error is %v", next, err)
		}
	}
}
