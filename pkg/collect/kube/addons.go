package kube

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// labelName is the label by which most pods of add-ons are found, and addonSelector those
// pods. The pods of the CSI drivers on nodes call no AWS API, and every node has one.
// Sources: snapshot.KnownAddons has them.
const labelName = "app.kubernetes.io/name"

var addonSelector = labelName + " in (" + strings.Join(addonNames(), ",") + "),app notin (ebs-csi-node,efs-csi-node)"

// labelApp and the image snapshot.FluentBit are what the pods of Fluent Bit have that the
// add-on amazon-cloudwatch-observability and the manifests of Container Insights install, on
// Linux and on Windows. Others use the label with other images.
// Sources: charts/amazon-cloudwatch-observability/templates/linux/fluent-bit-daemonset.yaml
// and windows/fluent-bit-windows-daemonset.yaml of aws-observability/helm-charts;
// k8s-deployment-manifest-templates/deployment-mode/daemonset/container-insights-monitoring/fluent-bit
// of aws-samples/amazon-cloudwatch-container-insights.
const (
	labelApp          = "k8s-app"
	fluentBitSelector = labelApp + " in (fluent-bit,fluent-bit-compatible)," + labelName + " notin (" + snapshot.FluentBit + ")"
)

func addonNames() []string {
	var names []string
	for _, addon := range snapshot.KnownAddons {
		names = append(names, addon.Name)
	}
	return names
}

// AddonPods calls each for every pod of a known add-on that is on a node and has not ended,
// while the pages arrive.
func (c *Client) AddonPods(ctx context.Context, each func(name string, pod snapshot.AddonPod)) error {
	labeled := func(pod *corev1.Pod) string { return pod.Labels[labelName] }
	if err := c.addonPods(ctx, addonSelector, labeled, each); err != nil {
		return err
	}
	return c.addonPods(ctx, fluentBitSelector, addonOfImage, each)
}

// addonPods calls each for every pod with labels that addonOf says the add-on of.
func (c *Client) addonPods(ctx context.Context, selector string, addonOf func(*corev1.Pod) string, each func(name string, pod snapshot.AddonPod)) error {
	return c.pages(ctx, listAllPods, metav1.ListOptions{LabelSelector: selector}, func(o metav1.ListOptions) (string, error) {
		page, err := c.allPods.List(quiet(ctx), o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			pod := &page.Items[i]
			addon := addonOf(pod)
			if addon == "" || pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
				continue
			}
			each(pod.Namespace+"/"+pod.Name, addonPodFacts(addon, pod))
		}
		return page.Continue, nil
	})
}

// addonOfImage is snapshot.FluentBit for a pod that runs its image, from whichever registry.
func addonOfImage(pod *corev1.Pod) string {
	if slices.ContainsFunc(pod.Spec.Containers, isFluentBit) {
		return snapshot.FluentBit
	}
	return ""
}

func isFluentBit(c corev1.Container) bool {
	repository, _, _ := strings.Cut(c.Image[strings.LastIndexByte(c.Image, '/')+1:], ":")
	repository, _, _ = strings.Cut(repository, "@")
	return repository == snapshot.FluentBit
}

// AccountRole returns the IAM role that a service account is annotated with; empty where
// there is none.
func (c *Client) AccountRole(ctx context.Context, namespace, name string) (string, error) {
	account, err := c.accounts(namespace).Get(quiet(ctx), name, metav1.GetOptions{})
	if isAbsent(err) {
		return "", nil
	}
	if err != nil {
		return "", c.explain(ctx, getAccount, err)
	}
	return account.Annotations[annotationRoleARN], nil
}

// addonPodFacts keeps of a pod what decides whose credentials its add-on uses.
func addonPodFacts(addon string, pod *corev1.Pod) snapshot.AddonPod {
	facts := snapshot.AddonPod{
		Addon: addon, Node: pod.Spec.NodeName, ServiceAccount: pod.Spec.ServiceAccountName, HostNetwork: pod.Spec.HostNetwork,
	}
	callers := callersOf(addon, &pod.Spec)
	if len(callers) == 1 {
		facts.Container = callers[0].Name
	}
	for i := range callers {
		credentials, optionalKeys := credentialsOf(&callers[i])
		if i == 0 {
			facts.Credentials, facts.OptionalKeys = credentials, optionalKeys
			continue
		}
		mayBeNodeRole := facts.Credentials == snapshot.CredentialsNodeRole || credentials == snapshot.CredentialsNodeRole
		if credentials == snapshot.CredentialsUnknown || mayBeNodeRole && (credentials != facts.Credentials || optionalKeys != facts.OptionalKeys) {
			facts.Credentials, facts.OptionalKeys = snapshot.CredentialsUnknown, ""
		}
	}
	return facts
}

// callersOf returns the container of an add-on that calls AWS: the one with the name that the
// add-on gives it or, for Fluent Bit, with its image. Where there is none, any container may be
// the one. An init container that has ended is not.
func callersOf(addon string, spec *corev1.PodSpec) []corev1.Container {
	name := snapshot.ContainerOf(addon)
	for i := range spec.Containers {
		if c := spec.Containers[i]; c.Name == name || addon == snapshot.FluentBit && isFluentBit(c) {
			return []corev1.Container{c}
		}
	}
	containers := slices.Clone(spec.Containers)
	for i := range spec.InitContainers {
		if policy := spec.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, spec.InitContainers[i])
		}
	}
	return containers
}

// credentialsOf returns the source of credentials that a container's environment selects, and
// the Secret from which it takes static keys instead, if that exists. Objects are not read: where
// a variable of another optional object, or all of an object, may select credentials, their
// source is not known.
func credentialsOf(c *corev1.Container) (credentials, optionalKeys string) {
	var always, perhaps []corev1.EnvVar
	for i := range c.Env {
		secret, optional := optionalSource(&c.Env[i])
		switch {
		case !optional:
			always, perhaps = append(always, c.Env[i]), append(perhaps, c.Env[i])
		case c.Env[i].Name == "AWS_ACCESS_KEY_ID" && secret != "":
			optionalKeys = secret
		default:
			perhaps = append(perhaps, c.Env[i])
		}
	}
	credentials, _ = snapshot.Pod{Env: keptEnv(always)}.Credentials()
	with, _ := snapshot.Pod{Env: keptEnv(perhaps)}.Credentials()
	if credentials == snapshot.CredentialsNodeRole && (with != credentials || len(c.EnvFrom) > 0) {
		credentials = snapshot.CredentialsUnknown
	}
	return credentials, optionalKeys
}

// optionalSource reports whether a variable is set only if an object exists, and names it if it
// is a Secret.
func optionalSource(v *corev1.EnvVar) (secret string, optional bool) {
	is := func(optional *bool) bool { return optional != nil && *optional }
	switch from := v.ValueFrom; {
	case from == nil:
	case from.SecretKeyRef != nil && is(from.SecretKeyRef.Optional):
		return from.SecretKeyRef.Name, true
	case from.ConfigMapKeyRef != nil && is(from.ConfigMapKeyRef.Optional):
		return "", true
	}
	return "", false
}
