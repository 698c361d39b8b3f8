package collect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// What is read ahead: before it is known whether a rule needs it, because it probably
// does and the run would wait for it later. Answers stay in memory until somebody asks.

// usualPolicies are AWS's managed policies that node roles usually have.
var usualPolicies = []string{
	"AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy",
	"AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryReadOnly",
	"AmazonEKS_CNI_Policy", "AmazonSSMManagedInstanceCore",
}

// readPolicyPage reads the default versions of the account's attached managed policies
// and, ahead, those of them that node roles usually have.
func (c *collector) readPolicyPage(ctx context.Context) error {
	versions, err := c.policyVersions(ctx)
	for policy := range versions {
		a, ok := snapshot.ParseARN(policy)
		if ok && a.Account == "aws" && slices.Contains(usualPolicies, a.Name()) {
			c.startAhead("policy", policy, func(ctx context.Context) error {
				_, err := c.policy(ctx, policy)
				return err
			})
		}
	}
	return ending(err)
}

// policyVersions returns the default versions of the managed policies that are attached in
// the account or permissions boundaries in it, as far as they are listed.
func (c *collector) policyVersions(ctx context.Context) (map[string]string, error) {
	return c.answers.versions.Get(ctx, "", func(ctx context.Context) (map[string]string, error) {
		var attached, boundaries map[string]string
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() (err error) {
			attached, err = c.aws.PolicyVersions(ctx)
			return err
		})
		group.Go(func() (err error) {
			boundaries, err = c.answers.boundaryPolicies.Get(ctx, "", c.aws.BoundaryPolicies)
			return err
		})
		if err := group.Wait(); err != nil {
			return nil, err
		}
		versions := maps.Clone(boundaries)
		if versions == nil {
			versions = map[string]string{}
		}
		maps.Copy(versions, attached)
		return versions, nil
	})
}

// maxPrincipals is with how many principals the roles that have access entries are read
// ahead. Where there are more, most of them are people and CI, and reading them all takes
// longer than what it saves.
const maxPrincipals = 8

// readPrincipals reads which principals have an access entry and, ahead, those of them
// that may be node roles.
func (c *collector) readPrincipals(ctx context.Context) error {
	principals, err := c.principals(ctx)
	var names, roles []string
	for _, principal := range principals {
		a, ok := snapshot.ParseARN(principal)
		if ok && isIAM(a, "role/") && a.Account == c.identity().Account && !ofService(a) {
			names, roles = append(names, a.Name()), append(roles, principal)
		}
	}
	if len(names) <= maxPrincipals {
		c.readAhead(names)
		for _, role := range roles {
			c.startOrphan(role)
		}
	}
	return ending(err)
}

// ofService reports whether a role is one that AWS makes for services and for the people of IAM
// Identity Center, which nodes cannot have.
func ofService(role snapshot.ARN) bool {
	return strings.HasPrefix(role.Resource, "role/aws-service-role/") || strings.HasPrefix(role.Resource, "role/aws-reserved/")
}

// startOrphan keeps the access entry of a role that was read ahead and does not exist,
// where the entry is one of nodes.
func (c *collector) startOrphan(roleARN string) {
	c.startAhead("access entry of a deleted role", roleARN, func(ctx context.Context) error {
		if _, _, err := c.roleNamed(ctx, snapshot.NameOf(roleARN)); !errors.Is(err, ErrNotFound) || !c.mayHaveEntries(ctx) {
			return err
		}
		entry, err := c.accessEntry(ctx, roleARN)
		if err == nil && strings.HasPrefix(entry.Type, "EC2") {
			c.writeRole(roleARN, notFound)
			c.write(func(s *snapshot.Snapshot) { put(&s.AccessEntries, roleARN, entry) })
		}
		return err
	})
}

// principals returns the principals that have an access entry.
func (c *collector) principals(ctx context.Context) ([]string, error) {
	return c.principalLists.Get(ctx, c.cluster, func(ctx context.Context) ([]string, error) {
		return c.aws.AccessEntries(ctx, c.cluster)
	})
}

// nodeUsername is how the user names begin to which aws-auth maps the roles of nodes.
const nodeUsername = "system:node:"

// readMappedAhead reads the roles that aws-auth maps as nodes.
func (c *collector) readMappedAhead(auth *snapshot.AWSAuth) {
	c.readAhead(c.mappedRoles(auth, func(m awsauth.Mapping) bool { return strings.HasPrefix(m.Username, nodeUsername) }))
}

// readProfileAhead reads an instance profile and its roles.
func (c *collector) readProfileAhead(profileARN string) {
	if a, ok := snapshot.ParseARN(profileARN); !ok || !isIAM(a, "instance-profile/") {
		return
	}
	c.startAhead("instance profile", snapshot.NameOf(profileARN), func(ctx context.Context) error {
		_, profile, err := c.profileNamed(ctx, snapshot.NameOf(profileARN))
		for _, role := range profile.Roles {
			c.readAhead([]string{snapshot.NameOf(role)})
		}
		return err
	})
}

// profilePage returns the account's instance profiles as far as one page has them. Without
// the permission for it, which check does not need otherwise, each profile is asked for.
func (c *collector) profilePage(ctx context.Context) (map[string]snapshot.InstanceProfile, error) {
	return c.answers.profilePage.Get(ctx, "", c.aws.ProfilePage)
}

// readListedProfile reads an instance profile that a group without instances names, by
// name or ARN, from the page: its role is then known one level earlier.
func (c *collector) readListedProfile(ctx context.Context, name string) error {
	page, err := c.profilePage(ctx)
	for arn, profile := range page {
		if arn == name || snapshot.NameOf(arn) == name {
			_, err := c.answers.profiles.Get(ctx, snapshot.NameOf(arn), func(context.Context) (namedProfile, error) {
				return namedProfile{arn, profile}, nil
			})
			return ending(err)
		}
	}
	return ending(err)
}

// readAhead reads of roles what their policies are found by.
func (c *collector) readAhead(roles []string) {
	for _, name := range roles {
		c.startAhead("role", name, func(ctx context.Context) error {
			_, _, err := c.roleNamed(ctx, name)
			return err
		})
		c.startAhead("attached policies of", name, func(ctx context.Context) error {
			_, err := c.attachedTo(ctx, name)
			return err
		})
		c.startAhead("inline policies of", name, func(ctx context.Context) error {
			_, err := c.inlineOf(ctx, name)
			return err
		})
	}
}

// startAhead starts a task whose refusal is nobody's business yet.
func (c *collector) startAhead(what, subject string, task func(context.Context) error) {
	c.start("ahead: "+what, subject, func(ctx context.Context) error { return ending(task(ctx)) })
}

// ending returns an error that ends the run, and nil for one that costs a fact which
// nobody has asked for.
func ending(err error) error {
	var call *CallError
	if errors.As(err, &call) {
		return nil
	}
	return err
}
