// Package terraform reads what "terraform show -json" writes of a plan or a state, and
// OpenTofu's "tofu show -json", which has the same format. It keeps only the attributes that
// it knows, and no value that the configuration marks as sensitive.
//
// Source of the format: https://developer.hashicorp.com/terraform/internals/json-format
package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// document is the JSON text. Minor versions of the format only add fields.
type document struct {
	FormatVersion   string         `json:"format_version"`
	Timestamp       string         `json:"timestamp"`
	Errored         bool           `json:"errored"`
	Values          *values        `json:"values"`
	PriorState      *state         `json:"prior_state"`
	ResourceChanges []change       `json:"resource_changes"`
	Configuration   *configuration `json:"configuration"`
	Variables       map[string]struct {
		Value placeText `json:"value"`
	} `json:"variables"`

	// What follows tells other files apart.
	Lineage    string `json:"lineage"`
	APIVersion string `json:"apiVersion"`
	Message    string `json:"@message"`
	Template   any    `json:"AWSTemplateFormatVersion"`
}

type state struct {
	Values *values `json:"values"`
}

type values struct {
	RootModule module `json:"root_module"`
}

type module struct {
	Resources    []stateResource `json:"resources"`
	ChildModules []module        `json:"child_modules"`
}

// each calls a function with every resource of a module and the modules in it.
func (m module) each(do func(stateResource)) {
	for _, r := range m.Resources {
		do(r)
	}
	for _, child := range m.ChildModules {
		child.each(do)
	}
}

// stateResource is a resource as a state has it.
type stateResource struct {
	Address string
	Type    string
	Values  map[string]any
	// Sensitive has true where Values has a sensitive value.
	Sensitive any
}

