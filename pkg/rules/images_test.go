package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// pullPolicy is a patch that leaves the node role one policy for images: a token, and
// what repositories and condition say.
func pullPolicy(repositories, condition string) string {
	if condition != "" {
		condition = `, "Condition": ` + condition
	}
	return `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]
    inlinePolicies:
      pull: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
        {"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":` + repositories + condition + `}]}'
`
}

const (
	everyRepository = `"arn:aws:ecr:*:*:repository/*"`
	ownRepositories = `"arn:aws:ecr:eu-west-1:111122223333:repository/*"`
	eksRepositories = `["arn:aws:ecr:eu-west-1:602401143452:repository/amazon*","arn:aws:ecr:eu-west-1:602401143452:repository/eks/*"]`
	noImages        = "\nsystemImages: null\n"
	// One kind of nodes: CoreDNS runs on them.
	noFargate = "\nfargateProfiles: null\n"
	mirrored  = `
systemImages:
  aws-node: {images: ["public.ecr.aws/eks/amazon-k8s-cni:v1.20.4"]}
  kube-proxy: {images: ["mirror.example.com/eks/kube-proxy:v1.33.3"]}
  coredns: {images: ["coredns/coredns:1.12.1"]}
`
)

// missingImages are facts that could not be read.
func missingImages(fact, subject string) string {
	return "\nmissing: [{fact: " + fact + ", subject: " + subject + ", operation: x:Read, permission: x:Read, error: AccessDenied}]\n"
}

// images is a patch with the images of one workload.
func images(workload string, list ...string) string {
	return "\nsystemImages: {" + workload + `: {images: ["` + strings.Join(list, `", "`) + `"]}}` + "\n"
}

