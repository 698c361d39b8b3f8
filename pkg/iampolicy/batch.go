package iampolicy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBatchLine bounds the memory that one line of a batch may take.
const maxBatchLine = 64 << 20

// BatchRequest is one line of a batch: a request with everything that applies to
// it.
type BatchRequest struct {
	// ID comes back with the answer.
	ID string `json:"id"`
	// Principal, Action, Resource and Account are those of [Request]. A resource
	// with wildcards asks about everything that it matches, but for the bare "*".
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Account   string `json:"account"`
	// Context is what is known of the condition keys. With Complete a key that is
	// not in it is absent, and otherwise unknown.
	Context  map[string]BatchValues `json:"context"`
	Complete bool                   `json:"complete"`
	Identity []BatchPolicy          `json:"identity"`
	// Boundary holds one policy, or none.
	Boundary []BatchPolicy `json:"boundary"`
	// SCPs are lists of policies from the root to the account. Without them no
	// SCP is evaluated.
	SCPs [][]BatchPolicy `json:"scps"`
	// ResourcePolicy is the resource's policy, for a role its trust policy.
	ResourcePolicy jsontext.Value `json:"resourcePolicy"`
}

// BatchPolicy is a policy document with the name that the answer calls it by.
type BatchPolicy struct {
	Name string `json:"name"`
	// Document is JSON, or a text as the IAM API returns it.
	Document jsontext.Value `json:"document"`
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

// BatchAnswer is the answer to one line of a batch: a decision with its reasons
// or, where the line cannot be judged, an error.
type BatchAnswer struct {
	ID         string
	Decision   Decision
	Explicit   bool
	Statements []Reference
	DependsOn  []Dependency
	// Error says why the line cannot be judged: it is no request, or one of its
	// documents is none that IAM would store. Nothing but ID is set then.
	Error string
}

type batchReference struct {
	Policy string `json:"policy"`
	Index  int    `json:"index"`
	Sid    string `json:"sid"`
	Effect string `json:"effect"`
}

// MarshalJSON returns {"id","decision","explicit","statements","dependsOn"}, or
// {"id","error"}. An answer to a line that has no id leaves it out.
func (a BatchAnswer) MarshalJSON() ([]byte, error) {
	if a.Error != "" {
		return json.Marshal(struct {
			ID    string `json:"id,omitzero"`
			Error string `json:"error"`
		}{a.ID, a.Error})
	}
	statements := make([]batchReference, 0, len(a.Statements))
	for _, s := range a.Statements {
		statements = append(statements, batchReference{s.Policy, s.Index, s.Sid, s.Effect.String()})
	}
	dependsOn := make([]string, 0, len(a.DependsOn))
	for _, d := range a.DependsOn {
		dependsOn = append(dependsOn, d.String())
	}
	return json.Marshal(struct {
		ID         string           `json:"id"`
		Decision   string           `json:"decision"`
		Explicit   bool             `json:"explicit"`
		Statements []batchReference `json:"statements"`
		DependsOn  []string         `json:"dependsOn"`
	}{a.ID, a.Decision.String(), a.Explicit, statements, dependsOn})
}

// UnjudgedError says that a batch was read to its end, but that some of its
// lines are no requests. A document that IAM would not store is judged: its
// answer is that error.
type UnjudgedError struct {
	// Unjudged of Lines lines are no requests.
	Unjudged, Lines int
}

// Error returns the two numbers in a sentence.
func (e *UnjudgedError) Error() string {
	return fmt.Sprintf("%d of %d lines are no requests", e.Unjudged, e.Lines)
}

// Batch reads a BatchRequest from each line of r and writes a BatchAnswer for
// each to w, in the same order and before it reads on. Blank lines are skipped.
//
// It returns an *UnjudgedError where all was read but some lines are no requests,
// and otherwise the context's error or that of reading or writing.
func Batch(ctx context.Context, r io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxBatchLine)
	out := bufio.NewWriter(w)
	var count UnjudgedError
	for number := 1; lines.Scan(); number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		answer, judged := judgeLine(line, number)
		count.Lines++
		if !judged {
			count.Unjudged++
		}
		if err := writeLine(out, answer); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	if count.Unjudged > 0 {
		return &count
	}
	return nil
}

