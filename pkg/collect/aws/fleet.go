package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
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

// Ready reports whether a cluster of a region can be read now without waiting for the rates of
// EKS and IAM: another cluster can be read first where it cannot.
func (a *Account) Ready(region string) bool { return a.budget.ready(region) }

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
	shared := newBudget(cfg)
	loaded.Retryer = retryer(loaded, shared)
	return newAccount(loaded, cfg, shared)
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

// OrganizationAccount is an account of an organization.
type OrganizationAccount struct {
	ID string
	// Active is false for an account that is suspended or being closed.
	Active bool
}

// OrganizationAccounts returns the accounts of the caller's organization or, where units are
// given, those in these roots and organizational units and in all below them, by id.
func (c *Client) OrganizationAccounts(ctx context.Context, units []string) ([]OrganizationAccount, error) {
	active := map[string]bool{}
	add := func(accounts []orgtypes.Account) {
		for i := range accounts {
			// State replaces Status, which an endpoint may still have alone.
			// Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
			state := cmp.Or(string(accounts[i].State), string(accounts[i].Status))
			active[aws.ToString(accounts[i].Id)] = state == string(orgtypes.AccountStateActive)
		}
	}
	var err error
	if len(units) == 0 {
		err = pages(ctx, c, "organizations:ListAccounts", organizations.NewListAccountsPaginator(c.organizations, &organizations.ListAccountsInput{}),
			func(page *organizations.ListAccountsOutput) (string, bool) {
				add(page.Accounts)
				return byToken(page.NextToken)
			})
	}
	queue, seen := slices.Clone(units), map[string]bool{}
	for ; len(queue) > 0 && err == nil; queue = queue[1:] {
		unit := queue[0]
		if seen[unit] {
			continue
		}
		seen[unit] = true
		err = pages(ctx, c, "organizations:ListAccountsForParent",
			organizations.NewListAccountsForParentPaginator(c.organizations, &organizations.ListAccountsForParentInput{ParentId: &unit}),
			func(page *organizations.ListAccountsForParentOutput) (string, bool) {
				add(page.Accounts)
				return byToken(page.NextToken)
			})
		if err != nil {
			break
		}
		var below []string
		below, err = c.unitsBelow(ctx, unit)
		queue = append(queue, below...)
	}
	var accounts []OrganizationAccount
	for _, id := range slices.Sorted(maps.Keys(active)) {
		accounts = append(accounts, OrganizationAccount{ID: id, Active: active[id]})
	}
	return accounts, err
}

// unitsBelow returns the ids of the organizational units that are directly in a root or unit.
func (c *Client) unitsBelow(ctx context.Context, unit string) ([]string, error) {
	var ids []string
	err := pages(ctx, c, "organizations:ListOrganizationalUnitsForParent",
		organizations.NewListOrganizationalUnitsForParentPaginator(c.organizations, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &unit}),
		func(page *organizations.ListOrganizationalUnitsForParentOutput) (string, bool) {
			for i := range page.OrganizationalUnits {
				ids = append(ids, aws.ToString(page.OrganizationalUnits[i].Id))
			}
			return byToken(page.NextToken)
		})
	return ids, err
}
