package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// moto's account, and the region of the tests.
const (
	account = "123456789012"
	region  = "eu-west-1"
	issuer  = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
)

func roleARN(name string) string   { return "arn:aws:iam::" + account + ":role/" + name }
func awsPolicy(name string) string { return "arn:aws:iam::aws:policy/" + name }
func clusterARN(name string) string {
	return "arn:aws:eks:" + region + ":" + account + ":cluster/" + name
}

func serviceTrust(name string) string { return trust(`{"Service":"`+name+`"}`, "sts:AssumeRole", "") }

// trust is a trust policy; the actions are separated by commas, the condition is
// optional.
func trust(principal, actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"]` + condition + `}]}`
}

// podIdentityTrust is the trust policy of a role for EKS Pod Identity.
func podIdentityTrust() string {
	return trust(`{"Service":"pods.eks.amazonaws.com"}`, "sts:AssumeRole,sts:TagSession", "")
}

const (
	workerPolicy = "AmazonEKSWorkerNodePolicy"
	pullPolicy   = "AmazonEC2ContainerRegistryPullOnly"
	cniPolicy    = "AmazonEKS_CNI_Policy"
)

// scenario fills moto, the proxy and the API server with a cluster, and takes
// what it made in the API server away again.
type scenario struct {
	t       testing.TB
	ctx     context.Context
	eks     *eks.Client
	iam     *iam.Client
	ec2     *ec2.Client
	kube    *kubernetes.Clientset
	cluster string
	// region is where the cluster is; moto takes the partition from it.
	region  string
	proxied awsproxy.Cluster
}

// client returns a client of an administrator.
func (k *apiServer) client() (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfig(&rest.Config{Host: k.url, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{CAData: k.ca}, QPS: -1})
}

// newScenario empties moto and the proxy and makes a cluster with its role.
func newScenario(t testing.TB, cluster string) *scenario {
	t.Helper()
	return newScenarioIn(t, region, cluster)
}

// newScenarioIn is newScenario in a region of any partition.
func newScenarioIn(t testing.TB, region, cluster string) *scenario {
	t.Helper()
	if err := cloud.reset(); err != nil {
		t.Fatal(err)
	}
	proxy.Reset()
	cfg := aws.Config{
		Region: region, BaseEndpoint: aws.String(cloud.url),
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	}
	client, err := kube.client()
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{
		t: t, ctx: context.Background(), cluster: cluster, region: region, kube: client,
		eks: eks.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg),
		proxied: awsproxy.Cluster{
			Endpoint: kube.url, CA: kube.ca, IPFamily: "ipv4", AuthenticationMode: "API_AND_CONFIG_MAP", OIDCIssuer: issuer,
			Addons: map[string]awsproxy.Addon{}, AccessEntries: map[string]awsproxy.AccessEntry{}, Associations: map[string]awsproxy.Association{},
		},
	}
	s.role("eksClusterRole", trust(`{"Service":"eks.amazonaws.com"}`, "sts:AssumeRole,sts:TagSession", ""), "AmazonEKSClusterPolicy")
	s.createCluster(cluster, "eksClusterRole")
	s.apply()
	t.Cleanup(s.cleanKubernetes)
	return s
}

// arn is an ARN as it is in the scenario's partition and region.
func (s *scenario) arn(arn string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(s.region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(s.region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return strings.NewReplacer("arn:aws:", "arn:"+partition+":", ":"+region+":", ":"+s.region+":").Replace(arn)
}

// apply hands the proxy what the scenario says of the cluster.
func (s *scenario) apply() { proxy.SetCluster(s.cluster, s.proxied) }

func (s *scenario) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scenario) createCluster(name, role string) {
	s.t.Helper()
	_, err := s.eks.CreateCluster(s.ctx, &eks.CreateClusterInput{
		Name: &name, RoleArn: aws.String(s.arn(roleARN(role))), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	s.must(err)
}

// role makes a role with AWS managed policies, by name, or policies by ARN.
func (s *scenario) role(name, trustPolicy string, policies ...string) {
	s.t.Helper()
	_, err := s.iam.CreateRole(s.ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trustPolicy})
	s.must(err)
	for _, p := range policies {
		if !strings.HasPrefix(p, "arn:") {
			p = s.arn(awsPolicy(p))
		}
		_, err := s.iam.AttachRolePolicy(s.ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &p})
		s.must(err)
	}
}

// nodeRole makes a role that EC2 may assume, with an instance profile of its name.
func (s *scenario) nodeRole(name string, policies ...string) {
	s.t.Helper()
	s.role(name, serviceTrust("ec2.amazonaws.com"), policies...)
	_, err := s.iam.CreateInstanceProfile(s.ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: &name})
	s.must(err)
	_, err = s.iam.AddRoleToInstanceProfile(s.ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &name})
	s.must(err)
}

