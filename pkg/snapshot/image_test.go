package snapshot_test

import (
	"strings"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestParseImage: which repository a reference names, and whether it is one of ECR.
func TestParseImage(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for reference, want := range map[string]string{
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1": "arn:aws:ecr:eu-west-1:602401143452:repository/amazon-k8s-cni",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1" + digest:        "arn:aws:ecr:eu-west-1:602401143452:repository/eks/kube-proxy",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns" + digest:              "arn:aws:ecr:eu-west-1:602401143452:repository/eks/coredns",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com:443/a_b.c-d/e":                     "arn:aws:ecr:eu-west-1:602401143452:repository/a_b.c-d/e",
		"602401143452.DKR.ECR.eu-west-1.amazonaws.com/a":                                 "arn:aws:ecr:eu-west-1:602401143452:repository/a",
		"602401143452.dkr.ecr-fips.us-east-1.amazonaws.com/eks/pause:3.5":                "arn:aws:ecr:us-east-1:602401143452:repository/eks/pause",
		"602401143452.dkr-ecr.eu-west-1.on.aws/eks/coredns:v1":                           "arn:aws:ecr:eu-west-1:602401143452:repository/eks/coredns",
		"602401143452.dkr-ecr-fips.us-west-2.on.aws/eks/coredns:v1":                      "arn:aws:ecr:us-west-2:602401143452:repository/eks/coredns",
		"013241004608.dkr.ecr.us-gov-west-1.amazonaws.com/eks/coredns:v1":                "arn:aws-us-gov:ecr:us-gov-west-1:013241004608:repository/eks/coredns",
		"013241004608.dkr-ecr-fips.us-gov-west-1.on.aws/eks/coredns:v1":                  "arn:aws-us-gov:ecr:us-gov-west-1:013241004608:repository/eks/coredns",
		"918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn/eks/coredns:v1":                "arn:aws-cn:ecr:cn-north-1:918309763551:repository/eks/coredns",
		"918309763551.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/eks/coredns:v1":     "arn:aws-cn:ecr:cn-north-1:918309763551:repository/eks/coredns",
		"111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/eks/coredns:v1":                "arn:aws-eusc:ecr:eusc-de-east-1:111122223333:repository/eks/coredns",
		"111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov/eks/coredns:v1":                   "arn:aws-iso:ecr:us-iso-east-1:111122223333:repository/eks/coredns",
		"111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/eks/coredns:v1":               "arn:aws-iso-b:ecr:us-isob-east-1:111122223333:repository/eks/coredns",
		"111122223333.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk/eks/coredns:v1":              "arn:aws-iso-e:ecr:eu-isoe-west-1:111122223333:repository/eks/coredns",
		"111122223333.dkr.ecr.us-isof-south-1.csp.hci.ic.gov/eks/coredns:v1":             "arn:aws-iso-f:ecr:us-isof-south-1:111122223333:repository/eks/coredns",
		"public.ecr.aws/eks-distro/kubernetes/pause:3.10":                                "public public.ecr.aws eks-distro/kubernetes/pause",
		"ecr-public.aws.com/a/b":      "public ecr-public.aws.com a/b",
		"docker.io/library/busybox:1": "docker.io library/busybox",
		"busybox":                     "docker.io busybox",
		"calico/node:v3":              "docker.io calico/node",
		"localhost/kubernetes/pause":  "localhost kubernetes/pause",
		"mirror:5000/eks/coredns:v1":  "mirror eks/coredns",
		"mirror.example.com/602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns": "mirror.example.com 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com.example.com/eks/coredns":        "602401143452.dkr.ecr.eu-west-1.amazonaws.com.example.com eks/coredns",
		"602401143452.dkr.ecr.eu-west-1.example.com/eks/coredns":                      "602401143452.dkr.ecr.eu-west-1.example.com eks/coredns",
		"evil.602401143452.dkr.ecr.eu-west-1.amazonaws.com/a":                         "evil.602401143452.dkr.ecr.eu-west-1.amazonaws.com a",
		"60240114345.dkr.ecr.eu-west-1.amazonaws.com/a":                               "60240114345.dkr.ecr.eu-west-1.amazonaws.com a",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/*":                              "none",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/a?":                             "none",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/":                               "none",
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/UPPER":                          "none",
		"{{ .Values.image }}": "none",
		"":                    "none",
		":v1":                 "none",
		"/a":                  "none",
		":5000/a":             "none",
	} {
		image, ok := snapshot.ParseImage(reference)
		got := strings.Join([]string{image.Host, image.Repository}, " ")
		switch {
		case !ok:
			got = "none"
		case image.Private():
			got = image.RepositoryARN()
		case image.Public():
			got = "public " + got
		}
		if got != want {
			t.Errorf("%q\n  is %s\nwant %s", reference, got, want)
		}
		if image.Private() != (image.RepositoryARN() != "") || image.Private() && image.Public() {
			t.Errorf("%q: private %v, public %v, repository %q", reference, image.Private(), image.Public(), image.RepositoryARN())
		}
	}
}

// FuzzParseImage: what is taken for a repository of ECR is one ARN, without wildcards,
// and its parts name the same image again.
func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{
		"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1@sha256:0a", "1.dkr-ecr-fips.x.on.aws/a", "public.ecr.aws/a:b", "a:5000/b", "@", "/", "a/*",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		image, ok := snapshot.ParseImage(reference)
		if !ok {
			if image != (snapshot.Image{}) {
				t.Errorf("%q is no reference and gives %+v", reference, image)
			}
			return
		}
		if again, ok := snapshot.ParseImage(image.Host + "/" + image.Repository); strings.ContainsAny(image.Host, ".") && (!ok || again != image) {
			t.Errorf("%q gives %+v, its parts %+v", reference, image, again)
		}
		if !image.Private() {
			return
		}
		arn := image.RepositoryARN()
		a, ok := snapshot.ParseARN(arn)
		if !ok || a.Account != image.Registry.Account || a.Resource != "repository/"+image.Repository || strings.ContainsAny(arn, "*? $\n") {
			t.Errorf("%q gives %q", reference, arn)
		}
	})
}
