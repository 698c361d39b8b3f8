package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// restOnNothing are operations on which no verdict of this cluster rests: its
// aws-node uses Pod Identity, and a role's profiles only lead to other facts.
var restOnNothing = []string{"iam:GetOpenIDConnectProvider", "iam:ListInstanceProfilesForRole"}

// TestEveryRefusal refuses one AWS operation after the other: what rests on it
// becomes unknown and names it, and nothing passes or fails because of it.
func TestEveryRefusal(t *testing.T) {
	s := broken(t)
	s.inlinePolicy("gpuNodeRole", "pull", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	s.proxied.Associations["a-1"] = associationOf("eksCNIRole")
	s.letIn("bastionRole", "EC2")
	s.autoScalingGroup("workers", "bastionRole")
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
			if len(missing) == 0 || slices.ContainsFunc(missing, func(m string) bool { return m != operation+" "+operation }) {
				t.Errorf("missing %v", missing)
			}
			if len(unknown) == 0 && !slices.Contains(restOnNothing, operation) {
				t.Error("no rule says that it was not checked")
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