// policy makes a customer managed policy and returns its ARN.
func (s *scenario) policy(name, document string) string {
	s.t.Helper()
	out, err := s.iam.CreatePolicy(s.ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	s.must(err)
	return *out.Policy.Arn
}

func (s *scenario) inlinePolicy(role, name, document string) {
	s.t.Helper()
	_, err := s.iam.PutRolePolicy(s.ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &document})
	s.must(err)
}

func (s *scenario) nodeGroup(name, role string) {
	s.t.Helper()
	_, err := s.eks.CreateNodegroup(s.ctx, &eks.CreateNodegroupInput{
		ClusterName: &s.cluster, NodegroupName: &name, NodeRole: aws.String(s.arn(roleARN(role))), Subnets: []string{"subnet-1"},
	})
	s.must(err)
}

func (s *scenario) fargateProfile(name, role string) {
	s.t.Helper()
	_, err := s.eks.CreateFargateProfile(s.ctx, &eks.CreateFargateProfileInput{
		ClusterName: &s.cluster, FargateProfileName: &name, PodExecutionRoleArn: aws.String(roleARN(role)),
		Selectors: []ekstypes.FargateProfileSelector{{Namespace: aws.String("batch")}},
	})
	s.must(err)
}

// instance starts an EC2 instance with an instance profile, or with none.
func (s *scenario) instance(profile string) (id string) {
	s.t.Helper()
	in := &ec2.RunInstancesInput{ImageId: aws.String("ami-12c6146b"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1)}
	if profile != "" {
		in.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Name: &profile}
	}
	out, err := s.ec2.RunInstances(s.ctx, in)
	s.must(err)
	return *out.Instances[0].InstanceId
}

// node makes a node object, as kubelet would; an empty group makes it self-managed.
func (s *scenario) node(name, instance, group string) {
	s.t.Helper()
	labels := map[string]string{"kubernetes.io/os": "linux"}
	if group != "" {
		labels["eks.amazonaws.com/nodegroup"] = group
	}
	n, err := s.kube.CoreV1().Nodes().Create(s.ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{ProviderID: "aws:///" + s.region + "a/" + instance},
	}, metav1.CreateOptions{})
	s.must(err)
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	_, err = s.kube.CoreV1().Nodes().UpdateStatus(s.ctx, n, metav1.UpdateOptions{})
	s.must(err)
}

// awsNode makes the VPC CNI's service account and DaemonSet, with an IRSA role
// where one is given.
func (s *scenario) awsNode(role string) {
	s.t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "aws-node", Namespace: "kube-system"}}
	if role != "" {
		sa.Annotations = map[string]string{"eks.amazonaws.com/role-arn": roleARN(role)}
	}
	_, err := s.kube.CoreV1().ServiceAccounts("kube-system").Create(s.ctx, sa, metav1.CreateOptions{})
	s.must(err)
	_, err = s.kube.AppsV1().DaemonSets("kube-system").Create(s.ctx, daemonSet("aws-node", "k8s-app", awsNodeSpec("")), metav1.CreateOptions{})
	s.must(err)
}

