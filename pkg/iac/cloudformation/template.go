// Package cloudformation reads CloudFormation templates, in YAML or JSON, as people, the CDK
// and eksctl write them. It evaluates intrinsic functions as far as the template and the
// parameters decide them; everything else is known only after deployment.
//
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
package cloudformation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Options say what a template does not.
type Options struct {
	Place iac.Place
	// Parameters are values of the template's parameters.
	Parameters map[string]string
}

// Template is the text of a template.
type Template struct {
	// Name is that of its file.
	Name    string
	Content []byte
}

// template is a template as it is evaluated.
type template struct {
	name    string
	options Options
	// all are the templates that are read together, this one among them.
	all []*template
	// stack is the name of the stack, where an import of another template tells it;
	// exportNames are the names of exports, by output.
	stack       string
	exportNames map[string]string
	parameters  map[string]any
	mappings    map[string]any
	conditions  map[string]any
	outputs     map[string]any
	// resources are by logical ID; lines has where they begin.
	resources map[string]map[string]any
	lines     map[string]int
	// loops are the loops of the resources that are not expanded yet.
	loops [][]any
	code  *iac.Code
	// standIns is set where the ARNs of roles without a name, and the names of clusters, are
	// those by which pkg/iac knows them.
	standIns bool
	// depth is how deep a value is that is being evaluated.
	depth int
	// values are the conditions, ARNs and exports that were evaluated: each may be used often,
	// by others that are used often.
	values map[string]any
}

// Read returns what templates declare that are parts of the same code. What one of them
// exports, another one can import. A parameter belongs to each of them that has it. Its errors
// are *problem.Error.
func Read(templates []Template, o Options) (*iac.Code, error) {
	var all []*template
	for _, one := range templates {
		t, err := parse(one.Name, one.Content)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if o.Place.Partition == "" && o.Place.Region != "" {
		o.Place.Partition = locate.PartitionOf(o.Place.Region)
	}
	if err := checkParameters(all, o.Parameters); err != nil {
		return nil, err
	}
	for _, t := range all {
		t.options = o
		t.nameExports()
	}
	for _, t := range all {
		t.all = all
		t.code = &iac.Code{Kind: "template", Command: "CloudFormation template", Timeless: true, File: t.name, Place: o.Place}
		t.expand()
	}
	if len(all) > 1 {
		for _, t := range all { // the imports tell the names of the stacks
			t.evaluate(t.sections())
		}
	}
	for _, t := range all {
		t.values = nil
	}
	var codes []*iac.Code
	for _, t := range all {
		for _, id := range text.SortedKeys(t.resources) {
			t.read(id)
		}
		codes = append(codes, t.code)
	}
	return iac.Join(codes), nil
}

// sections are the properties of the resources.
func (t *template) sections() []any {
	var list []any
	for _, id := range text.SortedKeys(t.resources) {
		list = append(list, t.resources[id]["Properties"])
	}
	return list
}

// checkParameters refuses a parameter that no template has.
func checkParameters(all []*template, given map[string]string) error {
	known := map[string]bool{}
	var names []string
	for _, t := range all {
		names = append(names, t.name)
		for key := range t.parameters {
			known[key] = true
		}
	}
	for _, key := range text.SortedKeys(given) {
		if !known[key] {
			return &problem.Error{
				Problem: fmt.Sprintf("%s has no parameter %s", strings.Join(names, ", "), key),
				Next:    "its parameters are " + text.OrNone(strings.Join(text.SortedKeys(known), ", ")),
			}
		}
	}
	return nil
}

// address is the name of a resource that no resource of another template has.
func (t *template) address(id string) string {
	if len(t.all) == 1 {
		return id
	}
	return t.label() + ":" + id
}

// label is the name of the file in addresses.
func (t *template) label() string {
	if t.name == "-" {
		return "stdin"
	}
	return t.name
}

// prefix is how the name begins of a resource to which CloudFormation gives a name. The name
// of the file is part of it where another template has a resource of the same logical ID.
func (t *template) prefix(id string) string {
	for _, other := range t.all {
		if other != t && other.resources[id] != nil {
			return notInNames().ReplaceAllString(t.label(), "-") + "-" + id + "-"
		}
	}
	return id + "-"
}

// notInNames are characters that names in IAM do not have.
var notInNames = text.Pattern(`[^A-Za-z0-9+=,.@_-]+`)

// hint says how to get a template.
const hint = "give a template, such as cdk synth writes; of a stack: aws cloudformation get-template --stack-name NAME --query TemplateBody"

// parse reads the text of a template.
func parse(name string, content []byte) (*template, error) {
	bad := func(next, format string, args ...any) error {
		return &problem.Error{Problem: name + " " + fmt.Sprintf(format, args...), Next: next}
	}
	if strings.TrimSpace(string(content)) == "" {
		return nil, bad(hint, "is empty, not a CloudFormation template")
	}
	file, err := files.YAML(content, parser.AllowDuplicateMapKey()) // the last one counts, as for CloudFormation
	var limit *files.LimitError
	switch {
	case errors.As(err, &limit):
		return nil, bad(hint, "is not a CloudFormation template: %s", limit)
	case err != nil:
		return nil, bad(hint, "is not a CloudFormation template: %s", firstLine(err.Error()))
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			if body != nil {
				return nil, bad("give one template at a time", "has several documents")
			}
			body = doc.Body
		}
	}
	top, ok := convert(body).(map[string]any)
	switch {
	case ok && top["format_version"] != nil:
		return nil, bad("use it with --terraform", "is a plan or state of Terraform, not a CloudFormation template")
	case ok && top["apiVersion"] != nil:
		return nil, bad(hint, "is not a CloudFormation template but a %v", top["kind"])
	case !ok || len(section(top, "Resources")) == 0:
		return nil, bad(hint, "is not a CloudFormation template: it has no Resources")
	}
	t := &template{
		name: name, parameters: section(top, "Parameters"), mappings: section(top, "Mappings"), conditions: section(top, "Conditions"), outputs: section(top, "Outputs"),
		resources: map[string]map[string]any{}, lines: resourceLines(body),
	}
	t.take(section(top, "Resources"))
	return t, nil
}

