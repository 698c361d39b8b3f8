package collect

import (
	"context"
	"errors"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// startClusterRole reads the cluster's own role and its policies. They are optional: what
// cannot be read of them is FactClusterRole, whichever call it was.
func (c *collector) startClusterRole(roleARN string) {
	role, ok := snapshot.ParseARN(roleARN)
	if !ok || !isIAM(role, "role/") {
		return
	}
	name := role.Name()
	for what, read := range map[string]func(ctx context.Context, arn, name string) error{
		"cluster role": c.readClusterRole, "attached policies of cluster role": c.readClusterPolicies, "inline policies of cluster role": c.readClusterInline,
	} {
		c.start(what, roleARN, func(ctx context.Context) error { return read(ctx, roleARN, name) })
	}
}

func (c *collector) readClusterRole(ctx context.Context, roleARN, name string) error {
	found, role, err := c.roleNamed(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && found != roleARN:
		c.writeRole(roleARN, notFound)
		return nil
	case err != nil:
		return c.missing(snapshot.FactClusterRole, roleARN, err)
	}
	c.writeRole(roleARN, func(r *snapshot.Role) {
		role.AttachedPolicies, role.InlinePolicies, role.InstanceProfiles, role.NotFound = r.AttachedPolicies, r.InlinePolicies, r.InstanceProfiles, r.NotFound
		*r = role
	})
	c.startClusterPolicy(role.PermissionsBoundary)
	return nil
}

func (c *collector) readClusterPolicies(ctx context.Context, roleARN, name string) error {
	policies, err := c.attachedTo(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil // readClusterRole says so
	}
	if len(policies) > 0 {
		c.writeRole(roleARN, func(r *snapshot.Role) { r.AttachedPolicies = policies })
	}
	for _, policy := range policies {
		c.startClusterPolicy(policy)
	}
	return c.missing(snapshot.FactClusterRole, roleARN, err)
}

func (c *collector) readClusterInline(ctx context.Context, roleARN, name string) error {
	policies, err := c.inlineOf(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil // readClusterRole says so
	}
	for _, policy := range policies {
		c.start("inline policy "+policy+" of cluster role", roleARN, func(ctx context.Context) error {
			document, err := c.answers.documents.Get(ctx, name+"#"+policy, func(ctx context.Context) (string, error) {
				return c.aws.InlinePolicy(ctx, name, policy)
			})
			if errors.Is(err, ErrNotFound) {
				return nil // deleted since it was listed
			}
			if err != nil {
				return c.missing(snapshot.FactClusterRole, roleARN+"#"+policy, err)
			}
			c.writeRole(roleARN, func(r *snapshot.Role) { put(&r.InlinePolicies, policy, document) })
			return nil
		})
	}
	return c.missing(snapshot.FactClusterRole, roleARN, err)
}

// startClusterPolicy reads a managed policy of the cluster role; a node role that has it
// too reads it on its own account, with one call for both. An empty ARN is not a policy.
func (c *collector) startClusterPolicy(policyARN string) {
	if policyARN == "" {
		return
	}
	c.start("policy of cluster role", policyARN, func(ctx context.Context) error {
		policy, err := c.policy(ctx, policyARN)
		if err != nil {
			return c.missing(snapshot.FactClusterRole, policyARN, err)
		}
		c.write(func(s *snapshot.Snapshot) { put(&s.Policies, policyARN, policy) })
		return nil
	})
}
