package snapshot

import (
	"slices"
	"strconv"
	"strings"
)

// The sources of credentials that a pod of aws-node can use.
const (
	CredentialsIRSA        = "IRSA"
	CredentialsPodIdentity = "PodIdentity"
	CredentialsNodeRole    = "NodeRole"
	CredentialsStaticKeys  = "StaticKeys"
	CredentialsUnknown     = "Unknown" // a shared profile, which is not read
)

// Credentials returns the source of credentials that the pod's environment selects
// and, for IRSA, the role's ARN. The AWS SDK's order decides: static keys, web
// identity, a shared profile, container credentials, instance metadata. A provider
// that was selected and fails does not fall through to the next.
// Source: aws-sdk-go-v2 config/resolve_credentials.go.
func (p Pod) Credentials() (source, roleARN string) {
	env := p.Env
	switch {
	case env["AWS_ACCESS_KEY_ID"] != "":
		return CredentialsStaticKeys, ""
	case env["AWS_WEB_IDENTITY_TOKEN_FILE"] != "":
		return CredentialsIRSA, env["AWS_ROLE_ARN"]
	case env["AWS_PROFILE"] != "" || env["AWS_SHARED_CREDENTIALS_FILE"] != "" || env["AWS_CONFIG_FILE"] != "":
		return CredentialsUnknown, ""
	case env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != "" || env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] != "":
		return CredentialsPodIdentity, ""
	}
	return CredentialsNodeRole, ""
}

// From is the beginning of what a snapshot has in place of the value of a variable that
// comes from elsewhere, such as (from configmap cni-settings): such values are not read.
const From = "(from "

// Setting is the value of a Boolean variable, or otherwise where it is not set or is not a
// Boolean, as the VPC CNI takes it. It is not known where the value comes from an
// object that is not read.
// Source: aws/amazon-vpc-cni-k8s utils/utils.go of v1.23.0, GetBoolAsStringEnvVar.
func (d *DaemonSet) Setting(name string, otherwise bool) (value, known bool) {
	text, set := d.Env[name]
	switch {
	case strings.HasPrefix(text, From), !set && len(d.EnvFrom) > 0:
		return otherwise, false
	case !set:
		return otherwise, true
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		value = otherwise
	}
	return value, true
}

// Origin returns where the value of a variable comes from, if Setting cannot read it.
func (d *DaemonSet) Origin(name string) string {
	if text, set := d.Env[name]; set {
		return strings.TrimSuffix(strings.TrimPrefix(text, "("), ")")
	}
	return "perhaps from " + strings.Join(d.EnvFrom, " or ")
}

// KnownAddon is an add-on whose pods AddonPods has.
type KnownAddon struct {
	// Name is the label app.kubernetes.io/name of its pods.
	Name string
	// Container is the name of the container that calls AWS.
	Container string
}

// KnownAddons are the add-ons whose pods AddonPods has. Their other containers and their init
// containers do not make the calls that an add-on is judged by.
// Sources: the Helm charts of kubernetes-sigs/aws-ebs-csi-driver, kubernetes-sigs/aws-efs-csi-driver,
// kubernetes/autoscaler and kubernetes-sigs/external-dns; stable/aws-load-balancer-controller,
// stable/aws-for-fluent-bit and stable/aws-cloudwatch-metrics of aws/eks-charts;
// aws/amazon-cloudwatch-agent-operator internal/manifests/manifestutils/labels.go and
// internal/naming/main.go, with the names of its agents in
// charts/amazon-cloudwatch-observability of aws-observability/helm-charts.
var KnownAddons = []KnownAddon{
	{"aws-cloudwatch-metrics", "aws-cloudwatch-metrics"},
	{"aws-cluster-autoscaler", "aws-cluster-autoscaler"},
	{"aws-ebs-csi-driver", "ebs-plugin"},
	{"aws-efs-csi-driver", "efs-plugin"},
	{FluentBit, FluentBit},
	{"aws-load-balancer-controller", "aws-load-balancer-controller"},
	{"cloudwatch-agent", "otc-container"},
	{"cloudwatch-agent-cluster-scraper", "otc-container"},
	{"cloudwatch-agent-windows", "otc-container"},
	{"cloudwatch-agent-windows-container-insights", "otc-container"},
	{"cluster-autoscaler", "cluster-autoscaler"},
	{"external-dns", "external-dns"},
}

// FluentBit is AWS for Fluent Bit: the name of its image, and the label of the pods of its own
// Helm chart.
const FluentBit = "aws-for-fluent-bit"

// ContainerOf is the name of the container of a known add-on that calls AWS.
func ContainerOf(addon string) string {
	i := slices.IndexFunc(KnownAddons, func(a KnownAddon) bool { return a.Name == addon })
	if i < 0 {
		return ""
	}
	return KnownAddons[i].Container
}
