// Package release makes a release with make release in a clone of the commit
// that is checked out and uses it as people do: real krew installs it, real
// kubectl runs it, go install builds it from a module proxy. What is not committed
// is not tested.
//
// A platform takes minutes to compile the first time, so that three of the six are
// built; RELEASE_PLATFORMS="linux_amd64 darwin_arm64 …" names others. Linux amd64
// runs here, and Linux arm64 under qemu.
package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

const (
	modulePath = "github.com/kubectl-noderole/kubectl-noderole"
	tag        = "v1.2.3"
	// maxSize is the most that a stripped binary may have.
	maxSize = 44_000_000
)

// What all tests share.
var (
	tools     string // folder of krew and validate-krew-manifest
	clone     string // of this repository, with the release that make release made
	platforms []string
)

func TestMain(m *testing.M) { os.Exit(runMain(m)) }

func runMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "noderole-release-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer removeAll(dir)
	if err := prepare(dir); err != nil {
		fmt.Fprintf(os.Stderr, "the tests of the release cannot start: %v\n", err)
		return 1
	}
	return m.Run()
}

// removeAll also removes what go install leaves without write permission.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

func prepare(dir string) error {
	tools = os.Getenv("KUBEBUILDER_ASSETS")
	for _, name := range []string{"krew", "validate-krew-manifest", "qemu-aarch64-static"} {
		if _, err := os.Stat(filepath.Join(tools, name)); err != nil || tools == "" {
			return errors.New("KUBEBUILDER_ASSETS names no folder with krew and qemu; from the project's root: make e2e (hack/e2e-tools.sh fills it and prints it)")
		}
	}
	clone = filepath.Join(dir, "clone")
	if err := cloneTo(clone, filepath.Join("..", "..", "..")); err != nil {
		return err
	}
	platforms = strings.Fields(os.Getenv("RELEASE_PLATFORMS"))
	if len(platforms) == 0 {
		platforms = []string{"linux_amd64", "linux_arm64", "windows_amd64"}
	}
	if err := buildOnly(platforms); err != nil {
		return err
	}
	started := time.Now()
	key := filepath.Join(dir, "key.pem")
	if err := command(dir, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key); err != nil {
		return err
	}
	if err := os.Setenv("NODEROLE_SIGNING_KEY", key); err != nil {
		return err
	}
	if err := command(clone, "make", "release", "VERSION="+tag); err != nil {
		return err
	}
	fmt.Printf("make release for %s: %s\n", strings.Join(platforms, ", "), time.Since(started).Round(time.Second))
	return nil
}

