package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/diff"
)

// sides writes the healthy example as old.yaml, with a patch laid over it as new.yaml, and
// the reports of both, into the working directory of the test.
func sides(t *testing.T, patch string) {
	t.Helper()
	t.Chdir(t.TempDir())
	healthy, _ := examples.Read("healthy")
	base, err := yaml.YAMLToJSON(healthy)
	if err != nil {
		t.Fatal(err)
	}
	over, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := jsonpatch.MergePatch(base, over)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"old.yaml": healthy, "new.yaml": changed} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		report, _, _ := ran(t, nil, "check", "--no-config", "-f", name, "-o", "json")
		if err := os.WriteFile(strings.TrimSuffix(name, ".yaml")+".json", []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ran runs a command line in this process.
func ran(t *testing.T, stdin []byte, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), genericiooptions.IOStreams{In: bytes.NewReader(stdin), Out: &o, ErrOut: &e}, args)
	return o.String(), e.String(), code
}

const documentedChange = `
accessEntries: {"arn:aws:iam::111122223333:role/eksNodeRole": {type: STANDARD}}
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]
    trustPolicy: '{"Version":"2012-10-17","Statement":[{"Sid":"EC2","Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}'
`

// TestDiffDocumented: the page about diff quotes what it prints. The trust policy is
// written in another way, which is no change.
func TestDiffDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "diff.md"))
	if err != nil {
		t.Fatal(err)
	}
	sides(t, documentedChange)
	out, _, code := ran(t, nil, "diff", "--no-config", "old.yaml", "new.yaml")
	if code != ExitFindings {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(string(page), "```text\n"+out+"```\n") {
		t.Errorf("docs/diff.md does not quote this:\n%s", out)
	}
}

// TestDiffExitCodes: worse is 1, what can no longer be read is 3, anything else is 0.
func TestDiffExitCodes(t *testing.T) {
	const unreadable = `missing: [{fact: attachedPolicies, subject: "arn:aws:iam::111122223333:role/eksNodeRole", operation: "iam:ListAttachedRolePolicies", permission: "iam:ListAttachedRolePolicies", error: refused}]`
	for name, test := range map[string]struct {
		patch      string
		there, out int
	}{
		"nothing":  {`{}`, ExitOK, ExitOK},
		"worse":    {documentedChange, ExitFindings, ExitOK},
		"unread":   {unreadable, ExitIncomplete, ExitOK},
		"both":     {unreadable + "\n" + documentedChange, ExitFindings, ExitOK},
		"no worse": {`cluster: {version: "1.34"}`, ExitOK, ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			sides(t, test.patch)
			for _, form := range []string{"yaml", "json"} {
				if _, errOut, code := ran(t, nil, "diff", "--no-config", "old."+form, "new."+form); code != test.there {
					t.Errorf("%s there: %d %s", form, code, errOut)
				}
				if out, errOut, code := ran(t, nil, "diff", "--no-config", "new."+form, "old."+form); code != test.out {
					t.Errorf("%s back: %d %s %s", form, code, out, errOut)
				}
			}
		})
	}
}

// TestDiffFormats: json and yaml have the same data; standard input takes either side.
func TestDiffFormats(t *testing.T) {
	sides(t, documentedChange)
	var d diff.Diff
	out, _, _ := ran(t, nil, "diff", "old.yaml", "new.yaml", "--no-config", "-o", "json")
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Kind != diff.Kind || d.Summary.Worse != 2 {
		t.Fatalf("%v %+v", err, d.Summary)
	}
	asYAML, _, _ := ran(t, nil, "diff", "old.yaml", "new.yaml", "--no-config", "-o", "yaml")
	back, err := yaml.YAMLToJSON([]byte(asYAML))
	if err != nil {
		t.Fatal(err)
	}
	if !jsonpatch.Equal(back, []byte(out)) {
		t.Error("yaml has other data than json")
	}
	older, err := os.ReadFile("old.yaml")
	if err != nil {
		t.Fatal(err)
	}
	piped, errOut, code := ran(t, older, "diff", "-", "new.yaml", "--no-config", "-o", "markdown")
	if code != ExitFindings || !strings.Contains(piped, "- old: standard input") {
		t.Errorf("%d %s%s", code, piped, errOut)
	}
	// A report that was written as YAML is one too, beside a snapshot.
	report, _, _ := ran(t, nil, "check", "--no-config", "-f", "new.yaml", "-o", "yaml")
	mixed, errOut, code := ran(t, []byte(report), "diff", "old.yaml", "-", "--no-config")
	if code != ExitFindings || !strings.Contains(mixed, "standard input, a report") || !strings.Contains(mixed, "not compared: access entries") {
		t.Errorf("%d %s%s", code, mixed, errOut)
	}
}

// TestDiffTeam: what the team excepts is no finding, old or new.
func TestDiffTeam(t *testing.T) {
	sides(t, documentedChange)
	config := `apiVersion: noderole.dev/v1alpha1
kind: Config
severities: {NR502: "off"}
exceptions:
- {rule: NR205, role: eksNodeRole, expires: never, reason: agreed}
`
	if err := os.WriteFile(".noderole.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := ran(t, nil, "diff", "old.yaml", "new.yaml")
	if code != ExitOK || !strings.Contains(out, "changed   ok -> excepted  NR205") || strings.Contains(out, "NR502") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
}

// TestDiffRefuses: mistakes are usage, and say what to do.
func TestDiffRefuses(t *testing.T) {
	sides(t, `{}`)
	part, _, _ := ran(t, nil, "check", "--no-config", "-f", "old.yaml", "--only", "NR201", "-o", "json")
	joining, _, _ := ran(t, nil, "check", "--no-config", "-f", "old.yaml", "--why-not-joining", "-o", "json")
	for name, text := range map[string]string{
		"part.json": part, "joining.json": joining, "pod.yaml": "apiVersion: v1\nkind: Pod\n", "cut.json": `{"kind": "Report",`,
		"other.yaml": "apiVersion: noderole.dev/v1alpha1\nkind: Snapshot\ncluster: {arn: \"arn:aws:eks:eu-west-1:111122223333:cluster/staging\"}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"diff needs the name of a file":                            {},
		"diff takes two files, got also \"c\"":                     {"a", "b", "c"},
		"OLD and NEW cannot both be standard input":                {"-", "-"},
		"--region does not apply to saved facts":                   {"old.yaml", "new.yaml", "--region", "eu-west-1"},
		"none.yaml: cannot be read: no such file or directory":     {"none.yaml", "new.yaml"},
		"part.json has only a part of the results":                 {"part.json", "new.yaml"},
		"joining.json has only what may keep nodes from joining":   {"old.yaml", "joining.json"},
		"\"v1\", \"Pod\" is not a snapshot of this program":        {"pod.yaml", "new.yaml"},
		"of cluster arn:aws:eks:eu-west-1:111122223333:cluster/st": {"old.yaml", "other.yaml"},
		"cut.json":                       {"cut.json", "new.yaml"},
		"unknown output format \"html\"": {"old.yaml", "new.yaml", "-o", "html"},
	} {
		out, errOut, code := ran(t, nil, append([]string{"diff", "--no-config"}, args...)...)
		if code != ExitUsage || !strings.Contains(errOut, want) || out != "" {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
}
