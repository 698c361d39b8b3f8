// Package awsauth reads and edits the text of data.mapRoles in the ConfigMap
// kube-system/aws-auth: YAML inside YAML, written by people, eksctl, Terraform
// and EKS itself. An edit changes only the necessary lines and keeps every other
// byte: comments, order, indentation, quotes, line ends, anchors. It parses and
// compares the result before it returns it; a text that cannot be edited safely is an
// error, and the user edits it. The package never reads or writes a cluster.
//
// A text means what aws-iam-authenticator reads from it: the first YAML
// document, as JSON, field names in any case, ARNs in any case, the last of
// several entries with one ARN.
// Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/mapper/configmap/configmap.go
package awsauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	goyaml "github.com/goccy/go-yaml"
	"sigs.k8s.io/yaml"
)

// Mapping is one item of mapRoles: who assumes the role is this user, in these
// groups.
type Mapping struct {
	// RoleARN is the text of rolearn; empty in an item that has none, as one of
	// a user.
	RoleARN string `json:"rolearn"`
	// Username may have placeholders, such as {{EC2PrivateDNSName}}.
	Username string `json:"username"`
	// Groups are in the order of the text; nil where there are none.
	Groups []string `json:"groups"`
}

func (m Mapping) equal(other Mapping) bool {
	return m.RoleARN == other.RoleARN && m.Username == other.Username && slices.Equal(m.Groups, other.Groups)
}

// Parse returns the mappings of a mapRoles text, in order; none for an empty
// text. Its error is one line, with line and column in the text where they are
// known. A field of the wrong type, such as a number for a user name, is an
// error too; the authenticator only leaves the field out, so all mappings are
// returned with it. Where the text is no YAML or no list, none are.
func Parse(mapRoles string) ([]Mapping, error) {
	entries, err := read(mapRoles)
	var mappings []Mapping
	for _, e := range entries {
		mappings = append(mappings, e.Mapping)
	}
	return mappings, err
}

// Lines returns, for each mapping that Parse returns, the line of its rolearn in the text,
// or of the whole item where it has none, counted from 1; nil where they are not known.
func Lines(mapRoles string) []int {
	s, err := newSource(mapRoles)
	if err != nil {
		return nil
	}
	l, _, err := s.roles()
	if err != nil {
		return nil
	}
	lines := make([]int, len(l.items))
	at, line := 0, 1
	for i, it := range l.items {
		start := it.start
		if fields, _, err := s.fields(it); err == nil {
			if f, ok := named(fields, roleARN); ok {
				start = f.value
			}
		}
		start = max(start, at)
		line += strings.Count(s.text[at:start], "\n")
		at, lines[i] = start, line
	}
	return lines
}

// Set returns the text with exactly one mapping of m's role: m. Where the text
// has an entry with the ARN m.RoleARN, or else with the ARN old, that entry's
// ARN, user name and groups become m's in place. Where it has neither, m is
// appended in the style of the entries that are there. Give m.RoleARN as old
// too, unless the ARN itself is to change, as one with a path must.
//
// The order of groups means nothing: those that stay keep their places, and new
// ones follow. Other entries with either ARN are removed: the last with m.RoleARN is the one
// that the authenticator uses, and the one that stays. ARNs are compared
// without regard to case. The text comes back as it was where it says m already.
func Set(mapRoles, old string, m Mapping) (string, error) {
	if old == "" || m.RoleARN == "" {
		return "", errors.New("set a mapping in mapRoles: it needs the ARN of a role")
	}
	entries, err := read(mapRoles)
	if err != nil {
		return "", err
	}
	keep := lastOf(entries, m.RoleARN)
	if keep < 0 {
		keep = lastOf(entries, old)
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if i == keep || !entries[i].is(m.RoleARN) && !entries[i].is(old) {
			continue
		}
		if mapRoles, entries, err = remove(mapRoles, entries, i); err != nil {
			return "", err
		}
		if i < keep {
			keep--
		}
	}
	if keep < 0 {
		want := append(slices.Clone(entries), entry{Mapping: m, rest: "{}"})
		return edit(mapRoles, want, func(s *source) ([]splice, error) { return s.appendItem(m) })
	}
	was := entries[keep].Mapping
	m.Groups = inOrder(was.Groups, m.Groups)
	if was.equal(m) {
		return mapRoles, nil
	}
	want := slices.Clone(entries)
	want[keep].Mapping = m
	return edit(mapRoles, want, func(s *source) ([]splice, error) { return s.setItem(keep, was, m) })
}

// Remove returns the text without the entries of an ARN, compared without
// regard to case; all of them, as an earlier one would come into force where a
// later one is gone. Comments inside an entry, at the ends of its lines, and
// right below it where they stand further in than its dash go with it. Comment
// lines above it stay: it is unknown whether they are about this entry, of the
// next, or of the whole list. The text comes back as it was where it has no such
// entry.
func Remove(mapRoles, arn string) (string, error) {
	if arn == "" {
		return "", errors.New("remove a mapping from mapRoles: it needs the ARN of a role")
	}
	entries, err := read(mapRoles)
	if err != nil {
		return "", err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if !entries[i].is(arn) {
			continue
		}
		if mapRoles, entries, err = remove(mapRoles, entries, i); err != nil {
			return "", err
		}
	}
	return mapRoles, nil
}

