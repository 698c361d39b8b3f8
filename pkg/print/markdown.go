package print

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Limits of the Markdown report, in bytes. GitHub takes 65,536 characters in a
// comment.
const (
	maxMarkdown = 65536
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
	d := &markdown{}
	d.head(r)
	d.roles(r.NodeRoles)
	if r.AWSNode.Text != "" {
		d.add(markdownRest, "aws-node "+escape(clip(r.AWSNode.Text, 4*maxName))+"\n\n")
	}
	d.findings(r.Results)
	d.unknowns(r.Results, r.Missing)
	d.excused(r.Results)
	for _, n := range r.NotEvaluated {
		d.add(markdownRest, "Not judged: "+escape(clip(n, 4*maxName))+"\n\n")
	}
	d.foot(o.Version)
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
	var errs, warnings, infos, unknown, passed, excused int
	for _, res := range r.Results {
		switch res.Status {
		case finding.Pass:
			passed++
		case finding.Unknown:
			unknown++
		case finding.NotApplicable:
		case finding.Fail, finding.Depends:
			switch res.Weight() {
			case finding.Error:
				errs++
			case finding.Warning:
				warnings++
			case finding.Info:
				infos++
			default:
				excused++
			}
		}
	}
	fmt.Fprintf(&d.b, "### kubectl noderole: %s, %s in %s\n\n", count(errs, "error"), count(warnings, "warning"), escape(clip(r.Cluster.Name, maxName)))
	line := fmt.Sprintf("%d passed, %d not checked", passed, unknown)
	if len(r.Missing) > 0 {
		line += ", " + count(len(r.Missing), "fact") + " could not be read"
	}
	if infos > 0 {
		line += fmt.Sprintf(", %d for information", infos)
	}
	if excused > 0 {
		line += fmt.Sprintf(", %d excused", excused)
	}
	fmt.Fprintf(&d.b, "%s. Cluster %s\n\n", line, escape(clip(r.Cluster.ARN, maxName)))
}

// roles writes the table of node roles.
func (d *markdown) roles(rows []finding.RoleRow) {
	if len(rows) == 0 {
		d.b.WriteString("No node role was found.\n\n")
		return
	}
	header := "| Node role | Used by |"
	for _, c := range finding.Concerns {
		header += " " + strings.ToUpper(string(c)) + " |"
	}
	d.b.WriteString(header + "\n|" + strings.Repeat(" --- |", 2+len(finding.Concerns)) + "\n")
	for i, r := range rows {
		used := oneLine(strings.ReplaceAll(sourcesText(r.Sources, len(r.Sources)), hardSpace, " "))
		row := "| " + escape(clip(r.Name, maxName)) + " | " + escape(clip(used, maxName)) + " |"
		for _, c := range finding.Concerns {
			word, _ := verdictWord(r.Verdicts, c)
			if word == "FAIL" {
				word = "**FAIL**"
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

// findings writes what counts, worst first: an expired exception counts as an error.
func (d *markdown) findings(results []finding.Result) {
	var found []finding.Result
	for _, r := range results {
		if r.Weight() != "" {
			found = append(found, r)
		}
	}
	for i, r := range found {
		if !d.add(markdownFindings, findingBlock(r, r.Evidence)) && !d.add(markdownFindings, findingBlock(r, nil)) {
			d.leftOut += len(found) - i
			return
		}
	}
}

// findingBlock is a finding with its evidence folded.
func findingBlock(r finding.Result, evidence []string) string {
	word := "may"
	if r.Status == finding.Fail || r.Weight() == finding.Error {
		word, _ = severityWord(r.Weight())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s [%s](%s%s.md) %s\n\n", word, escape(r.ID), rulePages, pathSegment(r.ID), escape(r.Message))
	if e := excuse(r); e != "" {
		b.WriteString(escape(e) + "\n\n")
	}
	if r.Impact != "" {
		b.WriteString(escape(r.Impact) + "\n\n")
	}
	b.WriteString(nextBlocks(r.Next))
	if len(evidence) > 0 {
		b.WriteString("<details><summary>Evidence</summary>\n\n")
		b.WriteString(evidenceList(evidence))
		b.WriteString("\n</details>\n\n")
	}
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

// unknowns writes what was not checked, the rules with one reason together, and
// the calls behind it.
func (d *markdown) unknowns(results []finding.Result, missing []finding.Missing) {
	var order []string
	groups := map[string][]finding.Result{}
	for _, r := range results {
		if r.Status == finding.Unknown {
			key := fmt.Sprint(r.Subject, len(r.Evidence), r.Evidence)
			if groups[key] == nil {
				order = append(order, key)
			}
			groups[key] = append(groups[key], r)
		}
	}
	var blocks []string
	for _, key := range order {
		var ids []string
		for _, r := range groups[key] {
			if !slices.Contains(ids, escape(r.ID)) {
				ids = append(ids, escape(r.ID))
			}
		}
		first := groups[key][0]
		line := "- " + strings.Join(ids, ", ") + ": " + escape(first.Message)
		if len(ids) > 1 {
			line = "- " + strings.Join(ids, ", ") + ": not checked for " + escape(first.Subject.Name)
		}
		for _, e := range first.Evidence {
			line += "; " + escape(e)
		}
		blocks = append(blocks, line+"\n")
	}
	for _, m := range missing {
		blocks = append(blocks, "- "+escape(unreadLine(m))+"\n")
	}
	d.addAll(markdownRest, "#### Not checked\n\n", blocks)
}

// excused writes what does not count, with the reason.
func (d *markdown) excused(results []finding.Result) {
	var blocks []string
	for _, r := range results {
		if (r.Status == finding.Fail || r.Status == finding.Depends) && r.Excused() {
			blocks = append(blocks, "- "+escape(r.ID)+" "+escape(r.Message)+": "+escape(excuse(r))+"\n")
		}
	}
	d.addAll(markdownRest, "#### Excused\n\n", blocks)
}

// foot is written into the space that the other parts leave.
func (d *markdown) foot(version string) {
	if d.leftOut > 0 {
		fmt.Fprintf(&d.b, "… and %d more; `kubectl noderole check` shows all\n\n", d.leftOut)
	}
	if version != "" {
		d.b.WriteString("kubectl noderole " + escape(clip(version, maxName)) + "\n")
	}
}

// listStart is what makes a list of a line: 1. or 1) or -.
var listStart = regexp.MustCompile(`^(\d*)([.)-])`)

// escape makes text of one line that shows in GitHub's Markdown as what it is: no
// markup, no HTML, no cell's end. Nobody is mentioned by it and no issue is linked.
func escape(s string) string {
	var b strings.Builder
	for _, c := range oneLine(s) {
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
	return listStart.ReplaceAllString(b.String(), `$1\$2`)
}

// codeBlock is a block of commands behind a fence that none of them can end.
func codeBlock(command string) string {
	fence := "```"
	for strings.Contains(command, fence) {
		fence += "`"
	}
	return fence + "sh\n" + command + "\n" + fence + "\n\n"
}

// nextBlocks are what to do: each command in a code block, and what is to be known of
// it in words above it.
func nextBlocks(list []finding.Next) string {
	var b strings.Builder
	for _, n := range list {
		words := escape(n.Note)
		if n.Link != "" {
			words = strings.TrimSpace(words + " " + escape(n.Link))
		}
		if words != "" {
			b.WriteString(words + "\n\n")
		}
		if n.Text != "" {
			b.WriteString(codeBlock(n.Text))
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
