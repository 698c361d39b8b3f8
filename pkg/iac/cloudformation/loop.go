package cloudformation

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// forEach is how the keys of loops over resources begin.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
const forEach = "Fn::ForEach::"

// maxResources is how many resources a template may have when its loops are expanded.
// CloudFormation takes 500.
const maxResources = 5000

// expand adds the resources that the loops make. A loop over what is not known may make
// anything.
func (t *template) expand() {
	for len(t.loops) > 0 {
		loop := t.loops[0]
		t.loops = t.loops[1:]
		if len(loop) != 3 || len(t.resources) > maxResources {
			continue
		}
		values := t.evaluate(loop[1])
		list, ok := values.([]any)
		if reason := why(values); !ok || reason != "" {
			t.unsureLoop(reason)
			continue
		}
		for _, v := range list {
			if body, ok := replaced(loop[2], scalar(loop[0]), scalar(v)).(map[string]any); ok {
				t.take(body)
			}
		}
	}
}

// unsureLoop notes that a loop may make roles, policies and what uses them.
func (t *template) unsureLoop(reason string) {
	for _, kind := range text.SortedKeys(facts) {
		if fact := facts[kind]; fact != snapshot.FactCluster {
			t.code.Unsure = append(t.code.Unsure, iac.Unsure{Fact: fact, Why: iac.Unknown(fmt.Sprintf("what a loop makes: %s", reason))})
		}
	}
}

// replaced returns a value with the value of the loop's identifier in place of it, in keys too.
func replaced(value any, identifier, by string) any {
	in := strings.NewReplacer("${"+identifier+"}", by, "&{"+identifier+"}", by)
	switch v := value.(type) {
	case map[string]any:
		if scalar(v["Ref"]) == identifier && len(v) == 1 {
			return by
		}
		m := make(map[string]any, len(v))
		for key, element := range v {
			m[in.Replace(key)] = replaced(element, identifier, by)
		}
		return m
	case []any:
		list := make([]any, 0, len(v))
		for _, element := range v {
			list = append(list, replaced(element, identifier, by))
		}
		return list
	case string:
		return in.Replace(v)
	}
	return value
}
