package aws

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// TestHTTP2: where the endpoint speaks HTTP/2, all calls share one connection.
func TestHTTP2(t *testing.T) {
	emptyAWSHome(t)
	var connections atomic.Int32
	versions := make(chan int, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		versions <- r.ProtoMajor
		_, _ = io.WriteString(w, `{"clusters":[]}`)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that were begun at once and not needed
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := NewAccount(t.Context(), Config{Region: "eu-west-1", Env: map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr", "AWS_ENDPOINT_URL": server.URL, "AWS_CA_BUNDLE": bundle,
	}})
	if err != nil {
		t.Fatal(err)
	}
	const calls = 20
	for i := range calls {
		if _, err := a.In(fmt.Sprintf("eu-west-%d", i)).ListClusters(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range calls {
		if version := <-versions; version != 2 {
			t.Fatalf("a request was sent with HTTP/%d", version)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
