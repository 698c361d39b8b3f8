package collect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

const (
	account = "111122223333"
	region  = "eu-west-1"

	workerPolicy = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
	pullPolicy   = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
	cniPolicy    = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
	boundary     = "arn:aws:iam::" + account + ":policy/limits"

	clusterPolicy = "arn:aws:iam::aws:policy/service-role/EKSCluster" // not on the first page of the attached policies

	rawDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"arn:aws:s3:::a+b/c%20d"}]}`
	document    = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "ec2:Describe*",
      "Resource": "arn:aws:s3:::a+b/c%20d"
    }
  ]
}`
)

var (
	errNoRBAC = errors.New(`user "dev" cannot do it`)
	created   = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
)

// fakeServers are an AWS and a Kubernetes API server, and the cluster prod on them.
type fakeServers struct {
	aws  *fakeAWS
	kube *fakeKube
	env  map[string]string // for the AWS client

	simulate []collect.Question // about each role
	trace    *trace.Recorder
	// pause replaces the pauses of the budget of requests to IAM; nil is a real one.
	pause func(context.Context, time.Duration) error
	// bulk is set where roles and policies are read at once.
	bulk bool
}

// noPause does not wait.
func noPause(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// mapRoles is the aws-auth of fakeServers: a role that is mapped as hybrid nodes are, by an ARN
// without the role's path, and others.
const mapRoles = `- rolearn: x
- {rolearn: "arn:aws:iam::` + account + `:role/mapped", username: "system:node:{{SessionName}}"}
- {rolearn: "arn:aws:iam::` + account + `:role/admin", username: admin}
- {rolearn: "arn:aws:iam::444455556666:role/away", username: "system:node:{{SessionName}}"}
`

func newFakeServers(tb testing.TB) *fakeServers {
	tb.Helper()
	w := &fakeServers{aws: newFakeAWS(tb), kube: newFakeKube(tb), pause: noPause}
	f := w.aws
	w.env = map[string]string{"AWS_ENDPOINT_URL": f.URL}
	f.roles = map[string]fakeRole{
		"node-a": {
			trust: rawDocument, boundary: boundary, tags: map[string]string{"team": "core"},
			attached: []string{cniPolicy, pullPolicy, workerPolicy},
			inline:   map[string]string{"extra": rawDocument, "more": rawDocument, "third": rawDocument},
		},
		"node-b":  {path: "/team/", trust: rawDocument, attached: []string{workerPolicy}},
		"self":    {trust: rawDocument, attached: []string{workerPolicy, pullPolicy}},
		"cni":     {trust: rawDocument, attached: []string{cniPolicy}},
		"pod-cni": {trust: rawDocument},
		"cluster": {trust: rawDocument, attached: []string{clusterPolicy}, inline: map[string]string{"kms": rawDocument}},
		// Of other nodes: hybrid ones, by access entry and by aws-auth, HyperPod's, and an instance whose profile was replaced.
		"hybrid": {trust: rawDocument}, "mapped": {path: "/on-prem/", trust: rawDocument}, "hyperpod": {trust: rawDocument}, "quick": {trust: rawDocument},
	}
	f.policies = map[string]string{workerPolicy: rawDocument, pullPolicy: rawDocument, cniPolicy: rawDocument, boundary: rawDocument, clusterPolicy: rawDocument}
	f.profiles = map[string]fakeProfile{
		"eks-1": {role: "node-a"}, "eks-2": {role: "node-a"}, "eks-3": {role: "node-a"},
		"self": {role: "self", path: "/own/"}, "swapped": {role: "quick"},
	}
	f.clusters = map[string]map[string]any{
		"prod": {
			"name": "prod", "arn": clusterARN("prod"), "version": "1.33", "status": "ACTIVE", "roleArn": f.roleARN("cluster"),
			"resourcesVpcConfig":      map[string]any{"vpcId": "vpc-1"},
			"endpoint":                "https://ABC.gr7.eu-west-1.eks.amazonaws.com",
			"certificateAuthority":    map[string]any{"data": "UEVN"},
			"kubernetesNetworkConfig": map[string]any{"ipFamily": "ipv4"},
			"accessConfig":            map[string]any{"authenticationMode": "API_AND_CONFIG_MAP"},
			"remoteNetworkConfig":     map[string]any{"remoteNodeNetworks": []any{map[string]any{"cidrs": []string{"10.200.0.0/16"}}}},
			"identity":                map[string]any{"oidc": map[string]any{"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"}},
			"computeConfig":           map[string]any{"enabled": true, "nodePools": []string{"system", "general-purpose"}, "nodeRoleArn": f.roleARN("node-b")},
			"health":                  map[string]any{"issues": []map[string]any{{"code": "IamRoleNotFound", "message": "gone", "resourceIds": []string{"cluster"}}}},
		},
		"dev":     {"name": "dev", "arn": clusterARN("dev"), "roleArn": f.roleARN("dev-cluster")},
		"staging": {"name": "staging", "arn": clusterARN("staging"), "roleArn": f.roleARN("staging-cluster")},
	}
	f.nodeGroups = map[string]map[string]any{
		"a1": {"nodeRole": f.roleARN("node-a"), "status": "ACTIVE", "amiType": "AL2023_x86_64_STANDARD", "subnets": []string{"subnet-b", "subnet-a"}},
		"a2": {"nodeRole": f.roleARN("node-a"), "status": "DEGRADED", "launchTemplate": map[string]any{"id": "lt-1", "version": "7"}, "health": map[string]any{
			"issues": []map[string]any{{"code": "AccessDenied", "message": "no", "resourceIds": []string{"i-9"}}},
		}},
		"b1": {"nodeRole": f.roleARN("node-b"), "status": "ACTIVE"},
	}
	f.fargate = map[string]map[string]any{"fp": {"podExecutionRoleArn": f.roleARN("fargate"), "status": "ACTIVE"}}
	f.addons = map[string]map[string]any{"vpc-cni": {
		"addonVersion": "v1.20.0-eksbuild.1", "status": "ACTIVE", "serviceAccountRoleArn": f.roleARN("cni"),
		"podIdentityAssociations": []string{"arn:aws:eks:eu-west-1:111122223333:podidentityassociation/prod/a-1"},
	}}
	f.associations = map[string]map[string]any{"a-1": {
		"associationId": "a-1", "namespace": "kube-system", "serviceAccount": "aws-node", "roleArn": f.roleARN("pod-cni"),
		"targetRoleArn": f.roleARN("pod-cni"), "externalId": "an id", "disableSessionTags": true, "policy": document,
	}}
	f.entries = map[string]map[string]any{f.roleARN("node-a"): {
		"type": "EC2_LINUX", "username": "system:node:{{EC2PrivateDNSName}}", "kubernetesGroups": []string{"system:nodes"}, "createdAt": 1714979289,
	}}
	f.instances = map[string]fakeEC2Instance{
		"i-0a": {state: "running", profile: f.profileARN("self"), tokens: "required", hops: 1},
		"i-0b": {state: "running", profile: f.profileARN("self"), tokens: "optional", hops: 2},
		"i-0c": {state: "running", tokens: "required", hops: 1},
		"i-0e": {state: "running", profile: f.profileARN("swapped"), tokens: "required", hops: 1, owned: true},
	}
	f.entries[f.roleARN("node-b")] = map[string]any{"type": "EC2", "createdAt": 1714979289}

	f.entries[f.roleARN("hybrid")] = map[string]any{"type": "HYBRID_LINUX", "createdAt": 1714979289}
	f.entries[f.roleARN("people")] = map[string]any{"type": "STANDARD"}
	f.entries["arn:aws:iam::"+account+":user/dev"] = map[string]any{"type": "STANDARD"}
	f.entries[f.roleARN("hyperpod")] = map[string]any{"type": "HYPERPOD_LINUX", "createdAt": 1714979289}

	w.kube.awsAuth = &corev1.ConfigMap{ObjectMeta: meta("aws-auth", nil), Data: map[string]string{"mapRoles": mapRoles, "mapUsers": "- secret\n"}}
	w.kube.agent = &appsv1.DaemonSet{ObjectMeta: meta("eks-pod-identity-agent", nil)}
	w.kube.agentPods = []corev1.Pod{
		{ObjectMeta: meta("agent-1", nil), Spec: corev1.PodSpec{NodeName: "n-managed"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}},
		{ObjectMeta: meta("agent-2", nil), Spec: corev1.PodSpec{NodeName: "n-self"}},
	}
	event := func(reason, pod, message string, count int32, minute int) corev1.Event {
		return corev1.Event{
			ObjectMeta: meta(pod+reason+strconv.Itoa(minute), nil), Reason: reason, Message: message, Count: count,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod}, LastTimestamp: metav1.NewTime(created.Add(time.Duration(minute) * time.Minute)),
		}
	}
	w.kube.events = []corev1.Event{
		event("MissingIAMPermissions", "aws-node-1", "old", 2, 1), event("MissingIAMPermissions", "aws-node-1", "new", 3, 2),
		event("Failed", "app", "pulling 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: 403 Forbidden", 1, 3), event("Failed", "other", "pulling docker.io/app: 403 Forbidden", 1, 4),
		event("Failed", "theirs", "Failed to pull image \"444455556666.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.2\": 403 Forbidden", 1, 0),
		event("BackOff", "app", "restarting", 1, 5), event("FailedCreatePodSandBox", "web", "plugin type=\"aws-cni\" failed", 1, 0),
	}
	w.kube.nodeClasses = map[string]string{
		"/apis/karpenter.k8s.aws/v1/ec2nodeclasses": `{"kind":"EC2NodeClassList","apiVersion":"karpenter.k8s.aws/v1","items":[
			{"metadata":{"name":"fast"},"spec":{"role":"node-b"},"status":{"instanceProfile":"self"}},
			{"metadata":{"name":"wrong"},"spec":{"role":"` + f.roleARN("node-a") + `","instanceProfile":"gone"}},
			{"metadata":{"name":"odd"},"spec":{"role":"no/name","amiSelectorTerms":[{"id":"ami-1"},{"alias":"windows2022@latest"}]},"status":{"conditions":[
				{"type":"SubnetsReady","status":"True","reason":"SubnetsReady","lastTransitionTime":"2026-01-01T00:00:00Z"},
				{"type":"Ready","status":"Unknown","lastTransitionTime":"no time"},
				{"type":"InstanceProfileReady","status":"False","reason":"NodeRoleNotFound","message":"Failed to detect\nthe NodeRole"}]}}]}`,
		"/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates": `{"kind":"AWSNodeTemplateList","apiVersion":"karpenter.k8s.aws/v1alpha1","items":[
			{"metadata":{"name":"old"},"spec":{"instanceProfile":"self","amiFamily":"Bottlerocket"}}]}`,
		"/apis/eks.amazonaws.com/v1/nodeclasses": `{"kind":"NodeClassList","apiVersion":"eks.amazonaws.com/v1","items":[{"metadata":{"name":"private"},"spec":{"role":"lost"}}]}`,
	}

	ready := corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}
	node := func(name, providerID string, labels map[string]string) corev1.Node {
		return corev1.Node{ObjectMeta: meta(name, labels), Spec: corev1.NodeSpec{ProviderID: providerID}, Status: ready}
	}
	w.kube.nodes = []corev1.Node{
		node("n-managed", "aws:///eu-west-1a/i-01", map[string]string{"eks.amazonaws.com/nodegroup": "a1"}),
		node("n-self", "aws:///eu-west-1a/i-0a", map[string]string{"kubernetes.io/os": "windows"}),
		node("n-karpenter", "aws:///eu-west-1b/i-0b", map[string]string{"karpenter.sh/nodepool": "spot", "karpenter.k8s.aws/ec2nodeclass": "fast"}),
		node("n-bare", "aws:///eu-west-1b/i-0c", nil),
		node("n-gone", "aws:///eu-west-1b/i-0d", nil),
		node("n-auto", "aws:///eu-west-1a/i-02", map[string]string{"eks.amazonaws.com/compute-type": "auto", "karpenter.sh/nodepool": "system", "eks.amazonaws.com/nodeclass": "default"}),
		node("n-fargate", "aws:///eu-west-1a/0f3c/fargate-ip-10-0-0-1", map[string]string{"eks.amazonaws.com/compute-type": "fargate"}),
		node("n-hybrid", "eks-hybrid:///eu-west-1/prod/mi-1", map[string]string{"eks.amazonaws.com/compute-type": "hybrid"}),
		node("n-kind", "kind://docker/kind/kind", nil),
		node("n-hyperpod", "aws:///euw1-az1/sagemaker/cluster/hyperpod-x-i-0a", map[string]string{"sagemaker.amazonaws.com/compute-type": "hyperpod", "sagemaker.amazonaws.com/instance-group-name": "gpus"}),
		node("n-old", "aws:///eu-west-1b/i-0b", map[string]string{"karpenter.sh/provisioner-name": "default"}),
	}
	w.kube.nodes[0].Status.NodeInfo.OSImage = "Amazon Linux 2023.9.20251117"
	w.kube.serviceAccount = &corev1.ServiceAccount{ObjectMeta: meta("aws-node", nil)}
	w.kube.serviceAccount.Annotations = map[string]string{"eks.amazonaws.com/role-arn": f.roleARN("cni"), "eks.amazonaws.com/audience": "own"}
	w.kube.daemonSet = &appsv1.DaemonSet{ObjectMeta: meta("aws-node", nil), Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: podSpec("", nil)}}}
	w.kube.daemonSet.Spec.Template.Spec.Containers[1].EnvFrom = []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cni-settings"}}},
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cni-keys"}}},
	}
	w.kube.kubeProxy = &appsv1.DaemonSet{ObjectMeta: meta("kube-proxy", nil), Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Image: "init:1"}},
		Containers:     []corev1.Container{{Image: "kube-proxy:1"}, {Image: "sidecar:1"}, {Image: "kube-proxy:1"}},
	}}}}
	w.kube.coreDNS = &appsv1.Deployment{ObjectMeta: meta("coredns", nil), Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Image: "coredns:1"}}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "mirror"}},
		NodeSelector: map[string]string{"kubernetes.io/os": "linux"},
	}}}}
	running := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	w.kube.pods = []corev1.Pod{
		{ObjectMeta: meta("aws-node-1", nil), Status: running, Spec: podSpec("n-managed", []corev1.EnvVar{
			{Name: "AWS_ROLE_ARN", Value: f.roleARN("cni")},
			{Name: "AWS_SECRET_ACCESS_KEY", Value: "hunter2"},
			{Name: "AWS_SESSION_TOKEN", Value: ""},
		})},
		{ObjectMeta: meta("aws-node-2", nil), Spec: podSpec("n-self", []corev1.EnvVar{{
			Name:      "AWS_PROFILE",
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "aws"}, Key: "profile"}},
		}})},
		{ObjectMeta: meta("aws-node-evicted", nil), Status: corev1.PodStatus{Phase: corev1.PodFailed}, Spec: podSpec("n-self", nil)},
	}
	w.kube.addonAccount = &corev1.ServiceAccount{ObjectMeta: meta("ebs-csi-controller-sa", nil)}
	w.kube.addonAccount.Annotations = map[string]string{"eks.amazonaws.com/role-arn": f.roleARN("ebs")}
	f.associations["a-2"] = map[string]any{"associationId": "a-2", "namespace": "kube-system", "serviceAccount": "ebs-csi-controller-sa", "roleArn": f.roleARN("ebs")}
	w.kube.addonPods = addonPods()
	return w
}

