package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// RepositoryPolicy returns the policy of an ECR repository of a region and account.
func (c *Client) RepositoryPolicy(ctx context.Context, region, account, repository string) (snapshot.RepositoryPolicy, error) {
	const operation = "ecr:GetRepositoryPolicy"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*ecr.GetRepositoryPolicyOutput, error) {
		return c.ecr.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: &account, RepositoryName: &repository}, ecrIn(region))
	})
	var noRepository *ecrtypes.RepositoryNotFoundException
	switch {
	case errors.As(err, &noRepository):
		return snapshot.RepositoryPolicy{NotFound: true}, nil
	case errors.Is(err, collect.ErrNotFound):
		return snapshot.RepositoryPolicy{}, nil // it has none
	case err != nil:
		return snapshot.RepositoryPolicy{}, err
	}
	policy, err := present(operation, out.PolicyText)
	if err != nil {
		return snapshot.RepositoryPolicy{}, err
	}
	return snapshot.RepositoryPolicy{Document: document(*policy)}, nil
}

// Registry returns the permissions and the pull-through cache rules of the private registry
// of an account in a region.
func (c *Client) Registry(ctx context.Context, region, account string) (snapshot.Registry, error) {
	const rules, permissions = "ecr:DescribePullThroughCacheRules", "ecr:GetRegistryPolicy"
	var registry snapshot.Registry
	err := pages(ctx, c, rules, ecr.NewDescribePullThroughCacheRulesPaginator(regionalRules{c.ecr, region}, &ecr.DescribePullThroughCacheRulesInput{RegistryId: &account}),
		func(page *ecr.DescribePullThroughCacheRulesOutput) (string, bool) {
			for i := range page.PullThroughCacheRules {
				rule := &page.PullThroughCacheRules[i]
				if registry.PullThroughCache == nil {
					registry.PullThroughCache = map[string]string{}
				}
				registry.PullThroughCache[aws.ToString(rule.EcrRepositoryPrefix)] = aws.ToString(rule.UpstreamRegistryUrl)
			}
			return byToken(page.NextToken)
		})
	if err != nil || len(registry.PullThroughCache) == 0 {
		return registry, err
	}
	out, err := call(ctx, c, permissions, func(ctx context.Context) (*ecr.GetRegistryPolicyOutput, error) {
		return c.ecr.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{}, ecrIn(region))
	})
	switch {
	case errors.Is(err, collect.ErrNotFound):
		return registry, nil // it has none
	case err != nil:
		return registry, err
	}
	policy, err := present(permissions, out.PolicyText)
	if err == nil {
		registry.Policy = document(*policy)
	}
	return registry, err
}

// ecrIn sends a call to a region.
func ecrIn(region string) func(*ecr.Options) { return func(o *ecr.Options) { o.Region = region } }

// regionalRules lists the pull-through cache rules of a region.
type regionalRules struct {
	ECR
	region string
}

// DescribePullThroughCacheRules sends the call to the region.
func (r regionalRules) DescribePullThroughCacheRules(ctx context.Context, in *ecr.DescribePullThroughCacheRulesInput, o ...func(*ecr.Options)) (*ecr.DescribePullThroughCacheRulesOutput, error) {
	return r.ECR.DescribePullThroughCacheRules(ctx, in, append(o, ecrIn(r.region))...)
}
