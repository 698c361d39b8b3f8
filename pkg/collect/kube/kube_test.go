package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// serve answers every request with a function and returns a client for it.
func serve(t *testing.T, answer http.HandlerFunc) (*kube.Client, string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return client(t, &rest.Config{Host: server.URL}), server.URL
}

func client(t *testing.T, config *rest.Config) *kube.Client {
	t.Helper()
	c, err := kube.New(config, kube.Options{Context: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writeJSON(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

// nodes returns what the client makes of a list of nodes.
func nodes(c *kube.Client) (map[string]snapshot.Node, error) {
	got := map[string]snapshot.Node{}
	err := c.Nodes(context.Background(), func(name string, node snapshot.Node) { got[name] = node })
	return got, err
}

func nodeList(items ...corev1.Node) *corev1.NodeList {
	return &corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, Items: items}
}

func TestMaker(t *testing.T) {
	const (
		ec2     = "aws:///eu-west-1a/i-0a"
		compute = "eks.amazonaws.com/compute-type"
		group   = "eks.amazonaws.com/nodegroup"
		pool    = "karpenter.sh/nodepool"
	)
	for _, test := range []struct {
		name       string
		providerID string
		labels     map[string]string
		want       snapshot.Node
	}{
		{"managed", ec2, map[string]string{group: "g"}, snapshot.Node{Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "g"}},
		{"karpenter", ec2, map[string]string{pool: "p", "karpenter.k8s.aws/ec2nodeclass": "c"}, snapshot.Node{Provisioner: snapshot.ProvisionedByKarpenter, Owner: "p", NodeClass: "c"}},
		{"auto mode, with Karpenter's label", ec2, map[string]string{compute: "auto", pool: "p", "eks.amazonaws.com/nodeclass": "c"}, snapshot.Node{Provisioner: snapshot.ProvisionedByAutoMode, Owner: "p", NodeClass: "c"}},
		{"fargate", "aws:///eu-west-1a/0f/fargate-ip-10-0-0-1", map[string]string{compute: "fargate"}, snapshot.Node{Provisioner: snapshot.ProvisionedByFargate}},
		{"hybrid by label", "", map[string]string{compute: "hybrid"}, snapshot.Node{Provisioner: snapshot.ProvisionedByHybrid}},
		{"hybrid by provider", "eks-hybrid:///eu-west-1/c/mi-1", nil, snapshot.Node{Provisioner: snapshot.ProvisionedByHybrid}},
		{"a compute type of tomorrow", ec2, map[string]string{compute: "ec2", group: "g"}, snapshot.Node{Provisioner: snapshot.ProvisionedByNodeGroup, Owner: "g"}},
		{"self-managed", ec2, nil, snapshot.Node{Provisioner: snapshot.SelfManaged}},
		{"windows", ec2, map[string]string{"kubernetes.io/os": "windows"}, snapshot.Node{Provisioner: snapshot.SelfManaged, Windows: true}},
		{"karpenter before v0.32", ec2, map[string]string{"karpenter.sh/provisioner-name": "p"}, snapshot.Node{Provisioner: snapshot.ProvisionedByKarpenter, Owner: "p", KarpenterProvisioner: true}},
		{"HyperPod by provider", "aws:///euw1-az1/sagemaker/cluster/hyperpod-x-i-0a", nil, snapshot.Node{Provisioner: snapshot.ProvisionedByHyperPod}},
		{
			"HyperPod by label, with Karpenter's", "",
			map[string]string{"sagemaker.amazonaws.com/compute-type": "hyperpod", "sagemaker.amazonaws.com/instance-group-name": "g", pool: "p"},
			snapshot.Node{Provisioner: snapshot.ProvisionedByHyperPod, Owner: "g"},
		},
		{"elsewhere", "kind://docker/kind/kind", nil, snapshot.Node{Provisioner: snapshot.ProvisionedByUnknown}},
		{"nowhere", "", nil, snapshot.Node{Provisioner: snapshot.ProvisionedByUnknown}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, http.StatusOK, nodeList(corev1.Node{
					ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: test.labels}, Spec: corev1.NodeSpec{ProviderID: test.providerID},
				}))
			})
			got, err := nodes(c)
			test.want.ProviderID = test.providerID
			if diff := cmp.Diff(map[string]snapshot.Node{"n": test.want}, got); err != nil || diff != "" {
				t.Errorf("error %v, nodes (-want +got):\n%s", err, diff)
			}
		})
	}
}

