package iampolicy

import (
	"bufio"
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBatchLine bounds the memory that one line of a batch may take.
const maxBatchLine = 64 << 20

// BatchRequest is one line of a batch: a request with the policies that apply to
// it.
type BatchRequest struct {
	// ID is copied to the answer.
	ID string `json:"id"`
	// Principal, Action, Resource and Account are those of [Request].
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Account   string `json:"account"`
	// Context is what is known of the condition keys. With Complete a key that is
	// not in it is absent, and otherwise unknown.
	Context  map[string]BatchValues `json:"context"`
	Complete bool                   `json:"complete"`
	Identity []BatchPolicy          `json:"identity"`
	// Session and Boundary have one policy at most.
	Session  []BatchPolicy `json:"session"`
	Boundary []BatchPolicy `json:"boundary"`
	// SCPs and RCPs are lists of policies from the root to the account. Without them
	// none is evaluated.
	SCPs [][]BatchPolicy `json:"scps"`
	RCPs [][]BatchPolicy `json:"rcps"`
	// Endpoint has one policy at most: that of the VPC endpoint that the request goes
	// through.
	Endpoint []BatchPolicy `json:"endpoint"`
	// ResourcePolicy is the resource's policy, for a role its trust policy. Null is
	// the same as leaving it out: ResourceState says what is known of it then.
	ResourcePolicy stdjson.RawMessage `json:"resourcePolicy"`
	// ResourceState is that of [Policies]: "not given", "none" or "delegates".
	ResourceState ResourceState `json:"resourceState"`
}

// BatchPolicy is a policy document with the name that the answer calls it by.
type BatchPolicy struct {
	Name string `json:"name"`
	// Document is JSON, or a text as the IAM API returns it.
	Document stdjson.RawMessage `json:"document"`
}

// BatchValues are the values of a condition key, in JSON a string or a list of
// strings.
type BatchValues []string

// UnmarshalJSON reads a string or a list of strings.
func (v *BatchValues) UnmarshalJSON(text []byte) error {
	if jsontext.Value(text).Kind() == '[' {
		return json.Unmarshal(text, (*[]string)(v))
	}
	*v = make(BatchValues, 1)
	return json.Unmarshal(text, &(*v)[0])
}

// BatchAnswer is the answer to one line of a batch: a decision with its reasons, or
// an error.
type BatchAnswer struct {
	ID         string
	Decision   Decision
	Explicit   bool
	Statements []Reference
	// Reason is that of [Result].
	Reason    string
	DependsOn []Dependency
	// Error says why there is no decision: the line is not a valid request, or one
	// of its documents is one that IAM would not store. Then only ID is set too.
	Error string
}

type batchReference struct {
	Policy string `json:"policy"`
	Index  int    `json:"index"`
	Sid    string `json:"sid"`
	Effect Effect `json:"effect"`
}

type batchDecision struct {
	ID         string           `json:"id"`
	Decision   Decision         `json:"decision"`
	Explicit   bool             `json:"explicit"`
	Statements []batchReference `json:"statements"`
	Reason     string           `json:"reason,omitzero"`
	DependsOn  []string         `json:"dependsOn"`
}

type batchError struct {
	ID    string `json:"id,omitzero"`
	Error string `json:"error"`
}

// MarshalJSON returns {"id","decision","explicit","statements","dependsOn"}, with
// "reason" where there is one, or {"id","error"}. The answer to a line without an id
// has none.
func (a BatchAnswer) MarshalJSON() ([]byte, error) {
	if a.Error != "" {
		return json.Marshal(batchError{a.ID, a.Error})
	}
	d := batchDecision{ID: a.ID, Decision: a.Decision, Explicit: a.Explicit, Reason: a.Reason, Statements: []batchReference{}, DependsOn: []string{}}
	for _, s := range a.Statements {
		d.Statements = append(d.Statements, batchReference{s.Policy, s.Index, s.Sid, s.Effect})
	}
	for _, dependency := range a.DependsOn {
		d.DependsOn = append(d.DependsOn, dependency.String())
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON wrote. A dependency has its text as Reason.
func (a *BatchAnswer) UnmarshalJSON(text []byte) error {
	var read struct {
		batchDecision
		Error string `json:"error"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*a = BatchAnswer{ID: read.ID, Decision: read.Decision, Explicit: read.Explicit, Reason: read.Reason, Error: read.Error}
	for _, s := range read.Statements {
		a.Statements = append(a.Statements, Reference{Policy: s.Policy, Index: s.Index, Sid: s.Sid, Effect: s.Effect})
	}
	for _, d := range read.DependsOn {
		a.DependsOn = append(a.DependsOn, Dependency{Reason: d})
	}
	return nil
}

// InvalidLinesError says that a batch was read to its end, but that some of its
// lines are not valid requests. A request with a document that IAM would not store is
// valid: its answer is that error.
type InvalidLinesError struct {
	// Invalid of Lines lines are not valid requests.
	Invalid, Lines int
}

// Error returns the two numbers in a sentence.
func (e *InvalidLinesError) Error() string {
	return fmt.Sprintf("%d of %d lines are not valid requests", e.Invalid, e.Lines)
}

// Batch reads a BatchRequest from each line of r and writes a BatchAnswer for each
// to w, in the same order and before it reads on. Blank lines are skipped.
//
// It returns an *InvalidLinesError where all was read but some lines are not valid
// requests, and otherwise the context's error or that of reading or writing.
func Batch(ctx context.Context, r io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxBatchLine)
	out := bufio.NewWriter(w)
	var count InvalidLinesError
	for number := 1; lines.Scan(); number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		answer, valid := answerLine(line, number)
		count.Lines++
		if !valid {
			count.Invalid++
		}
		if err := writeLine(out, answer); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	if count.Invalid > 0 {
		return &count
	}
	return nil
}

func writeLine(out *bufio.Writer, answer BatchAnswer) error {
	err := json.MarshalWrite(out, answer)
	_ = out.WriteByte('\n') // Flush returns an error of the writer
	return errors.Join(err, out.Flush())
}

// answerLine answers one line; number is for a line that has no id. valid is false
// where the line is not a valid request.
func answerLine(line []byte, number int) (answer BatchAnswer, valid bool) {
	var r BatchRequest
	if err := json.Unmarshal(line, &r, json.RejectUnknownMembers(true)); err != nil {
		var known struct {
			ID string `json:"id"`
		}
		if !jsontext.Value(line).IsValid() || json.Unmarshal(line, &known) != nil || known.ID == "" {
			return BatchAnswer{Error: fmt.Sprintf("line %d: %s", number, problemOf(err))}, false
		}
		return BatchAnswer{ID: known.ID, Error: problemOf(err)}, false
	}
	return r.answer()
}

// problemOf returns an error of the JSON package without what is about Go.
func problemOf(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("the line is not JSON: %s at byte %d", syntax.Err, syntax.ByteOffset+1)
	}
	s := &json.SemanticError{}
	_ = errors.As(err, &s) // every other error of the package is one
	where := ""
	if s.JSONPointer != "" {
		where = fmt.Sprintf(" at %s", s.JSONPointer)
	}
	if errors.Is(err, json.ErrUnknownName) {
		return "unknown field" + where
	}
	return fmt.Sprintf("unexpected JSON %s%s", s.JSONKind, where)
}

// Answer answers the request.
func (b *BatchRequest) Answer() BatchAnswer {
	answer, _ := b.answer()
	return answer
}

func (b *BatchRequest) answer() (answer BatchAnswer, valid bool) {
	set, request, err := b.prepare()
	if err != nil {
		var document *ParseError
		return BatchAnswer{ID: b.ID, Error: err.Error()}, errors.As(err, &document)
	}
	result, err := set.Evaluate(request)
	if err != nil {
		return BatchAnswer{ID: b.ID, Error: err.Error()}, false
	}
	return BatchAnswer{
		ID: b.ID, Decision: result.Decision, Explicit: result.Explicit,
		Statements: result.Statements, Reason: result.Reason, DependsOn: result.DependsOn,
	}, true
}

func (b *BatchRequest) prepare() (*Set, *Request, error) {
	p := Policies{ResourceState: b.ResourceState}
	var err error
	if p.Identity, err = parseBatch(Identity, "identity", b.Identity); err != nil {
		return nil, nil, err
	}
	if p.Session, err = parseOne(Identity, "session", b.Session); err != nil {
		return nil, nil, err
	}
	if p.Boundary, err = parseOne(Identity, "boundary", b.Boundary); err != nil {
		return nil, nil, err
	}
	if p.SCPs, err = parseLevels(Identity, "scps", b.SCPs); err != nil {
		return nil, nil, err
	}
	if p.RCPs, err = parseLevels(ResourceControl, "rcps", b.RCPs); err != nil {
		return nil, nil, err
	}
	if p.Endpoint, err = parseOne(Resource, "endpoint", b.Endpoint); err != nil {
		return nil, nil, err
	}
	if policy := jsontext.Value(b.ResourcePolicy); len(policy) > 0 && policy.Kind() != 'n' {
		kind, name := Resource, "resource policy"
		if isRole(b.Resource) {
			kind, name = Trust, "trust policy"
		}
		d, err := parseValue(kind, policy)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		p.Resource = &Policy{Name: name, Document: d}
	}
	known, err := b.known()
	if err != nil {
		return nil, nil, err
	}
	return Prepare(p), &Request{
		Principal: b.Principal, Action: b.Action, Resource: b.Resource, Account: b.Account, Context: known,
	}, nil
}

func (b *BatchRequest) known() (*Context, error) {
	known := NewContext()
	known.Complete = b.Complete
	seen := map[string]bool{}
	for key, values := range b.Context {
		lower := strings.ToLower(key)
		if seen[lower] {
			return nil, fmt.Errorf("context: key %q is repeated; keys are case-insensitive", lower)
		}
		seen[lower] = true
		known.Set(key, values...)
	}
	return known, nil
}

// parseOne parses the document of a layer that has one at most.
func parseOne(kind Kind, layer string, list []BatchPolicy) (*Policy, error) {
	policies, err := parseBatch(kind, layer, list)
	switch {
	case err != nil:
		return nil, err
	case len(policies) > 1:
		return nil, fmt.Errorf("%s: one policy at most, got %d", layer, len(policies))
	case len(policies) == 0:
		return nil, nil
	}
	return &policies[0], nil
}

// parseLevels parses the documents of an organization's levels; nil for no list.
func parseLevels(kind Kind, layer string, list [][]BatchPolicy) ([][]Policy, error) {
	var levels [][]Policy
	for _, level := range list {
		policies, err := parseBatch(kind, layer, level)
		if err != nil {
			return nil, err
		}
		levels = append(levels, policies)
	}
	return levels, nil
}

// parseBatch parses the documents of one layer.
func parseBatch(kind Kind, layer string, list []BatchPolicy) ([]Policy, error) {
	policies := make([]Policy, 0, len(list))
	for _, p := range list {
		d, err := parseValue(kind, jsontext.Value(p.Document))
		if err != nil {
			return nil, fmt.Errorf("%s: policy %q: %w", layer, p.Name, err)
		}
		policies = append(policies, Policy{Name: p.Name, Document: d})
	}
	return policies, nil
}

// parseValue parses a document that the line has as JSON or, as the IAM API returns
// it, as a text.
func parseValue(kind Kind, v jsontext.Value) (*Document, error) {
	if v.Kind() != '"' {
		return Parse(kind, v)
	}
	text, _ := jsontext.AppendUnquote(nil, v) // v is a valid JSON text
	return Parse(kind, text)
}

func isRole(resource string) bool {
	a, ok := splitARN(resource)
	return ok && a.service == "iam" && strings.HasPrefix(a.resource, "role/")
}
