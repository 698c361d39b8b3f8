package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSite opens the documentation site from the disk in Chromium: every page fits a phone and
// a desk, shows its pictures and asks for nothing foreign; the search works without a server.
func TestSite(t *testing.T) {
	npmTool(t, "playwright-core")
	site := filepath.Join(t.TempDir(), "site")
	build := exec.Command("go", "run", "./internal/site", site)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shots := os.Getenv("SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	cmd := exec.Command("node", filepath.Join("tools", "site.mjs"), shots, site)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("node site.mjs: %v\n%s", err, stderr.String())
	}
	var r struct {
		Pages                                 int
		Overflow, Broken, Complaints, Foreign []string
		Views                                 []struct {
			View       string
			Passes     int
			Violations []string
		}
		Searches map[string]struct {
			Said       string
			Hits       []string
			Opened     string
			Seen       bool
			Complaints []string
		}
		WithoutScript struct{ Search, Text, Navigation bool }
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Pages < 70 {
		t.Errorf("the site has %d pages", r.Pages)
	}
	for what, list := range map[string][]string{"too wide": r.Overflow, "pictures that do not show": r.Broken, "the browser complains": r.Complaints, "requests elsewhere": r.Foreign} {
		if len(list) > 0 {
			t.Errorf("%s: %s", what, strings.Join(list, "\n"))
		}
	}
	if len(r.Views) != 16 {
		t.Errorf("%d views were looked at, not 16", len(r.Views))
	}
	for _, v := range r.Views {
		if len(v.Violations) > 0 || v.Passes == 0 {
			t.Errorf("%s: axe-core passes %d rules and finds:\n%s", v.View, v.Passes, strings.Join(v.Violations, "\n"))
		}
	}
	for words, want := range map[string]string{
		"upload-sarif github": "ci.html#github-actions",
		"NR202":               "rules/NR202.html",
		"信任政策":                "zh-TW/",
		"nosuchwordanywhere":  "",
	} {
		s := r.Searches[words]
		if !strings.HasPrefix(s.Opened, want) || (want == "") != (s.Opened == "") || want != "" && (!s.Seen || len(s.Hits) == 0) || len(s.Complaints) > 0 {
			t.Errorf("the search for %q: %+v", words, s)
		}
		if want == "" && s.Said != "No section has all of these words." {
			t.Errorf("the search for %q says %q", words, s.Said)
		}
	}
	if got := r.WithoutScript; got.Search || !got.Text || !got.Navigation {
		t.Errorf("without JavaScript: %+v", got)
	}
}
