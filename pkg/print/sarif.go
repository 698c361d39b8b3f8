package print

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The parts of SARIF 2.1.0 that a report uses. Source:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name            string      `json:"name"`
		InformationURI  string      `json:"informationUri"`
		SemanticVersion string      `json:"semanticVersion"`
		Rules           []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		Name             string         `json:"name"`
		ShortDescription sarifText      `json:"shortDescription"`
		FullDescription  sarifText      `json:"fullDescription"`
		Help             sarifText      `json:"help"`
		HelpURI          string         `json:"helpUri"`
		Default          sarifConfig    `json:"defaultConfiguration"`
		Properties       map[string]any `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID        string             `json:"ruleId"`
		RuleIndex     *int               `json:"ruleIndex,omitempty"`
		Kind          string             `json:"kind"`
		Level         string             `json:"level"`
		Message       sarifText          `json:"message"`
		Locations     []sarifLocation    `json:"locations"`
		Fingerprints  map[string]string  `json:"partialFingerprints"`
		BaselineState string             `json:"baselineState,omitempty"`
		Suppressions  []sarifSuppression `json:"suppressions,omitempty"`
		Properties    map[string]any     `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// writeSARIF writes a SARIF 2.1.0 log with one run, as GitHub code scanning and
// other viewers take it.
//
// Code scanning shows every result as an open alert, whatever its kind and
// suppressions say (https://github.com/microsoft/PSRule/issues/955,
// https://github.com/advanced-security/dismiss-alerts). So what passed and what
// does not apply is counted in the run's properties and is not a result, and what is
// excepted is a note. What is unknown is a result of kind open.
//
// What only follows from another finding is not an alert of its own either: the finding's
// message and its property explains have it.
func writeSARIF(w io.Writer, raw *finding.Report, o Options) error {
	r := cleaned(raw, text.Visible)
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "kubectl-noderole", InformationURI: homepage,
			SemanticVersion: semanticVersion(o.Version), Rules: []sarifRule{},
		}},
		// A viewer keeps a history for each category, which is all before the last
		// slash: https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#runautomationdetails-object
		Automation:  sarifAutomation{ID: "kubectl-noderole/" + clusterPath(r.Cluster) + "/"},
		Invocations: []sarifInvocation{{ExecutionSuccessful: r.Complete()}},
		Results:     []sarifResult{},
		Properties:  map[string]any{"cluster": r.Cluster, "summary": r.Summary, "notEvaluated": r.NotEvaluated},
	}
	if len(r.Derived) > 0 {
		run.Properties["derived"] = r.Derived
	}
	if r.Facts != (finding.Facts{}) {
		run.Properties["facts"] = r.Facts
	}
	index := map[string]int{}
	for i, rule := range o.Rules {
		index[rule.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, newSARIFRule(rule))
	}
	for _, m := range r.Missing {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotification{Level: "error", Message: sarifText{Text: unreadLine(m)}})
	}
	compared := false
	for _, res := range r.Results {
		compared = compared || res.Known
	}
	under := finding.Under(r.Results)
	explains := explainedResults(r.Results, under)
	for i, res := range r.Results {
		if res.Status == finding.Pass || res.Status == finding.NotApplicable || under[i] >= 0 {
			continue
		}
		e := entry{Result: res, label: resultLabel(res), explains: explains[i]}
		result := newSARIFResult(e, r.Cluster, identityOf(raw.Results[i], raw.Cluster))
		if i, ok := index[res.ID]; ok {
			result.RuleIndex = &i
		}
		if compared {
			result.BaselineState = "new"
		}
		if res.Known {
			result.BaselineState = "unchanged"
		}
		run.Results = append(run.Results, result)
	}
	return JSON(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func newSARIFRule(d finding.RuleDoc) sarifRule {
	help := d.Why + "\n\nHow to repair it: " + d.Fix
	markdown := escape(d.Why) + "\n\n## How to repair it\n\n" + escape(d.Fix)
	if len(d.Refs) > 0 {
		markdown += "\n\n## Sources\n"
		for _, ref := range d.Refs {
			help += "\n" + ref
			markdown += "\n- <" + ref + ">"
		}
	}
	tags := []string{"aws", "eks", "iam"}
	properties := map[string]any{"precision": "very-high", "problem.severity": problemSeverity(d.Severity)}
	if d.Security {
		tags = append(tags, "security")
		properties["security-severity"] = securitySeverity(d.Severity)
	}
	properties["tags"] = tags
	return sarifRule{
		ID: d.ID, Name: pascalCase(d.Name), HelpURI: rulePages + d.ID + ".md",
		ShortDescription: sarifText{Text: d.Title + "."}, FullDescription: sarifText{Text: d.Why},
		Help: sarifText{Text: help, Markdown: markdown}, Default: sarifConfig{Level: sarifLevel(d.Severity)},
		Properties: properties,
	}
}

// identity is what a result is about, in full.
type identity struct{ id, kind, name, cluster string }

func identityOf(r finding.Result, cluster finding.ClusterInfo) identity {
	name := r.Subject.ARN
	if name == "" {
		name = cluster.ARN + "/" + string(r.Subject.Kind) + "/" + r.Subject.Name
	}
	return identity{r.ID, string(r.Subject.Kind), name, cluster.ARN}
}

// newSARIFResult is a result of texts that are safe to show. The fingerprint depends on
// what the result really is about.
func newSARIFResult(r entry, cluster finding.ClusterInfo, id identity) sarifResult {
	fingerprint := fingerprint(id.id, id.kind, id.name, id.cluster)
	result := sarifResult{
		RuleID: r.ID, Kind: "fail", Level: sarifLevel(r.Weight()),
		// Viewers turn [text](target) in a message into a link. No message of a
		// report has one, but a name in it may look like one.
		Message: sarifText{Text: strings.ReplaceAll(sarifMessage(r), "](", "] (")},
		Locations: []sarifLocation{{
			// Code scanning refuses a file with a result that has no relative URI. The
			// cluster is not a file of the repository; this path says in the list of
			// alerts what the alert is about, and stays the same from run to run.
			Physical: sarifPhysical{
				Artifact: sarifArtifact{URI: clusterPath(cluster) + "/" + pathSegment(string(r.Subject.Kind)) + "/" + pathSegment(r.Subject.Name)},
				Region:   sarifRegion{StartLine: 1, StartColumn: 1, EndLine: 1, EndColumn: 2},
			},
			Logical: []sarifLogical{{Name: r.Subject.Name, FullyQualifiedName: identityOf(r.Result, cluster).name, Kind: "resource"}},
		}},
		// Code scanning uses the first alone.
		Fingerprints: map[string]string{"primaryLocationLineHash": fingerprint[:16] + ":1", "noderole/v1": fingerprint},
		Properties:   map[string]any{"status": r.Status, "severity": r.Severity, "subject": r.Subject},
	}
	if len(r.Clusters) > 0 {
		result.Properties["clusters"] = r.Clusters
	}
	if p := r.Place; p != nil && p.File != "" {
		result.Locations[0].Physical = sarifPhysical{
			Artifact: sarifArtifact{URI: pathOf(p.File)}, Region: sarifRegion{StartLine: p.Line, StartColumn: 1, EndLine: p.Line, EndColumn: 2},
		}
	}
	if len(r.Next) > 0 {
		result.Properties["next"] = r.Next
	}
	var explains []map[string]any
	for _, e := range r.explains {
		explains = append(explains, map[string]any{"id": e.ID, "subject": e.Subject, "message": e.Message, "evidence": e.Evidence})
	}
	if len(explains) > 0 {
		result.Properties["explains"] = explains
	}
	if r.Status == finding.Unknown {
		result.Kind, result.Level = "open", "none" // a kind other than fail has no level
	}
	if r.Exception != nil && !r.Exception.Expired {
		result.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: exceptionWords(r.Result)}}
	}
	return result
}

