package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Changes is a client that also writes: it is a change.Store. Nothing but its
// Write sends a call that changes anything.
type Changes struct {
	*Client
	iam IAMWrites
	eks EKSWrites
	// pause is how long to wait before asking EKS again about a role that it does
	// not know yet, or about an add-on that it works on; settle is how long in all
	// for an add-on.
	pause, settle time.Duration
}

var _ change.Store = (*Changes)(nil)

// IAMWrites is the calls of AWS IAM that change something.
type IAMWrites interface {
	CreateRole(context.Context, *iam.CreateRoleInput, ...func(*iam.Options)) (*iam.CreateRoleOutput, error)
	DeleteRole(context.Context, *iam.DeleteRoleInput, ...func(*iam.Options)) (*iam.DeleteRoleOutput, error)
	AttachRolePolicy(context.Context, *iam.AttachRolePolicyInput, ...func(*iam.Options)) (*iam.AttachRolePolicyOutput, error)
	DetachRolePolicy(context.Context, *iam.DetachRolePolicyInput, ...func(*iam.Options)) (*iam.DetachRolePolicyOutput, error)
	PutRolePolicy(context.Context, *iam.PutRolePolicyInput, ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error)
	DeleteRolePolicy(context.Context, *iam.DeleteRolePolicyInput, ...func(*iam.Options)) (*iam.DeleteRolePolicyOutput, error)
	CreatePolicy(context.Context, *iam.CreatePolicyInput, ...func(*iam.Options)) (*iam.CreatePolicyOutput, error)
	DeletePolicy(context.Context, *iam.DeletePolicyInput, ...func(*iam.Options)) (*iam.DeletePolicyOutput, error)
	CreateInstanceProfile(context.Context, *iam.CreateInstanceProfileInput, ...func(*iam.Options)) (*iam.CreateInstanceProfileOutput, error)
	DeleteInstanceProfile(context.Context, *iam.DeleteInstanceProfileInput, ...func(*iam.Options)) (*iam.DeleteInstanceProfileOutput, error)
	AddRoleToInstanceProfile(context.Context, *iam.AddRoleToInstanceProfileInput, ...func(*iam.Options)) (*iam.AddRoleToInstanceProfileOutput, error)
	RemoveRoleFromInstanceProfile(context.Context, *iam.RemoveRoleFromInstanceProfileInput, ...func(*iam.Options)) (*iam.RemoveRoleFromInstanceProfileOutput, error)
	UpdateAssumeRolePolicy(context.Context, *iam.UpdateAssumeRolePolicyInput, ...func(*iam.Options)) (*iam.UpdateAssumeRolePolicyOutput, error)
	CreateOpenIDConnectProvider(context.Context, *iam.CreateOpenIDConnectProviderInput, ...func(*iam.Options)) (*iam.CreateOpenIDConnectProviderOutput, error)
	DeleteOpenIDConnectProvider(context.Context, *iam.DeleteOpenIDConnectProviderInput, ...func(*iam.Options)) (*iam.DeleteOpenIDConnectProviderOutput, error)
	AddClientIDToOpenIDConnectProvider(context.Context, *iam.AddClientIDToOpenIDConnectProviderInput, ...func(*iam.Options)) (*iam.AddClientIDToOpenIDConnectProviderOutput, error)
	RemoveClientIDFromOpenIDConnectProvider(context.Context, *iam.RemoveClientIDFromOpenIDConnectProviderInput, ...func(*iam.Options)) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error)
}

