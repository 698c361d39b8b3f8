package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// AWSAuth returns the ConfigMap aws-auth, or nil where there is none.
func (c *Client) AWSAuth(ctx context.Context) (*snapshot.AWSAuth, error) {
	m, err := c.configMaps.Get(quiet(ctx), authName, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getConfigMap, err)
	}
	return &snapshot.AWSAuth{MapRoles: m.Data[mapRoles]}, nil
}
