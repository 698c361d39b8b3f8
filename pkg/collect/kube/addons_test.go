package kube_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/kube"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// servePods answers with those of the pods that the label selector of a request selects.
func servePods(t *testing.T, pods ...corev1.Pod) *kube.Client {
	t.Helper()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
		if err != nil || selector.Empty() {
			t.Errorf("label selector %s: %v", selector, err)
		}
		list := &corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		for i := range pods {
			if selector.Matches(labels.Set(pods[i].Labels)) {
				list.Items = append(list.Items, pods[i])
			}
		}
		writeJSON(w, http.StatusOK, list)
	})
	return c
}

// labeledPod is a pod with labels that runs on a node.
func labeledPod(labels map[string]string, spec corev1.PodSpec) corev1.Pod {
	spec.NodeName = "n"
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", Labels: labels}, Spec: spec}
}

// TestAddonContainers: the container that calls AWS decides whose credentials an add-on uses.
// Where it is not known which one that is, all containers that run have to agree.
func TestAddonContainers(t *testing.T) {
	const (
		irsa, agent = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
		key         = "AWS_ACCESS_KEY_ID"
	)
	yes := true
	set := func(name string, variables ...string) corev1.Container {
		c := corev1.Container{Name: name}
		for _, v := range variables {
			c.Env = append(c.Env, corev1.EnvVar{Name: v, Value: "x"})
		}
		return c
	}
	fromSecret := func(name, variable string, optional *bool) corev1.Container {
		c := corev1.Container{Name: name}
		c.Env = []corev1.EnvVar{{Name: variable, ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}, Key: "k", Optional: optional},
		}}}
		return c
	}
	fromConfigMap := func(name, variable string, optional *bool) corev1.Container {
		c := corev1.Container{Name: name}
		c.Env = []corev1.EnvVar{{Name: variable, ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{Key: "k", Optional: optional}}}}
		return c
	}
	environment := func(c corev1.Container) corev1.Container {
		c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}}
		return c
	}
	always := corev1.ContainerRestartPolicyAlways
	restarted := func(c corev1.Container) corev1.Container {
		c.RestartPolicy = &always
		return c
	}
	for name, test := range map[string]struct {
		init, containers []corev1.Container
		container        string
		credentials      string
		optionalKeys     string
	}{
		"the named container, after another": {nil, []corev1.Container{set("mesh", irsa), set("ebs-plugin")}, "ebs-plugin", "NodeRole", ""},
		"the named container has a role":     {nil, []corev1.Container{set("mesh"), set("ebs-plugin", irsa)}, "ebs-plugin", "IRSA", ""},
		"init containers do not call":        {[]corev1.Container{restarted(set("i", key))}, []corev1.Container{set("ebs-plugin", agent)}, "ebs-plugin", "PodIdentity", ""},
		"one container":                      {nil, []corev1.Container{set("own")}, "own", "NodeRole", ""},
		"all have nothing":                   {nil, []corev1.Container{set("a"), set("b")}, "", "NodeRole", ""},
		"all have a role":                    {nil, []corev1.Container{set("a", irsa), set("b", irsa)}, "", "IRSA", ""},
		"all have something":                 {nil, []corev1.Container{set("a", irsa), set("b", key)}, "", "IRSA", ""},
		"the first has nothing":              {nil, []corev1.Container{set("a"), set("b", irsa)}, "", "Unknown", ""},
		"the last has nothing":               {nil, []corev1.Container{set("a", irsa), set("b")}, "", "Unknown", ""},
		"one has a profile":                  {nil, []corev1.Container{set("a", irsa), set("b", "AWS_PROFILE"), set("c", irsa)}, "", "Unknown", ""},
		"one may have keys":                  {nil, []corev1.Container{fromSecret("a", key, &yes), set("b")}, "", "Unknown", ""},
		"all may have keys":                  {nil, []corev1.Container{fromSecret("a", key, &yes), fromSecret("b", key, &yes)}, "", "NodeRole", "keys"},
		"an init container that goes on":     {[]corev1.Container{restarted(set("i"))}, []corev1.Container{set("a", irsa)}, "", "Unknown", ""},
		"an init container that has ended":   {[]corev1.Container{set("i")}, []corev1.Container{set("a", irsa)}, "a", "IRSA", ""},
		"keys of a Secret":                   {nil, []corev1.Container{fromSecret("ebs-plugin", key, nil)}, "ebs-plugin", "StaticKeys", ""},
		"keys of an optional Secret":         {nil, []corev1.Container{fromSecret("ebs-plugin", key, &yes)}, "ebs-plugin", "NodeRole", "keys"},
		"keys of an optional ConfigMap":      {nil, []corev1.Container{fromConfigMap("ebs-plugin", key, &yes)}, "ebs-plugin", "Unknown", ""},
		"a token of a ConfigMap":             {nil, []corev1.Container{fromConfigMap("ebs-plugin", irsa, nil)}, "ebs-plugin", "IRSA", ""},
		"a token of an optional ConfigMap":   {nil, []corev1.Container{fromConfigMap("ebs-plugin", irsa, &yes)}, "ebs-plugin", "Unknown", ""},
		"a profile of an optional Secret":    {nil, []corev1.Container{fromSecret("ebs-plugin", "AWS_PROFILE", &yes)}, "ebs-plugin", "Unknown", ""},
		"a region of an optional Secret":     {nil, []corev1.Container{fromSecret("ebs-plugin", "AWS_REGION", &yes)}, "ebs-plugin", "NodeRole", ""},
		"all of a ConfigMap":                 {nil, []corev1.Container{environment(set("ebs-plugin"))}, "ebs-plugin", "Unknown", ""},
		"a role, and all of a ConfigMap":     {nil, []corev1.Container{environment(set("ebs-plugin", irsa))}, "ebs-plugin", "IRSA", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := servePods(t, labeledPod(map[string]string{"app.kubernetes.io/name": "aws-ebs-csi-driver"}, corev1.PodSpec{InitContainers: test.init, Containers: test.containers}))
			got := map[string]snapshot.AddonPod{}
			err := c.AddonPods(context.Background(), func(name string, pod snapshot.AddonPod) { got[name] = pod })
			want := map[string]snapshot.AddonPod{"a/p": {
				Addon: "aws-ebs-csi-driver", Node: "n", Container: test.container, Credentials: test.credentials, OptionalKeys: test.optionalKeys,
			}}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, pods (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestFluentBit: the pods of Fluent Bit that amazon-cloudwatch-observability installs have
// another label than other add-ons. The image tells them from others with that label.
func TestFluentBit(t *testing.T) {
	const app, name = "k8s-app", "app.kubernetes.io/name"
	for _, test := range []struct {
		labels map[string]string
		image  string
		known  bool
	}{
		{map[string]string{app: "fluent-bit"}, "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.8", true},
		{map[string]string{app: "fluent-bit"}, "registry:5000/aws-for-fluent-bit", true},
		{map[string]string{app: "fluent-bit"}, "registry:5000/mirror/aws-for-fluent-bit@sha256:0123", true},
		{map[string]string{app: "fluent-bit"}, "aws-for-fluent-bit:windowsservercore-stable", true},
		{map[string]string{app: "fluent-bit-compatible"}, "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.0.1", true},
		{map[string]string{name: "aws-for-fluent-bit"}, "mirror/fluent-bit:1", true},
		{map[string]string{app: "fluent-bit", name: "aws-for-fluent-bit"}, "aws-for-fluent-bit", true},
		{map[string]string{app: "fluent-bit"}, "cr.fluentbit.io/fluent/fluent-bit:4.2", false},
		{map[string]string{app: "fluent-bit"}, "aws-for-fluent-bit/own:1", false},
		{map[string]string{app: "web"}, "aws-for-fluent-bit", false},
		{map[string]string{name: "fluent-bit"}, "cr.fluentbit.io/fluent/fluent-bit:4.2", false},
	} {
		main := corev1.Container{Name: "logs", Image: test.image}
		proxy := corev1.Container{Name: "proxy", Image: "envoy", Env: []corev1.EnvVar{{Name: "AWS_ACCESS_KEY_ID", Value: "x"}}}
		containers := []corev1.Container{proxy, main}
		want := snapshot.AddonPod{Addon: "aws-for-fluent-bit", Node: "n", HostNetwork: true, Container: "logs", Credentials: "NodeRole"}
		if test.image == "mirror/fluent-bit:1" {
			want.Container, want.Credentials = "", "Unknown"
		}
		var got []snapshot.AddonPod
		err := servePods(t, labeledPod(test.labels, corev1.PodSpec{HostNetwork: true, Containers: containers})).AddonPods(context.Background(), func(_ string, pod snapshot.AddonPod) { got = append(got, pod) })
		switch {
		case err != nil || len(got) > 1 || (len(got) == 1) != test.known:
			t.Errorf("%v %s: %+v, error %v", test.labels, test.image, got, err)
		case test.known && got[0] != want:
			t.Errorf("%v %s: %+v", test.labels, test.image, got[0])
		}
	}
}

// TestAWSNodeContainer: of a pod of aws-node the container aws-node counts, whichever others it
// has before it.
func TestAWSNodeContainer(t *testing.T) {
	env := func(name string) []corev1.EnvVar { return []corev1.EnvVar{{Name: name, Value: "x"}} }
	pod := labeledPod(map[string]string{"k8s-app": "aws-node"}, corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "aws-vpc-cni-init", Image: "init", Env: env("AWS_PROFILE")}},
		Containers:     []corev1.Container{{Name: "aws-eks-nodeagent", Image: "agent", Env: env("AWS_PROFILE")}, {Name: "aws-node", Image: "cni", Env: env("AWS_WEB_IDENTITY_TOKEN_FILE")}},
	})
	var got []snapshot.Pod
	err := servePods(t, pod).Pods(context.Background(), func(_ string, pod snapshot.Pod) { got = append(got, pod) })
	want := []snapshot.Pod{{Node: "n", Image: "cni", Env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "x"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, pods (-want +got):\n%s", err, diff)
	}
}
