package snapshot_test

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestEventCause: what the common warnings of kubelet, containerd, the VPC CNI and
// controllers say, and that others say nothing of IAM.
func TestEventCause(t *testing.T) {
	const pause = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/pause:3.5": failed to pull image `
	for _, tt := range []struct {
		reason, message string
		cause           snapshot.EventCause
		action, role    string
	}{
		{"MissingIAMPermissions", "Unauthorized operation: failed to call ec2:ModifyNetworkInterfaceAttribute due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md", snapshot.CauseDeniedCall, "ec2:ModifyNetworkInterfaceAttribute", ""},
		{"FailedCustomSecurityGroupsDiscovery", "aws-node failed calling ec2 api to discover custmized security groups for network interfaces from secondary subnets", snapshot.CauseDeniedCall, "ec2:DescribeSecurityGroups", ""},
		{"FailedCreatePodSandBox", pause + `…: 401 Unauthorized`, snapshot.CauseImage, "", ""},
		{"FailedCreatePodSandBox", pause + `…: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`, snapshot.CauseImage, "", ""},
		{"FailedCreatePodSandBox", pause + `…: dial tcp: i/o timeout`, "", "", ""},
		{"FailedCreatePodSandBox", `plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`, snapshot.CauseNetwork, "", ""},
		{"FailedCreatePodSandBox", `plugin type="calico" failed (add): no addresses`, "", "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1": unexpected status from HEAD request: 403 Forbidden`, snapshot.CauseImage, "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr-ecr.eu-west-1.on.aws/app:1": 401 Unauthorized`, snapshot.CauseImage, "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app:1": 401 Unauthorized`, snapshot.CauseImage, "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr-ecr-fips.us-east-1.on.aws/app:1": 401 Unauthorized`, snapshot.CauseImage, "", ""},
		{"Failed", `failed to do request: Head "https://111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/v2/app/manifests/1": 403 Forbidden`, snapshot.CauseImage, "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/app:1": no basic auth credentials`, snapshot.CauseImage, "", ""},
		{"Failed", `Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1": denied: User: arn:aws:sts::111122223333:assumed-role/eksNodeRole/i-0a is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app`, snapshot.CauseImage, "ecr:BatchGetImage", "eksNodeRole"},
		{"Failed", `Failed to pull image "111122223333.dkr.ecr.eu-west-1.example.com/app:1": 401 Unauthorized`, "", "", ""},
		{"Failed", `Failed to pull image "public.ecr.aws/x/y:1": 403 Forbidden`, snapshot.CausePublicImage, "", ""},
		{"Failed", `Failed to pull image "public.ecr.aws/x/y:1": toomanyrequests: Rate exceeded`, snapshot.CausePublicImage, "", ""},
		{"Failed", `Failed to pull image "ecr-public.aws.com/x/y:1": 429 Too Many Requests`, snapshot.CausePublicImage, "", ""},
		{"Failed", `Failed to pull image "public.ecr.aws/x/y:1": not found`, "", "", ""},
		{"Failed", `Failed to pull image "docker.io/library/busybox:1": toomanyrequests: You have reached your pull rate limit`, "", "", ""},
		{"Failed", `Failed to pull image "notpublic.ecr.aws/x/y:1": 403 Forbidden`, "", "", ""},
		{"FailedCreatePodSandBox", `failed to get sandbox image "public.ecr.aws/eks-distro/kubernetes/pause:3.10": failed to pull image: 403 Forbidden`, snapshot.CausePublicImage, "", ""},
		{"Failed", `Failed to pull image "registry.example.com/app:1": 401 Unauthorized`, "", "", ""},
		{"Failed", `Error: ImagePullBackOff`, "", "", ""},
		{"FailedToUpdateNode", `AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/eksNodeRole/i-0a is not authorized to perform: eks-auth:AssumeRoleForPodIdentity on resource: arn:aws:eks:eu-west-1:111122223333:cluster/prod`, snapshot.CauseDeniedCall, "eks-auth:AssumeRoleForPodIdentity", "eksNodeRole"},
		{"BackOff", `Back-off restarting failed container`, "", "", ""},
	} {
		e := snapshot.Event{Reason: tt.reason, Message: tt.message}
		if e.Cause() != tt.cause || e.DeniedAction() != tt.action || e.DeniedRole() != tt.role {
			t.Errorf("%s: %s\n%q %q %q, want %q %q %q", tt.reason, tt.message, e.Cause(), e.DeniedAction(), e.DeniedRole(), tt.cause, tt.action, tt.role)
		}
	}
}
