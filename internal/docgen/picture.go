package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

// pictures writes the README's pictures: the table as a terminal shows it, and the
// diagram of the HTML page, both of the built-in example.
func pictures() error {
	table, err := output("check", "--example=broken", "--color=always")
	if err != nil {
		return err
	}
	page, err := output("check", "--example=broken", "-o", "html")
	if err != nil {
		return err
	}
	diagram, err := diagramOf(page)
	if err != nil {
		return err
	}
	dir := filepath.Join("docs", "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const lines = 40
	if err := os.WriteFile(filepath.Join(dir, "check.svg"), []byte(terminalSVG("kubectl noderole check --example", table, lines)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.svg"), []byte(diagram), 0o644)
}

// output runs the command line and returns what it prints. The example has findings, so
// that its exit code is 1.
func output(args ...string) (string, error) {
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut}
	if code := cli.Main(context.Background(), streams, append(args, "--no-config")); code != cli.ExitFindings {
		return "", fmt.Errorf("%s exits with %d: %s", strings.Join(args, " "), code, errOut.String())
	}
	return out.String(), nil
}

// sgr is a sequence that sets a colour or a weight.
var sgr = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// styles are the attributes of text by the number of the sequence that asks for it.
var styles = map[string]string{
	"1": `font-weight="bold"`, "2": `fill="#8b949e"`, "31": `fill="#ff7b72"`, "32": `fill="#7ee787"`, "33": `fill="#e3b341"`, "36": `fill="#79c0ff"`,
}

// terminalSVG draws the first lines of a program's output, below the command that
// printed it.
func terminalSVG(command, text string, lines int) string {
	const columns, charWidth, lineHeight, margin = 84, 8.4, 18, 16
	all := append([]string{"\x1b[2m$\x1b[0m " + command}, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
	if len(all) > lines {
		all = append(all[:lines], "\x1b[2m…\x1b[0m")
	}
	width, height := columns*charWidth+2*margin, float64(len(all)*lineHeight+2*margin)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s in a terminal">
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3">
`, width, height, width, height, escaped(command))
	for i, line := range all {
		column := 0
		y := margin + (i+1)*lineHeight - 5
		for _, part := range parts(line) {
			for _, run := range runOfWords.FindAllStringIndex(part.text, -1) {
				words := part.text[run[0]:run[1]]
				x := margin + float64(column+utf8.RuneCountInString(part.text[:run[0]]))*charWidth
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`+"\n",
					x, y, float64(utf8.RuneCountInString(words))*charWidth, part.style, escaped(words))
			}
			column += utf8.RuneCountInString(part.text)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// runOfWords is text without two spaces in a row, which a viewer would draw as one.
var runOfWords = regexp.MustCompile(`\S+( \S+)*`)

// part is text of one style.
type part struct{ text, style string }

// parts takes a line apart where its style changes, and cuts it at the edge of the
// picture.
func parts(line string) []part {
	const edge = 84
	var list []part
	style, used := "", 0
	for len(line) > 0 {
		at := sgr.FindStringSubmatchIndex(line)
		text := line
		if at != nil {
			text = line[:at[0]]
		}
		if n := utf8.RuneCountInString(text); used+n > edge {
			text = string([]rune(text)[:max(0, edge-used-1)]) + "…"
			at = nil
		}
		if text != "" {
			list = append(list, part{text, style})
			used += utf8.RuneCountInString(text)
		}
		if at == nil {
			return list
		}
		style = styles[line[at[2]:at[3]]]
		line = line[at[1]:]
	}
	return list
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}

var (
	pageStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	pageDefs   = regexp.MustCompile(`(?s)<svg class="sprite".*?<defs>(.*?)</defs>`)
	pageFigure = regexp.MustCompile(`(?s)<svg class="picture" viewBox="([-0-9. ]+)"([^>]*)>(.*?)</svg></div>`)
)

// diagramOf takes the diagram out of the HTML page, with the style and the symbols that
// it uses, as a picture of its own.
func diagramOf(page string) (string, error) {
	style, defs, figure := pageStyle.FindStringSubmatch(page), pageDefs.FindStringSubmatch(page), pageFigure.FindStringSubmatch(page)
	if style == nil || defs == nil || figure == nil {
		return "", errors.New("the HTML page has no diagram in the form that docs/images/report.svg is made from")
	}
	box := strings.Fields(figure[1])
	if len(box) != 4 {
		return "", fmt.Errorf("the diagram's viewBox is %q", figure[1])
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="picture" width="%s" height="%s" viewBox="%s" %s>
<style><![CDATA[%s]]></style><defs>%s</defs>
<rect x="-2" width="100%%" height="100%%" fill="#fff"/>%s</svg>
`, box[2], box[3], figure[1], strings.TrimSpace(figure[2]), style[1], defs[1], figure[3]), nil
}
