package e2e

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// madeRole is what IAM says of a role, without ids and dates.
type madeRole struct {
	Path, Description, Boundary, Trust string
	Tags, Inline                       map[string]string
	// Policies are the attached policies by ARN, with the documents of the
	// customer's own.
	Policies map[string]string
	Profiles []string
}

// readRole reads a role back from moto.
func (s *scenario) readRole(name string) madeRole {
	s.t.Helper()
	out, err := s.iam.GetRole(s.ctx, &iam.GetRoleInput{RoleName: &name})
	s.must(err)
	r := madeRole{
		Path: *out.Role.Path, Description: aws.ToString(out.Role.Description), Trust: s.json(*out.Role.AssumeRolePolicyDocument),
		Tags: map[string]string{}, Inline: map[string]string{}, Policies: map[string]string{},
	}
	if b := out.Role.PermissionsBoundary; b != nil {
		r.Boundary = *b.PermissionsBoundaryArn
	}
	for _, t := range out.Role.Tags {
		r.Tags[*t.Key] = *t.Value
	}
	attached, err := s.iam.ListAttachedRolePolicies(s.ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	s.must(err)
	for _, p := range attached.AttachedPolicies {
		r.Policies[*p.PolicyArn] = ""
		if !strings.Contains(*p.PolicyArn, ":iam::aws:") {
			version, err := s.iam.GetPolicyVersion(s.ctx, &iam.GetPolicyVersionInput{PolicyArn: p.PolicyArn, VersionId: aws.String("v1")})
			s.must(err)
			r.Policies[*p.PolicyArn] = s.json(*version.PolicyVersion.Document)
		}
	}
	inline, err := s.iam.ListRolePolicies(s.ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	s.must(err)
	for _, p := range inline.PolicyNames {
		policy, err := s.iam.GetRolePolicy(s.ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
		s.must(err)
		r.Inline[p] = s.json(*policy.PolicyDocument)
	}
	profiles, err := s.iam.ListInstanceProfilesForRole(s.ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: &name})
	s.must(err)
	for _, p := range profiles.InstanceProfiles {
		r.Profiles = append(r.Profiles, *p.Path+*p.InstanceProfileName)
	}
	return r
}

// json is a document with sorted keys, percent-encoded or not; what is no JSON is
// returned as it is.
func (s *scenario) json(text string) string {
	s.t.Helper()
	if plain, err := url.PathUnescape(text); err == nil && !strings.HasPrefix(text, "{") {
		text = plain
	}
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	sorted, err := json.Marshal(value)
	s.must(err)
	return string(sorted)
}

// createVariants are ways to call create.
var createVariants = map[string][]string{
	"default":   nil,
	"all texts": {"--path", "/eks/", "--description", "it's a \"node\" role", "--tags", "team=platform,cost centre=a b", "--permissions-boundary", "arn:aws:iam::123456789012:policy/boundary"},
	"minimal":   {"--minimal", "--no-instance-profile"},
	"auto mode": {"--auto-mode"},
	"ipv4":      {"--cni", "--ip-family", "ipv4"},
	"ipv6":      {"--cni", "--ip-family", "ipv6", "--tags", "team=platform"},
	"original":  {"--cni=original", "--ip-family", "ipv6"},
}

func (s *scenario) boundary() {
	s.policy("boundary", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
}

// TestCreateIsWhatItPrints: create, the AWS CLI with the printed commands, and
// CloudFormation with the printed template make the same role.
func TestCreateIsWhatItPrints(t *testing.T) {
	for name, flags := range createVariants {
		t.Run(name, func(t *testing.T) {
			made := func(create func(*scenario)) madeRole {
				s := newScenario(t, "create")
				s.boundary()
				create(s)
				return s.readRole("newNodeRole")
			}
			env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region, "KUBECONFIG=/dev/null"}
			args := append([]string{"noderole", "create", "newNodeRole"}, flags...)
			print := func(format string) string {
				out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, append(args, "-o", format)...)
				if out.code != 0 {
					t.Fatalf("-o %s: %s", format, out.stderr)
				}
				return out.stdout
			}
			want := made(func(*scenario) {
				if out := kubectl(t, env, append(args, "--yes")...); out.code != 0 || !strings.Contains(out.stdout, "created role arn:aws:iam::123456789012:role/") {
					t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
				}
				// Run again it finds nothing to do.
				again := kubectl(t, env, append(args, "--yes")...)
				if again.code != 0 || again.stdout != "" || !strings.Contains(again.stderr, "nothing to do") {
					t.Errorf("again: exit %d\n%s%s", again.code, again.stdout, again.stderr)
				}
			})
			got := made(func(*scenario) {
				cmd := exec.Command("sh", "-eu")
				cmd.Stdin = strings.NewReader(print("aws-cli"))
				cmd.Env = append(baseEnv(), env...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("AWS CLI (-created +by the AWS CLI):\n%s", diff)
			}
			template := print("cloudformation")
			got = made(func(s *scenario) {
				file := filepath.Join(t.TempDir(), "role.yaml")
				s.must(os.WriteFile(file, []byte(template), 0o600))
				cmd := exec.Command("aws", "cloudformation", "create-stack", "--stack-name", "role", "--template-body", "file://"+file, "--capabilities", "CAPABILITY_NAMED_IAM")
				cmd.Env = append(baseEnv(), env...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
			// moto's CloudFormation leaves out a role's policies: they are compared as
			// the template has them.
			got.Policies, got.Inline = templatePolicies(t, template)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("CloudFormation (-created +by CloudFormation):\n%s", diff)
			}
		})
	}
}

// templatePolicies are the policies of the role in a CloudFormation template.
func templatePolicies(t *testing.T, text string) (attached, inline map[string]string) {
	t.Helper()
	var template struct {
		Resources struct {
			CNIPolicy struct {
				Properties struct {
					ManagedPolicyName string
					PolicyDocument    any
				}
			}
			NodeRole struct {
				Properties struct {
					ManagedPolicyArns []any
					Policies          []struct {
						PolicyName     string
						PolicyDocument any
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &template); err != nil {
		t.Fatal(err)
	}
	document := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	attached, inline = map[string]string{}, map[string]string{}
	for _, p := range template.Resources.NodeRole.Properties.ManagedPolicyArns {
		if arn, ok := p.(string); ok {
			attached[arn] = ""
			continue
		}
		own := template.Resources.CNIPolicy.Properties
		attached["arn:aws:iam::"+account+":policy/"+own.ManagedPolicyName] = document(own.PolicyDocument)
	}
	for _, p := range template.Resources.NodeRole.Properties.Policies {
		inline[p.PolicyName] = document(p.PolicyDocument)
	}
	return attached, inline
}

// TestCreateTerraform: the text is as terraform fmt writes it.
func TestCreateTerraform(t *testing.T) {
	for name, flags := range createVariants {
		for _, entry := range [][]string{nil, {"--access-entry", "--cluster-name", "prod"}} {
			out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, slices.Concat([]string{"noderole", "create", "newNodeRole", "-o", "terraform"}, flags, entry)...)
			if out.code != 0 {
				t.Fatalf("%s: %s", name, out.stderr)
			}
			cmd := exec.Command("terraform", "fmt", "-check", "-diff", "-")
			cmd.Stdin = strings.NewReader(out.stdout)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	}
}

// TestReaderRole: the role that policy reader --org prints is as terraform fmt writes it, and
// CloudFormation creates it in another account, in which a fleet then assumes it.
func TestReaderRole(t *testing.T) {
	s := newScenario(t, "reader")
	policy := func(format string) string {
		out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, "noderole", "policy", "reader", "--org", "--role-name", "audit/NodeRoleReader",
			"--org-id", "o-a1b2c3d4e5", "--external-id", "noderole", "--trusted-principal", roleARN("ci"), "-o", format)
		if out.code != 0 {
			t.Fatalf("-o %s: %s", format, out.stderr)
		}
		return out.stdout
	}
	cmd := exec.Command("terraform", "fmt", "-check", "-diff", "-")
	cmd.Stdin = strings.NewReader(policy("terraform"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	other := s.inAway()
	credentials, err := other.Credentials.Retrieve(s.ctx)
	s.must(err)
	file := filepath.Join(t.TempDir(), "reader.yaml")
	s.must(os.WriteFile(file, []byte(policy("cloudformation")), 0o600))
	cmd = exec.Command("aws", "cloudformation", "create-stack", "--stack-name", "reader", "--template-body", "file://"+file, "--capabilities", "CAPABILITY_NAMED_IAM")
	cmd.Env = append(
		baseEnv(), "AWS_ENDPOINT_URL="+cloud.url, "AWS_DEFAULT_REGION="+region,
		"AWS_ACCESS_KEY_ID="+credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+credentials.SecretAccessKey, "AWS_SESSION_TOKEN="+credentials.SessionToken,
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	role, err := iam.NewFromConfig(other).GetRole(s.ctx, &iam.GetRoleInput{RoleName: aws.String("NodeRoleReader")})
	s.must(err)
	if arn := aws.ToString(role.Role.Arn); arn != "arn:aws:iam::"+away+":role/audit/NodeRoleReader" {
		t.Errorf("the role is %s", arn)
	}
	if trust := s.json(aws.ToString(role.Role.AssumeRolePolicyDocument)); !strings.Contains(trust, `"aws:PrincipalOrgID":"o-a1b2c3d4e5"`) || !strings.Contains(trust, `"sts:ExternalId":"noderole"`) {
		t.Errorf("the trust policy is %s", trust)
	}
	_, err = eks.NewFromConfig(other).CreateCluster(s.ctx, &eks.CreateClusterInput{
		Name: aws.String("remote"), RoleArn: role.Role.Arn, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	})
	s.must(err)
	dir := filepath.Join(t.TempDir(), "fleet")
	out := kubectl(t, []string{"KUBECONFIG=/dev/null", "AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region}, "noderole", "snapshot",
		"--all-clusters", "--accounts", away, "--regions", other.Region, "--role-name", "audit/NodeRoleReader", "--external-id", "noderole", "--aws-only", "-o", dir)
	if _, err := os.Stat(filepath.Join(dir, away, other.Region, "remote.yaml.gz")); err != nil {
		t.Errorf("exit %d, %v\n%s%s", out.code, err, out.stdout, out.stderr)
	}
}

// TestCreateAsksFirst: without a terminal and without --yes nothing is created,
// and a dry run never creates.
func TestCreateAsksFirst(t *testing.T) {
	s := newScenario(t, "asks")
	env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region, "KUBECONFIG=/dev/null"}
	out := kubectl(t, env, "noderole", "create", "newNodeRole")
	if out.code != 2 || !strings.Contains(out.stdout, " 1  create the role, with a trust policy that allows EC2\n") || !strings.Contains(out.stderr, "add --yes") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, env, "noderole", "create", "newNodeRole", "--dry-run")
	if out.code != 0 || !strings.Contains(out.stderr, "nothing was created") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for _, c := range proxy.Calls() {
		if operation := strings.SplitN(c.Operation, ":", 2)[1]; !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "List") {
			t.Errorf("called %s", c.Operation)
		}
	}
	// A role of that name that is another one stays as it is.
	s.role("newNodeRole", serviceTrust("lambda.amazonaws.com"))
	out = kubectl(t, env, "noderole", "create", "newNodeRole", "--yes")
	if out.code != 1 || !strings.Contains(out.stderr, "role newNodeRole is not as expected: document is ") || !strings.Contains(out.stderr, "nothing was changed") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if r := s.readRole("newNodeRole"); len(r.Policies) > 0 || !strings.Contains(r.Trust, "lambda") {
		t.Errorf("the role was changed: %+v", r)
	}
}

// TestCreateRefused: every write refused once: the permission is named, what was
// made stands, and the next run goes on.
func TestCreateRefused(t *testing.T) {
	for _, operation := range []string{
		"iam:CreateRole", "iam:CreatePolicy", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy",
	} {
		t.Run(operation, func(t *testing.T) {
			s := newScenario(t, "refused")
			s.proxied.IPFamily = "ipv6"
			s.apply()
			f := denied(operation)
			f.Times = 1
			proxy.SetFault(operation, f)
			args := []string{"noderole", "create", "newNodeRole", "--cni", "--access-entry=EC2", "--yes"}
			env := s.kubeconfig(proxy.URL)
			out := kubectl(t, env, args...)
			if out.code != 3 || !strings.Contains(out.stderr, operation) || !strings.Contains(out.stderr, "run the same command again") {
				t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			if out = kubectl(t, env, args...); out.code != 0 {
				t.Errorf("again: exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			if out = kubectl(t, env, args...); out.code != 0 || !strings.Contains(out.stderr, "nothing to do") {
				t.Errorf("a third time: exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
		})
	}
}

// TestCreateThenCheck: a role that create makes passes check without one remark, in
// AWS, in China and in GovCloud.
func TestCreateThenCheck(t *testing.T) {
	tests := map[string]struct {
		region   string // eu-west-1 when empty
		ipFamily string
		flags    []string
		auto     bool
	}{
		"ipv4":              {ipFamily: "ipv4", flags: []string{"--access-entry"}},
		"ipv6":              {ipFamily: "ipv6", flags: []string{"--access-entry"}},
		"ipv4 with the CNI": {ipFamily: "ipv4", flags: []string{"--access-entry", "--cni"}},
		"ipv6 with the CNI": {ipFamily: "ipv6", flags: []string{"--access-entry", "--cni"}},
		"auto mode":         {ipFamily: "ipv4", flags: []string{"--access-entry", "--auto-mode"}, auto: true},
		"China":             {region: "cn-north-1", ipFamily: "ipv4", flags: []string{"--access-entry"}},
		"China, ipv6":       {region: "cn-northwest-1", ipFamily: "ipv6", flags: []string{"--access-entry", "--cni"}},
		"China, auto mode":  {region: "cn-north-1", ipFamily: "ipv4", flags: []string{"--access-entry", "--auto-mode"}, auto: true},
		"GovCloud":          {region: "us-gov-west-1", ipFamily: "ipv4", flags: []string{"--access-entry"}},
		"GovCloud, ipv6":    {region: "us-gov-east-1", ipFamily: "ipv6", flags: []string{"--access-entry", "--cni"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.region == "" {
				tt.region = region
			}
			s := newScenarioIn(t, tt.region, "fresh")
			s.proxied.IPFamily = tt.ipFamily
			if tt.auto {
				s.proxied.AutoModeRole = s.arn(roleARN("newNodeRole"))
			}
			s.apply()
			env := s.kubeconfig(proxy.URL)
			if out := kubectl(t, env, append([]string{"noderole", "create", "newNodeRole", "--yes"}, tt.flags...)...); out.code != 0 {
				t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			if !tt.auto {
				s.nodeGroup("apps", "newNodeRole")
				s.node(firstNode, "i-0aaaaaaaaaaaaaaaa", "apps")
			}
			if slices.Contains(tt.flags, "--cni") {
				s.awsNode("")
				s.awsNodePod("aws-node-aaaaa", firstNode, "")
			}
			out := kubectl(t, env, "noderole", "check", "-o", "json")
			r := parseReport(t, out)
			for _, arn := range []string{clusterARN("fresh"), roleARN("newNodeRole")} {
				if !strings.Contains(out.stdout, `"`+s.arn(arn)+`"`) {
					t.Errorf("the report lacks %s", s.arn(arn))
				}
			}
			// China alone has two names of EC2 to look for.
			twoNames := false
			for _, res := range r.Results {
				twoNames = twoNames || res.ID == "NR302" && res.Status == "pass"
			}
			if twoNames != strings.HasPrefix(tt.region, "cn-") {
				t.Errorf("NR302 passed: %t", twoNames)
			}
			want := []string(nil)
			if slices.Contains(tt.flags, "--cni") {
				// A role of aws-node's own is better, as --cni's help says: both are information.
				want = []string{"NR205 newNodeRole fail", "NR601 aws-node fail"}
			}
			if diff := cmp.Diff(want, r.verdicts()); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if len(r.NodeRoles) != 1 || r.NodeRoles[0].Name != "newNodeRole" {
				t.Errorf("node roles: %+v", r.NodeRoles)
			}
		})
	}
}

// TestCreateKeepsTheGuidesRole: a role that was made by the commands of AWS's user guide
// is as planned, whatever spelling its trust policy has, and its description and tags
// stay.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html
func TestCreateKeepsTheGuidesRole(t *testing.T) {
	for name, trust := range map[string]string{
		"the guide's":           `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"Service":["ec2.amazonaws.com"]}}]}`,
		"one string, and a Sid": `{"Version":"2012-10-17","Statement":[{"Sid":"EKSNodeAssumeRole","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
		"the older version":     `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, "guide")
			env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region, "KUBECONFIG=/dev/null"}
			aws := func(args ...string) {
				cmd := exec.Command("aws", append([]string{"iam"}, args...)...)
				cmd.Env = append(baseEnv(), env...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			aws("create-role", "--role-name", "AmazonEKSNodeRole", "--assume-role-policy-document", trust)
			for _, policy := range []string{"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"} {
				aws("attach-role-policy", "--role-name", "AmazonEKSNodeRole", "--policy-arn", "arn:aws:iam::aws:policy/"+policy)
			}
			before := s.readRole("AmazonEKSNodeRole")
			out := kubectl(t, env, "noderole", "create", "AmazonEKSNodeRole", "--no-instance-profile")
			if out.code != 0 || out.stderr != "role AmazonEKSNodeRole already exists as planned; nothing to do\n" {
				t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			out = kubectl(t, env, "noderole", "create", "AmazonEKSNodeRole", "--no-instance-profile", "--description", "nodes", "--tags", "team=a")
			want := "not changed: role AmazonEKSNodeRole: description is none, not nodes; role AmazonEKSNodeRole: tag team is none, not a\nrole AmazonEKSNodeRole already exists as planned; nothing to do\n"
			if out.code != 0 || out.stderr != want {
				t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			if diff := cmp.Diff(before, s.readRole("AmazonEKSNodeRole")); diff != "" {
				t.Errorf("the role was changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestCreateUsesTheGuidesCNIPolicy: an existing policy for IPv6 that allows what the VPC
// CNI needs is attached, not made again; one that does not is refused.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
func TestCreateUsesTheGuidesCNIPolicy(t *testing.T) {
	const guide = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ec2:AssignIpv6Addresses","ec2:DescribeInstances","ec2:DescribeTags","ec2:DescribeNetworkInterfaces","ec2:DescribeInstanceTypes"],"Resource":"*"},
		{"Effect":"Allow","Action":["ec2:CreateTags"],"Resource":["arn:aws:ec2:*:*:network-interface/*"]}]}`
	const arn = "arn:aws:iam::" + account + ":policy/AmazonEKS_CNI_IPv6_Policy"
	for name, tt := range map[string]struct {
		document, cni, stderr string
		code                  int
	}{
		"the guide's, as it was": {guide, "--cni=original", "", 0},
		"it lacks what some versions need": {
			guide, "--cni", "policy AmazonEKS_CNI_IPv6_Policy exists and is used as it is; it does not allow ec2:DescribeSubnets, ec2:DescribeSecurityGroups, which some versions of vpc-cni need\n", 0,
		},
		"more than is needed": {`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`, "--cni", "policy AmazonEKS_CNI_IPv6_Policy exists and is used as it is\n", 0},
		"less than is needed": {`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}`, "--cni", "error: policy " + arn + " exists, and does not allow ec2:", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t, "guide")
			env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region, "KUBECONFIG=/dev/null"}
			s.policy("AmazonEKS_CNI_IPv6_Policy", tt.document)
			out := kubectl(t, env, "noderole", "create", "newNodeRole", tt.cni, "--ip-family", "ipv6", "--yes")
			if out.code != tt.code || !strings.HasPrefix(out.stderr, tt.stderr) {
				t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			for _, c := range proxy.Calls() {
				if c.Operation == "iam:CreatePolicy" || tt.code != 0 && c.Operation == "iam:CreateRole" {
					t.Errorf("called %s", c.Operation)
				}
			}
			if tt.code == 0 {
				if diff := cmp.Diff(s.json(tt.document), s.readRole("newNodeRole").Policies[arn]); diff != "" {
					t.Errorf("attached policy (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestCreateCNIWithoutCluster: --cni is for IPv4 where there is no cluster to ask.
func TestCreateCNIWithoutCluster(t *testing.T) {
	newScenario(t, "nocluster")
	env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region, "KUBECONFIG=/dev/null"}
	out := kubectl(t, env, "noderole", "create", "newNodeRole", "--cni", "--dry-run")
	if out.code != 0 || !strings.Contains(out.stdout, "attach AmazonEKS_CNI_Policy\n") || !strings.HasPrefix(out.stderr, "the kube context is not an EKS cluster: --cni uses IPv4; ") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out = kubectl(t, env, "noderole", "create", "newNodeRole", "--cni", "--dry-run", "--cluster-name", "prod")
	if out.code == 0 || out.stdout != "" {
		t.Errorf("a cluster that cannot be told: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// adminDocument returns the actions that policy admin prints, by the statement's
// Sid: NodeRoleCheck and NodeRoleList are what is read, NodeRoleCreate, NodeRoleFix
// and NodeRoleUndo what is written.
func adminDocument(t *testing.T) map[string][]string {
	t.Helper()
	var policy struct {
		Statement []struct {
			Sid    string
			Action []string
		}
	}
	out := kubectl(t, nil, "noderole", "policy", "admin")
	if err := json.Unmarshal([]byte(out.stdout), &policy); err != nil {
		t.Fatalf("%v\n%s%s", err, out.stdout, out.stderr)
	}
	actions := map[string][]string{}
	for _, s := range policy.Statement {
		actions[s.Sid] = s.Action
	}
	return actions
}

// TestAdminDocumented: policy admin lists the writes that create makes, none too
// many and none too few, and all that it reads.
func TestAdminDocumented(t *testing.T) {
	s := newScenario(t, "admin")
	s.proxied.IPFamily = "ipv6"
	s.apply()
	env := s.kubeconfig(proxy.URL)
	proxy.Calls()
	for _, flags := range [][]string{{"all", "--cni", "--access-entry=EC2"}, {"least", "--minimal"}} {
		for range 2 { // what is there already is read more closely
			if out := kubectl(t, env, append([]string{"noderole", "create", "--yes"}, flags...)...); out.code != 0 {
				t.Fatalf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
		}
	}
	actions := adminDocument(t)
	reads, writes := actions["NodeRoleCheck"], actions["NodeRoleCreate"]
	var wrote []string
	for _, c := range proxy.Calls() {
		switch {
		case slices.Contains(reads, c.Operation), c.Operation == "sts:GetCallerIdentity": // which needs no permission
		case !slices.Contains(wrote, c.Operation):
			wrote = append(wrote, c.Operation)
		}
	}
	slices.Sort(wrote)
	if diff := cmp.Diff(writes, wrote); diff != "" {
		t.Errorf("operations (-documented +called):\n%s", diff)
	}
}

// TestCreateElsewhere: in China and in GovCloud, by the credentials' own account.
func TestCreateElsewhere(t *testing.T) {
	for region, want := range map[string]struct{ partition, trust string }{
		"cn-north-1":    {"aws-cn", `["ec2.amazonaws.com","ec2.amazonaws.com.cn"]`},
		"us-gov-west-1": {"aws-us-gov", `["ec2.amazonaws.com"]`},
	} {
		s := newScenario(t, "elsewhere")
		env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "KUBECONFIG=/dev/null", "AWS_DEFAULT_REGION=" + region}
		out := kubectl(t, env, "noderole", "create", "newNodeRole", "--region", region, "--yes")
		if out.code != 0 || !strings.Contains(out.stdout, "created role arn:"+want.partition+":iam::123456789012:role/newNodeRole\n") {
			t.Errorf("%s: exit %d\n%s%s", region, out.code, out.stdout, out.stderr)
			continue
		}
		var role struct {
			Role struct{ AssumeRolePolicyDocument any }
		}
		var attached struct{ AttachedPolicies []struct{ PolicyArn string } }
		s.aws(&role, env, "iam", "get-role", "--role-name", "newNodeRole")
		s.aws(&attached, env, "iam", "list-attached-role-policies", "--role-name", "newNodeRole")
		trust, err := json.Marshal(role.Role.AssumeRolePolicyDocument)
		s.must(err)
		if !bytes.Contains(trust, []byte(want.trust)) {
			t.Errorf("%s: trust policy %s", region, trust)
		}
		for _, p := range attached.AttachedPolicies {
			if !strings.HasPrefix(p.PolicyArn, "arn:"+want.partition+":iam::aws:policy/") {
				t.Errorf("%s: %s", region, p.PolicyArn)
			}
		}
	}
}

// aws runs the AWS CLI and decodes what it prints.
func (s *scenario) aws(into any, env []string, args ...string) {
	s.t.Helper()
	cmd := exec.Command("aws", append(args, "--output", "json")...)
	cmd.Env = append(baseEnv(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	s.must(json.Unmarshal(out, into))
}
