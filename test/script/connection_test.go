package script_test

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// drip answers with a body that never ends, a byte at a time.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
	}
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // before, the server does not see that the client is gone
	<-r.Context().Done()
}

// unauthorized is the answer of an API server that does not know the caller.
func unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`)
}

// forbidden is the answer of an API server that allows the caller nothing.
func forbidden(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
}

// throttled answers every call with an error that AWS asks to try again after.
func throttled(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"message":"Rate exceeded"}`)
	}
}

// execPlugin is the field of a kubeconfig's user with a credential plugin.
func execPlugin(command string, env ...string) string {
	var list []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		list = append(list, fmt.Sprintf("{name: %q, value: %q}", name, value))
	}
	return fmt.Sprintf("exec: {apiVersion: client.authentication.k8s.io/v1beta1, interactiveMode: Never, command: %q, env: [%s]}", command, strings.Join(list, ", "))
}

// TestRunsEnd: whatever does not answer, a run ends soon after --timeout, or after the limit
// of a request, with one line that names what was waited for.
func TestRunsEnd(t *testing.T) {
	for _, test := range []struct {
		name      string
		aws, kube http.HandlerFunc
		user      string // SCRIPT is a plugin
		script    string
		args      string
		want      string
	}{
		{"AWS does not answer", silent, nil, "", "", "check --timeout 1s", "within --timeout 1s: "},
		{"AWS answers slowly", drip, nil, "", "", "check --timeout 1s", "within --timeout 1s: "},
		{"AWS answers slowly, a request", drip, nil, "", "", "check --request-timeout 1s", "eks:DescribeCluster: the response was not complete in time"},
		{"AWS throttles", throttled(http.StatusTooManyRequests), nil, "", "", "check --timeout 1s", "within --timeout 1s: "},
		{"AWS fails", throttled(http.StatusServiceUnavailable), nil, "", "", "list --timeout 1s", "within --timeout 1s: eks:DescribeCluster had no result after "},
		{"create", silent, nil, "", "", "create role --yes --timeout 1s", "within --timeout 1s: sts:GetCallerIdentity had no result after "},
		{"Kubernetes does not answer", nil, silent, "", "", "snapshot --timeout 1s", " of the Kubernetes API had no result after "},
		{"Kubernetes answers slowly", nil, drip, "", "", "can r s3:GetObject --timeout 1s", " of the Kubernetes API had no result after "},
		{"Kubernetes answers slowly, a request", nil, drip, "", "", "check --request-timeout 1s", ""},
		{"Kubernetes throttles", nil, throttled(http.StatusTooManyRequests), "", "", "check --timeout 2s", "within --timeout 2s"},
		{"a plugin hangs", nil, nil, execPlugin("SCRIPT"), "exec sleep 20", "check --timeout 1s", "within --timeout 1s: the kubeconfig's credential plugin "},
		{"a plugin hangs in fix", nil, nil, execPlugin("SCRIPT"), "exec sleep 20", "fix --apply --yes --timeout 1s", "within --timeout 1s: the kubeconfig's credential plugin "},
		{"a plugin prints nothing", nil, nil, execPlugin("SCRIPT"), "", "check", "cannot call the Kubernetes API server"},
		{"a plugin prints rubbish", nil, nil, execPlugin("SCRIPT"), "echo '<html>'", "check", "cannot call the Kubernetes API server"},
		{"a plugin fails", nil, nil, execPlugin("SCRIPT"), "exit 7", "check", "failed with exit code 7"},
		{"a plugin is missing", nil, nil, execPlugin("no-such-plugin"), "", "check", "no-such-plugin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newLiveCluster(t, unauthorized)
			if test.aws != nil {
				c.aws.Config.Handler = test.aws
			}
			if test.kube != nil {
				c.kube.Config.Handler = test.kube
			}
			if test.user != "" {
				script := c.put(t, "plugin", "#!/bin/sh\n"+test.script+"\n")
				c.kubeconfig(t, c.kube.URL, "certificate-authority-data: "+c.authority(), strings.ReplaceAll(test.user, "SCRIPT", script))
			}
			out := c.run(t, nil, strings.Fields(test.args)...)
			if out.code != 3 || out.took > 8*time.Second {
				t.Errorf("exit %d after %s: %s", out.code, out.took, out.stderr)
			}
			if test.want != "" {
				out.oneProblem(t, 3, test.want)
			}
		})
	}
}