// The operating system is the node's own word, by label or by kubelet.
func TestOperatingSystem(t *testing.T) {
	for image, test := range map[string]struct {
		labels map[string]string
		system string
		want   snapshot.OSFamily
	}{
		"Windows Server 2022 Datacenter":        {nil, "windows", snapshot.WindowsOS},
		"":                                      {map[string]string{"kubernetes.io/os": "windows"}, "", snapshot.WindowsOS},
		"Bottlerocket OS 1.49.0 (aws-k8s-1.33)": {map[string]string{"kubernetes.io/os": "linux"}, "linux", snapshot.Bottlerocket},
		"Amazon Linux 2":                        {nil, "linux", snapshot.AmazonLinux2},
		"Amazon Linux 2023.9.20251117":          {nil, "linux", snapshot.AL2023},
		"Ubuntu 24.04.2 LTS":                    {nil, "linux", snapshot.OSUnknown},
	} {
		c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, nodeList(corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: test.labels}, Spec: corev1.NodeSpec{ProviderID: "aws:///eu-west-1a/i-0a"},
				Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{OperatingSystem: test.system, OSImage: image}},
			}))
		})
		got, err := nodes(c)
		if err != nil || got["n"].OS() != test.want || got["n"].OSImage != image {
			t.Errorf("%q: %q, %+v, error %v", image, got["n"].OS(), got["n"], err)
		}
	}
}

// A list whose token has expired goes on with the token that the API server
// offers in its place.
func TestExpiredContinuation(t *testing.T) {
	named := func(name string) corev1.Node { return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("continue") {
		case "":
			page := nodeList(named("a"))
			page.Continue = "old"
			writeJSON(w, http.StatusOK, page)
		case "old":
			status := apierrors.NewResourceExpired("too old").Status()
			status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
			status.Continue = "new"
			writeJSON(w, http.StatusGone, status)
		default:
			writeJSON(w, http.StatusOK, nodeList(named("b")))
		}
	})
	got, err := nodes(c)
	if err != nil || len(got) != 2 {
		t.Errorf("nodes %v, error %v", got, err)
	}
	if c.Calls() != 3 {
		t.Errorf("%d calls", c.Calls())
	}
}

func TestAbsent(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: 404}
		writeJSON(w, http.StatusNotFound, status)
	})
	if account, err := c.ServiceAccount(t.Context()); account != nil || err != nil {
		t.Errorf("service account %v, %v", account, err)
	}
	if set, images, err := c.DaemonSet(t.Context()); set != nil || len(images.Images) > 0 || err != nil {
		t.Errorf("DaemonSet %v, %v, %v", set, images, err)
	}
	for name, read := range map[string]func(context.Context) (snapshot.PodImages, error){"kube-proxy": c.KubeProxy, "coredns": c.CoreDNS} {
		if images, err := read(t.Context()); len(images.Images) > 0 || err != nil {
			t.Errorf("%s %v, %v", name, images, err)
		}
	}
}

