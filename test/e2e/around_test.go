package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

const fullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// vpc makes a VPC for the cluster and returns its id.
func (s *scenario) vpc() string {
	s.t.Helper()
	out, err := s.ec2.CreateVpc(s.ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	s.must(err)
	s.proxied.VPCID = *out.Vpc.VpcId
	s.apply()
	return *out.Vpc.VpcId
}

// endpoint makes a VPC endpoint with a policy; one for S3 is a gateway endpoint in every
// route table of the VPC.
func (s *scenario) endpoint(vpc, service, policy string) {
	s.t.Helper()
	in := &ec2.CreateVpcEndpointInput{
		VpcId: &vpc, ServiceName: aws.String("com.amazonaws." + s.region + "." + service), PolicyDocument: &policy,
		VpcEndpointType: ec2types.VpcEndpointTypeInterface, PrivateDnsEnabled: aws.Bool(true),
	}
	if service == "s3" {
		in.VpcEndpointType, in.PrivateDnsEnabled = ec2types.VpcEndpointTypeGateway, nil
		tables, err := s.ec2.DescribeRouteTables(s.ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}})
		s.must(err)
		for i := range tables.RouteTables {
			in.RouteTableIds = append(in.RouteTableIds, *tables.RouteTables[i].RouteTableId)
		}
	}
	_, err := s.ec2.CreateVpcEndpoint(s.ctx, in)
	s.must(err)
}

// notPulled has a pod report that its image could not be pulled.
func (s *scenario) notPulled(pod, image string) {
	s.t.Helper()
	_, err := s.kube.CoreV1().Events("kube-system").Create(s.ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: pod + ".1", Namespace: "kube-system"}, Type: "Warning", Reason: "Failed", Count: 2,
		Message:        "Failed to pull image \"" + image + "\": failed to resolve reference: 403 Forbidden",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod, Namespace: "kube-system"}, LastTimestamp: metav1.Now(),
	}, metav1.CreateOptions{})
	s.must(err)
}

// ebsDriver runs a pod of the EBS CSI driver on the node of healthy, whose role allows what
// it calls.
func (s *scenario) ebsDriver() {
	s.t.Helper()
	s.inlinePolicy("eksNodeRole", "volumes", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:CreateVolume","ec2:AttachVolume"],"Resource":"*"}]}`)
	_, err := s.kube.CoreV1().ServiceAccounts("kube-system").Create(s.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: ebsAccount}}, metav1.CreateOptions{})
	s.must(err)
	spec := daemonSpec(ebsAccount, "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/aws-ebs-csi-driver:v1.45.0")
	spec.HostNetwork, spec.NodeName = false, "ip-10-0-1-17.eu-west-1.compute.internal"
	_, err = s.kube.CoreV1().Pods("kube-system").Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "ebs-csi-controller-aaaaa", Labels: map[string]string{"app": "ebs-csi-controller", "app.kubernetes.io/name": "aws-ebs-csi-driver"}}, Spec: spec,
	}, metav1.CreateOptions{})
	s.must(err)
}

const ebsAccount = "ebs-csi-controller-sa"

// organization puts the account of the tests into an organization whose unit has the given
// policies besides those that allow everything.
func organization(scps, rcps map[string]string) awsproxy.Organization {
	const full = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	level := func(id string, scps, rcps map[string]string) awsproxy.OrganizationLevel {
		l := awsproxy.OrganizationLevel{ID: id, SCPs: map[string]string{"FullAWSAccess": full}, RCPs: map[string]string{"RCPFullAWSAccess": fullAccess}}
		for name, document := range scps {
			l.SCPs[name] = document
		}
		for name, document := range rcps {
			l.RCPs[name] = document
		}
		return l
	}
	return awsproxy.Organization{ID: "o-exampleorg", ManagementAccount: "999999999999", Levels: []awsproxy.OrganizationLevel{
		level("r-ex01", nil, nil), level("ou-ex01-workload", scps, rcps), level(account, nil, nil),
	}}
}

// organizationProfile returns the environment of an AWS configuration with the profile org.
func organizationProfile(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := "[profile org]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"AWS_CONFIG_FILE=" + file}
}

