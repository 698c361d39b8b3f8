package print_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	visible "github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// nasty is what a name may hold to break out of a format.
var nasty = []string{
	"<script>alert(1)</script>", "</details>", "<!--", "-->", "|", "\\|", "a|b|c", "`", "```", "~~~", "````sh", "]]>", "<![CDATA[", "&amp;", "&", "\"", "'",
	"\x00", "\x07", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\ufffe", "\n", "\r\n", "\n\n# title\n\n", "\n| x |\n", "\xff", "\xc3\x28", "\xed\xa0\x80",
	"@somebody", "owner/repo#12", "[text](https://example.com)", "](", "![x](y)", "* ", "- ", "1. ", "# ", "> ", "---", "===", "**b**", "__b__", "~~s~~",
	"{0}", "{{.}}", "${x}", "%s", "\u202ereversed", "\U0001F600", "plain", " ", "", "/", "..", "?", "https://example.com/a_b", "yes", "null", "0x1", ": ",
	"arn:aws:iam::111122223333:role/path/name+=,.@-_", strings.Repeat("long", 15),
}

func hostile() *rapid.Generator[string] {
	part := rapid.OneOf(rapid.SampledFrom(nasty), rapid.String())
	return rapid.Map(rapid.SliceOfN(part, 0, 4), func(parts []string) string { return strings.Join(parts, "") })
}

func hostileReport(t *rapid.T) *finding.Report {
	word := hostile()
	draw := func(name string) string { return word.Draw(t, name) }
	lines := rapid.SliceOfN(word, 0, 3)
	nexts := rapid.Custom(func(t *rapid.T) finding.Next {
		arg := strings.ReplaceAll(word.Draw(t, "argument"), "\x00", "")
		return rapid.SampledFrom([]finding.Next{
			finding.Run(command.AWS("iam", "get-role", "--role-name", arg)), finding.Advise(word.Draw(t, "advice")),
			finding.Run(command.Kubectl("get", "node").WithPlaceholder("NAME")).With(arg).See("https://example.com/" + arg),
		}).Draw(t, "next")
	})
	results := rapid.Custom(func(t *rapid.T) finding.Result {
		r := finding.Result{
			ID: rapid.SampledFrom([]string{"NR201", "NR205", word.Draw(t, "id")}).Draw(t, "ids"), Rule: word.Draw(t, "rule"),
			Status:   rapid.SampledFrom([]finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}).Draw(t, "status"),
			Severity: rapid.SampledFrom([]finding.Severity{finding.Error, finding.Warning, finding.Info}).Draw(t, "severity"),
			Subject:  finding.Subject{Kind: finding.SubjectKind(word.Draw(t, "kind")), Name: word.Draw(t, "subject"), ARN: word.Draw(t, "arn")},
			Message:  word.Draw(t, "message"), Evidence: lines.Draw(t, "evidence"), Impact: word.Draw(t, "impact"), Next: rapid.SliceOfN(nexts, 0, 3).Draw(t, "next"),
			Known: rapid.Bool().Draw(t, "known"),
		}
		if rapid.Bool().Draw(t, "excepted") {
			r.Exception = &finding.Exception{Reason: word.Draw(t, "reason"), Source: word.Draw(t, "source"), Expires: word.Draw(t, "expires"), Expired: rapid.Bool().Draw(t, "expired")}
		}
		return r
	})
	rows := rapid.Custom(func(t *rapid.T) finding.RoleRow {
		return finding.RoleRow{
			Name: word.Draw(t, "role"), ARN: word.Draw(t, "arn"), Sources: []finding.Source{{Kind: "node group", Name: word.Draw(t, "source")}},
			Verdicts: map[finding.Concern]finding.Verdict{finding.ConcernCNI: {Status: finding.Fail, Severity: finding.Error}},
		}
	})
	r := &finding.Report{
		Cluster:   finding.ClusterInfo{Name: draw("cluster"), ARN: draw("cluster ARN"), Region: draw("region"), Account: draw("account")},
		NodeRoles: rapid.SliceOfN(rows, 1, 4).Draw(t, "node roles"), AWSNode: finding.AWSNodeInfo{Text: draw("aws-node")},
		Results: rapid.SliceOfN(results, 0, 5).Draw(t, "results"), NotEvaluated: lines.Draw(t, "not evaluated"),
	}
	if rapid.Bool().Draw(t, "missing") {
		r.Missing = []finding.Missing{{Fact: draw("fact"), Subject: draw("missing subject"), Operation: draw("operation"), Error: draw("error")}}
	}
	for i := range r.Results {
		if !rapid.Bool().Draw(t, "symptom") {
			continue
		}
		r.Results[i].Next = nil
		for range rapid.IntRange(1, 3).Draw(t, "causes") {
			cause := rapid.SampledFrom(r.Results).Draw(t, "cause").Ref()
			if rapid.Bool().Draw(t, "gone") {
				cause.ID = draw("gone cause")
			}
			r.Results[i].Causes = append(r.Results[i].Causes, cause)
		}
	}
	r.Recount()
	return r
}

