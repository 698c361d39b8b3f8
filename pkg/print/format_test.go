package print_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// update writes the expected reports and screens anew: go test ./pkg/print -update.
// Look at them before they are committed.
var update = flag.Bool("update", false, "write testdata/ anew")

func write(t tester, format string, r *finding.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := print.Write(&b, format, r, optionsFor(t)); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

// TestBrokenExample holds what each format makes of the example that check shows
// first, and that it makes the same of it again.
func TestBrokenExample(t *testing.T) {
	for format, file := range map[string]string{
		"github": "broken.github", "junit": "broken.junit.xml", "markdown": "broken.md", "openreports": "broken.openreports.yaml", "sarif": "broken.sarif",
	} {
		t.Run(format, func(t *testing.T) {
			name := filepath.Join("testdata", file)
			got := write(t, format, frozen(t, "broken"))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("%v; write it with go test ./pkg/print -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-%s +now (go test ./pkg/print -update writes it anew):\n%s", name, diff)
			}
			if again := write(t, format, frozen(t, "broken")); again != got {
				t.Error("the same report gives another text")
			}
		})
	}
}

// TestGitHubAnnotations: each level is that of what counts, what follows from a finding is
// a part of it, and no text ends a command or a property.
func TestGitHubAnnotations(t *testing.T) {
	r := every()
	r.Results[0].Message = "100% of a, b: c\n::error::d"
	r.Results[0].Subject.Name = "a,b:c"
	r.Results[0].Place = &finding.Place{Address: "aws_iam_role.node", File: "a,b/main.tf", Line: 5}
	var got []string
	for line := range strings.Lines(write(t, "github", r)) {
		_, command, _ := strings.Cut(line, "::")
		properties, message, _ := strings.Cut(command, "::")
		message, _, _ = strings.Cut(strings.TrimSpace(message), "%0A")
		got = append(got, properties+": "+message)
	}
	want := []string{
		"error file=a%2Cb/main.tf,line=5,title=NR201 role a%2Cb%3Ac: 100%25 of a, b: c ::error::d",
		"error title=NR801 node sources: message of NR801", // its cause has another name now
		"error title=NR208 role nodes: message of NR208",
		"warning title=NR203 role nodes: message of NR203",
		"warning title=NR802 role nodes: message of NR802",
		"warning title=NR301 role nodes: message of NR301",
		"notice title=NR210 role nodes: message of NR210",
		"warning title=NR202 unknown: message of NR202",
		"notice title=NR207 excepted: message of NR207",
		"notice title=NR303 known: message of NR303",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := print.Write(&bytes.Buffer{}, "bmp", &finding.Report{}, print.Options{}); err == nil || !strings.Contains(err.Error(), "bmp") {
		t.Errorf("got %v", err)
	}
}

// every is a report with a result of every kind.
func every() *finding.Report {
	role := finding.Subject{Kind: finding.SubjectNodeRole, Name: "nodes", ARN: "arn:aws:iam::111122223333:role/nodes"}
	result := func(id string, status finding.Status, severity finding.Severity) finding.Result {
		return finding.Result{ID: id, Rule: "rule", Status: status, Severity: severity, Subject: role, Message: "message of " + id, Evidence: []string{"evidence"}}
	}
	excepted, expired, known := result("NR207", finding.Fail, finding.Error), result("NR208", finding.Fail, finding.Info), result("NR303", finding.Depends, finding.Error)
	excepted.Exception = &finding.Exception{Reason: "agreed", Expires: "2030-01-31", Source: "noderole.yaml:3"}
	expired.Exception = &finding.Exception{Reason: "was agreed", Expires: "2020-01-31", Expired: true, Source: "noderole.yaml:9"}
	known.Known = true
	// NR801 follows from NR201; what explains NR802 is excepted.
	symptom, alone := result("NR801", finding.Fail, finding.Error), result("NR802", finding.Fail, finding.Warning)
	symptom.Subject, symptom.Causes = finding.Subject{Kind: finding.SubjectSource, Name: "node group a"}, []finding.Ref{excepted.Ref(), {ID: "NR201", Subject: role}}
	alone.Causes = []finding.Ref{excepted.Ref()}
	r := &finding.Report{
		Cluster:   finding.ClusterInfo{Name: "shop", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/shop", Region: "eu-west-1", Account: "111122223333"},
		NodeRoles: []finding.RoleRow{{Name: "nodes", ARN: role.ARN}},
		Results: []finding.Result{
			result("NR201", finding.Fail, finding.Error), result("NR203", finding.Fail, finding.Warning), result("NR210", finding.Fail, finding.Info),
			result("NR301", finding.Depends, finding.Error), excepted, expired, known, symptom, alone,
			result("NR202", finding.Unknown, finding.Error), result("NR204", finding.Pass, finding.Error), result("NR302", finding.NotApplicable, finding.Error),
		},
		Missing: []finding.Missing{{Fact: "policies", Subject: "policy/p", Operation: "iam:GetPolicy", Permission: "iam:GetPolicy", Error: "AccessDenied"}},
	}
	r.Recount()
	return r
}

// sarifLog is what the tests read of a SARIF log.
type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				SemanticVersion string `json:"semanticVersion"`
				Rules           []struct {
					ID               string
					Name             string
					ShortDescription struct{ Text string }
					FullDescription  struct{ Text string }
					Help             struct{ Text, Markdown string }
					HelpURI          string `json:"helpUri"`
					Properties       map[string]any
				}
			}
		}
		AutomationDetails struct{ ID string }
		Invocations       []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []struct{ Message struct{ Text string } }
		}
		Results []sarifResult
	}
}

