package iac_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestClusterRole: the cluster role is judged where its policies are in the code. What may be
// in another stack is no failure and keeps no report from being complete.
func TestClusterRole(t *testing.T) {
	const (
		eksTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"eks.amazonaws.com"}}]}`
		ec2Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}`
		policy   = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
		podENI   = `{"env":{"ENABLE_POD_ENI":"true"}}`
	)
	attach := func(c *iac.Code, policy iac.Value) {
		c.Attachments = append(c.Attachments, iac.Attachment{Declared: declared("p"), Role: iac.Value{Resource: "clusterRole"}, Policy: policy})
	}
	for _, c := range []struct {
		name   string
		change func(*iac.Code)
		want   map[string]finding.Status
	}{
		{"right", func(c *iac.Code) { attach(c, iac.Text(policy)) }, map[string]finding.Status{"NR213": finding.Pass, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
		{"another policy", func(c *iac.Code) { attach(c, iac.Text(pull)) }, map[string]finding.Status{"NR213": finding.Fail, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
		{"policies are elsewhere", func(*iac.Code) {}, map[string]finding.Status{"NR213": finding.NotApplicable, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
		{"the policy is known after apply", func(c *iac.Code) { attach(c, iac.Unknown("it is known only after apply")) }, map[string]finding.Status{
			"NR213": finding.NotApplicable, "NR306": finding.Pass, "NR214": finding.NotApplicable,
		}},
		{"attachments of others to a role that exists", func(c *iac.Code) {
			c.Roles[0].Existed = true
			attach(c, iac.Text(pull))
		}, map[string]finding.Status{"NR213": finding.NotApplicable, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
		{"the state lists what is attached", func(c *iac.Code) {
			c.Roles[0].Existed, c.Roles[0].Attached = true, []iac.Value{iac.Text(pull)}
		}, map[string]finding.Status{"NR213": finding.Fail, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
		{"wrong trust", func(c *iac.Code) { c.Roles[0].Trust = iac.Text(ec2Trust) }, map[string]finding.Status{"NR213": finding.NotApplicable, "NR306": finding.Fail, "NR214": finding.NotApplicable}},
		{"the role is only read", func(c *iac.Code) { c.Roles[0].Read = true }, map[string]finding.Status{"NR213": finding.NotApplicable, "NR306": finding.NotApplicable, "NR214": finding.NotApplicable}},
		{"security groups for pods", func(c *iac.Code) {
			attach(c, iac.Text(policy))
			c.Addons = []iac.Addon{{Declared: declared("cni"), Name: iac.Text("vpc-cni"), Cluster: iac.Value{Resource: "cluster"}, Config: iac.Text(podENI)}}
		}, map[string]finding.Status{"NR213": finding.Pass, "NR306": finding.Pass, "NR214": finding.Fail}},
		{"security groups for pods, and a policy that is known after apply", func(c *iac.Code) {
			attach(c, iac.Text(policy))
			attach(c, iac.Unknown("it is known only after apply"))
			c.Addons = []iac.Addon{{Declared: declared("cni"), Name: iac.Text("vpc-cni"), Cluster: iac.Value{Resource: "cluster"}, Config: iac.Text(podENI)}}
		}, map[string]finding.Status{"NR213": finding.NotApplicable, "NR306": finding.Pass, "NR214": finding.NotApplicable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := base()
			code.Roles[0].Trust = iac.Text(eksTrust)
			c.change(code)
			got := map[string]finding.Status{}
			report := rules.Judge(view.New(build(t, code)[0]), rules.Options{})
			for _, r := range report.Results {
				if _, ok := c.want[r.ID]; ok {
					got[r.ID] = r.Status
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, m := range report.Missing {
				if m.Subject == "arn:aws:iam::111122223333:role/cluster" {
					t.Errorf("the report is not complete without %v", m)
				}
			}
		})
	}
}