// TestHostileNames: whatever names and texts hold, each format stays what it is, and
// says as much as without it.
func TestHostileNames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := hostileReport(rt)
		counts := map[finding.Status]int{}
		for _, res := range r.Results {
			counts[res.Status]++
		}
		folded := r.Summary.Explained

		log := readSARIF(t, write(t, "sarif", r))
		if want, got := len(r.Results)-counts[finding.Pass]-counts[finding.NotApplicable]-folded, len(log.Runs[0].Results); got != want {
			rt.Errorf("SARIF has %d results, want %d", got, want)
		}
		for _, res := range log.Runs[0].Results {
			uri := res.Locations[0].PhysicalLocation.ArtifactLocation.URI
			if !relativeURI.MatchString(uri) {
				rt.Errorf("%q is no plain relative URI", uri)
			}
			if strings.Contains(res.Message.Text, "](") {
				rt.Errorf("the message has a link: %q", res.Message.Text)
			}
		}

		junit := readJUnit(t, write(t, "junit", r))
		if want := len(r.Results) + len(r.Missing); junit.Tests != want {
			rt.Errorf("JUnit has %d tests, want %d", junit.Tests, want)
		}
		if want := counts[finding.Unknown] + len(r.Missing); junit.Errors != want {
			rt.Errorf("JUnit has %d errors, want %d: what is unknown never looks green", junit.Errors, want)
		}

		report := readClusterReport(t, write(t, "openreports", r))
		if errs := validation.IsDNS1123Subdomain(report.Metadata.Name); errs != nil {
			rt.Errorf("name %q: %v", report.Metadata.Name, errs)
		}
		for key, value := range report.Metadata.Labels {
			if errs := slices.Concat(validation.IsValidLabelValue(value), validation.IsQualifiedName(key)); errs != nil {
				rt.Errorf("label %s=%q: %v", key, value, errs)
			}
		}
		total := 0
		for _, n := range report.Summary {
			total += n
		}
		want := len(r.Results) + len(r.Missing)
		if !r.Complete() {
			want++ // one result says so
		}
		if len(report.Results) != want || total != want {
			rt.Errorf("the ClusterReport has %d results and counts %d, want %d", len(report.Results), total, want)
		}

		all := outputs(rt, r)
		checkMarkdown(rt, r, all["markdown"])
		checkCommands(rt, r, all["html"], all["markdown"])
		checkSafe(rt, all)
	})
}

// outputs is the report in every format.
func outputs(t tester, r *finding.Report) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, format := range print.Formats() {
		all[format] = write(t, format, r)
	}
	for name, writeTo := range map[string]func(io.Writer, any) error{"json": print.JSON, "yaml": print.YAML, "kyaml": print.KYAML} {
		var b strings.Builder
		if err := writeTo(&b, r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = b.String()
	}
	all["table"] = render(t, r, print.TableOptions{})
	all["wide"] = render(t, r, print.TableOptions{Wide: true, Show: []finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}})
	return all
}

// checkSafe: no format has a character that steers a terminal or cannot be seen, each
// form of YAML can be read, and json and yaml hold the same data. (The encoder of kyaml
// writes a vertical tab beside a line break as another text.)
func checkSafe(t tester, all map[string]string) {
	for format, out := range all {
		if i := unsafe(out); i >= 0 {
			t.Errorf("%s has an unsafe character: %q", format, out[max(0, i-40):min(len(out), i+40)])
		}
	}
	var fromJSON, fromYAML, fromKYAML any
	if err := json.Unmarshal([]byte(all["json"]), &fromJSON); err != nil {
		t.Errorf("json: %v", err)
	}
	if err := yaml.Unmarshal([]byte(all["yaml"]), &fromYAML); err != nil {
		t.Errorf("yaml: %v", err)
	}
	if err := yaml.Unmarshal([]byte(all["kyaml"]), &fromKYAML); err != nil {
		t.Errorf("kyaml: %v", err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("json and yaml differ: %s", diff)
	}
}

// checkCommands: what stands where a command is to be copied from is one, and nothing
// else: the shell blocks of Markdown and the command elements of the page.
func checkCommands(t tester, r *finding.Report, page, comment string) {
	commands := map[string]bool{}
	for _, res := range r.Results {
		for _, n := range res.Next {
			commands[n.Text] = true
		}
	}
	for _, m := range commandElement.FindAllStringSubmatch(page, -1) {
		if got := html.UnescapeString(m[1]); !commands[got] {
			t.Errorf("the page has the command %q", got)
		}
	}
	source := []byte(comment)
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if block, ok := n.(*ast.FencedCodeBlock); ok && entering {
			if got := strings.TrimSuffix(string(block.Lines().Value(source)), "\n"); !commands[got] {
				t.Errorf("Markdown has the command %q", got)
			}
		}
		return ast.WalkContinue, nil
	})
}

var commandElement = regexp.MustCompile(`(?s)<pre class="command"><code>(.*?)</code></pre>`)

var relativeURI = regexp.MustCompile(`^eks(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+){5}$`)

