package iac_test

import (
	"slices"
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
