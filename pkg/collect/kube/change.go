package kube

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
)

// The calls that change something, and those for the lock of the cluster, which are their own names for the permission
// that they need.
const (
	createConfigMap     = "create configmaps in " + namespace
	updateConfigMap     = "update configmaps in " + namespace
	patchServiceAccount = "patch serviceaccounts in " + namespace
	patchDaemonSet      = "patch daemonsets.apps in " + namespace
	getLease            = "get leases.coordination.k8s.io in " + namespace
	createLease         = "create leases.coordination.k8s.io in " + namespace
	updateLease         = "update leases.coordination.k8s.io in " + namespace
)

// Changes is a client that also writes: it is a change.Store for what is in the
// cluster. Nothing but its Write sends a request that changes anything.
type Changes struct {
	*Client
	configMaps      configMapWriter
	serviceAccounts serviceAccountPatcher
	daemonSets      daemonSetPatcher
	leases          leaseWriter
	// pollInterval is the time between two reads of a rollout, stallTimeout how long it may make no progress.
	pollInterval, stallTimeout time.Duration
	// now is the time that a restart is marked with.
	now func() time.Time
}

var _ change.Store = (*Changes)(nil)

// The calls of client-go that change something.
type (
	configMapWriter interface {
		configMapGetter
		Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)
		Update(context.Context, *corev1.ConfigMap, metav1.UpdateOptions) (*corev1.ConfigMap, error)
	}
	serviceAccountPatcher interface {
		serviceAccountGetter
		Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*corev1.ServiceAccount, error)
	}
	daemonSetPatcher interface {
		daemonSetGetter
		Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*appsv1.DaemonSet, error)
	}
)

// Writing returns the client with its writes.
func (c *Client) Writing() *Changes {
	return &Changes{
		Client: c, configMaps: c.configMaps.(configMapWriter), serviceAccounts: c.serviceAccounts.(serviceAccountPatcher), daemonSets: c.daemonSets.(daemonSetPatcher), leases: c.leases,
		pollInterval: 2 * time.Second, stallTimeout: 5 * time.Minute, now: time.Now,
	}
}

// changeKind is how changes of one kind are read and written. A kind has a file of its
// own.
type changeKind struct {
	// read returns the state, nil where there is none.
	read func(*Changes, context.Context, change.Change) (*change.State, error)
	// write makes the change. It refuses a state that the change does not apply to.
	write func(*Changes, context.Context, change.Change) error
}

// changeKinds is the table of the kinds that a cluster has.
var changeKinds = map[change.Kind]changeKind{
	change.AuthRole:           authRoleKind,
	change.ServiceAccountRole: serviceAccountRoleKind,
	change.Rollout:            rolloutKind,
}

// State returns the state of what a change is about; nil is absent.
func (c *Changes) State(ctx context.Context, ch change.Change) (*change.State, error) {
	kind, ok := changeKinds[ch.Kind]
	if !ok {
		return nil, fmt.Errorf("read %s: changes of kind %q are not the cluster's", ch, ch.Kind)
	}
	state, err := kind.read(c, ctx, ch)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ch, err)
	}
	return state, nil
}

// Write makes a change. Errors are those of reading: what was refused names the
// permission.
func (c *Changes) Write(ctx context.Context, ch change.Change) error {
	kind, ok := changeKinds[ch.Kind]
	if !ok {
		return fmt.Errorf("change %s: changes of kind %q are not the cluster's", ch, ch.Kind)
	}
	if err := kind.write(c, ctx, ch); err != nil {
		return fmt.Errorf("change %s: %w", ch, err)
	}
	return nil
}
