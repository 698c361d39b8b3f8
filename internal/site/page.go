package main

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

const repository = "https://github.com/kubectl-noderole/kubectl-noderole"

// site is the pages by source file, such as docs/ci.md.
type site struct {
	project string
	pages   map[string]*page
	// files are the other files that pages link to or show.
	files map[string]bool
	// problems are links without a target and pages without a link.
	problems []string
}

// page is a rendered source file.
type page struct {
	source, out, title string
	text               []byte
	document           ast.Node
	// anchors are the ids of the headings.
	anchors map[string]bool
	// other is the same page in the other language; empty where there is none.
	other string
}

// lang is the language of the page.
func (p *page) lang() string {
	if strings.HasPrefix(p.source, "docs/zh-TW/") {
		return "zh-Hant-TW"
	}
	return "en"
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// read parses a source file.
func (s *site) read(source string) error {
	content, err := os.ReadFile(filepath.Join(s.project, filepath.FromSlash(source)))
	if err != nil {
		return err
	}
	p := &page{source: source, out: outOf(source), text: content, anchors: map[string]bool{}}
	ids := &slugs{used: p.anchors}
	p.document = markdown.Parser().Parse(text.NewReader(content), parser.WithContext(parser.NewContext(parser.WithIDs(ids))))
	for n := p.document.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			p.title = plain(h, content)
			break
		}
	}
	if p.title == "" {
		return fmt.Errorf("%s has no heading", source)
	}
	s.pages[source] = p
	return nil
}

// slugs are the ids of headings as GitHub makes them, so that a link works in both places.
type slugs struct{ used map[string]bool }

var notInSlug = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)

// Generate returns the id of a heading.
func (s *slugs) Generate(value []byte, _ ast.NodeKind) []byte {
	slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(string(value))), ""), " ", "-")
	id := slug
	for i := 1; s.used[id]; i++ {
		id = fmt.Sprintf("%s-%d", slug, i)
	}
	s.used[id] = true
	return []byte(id)
}

// Put keeps an id that the text gives.
func (s *slugs) Put(value []byte) { s.used[string(value)] = true }

// resolve turns the links of a page into those of the site, and notes those that lead nowhere.
func (s *site) resolve(p *page) {
	_ = ast.Walk(p.document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(s.target(p, string(n.Destination)))
		case *ast.Image:
			n.Destination = []byte(s.target(p, string(n.Destination)))
		}
		return ast.WalkContinue, nil
	})
}

// target is what a link of a page is in the site: another page, a file of docs, or for the
// rest of the project the repository on GitHub.
func (s *site) target(from *page, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return link
	}
	file, fragment, _ := strings.Cut(link, "#")
	source := from.source
	if file != "" {
		source = path.Join(path.Dir(from.source), file)
	}
	problem := func(what string) string {
		s.problems = append(s.problems, fmt.Sprintf("%s links to %s: %s", from.source, link, what))
		return link
	}
	to, isPage := s.pages[source]
	info, err := os.Stat(filepath.Join(s.project, filepath.FromSlash(source)))
	switch {
	case isPage && fragment != "" && !to.anchors[fragment]:
		return problem("the page has no such heading")
	case isPage && fragment != "":
		return relative(from.out, to.out) + "#" + fragment
	case isPage:
		return relative(from.out, to.out)
	case err != nil || strings.HasPrefix(source, "../"):
		return problem("there is no such file")
	case !info.IsDir() && strings.HasPrefix(source, "docs/"):
		s.files[source] = true
		return relative(from.out, outOf(source))
	case info.IsDir():
		return repository + "/tree/main/" + source
	default:
		return repository + "/blob/main/" + source
	}
}

// relative is the link from one file of the site to another.
func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")) + to
}

// frame is what the template shows around a page.
type frame struct {
	Title, Lang, Root, Out string
	Groups                 []group
	Content                template.HTML
	Other                  string
	Source                 string
}

// render returns the page as HTML.
func (s *site) render(p *page, groups []group) ([]byte, error) {
	var content, b bytes.Buffer
	if err := markdown.Renderer().Render(&content, p.text, p.document); err != nil {
		return nil, err
	}
	f := frame{
		Title: p.title, Lang: p.lang(), Root: relative(p.out, ""), Out: p.out, Groups: groups, Content: template.HTML(scrollable(content.String())), //nolint:gosec // rendered from our own Markdown, without raw HTML
		Source: repository + "/blob/main/" + p.source,
	}
	if p.other != "" {
		f.Other = relative(p.out, p.other)
	}
	err := pageTemplate.Execute(&b, f)
	return b.Bytes(), err
}

// scrollable lets wide tables and code scroll on their own, also by keyboard.
func scrollable(content string) string {
	return strings.NewReplacer(
		"<table>", `<div class="wide" tabindex="0" role="region" aria-label="table"><table>`, "</table>", "</table></div>",
		"<pre>", `<pre tabindex="0">`,
	).Replace(content)
}

// entry is a section of a page in the index for the search.
type entry struct {
	Link    string `json:"l"`
	Page    string `json:"p"`
	Section string `json:"s"`
	Text    string `json:"t"`
}

// index is the sections of the page.
func (p *page) index() []entry {
	entries := []entry{{Link: p.out, Page: p.title, Section: p.title}}
	for n := p.document.FirstChild(); n != nil; n = n.NextSibling() {
		last := &entries[len(entries)-1]
		h, ok := n.(*ast.Heading)
		if !ok {
			last.Text = strings.TrimSpace(last.Text + " " + plain(n, p.text))
			continue
		}
		if name := plain(h, p.text); name != p.title {
			id, _ := h.AttributeString("id")
			entries = append(entries, entry{Link: fmt.Sprintf("%s#%s", p.out, id), Page: p.title, Section: name})
		}
	}
	return entries
}

// plain is the text of a node, in one line.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				b.WriteByte(' ')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			b.Write(n.Lines().Value(source))
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.FieldsFunc(b.String(), unicode.IsSpace), " ")
}
