// Package kube reads and writes the Kubernetes API. A Client reads what the snapshot of
// a cluster needs: its nodes, aws-node with its service account, aws-auth, the EKS Pod
// Identity Agent, node classes and events; it keeps nothing else of what it reads. Changes
// also applies the changes of repairs that are in the cluster, and nothing else writes.
package kube

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/trace"
)

// The limits of one request.
const (
	connectTimeout = 5 * time.Second
	requestTimeout = 30 * time.Second
	maxRedirects   = 10
)

// pageSize is how many objects of a list are read, and held, at a time.
const pageSize = 500

// What is read of the VPC CNI.
const (
	namespace     = "kube-system"
	awsNode       = "aws-node"
	labelSelector = "k8s-app=" + awsNode
)

// The calls, which are their own names for the permission that they need.
const (
	listNodes         = "list nodes"
	listPods          = "list pods in " + namespace
	listAllPods       = "list pods"
	getServiceAccount = "get serviceaccounts in " + namespace
	getAccount        = "get serviceaccounts"
	getDaemonSet      = "get daemonsets.apps in " + namespace
	getDeployment     = "get deployments.apps in " + namespace
	getConfigMap      = "get configmaps in " + namespace
	listEvents        = "list events in "
)

// Options say how messages name the cluster.
type Options struct {
	// Context is the kube context, for messages; empty for a cluster that no context names.
	// Kubeconfig is the file that has it, empty for kubectl's default.
	Context, Kubeconfig string
	// Trace records the calls; nil records none.
	Trace *trace.Recorder
}

// Client reads from one cluster. It implements collect.Kube and may be used
// concurrently.
type Client struct {
	nodes           nodeLister
	pods            podLister
	allPods         podLister
	serviceAccounts serviceAccountGetter
	accounts        func(namespace string) serviceAccountGetter
	daemonSets      daemonSetGetter
	deployments     deploymentGetter
	configMaps      configMapGetter
	events          map[string]eventLister // by namespace
	leases          leaseWriter
	raw             rest.Interface

	transport           http.RoundTripper
	server              string
	context, kubeconfig string
	calls               atomic.Int64
}

var _ collect.Kube = (*Client)(nil)

// The calls of client-go in use.
type (
	nodeLister interface {
		List(context.Context, metav1.ListOptions) (*corev1.NodeList, error)
	}
	podLister interface {
		List(context.Context, metav1.ListOptions) (*corev1.PodList, error)
	}
	serviceAccountGetter interface {
		Get(context.Context, string, metav1.GetOptions) (*corev1.ServiceAccount, error)
	}
	configMapGetter interface {
		Get(context.Context, string, metav1.GetOptions) (*corev1.ConfigMap, error)
	}
	eventLister interface {
		List(context.Context, metav1.ListOptions) (*corev1.EventList, error)
	}
	daemonSetGetter interface {
		Get(context.Context, string, metav1.GetOptions) (*appsv1.DaemonSet, error)
	}
	deploymentGetter interface {
		Get(context.Context, string, metav1.GetOptions) (*appsv1.Deployment, error)
	}
)