// addonPods are pods of add-ons: one with the node role's credentials, and others.
func addonPods() []corev1.Pod {
	pod := func(namespace, name, addon string, spec corev1.PodSpec) corev1.Pod {
		m := meta(name, map[string]string{"app.kubernetes.io/name": addon})
		m.Namespace = namespace
		spec.Containers[1].Name = snapshot.ContainerOf(addon)
		return corev1.Pod{ObjectMeta: m, Spec: spec}
	}
	optional := true
	from := func(secret string, optional *bool) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: "key", Optional: optional}}
	}
	running := func(node, account string, env ...corev1.EnvVar) corev1.PodSpec {
		return corev1.PodSpec{NodeName: node, ServiceAccountName: account, Containers: []corev1.Container{{Name: "sidecar"}, {Env: env}}}
	}
	keys := running("n-managed", "external-dns", corev1.EnvVar{Name: "AWS_ACCESS_KEY_ID", ValueFrom: from("keys", nil)})
	elsewhere := running("n-managed", "autoscaler")
	elsewhere.Containers[1].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}}
	host := running("n-self", "cloudwatch-agent", corev1.EnvVar{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"})
	host.HostNetwork = true
	fluentBit := host.DeepCopy()
	fluentBit.Containers[1].Name, fluentBit.Containers[1].Image = "fluent-bit", "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.8"
	logs := corev1.Pod{ObjectMeta: meta("fluent-bit-1", map[string]string{"k8s-app": "fluent-bit"}), Spec: *fluentBit}
	logs.Namespace = "amazon-cloudwatch"
	ended := pod("kube-system", "ebs-0", "aws-ebs-csi-driver", running("n-managed", "ebs-csi-controller-sa"))
	ended.Status.Phase = corev1.PodSucceeded
	return []corev1.Pod{
		pod("kube-system", "ebs-1", "aws-ebs-csi-driver", running("n-managed", "ebs-csi-controller-sa",
			corev1.EnvVar{Name: "AWS_ACCESS_KEY_ID", ValueFrom: from("aws-secret", &optional)}, corev1.EnvVar{Name: "AWS_SECRET_ACCESS_KEY", ValueFrom: from("aws-secret", &optional)})),
		pod("kube-system", "ebs-2", "aws-ebs-csi-driver", running("", "ebs-csi-controller-sa")), ended,
		pod("dns", "dns-1", "external-dns", keys), pod("kube-system", "autoscaler-1", "aws-cluster-autoscaler", elsewhere),
		pod("amazon-cloudwatch", "agent-1", "cloudwatch-agent", host), logs,
		pod("kube-system", "lbc-1", "aws-load-balancer-controller", running("n-self", "lbc", corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/token"})),
	}
}

func podSpec(node string, env []corev1.EnvVar) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName:           node,
		ServiceAccountName: "aws-node",
		Containers: []corev1.Container{
			{Name: "aws-eks-nodeagent", Image: "agent:1"},
			{Name: "aws-node", Image: "cni:1", Env: append([]corev1.EnvVar{{Name: "ENABLE_IPv4", Value: "true"}, {Name: "OTHER", Value: "x"}}, env...)},
		},
	}
}

func clusterARN(name string) string {
	return "arn:aws:eks:" + region + ":" + account + ":cluster/" + name
}

// TestMain keeps the machine's own AWS configuration out of the tests.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr",
		"AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
	} {
		_ = os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

// clients returns the real clients for the servers.
func (w *fakeServers) clients(tb testing.TB) (*aws.Client, *kube.Client) {
	tb.Helper()
	a, err := aws.New(context.Background(), aws.Config{Region: region, Env: w.env, Trace: w.trace, Sleep: w.pause})
	if err != nil {
		tb.Fatal(err)
	}
	k, err := kube.New(&rest.Config{Host: w.kube.URL}, kube.Options{Context: "prod", Trace: w.trace})
	if err != nil {
		tb.Fatal(err)
	}
	return a, k
}

func (w *fakeServers) options(tb testing.TB) collect.Options {
	tb.Helper()
	a, k := w.clients(tb)
	return collect.Options{
		Cluster: locate.Cluster{Name: "prod", ARN: clusterARN("prod")},
		AWS:     a, Kube: k, Organization: a, Bulk: w.bulk,
		Tool: "noderole test", Context: "prod",
		Now: func() time.Time { return created }, Simulate: func(snapshot.ARN) []collect.Question { return w.simulate },
	}
}

// collect reads the cluster and fails the test where that ends in an error.
func (w *fakeServers) collect(tb testing.TB) (*snapshot.Snapshot, collect.Stats) {
	tb.Helper()
	s, stats, err := collect.Collect(context.Background(), w.options(tb))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := s.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	again, err := snapshot.Decode("collected", text)
	if err != nil {
		tb.Errorf("the snapshot is refused when it is loaded: %v", err)
	} else if diff := cmp.Diff(s, again); diff != "" {
		tb.Errorf("the snapshot changes when it is saved (-collected +loaded):\n%s", diff)
	}
	return s, stats
}

func (w *fakeServers) want() *snapshot.Snapshot {
	f := w.aws
	role := func(name string, change func(*snapshot.Role)) snapshot.Role {
		r := snapshot.Role{ID: "AROA" + strings.ToUpper(name), CreatedAt: created, TrustPolicy: document}
		if change != nil {
			change(&r)
		}
		return r
	}
	policy := snapshot.Policy{Version: "v3", Document: document}
	closed := &snapshot.MetadataOptions{HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1}
	env := map[string]string{"ENABLE_IPv4": "true"}
	withEnv := func(name, value string, more ...string) map[string]string {
		out := maps.Clone(env)
		out[name] = value
		for _, name := range more {
			out[name] = snapshot.Set
		}
		return out
	}
	return &snapshot.Snapshot{
		APIVersion: snapshot.APIVersion, Kind: snapshot.Kind, Read: snapshot.LaterFacts(),
		Source: snapshot.Source{Tool: "noderole test", CollectedAt: created, Context: "prod"},
		Cluster: snapshot.Cluster{
			ARN: clusterARN("prod"), Version: "1.33", Status: "ACTIVE", RoleARN: f.roleARN("cluster"), IPFamily: "ipv4", VPCID: "vpc-1",
			RemoteNodeNetworks: []string{"10.200.0.0/16"},
			AuthenticationMode: "API_AND_CONFIG_MAP", OIDCIssuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
			AutoMode: &snapshot.AutoMode{NodeRoleARN: f.roleARN("node-b"), NodePools: []string{"general-purpose", "system"}},
			Health:   []snapshot.HealthIssue{{Code: "IamRoleNotFound", Message: "gone", ResourceIDs: []string{"cluster"}}},
		},
		NodeGroups: map[string]snapshot.NodeGroup{
			"a1": {NodeRoleARN: f.roleARN("node-a"), Status: "ACTIVE", AMIType: "AL2023_x86_64_STANDARD", Subnets: []string{"subnet-a", "subnet-b"}, Metadata: closed},
			"a2": {
				NodeRoleARN: f.roleARN("node-a"), Status: "DEGRADED", LaunchTemplate: "lt-1:7",
				Health: []snapshot.HealthIssue{{Code: "AccessDenied", Message: "no", ResourceIDs: []string{"i-9"}}},
			},
			"b1": {NodeRoleARN: f.roleARN("node-b"), Status: "ACTIVE", Metadata: &snapshot.MetadataOptions{HopLimit: 2}},
		},
		FargateProfiles: map[string]snapshot.FargateProfile{"fp": {PodExecutionRoleARN: f.roleARN("fargate"), Status: "ACTIVE"}},
		OtherClusters: map[string]snapshot.OtherCluster{
			clusterARN("dev"):     {RoleARN: f.roleARN("dev-cluster")},
			clusterARN("staging"): {RoleARN: f.roleARN("staging-cluster")},
		},
		Addons: map[string]snapshot.Addon{"vpc-cni": {
			Version: "v1.20.0-eksbuild.1", Status: "ACTIVE", ServiceAccountRoleARN: f.roleARN("cni"),
			PodIdentityAssociations: []string{"arn:aws:eks:eu-west-1:111122223333:podidentityassociation/prod/a-1"},
		}},
		PodIdentityAssociations: map[string]snapshot.PodIdentityAssociation{
			"a-1": {
				Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: f.roleARN("pod-cni"),
				TargetRoleARN: f.roleARN("pod-cni"), ExternalID: "an id", DisableSessionTags: true, Policy: document,
			},
		},
		AccessEntries: map[string]snapshot.AccessEntry{f.roleARN("node-a"): {
			Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}, CreatedAt: created,
		}, f.roleARN("hybrid"): {Type: "HYBRID_LINUX", CreatedAt: created}, f.roleARN("hyperpod"): {Type: "HYPERPOD_LINUX", CreatedAt: created}, f.roleARN("node-b"): {
			Type: "EC2", CreatedAt: created, Policies: map[string][]string{
				"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy": {}, "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy": {"a"},
			},
		}},
		AWSAuth:          &snapshot.AWSAuth{MapRoles: mapRoles},
		PodIdentityAgent: &snapshot.PodIdentityAgent{Nodes: map[string]bool{"n-managed": true, "n-self": false}},
		OIDCProviders: map[string]snapshot.OIDCProvider{
			"arn:aws:iam::" + account + ":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC": {ClientIDs: []string{"sts.amazonaws.com"}},
		},
		KarpenterNodeClasses: map[string]snapshot.NodeClass{
			"fast":  {Role: "node-b", StatusProfile: "self", RoleARN: f.roleARN("node-b"), ProfileARN: f.profileARN("self")},
			"wrong": {Role: f.roleARN("node-a"), InstanceProfile: "gone", RoleARN: f.roleARN("node-a"), ProfileARN: f.profileARN("gone")},
			"odd": {Role: "no/name", AMIFamily: "windows2022", Conditions: []snapshot.Condition{
				{Type: "InstanceProfileReady", Status: "False", Reason: "NodeRoleNotFound", Message: "Failed to detect the NodeRole"}, {Type: "Ready", Status: "Unknown"},
			}},
		},
		KarpenterNodeTemplates: map[string]snapshot.NodeClass{"old": {AMIFamily: "Bottlerocket", InstanceProfile: "self", ProfileARN: f.profileARN("self")}},
		AutoScalingGroups: map[string]snapshot.AutoScalingGroup{
			"asg-1": {LaunchTemplate: "lt-1:3", InstanceProfile: f.profileARN("self"), Instances: 1, Metadata: closed},
			"asg-2": {LaunchTemplate: "lt-2:$Default", InstanceProfile: f.profileARN("self"), Instances: 1, Metadata: &snapshot.MetadataOptions{}},
			"asg-3": {LaunchConfiguration: "lc-1", InstanceProfile: f.profileARN("self"), Instances: 1, Metadata: &snapshot.MetadataOptions{HTTPTokens: "optional", HTTPEndpoint: "enabled"}},
		},
		AutoModeNodeClasses: map[string]snapshot.NodeClass{"private": {Role: "lost", RoleARN: f.roleARN("lost")}},
		Events: []snapshot.Event{
			{Reason: "Failed", Object: "Pod/app", Message: "pulling 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: 403 Forbidden", Count: 1, LastSeen: created.Add(3 * time.Minute)},
			{Reason: "MissingIAMPermissions", Object: "Pod/aws-node-1", Message: "new", Count: 5, LastSeen: created.Add(2 * time.Minute)},
			{Reason: "Failed", Object: "Pod/theirs", Message: `Failed to pull image "444455556666.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.2": 403 Forbidden`, Count: 1, LastSeen: created},
			{Reason: "FailedCreatePodSandBox", Object: "Pod/web", Message: `plugin type="aws-cni" failed`, Count: 1, LastSeen: created},
		},
		Roles: map[string]snapshot.Role{
			f.roleARN("node-a"): role("node-a", func(r *snapshot.Role) {
				r.PermissionsBoundary = boundary
				r.Tags = map[string]string{"team": "core"}
				r.AttachedPolicies = []string{pullPolicy, workerPolicy, cniPolicy}
				r.InlinePolicies = map[string]string{"extra": document, "more": document, "third": document}
				r.InstanceProfiles = []string{f.profileARN("eks-1"), f.profileARN("eks-2"), f.profileARN("eks-3")}
			}),
			f.roleARN("node-b"): role("node-b", func(r *snapshot.Role) { r.AttachedPolicies = []string{workerPolicy} }),
			f.roleARN("self"): role("self", func(r *snapshot.Role) {
				r.AttachedPolicies = []string{pullPolicy, workerPolicy}
				r.InstanceProfiles = []string{f.profileARN("self")}
			}),
			f.roleARN("lost"):   {NotFound: true},
			f.roleARN("hybrid"): role("hybrid", nil), f.roleARN("mapped"): role("mapped", nil), f.roleARN("hyperpod"): role("hyperpod", nil),
			f.roleARN("quick"):   role("quick", func(r *snapshot.Role) { r.InstanceProfiles = []string{f.profileARN("swapped")} }),
			f.roleARN("cni"):     role("cni", func(r *snapshot.Role) { r.AttachedPolicies = []string{cniPolicy} }),
			f.roleARN("pod-cni"): role("pod-cni", nil),
			f.roleARN("cluster"): role("cluster", func(r *snapshot.Role) {
				r.AttachedPolicies, r.InlinePolicies = []string{clusterPolicy}, map[string]string{"kms": document}
			}),
		},
		Policies: map[string]snapshot.Policy{workerPolicy: policy, pullPolicy: policy, cniPolicy: policy, boundary: policy, clusterPolicy: policy},
		VPCEndpoints: map[string]snapshot.VPCEndpoint{
			"vpce-api": {Service: "ecr.api", Policy: document}, "vpce-cn": {Service: "sts", Policy: document},
			"vpce-s3": {Service: "s3", Policy: document, Routes: &snapshot.EndpointRoutes{Main: true, Subnets: []string{"subnet-b"}, Others: []string{"subnet-a", "subnet-c"}}},
		},
		Organization: &snapshot.Organization{
			ID: "o-1", ManagementAccount: "999999999999",
			Levels: []snapshot.OrganizationLevel{
				{ID: "r-1", SCPs: []string{"p-full"}, RCPs: []string{"p-rcp"}}, {ID: "ou-1", SCPs: []string{"p-full", "p-own"}}, {ID: account, SCPs: []string{"p-full"}},
			},
			Policies: map[string]snapshot.OrganizationPolicy{
				"p-full": {Name: "name of p-full", Document: document}, "p-own": {Name: "name of p-own", Document: document}, "p-rcp": {Name: "name of p-rcp", Document: document},
			},
		},
		RepositoryPolicies:   map[string]snapshot.RepositoryPolicy{ownRepository: {Document: document}, otherRepository: {Document: document}},
		Registries:           map[string]snapshot.Registry{region: {Policy: document, PullThroughCache: map[string]string{"ROOT": "registry-1.docker.io", "ecr-public": "public.ecr.aws"}}},
		InstanceProfileQuota: &snapshot.Quota{Used: 7, Max: 1000},
		AddonPods: map[string]snapshot.AddonPod{
			"kube-system/ebs-1":              {Addon: "aws-ebs-csi-driver", Node: "n-managed", ServiceAccount: "ebs-csi-controller-sa", Container: "ebs-plugin", Credentials: "NodeRole", OptionalKeys: "aws-secret"},
			"dns/dns-1":                      {Addon: "external-dns", Node: "n-managed", ServiceAccount: "external-dns", Container: "external-dns", Credentials: "StaticKeys"},
			"kube-system/autoscaler-1":       {Addon: "aws-cluster-autoscaler", Node: "n-managed", ServiceAccount: "autoscaler", Container: "aws-cluster-autoscaler", Credentials: "Unknown"},
			"amazon-cloudwatch/fluent-bit-1": {Addon: "aws-for-fluent-bit", Node: "n-self", ServiceAccount: "cloudwatch-agent", HostNetwork: true, Container: "fluent-bit", Credentials: "PodIdentity"},
			"amazon-cloudwatch/agent-1":      {Addon: "cloudwatch-agent", Node: "n-self", ServiceAccount: "cloudwatch-agent", HostNetwork: true, Container: "otc-container", Credentials: "PodIdentity"},
			"kube-system/lbc-1":              {Addon: "aws-load-balancer-controller", Node: "n-self", ServiceAccount: "lbc", Container: "aws-load-balancer-controller", Credentials: "IRSA"},
		},
		AddonAccounts: map[string]snapshot.AddonAccount{"kube-system/ebs-csi-controller-sa": {RoleARN: f.roleARN("ebs"), PodIdentityAssociations: []string{"a-2"}}},
		InstanceProfiles: map[string]snapshot.InstanceProfile{
			f.profileARN("eks-1"): {Roles: []string{f.roleARN("node-a")}},
			f.profileARN("eks-2"): {Roles: []string{f.roleARN("node-a")}},
			f.profileARN("eks-3"): {Roles: []string{f.roleARN("node-a")}},
			f.profileARN("self"):  {Roles: []string{f.roleARN("self")}}, f.profileARN("swapped"): {Roles: []string{f.roleARN("quick")}},
			f.profileARN("gone"): {NotFound: true},
		},
		Nodes: map[string]snapshot.Node{
			"n-managed":   {ProviderID: "aws:///eu-west-1a/i-01", Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "a1", OSImage: "Amazon Linux 2023.9.20251117", Ready: true},
			"n-self":      {ProviderID: "aws:///eu-west-1a/i-0a", Provisioner: snapshot.SelfManaged, Windows: true, Ready: true},
			"n-karpenter": {ProviderID: "aws:///eu-west-1b/i-0b", Provisioner: snapshot.ProvisionedByKarpenter, Owner: "spot", NodeClass: "fast", Ready: true},
			"n-bare":      {ProviderID: "aws:///eu-west-1b/i-0c", Provisioner: snapshot.SelfManaged, Ready: true},
			"n-gone":      {ProviderID: "aws:///eu-west-1b/i-0d", Provisioner: snapshot.SelfManaged, Ready: true},
			"n-auto":      {ProviderID: "aws:///eu-west-1a/i-02", Provisioner: snapshot.ProvisionedByAutoMode, Owner: "system", NodeClass: "default", Ready: true},
			"n-fargate":   {ProviderID: "aws:///eu-west-1a/0f3c/fargate-ip-10-0-0-1", Provisioner: snapshot.ProvisionedByFargate, Ready: true},
			"n-hybrid":    {ProviderID: "eks-hybrid:///eu-west-1/prod/mi-1", Provisioner: snapshot.ProvisionedByHybrid, Ready: true},
			"n-kind":      {ProviderID: "kind://docker/kind/kind", Provisioner: snapshot.ProvisionedByUnknown, Ready: true},
			"n-hyperpod":  {ProviderID: "aws:///euw1-az1/sagemaker/cluster/hyperpod-x-i-0a", Provisioner: snapshot.ProvisionedByHyperPod, Owner: "gpus", Ready: true},
			"n-old":       {ProviderID: "aws:///eu-west-1b/i-0b", Provisioner: snapshot.ProvisionedByKarpenter, Owner: "default", KarpenterProvisioner: true, Ready: true},
		},
		Instances: map[string]snapshot.Instance{
			"i-0a": {State: "running", InstanceProfile: f.profileARN("self"), HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1},
			"i-0b": {State: "running", InstanceProfile: f.profileARN("self"), HTTPTokens: "optional", HTTPEndpoint: "enabled", HopLimit: 2},
			"i-0c": {State: "running", HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1},
			"i-0d": {NotFound: true},
			"i-0e": {
				State: "running", InstanceProfile: f.profileARN("swapped"), HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1,
				Owned: true, NodeGroup: "a1", NodePool: "spot", AutoScalingGroup: "eks-a1", LaunchedAt: created,
			},
		},
		SystemImages: map[string]snapshot.PodImages{
			"aws-node":   {Images: []string{"agent:1", "cni:1"}},
			"kube-proxy": {Images: []string{"init:1", "kube-proxy:1", "sidecar:1"}},
			"coredns":    {Images: []string{"coredns:1"}, PullSecrets: []string{"mirror"}, NodeSelector: map[string]string{"kubernetes.io/os": "linux"}},
		},
		AWSNode: snapshot.AWSNode{
			ServiceAccount: &snapshot.ServiceAccount{RoleARN: f.roleARN("cni"), Audience: "own"},
			DaemonSet:      &snapshot.DaemonSet{Image: "cni:1", ServiceAccount: "aws-node", Env: env, EnvFrom: []string{"ConfigMap/cni-settings", "Secret/cni-keys"}},
			Pods: map[string]snapshot.Pod{
				"aws-node-1": {
					Node: "n-managed", Ready: true, Image: "cni:1", ServiceAccount: "aws-node",
					Env: withEnv("AWS_ROLE_ARN", f.roleARN("cni"), "AWS_SECRET_ACCESS_KEY"),
				},
				"aws-node-2": {Node: "n-self", Image: "cni:1", ServiceAccount: "aws-node", Env: withEnv("AWS_PROFILE", "(from secret aws)")},
			},
		},
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*fakeServers)
	}{
		{"encoded documents, protobuf", func(*fakeServers) {}},
		{"plain documents, JSON", func(w *fakeServers) { w.aws.plain, w.kube.jsonOnly = true, true }},
		{"one item a page", func(w *fakeServers) { w.aws.pageSize = 1 }},
		{"all on one page", func(w *fakeServers) { w.aws.pageSize = 100 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			test.change(w)
			got, stats := w.collect(t)
			if diff := cmp.Diff(w.want(), got); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
			for object, calls := range w.aws.objects {
				if calls > 1 {
					t.Errorf("%s was read %d times", object, calls)
				}
			}
			if diff := cmp.Diff(w.aws.calls, stats.PerOperation); diff != "" {
				t.Errorf("counted calls (-server +client):\n%s", diff)
			}
			sum := 0
			for _, calls := range w.kube.calls {
				sum += calls
			}
			if stats.KubeCalls != sum {
				t.Errorf("counted %d Kubernetes calls, the server %d", stats.KubeCalls, sum)
			}
		})
	}
}