type sarifResult struct {
	RuleID              string
	RuleIndex           int
	Kind, Level         string
	Message             struct{ Text string }
	BaselineState       string
	Suppressions        []struct{ Kind, Status, Justification string }
	PartialFingerprints map[string]string
	Locations           []struct {
		PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
		LogicalLocations []struct{ FullyQualifiedName string }
	}
}

func readSARIF(t testing.TB, text string) sarifLog {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func TestSARIFResults(t *testing.T) {
	run := readSARIF(t, write(t, "sarif", every())).Runs[0]
	var got []string
	for _, r := range run.Results {
		line := strings.Join([]string{r.RuleID, r.Kind, r.Level, r.BaselineState}, " ")
		for _, s := range r.Suppressions {
			line += " " + s.Kind + " " + s.Status + ": " + s.Justification
		}
		got = append(got, line)
		if rule := run.Tool.Driver.Rules[r.RuleIndex].ID; rule != r.RuleID {
			t.Errorf("ruleIndex of %s names %s", r.RuleID, rule)
		}
		if r.RuleID == "NR201" && !strings.Contains(r.Message.Text, "also explains NR801 (error): message of NR801") {
			t.Errorf("NR201 does not say what it explains: %q", r.Message.Text)
		}
		if uri := r.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "eks/111122223333/eu-west-1/shop/NodeRole/nodes" {
			t.Errorf("%s is at %s", r.RuleID, uri)
		}
		if name := r.Locations[0].LogicalLocations[0].FullyQualifiedName; name != "arn:aws:iam::111122223333:role/nodes" {
			t.Errorf("%s is in %s", r.RuleID, name)
		}
	}
	// Code scanning takes every result for an alert: no pass is one.
	want := []string{
		"NR201 fail error new", "NR208 fail error new", "NR203 fail warning new", "NR802 fail warning new", "NR301 fail warning new", "NR210 fail note new",
		"NR202 open none new", "NR207 fail note new external accepted: excepted until 2030-01-31: agreed (noderole.yaml:3)", "NR303 fail note unchanged",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if run.Invocations[0].ExecutionSuccessful || len(run.Invocations[0].ToolExecutionNotifications) != 1 {
		t.Errorf("a fact could not be read, but the invocation says %+v", run.Invocations[0])
	}
	if want := "kubectl-noderole/eks/111122223333/eu-west-1/shop/"; run.AutomationDetails.ID != want {
		t.Errorf("the category is %q, want %q", run.AutomationDetails.ID, want)
	}
}

// TestSARIFWithoutBaseline: nothing is new where nothing is known.
func TestSARIFWithoutBaseline(t *testing.T) {
	for _, r := range readSARIF(t, write(t, "sarif", frozen(t, "broken"))).Runs[0].Results {
		if r.BaselineState != "" {
			t.Errorf("%s is %s", r.RuleID, r.BaselineState)
		}
	}
}

// TestSARIFRules holds what code scanning asks of rules.
func TestSARIFRules(t *testing.T) {
	driver := readSARIF(t, write(t, "sarif", frozen(t, "broken"))).Runs[0].Tool.Driver
	if driver.SemanticVersion != "1.2.3" || len(driver.Rules) != len(optionsFor(t).Rules) {
		t.Errorf("version %s with %d rules", driver.SemanticVersion, len(driver.Rules))
	}
	security := 0
	for _, r := range driver.Rules {
		if want := "https://github.com/kubectl-noderole/kubectl-noderole/blob/main/docs/rules/" + r.ID + ".md"; r.HelpURI != want {
			t.Errorf("helpUri of %s is %s", r.ID, r.HelpURI)
		}
		for name, text := range map[string]string{"shortDescription": r.ShortDescription.Text, "fullDescription": r.FullDescription.Text} {
			if text == "" || len(text) > 1024 {
				t.Errorf("%s of %s has %d characters", name, r.ID, len(text))
			}
		}
		if r.Help.Text == "" || !strings.Contains(r.Help.Markdown, "## How to repair it") || strings.ContainsAny(r.Name, "- ") {
			t.Errorf("%s %s has help %+v", r.ID, r.Name, r.Help)
		}
		if r.Properties["security-severity"] != nil {
			security++
			if tags, _ := json.Marshal(r.Properties["tags"]); !bytes.Contains(tags, []byte(`"security"`)) {
				t.Errorf("%s has a security-severity and the tags %s", r.ID, tags)
			}
		}
	}
	if security == 0 {
		t.Error("no rule is a security rule")
	}
}

// TestFingerprints: results differ in them, and they stay when texts, order and
// other results change.
func TestFingerprints(t *testing.T) {
	read := func(r *finding.Report) map[string]string {
		prints := map[string]string{}
		for _, res := range readSARIF(t, write(t, "sarif", r)).Runs[0].Results {
			key := res.RuleID + " " + res.Locations[0].PhysicalLocation.ArtifactLocation.URI
			if p := res.PartialFingerprints["primaryLocationLineHash"]; prints[key] != "" || p == "" {
				t.Errorf("%s has fingerprint %q and before %q", key, p, prints[key])
			}
			prints[key] = res.PartialFingerprints["primaryLocationLineHash"]
		}
		return prints
	}
	broken := frozen(t, "broken")
	before := read(broken)
	seen := map[string]string{}
	for key, p := range before {
		if seen[p] != "" {
			t.Errorf("%s and %s have one fingerprint", key, seen[p])
		}
		seen[p] = key
	}
	broken.Results = broken.Results[3:]
	for i := range broken.Results {
		broken.Results[i].Message, broken.Results[i].Evidence = "another message", nil
	}
	for key, p := range read(broken) {
		if before[key] != p {
			t.Errorf("%s had %s and has %s", key, before[key], p)
		}
	}
	broken.Cluster.ARN += "2"
	for key, p := range read(broken) {
		if before[key] == p {
			t.Errorf("%s is the same in another cluster", key)
		}
	}
}

// junitReport is what the tests read of a JUnit report.
type junitReport struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suites   []struct {
		Skipped int `xml:"skipped,attr"`
		Cases   []struct {
			Name    string  `xml:"name,attr"`
			Skipped *string `xml:"skipped"`
			Error   *struct {
				Message string `xml:"message,attr"`
			} `xml:"error"`
			Failure *struct {
				Type    string `xml:"type,attr"`
				Message string `xml:"message,attr"`
			} `xml:"failure"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func readJUnit(t testing.TB, text string) junitReport {
	t.Helper()
	var r junitReport
	if err := xml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// outcomes are the cases of a JUnit report with what became of each.
func outcomes(r junitReport) []string {
	var got []string
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			line := c.Name + ": "
			switch {
			case c.Failure != nil:
				line += "failure " + c.Failure.Type
			case c.Error != nil:
				line += "error"
			case c.Skipped != nil:
				line += "skipped " + strings.SplitN(*c.Skipped, "\n", 2)[0]
			default:
				line += "passed"
			}
			got = append(got, line)
		}
	}
	return got
}

func TestJUnitCases(t *testing.T) {
	r := readJUnit(t, write(t, "junit", every()))
	want := []string{
		"NR201 rule: nodes: failure error",
		"NR801 rule: node group a: skipped error, explained by NR207 nodes, NR201 nodes: message of NR801",
		"NR208 rule: nodes: failure error", "NR203 rule: nodes: failure warning", "NR802 rule: nodes: failure warning",
		"NR301 rule: nodes: failure warning", "NR210 rule: nodes: failure info",
		"NR202 rule: nodes: error",
		"NR207 rule: nodes: skipped excepted until 2030-01-31: agreed (noderole.yaml:3): message of NR207",
		"NR303 rule: nodes: skipped known: the baseline has it: message of NR303",
		"NR204 rule: nodes: passed", "NR302 rule: nodes: skipped does not apply: message of NR302",
		"iam:GetPolicy policy/p could not be read: AccessDenied (needs iam:GetPolicy): error",
	}
	if diff := cmp.Diff(want, outcomes(r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r.Tests != 13 || r.Failures != 6 || r.Errors != 2 || r.Suites[0].Skipped != 4 {
		t.Errorf("the counts are %d tests, %d failures, %d errors, %d skipped", r.Tests, r.Failures, r.Errors, r.Suites[0].Skipped)
	}
}

// TestJUnitFailOn: a finding below --fail-on is no failure, and what is unknown stays an
// error.
func TestJUnitFailOn(t *testing.T) {
	for _, test := range []struct {
		failOn   int
		failures []string
	}{
		{finding.Error.Rank(), []string{"NR201", "NR208"}},
		{finding.Warning.Rank(), []string{"NR201", "NR208", "NR203", "NR802", "NR301"}},
		{finding.Error.Rank() + 1, nil},
	} {
		o := optionsFor(t)
		o.FailOn = test.failOn
		var b strings.Builder
		if err := print.Write(&b, "junit", every(), o); err != nil {
			t.Fatal(err)
		}
		r := readJUnit(t, b.String())
		var failures []string
		for _, line := range outcomes(r) {
			if id, what, _ := strings.Cut(line, " "); strings.Contains(what, ": failure ") {
				failures = append(failures, id)
			}
		}
		if diff := cmp.Diff(test.failures, failures); diff != "" || r.Errors != 2 || r.Tests != 13 {
			t.Errorf("rank %d: %d errors of %d tests, failures: -want +got:\n%s", test.failOn, r.Errors, r.Tests, diff)
		}
		if test.failOn > finding.Error.Rank() && *r.Suites[0].Cases[0].Skipped != "error, below --fail-on: message of NR201\nevidence\nalso explains NR801 (error): message of NR801\n  evidence\narn:aws:iam::111122223333:role/nodes" {
			t.Error("what is below --fail-on does not say so with its evidence")
		}
	}
}

// clusterReport is what the tests read of a ClusterReport.
type clusterReport struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Summary map[string]int
	Results []struct{ Policy, Result, Message string }
}

func readClusterReport(t testing.TB, text string) clusterReport {
	t.Helper()
	var r clusterReport
	if err := yaml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOpenReportsComplete: a report says whether everything was read, as it replaces the one of
// an earlier run.
func TestOpenReportsComplete(t *testing.T) {
	for name, test := range map[string]struct {
		status   finding.Status
		missing  []finding.Missing
		complete string
	}{
		"complete": {finding.Fail, nil, "true"}, "an unknown verdict": {finding.Unknown, nil, "false"},
		"a missing fact": {finding.Pass, []finding.Missing{{Fact: "nodes", Operation: "list nodes"}}, "false"},
	} {
		report := &finding.Report{Results: []finding.Result{{ID: "NR201", Status: test.status, Severity: finding.Error}}, Missing: test.missing}
		report.Recount()
		text := write(t, "openreports", report)
		said := strings.Contains(text, "a finding of an earlier report that is not in this one is not known to be repaired")
		if !strings.Contains(text, `noderole.dev/complete: "`+test.complete+`"`) || said == (test.complete == "true") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

func TestOpenReportsResults(t *testing.T) {
	r := readClusterReport(t, write(t, "openreports", every()))
	var got []string
	for _, res := range r.Results {
		got = append(got, res.Policy+" "+res.Result)
	}
	want := []string{
		"NR201 fail", "NR801 skip", "NR208 fail", "NR203 warn", "NR802 warn", "NR301 warn", "NR210 warn", "NR202 error", "NR207 skip", "NR303 skip", "NR204 pass",
		"NR302 skip", "facts error", "facts error",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"pass": 1, "fail": 2, "warn": 4, "error": 3, "skip": 4}, r.Summary); diff != "" {
		t.Errorf("summary: -want +got:\n%s", diff)
	}
}
