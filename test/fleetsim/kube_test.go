package fleetsim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// serveKube answers for the API server of the cluster that the path begins with.
func (c *cloud) serveKube(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(strings.Trim(r.URL.Path, "/"), "/", 4)
	if len(parts) < 4 {
		http.NotFound(w, r)
		return
	}
	p := place{parts[0], parts[1], parts[2]}
	s := c.clusters[p.arn()]
	switch {
	case s == nil:
		http.NotFound(w, r)
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer k8s-aws-v1."):
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	c.calls[strings.Join([]string{p.account, p.region, "kubernetes:" + p.name, parts[3], r.URL.RawQuery}, " ")]++
	c.mu.Unlock()
	c.wait(p.account)
	kind := strings.TrimPrefix(strings.TrimPrefix(parts[3], "api/v1/"), "apis/apps/v1/")
	namespace := ""
	if rest, ok := strings.CutPrefix(kind, "namespaces/"); ok {
		namespace, kind, _ = strings.Cut(rest, "/")
	}
	kind, name, _ := strings.Cut(kind, "/")
	var found runtime.Object
	switch kind {
	case "nodes":
		found = nodeList(s)
	case "pods":
		found = podList(s, r.URL.Query().Get("labelSelector"))
	case "events":
		found = eventList(s, namespace)
	case "serviceaccounts":
		found = serviceAccount(s, namespace, name)
	case "configmaps":
		found = awsAuth(s)
	case "daemonsets":
		found = daemonSet(s, name)
	case "deployments":
		found = deployment(s)
	default:
		serveClasses(w, r, s, parts[3])
		return
	}
	if found == nil {
		status := apierrors.NewNotFound(schema.GroupResource{Resource: kind}, name).Status()
		writeObject(w, r, http.StatusNotFound, &status)
		return
	}
	writeObject(w, r, http.StatusOK, found)
}

func writeObject(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	mediaType := runtime.ContentTypeJSON
	if strings.Contains(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
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

// labelsOf are the labels by which what made a node is known.
func labelsOf(n snapshot.Node) map[string]string {
	labels := map[string]string{}
	switch n.Provisioner {
	case snapshot.ProvisionedByNodeGroup:
		labels["eks.amazonaws.com/nodegroup"] = n.Owner
	case snapshot.ProvisionedByKarpenter:
		if labels["karpenter.sh/nodepool"] = n.Owner; n.KarpenterProvisioner {
			labels = map[string]string{"karpenter.sh/provisioner-name": n.Owner}
		}
		labels["karpenter.k8s.aws/ec2nodeclass"] = n.NodeClass
	case snapshot.ProvisionedByAutoMode:
		labels["eks.amazonaws.com/compute-type"], labels["karpenter.sh/nodepool"], labels["eks.amazonaws.com/nodeclass"] = "auto", n.Owner, n.NodeClass
	case snapshot.ProvisionedByFargate:
		labels["eks.amazonaws.com/compute-type"], labels["eks.amazonaws.com/fargate-profile"] = "fargate", n.Owner
	case snapshot.ProvisionedByHybrid:
		labels["eks.amazonaws.com/compute-type"] = "hybrid"
	case snapshot.ProvisionedByHyperPod:
		labels["sagemaker.amazonaws.com/compute-type"], labels["sagemaker.amazonaws.com/instance-group-name"] = "hyperpod", n.Owner
	case snapshot.SelfManaged, snapshot.ProvisionedByUnknown:
	}
	if n.Windows {
		labels["kubernetes.io/os"] = "windows"
	}
	return labels
}

func nodeList(s *snapshot.Snapshot) *corev1.NodeList {
	list := &corev1.NodeList{}
	for _, name := range sorted(s.Nodes) {
		n := s.Nodes[name]
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelsOf(n)}, Spec: corev1.NodeSpec{ProviderID: n.ProviderID}}
		node.Status.NodeInfo.OSImage = n.OSImage
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: condition(n.Ready)}}
		if n.Network != "" {
			node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable, Reason: n.Network})
		}
		list.Items = append(list.Items, node)
	}
	return list
}