// New returns a client for the cluster of a kubeconfig's context. The
// configuration is not changed. No request is made.
func New(config *rest.Config, o Options) (*Client, error) {
	c := &Client{server: text.WithoutSecrets(config.Host), context: o.Context, kubeconfig: o.Kubeconfig}
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.UserAgent = "kubectl-noderole"
	config.WarningHandler = rest.NoWarnings{}
	config.WarningHandlerWithContext = nil
	config.QPS = -1 // a handful of calls; the API server has its own limits
	if config.Timeout == 0 {
		config.Timeout = requestTimeout
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return counter{limiter{newOneConnection(next)}, &c.calls, o.Trace}
	})

	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, c.configError(err)
	}
	// Outside of the credential plugin, which client.Transport runs.
	waiting := waiter{next: client.Transport, calls: &c.calls}
	if config.ExecProvider != nil {
		waiting.plugin = config.ExecProvider.Command
	}
	client.Transport, c.transport = waiting, waiting
	client.CheckRedirect = sameHost
	// The types of the groups in use; client-go's own clients would
	// bring those of every group into the program.
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, c.configError(err)
		}
	}
	config.NegotiatedSerializer = newShapeChecker(scheme)
	codec := runtime.NewParameterCodec(scheme)
	of := func(gv schema.GroupVersion, path string) (rest.Interface, error) {
		config.GroupVersion, config.APIPath = &gv, path
		return rest.RESTClientForConfigAndClient(config, client)
	}
	core, err := of(corev1.SchemeGroupVersion, "/api")
	if err != nil {
		return nil, c.configError(err)
	}
	apps, err := of(appsv1.SchemeGroupVersion, "/apis")
	if err != nil {
		return nil, c.configError(err)
	}
	coordination, err := of(coordinationv1.SchemeGroupVersion, "/apis")
	if err != nil {
		return nil, c.configError(err)
	}
	c.nodes = resource[*corev1.Node, *corev1.NodeList]{core, codec, "nodes", "", empty[corev1.Node], empty[corev1.NodeList]}
	c.pods = resource[*corev1.Pod, *corev1.PodList]{core, codec, "pods", namespace, empty[corev1.Pod], empty[corev1.PodList]}
	c.allPods = resource[*corev1.Pod, *corev1.PodList]{core, codec, "pods", metav1.NamespaceAll, empty[corev1.Pod], empty[corev1.PodList]}
	c.accounts = func(namespace string) serviceAccountGetter {
		return resource[*corev1.ServiceAccount, *corev1.ServiceAccountList]{
			core, codec, "serviceaccounts", namespace, empty[corev1.ServiceAccount], empty[corev1.ServiceAccountList],
		}
	}
	c.serviceAccounts = c.accounts(namespace)
	c.daemonSets = resource[*appsv1.DaemonSet, *appsv1.DaemonSetList]{apps, codec, "daemonsets", namespace, empty[appsv1.DaemonSet], empty[appsv1.DaemonSetList]}
	c.deployments = resource[*appsv1.Deployment, *appsv1.DeploymentList]{apps, codec, "deployments", namespace, empty[appsv1.Deployment], empty[appsv1.DeploymentList]}
	c.configMaps = resource[*corev1.ConfigMap, *corev1.ConfigMapList]{core, codec, "configmaps", namespace, empty[corev1.ConfigMap], empty[corev1.ConfigMapList]}
	c.leases = resource[*coordinationv1.Lease, *coordinationv1.LeaseList]{coordination, codec, "leases", namespace, empty[coordinationv1.Lease], empty[coordinationv1.LeaseList]}
	c.events = map[string]eventLister{}
	for _, ns := range eventNamespaces {
		c.events[ns] = resource[*corev1.Event, *corev1.EventList]{core, codec, "events", ns, empty[corev1.Event], empty[corev1.EventList]}
	}
	c.raw = core
	return c, nil
}

// sameHost follows a redirect only to the server itself: client-go would send the credentials
// of the kubeconfig to any other one too.
func sameHost(request *http.Request, via []*http.Request) error {
	if request.URL.Host != via[0].URL.Host || request.URL.Scheme != via[0].URL.Scheme || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

func empty[T any]() *T { return new(T) }

// counter counts and records requests as they are sent.
type counter struct {
	next  http.RoundTripper
	calls *atomic.Int64
	trace *trace.Recorder
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	made := trace.Call{API: "Kubernetes", Operation: r.Method, Subject: r.URL.Path, Start: time.Now()}
	response, err := c.next.RoundTrip(r)
	made.End = time.Now()
	if response != nil {
		made.Status = response.StatusCode
	}
	c.trace.Add(made)
	if r.Method != http.MethodGet {
		change.Sent(r.Context(), collect.Refused(made.Status))
	}
	return response, err
}

// waiter notes what is waited for: the kubeconfig's credential plugin, or a response.
type waiter struct {
	next   http.RoundTripper
	plugin string // empty for none
	calls  *atomic.Int64
}

func (w waiter) RoundTrip(r *http.Request) (*http.Response, error) {
	done := collect.Wait(r.Context(), func() string {
		if w.plugin != "" && w.calls.Load() == 0 {
			return fmt.Sprintf("the kubeconfig's credential plugin %q", w.plugin)
		}
		return r.Method + " " + r.URL.Path + " of the Kubernetes API"
	})
	response, err := w.next.RoundTrip(r)
	if err != nil {
		done()
		return nil, err
	}
	response.Body = waitedBody{response.Body, done}
	return response, nil
}

// WrappedRoundTripper lets client-go find the transport that it must cancel.
func (w waiter) WrappedRoundTripper() http.RoundTripper { return w.next }

// waitedBody is a response that is waited for until it is closed.
type waitedBody struct {
	io.ReadCloser
	done func()
}

func (b waitedBody) Close() error {
	b.done()
	return b.ReadCloser.Close()
}

// WrappedRoundTripper lets client-go find the transport that it must cancel.
func (c counter) WrappedRoundTripper() http.RoundTripper { return c.next }

// Close closes the connections to the API server, which would otherwise stay open for a
// while. No request may be in flight.
func (c *Client) Close() { utilnet.CloseIdleConnectionsFor(c.transport) }

// Calls returns how many requests were sent so far.
func (c *Client) Calls() int { return int(c.calls.Load()) }

// quiet keeps client-go's log off stderr: its errors are returned.
func quiet(ctx context.Context) context.Context { return logr.NewContext(ctx, logr.Discard()) }

// Nodes calls each for every node while the pages arrive.
func (c *Client) Nodes(ctx context.Context, each func(name string, node snapshot.Node)) error {
	return c.pages(ctx, listNodes, metav1.ListOptions{}, func(o metav1.ListOptions) (string, error) {
		page, err := c.nodes.List(quiet(ctx), o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			each(page.Items[i].Name, nodeFacts(&page.Items[i]))
		}
		return page.Continue, nil
	})
}

// Pods calls each for every pod of aws-node that has not ended, while the pages
// arrive.
func (c *Client) Pods(ctx context.Context, each func(name string, pod snapshot.Pod)) error {
	return c.pages(ctx, listPods, metav1.ListOptions{LabelSelector: labelSelector}, func(o metav1.ListOptions) (string, error) {
		page, err := c.pods.List(quiet(ctx), o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			pod := &page.Items[i]
			if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
				continue
			}
			each(pod.Name, podFacts(pod))
		}
		return page.Continue, nil
	})
}

