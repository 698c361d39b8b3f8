package kube

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The labels and annotations that are read.
const (
	labelComputeType       = "eks.amazonaws.com/compute-type"
	labelNodeGroup         = "eks.amazonaws.com/nodegroup"
	labelAutoNodeClass     = "eks.amazonaws.com/nodeclass"
	labelFargateProfile    = "eks.amazonaws.com/fargate-profile"
	labelNodePool          = "karpenter.sh/nodepool"
	labelProvisioner       = "karpenter.sh/provisioner-name" // of Karpenter before v0.32
	labelHyperPod          = "sagemaker.amazonaws.com/compute-type"
	labelInstanceGroup     = "sagemaker.amazonaws.com/instance-group-name"
	labelEC2NodeClass      = "karpenter.k8s.aws/ec2nodeclass"
	annotationRoleARN      = "eks.amazonaws.com/role-arn"
	annotationAudience     = "eks.amazonaws.com/audience"
	annotationSkip         = "eks.amazonaws.com/skip-containers"
	hybridProviderIDScheme = "eks-hybrid://"
)

// nodeFacts keeps of a node what the snapshot holds. Decoding gave each string
// its own memory, so that a page can be freed.
func nodeFacts(node *corev1.Node) snapshot.Node {
	facts := snapshot.Node{
		ProviderID: node.Spec.ProviderID,
		Windows:    node.Labels[corev1.LabelOSStable] == string(corev1.Windows) || node.Status.NodeInfo.OperatingSystem == string(corev1.Windows),
		OSImage:    collect.OneLine(node.Status.NodeInfo.OSImage),
	}
	facts.Provisioner = provisioner(node)
	switch facts.Provisioner {
	case snapshot.ProvisionedByNodeGroup:
		facts.Owner = node.Labels[labelNodeGroup]
	case snapshot.ProvisionedByKarpenter:
		facts.Owner = node.Labels[labelNodePool]
		facts.NodeClass = node.Labels[labelEC2NodeClass]
		if facts.Owner == "" {
			facts.Owner, facts.KarpenterProvisioner = node.Labels[labelProvisioner], true
		}
	case snapshot.ProvisionedByAutoMode:
		facts.Owner = node.Labels[labelNodePool]
		facts.NodeClass = node.Labels[labelAutoNodeClass]
	case snapshot.ProvisionedByFargate:
		facts.Owner = node.Labels[labelFargateProfile]
	case snapshot.ProvisionedByHyperPod:
		facts.Owner = node.Labels[labelInstanceGroup]
	case snapshot.ProvisionedByHybrid, snapshot.SelfManaged, snapshot.ProvisionedByUnknown:
	}
	for _, condition := range node.Status.Conditions {
		switch condition.Type {
		case corev1.NodeReady:
			facts.Ready = condition.Status == corev1.ConditionTrue
		case corev1.NodeNetworkUnavailable:
			facts.Network = condition.Reason
		default:
		}
	}
	return facts
}

// provisioner returns what provisioned a node. The compute type comes first: Auto Mode sets
// Karpenter's label too.
// Source: EKS user guide, "Control if a workload is deployed on EKS Auto Mode
// nodes" and "Create a Node Pool for EKS Auto Mode".
func provisioner(node *corev1.Node) snapshot.Provisioner {
	id := node.Spec.ProviderID
	switch node.Labels[labelComputeType] {
	case "auto":
		return snapshot.ProvisionedByAutoMode
	case "fargate":
		return snapshot.ProvisionedByFargate
	case "hybrid":
		return snapshot.ProvisionedByHybrid
	}
	switch {
	case strings.HasPrefix(id, hybridProviderIDScheme):
		return snapshot.ProvisionedByHybrid
	case node.Labels[labelHyperPod] != "" || snapshot.Node{ProviderID: id}.HyperPod():
		return snapshot.ProvisionedByHyperPod
	case node.Labels[labelNodeGroup] != "":
		return snapshot.ProvisionedByNodeGroup
	case node.Labels[labelNodePool] != "" || node.Labels[labelProvisioner] != "":
		return snapshot.ProvisionedByKarpenter
	case snapshot.Node{ProviderID: id}.InstanceID() != "":
		return snapshot.SelfManaged
	}
	return snapshot.ProvisionedByUnknown
}