// EKSWrites is the calls of Amazon EKS that change something.
type EKSWrites interface {
	CreateAccessEntry(context.Context, *eks.CreateAccessEntryInput, ...func(*eks.Options)) (*eks.CreateAccessEntryOutput, error)
	DeleteAccessEntry(context.Context, *eks.DeleteAccessEntryInput, ...func(*eks.Options)) (*eks.DeleteAccessEntryOutput, error)
	AssociateAccessPolicy(context.Context, *eks.AssociateAccessPolicyInput, ...func(*eks.Options)) (*eks.AssociateAccessPolicyOutput, error)
	DisassociateAccessPolicy(context.Context, *eks.DisassociateAccessPolicyInput, ...func(*eks.Options)) (*eks.DisassociateAccessPolicyOutput, error)
	CreatePodIdentityAssociation(context.Context, *eks.CreatePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.CreatePodIdentityAssociationOutput, error)
	UpdatePodIdentityAssociation(context.Context, *eks.UpdatePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.UpdatePodIdentityAssociationOutput, error)
	DeletePodIdentityAssociation(context.Context, *eks.DeletePodIdentityAssociationInput, ...func(*eks.Options)) (*eks.DeletePodIdentityAssociationOutput, error)
	CreateAddon(context.Context, *eks.CreateAddonInput, ...func(*eks.Options)) (*eks.CreateAddonOutput, error)
	DeleteAddon(context.Context, *eks.DeleteAddonInput, ...func(*eks.Options)) (*eks.DeleteAddonOutput, error)
	UpdateAddon(context.Context, *eks.UpdateAddonInput, ...func(*eks.Options)) (*eks.UpdateAddonOutput, error)
}

// NewChanges returns a client that reads and writes; see New.
func NewChanges(ctx context.Context, cfg Config) (*Changes, error) {
	c, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return c.Writing(), nil
}

// Writing returns the client with its writes, for the same credentials.
func (c *Client) Writing() *Changes {
	return &Changes{Client: c, iam: c.iam.(*iamCalls), eks: c.eks.(*eksCalls), pause: 3 * time.Second, settle: 5 * time.Minute}
}

// Caller returns the ARN of the principal whose credentials are used.
func (c *Changes) Caller(ctx context.Context) (string, error) {
	const operation = "sts:GetCallerIdentity"
	out, err := call(ctx, c.Client, operation, func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
		return c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	})
	if err != nil {
		return "", err
	}
	arn, err := present(operation, out.Arn)
	if err != nil {
		return "", err
	}
	return *arn, nil
}

// State returns what is there now of what a change is made to; nil is absent.
func (c *Changes) State(ctx context.Context, ch change.Change) (*change.State, error) {
	state, err := c.state(ctx, ch)
	if errors.Is(err, collect.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ch, err)
	}
	return state, nil
}

func (c *Changes) state(ctx context.Context, ch change.Change) (*change.State, error) {
	switch ch.Kind {
	case change.Role:
		return c.roleState(ctx, ch.Name)
	case change.Attachment:
		attached, err := c.AttachedPolicies(ctx, ch.Name)
		return presentIf(slices.Contains(attached, ch.Part)), err
	case change.InlinePolicy:
		text, err := c.InlinePolicy(ctx, ch.Name, ch.Part)
		return &change.State{Document: text}, err
	case change.Policy:
		return c.policyState(ctx, ch.Name)
	case change.InstanceProfile, change.ProfileRole:
		return c.profileState(ctx, ch)
	case change.AccessEntry:
		return c.entryState(ctx, ch)
	case change.AccessPolicy:
		policies, err := c.AccessPolicies(ctx, ch.Cluster, ch.Name)
		namespaces, ok := policies[ch.Part]
		if !ok {
			return nil, err
		}
		return &change.State{Namespaces: namespaces}, err
	case change.TrustPolicy:
		_, role, err := c.Role(ctx, ch.Name)
		return &change.State{Document: role.TrustPolicy}, err
	case change.OIDCProvider:
		return c.providerState(ctx, ch.Name)
	case change.Association:
		_, state, err := c.association(ctx, ch)
		return state, err
	case change.Addon:
		_, err := c.Addon(ctx, ch.Cluster, ch.Name)
		return &change.State{}, err
	case change.AddonRole:
		now, err := c.addonRoles(ctx, ch)
		if err != nil {
			return nil, err
		}
		return now.state(ch.Part), nil
	default:
		return nil, fmt.Errorf("a change of kind %q cannot be read", ch.Kind)
	}
}

