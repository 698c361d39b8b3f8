package managed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/managed"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

func TestCopiesAreCurrent(t *testing.T) {
	asOf, err := time.Parse(time.DateOnly, managed.AsOf())
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(asOf); age > 365*24*time.Hour {
		t.Errorf("the copies of AWS's managed policies are of %s: run hack/managed-policies.sh", managed.AsOf())
	}
}

func TestCopiesParse(t *testing.T) {
	arns := managed.ARNs("aws-cn")
	if len(arns) < 15 {
		t.Errorf("%d copies", len(arns))
	}
	for _, arn := range arns {
		policy, ok := managed.Policy(arn)
		if !ok {
			t.Errorf("%s is not found by its ARN", arn)
			continue
		}
		if _, err := iampolicy.Parse(iampolicy.Identity, []byte(policy.Document)); err != nil {
			t.Errorf("%s: %s", arn, err)
		}
		if strings.Contains(policy.Document, "arn:aws:") {
			t.Errorf("%s names resources of another partition", arn)
		}
		if !strings.HasSuffix(policy.Version, " as of "+managed.AsOf()) {
			t.Errorf("%s has the version %q", arn, policy.Version)
		}
	}
}

// TestNodePolicies: what AWS's guides attach to node roles is among the copies.
func TestNodePolicies(t *testing.T) {
	for _, name := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy", "AmazonSSMManagedInstanceCore"} {
		if _, ok := managed.Policy(need.ManagedPolicy("aws", name)); !ok {
			t.Errorf("no copy of %s", name)
		}
	}
	for _, arn := range []string{"", "AmazonEKSWorkerNodePolicy", "arn:aws:iam::111122223333:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/NoSuchPolicy"} {
		if _, ok := managed.Policy(arn); ok {
			t.Errorf("%q has a copy", arn)
		}
	}
	if managed.Is("arn:aws:iam::111122223333:policy/own") || !managed.Is("arn:aws:iam::aws:policy/NoSuchPolicy") {
		t.Error("Is takes own policies for AWS's")
	}
}
