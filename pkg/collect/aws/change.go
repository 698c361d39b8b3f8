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
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// Changes is a client that also writes: it is a change.Store. Nothing but its
// Write sends a call that changes anything.
type Changes struct {
	*Client
	iam IAMWrites
	eks EKSWrites
	// pause is how long to wait before asking EKS again about a role that it does
	// not know yet.
	pause time.Duration
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
}

// EKSWrites is the calls of Amazon EKS that change something.
type EKSWrites interface {
	CreateAccessEntry(context.Context, *eks.CreateAccessEntryInput, ...func(*eks.Options)) (*eks.CreateAccessEntryOutput, error)
	DeleteAccessEntry(context.Context, *eks.DeleteAccessEntryInput, ...func(*eks.Options)) (*eks.DeleteAccessEntryOutput, error)
	AssociateAccessPolicy(context.Context, *eks.AssociateAccessPolicyInput, ...func(*eks.Options)) (*eks.AssociateAccessPolicyOutput, error)
	DisassociateAccessPolicy(context.Context, *eks.DisassociateAccessPolicyInput, ...func(*eks.Options)) (*eks.DisassociateAccessPolicyOutput, error)
}

// NewChanges returns a client that reads and writes; see New.
func NewChanges(ctx context.Context, cfg Config) (*Changes, error) {
	c, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Changes{Client: c, iam: c.iam.(*iam.Client), eks: c.eks.(*eks.Client), pause: 3 * time.Second}, nil
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
		entry, err := c.AccessEntry(ctx, ch.Cluster, ch.Name)
		return &change.State{Type: entry.Type}, err
	case change.AccessPolicy:
		policies, err := c.AccessPolicies(ctx, ch.Cluster, ch.Name)
		namespaces, ok := policies[ch.Part]
		if !ok {
			return nil, err
		}
		return &change.State{Namespaces: namespaces}, err
	default:
		return nil, fmt.Errorf("a change of kind %q cannot be read", ch.Kind)
	}
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
	for try := 0; try < 10 && ch.Kind == change.AccessEntry && roleNotKnownYet(err); try++ {
		select {
		case <-time.After(c.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = c.write(ctx, ch)
	}
	if err != nil {
		return fmt.Errorf("change %s: %w", ch, err)
	}
	return nil
}

func roleNotKnownYet(err error) bool {
	var invalid *ekstypes.InvalidParameterException
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.ErrorMessage()), "principal")
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
		return do(ctx, c, "eks:CreateAccessEntry", c.eks.CreateAccessEntry, &eks.CreateAccessEntryInput{ClusterName: &ch.Cluster, PrincipalArn: name, Type: &ch.After.Type, Tags: ch.After.Tags})
	case change.AccessPolicy:
		if !made {
			return do(ctx, c, "eks:DisassociateAccessPolicy", c.eks.DisassociateAccessPolicy, &eks.DisassociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: name, PolicyArn: part})
		}
		scope := &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster}
		if len(ch.After.Namespaces) > 0 {
			scope = &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: ch.After.Namespaces}
		}
		return do(ctx, c, "eks:AssociateAccessPolicy", c.eks.AssociateAccessPolicy, &eks.AssociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: name, PolicyArn: part, AccessScope: scope})
	default:
		return fmt.Errorf("a change of kind %q cannot be made", ch.Kind)
	}
}

// do makes one call whose answer says nothing that is needed.
func do[In, Out, Options any](ctx context.Context, c *Changes, operation string, send func(context.Context, *In, ...func(*Options)) (*Out, error), in *In) error {
	_, err := call(ctx, c.Client, operation, func(ctx context.Context) (*Out, error) { return send(ctx, in) })
	return err
}
