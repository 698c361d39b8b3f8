package print

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// The fields of openreports.io/v1alpha1 that a report uses. The module
// github.com/openreports/reports-api has the types too, but they always write a
// timestamp, which would be 1970 here; the end-to-end tests hold these against
// them and their CRDs.
type (
	clusterReport struct {
		APIVersion string                `json:"apiVersion"`
		Kind       string                `json:"kind"`
		Metadata   clusterReportMetadata `json:"metadata"`
		Source     string                `json:"source"`
		Summary    clusterReportSummary  `json:"summary"`
		Results    []clusterReportResult `json:"results"`
	}
	clusterReportMetadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	clusterReportSummary struct {
		Pass  int `json:"pass"`
		Fail  int `json:"fail"`
		Warn  int `json:"warn"`
		Error int `json:"error"`
		Skip  int `json:"skip"`
	}
	clusterReportResult struct {
		Policy     string            `json:"policy"`
		Rule       string            `json:"rule,omitempty"`
		Category   string            `json:"category,omitempty"`
		Severity   string            `json:"severity,omitempty"`
		Result     string            `json:"result"`
		Scored     bool              `json:"scored"`
		Message    string            `json:"message"`
		Resources  []objectReference `json:"resources,omitempty"`
		Properties map[string]string `json:"properties,omitempty"`
	}
	objectReference struct {
		APIVersion string `json:"apiVersion,omitempty"`
		Kind       string `json:"kind"`
		Namespace  string `json:"namespace,omitempty"`
		Name       string `json:"name"`
	}
)

// writeOpenReports writes a ClusterReport of openreports.io for kubectl apply
// --server-side. An error is fail, a warning, an info and what depends is warn, what
// is unknown or could not be read is error. What is excepted or does not apply, and what
// only follows from another finding, is skip. A report that is too large for an object is
// shortened. The report replaces that of an earlier run: where not everything was read, a label
// and one more error say that a finding that is no longer in it may still be there.
func writeOpenReports(w io.Writer, raw *finding.Report, _ Options) error {
	r := cleaned(raw, text.Visible)
	report := clusterReport{
		APIVersion: "openreports.io/v1alpha1", Kind: "ClusterReport",
		Metadata: clusterReportMetadata{
			Name: objectName("noderole-"+r.Cluster.Name, raw.Cluster.ARN),
			Labels: map[string]string{
				"app.kubernetes.io/managed-by": "kubectl-noderole",
				"noderole.dev/cluster":         labelValue(r.Cluster.Name),
				"noderole.dev/region":          labelValue(r.Cluster.Region),
				"noderole.dev/account":         labelValue(r.Cluster.Account),
				"noderole.dev/complete":        strconv.FormatBool(raw.Complete()),
			},
			Annotations: map[string]string{"noderole.dev/cluster-arn": r.Cluster.ARN},
		},
		Source:  "kubectl-noderole",
		Results: []clusterReportResult{},
	}
	for name, value := range factsProperties(r.Facts) {
		report.Metadata.Annotations["noderole.dev/"+name] = value
	}
	under := finding.Under(r.Results)
	explains := explainedResults(r.Results, under)
	for i, res := range r.Results {
		report.add(newClusterReportResult(entry{Result: res, label: resultLabel(res), explains: explains[i]}, under[i] >= 0, r.Cluster))
	}
	if !raw.Complete() {
		report.add(clusterReportResult{
			Policy: "facts", Rule: "complete", Result: "error", Resources: []objectReference{{Kind: string(finding.SubjectCluster), Name: r.Cluster.Name}},
			Message: "not everything could be read: a finding of an earlier report that is not in this one is not known to be repaired",
		})
	}
	for _, m := range r.Missing {
		report.add(clusterReportResult{
			Policy: "facts", Rule: m.Fact, Result: "error", Message: unreadLine(m),
			Resources: []objectReference{{Kind: string(finding.SubjectCluster), Name: r.Cluster.Name}},
		})
	}
	if err := report.fit(); err != nil {
		return err
	}
	return YAML(w, report)
}

