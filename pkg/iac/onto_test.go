package iac_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func example(t *testing.T, name string) *snapshot.Snapshot {
	t.Helper()
	text, ok := examples.Read(name)
	if !ok {
		t.Fatalf("no example %s", name)
	}
	s, err := snapshot.Decode(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func onto(t *testing.T, code *iac.Code, base *snapshot.Snapshot) *snapshot.Snapshot {
	t.Helper()
	s, err := iac.Onto(code, base)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Decode("snapshot", text); err != nil {
		t.Fatalf("%s\n%s", err, text)
	}
	return s
}

// outcomes are the results of the rules, as RULE SUBJECT STATUS.
func outcomes(s *snapshot.Snapshot) []string {
	var list []string
	for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
		list = append(list, r.ID+" "+r.Subject.Name+" "+string(r.Status))
	}
	slices.Sort(list)
	return list
}

// TestOntoNothing: code that changes nothing changes no verdict, and not the facts that it is
// applied to.
func TestOntoNothing(t *testing.T) {
	for _, name := range examples.Names() {
		base := example(t, name)
		before, err := base.Encode()
		if err != nil {
			t.Fatal(err)
		}
		s := onto(t, &iac.Code{Kind: "plan", Command: "terraform plan", File: "plan.json"}, base)
		if diff := cmp.Diff(outcomes(base), outcomes(s)); diff != "" {
			t.Errorf("%s: (-before +after)\n%s", name, diff)
		}
		if after, err := base.Encode(); err != nil || string(after) != string(before) {
			t.Errorf("%s: the facts were changed (%v)", name, err)
		}
	}
}

const (
	healthyNode    = "arn:aws:iam::111122223333:role/eksNodeRole"
	healthyCluster = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
)

// TestOntoHealthy: what a change of a healthy cluster breaks is found, and nothing else.
func TestOntoHealthy(t *testing.T) {
	prod := iac.Text("prod")
	for _, c := range []struct {
		name   string
		change iac.Code
		failed []string
	}{
		{"a policy is detached", iac.Code{Detached: []iac.Attachment{{Role: iac.Text("eksNodeRole"), Policy: iac.Text(pull)}}}, []string{"NR202 eksNodeRole", "NR210 eksNodeRole"}},
		{
			"a role is replaced under its name",
			iac.Code{
				Roles: []iac.Role{{
					Declared: declared("node"), Name: iac.Name{Name: iac.Text("eksNodeRole")}, Replaced: true,
					Trust:    iac.Text(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
					Attached: []iac.Value{iac.Text(pull), iac.Text(worker)}, Facts: snapshot.Role{CreatedAt: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)},
				}},
				Deleted: []iac.Deletion{{Fact: snapshot.FactRoles, Key: healthyNode}},
			},
			[]string{"NR503 eksNodeRole"},
		},
		{"a role is deleted", iac.Code{Deleted: []iac.Deletion{{Fact: snapshot.FactRoles, Key: healthyNode}}}, []string{"NR104 eksNodeRole"}},
		{
			"an access entry is dropped",
			iac.Code{Deleted: []iac.Deletion{{Fact: snapshot.FactAccessEntries, Key: healthyNode, Cluster: "prod"}}},
			[]string{"NR501 eksNodeRole"},
		},
		{
			"an access entry of another cluster is dropped",
			iac.Code{Deleted: []iac.Deletion{{Fact: snapshot.FactAccessEntries, Key: healthyNode, Cluster: "staging"}}},
			nil,
		},
		{
			"an access policy is added to the entry",
			iac.Code{AccessPolicies: []iac.AccessPolicy{{
				Declared: declared("p"), Cluster: prod, Principal: iac.Text(healthyNode), Policy: iac.Text("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"),
			}}},
			[]string{"NR506 eksNodeRole"},
		},
		{
			"the policy of aws-node's role is detached",
			iac.Code{Detached: []iac.Attachment{{Role: iac.Text("eksCNIRole"), Policy: iac.Text("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")}}},
			[]string{"NR206 aws-node", "NR211 aws-node"},
		},
		{
			"a node group with the cluster's role",
			iac.Code{NodeGroups: []iac.NodeGroup{{Declared: declared("group"), Name: iac.Text("new"), Cluster: prod, Role: iac.Text("arn:aws:iam::111122223333:role/eksClusterRole")}}},
			[]string{"NR101 eksClusterRole"},
		},
		{
			"the CNI policy comes back",
			iac.Code{Attachments: []iac.Attachment{{Declared: declared("a"), Role: iac.Text("eksNodeRole"), Policy: iac.Text("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")}}},
			[]string{"NR205 eksNodeRole"},
		},
		{
			"a Fargate profile with the node role",
			iac.Code{FargateProfiles: []iac.FargateProfile{{Declared: declared("f"), Name: iac.Text("f"), Cluster: prod, Role: iac.Text(healthyNode)}}},
			[]string{"NR103 eksNodeRole"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change.Kind, c.change.Command, c.change.File = "plan", "terraform plan", "plan.json"
			s := onto(t, &c.change, example(t, "healthy"))
			var failed []string
			for _, r := range rules.Judge(view.New(s), rules.Options{}).Results {
				if r.Status == finding.Fail && len(r.Causes) == 0 {
					failed = append(failed, r.ID+" "+r.Subject.Name)
				}
			}
			slices.Sort(failed)
			if diff := cmp.Diff(c.failed, failed); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestOntoRefuses: a cluster that the code creates or deletes has no facts to apply it to.
func TestOntoRefuses(t *testing.T) {
	for name, code := range map[string]*iac.Code{
		"created": {Clusters: []iac.Cluster{{Declared: declared("c"), Name: iac.Text("prod")}}},
		"deleted": {Deleted: []iac.Deletion{{Fact: snapshot.FactCluster, Key: healthyCluster}}},
	} {
		if _, err := iac.Onto(code, example(t, "healthy")); err == nil {
			t.Errorf("a cluster that is %s has facts", name)
		}
	}
}

// TestOntoTimeless: a template does not say what of it exists. Its resources are found among
// the facts by their names, also by those that CloudFormation made up.
func TestOntoTimeless(t *testing.T) {
	const made = "arn:aws:iam::111122223333:role/prod-NodeRole-1A2B3C4D5E6F"
	text, _ := examples.Read("healthy")
	facts, err := snapshot.Decode("healthy", []byte(strings.NewReplacer("eksNodeRole", "prod-NodeRole-1A2B3C4D5E6F", "  apps:", "  Apps-x7Kq2:", "owner: apps", "owner: Apps-x7Kq2").Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	template := func(policies ...string) *iac.Code {
		role := iac.Role{Declared: declared("NodeRole"), Name: iac.Name{Name: iac.Unknown("NodeRole has a name only after deployment"), Prefix: "NodeRole-"}, Trust: iac.Text(facts.Roles[made].TrustPolicy)}
		for _, p := range policies {
			role.Attached = append(role.Attached, iac.Text(p))
		}
		return &iac.Code{
			Kind: "template", Command: "CloudFormation template", File: "t.yaml", Timeless: true, Roles: []iac.Role{role},
			Clusters: []iac.Cluster{{Declared: declared("Cluster"), Name: iac.Unknown("Cluster has a name only after deployment"), Role: iac.Value{Resource: "ClusterRole"}}},
			NodeGroups: []iac.NodeGroup{{
				Declared: declared("Apps"), Cluster: iac.Value{Resource: "Cluster"}, Role: iac.Value{Resource: "NodeRole"}, AMIType: "AL2023_x86_64_STANDARD",
			}},
		}
	}
	if diff := cmp.Diff(outcomes(facts), outcomes(onto(t, template(pull, worker), facts))); diff != "" {
		t.Errorf("a template of what exists changes verdicts (-before +after)\n%s", diff)
	}
	// A policy that the template does not have: it is attached by others, or it is removed.
	if after := outcomes(onto(t, template(worker), facts)); !slices.Contains(after, "NR202 prod-NodeRole-1A2B3C4D5E6F unknown") {
		t.Errorf("it is known whether a policy stays that the template does not have\n%s", after)
	}
	// Another role has a name of this form too: it is not that of the node group.
	facts.Roles["arn:aws:iam::111122223333:role/staging-NodeRole-1A2B3C4D5E6F"] = facts.Roles[made]
	if diff := cmp.Diff(outcomes(facts), outcomes(onto(t, template(pull, worker), facts))); diff != "" {
		t.Errorf("another role of the template changes verdicts (-before +after)\n%s", diff)
	}
}

// TestOntoStandIns: objects of Kubernetes in a template name roles by stand-ins for the names
// that CloudFormation made up, also where several templates are read.
func TestOntoStandIns(t *testing.T) {
	const made = "arn:aws:iam::111122223333:role/prod-NodeRole-1A2B3C4D5E6F"
	text, _ := examples.Read("healthy")
	facts, err := snapshot.Decode("healthy", []byte(strings.ReplaceAll(string(text), "eksNodeRole", "prod-NodeRole-1A2B3C4D5E6F")))
	if err != nil {
		t.Fatal(err)
	}
	code := &iac.Code{
		Kind: "template", Command: "CloudFormation template", File: "t.yaml, u.yaml", Timeless: true,
		Roles: []iac.Role{{
			Declared: iac.Declared{Address: "t.yaml:NodeRole", LogicalID: "NodeRole"},
			Name:     iac.Name{Name: iac.Unknown("NodeRole has a name only after deployment"), Prefix: "NodeRole-"}, Trust: iac.Text(facts.Roles[made].TrustPolicy),
		}},
		ServiceAccounts: []iac.ServiceAccount{{Declared: declared("Account"), Role: iac.Text("arn:aws:iam::111122223333:role/" + iac.StandIn("NodeRole-"))}},
		NodeClasses:     []iac.NodeClass{{Declared: declared("Class"), Kind: iac.KarpenterClass, Name: "default", Role: iac.Text(iac.StandIn("NodeRole-"))}},
	}
	s := onto(t, code, facts)
	if s.AWSNode.ServiceAccount == nil || s.AWSNode.ServiceAccount.RoleARN != made || s.KarpenterNodeClasses["default"].RoleARN != made {
		t.Errorf("the service account is %+v, the node class %+v", s.AWSNode.ServiceAccount, s.KarpenterNodeClasses["default"])
	}
}

// TestJoin: the roles are in one plan, the cluster in another, which reads a role and names
// the other one.
func TestJoin(t *testing.T) {
	cluster := base()
	roles := &iac.Code{
		Kind: "plan", Command: "terraform plan", File: "roles.json", At: "2026-11-30T10:00:00Z", Place: iac.Place{Account: "111122223333"},
		Roles: []iac.Role{{Declared: declared("roles.json:node"), Name: iac.Name{Name: iac.Text("node")}, Trust: iac.Text("{}"), Attached: []iac.Value{iac.Text(pull)}}},
	}
	cluster.Roles[1].Read = true
	cluster.Place.Account = ""
	for _, codes := range [][]*iac.Code{{roles, cluster}, {cluster, roles}} {
		snapshots, err := iac.Build(iac.Join(codes))
		if err != nil || len(snapshots) != 1 {
			t.Fatalf("%d snapshots, %v", len(snapshots), err)
		}
		if r := snapshots[0].Roles[node]; !slices.Equal(r.AttachedPolicies, []string{pull}) || snapshots[0].Places[node].Address != "roles.json:node" {
			t.Errorf("the role is %v, declared at %v", r, snapshots[0].Places[node])
		}
	}
}

// TestJoinReadCluster: a cluster that one part creates and another one reads is one cluster.
func TestJoinReadCluster(t *testing.T) {
	groups := base()
	groups.Clusters = []iac.Cluster{{Declared: iac.Declared{Address: "data.cluster", Read: true}, Name: iac.Text("shop")}}
	groups.NodeGroups[0].Cluster = iac.Value{Resource: "data.cluster"}
	groups.NodeGroups[0].Address = "group2"
	groups.Roles = nil
	cluster := base()
	cluster.NodeGroups = nil
	snapshots, err := iac.Build(iac.Join([]*iac.Code{groups, cluster}))
	if err != nil || len(snapshots) != 1 {
		t.Fatalf("%d snapshots, %v", len(snapshots), err)
	}
	s := snapshots[0]
	if s.NodeGroups["apps"].NodeRoleARN != node || len(s.OtherClusters) > 0 || s.IsMissing(snapshot.FactCluster, "") {
		t.Errorf("%+v %+v %+v", s.NodeGroups, s.OtherClusters, s.Missing)
	}
}
