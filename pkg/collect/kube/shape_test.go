package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The objects of each kind, as small as the API server might send them.
var (
	noNodes        = `{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[]}`
	noPods         = `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}`
	noEvents       = `{"kind":"EventList","apiVersion":"v1","metadata":{},"items":null}`
	anAccount      = `{"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"aws-node"}}`
	aDaemonSet     = `{"kind":"DaemonSet","apiVersion":"apps/v1","metadata":{"name":"aws-node"}}`
	aDeployment    = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"coredns"}}`
	aConfigMap     = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"aws-auth"}}`
	noNodeClasses  = `{"kind":"NodeClassList","apiVersion":"eks.amazonaws.com/v1","items":[]}`
	noEC2Classes   = `{"kind":"EC2NodeClassList","apiVersion":"karpenter.k8s.aws/v1","items":[]}`
	noTemplates    = `{"kind":"AWSNodeTemplateList","apiVersion":"karpenter.k8s.aws/v1alpha1","items":[]}`
	noEC2ClassesV1 = `{"kind":"EC2NodeClassList","apiVersion":"karpenter.k8s.aws/v1beta1","items":[]}`
)

// smallest are the smallest answers by method and path.
var smallest = map[string]string{
	"GET /api/v1/nodes":                                                          noNodes,
	"GET /api/v1/namespaces/kube-system/pods":                                    noPods,
	"GET /api/v1/pods":                                                           noPods,
	"GET /api/v1/namespaces/dns/serviceaccounts/external-dns":                    anAccount,
	"GET /api/v1/namespaces/kube-system/serviceaccounts/aws-node":                anAccount,
	"PATCH /api/v1/namespaces/kube-system/serviceaccounts/aws-node":              anAccount,
	"GET /apis/apps/v1/namespaces/kube-system/daemonsets/aws-node":               aDaemonSet,
	"PATCH /apis/apps/v1/namespaces/kube-system/daemonsets/aws-node":             aDaemonSet,
	"GET /apis/apps/v1/namespaces/kube-system/daemonsets/eks-pod-identity-agent": aDaemonSet,
	"GET /apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy":             aDaemonSet,
	"GET /apis/apps/v1/namespaces/kube-system/deployments/coredns":               aDeployment,
	"GET /api/v1/namespaces/kube-system/configmaps/aws-auth":                     aConfigMap,
	"PUT /api/v1/namespaces/kube-system/configmaps/aws-auth":                     aConfigMap,
	"POST /api/v1/namespaces/kube-system/configmaps":                             aConfigMap,
	"GET /api/v1/namespaces/kube-system/events":                                  noEvents,
	"GET /api/v1/namespaces/default/events":                                      noEvents,
	"GET /apis/karpenter.k8s.aws/v1/ec2nodeclasses":                              noEC2Classes,
	"GET /apis/karpenter.k8s.aws/v1beta1/ec2nodeclasses":                         noEC2ClassesV1,
	"GET /apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates":                      noTemplates,
	"GET /apis/eks.amazonaws.com/v1/nodeclasses":                                 noNodeClasses,
}

// callers call each method of collect.Kube and each kind of change, read and written.
// The writes begin from what smallest answers.
func callers() map[string]func(context.Context, *kube.Client) error {
	all := map[string]func(context.Context, *kube.Client) error{
		"Nodes": func(ctx context.Context, c *kube.Client) error { return c.Nodes(ctx, func(string, snapshot.Node) {}) },
		"Pods":  func(ctx context.Context, c *kube.Client) error { return c.Pods(ctx, func(string, snapshot.Pod) {}) },
		"AddonPods": func(ctx context.Context, c *kube.Client) error {
			return c.AddonPods(ctx, func(string, snapshot.AddonPod) {})
		},
		"AccountRole": func(ctx context.Context, c *kube.Client) error {
			_, err := c.AccountRole(ctx, "dns", "external-dns")
			return err
		},
		"ServiceAccount":         func(ctx context.Context, c *kube.Client) error { _, err := c.ServiceAccount(ctx); return err },
		"DaemonSet":              func(ctx context.Context, c *kube.Client) error { _, _, err := c.DaemonSet(ctx); return err },
		"KubeProxy":              func(ctx context.Context, c *kube.Client) error { _, err := c.KubeProxy(ctx); return err },
		"CoreDNS":                func(ctx context.Context, c *kube.Client) error { _, err := c.CoreDNS(ctx); return err },
		"AWSAuth":                func(ctx context.Context, c *kube.Client) error { _, err := c.AWSAuth(ctx); return err },
		"PodIdentityAgent":       func(ctx context.Context, c *kube.Client) error { _, err := c.PodIdentityAgent(ctx); return err },
		"KarpenterNodeClasses":   func(ctx context.Context, c *kube.Client) error { _, err := c.KarpenterNodeClasses(ctx); return err },
		"KarpenterNodeTemplates": func(ctx context.Context, c *kube.Client) error { _, err := c.KarpenterNodeTemplates(ctx); return err },
		"AutoModeNodeClasses":    func(ctx context.Context, c *kube.Client) error { _, err := c.AutoModeNodeClasses(ctx); return err },
		"Events":                 func(ctx context.Context, c *kube.Client) error { _, err := c.Events(ctx); return err },
	}
	for name, ch := range map[string]change.Change{
		"AuthRole":           {Kind: change.AuthRole, Name: roleARN, After: &change.State{Role: roleARN, Username: "u", Groups: []string{"g"}}},
		"ServiceAccountRole": {Kind: change.ServiceAccountRole, Name: "kube-system/aws-node", After: &change.State{Role: roleARN}},
		"Rollout":            {Kind: change.Rollout, Name: "kube-system/aws-node", After: &change.State{Role: roleARN}},
	} {
		all["State "+name] = func(ctx context.Context, c *kube.Client) error { _, err := c.Writing().State(ctx, ch); return err }
		all["Write "+name] = func(ctx context.Context, c *kube.Client) error { return c.Writing().Write(ctx, ch) }
	}
	return all
}

