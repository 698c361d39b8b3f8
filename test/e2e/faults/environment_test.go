package faults

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// The faults.
const (
	refused     = "refused"
	throttled   = "throttled"
	unavailable = "status 503"
	hang        = "no answer"
	cut         = "body cut off"
	lost        = "answer lost" // the call was carried out
	html        = "sign-in page"
	certificate = "wrong certificate"
	expired     = "credentials expired"
)

var kinds = []string{refused, throttled, unavailable, hang, cut, lost, html, certificate, expired}

// injector makes the calls of one operation fail.
type injector struct {
	mu        sync.Mutex
	operation string
	kind      string
	struck    bool     // the operation was called since the fault was set
	calls     []string // the operations that were called, in order
}

func (i *injector) set(operation, kind string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.operation, i.kind, i.struck, i.calls = operation, kind, false, nil
}

// take notes a call and returns its fault; empty is none. The credentials that have
// expired in one call are expired in those after it.
func (i *injector) take(operation string, sameServer func(string) bool) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls = append(i.calls, operation)
	hit := operation == i.operation
	i.struck = i.struck || hit
	if hit || i.struck && i.kind == expired && sameServer(i.operation) {
		return i.kind
	}
	return ""
}

// front stands in front of AWS or of the API server.
type front struct {
	*httptest.Server
	name func(*http.Request, []byte) string
	next http.Handler
	fail func(w http.ResponseWriter, operation, kind string)
	mine func(operation string) bool
	inj  *injector
	// wrong is set where the server shows another certificate.
	wrong atomic.Bool
}

func newFront(t *testing.T, f *front, own, other tls.Certificate) *front {
	t.Helper()
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust the certificate
	f.TLS = &tls.Config{Certificates: []tls.Certificate{own}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if f.wrong.Load() {
			return &tls.Config{Certificates: []tls.Certificate{other}}, nil
		}
		return nil, nil
	}}
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	operation := f.name(r, body)
	switch kind := f.inj.take(operation, f.mine); kind {
	case "":
		f.next.ServeHTTP(w, r)
	case hang:
		<-r.Context().Done()
	case cut:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case lost:
		f.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case html:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Sign in</body></html>")
	case certificate: // from the next connection on
		f.wrong.Store(true)
		panic(http.ErrAbortHandler)
	default:
		f.fail(w, operation, kind)
	}
}

// environment is an account, a cluster, and a machine from which the plugin runs.
type environment struct {
	*injector
	t        *testing.T
	dir      string
	account  *account
	proxy    *awsproxy.Proxy
	cluster  *cluster
	aws, api *front
	ca       []byte // PEM
}

// saved is the state of an environment.
type saved struct {
	account, cluster []byte
	eks              awsproxy.Cluster
	// journals are the files in the state folder.
	journals map[string][]byte
}

func newEnvironment(t *testing.T) *environment {
	t.Helper()
	w := &environment{injector: &injector{}, t: t, dir: t.TempDir(), account: &account{}}
	backend := httptest.NewServer(w.account)
	t.Cleanup(backend.Close)
	proxy, err := awsproxy.New(backend.URL)
	w.must(err)
	t.Cleanup(proxy.Close)
	w.proxy, w.cluster = proxy, &cluster{eks: func() awsproxy.Cluster { return proxy.Cluster(clusterName) }}
	own, other := w.newCertificate("server"), w.newCertificate("proxy")
	isAWS := func(operation string) bool { return strings.Contains(operation, ":") }
	w.aws = newFront(t, &front{name: awsproxy.Operation, next: proxy.Config.Handler, fail: failAWS, mine: isAWS, inj: w.injector}, own, other)
	w.api = newFront(t, &front{name: kubeOperation, next: w.cluster, fail: failKube, mine: func(o string) bool { return !isAWS(o) }, inj: w.injector}, own, other)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	w.ca = authority
	w.write("ca.pem", authority)
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": clusterARN,
		"clusters": []any{map[string]any{"name": clusterARN, "cluster": map[string]any{"server": w.api.URL, "certificate-authority-data": authority}}},
		"users":    []any{map[string]any{"name": "me", "user": map[string]any{"token": "x"}}},
		"contexts": []any{map[string]any{"name": clusterARN, "context": map[string]any{"cluster": clusterARN, "user": "me"}}},
	})
	w.must(err)
	w.write("kubeconfig", config)
	return w
}

func (w *environment) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *environment) write(name string, text []byte) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.dir, name), text, 0o600))
}