// A trace has exactly the calls that were made, and nothing that could be a secret.
func TestTrace(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	w.trace = &trace.Recorder{}
	_, stats := w.collect(t)
	text, err := w.trace.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		TraceEvents []struct {
			Name, Cat string
			Dur       int64
			Args      struct {
				Subject string
				Status  int
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	calls, kubeCalls := map[string]int{}, 0
	subjects := map[string]bool{}
	for _, e := range got.TraceEvents {
		if e.Args.Status == 0 || e.Dur <= 0 {
			t.Errorf("%+v", e)
		}
		if e.Cat == "Kubernetes" {
			kubeCalls++
		} else {
			calls[e.Name]++
		}
		subjects[e.Name+" "+e.Args.Subject] = true
	}
	if diff := cmp.Diff(stats.PerOperation, calls); diff != "" || kubeCalls != stats.KubeCalls {
		t.Errorf("%d calls of Kubernetes, want %d; of AWS (-made +traced):\n%s", kubeCalls, stats.KubeCalls, diff)
	}
	for _, subject := range []string{"iam:GetRole node-a", "iam:GetRolePolicy node-a extra", "eks:DescribeNodegroup a1", "GET /api/v1/nodes", "iam:GetPolicyVersion " + workerPolicy} {
		if !subjects[subject] {
			t.Errorf("no event of %s", subject)
		}
	}
	for _, secret := range []string{"?", "AKIDEXAMPLE", "wJalr", "hunter2", "Signature"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the trace has %q", secret)
		}
	}
}

// What locate has asked is not asked again.
func TestCollectReusesWhatLocateRead(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	o := w.options(t)
	client, ok := o.AWS.(locate.API)
	if !ok {
		t.Fatal("the AWS client is no locate.API")
	}
	ctx := context.Background()
	cluster, err := client.DescribeCluster(ctx, "prod")
	if err != nil {
		t.Fatal(err)
	}
	if string(cluster.CertificateAuthority) != "PEM" {
		t.Errorf("certificate authority %q", cluster.CertificateAuthority)
	}
	if _, err := client.DescribeCluster(ctx, "prd"); !errors.Is(err, locate.ErrNoCluster) {
		t.Errorf("an unknown cluster gives %v", err)
	}
	if got, err := client.CallerAccount(ctx); err != nil || got != account {
		t.Errorf("account %q, %v", got, err)
	}
	if _, err := client.ListClusters(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := collect.Collect(ctx, o); err != nil {
		t.Fatal(err)
	}
	for object, calls := range w.aws.objects {
		if calls > 1 {
			t.Errorf("%s was read %d times", object, calls)
		}
	}
}

// missing is an expectation on one entry.
type missing struct {
	fact    snapshot.Fact
	subject string
}

func entries(s *snapshot.Snapshot) []missing {
	var out []missing
	for _, m := range s.Missing {
		out = append(out, missing{m.Fact, m.Subject})
	}
	return out
}

// missingOf are entries for a fact about subjects.
func missingOf(fact snapshot.Fact, subjects ...string) []missing {
	slices.Sort(subjects)
	var out []missing
	for _, subject := range subjects {
		out = append(out, missing{fact, subject})
	}
	return out
}

// fakeRoles are the ARNs of roles of fakeServers.
func fakeRoles(names ...string) []string {
	var out []string
	for _, name := range names {
		path := "/"
		switch name {
		case "node-b":
			path = "/team/"
		case "mapped":
			path = "/on-prem/"
		}
		out = append(out, "arn:aws:iam::"+account+":role"+path+name)
	}
	return out
}

// addonAccount is the service account of an add-on that uses the node role.
const addonAccount = "kube-system/ebs-csi-controller-sa"

// unreadWithout are the facts of fakeServers that are missing where an operation gives no
// answer, by operation. The simulator has a test of its own.
func unreadWithout() map[string][]missing {
	allRoles := fakeRoles("node-a", "node-b", "self", "cni", "pod-cni", "lost", "hybrid", "hyperpod", "mapped", "quick")
	policies := []string{workerPolicy, pullPolicy, cniPolicy, boundary}
	inline := fakeRoles("node-a")[0] + "#"
	cluster := fakeRoles("cluster")[0]
	// and what an operation costs of the cluster role
	with := func(list []missing, subject string) []missing {
		return append(list, missing{snapshot.FactClusterRole, subject})
	}
	return map[string][]missing{
		"eks:ListClusters":                   missingOf(snapshot.FactOtherClusters, ""),
		"eks:DescribeCluster":                append(missingOf(snapshot.FactCluster, ""), missingOf(snapshot.FactOtherClusters, clusterARN("dev"), clusterARN("staging"))...),
		"eks:ListNodegroups":                 missingOf(snapshot.FactNodeGroups, ""),
		"eks:DescribeNodegroup":              missingOf(snapshot.FactNodeGroups, "a1", "a2", "b1"),
		"eks:ListFargateProfiles":            missingOf(snapshot.FactFargateProfiles, ""),
		"eks:DescribeFargateProfile":         missingOf(snapshot.FactFargateProfiles, "fp"),
		"eks:DescribeAddon":                  missingOf(snapshot.FactAddons, "eks-pod-identity-agent", "vpc-cni"),
		"eks:ListPodIdentityAssociations":    append(missingOf(snapshot.FactPodIdentity, ""), missingOf(snapshot.FactAddonAccounts, addonAccount)...),
		"eks:DescribePodIdentityAssociation": missingOf(snapshot.FactPodIdentity, "a-1"),
		// The other roles have none, as the list of the entries says.
		"eks:DescribeAccessEntry": append(missingOf(snapshot.FactAccessEntries, fakeRoles("node-a", "node-b")...), missingOf(snapshot.FactHybridEntries, "")...),
		"iam:GetRole": with(missingOf(snapshot.FactRoles, append([]string{"arn:aws:iam::" + account + ":role/node-b", "arn:aws:iam::" + account + ":role/mapped"},
			fakeRoles("node-a", "node-b", "self", "cni", "pod-cni", "lost", "hybrid", "hyperpod", "quick")...)...), cluster),
		"iam:GetOpenIDConnectProvider":     missingOf(snapshot.FactOIDCProviders, "arn:aws:iam::"+account+":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"),
		"eks:ListAssociatedAccessPolicies": missingOf(snapshot.FactAccessPolicies, fakeRoles("node-b")...),
		"get configmaps in kube-system":    missingOf(snapshot.FactAWSAuth, ""),
		// An instance of a1 runs; b1 and a2 have none, and a2 has no Auto Scaling group.
		"autoscaling:DescribeAutoScalingGroups":    append(missingOf(snapshot.FactAutoScaling, ""), missingOf(snapshot.FactMetadata, fakeRoles("node-a", "node-b")...)...),
		"ec2:DescribeLaunchTemplateVersions":       append(missingOf(snapshot.FactAutoScaling, "asg-1", "asg-2"), missingOf(snapshot.FactMetadata, fakeRoles("node-b")...)...),
		"autoscaling:DescribeLaunchConfigurations": missingOf(snapshot.FactAutoScaling, "asg-3"),
		"eks:ListAccessEntries":                    missingOf(snapshot.FactHybridEntries, ""),
		"list events in kube-system":               missingOf(snapshot.FactEvents, ""),
		"list events in default":                   missingOf(snapshot.FactEvents, ""),
		"list ec2nodeclasses.karpenter.k8s.aws":    missingOf(snapshot.FactNodeClasses, "karpenter"),
		"list awsnodetemplates.karpenter.k8s.aws":  missingOf(snapshot.FactNodeClasses, "karpenter"),
		"list nodeclasses.eks.amazonaws.com":       missingOf(snapshot.FactNodeClasses, "autoMode"),
		"ec2:DescribeVpcEndpoints":                 missingOf(snapshot.FactVPCEndpoints, ""),
		"ec2:DescribeRouteTables":                  missingOf(snapshot.FactVPCEndpoints, ""),
		"ecr:GetRepositoryPolicy":                  missingOf(snapshot.FactRepositoryPolicies, ownRepository, otherRepository),
		"ecr:GetRegistryPolicy":                    missingOf(snapshot.FactRegistries, region),
		"ecr:DescribePullThroughCacheRules":        missingOf(snapshot.FactRegistries, region),
		"iam:GetAccountSummary":                    missingOf(snapshot.FactProfileQuota, ""),
		"list pods":                                missingOf(snapshot.FactAddonPods, ""),
		"get serviceaccounts":                      missingOf(snapshot.FactAddonAccounts, addonAccount),
		"organizations:DescribeOrganization":       missingOf(snapshot.FactOrganization, ""),
		"organizations:ListParents":                missingOf(snapshot.FactOrganization, ""),
		"organizations:ListPoliciesForTarget":      missingOf(snapshot.FactOrganization, ""),
		"organizations:DescribePolicy":             missingOf(snapshot.FactOrganization, ""),
		"iam:ListAttachedRolePolicies":             with(missingOf(snapshot.FactAttachedPolicies, allRoles...), cluster),
		"iam:ListRolePolicies":                     with(missingOf(snapshot.FactInlinePolicies, allRoles...), cluster),
		"iam:GetRolePolicy":                        with(missingOf(snapshot.FactInlinePolicies, inline+"extra", inline+"more", inline+"third"), cluster+"#kms"),
		"iam:ListInstanceProfilesForRole":          missingOf(snapshot.FactRoleProfiles, allRoles...),
		"iam:ListPolicies":                         nil,                                                              // iam:GetPolicy has the same fact
		"iam:GetPolicy":                            with(missingOf(snapshot.FactPolicies, cniPolicy), clusterPolicy), // not on the page of the attached policies
		"iam:GetPolicyVersion":                     with(missingOf(snapshot.FactPolicies, policies...), clusterPolicy),
		"iam:GetInstanceProfile":                   missingOf(snapshot.FactInstanceProfiles, "arn:aws:iam::"+account+":instance-profile/gone", "arn:aws:iam::"+account+":instance-profile/own/self", "arn:aws:iam::"+account+":instance-profile/self", "arn:aws:iam::"+account+":instance-profile/swapped"),
		"ec2:DescribeInstances":                    missingOf(snapshot.FactInstances, ""),
		"list nodes":                               missingOf(snapshot.FactNodes, ""),
		"list pods in kube-system":                 append(missingOf(snapshot.FactPods, ""), missingOf(snapshot.FactAgent, "")...),
		"get serviceaccounts in kube-system":       missingOf(snapshot.FactServiceAccount, ""),
		"get daemonsets.apps in kube-system":       slices.Concat(missingOf(snapshot.FactDaemonSet, ""), missingOf(snapshot.FactSystemImages, "kube-proxy"), missingOf(snapshot.FactAgent, "")),
		"get deployments.apps in kube-system":      missingOf(snapshot.FactSystemImages, "coredns"),
	}
}

// Each operation in turn is refused. That costs its facts and nothing else.
func TestRefused(t *testing.T) {
	t.Parallel()
	tests := unreadWithout()
	for operation, want := range tests {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			w.aws.fault = func(op string, rw http.ResponseWriter, _ *http.Request) bool {
				if op != operation {
					return false
				}
				fail(rw, op, http.StatusForbidden, accessDenied(op), "User: arn:aws:iam::111122223333:user/dev is not authorized to perform: "+op+
					"\n on this. Encoded authorization failure message: c2VjcmV0")
				return true
			}
			w.kube.fault = func(op string, rw http.ResponseWriter, r *http.Request) bool {
				if op != operation {
					return false
				}
				w.kube.status(rw, r, forbidden("things"))
				return true
			}
			got, _ := w.collect(t)
			if diff := cmp.Diff(want, entries(got), cmp.AllowUnexported(missing{})); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			for _, m := range got.Missing {
				if m.Operation != operation || m.Permission != operation {
					t.Errorf("operation %q, permission %q; want %q for both", m.Operation, m.Permission, operation)
				}
				if strings.Contains(m.Error, "\n") || strings.Contains(m.Error, "5c3bd2a6") || strings.Contains(m.Error, "c2VjcmV0") || m.Error == "" {
					t.Errorf("error %q", m.Error)
				}
			}
			// The rest is there.
			if operation != "list nodes" && len(got.Nodes) != len(w.kube.nodes) {
				t.Errorf("%d nodes", len(got.Nodes))
			}
			if operation != "eks:ListFargateProfiles" && operation != "eks:DescribeFargateProfile" && len(got.FargateProfiles) != 1 {
				t.Errorf("%d Fargate profiles", len(got.FargateProfiles))
			}
		})
	}
	t.Run("iam:SimulatePrincipalPolicy", func(t *testing.T) {
		t.Parallel()
		w := newFakeServers(t)
		w.simulate = []collect.Question{{Action: "ec2:DescribeInstances", Resource: "*"}}
		w.aws.fault = func(op string, rw http.ResponseWriter, _ *http.Request) bool {
			if op == "iam:SimulatePrincipalPolicy" {
				fail(rw, op, http.StatusForbidden, accessDenied(op), "not authorized")
			}
			return op == "iam:SimulatePrincipalPolicy"
		}
		got, _ := w.collect(t)
		if diff := cmp.Diff(missingOf(snapshot.FactSimulations, fakeRoles("node-a", "node-b", "self", "cni", "pod-cni", "lost", "hybrid", "hyperpod", "mapped", "quick")...), entries(got), cmp.AllowUnexported(missing{})); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
	})
	t.Run("every operation has a test", func(t *testing.T) {
		t.Parallel()
		w := newFakeServers(t)
		_, stats := w.collect(t)
		for operation := range stats.PerOperation {
			if _, tested := tests[operation]; !tested {
				t.Errorf("%s is called and not tested", operation)
			}
		}
	})
}