// recorder answers from smallest, and remembers what it was asked for.
type recorder struct {
	// instead answers one request, METHOD PATH, in another way.
	request string
	instead http.HandlerFunc
	// absent are the requests that are answered with 404.
	absent map[string]bool
	asked  map[string]bool
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + r.URL.Path
	s.asked[request] = true
	body, ok := smallest[request]
	switch {
	case s.request == request:
		s.instead(w, r)
	case s.absent[request] || !ok:
		writeJSON(w, http.StatusNotFound, statusOf(404, metav1.StatusReasonNotFound, r.URL.Path))
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
}

// run calls with a server's answers.
func (s *recorder) run(t *testing.T, call func(context.Context, *kube.Client) error) error {
	t.Helper()
	s.asked = map[string]bool{}
	c, _ := serve(t, s.ServeHTTP)
	return call(t.Context(), c)
}

// noAuth makes the write of aws-auth create it.
var noAuth = map[string]bool{"GET /api/v1/namespaces/kube-system/configmaps/aws-auth": true}

// requests are the requests that each caller makes, and what is absent then.
func requests(t *testing.T) map[string]map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]map[string]bool{}
	seen := map[string]bool{}
	for name, call := range callers() {
		all[name] = map[string]map[string]bool{}
		for _, absent := range []map[string]bool{nil, noAuth, {"GET /apis/karpenter.k8s.aws/v1/ec2nodeclasses": true}} {
			s := &recorder{absent: absent}
			if err := s.run(t, call); err != nil {
				t.Errorf("%s: the smallest answers are refused: %v", name, err)
			}
			for request := range s.asked {
				if _, known := all[name][request]; !known {
					all[name][request] = absent
				}
				seen[request] = true
			}
		}
	}
	for request := range smallest {
		if !seen[request] {
			t.Errorf("nothing asks for %s", request)
		}
	}
	for request := range seen {
		if _, known := smallest[request]; !known {
			t.Errorf("%s is asked for and has no answer here", request)
		}
	}
	return all
}

// Every method of the interface is called by these tests.
func TestEveryMethodIsCalled(t *testing.T) {
	all := callers()
	for i, kind := 0, reflect.TypeFor[collect.Kube](); i < kind.NumMethod(); i++ {
		if name := kind.Method(i).Name; name != "Calls" && all[name] == nil {
			t.Errorf("%s is not called", name)
		}
	}
}

