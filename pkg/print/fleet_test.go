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