func condition(is bool) corev1.ConditionStatus {
	if is {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func podList(s *snapshot.Snapshot, selector string) *corev1.PodList {
	list := &corev1.PodList{}
	ready := func(is bool) corev1.PodStatus {
		return corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: condition(is)}}}
	}
	if strings.Contains(selector, " in (") {
		for _, key := range sorted(s.AddonPods) {
			list.Items = append(list.Items, addonPod(key, s.AddonPods[key]))
		}
		return list
	}
	if selector != "k8s-app=aws-node" {
		if s.PodIdentityAgent != nil {
			for _, node := range sorted(s.PodIdentityAgent.Nodes) {
				list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent-" + node}, Spec: corev1.PodSpec{NodeName: node}, Status: ready(s.PodIdentityAgent.Nodes[node])})
			}
		}
		return list
	}
	for _, name := range sorted(s.AWSNode.Pods) {
		p := s.AWSNode.Pods[name]
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: skipping(p.SkipContainers)}, Status: ready(p.Ready)}
		pod.Spec = corev1.PodSpec{NodeName: p.Node, ServiceAccountName: p.ServiceAccount, Containers: []corev1.Container{{Name: "aws-node", Image: p.Image, Env: environment(p.Env)}}}
		list.Items = append(list.Items, pod)
	}
	return list
}

// addonPod is a pod of an add-on; its environment selects no credentials, so that it uses the
// node role's.
func addonPod(key string, p snapshot.AddonPod) corev1.Pod {
	namespace, name, _ := strings.Cut(key, "/")
	container := corev1.Container{Name: p.Container}
	if p.OptionalKeys != "" {
		optional := true
		container.Env = []corev1.EnvVar{{Name: "AWS_ACCESS_KEY_ID", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: p.OptionalKeys}, Optional: &optional},
		}}}
	}
	containers := []corev1.Container{container}
	if p.Container == "" {
		containers = append(containers, container) // several may be the one that calls AWS
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/name": p.Addon}},
		Spec:       corev1.PodSpec{NodeName: p.Node, ServiceAccountName: p.ServiceAccount, HostNetwork: p.HostNetwork, Containers: containers},
	}
}

func skipping(containers string) map[string]string {
	if containers == "" {
		return nil
	}
	return map[string]string{"eks.amazonaws.com/skip-containers": containers}
}

func environment(values map[string]string) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, name := range sorted(values) {
		env = append(env, corev1.EnvVar{Name: name, Value: values[name]})
	}
	return env
}

// eventList has the events in kube-system.
func eventList(s *snapshot.Snapshot, namespace string) *corev1.EventList {
	list := &corev1.EventList{}
	if namespace != "kube-system" {
		return list
	}
	for _, e := range s.Events {
		kind, name, _ := strings.Cut(e.Object, "/")
		list.Items = append(list.Items, corev1.Event{
			Type: corev1.EventTypeWarning, Reason: e.Reason, Message: e.Message, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name},
			Source: corev1.EventSource{Host: e.Node}, Count: e.Count, LastTimestamp: metav1.NewTime(e.LastSeen),
		})
	}
	return list
}

func serviceAccount(s *snapshot.Snapshot, namespace, name string) runtime.Object {
	account := s.AWSNode.ServiceAccount
	if name != "aws-node" {
		addon := s.AddonAccounts[namespace+"/"+name]
		account = &snapshot.ServiceAccount{RoleARN: addon.RoleARN}
	}
	if account == nil {
		return nil
	}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}}}
	for key, value := range map[string]string{"eks.amazonaws.com/role-arn": account.RoleARN, "eks.amazonaws.com/audience": account.Audience} {
		if value != "" {
			object.Annotations[key] = value
		}
	}
	return object
}

func awsAuth(s *snapshot.Snapshot) runtime.Object {
	if s.AWSAuth == nil {
		return nil
	}
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}, Data: map[string]string{"mapRoles": s.AWSAuth.MapRoles}}
}