// systemWorkloads makes the DaemonSet kube-proxy and the Deployment coredns, without pods.
func (s *scenario) systemWorkloads() {
	s.t.Helper()
	const registry = "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/"
	proxy := daemonSet("kube-proxy", "k8s-app", daemonSpec("kube-proxy", registry+"kube-proxy:v1.33.3-minimal-eksbuild.4"))
	_, err := s.kube.AppsV1().DaemonSets("kube-system").Create(s.ctx, proxy, metav1.CreateOptions{})
	s.must(err)
	dns := daemonSet("coredns", "k8s-app", corev1.PodSpec{Containers: []corev1.Container{{Name: "coredns", Image: registry + "coredns:v1.12.1-eksbuild.2"}}})
	_, err = s.kube.AppsV1().Deployments("kube-system").Create(s.ctx, &appsv1.Deployment{
		ObjectMeta: dns.ObjectMeta, Spec: appsv1.DeploymentSpec{Selector: dns.Spec.Selector, Template: dns.Spec.Template},
	}, metav1.CreateOptions{})
	s.must(err)
}

// daemonSet is a DaemonSet whose pods have its name as a label.
func daemonSet(name, label string, spec corev1.PodSpec) *appsv1.DaemonSet {
	labels := map[string]string{label: name}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

// awsNodePod makes a running pod of aws-node, as the DaemonSet controller and
// the webhook would: with a role, its IRSA environment.
func (s *scenario) awsNodePod(name, node, role string) {
	s.t.Helper()
	spec := awsNodeSpec(node)
	if role != "" {
		spec.Containers[0].Env = []corev1.EnvVar{
			{Name: "AWS_ROLE_ARN", Value: roleARN(role)},
			{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"},
		}
	}
	pod, err := s.kube.CoreV1().Pods("kube-system").Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: map[string]string{"k8s-app": "aws-node"}}, Spec: spec,
	}, metav1.CreateOptions{})
	s.must(err)
	pod.Status.Phase = corev1.PodRunning
	_, err = s.kube.CoreV1().Pods("kube-system").UpdateStatus(s.ctx, pod, metav1.UpdateOptions{})
	s.must(err)
}

func awsNodeSpec(node string) corev1.PodSpec {
	spec := daemonSpec("aws-node", "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1")
	spec.NodeName = node
	return spec
}

// daemonSpec is a pod that runs on every node, whatever its taints.
func daemonSpec(name, image string) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: name, HostNetwork: true, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Containers: []corev1.Container{{Name: name, Image: image}},
	}
}

func (s *scenario) cleanKubernetes() {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now}
	all := metav1.ListOptions{}
	// A run that was killed leaves its lease.
	if err := s.kube.CoordinationV1().Leases("kube-system").Delete(s.ctx, "kubectl-noderole", options); err != nil && !apierrors.IsNotFound(err) {
		s.t.Fatal(err)
	}
	s.must(s.kube.CoreV1().Nodes().DeleteCollection(s.ctx, options, all))
	s.must(s.kube.CoreV1().Pods("kube-system").DeleteCollection(s.ctx, options, all))
	s.must(s.kube.AppsV1().DaemonSets("kube-system").DeleteCollection(s.ctx, options, all))
	s.must(s.kube.AppsV1().Deployments("kube-system").DeleteCollection(s.ctx, options, all))
	s.must(s.kube.CoreV1().ConfigMaps("kube-system").DeleteCollection(s.ctx, options, all))
	s.must(s.kube.CoreV1().Events("kube-system").DeleteCollection(s.ctx, options, all))
	s.must(s.kube.CoreV1().ServiceAccounts("kube-system").DeleteCollection(s.ctx, options, all))
}

// irsaTrust is the trust policy of a role for kube-system/aws-node.
func irsaTrust() string {
	host := strings.TrimPrefix(issuer, "https://")
	return trust(`{"Federated":"arn:aws:iam::`+account+`:oidc-provider/`+host+`"}`, "sts:AssumeRoleWithWebIdentity",
		`{"StringEquals":{"`+host+`:sub":"system:serviceaccount:kube-system:aws-node","`+host+`:aud":"sts.amazonaws.com"}}`)
}

// healthy adds a node role with a node group and a node, and a role of aws-node's own.
func (s *scenario) healthy() {
	s.nodeRole("eksNodeRole", workerPolicy, pullPolicy)
	s.nodeGroup("apps", "eksNodeRole")
	s.node("ip-10-0-1-17.eu-west-1.compute.internal", "i-0aaaaaaaaaaaaaaaa", "apps")
	s.role("eksCNIRole", irsaTrust(), cniPolicy)
	s.oidcProvider()
	s.awsNode("eksCNIRole")
	s.awsNodePod("aws-node-aaaaa", "ip-10-0-1-17.eu-west-1.compute.internal", "eksCNIRole")
	s.proxied.Addons["vpc-cni"] = awsproxy.Addon{Version: "v1.20.4-eksbuild.1", ServiceAccountRoleARN: roleARN("eksCNIRole")}
	s.grantAccess("eksNodeRole", "EC2_LINUX")
}