func accessDenied(operation string) string {
	switch service, _, _ := strings.Cut(operation, ":"); service {
	case "eks", "ecr", "organizations":
		return "AccessDeniedException"
	case "ec2":
		return "UnauthorizedOperation"
	default:
		return "AccessDenied"
	}
}

// A list that breaks off keeps what was read and is missing as a whole.
func TestHalfAList(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	w.aws.fault = func(op string, rw http.ResponseWriter, r *http.Request) bool {
		if op != "eks:ListNodegroups" || r.Form.Get("nextToken") == "" {
			return false
		}
		fail(rw, op, http.StatusForbidden, "AccessDeniedException", "enough")
		return true
	}
	got, _ := w.collect(t)
	if diff := cmp.Diff([]string{"a1", "a2"}, keysOf(got.NodeGroups)); diff != "" {
		t.Errorf("node groups (-want +got):\n%s", diff)
	}
	want := []snapshot.Missing{{Fact: snapshot.FactNodeGroups, Operation: "eks:ListNodegroups", Permission: "eks:ListNodegroups", Error: "AccessDeniedException: enough"}}
	if diff := cmp.Diff(want, got.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// firstTimes makes a fault of the first n answers to one operation.
func firstTimes(n int32, operation string, answer func(w http.ResponseWriter, r *http.Request)) func(string, http.ResponseWriter, *http.Request) bool {
	var seen atomic.Int32
	return func(op string, w http.ResponseWriter, r *http.Request) bool {
		if op != operation || seen.Add(1) > n {
			return false
		}
		answer(w, r)
		return true
	}
}

// cut ends an answer in the middle of its body.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// What passes by itself is retried and costs nothing but calls.
func TestRetried(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		operation string
		answer    func(w http.ResponseWriter, r *http.Request)
	}{
		{"throttled IAM", "iam:ListRolePolicies", func(w http.ResponseWriter, _ *http.Request) {
			queryError(w, http.StatusBadRequest, "Throttling", "Rate exceeded")
		}},
		{"throttled EKS", "eks:DescribeCluster", func(w http.ResponseWriter, _ *http.Request) {
			eksError(w, http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded")
		}},
		{"throttled EC2", "ec2:DescribeInstances", func(w http.ResponseWriter, _ *http.Request) {
			ec2Error(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
		}},
		{"server error", "iam:GetPolicyVersion", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		}},
		{"half an answer", "iam:GetRole", cut},
		{"connection closed", "iam:GetPolicy", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			w.aws.fault = firstTimes(1, test.operation, test.answer)
			got, stats := w.collect(t)
			if diff := cmp.Diff(w.want(), got); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
			if stats.PerOperation[test.operation] != w.aws.calls[test.operation] {
				t.Errorf("counted %d calls, the server %d", stats.PerOperation[test.operation], w.aws.calls[test.operation])
			}
		})
	}
}

// What does not pass costs its fact, without a permission, and one clear line.
func TestFailed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		operation string
		answer    func(w http.ResponseWriter, r *http.Request)
		want      string // with URL for the endpoint
	}{
		{
			"throttled out", "ec2:DescribeInstances",
			func(w http.ResponseWriter, _ *http.Request) {
				ec2Error(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
			},
			"throttled repeatedly: RequestLimitExceeded: Request limit exceeded.",
		},
		{
			"server error", "eks:ListNodegroups",
			func(w http.ResponseWriter, _ *http.Request) {
				eksError(w, http.StatusInternalServerError, "ServerException", "Oops")
			},
			"ServerException: Oops",
		},
		{
			"server error without a word", "eks:ListNodegroups",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			"status 502",
		},
		{
			"HTML 404 for JSON", "eks:ListFargateProfiles",
			html(http.StatusNotFound),
			"URL answered 404 with text/html, not an EKS answer (a proxy, or an endpoint that does not support this operation)",
		},
		{
			"HTML 403 for XML", "ec2:DescribeInstances",
			html(http.StatusForbidden),
			"URL answered 403 with text/html, not an EC2 answer (a proxy, or an endpoint that does not support this operation)",
		},
		{
			"HTML 200 for XML", "ec2:DescribeInstances",
			html(http.StatusOK),
			"URL answered 200 with text/html, not an EC2 answer (a proxy, or an endpoint that does not support this operation)",
		},
		{
			"HTML 200 for JSON", "eks:ListFargateProfiles",
			html(http.StatusOK),
			"URL answered 200 with text/html, not an EKS answer (a proxy, or an endpoint that does not support this operation)",
		},
		{
			"cut in the middle", "ec2:DescribeInstances",
			cut,
			"the response ended early",
		},
		{
			"closed without a word", "ec2:DescribeInstances",
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"cannot reach URL: the connection was closed without an answer",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			w.env["AWS_MAX_ATTEMPTS"] = "2"
			w.aws.fault = firstTimes(1_000_000, test.operation, test.answer)
			got, _ := w.collect(t)
			if len(got.Missing) != 1 {
				t.Fatalf("missing: %+v", got.Missing)
			}
			m := got.Missing[0]
			if m.Operation != test.operation || m.Permission != "" {
				t.Errorf("operation %q, permission %q", m.Operation, m.Permission)
			}
			if want := strings.ReplaceAll(test.want, "URL", w.aws.URL); m.Error != want {
				t.Errorf("error\n  %s\nwant\n  %s", m.Error, want)
			}
		})
	}
}

