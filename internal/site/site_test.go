package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSite renders the real documentation: every page is there, every link and picture of the
// HTML has a target, and the navigation of each page has all pages.
func TestSite(t *testing.T) {
	project, to := filepath.Join("..", ".."), t.TempDir()
	if err := build(project, to); err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	if err := filepath.WalkDir(to, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".html" {
			return err
		}
		text, err := os.ReadFile(name)
		pages[name] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(project, "docs", "*", "*.md"))
	if err != nil || len(pages) < len(sources)+10 {
		t.Errorf("%v: %d pages of more than %d sources", err, len(pages), len(sources))
	}
	reference := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	for name, text := range pages {
		current := 0
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			content, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if anchor != "" && !strings.Contains(string(content), ` id="`+anchor+`"`) {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
		if current = strings.Count(text, `aria-current="page"`); current != 1 {
			t.Errorf("%s is %d times in its navigation", name, current)
		}
	}
	for name, want := range map[string]string{
		"index.html":            `<img src="images/check.svg"`,
		"ci.html":               `href="https://github.com/kubectl-noderole/kubectl-noderole/blob/main/templates/noderole.yml"`,
		"zh-TW/faq.html":        `<html lang="zh-Hant-TW">`,
		"getting-started.html":  `<a class="other" href="zh-TW/getting-started.html"`,
		"rules/NR202.html":      `<link rel="stylesheet" href="../site.css">`,
		"zh-TW/faq.html#other":  `<a class="other" href="../faq.html" lang="en">English</a>`,
		"versions.html#outside": `href="https://github.com/kubectl-noderole/kubectl-noderole/tree/main/pkg/iampolicy"`,
	} {
		file, _, _ := strings.Cut(name, "#")
		if !strings.Contains(pages[filepath.Join(to, filepath.FromSlash(file))], want) {
			t.Errorf("%s lacks %s", file, want)
		}
	}

	text, err := os.ReadFile(filepath.Join(to, "search-index.js"))
	if err != nil {
		t.Fatal(err)
	}
	var index []entry
	if err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(string(text), "window.searchIndex = "), ";\n")), &index); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range index {
		found = found || e.Link == "ci.html#github-actions" && strings.Contains(e.Text, "upload-sarif")
	}
	if !found {
		t.Error("the index does not have the section GitHub Actions of ci.html")
	}
}

// TestProblems: what a reader could not follow is an error.
func TestProblems(t *testing.T) {
	for name, tt := range map[string]struct{ page, want string }{
		"missing page":    {"[x](gone.md)", "docs/faq.md links to gone.md: there is no such file"},
		"missing heading": {"[x](ci.md#gone)", "docs/faq.md links to ci.md#gone: the page has no such heading"},
		"missing picture": {"![x](images/gone.svg)", "docs/faq.md links to images/gone.svg: there is no such file"},
		"outside":         {"[x](../../etc/passwd)", "docs/faq.md links to ../../etc/passwd: there is no such file"},
		"no heading":      {"", "docs/faq.md has no heading"},
	} {
		t.Run(name, func(t *testing.T) {
			project := t.TempDir()
			if err := os.CopyFS(filepath.Join(project, "docs"), os.DirFS(filepath.Join("..", "..", "docs"))); err != nil {
				t.Fatal(err)
			}
			for _, page := range rootPages {
				if err := writeFile(filepath.Join(project, page), []byte("# A page\n")); err != nil {
					t.Fatal(err)
				}
			}
			text := "# Questions\n\n" + tt.page + "\n"
			if tt.page == "" {
				text = "text\n"
			}
			if err := writeFile(filepath.Join(project, "docs", "faq.md"), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := build(project, filepath.Join(project, "site")); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestSlugs: ids of headings are GitHub's.
func TestSlugs(t *testing.T) {
	s := &slugs{used: map[string]bool{}}
	var got []string
	for _, heading := range []string{"Without access from CI", "What's in `dist/`?", "A, b: c_d-e", "問題 與 症狀", "A, b: c_d-e"} {
		got = append(got, string(s.Generate([]byte(heading), 0)))
	}
	want := []string{"without-access-from-ci", "whats-in-dist", "a-b-c_d-e", "問題-與-症狀", "a-b-c_d-e-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
