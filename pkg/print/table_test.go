package print_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// screens are the reports and options whose screens are held in testdata.
func screens(t *testing.T) map[string]struct {
	report  *finding.Report
	options print.TableOptions
} {
	type screen = struct {
		report  *finding.Report
		options print.TableOptions
	}
	live := print.TableOptions{Footer: "29 AWS calls, 0.6 s", Complete: complete}
	with := func(change func(*print.TableOptions)) print.TableOptions {
		o := live
		change(&o)
		return o
	}
	everything := []finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}
	return map[string]screen{
		"broken":          {frozen(t, "broken"), live},
		"healthy":         {frozen(t, "healthy"), live},
		"ipv6":            {frozen(t, "ipv6"), live},
		"custom-policies": {frozen(t, "custom-policies"), live},
		"unread":          {frozen(t, "unread"), live},
		"exceptions":      {withExceptions(t), live},
		"many":            {many(t), live},
		"wide":            {frozen(t, "broken"), with(func(o *print.TableOptions) { o.Wide = true })},
		"many-wide":       {many(t), with(func(o *print.TableOptions) { o.Wide = true })},
		"by-role":         {frozen(t, "broken"), with(func(o *print.TableOptions) { o.GroupBy = print.ByRole })},
		"by-concern":      {frozen(t, "custom-policies"), with(func(o *print.TableOptions) { o.GroupBy = print.ByConcern })},
		"passed":          {frozen(t, "ipv6"), with(func(o *print.TableOptions) { o.Show = []finding.Status{finding.Pass} })},
		"all":             {frozen(t, "custom-policies"), with(func(o *print.TableOptions) { o.Show = everything })},
		"joining":         {frozen(t, "joining"), live},
		"quiet":           {withExceptions(t), with(func(o *print.TableOptions) { o.Quiet = true })},
	}
}

// complete completes commands as the command line does, so that the screens show it.
func complete(c command.Command) command.Command { return c.With("--context", "prod") }

func render(t tester, r *finding.Report, o print.TableOptions) string {
	t.Helper()
	var b strings.Builder
	if err := print.Table(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestScreens holds the screens at 80 and 160 columns, in a pipe and on a terminal.
func TestScreens(t *testing.T) {
	wanted := map[string]bool{}
	for name, screen := range screens(t) {
		for _, width := range []int{80, 160} {
			for _, terminal := range []bool{false, true} {
				o := screen.options
				o.Width, o.Color, o.Symbols = width, terminal, terminal
				file := fmt.Sprintf("%s-%d.txt", name, width)
				if terminal {
					file = fmt.Sprintf("%s-%d-terminal.txt", name, width)
				}
				wanted[file] = true
				t.Run(file, func(t *testing.T) {
					got := render(t, screen.report, o)
					tooLong(t, got, width)
					golden(t, file, got)
				})
			}
		}
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".txt") && !wanted[f.Name()] {
			t.Errorf("testdata/%s belongs to no screen", f.Name())
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./pkg/print -update writes it anew):\n%s", file, diff)
	}
}

var (
	colors      = regexp.MustCompile("\x1b\\[[0-9]*m")
	commandLine = regexp.MustCompile(`^\s+(-> |→ )?(aws|kubectl) `)
	oneWord     = regexp.MustCompile(`^\s*(\S+( and more|:)?  +|used by: )*\S+$`)
)

// tooLong fails where a line is longer than the screen, but for commands, which
// are pasted, and lines that are one name, but for what it stands beside.
func tooLong(t *testing.T, text string, width int) {
	t.Helper()
	for i, line := range strings.Split(colors.ReplaceAllString(text, ""), "\n") {
		if utf8.RuneCountInString(line) > width && !commandLine.MatchString(line) && !oneWord.MatchString(line) {
			t.Errorf("line %d has %d columns, the screen %d: %s", i+1, utf8.RuneCountInString(line), width, line)
		}
	}
}

// TestWidths holds the widths in between, too.
func TestWidths(t *testing.T) {
	for name, screen := range screens(t) {
		for width := 76; width < 200; width += 3 { // the columns of -o wide need 74
			o := screen.options
			o.Width = width
			t.Run(fmt.Sprintf("%s-%d", name, width), func(t *testing.T) { tooLong(t, render(t, screen.report, o), width) })
		}
	}
}

// TestColorsOnlyAdd holds that colours take no word away, and that what is printed
// without symbols is ASCII.
func TestColorsOnlyAdd(t *testing.T) {
	for name, screen := range screens(t) {
		t.Run(name, func(t *testing.T) {
			o := screen.options
			without := render(t, screen.report, o)
			o.Color = true
			if diff := cmp.Diff(without, colors.ReplaceAllString(render(t, screen.report, o), "")); diff != "" {
				t.Error(diff)
			}
			for _, r := range without {
				if r >= utf8.RuneSelf {
					t.Fatalf("%q is not ASCII", r)
				}
			}
		})
	}
}

// TestNoControlCharacters puts characters that steer a terminal into every text
// of a report: none of them arrives.
func TestNoControlCharacters(t *testing.T) {
	const evil = "a\x1b[2J\u009b31m\u202eb\rc\x07d\u2028e\u200bf\xffg"
	for _, status := range []finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass} {
		for _, expired := range []bool{false, true} {
			r := &finding.Report{}
			fill(reflect.ValueOf(r).Elem(), evil)
			for i := range r.Results {
				r.Results[i].Status, r.Results[i].Known = status, false
				r.Results[i].Severity = finding.Error
				r.Results[i].Exception.Expired = expired
				r.Results[i].Next = append(r.Results[i].Next, finding.Run(command.AWS("iam", evil)))
			}
			for _, wide := range []bool{false, true} {
				o := print.TableOptions{Wide: wide, Show: []finding.Status{status}, Footer: "1 call", Note: "the cluster is " + evil}
				text := render(t, r, o)
				if i := unsafe(text); i >= 0 || !utf8.ValidString(text) {
					t.Errorf("%s: a control character is in %q", status, text[max(0, i-20):min(len(text), i+40)])
				}
				if !strings.Contains(text, `a\x1b[2J\x9b31m\u202eb\x0dc\x07d\u2028e\u200bf\xffg`) {
					t.Errorf("%s: what was escaped is not to be seen in\n%s", status, text)
				}
			}
		}
	}
}