// entryState is read here: the facts about an access entry hold no tags.
func (c *Changes) entryState(ctx context.Context, ch change.Change) (*change.State, error) {
	const operation = "eks:DescribeAccessEntry"
	out, err := call(ctx, c.Client, operation, func(ctx context.Context) (*eks.DescribeAccessEntryOutput, error) {
		return c.Client.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	entry, err := present(operation, out.AccessEntry)
	if err != nil {
		return nil, err
	}
	state := &change.State{Type: aws.ToString(entry.Type), Tags: entry.Tags}
	if entry.CreatedAt != nil {
		state.CreatedAt = utc(entry.CreatedAt).Format(time.RFC3339)
	}
	if state.Type == change.Standard {
		state.Username, state.Groups = aws.ToString(entry.Username), entry.KubernetesGroups
	}
	return state, nil
}

func (c *Changes) providerState(ctx context.Context, arn string) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetOpenIDConnectProvider", func(ctx context.Context) (*iam.GetOpenIDConnectProviderOutput, error) {
		return c.Client.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	})
	if err != nil {
		return nil, err
	}
	return &change.State{ClientIDs: out.ClientIDList, Tags: tagMap(out.Tags)}, nil
}

// association returns the id and the state of a service account's association, and
// no state where it has none.
func (c *Changes) association(ctx context.Context, ch change.Change) (id string, state *change.State, err error) {
	namespace, name := ch.Namespaced()
	ids, err := c.PodIdentityAssociations(ctx, ch.Cluster, namespace, name)
	if err != nil || len(ids) == 0 {
		return "", nil, err
	}
	association, err := c.PodIdentityAssociation(ctx, ch.Cluster, ids[0])
	if err != nil {
		return "", nil, err
	}
	return ids[0], &change.State{Role: association.RoleARN}, nil
}

// addonRoles is the roles that an add-on gives.
type addonRoles struct {
	irsa string
	// associated are ARNs by service account.
	associated map[string]string
}

// addonRoles reads the roles that an add-on gives.
func (c *Changes) addonRoles(ctx context.Context, ch change.Change) (addonRoles, error) {
	addon, err := c.Addon(ctx, ch.Cluster, ch.Name)
	if err != nil {
		return addonRoles{}, err
	}
	roles := addonRoles{irsa: addon.ServiceAccountRoleARN, associated: map[string]string{}}
	for _, arn := range addon.PodIdentityAssociations {
		association, err := c.PodIdentityAssociation(ctx, ch.Cluster, snapshot.NameOf(arn))
		if errors.Is(err, collect.ErrNotFound) {
			continue // it went away in between
		}
		if err != nil {
			return addonRoles{}, err
		}
		roles.associated[association.ServiceAccount] = association.RoleARN
	}
	return roles, nil
}

// state is what the pods of a service account get: an association goes before
// IRSA.
func (r addonRoles) state(serviceAccount string) *change.State {
	if role, ok := r.associated[serviceAccount]; ok {
		return &change.State{Role: role, Type: change.PodIdentity}
	}
	if r.irsa != "" {
		return &change.State{Role: r.irsa, Type: change.IRSA}
	}
	return nil
}

func presentIf(there bool) *change.State {
	if !there {
		return nil
	}
	return &change.State{}
}

func (c *Changes) roleState(ctx context.Context, name string) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetRole", func(ctx context.Context) (*iam.GetRoleOutput, error) {
		return c.Client.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	})
	if err != nil {
		return nil, err
	}
	role, err := present("iam:GetRole", out.Role)
	if err != nil {
		return nil, err
	}
	state := &change.State{
		Document: document(aws.ToString(role.AssumeRolePolicyDocument)), Path: aws.ToString(role.Path),
		Description: aws.ToString(role.Description), Tags: tagMap(role.Tags),
	}
	if role.PermissionsBoundary != nil {
		state.Boundary = aws.ToString(role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	return state, nil
}

func (c *Changes) policyState(ctx context.Context, arn string) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetPolicy", func(ctx context.Context) (*iam.GetPolicyOutput, error) {
		return c.Client.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	})
	if err != nil {
		return nil, err
	}
	policy, err := present("iam:GetPolicy", out.Policy)
	if err != nil {
		return nil, err
	}
	text, err := c.PolicyDocument(ctx, arn, aws.ToString(policy.DefaultVersionId))
	if err != nil {
		return nil, err
	}
	return &change.State{Document: text, Path: aws.ToString(policy.Path), Description: aws.ToString(policy.Description), Tags: tagMap(policy.Tags)}, nil
}

