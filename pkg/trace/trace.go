// Package trace records which calls a run made and when, and writes them in Chrome's trace
// event format, which chrome://tracing, Perfetto and speedscope show. It records no
// answers, no query strings, no headers and no credentials.
package trace

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Call is one request, retries apart.
type Call struct {
	// API is AWS or Kubernetes.
	API string
	// Operation is such as iam:GetRole or GET.
	Operation string
	// Subject is what is asked about, such as a role's name or a path; may be empty.
	Subject string
	// Status is the HTTP status; 0 where there was no answer.
	Status     int
	Start, End time.Time
}

// Recorder keeps calls. A nil Recorder keeps none. It may be used concurrently.
type Recorder struct {
	mu    sync.Mutex
	calls []Call
}

// Add records a call that has ended.
func (r *Recorder) Add(c Call) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// event is a complete event ("X") of the format; times are in microseconds.
// Source: "Trace Event Format", https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
type event struct {
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	Phase    string         `json:"ph"`
	Start    int64          `json:"ts"`
	Duration int64          `json:"dur"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args"`
}

// Encode returns the calls as JSON, in the order of their start; times count from the
// first. Calls that overlap are on different rows.
func (r *Recorder) Encode() ([]byte, error) {
	r.mu.Lock()
	calls := slices.Clone(r.calls)
	r.mu.Unlock()
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Start.Compare(b.Start) })
	events := make([]event, 0, len(calls))
	var rows []time.Time // when the last call of each ends
	for _, c := range calls {
		row := slices.IndexFunc(rows, func(end time.Time) bool { return !end.After(c.Start) })
		if row < 0 {
			row = len(rows)
			rows = append(rows, time.Time{})
		}
		rows[row] = c.End
		events = append(events, event{
			Name: c.Operation, Category: c.API, Phase: "X", Start: c.Start.Sub(calls[0].Start).Microseconds(),
			Duration: c.End.Sub(c.Start).Microseconds(), Process: 1, Thread: row + 1,
			Args: map[string]any{"subject": c.Subject, "status": c.Status},
		})
	}
	return json.MarshalIndent(map[string]any{"displayTimeUnit": "ms", "traceEvents": events}, "", " ")
}
