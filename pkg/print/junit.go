package print

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The elements and attributes that Jenkins' schema of JUnit reports has and a
// report needs. The order of fields is that of the schema. Source: junit-4.xsd of
// Jenkins' dtkit.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []*junitSuite
	}
	junitSuite struct {
		XMLName    xml.Name        `xml:"testsuite"`
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		XMLName   xml.Name     `xml:"testcase"`
		Name      string       `xml:"name,attr"`
		ClassName string       `xml:"classname,attr"`
		Skipped   string       `xml:"skipped,omitempty"`
		Error     *junitDetail `xml:"error"`
		Failure   *junitDetail `xml:"failure"`
		Output    string       `xml:"system-out,omitempty"`
	}
	junitDetail struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",cdata"`
	}
)

// writeJUnit writes a JUnit report: a case for each result, in the order of the report.
// JUnit has no severities, so that a finding is a failure or none: one that counts at
// least as much as FailOn is, with its severity as the type. A finding below FailOn is
// skipped, and so is what only follows from another finding, so that one cause is one
// failure; each says so with all that it has. What is excepted, known or does not apply
// is skipped too. What is unknown is an error, and so is every fact that could not be
// read.
func writeJUnit(w io.Writer, r *finding.Report, o Options) error {
	r = cleaned(r, text.Visible)
	// Jenkins takes the text before the last dot for a package.
	class := func(what string) string {
		return strings.ReplaceAll(r.Cluster.Name, ".", "_") + "." + strings.ReplaceAll(what, ".", "_")
	}
	properties := []junitProperty{{"cluster", r.Cluster.ARN}}
	facts := factsProperties(r.Facts)
	for _, name := range text.SortedKeys(facts) {
		properties = append(properties, junitProperty{name, facts[name]})
	}
	results := &junitSuite{Name: "results", Properties: properties}
	under := finding.Under(r.Results)
	explains := explainedResults(r.Results, under)
	for i, res := range r.Results {
		e := entry{Result: res, label: resultLabel(res), explains: explains[i]}
		results.add(newJUnitCase(e, under[i] >= 0, o.FailOn, class(string(res.Subject.Kind)+" "+res.Subject.Name)))
	}
	unread := &junitSuite{Name: "facts that could not be read", Properties: properties}
	for _, m := range r.Missing {
		line := unreadLine(m)
		unread.add(junitCase{Name: line, ClassName: class("Facts"), Error: &junitDetail{Message: line, Type: "unread"}})
	}
	all := &junitSuites{Name: "kubectl noderole " + r.Cluster.Name}
	for _, s := range []*junitSuite{results, unread} {
		if s.Tests == 0 {
			continue
		}
		all.Suites = append(all.Suites, s)
	}
	return all.write(w)
}

// write counts the suites together, and writes them.
func (all *junitSuites) write(w io.Writer) error {
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(out)+"\n")
	return err
}

func newJUnitCase(e entry, folded bool, failOn int, class string) junitCase {
	c := junitCase{Name: e.ID + " " + e.Rule + ": " + e.Subject.Name, ClassName: class}
	lines := details(e)
	if e.Subject.ARN != "" {
		lines = append(lines, e.Subject.ARN)
	}
	below := strings.Join(lines, "\n")
	skip := func(prefix, why string) {
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == why })
		c.Skipped = prefix + why + ": " + e.Message + "\n" + strings.Join(lines, "\n")
	}
	switch {
	case e.Status == finding.Pass:
		c.Output = e.Message
	case e.Status == finding.NotApplicable:
		c.Skipped = e.Full + ": " + e.Message
	case !e.Failed():
		c.Error = &junitDetail{Message: e.Message, Type: e.Full, Text: below}
	case e.Weight() == "":
		skip("", exceptionWords(e.Result))
	case folded:
		skip(e.Full+", ", explainedBy(e.Result))
	case e.Weight().Rank() < failOn:
		skip(e.Full+", ", "below --fail-on")
	default:
		c.Failure = &junitDetail{Message: e.Message, Type: string(e.Weight()), Text: below}
	}
	return c
}

// add appends a case and counts it.
func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Error != nil:
		s.Errors++
	case c.Failure != nil:
		s.Failures++
	case c.Skipped != "":
		s.Skipped++
	}
}
