package print

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
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

// writeJUnit writes a JUnit report: a suite for each subject, a case for each
// rule's result on it. JUnit knows no severities, so every finding is a failure,
// with its severity as the type. What is unknown is an error, and so is every fact
// that could not be read. What is excused or does not apply is skipped, with the
// reason.
func writeJUnit(w io.Writer, r *finding.Report, _ Options) error {
	all := &junitSuites{Name: "kubectl noderole " + oneLine(r.Cluster.Name)}
	suites := map[finding.Subject]*junitSuite{}
	suite := func(s finding.Subject) *junitSuite {
		if suites[s] == nil {
			suites[s] = &junitSuite{Name: oneLine(string(s.Kind) + " " + s.Name), Properties: []junitProperty{{"cluster", oneLine(r.Cluster.ARN)}}}
			if s.ARN != "" {
				suites[s].Properties = append(suites[s].Properties, junitProperty{"arn", oneLine(s.ARN)})
			}
			all.Suites = append(all.Suites, suites[s])
		}
		return suites[s]
	}
	for _, res := range r.Results {
		// Jenkins takes what stands before the last dot for a package.
		class := strings.ReplaceAll(oneLine(r.Cluster.Name), ".", "_") + "." + string(res.Subject.Kind)
		suite(res.Subject).add(newJUnitCase(res, class))
	}
	for _, m := range r.Missing {
		line := oneLine(unreadLine(m))
		suite(finding.Subject{Kind: "Facts", Name: "that could not be read"}).add(junitCase{
			Name: line, ClassName: strings.ReplaceAll(oneLine(r.Cluster.Name), ".", "_") + ".Facts",
			Error: &junitDetail{Message: line, Type: "unread"},
		})
	}
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

func newJUnitCase(r finding.Result, class string) junitCase {
	c := junitCase{Name: oneLine(r.ID + " " + r.Rule + ": " + r.Subject.Name), ClassName: oneLine(class)}
	var lines []string
	for _, l := range details(r) {
		lines = append(lines, oneLine(l))
	}
	message, text := oneLine(r.Message), strings.Join(lines, "\n")
	switch r.Status {
	case finding.Fail, finding.Depends:
		switch severity := r.Weight(); severity {
		case "":
			c.Skipped = oneLine(excuse(r)) + "\n" + message + "\n" + text
		default:
			c.Failure = &junitDetail{Message: message, Type: string(severity), Text: text}
		}
	case finding.Unknown:
		c.Error = &junitDetail{Message: message, Type: string(finding.Unknown), Text: text}
	case finding.NotApplicable:
		c.Skipped = "does not apply: " + message
	case finding.Pass:
		c.Output = message
	default:
		c.Error = &junitDetail{Message: message, Type: string(r.Status), Text: text}
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
