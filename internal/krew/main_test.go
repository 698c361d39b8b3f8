package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

const manifest = `# a comment
spec:
  version: v0.0.0 # of the last release
  shortDescription: stays
  platforms:
    - selector: {matchLabels: {os: linux, arch: arm64}}
      uri: old
      sha256: old
      bin: kubectl-noderole
    # another comment
    - selector:
        matchLabels:
          os: windows
          arch: amd64
      sha256: old
      uri: old
      files:
        - {from: LICENSE, to: .}
`

func TestRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plugins.yaml", manifest)
	write("metadata.json", `{"project_name":"kubectl-noderole","tag":"v1.2.3","version":"1.2.3"}`)
	write("kubectl-noderole_v1.2.3_linux_arm64.tar.gz", "abc")
	write("kubectl-noderole_v1.2.3_windows_amd64.zip", "")
	write("checksums.txt", "not read")
	want := strings.NewReplacer(
		"v0.0.0", "v1.2.3",
		"uri: old\n      sha256: old\n      bin", `uri: https://github.com/kubectl-noderole/kubectl-noderole/releases/download/v1.2.3/kubectl-noderole_v1.2.3_linux_arm64.tar.gz
      sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
      bin`,
		"sha256: old\n      uri: old\n      files", `sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
      uri: https://github.com/kubectl-noderole/kubectl-noderole/releases/download/v1.2.3/kubectl-noderole_v1.2.3_windows_amd64.zip
      files`,
	).Replace(manifest)
	for _, time := range []string{"first", "again"} {
		if err := run([]string{filepath.Join(dir, "plugins.yaml"), dir}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"plugins.yaml", "noderole.yaml"} {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s, %s:\n%s", name, time, diff)
			}
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	archives := func(names ...string) map[string]string {
		all := map[string]string{}
		for _, n := range names {
			all["kubectl-noderole_v1.2.3_"+n] = strings.Repeat("0", 64)
		}
		return all
	}
	for want, c := range map[string]struct {
		manifest string
		archives map[string]string
	}{
		"platform windows/amd64 has no archive kubectl-noderole_v1.2.3_windows_amd64.zip": {manifest, archives("linux_arm64.tar.gz", "windows_amd64.tar.gz")},
		"no platform has the archive kubectl-noderole_v1.2.3_darwin_arm64.tar.gz":         {manifest, archives("linux_arm64.tar.gz", "windows_amd64.zip", "darwin_arm64.tar.gz")},
	} {
		_, err := rewrite([]byte(c.manifest), release{version: "v1.2.3", archives: c.archives})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, broken := range []string{"", "spec: [", strings.ReplaceAll(manifest, "uri: old", ""), strings.ReplaceAll(manifest, "version:", "x:")} {
		if text, err := rewrite([]byte(broken), release{version: "v1.2.3", archives: archives("linux_arm64.tar.gz", "windows_amd64.zip")}); err == nil {
			t.Errorf("taken from\n%s\n\n%s", broken, text)
		}
	}
}

// TestPluginsYAML holds what krew's index asks for and its own check does not
// look at, and what the file repeats from the code.
// https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
func TestPluginsYAML(t *testing.T) {
	text, err := os.ReadFile("../../plugins.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Metadata struct{ Name string }
		Spec     struct {
			Version, Homepage, Description, Caveats string
			ShortDescription                        string `yaml:"shortDescription"`
			Platforms                               []struct {
				Selector struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				}
				URI, SHA256, Bin string
				Files            []map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if p.Metadata.Name != "noderole" {
		t.Errorf("the name is %q", p.Metadata.Name)
	}
	short := p.Spec.ShortDescription
	if len(short) == 0 || len(short) > 50 || regexp.MustCompile(`(?i)kubectl|plugin|\.$`).MatchString(short) {
		t.Errorf("shortDescription %q: at most 50 characters, without kubectl, plugin and a period", short)
	}
	var platforms []string
	for _, platform := range p.Spec.Platforms {
		name := platform.Selector.MatchLabels["os"] + "/" + platform.Selector.MatchLabels["arch"]
		platforms = append(platforms, name)
		bin := "kubectl-noderole"
		if strings.HasPrefix(name, "windows/") {
			bin += ".exe"
		}
		want := []map[string]string{{"from": bin, "to": "."}, {"from": "LICENSE", "to": "."}, {"from": "README.md", "to": "."}}
		if diff := cmp.Diff(want, platform.Files); platform.Bin != bin || diff != "" {
			t.Errorf("%s: bin %s, files:\n%s", name, platform.Bin, diff)
		}
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}, platforms); diff != "" {
		t.Error(diff)
	}

	// The caveats' permissions are those of policy reader.
	var actions []string
	service := ""
	for _, line := range strings.Split(p.Spec.Caveats, "\n") {
		if m := regexp.MustCompile(`^  (?:for (?:list|usage|fleets) also )?([a-z0-9]+): ([A-Z].*)$`).FindStringSubmatch(line); m != nil {
			service, line = m[1], m[2]
		} else if !strings.HasPrefix(line, "    ") {
			service = ""
		}
		if service == "" {
			continue
		}
		for _, name := range strings.Fields(strings.ReplaceAll(line, ",", " ")) {
			actions = append(actions, service+":"+name)
		}
	}
	want := slices.Concat(need.Reads, need.ListReads, need.UsageReads, need.FleetReads)
	slices.Sort(want)
	slices.Sort(actions)
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("the permissions of the caveats and of pkg/need (-need +caveats):\n%s", diff)
	}
}
