package kube

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// labelName is the label by which the pods of add-ons are found, and addonSelector the pods.
// The pods of the CSI drivers on nodes call no AWS API, and every node has one.
// Sources: deploy/kubernetes/base of kubernetes-sigs/aws-ebs-csi-driver and
// kubernetes-sigs/aws-efs-csi-driver; the Helm charts of aws-load-balancer-controller,
// cluster-autoscaler and external-dns; aws/amazon-cloudwatch-agent-operator
// internal/manifests/manifestutils/labels.go.
const labelName = "app.kubernetes.io/name"

var addonSelector = labelName + " in (" + strings.Join(snapshot.KnownAddons, ",") + "),app notin (ebs-csi-node,efs-csi-node)"

// AddonPods calls each for every pod of a known add-on that is on a node and has not ended,
// while the pages arrive.
func (c *Client) AddonPods(ctx context.Context, each func(name string, pod snapshot.AddonPod)) error {
	return c.pages(ctx, listAllPods, metav1.ListOptions{LabelSelector: addonSelector}, func(o metav1.ListOptions) (string, error) {
		page, err := c.allPods.List(quiet(ctx), o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			pod := &page.Items[i]
			if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
				continue
			}
			each(pod.Namespace+"/"+pod.Name, addonPodFacts(pod))
		}
		return page.Continue, nil
	})
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

// addonPodFacts keeps of a pod what decides whose credentials it uses. Every known add-on
// calls AWS in its first container.
func addonPodFacts(pod *corev1.Pod) snapshot.AddonPod {
	main := mainContainer(pod.Spec.Containers)
	facts := snapshot.AddonPod{
		Addon: pod.Labels[labelName], Node: pod.Spec.NodeName, ServiceAccount: pod.Spec.ServiceAccountName, HostNetwork: pod.Spec.HostNetwork,
	}
	var env []corev1.EnvVar
	for i := range main.Env {
		from := main.Env[i].ValueFrom
		if from != nil && from.SecretKeyRef != nil && from.SecretKeyRef.Optional != nil && *from.SecretKeyRef.Optional {
			if main.Env[i].Name == "AWS_ACCESS_KEY_ID" {
				facts.OptionalKeys = from.SecretKeyRef.Name
			}
			continue // it is set only if the Secret exists
		}
		env = append(env, main.Env[i])
	}
	facts.Credentials, _ = snapshot.Pod{Env: keptEnv(env)}.Credentials()
	if facts.Credentials == snapshot.CredentialsNodeRole && len(main.EnvFrom) > 0 {
		facts.Credentials = snapshot.CredentialsUnknown // the object that it comes from is not read
	}
	return facts
}
