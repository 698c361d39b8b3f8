package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
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
			_, err := s.kube.CoreV1().Events("kube-system").Create(s.ctx, &corev1.Event{
				ObjectMeta: metav1.ObjectMeta{Name: "web.1", Namespace: "kube-system"}, Type: "Warning", Reason: "Failed", Count: 2,
				Message:        `Failed to pull image "444455556666.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.2": failed to resolve reference: 403 Forbidden`,
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web", Namespace: "kube-system"}, LastTimestamp: metav1.Now(),
			}, metav1.CreateOptions{})
			s.must(err)
		}, "NR232", "ecr:BatchGetImage on " + theirs + ": the policy of the repository does not allow this role"},
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
				case res.ID != test.rule && test.rule != "" && res.ID == "NR802": // the event is a finding of its own
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
