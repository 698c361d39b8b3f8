package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// startRole reads a role and everything that belongs to it, once. An empty ARN is no
// role.
func (c *collector) startRole(roleARN string) {
	if roleARN == "" {
		return
	}
	role, ok := snapshot.ParseARN(roleARN)
	if !ok || !isIAM(role, "role/") {
		c.unreadable(roleARN, fmt.Sprintf("%q is not the ARN of an IAM role", roleARN))
		return
	}
	if account := c.identity().Account; account != "" && role.Account != account {
		c.unreadable(roleARN, fmt.Sprintf("the role is in account %s, the cluster in %s: its policies can only be read with credentials of that account",
			role.Account, account))
		return
	}
	name := role.Name()
	parts := []struct {
		what string
		read func(ctx context.Context, arn, name string) error
	}{
		{"role", c.readRole},
		{"attached policies of", c.readAttachedPolicies},
		{"inline policies of", c.readInlinePolicies},
		{"instance profiles of", c.readRoleProfiles},
	}
	for _, part := range parts {
		c.start(part.what, roleARN, func(ctx context.Context) error { return part.read(ctx, roleARN, name) })
	}
	if len(c.simulate) > 0 {
		c.start("simulation of", roleARN, func(ctx context.Context) error { return c.readSimulation(ctx, roleARN) })
	}
	c.start("access entry of", roleARN, func(ctx context.Context) error { return c.readAccessEntry(ctx, roleARN) })
}

// isIAM reports whether an ARN names a thing in IAM of the kind that its resource
// begins with.
func isIAM(a snapshot.ARN, kind string) bool {
	return a.Service == "iam" && a.Account != "" && strings.HasPrefix(a.Resource, kind) && a.Name() != ""
}

// unreadable notes a role that cannot be asked for.
func (c *collector) unreadable(roleARN, why string) {
	c.start("role", roleARN, func(context.Context) error {
		c.note(snapshot.Missing{Fact: snapshot.FactRoles, Subject: roleARN, Operation: "iam:GetRole", Error: why})
		return nil
	})
}

// writeRole changes what is known of a role; different tasks know different
// parts of it.
func (c *collector) writeRole(roleARN string, change func(r *snapshot.Role)) {
	c.write(func(s *snapshot.Snapshot) {
		role := s.Roles[roleARN]
		change(&role)
		if role.NotFound {
			role = snapshot.Role{NotFound: true}
		}
		put(&s.Roles, roleARN, role)
	})
}

// namedRole and namedProfile are what IAM says of a name.
type (
	namedRole struct {
		arn   string
		facts snapshot.Role
	}
	namedProfile struct {
		arn   string
		facts snapshot.InstanceProfile
	}
)

// roleNamed, attachedTo and inlineOf ask IAM about a role by its name, which is unique in
// an account whatever the role's path is.
func (c *collector) roleNamed(ctx context.Context, name string) (string, snapshot.Role, error) {
	role, err := c.answers.roles.Get(ctx, name, func(ctx context.Context) (role namedRole, err error) {
		role.arn, role.facts, err = c.aws.Role(ctx, name)
		return role, err
	})
	return role.arn, role.facts, err
}

func (c *collector) attachedTo(ctx context.Context, role string) ([]string, error) {
	return c.answers.attached.Get(ctx, role, func(ctx context.Context) ([]string, error) { return c.aws.AttachedPolicies(ctx, role) })
}

func (c *collector) inlineOf(ctx context.Context, role string) ([]string, error) {
	return c.answers.inline.Get(ctx, role, func(ctx context.Context) ([]string, error) { return c.aws.InlinePolicies(ctx, role) })
}

func (c *collector) profileNamed(ctx context.Context, name string) (string, snapshot.InstanceProfile, error) {
	profile, err := c.answers.profiles.Get(ctx, name, func(ctx context.Context) (profile namedProfile, err error) {
		profile.arn, profile.facts, err = c.aws.InstanceProfile(ctx, name)
		return profile, err
	})
	return profile.arn, profile.facts, err
}

