package teampolicy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
)

const (
	begin = "apiVersion: noderole.dev/v1alpha1\nkind: Config\n"
	today = "2026-06-15"
)

var known = []string{"NR202", "NR205", "NR206"}

// TestParseRefuses shows the error for each mistake: it names the place and says
// what to do.
func TestParseRefuses(t *testing.T) {
	tests := map[string]struct{ text, want, next string }{
		"empty":                {" \n", "p: is empty", "begin with: apiVersion: noderole.dev/v1alpha1, kind: Config"},
		"comments only":        {"# nothing\n", "p: contains no document", "begin with"},
		"two documents":        {begin + "---\n" + begin, "p:4:1: a second document", "split"},
		"no mapping":           {"- a\n", "p:1:1: ", "config.json"},
		"no YAML":              {begin + "exceptions: [\n", "p:3:", "config.json"},
		"another kind":         {"apiVersion: v1\nkind: Pod\nspec: {}\n", `p:1:1: apiVersion "v1", kind "Pod" is not a team configuration`, "begins with"},
		"no kind":              {"severities: {}\n", `p:1:1: apiVersion "", kind ""`, "begins with"},
		"unknown field":        {begin + "severity: {}\n", `p:3:1: unknown field "severity"`, "config.json"},
		"unknown field inside": {begin + "exceptions:\n- rule: NR205\n  roles: x\n", `p:5:3: unknown field "roles"`, "config.json"},
		"repeated field":       {begin + "severities: {}\nseverities: {}\n", `p:4:1: mapping key "severities" already defined`, ""},
		"repeated rule":        {begin + "severities:\n  NR205: info\n  NR205: off\n", `p:5:3: mapping key "NR205" already defined`, ""},
		"unknown rule":         {begin + "severities:\n  NR205: info\n  NR999: info\n", `p:5:3: unknown rule "NR999"`, "explain lists the rules"},
		"small letters":        {begin + "severities: {nr205: info}\n", `p:3:14: unknown rule "nr205"`, "write it as NR205"},
		"no severity":          {begin + "severities: {NR205: bad}\n", `p:3:21: "bad" is not a severity`, "use error, warning, info or off"},
		"exceptions no list":   {begin + "exceptions: {rule: NR205}\n", "p:3:13: mapping was used where sequence is expected", "config.json"},
		"role a list":          {begin + "exceptions:\n- rule: NR205\n  role: [a]\n", "p:5:9: expected a single value, found a list", "config.json"},
		"severities a word":    {begin + "severities: off\n", "p:3:13: string was used where mapping is expected", "config.json"},
		"no rule":              {begin + "exceptions:\n- role: x\n  expires: never\n  reason: y\n", "p:4:3: an exception names no rule", "add rule"},
		"another rule":         {begin + "exceptions:\n- rule: NR1\n  role: x\n  expires: never\n  reason: y\n", `p:4:9: unknown rule "NR1"`, "explain"},
		"no role":              {begin + "exceptions:\n- rule: NR205\n  expires: never\n  reason: y\n", "p:4:3: an exception names a role or a subject", "add one of them"},
		"role and subject":     {begin + "exceptions:\n- rule: NR205\n  role: x\n  subject: y\n  expires: never\n  reason: y\n", "p:4:3: an exception names a role or a subject", "add one of them"},
		"no reason":            {begin + "exceptions:\n- rule: NR205\n  role: x\n  expires: never\n", "p:4:3: the exception of NR205 for x has no reason", "add reason"},
		"blank reason":         {begin + "exceptions:\n- {rule: NR205, role: x, expires: never, reason: ' '}\n", "p:4:4: the exception of NR205 for x has no reason", "add reason"},
		"no day":               {begin + "exceptions:\n- {rule: NR205, role: x, reason: y}\n", "p:4:4: the exception of NR205 for x has no end date", "YYYY-MM-DD, or never"},
		"bad day":              {begin + "exceptions:\n- rule: NR205\n  role: x\n  reason: y\n  expires: 2026-02-30\n", `p:7:12: expires "2026-02-30" is not a date`, "YYYY-MM-DD"},
		"twice": {
			begin + "exceptions:\n- {rule: NR205, role: x, expires: never, reason: y}\n- {rule: NR205, role: x, expires: 2026-01-01, reason: z}\n",
			"p:5:4: this exception of NR205 for x is already in line 4", "keep one",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := teampolicy.Parse("p", []byte(test.text), known)
			var fileErr *teampolicy.FileError
			if !errors.As(err, &fileErr) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), test.want) || !strings.Contains(fileErr.Next, test.next) || fileErr.Next == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %s\n     %s\nwant %s\n     %s", err, fileErr.Next, test.want, test.next)
			}
		})
	}
}

