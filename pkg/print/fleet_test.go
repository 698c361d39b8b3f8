package print_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
)

// hostileName is a name that would steer a terminal, a page or a table.
const hostileName = "a\x1b[31m<script>alert(1)</script>|`x`\"\n# TYPE x"

// fleetOf is the report of so many clusters, each with a finding and a fact that is missing,
// and one that was not read.
func fleetOf(n int, name string) *finding.FleetReport {
	f := &finding.FleetReport{Facts: finding.FleetFacts{Selection: "--contexts " + name}}
	for i := range n {
		info := finding.ClusterInfo{Name: fmt.Sprintf("c-%d%s", i, name), ARN: fmt.Sprintf("arn:aws:eks:eu-west-1:111122223333:cluster/c-%d%s", i, name), Region: "eu-west-1", Account: "111122223333"}
		r := &finding.Report{
			Cluster: info,
			Results: []finding.Result{{
				ID: "NR201", Rule: "worker-permissions", Status: finding.Fail, Severity: finding.Error, Concern: finding.ConcernNode,
				Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: name}, Message: name + " is missing permissions",
			}},
			Missing: []finding.Missing{{Fact: "nodes", Operation: "list nodes", Permission: "list nodes", Error: name}},
		}
		r.Recount()
		f.Add(finding.FleetCluster{Context: name, Group: name}, r)
	}
	f.AddUnread(finding.FleetCluster{Cluster: finding.ClusterInfo{Name: "gone", Account: "111122223333", Region: "us-east-1"}, Reason: "no answer: " + name, Advice: "ask " + name})
	f.Skipped = []finding.Skipped{{Name: name, Reason: name}}
	for i, status := range []finding.Status{finding.Fail, finding.Unknown, finding.Pass} {
		f.FleetResults = append(f.FleetResults, finding.Result{
			ID: fmt.Sprintf("NR90%d", i+1), Rule: "shared-node-role", Status: status, Severity: finding.Warning, Subject: finding.Subject{Kind: finding.SubjectGroup, Name: name},
			Message: name + " is shared", Evidence: []string{name}, Impact: name, Next: []finding.Next{finding.Advise(name)}, Clusters: []finding.ClusterRef{{Name: name, ARN: name}},
		})
	}
	f.Finish()
	return f
}

// TestFleetHostile: no name steers what shows the report.
func TestFleetHostile(t *testing.T) {
	t.Parallel()
	f := fleetOf(2, hostileName)
	outputs := map[string]string{}
	for _, format := range print.FleetFormats() {
		var b bytes.Buffer
		if err := print.WriteFleet(&b, format, f, print.Options{FailOn: 3, Page: func(finding.FleetCluster) string { return "javascript:alert(1)" }}); err != nil {
			t.Fatal(err)
		}
		outputs[format] = b.String()
	}
	var b bytes.Buffer
	if err := print.FleetTable(&b, f, print.TableOptions{Wide: true}, nil); err != nil {
		t.Fatal(err)
	}
	outputs["table"] = b.String()
	for _, format := range []string{"sarif", "openreports"} { // the file of what is about several clusters
		var b bytes.Buffer
		if err := print.Write(&b, format, f.Across(), print.Options{}); err != nil {
			t.Fatal(err)
		}
		outputs[format] = b.String()
	}
	for format, out := range outputs {
		if strings.Contains(out, "\x1b") || (format == "html" || format == "markdown") && strings.Contains(out, "<script") || strings.Contains(out, "\n# TYPE x") {
			t.Errorf("%s:\n%s", format, out)
		}
	}
	if err := parsedXML(outputs["junit"]); err != nil {
		t.Errorf("junit: %v", err)
	}
	if strings.Contains(outputs["html"], `href="javascript:`) {
		t.Errorf("html:\n%s", outputs["html"])
	}
	var page bytes.Buffer
	if err := print.WriteFleet(&page, "html", f, print.Options{}); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, "fleet", page.String())
	// Every line of OpenMetrics is a comment or a sample.
	sample := regexp.MustCompile(`^(# (TYPE|HELP) noderole_[a-z_]+ .*|# EOF|noderole_[a-z_]+\{([a-z]+="([^"\\]|\\.)*",?)*\} [0-9]+)$`)
	for line := range strings.Lines(outputs["openmetrics"]) {
		if !sample.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("openmetrics: %s", line)
		}
	}
}

func parsedXML(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestFleetUnread: every format names what was not read, however large the fleet is.
func TestFleetUnread(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 3, 500} {
		f := fleetOf(n, "node")
		for _, format := range append(print.FleetFormats(), "table", "quiet") {
			var b bytes.Buffer
			var err error
			if format == "table" || format == "quiet" {
				err = print.FleetTable(&b, f, print.TableOptions{Quiet: format == "quiet"}, nil)
			} else {
				err = print.WriteFleet(&b, format, f, print.Options{})
			}
			if err != nil || !strings.Contains(b.String(), "gone") {
				t.Errorf("%d clusters, %s: %v\n%s", n, format, err, b.String())
			}
			if format == "markdown" && b.Len() > 65536 {
				t.Errorf("%d clusters, markdown: %d bytes", n, b.Len())
			}
		}
	}
}