func html(status int) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<p>Sign in to the network.")
	}
}

// A role that IAM does not know, or not under this path, is a fact.
func TestRoleNotFound(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	gone := "arn:aws:iam::" + account + ":role/gone"
	elsewhere := "arn:aws:iam::" + account + ":role/elsewhere/cni"
	foreign := "arn:aws:iam::999999999999:role/cni"
	w.aws.nodeGroups["b1"]["nodeRole"] = gone
	w.aws.addons["vpc-cni"]["serviceAccountRoleArn"] = elsewhere
	w.aws.associations["a-1"]["roleArn"] = foreign
	w.kube.serviceAccount.Annotations["eks.amazonaws.com/role-arn"] = "cni"
	got, _ := w.collect(t)
	for _, arn := range []string{gone, elsewhere} {
		if diff := cmp.Diff(snapshot.Role{NotFound: true}, got.Roles[arn]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", arn, diff)
		}
	}
	want := []snapshot.Missing{
		{Fact: snapshot.FactRoles, Subject: foreign, Operation: "iam:GetRole", Error: "the role is in account 999999999999, the cluster in 111122223333: its policies can only be read with credentials of that account"},
		{Fact: snapshot.FactRoles, Subject: "cni", Operation: "iam:GetRole", Error: `"cni" is not the ARN of an IAM role`},
	}
	if diff := cmp.Diff(want, got.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// In mode CONFIG_MAP EKS refuses to speak of access entries, so it is not asked.
func TestConfigMapModeHasNoAccessEntries(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	w.aws.clusters["prod"]["accessConfig"] = map[string]any{"authenticationMode": "CONFIG_MAP"}
	got, stats := w.collect(t)
	if n := stats.PerOperation["eks:DescribeAccessEntry"]; n != 0 || len(got.AccessEntries) > 0 || len(got.Missing) > 0 {
		t.Errorf("%d calls, entries %v, missing %v", n, got.AccessEntries, got.Missing)
	}
}

func TestInstanceProfileNotFound(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	delete(w.aws.profiles, "self")
	got, _ := w.collect(t)
	arn := "arn:aws:iam::" + account + ":instance-profile/own/self"
	if !got.InstanceProfiles[arn].NotFound || len(got.Missing) > 0 {
		t.Errorf("profile %+v, missing %v", got.InstanceProfiles[arn], got.Missing)
	}
}

// Problems that every call would have end the run, each with its own line.
func TestCallerProblems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, message string
		want          string
	}{
		{"ExpiredToken", "The security token included in the request is expired", "the AWS credentials have expired (ExpiredToken: The security token included in the request is expired)"},
		{"InvalidClientTokenId", "The security token included in the request is invalid.", "AWS does not accept the credentials (InvalidClientTokenId: The security token included in the request is invalid.)"},
		{"SignatureDoesNotMatch", "Signature expired: 20240101T000000Z is now earlier than 20240101T000500Z", "AWS refuses this computer's clock (SignatureDoesNotMatch: Signature expired: 20240101T000000Z is now earlier than 20240101T000500Z)"},
		{"OptInRequired", "You are not subscribed", "the account is not signed up for this service in eu-west-1 (OptInRequired: You are not subscribed)"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			w := newFakeServers(t)
			w.env["AWS_MAX_ATTEMPTS"] = "1"
			w.aws.fault = func(op string, rw http.ResponseWriter, _ *http.Request) bool {
				fail(rw, op, http.StatusForbidden, test.code, test.message)
				return true
			}
			s, _, err := collect.Collect(context.Background(), w.options(t))
			var p *problem.Error
			if !errors.As(err, &p) || s != nil {
				t.Fatalf("snapshot %v, error %v", s, err)
			}
			if p.Problem != test.want || p.Next == "" {
				t.Errorf("problem\n  %s\nwant\n  %s\nnext %q", p.Problem, test.want, p.Next)
			}
		})
	}
}