// UnmarshalJSON keeps only the attributes that this package knows.
func (r *stateResource) UnmarshalJSON(text []byte) error {
	var raw struct {
		Address   string          `json:"address"`
		Type      string          `json:"type"`
		Values    json.RawMessage `json:"values"`
		Sensitive json.RawMessage `json:"sensitive_values"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*r = stateResource{Address: raw.Address, Type: raw.Type}
	var err error
	if r.Values, err = kept(r.Type, raw.Values); err != nil {
		return err
	}
	r.Sensitive, err = marks(r.Type, raw.Sensitive)
	return err
}

// change is what a plan does to a resource.
type change struct {
	Address, Type, Deposed string
	Actions                []string
	Before, After          map[string]any
	// Unknown and Sensitive have true where After has a value that is not known, or is
	// sensitive; BeforeSensitive where Before has.
	Unknown, Sensitive, BeforeSensitive any
}

// UnmarshalJSON keeps only the attributes that this package knows.
func (c *change) UnmarshalJSON(text []byte) error {
	var raw struct {
		Address string `json:"address"`
		Type    string `json:"type"`
		Deposed string `json:"deposed"`
		Change  struct {
			Actions         []string        `json:"actions"`
			Before          json.RawMessage `json:"before"`
			After           json.RawMessage `json:"after"`
			Unknown         json.RawMessage `json:"after_unknown"`
			Sensitive       json.RawMessage `json:"after_sensitive"`
			BeforeSensitive json.RawMessage `json:"before_sensitive"`
		} `json:"change"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*c = change{Address: raw.Address, Type: raw.Type, Deposed: raw.Deposed, Actions: raw.Change.Actions}
	var problems [5]error
	c.Before, problems[0] = kept(c.Type, raw.Change.Before)
	c.After, problems[1] = kept(c.Type, raw.Change.After)
	c.Unknown, problems[2] = marks(c.Type, raw.Change.Unknown)
	c.Sensitive, problems[3] = marks(c.Type, raw.Change.Sensitive)
	c.BeforeSensitive, problems[4] = marks(c.Type, raw.Change.BeforeSensitive)
	return errors.Join(problems[:]...)
}

// kept decodes the attributes of a resource that this package knows; nil for none.
func kept(resourceType string, text json.RawMessage) (map[string]any, error) {
	names, known := attributes[resourceType]
	if !known || len(text) == 0 {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil || raw == nil {
		return nil, err
	}
	values := make(map[string]any, len(names))
	for _, name := range names {
		if value, ok := raw[name]; ok {
			var decoded any
			if err := json.Unmarshal(value, &decoded); err != nil {
				return nil, err
			}
			values[name] = decoded
		}
	}
	return values, nil
}

// marks decodes which attributes are unknown or sensitive: true for all of them.
func marks(resourceType string, text json.RawMessage) (any, error) {
	if _, known := attributes[resourceType]; !known || len(text) == 0 {
		return nil, nil
	}
	var decoded any
	err := json.Unmarshal(text, &decoded)
	return decoded, err
}

// configuration is how the code is written.
type configuration struct {
	Providers  map[string]providerConfig `json:"provider_config"`
	RootModule configModule              `json:"root_module"`
}

type providerConfig struct {
	Expressions map[string]expression `json:"expressions"`
}

type configModule struct {
	Resources []configResource       `json:"resources"`
	Calls     map[string]*moduleCall `json:"module_calls"`
	Outputs   map[string]struct {
		Expression expression `json:"expression"`
	} `json:"outputs"`
}

type configResource struct {
	Address     string                `json:"address"`
	ProviderKey string                `json:"provider_config_key"`
	Expressions map[string]expression `json:"expressions"`
	ForEach     expression            `json:"for_each_expression"`
}

type moduleCall struct {
	Expressions map[string]expression `json:"expressions"`
	ForEach     expression            `json:"for_each_expression"`
	Module      configModule          `json:"module"`
}

// expression is what an attribute is set to: by references, by a constant, which is not
// kept, or by blocks.
type expression struct {
	References []string
	// Set is true for a constant other than null.
	Set bool
	// Constant is kept where it says where in AWS something is.
	Constant placeText
	Blocks   []map[string]expression
}

// configured reports whether the code sets the attribute.
func (e expression) configured() bool { return e.Set || len(e.References) > 0 || len(e.Blocks) > 0 }

// UnmarshalJSON reads an expression, a block or a list of blocks.
func (e *expression) UnmarshalJSON(text []byte) error {
	switch text = bytes.TrimSpace(text); {
	case bytes.HasPrefix(text, []byte("[")):
		return json.Unmarshal(text, &e.Blocks)
	case !bytes.HasPrefix(text, []byte("{")):
		return nil
	}
	var leaf struct {
		References []string         `json:"references"`
		Constant   *json.RawMessage `json:"constant_value"`
	}
	// A block may have an attribute of one of these names: then it is no leaf.
	if err := json.Unmarshal(text, &leaf); err == nil && (leaf.References != nil || leaf.Constant != nil) {
		e.References = leaf.References
		if leaf.Constant != nil && string(*leaf.Constant) != "null" {
			e.Set = true
			return json.Unmarshal(*leaf.Constant, &e.Constant)
		}
		return nil
	}
	var block map[string]expression
	if err := json.Unmarshal(text, &block); err != nil {
		return err
	}
	if len(block) > 0 {
		e.Blocks = []map[string]expression{block}
	}
	return nil
}

// placeText is a text that says where in AWS something is: a region, an account, or the ARN
// of a role. Any other value is left out when it is read.
type placeText string

// placeForm is the form of a placeText.
var placeForm = text.Pattern(`^([a-z]{2,}(-[a-z]+)+-[0-9]+|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+)$`)

// UnmarshalJSON keeps a text of the form, or the only such text in a list.
func (p *placeText) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	if s, ok := value.(string); ok && placeForm().MatchString(s) {
		*p = placeText(s)
	}
	return nil
}

// How to make what this package reads.
const (
	planHint  = "write it with: terraform plan -out tfplan && terraform show -json tfplan > plan.json"
	stateHint = "write what is in it with: terraform show -json > state.json"
)

// parse reads the JSON text in a file. Its errors are *problem.Error.
func parse(name string, text []byte) (*document, error) {
	bad := func(next, format string, args ...any) error {
		return &problem.Error{Problem: name + " " + fmt.Sprintf(format, args...), Next: next}
	}
	trimmed := bytes.TrimSpace(text)
	switch {
	case len(trimmed) == 0:
		return nil, bad(planHint, "is empty, not the JSON text of a plan or state")
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return nil, bad("terraform show -json "+quoted(name)+" > plan.json", "is a plan in Terraform's binary format, not its JSON text")
	}
	at := beginning(text)
	if at < 0 {
		return nil, bad(planHint, "is not the JSON text of a plan or state: it has no line that begins with {")
	}
	var d document
	err := json.NewDecoder(bytes.NewReader(text[at:])).Decode(&d)
	var syntax *json.SyntaxError
	if other := begins().FindIndex(text); other != nil && (errors.As(err, &syntax) || err == nil && d.FormatVersion == "") {
		at, d = other[0], document{} // the wrapper's lines had a { too
		err = json.NewDecoder(bytes.NewReader(text[at:])).Decode(&d)
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, bad("write it again: the disk may be full, or the command was interrupted", "is truncated: its JSON text ends too early")
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(text[:min(len(text), at+int(syntax.Offset))], []byte("\n"))
		return nil, bad(planHint, "is not the JSON text of a plan or state: line %d: %s", line, syntax)
	case err != nil:
		return nil, bad(planHint, "is not the JSON text of a plan or state: %s", oneLine(err))
	}
	return &d, d.check(bad)
}

// check refuses other files, and plans that are not complete.
func (d *document) check(bad func(next, format string, args ...any) error) error {
	switch {
	case d.Lineage != "":
		return bad(stateHint, "is a state file, which Terraform alone reads")
	case d.Message != "":
		return bad(planHint, "is the log of terraform plan -json, not the plan")
	case strings.HasPrefix(d.APIVersion, "noderole.dev/"):
		return bad("use it with --filename", "is a file of this program")
	case d.Template != nil:
		return bad(planHint, "is a CloudFormation template, not a plan or state of Terraform")
	case d.FormatVersion == "":
		return bad(planHint, "is not the JSON text of a plan or state: it has no format_version")
	}
	major, _, _ := strings.Cut(d.FormatVersion, ".")
	if !slices.Contains([]string{"0", "1"}, major) {
		return bad("use a newer version of this program", "has the format version %s; this program reads versions 0 and 1", d.FormatVersion)
	}
	if d.Errored {
		return bad("repair what terraform plan reports, and plan again", "is a plan with errors, which Terraform does not apply")
	}
	if d.Values == nil && d.Configuration == nil && len(d.ResourceChanges) == 0 {
		return bad(planHint, "is the JSON text of an empty state")
	}
	return nil
}

// begins is how Terraform and OpenTofu begin the JSON text of a plan or state.
var begins = text.Pattern(`\{\s*"format_version"`)

// beginning is where the JSON text begins: behind the lines that a wrapper of Terraform
// writes before it. It is -1 where there is none.
func beginning(text []byte) int {
	for at := 0; at < len(text); {
		end := bytes.IndexByte(text[at:], '\n')
		line := text[at:]
		if end >= 0 {
			line = text[at : at+end]
		}
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) {
			return at
		}
		if end < 0 {
			break
		}
		at += end + 1
	}
	if at := begins().FindIndex(text); at != nil {
		return at[0] // behind what a wrapper writes in the same line
	}
	return -1
}

func quoted(name string) string {
	if name == "-" || strings.ContainsAny(name, " '\"$`\\") {
		return "FILE"
	}
	return name
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
