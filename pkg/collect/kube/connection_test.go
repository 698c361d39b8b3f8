package kube

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// manyRequests makes requests at once and returns their errors.
func manyRequests(t *testing.T, c *Client, n int) []error {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { _, errs[i] = c.ServiceAccount(t.Context()) })
	}
	group.Wait()
	return errs
}

// TestOneConnection: requests that are made at once share a connection, and where none can be
// made they all fail. Later requests try again.
func TestOneConnection(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	refused := errors.New("refused")
	refuse := atomic.Bool{}
	config := &rest.Config{
		Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if refuse.Load() {
				return nil, refused
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	c, err := New(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	manyRequests(t, c, 10)
	// The transport may open a second one, because it has not put the first one down yet.
	if n := connections.Load(); n > 2 {
		t.Errorf("%d connections for 10 requests", n)
	}
	c.Close()

	refuse.Store(true)
	if c, err = New(config, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, err := range manyRequests(t, c, 10) {
		if err == nil {
			t.Error("a request without a connection had an answer")
		}
	}
	refuse.Store(false)
	if _, err := c.ServiceAccount(t.Context()); errors.Is(err, refused) {
		t.Errorf("a later request did not try again: %v", err)
	}
}
