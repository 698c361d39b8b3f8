package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// update writes the plans and states that the tests of pkg/iac/terraform read anew.
var update = flag.Bool("update", false, "write the plans of pkg/iac/terraform/testdata anew")

// terraform is the real Terraform with providers that stand in for hashicorp/aws and others,
// so that it plans without a network.
type terraform struct {
	t        *testing.T
	dir, env string
}

// providers are those that the stand-in is.
var providers = []string{"aws", "kubernetes", "time"}

// newTerraform returns a Terraform for a copy of a configuration.
func newTerraform(t *testing.T, config string) *terraform {
	t.Helper()
	plugins := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(plugins, "terraform-provider-"+providers[0]), ".")
	build.Dir = "terraform"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	rc := "provider_installation {\n  dev_overrides {\n"
	for _, name := range providers {
		if name != providers[0] {
			if err := os.Link(filepath.Join(plugins, "terraform-provider-"+providers[0]), filepath.Join(plugins, "terraform-provider-"+name)); err != nil {
				t.Fatal(err)
			}
		}
		rc += "    \"hashicorp/" + name + "\" = \"" + plugins + "\"\n"
	}
	file := filepath.Join(plugins, "terraform.rc")
	if err := os.WriteFile(file, []byte(rc+"  }\n  direct {}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tf := &terraform{t, t.TempDir(), "TF_CLI_CONFIG_FILE=" + file}
	if config != "" {
		if err := os.CopyFS(tf.dir, os.DirFS(filepath.Join("terraform", "configs", config))); err != nil {
			t.Fatal(err)
		}
	}
	return tf
}

// run runs Terraform and returns what it writes to standard output.
func (tf *terraform) run(args ...string) []byte {
	tf.t.Helper()
	cmd := exec.Command("terraform", args...)
	cmd.Dir = tf.dir
	cmd.Env = append(baseEnv(), tf.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		tf.t.Fatalf("terraform %s: %v\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.Bytes()
}

// plan plans and returns the plan's JSON text, which is also in plan.json.
func (tf *terraform) plan(args ...string) []byte {
	tf.t.Helper()
	tf.run("get")
	tf.run(append([]string{"plan", "-no-color", "-input=false", "-out=tfplan"}, args...)...)
	text := tf.run("show", "-json", "tfplan")
	tf.write("plan.json", text)
	return text
}

func (tf *terraform) write(name string, text []byte) {
	tf.t.Helper()
	if err := os.WriteFile(filepath.Join(tf.dir, name), text, 0o600); err != nil {
		tf.t.Fatal(err)
	}
}

// check runs the plugin on a file in Terraform's folder.
func (tf *terraform) check(name string, args ...string) output {
	tf.t.Helper()
	return kubectl(tf.t, []string{"KUBECONFIG=/dev/null"}, append([]string{"noderole", "check", "--terraform", filepath.Join(tf.dir, name)}, args...)...)
}

// TestTerraformPlans: real Terraform plans modules, for_each, locals and what is known only
// after apply, and the plugin finds the mistakes in the plans, with file and line.
func TestTerraformPlans(t *testing.T) {
	for _, c := range []struct {
		config string
		code   int
		found  []string
	}{
		{"right", 0, []string{"^0 errors, 0 warnings, "}},
		{"mistakes", 1, []string{
			`^FAIL  NR101  shop-shared is also the cluster role of shop$`,
			`^FAIL  NR202  shop-no-pull cannot pull images from ECR$`,
			`^FAIL  NR301  trust policy of shop-trust does not allow EC2$`,
			`^warn  NR701  pods can get shop-node's credentials on new `,
			`^warn  NR205  shop-node has CNI permissions, but aws-node uses `,
			`^      declared at aws_iam_role.trust\b`,
			`main.tf:[0-9]+\)`,
		}},
		{"karpenter", 1, []string{`^FAIL  NR501  shop-class has no access entry or aws-auth mapping$`}},
		{"two", 1, []string{`^FAIL  NR102  node is also the cluster role of shop-us in us-east-1$`, `^FAIL  NR101  node is also the cluster role of shop-us$`}},
		{"blueprint", 1, []string{`^FAIL  NR202  karpenter-\(after apply\) cannot pull images from ECR$`, `^nodes-\(after apply\) +ok +ok +ok +ok `, `^0 errors, 0 warnings, `, `aws_auth\.data\.mapRoles is\s+known only after apply`}},
		{"unknown", 3, []string{`^shop-node +ok +ok +unknown `, `marked as\s+sensitive`}},
	} {
		t.Run(c.config, func(t *testing.T) {
			tf := newTerraform(t, c.config)
			sameFixture(t, c.config, tf.plan())
			out := tf.check("plan.json")
			if out.code != c.code {
				t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			for _, want := range c.found {
				if !regexp.MustCompile("(?m)" + want).MatchString(out.stdout) {
					t.Errorf("no line is %s\n%s", want, out.stdout)
				}
			}
			if strings.Contains(out.stdout+out.stderr, "correct-horse-battery") {
				t.Error("a secret of the plan is in the output")
			}
		})
	}
}

// TestTerraformChange: a plan for what exists: a role that is replaced under its name, and a
// permission that is removed.
func TestTerraformChange(t *testing.T) {
	tf := newTerraform(t, "change")
	tf.run("apply", "-auto-approve", "-no-color", "-input=false")
	state := tf.run("show", "-json")
	tf.write("state.json", state)
	sameFixture(t, "change-state", state)
	out := tf.check("state.json", "--allow-partial")
	if out.code != 0 {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	sameFixture(t, "change", tf.plan("-var=step=2"))
	out = tf.check("plan.json")
	for _, want := range []string{"NR503  the access entry of shop-node is older than the role", "NR202  shop-node cannot pull images from ECR"} {
		if out.code != 1 || !strings.Contains(out.stdout, want) {
			t.Errorf("exit %d, without %q\n%s%s", out.code, want, out.stdout, out.stderr)
		}
	}
	raw, err := filepath.Glob(filepath.Join(tf.dir, "terraform.tfstate"))
	if err != nil || len(raw) != 1 {
		t.Fatalf("the state is in %v (%v)", raw, err)
	}
	if out := tf.check("terraform.tfstate"); out.code != 2 || !strings.Contains(out.stderr, "is a state file, which Terraform alone reads") {
		t.Errorf("exit %d\n%s", out.code, out.stderr)
	}
	if out := tf.check("tfplan"); out.code != 2 || !strings.Contains(out.stderr, "is a plan in Terraform's binary format") {
		t.Errorf("exit %d\n%s", out.code, out.stderr)
	}
}

// TestTerraformState: the state that a plan leads to has the same certain verdicts.
func TestTerraformState(t *testing.T) {
	tf := newTerraform(t, "right")
	tf.run("get")
	tf.run("apply", "-auto-approve", "-no-color", "-input=false")
	state := tf.run("show", "-json")
	sameFixture(t, "right-state", state)
	tf.write("state.json", state)
	if out := tf.check("state.json", "--allow-partial"); out.code != 0 {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// TestTerraformRoundTrip: what create writes for Terraform passes when Terraform has planned it.
func TestTerraformRoundTrip(t *testing.T) {
	for name, flags := range createVariants {
		t.Run(name, func(t *testing.T) {
			out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, slices.Concat(
				[]string{"noderole", "create", "newNodeRole", "-o", "terraform"}, flags, []string{"--access-entry", "--cluster-name", "prod"})...)
			if out.code != 0 {
				t.Fatal(out.stderr)
			}
			tf := newTerraform(t, "")
			tf.planOf(out.stdout)
			checked := tf.check("plan.json", "--account", account, "--allow-partial")
			if checked.code != 0 || !strings.Contains(checked.stdout, "newNodeRole") {
				t.Errorf("exit %d\n%s%s\n%s", checked.code, checked.stdout, checked.stderr, out.stdout)
			}
		})
	}
}

// planOf plans a configuration that has no provider of its own.
func (tf *terraform) planOf(configuration string) {
	tf.t.Helper()
	tf.write("role.tf", []byte(configuration))
	tf.write("main.tf", []byte("terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\nprovider \"aws\" {\n  region = \"eu-west-1\"\n}\n"))
	tf.plan()
}

// TestFixRoundTrip: what fix writes for Terraform, planned by Terraform and applied to the
// facts of the broken cluster, repairs what fix says that it repairs, and nothing else fails.
func TestFixRoundTrip(t *testing.T) {
	for _, name := range []string{"broken", "custom-policies", "ipv6"} {
		t.Run(name, func(t *testing.T) {
			file, err := filepath.Abs(filepath.Join("..", "..", "examples", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			fix := func(format string) string {
				out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, "noderole", "fix", "-f", file, "-o", format)
				if out.code != 0 {
					t.Fatalf("-o %s: %s", format, out.stderr)
				}
				return out.stdout
			}
			tf := newTerraform(t, "")
			tf.planOf(fix("terraform"))
			out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, "noderole", "check", "-f", file, "-o", "json")
			before := statuses(t, out)
			out = tf.check("plan.json", "--onto", file, "-o", "json")
			if out.code != 0 {
				t.Errorf("exit %d\n%s", out.code, out.stderr)
			}
			after := statuses(t, out)
			repaired := 0
			for _, c := range proofs(t, fix("json")) {
				if before[c] != "pass" {
					repaired++
				}
				if after[c] != "pass" {
					t.Errorf("%s of %s was %s, and is %q", c.rule, c.subject, before[c], after[c])
				}
			}
			if repaired == 0 {
				t.Error("fix repairs nothing")
			}
			for c, status := range after {
				if status == "fail" && before[c] != "fail" {
					t.Errorf("%s of %s fails, and was %q", c.rule, c.subject, before[c])
				}
			}
		})
	}
}

// judged is a rule and the ARN or name of what it is judged for.
type judged struct{ rule, subject string }

// statuses are the statuses of a report's results, known ones too.
func statuses(t *testing.T, out output) map[judged]string {
	t.Helper()
	var report struct {
		Results []struct {
			ID, Status string
			Subject    struct{ ARN, Name string }
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	all := map[judged]string{}
	for _, r := range report.Results {
		all[judged{r.ID, cmp.Or(r.Subject.ARN, r.Subject.Name)}] = r.Status
	}
	return all
}

// proofs are what a plan of fix proves with steps that only create objects of AWS: Terraform
// has all of such a step.
func proofs(t *testing.T, text string) []judged {
	t.Helper()
	var plan struct {
		Steps []struct {
			Changes []struct {
				Kind   string
				Before any
			}
			Proves []struct{ Rule, Subject string }
		}
	}
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatal(err)
	}
	var list []judged
	for _, s := range plan.Steps {
		whole := true
		for _, c := range s.Changes {
			whole = whole && c.Before == nil && !strings.HasPrefix(c.Kind, "kube.")
		}
		for _, c := range s.Proves {
			if whole {
				list = append(list, judged{c.Rule, c.Subject})
			}
		}
	}
	return list
}

// TestCreateTemplateRoundTrip: what create writes for CloudFormation passes, before it is
// deployed.
func TestCreateTemplateRoundTrip(t *testing.T) {
	for name, flags := range createVariants {
		t.Run(name, func(t *testing.T) {
			out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, slices.Concat(
				[]string{"noderole", "create", "newNodeRole", "-o", "cloudformation"}, flags, []string{"--access-entry", "--cluster-name", "prod"})...)
			if out.code != 0 {
				t.Fatal(out.stderr)
			}
			file := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(file, []byte(out.stdout), 0o600); err != nil {
				t.Fatal(err)
			}
			checked := kubectl(t, []string{"KUBECONFIG=/dev/null"}, "noderole", "check", "--cloudformation", file, "--account", account, "--region", region, "--allow-partial")
			if checked.code != 0 || !strings.Contains(checked.stdout, "newNodeRole") {
				t.Errorf("exit %d\n%s%s\n%s", checked.code, checked.stdout, checked.stderr, out.stdout)
			}
		})
	}
}

// sameFixture holds that the plan or state that the tests of pkg/iac/terraform read is what
// Terraform writes now.
func sameFixture(t *testing.T, name string, text []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "pkg", "iac", "terraform", "testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(essence(t, text), essence(t, want)) {
		t.Errorf("%s is not what Terraform writes: go test -run %s -update", file, t.Name())
	}
}

// essence is a plan or state without what differs between runs and versions.
func essence(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	kept := map[string]any{}
	for _, name := range []string{"values", "resource_changes", "configuration"} {
		kept[name] = all[name]
	}
	return kept
}

// TestTerraformOntoLive: a plan is applied to the facts of the live cluster: what it detaches
// is new, and the rest stays as it is.
func TestTerraformOntoLive(t *testing.T) {
	s := newScenario(t, "onto")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	plan := func(policy string) string {
		file := filepath.Join(t.TempDir(), "plan.json")
		text := `{"format_version":"1.2","timestamp":"2026-11-30T10:00:00Z","configuration":{"root_module":{}},"resource_changes":[{
  "address":"aws_iam_role_policy_attachment.a","mode":"managed","type":"aws_iam_role_policy_attachment","name":"a",
  "change":{"actions":["delete"],"before":{"role":"eksNodeRole","policy_arn":"` + awsPolicy(policy) + `"},"after":null,"after_unknown":{}}}]}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	out := kubectl(t, env, "noderole", "check", "--terraform", plan("AmazonEC2ContainerRegistryPullOnly"), "--onto", "live")
	if out.code != 1 || !strings.Contains(out.stdout, "FAIL  NR202  eksNodeRole cannot pull images from ECR") || !strings.Contains(out.stdout, " AWS calls, ") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	// A policy that the plan brings is the one that IAM has today, not the copy in the program.
	file := filepath.Join(t.TempDir(), "attach.json")
	attach := `{"format_version":"1.2","timestamp":"2026-11-30T10:00:00Z","configuration":{"root_module":{}},"resource_changes":[{
  "address":"aws_iam_role_policy_attachment.a","mode":"managed","type":"aws_iam_role_policy_attachment","name":"a",
  "change":{"actions":["create"],"before":null,"after":{"role":"eksNodeRole","policy_arn":"` + awsPolicy("AmazonSSMManagedInstanceCore") + `"},"after_unknown":{}}}]}`
	if err := os.WriteFile(file, []byte(attach), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot := filepath.Join(t.TempDir(), "facts.yaml")
	if out := kubectl(t, env, "noderole", "snapshot", "-o", snapshot); out.code != 0 {
		t.Fatal(out.stderr)
	}
	for onto, dated := range map[string]bool{"live": false, snapshot: true} {
		out := kubectl(t, env, "noderole", "check", "--terraform", file, "--onto", onto, "-o", "json")
		if !strings.Contains(out.stdout, "AmazonSSMManagedInstanceCore") || strings.Contains(out.stdout, " as of 20") != dated {
			t.Errorf("--onto %s: exit %d\n%s%s", onto, out.code, out.stdout, out.stderr)
		}
	}
	// A policy that the role does not have changes nothing.
	out = kubectl(t, env, "noderole", "check", "--terraform", plan("AmazonEKSVPCResourceController"), "--onto", "live")
	if out.code != 0 || !strings.Contains(out.stdout, "0 errors, 0 warnings, 0 unknown, ") {
		t.Errorf("exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// roleTemplate is a role whose documents have functions. moto's CloudFormation leaves out
// managed policies, so that it has inline ones.
const roleTemplate = `
Parameters:
  Team: {Type: String}
Mappings:
  Partitions: {aws: {EC2: ec2.amazonaws.com}}
Conditions:
  Platform: !Equals [!Ref Team, platform]
Resources:
  NodeRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Join ["-", [nodes, !Ref Team]]
      Path: /nodes/
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: !FindInMap [Partitions, !Ref "AWS::Partition", EC2]}}
      Policies:
        - PolicyName: !Sub "pull-${AWS::Region}"
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "ecr:BatchGetImage", Resource: !Sub "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/${Team}/*"}
              - {Effect: Allow, Action: !If [Platform, "ecr:GetAuthorizationToken", "ecr:DescribeImages"], Resource: !Select [1, [a, "*"]]}
`

// clusterTemplate is what a template has besides, so that the role is that of nodes.
const clusterTemplate = `
  Cluster: {Type: AWS::EKS::Cluster, Properties: {Name: shop, RoleArn: "arn:aws:iam::123456789012:role/cluster"}}
  Nodes: {Type: AWS::EKS::Nodegroup, Properties: {ClusterName: !Ref Cluster, NodegroupName: apps, NodeRole: !GetAtt NodeRole.Arn}}
`

// TestTemplateAgainstCloudFormation: the role that CloudFormation makes of a template is the
// one that the plugin reads from it.
func TestTemplateAgainstCloudFormation(t *testing.T) {
	s := newScenario(t, "template")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	deploy := exec.Command("aws", "cloudformation", "create-stack", "--stack-name", "nodes", "--template-body", "file://"+write("stack.yaml", roleTemplate),
		"--capabilities", "CAPABILITY_NAMED_IAM", "--parameters", "ParameterKey=Team,ParameterValue=platform")
	deploy.Env = append(baseEnv(), "AWS_ENDPOINT_URL="+cloud.url, "AWS_DEFAULT_REGION="+region)
	if out, err := deploy.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made := s.readRole("nodes-platform")

	out := kubectl(t, []string{"KUBECONFIG=/dev/null"}, "noderole", "snapshot", "--cloudformation", write("template.yaml", roleTemplate+clusterTemplate),
		"--account", account, "--region", region, "--parameter", "Team=platform", "--allow-partial")
	if out.code != 0 {
		t.Fatal(out.stderr)
	}
	var facts struct {
		Roles map[string]struct {
			TrustPolicy    string            `json:"trustPolicy"`
			InlinePolicies map[string]string `json:"inlinePolicies"`
		} `json:"roles"`
	}
	if err := yaml.Unmarshal([]byte(out.stdout), &facts); err != nil {
		t.Fatal(err)
	}
	read, ok := facts.Roles["arn:aws:iam::"+account+":role/nodes/nodes-platform"]
	if !ok || made.Path != "/nodes/" {
		t.Fatalf("the roles are %v, the path is %s", facts.Roles, made.Path)
	}
	if got := s.json(read.TrustPolicy); got != made.Trust {
		t.Errorf("the trust policy is %s, that of CloudFormation %s", got, made.Trust)
	}
	if len(made.Inline) != 1 || len(read.InlinePolicies) != 1 {
		t.Errorf("the policies are %v, those of CloudFormation %v", read.InlinePolicies, made.Inline)
	}
	for name, document := range made.Inline {
		document = s.json(strings.ReplaceAll(document, "'", `"`)) // moto stores what Python prints
		if got := s.json(read.InlinePolicies[name]); got != document {
			t.Errorf("policy %s is %s, that of CloudFormation %s", name, got, document)
		}
	}
}
