package aws

import (
	"context"
	"errors"
	"fmt"
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
)

// Changes is a client that also writes: it is a change.Store. Nothing but its
// Write sends a call that changes anything.
type Changes struct {
	*Client
	iam IAMWrites
	eks EKSWrites
	// pollInterval is how long to wait before asking EKS again about a role that it does
	// not know yet, or about an add-on that it works on; settle is how long in all
	// for an add-on.
	pollInterval, settle time.Duration
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
	return &Changes{Client: c, iam: c.iam.(*iamCalls), eks: c.eks.(*eksCalls), pollInterval: 3 * time.Second, settle: 5 * time.Minute}
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

// changeKind is how changes of one kind are read and written. A kind has a file of its
// own.
type changeKind struct {
	// read returns the state, or an error that wraps collect.ErrNotFound, or nil where
	// there is none.
	read func(*Changes, context.Context, change.Change) (*change.State, error)
	// write makes the change without reading the state first.
	write func(*Changes, context.Context, change.Change) error
	// unknownRole are words of EKS's refusal of a role that it does not find yet; none
	// for a kind whose calls name no role.
	unknownRole []string
}

// changeKinds is the table of the kinds that AWS has.
var changeKinds = map[change.Kind]changeKind{
	change.Role:            roleKind,
	change.Attachment:      attachmentKind,
	change.InlinePolicy:    inlinePolicyKind,
	change.Policy:          policyKind,
	change.InstanceProfile: instanceProfileKind,
	change.ProfileRole:     profileRoleKind,
	change.AccessEntry:     accessEntryKind,
	change.AccessPolicy:    accessPolicyKind,
	change.TrustPolicy:     trustPolicyKind,
	change.OIDCProvider:    oidcProviderKind,
	change.Association:     associationKind,
	change.Addon:           addonKind,
	change.AddonRole:       addonRoleKind,
}

// roleUnknown reports whether an error is EKS's refusal of a role that it may find in
// some seconds.
func (k changeKind) roleUnknown(err error) bool {
	var invalid *ekstypes.InvalidParameterException
	if !errors.As(err, &invalid) {
		return false
	}
	message := strings.ToLower(invalid.ErrorMessage())
	return slices.ContainsFunc(k.unknownRole, func(word string) bool { return strings.Contains(message, word) })
}

// State returns the state of what a change is about; nil is absent.
func (c *Changes) State(ctx context.Context, ch change.Change) (*change.State, error) {
	kind, ok := changeKinds[ch.Kind]
	if !ok {
		return nil, fmt.Errorf("read %s: changes of kind %q are not made in AWS", ch, ch.Kind)
	}
	state, err := kind.read(c, ctx, ch)
	if errors.Is(err, collect.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ch, err)
	}
	return state, nil
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
	kind, ok := changeKinds[ch.Kind]
	if !ok {
		return fmt.Errorf("change %s: changes of kind %q are not made in AWS", ch, ch.Kind)
	}
	err := kind.write(c, ctx, ch)
	// EKS learns of a new role some seconds after IAM has created it.
	for try := 0; try < 10 && kind.roleUnknown(err); try++ {
		if err := c.wait(ctx); err != nil {
			return err
		}
		err = kind.write(c, ctx, ch)
	}
	if err != nil {
		return fmt.Errorf("change %s: %w", ch, err)
	}
	return nil
}

// wait waits for the pause between two questions to EKS.
func (c *Changes) wait(ctx context.Context) error {
	select {
	case <-time.After(c.pollInterval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do makes one call whose answer says nothing that is needed.
func do[In, Out, Options any](ctx context.Context, c *Changes, operation string, send func(context.Context, *In, ...func(*Options)) (*Out, error), in *In) error {
	_, err := call(ctx, c.Client, operation, func(ctx context.Context) (*Out, error) { return send(ctx, in) })
	return err
}
