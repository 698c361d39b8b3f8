// Package teampolicy applies the configuration of a team to a report: the team's severities,
// rules that are off, exceptions until a date, and a baseline of known failures. It reads
// nothing and has no clock: the caller passes the date.
package teampolicy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
)

// Kind identifies the file's format, together with finding.APIVersion.
const Kind = "Config"

const (
	// off is the Severity of a rule that is not judged.
	off = "off"
	// never is the day on which an exception ends that is for good.
	never = "never"
)

// Config is the file .noderole.yaml.
type Config struct {
	APIVersion string `json:"apiVersion" jsonschema:"enum=noderole.dev/v1alpha1"`
	Kind       string `json:"kind" jsonschema:"enum=Config"`
	// Severities gives rules, by id, another severity: error, warning or info. A
	// rule that is off is not judged, and the report says so.
	Severities map[string]Severity `json:"severities,omitempty"`
	// Exceptions are failures that the team lives with.
	Exceptions []Exception `json:"exceptions,omitempty"`

	file string
}

// Severity is a finding.Severity or off.
type Severity string

// Severities lists every Severity.
var Severities = []Severity{Severity(finding.Error), Severity(finding.Warning), Severity(finding.Info), off}

// Exception is a failure that the team lives with until a day. Of Role and Subject
// exactly one is set. In both and in Cluster, * matches any characters and ? matches one.
type Exception struct {
	// Rule is the rule's id.
	Rule string `json:"rule" jsonschema:"pattern=^NR[0-9]{3}$"`
	// Role is the name or ARN of the node roles that it is about.
	Role string `json:"role,omitempty"`
	// Subject is the name or ARN of anything else that results are about, such as
	// aws-node or "node group apps": subject.name of check -o json.
	Subject string `json:"subject,omitempty"`
	// Cluster is the name or ARN of the clusters that it is for; empty is any.
	Cluster string `json:"cluster,omitempty"`
	// Expires is the last day on which it holds, in UTC, as YYYY-MM-DD, or never.
	Expires string `json:"expires" jsonschema:"pattern=^([0-9]{4}-[0-9]{2}-[0-9]{2}|never)$"`
	// Reason says why the team lives with it. Reports show it.
	Reason string `json:"reason"`

	line int
}

// Overrides returns the rules whose severity the file changes, and the ids of the
// rules that it switches off, sorted.
func (c *Config) Overrides() (severities map[string]finding.Severity, switchedOff []string) {
	severities = map[string]finding.Severity{}
	for _, id := range slices.Sorted(maps.Keys(c.Severities)) {
		if c.Severities[id] == off {
			switchedOff = append(switchedOff, id)
		} else {
			severities[id] = finding.Severity(c.Severities[id])
		}
	}
	return severities, switchedOff
}

// Apply writes the team's decisions into a report that was judged with Overrides:
// the exceptions of failures and of what depends, and which rules were off. What
// could not be read stays unknown, whatever an exception says. today is
// YYYY-MM-DD in UTC. It returns, a sentence each, the exceptions for this cluster
// that are about nothing in it.
func (c *Config) Apply(r *finding.Report, today string) (unused []string) {
	if _, switchedOff := c.Overrides(); len(switchedOff) > 0 {
		r.NotEvaluated = append(r.NotEvaluated, fmt.Sprintf("%s, switched off in %s", strings.Join(switchedOff, ", "), c.file))
	}
	for _, e := range c.Exceptions {
		if e.Cluster != "" && !matches(e.Cluster, r.Cluster.Name, r.Cluster.ARN) {
			continue
		}
		used := false
		for i := range r.Results {
			res := &r.Results[i]
			if !e.about(*res) {
				continue
			}
			switch res.Status {
			case finding.Fail, finding.Depends:
				used = true
				if res.Exception == nil || res.Exception.Expired {
					res.Exception = e.of(c.file, today)
				}
			case finding.Unknown:
				used = true // it may be about a failure that was not seen
			case finding.Pass, finding.NotApplicable:
			}
		}
		if !used {
			unused = append(unused, fmt.Sprintf("%s:%d: the exception of %s for %s is about no failure in %s; remove it, or name its cluster",
				c.file, e.line, e.Rule, e.Role+e.Subject, r.Cluster.Name))
		}
	}
	r.Recount()
	return unused
}

func (e Exception) about(r finding.Result) bool {
	isRole := r.Subject.Kind == finding.SubjectNodeRole
	return e.Rule == r.ID && isRole == (e.Role != "") && matches(e.Role+e.Subject, r.Subject.Name, r.Subject.ARN)
}

func (e Exception) of(file, today string) *finding.Exception {
	x := &finding.Exception{Reason: e.Reason, Source: fmt.Sprintf("%s:%d", file, e.line)}
	if e.Expires != never {
		x.Expires, x.Expired = e.Expires, today > e.Expires
	}
	return x
}

// matches compares a pattern with a name, or, where it begins as one, with an ARN.
func matches(pattern, name, arn string) bool {
	if strings.HasPrefix(pattern, "arn:") {
		name = arn
	}
	form := regexp.QuoteMeta(pattern)
	form = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(form)
	return regexp.MustCompile(`(?s)^` + form + `$`).MatchString(name)
}
