package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// The paths of what the API server holds.
const (
	systemPath  = "/api/v1/namespaces/kube-system/"
	accountPath = systemPath + "serviceaccounts/aws-node"
	authPath    = systemPath + "configmaps/aws-auth"
	setPath     = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node"
	leasesPath  = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	agentPath   = "/apis/apps/v1/namespaces/kube-system/daemonsets/eks-pod-identity-agent"
)

// roleAnnotation names the IRSA role of a service account.
const roleAnnotation = "eks.amazonaws.com/role-arn"

// cluster is an API server with the objects that the plugin reads and writes, and with the
// controllers and webhooks that act on them.
type cluster struct {
	// eks is the cluster in EKS, whose add-ons have their workloads here.
	eks func() awsproxy.Cluster

	mu   sync.Mutex
	Held objects
}

type objects struct {
	// Annotation is that of the service account aws-node, AuthMap the mapRoles of aws-auth
	// where that exists, PodEnv the credentials in the environment of aws-node's pods.
	Annotation string
	AuthMap    *string
	PodEnv     []corev1.EnvVar
	Nodes      map[string]string // provider IDs
	Lease      *coordinationv1.Lease
	Version    int
}

// kubeOperation names a request as the plugin does.
func kubeOperation(r *http.Request, _ []byte) string {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	if path = path[1:]; strings.HasPrefix(r.URL.Path, "/apis/") {
		group, path = "."+path[0], path[1:]
	}
	path = path[1:] // the version
	where := ""
	if path[0] == "namespaces" {
		where, path = " in "+path[1], path[2:]
	}
	verb := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	switch {
	case verb == "" && len(path) == 1:
		verb = "list"
	case verb == "":
		verb = "get"
	}
	return verb + " " + path[0] + group + where
}

// ServeHTTP implements http.Handler.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &c.Held
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: "kube-system", ResourceVersion: fmt.Sprint(h.Version)}
	}
	if r.Method != http.MethodGet {
		h.Version++
		c.write(r, body)
	}
	switch r.URL.Path {
	case "/api/v1/nodes":
		list := corev1.NodeList{TypeMeta: typeOf("NodeList", "v1")}
		for name, id := range h.Nodes {
			n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux"}}, Spec: corev1.NodeSpec{ProviderID: id}}
			if strings.HasSuffix(id, "group") {
				n.Labels["eks.amazonaws.com/nodegroup"] = "apps"
			}
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			list.Items = append(list.Items, n)
		}
		answer(w, list)
	case systemPath + "pods":
		answer(w, c.pods(r.URL.Query().Get("labelSelector")))
	case accountPath:
		sa := corev1.ServiceAccount{TypeMeta: typeOf("ServiceAccount", "v1"), ObjectMeta: meta("aws-node")}
		if h.Annotation != "" {
			sa.Annotations = map[string]string{roleAnnotation: h.Annotation}
		}
		answer(w, sa)
	case setPath:
		answer(w, awsNodeSet(meta("aws-node"), int32(len(h.Nodes))))
	case agentPath:
		if _, ok := c.eks().Addons["eks-pod-identity-agent"]; !ok {
			kubeError(w, http.StatusNotFound, metav1.StatusReasonNotFound)
			return
		}
		answer(w, appsv1.DaemonSet{TypeMeta: typeOf("DaemonSet", "apps/v1"), ObjectMeta: meta("eks-pod-identity-agent")})
	case systemPath + "configmaps", authPath:
		if h.AuthMap == nil {
			kubeError(w, http.StatusNotFound, metav1.StatusReasonNotFound)
			return
		}
		answer(w, corev1.ConfigMap{TypeMeta: typeOf("ConfigMap", "v1"), ObjectMeta: meta("aws-auth"), Data: map[string]string{"mapRoles": *h.AuthMap}})
	case leasesPath, leasesPath + "/kubectl-noderole":
		if h.Lease == nil {
			kubeError(w, http.StatusNotFound, metav1.StatusReasonNotFound)
			return
		}
		h.Lease.TypeMeta = typeOf("Lease", "coordination.k8s.io/v1")
		answer(w, h.Lease)
	case systemPath + "events", "/api/v1/namespaces/default/events":
		answer(w, corev1.EventList{TypeMeta: typeOf("EventList", "v1"), Items: []corev1.Event{}})
	default:
		if strings.Contains(r.URL.Path, "kube-system") {
			kubeError(w, http.StatusNotFound, metav1.StatusReasonNotFound)
			return
		}
		http.NotFound(w, r) // a kind that is not served
	}
}