// An answer that is not of the kind that was asked for is an error that names the
// operation, for every request of every method; so is a 404 that the API server did not
// send. The smallest answers are accepted.
func TestMisshapenAnswers(t *testing.T) {
	const page = "<!doctype html>\n<html lang=en>\n<title>Welcome</title>\n<p>Sign in to the network."
	type answer struct {
		status            int
		contentType, body string
		want              string
	}
	for name, asked := range requests(t) {
		for request, absent := range asked {
			whole := smallest[request]
			var object map[string]any
			if err := json.Unmarshal([]byte(whole), &object); err != nil {
				t.Fatal(err)
			}
			kind, version := object["kind"].(string), object["apiVersion"].(string)
			with := func(key string, value any) string {
				other := map[string]any{"kind": kind, "apiVersion": version, "items": []any{}, key: value}
				if value == nil {
					delete(other, key)
				}
				text, _ := json.Marshal(other)
				return string(text)
			}
			tests := map[string]answer{
				"HTML":                  {200, "text/html; charset=utf-8", page, "the response is "},
				"HTML as JSON":          {200, "application/json", page, "the response is not a JSON object, not of kind " + kind + " (" + version + ")"},
				"HTML with 404":         {404, "text/html", page, "the response 404 has no Status, so it is not of the Kubernetes API (a proxy)"},
				"HTML with 403":         {403, "text/html", page, "the response 403 has no Status, so it is not of the Kubernetes API (a proxy)"},
				"an empty object, 404":  {404, "application/json", "{}", "the response 404 has no Status, so it is not of the Kubernetes API (a proxy)"},
				"empty":                 {200, "application/json", "", "the response is empty, not "},
				"an empty object":       {200, "application/json", "{}", "the response is an object without kind or apiVersion, not of kind " + kind + " (" + version + ")"},
				"a list of values":      {200, "application/json", "[]", "the response is not a JSON object, not of kind " + kind + " (" + version + ")"},
				"null":                  {200, "application/json", "null", "the response is an object without kind or apiVersion, not of kind "},
				"without apiVersion":    {200, "application/json", with("apiVersion", nil), "the response is an object without kind or apiVersion, not of kind "},
				"XML":                   {200, "text/xml", "<x/>", "the response is "},
				"XML as JSON":           {200, "application/json", "<x/>", "the response is not a JSON object, not of kind "},
				"another kind":          {200, "application/json", with("kind", "SecretList"), "the response is of kind SecretList (" + version + "), not of kind " + kind + " (" + version + ")"},
				"another version":       {200, "application/json", with("apiVersion", "v7"), "the response is of kind " + kind + " (v7), not of kind " + kind + " (" + version + ")"},
				"a Status":              {200, "application/json", `{"kind":"Status","apiVersion":"v1","status":"Success"}`, "the response is of kind Status (v1), not of kind "},
				"half, re-sent":         {200, "application/json", whole[:len(whole)/2], "the response ended early"},
				"protobuf, no envelope": {200, "application/vnd.kubernetes.protobuf", "k8s\x00", "the response is "},
			}
			if strings.HasSuffix(kind, "List") {
				tests["without items"] = answer{200, "application/json", with("items", nil), "the response is an object without items, not of kind " + kind + " (" + version + ")"}
			}
			for what, test := range tests {
				t.Run(name+"/"+request+"/"+what, func(t *testing.T) {
					s := &recorder{request: request, absent: absent, instead: func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", test.contentType)
						w.WriteHeader(test.status)
						fmt.Fprint(w, test.body)
					}}
					wantCallError(t, s.run(t, callers()[name]), request, test.want)
				})
			}
		}
	}
}

// operations are the names of requests in messages, by the resource.
var operations = map[string]string{
	"nodes": "nodes", "pods": "pods in kube-system", "serviceaccounts": "serviceaccounts in kube-system", "daemonsets": "daemonsets.apps in kube-system", "deployments": "deployments.apps in kube-system",
	"configmaps": "configmaps in kube-system", "events": "events in ", "ec2nodeclasses": "ec2nodeclasses.karpenter.k8s.aws", "awsnodetemplates": "awsnodetemplates.karpenter.k8s.aws", "nodeclasses": "nodeclasses.eks.amazonaws.com",
}

func wantCallError(t *testing.T, err error, request, want string) {
	t.Helper()
	var failed *collect.CallError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	operation := ""
	for resource, name := range operations {
		if strings.Contains(request+"/", "/"+resource+"/") {
			operation = name
		}
	}
	if !strings.Contains(request, "/namespaces/kube-system/") {
		operation = strings.TrimSuffix(operation, " in kube-system")
	}
	if operation == "" || !strings.Contains(failed.Operation, operation) || failed.Permission != "" {
		t.Errorf("operation %q, permission %q", failed.Operation, failed.Permission)
	}
	if !strings.HasPrefix(failed.Message, want) || strings.Contains(failed.Message, "\n") {
		t.Errorf("message %q, want %q", failed.Message, want)
	}
}

