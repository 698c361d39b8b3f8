package release

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestRelease holds what make release commits, and that it refuses what is not ready.
func TestRelease(t *testing.T) {
	out, err := in(clone, "git", "log", "-2", "--format=%s", "--name-only").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "The plugin manifest names the archives of " + tag + "\n\nplugins.yaml\nRelease " + tag + "\n\nCHANGELOG.md\ndeploy/base/kustomization.yaml\ndeploy/fleet/kustomization.yaml\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("the commits of the release:\n%s", diff)
	}
	changelog := string(read(t, clone, "CHANGELOG.md"))
	for _, part := range []string{"## [Unreleased]\n\n## [1.2.3] - 20", "\n[Unreleased]: https://" + modulePath + "/compare/" + tag + "...main\n[1.2.3]: https://" + modulePath + "/releases/tag/" + tag} {
		if !strings.Contains(changelog, part) {
			t.Errorf("CHANGELOG.md lacks %q:\n%s", part, changelog)
		}
	}
	if notes := string(read(t, clone, "dist", "notes.md")); !strings.HasPrefix(strings.TrimSpace(notes), "### Added\n") || strings.Contains(notes, "releases/tag") {
		t.Errorf("the notes of the release are\n%s", notes)
	}
	for _, name := range []string{"base", "fleet"} {
		if text := string(read(t, clone, "deploy", name, "kustomization.yaml")); !strings.Contains(text, "  newTag: "+tag+"\n") {
			t.Errorf("deploy/%s has another image:\n%s", name, text)
		}
	}
	dirty := filepath.Join(t.TempDir(), "dirty")
	if err := cloneTo(dirty, clone); err != nil {
		t.Fatal(err)
	}
	refuse := func(version, want string) {
		t.Helper()
		if err := command(dirty, "make", "release", "VERSION="+version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("make release VERSION=%s: %v, want %q", version, err, want)
		}
	}
	refuse("1.2.4", `give a version such as v0.1.0, not "1.2.4"`)
	refuse("v1.2.4", "CHANGELOG.md has nothing under Unreleased")
	refuse("v1.3.0", "internal/docgen/testdata has no formats of v1.3.0")
	if err := os.WriteFile(filepath.Join(dirty, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse("v1.2.4", "there are changes that are not committed")
}

// TestDeb unpacks the package for Debian and uses what is in it: the binary, the program
// that kubectl asks for completions, and a page of the manual.
func TestDeb(t *testing.T) {
	root := t.TempDir()
	deb := filepath.Join(clone, "dist", "kubectl-noderole_"+tag+"_linux_amd64.deb")
	if err := command(root, "dpkg-deb", "-x", deb, root); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(root, "usr", "bin")
	if out, errOut, code := kubectl(t, bin, "noderole", "version"); code != 0 || !strings.HasPrefix(out, "kubectl-noderole "+tag) {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if out, _, code := kubectl(t, bin, "__complete", "noderole", "check", "--fail-on", ""); code != 0 || !strings.Contains(out, "warning") {
		t.Errorf("kubectl __complete: exit %d\n%s", code, out)
	}
	page, err := exec.Command("man", "--warnings", "-l", filepath.Join(root, "usr", "share", "man", "man1", "kubectl-noderole-check.1.gz")).CombinedOutput()
	if err != nil || !strings.Contains(string(page), "Check a cluster's node roles") {
		t.Errorf("man: %v\n%s", err, page)
	}
	if out, err := exec.Command("bash", "-n", filepath.Join(root, "usr", "share", "bash-completion", "completions", "kubectl-noderole")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSignature verifies the signature of the checksums as cosign verify-blob --key does: an
// ECDSA signature of the SHA-256, in base64.
func TestSignature(t *testing.T) {
	dir := t.TempDir()
	public, signature := filepath.Join(dir, "key.pub"), filepath.Join(dir, "signature")
	if err := command(dir, "openssl", "ec", "-in", os.Getenv("NODEROLE_SIGNING_KEY"), "-pubout", "-out", public); err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(string(read(t, clone, "dist", "checksums.txt.sig")))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signature, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sums := filepath.Join(clone, "dist", "checksums.txt")
	if err := command(dir, "openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, sums); err != nil {
		t.Error(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, append(read(t, sums), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := command(dir, "openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, other); err == nil {
		t.Error("the signature is also one of another file")
	}
}

// TestFormula holds that each address of the Homebrew formula has the checksum of that
// archive.
func TestFormula(t *testing.T) {
	formula := string(read(t, clone, "dist", "homebrew", "kubectl-noderole.rb"))
	found := regexp.MustCompile(`url "https://github.com/kubectl-noderole/kubectl-noderole/releases/download/`+tag+`/([^"]+)"\n\s*sha256 "([0-9a-f]+)"`).FindAllStringSubmatch(formula, -1)
	want := 0
	for _, platform := range platforms {
		if !strings.HasPrefix(platform, "windows") {
			want++
		}
	}
	if len(found) != want {
		t.Errorf("the formula has %d archives, want %d:\n%s", len(found), want, formula)
	}
	for _, m := range found {
		if got := sum(read(t, clone, "dist", m[1])); got != m[2] {
			t.Errorf("%s has the checksum %s, the formula says %s", m[1], got, m[2])
		}
	}
}

// TestImage pushes the image to a registry, pulls it, and runs the binary of its layers.
func TestImage(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true)))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/kubectl-noderole"
	out, err := in(filepath.Join(clone, "tools", "image"), "go", "run", ".", "push", filepath.Join(clone, "dist", "image"), repository).Output()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), repository+":"+tag+"@"+digest.String(); got != want {
		t.Errorf("push says %s, want %s", got, want)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range manifest.Manifests {
		got = append(got, m.Platform.OS+"_"+m.Platform.Architecture)
	}
	for _, platform := range platforms {
		if strings.HasPrefix(platform, "linux") {
			want = append(want, platform)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platforms of the image:\n%s", diff)
	}

	image, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, image)
	root := unpackImage(t, image)
	program := exec.Command(filepath.Join(root, "usr", "bin", "kubectl-noderole"), "version", "-o", "json")
	program.Env = []string{"HOME=/nonexistent"}
	text, err := program.Output()
	var version struct{ Version, Commit string }
	if err != nil || json.Unmarshal(text, &version) != nil || version.Version != tag {
		t.Errorf("the program of the image: %v\n%s", err, text)
	}
	if got, want := sum(read(t, root, "usr", "bin", "kubectl-noderole")), sum(read(t, clone, "dist", "kubectl-noderole_linux_amd64_v1", "kubectl-noderole")); got != want {
		t.Error("the program of the image is not that of the archive")
	}
	roots := read(t, root, "etc", "ssl", "certs", "ca-certificates.crt")
	if n := bytes.Count(roots, []byte("BEGIN CERTIFICATE")); n < 100 || !bytes.Contains(roots, []byte("END CERTIFICATE")) {
		t.Errorf("the image has %d root certificates", n)
	}

	one, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := remote.Referrers(ref.Context().Digest(one.String()))
	if err != nil {
		t.Fatal(err)
	}
	list, err := referrers.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("%v: the image has the referrers %v", err, list)
	}
	bill, err := remote.Image(ref.Context().Digest(list.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := bill.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%v, %d layers", err, len(layers))
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	checkBill(t, text)
}

func checkConfig(t *testing.T, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	commit, err := in(clone, "git", "rev-parse", tag+"^{commit}").Output()
	if err != nil {
		t.Fatal(err)
	}
	labels := config.Config.Labels
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/usr/bin/kubectl-noderole"}) {
		t.Errorf("the image runs %q as %s", config.Config.Entrypoint, config.Config.User)
	}
	if labels["org.opencontainers.image.version"] != tag || labels["org.opencontainers.image.revision"] != strings.TrimSpace(string(commit)) || labels["org.opencontainers.image.created"] != commitDate(t) {
		t.Errorf("the labels are %v", labels)
	}
}

// unpackImage writes the files of an image's layers to a folder.
func unpackImage(t *testing.T, image v1.Image) string {
	t.Helper()
	root := t.TempDir()
	rc := mutate.Extract(image)
	defer rc.Close() //nolint:errcheck // it was read to its end
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return root
		} else if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Mode&0o022 != 0 {
			t.Errorf("%s belongs to %d, with mode %o", h.Name, h.Uid, h.Mode)
		}
		path := filepath.Join(root, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, os.FileMode(h.Mode))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
