package iampolicy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// names as they are in JSON; a number that has no name is written by String alone.
func TestEnums(t *testing.T) {
	type enum interface {
		String() string
		MarshalText() ([]byte, error)
	}
	for i := range math.MaxUint8 + 1 {
		v := uint8(i)
		var decision Decision
		var effect Effect
		var layer Layer
		var state ResourceState
		for _, c := range []struct {
			value enum
			read  func([]byte) error
			again func() enum
		}{
			{Decision(v), decision.UnmarshalText, func() enum { return decision }},
			{Effect(v), effect.UnmarshalText, func() enum { return effect }},
			{Layer(v), layer.UnmarshalText, func() enum { return layer }},
			{ResourceState(v), state.UnmarshalText, func() enum { return state }},
		} {
			text, err := c.value.MarshalText()
			if defined := !strings.Contains(c.value.String(), "("); defined != (err == nil) {
				t.Errorf("%T %d: %q, %v", c.value, v, c.value, err)
			} else if !defined {
				continue
			}
			if err := c.read(text); err != nil || c.again() != c.value || string(text) != c.value.String() {
				t.Errorf("%T %d: %q became %v, %v", c.value, v, text, c.again(), err)
			}
			if err := c.read([]byte("other")); err == nil {
				t.Errorf("%T reads other", c.value)
			}
		}
		if Kind(v).String() == "" || ownPolicy(v).String() == "" {
			t.Errorf("%d", v)
		}
	}
	if diff := cmp.Diff([]string{"Layer(200)", "identity policy", "permissions boundary", "not given"},
		[]string{Layer(200).String(), Identity.String(), LayerBoundary.String(), NotGiven.String()}); diff != "" {
		t.Error(diff)
	}
	// Values of every kind, however they came about, have a text.
	_ = Reference{Index: math.MaxInt}.String() + Dependency{}.String() + Dependency{Key: "k"}.String() + Problem{Index: math.MinInt}.String()
	if text, err := (*Document)(nil).MarshalJSON(); string(text) != "null" || err != nil {
		t.Errorf("nil document: %s, %v", text, err)
	}
}

func TestProperty_AnswersUnmarshal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := genLayers().Draw(t, "layers").prepare(t), genRequest().Draw(t, "request")
		roundTrip(t, evaluate(t, s, r))
		roundTrip(t, explain(t, s, r))
	})
}

func roundTrip[V any](t tester, v V) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var again V
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if diff := cmp.Diff(v, again); diff != "" {
		t.Fatalf("%s: %s", text, diff)
	}
}

func TestAnswersUnmarshal(t *testing.T) {
	reference := Reference{Policy: "p", ARN: "arn:aws:iam::aws:policy/p", Version: "v1", Index: 2, Sid: "S", Effect: Deny, Resources: []string{"*"}}
	for _, r := range []Result{
		{},
		{Decision: Allowed, Statements: []Reference{reference, {}}, Reason: "r"},
		{Decision: Denied, Explicit: true, By: LayerSession, Nearest: []Reference{{Resources: []string{}}}},
		{Decision: Depends, Uncovered: "arn:*", DependsOn: []Dependency{{Statement: reference, Operator: "Null", Key: "aws:x", Values: []string{}}, {Resource: "r", Reason: "w"}}},
	} {
		roundTrip(t, r)
	}
	roundTrip(t, []Trace{{Layer: LayerSCP, Statement: reference, Applies: Depends, Sentence: "s"}, {}})
	roundTrip(t, Problem{Check: CheckBroad, Index: -1, Message: "m"})
	if text, err := json.Marshal(Result{Decision: Denied, By: LayerBoundary}); string(text) != `{"decision":"denied","explicit":false,"by":"permissions boundary"}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := json.Marshal(Result{Decision: 7}); err == nil {
		t.Error("an undefined decision was written")
	}
}

// An answer of a batch is read as it was written; its dependencies are texts.
func TestBatchAnswer_Unmarshal(t *testing.T) {
	for _, text := range []string{
		`{"id":"a","decision":"allowed","explicit":false,"statements":[{"policy":"p","index":3,"sid":"S","effect":"Allow"}],"dependsOn":[]}`,
		`{"id":"a","decision":"denied","explicit":true,"statements":[{"policy":"p","index":0,"sid":"","effect":"Deny"}],"dependsOn":[]}`,
		`{"id":"","decision":"depends","explicit":false,"statements":[],"dependsOn":["p statement 1: Bool aws:x true","the trust policy of r was not given"]}`,
		`{"id":"a","decision":"allowed","explicit":false,"statements":[],"reason":"no permission","dependsOn":[]}`,
		`{"id":"a","error":"no"}`,
		`{"error":"no"}`,
	} {
		var a BatchAnswer
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := json.Marshal(a)
		if diff := cmp.Diff(text, string(again)); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	var a BatchAnswer
	for _, text := range []string{`{"decision":"perhaps"}`, `{"statements":[{"effect":"allow"}]}`, `[]`} {
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s was read as %+v", text, a)
		}
	}
}