// TestPullOfSystemImages: NR202 decides for the repositories of the images that are known,
// and is as before where they are not.
func TestPullOfSystemImages(t *testing.T) {
	const refusedPull = `
events: [{reason: Failed, object: Pod/a, message: "Failed to pull image \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/a:1\": 403 Forbidden"}]
`
	for name, tt := range map[string]struct {
		patches []string
		want    finding.Status
		// says is in message or evidence.
		says []string
	}{
		"every repository": {[]string{pullPolicy(everyRepository, "")}, finding.Pass, []string{"can pull images from ECR"}},
		"EKS's repositories": {
			[]string{pullPolicy(eksRepositories, "")},
			finding.Pass,
			[]string{"can pull the images of aws-node, kube-proxy, coredns from ECR", "whether other images can be pulled is unknown"},
		},
		"EKS's repositories, images not read before": {[]string{pullPolicy(eksRepositories, ""), noImages}, finding.Depends, []string{"depends on the request"}},
		"EKS's repositories, kube-proxy not read": {
			[]string{pullPolicy(eksRepositories, ""), "systemImages: {kube-proxy: null}", missingImages("systemImages", "kube-proxy")}, finding.Unknown, []string{"x:Read of kube-proxy: AccessDenied"},
		},
		"EKS's repositories, aws-node not read": {
			[]string{pullPolicy(eksRepositories, ""), "systemImages: {aws-node: null}", missingImages("daemonSet", "''")}, finding.Unknown, []string{"x:Read: AccessDenied"},
		},
		"every repository, kube-proxy not read": {
			[]string{pullPolicy(everyRepository, ""), "systemImages: {kube-proxy: null}", missingImages("systemImages", "kube-proxy")}, finding.Pass, []string{"can pull images from ECR"},
		},
		"own repositories, kube-proxy not read": {
			[]string{pullPolicy(ownRepositories, ""), "systemImages: {kube-proxy: null}", missingImages("systemImages", "kube-proxy")}, finding.Fail, []string{"cannot pull the images of aws-node from ECR"},
		},
		"kube-proxy not installed": {
			[]string{pullPolicy(`"arn:aws:ecr:eu-west-1:602401143452:repository/*"`, ""), "systemImages: {kube-proxy: {images: null}}"}, finding.Pass, []string{"the images of aws-node, coredns"},
		},
		"own repositories": {
			[]string{pullPolicy(ownRepositories, "")},
			finding.Fail,
			[]string{
				"cannot pull the images of aws-node, kube-proxy from ECR", "nearest: inline pull statement 2, arn:aws:ecr:eu-west-1:111122223333:repository/*",
				"kube-proxy runs 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.33.3-minimal-eksbuild.4, from registry 602401143452 in eu-west-1",
			},
		},
		"own repositories, images of an older snapshot": {[]string{pullPolicy(ownRepositories, ""), noImages}, finding.Fail, []string{"aws-node runs 602401143452.dkr"}},
		"images in the own registry": {
			[]string{
				pullPolicy(ownRepositories, ""), images("aws-node", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/cni:1"),
				images("kube-proxy", "111122223333.dkr-ecr.eu-west-1.on.aws/kube-proxy:1"), images("coredns", "111122223333.dkr.ecr-fips.eu-west-1.amazonaws.com/coredns:1"),
			}, finding.Pass, nil,
		},
		"no policy for CoreDNS, which may run elsewhere": {
			[]string{pullPolicy(`["arn:aws:ecr:*:602401143452:repository/amazon*","arn:aws:ecr:*:602401143452:repository/eks/kube-proxy"]`, "")},
			finding.Depends,
			[]string{"not needed where CoreDNS runs on nodes of other roles", "coredns runs 602401143452.dkr"},
		},
		"no policy for CoreDNS, which runs here": {
			[]string{pullPolicy(`["arn:aws:ecr:*:602401143452:repository/amazon*","arn:aws:ecr:*:602401143452:repository/eks/kube-proxy"]`, ""), noFargate},
			finding.Fail,
			[]string{"cannot pull the images of coredns from ECR"},
		},
		"pull secrets": {
			[]string{
				pullPolicy(eksRepositories, ""),
				"systemImages: {kube-proxy: {images: ['999988887777.dkr.ecr.eu-west-1.amazonaws.com/kube-proxy:1'], imagePullSecrets: [mirror]}}",
			}, finding.Depends, []string{"not needed where the imagePullSecrets of kube-proxy log in: mirror", "from registry 999988887777"},
		},
		"aws-node on other nodes": {
			[]string{
				pullPolicy(`"arn:aws:ecr:eu-west-1:602401143452:repository/eks/*"`, ""), "systemImages: {aws-node: {nodeSelector: {io.cilium/aws-node-enabled: 'true'}}}",
			}, finding.Depends, []string{"not needed where nodes lack a label that the nodeSelector of aws-node asks for: io.cilium/aws-node-enabled"},
		},
		"another region": {
			[]string{pullPolicy(`"arn:aws:ecr:eu-west-1:*:repository/*"`, ""), images("kube-proxy", "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:1")},
			finding.Fail,
			[]string{"kube-proxy runs 602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:1, from registry 602401143452 in us-west-2"},
		},
		"another region, condition on the region": {
			[]string{
				pullPolicy(everyRepository, `{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`),
				images("kube-proxy", "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:1"),
			}, finding.Fail, []string{"cannot pull the images of kube-proxy"},
		},
		"condition on the account":          {[]string{pullPolicy(everyRepository, `{"StringEquals":{"aws:ResourceAccount":"111122223333"}}`)}, finding.Fail, []string{"from registry 602401143452"}},
		"condition on the account of EKS":   {[]string{pullPolicy(everyRepository, `{"StringEquals":{"aws:ResourceAccount":"602401143452"}}`)}, finding.Pass, nil},
		"Deny on other repositories":        {[]string{pullPolicy(everyRepository, "") + `      deny: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/secret/*"}}'`}, finding.Pass, []string{"the images of aws-node"}},
		"mirrored, own repositories":        {[]string{pullPolicy(ownRepositories, ""), mirrored}, finding.NotApplicable, []string{"does not need to pull from ECR", "aws-node runs public.ecr.aws/eks/amazon-k8s-cni:v1.20.4"}},
		"mirrored, every repository":        {[]string{pullPolicy(everyRepository, ""), mirrored}, finding.Pass, nil},
		"mirrored, a pull from ECR refused": {[]string{`roles: {"arn:aws:iam::111122223333:role/eksNodeRole": {attachedPolicies: ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]}}`, mirrored, refusedPull}, finding.Fail, []string{"cannot pull images from ECR"}},
		"an image that is no reference":     {[]string{pullPolicy(eksRepositories, ""), images("kube-proxy", "{{ image }}")}, finding.Depends, nil},
		"Windows nodes": {[]string{pullPolicy(ownRepositories, ""), `
nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}, system: null}
nodes: null
`}, finding.Depends, nil},
		"Windows and Linux nodes": {[]string{pullPolicy(ownRepositories, ""), `
nodeGroups: {apps: {amiType: WINDOWS_CORE_2022_x86_64}}
nodes: null
`}, finding.Fail, nil},
		"Auto Mode's nodes": {
			[]string{pullPolicy(ownRepositories, ""), `
nodeGroups: null
nodes: null
cluster: {autoMode: {nodeRoleArn: "arn:aws:iam::111122223333:role/eksNodeRole", nodePools: [system]}}`}, finding.Depends, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := view.New(overlay(t, tt.patches...))
			report := rules.Judge(v, rules.Options{})
			found := false
			for _, r := range report.Results {
				if r.ID != "NR202" {
					continue
				}
				found = true
				text := r.Message + "\n" + strings.Join(r.Evidence, "\n")
				if r.Status != tt.want {
					t.Errorf("%s, want %s: %s", r.Status, tt.want, text)
				}
				for _, says := range tt.says {
					if !strings.Contains(text, says) {
						t.Errorf("lacks %q: %s", says, text)
					}
				}
			}
			if !found {
				t.Error("no result of NR202")
			}
			// The report's account of the permissions agrees.
			for _, role := range report.IAM.Roles {
				for _, need := range role.Needs {
					if need.Need == "pull" && need.Status != tt.want {
						t.Errorf("iam says %s, want %s", need.Status, tt.want)
					}
				}
			}
		})
	}
}

