package collect

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Organization is the calls of AWS Organizations that Collect makes, with credentials of
// the management account or of a delegated administrator. Errors are as in AWS.
type Organization interface {
	// Organization returns the organization's id and its management account.
	Organization(ctx context.Context) (id, managementAccount string, err error)
	// Parent returns the id of the root or organizational unit that an account or unit is
	// in.
	Parent(ctx context.Context, child string) (string, error)
	// TargetPolicies returns the ids of the policies of a type, SERVICE_CONTROL_POLICY or
	// RESOURCE_CONTROL_POLICY, that are attached to a target.
	TargetPolicies(ctx context.Context, target, policyType string) ([]string, error)
	OrganizationPolicy(ctx context.Context, id string) (snapshot.OrganizationPolicy, error)
}

// ShareOrganization returns an Organization that asks another one for nothing twice, for any
// number of accounts: what limits a unit is asked once for all of its accounts. It may be used
// concurrently.
func ShareOrganization(api Organization) Organization { return &sharedOrganization{api: api} }

type sharedOrganization struct {
	api          Organization
	organization Memo[[2]string]
	parents      Memo[string]
	attached     Memo[[]string] // by target and type
	policies     Memo[snapshot.OrganizationPolicy]
}

// Organization implements Organization.
func (s *sharedOrganization) Organization(ctx context.Context) (id, managementAccount string, err error) {
	both, err := s.organization.Get(ctx, "", func(ctx context.Context) ([2]string, error) {
		id, management, err := s.api.Organization(ctx)
		return [2]string{id, management}, err
	})
	return both[0], both[1], err
}

// Parent implements Organization.
func (s *sharedOrganization) Parent(ctx context.Context, child string) (string, error) {
	return s.parents.Get(ctx, child, func(ctx context.Context) (string, error) { return s.api.Parent(ctx, child) })
}

// TargetPolicies implements Organization. The list is the caller's own.
func (s *sharedOrganization) TargetPolicies(ctx context.Context, target, policyType string) ([]string, error) {
	ids, err := s.attached.Get(ctx, target+" "+policyType, func(ctx context.Context) ([]string, error) { return s.api.TargetPolicies(ctx, target, policyType) })
	return slices.Clone(ids), err
}

// OrganizationPolicy implements Organization.
func (s *sharedOrganization) OrganizationPolicy(ctx context.Context, id string) (snapshot.OrganizationPolicy, error) {
	return s.policies.Get(ctx, id, func(ctx context.Context) (snapshot.OrganizationPolicy, error) {
		return s.api.OrganizationPolicy(ctx, id)
	})
}

// The types of policies that limit an account.
const (
	scpType = "SERVICE_CONTROL_POLICY"
	rcpType = "RESOURCE_CONTROL_POLICY"
)

// maxLevels is more levels than an organization can have: a root, five organizational
// units below each other, and the account.
// Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const maxLevels = 10

// startOrganization reads the policies that limit the cluster's account, where there are
// credentials for that.
func (c *collector) startOrganization(api Organization) {
	if api == nil {
		return
	}
	c.start("organization of", c.cluster, func(ctx context.Context) error {
		account := c.identity().Account
		if account == "" {
			return ctx.Err() // the run ended
		}
		organization, err := c.answers.organization.Get(ctx, account, func(ctx context.Context) (*snapshot.Organization, error) {
			return readOrganization(ctx, api, account)
		})
		if err != nil {
			return c.missing(snapshot.FactOrganization, "", err)
		}
		c.write(func(s *snapshot.Snapshot) { s.Organization = organization })
		return nil
	})
}

// readOrganization reads the policies as a whole or not at all: without one of them, what
// the others allow says nothing.
func readOrganization(ctx context.Context, api Organization, account string) (*snapshot.Organization, error) {
	id, management, err := api.Organization(ctx)
	if err != nil {
		return nil, err
	}
	o := &snapshot.Organization{ID: id, ManagementAccount: management}
	if account == management {
		return o, nil
	}
	target := account
	for range maxLevels {
		level := snapshot.OrganizationLevel{ID: target}
		if level.SCPs, err = readPolicies(ctx, api, o, target, scpType); err != nil {
			return nil, err
		}
		if level.RCPs, err = readPolicies(ctx, api, o, target, rcpType); err != nil {
			return nil, err
		}
		o.Levels = append(o.Levels, level)
		if isRoot(target) {
			slices.Reverse(o.Levels)
			return o, nil
		}
		if target, err = api.Parent(ctx, target); err != nil {
			return nil, err
		}
	}
	err = errors.New("the account has more levels above it than an organization can have")
	return nil, &CallError{Operation: "organizations:ListParents", Message: err.Error(), Err: err}
}

// isRoot reports whether an id is that of an organization's root.
// Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Root.html
func isRoot(id string) bool { return strings.HasPrefix(id, "r-") }

// readPolicies reads the policies of a target that o does not have yet, and returns the ids
// of all of them.
func readPolicies(ctx context.Context, api Organization, o *snapshot.Organization, target, policyType string) ([]string, error) {
	ids, err := api.TargetPolicies(ctx, target, policyType)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		if _, known := o.Policies[id]; known {
			continue
		}
		policy, err := api.OrganizationPolicy(ctx, id)
		if err != nil {
			return nil, err
		}
		put(&o.Policies, id, policy)
	}
	return ids, nil
}