// TestFleetFolds: the same finding of many clusters is one line with names.
func TestFleetFolds(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := print.FleetTable(&b, fleetOf(40, "node"), print.TableOptions{}, []finding.RuleDoc{{ID: "NR201", Title: "The node role has what it needs"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"error NR201 40 of 41 clusters fail the check: The node role has what it needs", "c-15node, c-16node, and 32 more",
		"list nodes: node: nodes of c-0node, c-10node, c-11node, c-12node, c-13node, and 35 more (needs list nodes)",
	} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestFleetResults: every format has the findings about several clusters; what is unknown of
// them is no failure, and what passed is in the wide table.
func TestFleetResults(t *testing.T) {
	t.Parallel()
	f := fleetOf(1, "node")
	outputs := map[string]string{}
	for _, format := range print.FleetFormats() {
		var b bytes.Buffer
		if err := print.WriteFleet(&b, format, f, print.Options{FailOn: finding.Warning.Rank()}); err != nil {
			t.Fatal(err)
		}
		outputs[format] = b.String()
	}
	for _, wide := range []bool{false, true} {
		var b bytes.Buffer
		if err := print.FleetTable(&b, f, print.TableOptions{Wide: wide}, nil); err != nil {
			t.Fatal(err)
		}
		outputs[map[bool]string{false: "table", true: "wide"}[wide]] = b.String()
	}
	for format, want := range map[string][]string{
		"table":       {"1 finding across clusters", "-- Across clusters", "warn  NR901  node is shared", "unknown  NR902  node is shared"},
		"wide":        {"ok    NR903  node is shared"},
		"markdown":    {"### Across clusters", "#### warn [NR901](", "#### Unknown across clusters"},
		"html":        {`<h2 id="across-title">Across clusters</h2>`, "node is shared"},
		"junit":       {`<testsuite name="the clusters together" tests="3" failures="1" errors="0" skipped="1">`},
		"github":      {"::warning title=NR901 group node::node is shared%0Anode", "::notice title=unknown::node is shared"},
		"openmetrics": {`noderole_fleet_results{rule="NR901",severity="warning",status="fail"} 1` + "\n"},
	} {
		for _, w := range want {
			if !strings.Contains(outputs[format], w) {
				t.Errorf("%s: no %q in\n%s", format, w, outputs[format])
			}
		}
	}
	if strings.Contains(outputs["table"], "NR903") {
		t.Errorf("the table has what passed:\n%s", outputs["table"])
	}
}

// TestManyFleetResults: the table shows a few findings of a rule and counts the others.
func TestManyFleetResults(t *testing.T) {
	t.Parallel()
	f := &finding.FleetReport{}
	for i := range 9 {
		f.FleetResults = append(f.FleetResults, finding.Result{
			ID: "NR901", Status: finding.Fail, Severity: finding.Info, Subject: finding.Subject{Kind: finding.SubjectNodeRole, Name: fmt.Sprintf("role-%d", i)}, Message: fmt.Sprintf("role-%d is shared", i),
		})
	}
	f.Finish()
	for _, wide := range []bool{false, true} {
		var b bytes.Buffer
		if err := print.FleetTable(&b, f, print.TableOptions{Wide: wide}, nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "role-8 is shared"); got != wide {
			t.Errorf("wide %t:\n%s", wide, b.String())
		}
		if got := strings.Contains(b.String(), "and 4 more findings of NR901 (-o wide shows all)"); got == wide {
			t.Errorf("wide %t:\n%s", wide, b.String())
		}
	}
}

// TestLongResult: an annotation has a part of what a result about many clusters says.
func TestLongResult(t *testing.T) {
	t.Parallel()
	f := &finding.FleetReport{FleetResults: []finding.Result{{ID: "NR906", Status: finding.Fail, Severity: finding.Info, Message: "many"}}}
	for i := range 200 {
		r := &f.FleetResults[0]
		r.Evidence, r.Next = append(r.Evidence, fmt.Sprintf("line %d.", i)), append(r.Next, finding.Advise(fmt.Sprintf("step %d.", i)))
	}
	f.Finish()
	var b bytes.Buffer
	if err := print.WriteFleet(&b, "github", f, print.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"line 29.%0Aand 170 more", "step 4.%0A-> and 195 more, -o wide shows all"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
}

// TestSharedStep: who repairs one cluster is told what other clusters use too.
func TestSharedStep(t *testing.T) {
	t.Parallel()
	const want = "Before you repair one cluster, see NR906 across clusters"
	for _, severity := range []finding.Severity{finding.Warning, finding.Info} {
		f := fleetOf(2, "node")
		f.Clusters[0].Next = []finding.Next{finding.Advise("fix")}
		f.FleetResults = []finding.Result{{
			ID: "NR906", Status: finding.Fail, Severity: severity, Subject: finding.Subject{Kind: finding.SubjectFleet, Name: "fleet"},
			Clusters: []finding.ClusterRef{{Name: "c-0", ARN: "a"}, {Name: "c-1", ARN: "b"}},
		}}
		var b bytes.Buffer
		if err := print.FleetTable(&b, f, print.TableOptions{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), want); got != (severity == finding.Warning) {
			t.Errorf("%s:\n%s", severity, b.String())
		}
	}
}