// templateOf is a pod template that runs the images of a workload.
func templateOf(images snapshot.PodImages, main corev1.Container) corev1.PodTemplateSpec {
	var t corev1.PodTemplateSpec
	if main.Image != "" {
		t.Spec.Containers = append(t.Spec.Containers, main)
	}
	for _, image := range images.Images {
		if image != main.Image {
			t.Spec.InitContainers = append(t.Spec.InitContainers, corev1.Container{Image: image})
		}
	}
	for _, name := range images.PullSecrets {
		t.Spec.ImagePullSecrets = append(t.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	t.Spec.NodeSelector = images.NodeSelector
	return t
}

func daemonSet(s *snapshot.Snapshot, name string) runtime.Object {
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: name}}
	switch d := s.AWSNode.DaemonSet; {
	case name == "eks-pod-identity-agent" && s.PodIdentityAgent != nil:
	case name == snapshot.WorkloadKubeProxy && len(s.SystemImages[name].Images) > 0:
		set.Spec.Template = templateOf(s.SystemImages[name], corev1.Container{})
	case name == snapshot.WorkloadAWSNode && d != nil:
		main := corev1.Container{Name: "aws-node", Image: d.Image, Env: environment(d.Env)}
		for _, from := range d.EnvFrom {
			if object, ok := strings.CutPrefix(from, "ConfigMap/"); ok {
				main.EnvFrom = append(main.EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: object}}})
			}
		}
		set.Spec.Template = templateOf(s.SystemImages[name], main)
		set.Spec.Template.Spec.ServiceAccountName = d.ServiceAccount
		set.Spec.Template.Annotations = skipping(d.SkipContainers)
	default:
		return nil
	}
	return set
}

func deployment(s *snapshot.Snapshot) runtime.Object {
	images := s.SystemImages[snapshot.WorkloadCoreDNS]
	if len(images.Images) == 0 {
		return nil
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: snapshot.WorkloadCoreDNS}}
	d.Spec.Template = templateOf(images, corev1.Container{})
	return d
}

// serveClasses lists the node classes; an API server does not know a kind that is not
// installed.
func serveClasses(w http.ResponseWriter, r *http.Request, s *snapshot.Snapshot, path string) {
	lists := map[string]struct {
		kind    string
		classes map[string]snapshot.NodeClass
	}{
		"apis/karpenter.k8s.aws/v1/ec2nodeclasses":         {"EC2NodeClassList", s.KarpenterNodeClasses},
		"apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates": {"AWSNodeTemplateList", s.KarpenterNodeTemplates},
		"apis/eks.amazonaws.com/v1/nodeclasses":            {"NodeClassList", s.AutoModeNodeClasses},
	}
	list, known := lists[path]
	if !known || len(list.classes) == 0 {
		http.NotFound(w, r)
		return
	}
	items := []any{}
	for _, name := range sorted(list.classes) {
		class := list.classes[name]
		conditions := []any{}
		for _, c := range class.Conditions {
			conditions = append(conditions, map[string]any{"type": c.Type, "status": c.Status, "reason": c.Reason, "message": c.Message})
		}
		spec := map[string]any{"role": class.Role, "instanceProfile": class.InstanceProfile, "amiFamily": class.AMIFamily}
		if set := class.Metadata; set != nil {
			spec["metadataOptions"] = map[string]any{"httpTokens": set.HTTPTokens, "httpEndpoint": set.HTTPEndpoint, "httpPutResponseHopLimit": set.HopLimit}
		}
		items = append(items, map[string]any{
			"metadata": map[string]any{"name": name},
			"spec":     spec,
			"status":   map[string]any{"instanceProfile": class.StatusProfile, "conditions": conditions},
		})
	}
	w.Header().Set("Content-Type", "application/json")
	parts := slices.Collect(strings.SplitSeq(path, "/"))
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": list.kind, "apiVersion": parts[1] + "/" + parts[2], "metadata": map[string]any{}, "items": items})
}