// iamName is what IAM allows for names of roles and instance profiles.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var iamName = text.Pattern(`^[A-Za-z0-9+=,.@_-]{1,128}$`)

func (c *collector) iamARN(resource string) string {
	id := c.identity()
	return strings.Join([]string{"arn", id.Partition, "iam", "", id.Account, resource}, ":")
}

// startNodeClasses follows the names in node classes to their roles.
func (c *collector) startNodeClasses(kind string, classes map[string]snapshot.NodeClass, keep func(s *snapshot.Snapshot, name string, class snapshot.NodeClass)) {
	for name, class := range classes {
		c.start(kind, name, func(ctx context.Context) error {
			if err := c.followRole(ctx, &class); err != nil {
				return err
			}
			if err := c.followProfile(ctx, &class); err != nil {
				return err
			}
			c.write(func(s *snapshot.Snapshot) { keep(s, name, class) })
			return nil
		})
	}
}

func (c *collector) followRole(ctx context.Context, class *snapshot.NodeClass) error {
	switch name := class.Role; {
	case name == "":
		return nil
	case strings.HasPrefix(name, "arn:"):
		if a, ok := snapshot.ParseARN(name); ok && isIAM(a, "role/") {
			class.RoleARN = name
		}
	case iamName().MatchString(name):
		c.readAhead([]string{name})
		arn, _, err := c.roleNamed(ctx, name)
		if err != nil {
			arn = c.iamARN("role/" + name) // startRole notes what went wrong
		}
		class.RoleARN = arn
	}
	c.startRole(class.RoleARN)
	return nil
}

func (c *collector) followProfile(ctx context.Context, class *snapshot.NodeClass) error {
	name := cmp.Or(class.InstanceProfile, class.StatusProfile)
	if a, ok := snapshot.ParseARN(name); ok && isIAM(a, "instance-profile/") {
		class.ProfileARN = name
		c.startProfile(name)
		return nil
	}
	if !iamName().MatchString(name) {
		return nil
	}
	arn, profile, err := c.profileNamed(ctx, name)
	if err != nil {
		arn = c.iamARN("instance-profile/" + name)
		if !errors.Is(err, ErrNotFound) {
			class.ProfileARN = arn
			return c.missing(snapshot.FactInstanceProfiles, arn, err)
		}
		profile = snapshot.InstanceProfile{NotFound: true}
	}
	class.ProfileARN = arn
	c.write(func(s *snapshot.Snapshot) { put(&s.InstanceProfiles, arn, profile) })
	for _, role := range profile.Roles {
		c.startRole(role)
	}
	return nil
}

// readOIDCProvider reads the account's OIDC provider of the cluster's issuer.
func (c *collector) readOIDCProvider(ctx context.Context, arn string) error {
	provider, err := c.answers.providers.Get(ctx, arn, func(ctx context.Context) (snapshot.OIDCProvider, error) {
		return c.aws.OIDCProvider(ctx, arn)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		provider = snapshot.OIDCProvider{NotFound: true}
	case err != nil:
		return c.missing(snapshot.FactOIDCProviders, arn, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.OIDCProviders, arn, provider) })
	return nil
}

// readClusterProviders reads which OIDC providers of EKS clusters the account has.
func (c *collector) readClusterProviders(ctx context.Context) error {
	arns, err := c.answers.allProviders.Get(ctx, "", c.aws.OIDCProviders)
	if err != nil {
		return c.missing(snapshot.FactClusterProviders, "", err)
	}
	found := &snapshot.ClusterProviders{}
	for _, arn := range arns {
		if strings.Contains(arn, ":oidc-provider/oidc.eks.") || strings.Contains(arn, ":oidc-provider/oidc-eks.") {
			found.ARNs = append(found.ARNs, arn)
		}
	}
	slices.Sort(found.ARNs)
	c.write(func(s *snapshot.Snapshot) { s.ClusterProviders = found })
	return nil
}

