package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// RepositoryPolicy returns the policy of an ECR repository. Its error is a
// collect.ErrNotFound where the repository has none.
func (c *Client) RepositoryPolicy(ctx context.Context, region, account, repository string) (string, error) {
	const operation = "ecr:GetRepositoryPolicy"
	out, err := call(ctx, c, operation, func(ctx context.Context) (*ecr.GetRepositoryPolicyOutput, error) {
		return c.ecr.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: &account, RepositoryName: &repository}, func(o *ecr.Options) { o.Region = region })
	})
	if err != nil {
		return "", err
	}
	policy, err := present(operation, out.PolicyText)
	if err != nil {
		return "", err
	}
	return document(aws.ToString(policy)), nil
}