// buildOnly commits to the clone that it builds these platforms and no others.
func buildOnly(platforms []string) error {
	name := filepath.Join(clone, ".goreleaser.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	all := "    goos: [linux, darwin, windows]\n    goarch: [amd64, arm64]\n"
	if !strings.Contains(string(text), all) {
		return errors.New("the platforms of .goreleaser.yaml are not where this test looks for them")
	}
	only := strings.Replace(string(text), all, "    targets: ["+strings.Join(platforms, ", ")+"]\n", 1)
	if err := os.WriteFile(name, []byte(only), 0o600); err != nil {
		return err
	}
	name = filepath.Join(clone, "plugins.yaml")
	if text, err = os.ReadFile(name); err != nil {
		return err
	}
	const item = "    - selector:\n"
	items := strings.Split(string(text), item)
	left := items[:1:1]
	for _, platform := range platforms {
		i := slices.IndexFunc(items, func(s string) bool { return strings.Contains(s, "_"+platform+".") })
		if i < 1 {
			return fmt.Errorf("plugins.yaml has no platform %s", platform)
		}
		left = append(left, items[i])
	}
	if err := os.WriteFile(name, []byte(strings.Join(left, item)), 0o600); err != nil {
		return err
	}
	return command(clone, "git", "commit", "--quiet", "--all", "--message", "These platforms")
}

// cloneTo clones the commit that is checked out in a folder, with a remote as
// goreleaser wants one.
func cloneTo(dir, from string) error {
	if err := command(".", "git", "clone", "--quiet", "--no-tags", from, dir); err != nil {
		return err
	}
	for name, value := range map[string]string{"remote.origin.url": "https://" + modulePath + ".git", "user.name": "e2e", "user.email": "e2e@example.com"} {
		if err := command(dir, "git", "config", name, value); err != nil {
			return err
		}
	}
	return nil
}

func command(dir, name string, args ...string) error {
	if out, err := in(dir, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func in(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func archive(version, platform string) string {
	ext := ".tar.gz"
	if strings.HasPrefix(platform, "windows") {
		ext = ".zip"
	}
	return "kubectl-noderole_" + version + "_" + platform + ext
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func sum(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// TestArchives holds what is in the archives and under which dates, and that the
// checksums are theirs.
func TestArchives(t *testing.T) {
	var want []string
	for _, platform := range platforms {
		name := archive(tag, platform)
		content := read(t, clone, "dist", name)
		bill := strings.TrimSuffix(strings.TrimSuffix(name, ".tar.gz"), ".zip") + ".cdx.json"
		want = append(want, sum(content)+"  "+name, sum(read(t, clone, "dist", bill))+"  "+bill)
		if strings.HasPrefix(platform, "linux") {
			for _, ext := range []string{".deb", ".rpm"} {
				name := strings.TrimSuffix(name, ".tar.gz") + ext
				want = append(want, sum(read(t, clone, "dist", name))+"  "+name)
			}
		}

		bin := "kubectl-noderole"
		if strings.HasPrefix(platform, "windows") {
			bin += ".exe"
		}
		files := unpack(t, name, content)
		var names []string
		for _, f := range files {
			names = append(names, f.name)
			if f.name == bin && len(f.content) >= maxSize {
				t.Errorf("%s is of %d bytes, want less than %d: what was linked in? go tool nm -size -sort size", name, len(f.content), maxSize)
			}
			source := f.name
			if strings.Contains(f.name, "/") {
				source = "build/" + f.name // made for the release
			}
			if f.name != bin && !bytes.Equal(f.content, read(t, clone, source)) {
				t.Errorf("%s: %s is not that of the work tree", name, f.name)
			}
			program := f.name == bin || f.name == "completions/kubectl_complete-noderole"
			if got, want := f.mode, map[bool]fs.FileMode{true: 0o755, false: 0o644}[program]; got != want {
				t.Errorf("%s: %s has mode %o, want %o", name, f.name, got, want)
			}
			if got := f.modified.UTC().Format(time.RFC3339); got != commitDate(t) {
				t.Errorf("%s: %s is of %s, want the commit's date %s", name, f.name, got, commitDate(t))
			}
		}
		wantNames := []string{"LICENSE", "README.md", "completions/_kubectl-noderole", "completions/kubectl-noderole.bash", "completions/kubectl-noderole.fish", "completions/kubectl_complete-noderole", bin}
		for _, command := range commands(t) {
			wantNames = append(wantNames, "man/man1/"+command+".1.gz")
		}
		slices.Sort(wantNames)
		if diff := cmp.Diff(wantNames, names); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		checkBill(t, read(t, clone, "dist", bill))
	}
	got := strings.Split(strings.TrimSpace(string(read(t, clone, "dist", "checksums.txt"))), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checksums.txt (-want +got):\n%s", diff)
	}
}

// commands are the pages of the reference, such as kubectl-noderole-check.
func commands(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(clone, "docs", "reference", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("%v, %v", pages, err)
	}
	for i, page := range pages {
		pages[i] = strings.ReplaceAll(strings.TrimSuffix(filepath.Base(page), ".md"), "_", "-")
	}
	return pages
}

type file struct {
	name     string
	content  []byte
	mode     fs.FileMode
	modified time.Time
}

func unpack(t *testing.T, name string, content []byte) []file {
	t.Helper()
	var files []file
	add := func(name string, mode fs.FileMode, modified time.Time, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name, text, mode.Perm(), modified})
	}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), f.Modified, r)
		}
	} else {
		gz, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(gz); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if h.Uname != "root" || h.Gname != "root" {
				t.Errorf("%s: %s belongs to %s:%s", name, h.Name, h.Uname, h.Gname)
			}
			add(h.Name, fs.FileMode(h.Mode), h.ModTime, r)
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files
}

func commitDate(t *testing.T) string {
	t.Helper()
	cmd := in(clone, "git", "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", tag)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// checkBill holds that a bill of materials names this module, Go, and the modules
// that everybody knows are in it.
func checkBill(t *testing.T, text []byte) {
	t.Helper()
	type component struct{ Name, Version string }
	var bill struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BOMFormat != "CycloneDX" || bill.Metadata.Component != (component{modulePath, tag}) {
		t.Errorf("a bill is a %s of %v", bill.BOMFormat, bill.Metadata.Component)
	}
	for _, name := range []string{"std", "github.com/spf13/cobra", "k8s.io/cli-runtime", "github.com/aws/aws-sdk-go-v2/service/iam"} {
		if !slices.ContainsFunc(bill.Components, func(c component) bool { return c.Name == name && c.Version != "" }) {
			t.Errorf("a bill lacks %s", name)
		}
	}
}

// TestAgain builds the commit a second time, in another folder: once with the tag
// for the same archives to the byte, once without for a snapshot's.
func TestAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a longer name")
	run := func(name string, args ...string) {
		t.Helper()
		if err := command(dir, name, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := cloneTo(dir, clone); err != nil {
		t.Fatal(err)
	}
	run("git", "checkout", "--quiet", "HEAD~1") // the tag's commit
	run("git", "tag", tag)
	run("make", "dist")
	for _, name := range []string{"dist/checksums.txt", "dist/noderole.yaml", "dist/homebrew/kubectl-noderole.rb", "dist/image/index.json", "plugins.yaml"} {
		if diff := cmp.Diff(string(read(t, clone, name)), string(read(t, dir, name))); diff != "" {
			t.Errorf("%s of two builds of one commit:\n%s", name, diff)
		}
	}

	if err := os.WriteFile(filepath.Join(dir, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := command(dir, "make", "dist"); err == nil || !strings.Contains(err.Error(), tag+" is tagged, but there are changes that are not committed") {
		t.Errorf("a release of what is not committed: %v", err)
	}

	run("git", "tag", "-d", tag)
	run("git", "checkout", "--quiet", ".")
	run("make", "dist")
	commit, err := in(dir, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	version := "v0.0.1-snapshot.g" + strings.TrimSpace(string(commit))
	if text := string(read(t, dir, "plugins.yaml")); !strings.Contains(text, "  version: "+version+"\n") || !strings.Contains(text, "/"+version+"/"+archive(version, "linux_amd64")+"\n") {
		t.Errorf("the manifest of %s:\n%s", version, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "dist", archive(version, "linux_amd64"))); err != nil {
		t.Error(err)
	}
}

// TestGoreleaserCheck has goreleaser look for what it does not know or takes no
// more.
func TestGoreleaserCheck(t *testing.T) {
	out, err := in(clone, "./hack/release-tools.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := in(clone, filepath.Join(strings.TrimSpace(string(out)), "goreleaser"), "check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestManifest has krew's own check look at the manifest in the tree and at the
// one of the build, and holds that nothing but version, address and sum differ.
func TestManifest(t *testing.T) {
	dir := t.TempDir()
	for _, text := range [][]byte{read(t, "..", "..", "..", "plugins.yaml"), read(t, clone, "plugins.yaml")} {
		name := filepath.Join(dir, "noderole.yaml")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(filepath.Join(tools, "validate-krew-manifest"), "-manifest", name, "-skip-install").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if diff := cmp.Diff(string(read(t, clone, "plugins.yaml")), string(read(t, clone, "dist", "noderole.yaml"))); diff != "" {
		t.Error(diff)
	}
	out, err := in(clone, "git", "diff", "--unified=0", tag, "HEAD", "--", "plugins.yaml").Output()
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, line := range strings.Split(string(out), "\n") {
		line, added := strings.CutPrefix(line, "+ ")
		if !added {
			continue
		}
		changed++
		key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !slices.Contains([]string{"version", "uri", "sha256"}, key) {
			t.Errorf("make dist changed %q", line)
		}
	}
	if want := 1 + 2*len(platforms); changed != want {
		t.Errorf("make dist changed %d lines of plugins.yaml, want %d", changed, want)
	}
}

// krewRun runs krew for a platform, with a folder of its own.
func krewRun(t *testing.T, root, platform string, args ...string) string {
	t.Helper()
	goos, goarch, _ := strings.Cut(platform, "_")
	cmd := exec.Command(filepath.Join(tools, "krew"), args...)
	cmd.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1", "KREW_OS="+goos, "KREW_ARCH="+goarch)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("krew %s for %s: %v\n%s", strings.Join(args, " "), platform, err, out)
	}
	return string(out)
}

func krewInstall(t *testing.T, root, platform string) string {
	t.Helper()
	dist := filepath.Join(clone, "dist")
	return krewRun(t, root, platform, "install", "--manifest="+filepath.Join(dist, "noderole.yaml"), "--archive="+filepath.Join(dist, archive(tag, platform)))
}

// TestKrewEveryPlatform has krew compare every archive's sum with the manifest's,
// unpack it and find the binary.
func TestKrewEveryPlatform(t *testing.T) {
	for _, platform := range platforms {
		root := t.TempDir()
		krewInstall(t, root, platform)
		store := filepath.Join(root, "store", "noderole", tag)
		entries, err := os.ReadDir(store)
		if err != nil || len(entries) != 3 {
			t.Errorf("%s: krew installed %v, %v", platform, entries, err)
		}
	}
}

// kubectl runs kubectl with nothing of ours but dir on PATH.
func kubectl(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	program, err := exec.LookPath("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + dir + string(os.PathListSeparator) + "/usr/bin:/bin", "HOME=" + t.TempDir()}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// TestInstalled is a user's first minutes: krew installs the plugin, kubectl runs
// it and passes its exit code on, the shell completes it, krew removes it.
func TestInstalled(t *testing.T) {
	root := t.TempDir()
	said := krewInstall(t, root, "linux_amd64")
	for _, want := range []string{"iam: GetInstanceProfile", "kubectl noderole policy reader", "docs/permissions.md"} {
		if !strings.Contains(said, want) {
			t.Errorf("krew's caveats lack %q:\n%s", want, said)
		}
	}
	bin := filepath.Join(root, "bin")

	commit, err := in(clone, "git", "rev-parse", tag+"^{commit}").Output()
	if err != nil {
		t.Fatal(err)
	}
	out, _, code := kubectl(t, bin, "noderole", "version", "-o", "json")
	var version struct{ Version, Commit, Date string }
	if err := json.Unmarshal([]byte(out), &version); err != nil || code != 0 {
		t.Fatalf("exit %d: %v\n%s", code, err, out)
	}
	if diff := cmp.Diff([]string{tag, strings.TrimSpace(string(commit)), commitDate(t)}, []string{version.Version, version.Commit, version.Date}); diff != "" {
		t.Error(diff)
	}

	out, errOut, code := kubectl(t, bin, "noderole", "check", "--example")
	if code != 1 || !strings.Contains(out, "NR202") || errOut != "" {
		t.Errorf("check --example: exit %d\n%s%s", code, out, errOut)
	}
	healthy, err := filepath.Abs(filepath.Join("..", "..", "..", "examples", "healthy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if out, errOut, code = kubectl(t, bin, "noderole", "check", "-f", healthy); code != 0 || !strings.Contains(out, "0 errors") {
		t.Errorf("check -f: exit %d\n%s%s", code, out, errOut)
	}
	if _, errOut, code = kubectl(t, bin, "noderole", "check", "-f", "missing.yaml"); code != 2 || !strings.HasPrefix(errOut, "error: missing.yaml: cannot be read") {
		t.Errorf("check -f missing.yaml: exit %d\n%s", code, errOut)
	}
	if out, _, _ = kubectl(t, bin, "plugin", "list"); !strings.Contains(out, filepath.Join(bin, "kubectl-noderole")) {
		t.Errorf("kubectl plugin list:\n%s", out)
	}

	if out, _, _ = kubectl(t, bin, "__complete", "noderole", "check", "--fail-on", ""); strings.Contains(out, "warning") {
		t.Errorf("completed without the shim:\n%s", out)
	}
	if out, errOut, code = kubectl(t, bin, "noderole", "completion", "--install"); code != 0 || out != "wrote "+filepath.Join(bin, "kubectl_complete-noderole")+"\n" || errOut != "" {
		t.Errorf("completion --install: exit %d\n%s%s", code, out, errOut)
	}
	for words, want := range map[string]string{
		"noderole|":                 "check\tCheck a cluster's node roles\n",
		"noderole|check|--fail-on|": "error\nwarning\ninfo\nnone\nany\n:4\n",
		"noderole|check|--fail":     "--fail-on\tExit with 1",
		"noderole|fix|--only|NR20":  "NR202\tThe node role can pull images from ECR\n",
		"noderole|policy|":          "reader\n",
	} {
		out, _, code := kubectl(t, bin, append([]string{"__complete"}, strings.Split(words, "|")...)...)
		if code != 0 || !strings.Contains(out, want) || !strings.HasSuffix(out, ":4\n") {
			t.Errorf("kubectl __complete %s: exit %d, want %q\n%s", words, code, want, out)
		}
	}

	// krew uninstalls nothing before it has an index, which it would fetch.
	if err := command(root, "git", "init", "--quiet", filepath.Join("index", "default")); err != nil {
		t.Fatal(err)
	}
	krewRun(t, root, "linux_amd64", "uninstall", "noderole")
	if _, errOut, code = kubectl(t, bin, "noderole", "version"); code == 0 || !strings.Contains(errOut, `unknown command "noderole"`) {
		t.Errorf("after uninstall: exit %d\n%s", code, errOut)
	}
}

// TestArm64 runs the binary of the archive for Linux arm64 under qemu. It prints what that for
// amd64 prints.
func TestArm64(t *testing.T) {
	program := func(platform string) string {
		files := unpack(t, archive(tag, platform), read(t, clone, "dist", archive(tag, platform)))
		i := slices.IndexFunc(files, func(f file) bool { return f.name == "kubectl-noderole" })
		name := filepath.Join(t.TempDir(), "kubectl-noderole")
		if err := os.WriteFile(name, files[i].content, 0o700); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := func(words ...string) (text string, code int) {
		cmd := exec.Command(words[0], words[1:]...)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	native, foreign := program("linux_amd64"), program("linux_arm64")
	qemu := filepath.Join(tools, "qemu-aarch64-static")
	if out, code := run(qemu, foreign, "version"); code != 0 || !strings.HasPrefix(out, "kubectl-noderole "+tag+", ") || !strings.Contains(out, "linux/arm64") {
		t.Errorf("version: exit %d\n%s", code, out)
	}
	for _, args := range [][]string{{"check", "--example=broken", "--no-config", "-o", "wide"}, {"check", "--example=custom-policies", "--no-config", "-o", "json"}, {"policy", "reader"}} {
		want, wantCode := run(append([]string{native}, args...)...)
		got, code := run(append([]string{qemu, foreign}, args...)...)
		if diff := cmp.Diff(want, got); diff != "" || code != wantCode || want == "" {
			t.Errorf("%v: exit %d, want %d\n%s", args, code, wantCode, diff)
		}
	}
}

// TestGoInstall puts the commit into a module proxy and installs the newest
// version from it, as somebody with nothing but Go does.
func TestGoInstall(t *testing.T) {
	proxy, cache, gobin := t.TempDir(), filepath.Join(t.TempDir(), "mod"), t.TempDir()
	t.Cleanup(func() { removeAll(cache) })
	versions := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := modzip.CreateFromVCS(&archive, module.Version{Path: modulePath, Version: tag}, clone, tag, ""); err != nil {
		t.Fatal(err)
	}
	mod, err := in(clone, "git", "show", tag+":go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"list": []byte(tag + "\n"), tag + ".info": []byte(`{"Version":"` + tag + `"}`), tag + ".mod": mod, tag + ".zip": archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The modules that it needs are those that are there already, else those of
	// the proxy that is configured; none is left in the user's own cache.
	var env struct{ GOPROXY, GOMODCACHE, GOFLAGS string }
	text, err := exec.Command("go", "env", "-json", "GOPROXY", "GOMODCACHE", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &env); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("go", "install", modulePath+"/cmd/kubectl-noderole@latest")
	install.Env = append(
		os.Environ(),
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(env.GOMODCACHE, "cache", "download")+","+env.GOPROXY,
		"GONOSUMDB="+modulePath, "GOMODCACHE="+cache, "GOBIN="+gobin,
		// As make dist builds, so that the compiled packages are shared.
		"GOFLAGS="+strings.TrimSpace(env.GOFLAGS+" -trimpath"), "CGO_ENABLED=0",
	)
	install.Dir = t.TempDir()
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	out, errOut, code := kubectl(t, gobin, "noderole", "version")
	if code != 0 || !strings.HasPrefix(out, "kubectl-noderole "+tag+", go") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}