func (c *Changes) profileState(ctx context.Context, ch change.Change) (*change.State, error) {
	out, err := call(ctx, c.Client, "iam:GetInstanceProfile", func(ctx context.Context) (*iam.GetInstanceProfileOutput, error) {
		return c.Client.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &ch.Name})
	})
	if err != nil {
		return nil, err
	}
	profile, err := present("iam:GetInstanceProfile", out.InstanceProfile)
	if err != nil {
		return nil, err
	}
	if ch.Kind == change.InstanceProfile {
		return &change.State{Path: aws.ToString(profile.Path), Tags: tagMap(profile.Tags)}, nil
	}
	if len(profile.Roles) == 0 {
		return nil, nil
	}
	return &change.State{Role: aws.ToString(profile.Roles[0].RoleName)}, nil
}

func tagMap(tags []iamtypes.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return m
}

func iamTags(tags map[string]string) []iamtypes.Tag {
	var list []iamtypes.Tag
	for k, v := range tags {
		list = append(list, iamtypes.Tag{Key: &k, Value: &v})
	}
	slices.SortFunc(list, func(a, b iamtypes.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return list
}

// optional is nil for an empty string, which the APIs take for a wrong value.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Write makes a change. Errors are those of reading: what was refused names the
// permission.
func (c *Changes) Write(ctx context.Context, ch change.Change) error {
	err := c.write(ctx, ch)
	// EKS learns of a new role some seconds after IAM has made it.
	for try := 0; try < 10 && roleNotKnownYet(ch.Kind, err); try++ {
		if err := c.wait(ctx); err != nil {
			return err
		}
		err = c.write(ctx, ch)
	}
	if err != nil {
		return fmt.Errorf("change %s: %w", ch, err)
	}
	return nil
}

// wait waits for the pause between two questions to EKS.
func (c *Changes) wait(ctx context.Context) error {
	select {
	case <-time.After(c.pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func roleNotKnownYet(kind change.Kind, err error) bool {
	var invalid *ekstypes.InvalidParameterException
	if !errors.As(err, &invalid) {
		return false
	}
	message := strings.ToLower(invalid.ErrorMessage())
	switch kind {
	case change.AccessEntry:
		return strings.Contains(message, "principal")
	case change.Association, change.AddonRole:
		return strings.Contains(message, "principal") || strings.Contains(message, "role")
	default:
		return false
	}
}

func (c *Changes) write(ctx context.Context, ch change.Change) error {
	made := ch.After != nil
	name, part := &ch.Name, &ch.Part
	switch ch.Kind {
	case change.Role:
		if !made {
			return do(ctx, c, "iam:DeleteRole", c.iam.DeleteRole, &iam.DeleteRoleInput{RoleName: name})
		}
		return do(ctx, c, "iam:CreateRole", c.iam.CreateRole, &iam.CreateRoleInput{
			RoleName: name, AssumeRolePolicyDocument: &ch.After.Document, Path: optional(ch.After.Path),
			Description: optional(ch.After.Description), PermissionsBoundary: optional(ch.After.Boundary), Tags: iamTags(ch.After.Tags),
		})
	case change.Attachment:
		if !made {
			return do(ctx, c, "iam:DetachRolePolicy", c.iam.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: part})
		}
		return do(ctx, c, "iam:AttachRolePolicy", c.iam.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: part})
	case change.InlinePolicy:
		if !made {
			return do(ctx, c, "iam:DeleteRolePolicy", c.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: part})
		}
		return do(ctx, c, "iam:PutRolePolicy", c.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: name, PolicyName: part, PolicyDocument: &ch.After.Document})
	case change.Policy:
		if !made {
			return do(ctx, c, "iam:DeletePolicy", c.iam.DeletePolicy, &iam.DeletePolicyInput{PolicyArn: name})
		}
		return do(ctx, c, "iam:CreatePolicy", c.iam.CreatePolicy, &iam.CreatePolicyInput{
			PolicyName: aws.String(snapshot.NameOf(ch.Name)), Path: optional(ch.After.Path), PolicyDocument: &ch.After.Document,
			Description: optional(ch.After.Description), Tags: iamTags(ch.After.Tags),
		})
	case change.InstanceProfile:
		if !made {
			return do(ctx, c, "iam:DeleteInstanceProfile", c.iam.DeleteInstanceProfile, &iam.DeleteInstanceProfileInput{InstanceProfileName: name})
		}
		return do(ctx, c, "iam:CreateInstanceProfile", c.iam.CreateInstanceProfile, &iam.CreateInstanceProfileInput{
			InstanceProfileName: name, Path: optional(ch.After.Path), Tags: iamTags(ch.After.Tags),
		})
	case change.ProfileRole:
		if !made {
			return do(ctx, c, "iam:RemoveRoleFromInstanceProfile", c.iam.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: &ch.Before.Role})
		}
		return do(ctx, c, "iam:AddRoleToInstanceProfile", c.iam.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: &ch.After.Role})
	case change.AccessEntry:
		if !made {
			return do(ctx, c, "eks:DeleteAccessEntry", c.eks.DeleteAccessEntry, &eks.DeleteAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: name})
		}
		in := &eks.CreateAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: name, Type: &ch.After.Type, Tags: ch.After.Tags}
		if ch.After.Type == change.Standard {
			in.Username, in.KubernetesGroups = optional(ch.After.Username), ch.After.Groups
		}
		return do(ctx, c, "eks:CreateAccessEntry", c.eks.CreateAccessEntry, in)
	case change.AccessPolicy:
		if !made {
			return do(ctx, c, "eks:DisassociateAccessPolicy", c.eks.DisassociateAccessPolicy, &eks.DisassociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: name, PolicyArn: part})
		}
		scope := &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster}
		if len(ch.After.Namespaces) > 0 {
			scope = &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: ch.After.Namespaces}
		}
		return do(ctx, c, "eks:AssociateAccessPolicy", c.eks.AssociateAccessPolicy, &eks.AssociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: name, PolicyArn: part, AccessScope: scope})
	case change.TrustPolicy:
		if !made {
			return errors.New("a role has a trust policy at all times")
		}
		return do(ctx, c, "iam:UpdateAssumeRolePolicy", c.iam.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: &ch.After.Document})
	case change.OIDCProvider:
		return c.writeProvider(ctx, ch)
	case change.Association:
		return c.writeAssociation(ctx, ch)
	case change.Addon:
		var err error
		if made {
			err = do(ctx, c, "eks:CreateAddon", c.eks.CreateAddon, &eks.CreateAddonInput{ClusterName: &ch.Cluster, AddonName: name})
		} else {
			err = do(ctx, c, "eks:DeleteAddon", c.eks.DeleteAddon, &eks.DeleteAddonInput{ClusterName: &ch.Cluster, AddonName: name})
		}
		if err != nil {
			return err
		}
		return c.settled(ctx, ch.Cluster, ch.Name, made)
	case change.AddonRole:
		return c.writeAddonRole(ctx, ch)
	default:
		return fmt.Errorf("a change of kind %q cannot be made", ch.Kind)
	}
}

