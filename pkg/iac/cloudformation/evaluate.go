package cloudformation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// What a value can be besides a text, a list and a map.
type (
	// unknown is a value that is known only after deployment, with the reason as a clause.
	unknown string
	// reference is the name or an attribute of a resource of a template.
	reference struct {
		of            *template
		id, attribute string
	}
	// noValue is an attribute that is left out.
	noValue struct{}
)

// maxDepth is how deep values and conditions may refer to each other.
const maxDepth = 100

// evaluate evaluates the functions in a value.
func (t *template) evaluate(value any) any {
	if t.depth++; t.depth > maxDepth {
		t.depth--
		return unknown("a value refers to itself")
	}
	defer func() { t.depth-- }()
	switch v := value.(type) {
	case map[string]any:
		for name, argument := range v {
			if len(v) == 1 && (name == "Ref" || name == "Condition" || strings.HasPrefix(name, "Fn::")) {
				return t.call(name, argument)
			}
		}
		m := make(map[string]any, len(v))
		for key, element := range v {
			if e := t.evaluate(element); !isNoValue(e) {
				m[key] = e
			}
		}
		return m
	case []any:
		list := make([]any, 0, len(v))
		for _, element := range v {
			if e := t.evaluate(element); !isNoValue(e) {
				list = append(list, e)
			}
		}
		return list
	default:
		return v
	}
}

// once is a value that is evaluated once. Meanwhile it is not known: a value that needs it
// refers to itself.
func (t *template) once(key string, evaluate func() any) any {
	if v, known := t.values[key]; known {
		return v
	}
	if t.values == nil {
		t.values = map[string]any{}
	}
	t.values[key] = unknown("a value refers to itself")
	t.values[key] = evaluate()
	return t.values[key]
}

func isNoValue(v any) bool { _, ok := v.(noValue); return ok }

// call evaluates a function.
func (t *template) call(name string, argument any) any {
	switch name {
	case "Ref":
		return t.ref(scalar(argument))
	case "Condition":
		return t.condition(scalar(argument))
	case "Fn::GetAtt":
		return t.getAtt(t.evaluate(argument))
	case "Fn::Sub":
		return t.sub(argument)
	case "Fn::Join":
		return t.join(argument)
	case "Fn::FindInMap":
		return t.findInMap(argument)
	case "Fn::If":
		return t.choose(argument)
	case "Fn::Select":
		return t.selected(argument)
	case "Fn::Split":
		return t.split(argument)
	case "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or":
		return t.logic(name, argument)
	case "Fn::ToJsonString":
		if v := t.evaluate(argument); why(v) == "" {
			if out, err := json.Marshal(v); err == nil {
				return string(out)
			}
		}
	case "Fn::ImportValue":
		return t.imported(t.evaluate(argument))
	}
	return unknown(name + " is evaluated only at deployment")
}

// ref is the value of a parameter, a pseudo parameter, or the name of a resource.
func (t *template) ref(name string) any {
	known := func(value, flag string) any {
		if value == "" {
			return unknown(name + " is not known: give " + flag)
		}
		return value
	}
	p := t.options.Place
	switch name {
	case "AWS::NoValue":
		return noValue{}
	case "AWS::AccountId":
		return known(p.Account, "--account")
	case "AWS::Region":
		return known(p.Region, "--region")
	case "AWS::Partition":
		return known(p.Partition, "--region")
	case "AWS::StackName":
		if t.stack != "" {
			return t.stack
		}
	case "AWS::URLSuffix":
		if p.Partition == "aws-cn" {
			return "amazonaws.com.cn"
		}
		return known(map[string]string{"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com"}[p.Partition], "--region")
	}
	if parameter, ok := t.parameters[name].(map[string]any); ok {
		return t.parameter(name, parameter)
	}
	if r, ok := t.resources[name]; ok {
		switch kind := scalar(r["Type"]); {
		case t.standIns && (kind == cluster || kind == cdkOwned):
			return iac.StandIn(t.address(name))
		case t.standIns && kind == role:
			return t.standIn(name, "RoleName")
		case t.standIns && kind == profile:
			return t.standIn(name, "InstanceProfileName")
		}
		return reference{t, name, ""}
	}
	return unknown(name + " is known only at deployment")
}

// standIn is the name of something in IAM, or the one by which pkg/iac knows it.
func (t *template) standIn(id, property string) any {
	switch name := t.property(id, property).(type) {
	case nil:
		return iac.StandIn(t.prefix(id))
	case string:
		return name
	default:
		return reference{t, id, ""}
	}
}

