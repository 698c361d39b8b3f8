package trace_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

// Overlapping calls are on different rows, a row is used again, and times count from the
// first call in milliseconds' thousandths.
func TestEncode(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	var r trace.Recorder
	r.Add(trace.Call{API: "AWS", Operation: "iam:GetRole", Subject: "a", Status: 200, Start: at(10), End: at(20)})
	r.Add(trace.Call{API: "AWS", Operation: "eks:DescribeCluster", Subject: "prod", Status: 403, Start: at(0), End: at(10)})
	r.Add(trace.Call{API: "Kubernetes", Operation: "GET", Subject: "/api/v1/nodes", Start: at(5), End: at(15)})
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	event := func(name, cat string, ts, dur, row, status float64, subject string) any {
		return map[string]any{
			"name": name, "cat": cat, "ph": "X", "ts": ts, "dur": dur, "pid": 1.0, "tid": row,
			"args": map[string]any{"subject": subject, "status": status},
		}
	}
	want := map[string]any{"displayTimeUnit": "ms", "traceEvents": []any{
		event("eks:DescribeCluster", "AWS", 0, 10000, 1, 403, "prod"),
		event("GET", "Kubernetes", 5000, 10000, 2, 0, "/api/v1/nodes"),
		event("iam:GetRole", "AWS", 10000, 10000, 1, 200, "a"),
	}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNilRecorder(t *testing.T) {
	var r *trace.Recorder
	r.Add(trace.Call{}) // does not panic
}
