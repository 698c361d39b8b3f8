package iampolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func FuzzParse(f *testing.F) {
	f.Add(uint8(Identity), []byte(`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":["*"],"Condition":{"Bool":{"aws:a":[true,1,"x"]},"Foo":{}}}]}`))
	f.Add(uint8(Trust), []byte(`{"Statement":{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com","AWS":["*"]},"NotAction":[]}}`))
	f.Add(uint8(Identity), []byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}}`))
	f.Add(uint8(Resource), []byte(`%7B%22Statement%22%3A%5B%5D%7D`))
	f.Add(uint8(Resource), []byte(`{"Statement":{"Effect":"Deny","NotPrincipal":"*","Action":"s3:*","NotResource":"arn:aws:s3:::a"}}`))
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		k := Kind(kind % 3)
		first, err := Parse(k, text)
		if err != nil {
			if !isParseError(err) || err.Error() == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Parse(k, again)
		if err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		if diff := cmp.Diff(first, second, ignoreCompiled); diff != "" {
			t.Fatal(diff)
		}
		if !Equal(first, second) || Diff(first, second) != "" {
			t.Fatal("not equal to itself")
		}
		Lint(k, first)
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("arn:aws:s3:::a*b", "arn:aws:s3:::ab")
	f.Add("*a*a*a*b", "aaaaaaaa")
	f.Add("a:*b:?", "a:b:b")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 12 || len(s) > 24 || !utf8.ValidString(p) || !utf8.ValidString(s) {
			return // the naive matcher takes too long; a document is valid UTF-8
		}
		for _, elements := range [][]element{globElements(p), scoped(globElements(p), true), scoped(globElements(p), false)} {
			pattern := newPattern(elements)
			if got, want := pattern.match(s, false), naive(elements, []rune(s)); got != want {
				t.Fatalf("%q %q: got %v, want %v", p, s, got, want)
			}
		}
		request := scoped(globElements(s), false)
		pattern := newPattern(scoped(globElements(p), true))
		if pattern.covers(request) && !overlaps(pattern.elements, request) {
			t.Fatalf("%q covers %q without overlap", p, s)
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	q := question{
		identity:       allow(when("StringLike", "aws:a", `"x*"`)) + "," + deny(`"Resource":"arn:aws:s3:::${aws:b}/*"`),
		resourcePolicy: allow(names(nodeRole), `"Resource":"*"`),
		scps:           [][]string{{allow(`"Action":"*"`)}},
	}
	r := q.request()
	r.Context = known("aws:c", "d")
	line, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"id":"a","principal":"ec2.amazonaws.com","action":"sts:AssumeRole","resource":"arn:aws:iam::1:role/r","resourcePolicy":{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:*","Condition":{"NumericLessThan":{"aws:a":"5"},"DateEquals":{"aws:b":"2026"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}}`))
	f.Add([]byte(`{"id":"b","principal":"arn:aws:iam::111122223333:user/u","action":"sts:AssumeRole","resource":"*","account":"444455556666","complete":true,"context":{"aws:SourceVpc":["a"],"k:b":[]},"resourceState":"delegates","session":[{"name":"s","document":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotResource":"arn:aws:s3:::${k:a}","Action":"s3:*","Condition":{"ArnLike":{"k:a":"arn:*"},"BinaryEquals":{"k:b":"QQ=="}}},{"Effect":"Allow","Action":"sts:*","Resource":"*","Condition":{"ForAllValues:StringLike":{"k:c":"${k:c}"}}}]}}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsAny(line, "\r\n") {
			return
		}
		var out bytes.Buffer
		var invalid *InvalidLinesError
		if err := Batch(t.Context(), bytes.NewReader(line), &out); err != nil && !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		for answer := range bytes.Lines(out.Bytes()) {
			if !json.Valid(answer) {
				t.Fatalf("%s", answer)
			}
		}
		var b BatchRequest
		if json.Unmarshal(line, &b) != nil {
			return
		}
		set, request, err := b.prepare()
		if err != nil {
			return
		}
		if err := request.Validate(); err != nil {
			if _, again := set.Evaluate(request); !isRequestError(err) || again == nil || again.Error() != err.Error() {
				t.Fatalf("%v, %v", err, again)
			}
			return
		}
		result := evaluate(t, set, request)
		if decide(t, set, request) != result.Decision {
			t.Fatalf("Decide says otherwise than %v", result.Decision)
		}
		roundTrip(t, result)
		roundTrip(t, explain(t, set, request))
		text, err := json.Marshal(b.Answer())
		if err != nil {
			t.Fatal(err)
		}
		var answer BatchAnswer
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(answer); err != nil || !bytes.Equal(text, again) {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
	})
}