// ServiceAccount returns the service account aws-node, or nil where there is
// none.
func (c *Client) ServiceAccount(ctx context.Context) (*snapshot.ServiceAccount, error) {
	account, err := c.serviceAccounts.Get(quiet(ctx), awsNode, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getServiceAccount, err)
	}
	return &snapshot.ServiceAccount{RoleARN: account.Annotations[annotationRoleARN], Audience: account.Annotations[annotationAudience]}, nil
}

// DaemonSet returns the DaemonSet aws-node and the images of its pods, or nil where there
// is none.
func (c *Client) DaemonSet(ctx context.Context) (*snapshot.DaemonSet, snapshot.PodImages, error) {
	set, err := c.daemonSets.Get(quiet(ctx), awsNode, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, snapshot.PodImages{}, nil
	}
	if err != nil {
		return nil, snapshot.PodImages{}, c.explain(ctx, getDaemonSet, err)
	}
	return daemonSetFacts(set), podImages(&set.Spec.Template.Spec), nil
}

// KubeProxy returns the images of the DaemonSet kube-proxy, none where there is none.
func (c *Client) KubeProxy(ctx context.Context) (snapshot.PodImages, error) {
	set, err := c.daemonSets.Get(quiet(ctx), snapshot.WorkloadKubeProxy, metav1.GetOptions{})
	if isAbsent(err) {
		return snapshot.PodImages{}, nil
	}
	if err != nil {
		return snapshot.PodImages{}, c.explain(ctx, getDaemonSet, err)
	}
	return podImages(&set.Spec.Template.Spec), nil
}

// CoreDNS returns the images of the Deployment coredns, none where there is none.
func (c *Client) CoreDNS(ctx context.Context) (snapshot.PodImages, error) {
	deployment, err := c.deployments.Get(quiet(ctx), snapshot.WorkloadCoreDNS, metav1.GetOptions{})
	if isAbsent(err) {
		return snapshot.PodImages{}, nil
	}
	if err != nil {
		return snapshot.PodImages{}, c.explain(ctx, getDeployment, err)
	}
	return podImages(&deployment.Spec.Template.Spec), nil
}

// pages lists page by page. Where the list's continuation has expired, the API
// server offers to go on with what is there now, which serves: names are keys.
func (c *Client) pages(ctx context.Context, operation string, o metav1.ListOptions, list func(metav1.ListOptions) (next string, err error)) error {
	o.Limit = pageSize
	var tokens collect.PageTokens
	for {
		next, err := list(o)
		if again := continuation(err); again != "" {
			next, err = again, nil
		}
		if err == nil && next == "" {
			return nil
		}
		if err == nil {
			err = tokens.Next(next)
		}
		if err != nil {
			return c.explain(ctx, operation, err)
		}
		o.Continue = next
	}
}

// continuation returns the token with which the API server lets a list go on
// whose token has expired.
func continuation(err error) string {
	if !apierrors.IsResourceExpired(err) {
		return ""
	}
	status, ok := errorStatus(err)
	if !ok {
		return ""
	}
	return status.Continue
}
