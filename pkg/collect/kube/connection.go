package kube

import (
	"net/http"
	"net/http/httptrace"
	"sync"
)

// oneConnection lets the first request open the connection before others are sent: they
// share it. Otherwise each of the requests that are made at once would open its own, and all
// but one would have no use. Where no connection can be made, those that waited fail too.
type oneConnection struct {
	next  http.RoundTripper
	state *connectionState
}

type connectionState struct {
	first  sync.Once
	opened chan struct{} // closed when the connection is there, or cannot be made
	err    error         // why it cannot
}

func newOneConnection(next http.RoundTripper) oneConnection {
	return oneConnection{next, &connectionState{opened: make(chan struct{})}}
}

// RoundTrip implements http.RoundTripper.
func (c oneConnection) RoundTrip(r *http.Request) (*http.Response, error) {
	isFirst := false
	c.state.first.Do(func() { isFirst = true })
	if isFirst {
		return c.open(r)
	}
	select {
	case <-c.state.opened:
		return c.next.RoundTrip(r)
	default:
	}
	select {
	case <-c.state.opened:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if c.state.err != nil {
		return nil, c.state.err
	}
	return c.next.RoundTrip(r)
}

// open sends the first request.
func (c oneConnection) open(r *http.Request) (*http.Response, error) {
	var once sync.Once
	done := func(err error) {
		once.Do(func() {
			c.state.err = err
			close(c.state.opened)
		})
	}
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { done(nil) }}
	response, err := c.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if r.Context().Err() != nil {
		done(nil) // that it was given up says nothing about the connection
	}
	done(err)
	return response, err
}

// WrappedRoundTripper lets client-go find the transport that it must cancel.
func (c oneConnection) WrappedRoundTripper() http.RoundTripper { return c.next }
