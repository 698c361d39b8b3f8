package collect

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Details are what IAM says at once of all roles of an account and of its own managed
// policies.
type Details struct {
	// Roles are by name.
	Roles map[string]RoleDetails
	// Policies are the default versions by ARN.
	Policies map[string]snapshot.Policy
}

// RoleDetails is a role. Its permissions boundary is not in the details.
type RoleDetails struct {
	ARN string
	// Facts are all of Role but the boundary and the instance profiles, which are Profiles.
	Facts    snapshot.Role
	Profiles map[string]snapshot.InstanceProfile // by ARN
	// LastUsed is when the role was last used, the zero time where IAM has seen no use; nil
	// where the details do not say.
	LastUsed *time.Time
}

// BulkWins reports whether it takes less time to read all roles of an account at once than to
// read each of some of them. Each takes a seventh of a second of IAM's budgets; a page of two
// hundred is assumed to take two seconds.
func BulkWins(some, all int) bool { return some > 50 && some*100 > all*7 }

// bulkAWS answers what the details of the account contain, and asks AWS for the rest: for
// everything where the details or the boundaries were refused.
type bulkAWS struct {
	AWS
	answers *Answers
}

// details returns the details with the boundaries, nil where they could not be read. An error
// that ends the run is also that of the call that is then made.
func (b bulkAWS) details(ctx context.Context) *Details {
	details, err := b.answers.details.Get(ctx, "", func(ctx context.Context) (*Details, error) {
		var details *Details
		var boundaries map[string]string
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() (err error) {
			details, err = b.Details(ctx)
			return err
		})
		group.Go(func() (err error) {
			boundaries, err = b.boundaries(ctx)
			return err
		})
		if err := group.Wait(); err != nil {
			return nil, err
		}
		for name, policy := range boundaries {
			if role, known := details.Roles[name]; known {
				role.Facts.PermissionsBoundary = policy
				details.Roles[name] = role
			}
		}
		return details, nil
	})
	if err != nil {
		return nil
	}
	return details
}

// boundaries returns the permissions boundaries of the account's roles by the role's name.
func (b bulkAWS) boundaries(ctx context.Context) (map[string]string, error) {
	policies, err := b.answers.boundaryPolicies.Get(ctx, "", b.BoundaryPolicies)
	if err != nil {
		return nil, err
	}
	boundaries := map[string]string{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for policy := range policies {
		group.Go(func() error {
			names, err := b.BoundaryRoles(ctx, policy)
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				boundaries[name] = policy
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return boundaries, nil
}

// startBulk reads the details before a role is known, where they are read.
func (c *collector) startBulk() {
	if bulk, ok := c.aws.(bulkAWS); ok {
		c.startAhead("roles and policies of the account of", c.cluster, func(ctx context.Context) error {
			bulk.details(ctx)
			return nil
		})
	}
}

// role returns the details of a role. One that was created since they were read has none.
func (b bulkAWS) role(ctx context.Context, name string) (RoleDetails, bool) {
	details := b.details(ctx)
	if details == nil {
		return RoleDetails{}, false
	}
	role, known := details.Roles[name]
	return role, known
}

// Role implements AWS.
func (b bulkAWS) Role(ctx context.Context, name string) (string, snapshot.Role, error) {
	role, known := b.role(ctx, name)
	if !known {
		return b.AWS.Role(ctx, name)
	}
	facts := role.Facts
	facts.AttachedPolicies, facts.InlinePolicies = nil, nil
	return role.ARN, facts, nil
}

// AttachedPolicies implements AWS.
func (b bulkAWS) AttachedPolicies(ctx context.Context, name string) ([]string, error) {
	if role, known := b.role(ctx, name); known {
		return role.Facts.AttachedPolicies, nil
	}
	return b.AWS.AttachedPolicies(ctx, name)
}

// InlinePolicies implements AWS.
func (b bulkAWS) InlinePolicies(ctx context.Context, name string) ([]string, error) {
	role, known := b.role(ctx, name)
	if !known {
		return b.AWS.InlinePolicies(ctx, name)
	}
	var names []string
	for policy := range role.Facts.InlinePolicies {
		names = append(names, policy)
	}
	return names, nil
}

// InlinePolicy implements AWS.
func (b bulkAWS) InlinePolicy(ctx context.Context, name, policy string) (string, error) {
	role, _ := b.role(ctx, name)
	if document, known := role.Facts.InlinePolicies[policy]; known {
		return document, nil
	}
	return b.AWS.InlinePolicy(ctx, name, policy)
}

// RoleProfiles implements AWS.
func (b bulkAWS) RoleProfiles(ctx context.Context, name string) (map[string]snapshot.InstanceProfile, error) {
	if role, known := b.role(ctx, name); known {
		return role.Profiles, nil
	}
	return b.AWS.RoleProfiles(ctx, name)
}

// InstanceProfile implements AWS. The details have the profiles that contain a role.
func (b bulkAWS) InstanceProfile(ctx context.Context, name string) (string, snapshot.InstanceProfile, error) {
	if details := b.details(ctx); details != nil {
		for _, role := range details.Roles {
			for arn, profile := range role.Profiles {
				if snapshot.NameOf(arn) == name {
					return arn, profile, nil
				}
			}
		}
	}
	return b.AWS.InstanceProfile(ctx, name)
}

// policy returns the default version of one of the account's own managed policies.
func (b bulkAWS) policy(ctx context.Context, arn string) (snapshot.Policy, bool) {
	details := b.details(ctx)
	if details == nil {
		return snapshot.Policy{}, false
	}
	policy, known := details.Policies[arn]
	return policy, known
}

// PolicyVersion implements AWS.
func (b bulkAWS) PolicyVersion(ctx context.Context, arn string) (string, error) {
	if policy, known := b.policy(ctx, arn); known {
		return policy.Version, nil
	}
	return b.AWS.PolicyVersion(ctx, arn)
}

// PolicyDocument implements AWS.
func (b bulkAWS) PolicyDocument(ctx context.Context, arn, version string) (string, error) {
	if policy, known := b.policy(ctx, arn); known && policy.Version == version {
		return policy.Document, nil
	}
	return b.AWS.PolicyDocument(ctx, arn, version)
}
