package collect

import (
	"context"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// readAddonPods reads the pods of add-ons that call AWS and, of those that use the node
// role's credentials, what their service accounts are configured with. It is optional.
func (c *collector) readAddonPods(ctx context.Context) error {
	err := c.kube.AddonPods(ctx, func(name string, pod snapshot.AddonPod) {
		c.write(func(s *snapshot.Snapshot) { put(&s.AddonPods, name, pod) })
		if pod.Credentials == snapshot.CredentialsNodeRole {
			namespace, _, _ := strings.Cut(name, "/")
			c.startAddonAccount(namespace, pod.ServiceAccount)
		}
	})
	return c.missingKube(snapshot.FactAddonPods, "", err)
}

// startAddonAccount reads the annotation and the Pod Identity associations of a service
// account.
func (c *collector) startAddonAccount(namespace, name string) {
	key := namespace + "/" + name
	c.startOnce("service account", key, func(ctx context.Context) error {
		role, err := c.kube.AccountRole(ctx, namespace, name)
		if err == nil {
			c.writeAddonAccount(key, func(a *snapshot.AddonAccount) { a.RoleARN = role })
		}
		return c.missingKube(snapshot.FactAddonAccounts, key, err)
	})
	c.start("Pod Identity associations of service account", key, func(ctx context.Context) error {
		ids, err := c.aws.PodIdentityAssociations(ctx, c.cluster, namespace, name)
		if err == nil {
			c.writeAddonAccount(key, func(a *snapshot.AddonAccount) { a.PodIdentityAssociations = ids })
		}
		return c.missing(snapshot.FactAddonAccounts, key, err)
	})
}

func (c *collector) writeAddonAccount(key string, change func(*snapshot.AddonAccount)) {
	c.write(func(s *snapshot.Snapshot) {
		account := s.AddonAccounts[key]
		change(&account)
		put(&s.AddonAccounts, key, account)
	})
}