func parse(t *testing.T, text string) *teampolicy.Config {
	t.Helper()
	c, err := teampolicy.Parse("team.yaml", []byte(begin+text), known)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOverrides(t *testing.T) {
	if _, err := teampolicy.Parse("p", []byte("\ufeff"+strings.ReplaceAll(begin, "\n", "\r\n")), known); err != nil {
		t.Errorf("a file of Windows: %v", err)
	}
	severities, off := parse(t, "severities: {NR206: off, NR205: info, NR202: off}\n").Overrides()
	if diff := cmp.Diff(map[string]finding.Severity{"NR205": finding.Info}, severities); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"NR202", "NR206"}, off); diff != "" {
		t.Error(diff)
	}
}

func result(id string, status finding.Status, kind finding.SubjectKind, name string) finding.Result {
	r := finding.Result{ID: id, Status: status, Severity: finding.Warning, Subject: finding.Subject{Kind: kind, Name: name}}
	if kind == finding.SubjectNodeRole {
		r.Subject.ARN = "arn:aws:iam::111122223333:role/eks/" + name
	}
	return r
}

func report(results ...finding.Result) *finding.Report {
	return &finding.Report{
		Header:  finding.Header{APIVersion: finding.APIVersion, Kind: finding.ReportKind},
		Cluster: finding.ClusterInfo{Name: "shop", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/shop"},
		Results: results, Summary: finding.Summarize(results),
	}
}

// TestExceptions: which exception is about which failure, until when, and what is
// said of one that is about none.
func TestExceptions(t *testing.T) {
	fail := result("NR205", finding.Fail, finding.SubjectNodeRole, "oldRole")
	tests := map[string]struct {
		text    string
		of      finding.Result
		holds   bool
		expired bool
		unused  bool
	}{
		"name":                     {"role: oldRole, expires: never", fail, true, false, false},
		"glob":                     {"role: old*, expires: never", fail, true, false, false},
		"one letter":               {"role: ol?Role, expires: never", fail, true, false, false},
		"name is no part":          {"role: old, expires: never", fail, false, false, true},
		"a point is a point":       {"role: old.ole, expires: never", fail, false, false, true},
		"ARN":                      {`role: "arn:aws:iam::111122223333:role/eks/oldRole", expires: never`, fail, true, false, false},
		"ARN of any account":       {`role: "arn:aws:iam::*:role/eks/*", expires: never`, fail, true, false, false},
		"ARN of another account":   {`role: "arn:aws:iam::444455556666:role/eks/oldRole", expires: never`, fail, false, false, true},
		"a subject is no role":     {"subject: oldRole, expires: never", fail, false, false, true},
		"subject":                  {"subject: aws-*, expires: never", result("NR205", finding.Fail, finding.SubjectAWSNode, "aws-node"), true, false, false},
		"a role is no subject":     {"role: aws-node, expires: never", result("NR205", finding.Fail, finding.SubjectAWSNode, "aws-node"), false, false, true},
		"this cluster":             {"role: oldRole, cluster: sh*, expires: never", fail, true, false, false},
		"this cluster by ARN":      {`role: oldRole, cluster: "arn:aws:eks:*:cluster/shop", expires: never`, fail, true, false, false},
		"another cluster":          {"role: oldRole, cluster: prod, expires: never", fail, false, false, false},
		"the last day":             {"role: oldRole, expires: 2026-06-15", fail, true, false, false},
		"the day after":            {"role: oldRole, expires: 2026-06-14", fail, false, true, false},
		"another rule":             {"role: oldRole, expires: never", result("NR206", finding.Fail, finding.SubjectNodeRole, "oldRole"), false, false, true},
		"depends":                  {"role: oldRole, expires: never", result("NR205", finding.Depends, finding.SubjectNodeRole, "oldRole"), true, false, false},
		"not checked":              {"role: oldRole, expires: never", result("NR205", finding.Unknown, finding.SubjectNodeRole, "oldRole"), false, false, false},
		"passed":                   {"role: oldRole, expires: never", result("NR205", finding.Pass, finding.SubjectNodeRole, "oldRole"), false, false, true},
		"passed, and is over long": {"role: oldRole, expires: 2020-01-01", result("NR205", finding.Pass, finding.SubjectNodeRole, "oldRole"), false, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := report(test.of)
			unused := parse(t, "exceptions:\n- {rule: NR205, reason: it must, "+test.text+"}\n").Apply(r, today)
			got := r.Results[0]
			if got.Excepted() != test.holds || (got.Exception != nil && got.Exception.Expired) != test.expired || (len(unused) > 0) != test.unused {
				t.Errorf("holds %v, expired %v, unused %v: %+v", test.holds, test.expired, unused, got.Exception)
			}
			if x := got.Exception; x != nil && (x.Reason != "it must" || x.Source != "team.yaml:4") {
				t.Errorf("%+v", x)
			}
			wantWorst := map[bool]int{true: 0, false: test.of.Severity.Rank()}[test.holds]
			switch {
			case test.expired:
				wantWorst = finding.Error.Rank()
			case test.of.Status == finding.Unknown, test.of.Status == finding.Pass:
				wantWorst = 0
			}
			if r.Worst() != wantWorst {
				t.Errorf("the worst is %d, want %d", r.Worst(), wantWorst)
			}
			if test.holds != (r.Summary.Excepted == 1) || test.expired != (r.Summary.Errors == 1) {
				t.Errorf("%+v", r.Summary)
			}
		})
	}
}

