package collect_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const latency = 50 * time.Millisecond

// slow is an AWS and a Kubernetes API in which every call takes latency, of
// whatever clock the test runs by, and any number of calls may be in flight.
// It holds a cluster with 10 node groups, a self-managed node, 3 roles and 12
// policies.
type slow struct{ collect.AWS }

const slowRole = "arn:aws:iam::111122223333:role/node-"

func (slow) ListClusters(context.Context) ([]string, error) {
	time.Sleep(latency)
	return []string{"prod", "dev"}, nil
}

func (slow) Cluster(_ context.Context, name string) (snapshot.Cluster, error) {
	time.Sleep(latency)
	return snapshot.Cluster{ARN: clusterARN(name)}, nil
}

func (slow) NodeGroups(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, nil
}

func (slow) NodeGroup(_ context.Context, _, name string) (snapshot.NodeGroup, error) {
	time.Sleep(latency)
	return snapshot.NodeGroup{NodeRoleARN: slowRole + string('0'+(name[0]-'0')%2)}, nil
}

func (slow) FargateProfiles(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return []string{"fp"}, nil
}

func (slow) FargateProfile(context.Context, string, string) (snapshot.FargateProfile, error) {
	time.Sleep(latency)
	return snapshot.FargateProfile{}, nil
}

func (slow) Addon(context.Context, string, string) (snapshot.Addon, error) {
	time.Sleep(latency)
	return snapshot.Addon{}, nil
}

func (slow) PodIdentityAssociations(context.Context, string, string, string) ([]string, error) {
	time.Sleep(latency)
	return []string{"a-1"}, nil
}

func (slow) PodIdentityAssociation(context.Context, string, string) (snapshot.PodIdentityAssociation, error) {
	time.Sleep(latency)
	return snapshot.PodIdentityAssociation{RoleARN: slowRole + "1"}, nil
}

func (slow) AccessEntry(context.Context, string, string) (snapshot.AccessEntry, error) {
	time.Sleep(latency)
	return snapshot.AccessEntry{}, nil
}

func (slow) Role(_ context.Context, name string) (string, snapshot.Role, error) {
	time.Sleep(latency)
	return "arn:aws:iam::111122223333:role/" + name, snapshot.Role{PermissionsBoundary: "boundary"}, nil
}

func (slow) AttachedPolicies(_ context.Context, role string) ([]string, error) {
	time.Sleep(latency)
	return []string{"shared", role + "a", role + "b", role + "c"}, nil
}

func (slow) InlinePolicies(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return []string{"inline"}, nil
}

func (slow) InlinePolicy(context.Context, string, string) (string, error) {
	time.Sleep(latency)
	return "{}", nil
}

func (slow) RoleProfiles(context.Context, string) (map[string]snapshot.InstanceProfile, error) {
	time.Sleep(latency)
	return nil, nil
}

func (slow) PolicyVersion(context.Context, string) (string, error) {
	time.Sleep(latency)
	return "v1", nil
}

func (slow) PolicyDocument(context.Context, string, string) (string, error) {
	time.Sleep(latency)
	return "{}", nil
}

func (slow) InstanceProfile(context.Context, string) (string, snapshot.InstanceProfile, error) {
	time.Sleep(latency)
	return "arn:aws:iam::111122223333:instance-profile/self", snapshot.InstanceProfile{Roles: []string{slowRole + "2"}}, nil
}

func (slow) Instances(_ context.Context, ids []string) (map[string]snapshot.Instance, error) {
	time.Sleep(latency)
	return map[string]snapshot.Instance{ids[0]: {InstanceProfile: "arn:aws:iam::111122223333:instance-profile/self"}}, nil
}

func (slow) AccessEntries(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return nil, nil
}

func (slow) AccessPolicies(context.Context, string, string) (map[string][]string, error) {
	time.Sleep(latency)
	return nil, nil
}

func (slow) AutoScalingGroups(context.Context, string, func(string, snapshot.AutoScalingGroup)) error {
	time.Sleep(latency)
	return nil
}

func (slow) TemplateProfile(context.Context, string) (string, error) {
	time.Sleep(latency)
	return "", nil
}

func (slow) ConfigurationProfile(context.Context, string) (string, error) {
	time.Sleep(latency)
	return "", nil
}

func (slow) OIDCProvider(context.Context, string) (snapshot.OIDCProvider, error) {
	time.Sleep(latency)
	return snapshot.OIDCProvider{}, nil
}

func (slow) ClusterInstances(context.Context, string, func(string, snapshot.Instance)) error {
	time.Sleep(latency)
	return nil
}

func (slow) Simulate(context.Context, string, []string, []string) ([]snapshot.Simulation, error) {
	time.Sleep(latency)
	return nil, nil
}

func (slow) Calls() map[string]int { return nil }

type quickKube struct{}

func (quickKube) Nodes(_ context.Context, each func(string, snapshot.Node)) error {
	each("n", snapshot.Node{Provisioner: snapshot.SelfManaged, ProviderID: "aws:///eu-west-1a/i-0a"})
	return nil
}

func (quickKube) ServiceAccount(context.Context) (*snapshot.ServiceAccount, error) { return nil, nil }

func (quickKube) DaemonSet(context.Context) (*snapshot.DaemonSet, snapshot.PodImages, error) {
	return nil, snapshot.PodImages{}, nil
}

