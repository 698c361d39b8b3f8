// Command site renders the documentation as a static site that can be read and searched
// without a server:
//
//	site build/site
//
// It renders README.md, the other pages of the project's root and everything under docs. Run it
// from the project's root: make site. A link without a target is an error, and so is a page that
// the navigation does not reach.
package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed assets
var assets embed.FS

// pageTemplate is the frame of every page.
var pageTemplate = template.Must(template.ParseFS(assets, "assets/page.html"))

// rootPages are the pages outside docs.
var rootPages = []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: site FOLDER")
		os.Exit(2)
	}
	if err := build(".", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "site: "+err.Error())
		os.Exit(1)
	}
}

// build renders the project in a folder into another one, which it replaces.
func build(project, to string) error {
	s := &site{project: project, pages: map[string]*page{}, files: map[string]bool{}}
	sources := slices.Clone(rootPages)
	err := filepath.WalkDir(filepath.Join(project, "docs"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(project, name)
		if strings.HasSuffix(rel, ".md") {
			sources = append(sources, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, source := range sources {
		if err := s.read(source); err != nil {
			return err
		}
	}
	for _, p := range s.pages {
		s.resolve(p)
	}
	groups := s.navigation()
	if len(s.problems) > 0 {
		slices.Sort(s.problems)
		return errors.New(strings.Join(s.problems, "\n"))
	}
	return s.write(to, groups)
}

// write writes the pages, the files that they show, and the index for the search.
func (s *site) write(to string, groups []group) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	var index []entry
	for _, source := range slices.Sorted(maps.Keys(s.pages)) {
		p := s.pages[source]
		text, err := s.render(p, groups)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if err := writeFile(filepath.Join(to, filepath.FromSlash(p.out)), text); err != nil {
			return err
		}
		index = append(index, p.index()...)
	}
	for file := range s.files {
		text, err := os.ReadFile(filepath.Join(s.project, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(to, filepath.FromSlash(outOf(file))), text); err != nil {
			return err
		}
	}
	text, err := json.Marshal(index)
	if err != nil {
		return err
	}
	// A page that is opened from a disk may load a script, and not JSON.
	if err := writeFile(filepath.Join(to, "search-index.js"), slices.Concat([]byte("window.searchIndex = "), text, []byte(";\n"))); err != nil {
		return err
	}
	for _, name := range []string{"site.css", "search.js"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(to, name), text); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// outOf is where a file of the project is in the site: docs is its root.
func outOf(source string) string {
	out := strings.TrimPrefix(source, "docs/")
	if path.Base(out) == "README.md" {
		out = path.Join(path.Dir(out), "index.md")
	}
	if stem, ok := strings.CutSuffix(out, ".md"); ok {
		out = stem + ".html"
	}
	return out
}
