package print

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Limits of the Markdown report, in bytes. GitHub takes 65,536 characters in a
// comment; the rest is for the one who posts it, such as the action's marker.
const (
	maxMarkdown = 65536 - 512
	// markdownRoles and markdownFindings are how far the node roles and the findings
	// may go, so that what was not checked is shown too.
	markdownRoles    = maxMarkdown / 4
	markdownFindings = maxMarkdown * 3 / 4
	markdownRest     = maxMarkdown - 1024 // what was left out is said after it
	maxName          = 256
	maxEvidenceLines = 30
)

// writeMarkdown writes GitHub's Markdown for a comment on a pull request. No name
// or policy text in it is read as Markdown or HTML.
func writeMarkdown(w io.Writer, r *finding.Report, o Options) error {
	r = cleaned(r, text.Visible)
	m := newModel(r, everything)
	d := &markdown{}
	d.head(r)
	d.roles(r.NodeRoles)
	if r.AWSNode.Text != "" {
		d.add(markdownRest, "aws-node "+escape(clip(r.AWSNode.Text, 4*maxName))+"\n\n")
	}
	d.findings(m.findings)
	d.unknowns(m.unknown, r.Missing)
	d.excepted(m.excepted)
	for _, n := range r.Derived {
		d.add(markdownRest, "Derived: "+escape(clip(n, 4*maxName))+"\n\n")
	}
	for _, n := range r.NotEvaluated {
		d.add(markdownRest, "Not evaluated: "+escape(clip(n, 4*maxName))+"\n\n")
	}
	d.foot(o.Version, r.Facts)
	_, err := io.WriteString(w, d.b.String())
	return err
}

// markdown is the text so far and the number of items that had no place in it.
type markdown struct {
	b       strings.Builder
	leftOut int
}

// add appends a block unless the text would then be longer than limit.
func (d *markdown) add(limit int, block string) bool {
	if d.b.Len()+len(block) > limit {
		return false
	}
	d.b.WriteString(block)
	return true
}

// addAll appends blocks as long as they fit and counts the others.
func (d *markdown) addAll(limit int, heading string, blocks []string) {
	if len(blocks) == 0 {
		return
	}
	d.add(limit, heading)
	for i, block := range blocks {
		if !d.add(limit, block) {
			d.leftOut += len(blocks) - i
			break
		}
	}
	d.b.WriteString("\n")
}

func (d *markdown) head(r *finding.Report) {
	counts := summaryCounts(r.Summary)
	fmt.Fprintf(&d.b, "### kubectl noderole: %s in %s\n\n", strings.Join(counts[:2], ", "), escape(clip(r.Cluster.Name, maxName)))
	line := strings.Join(counts[2:], ", ")
	if len(r.Missing) > 0 {
		line += ", " + text.Count(len(r.Missing), "fact") + " could not be read"
	}
	fmt.Fprintf(&d.b, "%s. Cluster %s\n\n", line, escape(clip(r.Cluster.ARN, maxName)))
}

// roles writes the table of node roles.
func (d *markdown) roles(rows []finding.RoleRow) {
	if len(rows) == 0 {
		d.b.WriteString("No node role was found.\n\n")
		return
	}
	header := "| Node role | Used by (nodes) |"
	for _, c := range finding.Concerns {
		header += " " + strings.ToUpper(string(c)) + " |"
	}
	d.b.WriteString(header + "\n|" + strings.Repeat(" --- |", 2+len(finding.Concerns)) + "\n")
	for i, r := range rows {
		used := strings.ReplaceAll(sourcesText(r.Sources, len(r.Sources)), hardSpace, " ")
		row := "| " + escape(clip(r.Name, maxName)) + " | " + escape(clip(used, maxName)) + " |"
		for _, c := range finding.Concerns {
			word := verdictLabel(r.Verdicts, c).Word
			if word == labelError.Word {
				word = "**" + word + "**"
			}
			row += " " + word + " |"
		}
		if !d.add(markdownRoles, row+"\n") {
			fmt.Fprintf(&d.b, "\n… and %d more node roles\n", len(rows)-i)
			break
		}
	}
	d.b.WriteString("\n")
}

// findings writes what counts.
func (d *markdown) findings(found []entry) {
	for i, e := range found {
		if !d.add(markdownFindings, findingBlock(e, true)) && !d.add(markdownFindings, findingBlock(e, false)) {
			d.leftOut += len(found) - i
			return
		}
	}
}

