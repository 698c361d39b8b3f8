package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The calls that change something, which are their own names for the permission
// that they need.
const (
	createConfigMap     = "create configmaps in " + namespace
	updateConfigMap     = "update configmaps in " + namespace
	patchServiceAccount = "patch serviceaccounts in " + namespace
	patchDaemonSet      = "patch daemonsets.apps in " + namespace
)

// authName and mapRoles are where aws-auth keeps its entries of roles.
const (
	authName = "aws-auth"
	mapRoles = "mapRoles"
)

// annotationRestarted is what kubectl rollout restart sets on a pod template.
// Source: https://kubernetes.io/docs/reference/labels-annotations-taints/
const annotationRestarted = "kubectl.kubernetes.io/restartedAt"

// Changes is a client that also writes: it is a change.Store for what stands in the
// cluster. Nothing but its Write sends a request that changes anything.
type Changes struct {
	*Client
	configMaps      configMapWriter
	serviceAccounts serviceAccountPatcher
	daemonSets      daemonSetPatcher
	// pause is between two looks at a rollout, patience how long it may stand still.
	pause, patience time.Duration
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
		Client: c, configMaps: c.configMaps.(configMapWriter), serviceAccounts: c.serviceAccounts.(serviceAccountPatcher), daemonSets: c.daemonSets.(daemonSetPatcher),
		pause: 2 * time.Second, patience: 5 * time.Minute, now: time.Now,
	}
}

// State returns what is there now of what a change is made to; nil is absent.
func (c *Changes) State(ctx context.Context, ch change.Change) (*change.State, error) {
	state, err := c.state(ctx, ch)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ch, err)
	}
	return state, nil
}

func (c *Changes) state(ctx context.Context, ch change.Change) (*change.State, error) {
	switch ch.Kind {
	case change.AuthRole:
		m, err := c.authMap(ctx)
		if err != nil || m == nil {
			return nil, err
		}
		return authState(m.Data[mapRoles], ch.Name)
	case change.ServiceAccountRole:
		account, err := c.account(ctx, ch)
		if err != nil {
			return nil, err
		}
		return accountState(account), nil
	case change.Rollout:
		return c.podsState(ctx)
	default:
		return nil, fmt.Errorf("a change of kind %q cannot be read", ch.Kind)
	}
}

// Write makes a change. Errors are those of reading: what was refused names the
// permission.
func (c *Changes) Write(ctx context.Context, ch change.Change) error {
	var err error
	switch ch.Kind {
	case change.AuthRole:
		err = c.writeAuth(ctx, ch)
	case change.ServiceAccountRole:
		err = c.writeAccount(ctx, ch)
	case change.Rollout:
		err = c.rollout(ctx, ch)
	default:
		err = fmt.Errorf("a change of kind %q cannot be made", ch.Kind)
	}
	if err != nil {
		return fmt.Errorf("change %s: %w", ch, err)
	}
	return nil
}

// authMap returns the ConfigMap aws-auth, or nil where there is none.
func (c *Changes) authMap(ctx context.Context) (*corev1.ConfigMap, error) {
	m, err := c.configMaps.Get(quiet(ctx), authName, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getConfigMap, err)
	}
	return m, nil
}

// authState finds a role's entry in mapRoles: the one without the role's path, of
// several the last, as for the authenticator, or else one with it.
func authState(text, arn string) (*change.State, error) {
	entries, err := awsauth.Parse(text)
	if err != nil && len(entries) == 0 {
		return nil, fmt.Errorf("aws-auth: %w", err)
	}
	var exact, near *change.State
	for _, e := range entries {
		state := &change.State{Role: e.RoleARN, Username: e.Username, Groups: e.Groups}
		switch {
		case strings.EqualFold(e.RoleARN, arn):
			exact = state
		case strings.EqualFold(snapshot.WithoutPath(e.RoleARN), arn):
			near = state
		}
	}
	if exact != nil {
		return exact, nil
	}
	return near, nil
}

// writeTries is how often an object is read again that somebody else has changed
// between reading and writing.
const writeTries = 5