func notFound(r *snapshot.Role) { r.NotFound = true }

func (c *collector) readRole(ctx context.Context, roleARN, name string) error {
	found, role, err := c.roleNamed(ctx, name)
	if errors.Is(err, ErrNotFound) {
		c.writeRole(roleARN, notFound)
		return nil
	}
	if err != nil {
		return c.missing(snapshot.FactRoles, roleARN, err)
	}
	if found != roleARN {
		// IAM asks by name alone. A role of that name under another path is not
		// the role that this ARN names.
		c.writeRole(roleARN, notFound)
		return nil
	}
	c.writeRole(roleARN, func(r *snapshot.Role) {
		role.AttachedPolicies = r.AttachedPolicies
		role.InlinePolicies = r.InlinePolicies
		role.InstanceProfiles = r.InstanceProfiles
		role.NotFound = r.NotFound
		*r = role
	})
	c.startPolicy(role.PermissionsBoundary)
	return nil
}

func (c *collector) readAttachedPolicies(ctx context.Context, roleARN, name string) error {
	policies, err := c.attachedTo(ctx, name)
	if errors.Is(err, ErrNotFound) {
		c.writeRole(roleARN, notFound)
		return nil
	}
	if err == nil || len(policies) > 0 {
		c.writeRole(roleARN, func(r *snapshot.Role) { r.AttachedPolicies = policies })
	}
	for _, policy := range policies {
		c.startPolicy(policy)
	}
	return c.missing(snapshot.FactAttachedPolicies, roleARN, err)
}

func (c *collector) readInlinePolicies(ctx context.Context, roleARN, name string) error {
	policies, err := c.inlineOf(ctx, name)
	if errors.Is(err, ErrNotFound) {
		c.writeRole(roleARN, notFound)
		return nil
	}
	for _, policy := range policies {
		c.start("inline policy "+policy+" of", roleARN, func(ctx context.Context) error {
			return c.readInlinePolicy(ctx, roleARN, name, policy)
		})
	}
	return c.missing(snapshot.FactInlinePolicies, roleARN, err)
}

func (c *collector) readInlinePolicy(ctx context.Context, roleARN, role, name string) error {
	document, err := c.answers.documents.Get(ctx, role+"#"+name, func(ctx context.Context) (string, error) {
		return c.aws.InlinePolicy(ctx, role, name)
	})
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return c.missing(snapshot.FactInlinePolicies, roleARN+"#"+name, err)
	}
	c.writeRole(roleARN, func(r *snapshot.Role) { put(&r.InlinePolicies, name, document) })
	return nil
}

func (c *collector) readRoleProfiles(ctx context.Context, roleARN, name string) error {
	profiles, err := c.answers.roleProfiles.Get(ctx, name, func(ctx context.Context) (map[string]snapshot.InstanceProfile, error) {
		return c.aws.RoleProfiles(ctx, name)
	})
	if errors.Is(err, ErrNotFound) {
		c.writeRole(roleARN, notFound)
		return nil
	}
	// Asked by name, IAM may answer for a role of that name under another path.
	profiles = maps.Clone(profiles)
	maps.DeleteFunc(profiles, func(_ string, p snapshot.InstanceProfile) bool { return !slices.Contains(p.Roles, roleARN) })
	if len(profiles) > 0 {
		c.writeRole(roleARN, func(r *snapshot.Role) { r.InstanceProfiles = text.SortedKeys(profiles) })
		c.write(func(s *snapshot.Snapshot) {
			for profileARN, profile := range profiles {
				put(&s.InstanceProfiles, profileARN, profile)
			}
		})
	}
	return c.missing(snapshot.FactRoleProfiles, roleARN, err)
}

