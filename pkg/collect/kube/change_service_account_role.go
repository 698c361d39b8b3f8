package kube

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

var serviceAccountRoleKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		account, err := c.account(ctx, ch)
		if err != nil {
			return nil, err
		}
		return accountState(account), nil
	},
	write: (*Changes).writeAccount,
}

func (c *Changes) account(ctx context.Context, ch change.Change) (*corev1.ServiceAccount, error) {
	_, name := ch.Namespaced()
	account, err := c.serviceAccounts.Get(quiet(ctx), name, metav1.GetOptions{})
	if err != nil {
		return nil, c.explain(ctx, getServiceAccount, err)
	}
	return account, nil
}

func accountState(account *corev1.ServiceAccount) *change.State {
	if role := account.Annotations[annotationRoleARN]; role != "" {
		return &change.State{Role: role}
	}
	return nil
}

// writeAccount annotates a service account, unless its annotation has changed.
func (c *Changes) writeAccount(ctx context.Context, ch change.Change) error {
	account, err := c.account(ctx, ch)
	if err != nil {
		return err
	}
	if found := accountState(account); !ch.AppliesTo(found) {
		return &change.ConflictError{Change: ch, Found: found}
	}
	var value any // null takes the annotation away
	if ch.After != nil {
		value = ch.After.Role
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": account.ResourceVersion, "annotations": map[string]any{annotationRoleARN: value},
	}})
	if err != nil {
		return err
	}
	if _, err = c.serviceAccounts.Patch(quiet(ctx), account.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return c.explain(ctx, patchServiceAccount, err)
	}
	return nil
}