// oidcProvider creates the cluster's OIDC provider in IAM.
func (s *scenario) oidcProvider() {
	_, err := s.iam.CreateOpenIDConnectProvider(s.ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String(issuer), ClientIDList: []string{"sts.amazonaws.com"}})
	s.must(err)
}

// grantAccess gives a role an access entry.
func (s *scenario) grantAccess(role, kind string, policies ...string) {
	s.proxied.AccessEntries[roleARN(role)] = awsproxy.AccessEntry{
		Type: kind, Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}, CreatedAt: time.Now(), Policies: policies,
	}
	s.apply()
}

// kubeconfig writes what aws eks update-kubeconfig writes, with a token instead
// of the credential plugin, and returns the environment that selects it.
func (s *scenario) kubeconfig(endpoint string) []string {
	s.t.Helper()
	return s.writeKubeconfig(endpoint, map[string]any{"token": adminToken})
}

// execKubeconfig is kubeconfig with the AWS CLI as the credential plugin.
func (s *scenario) execKubeconfig(endpoint string) []string {
	s.t.Helper()
	return s.writeKubeconfig(endpoint, map[string]any{"exec": map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
		"args":            []string{"--region", region, "eks", "get-token", "--cluster-name", s.cluster, "--output", "json"},
		"interactiveMode": "Never",
	}})
}

func (s *scenario) writeKubeconfig(endpoint string, user map[string]any) []string {
	s.t.Helper()
	name := s.arn(clusterARN(s.cluster))
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []any{map[string]any{"name": name, "cluster": map[string]any{
			"server": kube.url, "certificate-authority-data": base64.StdEncoding.EncodeToString(kube.ca),
		}}},
		"users":    []any{map[string]any{"name": name, "user": user}},
		"contexts": []any{map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": name}}},
	})
	s.must(err)
	file := filepath.Join(s.t.TempDir(), "kubeconfig")
	s.must(os.WriteFile(file, text, 0o600))
	return []string{"KUBECONFIG=" + file, "AWS_ENDPOINT_URL=" + endpoint}
}

// report is the part of the JSON report that the tests look at.
type report struct {
	Kind      string
	NodeRoles []struct {
		Name    string
		Sources []struct{ Kind, Name string }
	}
	Results []struct {
		ID, Status, Severity, Message string
		Subject                       struct{ Name string }
		Evidence                      []string
		Causes                        []struct{ ID string }
	}
	Missing      []struct{ Fact, Subject, Operation, Permission, Error string }
	NotEvaluated []string
}

func parseReport(t testing.TB, out output) report {
	t.Helper()
	var r report
	if err := json.NewDecoder(bytes.NewReader([]byte(out.stdout))).Decode(&r); err != nil || r.Kind != "Report" {
		t.Fatalf("no report: %v\nstdout: %s\nstderr: %s", err, out.stdout, out.stderr)
	}
	return r
}

// sources are what gives nodes each role, by the role's name.
func (r report) sources() map[string]string {
	sources := map[string]string{}
	for _, role := range r.NodeRoles {
		for _, src := range role.Sources {
			sources[role.Name] += src.Kind + " " + src.Name + ";"
		}
	}
	return sources
}

// verdicts are the results as "ID subject status", without those that passed or
// do not apply.
func (r report) verdicts() []string {
	var list []string
	for _, res := range r.Results {
		if res.Status != "pass" && res.Status != "notApplicable" {
			list = append(list, fmt.Sprintf("%s %s %s", res.ID, res.Subject.Name, res.Status))
		}
	}
	return list
}

func denied(operation string) awsproxy.Fault { return awsproxy.Denied(operation) }

func associationOf(role string) awsproxy.Association {
	return awsproxy.Association{Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: roleARN(role)}
}