// TestPublicECR: what shows that nodes pull from public ECR, and what events follow from
// missing permissions.
func TestPublicECR(t *testing.T) {
	const limited = `events: [{reason: Failed, object: Pod/a, message: "Failed to pull image \"public.ecr.aws/x/y:1\": toomanyrequests: Rate exceeded"}]`
	const login = `
roles:
  "arn:aws:iam::111122223333:role/eksNodeRole":
    inlinePolicies:
      public: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr-public:GetAuthorizationToken","sts:GetServiceBearerToken"],"Resource":"*"%s}}'
`
	condition := func(region string) string {
		return strings.Replace(login, "%s", `,"Condition":{"StringEquals":{"aws:RequestedRegion":"`+region+`"}}`, 1)
	}
	for name, tt := range map[string]struct {
		patches []string
		want    finding.Status
		// events is how often NR802 fails, with NR222 as its cause.
		events int
	}{
		"none":                          {nil, finding.NotApplicable, 0},
		"limit exceeded":                {[]string{limited}, finding.Fail, 1},
		"limit exceeded after login":    {[]string{limited, strings.Replace(login, "%s", "", 1)}, finding.Pass, 0},
		"allowed in us-east-1":          {[]string{limited, condition("us-east-1")}, finding.Pass, 0},
		"allowed in the cluster's only": {[]string{limited, condition("eu-west-1")}, finding.Fail, 1},
		"an image of kube-system":       {[]string{images("coredns", "public.ecr.aws/eks-distro/coredns/coredns:v1")}, finding.Fail, 0},
		"images not read":               {[]string{"systemImages: {coredns: null}", missingImages("systemImages", "coredns")}, finding.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			events := 0
			for _, r := range rules.Judge(view.New(overlay(t, tt.patches...)), rules.Options{}).Results {
				switch {
				case r.ID == "NR222" && r.Status != tt.want:
					t.Errorf("%s, want %s: %s\n%v", r.Status, tt.want, r.Message, r.Evidence)
				case r.ID == "NR802" && r.Status == finding.Fail:
					events++
					if len(r.Causes) != 1 || r.Causes[0].ID != "NR222" {
						t.Errorf("causes %v", r.Causes)
					}
				}
			}
			if events != tt.events {
				t.Errorf("%d events, want %d", events, tt.events)
			}
		})
	}
}

