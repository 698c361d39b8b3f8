package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// nodeClassKinds are the CRDs of Karpenter and Auto Mode, reduced to the fields
// in use.
const nodeClassKinds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ec2nodeclasses.karpenter.k8s.aws}
spec:
  group: karpenter.k8s.aws
  names: {kind: EC2NodeClass, plural: ec2nodeclasses, singular: ec2nodeclass}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: nodeclasses.eks.amazonaws.com}
spec:
  group: eks.amazonaws.com
  names: {kind: NodeClass, plural: nodeclasses, singular: nodeclass}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// manifest applies objects with the real kubectl, and deletes them after the test.
func (s *scenario) manifest(env []string, text string, wait ...string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "objects.yaml")
	s.must(os.WriteFile(file, []byte(text), 0o600))
	if out := kubectl(s.t, env, "apply", "-f", file); out.code != 0 {
		s.t.Fatalf("kubectl apply: %s", out.stderr)
	}
	s.t.Cleanup(func() { kubectl(s.t, env, "delete", "--ignore-not-found", "-f", file) })
	if len(wait) > 0 {
		if out := kubectl(s.t, env, append([]string{"wait", "--timeout=30s"}, wait...)...); out.code != 0 {
			s.t.Fatalf("kubectl wait: %s", out.stderr)
		}
	}
}

// TestNodeClasses: the roles of Karpenter's and Auto Mode's node classes are known
// before any node has joined, and what is wrong with a class is said.
func TestNodeClasses(t *testing.T) {
	s := newScenario(t, "classes")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	s.nodeRole("karpenterNodeRole", workerPolicy, pullPolicy)
	s.nodeRole("autoNodeRole", "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	s.grantAccess("karpenterNodeRole", "EC2_LINUX")
	s.grantAccess("autoNodeRole", "EC2")
	s.manifest(env, nodeClassKinds, "--for=condition=Established", "crd/ec2nodeclasses.karpenter.k8s.aws", "crd/nodeclasses.eks.amazonaws.com")
	empty := "emptyProfile"
	_, err := s.iam.CreateInstanceProfile(s.ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: &empty})
	s.must(err)
	s.manifest(env, `# YAML, which kubectl tells from JSON by the first character
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: default}, spec: {role: karpenterNodeRole}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: gone}, spec: {instanceProfile: nobody}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: empty}, spec: {instanceProfile: emptyProfile}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: other}, spec: {role: karpenterNodeRole}, status: {instanceProfile: eksNodeRole}}
---
{apiVersion: karpenter.k8s.aws/v1, kind: EC2NodeClass, metadata: {name: arn}, spec: {role: "`+roleARN("karpenterNodeRole")+`"}}
---
{apiVersion: eks.amazonaws.com/v1, kind: NodeClass, metadata: {name: private}, spec: {role: autoNodeRole}}
`)
	r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
	want := []string{
		"NR106 EC2NodeClass arn fail",
		"NR106 EC2NodeClass empty fail",
		"NR106 EC2NodeClass gone fail",
		"NR106 EC2NodeClass other fail",
		"NR507 autoNodeRole fail",
	}
	if diff := cmp.Diff(want, r.verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	sources := map[string]string{
		"eksNodeRole": "node group apps;", "karpenterNodeRole": "EC2NodeClass arn;EC2NodeClass default;EC2NodeClass other;", "autoNodeRole": "Auto Mode NodeClass private;",
	}
	if diff := cmp.Diff(sources, r.sources()); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	s.grantAccess("autoNodeRole", "EC2", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy")
	r = parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
	if diff := cmp.Diff(want[:4], r.verdicts()); diff != "" {
		t.Errorf("with the access policy (-want +got):\n%s", diff)
	}
}

// TestUnjoined: an instance of the cluster that is no node is found by its tag,
// and the report for someone on call names it with what explains it.
func TestUnjoined(t *testing.T) {
	s := newScenario(t, "unjoined")
	s.healthy()
	s.nodeRole("batchRole", pullPolicy)
	id := s.instance("batchRole")
	_, err := s.ec2.CreateTags(s.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("kubernetes.io/cluster/unjoined"), Value: aws.String("owned")}}})
	s.must(err)
	out := kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "--why-not-joining")
	if out.code != 1 {
		t.Errorf("exit %d", out.code)
	}
	at := func(text string) int {
		i := strings.Index(out.stdout, text)
		if i < 0 {
			t.Errorf("the report lacks %q:\n%s", text, out.stdout)
		}
		return i
	}
	at("explains NR108")
	if at("NR201  batchRole ") > at("NR501  batchRole ") {
		t.Errorf("order:\n%s", out.stdout)
	}
	if strings.Contains(out.stdout, "NR701") {
		t.Errorf("the metadata keeps no node from joining:\n%s", out.stdout)
	}
}

