package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var associationKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		_, state, err := c.association(ctx, ch)
		return state, err
	},
	write:       (*Changes).writeAssociation,
	unknownRole: []string{"principal", "role"},
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
		return errors.New("it no longer exists")
	case ch.After == nil:
		return do(ctx, c, "eks:DeletePodIdentityAssociation", c.eks.DeletePodIdentityAssociation, &eks.DeletePodIdentityAssociationInput{ClusterName: &ch.Cluster, AssociationId: &id})
	default:
		return do(ctx, c, "eks:UpdatePodIdentityAssociation", c.eks.UpdatePodIdentityAssociation, &eks.UpdatePodIdentityAssociationInput{ClusterName: &ch.Cluster, AssociationId: &id, RoleArn: &ch.After.Role})
	}
}
