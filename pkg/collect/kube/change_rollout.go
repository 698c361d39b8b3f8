package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// annotationRestarted is what kubectl rollout restart sets on a pod template.
// Source: https://kubernetes.io/docs/reference/labels-annotations-taints/
const annotationRestarted = "kubectl.kubernetes.io/restartedAt"

var rolloutKind = changeKind{
	read: func(c *Changes, ctx context.Context, _ change.Change) (*change.State, error) {
		return c.podsState(ctx)
	},
	write: (*Changes).rollout,
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
// that is in progress is awaited first: it may be the requested one.
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
		if found, err := c.podsState(ctx); err != nil || ch.AppliedIn(found) {
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

// rolledOut reports whether a DaemonSet has replaced all of its pods, and all of them
// are available.
// Source: kubernetes/kubectl pkg/polymorphichelpers/rollout_status.go.
func rolledOut(set *appsv1.DaemonSet) bool {
	s := set.Status
	return s.ObservedGeneration >= set.Generation && s.UpdatedNumberScheduled >= s.DesiredNumberScheduled && s.NumberAvailable >= s.DesiredNumberScheduled
}

// await waits for a rollout, as long as it moves on.
func (c *Changes) await(ctx context.Context) error {
	var last []int32
	deadline := c.now().Add(c.stallTimeout)
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
			last, deadline = now, c.now().Add(c.stallTimeout)
		}
		if c.now().After(deadline) {
			return &change.FailedError{Reason: fmt.Sprintf("its rollout makes no progress: %d of %d pods are replaced, %d are available; see why: kubectl -n %s get pods -l %s -o wide",
				s.UpdatedNumberScheduled, s.DesiredNumberScheduled, s.NumberAvailable, namespace, labelSelector)}
		}
		select {
		case <-time.After(c.pollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
