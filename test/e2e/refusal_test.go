package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restOnNothing are operations on which no verdict of this cluster rests: its
// aws-node uses Pod Identity, and a role's profiles only lead to other facts.
var restOnNothing = []string{"iam:GetOpenIDConnectProvider", "iam:ListInstanceProfilesForRole"}

// replaceable are calls that cost no fact when one of them is refused, because the other
// reads the same.
var replaceable = []string{"iam:GetPolicy", "iam:ListPolicies"}

// TestEveryRefusal refuses one AWS operation after the other: what rests on it
// becomes unknown and names it, and nothing passes or fails because of it.
func TestEveryRefusal(t *testing.T) {
	s := broken(t)
	s.inlinePolicy("gpuNodeRole", "pull", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	s.proxied.Associations["a-1"] = associationOf("eksCNIRole")
	s.grantAccess("bastionRole", "EC2")
	s.autoScalingGroup("workers", "bastionRole", "1")
	s.launchConfigurationGroup("older", "bastionRole")
	s.hybrid("eksCNIRole")
	env := s.kubeconfig(proxy.URL)
	check := func() (statuses map[string]string, unknown []string, missing []string) {
		r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
		statuses = map[string]string{}
		for _, res := range r.Results {
			statuses[res.ID+" "+res.Subject.Name] = res.Status
			if res.Status == "unknown" {
				unknown = append(unknown, strings.Join(res.Evidence, "\n"))
			}
		}
		for _, m := range r.Missing {
			missing = append(missing, m.Operation+" "+m.Permission)
		}
		return statuses, unknown, missing
	}
	before, unknown, _ := check()
	if len(unknown) > 0 {
		t.Fatalf("unknown without a refusal: %v", unknown)
	}
	var policy struct {
		Statement []struct{ Action []string }
	}
	s.must(json.Unmarshal([]byte(documented(t, "```json")), &policy))
	for _, operation := range policy.Statement[0].Action {
		// Without these the cluster itself is not found.
		if operation == "eks:DescribeCluster" {
			continue
		}
		t.Run(operation, func(t *testing.T) {
			proxy.SetFault(operation, denied(operation))
			defer proxy.ClearFault(operation)
			after, unknown, missing := check()
			if slices.Contains(replaceable, operation) {
				if len(missing)+len(unknown) > 0 || !maps.Equal(before, after) {
					t.Errorf("missing %v, unknown %v", missing, unknown)
				}
				return
			}
			if len(missing) == 0 || slices.ContainsFunc(missing, func(m string) bool { return m != operation+" "+operation }) {
				t.Errorf("missing %v", missing)
			}
			if len(unknown) == 0 && !slices.Contains(restOnNothing, operation) {
				t.Error("no rule says that it is unknown")
			}
			for _, evidence := range unknown {
				if !strings.Contains(evidence, operation) {
					t.Errorf("an unknown result does not name it: %s", evidence)
				}
			}
			for key, status := range after {
				was := before[key]
				if was == "pass" && status == "fail" || was == "fail" && status == "pass" {
					t.Errorf("%s: %s turned into %s", key, was, status)
				}
			}
		})
	}
}

// TestEveryKubernetesRefusal takes one right after the other from the documented
// ones: only what rests on it becomes unknown.
func TestEveryKubernetesRefusal(t *testing.T) {
	s := newScenario(t, "rights")
	s.healthy()
	env := s.writeKubeconfig(proxy.URL, map[string]any{"token": readerToken})
	s.grantReader("rights")
	rbac := s.kube.RbacV1()
	cluster, err := rbac.ClusterRoles().Get(s.ctx, "noderole-check", metav1.GetOptions{})
	s.must(err)
	system, err := rbac.Roles("kube-system").Get(s.ctx, "noderole-check", metav1.GetOptions{})
	s.must(err)
	addons, err := rbac.ClusterRoles().Get(s.ctx, "noderole-addons", metav1.GetOptions{}) // it grants some of the same
	s.must(err)
	// without returns the rules less one resource.
	without := func(rules []rbacv1.PolicyRule, resource string) []rbacv1.PolicyRule {
		var left []rbacv1.PolicyRule
		for _, r := range rules {
			r = *r.DeepCopy()
			if r.Resources = slices.DeleteFunc(r.Resources, func(name string) bool { return name == resource }); len(r.Resources) > 0 {
				left = append(left, r)
			}
		}
		return left
	}
	for resource, permissions := range map[string][]string{
		"nodes":           {"list nodes"},
		"ec2nodeclasses":  {"list ec2nodeclasses.karpenter.k8s.aws"},
		"nodeclasses":     {"list nodeclasses.eks.amazonaws.com"},
		"pods":            {"list pods in kube-system"},
		"events":          {"list events in kube-system"},
		"serviceaccounts": {"get serviceaccounts in kube-system"},
		"configmaps":      {"get configmaps in kube-system"},
		"daemonsets":      {"get daemonsets.apps in kube-system"},
		"deployments":     {"get deployments.apps in kube-system"},
	} {
		t.Run(resource, func(t *testing.T) {
			c, n, a := cluster.DeepCopy(), system.DeepCopy(), addons.DeepCopy()
			c.Rules, n.Rules, a.Rules = without(c.Rules, resource), without(n.Rules, resource), without(a.Rules, resource)
			c.ResourceVersion, n.ResourceVersion, a.ResourceVersion = "", "", ""
			_, err := rbac.ClusterRoles().Update(s.ctx, c, metav1.UpdateOptions{})
			s.must(err)
			_, err = rbac.ClusterRoles().Update(s.ctx, a, metav1.UpdateOptions{})
			s.must(err)
			_, err = rbac.Roles("kube-system").Update(s.ctx, n, metav1.UpdateOptions{})
			s.must(err)
			r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
			var missing []string
			for _, m := range r.Missing {
				missing = append(missing, m.Permission)
			}
			slices.Sort(missing)
			if missing = slices.Compact(missing); !slices.Equal(missing, permissions) {
				t.Errorf("missing %v, want %v", missing, permissions)
			}
			unknown := 0
			for _, res := range r.Results {
				switch res.Status {
				case "fail":
					t.Errorf("%s fails because of it: %s", res.ID, res.Message)
				case "unknown":
					unknown++
					if !strings.Contains(strings.Join(res.Evidence, "\n"), permissions[0]) {
						t.Errorf("%s does not name it: %v", res.ID, res.Evidence)
					}
				}
			}
			if unknown == 0 {
				t.Error("no rule says that it is unknown")
			}
		})
	}
}