// writeAuth changes one entry of aws-auth and keeps the rest as it is. It begins
// again where somebody else has written in between, as long as the entry is what the
// change begins from.
func (c *Changes) writeAuth(ctx context.Context, ch change.Change) error {
	for try := 1; ; try++ {
		m, err := c.authMap(ctx)
		if err != nil {
			return err
		}
		text := ""
		if m != nil {
			text = m.Data[mapRoles]
		}
		found, err := authState(text, ch.Name)
		if err != nil {
			return err
		}
		if !ch.BeginsFrom(found) {
			return &change.ConflictError{Change: ch, Found: found}
		}
		if text, err = editAuth(text, ch); err != nil {
			return err
		}
		operation := updateConfigMap
		if m == nil {
			operation = createConfigMap
			_, err = c.configMaps.Create(quiet(ctx), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: authName, Namespace: namespace}, Data: map[string]string{mapRoles: text},
			}, metav1.CreateOptions{})
		} else {
			if m.Data == nil {
				m.Data = map[string]string{}
			}
			m.Data[mapRoles] = text
			_, err = c.configMaps.Update(quiet(ctx), m, metav1.UpdateOptions{}) // refused where its resource version has moved
		}
		switch {
		case err == nil:
			return nil
		case try < writeTries && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)):
			continue
		}
		return c.explain(ctx, operation, err)
	}
}

// editAuth is mapRoles with the change made.
func editAuth(text string, ch change.Change) (string, error) {
	if ch.After == nil {
		return awsauth.Remove(text, ch.Before.Role)
	}
	old := ch.After.Role
	if ch.Before != nil {
		old = ch.Before.Role
	}
	return awsauth.Set(text, old, awsauth.Mapping{RoleARN: ch.After.Role, Username: ch.After.Username, Groups: ch.After.Groups})
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
	if found := accountState(account); !ch.BeginsFrom(found) {
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

// podsState is the identity of aws-node's running pods; nil where none runs.
func (c *Changes) podsState(ctx context.Context) (*change.State, error) {
	var state *change.State
	err := c.Pods(ctx, func(_ string, pod snapshot.Pod) {
		source, role := pod.Credentials()
		switch {
		case state == nil:
			state = &change.State{Type: source, Role: role}
		case state.Type != source || state.Role != role:
			state = &change.State{Type: change.Mixed}
		}
	})
	return state, err
}

// rollout restarts aws-node and waits until every pod has been replaced. A restart
// that is under way is awaited first: it may be the one that is wanted.
func (c *Changes) rollout(ctx context.Context, ch change.Change) error {
	set, err := c.aws(ctx)
	if err != nil {
		return err
	}
	if set.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return &change.FailedError{Reason: "its update strategy is OnDelete: delete its pods one node at a time, and run the same command again"}
	}
	if !rolledOut(set) {
		if err := c.await(ctx); err != nil {
			return err
		}
		if found, err := c.podsState(ctx); err != nil || ch.MadeBy(found) {
			return err
		}
	}
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, annotationRestarted, c.now().UTC().Format(time.RFC3339))
	if _, err := c.daemonSets.Patch(quiet(ctx), awsNode, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		return c.explain(ctx, patchDaemonSet, err)
	}
	return c.await(ctx)
}

func (c *Changes) aws(ctx context.Context) (*appsv1.DaemonSet, error) {
	set, err := c.daemonSets.Get(quiet(ctx), awsNode, metav1.GetOptions{})
	if err != nil {
		return nil, c.explain(ctx, getDaemonSet, err)
	}
	return set, nil
}

// rolledOut tells whether a DaemonSet has replaced all of its pods, and all of them
// are available.
// Source: kubernetes/kubectl pkg/polymorphichelpers/rollout_status.go.
func rolledOut(set *appsv1.DaemonSet) bool {
	s := set.Status
	return s.ObservedGeneration >= set.Generation && s.UpdatedNumberScheduled >= s.DesiredNumberScheduled && s.NumberAvailable >= s.DesiredNumberScheduled
}

// await waits for a rollout, as long as it moves on.
func (c *Changes) await(ctx context.Context) error {
	var last []int32
	deadline := c.now().Add(c.patience)
	for {
		set, err := c.aws(ctx)
		if err != nil {
			return err
		}
		if rolledOut(set) {
			return nil
		}
		s := set.Status
		if now := []int32{s.UpdatedNumberScheduled, s.NumberAvailable, s.DesiredNumberScheduled}; !slices.Equal(now, last) {
			last, deadline = now, c.now().Add(c.patience)
		}
		if c.now().After(deadline) {
			return &change.FailedError{Reason: fmt.Sprintf("its rollout stands still: %d of %d pods are replaced, %d are available; see why: kubectl -n %s get pods -l %s -o wide",
				s.UpdatedNumberScheduled, s.DesiredNumberScheduled, s.NumberAvailable, namespace, labelSelector)}
		}
		select {
		case <-time.After(c.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
