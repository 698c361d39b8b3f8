package print

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// cell is a word of a table.
type cell struct {
	text  string
	paint text.Style
}

// gridRow is a row of a grid.
type gridRow struct {
	// name is the first cell, and is never cut.
	name  string
	cells []cell
	// last returns the lines of the last cell, at most so many columns wide where
	// words allow it.
	last func(limit int) []string
	// below are lines under the row.
	below []string
}

// grid is a table of a name, short words, and a last column that wraps.
type grid struct {
	head  []string
	rows  []gridRow
	width int
	color bool
}

// minLast is what the last column keeps however long the names are.
const minLast = 16

// lines lays the table out. Where names are so long that nothing is left for the
// rest, the longest get lines of their own.
func (g grid) lines() []string {
	words := g.head[1 : len(g.head)-1]
	sizes := make([]int, len(words))
	middle := 0
	for i, w := range words {
		sizes[i] = columns(w)
		for _, r := range g.rows {
			sizes[i] = max(sizes[i], columns(r.cells[i].text))
		}
		middle += sizes[i] + 2
	}
	name := columns(g.head[0])
	for _, r := range g.rows {
		if n := columns(r.name); n <= g.width-middle-2-minLast {
			name = max(name, n)
		}
	}
	left := name + middle + 2
	limit := g.width - left
	// Where the words are so many that nothing is left, the last column is below.
	title, lead := "  "+g.head[len(g.head)-1], ""
	below := limit < minLast
	if below {
		title, lead = "", "  "+strings.ToLower(g.head[len(g.head)-1])+": "
		limit = g.width - columns(lead)
	}

	head := pad(g.head[0], name)
	for i, w := range words {
		head += "  " + pad(w, sizes[i])
	}
	lines := []string{text.Bold.Paint(g.color, head+title)}
	for _, r := range g.rows {
		line := pad(r.name, name)
		if columns(r.name) > name {
			lines = append(lines, r.name)
			line = pad("", name)
		}
		for i, c := range r.cells {
			line += "  " + c.paint.Paint(g.color, c.text) + strings.Repeat(" ", sizes[i]-columns(c.text))
		}
		for i, l := range r.last(limit) {
			switch {
			case below && i == 0:
				lines = append(lines, line, lead+l)
			case below:
				lines = append(lines, strings.Repeat(" ", columns(lead))+l)
			case i == 0:
				lines = append(lines, line+"  "+l)
			default: // a name too long for the column moves to the left as far as it must
				lines = append(lines, strings.Repeat(" ", max(2, min(left, g.width-columns(l))))+l)
			}
		}
		lines = append(lines, r.below...)
	}
	return lines
}

// Grid writes a table with a head. The first column holds names, which are never
// cut; a name that leaves no room for the rest gets a line of its own. The
// last column wraps. A width of 0 writes a line for each row, however long.
func Grid(w io.Writer, head []string, rows [][]string, width int) error {
	oneLine := width == 0
	if oneLine {
		width = 1 << 20
	}
	g := grid{head: head, width: width}
	for _, row := range rows {
		r := gridRow{name: text.Visible(row[0])}
		for _, value := range row[1 : len(row)-1] {
			r.cells = append(r.cells, cell{text: text.Visible(value)})
		}
		last := text.Visible(row[len(row)-1])
		r.last = func(limit int) []string { return wrap(last, limit) }
		g.rows = append(g.rows, r)
	}
	for _, l := range g.lines() {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " ")); err != nil {
			return err
		}
	}
	return nil
}
