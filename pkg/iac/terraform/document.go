package terraform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
)

// policy returns the policy document at a path: the text, or what the data source
// aws_iam_policy_document that it refers to will return.
func (d *reader) policy(r *resource, path ...any) iac.Value {
	v := d.value(r, []string{"aws_iam_policy_document"}, path...)
	if v.Resource == "" {
		return v
	}
	return d.composed(d.byAddress[v.Resource])
}

// composed makes the document of a data source that is read only when the plan is applied.
// Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
func (d *reader) composed(r *resource) iac.Value {
	for _, name := range []string{"statement", "version", "source_policy_documents", "override_policy_documents"} {
		if m := child(r.unknown, name); anyMarked(m) {
			return iac.Unknown(fmt.Sprintf("%s.%s is known only after apply", r.text, name))
		}
		if m := child(r.sensitive, name); anyMarked(m) {
			return iac.Value{Unknown: fmt.Sprintf("%s.%s is marked as sensitive", r.text, name)}
		}
	}
	if r.count("override_policy_documents") > 0 {
		return iac.Unknown(r.text + ".json is known only after apply")
	}
	version := r.textAt("version")
	if version == "" {
		version = "2012-10-17"
	}
	var statements []any
	for _, source := range r.texts("source_policy_documents") {
		var doc struct {
			Statement any `json:"Statement"`
		}
		if err := json.Unmarshal([]byte(source), &doc); err != nil {
			return iac.Unknown(r.text + ".json is known only after apply")
		}
		if list, ok := doc.Statement.([]any); ok {
			statements = append(statements, list...)
		} else {
			statements = append(statements, doc.Statement)
		}
	}
	for i := range r.count("statement") {
		statements = append(statements, r.statement(i))
	}
	document, err := json.Marshal(map[string]any{"Version": version, "Statement": statements})
	if err != nil {
		return iac.Unknown(r.text + ".json is known only after apply")
	}
	return iac.Text(string(document))
}

// statement is a statement as the provider writes it.
func (r *resource) statement(i int) map[string]any {
	s := map[string]any{"Effect": "Allow"}
	for attribute, element := range map[string]string{"sid": "Sid", "effect": "Effect"} {
		if text := r.textAt("statement", i, attribute); text != "" {
			s[element] = text
		}
	}
	for attribute, element := range map[string]string{"actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource"} {
		if list := r.texts("statement", i, attribute); len(list) > 0 {
			s[element] = variables(list)
		}
	}
	for attribute, element := range map[string]string{"principals": "Principal", "not_principals": "NotPrincipal"} {
		if p := r.principals(i, attribute); p != nil {
			s[element] = p
		}
	}
	conditions := map[string]map[string][]string{}
	for c := range r.count("statement", i, "condition") {
		test, key := r.textAt("statement", i, "condition", c, "test"), r.textAt("statement", i, "condition", c, "variable")
		if conditions[test] == nil {
			conditions[test] = map[string][]string{}
		}
		conditions[test][key] = append(conditions[test][key], variables(r.texts("statement", i, "condition", c, "values"))...)
	}
	if len(conditions) > 0 {
		s["Condition"] = conditions
	}
	return s
}

// principals are the principals of a statement: "*" for everybody, else lists by type.
func (r *resource) principals(i int, attribute string) any {
	lists := map[string][]string{}
	for p := range r.count("statement", i, attribute) {
		kind := r.textAt("statement", i, attribute, p, "type")
		lists[kind] = append(lists[kind], variables(r.texts("statement", i, attribute, p, "identifiers"))...)
	}
	switch {
	case len(lists) == 0:
		return nil
	case slices.Equal(lists["*"], []string{"*"}):
		return "*"
	}
	return lists
}

// variables writes policy variables as IAM does: Terraform's own form of them is &{…}.
func variables(list []string) []string {
	for i, s := range list {
		list[i] = strings.ReplaceAll(s, "&{", "${")
	}
	return list
}