// take takes resources; loops are expanded when the parameters are known.
func (t *template) take(resources map[string]any) {
	for id, r := range resources {
		switch r := r.(type) {
		case map[string]any:
			t.resources[id] = r
		case []any:
			if strings.HasPrefix(id, forEach) {
				t.loops = append(t.loops, r)
			}
		}
	}
}

func section(top map[string]any, name string) map[string]any {
	m, _ := top[name].(map[string]any)
	return m
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// convert turns a node into maps, lists and scalars, and a short tag such as !Ref into the
// function that it stands for.
func convert(n ast.Node) any {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.TagNode:
		return tagged(strings.TrimPrefix(n.Start.Value, "!"), convert(n.Value))
	case *ast.MappingNode:
		m := make(map[string]any, len(n.Values))
		for _, v := range n.Values {
			m[keyOf(v)] = convert(v.Value)
		}
		return m
	case *ast.MappingValueNode:
		return map[string]any{keyOf(n): convert(n.Value)}
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for _, v := range n.Values {
			list = append(list, convert(v))
		}
		return list
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.AnchorNode:
		return convert(n.Value)
	case ast.ScalarNode:
		return n.GetToken().Value // numbers as they are written: account IDs begin with zeros
	}
	return nil
}

func keyOf(v *ast.MappingValueNode) string {
	key := v.Key.GetToken().Value
	return strings.TrimSpace(key)
}

// tagged is the function that a short tag stands for.
func tagged(tag string, value any) any {
	switch tag {
	case "Ref", "Condition":
		return map[string]any{tag: value}
	case "", "!str", "!map", "!seq", "!int", "!bool":
		return value
	}
	return map[string]any{"Fn::" + tag: value}
}

// resourceLines are the lines at which resources begin.
func resourceLines(body ast.Node) map[string]int {
	lines := map[string]int{}
	for _, top := range values(body) {
		if keyOf(top) != "Resources" {
			continue
		}
		for _, r := range values(top.Value) {
			lines[keyOf(r)] = r.Key.GetToken().Position.Line
		}
	}
	return lines
}

func values(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}