// entry is one item of the list, with what else it says.
type entry struct {
	Mapping
	// rest is the JSON of the item's other fields, {} where there are none.
	rest string
}

func (e entry) is(arn string) bool { return strings.EqualFold(e.RoleARN, arn) }

func lastOf(entries []entry, arn string) int {
	for i, e := range slices.Backward(entries) {
		if e.is(arn) {
			return i
		}
	}
	return -1
}

// skippable are the texts that the authenticator takes for empty, after
// trimming: isSkippable in its configmap.go.
var skippable = []string{"", "``", `""`}

// read returns the entries as the authenticator sees them.
func read(text string) ([]entry, error) {
	if slices.Contains(skippable, strings.TrimSpace(text)) {
		return nil, nil
	}
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, syntaxError(text, err)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(asJSON, &items); err != nil {
		return nil, wrongType(text, -1, err)
	}
	var entries []entry
	var first error
	for i, item := range items {
		var e entry
		err := json.Unmarshal(item, &e.Mapping)
		if err != nil && first == nil {
			first = wrongType(text, i, err)
		}
		fields := map[string]json.RawMessage{}
		e.rest = string(item)
		if err := json.Unmarshal(item, &fields); err == nil && fields != nil {
			maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return isOurs(name) })
			rest, err := json.Marshal(fields)
			if err != nil {
				return nil, fmt.Errorf("mapRoles: entry %d: %w", i+1, err)
			}
			e.rest = string(rest)
		}
		entries = append(entries, e)
	}
	return entries, first
}

// The fields of an item that a Mapping holds.
const (
	roleARN  = "rolearn"
	username = "username"
	groups   = "groups"
)

func isOurs(field string) bool {
	return slices.ContainsFunc([]string{roleARN, username, groups}, func(name string) bool { return strings.EqualFold(name, field) })
}

// edit makes one change and compares the result with what is expected.
func edit(text string, want []entry, splices func(*source) ([]splice, error)) (string, error) {
	s, err := newSource(text)
	if err != nil {
		return "", unsafe(err.Error())
	}
	changes, err := splices(s)
	if err != nil {
		return "", unsafe(err.Error())
	}
	edited := s.apply(changes)
	got, err := read(edited)
	if err != nil {
		return "", unsafe("the edited text would not parse: " + err.Error())
	}
	if !slices.EqualFunc(got, want, func(a, b entry) bool { return a.equal(b.Mapping) && a.rest == b.rest }) {
		return "", unsafe("the edit would change more than one entry, or not as wanted")
	}
	return edited, nil
}

func remove(text string, entries []entry, i int) (string, []entry, error) {
	want := slices.Delete(slices.Clone(entries), i, i+1)
	edited, err := edit(text, want, func(s *source) ([]splice, error) { return s.removeItem(i) })
	return edited, want, err
}

func unsafe(why string) error {
	return fmt.Errorf("mapRoles cannot be edited safely, edit it manually: %s", why)
}

// syntaxError words the error of sigs.k8s.io/yaml, which knows at most a line,
// with the place and reason of a parser that knows both, where it objects too.
func syntaxError(text string, err error) error {
	var placed goyaml.Error
	if _, _, parseErr := parse(text); errors.As(parseErr, &placed) && placed.GetToken() != nil {
		at := placed.GetToken().Position
		return fmt.Errorf("mapRoles, line %d, column %d: %s", at.Line, at.Column, oneLine(placed.GetMessage()))
	}
	return fmt.Errorf("mapRoles: %s", strings.TrimPrefix(oneLine(err.Error()), "error converting YAML to JSON: "))
}

// wrongType words a type error of JSON, in the item i or, where i is -1, of the
// list itself.
func wrongType(text string, i int, err error) error {
	var typeErr *json.UnmarshalTypeError
	if !errors.As(err, &typeErr) {
		return fmt.Errorf("mapRoles: %w", err)
	}
	want := "a string"
	switch {
	case i < 0:
		want = "a list of mappings"
	case typeErr.Type.Kind() == reflect.Struct:
		want = "a mapping"
	case typeErr.Type.Kind() == reflect.Slice:
		want = "a list"
	}
	found, _, _ := strings.Cut(typeErr.Value, " ") // a number comes with its digits
	what := fmt.Sprintf("found %s, not %s", jsonKinds[found], want)
	if typeErr.Field != "" {
		what = typeErr.Field + ": " + what
	}
	if s, err := newSource(text); err == nil {
		if line, column, ok := s.position(i, typeErr.Field); ok {
			return fmt.Errorf("mapRoles, line %d, column %d: %s", line, column, what)
		}
	}
	return fmt.Errorf("mapRoles, entry %d: %s", i+1, what)
}

// jsonKinds words what encoding/json calls the kinds of JSON values.
var jsonKinds = map[string]string{"object": "a mapping", "array": "a list", "string": "a string", "number": "a number", "bool": "a boolean"}

func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\t", `\t`)), " ")
}
