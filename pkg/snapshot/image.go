package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Image is what a reference to a container image names. The zero Image names none.
type Image struct {
	// Host is the registry's host name in lower case, without a port; docker.io where
	// the reference has none.
	Host string
	// Repository is without tag and digest, such as eks/kube-proxy.
	Repository string
	// Registry says whose private registry of ECR it is; the zero ECRRegistry for
	// every other host.
	Registry ECRRegistry
}

// ECRRegistry is a private registry of Amazon ECR.
type ECRRegistry struct {
	Partition, Region, Account string
}

// ecrHost is the host name of a private registry: by IPv4 or dual-stack, FIPS or not.
// Sources: https://docs.aws.amazon.com/general/latest/gr/ecr.html;
// kubernetes/cloud-provider-aws cmd/ecr-credential-provider/main.go, which logs in to
// these hosts alone.
var ecrHost = text.Pattern(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9][a-z0-9-]*)\.([a-z0-9.-]+)$`)

// ecrDomains are the domains of private registries, with their partitions.
var ecrDomains = map[string]string{
	"amazonaws.com":               "aws", // and aws-us-gov, by region
	"on.aws":                      "aws", // and aws-us-gov, by region
	"amazonaws.com.cn":            "aws-cn",
	"on.amazonwebservices.com.cn": "aws-cn",
	"amazonaws.eu":                "aws-eusc",
	"c2s.ic.gov":                  "aws-iso",
	"sc2s.sgov.gov":               "aws-iso-b",
	"cloud.adc-e.uk":              "aws-iso-e",
	"csp.hci.ic.gov":              "aws-iso-f",
}

// publicECRHosts are the host names of public ECR.
// Source: kubernetes/cloud-provider-aws cmd/ecr-credential-provider/main.go.
var publicECRHosts = []string{"public.ecr.aws", "ecr-public.aws.com"}

// repositoryName is the form of a repository's name.
// Source: https://github.com/distribution/reference, reference.go.
var repositoryName = text.Pattern(`^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$`)

// ParseImage parses a reference to an image: [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]. It
// is not ok where the text is not such a reference.
func ParseImage(reference string) (image Image, ok bool) {
	name, _, _ := strings.Cut(reference, "@")
	image.Host = "docker.io"
	if first, rest, found := strings.Cut(name, "/"); found && (strings.ContainsAny(first, ".:") || first == "localhost") {
		image.Host, name = hostName(first), rest
	}
	image.Repository, _, _ = strings.Cut(name, ":")
	if image.Host == "" || !repositoryName().MatchString(image.Repository) {
		return Image{}, false
	}
	image.Registry = ecrRegistry(image.Host)
	return image, true
}

// hostName is the name in HOST[:PORT], in lower case.
func hostName(s string) string {
	host, _, _ := strings.Cut(s, ":")
	return strings.ToLower(host)
}

// ecrRegistry is the private registry that a host name is of; the zero ECRRegistry for
// another host.
func ecrRegistry(host string) ECRRegistry {
	m := ecrHost().FindStringSubmatch(host)
	if m == nil || ecrDomains[m[3]] == "" {
		return ECRRegistry{}
	}
	r := ECRRegistry{Partition: ecrDomains[m[3]], Region: m[2], Account: m[1]}
	if r.Partition == "aws" && strings.HasPrefix(r.Region, "us-gov-") {
		r.Partition = "aws-us-gov"
	}
	return r
}

// Private reports whether the image is in a private registry of ECR.
func (i Image) Private() bool { return isPrivateECR(i.Host) }

// Public reports whether the image is in public ECR.
func (i Image) Public() bool { return isPublicECR(i.Host) }

// RepositoryARN is the ARN of the image's repository in a private registry of ECR; empty
// for an image from elsewhere.
func (i Image) RepositoryARN() string {
	if !i.Private() {
		return ""
	}
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", i.Registry.Partition, i.Registry.Region, i.Registry.Account, i.Repository)
}

func isPrivateECR(host string) bool { return ecrRegistry(host) != ECRRegistry{} }

func isPublicECR(host string) bool { return slices.Contains(publicECRHosts, host) }

// hostWord is what may be a host name in a message, or a reference or address that
// begins with one.
var hostWord = text.Pattern(`[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)+`)

// namesHost reports whether a text names one of the hosts.
func namesHost(text string, wanted func(host string) bool) bool {
	return slices.ContainsFunc(hostWord().FindAllString(text, -1), func(word string) bool { return wanted(strings.ToLower(word)) })
}

// rootPrefix is the prefix of a pull-through cache rule for every repository that no other
// rule is for.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private-wildcards.html
const rootPrefix = "ROOT"

// CacheRule returns the prefix of the pull-through cache rule that a repository is of, and
// the upstream registry; empty where there is no such rule. The longest prefix counts.
func (r Registry) CacheRule(repository string) (prefix, upstream string) {
	for p := range r.PullThroughCache {
		if strings.HasPrefix(repository, p+"/") && len(p) > len(prefix) {
			prefix = p
		}
	}
	if _, ok := r.PullThroughCache[rootPrefix]; ok && prefix == "" {
		prefix = rootPrefix
	}
	return prefix, r.PullThroughCache[prefix]
}
