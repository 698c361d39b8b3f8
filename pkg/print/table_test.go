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

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/command"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

func example(t *testing.T, name string) *snapshot.Snapshot {
	t.Helper()
	text, ok := examples.Read(name)
	if !ok {
		t.Fatalf("there is no example %q", name)
	}
	s, err := snapshot.Decode(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func judged(t *testing.T, name string) *finding.Report {
	return rules.Judge(view.New(example(t, name)), rules.Options{})
}

// unread is the healthy cluster, seen by somebody who may not read the node role
// or list pods.
func unread(t *testing.T) *finding.Report {
	s := example(t, "healthy")
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	delete(s.Roles, role)
	s.AWSNode.Pods = nil
	s.Missing = []snapshot.Missing{
		{Fact: snapshot.FactRoles, Subject: role, Operation: "iam:GetRole", Permission: "iam:GetRole", Error: "AccessDenied"},
		{Fact: snapshot.FactPods, Operation: "list pods in kube-system", Permission: "list pods", Error: "forbidden"},
	}
	return rules.Judge(view.New(s), rules.Options{})
}

// withExceptions is the broken cluster whose team has decided about some findings.
func withExceptions(t *testing.T) *finding.Report {
	r := judged(t, "broken")
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != finding.Fail {
			continue
		}
		switch res.ID {
		case "NR205":
			res.Exception = &finding.Exception{Reason: "the last pods restart with the upgrade to 1.34", Expires: "2026-12-31", Source: ".noderole.yaml:12"}
		case "NR207":
			res.Exception = &finding.Exception{Reason: "the bastion is watched by hand", Source: ".noderole.yaml:18"}
		case "NR303":
			res.Exception = &finding.Exception{Reason: "until the role is split", Expires: "2026-06-30", Expired: true, Source: ".noderole.yaml:22"}
		case "NR101", "NR102", "NR103":
			res.Known = true
		}
	}
	r.Summary = finding.Summarize(r.Results)
	return r
}

// many is a cluster of thirty node groups with roles whose names are as long as
// IAM lets them be, and one role that twelve more node groups share.
func many(t *testing.T) *finding.Report {
	s := example(t, "healthy")
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	for i := range 30 {
		name := fmt.Sprintf("prod-eu-west-1-team-%02d-general-purpose-eks-managed-node-group-ng", i)
		arn := strings.Replace(role, "eksNodeRole", name, 1)
		s.Roles[arn] = s.Roles[role]
		s.AccessEntries[arn] = s.AccessEntries[role]
		s.NodeGroups[fmt.Sprintf("team-%02d-general-purpose", i)] = snapshot.NodeGroup{NodeRoleARN: arn, Status: "ACTIVE", AMIType: "AL2023_x86_64_STANDARD"}
		if i%10 == 3 {
			r := s.Roles[arn]
			r.AttachedPolicies = nil
			s.Roles[arn] = r
		}
	}
	for i := range 12 {
		s.NodeGroups[fmt.Sprintf("shared-batch-%02d", i)] = snapshot.NodeGroup{NodeRoleARN: role, Status: "ACTIVE", AMIType: "AL2023_x86_64_STANDARD"}
	}
	return rules.Judge(view.New(s), rules.Options{})
}

// paste completes commands as the command line does, so that the screens show it.
func paste(command string) string {
	if strings.HasPrefix(command, "aws eks ") || strings.HasPrefix(command, "aws ec2 ") {
		return command + " --region eu-west-1"
	}
	return command
}

// screens are the reports and options whose screens are held in testdata.
func screens(t *testing.T) map[string]struct {
	report  *finding.Report
	options print.TableOptions
} {
	type screen = struct {
		report  *finding.Report
		options print.TableOptions
	}
	live := print.TableOptions{Footer: "29 AWS calls, 0.6 s", Plan: "kubectl noderole fix", Paste: paste}
	with := func(change func(*print.TableOptions)) print.TableOptions {
		o := live
		change(&o)
		return o
	}
	everything := []finding.Status{finding.Fail, finding.Depends, finding.Unknown, finding.Pass, finding.NotApplicable}
	return map[string]screen{
		"broken":          {judged(t, "broken"), live},
		"healthy":         {judged(t, "healthy"), live},
		"ipv6":            {judged(t, "ipv6"), live},
		"custom-policies": {judged(t, "custom-policies"), live},
		"unread":          {unread(t), live},
		"exceptions":      {withExceptions(t), live},
		"many":            {many(t), live},
		"wide":            {judged(t, "broken"), with(func(o *print.TableOptions) { o.Wide = true })},
		"many-wide":       {many(t), with(func(o *print.TableOptions) { o.Wide = true })},
		"by-role":         {judged(t, "broken"), with(func(o *print.TableOptions) { o.GroupBy = print.ByRole })},
		"by-concern":      {judged(t, "custom-policies"), with(func(o *print.TableOptions) { o.GroupBy = print.ByConcern })},
		"passed":          {judged(t, "ipv6"), with(func(o *print.TableOptions) { o.Show = []finding.Status{finding.Pass} })},
		"all":             {judged(t, "custom-policies"), with(func(o *print.TableOptions) { o.Show = everything })},
		"joining":         {rules.Judge(view.New(example(t, "broken")), rules.Options{WhyNotJoining: true}), with(func(o *print.TableOptions) { o.WhyNotJoining = true })},
		"quiet":           {withExceptions(t), with(func(o *print.TableOptions) { o.Quiet = true })},
	}
}

func render(t *testing.T, r *finding.Report, o print.TableOptions) string {
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
	oneWord     = regexp.MustCompile(`^\s*(\S+( and more)?  +)*\S+$`)
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
				if i := strings.IndexAny(text, "\x1b\u009b\u202e\r\x07\u2028\u200b"); i >= 0 || !utf8.ValidString(text) {
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
			fill(v.Field(i), s)
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
	want := `NODE ROLE  UNIQUE  TRUST  NODE  PULL  CNI   JOIN  USED BY
ノード     -       -      -     -     -     -     node group größer (2 nodes)
` + "e\u0301te\u0301" + `        -       -      -     -     -     -     node group a (1 node)

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
		{"bad\x1b[2J", "?", "-"},
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
bad\x1b[2J  ?     -
`},
		{0, pad("NAME", 65) + `  ECR   VERDICT
` + pad("short", 65) + `  ok    could serve as it is
` + strings.Repeat("long-", 13) + `  FAIL  lacks: trust, worker, ECR, and much more than that
` + pad(`bad\x1b[2J`, 65) + `  ?     -
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
	if text := render(t, judged(t, "healthy"), print.TableOptions{Quiet: true}); text != "" {
		t.Errorf("got %q", text)
	}
}
