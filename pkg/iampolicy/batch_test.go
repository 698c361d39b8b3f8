package iampolicy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

const batchHead = `"id":"a","principal":"arn:aws:iam::111122223333:role/node","action":"s3:GetObject","resource":"*"`

func TestBatch_Lines(t *testing.T) {
	allowAll := `"identity":[{"name":"p","document":{"Version":"2012-10-17","Statement":{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}}}]`
	tests := []struct {
		name, line, want string
		invalid          bool
	}{
		{
			name: "allowed", line: `{` + batchHead + `,` + allowAll + `}`,
			want: `{"id":"a","decision":"allowed","explicit":false,"statements":[{"policy":"p","index":0,"sid":"All","effect":"Allow"}],"dependsOn":[]}`,
		},
		{
			name: "denied", line: `{` + batchHead + `}`,
			want: `{"id":"a","decision":"denied","explicit":false,"statements":[],"dependsOn":[]}`,
		},
		{
			name: "a document as the API returns it",
			line: `{` + batchHead + `,"identity":[{"name":"p","document":"%7B%22Statement%22%3A%7B%22Effect%22%3A%22Deny%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D"}]}`,
			want: `{"id":"a","decision":"denied","explicit":true,"statements":[{"policy":"p","index":0,"sid":"","effect":"Deny"}],"dependsOn":[]}`,
		},
		{
			name: "depends",
			line: `{` + batchHead + `,"identity":[{"name":"p","document":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:x":"true"}}}}}]}`,
			want: `{"id":"a","decision":"depends","explicit":false,"statements":[{"policy":"p","index":0,"sid":"","effect":"Allow"}],"dependsOn":["p statement 1: Bool aws:x true"]}`,
		},
		{
			name: "context of one text, of several, complete",
			line: `{` + batchHead + `,"context":{"aws:a":"x","aws:b":["y","z"]},"complete":true,"identity":[{"name":"p","document":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:A":"x"},"ForAnyValue:StringEquals":{"aws:b":"z"},"Null":{"aws:c":"true"}}}}}]}`,
			want: `{"id":"a","decision":"allowed","explicit":false,"statements":[{"policy":"p","index":0,"sid":"","effect":"Allow"}],"dependsOn":[]}`,
		},
		{
			name: "a document that IAM would not store", line: `{` + batchHead + `,"boundary":[{"name":"b","document":{"Statement":1}}]}`,
			want: `{"id":"a","error":"boundary: policy \"b\": line 1, column 14 (/Statement): a statement must be a JSON object"}`,
		},
		{
			name: "an SCP that IAM would not store", line: `{` + batchHead + `,"scps":[[{"name":"s","document":"%zz"}]]}`,
			want: `{"id":"a","error":"scps: policy \"s\": line 1, column 1: the document is neither JSON nor percent-encoded JSON"}`,
		},
		{
			name: "a trust policy that IAM would not store",
			line: `{"id":"a","principal":"ec2.amazonaws.com","action":"sts:AssumeRole","resource":"arn:aws:iam::111122223333:role/r","resourcePolicy":{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}}`,
			want: `{"id":"a","error":"trust policy: line 1, column 72 (/Statement/Principal): a trust policy's Principal cannot be \"*\"; {\"AWS\": \"*\"} is every AWS principal"}`,
		},
		{name: "no principal", line: `{"id":"a","action":"s3:GetObject","resource":"*"}`, want: `{"id":"a","error":"the request has no principal"}`, invalid: true},
		{name: "no action", line: `{"id":"a","principal":"p","resource":"*"}`, want: `{"id":"a","error":"the request has no action"}`, invalid: true},
		{name: "no resource", line: `{"id":"a","principal":"p","action":"s3:GetObject"}`, want: `{"id":"a","error":"the request has no resource"}`, invalid: true},
		{
			name: "two session policies", line: `{` + batchHead + `,"session":[{"name":"a","document":{"Statement":[]}},{"name":"b","document":{"Statement":[]}}]}`,
			want: `{"id":"a","error":"session: one policy at most, got 2"}`, invalid: true,
		},
		{
			name: "a resource without a policy",
			line: `{"id":"a","principal":"ec2.amazonaws.com","action":"sts:AssumeRole","resource":"arn:aws:iam::111122223333:role/r","resourcePolicy":null,"resourceState":"none"}`,
			want: `{"id":"a","decision":"denied","explicit":false,"statements":[],"dependsOn":[]}`,
		},
		{
			name: "a resource of which nothing is known",
			line: `{"id":"a","principal":"ec2.amazonaws.com","action":"sts:AssumeRole","resource":"arn:aws:iam::111122223333:role/r","resourcePolicy":null}`,
			want: `{"id":"a","decision":"depends","explicit":false,"statements":[],"dependsOn":["the trust policy of arn:aws:iam::111122223333:role/r was not given"]}`,
		},
		{
			name: "a state that does not exist", line: `{` + batchHead + `,"resourceState":"unread"}`,
			want: `{"id":"a","error":"unexpected JSON string at /resourceState"}`, invalid: true,
		},
		{
			name: "an action that needs no permission", line: `{"id":"a","principal":"111122223333","action":"sts:GetCallerIdentity","resource":"*"}`,
			want: `{"id":"a","decision":"allowed","explicit":false,"statements":[],"reason":"sts:GetCallerIdentity needs no permission, and no policy can deny it","dependsOn":[]}`,
		},
		{
			name: "two boundaries", line: `{` + batchHead + `,"boundary":[{"name":"a","document":{"Statement":[]}},{"name":"b","document":{"Statement":[]}}]}`,
			want: `{"id":"a","error":"boundary: one policy at most, got 2"}`, invalid: true,
		},
		{
			name: "two endpoint policies", line: `{` + batchHead + `,"endpoint":[{"name":"a","document":{"Statement":[]}},{"name":"b","document":{"Statement":[]}}]}`,
			want: `{"id":"a","error":"endpoint: one policy at most, got 2"}`, invalid: true,
		},
		{
			name: "a resource control policy without a principal", line: `{` + batchHead + `,"rcps":[[{"name":"r","document":{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}}]]}`,
			want: `{"id":"a","error":"rcps: policy \"r\": line 1, column 58 (/Statement): a statement of a resource control policy needs \"Principal\": \"*\""}`,
		},
		{
			name: "a key twice", line: `{` + batchHead + `,"context":{"aws:a":"x","AWS:A":"y"}}`,
			want: `{"id":"a","error":"context: key \"aws:a\" is repeated; keys are case-insensitive"}`, invalid: true,
		},
		{name: "no JSON", line: `{"id":"a"`, want: `{"error":"line 1: the line is not JSON: unexpected EOF at byte 10"}`, invalid: true},
		{name: "an unknown field", line: `{` + batchHead + `,"region":"x"}`, want: `{"id":"a","error":"unknown field at /region"}`, invalid: true},
		{name: "a field of another type", line: `{"id":"a","principal":[]}`, want: `{"id":"a","error":"unexpected JSON [ at /principal"}`, invalid: true},
		{name: "a number for an id", line: `{"id":1}`, want: `{"error":"line 1: unexpected JSON number at /id"}`, invalid: true},
		{name: "a key of another type", line: `{` + batchHead + `,"context":{"aws:a":[1]}}`, want: `{"id":"a","error":"unexpected JSON number at /context/aws:a/0"}`, invalid: true},
		{name: "no object", line: `[]`, want: `{"error":"line 1: unexpected JSON ["}`, invalid: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Batch(t.Context(), strings.NewReader("\n"+tt.line+"\n\n"), &out)
			want := strings.ReplaceAll(tt.want, "\"line 1: ", "\"line 2: ")
			if got := strings.TrimSuffix(out.String(), "\n"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			var invalid *InvalidLinesError
			if errors.As(err, &invalid) != tt.invalid {
				t.Errorf("error %v", err)
			}
			if tt.invalid && err.Error() != "1 of 1 lines are not valid requests" {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestBatch_KeepsTheOrder(t *testing.T) {
	var in strings.Builder
	for _, id := range []string{"c", "a", "b"} {
		in.WriteString(strings.Replace(`{`+batchHead+"}\n", `"a"`, `"`+id+`"`, 1))
	}
	var out bytes.Buffer
	if err := Batch(t.Context(), strings.NewReader(in.String()), &out); err != nil {
		t.Fatal(err)
	}
	ids := ""
	for line := range bytes.Lines(out.Bytes()) {
		var answer struct{ ID string }
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatal(err)
		}
		ids += answer.ID
	}
	if ids != "cab" {
		t.Errorf("order %s", ids)
	}
}

// brokenWriter takes so many bytes and no more.
type brokenWriter struct{ room int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestBatch_Fails(t *testing.T) {
	line := `{` + batchHead + "}\n"
	if err := Batch(t.Context(), strings.NewReader(line), &brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write: %v", err)
	}
	long := `{"id":"` + strings.Repeat("x", 8192) + `"}`
	if err := Batch(t.Context(), strings.NewReader(long), &brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write of a long answer: %v", err)
	}
	if err := Batch(t.Context(), io.MultiReader(strings.NewReader(line), brokenReader{}), io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := Batch(stopped, strings.NewReader(line), io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
