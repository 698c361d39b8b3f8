package locate

import (
	"net"
	"net/url"
	"strings"
)

// endpointSuffixes are what follows the region in the host name of an EKS API
// server, with the partition; empty where the region decides.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html;
// the DNS suffixes of the other partitions: aws-sdk-go-v2
// internal/endpoints/awsrulesfn/partitions.json.
var endpointSuffixes = []struct{ suffix, partition string }{
	{".eks.amazonaws.com", ""}, // aws, aws-us-gov
	{".api.aws", ""},           // dual-stack, aws and aws-us-gov
	{".eks.amazonaws.com.cn", "aws-cn"},
	{".api.amazonwebservices.com.cn", "aws-cn"}, // dual-stack
	{".amazonwebservices.com.cn", "aws-cn"},
	{".eks.c2s.ic.gov", "aws-iso"},
	{".api.aws.ic.gov", "aws-iso"},
	{".eks.sc2s.sgov.gov", "aws-iso-b"},
	{".api.aws.scloud", "aws-iso-b"},
	{".eks.cloud.adc-e.uk", "aws-iso-e"},
	{".api.cloud-aws.adc-e.uk", "aws-iso-e"},
	{".eks.csp.hci.ic.gov", "aws-iso-f"},
	{".api.aws.hci.ic.gov", "aws-iso-f"},
	{".eks.amazonaws.eu", "aws-eusc"},
	{".api.amazonwebservices.eu", "aws-eusc"},
}

// endpoint reads region and partition from an EKS API server's URL, such as
// https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com.
func endpoint(server string) (region, partition string, ok bool) {
	u, err := url.Parse(server)
	if err != nil {
		return "", "", false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, s := range endpointSuffixes {
		rest, found := strings.CutSuffix(host, s.suffix)
		if !found {
			continue
		}
		i := strings.LastIndexByte(rest, '.')
		if i <= 0 || !isRegion(rest[i+1:]) {
			continue
		}
		region, partition = rest[i+1:], s.partition
		if partition == "" {
			partition = PartitionOf(region)
		}
		return region, partition, true
	}
	return "", "", false
}

func isEKS(server string) bool {
	_, _, ok := endpoint(server)
	return ok
}

// isRegion reports whether s has the form of a region: words and a number.
func isRegion(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 {
		return false
	}
	for i, p := range parts {
		digits := strings.Trim(p, "0123456789") == ""
		if p == "" || digits != (i == len(parts)-1) {
			return false
		}
	}
	return true
}

// regionPrefixes tell the partition of a region; everything else is in aws.
// Source: aws-sdk-go-v2 internal/endpoints/awsrulesfn/partitions.json.
var regionPrefixes = []struct{ prefix, partition string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
	{"eusc-", "aws-eusc"},
}

// PartitionOf returns the partition of an AWS region: aws where its name says no
// other.
func PartitionOf(region string) string {
	for _, r := range regionPrefixes {
		if strings.HasPrefix(region, r.prefix) {
			return r.partition
		}
	}
	return "aws"
}

// sameEndpoint compares two URLs by host and port.
func sameEndpoint(a, b string) bool {
	ha, ok := hostPort(a)
	hb, ok2 := hostPort(b)
	return ok && ok2 && ha == hb
}

func hostPort(server string) (string, bool) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port), true
}
