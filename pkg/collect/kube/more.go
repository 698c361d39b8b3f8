package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The EKS Pod Identity Agent: its DaemonSet, and the label of its pods.
// Source: the Helm chart of aws/eks-pod-identity-agent.
const (
	agent         = "eks-pod-identity-agent"
	agentSelector = "app.kubernetes.io/name=" + agent
)

// AWSAuth returns the ConfigMap aws-auth, or nil where there is none.
func (c *Client) AWSAuth(ctx context.Context) (*snapshot.AWSAuth, error) {
	m, err := c.configMaps.Get(quiet(ctx), authName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getConfigMap, err)
	}
	return &snapshot.AWSAuth{MapRoles: m.Data[mapRoles]}, nil
}

// PodIdentityAgent returns the nodes on which the agent runs, or nil where its
// DaemonSet is not there.
func (c *Client) PodIdentityAgent(ctx context.Context) (*snapshot.PodIdentityAgent, error) {
	_, err := c.daemonSets.Get(quiet(ctx), agent, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getDaemonSet, err)
	}
	facts := &snapshot.PodIdentityAgent{Nodes: map[string]bool{}}
	err = c.pages(ctx, listPods, metav1.ListOptions{LabelSelector: agentSelector}, func(o metav1.ListOptions) (string, error) {
		page, err := c.pods.List(quiet(ctx), o)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			pod := podFacts(&page.Items[i])
			facts.Nodes[pod.Node] = facts.Nodes[pod.Node] || pod.Ready
		}
		return page.Continue, nil
	})
	return facts, err
}

// The lists of node classes, and the versions in which they are served.
// Sources: karpenter-provider-aws pkg/apis/v1; EKS user guide, "Create a Node
// Class for Amazon EKS".
var (
	karpenterClasses = []string{"/apis/karpenter.k8s.aws/v1/ec2nodeclasses", "/apis/karpenter.k8s.aws/v1beta1/ec2nodeclasses"}
	autoModeClasses  = []string{"/apis/eks.amazonaws.com/v1/nodeclasses"}
)

// KarpenterNodeClasses returns Karpenter's EC2NodeClass objects; none where their
// kind is not installed.
func (c *Client) KarpenterNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error) {
	return c.nodeClasses(ctx, "list ec2nodeclasses.karpenter.k8s.aws", karpenterClasses)
}

// AutoModeNodeClasses returns EKS Auto Mode's NodeClass objects; none where their
// kind is not installed.
func (c *Client) AutoModeNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error) {
	return c.nodeClasses(ctx, "list nodeclasses.eks.amazonaws.com", autoModeClasses)
}

func (c *Client) nodeClasses(ctx context.Context, operation string, paths []string) (map[string]snapshot.NodeClass, error) {
	for _, path := range paths {
		text, err := c.raw.Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(quiet(ctx))
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, c.explain(ctx, operation, err)
		}
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Spec     struct{ Role, InstanceProfile string }
				Status   struct {
					InstanceProfile string
					Conditions      []metav1.Condition
				}
			}
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, c.explain(ctx, operation, err)
		}
		classes := map[string]snapshot.NodeClass{}
		for _, item := range list.Items {
			classes[item.Metadata.Name] = snapshot.NodeClass{
				Role: item.Spec.Role, InstanceProfile: item.Spec.InstanceProfile, StatusProfile: item.Status.InstanceProfile,
				Conditions: unmet(item.Status.Conditions),
			}
		}
		return classes, nil
	}
	return nil, nil
}

// unmet returns the conditions that are not True, ordered by type. Karpenter's node
// classes say in them what they wait for.
// Source: aws/karpenter-provider-aws pkg/apis/v1/ec2nodeclass_status.go.
func unmet(conditions []metav1.Condition) []snapshot.Condition {
	var unmet []snapshot.Condition
	for i := range conditions {
		c := &conditions[i]
		if c.Type == "" || c.Status != metav1.ConditionFalse && c.Status != metav1.ConditionUnknown {
			continue
		}
		unmet = append(unmet, snapshot.Condition{Type: c.Type, Status: string(c.Status), Reason: c.Reason, Message: collect.OneLine(c.Message)})
	}
	slices.SortFunc(unmet, func(a, b snapshot.Condition) int { return cmp.Compare(a.Type, b.Type) })
	return unmet
}

// eventNamespaces are where events of aws-node and of nodes are kept.
var eventNamespaces = []string{namespace, metav1.NamespaceDefault}

// Events returns the warnings that have an IAM cause, the newest first, those of
// one object and reason as one.
func (c *Client) Events(ctx context.Context) ([]snapshot.Event, error) {
	merged := map[[2]string]snapshot.Event{}
	for _, ns := range eventNamespaces {
		err := c.pages(ctx, listEvents+ns, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning}, func(o metav1.ListOptions) (string, error) {
			page, err := c.events[ns].List(quiet(ctx), o)
			if err != nil {
				return "", err
			}
			for i := range page.Items {
				if facts := eventFacts(&page.Items[i]); facts.Cause() != "" {
					merge(merged, facts)
				}
			}
			return page.Continue, nil
		})
		if err != nil {
			return nil, err
		}
	}
	var events []snapshot.Event
	for _, e := range merged {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b snapshot.Event) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	return events[:min(len(events), snapshot.MaxEvents)], nil
}

func eventFacts(e *corev1.Event) snapshot.Event {
	facts := snapshot.Event{
		Reason: e.Reason, Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name, Message: collect.OneLine(e.Message),
		Node: e.Source.Host, Count: max(e.Count, 1), LastSeen: e.LastTimestamp.UTC(),
	}
	if e.LastTimestamp.IsZero() {
		facts.LastSeen = e.EventTime.UTC()
	}
	return facts
}

func merge(all map[[2]string]snapshot.Event, e snapshot.Event) {
	key := [2]string{e.Reason, e.Object}
	if old, ok := all[key]; ok {
		e.Count += old.Count
		if old.LastSeen.After(e.LastSeen) {
			e.Message, e.LastSeen, e.Node = old.Message, old.LastSeen, old.Node
		}
	}
	all[key] = e
}