// TestPullOfOtherNodes: hybrid and HyperPod nodes pull the same images, but for aws-node,
// which does not run on hybrid nodes.
func TestPullOfOtherNodes(t *testing.T) {
	const entry = `
nodes: {%s: {providerID: "%s", maker: %s, ready: true}}
accessEntries: {"arn:aws:iam::111122223333:role/other": {type: %s, createdAt: "2026-02-01T00:00:00Z"}}
roles:
  "arn:aws:iam::111122223333:role/other":
    createdAt: "2026-01-01T00:00:00Z"
    trustPolicy: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"%s"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}'
    inlinePolicies:
      calls: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["eks:*","eks-auth:*","ssm:*","ec2:*","sagemaker:*","ecr:GetAuthorizationToken"],"Resource":"*"}}'
      pull: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":[%s]}}'
`
	hybrid := func(resources string) string {
		return fmt.Sprintf(entry, "mi-1", "eks-hybrid:///eu-west-1/prod/mi-1", "hybrid", "HYBRID_LINUX", "ssm.amazonaws.com", resources)
	}
	hyperPod := func(resources string) string {
		return fmt.Sprintf(entry, "hyperpod-i-0abcdef0123456789", "aws:///euw1-az1/sagemaker/cluster/hyperpod-abc123-i-0abcdef0123456789", "hyperPod", "HYPERPOD_LINUX", "sagemaker.amazonaws.com", resources)
	}
	const (
		own   = `"arn:aws:ecr:eu-west-1:111122223333:repository/*"`
		eks   = `"arn:aws:ecr:eu-west-1:602401143452:repository/*"`
		proxy = `"arn:aws:ecr:eu-west-1:602401143452:repository/eks/kube-proxy","arn:aws:ecr:eu-west-1:602401143452:repository/eks/coredns"`
	)
	for name, test := range map[string]struct {
		patch, rule string
		want        finding.Status
	}{
		"hybrid, own repositories":                 {hybrid(own), "NR212", finding.Fail},
		"hybrid, EKS's repositories":               {hybrid(eks), "NR212", finding.Pass},
		"hybrid, kube-proxy and CoreDNS":           {hybrid(proxy), "NR212", finding.Pass},
		"HyperPod, own repositories":               {hyperPod(own), "NR221", finding.Fail},
		"HyperPod, EKS's repositories":             {hyperPod(eks), "NR221", finding.Pass},
		"HyperPod, without aws-node":               {hyperPod(proxy), "NR221", finding.Fail},
		"hybrid, images of a mirror":               {hybrid(own) + "systemImages: {kube-proxy: {images: [mirror.example.com/kube-proxy:v1]}, coredns: {images: [mirror.example.com/coredns:v1]}}\n", "NR212", finding.Pass},
		"hybrid, own repositories, images unknown": {hybrid(own) + "systemImages: null\n", "NR212", finding.Depends},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range rules.Run(view.New(overlay(t, test.patch)), rules.All()) {
				if r.ID == test.rule && r.Subject.Name == "other" && r.Status != test.want {
					t.Errorf("%s, want %s: %s\n%s", r.Status, test.want, r.Message, strings.Join(r.Evidence, "\n"))
				}
			}
		})
	}
}