func (c *Changes) writeProvider(ctx context.Context, ch change.Change) error {
	switch {
	case ch.After == nil:
		return do(ctx, c, "iam:DeleteOpenIDConnectProvider", c.iam.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name})
	case ch.Before == nil:
		return do(ctx, c, "iam:CreateOpenIDConnectProvider", c.iam.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{
			Url: aws.String(ch.ProviderURL()), ClientIDList: ch.After.ClientIDs, Tags: iamTags(ch.After.Tags),
		})
	}
	added, removed := ch.ClientIDs()
	for _, id := range added {
		err := do(ctx, c, "iam:AddClientIDToOpenIDConnectProvider", c.iam.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name, ClientID: &id})
		if err != nil {
			return err
		}
	}
	for _, id := range removed {
		err := do(ctx, c, "iam:RemoveClientIDFromOpenIDConnectProvider", c.iam.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &ch.Name, ClientID: &id})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Changes) writeAssociation(ctx context.Context, ch change.Change) error {
	if ch.Before == nil {
		namespace, name := ch.Namespaced()
		return do(ctx, c, "eks:CreatePodIdentityAssociation", c.eks.CreatePodIdentityAssociation, &eks.CreatePodIdentityAssociationInput{
			ClusterName: &ch.Cluster, Namespace: &namespace, ServiceAccount: &name, RoleArn: &ch.After.Role,
		})
	}
	id, state, err := c.association(ctx, ch)
	switch {
	case err != nil:
		return err
	case state == nil:
		return errors.New("there is none any more")
	case ch.After == nil:
		return do(ctx, c, "eks:DeletePodIdentityAssociation", c.eks.DeletePodIdentityAssociation, &eks.DeletePodIdentityAssociationInput{ClusterName: &ch.Cluster, AssociationId: &id})
	default:
		return do(ctx, c, "eks:UpdatePodIdentityAssociation", c.eks.UpdatePodIdentityAssociation, &eks.UpdatePodIdentityAssociationInput{ClusterName: &ch.Cluster, AssociationId: &id, RoleArn: &ch.After.Role})
	}
}

