package cli_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

// TestCompletionDoesNotWait: an AWS that does not answer keeps no shell waiting.
func TestCompletionDoesNotWait(t *testing.T) {
	done := make(chan struct{})
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		<-done
	}))
	defer server.Close()
	defer close(done)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
current-context: shop
clusters: [{name: shop.eu-west-1.eksctl.io, cluster: {server: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"}}]
contexts: [{name: shop, context: {cluster: shop.eu-west-1.eksctl.io, user: x}}]
users: [{name: x, user: {token: x}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"KUBECONFIG": kubeconfig, "AWS_ENDPOINT_URL": server.URL, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	var out, errOut bytes.Buffer
	started := time.Now()
	code := cli.Main(t.Context(), genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errOut}, []string{"__complete", "can", ""})
	if took := time.Since(started); code != cli.ExitOK || out.String() != ":4\n" || took < time.Second || took > 8*time.Second {
		t.Errorf("exit %d after %s: %q %q", code, took, out.String(), errOut.String())
	}
	select {
	case <-asked:
	default:
		t.Error("AWS was not asked")
	}
}