// TestLettingIn has one cluster for each way in which a node role is let in or not.
func TestLettingIn(t *testing.T) {
	node := `- rolearn: ` + roleARN("eksNodeRole") + "\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"
	tests := []struct {
		name, mode, mapRoles string
		entry                *awsproxy.AccessEntry
		want                 []string
	}{
		{name: "entry", mode: "API", entry: &awsproxy.AccessEntry{Type: "EC2_LINUX"}},
		{name: "nothing", mode: "API", mapRoles: node, want: []string{"NR501 eksNodeRole fail"}},
		{name: "aws-auth", mode: "API_AND_CONFIG_MAP", mapRoles: node},
		{name: "both", mode: "API_AND_CONFIG_MAP", mapRoles: node, entry: &awsproxy.AccessEntry{Type: "EC2_LINUX"}, want: []string{"NR508 eksNodeRole fail"}},
		{name: "entry not looked at", mode: "CONFIG_MAP", entry: &awsproxy.AccessEntry{Type: "EC2_LINUX"}, want: []string{"NR501 eksNodeRole fail"}},
		{name: "type", mode: "API", entry: &awsproxy.AccessEntry{Type: "FARGATE_LINUX"}, want: []string{"NR502 eksNodeRole fail"}},
		{name: "older", mode: "API", entry: &awsproxy.AccessEntry{Type: "EC2_LINUX", CreatedAt: time.Now().Add(-time.Hour)}, want: []string{"NR503 eksNodeRole fail"}},
		{name: "path", mode: "CONFIG_MAP", mapRoles: strings.Replace(node, "role/", "role/team/", 1), want: []string{"NR504 eksNodeRole fail"}},
		{name: "malformed", mode: "CONFIG_MAP", mapRoles: "- rolearn: [\n", want: []string{"NR505 letin-malformed fail"}},
		{name: "groups", mode: "CONFIG_MAP", mapRoles: strings.Replace(node, "system:nodes]", "system:masters]", 1), want: []string{"NR505 eksNodeRole fail", "NR506 eksNodeRole fail"}},
		{
			name: "administrator", mode: "API", entry: &awsproxy.AccessEntry{Type: "STANDARD", Policies: []string{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}},
			want: []string{"NR502 eksNodeRole fail", "NR506 eksNodeRole fail"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScenario(t, "letin-"+strings.ReplaceAll(tt.name, " ", "-"))
			s.healthy()
			s.proxied.AuthenticationMode = tt.mode
			delete(s.proxied.AccessEntries, roleARN("eksNodeRole"))
			if tt.entry != nil {
				if tt.entry.CreatedAt.IsZero() {
					tt.entry.CreatedAt = time.Now()
				}
				s.proxied.AccessEntries[roleARN("eksNodeRole")] = *tt.entry
			}
			s.apply()
			if tt.mapRoles != "" {
				_, err := s.kube.CoreV1().ConfigMaps("kube-system").Create(s.ctx, &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}, Data: map[string]string{"mapRoles": tt.mapRoles},
				}, metav1.CreateOptions{})
				s.must(err)
			}
			r := parseReport(t, kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json"))
			got := r.verdicts()
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAWSNodePodIdentity: with an association aws-node needs the agent on its very
// node, and the event that it reports is linked to what explains it.
func TestAWSNodePodIdentity(t *testing.T) {
	s := newScenario(t, "podidentity")
	s.healthy()
	s.proxied.Associations["a-1"] = associationOf("eksPodRole")
	s.role("eksPodRole", podIdentityTrust(), cniPolicy)
	s.apply()
	_, err := s.kube.CoreV1().Events("kube-system").Create(s.ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e1"}, Type: corev1.EventTypeWarning, Reason: "MissingIAMPermissions", Message: "unauthorized operation",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "kube-system", Name: "aws-node-aaaaa"}, Count: 2, LastTimestamp: metav1.Now(),
	}, metav1.CreateOptions{})
	s.must(err)
	r := parseReport(t, kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json"))
	want := []string{"NR604 aws-node fail", "NR802 MissingIAMPermissions Pod/aws-node-aaaaa fail", "NR602 aws-node fail"}
	if diff := cmp.Diff(want, r.verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	for _, res := range r.Results {
		if res.ID == "NR802" && !slices.ContainsFunc(res.Causes, func(c struct{ ID string }) bool { return c.ID == "NR604" }) {
			t.Errorf("NR802 is caused by %v", res.Causes)
		}
	}
}

// autoScalingGroup makes an empty Auto Scaling group of the cluster, with the AWS
// CLI, as a template for self-managed nodes does.
func (s *scenario) autoScalingGroup(name, profile, hops string) {
	s.t.Helper()
	s.seed("ec2", "create-launch-template", "--launch-template-name", name, "--launch-template-data", `{"ImageId":"ami-12c6146b","IamInstanceProfile":{"Name":"`+profile+`"},"MetadataOptions":{"HttpTokens":"required","HttpPutResponseHopLimit":`+hops+`}}`)
	s.emptyGroup(name, "--launch-template", "LaunchTemplateName="+name)
}

// launchConfigurationGroup is autoScalingGroup with a launch configuration, as older
// templates have it.
func (s *scenario) launchConfigurationGroup(name, profile string) {
	s.t.Helper()
	s.seed("autoscaling", "create-launch-configuration", "--launch-configuration-name", name, "--image-id", "ami-12c6146b", "--instance-type", "m5.large", "--iam-instance-profile", profile)
	s.emptyGroup(name, "--launch-configuration-name", name)
}

func (s *scenario) emptyGroup(name string, launch ...string) {
	s.t.Helper()
	s.seed(append([]string{
		"autoscaling", "create-auto-scaling-group", "--auto-scaling-group-name", name, "--min-size", "0", "--max-size", "1", "--availability-zones", region + "a",
		"--tags", "Key=kubernetes.io/cluster/" + s.cluster + ",Value=owned,PropagateAtLaunch=true",
	}, launch...)...)
}

// seed runs a command of the AWS CLI against moto, whose answer does not matter.
func (s *scenario) seed(args ...string) {
	s.t.Helper()
	cmd := exec.Command("aws", args...)
	cmd.Env = append(baseEnv(), "AWS_ENDPOINT_URL="+cloud.url, "AWS_DEFAULT_REGION="+region)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("aws %v: %v\n%s", args, err, out)
	}
}

// TestAutoScalingGroup: the role of self-managed nodes is known while their group is
// still empty.
func TestAutoScalingGroup(t *testing.T) {
	s := newScenario(t, "groups")
	s.healthy()
	s.nodeRole("selfManagedRole", workerPolicy, pullPolicy)
	s.grantAccess("selfManagedRole", "EC2_LINUX")
	s.autoScalingGroup("workers", "selfManagedRole", "1")
	s.autoScalingGroup("lost", "nobody", "1")
	s.nodeRole("exposedRole", workerPolicy, pullPolicy)
	s.grantAccess("exposedRole", "EC2_LINUX")
	s.autoScalingGroup("exposed", "exposedRole", "2")
	r := parseReport(t, kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json"))
	if diff := cmp.Diff([]string{"NR106 Auto Scaling group lost fail", "NR701 exposedRole fail"}, r.verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	found := false
	for _, role := range r.NodeRoles {
		found = found || role.Name == "selfManagedRole" && role.Sources[0].Kind == "Auto Scaling group" && role.Sources[0].Name == "workers"
	}
	if !found {
		t.Errorf("node roles: %+v", r.NodeRoles)
	}
}

// hybrid makes a hybrid node, and the access entry that names its role.
func (s *scenario) hybrid(role string) {
	s.t.Helper()
	_, err := s.kube.CoreV1().Nodes().Create(s.ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "mi-0123456789abcdef0", Labels: map[string]string{"eks.amazonaws.com/compute-type": "hybrid"}},
		Spec:       corev1.NodeSpec{ProviderID: "eks-hybrid:///" + region + "/" + s.cluster + "/mi-0123456789abcdef0"},
	}, metav1.CreateOptions{})
	s.must(err)
	s.grantAccess(role, "HYBRID_LINUX")
}

// TestHybridNodes: hybrid nodes hold a role that no EC2 rule fits.
func TestHybridNodes(t *testing.T) {
	s := newScenario(t, "hybrid")
	s.healthy()
	s.role("goodHybridRole", serviceTrust("ssm.amazonaws.com"), workerPolicy, pullPolicy, "AmazonSSMManagedInstanceCore")
	s.inlinePolicy("goodHybridRole", "entries", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks:ListAccessEntries","Resource":"*"}}`)
	s.hybrid("goodHybridRole")
	env := s.kubeconfig(proxy.URL)
	if got := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json")).verdicts(); len(got) > 0 {
		t.Errorf("verdicts %v", got)
	}
	s.role("badHybridRole", serviceTrust("ec2.amazonaws.com"), pullPolicy)
	s.grantAccess("badHybridRole", "HYBRID_LINUX")
	want := []string{"NR305 badHybridRole fail", "NR212 badHybridRole depends"}
	if diff := cmp.Diff(want, parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json")).verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// TestAutoMode: a cluster of Auto Mode alone, with the two policies that AWS names
// for its node role and without aws-node, is in order; so are Fargate's nodes.
func TestAutoMode(t *testing.T) {
	s := newScenario(t, "auto")
	s.nodeRole("AmazonEKSAutoNodeRole", "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	s.proxied.AutoModeRole = roleARN("AmazonEKSAutoNodeRole")
	s.grantAccess("AmazonEKSAutoNodeRole", "EC2", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy")
	for name, labels := range map[string]map[string]string{
		"i-0aaaaaaaaaaaaaaaa": {"eks.amazonaws.com/compute-type": "auto", "karpenter.sh/nodepool": "general-purpose", "eks.amazonaws.com/nodeclass": "default"},
		"fargate-ip-10-0-0-9": {"eks.amazonaws.com/compute-type": "fargate"},
	} {
		_, err := s.kube.CoreV1().Nodes().Create(s.ctx, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.NodeSpec{ProviderID: "aws:///" + region + "a/" + name},
		}, metav1.CreateOptions{})
		s.must(err)
	}
	out := kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check")
	if out.code != 0 || !strings.Contains(out.stdout, "0 errors, 0 warnings") || !strings.Contains(out.stdout, "\nAmazonEKSAutoNodeRole  ") || !strings.Contains(out.stdout, "  EKS Auto Mode") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}
