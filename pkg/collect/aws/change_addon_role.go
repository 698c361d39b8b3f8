package aws

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

var addonRoleKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		roles, err := c.addonRoles(ctx, ch)
		if err != nil {
			return nil, err
		}
		return roles.state(ch.Part), nil
	},
	write:       (*Changes).writeAddonRole,
	unknownRole: []string{"principal", "role"},
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