// newCertificate is one that signs itself.
func (w *environment) newCertificate(name string) tls.Certificate {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	w.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// stateDir is where the plugin keeps its journals.
func (w *environment) stateDir() string { return filepath.Join(w.dir, "kubectl-noderole") }

// load makes the environment what it was when it was saved.
func (w *environment) load(s *saved) {
	w.t.Helper()
	w.account.mu.Lock()
	defer w.account.mu.Unlock()
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	w.account.Held, w.cluster.Held = held{}, objects{}
	w.must(errors.Join(json.Unmarshal(s.account, &w.account.Held), json.Unmarshal(s.cluster, &w.cluster.Held)))
	w.proxy.Reset()
	eks := s.eks
	eks.Endpoint, eks.CA = w.api.URL, w.ca
	w.proxy.SetCluster(clusterName, eks)
	w.must(os.RemoveAll(w.stateDir()))
	w.must(os.MkdirAll(w.stateDir(), 0o700))
	for name, text := range s.journals {
		w.must(os.WriteFile(filepath.Join(w.stateDir(), name), text, 0o600))
	}
}

// save returns the state of the environment.
func (w *environment) save() *saved {
	w.t.Helper()
	w.account.mu.Lock()
	defer w.account.mu.Unlock()
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	var err1, err2 error
	s := &saved{eks: w.proxy.Cluster(clusterName), journals: map[string][]byte{}}
	s.account, err1 = json.Marshal(w.account.Held)
	s.cluster, err2 = json.Marshal(w.cluster.Held)
	w.must(errors.Join(err1, err2))
	entries, err := os.ReadDir(w.stateDir())
	w.must(err)
	for _, e := range entries {
		s.journals[e.Name()], err = os.ReadFile(filepath.Join(w.stateDir(), e.Name()))
		w.must(err)
	}
	return s
}

// journals are the journals, the first one first.
func (w *environment) journals() []string {
	w.t.Helper()
	list, err := filepath.Glob(filepath.Join(w.stateDir(), "*.jsonl"))
	w.must(err)
	return list
}

// state is what the plugin can change, without times and ids.
func (w *environment) state() string {
	s := w.save()
	var h held
	var o objects
	w.must(errors.Join(json.Unmarshal(s.account, &h), json.Unmarshal(s.cluster, &o)))
	for name, r := range h.Roles {
		r.Created = time.Time{}
		h.Roles[name] = r
	}
	o.Version, o.Lease = 0, nil
	var associations []string
	for _, a := range s.eks.Associations {
		associations = append(associations, a.ServiceAccount+" "+a.RoleARN)
	}
	entries := map[string]string{}
	for arn, e := range s.eks.AccessEntries {
		entries[arn] = fmt.Sprint(e.Type, e.Policies)
	}
	addons := map[string]string{}
	for name, a := range s.eks.Addons {
		addons[name] = a.ServiceAccountRoleARN
	}
	text, err := json.MarshalIndent(map[string]any{"iam": h, "cluster": o, "associations": associations, "entries": entries, "add-ons": addons}, "", " ")
	w.must(err)
	return string(text)
}

// output is what a run ended with.
type output struct {
	code           int
	stdout, stderr string
}

// run runs the plugin while calls of an operation have a fault; an empty kind is none.
func (w *environment) run(operation, kind string, args ...string) output {
	w.t.Helper()
	w.set(operation, kind)
	attempts := 1
	if kind == lost || kind == certificate { // the connection is closed, and the call sent again
		attempts = 2
	}
	w.aws.wrong.Store(false)
	w.api.wrong.Store(false)
	w.aws.Config.SetKeepAlivesEnabled(kind != certificate)
	w.api.Config.SetKeepAlivesEnabled(kind != certificate)
	if kind == hang && !slices.Contains(args, "--request-timeout") {
		args = append(args, "--request-timeout", "3s")
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, plugin, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "XDG_STATE_HOME=" + w.dir, "KUBECONFIG=" + filepath.Join(w.dir, "kubeconfig"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI",
		"AWS_ENDPOINT_URL=" + w.aws.URL, "AWS_CA_BUNDLE=" + filepath.Join(w.dir, "ca.pem"), "AWS_MAX_ATTEMPTS=" + strconv.Itoa(attempts), "AWS_RETRY_MODE=standard",
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		w.t.Fatalf("%s, %s: %v, %v", operation, kind, err, ctx.Err())
	}
	return output{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// failAWS and failKube are the answers of the faults that are errors.
func failAWS(w http.ResponseWriter, operation, kind string) {
	switch kind {
	case refused:
		awsError(w, operation, http.StatusForbidden, "AccessDenied", "not authorized to perform: "+operation)
	case throttled:
		awsError(w, operation, http.StatusBadRequest, "Throttling", "Rate exceeded")
	case unavailable:
		awsError(w, operation, http.StatusServiceUnavailable, "ServiceUnavailable", "try again later")
	case expired:
		awsError(w, operation, http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
}

func failKube(w http.ResponseWriter, _, kind string) {
	switch kind {
	case refused:
		kubeError(w, http.StatusForbidden, metav1.StatusReasonForbidden)
	case throttled:
		kubeError(w, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests)
	case unavailable:
		kubeError(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	case expired:
		kubeError(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
	}
}
