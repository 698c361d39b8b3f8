package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var accessPolicyKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		policies, err := c.AccessPolicies(ctx, ch.Cluster, ch.Name)
		namespaces, ok := policies[ch.Part]
		if err != nil || !ok {
			return nil, err
		}
		return &change.State{Namespaces: namespaces}, nil
	},
	write: func(c *Changes, ctx context.Context, ch change.Change) error {
		if ch.After == nil {
			return do(ctx, c, "eks:DisassociateAccessPolicy", c.eks.DisassociateAccessPolicy, &eks.DisassociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name, PolicyArn: &ch.Part})
		}
		scope := &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster}
		if len(ch.After.Namespaces) > 0 {
			scope = &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: ch.After.Namespaces}
		}
		return do(ctx, c, "eks:AssociateAccessPolicy", c.eks.AssociateAccessPolicy, &eks.AssociateAccessPolicyInput{ClusterName: &ch.Cluster, PrincipalArn: &ch.Name, PolicyArn: &ch.Part, AccessScope: scope})
	},
}