// TestLayersBlockPulls: each layer in turn blocks image pulls, and check names the layer
// and, where there is one, its statement.
func TestLayersBlockPulls(t *testing.T) {
	const denyPulls = `{"Version":"2012-10-17","Statement":[{"Sid":"NoPulls","Effect":"Deny","Action":"ecr:BatchGetImage","Resource":"*"}]}`
	const theirs = "arn:aws:ecr:eu-west-1:444455556666:repository/team/web"
	everyone := func(document string) string {
		return strings.Replace(document, `"Effect"`, `"Principal":"*","Effect"`, 1)
	}
	for name, test := range map[string]struct {
		block    func(s *scenario)
		rule     string
		evidence string
	}{
		"nothing":           {func(*scenario) {}, "", ""},
		"identity policies": {func(s *scenario) { s.inlinePolicy("eksNodeRole", "own", denyPulls) }, "NR202", "denied by inline own statement 1 (NoPulls)"},
		"permissions boundary": {func(s *scenario) {
			arn := s.policy("limits", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","eks:*"],"Resource":"*"}]}`)
			_, err := s.iam.PutRolePermissionsBoundary(s.ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("eksNodeRole"), PermissionsBoundary: &arn})
			s.must(err)
		}, "NR202", "the permissions boundary does not allow it"},
		"service control policy": {func(s *scenario) {
			proxy.SetOrganization(organization(map[string]string{"NoImages": denyPulls}, nil))
		}, "NR202", "denied by SCP NoImages statement 1 (NoPulls)"},
		"resource control policy": {func(s *scenario) {
			proxy.SetOrganization(organization(nil, map[string]string{"NoRoles": `{"Version":"2012-10-17","Statement":[{"Sid":"NoEC2","Principal":"*","Effect":"Deny","Action":"sts:AssumeRole","Resource":"arn:aws:iam::123456789012:role/eksNodeRole"}]}`}))
		}, "NR301", "denied by RCP NoRoles statement 1 (NoEC2)"},
		"endpoint policy of ECR": {func(s *scenario) {
			s.endpoint(s.vpc(), "ecr.dkr", strings.Replace(everyone(denyPulls), `{"Sid"`, `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Sid"`, 1))
		}, "NR231", "(ecr.dkr) statement 2 (NoPulls)"},
		"endpoint policy of S3": {func(s *scenario) {
			s.endpoint(s.vpc(), "s3", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::own/*"}]}`)
		}, "NR231", "prod-eu-west-1-starport-layer-bucket/*: no statement of the policy of VPC endpoint"},
		"endpoints that allow it": {func(s *scenario) {
			vpc := s.vpc()
			s.endpoint(vpc, "ecr.api", fullAccess)
			s.endpoint(vpc, "ecr.dkr", fullAccess)
			s.endpoint(vpc, "s3", fullAccess)
		}, "", ""},
		"repository policy": {func(s *scenario) {
			proxy.SetRepositoryPolicy(theirs, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:root"},"Action":"ecr:*"}]}`)
			s.notPulled("web", "444455556666.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.2")
		}, "NR232", "ecr:BatchGetImage on " + theirs + ": the policy of the repository does not allow this role"},
		"pull-through cache": {func(s *scenario) {
			proxy.SetRegistry(awsproxy.Registry{PullThroughCache: map[string]string{"hub": "registry-1.docker.io"}})
			s.notPulled("web", account+".dkr.ecr.eu-west-1.amazonaws.com/hub/library/nginx:1.29")
		}, "NR233", "pull-through cache rule hub for registry-1.docker.io; the repository does not exist"},
		"pull-through cache that the registry allows": {func(s *scenario) {
			proxy.SetRegistry(awsproxy.Registry{
				PullThroughCache: map[string]string{"hub": "registry-1.docker.io"},
				Policy:           `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + roleARN("eksNodeRole") + `"},"Action":"ecr:CreateRepository","Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/hub/*"}]}`,
			})
			s.notPulled("web", account+".dkr.ecr.eu-west-1.amazonaws.com/hub/library/nginx:1.29")
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, "layers")
			s.healthy()
			s.systemWorkloads()
			test.block(s)
			env := append(s.kubeconfig(proxy.URL), organizationProfile(t)...)
			args := []string{"noderole", "check", "-o", "json"}
			if strings.Contains(name, "control policy") {
				args = append(args, "--org-profile", "org")
			}
			r := parseReport(t, kubectl(t, env, args...))
			if len(r.Missing) > 0 {
				t.Errorf("missing %v", r.Missing)
			}
			found := test.rule == ""
			for _, res := range r.Results {
				switch {
				case res.Status != "fail" || res.Severity != "error":
				case res.ID == test.rule && strings.Contains(strings.Join(res.Evidence, "\n"), test.evidence):
					found = true
				case res.ID == "NR802" && (name == "repository policy" || strings.Contains(name, "cache")): // the event is a finding of its own
				default:
					t.Errorf("%s: %s\n%s", res.ID, res.Message, strings.Join(res.Evidence, "\n"))
				}
			}
			if !found {
				t.Errorf("no %s with %q", test.rule, test.evidence)
			}
		})
	}
}

// TestAddonOnNodeRole: an add-on without a role of its own uses the node role, until its
// pods have other credentials; what could not be read of it is one line.
func TestAddonOnNodeRole(t *testing.T) {
	s := newScenario(t, "addons")
	s.healthy()
	s.ebsDriver()
	env := s.writeKubeconfig(proxy.URL, map[string]any{"token": readerToken})
	s.grantReader("addons")
	result := func() (status, text string, unread []string) {
		r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json"))
		if len(r.Missing) > 0 {
			t.Errorf("missing %v", r.Missing)
		}
		for _, res := range r.Results {
			if res.ID == "NR702" {
				status, text = res.Status, res.Message+"\n"+strings.Join(res.Evidence, "\n")
			}
		}
		return status, text, r.NotEvaluated
	}
	const account = "service account kube-system/" + ebsAccount
	if status, text, _ := result(); status != "fail" || !strings.Contains(text, "the EBS CSI driver") || !strings.Contains(text, account+" has no annotation") || !strings.Contains(text, "allowed by inline volumes statement 1") {
		t.Errorf("%s: %s", status, text)
	}
	s.proxied.Associations["a-7"] = awsproxy.Association{Namespace: "kube-system", ServiceAccount: ebsAccount, RoleARN: roleARN("eksCNIRole")}
	s.apply()
	if status, text, _ := result(); status != "fail" || !strings.Contains(text, account+" has Pod Identity association a-7: its pods started before") {
		t.Errorf("with an association: %s: %s", status, text)
	}

	// Each right in turn, without which nothing is said of add-ons but that.
	rbac := s.kube.RbacV1().ClusterRoles()
	granted, err := rbac.Get(s.ctx, "noderole-addons", metav1.GetOptions{})
	s.must(err)
	for i, want := range map[int]string{0: "the pods of add-ons, which could not be read: list pods", 1: "the service accounts of add-ons, which could not be read: get serviceaccounts of kube-system/ebs-csi-controller-sa"} {
		less := granted.DeepCopy()
		less.Rules, less.ResourceVersion = append(less.Rules[:i:i], less.Rules[i+1:]...), ""
		_, err := rbac.Update(s.ctx, less, metav1.UpdateOptions{})
		s.must(err)
		status, text, unread := result()
		lines := 0
		for _, line := range unread {
			if strings.HasPrefix(line, want) {
				lines++
			}
		}
		if lines != 1 || (status == "fail") != (i == 1) || strings.Contains(text, "has no annotation") {
			t.Errorf("without %v: %s: %s\n%q", granted.Rules[i].Resources, status, text, unread)
		}
	}
}

// TestFluentBitOnNodeRole: the pods of Fluent Bit that amazon-cloudwatch-observability installs
// are found by their own label and image. Its container decides, not the one before it.
func TestFluentBitOnNodeRole(t *testing.T) {
	s := newScenario(t, "fluent-bit")
	s.healthy()
	s.inlinePolicy("eksNodeRole", "logs", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`)
	_, err := s.kube.CoreV1().ServiceAccounts("kube-system").Create(s.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "cloudwatch-agent"}}, metav1.CreateOptions{})
	s.must(err)
	spec := daemonSpec("cloudwatch-agent", "envoy:1")
	spec.HostNetwork, spec.NodeName = true, "ip-10-0-1-17.eu-west-1.compute.internal"
	spec.Containers = append(spec.Containers, corev1.Container{Name: "fluent-bit", Image: "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.8"})
	spec.Containers[0].Name = "mesh"
	spec.Containers[0].Env = []corev1.EnvVar{{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/token"}}
	_, err = s.kube.CoreV1().Pods("kube-system").Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "fluent-bit-aaaaa", Labels: map[string]string{"k8s-app": "fluent-bit", "version": "v1", "kubernetes.io/cluster-service": "true"}}, Spec: spec,
	}, metav1.CreateOptions{})
	s.must(err)
	var found []string
	for _, res := range parseReport(t, kubectl(t, s.kubeconfig(proxy.URL), "noderole", "check", "-o", "json")).Results {
		if res.ID == "NR702" {
			found = append(found, res.Status+": "+res.Message+"\n"+strings.Join(res.Evidence, "\n"))
		}
	}
	for _, want := range []string{
		"fail: add-ons use the credentials of eksNodeRole: AWS for Fluent Bit\n", "container fluent-bit of pod kube-system/fluent-bit-aaaaa: its environment selects no credentials",
		"service account kube-system/cloudwatch-agent has no annotation", "logs:PutLogEvents: allowed by inline logs statement 1",
	} {
		if len(found) != 1 || !strings.Contains(found[0], want) {
			t.Errorf("no %q in %q", want, found)
		}
	}
}

// TestOptionalReads: what policy reader has in statements of their own is what a run calls
// around the roles. Refused in turn, each call costs one line and changes no verdict but its
// own.
func TestOptionalReads(t *testing.T) {
	s := newScenario(t, "optional")
	s.healthy()
	s.systemWorkloads()
	s.nodeRole("autoRole", "AmazonEKSWorkerNodeMinimalPolicy", pullPolicy)
	s.proxied.AutoModeRole = roleARN("autoRole")
	s.grantAccess("autoRole", "EC2", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy")
	vpc := s.vpc()
	s.endpoint(vpc, "s3", fullAccess)
	proxy.SetOrganization(organization(nil, nil))
	proxy.SetRegistry(awsproxy.Registry{PullThroughCache: map[string]string{"hub": "registry-1.docker.io"}, Policy: fullAccess})
	s.notPulled("web", account+".dkr.ecr.eu-west-1.amazonaws.com/hub/library/nginx:1.29")
	env := append(s.kubeconfig(proxy.URL), organizationProfile(t)...)
	check := func() (map[string]string, report) {
		r := parseReport(t, kubectl(t, env, "noderole", "check", "-o", "json", "--org-profile", "org"))
		statuses := map[string]string{}
		for _, res := range r.Results {
			statuses[res.ID+" "+res.Subject.Name] = res.Status
		}
		return statuses, r
	}
	proxy.Calls()
	before, report := check()
	called := map[string]bool{}
	for _, c := range proxy.Calls() {
		called[c.Operation] = true
	}
	var policy struct {
		Statement []struct {
			Sid    string
			Action []string
		}
	}
	s.must(json.Unmarshal([]byte(documented(t, "```json")), &policy))
	for _, action := range policy.Statement[0].Action {
		delete(called, action)
	}
	var documented []string
	for _, statement := range policy.Statement[1:] {
		if !slices.Contains([]string{"NodeRoleList", "NodeRoleBulk", "NodeRoleUsage", "NodeRoleFleet"}, statement.Sid) {
			documented = append(documented, statement.Action...)
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(documented, slices.Sorted(maps.Keys(called))); diff != "" {
		t.Errorf("operations (-documented +called):\n%s", diff)
	}
	for _, operation := range documented {
		t.Run(operation, func(t *testing.T) {
			proxy.SetFault(operation, denied(operation))
			defer proxy.ClearFault(operation)
			after, refused := check()
			if len(refused.Missing) > 0 {
				t.Errorf("missing %v", refused.Missing)
			}
			var lines []string
			for _, line := range refused.NotEvaluated {
				if !slices.Contains(report.NotEvaluated, line) && strings.Contains(line, "it needs "+operation) {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 {
				t.Errorf("lines %q of %q", lines, refused.NotEvaluated)
			}
			for key, status := range after {
				if was := before[key]; was != status && (status == "pass" || status == "fail" || status == "unknown") {
					t.Errorf("%s: %s turned into %s", key, was, status)
				}
			}
		})
	}
}

// TestFleetOrganization: a run over many clusters reads the organization too.
func TestFleetOrganization(t *testing.T) {
	s := newScenario(t, "limited")
	s.healthy()
	s.systemWorkloads()
	proxy.SetOrganization(organization(map[string]string{"NoImages": `{"Version":"2012-10-17","Statement":[{"Sid":"NoPulls","Effect":"Deny","Action":"ecr:BatchGetImage","Resource":"*"}]}`}, nil))
	env := append(s.execKubeconfig(proxy.URL), organizationProfile(t)...)
	for want, args := range map[string][]string{"": nil, "NR202 ": {"--org-profile", "org"}} {
		out := kubectl(t, env, append([]string{"noderole", "check", "--all-contexts", "-o", "jsonpath={range .findings[*]}{.id} {end}", "--severity", "error"}, args...)...)
		if out.stdout != want {
			t.Errorf("%v: exit %d, got %q, want %q\n%s", args, out.code, out.stdout, want, out.stderr)
		}
	}
}