// checkMarkdown renders Markdown as GitHub does and holds what it shows.
func checkMarkdown(t interface{ Errorf(string, ...any) }, r *finding.Report, source string) {
	if !utf8.ValidString(source) || len(source) > 65536 {
		t.Errorf("%d bytes, valid UTF-8: %v", len(source), utf8.ValidString(source))
	}
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	document := md.Parser().Parse(text.NewReader([]byte(source)))
	rows, headings := 0, 0
	err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *extast.TableRow:
			rows++
			if n.ChildCount() != 2+len(finding.Concerns) {
				t.Errorf("a row of the table has %d cells", n.ChildCount())
			}
		case *ast.Heading:
			headings++
		case *ast.RawHTML:
			t.Errorf("raw HTML: %q", n.Segments.Value([]byte(source)))
		case *ast.HTMLBlock:
			block := strings.TrimSpace(string(n.Lines().Value([]byte(source))))
			if block != "<details><summary>Evidence</summary>" && block != "<details><summary>Also explains</summary>" && block != "</details>" {
				t.Errorf("an HTML block: %q", block)
			}
		case *ast.Image, *ast.ThematicBreak, *ast.Blockquote, *extast.Strikethrough, *extast.TaskCheckBox:
			t.Errorf("%s in the text", n.Kind())
		case *ast.Emphasis:
			if string(n.Text([]byte(source))) != "FAIL" { //nolint:staticcheck // the text of a node without children
				t.Errorf("emphasis of %q", n.Text([]byte(source))) //nolint:staticcheck // as above
			}
		case *ast.Link:
			if !strings.HasPrefix(string(n.Destination), "https://github.com/kubectl-noderole/kubectl-noderole/blob/main/docs/rules/") {
				t.Errorf("a link to %q", n.Destination)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Errorf("%v", err)
	}
	if rows != len(r.NodeRoles) {
		t.Errorf("the table has %d rows, want %d", rows, len(r.NodeRoles))
	}

	var rendered bytes.Buffer
	if err := md.Convert([]byte(source), &rendered); err != nil {
		t.Errorf("%v", err)
	}
	for i, row := range rowOf.FindAllStringSubmatch(rendered.String(), -1) {
		shown := html.UnescapeString(tag.ReplaceAllString(row[1], ""))
		if want := r.NodeRoles[i].Name; squeeze(shown) != squeeze(visible.Visible(want)) {
			t.Errorf("the role %q shows as %q", want, shown)
		}
	}
	for _, paragraph := range prose.FindAllString(rendered.String(), -1) {
		if m := mention.FindString(html.UnescapeString(tag.ReplaceAllString(paragraph, ""))); m != "" {
			t.Errorf("GitHub would read %q as a mention or an issue", m)
		}
	}
}

var (
	invisible = regexp.MustCompile(`[\s\pC\pZ\x{fffd}]+`)
	rowOf     = regexp.MustCompile(`(?s)<tr>\s*<td>(.*?)</td>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
	prose     = regexp.MustCompile(`(?s)<(p|h3|h4|li|td)>.*?</(p|h3|h4|li|td)>`)
	mention   = regexp.MustCompile(`@\w|#\d`)
)

// squeeze leaves letters, digits, punctuation and symbols, which is what has to arrive.
func squeeze(s string) string {
	return invisible.ReplaceAllString(strings.ToValidUTF8(s, "\ufffd"), "")
}

// TestMarkdownIsCut: a report of any size fits into a comment, says how much it left
// out, and still says what was not checked.
func TestMarkdownIsCut(t *testing.T) {
	r := every()
	for i := range 3000 {
		r.NodeRoles = append(r.NodeRoles, finding.RoleRow{Name: fmt.Sprintf("role-%d", i)})
		failure := r.Results[0]
		failure.Message, failure.Evidence = fmt.Sprintf("message %d", i), []string{strings.Repeat("evidence ", 50)}
		r.Results = append(r.Results, failure)
	}
	huge := r.Results[0]
	huge.Message, huge.Evidence = "has much evidence", []string{strings.Repeat("<", 100000)}
	r.Results[0] = huge
	source := write(t, "markdown", r)
	if len(source) > 65536 {
		t.Errorf("%d bytes", len(source))
	}
	for _, want := range []string{"more node roles", "has much evidence", "#### Unknown", "message of NR202", "#### Excepted", " more; `kubectl noderole check` shows all"} {
		if !strings.Contains(source, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	shown := strings.Count(source, "#### FAIL") + strings.Count(source, "#### warn") + strings.Count(source, "#### info") + strings.Count(source, "#### depends")
	if want := fmt.Sprintf("… and %d more;", 3000+6-shown); !strings.Contains(source, want) {
		t.Errorf("%d findings are shown, but it does not say %q: %s", shown, want, source[len(source)-200:])
	}
}

func TestMarkdownOfExamples(t *testing.T) {
	for _, example := range []string{"broken", "healthy", "ipv6", "custom-policies"} {
		r := frozen(t, example)
		checkMarkdown(t, r, write(t, "markdown", r))
	}
}
