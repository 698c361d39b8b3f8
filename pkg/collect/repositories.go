package collect

import (
	"context"
	"errors"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// startRepository reads the policy of the ECR repository of an image that was not pulled,
// where the repository is another account's. It is optional: the other account decides who
// may read it.
func (c *collector) startRepository(image snapshot.Image) {
	arn := image.RepositoryARN()
	if arn == "" {
		return
	}
	c.start("policy of repository", arn, func(ctx context.Context) error {
		if image.Registry.Account == c.identity().Account {
			return nil
		}
		document, err := c.answers.repositories.Get(ctx, arn, func(ctx context.Context) (string, error) {
			return c.aws.RepositoryPolicy(ctx, image.Registry.Region, image.Registry.Account, image.Repository)
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return c.missing(snapshot.FactRepositoryPolicies, arn, err)
		}
		c.write(func(s *snapshot.Snapshot) {
			put(&s.RepositoryPolicies, arn, snapshot.RepositoryPolicy{Document: document})
		})
		return nil
	})
}
