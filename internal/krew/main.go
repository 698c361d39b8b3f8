// Command krew updates the krew manifest for a release build: the version, and address and
// checksum of every platform's archive. make
// dist runs it from the project's root, after goreleaser:
//
//	krew plugins.yaml dist
//
// It also puts a copy into the folder, as noderole.yaml: krew requires that the file has
// the plugin's name.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const downloads = "https://github.com/kubectl-noderole/kubectl-noderole/releases/download"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "krew: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: krew MANIFEST DIST")
	}
	manifest, dist := args[0], args[1]
	old, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	built, err := read(dist)
	if err != nil {
		return err
	}
	text, err := rewrite(old, built)
	if err != nil {
		return fmt.Errorf("%s: %w", manifest, err)
	}
	if err := os.WriteFile(filepath.Join(dist, "noderole.yaml"), text, 0o644); err != nil {
		return err
	}
	return os.WriteFile(manifest, text, 0o644)
}

// release is what a build has made.
type release struct {
	// version is as a tag, with a v.
	version string
	// archives are the SHA-256 sums by file name, in lower-case hex as krew wants
	// them.
	archives map[string]string
}

// read returns what goreleaser left in a folder.
func read(dist string) (release, error) {
	text, err := os.ReadFile(filepath.Join(dist, "metadata.json"))
	if err != nil {
		return release{}, err
	}
	var metadata struct{ Version string }
	if err := json.Unmarshal(text, &metadata); err != nil {
		return release{}, fmt.Errorf("read metadata.json: %w", err)
	}
	built := release{version: "v" + metadata.Version, archives: map[string]string{}}
	for _, pattern := range []string{"*.tar.gz", "*.zip"} {
		files, err := filepath.Glob(filepath.Join(dist, pattern))
		if err != nil {
			return release{}, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return release{}, err
			}
			built.archives[filepath.Base(file)] = fmt.Sprintf("%x", sha256.Sum256(content))
		}
	}
	return built, nil
}

// plugin is the part of a krew manifest that says which platforms there are.
type plugin struct {
	Spec struct {
		Platforms []struct {
			Selector struct {
				MatchLabels struct{ OS, Arch string } `yaml:"matchLabels"`
			}
		}
	}
}

// rewrite returns the manifest with the version, address and checksum of every
// archive; all else stays as it is. A platform without an archive and an archive
// without a platform are errors.
func rewrite(manifest []byte, built release) ([]byte, error) {
	var p plugin
	if err := yaml.Unmarshal(manifest, &p); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(manifest, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if err := set(file, "$.spec.version", built.version); err != nil {
		return nil, err
	}
	var named []string
	for i, platform := range p.Spec.Platforms {
		labels := platform.Selector.MatchLabels
		name := fmt.Sprintf("kubectl-noderole_%s_%s_%s", built.version, labels.OS, labels.Arch) + map[bool]string{true: ".zip", false: ".tar.gz"}[labels.OS == "windows"]
		sum, ok := built.archives[name]
		if !ok {
			return nil, fmt.Errorf("platform %s/%s has no archive %s", labels.OS, labels.Arch, name)
		}
		named = append(named, name)
		at := fmt.Sprintf("$.spec.platforms[%d].", i)
		if err := set(file, at+"uri", strings.Join([]string{downloads, built.version, name}, "/")); err != nil {
			return nil, err
		}
		if err := set(file, at+"sha256", sum); err != nil {
			return nil, err
		}
	}
	for name := range built.archives {
		if !slices.Contains(named, name) {
			return nil, fmt.Errorf("no platform has the archive %s", name)
		}
	}
	return []byte(strings.TrimRight(file.String(), "\n") + "\n"), nil
}

// set changes the string at a path of a YAML file, and nothing around it.
func set(file *ast.File, path, value string) error {
	at, err := yaml.PathString(path)
	if err != nil {
		return err
	}
	node, err := at.FilterFile(file)
	if err != nil {
		return fmt.Errorf("find %s: %w", path, err)
	}
	text, ok := node.(*ast.StringNode)
	if !ok {
		return fmt.Errorf("%s is not a string", path)
	}
	text.Value = value
	return nil
}
