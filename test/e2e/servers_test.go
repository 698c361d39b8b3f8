package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started and its log.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// start runs a server in a process group of its own, so that stop ends all of it.
func start(name string, args []string, env ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return p, p.cmd.Start()
}

func (p *process) stop() {
	if p == nil || p.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// freePort returns a port that nothing listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // it only held the port
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await asks until the answer is 200 or the time is over.
func await(client *http.Client, url string, limit time.Duration) error {
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			last = err
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("%s", resp.Status)
	}
	return fmt.Errorf("%s did not become ready within %s: %w", url, limit, last)
}

// adminToken is the API server's token of a user in system:masters.
const adminToken = "end-to-end-admin"

// readerToken is the token of a user without any right, until a test gives it some;
// strangerToken that of one who never gets any.
const (
	readerToken   = "end-to-end-reader"
	strangerToken = "end-to-end-stranger"
)

// apiServer is a kube-apiserver with its etcd.
type apiServer struct {
	url             string
	ca              []byte // PEM
	etcd, apiserver *process
	webhook         *http.Server
	// dir holds its certificate server.crt and server.key, which other servers on
	// 127.0.0.1 use too.
	dir string
	// bin has the programs, and flags are those that API servers on one etcd share.
	bin   string
	flags []string
}

// startKubernetes starts etcd and kube-apiserver from a folder that
// hack/e2e-tools.sh filled.
func startKubernetes(bin, dir string) (k *apiServer, err error) {
	k = &apiServer{dir: dir, bin: bin}
	defer func() {
		if err != nil {
			k.stop()
		}
	}()
	var ports [2]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return k, err
		}
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	k.etcd, err = start(filepath.Join(bin, "etcd"), []string{
		"--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	})
	if err != nil {
		return k, fmt.Errorf("start etcd: %w", err)
	}
	if err = await(http.DefaultClient, client+"/health", 20*time.Second); err != nil {
		return k, fmt.Errorf("etcd: %w\n%s", err, k.etcd.log.String())
	}

	cert, key, serviceKey, err := writeCertificates(dir, k)
	if err != nil {
		return k, err
	}
	tokens := filepath.Join(dir, "tokens.csv")
	if err = os.WriteFile(tokens, []byte(adminToken+",admin,1,system:masters\n"+readerToken+",reader,2\n"+strangerToken+",stranger,3\n"), 0o600); err != nil {
		return k, err
	}
	webhook, err := k.startWebhook(dir)
	if err != nil {
		return k, err
	}
	k.flags = []string{
		"--etcd-servers=" + client, "--bind-address=127.0.0.1",
		"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--cert-dir=" + dir,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + serviceKey,
		"--service-account-signing-key-file=" + serviceKey, "--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=RBAC", "--token-auth-file=" + tokens, "--authentication-token-webhook-config-file=" + webhook,
		"--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount",
	}
	return k, k.serve("/registry")
}

// beside starts an API server of another cluster on the same etcd, under a prefix.
func (k *apiServer) beside(prefix string) (*apiServer, error) {
	other := &apiServer{dir: k.dir, bin: k.bin, ca: k.ca, flags: k.flags}
	if err := other.serve(prefix); err != nil {
		other.stop()
		return nil, err
	}
	return other, nil
}

// serve starts the kube-apiserver.
func (k *apiServer) serve(prefix string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	k.url = fmt.Sprintf("https://127.0.0.1:%d", port)
	k.apiserver, err = start(filepath.Join(k.bin, "kube-apiserver"), append([]string{"--etcd-prefix=" + prefix, fmt.Sprintf("--secure-port=%d", port)}, k.flags...))
	if err != nil {
		return fmt.Errorf("start kube-apiserver: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(k.ca)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if err = await(c, k.url+"/readyz", 60*time.Second); err != nil {
		return fmt.Errorf("kube-apiserver: %w\n%s", err, k.apiserver.log.String())
	}
	return nil
}

func (k *apiServer) stop() {
	k.apiserver.stop()
	k.etcd.stop()
	if k.webhook != nil {
		_ = k.webhook.Shutdown(context.Background())
	}
}

// writeCertificates makes a certificate authority, a serving certificate for
// 127.0.0.1 and a key for service account tokens.
func writeCertificates(dir string, k *apiServer) (cert, key, serviceKey string, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "end-to-end CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return "", "", "", err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return "", "", "", err
	}
	keyDER, err := x509.MarshalECPrivateKey(caKey)
	if err != nil {
		return "", "", "", err
	}
	k.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	cert, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER}), 0o600),
		os.WriteFile(key, keyPEM, 0o600),
	)
	return cert, key, key, err
}

// startWebhook starts what EKS runs beside its API server: it takes the tokens
// of aws eks get-token, which are signed URLs of STS, for an admin. It does not
// check the signature, which only AWS can.
func (k *apiServer) startWebhook(dir string) (config string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	k.webhook = &http.Server{Handler: http.HandlerFunc(reviewToken), ReadHeaderTimeout: 10 * time.Second}
	go k.webhook.Serve(l) //nolint:errcheck // it ends with stop
	config = filepath.Join(dir, "webhook.kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: webhook, cluster: {server: "http://%s/"}}]
users: [{name: apiserver}]
contexts: [{name: webhook, context: {cluster: webhook, user: apiserver}}]
current-context: webhook
`, l.Addr())
	return config, os.WriteFile(config, []byte(text), 0o600)
}

func reviewToken(w http.ResponseWriter, r *http.Request) {
	var review map[string]any
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	spec, _ := review["spec"].(map[string]any)
	token, _ := spec["token"].(string)
	status := map[string]any{"authenticated": false}
	if isEKSToken(token) {
		status = map[string]any{"authenticated": true, "user": map[string]any{"username": "eks-admin", "groups": []string{"system:masters"}}}
	}
	review["status"] = status
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// isEKSToken reports whether a token is k8s-aws-v1. and a URL that asks STS who
// the caller is, signed together with the cluster's name.
func isEKSToken(token string) bool {
	encoded, ok := strings.CutPrefix(token, "k8s-aws-v1.")
	if !ok {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	u, err := url.Parse(string(text))
	return err == nil && u.Query().Get("Action") == "GetCallerIdentity" && strings.Contains(u.Query().Get("X-Amz-SignedHeaders"), "x-k8s-aws-id")
}

// moto is the AWS endpoint that nobody here wrote.
type moto struct {
	url string
	*process
}

func startMoto() (*moto, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	m := &moto{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	m.process, err = start("python3", []string{"-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port)}, "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	if err != nil {
		return m, fmt.Errorf("start moto: %w", err)
	}
	if err := await(http.DefaultClient, m.url+"/moto-api/", 60*time.Second); err != nil {
		m.stop()
		return m, fmt.Errorf("moto: %w\n%s", err, m.log.String())
	}
	return m, nil
}

// reset empties moto.
func (m *moto) reset() error {
	resp, err := http.Post(m.url+"/moto-api/reset", "", nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
