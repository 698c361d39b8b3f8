package aws

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

// What only runs over many clusters read.

// Regions returns the names of the regions that are enabled for the account, sorted.
func (c *Client) Regions(ctx context.Context) ([]string, error) {
	out, err := call(ctx, c, "ec2:DescribeRegions", func(ctx context.Context) (*ec2.DescribeRegionsOutput, error) {
		return c.ec2.DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range out.Regions {
		names = append(names, aws.ToString(out.Regions[i].RegionName))
	}
	slices.Sort(names)
	return names, nil
}

// tokenPrefix and tokenHeader make a presigned request a token of EKS, which is valid for 15
// minutes after it was signed.
// Source: https://github.com/kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go.
const (
	tokenPrefix = "k8s-aws-v1."
	tokenHeader = "x-k8s-aws-id"
	// emptyPayload is the SHA-256 of no bytes.
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Token returns a token for the API server of a cluster in the client's region, as aws eks
// get-token makes it: a presigned call of sts:GetCallerIdentity. It asks AWS for nothing but
// the credentials.
func (c *Client) Token(ctx context.Context, cluster string) (string, error) {
	credentials, err := c.loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return "", c.at.explain(ctx, "sts:GetCallerIdentity", err)
	}
	endpoint, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sts.EndpointParameters{Region: &c.at.region})
	if err != nil {
		return "", fmt.Errorf("find the endpoint of STS: %w", err)
	}
	endpoint.URI.RawQuery = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60"
	if endpoint.URI.Path == "" {
		endpoint.URI.Path = "/"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.URI.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set(tokenHeader, cluster)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, request, emptyPayload, "sts", c.at.region, time.Now())
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(signed)), nil
}

// Assume returns the account of a role that is assumed with the credentials of a. It makes
// no call.
func (a *Account) Assume(roleARN, externalID string) *Account {
	cfg := a.settings
	cfg.RoleARN, cfg.ExternalID = roleARN, externalID
	loaded := a.base.Copy()
	loaded.Credentials = aws.NewCredentialsCache(explained{assumedRole(a.loaded, cfg)})
	loaded.Retryer = retryer(loaded, newBudget(cfg.Pause)) // of its own
	return newAccount(loaded, cfg)
}

// Credentials reports why the credentials of the account cannot be used, nil where they can.
// It makes the calls that getting them needs.
func (a *Account) Credentials(ctx context.Context) error {
	_, err := a.loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return a.home.explain(ctx, "sts:GetCallerIdentity", err)
	}
	return nil
}

var _ collect.Clusters = (*Client)(nil)
