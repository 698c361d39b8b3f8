package collect_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// fakeKube answers the calls of the Kubernetes API that this program makes, in
// protobuf where it is asked for, and counts them.
type fakeKube struct {
	URL string

	nodes          []corev1.Node
	pods           []corev1.Pod
	serviceAccount *corev1.ServiceAccount
	daemonSet      *appsv1.DaemonSet
	awsAuth        *corev1.ConfigMap
	agent          *appsv1.DaemonSet
	agentPods      []corev1.Pod
	addonPods      []corev1.Pod
	addonAccount   *corev1.ServiceAccount
	kubeProxy      *appsv1.DaemonSet
	coreDNS        *appsv1.Deployment
	events         []corev1.Event
	// nodeClasses are JSON lists by path; a path without one has no such kind.
	nodeClasses map[string]string
	// jsonOnly answers in JSON, as a proxy may.
	jsonOnly bool
	// fault, where set, may answer in place of the server.
	fault func(operation string, w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	calls map[string]int
}

func newFakeKube(tb testing.TB) *fakeKube {
	tb.Helper()
	f := &fakeKube{calls: map[string]int{}}
	server := httptest.NewServer(f)
	tb.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// The names that the fakes and the tests call the operations by.
var kubeOperations = map[string]string{
	"/api/v1/nodes":                                           "list nodes",
	"/api/v1/namespaces/kube-system/pods":                     "list pods in kube-system",
	"/api/v1/namespaces/kube-system/serviceaccounts/aws-node": "get serviceaccounts in kube-system",
	"/api/v1/pods":                                            "list pods",
	"/api/v1/namespaces/kube-system/serviceaccounts/ebs-csi-controller-sa":   "get serviceaccounts",
	"/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node":               "get daemonsets.apps in kube-system",
	"/apis/apps/v1/namespaces/kube-system/daemonsets/eks-pod-identity-agent": "get daemonsets.apps in kube-system",
	"/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy":             "get daemonsets.apps in kube-system",
	"/apis/apps/v1/namespaces/kube-system/deployments/coredns":               "get deployments.apps in kube-system",
	"/api/v1/namespaces/kube-system/configmaps/aws-auth":                     "get configmaps in kube-system",
	"/api/v1/namespaces/kube-system/events":                                  "list events in kube-system",
	"/api/v1/namespaces/default/events":                                      "list events in default",
	"/apis/karpenter.k8s.aws/v1/ec2nodeclasses":                              "list ec2nodeclasses.karpenter.k8s.aws",
	"/apis/karpenter.k8s.aws/v1beta1/ec2nodeclasses":                         "list ec2nodeclasses.karpenter.k8s.aws",
	"/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates":                      "list awsnodetemplates.karpenter.k8s.aws",
	"/apis/eks.amazonaws.com/v1/nodeclasses":                                 "list nodeclasses.eks.amazonaws.com",
}

// ServeHTTP implements http.Handler.
func (f *fakeKube) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := kubeOperations[r.URL.Path]
	f.mu.Lock()
	f.calls[operation]++
	f.mu.Unlock()
	w.Header().Set("Warning", `299 - "this warning must not reach stderr"`)
	if f.fault != nil && f.fault(operation, w, r) {
		return
	}
	switch operation {
	case "list nodes":
		list := &corev1.NodeList{}
		list.Items, list.Continue = kubePage(f.nodes, r)
		f.write(w, r, http.StatusOK, list)
	case "get configmaps in kube-system":
		if f.awsAuth == nil {
			f.status(w, r, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "aws-auth"))
			return
		}
		f.write(w, r, http.StatusOK, f.awsAuth)
	case "list events in kube-system", "list events in default":
		list := &corev1.EventList{}
		if r.URL.Query().Get("fieldSelector") == "type=Warning" && strings.Contains(r.URL.Path, "kube-system") {
			list.Items, list.Continue = kubePage(f.events, r)
		}
		f.write(w, r, http.StatusOK, list)
	case "list ec2nodeclasses.karpenter.k8s.aws", "list awsnodetemplates.karpenter.k8s.aws", "list nodeclasses.eks.amazonaws.com":
		text, ok := f.nodeClasses[r.URL.Path]
		if !ok {
			http.NotFound(w, r) // as the API server answers a path that it does not serve
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	case "list pods in kube-system":
		if r.URL.Query().Get("labelSelector") == "app.kubernetes.io/name=eks-pod-identity-agent" {
			list := &corev1.PodList{}
			list.Items, list.Continue = kubePage(f.agentPods, r)
			f.write(w, r, http.StatusOK, list)
			return
		}
		if r.URL.Query().Get("labelSelector") != "k8s-app=aws-node" {
			f.status(w, r, apierrors.NewBadRequest("no label selector"))
			return
		}
		list := &corev1.PodList{}
		list.Items, list.Continue = kubePage(f.pods, r)
		f.write(w, r, http.StatusOK, list)
	case "list pods":
		selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
		if err != nil || selector.Empty() {
			f.status(w, r, apierrors.NewBadRequest("no label selector"))
			return
		}
		var selected []corev1.Pod
		for i := range f.addonPods {
			if selector.Matches(labels.Set(f.addonPods[i].Labels)) {
				selected = append(selected, f.addonPods[i])
			}
		}
		list := &corev1.PodList{}
		list.Items, list.Continue = kubePage(selected, r)
		f.write(w, r, http.StatusOK, list)
	case "get serviceaccounts":
		if f.addonAccount == nil {
			f.status(w, r, apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccounts"}, "ebs-csi-controller-sa"))
			return
		}
		f.write(w, r, http.StatusOK, f.addonAccount)
	case "get serviceaccounts in kube-system":
		if f.serviceAccount == nil {
			f.status(w, r, apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccounts"}, "aws-node"))
			return
		}
		f.write(w, r, http.StatusOK, f.serviceAccount)
	case "get daemonsets.apps in kube-system":
		set := f.daemonSet
		switch {
		case strings.HasSuffix(r.URL.Path, "agent"):
			set = f.agent
		case strings.HasSuffix(r.URL.Path, "kube-proxy"):
			set = f.kubeProxy
		}
		if set == nil {
			f.status(w, r, apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "daemonsets"}, "aws-node"))
			return
		}
		f.write(w, r, http.StatusOK, set)
	case "get deployments.apps in kube-system":
		if f.coreDNS == nil {
			f.status(w, r, apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "deployments"}, "coredns"))
			return
		}
		f.write(w, r, http.StatusOK, f.coreDNS)
	default:
		http.NotFound(w, r)
	}
}

func kubePage[T any](all []T, r *http.Request) (page []T, next string) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	to := min(from+limit, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next
}

func (f *fakeKube) status(w http.ResponseWriter, r *http.Request, err *apierrors.StatusError) {
	status := err.Status()
	f.write(w, r, int(status.Code), &status)
}

func (f *fakeKube) write(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	mediaType := runtime.ContentTypeJSON
	if !f.jsonOnly && strings.Contains(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
		mediaType = runtime.ContentTypeProtobuf
	}
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), mediaType)
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(code)
	gv := schema.GroupVersion{Version: "v1"}
	switch object.(type) {
	case *appsv1.DaemonSet, *appsv1.Deployment:
		gv.Group = "apps"
	}
	_ = scheme.Codecs.EncoderForVersion(info.Serializer, gv).Encode(object, w)
}

func meta(name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: labels}
}

func forbidden(resource string) *apierrors.StatusError {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errNoRBAC)
}