// What is wrong with one call costs that call.
func TestCallErrors(t *testing.T) {
	for _, test := range []struct {
		name       string
		answer     http.HandlerFunc
		permission string
		message    string // the beginning
	}{
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusForbidden, metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: 403,
				Message: `nodes is forbidden: User "dev" cannot list resource "nodes" in API group "" at the cluster scope`,
			})
		}, "list nodes", `nodes is forbidden: User "dev" cannot list resource "nodes" in API group "" at the cluster scope`},
		{"server error", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusInternalServerError, metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonInternalError, Code: 500, Message: "etcd\nis away",
			})
		}, "", "etcd is away"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>\n<h1>Sign in</h1>")
		}, "", "the response is text/html, not of the Kubernetes API (a proxy)"},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"kind":"NodeList"`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "", "the response ended early"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := serve(t, test.answer)
			_, err := nodes(c)
			var call *collect.CallError
			if !errors.As(err, &call) {
				t.Fatalf("error %v (%T)", err, err)
			}
			if call.Operation != "list nodes" || call.Permission != test.permission || call.Message != test.message {
				t.Errorf("operation %q, permission %q, message %q; want %q", call.Operation, call.Permission, call.Message, test.message)
			}
		})
	}
}

// What is wrong with every call ends the run with one line.
func TestProblems(t *testing.T) {
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(silent)
	unauthorized := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer unauthorized.Close()
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	for _, test := range []struct {
		name   string
		config *rest.Config
		want   string
	}{
		{"refused", &rest.Config{Host: "https://127.0.0.1:1"}, "cannot reach the Kubernetes API server https://127.0.0.1:1: connection refused"},
		{"silent", &rest.Config{Host: server.URL, Timeout: 50 * time.Millisecond}, "cannot reach the Kubernetes API server " + server.URL + ": no answer in time"},
		{"unknown authority", &rest.Config{Host: stranger.URL}, "cannot reach the Kubernetes API server " + stranger.URL + ": x509: certificate signed by unknown authority"},
		{"unauthorized", &rest.Config{Host: unauthorized.URL}, "the Kubernetes API server " + unauthorized.URL + " does not accept the credentials of the kubeconfig (Unauthorized)"},
		{"credential plugin fails", &rest.Config{Host: stranger.URL, ExecProvider: &clientcmdapi.ExecConfig{
			Command: "false", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}}, "cannot call the Kubernetes API server " + stranger.URL + ": getting credentials: exec: executable false failed with exit code 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := nodes(client(t, test.config))
			var p *problem.Error
			if !errors.As(err, &p) {
				t.Fatalf("error %v (%T)", err, err)
			}
			if p.Problem != test.want || !strings.Contains(p.Next, "--context prod") {
				t.Errorf("problem\n  %s\nwant\n  %s\nnext %q", p.Problem, test.want, p.Next)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, _, err := c.DaemonSet(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Warnings of the API server stay off stderr.
func TestNoWarnings(t *testing.T) {
	stderr := os.Stderr
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = write
	defer func() { os.Stderr = stderr }()
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Warning", `299 - "old"`)
		writeJSON(w, http.StatusOK, nodeList())
	})
	_, err = nodes(c)
	_ = write.Close()
	var printed bytes.Buffer
	if _, readErr := printed.ReadFrom(read); readErr != nil {
		t.Fatal(readErr)
	}
	if err != nil || printed.Len() > 0 {
		t.Errorf("error %v, printed %q", err, printed.String())
	}
}

// TestRedirects: the credentials of the kubeconfig are sent to its server only.
func TestRedirects(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		writeJSON(w, http.StatusOK, nodeList())
	}))
	t.Cleanup(other.Close)
	for name, test := range map[string]struct {
		to   func(path string) string
		want string
	}{
		"to another server": {func(path string) string { return other.URL + path }, "the response is a redirect, which is not followed (a proxy)"},
		"to itself":         {func(string) string { return "/there" }, ""},
		"in a circle":       {func(path string) string { return path }, "the response is a redirect, which is not followed (a proxy)"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					writeJSON(w, http.StatusOK, nodeList())
					return
				}
				w.Header().Set("Location", test.to(r.URL.Path))
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			_, err := nodes(c)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want)) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
}