// fill sets every string under v.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), s)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), s)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	default:
	}
}

// TestDisplayWidth holds that wrapping and padding count columns, not bytes.
func TestDisplayWidth(t *testing.T) {
	r := &finding.Report{
		Cluster: finding.ClusterInfo{Name: "c", Region: "eu-west-1", Account: "111122223333"},
		NodeRoles: []finding.RoleRow{
			{Name: "ノード", Sources: []finding.Source{{Kind: "node group", Name: "größer", Nodes: 2}}},
			{Name: "e\u0301te\u0301", Sources: []finding.Source{{Kind: "node group", Name: "a", Nodes: 1}}},
		},
		AWSNode: finding.AWSNodeInfo{Text: strings.Repeat("節点 ", 16) + "end"},
	}
	want := `NODE ROLE  UNIQUE  TRUST  NODE  PULL  CNI   JOIN  USED BY (NODES)
ノード     -       -      -     -     -     -     node group größer (2)
` + "e\u0301te\u0301" + `        -       -      -     -     -     -     node group a (1)
aws-node  節点 節点 節点 節点 節点 節点 節点 節点 節点 節点 節点 節点 節点 節点
          節点 節点 end
`
	if text := render(t, r, print.TableOptions{}); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant in it\n%s", text, want)
	}
	if text := render(t, r, print.TableOptions{ASCII: true}); !strings.Contains(text, `gr\u00f6\u00dfer`) {
		t.Errorf("no escapes in\n%s", text)
	}
}

func TestGrid(t *testing.T) {
	head := []string{"NAME", "ECR", "VERDICT"}
	rows := [][]string{
		{"short", "ok", "could serve as it is"},
		{strings.Repeat("long-", 13), "FAIL", "lacks: trust, worker, ECR, and much more than that"},
		{"bad\x1b[2J", "no", "-"},
	}
	for _, test := range []struct {
		width int
		want  string
	}{
		{50, `NAME        ECR   VERDICT
short       ok    could serve as it is
` + strings.Repeat("long-", 13) + `
            FAIL  lacks: trust, worker, ECR, and
                  much more than that
bad\x1b[2J  no    -
`},
		{0, pad("NAME", 65) + `  ECR   VERDICT
` + pad("short", 65) + `  ok    could serve as it is
` + strings.Repeat("long-", 13) + `  FAIL  lacks: trust, worker, ECR, and much more than that
` + pad(`bad\x1b[2J`, 65) + `  no    -
`},
	} {
		var b strings.Builder
		if err := print.Grid(&b, head, rows, test.width); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, b.String()); diff != "" {
			t.Errorf("width %d:\n%s", test.width, diff)
		}
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

func TestCut(t *testing.T) {
	got := map[string]string{}
	for _, s := range []string{"", "short", "exactly 10", "more than 10", "ノードノードノード"} {
		got[s] = print.Cut(s, 10)
	}
	want := map[string]string{"": "", "short": "short", "exactly 10": "exactly 10", "more than 10": "more th...", "ノードノードノード": "ノード..."}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for limit := range 4 {
		if n := len(print.Cut("abcdef", limit)); n > limit {
			t.Errorf("%d columns where %d are", n, limit)
		}
	}
}

// TestNothingFound holds that --quiet is silent on a cluster in order.
func TestNothingFound(t *testing.T) {
	if text := render(t, frozen(t, "healthy"), print.TableOptions{Quiet: true}); text != "" {
		t.Errorf("got %q", text)
	}
}
