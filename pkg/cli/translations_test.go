package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// section is what the translations of a section of a page have in common: its code blocks
// in order, and its inline code and link targets, which a sentence may have in another
// order.
type section struct {
	Level               int
	Blocks, Code, Links []string
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```$")
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	linkTarget = regexp.MustCompile(`\]\(([^)]+)\)`)
)

// sectionsOf splits a page at its headings. Link targets are relative to the folder docs.
func sectionsOf(page, folder string) []section {
	var sections []section
	blocks := codeBlock.FindAllString(page, -1)
	const mark = "\x00"
	for _, text := range strings.Split("\n"+codeBlock.ReplaceAllString(page, mark), "\n#")[1:] {
		s := section{Level: 1 + len(text) - len(strings.TrimLeft(text, "#"))}
		n := strings.Count(text, mark)
		s.Blocks, blocks = blocks[:n], blocks[n:]
		s.Code = inlineCode.FindAllString(text, -1)
		for _, m := range linkTarget.FindAllStringSubmatch(text, -1) {
			target := m[1]
			if !strings.Contains(target, "://") {
				target = filepath.ToSlash(filepath.Join(folder, target))
			}
			s.Links = append(s.Links, strings.TrimPrefix(target, "zh-TW/"))
		}
		slices.Sort(s.Code)
		slices.Sort(s.Links)
		sections = append(sections, s)
	}
	return sections
}

// TestTranslations: a page in Traditional Chinese has the sections, code blocks, inline
// code and links of the English page, so that a change of one page only is noticed. Each
// of the two links to the other.
func TestTranslations(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	pages, err := filepath.Glob(filepath.Join(docs, "zh-TW", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, page := range pages {
		names = append(names, filepath.Base(page))
	}
	if diff := cmp.Diff([]string{"faq.md", "getting-started.md"}, names); diff != "" {
		t.Fatalf("the translated pages (-want +got):\n%s", diff)
	}
	for i, page := range pages {
		name := names[i]
		english, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		chinese, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sectionsOf(string(english), "."), sectionsOf(string(chinese), "zh-TW")); diff != "" {
			t.Errorf("%s differs from its translation (-English +Chinese):\n%s", name, diff)
		}
		if !strings.Contains(string(english), "](zh-TW/"+name+")") || !strings.Contains(string(chinese), "](../"+name+")") {
			t.Errorf("%s and its translation do not link to each other", name)
		}
	}
}