// write carries out a write.
func (c *cluster) write(r *http.Request, body []byte) {
	switch r.URL.Path {
	case accountPath:
		var patch struct {
			Metadata struct{ Annotations map[string]*string }
		}
		_ = json.Unmarshal(body, &patch)
		c.Held.Annotation = ""
		if role := patch.Metadata.Annotations[roleAnnotation]; role != nil {
			c.Held.Annotation = *role
		}
	case setPath:
		c.rollOut()
	case leasesPath, leasesPath + "/kubectl-noderole":
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if l, ok := object.(*coordinationv1.Lease); err == nil && ok {
			l.ResourceVersion = fmt.Sprint(c.Held.Version)
			c.Held.Lease = l
		}
	case systemPath + "configmaps", authPath:
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if m, ok := object.(*corev1.ConfigMap); err == nil && ok {
			text := m.Data["mapRoles"]
			c.Held.AuthMap = &text
		}
	}
}

// rollOut replaces the pods of aws-node. The webhook gives them their environment.
func (c *cluster) rollOut() {
	c.Held.PodEnv = nil
	for _, a := range c.eks().Associations {
		if a.ServiceAccount == "aws-node" {
			c.Held.PodEnv = []corev1.EnvVar{
				{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"},
				{Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"},
			}
			return
		}
	}
	if c.Held.Annotation != "" {
		c.Held.PodEnv = []corev1.EnvVar{
			{Name: "AWS_ROLE_ARN", Value: c.Held.Annotation},
			{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"},
		}
	}
}

const cniImage = "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1"

// pods are those of aws-node, or of the agent.
func (c *cluster) pods(selector string) corev1.PodList {
	list := corev1.PodList{TypeMeta: typeOf("PodList", "v1"), Items: []corev1.Pod{}}
	container := corev1.Container{Name: "aws-node", Image: cniImage, Env: c.Held.PodEnv}
	if selector != "k8s-app=aws-node" {
		if _, ok := c.eks().Addons["eks-pod-identity-agent"]; !ok {
			return list
		}
		container = corev1.Container{Name: "agent"}
	}
	for node := range c.Held.Nodes {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: container.Name + "-" + node}, Spec: corev1.PodSpec{NodeName: node, ServiceAccountName: "aws-node", Containers: []corev1.Container{container}}}
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		list.Items = append(list.Items, p)
	}
	return list
}

// awsNodeSet is the DaemonSet of the VPC CNI, rolled out on every node.
func awsNodeSet(meta metav1.ObjectMeta, nodes int32) appsv1.DaemonSet {
	return appsv1.DaemonSet{
		TypeMeta: typeOf("DaemonSet", "apps/v1"), ObjectMeta: meta,
		Spec:   appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{ServiceAccountName: "aws-node", Containers: []corev1.Container{{Name: "aws-node", Image: cniImage}}}}},
		Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: nodes, UpdatedNumberScheduled: nodes, NumberAvailable: nodes},
	}
}

func typeOf(kind, version string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: version}
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

// kubeError is an error of the API server.
func kubeError(w http.ResponseWriter, status int32, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status))
	_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: typeOf("Status", "v1"), Status: metav1.StatusFailure, Reason: reason, Code: status, Message: messages[reason]})
}

// messages are those of the API server.
var messages = map[metav1.StatusReason]string{
	metav1.StatusReasonForbidden:          "the user cannot do this",
	metav1.StatusReasonNotFound:           "not found",
	metav1.StatusReasonTooManyRequests:    "too many requests, please try again later",
	metav1.StatusReasonServiceUnavailable: "apiserver is shutting down",
	metav1.StatusReasonUnauthorized:       "Unauthorized",
}
