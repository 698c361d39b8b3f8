package collect_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

const latency = 50 * time.Millisecond

// slow is an AWS and a Kubernetes API in which every call takes latency, of
// whatever clock the test runs by, and any number of calls may be in flight.
// It holds a cluster with 10 node groups, a self-managed node, 3 roles and 12
// policies.
type slow struct {
	collect.AWS
	// entries are the principals with an access entry.
	entries []string
	// policies are the attached policies of each role; versions are on the page of
	// attached policies.
	policies func(role string) []string
	versions map[string]string
	// inline and boundary are of each role.
	inline   []string
	boundary string
	// emptyGroup is set where there is an Auto Scaling group without instances, which makes
	// nodes with the third role; there is no self-managed node then.
	emptyGroup bool
	// profilesHidden is set where the page of instance profiles is refused.
	profilesHidden bool
	// bulk is set where all roles of the account are read at once.
	bulk bool
	// clusters answers from memory, as the client does.
	clusters *collect.Memo[snapshot.Cluster]
}

const slowRole = "arn:aws:iam::111122223333:role/node-"

func (slow) ListClusters(context.Context) ([]string, error) {
	time.Sleep(latency)
	return []string{"prod", "dev"}, nil
}

func (s slow) Cluster(ctx context.Context, name string) (snapshot.Cluster, error) {
	return s.clusters.Get(ctx, name, func(context.Context) (snapshot.Cluster, error) {
		time.Sleep(latency)
		return snapshot.Cluster{ARN: clusterARN(name)}, nil
	})
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

func (s slow) Role(_ context.Context, name string) (string, snapshot.Role, error) {
	time.Sleep(latency)
	return "arn:aws:iam::111122223333:role/" + name, snapshot.Role{PermissionsBoundary: s.boundary}, nil
}

func (s slow) AttachedPolicies(_ context.Context, role string) ([]string, error) {
	time.Sleep(latency)
	return s.policies(role), nil
}

func (s slow) InlinePolicies(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return s.inline, nil
}

func (slow) InlinePolicy(context.Context, string, string) (string, error) {
	time.Sleep(latency)
	return "{}", nil
}

func (slow) RoleProfiles(context.Context, string) (map[string]snapshot.InstanceProfile, error) {
	time.Sleep(latency)
	return nil, nil
}

func (s slow) PolicyVersions(context.Context) (map[string]string, error) {
	time.Sleep(latency)
	return s.versions, nil
}

func (slow) BoundaryPolicies(context.Context) (map[string]string, error) {
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

func (s slow) AccessEntries(context.Context, string) ([]string, error) {
	time.Sleep(latency)
	return s.entries, nil
}

func (slow) AccessPolicies(context.Context, string, string) (map[string][]string, error) {
	time.Sleep(latency)
	return nil, nil
}

func (s slow) AutoScalingGroups(_ context.Context, _ string, each func(string, string, snapshot.AutoScalingGroup)) error {
	time.Sleep(latency)
	for i := range 10 { // those of the node groups
		id := strconv.Itoa(i)
		each("eks-"+id, id, snapshot.AutoScalingGroup{LaunchTemplate: "lt-eks" + id + ":1"})
	}
	if s.emptyGroup {
		each("workers", "", snapshot.AutoScalingGroup{LaunchTemplate: "lt-1:1"})
	}
	return nil
}

func (slow) LaunchTemplate(context.Context, string) (collect.Launch, error) {
	time.Sleep(latency)
	return collect.Launch{InstanceProfile: "self"}, nil
}

// selfProfile is the instance profile of the third role.
var selfProfile = map[string]snapshot.InstanceProfile{"arn:aws:iam::111122223333:instance-profile/self": {Roles: []string{slowRole + "2"}}}

func (s slow) ProfilePage(context.Context) (map[string]snapshot.InstanceProfile, error) {
	time.Sleep(latency)
	if s.profilesHidden {
		return nil, &collect.CallError{Operation: "iam:ListInstanceProfiles", Message: "refused"}
	}
	return selfProfile, nil
}

func (s slow) Details(context.Context) (*collect.Details, error) {
	time.Sleep(latency)
	details := &collect.Details{Roles: map[string]collect.RoleDetails{}}
	for i := range 3 {
		name := fmt.Sprintf("node-%d", i)
		role := collect.RoleDetails{ARN: slowRole + name[len("node-"):], Facts: snapshot.Role{AttachedPolicies: s.policies(name)}}
		if i == 2 {
			role.Profiles = selfProfile
		}
		details.Roles[name] = role
	}
	return details, nil
}

func (slow) LaunchConfiguration(context.Context, string) (collect.Launch, error) {
	time.Sleep(latency)
	return collect.Launch{}, nil
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

// quickKube answers at once. It has the self-managed nodes of these instances.
type quickKube []string

func (k quickKube) Nodes(_ context.Context, each func(string, snapshot.Node)) error {
	for _, instance := range k {
		each(instance, snapshot.Node{Provisioner: snapshot.SelfManaged, ProviderID: "aws:///eu-west-1a/" + instance})
	}
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
func (quickKube) Pods(context.Context, func(string, snapshot.Pod)) error           { return nil }
func (quickKube) AWSAuth(context.Context) (*snapshot.AWSAuth, error)               { return nil, nil }
func (quickKube) AddonPods(context.Context, func(string, snapshot.AddonPod)) error { return nil }
func (quickKube) AccountRole(context.Context, string, string) (string, error)      { return "", nil }

func (quickKube) Events(context.Context) ([]snapshot.Event, error) { return nil, nil }

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

// Nothing waits for what it does not depend on, the confirmation of the cluster included.
func TestDepth(t *testing.T) {
	own := func(role string) []string { return []string{"shared", role + "a", role + "b", role + "c"} }
	ownVersions := map[string]string{"shared": "v1", "boundary": "v1"}
	nodeRoles := []string{slowRole + "0", slowRole + "1", slowRole + "2"}
	for _, role := range nodeRoles {
		for _, policy := range own(snapshot.NameOf(role)) {
			ownVersions[policy] = "v1"
		}
	}
	usual := func(string) []string { return []string{workerPolicy, pullPolicy, cniPolicy} }
	usualVersions := map[string]string{workerPolicy: "v1", pullPolicy: "v1", cniPolicy: "v1"}
	people := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("arn:aws:iam::111122223333:role/people-%d", i))
		}
		return list
	}
	empty := slow{entries: append(people(8), nodeRoles...), policies: own, versions: ownVersions, inline: []string{"inline"}, boundary: "boundary", emptyGroup: true}
	hidden := empty
	hidden.profilesHidden = true
	hiddenUsual, hiddenEntries, hiddenBulk := hidden, hidden, hidden
	hiddenUsual.policies, hiddenUsual.versions = usual, usualVersions
	hiddenUsual.inline, hiddenUsual.boundary = nil, ""
	hiddenEntries.entries = nodeRoles
	hiddenBulk.inline, hiddenBulk.boundary, hiddenBulk.bulk = nil, "", true
	for name, test := range map[string]struct {
		aws    slow
		levels time.Duration
	}{
		"roles with access entries": {
			slow{entries: nodeRoles, policies: own, versions: ownVersions, inline: []string{"inline"}, boundary: "boundary"}, 3,
		},
		"and a few roles of people": {
			slow{entries: append(people(5), nodeRoles...), policies: own, versions: ownVersions, inline: []string{"inline"}}, 3,
		},
		// The node's role is found by its instance and instance profile.
		"too many access entries to read their roles ahead": {
			slow{entries: append(people(8), nodeRoles...), policies: own, versions: ownVersions, inline: []string{"inline"}, boundary: "boundary"}, 4,
		},
		"an Auto Scaling group without instances": {empty, 4},
		// Each of the five calls needs what the one before it answered: the group, its launch
		// template, the instance profile, the policies of the role, and their documents.
		"and without the page of instance profiles":             {hidden, 5},
		"policies that node roles usually have are read before": {hiddenUsual, 4},
		"a role with an access entry is read before":            {hiddenEntries, 4},
		"all roles of the account are read at once":             {hiddenBulk, 3},
		"policies that node roles usually have": {
			slow{entries: people(20), policies: usual, versions: usualVersions}, 3,
		},
		"a list of policies that was not read": {slow{entries: nodeRoles, policies: own}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := quickKube{"i-0a"}
				if test.aws.emptyGroup {
					nodes = nil
				}
				test.aws.clusters = &collect.Memo[snapshot.Cluster]{}
				began := time.Now()
				s, _, err := collect.Collect(t.Context(), collect.Options{
					Cluster: locate.Cluster{Name: "prod"}, AWS: test.aws, Kube: nodes, Bulk: test.aws.bulk,
					Confirm: func(context.Context) (locate.Cluster, error) {
						time.Sleep(latency)
						return locate.Cluster{Name: "prod", ARN: clusterARN("prod")}, nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != test.levels*latency {
					t.Errorf("%d calls one after the other, want %d", took/latency, test.levels)
				}
				policies := map[string]bool{}
				for _, role := range nodeRoles {
					for _, policy := range test.aws.policies(snapshot.NameOf(role)) {
						policies[policy] = true
					}
				}
				if test.aws.boundary != "" {
					policies[test.aws.boundary] = true
				}
				if len(s.NodeGroups) != 10 || !slices.Equal(slices.Sorted(maps.Keys(s.Roles)), nodeRoles) || len(s.Policies) != len(policies) || len(s.Missing) > 0 {
					t.Errorf("%d node groups, roles %v, %d policies, missing %v", len(s.NodeGroups), slices.Sorted(maps.Keys(s.Roles)), len(s.Policies), s.Missing)
				}
			})
		})
	}
}

// BenchmarkCollect reads a cluster of 10 node groups, 3 roles and 12 managed
// policies through the real SDK from a server that answers every call after 50
// ms, from making the client to the snapshot. Besides the time it reports the
// calls and the longest row of calls that came one after the other.
func BenchmarkCollect(b *testing.B) {
	w := newFakeServers(b)
	w.pause = nil
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
		"node-a":  {trust: rawDocument, attached: arns[:6], inline: map[string]string{"inline": rawDocument}},
		"node-b":  {path: "/team/", trust: rawDocument, attached: append(slices.Clone(arns[4:10]), arns[11])},
		"self":    {trust: rawDocument, attached: arns[8:11]},
		"cluster": {trust: rawDocument, attached: arns[11:]},
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
		o.Organization = nil // read only where a profile for it is named
		o.Confirm = func(ctx context.Context) (locate.Cluster, error) {
			return o.AWS.(locate.API).DescribeCluster(ctx, "prod")
		}
		s, stats, err := collect.Collect(b.Context(), o)
		if err != nil || len(s.Missing) > 0 {
			b.Fatal(err, s.Missing)
		}
		if len(s.Roles) != 4 || len(s.Policies) != 12 {
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

// While the cluster is being confirmed nothing ends the run but the confirmation, and what
// was read meanwhile is discarded if it fails.
func TestConfirmGoesFirst(t *testing.T) {
	t.Parallel()
	other := errors.New("another cluster")
	for name, test := range map[string]struct {
		fault   func(*fakeServers)
		confirm error
		want    func(*snapshot.Snapshot, error) bool
	}{
		"another cluster": {func(*fakeServers) {}, other, func(s *snapshot.Snapshot, err error) bool { return s == nil && errors.Is(err, other) }},
		"another cluster, and the API server does not answer": {
			func(w *fakeServers) { w.kube.URL = "http://127.0.0.1:1" }, other,
			func(s *snapshot.Snapshot, err error) bool { return s == nil && errors.Is(err, other) },
		},
		"another cluster, and IAM does not answer": {
			func(w *fakeServers) { w.env["AWS_ENDPOINT_URL_IAM"] = "http://127.0.0.1:1" }, other,
			func(s *snapshot.Snapshot, err error) bool { return s == nil && errors.Is(err, other) },
		},
		// EKS has answered by then: what IAM knows is missing.
		"IAM does not answer": {
			func(w *fakeServers) { w.env["AWS_ENDPOINT_URL_IAM"] = "http://127.0.0.1:1" }, nil,
			func(s *snapshot.Snapshot, err error) bool {
				return err == nil && len(s.NodeGroups) == 3 && len(s.Roles) == 0 && len(s.Missing) > 0
			},
		},
		"the API server does not answer": {
			func(w *fakeServers) { w.kube.URL = "http://127.0.0.1:1" }, nil,
			func(_ *snapshot.Snapshot, err error) bool {
				var p *problem.Error
				return errors.As(err, &p) && strings.Contains(p.Problem, "127.0.0.1:1")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			test.fault(w)
			o := w.options(t)
			o.Cluster = locate.Cluster{Name: "prod"}
			o.Confirm = func(ctx context.Context) (locate.Cluster, error) {
				time.Sleep(200 * time.Millisecond) // all that fails has failed
				cluster, err := o.AWS.(locate.API).DescribeCluster(ctx, "prod")
				return cluster, cmp.Or(test.confirm, err)
			}
			s, _, err := collect.Collect(t.Context(), o)
			if !test.want(s, err) {
				t.Errorf("snapshot: %t, %v", s != nil, err)
			}
		})
	}
}
