package snapshot

import (
	"fmt"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// ARN is an Amazon Resource Name in its parts.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN splits an ARN; ok is false where it does not have six parts.
func ParseARN(s string) (a ARN, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, false
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, true
}

// Name is the last part of the resource's path: the role's, policy's, instance
// profile's or cluster's name.
func (a ARN) Name() string { return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] }

// NameOf returns the name in an ARN, or the text itself where it is not an ARN.
func NameOf(arn string) string {
	if a, ok := ParseARN(arn); ok {
		return a.Name()
	}
	return arn
}

// WithoutPath returns a role's ARN without its path: as aws-auth needs it and as the
// authenticator sees sessions of the role.
// Source: kubernetes-sigs/aws-iam-authenticator#268.
func WithoutPath(arn string) string {
	a, ok := ParseARN(arn)
	if !ok || !strings.HasPrefix(a.Resource, "role/") {
		return arn
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", a.Partition, a.Account, a.Name())
}

// Identity returns the parts of the cluster's ARN.
func (c Cluster) Identity() ARN {
	a, _ := ParseARN(c.ARN)
	return a
}

// InstanceID is the EC2 instance ID in the node's provider id, or empty.
// Source: kubernetes/cloud-provider-aws pkg/providers/v1/instances.go: the form
// is aws:///ZONE/INSTANCE; Fargate's and hybrid nodes' ids name no instance.
func (n Node) InstanceID() string {
	if !strings.HasPrefix(n.ProviderID, "aws://") {
		return ""
	}
	id := n.ProviderID[strings.LastIndexByte(n.ProviderID, '/')+1:]
	if !strings.HasPrefix(id, "i-") {
		return ""
	}
	return id
}

// OSFamily is what a node runs, as far as it decides the calls of the node.
type OSFamily string

// The families of operating systems.
const (
	OSUnknown    OSFamily = ""
	AmazonLinux2 OSFamily = "Amazon Linux 2"
	AL2023       OSFamily = "Amazon Linux 2023"
	Bottlerocket OSFamily = "Bottlerocket"
	WindowsOS    OSFamily = "Windows"
)

// OS is the family of the node's operating system, by its osImage.
// Source: PRETTY_NAME of /etc/os-release, which kubelet reports, such as "Amazon Linux
// 2", "Amazon Linux 2023.9.20251117" and "Bottlerocket OS 1.49.0 (aws-k8s-1.33)".
func (n Node) OS() OSFamily {
	switch {
	case n.Windows || strings.HasPrefix(n.OSImage, "Windows"):
		return WindowsOS
	case strings.HasPrefix(n.OSImage, "Bottlerocket"):
		return Bottlerocket
	case strings.HasPrefix(n.OSImage, "Amazon Linux 2023"):
		return AL2023
	case n.OSImage == "Amazon Linux 2" || strings.HasPrefix(n.OSImage, "Amazon Linux 2 "):
		return AmazonLinux2
	}
	return OSUnknown
}

// hyperPodScheme is in the provider id of SageMaker HyperPod's nodes, such as
// aws:///usw2-az2/sagemaker/cluster/hyperpod-abc-i-0123456789abcdef0.
const hyperPodScheme = "/sagemaker/"

// HyperPod reports whether SageMaker HyperPod made the node.
func (n Node) HyperPod() bool {
	return n.Provisioner == ProvisionedByHyperPod || strings.HasPrefix(n.ProviderID, "aws://") && strings.Contains(n.ProviderID, hyperPodScheme)
}

// MissingOf returns the entries that leave this fact of this subject unread:
// those of the subject itself and those of the whole kind. An empty subject
// asks for every entry of the kind.
func (s *Snapshot) MissingOf(fact Fact, subject string) []Missing {
	var found []Missing
	for _, m := range s.Missing {
		if m.Fact == fact && (subject == "" || m.Subject == "" || m.Subject == subject) {
			found = append(found, m)
		}
	}
	return found
}

// IsMissing reports whether MissingOf returns anything.
func (s *Snapshot) IsMissing(fact Fact, subject string) bool {
	return len(s.MissingOf(fact, subject)) > 0
}

// regionName is the form of the names of regions.
var regionName = text.Pattern(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// IsRegion reports whether a text has the form of a region's name, which becomes part of host
// names.
func IsRegion(s string) bool { return regionName().MatchString(s) }