// findingBlock is a finding with its evidence folded, and below it what only follows
// from it.
func findingBlock(e entry, evidence bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s [%s](%s%s.md) %s\n\n", e.Word, escape(e.ID), rulePages, pathSegment(e.ID), escape(e.Message))
	for _, words := range []string{exceptionWords(e.Result), explainedBy(e.Result), e.Impact} {
		if words != "" {
			b.WriteString(escape(words) + "\n\n")
		}
	}
	b.WriteString(nextBlocks(e.advice))
	if evidence && len(e.Evidence) > 0 {
		b.WriteString("<details><summary>Evidence</summary>\n\n" + evidenceList(e.Evidence) + "\n</details>\n\n")
	}
	if len(e.explains) == 0 {
		return b.String()
	}
	var explains []string
	for i, s := range e.explains {
		if i == maxEvidenceLines {
			explains = append(explains, fmt.Sprintf("and %d more", len(e.explains)-i))
			break
		}
		line := symptomText(s)
		if evidence && len(s.Evidence) > 0 {
			line += "; " + strings.Join(s.Evidence, "; ")
		}
		explains = append(explains, line)
	}
	b.WriteString("<details><summary>Also explains</summary>\n\n" + evidenceList(explains) + "\n</details>\n\n")
	return b.String()
}

func evidenceList(evidence []string) string {
	var b strings.Builder
	for i, e := range evidence {
		if i == maxEvidenceLines {
			fmt.Fprintf(&b, "- … and %d more\n", len(evidence)-i)
			break
		}
		b.WriteString("- " + escape(e) + "\n")
	}
	return b.String()
}

// unknowns writes the verdicts that are unknown, those with one reason together, and
// the calls behind them.
func (d *markdown) unknowns(groups []unknownGroup, missing []finding.Missing) {
	var blocks []string
	for _, g := range groups {
		line := escape(g.title())
		if g.verdicts() == 1 {
			line = escape(g.first.ID) + ": " + line
		}
		for _, words := range slices.Concat(g.rules(), g.first.Evidence) {
			line += "; " + escape(words)
		}
		blocks = append(blocks, "- "+line+"\n")
	}
	for _, m := range missing {
		blocks = append(blocks, "- "+escape(unreadLine(m))+"\n")
	}
	d.addAll(markdownRest, "#### Unknown\n\n", blocks)
}

// excepted writes what does not count, with the reason.
func (d *markdown) excepted(list []entry) {
	var blocks []string
	for _, e := range list {
		blocks = append(blocks, "- "+escape(e.ID)+" "+escape(e.Message)+": "+escape(exceptionWords(e.Result))+"\n")
	}
	d.addAll(markdownRest, "#### Excepted\n\n", blocks)
}

// foot is written into the space that the other parts leave.
func (d *markdown) foot(version string, facts finding.Facts) {
	if d.leftOut > 0 {
		fmt.Fprintf(&d.b, "… and %d more; `kubectl noderole check` shows all\n\n", d.leftOut)
	}
	if version != "" {
		words := append([]string{strings.TrimSpace("kubectl noderole " + version)}, factsText(facts)...)
		d.b.WriteString(escape(clip(strings.Join(words, ", "), 4*maxName)) + "\n")
	}
}

// listStart is what makes a list of a line: 1. or 1) or -.
var listStart = text.Pattern(`^(\d*)([.)-])`)

// escape makes a line of safe characters show in GitHub's Markdown as what it is: no
// markup, no HTML, no cell's end. Nobody is mentioned by it and no issue is linked. Spaces
// around it are left out: four of them at the start of a list item begin a code block.
func escape(s string) string {
	var b strings.Builder
	for _, c := range strings.TrimSpace(s) {
		switch c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '@':
			b.WriteString("@&#8203;")
		case '#':
			b.WriteString(`\#&#8203;`)
		case '\\', '`', '*', '_', '[', ']', '|', '~', '+', '=', '$', '!':
			b.WriteString(`\` + string(c))
		default:
			b.WriteRune(c)
		}
	}
	return listStart().ReplaceAllString(notLinked.Replace(b.String()), `$1\$2`)
}

// notLinked keeps GitHub from making a link of an address in foreign text: what escape
// writes would become a part of it.
var notLinked = strings.NewReplacer("://", `:\//`, "www.", `www\.`, "WWW.", `WWW\.`, "Www.", `Www\.`)

// plainLink is a link that GitHub turns into a link.
var plainLink = text.Pattern(`^https://[A-Za-z0-9./-]+(#[A-Za-z][A-Za-z0-9-]*)?$`)

// linkTo is a link that can be followed; an odd one is only shown.
func linkTo(link string) string {
	if plainLink().MatchString(link) {
		return link
	}
	return escape(link)
}

// codeBlock is a block of commands.
func codeBlock(command string) string { return fenced("sh", command) }

// fenced is a block of code behind a fence that nothing in it can end.
func fenced(language, code string) string {
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	return fence + language + "\n" + code + "\n" + fence + "\n\n"
}

// nextBlocks are what to do: each command in a code block, and what to know about
// it in words below it.
func nextBlocks(list []finding.Next) string {
	var b strings.Builder
	for _, n := range list {
		if n.Text != "" {
			b.WriteString(codeBlock(n.Text))
		}
		words := escape(n.Note)
		if n.Link != "" {
			words = strings.TrimSpace(words + " " + linkTo(n.Link))
		}
		if words != "" {
			b.WriteString(words + "\n\n")
		}
	}
	return b.String()
}

// clip shortens text to at most limit characters.
func clip(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return s
}