func (t *template) parameter(name string, parameter map[string]any) any {
	value, given := any(t.options.Parameters[name]), false
	if _, given = t.options.Parameters[name]; !given {
		value, given = parameter["Default"], parameter["Default"] != nil
	}
	kind := scalar(parameter["Type"])
	switch {
	case !given:
		return unknown(fmt.Sprintf("parameter %s has no value: give --parameter %s=VALUE", name, name))
	case strings.EqualFold(scalar(parameter["NoEcho"]), "true"):
		return unknown("parameter " + name + " is not shown")
	case strings.HasPrefix(kind, "AWS::SSM::Parameter::Value"):
		return unknown("parameter " + name + " is read from SSM at deployment")
	case kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<"):
		var list []any
		for element := range strings.SplitSeq(scalar(value), ",") {
			list = append(list, strings.TrimSpace(element))
		}
		return list
	}
	return scalar(value)
}

func (t *template) getAtt(argument any) any {
	if name, ok := argument.(string); ok { // as !GetAtt takes it, and CloudFormation also in the long form
		id, attribute, _ := strings.Cut(name, ".")
		argument = []any{id, attribute}
	}
	list, _ := argument.([]any)
	if len(list) < 2 {
		return unknown("Fn::GetAtt is evaluated only at deployment")
	}
	id, attribute := scalar(list[0]), scalar(list[1])
	if _, ok := t.resources[id]; !ok {
		return unknown(id + " is known only at deployment")
	}
	if s := t.arn(id); s != "" && attribute == "Arn" {
		return s
	}
	if p := t.options.Place; t.standIns && attribute == "Arn" && scalar(t.resources[id]["Type"]) == role && p.Account != "" && p.Partition != "" {
		return fmt.Sprintf("arn:%s:iam::%s:role/%s", p.Partition, p.Account, iac.StandIn(t.prefix(id)))
	}
	return reference{t, id, attribute}
}

// imported is the value of an export of another template.
func (t *template) imported(name any) any {
	if reason := why(name); reason != "" {
		return unknown("it is imported from another stack: " + reason)
	}
	for _, other := range t.all {
		if v := other.exported(scalar(name), t.standIns); other != t && v != nil {
			return v
		}
	}
	return unknown("it is imported as " + scalar(name) + ": give the template that exports it too")
}

// exported is the value of the template's output that is exported by a name; nil where none is.
func (t *template) exported(name string, standIns bool) any {
	for _, key := range text.SortedKeys(t.outputs) {
		output := t.outputs[key]
		if condition := scalar(field(output, "Condition")); condition != "" && t.condition(condition) == false || !t.exports(key, name) {
			continue
		}
		return t.once(fmt.Sprintf("output %s %t", key, standIns), func() any {
			before := t.standIns
			t.standIns = standIns
			defer func() { t.standIns = before }()
			return t.evaluate(field(output, "Value"))
		})
	}
	return nil
}

// stackStandIn stands in for the name of a stack. No name has this character.
const stackStandIn = "\x00"

// nameExports evaluates the names of exports, before other templates are known.
func (t *template) nameExports() {
	t.exportNames = map[string]string{}
	for key, output := range t.outputs {
		t.exportNames[key] = t.withStack(field(field(output, "Export"), "Name"))
	}
}

// withStack is a value as a text, with the stand-in for the name of the stack where that is
// not known; empty where the text is not known.
func (t *template) withStack(value any) string {
	if t.stack == "" {
		values := t.values
		t.stack, t.values = stackStandIn, nil
		defer func() { t.stack, t.values = "", values }()
	}
	return scalar(t.evaluate(value))
}

// exports reports whether an output is exported by a name. Where the export's name has that
// of the stack in it, which no template says, the first import that fits tells it.
func (t *template) exports(output, name string) bool {
	export := t.exportNames[output]
	before, after, byStack := strings.Cut(export, stackStandIn)
	switch {
	case !byStack || t.stack != "":
		return name != "" && strings.ReplaceAll(export, stackStandIn, t.stack) == name
	case strings.Contains(after, stackStandIn) || len(name) <= len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after):
		return false
	}
	t.stack = name[len(before) : len(name)-len(after)]
	return true
}

// arn is the ARN of a resource of IAM whose name the template says; empty otherwise.
func (t *template) arn(id string) string {
	return scalar(t.once("arn "+id, func() any { return t.evaluateARN(id) }))
}

