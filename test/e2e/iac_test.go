package e2e

import (
	"bytes"
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
			`^warn  NR205  shop-node has CNI permissions, although aws-node uses EKS Pod$`,
			`^      declared at aws_iam_role.trust$`,
			`main.tf:[0-9]+\)$`,
		}},
		{"karpenter", 1, []string{`^FAIL  NR501  shop-class has no access entry or aws-auth mapping$`}},
		{"two", 1, []string{`^FAIL  NR102  node is also the cluster role of shop-us in us-east-1$`, `^FAIL  NR101  node is also the cluster role of shop-us$`}},
		{"unknown", 3, []string{`^shop-node  ok      ok     unknown `, `marked as sensitive$`}},
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
			tf.write("role.tf", []byte(out.stdout))
			tf.write("main.tf", []byte("terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\nprovider \"aws\" {\n  region = \"eu-west-1\"\n}\n"))
			tf.plan()
			checked := tf.check("plan.json", "--account", account, "--allow-partial")
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
