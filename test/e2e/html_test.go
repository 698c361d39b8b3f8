package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// pageReport is what tools/page.mjs says of one page.
type pageReport struct {
	Name  string
	Views []struct {
		View             string
		Overflow, Passes int
		Violations       []string
	}
	Complaints, Requests       []string
	Folded, Stops, StillFolded int
	UnseenAtFirst              int
	Unseen, UnseenOnPaper      []string
	Text, TextWithoutScript    string
	Paper                      string
}

// TestHTML opens the page of `check -o html` in real Chromium: it complains of
// nothing, asks for nothing but itself, unfolds by keyboard, passes axe-core light
// and dark at the width of a phone and of a desk, and is whole without script and
// on paper.
func TestHTML(t *testing.T) {
	for _, tool := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
		}
	}
	if _, err := os.Stat("tools/node_modules/playwright-core"); err != nil {
		t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	dir := t.TempDir()
	pages := map[string]struct {
		args []string
		code int
		want []string
	}{
		"broken":  {[]string{"--example=broken"}, 1, []string{"9 errors: 4 of 5 node roles", "gpuNodeRole cannot pull images from ECR", "StringEquals", "What to do now", "kubectl noderole fix --example=broken"}},
		"healthy": {[]string{"--example=healthy"}, 0, []string{"Nothing to do: node role eksNodeRole and aws-node passed", "allows image pulls", "Passed, by rule"}},
		"fifty":   {[]string{"-f", fiftyNodeGroups(t, dir)}, 0, []string{"50 node groups", "group-49"}},
		"hostile": {[]string{"-f", hostileNames(t, dir)}, 0, []string{hostileName, "javascript:alert(2)", "]]></title><svg onload=alert(4)>"}},
	}
	var files []string
	for name, page := range pages {
		out := kubectl(t, nil, slices.Concat([]string{"noderole", "check", "-o", "html"}, page.args)...)
		if out.code != page.code || out.stderr != "" {
			t.Fatalf("%s: exit %d\n%s", name, out.code, out.stderr)
		}
		file := filepath.Join(dir, name+".html")
		if err := os.WriteFile(file, []byte(out.stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}

	for _, r := range openPages(t, dir, files) {
		t.Run(r.Name, func(t *testing.T) {
			if len(r.Complaints) > 0 {
				t.Errorf("the browser complains: %s", r.Complaints)
			}
			for _, request := range r.Requests {
				if want := "file://" + filepath.Join(dir, r.Name+".html"); request != want {
					t.Errorf("it asks for %s", request)
				}
			}
			if len(r.Views) != 4 {
				t.Errorf("%d views were looked at, not 4", len(r.Views))
			}
			for _, v := range r.Views {
				if v.Overflow > 0 {
					t.Errorf("%s: the page is %d pixels too wide", v.View, v.Overflow)
				}
				if len(v.Violations) > 0 || v.Passes == 0 {
					t.Errorf("%s: axe-core passes %d rules and finds:\n%s", v.View, v.Passes, strings.Join(v.Violations, "\n"))
				}
			}
			if r.Folded == 0 || r.UnseenAtFirst == 0 || r.StillFolded > 0 || len(r.Unseen) > 0 {
				t.Errorf("%d of %d folds do not open by keyboard in %d stops; not seen: %q", r.StillFolded, r.Folded, r.Stops, r.Unseen)
			}
			if diff := cmp.Diff(r.Text, r.TextWithoutScript); diff != "" {
				t.Errorf("without JavaScript (-with +without):\n%s", diff)
			}
			if len(r.UnseenOnPaper) > 0 || r.Paper != "rgb(255, 255, 255)" {
				t.Errorf("printed on %s; not seen: %q", r.Paper, r.UnseenOnPaper)
			}
			for _, want := range pages[r.Name].want {
				if !strings.Contains(r.Text, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
		})
	}
}

// openPages runs tools/page.mjs. Screenshots go to the folder SCREENSHOTS, where it
// is set.
func openPages(t *testing.T, dir string, files []string) []pageReport {
	t.Helper()
	shots := os.Getenv("SCREENSHOTS")
	if shots == "" {
		shots = dir
	}
	cmd := exec.Command("node", slices.Concat([]string{filepath.Join("tools", "page.mjs"), shots}, files)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("node page.mjs: %v\n%s", err, stderr.String())
	}
	var reports []pageReport
	if err := json.Unmarshal(stdout.Bytes(), &reports); err != nil {
		t.Fatal(err)
	}
	if len(reports) != len(files) {
		t.Fatalf("%d pages were looked at, not %d", len(reports), len(files))
	}
	return reports
}

const healthyRole = "arn:aws:iam::111122223333:role/eksNodeRole"

// fiftyNodeGroups saves the healthy example with 50 node groups.
func fiftyNodeGroups(t *testing.T, dir string) string {
	groups := map[string]any{}
	for i := range 50 {
		groups[fmt.Sprintf("group-%02d", i)] = map[string]any{"nodeRoleArn": healthyRole, "status": "ACTIVE"}
	}
	return healthyWith(t, filepath.Join(dir, "fifty.yaml"), groups)
}

const hostileName = `<script>alert(1)</script>"'><img src=x onerror=alert(3)>`

// hostileNames saves the healthy example with node groups that are called what no
// page may take for its own.
func hostileNames(t *testing.T, dir string) string {
	group := map[string]any{"nodeRoleArn": healthyRole, "status": "ACTIVE"}
	return healthyWith(t, filepath.Join(dir, "hostile.yaml"), map[string]any{
		hostileName: group, "javascript:alert(2)": group, "]]></title><svg onload=alert(4)>" + strings.Repeat("very-long-", 40): group,
	})
}

func healthyWith(t *testing.T, file string, nodeGroups map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "healthy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var facts map[string]any
	if err := yaml.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	facts["nodeGroups"] = nodeGroups
	if text, err = yaml.Marshal(facts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