func newClusterReportResult(r entry, folded bool, cluster finding.ClusterInfo) clusterReportResult {
	result := clusterReportResult{
		Policy: r.ID, Rule: r.Rule, Category: string(r.Concern), Severity: reportSeverity(r.Severity),
		Message: r.Message, Resources: []objectReference{resource(r.Subject)}, Properties: map[string]string{},
	}
	switch r.Status {
	case finding.Pass:
		result.Result, result.Scored = "pass", true
	case finding.NotApplicable:
		result.Result = "skip"
	case finding.Unknown:
		result.Result = "error"
	case finding.Fail, finding.Depends:
		switch weight := r.Weight(); {
		case weight == "" || folded:
			result.Result = "skip"
		case weight == finding.Error:
			result.Result, result.Scored = "fail", true
		default:
			result.Result = "warn"
		}
	default:
		result.Result = "error"
	}
	if r.Failed() || r.Status == finding.Unknown {
		// A pass has only its message; -o json has the evidence for it.
		result.set("evidence", r.Evidence...)
		result.set("impact", r.Impact)
		result.set("next", nextLines(r.Next)...)
		result.set("exception", exceptionWords(r.Result))
		result.set("causes", causeNames(r.Result))
		var explains []string
		for _, e := range r.explains {
			explains = append(explains, symptomText(e))
		}
		result.set("explains", explains...)
	}
	result.set("clusters", clusterLines(r.Clusters)...)
	result.set("status", string(r.Status))
	result.set("arn", r.Subject.ARN)
	result.set("cluster", cluster.Name)
	return result
}

// clusterLines names clusters by their ARNs.
func clusterLines(clusters []finding.ClusterRef) []string {
	var lines []string
	for _, c := range clusters {
		lines = append(lines, c.ARN)
	}
	return lines
}

// set sets a property to lines of text, unless they are empty.
func (r *clusterReportResult) set(name string, lines ...string) {
	if value := strings.Join(lines, "\n"); value != "" {
		r.Properties[name] = value
	}
}

// add appends a result and counts it.
func (r *clusterReport) add(result clusterReportResult) {
	r.Results = append(r.Results, result)
	switch result.Result {
	case "pass":
		r.Summary.Pass++
	case "fail":
		r.Summary.Fail++
	case "warn":
		r.Summary.Warn++
	case "error":
		r.Summary.Error++
	case "skip":
		r.Summary.Skip++
	}
}

// resource is the subject as a reference: to the object of Kubernetes where it is one.
func resource(s finding.Subject) objectReference {
	ref := objectReference{Kind: string(s.Kind), Name: s.Name}
	switch s.Kind {
	case finding.SubjectNode:
		ref.APIVersion = "v1"
	case finding.SubjectAWSNode:
		ref.APIVersion, ref.Kind, ref.Namespace = "apps/v1", "DaemonSet", "kube-system"
	case finding.SubjectNodeRole, finding.SubjectCluster, finding.SubjectClusterRole, finding.SubjectEvent, finding.SubjectSource,
		finding.SubjectOIDCProvider, finding.SubjectGroup, finding.SubjectFleet:
	}
	return ref
}

func reportSeverity(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "high"
	case finding.Warning:
		return "medium"
	case finding.Info:
		return "info"
	default:
		return ""
	}
}

var (
	notInName  = text.Pattern(`[^a-z0-9-]+`)
	notInLabel = text.Pattern(`[^A-Za-z0-9_.-]+`)
)

// objectName makes a name that the API server takes: lower case letters, digits
// and dashes, at most 63. The end is a hash of the identity, as clusters of two
// accounts may share a name, and two names may become one here.
func objectName(name, identity string) string {
	sum := sha256.Sum256([]byte(identity))
	name = notInName().ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(name[:min(len(name), 52)], "-") + "-" + hex.EncodeToString(sum[:5])
}

// labelValue makes a value that a label may have: at most 63 letters, digits,
// dashes, underscores and dots, with a letter or digit at both ends.
func labelValue(s string) string {
	s = notInLabel().ReplaceAllString(s, "-")
	return strings.Trim(s[:min(len(s), 63)], "_.-")
}