// writeAddonRole reads first what the add-on has: an update without its IRSA role
// takes that away, and one with associations takes all others away.
func (c *Changes) writeAddonRole(ctx context.Context, ch change.Change) error {
	now, err := c.addonRoles(ctx, ch)
	if err != nil {
		return err
	}
	associations := false
	switch {
	case ch.After != nil && ch.After.Type == change.PodIdentity:
		now.associated[ch.Part] = ch.After.Role
		associations = true
	case ch.Before != nil && ch.Before.Type == change.PodIdentity:
		delete(now.associated, ch.Part)
		associations = true
	}
	switch {
	case ch.After != nil && ch.After.Type == change.IRSA:
		now.irsa = ch.After.Role
	case ch.After == nil && ch.Before != nil && ch.Before.Type == change.IRSA:
		now.irsa = ""
	}
	in := &eks.UpdateAddonInput{
		ClusterName: &ch.Cluster, AddonName: &ch.Name, ServiceAccountRoleArn: optional(now.irsa), ResolveConflicts: ekstypes.ResolveConflictsPreserve,
	}
	if associations {
		in.PodIdentityAssociations = []ekstypes.AddonPodIdentityAssociations{}
		for _, account := range slices.Sorted(maps.Keys(now.associated)) {
			in.PodIdentityAssociations = append(in.PodIdentityAssociations, ekstypes.AddonPodIdentityAssociations{
				ServiceAccount: &account, RoleArn: aws.String(now.associated[account]),
			})
		}
	}
	if err := do(ctx, c, "eks:UpdateAddon", c.eks.UpdateAddon, in); err != nil {
		return err
	}
	return c.settled(ctx, ch.Cluster, ch.Name, true)
}

// settled waits until an add-on is active, or gone where it is not to stay.
func (c *Changes) settled(ctx context.Context, cluster, name string, stays bool) error {
	for deadline := time.Now().Add(c.settle); ; {
		addon, err := c.Addon(ctx, cluster, name)
		switch {
		case errors.Is(err, collect.ErrNotFound) && !stays:
			return nil
		case err != nil:
			return err
		}
		failed := false
		switch ekstypes.AddonStatus(addon.Status) {
		case ekstypes.AddonStatusActive:
			if stays {
				return nil
			}
		case ekstypes.AddonStatusCreateFailed, ekstypes.AddonStatusUpdateFailed, ekstypes.AddonStatusDegraded:
			failed = stays
		case ekstypes.AddonStatusDeleteFailed:
			failed = true
		default:
		}
		switch {
		case failed:
			return &change.FailedError{Reason: "it is " + addon.Status + issues(addon.Health)}
		case time.Now().Add(c.pause).After(deadline):
			return &change.FailedError{Reason: fmt.Sprintf("it is still %s after %s%s", addon.Status, c.settle, issues(addon.Health))}
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
	}
}

// issues is what EKS says of an add-on's health, to follow its status.
func issues(health []snapshot.HealthIssue) string {
	text, separator := "", ": "
	for _, issue := range health {
		text += separator + issue.Code
		separator = "; "
		if issue.Message != "" {
			text += ": " + collect.OneLine(issue.Message)
		}
		if len(issue.ResourceIDs) > 0 {
			text += " (" + strings.Join(issue.ResourceIDs, ", ") + ")"
		}
	}
	return text
}

// do makes one call whose answer says nothing that is needed.
func do[In, Out, Options any](ctx context.Context, c *Changes, operation string, send func(context.Context, *In, ...func(*Options)) (*Out, error), in *In) error {
	_, err := call(ctx, c.Client, operation, func(ctx context.Context) (*Out, error) { return send(ctx, in) })
	return err
}
