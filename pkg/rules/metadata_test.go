package rules_test

import (
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// TestMetadataOfSources: the launch template decides for new nodes, also where the instances
// that run have other options; what it does not set, running instances of it show.
func TestMetadataOfSources(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/eksNodeRole"
	template := func(options string) string {
		return "nodeGroups: {system: {metadata: {httpTokens: required, hopLimit: 1}}, apps: {metadata: {" + options + "}}}"
	}
	instance := func(options string) string {
		return "instances: {i-0aaaaaaaaaaaaaaaa: {state: running, nodeGroup: apps, httpEndpoint: enabled, " + options + "}}"
	}
	for name, test := range map[string]struct {
		patches []string
		status  finding.Status
		message string
		detail  string // part of the evidence or of what to do next
	}{
		"not read":                 {nil, finding.NotApplicable, "no running instance holds eksNodeRole", ""},
		"tokens and one hop":       {[]string{template("httpTokens: required, hopLimit: 1")}, finding.Pass, "pods cannot get eksNodeRole's credentials", "node group apps: tokens required and hop limit 1"},
		"two hops":                 {[]string{template("httpTokens: required, hopLimit: 2")}, finding.Fail, "on new nodes of node group apps", "node group apps: hop limit 2"},
		"nothing set":              {[]string{template("")}, finding.Depends, "the account or the AMI decides", "node group apps: HttpTokens and hop limit not set"},
		"no hop limit":             {[]string{template("httpTokens: required")}, finding.Depends, "on new nodes of node group apps", "node group apps: hop limit not set"},
		"nothing set, an instance": {[]string{template(""), instance("httpTokens: required, hopLimit: 1")}, finding.Pass, "pods cannot get", "on all 1 instances"},
		"an instance was changed": {
			[]string{template("httpTokens: required, hopLimit: 2"), instance("httpTokens: required, hopLimit: 1")}, finding.Fail, "on new nodes of node group apps", "in node group apps",
		},
		"refused": {
			[]string{`missing: [{fact: metadata, subject: "` + role + `", operation: "ec2:DescribeLaunchTemplateVersions", permission: "ec2:DescribeLaunchTemplateVersions", error: denied}]`},
			finding.Unknown, "whether pods can get eksNodeRole's credentials is unknown", "ec2:DescribeLaunchTemplateVersions",
		},
		"refused, and exposed": {
			[]string{`missing: [{fact: metadata, subject: "` + role + `", operation: "ec2:DescribeLaunchTemplateVersions", error: denied}]`, instance("httpTokens: optional, hopLimit: 1")},
			finding.Fail, "on 1 of 1 instances", "HttpTokens optional",
		},
	} {
		t.Run(name, func(t *testing.T) {
			results := rules.Run(view.New(overlay(t, test.patches...)), []rules.Rule{ruleOf(t, "NR701")})
			for _, r := range results {
				if r.Subject.ARN != role {
					continue
				}
				details := append([]string{}, r.Evidence...)
				for _, next := range r.Next {
					details = append(details, next.Note)
				}
				if r.Status != test.status || !strings.Contains(r.Message, test.message) || !strings.Contains(strings.Join(details, "\n"), test.detail) {
					t.Errorf("%s: %s\n%s", r.Status, r.Message, strings.Join(details, "\n"))
				}
				return
			}
			t.Errorf("no result: %+v", results)
		})
	}
}