// TestExceptionThatHoldsWins: an exception that is over says nothing where another
// one holds, in either order.
func TestExceptionThatHoldsWins(t *testing.T) {
	over, holds := "- {rule: NR205, role: oldRole, reason: a, expires: 2020-01-01}\n", "- {rule: NR205, role: old*, reason: b, expires: never}\n"
	for _, text := range []string{over + holds, holds + over} {
		r := report(result("NR205", finding.Fail, finding.SubjectNodeRole, "oldRole"))
		if unused := parse(t, "exceptions:\n"+text).Apply(r, today); len(unused) > 0 || !r.Results[0].Excepted() || r.Results[0].Exception.Reason != "b" {
			t.Errorf("%v %+v", unused, r.Results[0].Exception)
		}
	}
}

// TestOffIsTold: a report that was judged without a rule says so.
func TestOffIsTold(t *testing.T) {
	r := report()
	parse(t, "severities: {NR206: off, NR202: off}\n").Apply(r, today)
	if diff := cmp.Diff([]string{"NR202, NR206, switched off in team.yaml"}, r.NotEvaluated); diff != "" {
		t.Error(diff)
	}
}

// TestBaseline: what is known by an earlier report, and what is new.
func TestBaseline(t *testing.T) {
	fail := result("NR205", finding.Fail, finding.SubjectNodeRole, "oldRole")
	with := func(change func(*finding.Result)) finding.Result {
		r := fail
		change(&r)
		return r
	}
	excepted := with(func(r *finding.Result) { r.Exception = &finding.Exception{Reason: "x"} })
	tests := map[string]struct {
		then, now finding.Result
		known     bool
	}{
		"the same":           {fail, fail, true},
		"known then":         {with(func(r *finding.Result) { r.Known = true }), fail, true},
		"other evidence":     {fail, with(func(r *finding.Result) { r.Evidence = []string{"x"}; r.Message = "y" }), true},
		"worse":              {fail, with(func(r *finding.Result) { r.Severity = finding.Error }), false},
		"less bad":           {fail, with(func(r *finding.Result) { r.Severity = finding.Info }), true},
		"passed then":        {with(func(r *finding.Result) { r.Status = finding.Pass }), fail, false},
		"not checked then":   {with(func(r *finding.Result) { r.Status = finding.Unknown }), fail, false},
		"depended then":      {with(func(r *finding.Result) { r.Status = finding.Depends }), fail, false},
		"not checked now":    {fail, with(func(r *finding.Result) { r.Status = finding.Unknown }), false},
		"another rule":       {with(func(r *finding.Result) { r.ID = "NR206" }), fail, false},
		"another role":       {result("NR205", finding.Fail, finding.SubjectNodeRole, "role"), fail, false},
		"excepted then":      {excepted, fail, false},
		"excepted now":       {fail, excepted, false},
		"exception over now": {fail, with(func(r *finding.Result) { r.Exception = &finding.Exception{Expired: true} }), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := report(test.now)
			if err := teampolicy.ApplyBaseline(r, report(test.then)); err != nil {
				t.Fatal(err)
			}
			if r.Results[0].Known != test.known || (r.Summary.Known == 1) != test.known {
				t.Errorf("known: %v, want %v; %+v", r.Results[0].Known, test.known, r.Summary)
			}
		})
	}
	other := report(fail)
	other.Cluster.ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
	if err := teampolicy.ApplyBaseline(report(fail), other); err == nil || !strings.Contains(err.Error(), "cluster/prod, not of arn") {
		t.Errorf("the baseline of another cluster: %v", err)
	}
}

func TestParseBaselineRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "b: is not a report: it is empty",
		"{\n  \"kind\": x}": "b:2:11: is not a report: it is not JSON: invalid character",
		"{\"results\": 7}":  `b: is not a report: it has apiVersion ""`,
		`{"apiVersion":"noderole.dev/v1alpha1","kind":"Report","results":7}`: "b:1:65: is not a report: results is a number, not a list",
		`{"apiVersion":"noderole.dev/v9","kind":"Report"}`:                   "b: is not a report: it is of version v9",
		"apiVersion: v1":                    "b:1:1: is not a report",
		`{"apiVersion":"v1","kind":"Node"}`: `b: is not a report: it has apiVersion "v1" and kind "Node"`,
		"[]":                                "b:1:",
	} {
		_, err := teampolicy.ParseBaseline("b", []byte(text))
		var fileErr *teampolicy.FileError
		if !errors.As(err, &fileErr) || !strings.HasPrefix(err.Error(), want) || fileErr.Next == "" {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// FuzzParse: any text is a Config or one line that says what is wrong, and a Config
// can be applied.
func FuzzParse(f *testing.F) {
	f.Add([]byte(begin + "severities: {NR205: off}\nexceptions:\n- {rule: NR202, role: 'a*', expires: 2026-01-01, reason: x}\n"))
	f.Add([]byte(begin + "exceptions:\n- &a {rule: NR202, subject: 'a?', expires: never, reason: x}\n- {<<: *a, rule: NR205}\n"))
	f.Add([]byte("{apiVersion: noderole.dev/v1alpha1, kind: Config, exceptions: [{}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := teampolicy.Parse("f", text, known)
		if err != nil {
			var fileErr *teampolicy.FileError
			if !errors.As(err, &fileErr) || fileErr.Next == "" || strings.Contains(err.Error(), "\n") {
				t.Fatalf("not one line with what to do: %v", err)
			}
			return
		}
		r := report(result("NR205", finding.Fail, finding.SubjectNodeRole, "a"), result("NR202", finding.Unknown, finding.SubjectNodeRole, "a"))
		c.Apply(r, today)
		if s := r.Summary; s.Warnings+s.Errors+s.Excepted != 1 || s.Unknown != 1 {
			t.Fatalf("%+v", s)
		}
	})
}
