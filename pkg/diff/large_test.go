package diff_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// churned is a cluster of so many nodes with instances and pods, the first of which have
// the number from.
func churned(t *testing.T, from, n int) *snapshot.Snapshot {
	t.Helper()
	s := facts(t, "healthy", `{}`)
	const profile = "arn:aws:iam::111122223333:instance-profile/eksNodeRole"
	s.Nodes, s.Instances, s.AWSNode.Pods = map[string]snapshot.Node{}, map[string]snapshot.Instance{}, map[string]snapshot.Pod{}
	s.InstanceProfiles = map[string]snapshot.InstanceProfile{profile: {Roles: []string{"arn:aws:iam::111122223333:role/eksNodeRole"}}}
	for i := from; i < from+n; i++ {
		name, id := fmt.Sprintf("ip-10-%d-%d-%d.eu-west-1.compute.internal", i>>16, i>>8&255, i&255), fmt.Sprintf("i-%017d", i)
		s.Nodes[name] = snapshot.Node{ProviderID: "aws:///eu-west-1a/" + id, Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "apps", Ready: true}
		s.Instances[id] = snapshot.Instance{State: "running", InstanceProfile: profile, NodeGroup: "apps", Owned: true, HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1}
		s.AWSNode.Pods["aws-node-"+id] = snapshot.Pod{Node: name, Ready: true, Env: map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/eksCNIRole", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}}
	}
	return s
}

// TestLargeCluster: most nodes of a large cluster were replaced, and what matters is found
// without a wait: the time does not grow with the square of the nodes.
func TestLargeCluster(t *testing.T) {
	const nodes = 4000
	older, newer := churned(t, 0, nodes), churned(t, nodes/2, nodes)
	for name, pod := range newer.AWSNode.Pods { // all were restarted with another image
		pod.Image = "amazon-k8s-cni:v1.21.0"
		newer.AWSNode.Pods[name] = pod
	}
	role := newer.Roles["arn:aws:iam::111122223333:role/eksNodeRole"]
	role.AttachedPolicies = nil
	newer.Roles["arn:aws:iam::111122223333:role/eksNodeRole"] = role
	start := time.Now()
	d := compare(t, older, newer)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(d.Changes) > 10 || d.Summary.Worse == 0 || len(d.Verdicts[0].Causes) == 0 {
		t.Errorf("%d changes, %+v", len(d.Changes), d.Verdicts)
	}
	for _, c := range d.Changes {
		if c.Kind == diff.KindNode && len(c.Names) != nodes/2 {
			t.Errorf("%d nodes %s", len(c.Names), c.Action)
		}
	}
}