// sarifMessage is the message as a sentence of its own, as viewers with little
// space show no more, and the details a line each.
func sarifMessage(e entry) string {
	return strings.Join(append([]string{strings.TrimSuffix(e.Message, ".") + "."}, details(e)...), "\n")
}

// fingerprint is a hash of parts that identify a result from run to run.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// sarifLevel is the level of a severity; of what does not count it is note.
func sarifLevel(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "error"
	case finding.Warning:
		return "warning"
	case finding.Info:
		return "note"
	default:
		return "note"
	}
}

func problemSeverity(s finding.Severity) string {
	if s == finding.Info {
		return "recommendation"
	}
	return string(s)
}

// securitySeverity is a score that code scanning shows as high, medium or low.
func securitySeverity(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "8.0"
	case finding.Warning:
		return "5.0"
	case finding.Info:
		return "2.0"
	default:
		return "0.0"
	}
}

// clusterPath names a cluster as a relative path.
func clusterPath(c finding.ClusterInfo) string {
	return "eks/" + pathSegment(c.Account) + "/" + pathSegment(c.Region) + "/" + pathSegment(c.Name)
}

// pathOf is the relative URI of a file.
func pathOf(file string) string {
	segments := strings.Split(strings.TrimPrefix(strings.ReplaceAll(file, `\`, "/"), "/"), "/")
	for i, s := range segments {
		segments[i] = pathSegment(s)
	}
	return strings.Join(segments, "/")
}

// pathSegment escapes a name for one segment of a URI's path.
func pathSegment(name string) string {
	switch name {
	case "":
		return "-"
	case ".", "..": // would name another folder
		return strings.ReplaceAll(name, ".", "%2E")
	default:
		return url.PathEscape(name)
	}
}

// pascalCase turns pull-permissions into PullPermissions, which SARIF asks for.
func pascalCase(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// semanticVersion is a version without its v; of a build that has none, it is 0.0.0.
func semanticVersion(version string) string {
	if number, ok := strings.CutPrefix(version, "v"); ok {
		return number
	}
	return "0.0.0"
}