func writeLine(out *bufio.Writer, answer BatchAnswer) error {
	err := json.MarshalWrite(out, answer)
	_ = out.WriteByte('\n') // an error of the writer stays until it is flushed
	return errors.Join(err, out.Flush())
}

// judgeLine answers one line; number is for a line that has no id. judged is
// false where the line is no request.
func judgeLine(line []byte, number int) (answer BatchAnswer, judged bool) {
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
	return r.judge()
}

// problemOf leaves out what is about Go in an error of the JSON package.
func problemOf(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("is not JSON: %s at byte %d", syntax.Err, syntax.ByteOffset+1)
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

// Judge answers the request.
func (b *BatchRequest) Judge() BatchAnswer {
	answer, _ := b.judge()
	return answer
}

func (b *BatchRequest) judge() (answer BatchAnswer, judged bool) {
	set, request, err := b.prepare()
	if err != nil {
		var document *ParseError
		return BatchAnswer{ID: b.ID, Error: err.Error()}, errors.As(err, &document)
	}
	result := set.Evaluate(request)
	return BatchAnswer{
		ID: b.ID, Decision: result.Decision, Explicit: result.Explicit,
		Statements: result.Statements, DependsOn: result.DependsOn,
	}, true
}

func (b *BatchRequest) prepare() (*Set, *Request, error) {
	switch "" {
	case b.Principal:
		return nil, nil, errors.New("the request has no principal")
	case b.Action:
		return nil, nil, errors.New("the request has no action")
	case b.Resource:
		return nil, nil, errors.New("the request has no resource")
	}
	var p Policies
	var err error
	if p.Identity, err = parseBatch("identity", b.Identity); err != nil {
		return nil, nil, err
	}
	boundary, err := parseBatch("boundary", b.Boundary)
	switch {
	case err != nil:
		return nil, nil, err
	case len(boundary) > 1:
		return nil, nil, errors.New("boundary: a principal has one permissions boundary at most")
	case len(boundary) == 1:
		p.Boundary = &boundary[0]
	}
	if b.SCPs != nil {
		p.SCPs = make([][]Policy, len(b.SCPs))
	}
	for i, level := range b.SCPs {
		if p.SCPs[i], err = parseBatch("scps", level); err != nil {
			return nil, nil, err
		}
	}
	if len(b.ResourcePolicy) > 0 && b.ResourcePolicy.Kind() != 'n' {
		kind, name := Resource, "resource policy"
		if isRole(b.Resource) {
			kind, name = Trust, "trust policy"
		}
		d, err := parseValue(kind, b.ResourcePolicy)
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
		Any: b.Resource != "*" && strings.ContainsAny(b.Resource, "*?"),
	}, nil
}

func (b *BatchRequest) known() (*Context, error) {
	known := NewContext()
	known.Complete = b.Complete
	seen := map[string]bool{}
	for key, values := range b.Context {
		lower := strings.ToLower(key)
		if seen[lower] {
			return nil, fmt.Errorf("context: key %q is given twice; case does not matter in keys", lower)
		}
		seen[lower] = true
		known.Set(key, values...)
	}
	return known, nil
}

// parseBatch parses the documents of one layer, none of which names principals.
func parseBatch(layer string, list []BatchPolicy) ([]Policy, error) {
	policies := make([]Policy, 0, len(list))
	for _, p := range list {
		d, err := parseValue(Identity, p.Document)
		if err != nil {
			return nil, fmt.Errorf("%s: policy %q: %w", layer, p.Name, err)
		}
		policies = append(policies, Policy{Name: p.Name, Document: d})
	}
	return policies, nil
}

// parseValue parses a document that stands in the line as JSON or, as the IAM API
// returns it, as a text.
func parseValue(kind Kind, v jsontext.Value) (*Document, error) {
	if v.Kind() != '"' {
		return Parse(kind, v)
	}
	text, _ := jsontext.AppendUnquote(nil, v) // v was read as a JSON text
	return Parse(kind, text)
}

func isRole(resource string) bool {
	a, ok := splitARN(resource)
	return ok && a.service == "iam" && strings.HasPrefix(a.resource, "role/")
}
