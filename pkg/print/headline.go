package print

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// maxNames is how many names a sentence lists before it counts them.
const maxNames = 5

// headline is the verdict on the cluster in a sentence, and its tone.
func headline(r *finding.Report) (string, tone) {
	s := r.Summary
	known := knownText(r)
	if s.Errors+s.Warnings+s.Depends+s.Infos == 0 {
		return quietHeadline(r, known)
	}
	var counts []string
	for _, c := range []struct {
		n    int
		text string
	}{
		{s.Errors, text.Count(s.Errors, "error")},
		{s.Warnings, text.Count(s.Warnings, "warning")},
		{s.Depends, fmt.Sprintf("%d depends", s.Depends)},
		{s.Infos, fmt.Sprintf("%d info", s.Infos)},
	} {
		if c.n > 0 && len(counts) < 2 {
			counts = append(counts, c.text)
		}
	}
	words := strings.Join(counts, ", ")
	t := toneNote
	switch {
	case s.Errors > 0:
		t = toneBad
		words = counts[0] + ": " + repairText(r)
	case s.Warnings > 0:
		t = toneCaution
	case s.Depends > 0:
		t = toneDepends
	}
	words += "; begin with " + firstFinding(r)
	if known != "" {
		words = "new: " + words + "; " + known
	}
	return words, t
}

// quietHeadline is the headline of a report without findings.
func quietHeadline(r *finding.Report, known string) (string, tone) {
	unknown := r.Summary.Unknown > 0 || len(r.Missing) > 0
	switch {
	case unknown && known != "":
		return "no new findings, but " + unknownText(r) + "; " + known, toneUnknown
	case unknown:
		return "no findings, but " + unknownText(r), toneUnknown
	case known != "":
		return "no new findings; " + known, toneGood
	case r.Summary.Excepted > 0:
		return fmt.Sprintf("no findings but the %d excepted", r.Summary.Excepted), toneGood
	case r.WhyNotJoining:
		return "no finding keeps nodes from joining: checked " + checkedText(r), toneGood
	default:
		var rules []string
		for _, res := range r.Results {
			if res.Status == finding.Pass && !slices.Contains(rules, res.ID) {
				rules = append(rules, res.ID)
			}
		}
		return fmt.Sprintf("nothing to do: %s passed %s", checkedText(r), text.Count(len(rules), "rule")), toneGood
	}
}

// unknownText counts what is not known.
func unknownText(r *finding.Report) string {
	if n := r.Summary.Unknown; n > 0 {
		return text.Count(n, "verdict") + map[bool]string{true: " is", false: " are"}[n == 1] + " unknown"
	}
	return text.Count(len(r.Missing), "fact") + " could not be read"
}

// knownText counts what the baseline has; it is empty for nothing.
func knownText(r *finding.Report) string {
	if r.Summary.Known == 0 {
		return ""
	}
	errors := 0
	for _, res := range r.Results {
		if res.Known && res.Status == finding.Fail && res.Severity == finding.Error {
			errors++
		}
	}
	words := fmt.Sprintf("%d known", r.Summary.Known)
	if errors > 0 {
		words += " (" + text.Count(errors, "error") + ")"
	}
	return words
}

// repairText returns what errors are about: nodes do not join or do not work, or AWS does not
// support what there is.
func repairText(r *finding.Report) string {
	roles, nodes, sources, awsNode, clusterRole := map[string]bool{}, map[string]bool{}, map[string]bool{}, false, false
	under := finding.Under(r.Results)
	for i, res := range r.Results {
		switch {
		case res.Weight() != finding.Error || under[i] >= 0:
		case res.Subject.Kind == finding.SubjectClusterRole:
			clusterRole = true
		case slices.ContainsFunc(r.NodeRoles, func(row finding.RoleRow) bool { return row.ARN == res.Subject.ARN }):
			roles[res.Subject.ARN] = true
		case res.Subject.Kind == finding.SubjectAWSNode:
			awsNode = true
		case res.Subject.Kind == finding.SubjectNode:
			nodes[res.Subject.Name] = true
		case res.Subject.Kind == finding.SubjectSource:
			sources[res.Subject.Name] = true
		}
	}
	var parts []string
	if len(roles) > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s", len(roles), text.Count(len(r.NodeRoles), "node role")))
	}
	if awsNode {
		parts = append(parts, "aws-node")
	}
	if clusterRole {
		parts = append(parts, "the cluster role")
	}
	if len(nodes) > 0 {
		parts = append(parts, text.Count(len(nodes), "node"))
	}
	if len(sources) > 0 {
		parts = append(parts, text.Count(len(sources), "node source"))
	}
	verb := " need repair"
	switch {
	case len(parts) == 0:
		return "the cluster needs repair"
	case len(parts) == 1 && (awsNode || clusterRole || max(len(roles), len(nodes), len(sources)) == 1):
		verb = " needs repair"
	}
	return and(parts) + verb
}

// and joins words as a sentence does.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// firstFinding is the id of the finding that the report lists first.
func firstFinding(r *finding.Report) string {
	for _, res := range r.Results {
		if res.Weight() != "" {
			return res.ID
		}
	}
	return ""
}

// checkedText names what was checked.
func checkedText(r *finding.Report) string {
	var roles []string
	for _, row := range r.NodeRoles {
		roles = append(roles, row.Name)
	}
	what := "no node role"
	switch n := len(roles); {
	case n == 1:
		what = "node role " + roles[0]
	case n > maxNames:
		what = fmt.Sprintf("%d node roles", n)
	case n > 1:
		what = "node roles " + strings.Join(roles, ", ")
	}
	if r.AWSNode.Identity != "None" {
		what += " and aws-node"
	}
	return what
}