func TestKubernetesProblems(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	w.kube.fault = func(_ string, rw http.ResponseWriter, r *http.Request) bool {
		w.kube.status(rw, r, apierrors.NewUnauthorized("Unauthorized"))
		return true
	}
	_, _, err := collect.Collect(context.Background(), w.options(t))
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	if want := "the Kubernetes API server " + w.kube.URL + " does not accept the credentials of the kubeconfig (Unauthorized)"; p.Problem != want {
		t.Errorf("problem\n  %s\nwant\n  %s", p.Problem, want)
	}
}

// A refused connection to one service, after another has answered, costs what
// that service knows, and is not tried for every object.
func TestOneServiceUnreachable(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	ctx := context.Background()
	client, err := aws.New(ctx, aws.Config{Region: region, Env: map[string]string{
		"AWS_ENDPOINT_URL": w.aws.URL, "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.DescribeCluster(ctx, "prod"); err != nil {
		t.Fatal(err)
	}
	o := w.options(t)
	o.AWS = client
	got, stats, err := collect.Collect(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	const why = "cannot reach http://127.0.0.1:1: connection refused"
	want := []snapshot.Missing{
		{Fact: snapshot.FactAutoScaling, Subject: "asg-1", Operation: "ec2:DescribeLaunchTemplateVersions", Error: why},
		{Fact: snapshot.FactAutoScaling, Subject: "asg-2", Operation: "ec2:DescribeLaunchTemplateVersions", Error: why},
		{Fact: snapshot.FactInstances, Operation: "ec2:DescribeInstances", Error: why},
		{Fact: snapshot.FactMetadata, Subject: w.aws.roleARN("node-a"), Operation: "ec2:DescribeLaunchTemplateVersions", Error: why},
		{Fact: snapshot.FactMetadata, Subject: w.aws.roleARN("node-b"), Operation: "ec2:DescribeLaunchTemplateVersions", Error: why},
		{Fact: snapshot.FactVPCEndpoints, Operation: "ec2:DescribeVpcEndpoints", Error: why},
	}
	if diff := cmp.Diff(want, got.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	// Those by tag and those by id are asked for at once.
	if n := stats.PerOperation["ec2:DescribeInstances"]; n > 2 {
		t.Errorf("%d requests", n)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.aws.fault = func(op string, _ http.ResponseWriter, r *http.Request) bool {
		if op != "iam:GetPolicy" {
			return false
		}
		cancel()
		<-r.Context().Done() // the client hangs up
		return true
	}
	s, _, err := collect.Collect(ctx, w.options(t))
	if !errors.Is(err, context.Canceled) || s != nil {
		t.Errorf("snapshot %v, error %v", s, err)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	o := w.options(t)
	var mu sync.Mutex
	var events []collect.Event
	o.Progress = func(e collect.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	if _, _, err := collect.Collect(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Done != i+1 || e.Total < e.Done || e.What == "" {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	if last := events[len(events)-1]; last.Done != last.Total {
		t.Errorf("the last event is %+v", last)
	}
}

// Thousands of nodes are read in pages, their instances in batches.
func TestManyNodes(t *testing.T) {
	t.Parallel()
	w := newFakeServers(t)
	w.aws.pageSize = 1000
	const n = 3000
	w.kube.nodes, w.kube.pods = nil, nil
	for i := range n {
		id := fmt.Sprintf("i-%05d", i)
		w.aws.instances[id] = fakeEC2Instance{state: "running", profile: w.aws.profileARN("self"), tokens: "required", hops: 1}
		node := corev1.Node{ObjectMeta: meta("n-"+id, nil), Spec: corev1.NodeSpec{ProviderID: "aws:///eu-west-1a/" + id}}
		w.kube.nodes = append(w.kube.nodes, node)
		w.kube.pods = append(w.kube.pods, corev1.Pod{
			ObjectMeta: meta("aws-node-"+id, nil), Status: corev1.PodStatus{Phase: corev1.PodRunning},
			Spec: podSpec(node.Name, []corev1.EnvVar{{Name: "AWS_ROLE_ARN", Value: w.aws.roleARN("cni")}}),
		})
	}
	got, stats := w.collect(t)
	if len(got.Nodes) != n || len(got.Instances) != n+1 || len(got.AWSNode.Pods) != n || len(got.Missing) > 0 {
		t.Errorf("%d nodes, %d instances, %d pods, missing %v", len(got.Nodes), len(got.Instances), len(got.AWSNode.Pods), got.Missing)
	}
	if calls := stats.PerOperation["ec2:DescribeInstances"]; calls != n/collect.InstanceBatch+1 {
		t.Errorf("%d calls of ec2:DescribeInstances", calls)
	}
	if calls := stats.KubeCalls; calls != 2*n/500+14 {
		t.Errorf("%d calls of the Kubernetes API", calls)
	}
	if peak := w.aws.peak["iam"]; peak > 20 {
		t.Errorf("%d calls of IAM at a time", peak)
	}
}

// The simulator is asked in one call a role with its pages, one call at a time,
// and the answers kept are those that were asked for.
func TestSimulate(t *testing.T) {
	w := newFakeServers(t)
	pull := "arn:aws:ecr:eu-west-1:111122223333:repository/r"
	w.simulate = []collect.Question{
		{Action: "ec2:DescribeInstances", Resource: "*"}, {Action: "ecr:BatchGetImage", Resource: pull}, {Action: "eks:DescribeCluster", Resource: clusterARN("prod")},
	}
	got, _ := w.collect(t)
	want := []snapshot.Simulation{
		{Action: "ec2:DescribeInstances", Resource: "*", Decision: "allowed"},
		{Action: "ecr:BatchGetImage", Resource: pull, Decision: "implicitDeny", MissingContext: []string{"aws:SourceVpc"}},
		{Action: "eks:DescribeCluster", Resource: clusterARN("prod"), Decision: "explicitDeny", DeniedBy: "organizations"},
	}
	if len(got.Simulations) != len(got.Roles)-1 { // all but the cluster role
		t.Errorf("%d of %d roles were simulated", len(got.Simulations), len(got.Roles))
	}
	for arn, answers := range got.Simulations {
		if diff := cmp.Diff(want, answers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", arn, diff)
		}
	}
}