// readSimulation asks in one call about every action on every resource, and keeps
// the answers to what was asked. The simulator's rate is low and not published.
func (c *collector) readSimulation(ctx context.Context, roleARN string) error {
	var actions, resources []string
	for _, q := range c.simulate {
		actions, resources = append(actions, q.Action), append(resources, q.Resource)
	}
	c.simulating.Lock()
	defer c.simulating.Unlock()
	answers, err := c.aws.Simulate(ctx, roleARN, distinct(actions), distinct(resources))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return c.missing(snapshot.FactSimulations, roleARN, err)
	}
	answers = slices.DeleteFunc(answers, func(s snapshot.Simulation) bool {
		return !slices.Contains(c.simulate, Question{s.Action, s.Resource})
	})
	c.write(func(s *snapshot.Snapshot) { put(&s.Simulations, roleARN, answers) })
	return nil
}

func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// startPolicy reads a managed policy's default version, once. An empty ARN is
// no policy.
func (c *collector) startPolicy(policyARN string) {
	if policyARN == "" {
		return
	}
	c.start("policy", policyARN, func(ctx context.Context) error { return c.readPolicy(ctx, policyARN) })
}

func (c *collector) readPolicy(ctx context.Context, policyARN string) error {
	policy, err := c.policy(ctx, policyARN)
	if err != nil {
		return c.missing(snapshot.FactPolicies, policyARN, err)
	}
	c.write(func(s *snapshot.Snapshot) { put(&s.Policies, policyARN, policy) })
	return nil
}

// policy returns the default version of a managed policy. Which one that is, the page of
// attached policies says; IAM is asked about a policy that is not on it.
func (c *collector) policy(ctx context.Context, arn string) (snapshot.Policy, error) {
	return c.answers.policies.Get(ctx, arn, func(ctx context.Context) (snapshot.Policy, error) {
		versions, _ := c.policyVersions(ctx) // without them every policy is asked about
		if version := versions[arn]; version != "" {
			document, err := c.document(ctx, arn, version)
			if !errors.Is(err, ErrNotFound) {
				return snapshot.Policy{Version: version, Document: document}, err
			}
			// The default version has changed since the page was read.
		}
		version, err := c.aws.PolicyVersion(ctx, arn)
		if err != nil {
			return snapshot.Policy{}, err
		}
		document, err := c.document(ctx, arn, version)
		return snapshot.Policy{Version: version, Document: document}, err
	})
}

func (c *collector) document(ctx context.Context, arn, version string) (string, error) {
	return c.answers.document(ctx, arn, version, func(ctx context.Context) (string, error) {
		return c.aws.PolicyDocument(ctx, arn, version)
	})
}

// startProfile reads an instance profile and its role, unless a role that was
// read has already brought it. An empty ARN is not a profile.
func (c *collector) startProfile(profileARN string) {
	if profileARN == "" {
		return
	}
	c.start("instance profile", profileARN, func(ctx context.Context) error { return c.readProfile(ctx, profileARN) })
}

func (c *collector) readProfile(ctx context.Context, profileARN string) error {
	profile, known := c.knownProfile(profileARN)
	if !known {
		parsed, ok := snapshot.ParseARN(profileARN)
		if !ok || !isIAM(parsed, "instance-profile/") {
			c.note(snapshot.Missing{
				Fact: snapshot.FactInstanceProfiles, Subject: profileARN, Operation: "iam:GetInstanceProfile",
				Error: fmt.Sprintf("%q is not the ARN of an instance profile", profileARN),
			})
			return nil
		}
		var err error
		_, profile, err = c.profileNamed(ctx, parsed.Name())
		switch {
		case errors.Is(err, ErrNotFound):
			profile = snapshot.InstanceProfile{NotFound: true}
		case err != nil:
			return c.missing(snapshot.FactInstanceProfiles, profileARN, err)
		}
		c.write(func(s *snapshot.Snapshot) { put(&s.InstanceProfiles, profileARN, profile) })
	}
	for _, role := range profile.Roles {
		c.startRole(role)
	}
	return nil
}

func (c *collector) knownProfile(profileARN string) (snapshot.InstanceProfile, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	profile, known := c.snap.InstanceProfiles[profileARN]
	return profile, known
}