func daemonSetFacts(set *appsv1.DaemonSet) *snapshot.DaemonSet {
	template := &set.Spec.Template
	main := mainContainer(template.Spec.Containers)
	return &snapshot.DaemonSet{
		Image:          main.Image,
		ServiceAccount: template.Spec.ServiceAccountName,
		SkipContainers: template.Annotations[annotationSkip],
		Env:            keptEnv(main.Env),
		EnvFrom:        envFrom(main.EnvFrom),
	}
}

func podImages(spec *corev1.PodSpec) snapshot.PodImages {
	facts := snapshot.PodImages{NodeSelector: spec.NodeSelector}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			facts.Images = append(facts.Images, collect.OneLine(containers[i].Image))
		}
	}
	slices.Sort(facts.Images)
	facts.Images = slices.Compact(facts.Images)
	for _, secret := range spec.ImagePullSecrets {
		facts.PullSecrets = append(facts.PullSecrets, secret.Name)
	}
	return facts
}

func podFacts(pod *corev1.Pod) snapshot.Pod {
	main := mainContainer(pod.Spec.Containers)
	facts := snapshot.Pod{
		Node:           pod.Spec.NodeName,
		Image:          main.Image,
		ServiceAccount: pod.Spec.ServiceAccountName,
		SkipContainers: pod.Annotations[annotationSkip],
		Env:            keptEnv(main.Env),
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			facts.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	return facts
}

// mainContainer returns the container aws-node, or the first one where the
// containers have other names. The other containers do not make the calls of the VPC CNI: the
// init container reads only the instance metadata, and aws-eks-nodeagent calls only CloudWatch
// Logs, with --enable-cloudwatch-logs.
// Sources: aws/amazon-vpc-cni-k8s v1.23.1 charts/aws-vpc-cni/templates/daemonset.yaml and
// cmd/aws-vpc-cni-init/main.go; aws/aws-network-policy-agent pkg/ebpf/events/events.go.
func mainContainer(containers []corev1.Container) corev1.Container {
	for i := range containers {
		if containers[i].Name == awsNode {
			return containers[i]
		}
	}
	if len(containers) > 0 {
		return containers[0]
	}
	return corev1.Container{}
}

// keptEnv keeps the variables that a snapshot holds, and of those that may be
// secret only that they are set. Of a variable that is set twice the last counts.
func keptEnv(env []corev1.EnvVar) map[string]string {
	var kept map[string]string
	keep := func(name, value string) {
		if kept == nil {
			kept = map[string]string{}
		}
		kept[name] = value
	}
	for i := range env {
		name, value := env[i].Name, envValue(&env[i])
		switch {
		case slices.Contains(snapshot.KeptEnv, name):
			keep(name, value)
		case !slices.Contains(snapshot.SecretEnv, name):
		case value != "":
			keep(name, snapshot.Set)
		default:
			delete(kept, name)
		}
	}
	return kept
}

// envValue returns a variable's value or, where it comes from elsewhere, a mark
// that says whence: such values are not read.
func envValue(v *corev1.EnvVar) string {
	from := v.ValueFrom
	switch {
	case from == nil:
		return v.Value
	case from.SecretKeyRef != nil:
		return snapshot.From + "secret " + from.SecretKeyRef.Name + ")"
	case from.ConfigMapKeyRef != nil:
		return snapshot.From + "configmap " + from.ConfigMapKeyRef.Name + ")"
	case from.FieldRef != nil:
		return snapshot.From + "field " + from.FieldRef.FieldPath + ")"
	}
	return snapshot.From + "elsewhere)"
}

// envFrom names the objects that a container takes all its variables from.
func envFrom(sources []corev1.EnvFromSource) []string {
	var names []string
	for i := range sources {
		if ref := sources[i].ConfigMapRef; ref != nil {
			names = append(names, "ConfigMap/"+ref.Name)
		}
		if ref := sources[i].SecretRef; ref != nil {
			names = append(names, "Secret/"+ref.Name)
		}
	}
	return names
}
