package main

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// group is a part of the navigation. One that is folded is long.
type group struct {
	Title  string
	Folded bool
	Links  []navLink
}

// navLink is a page in the navigation.
type navLink struct{ Out, Title, Lang string }

// navigation lists every page once. Pages that no group names are added to the group of their
// folder, so that each page has a place.
func (s *site) navigation() []group {
	listed := []struct {
		title   string
		folded  bool
		sources []string
		folder  string
	}{
		{title: "Start", sources: []string{"README.md", "docs/getting-started.md", "docs/faq.md"}},
		{title: "Use", sources: []string{"docs/fix.md", "docs/infrastructure-code.md", "docs/ci.md", "docs/in-cluster.md", "docs/team-policy.md", "docs/permissions.md"}},
		{title: "Understand", sources: []string{"docs/how-verdicts-are-reached.md", "docs/iam-evaluation.md", "docs/go-library.md", "docs/performance.md", "docs/architecture.md"}, folder: "docs"},
		{title: "Project", sources: []string{"docs/versions.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "docs/releasing.md"}},
		{title: "繁體中文", folder: "docs/zh-TW"},
		{title: "Commands", folded: true, folder: "docs/reference"},
		{title: "Rules", folded: true, folder: "docs/rules"},
		{title: "Decisions", folded: true, folder: "docs/adr"},
	}
	placed := map[string]bool{}
	for _, g := range listed {
		for _, source := range g.sources {
			placed[source] = true
		}
	}
	var groups []group
	for _, g := range listed {
		sources := slices.Clone(g.sources)
		for _, source := range slices.Sorted(maps.Keys(s.pages)) {
			if path.Dir(source) == g.folder && !placed[source] {
				placed[source] = true
				sources = append(sources, source)
			}
		}
		made := group{Title: g.title, Folded: g.folded}
		for _, source := range sources {
			p, ok := s.pages[source]
			if !ok {
				s.problems = append(s.problems, "the navigation names "+source+", which is not there")
				continue
			}
			made.Links = append(made.Links, navLink{p.out, navTitle(p), p.lang()})
		}
		groups = append(groups, made)
	}
	for source, p := range s.pages {
		if !placed[source] {
			s.problems = append(s.problems, source+" has no place in the navigation")
		}
		if name, ok := strings.CutPrefix(source, "docs/zh-TW/"); ok {
			if english, ok := s.pages["docs/"+name]; ok {
				p.other, english.other = english.out, p.out
			}
		}
	}
	return groups
}

// navTitle is a page's title, without what is the same for all of its group.
func navTitle(p *page) string {
	if p.source == "README.md" {
		return "Overview"
	}
	if short, ok := strings.CutPrefix(p.title, "kubectl noderole "); ok {
		return short
	}
	return p.title
}