// TestCertificates: a certificate that is not the cluster's is one line.
func TestCertificates(t *testing.T) {
	c := newLiveCluster(t, unauthorized)
	for name, cluster := range map[string]string{
		"x509: certificate signed by unknown authority": "tls-server-name: example.com",
		"x509: certificate is valid for":                "tls-server-name: other.invalid, certificate-authority-data: " + c.authority(),
		"unable to parse bytes as PEM block":            `certificate-authority-data: "bm90IGEgY2VydGlmaWNhdGU="`,
	} {
		c.kubeconfig(t, c.kube.URL, cluster, "token: x")
		out := c.run(t, nil, "check")
		out.oneProblem(t, 3, name)
	}
}

// secret is a password, a token or a key that no output may have.
const secret = "S3cr3t"

// TestSecrets: what is secret in a URL, the environment or the kubeconfig is in no output, no
// snapshot and no journal, whatever fails.
func TestSecrets(t *testing.T) {
	var mu sync.Mutex
	snapshots := 0
	t.Cleanup(func() {
		if snapshots == 0 {
			t.Error("no snapshot was written")
		}
	})
	const dead = "127.0.0.1:1"
	urlAt := func(host string) string {
		return "http://user:" + secret + "@" + host + "/?token=" + secret + "#" + secret
	}
	plugin := "#!/bin/sh\nexit 1\n"
	for number, test := range []struct {
		name   string
		env    []string
		server string
		user   string
		extra  string // fields of the kubeconfig's cluster
		code   int
		slow   bool // the SDK tries again
	}{
		{name: "AWS endpoint, dead", env: []string{"AWS_ENDPOINT_URL=" + urlAt(dead)}, code: 3},
		{name: "AWS endpoint of a service, dead", env: []string{"AWS_ENDPOINT_URL_EKS=" + urlAt(dead)}, code: 3},
		{name: "AWS endpoint of IAM, dead", env: []string{"AWS_ENDPOINT_URL_IAM=" + urlAt(dead)}, code: 3},
		{name: "AWS endpoint, refused", env: []string{"AWS_ENDPOINT_URL_EKS=" + urlAt("AWS")}, code: 3},
		{name: "AWS endpoint, TLS", env: []string{"AWS_ENDPOINT_URL=https://user:" + secret + "@KUBE/?token=" + secret}, code: 3},
		{name: "AWS endpoint, no TLS", env: []string{"AWS_ENDPOINT_URL=https://user:" + secret + "@AWS/?token=" + secret}, code: 3},
		{name: "AWS endpoint, malformed", env: []string{"AWS_ENDPOINT_URL=http://user:" + secret + "%zz@host:port/?" + secret}, code: 3},
		{name: "AWS endpoint, a blank", env: []string{"AWS_ENDPOINT_URL=http://user:x " + secret + "@host/"}, code: 3},
		{name: "proxy, dead", env: []string{"HTTPS_PROXY=" + urlAt(dead), "AWS_ENDPOINT_URL=https://eks.invalid"}, code: 3},
		{name: "proxy, malformed", env: []string{"HTTPS_PROXY=user:" + secret + "%zz@host:port", "AWS_ENDPOINT_URL=https://eks.invalid"}, code: 3},
		{name: "proxy of the kubeconfig", extra: "proxy-url: \"" + urlAt(dead) + "\"", code: 3},
		{name: "proxy of the kubeconfig, malformed", extra: "proxy-url: \"http://user:" + secret + "%zz@host\"", code: 2},
		{name: "credentials endpoint, dead", slow: true, env: []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + urlAt(dead), "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + secret}, code: 3},
		{name: "credentials endpoint, not allowed", env: []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + urlAt("192.0.2.1")}, code: 3},
		{name: "credentials endpoint, malformed", env: []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://" + secret + "%zz"}, code: 3},
		{name: "keys", env: []string{"AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=" + secret}, code: 3},
		{name: "server, dead", server: "https://user:" + secret + "@" + dead + "/?token=" + secret, code: 3},
		{name: "server, another", server: "https://user:" + secret + "@FFFF.gr7.eu-west-1.eks.amazonaws.com/?" + secret, code: 3},
		{name: "server, refused", server: "https://user:" + secret + "@KUBE/" + "?token=" + secret, code: 3},
		{name: "server, malformed", server: "https://user:" + secret + "%zz@KUBE", code: 3},
		{name: "token", user: "token: " + secret, code: 3},
		{name: "password", user: "username: me, password: " + secret, code: 3},
		{name: "client key", user: "client-certificate-data: eA==, client-key-data: UzNjcjN0", code: 3},
		{name: "client key, not base64", user: "client-key-data: \"%%" + secret + "\"", code: 2},
		{name: "token, wrong type", user: "token: [" + secret + "]", code: 2},
		{name: "plugin fails", user: execPlugin("PLUGIN", "TOKEN="+secret, "AWS_ENDPOINT_URL_SSO="+urlAt(dead)), code: 3},
		{name: "plugin's endpoint", user: execPlugin("PLUGIN", "AWS_ENDPOINT_URL="+urlAt(dead)), code: 3},
		{name: "plugin prints rubbish", user: execPlugin("RUBBISH", "TOKEN="+secret), code: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newLiveCluster(t, forbidden)
			place := strings.NewReplacer("AWS/", c.aws.Listener.Addr().String()+"/", "KUBE", c.kube.Listener.Addr().String(),
				"PLUGIN", c.put(t, "plugin", plugin), "RUBBISH", c.put(t, "rubbish", "#!/bin/sh\necho '{\"kind\": \"'$TOKEN'\"}'\n"))
			for _, e := range test.env {
				c.env = append(c.env, place.Replace(e))
			}
			server, user, cluster := c.kube.URL, "token: x", "certificate-authority-data: "+c.authority()
			if test.server != "" {
				server = place.Replace(test.server)
			}
			if test.user != "" {
				user = place.Replace(test.user)
			}
			if test.extra != "" {
				cluster += ", " + test.extra
			}
			c.kubeconfig(t, server, cluster, user)
			commands := []string{"check"}
			if !test.slow {
				others := []string{"snapshot --allow-partial -o snapshot.yaml", "list", "fix --apply --yes", "create role --yes --access-entry"}
				commands = append(commands, others[number%len(others)])
			}
			for _, args := range commands {
				out := c.run(t, nil, strings.Fields(args)...)
				if strings.Contains(out.stdout+out.stderr, secret) {
					t.Errorf("%s prints the secret: %s%s", args, out.stdout, out.stderr)
				}
				if args == "check" && out.code != test.code {
					t.Errorf("exit %d: %s", out.code, out.stderr)
				}
			}
			for _, written := range []string{"snapshot.yaml", ".local"} {
				err := filepath.WalkDir(filepath.Join(c.dir, written), func(path string, entry fs.DirEntry, err error) error {
					if os.IsNotExist(err) || err == nil && entry.IsDir() {
						return nil
					}
					text, err := os.ReadFile(path)
					if filepath.Base(path) == "snapshot.yaml" {
						mu.Lock()
						snapshots++
						mu.Unlock()
					}
					if strings.Contains(string(text), secret) {
						t.Errorf("%s has the secret", path)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}