func (quickKube) KubeProxy(context.Context) (snapshot.PodImages, error) {
	return snapshot.PodImages{}, nil
}
func (quickKube) CoreDNS(context.Context) (snapshot.PodImages, error) {
	return snapshot.PodImages{}, nil
}
func (quickKube) Pods(context.Context, func(string, snapshot.Pod)) error { return nil }
func (quickKube) AWSAuth(context.Context) (*snapshot.AWSAuth, error)     { return nil, nil }
func (quickKube) Events(context.Context) ([]snapshot.Event, error)       { return nil, nil }
func (quickKube) PodIdentityAgent(context.Context) (*snapshot.PodIdentityAgent, error) {
	return nil, nil
}

func (quickKube) KarpenterNodeClasses(context.Context) (map[string]snapshot.NodeClass, error) {
	return nil, nil
}

func (quickKube) KarpenterNodeTemplates(context.Context) (map[string]snapshot.NodeClass, error) {
	return nil, nil
}

func (quickKube) AutoModeNodeClasses(context.Context) (map[string]snapshot.NodeClass, error) {
	return nil, nil
}

func (quickKube) Calls() int { return 0 }

// Nothing waits for what it does not depend on: all is read in five calls one
// after the other.
func TestDepth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s, _, err := collect.Collect(t.Context(), collect.Options{
			Cluster: locate.Cluster{Name: "prod", ARN: clusterARN("prod")}, AWS: slow{}, Kube: quickKube{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 5*latency {
			t.Errorf("took %v, which is %d calls of %v one after the other", took, took/latency, latency)
		}
		if len(s.NodeGroups) != 10 || len(s.Roles) != 3 || len(s.Policies) != 11 {
			t.Errorf("%d node groups, %d roles, %d policies", len(s.NodeGroups), len(s.Roles), len(s.Policies))
		}
	})
}

// BenchmarkCollect reads a cluster of 10 node groups, 3 roles and 12 managed
// policies through the real SDK from a server that answers every call after 50
// ms, from making the client to the snapshot. Besides the time it reports the
// calls and the longest row of calls that came one after the other.
func BenchmarkCollect(b *testing.B) {
	w := newWorld(b)
	f := w.aws
	f.pageSize = 100
	f.latency = latency
	f.nodeGroups = map[string]map[string]any{}
	for i := range 10 {
		f.nodeGroups[fmt.Sprintf("group-%d", i)] = map[string]any{"nodeRole": f.roleARN([]string{"node-a", "node-b"}[i%2])}
	}
	f.policies = map[string]string{}
	var arns []string
	for i := range 12 {
		arn := fmt.Sprintf("arn:aws:iam::%s:policy/p-%d", account, i)
		if i >= 8 && i < 11 { // used by node-b, node-b and self, and self
			arn = []string{workerPolicy, pullPolicy, cniPolicy}[i-8]
		}
		arns = append(arns, arn)
		f.policies[arn] = rawDocument
	}
	f.roles = map[string]fakeRole{
		"node-a": {trust: rawDocument, attached: arns[:6], inline: map[string]string{"inline": rawDocument}},
		"node-b": {path: "/team/", trust: rawDocument, attached: arns[4:10], boundary: arns[11]},
		"self":   {trust: rawDocument, attached: arns[8:11]},
	}
	delete(f.addons["vpc-cni"], "serviceAccountRoleArn")
	f.associations["a-1"]["roleArn"] = f.roleARN("self")
	delete(f.associations["a-1"], "targetRoleArn")
	w.kube.serviceAccount.Annotations = nil
	w.kube.pods = nil
	// Neither hybrid nodes nor other special ones.
	prod := f.clusters["prod"]
	for _, field := range []string{"remoteNetworkConfig", "computeConfig"} {
		delete(prod, field)
	}
	w.kube.nodeClasses, w.kube.awsAuth, f.noAutoScaling = nil, nil, true
	f.instances = map[string]fakeEC2Instance{"i-0a": {state: "running", profile: f.profileARN("self"), tokens: "required", hops: 1}}
	w.kube.nodes = w.kube.nodes[:2]
	f.entries = map[string]map[string]any{}
	for _, name := range []string{"node-a", "node-b", "self"} {
		f.entries[f.roleARN(name)] = map[string]any{"type": "EC2_LINUX"}
	}
	f.entries[f.roleARN("people")] = map[string]any{"type": "STANDARD"}

	var calls int
	for b.Loop() {
		f.reset()
		o := w.options(b)
		if _, err := o.AWS.(locate.API).DescribeCluster(b.Context(), "prod"); err != nil {
			b.Fatal(err)
		}
		s, stats, err := collect.Collect(b.Context(), o)
		if err != nil || len(s.Missing) > 0 {
			b.Fatal(err, s.Missing)
		}
		if len(s.Roles) != 3 || len(s.Policies) != 12 {
			b.Fatalf("%d roles, %d policies", len(s.Roles), len(s.Policies))
		}
		for object, n := range f.objects {
			if n > 1 {
				b.Fatalf("%s was read %d times", object, n)
			}
		}
		calls = stats.AWSCalls
	}
	b.ReportMetric(float64(calls), "calls/op")
	b.ReportMetric(float64(f.row()), "row/op")
	b.ReportMetric(float64(f.peak["iam"]), "iam-in-flight")
}
