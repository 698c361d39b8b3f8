package snapshot

import (
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// EventCause is what a warning event of Kubernetes says AWS refused.
type EventCause string

// The causes.
const (
	// CauseDeniedCall: a call of an AWS API was denied; see Event.DeniedAction.
	CauseDeniedCall EventCause = "deniedCall"
	// CauseImage: an image, also a pod's pause image, could not be pulled from a private
	// registry of ECR for lack of credentials or permissions.
	CauseImage EventCause = "image"
	// CausePublicImage: an image could not be pulled from public ECR for lack of
	// credentials, or because too much was pulled without.
	CausePublicImage EventCause = "publicImage"
	// CauseNetwork: the VPC CNI gave a pod no network.
	CauseNetwork EventCause = "network"
	// CauseFargateRole: EKS starts no Fargate node with a profile's pod execution role.
	CauseFargateRole EventCause = "fargateRole"
)

// eventMessage describes by which words an event has a cause. Words are in lower case; an
// event has the cause where its reason is one of the reasons, its message names such a
// host, and it has one of each group of words.
type eventMessage struct {
	// reasons are the event's; none is any.
	reasons []string
	// host is nil where no host has to be named.
	host  func(name string) bool
	words [][]string
	cause EventCause
}

// eventMessages are the warnings that have an IAM cause, what is more specific first.
// Sources: aws/amazon-vpc-cni-k8s pkg/awsutils/awsutils.go (MissingIAMPermissions;
// FailedCustomSecurityGroupsDiscovery in v1.22.0 and v1.22.1),
// kubernetes/kubernetes pkg/kubelet/events/event.go (Failed, FailedCreatePodSandBox),
// awslabs/amazon-eks-ami#1425 and aws/amazon-vpc-cni-k8s#2783 (the pause image),
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
// (not authorized to perform), terraform-aws-modules/terraform-aws-eks#2972 (Fargate).
var eventMessages = []eventMessage{
	{reasons: []string{"MissingIAMPermissions", "FailedCustomSecurityGroupsDiscovery"}, cause: CauseDeniedCall},
	{reasons: pullReasons, host: isPrivateECR, words: [][]string{refusedWords}, cause: CauseImage},
	{reasons: pullReasons, host: isPublicECR, words: [][]string{slices.Concat(refusedWords, limitWords)}, cause: CausePublicImage},
	{reasons: sandboxReasons, host: isPrivateECR, words: [][]string{pauseWords, refusedWords}, cause: CauseImage},
	{reasons: sandboxReasons, host: isPublicECR, words: [][]string{pauseWords, slices.Concat(refusedWords, limitWords)}, cause: CausePublicImage},
	{reasons: sandboxReasons, words: [][]string{{"aws-cni", "failed to assign an ip"}}, cause: CauseNetwork},
	{reasons: []string{"FailedScheduling"}, words: [][]string{{"misconfigured fargate profile"}, {"pod execution role"}}, cause: CauseFargateRole},
	{words: [][]string{{"not authorized to perform"}}, cause: CauseDeniedCall},
}

var (
	pullReasons    = []string{"Failed", "ErrImagePull", "FailedToPull"}
	sandboxReasons = []string{"FailedCreatePodSandBox"}
	pauseWords     = []string{"sandbox image", "pause"}
	// refusedWords are how registries and their clients say that a pull was refused.
	refusedWords = []string{" 401", " 403", "unauthorized", "forbidden", "authorization", "no basic auth credentials", "pull access denied", "not authorized"}
	// limitWords are how public ECR says that too much was pulled.
	// Source: https://docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html
	limitWords = []string{"toomanyrequests", " 429", "rate exceeded", "data limit exceeded"}
)

// Cause returns what the event says AWS refused; empty for an event without an IAM
// cause.
func (e Event) Cause() EventCause {
	message := strings.ToLower(e.Message)
	for _, m := range eventMessages {
		if len(m.reasons) > 0 && !slices.Contains(m.reasons, e.Reason) {
			continue
		}
		if m.host != nil && !namesHost(message, m.host) {
			continue
		}
		if !slices.ContainsFunc(m.words, func(group []string) bool {
			return !slices.ContainsFunc(group, func(w string) bool { return strings.Contains(message, w) })
		}) {
			return m.cause
		}
	}
	return ""
}

var (
	actionWord = text.Pattern(`(?:^|[\s"'(])([a-z][a-z0-9-]{1,40}:[A-Z][A-Za-z0-9]{2,80})(?:$|[\s"'),.])`)
	roleWord   = text.Pattern(`arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/([A-Za-z0-9+=,.@_-]{1,128})/`)
)

// DeniedAction returns the action that the message says is denied, such as
// ec2:CreateTags; empty where it names none.
func (e Event) DeniedAction() string {
	if m := actionWord().FindStringSubmatch(e.Message); m != nil {
		return m[1]
	}
	if e.Reason == "FailedCustomSecurityGroupsDiscovery" {
		return "ec2:DescribeSecurityGroups"
	}
	return ""
}

// DeniedRole returns the name of the role whose session the message says was denied;
// empty where it names none.
func (e Event) DeniedRole() string {
	if m := roleWord().FindStringSubmatch(e.Message); m != nil {
		return m[1]
	}
	return ""
}

// imageWord is an image of a private registry of ECR in a text.
var imageWord = text.Pattern(`[0-9]{12}\.dkr[.-]ecr[A-Za-z0-9.:/@_-]+`)

// Image returns the image that could not be pulled from a private registry of ECR; the zero
// Image where the event is about none.
func (e Event) Image() Image {
	if e.Cause() != CauseImage {
		return Image{}
	}
	image, ok := ParseImage(strings.TrimRight(imageWord().FindString(e.Message), ".:/"))
	if !ok || !image.Private() {
		return Image{}
	}
	return image
}

// NamesPublicECR reports whether the message names a host of public ECR.
func (e Event) NamesPublicECR() bool { return namesHost(e.Message, isPublicECR) }

// LimitExceeded reports whether the message says that too much was pulled from public
// ECR.
func (e Event) LimitExceeded() bool {
	message := strings.ToLower(e.Message)
	return e.Cause() == CausePublicImage && slices.ContainsFunc(limitWords, func(w string) bool { return strings.Contains(message, w) })
}
