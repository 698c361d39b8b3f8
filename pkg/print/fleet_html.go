package print

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// fleetPage is what the template of a fleet prints.
type fleetPage struct {
	Style           template.CSS
	Policy          string
	Title, Headline string
	Tone            tone
	Facts           []string
	Tiles           []tile
	Steps           []fleetStep
	Unread          []unreadRow
	Rows, Clean     []fleetRow
	Findings        []fleetItem
	Across          []item
	Unknown         []unknownFleetItem
	Missing         []string
	Skipped         []finding.Skipped
	Version         string
}

// unknownFleetItem is a result about several clusters that is unknown.
type unknownFleetItem struct {
	Title    string
	Evidence []string
}

type unreadRow struct{ Name, Reason string }

type fleetRow struct {
	Name, ARN, Where, Results string
	// Place is the account, the region and the group, as far as they are known.
	Place    []string
	Verdicts []verdictCell
}

type fleetItem struct {
	label
	finding.FleetFinding
	Words, Link string
	// Alone is set where Words says all of it.
	Alone bool
}

// fleetTable is some rows with the heads of their columns.
type fleetTable struct {
	Concerns []string
	Rows     []fleetRow
}

// Table returns rows with the heads of their columns.
func (p *fleetPage) Table(rows []fleetRow) fleetTable { return fleetTable{concernTitles(), rows} }

func concernTitles() []string {
	var titles []string
	for _, c := range finding.Concerns {
		titles = append(titles, strings.ToUpper(string(c)))
	}
	return titles
}

// writeFleetHTML writes the page of a fleet, from which the pages of its clusters are
// reached where there are any. It asks no server for anything and runs no script.
func writeFleetHTML(w io.Writer, f *finding.FleetReport, o Options) error {
	t, err := htmlTemplate()
	if err != nil {
		return err
	}
	var b bytes.Buffer // so that a page is whole or not there
	if err := t.ExecuteTemplate(&b, "fleet", newFleetPage(cleaned(f, text.Visible), o)); err != nil {
		return fmt.Errorf("fill in the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func newFleetPage(f *finding.FleetReport, o Options) *fleetPage {
	p := &fleetPage{Title: strings.ReplaceAll(fleetTitle(f), "  ", ", "), Facts: fleetFacts(f.Facts), Skipped: f.Skipped, Version: o.Version}
	p.Style, p.Policy = pageStyle()
	p.Headline, p.Tone = fleetHeadline(f)
	s := f.Summary
	p.Tiles = []tile{
		{Count: s.Errors, Label: "with errors", Tone: toneBad},
		{Count: s.Warnings, Label: "with warnings", Tone: toneCaution},
		{Count: s.Infos, Label: "with infos", Tone: toneNote},
		{Count: s.Clean, Label: "without findings", Tone: toneGood},
		{Count: s.Incomplete, Label: "not read in full", Tone: toneUnknown},
		{Count: s.NotRead, Label: "not read", Tone: toneUnknown},
	}
	p.Steps = fleetNext(f, manyRoles)
	for _, c := range f.Clusters {
		if !c.Read {
			p.Unread = append(p.Unread, unreadRow{rowName(c), c.Reason})
		}
		row := fleetRow{
			Name: clusterName(c), ARN: c.Cluster.ARN, Place: slices.DeleteFunc([]string{c.Cluster.Account, c.Cluster.Region, c.Group}, func(s string) bool { return s == "" }),
			Results: strings.ReplaceAll(clusterResults(c), hardSpace, " "),
		}
		if o.Page != nil && c.Cluster.ARN != "" {
			row.Where = o.Page(c)
		}
		for _, concern := range finding.Concerns {
			l := rowLabel(c, concern)
			row.Verdicts = append(row.Verdicts, l)
		}
		if c.Complete() && fine(c) && len(f.Clusters) > manyRoles {
			p.Clean = append(p.Clean, row)
		} else {
			p.Rows = append(p.Rows, row)
		}
	}
	for _, g := range f.Findings {
		p.Findings = append(p.Findings, fleetItem{findingLabel(g), g, findingWords(g, s.Planned, o.Rules), rulePages + pathSegment(g.ID) + ".md", alone(g)})
	}
	docs := map[string]finding.RuleDoc{}
	for _, d := range o.Rules {
		docs[d.ID] = d
	}
	m := newModel(f.Across(), everything)
	for i, e := range slices.Concat(m.findings, m.excepted) {
		p.Across = append(p.Across, newItem(e, fmt.Sprintf("across-%d", i+1), docs))
	}
	for _, g := range m.unknown {
		p.Unknown = append(p.Unknown, unknownFleetItem{g.title(), g.first.Evidence})
	}
	for _, m := range f.Missing {
		p.Missing = append(p.Missing, missingWords(m))
	}
	return p
}