// encoded is an object in protobuf.
func encoded(t *testing.T, object runtime.Object) []byte {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := protobuf.NewSerializer(scheme, scheme).Encode(object, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Protobuf answers are checked too. An empty list has nothing in it but its kind.
func TestProtobufAnswers(t *testing.T) {
	empty := encoded(t, &corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}})
	one := encoded(t, nodeList(corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}))
	for name, test := range map[string]struct {
		body []byte
		want string // empty is no error
	}{
		"an empty list":   {empty, ""},
		"a node":          {one, ""},
		"another kind":    {encoded(t, &corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}), "the response is of kind PodList (v1), not of kind NodeList (v1)"},
		"without kind":    {encoded(t, &corev1.NodeList{}), "the response is an object without kind or apiVersion, not of kind NodeList (v1)"},
		"cut off":         {one[:len(one)-8], "the response ended early"},
		"not an envelope": {[]byte("k8s\x00<html>"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
				_, _ = w.Write(test.body)
			})
			_, err := nodes(c)
			if test.want == "" && name != "not an envelope" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCallError(t, err, "/nodes", test.want)
		})
	}
}

// A kind of node classes that is not installed is none, and one that another server says
// is not there is not known.
func TestNodeClassesNotInstalled(t *testing.T) {
	c, _ := serve(t, http.NotFound) // as the API server answers a path that it does not serve
	if classes, err := c.KarpenterNodeClasses(t.Context()); err != nil || len(classes) > 0 {
		t.Errorf("%v, %v", classes, err)
	}
	if set, _, err := c.DaemonSet(t.Context()); err == nil {
		t.Errorf("a DaemonSet %v from a server without the API", set)
	}
}

// The options of the instance metadata service are those of the spec.
func TestNodeClassMetadata(t *testing.T) {
	s := &recorder{request: "GET /apis/karpenter.k8s.aws/v1/ec2nodeclasses", instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"EC2NodeClassList","apiVersion":"karpenter.k8s.aws/v1","items":[{"metadata":{"name":"a"},
"spec":{"role":"r","metadataOptions":{"httpEndpoint":"enabled","httpTokens":"required","httpPutResponseHopLimit":2}}}]}`)
	}}
	err := s.run(t, func(ctx context.Context, c *kube.Client) error {
		classes, err := c.KarpenterNodeClasses(ctx)
		if want := (snapshot.MetadataOptions{HTTPEndpoint: "enabled", HTTPTokens: "required", HopLimit: 2}); classes["a"].Metadata == nil || *classes["a"].Metadata != want {
			t.Errorf("the class is %+v", classes["a"])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Node classes come in pages.
func TestNodeClassPages(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		page, next := "a", "2"
		if r.URL.Query().Get("continue") == "2" {
			page, next = "b", ""
		}
		if r.URL.Query().Get("limit") != "500" {
			t.Errorf("asked for %s", r.URL)
		}
		fmt.Fprintf(w, `{"kind":"NodeClassList","apiVersion":"eks.amazonaws.com/v1","metadata":{"continue":%q},"items":[{"metadata":{"name":%q},"spec":{"role":"r"}}]}`, next, page)
	})
	classes, err := c.AutoModeNodeClasses(t.Context())
	if err != nil || len(classes) != 2 || classes["b"].Role != "r" {
		t.Errorf("%v, %v", classes, err)
	}
}

// A list whose token comes again ends with an error.
func TestRepeatedTokens(t *testing.T) {
	for name, asked := range requests(t) {
		for request := range asked {
			if !strings.Contains(smallest[request], `"items"`) || strings.HasPrefix(name, "Write") {
				continue
			}
			for what, tokens := range map[string][]string{"the one just sent": {"a"}, "an earlier one": {"a", "b", "a"}} {
				t.Run(name+"/"+request+"/"+what, func(t *testing.T) {
					n := 0
					s := &recorder{request: request, absent: asked[request], instead: func(w http.ResponseWriter, _ *http.Request) {
						n++
						body := strings.Replace(smallest[request], `"items"`, `"metadata":{"continue":"`+tokens[min(n, len(tokens))-1]+`"},"items"`, 1)
						w.Header().Set("Content-Type", "application/json")
						fmt.Fprint(w, strings.Replace(body, `"metadata":{},`, "", 1))
					}}
					wantCallError(t, s.run(t, callers()[name]), request, "the response repeats the token of an earlier page, so that the list would never end")
					if want := max(len(tokens), 2); n != want {
						t.Errorf("%d requests, want %d", n, want)
					}
				})
			}
		}
	}
}

// A body is read up to a limit.
func TestAnswerTooLarge(t *testing.T) {
	for request, call := range map[string]string{"/nodes": "Nodes", "/nodeclasses": "AutoModeNodeClasses"} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for chunk := []byte(strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		wantCallError(t, callers()[call](t.Context(), c), request, "the response is larger than 64 MiB")
	}
}