func (t *template) evaluateARN(id string) string {
	kinds := map[string][2]string{
		"AWS::IAM::Role": {"role", "RoleName"}, "AWS::IAM::ManagedPolicy": {"policy", "ManagedPolicyName"}, "AWS::IAM::InstanceProfile": {"instance-profile", "InstanceProfileName"},
	}
	kind, ok := kinds[scalar(t.resources[id]["Type"])]
	p := t.options.Place
	name, isText := t.property(id, kind[1]).(string)
	path, pathKnown := t.property(id, "Path").(string)
	if t.property(id, "Path") == nil {
		path, pathKnown = "/", true
	}
	if !ok || !isText || name == "" || !pathKnown || p.Account == "" || p.Partition == "" {
		return ""
	}
	return fmt.Sprintf("arn:%s:iam::%s:%s%s%s", p.Partition, p.Account, kind[0], path, name)
}

// variable is a variable in the text of Fn::Sub, or an escaped one.
var variable = text.Pattern(`\$\{([^}]*)\}`)

func (t *template) sub(argument any) any {
	own := map[string]any{}
	if list, ok := argument.([]any); ok && len(list) == 2 {
		argument = list[0]
		own, _ = list[1].(map[string]any)
	}
	format, ok := argument.(string)
	if !ok {
		return unknown("Fn::Sub is evaluated only at deployment")
	}
	get := func(name string) any {
		if v, ok := own[name]; ok {
			return t.evaluate(v)
		}
		if id, attribute, ok := strings.Cut(name, "."); ok {
			return t.getAtt([]any{id, attribute})
		}
		return t.ref(name)
	}
	if m := variable().FindStringSubmatch(format); m != nil && m[0] == format && !strings.HasPrefix(m[1], "!") {
		return get(m[1])
	}
	var reason any
	out := variable().ReplaceAllStringFunc(format, func(s string) string {
		name := variable().FindStringSubmatch(s)[1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		switch v := get(name).(type) {
		case string:
			return v
		case bool:
			return strconv.FormatBool(v)
		default:
			reason = first(reason, unknown(whyPart(v)))
			return ""
		}
	})
	if reason != nil {
		return reason
	}
	return out
}

func first(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

// whyPart returns why a part of a text is not known.
func whyPart(v any) string {
	if r, ok := v.(reference); ok {
		return "the name of " + r.of.address(r.id) + " is known only after deployment"
	}
	if reason := why(v); reason != "" {
		return reason
	}
	return "a part of it is known only after deployment"
}

func (t *template) join(argument any) any {
	list, _ := argument.([]any)
	if len(list) != 2 {
		return unknown("Fn::Join is evaluated only at deployment")
	}
	elements, ok := t.evaluate(list[1]).([]any)
	if !ok {
		return unknown(whyPart(t.evaluate(list[1])))
	}
	if len(elements) == 1 {
		return elements[0]
	}
	texts := make([]string, 0, len(elements))
	for _, e := range elements {
		switch e := e.(type) {
		case string:
			texts = append(texts, e)
		case bool:
			texts = append(texts, strconv.FormatBool(e))
		default:
			return unknown(whyPart(e))
		}
	}
	return strings.Join(texts, scalar(list[0]))
}

func (t *template) findInMap(argument any) any {
	list, _ := argument.([]any)
	if len(list) < 3 {
		return unknown("Fn::FindInMap is evaluated only at deployment")
	}
	value := any(t.mappings)
	for _, key := range list[:3] {
		k := t.evaluate(key)
		if reason := why(k); reason != "" {
			return unknown(reason)
		}
		m, _ := value.(map[string]any)
		value = m[scalar(k)]
	}
	if value == nil {
		if options, ok := last(list).(map[string]any); ok && len(list) == 4 {
			return t.evaluate(options["DefaultValue"])
		}
		return unknown("the mapping has no such key")
	}
	return value
}

func last(list []any) any { return list[len(list)-1] }

func (t *template) choose(argument any) any {
	list, _ := argument.([]any)
	if len(list) != 3 {
		return unknown("Fn::If is evaluated only at deployment")
	}
	switch c := t.condition(scalar(list[0])).(type) {
	case bool:
		if c {
			return t.evaluate(list[1])
		}
		return t.evaluate(list[2])
	default:
		return unknown(whyPart(c))
	}
}

// condition is the value of a condition: true, false or unknown.
func (t *template) condition(name string) any {
	c, ok := t.conditions[name]
	if !ok {
		return unknown("the template has no condition " + name)
	}
	switch v := t.once("condition "+name, func() any { return t.evaluate(c) }).(type) {
	case bool:
		return v
	default:
		reason := whyPart(v)
		if strings.HasPrefix(reason, "condition ") {
			return unknown(reason) // of another condition
		}
		return unknown("condition " + name + " is not known: " + reason)
	}
}

func (t *template) logic(name string, argument any) any {
	list, _ := argument.([]any)
	var values []any
	for _, a := range list {
		values = append(values, t.evaluate(a))
	}
	if name == "Fn::Equals" {
		if len(values) != 2 {
			return unknown("Fn::Equals compares two values")
		}
		if reason := why(values); reason != "" {
			return unknown(reason)
		}
		return scalar(values[0]) == scalar(values[1])
	}
	undecided := slices.IndexFunc(values, func(v any) bool { _, ok := v.(bool); return !ok })
	switch {
	case name == "Fn::And" && slices.Contains(values, any(false)):
		return false
	case name == "Fn::Or" && slices.Contains(values, any(true)):
		return true
	case undecided >= 0:
		return unknown(whyPart(values[undecided]))
	case len(values) == 0:
		return unknown(name + " has no conditions")
	case name == "Fn::Not":
		return values[0] == false
	}
	return name == "Fn::And"
}

func (t *template) selected(argument any) any {
	list, _ := argument.([]any)
	if len(list) != 2 {
		return unknown("Fn::Select is evaluated only at deployment")
	}
	index, err := strconv.Atoi(scalar(t.evaluate(list[0])))
	elements, ok := t.evaluate(list[1]).([]any)
	if err != nil || !ok || index < 0 || index >= len(elements) {
		return unknown(whyPart(t.evaluate(list[1])))
	}
	return elements[index]
}

func (t *template) split(argument any) any {
	list, _ := argument.([]any)
	if len(list) != 2 {
		return unknown("Fn::Split is evaluated only at deployment")
	}
	joined, ok := t.evaluate(list[1]).(string)
	if !ok {
		return unknown(whyPart(t.evaluate(list[1])))
	}
	var elements []any
	for part := range strings.SplitSeq(joined, scalar(list[0])) {
		elements = append(elements, part)
	}
	return elements
}

// why returns why a value, or a part of it, is not known; empty where it is.
func why(v any) string {
	switch v := v.(type) {
	case unknown:
		return string(v)
	case reference:
		return whyPart(v)
	case []any:
		for _, e := range v {
			if reason := why(e); reason != "" {
				return reason
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(mapKeys(v)) {
			if reason := why(v[key]); reason != "" {
				return reason
			}
		}
	}
	return ""
}

func mapKeys(m map[string]any) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// scalar is a value as a text; empty for what is none.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// property is a property of a resource, evaluated; nil where it is not set.
func (t *template) property(id string, path ...string) any {
	value, ok := t.resources[id]["Properties"]
	if !ok {
		return nil
	}
	for _, name := range path {
		m, ok := t.evaluate(value).(map[string]any)
		if !ok {
			if reason := why(t.evaluate(value)); reason != "" {
				return unknown(reason)
			}
			return nil
		}
		value = m[name]
		if value == nil {
			return nil
		}
	}
	if v := t.evaluate(value); !isNoValue(v) {
		return v
	}
	return nil
}

// valueOf is an evaluated value as pkg/iac takes it: the resource where it is the name or the
// ARN of one of these types.
func (t *template) valueOf(v any, types ...string) iac.Value {
	switch v := v.(type) {
	case nil:
		return iac.Value{}
	case unknown:
		return iac.Unknown(string(v))
	case reference:
		if slices.Contains(types, scalar(v.of.resources[v.id]["Type"])) && (v.attribute == "" || v.attribute == "Arn" || v.attribute == "Name") {
			return iac.Value{Resource: v.of.address(v.id)}
		}
		return iac.Unknown(strings.TrimSuffix(v.of.address(v.id)+"."+v.attribute, ".") + " is known only after deployment")
	case string, bool:
		return iac.Text(scalar(v))
	}
	return iac.Unknown("its value is not a text")
}

// document is an evaluated policy document as a text.
func (t *template) document(v any) iac.Value {
	switch {
	case v == nil:
		return iac.Value{}
	case why(v) != "":
		return iac.Unknown(why(v))
	}
	if s, ok := v.(string); ok {
		return iac.Text(s)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return iac.Unknown("the document cannot be written as JSON")
	}
	return iac.Text(string(out))
}
