package collect

import (
	"context"
	"errors"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// startRepository reads what decides about an image that was not pulled from a private
// registry of ECR, besides the policies of the node role. All of it is optional: of another
// account's repository, the other account decides who may read it.
func (c *collector) startRepository(image snapshot.Image) {
	arn := image.RepositoryARN()
	if arn == "" {
		return
	}
	c.start("policy of repository", arn, func(ctx context.Context) error {
		if image.Registry.Account != c.identity().Account {
			return c.readRepository(ctx, arn, image)
		}
		registry, err := c.readRegistry(ctx, image.Registry)
		if prefix, _ := registry.CacheRule(image.Repository); prefix == "" || err != nil {
			return err
		}
		return c.readRepository(ctx, arn, image)
	})
}

// readRepository reads the policy of a repository.
func (c *collector) readRepository(ctx context.Context, arn string, image snapshot.Image) error {
	policy, err := c.answers.repositories.Get(ctx, arn, func(ctx context.Context) (snapshot.RepositoryPolicy, error) {
		return c.aws.RepositoryPolicy(ctx, image.Registry.Region, image.Registry.Account, image.Repository)
	})
	if policy.NotFound && image.Registry.Account != c.identity().Account {
		err = &CallError{Operation: "ecr:GetRepositoryPolicy", Message: "there is no such repository", Err: ErrNotFound}
	}
	if err != nil {
		return c.missing(snapshot.FactRepositoryPolicies, arn, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.RepositoryPolicies, arn, policy) })
	return nil
}

// readRegistry reads a registry of the account: its rules for a pull-through cache and its
// permissions.
func (c *collector) readRegistry(ctx context.Context, at snapshot.ECRRegistry) (snapshot.Registry, error) {
	registry, err := c.answers.registries.Get(ctx, at.Region, func(ctx context.Context) (snapshot.Registry, error) {
		return c.aws.Registry(ctx, at.Region, at.Account)
	})
	var call *CallError
	switch {
	case errors.As(err, &call):
		return snapshot.Registry{}, c.missing(snapshot.FactRegistries, at.Region, err)
	case err != nil:
		return snapshot.Registry{}, err
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.Registries, at.Region, registry) })
	return registry, nil
}
