// Command image builds the container image of a release from its archives, without Docker and
// without a base image, and pushes it:
//
//	image build dist
//	image push dist/image ghcr.io/kubectl-noderole/kubectl-noderole
//
// The image has the binary of the archive, its license and Mozilla's root certificates, and
// runs as a user without rights. build writes an OCI layout, with an index of one image for each
// Linux archive and the bill of materials of each as a referrer. Two builds of one commit are the
// same to the byte. push adds the version as the tag.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	binary = "kubectl-noderole"
	// user is the one that distroless images call nonroot.
	user        = "65532:65532"
	billType    = types.MediaType("application/vnd.cyclonedx+json")
	versionName = "org.opencontainers.image.version"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "build":
		return build(args[1])
	case len(args) == 3 && args[0] == "push":
		return push(args[1], args[2])
	default:
		return errors.New("usage: image build DIST | image push LAYOUT REPOSITORY")
	}
}

// build writes DIST/image.
func build(dist string) error {
	text, err := os.ReadFile(filepath.Join(dist, "metadata.json"))
	if err != nil {
		return err
	}
	var release struct{ Version, Commit string }
	if err := json.Unmarshal(text, &release); err != nil {
		return fmt.Errorf("read metadata.json: %w", err)
	}
	release.Version = "v" + release.Version
	archives, err := filepath.Glob(filepath.Join(dist, binary+"_"+release.Version+"_linux_*.tar.gz"))
	if err != nil {
		return err
	}
	if len(archives) == 0 {
		return fmt.Errorf("%s has no archive for Linux", dist)
	}
	slices.Sort(archives)

	dir := filepath.Join(dist, "image")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	var images []mutate.IndexAddendum
	var created time.Time
	for _, archive := range archives {
		arch := strings.TrimSuffix(archive[strings.LastIndexByte(archive, '_')+1:], ".tar.gz")
		files, err := read(archive)
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		created = files[binary].header.ModTime
		image, err := imageOf(files, arch, labels(release.Version, release.Commit, created))
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		images = append(images, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		bill, err := billOf(image, strings.TrimSuffix(archive, ".tar.gz")+".cdx.json")
		if err != nil {
			return err
		}
		if err := to.AppendImage(bill); err != nil {
			return err
		}
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), images...)
	index = mutate.Annotations(index, labels(release.Version, release.Commit, created)).(v1.ImageIndex)
	return to.AppendIndex(index)
}

// labels are the annotations that the OCI image specification defines.
func labels(version, commit string, created time.Time) map[string]string {
	const project = "https://github.com/kubectl-noderole/kubectl-noderole"
	return map[string]string{
		versionName: version, "org.opencontainers.image.revision": commit, "org.opencontainers.image.created": created.UTC().Format(time.RFC3339),
		"org.opencontainers.image.source": project, "org.opencontainers.image.url": project, "org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.title": binary, "org.opencontainers.image.description": "Checks the IAM roles of an EKS cluster's nodes",
	}
}

type file struct {
	header  *tar.Header
	content []byte
}

// read returns the files of an archive by name.
func read(archive string) (map[string]file, error) {
	text, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	gz, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files[h.Name] = file{h, content}
	}
	for _, name := range []string{binary, "LICENSE"} {
		if _, ok := files[name]; !ok {
			return nil, fmt.Errorf("has no %s", name)
		}
	}
	return files, nil
}

// imageOf is the image for one architecture.
func imageOf(files map[string]file, arch string, labels map[string]string) (v1.Image, error) {
	date := files[binary].header.ModTime
	certificates, err := layer(date, entry{"etc/ssl/certs/ca-certificates.crt", 0o644, roots()})
	if err != nil {
		return nil, err
	}
	program, err := layer(date, entry{"usr/bin/" + binary, 0o755, files[binary].content}, entry{"usr/share/doc/" + binary + "/copyright", 0o644, files["LICENSE"].content})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(
		image,
		mutate.Addendum{Layer: certificates, History: v1.History{CreatedBy: "Mozilla's root certificates, of golang.org/x/crypto/x509roots/fallback", Created: v1.Time{Time: date}}},
		mutate.Addendum{Layer: program, History: v1.History{CreatedBy: "the release's archive", Created: v1.Time{Time: date}}},
	)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: date}
	config.Config = v1.Config{
		User: user, Entrypoint: []string{"/usr/bin/" + binary}, Labels: labels,
		Env: []string{"PATH=/usr/bin", "HOME=/tmp"},
	}
	return mutate.ConfigFile(image, config)
}

// entry is a file of a layer.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// layer is a layer of files, all of one date and of root, with the folders that they are in.
func layer(date time.Time, entries ...entry) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	folders := map[string]bool{}
	for _, e := range entries {
		for i, c := range e.name {
			if folder := e.name[:i] + "/"; c == '/' && !folders[folder] {
				folders[folder] = true
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755, ModTime: date}); err != nil {
					return nil, err
				}
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, ModTime: date, Size: int64(len(e.content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression))
}

// roots are Mozilla's root certificates as PEM. Those that Mozilla trusts only under a
// condition are left out, as PEM cannot say it.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return b.Bytes()
}

// billOf is the bill of materials of an image, as an artifact that refers to it.
func billOf(image v1.Image, name string) (v1.Image, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	bill := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), billType)
	if bill, err = mutate.AppendLayers(bill, static.NewLayer(text, billType)); err != nil {
		return nil, err
	}
	return mutate.Subject(bill, *subject).(v1.Image), nil
}

// push pushes the index of a layout, with its version as the tag, and the bills of materials
// by digest. Credentials are those of docker login.
func push(dir, repository string) error {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return err
	}
	from, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	indexes, err := partial.FindIndexes(from, match.MediaTypes(string(types.OCIImageIndex)))
	if err != nil {
		return err
	}
	if len(indexes) != 1 {
		return fmt.Errorf("%s has %d indexes, not one", dir, len(indexes))
	}
	manifest, err := indexes[0].IndexManifest()
	if err != nil {
		return err
	}
	tag := repo.Tag(manifest.Annotations[versionName])
	if err := remote.WriteIndex(tag, indexes[0], options...); err != nil {
		return err
	}
	bills, err := partial.FindImages(from, match.MediaTypes(string(types.OCIManifestSchema1)))
	if err != nil {
		return err
	}
	for _, bill := range bills {
		digest, err := bill.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(repo.Digest(digest.String()), bill, options...); err != nil {
			return err
		}
	}
	digest, err := indexes[0].Digest()
	if err != nil {
		return err
	}
	fmt.Println(tag.String() + "@" + digest.String())
	return nil
}
