package kube

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// eventNamespaces are where events of aws-node and of nodes are kept.
var eventNamespaces = []string{namespace, metav1.NamespaceDefault}

// Events returns the warnings that have an IAM cause, the newest first, those of
// one object and reason, and of one denied action, as one.
func (c *Client) Events(ctx context.Context) ([]snapshot.Event, error) {
	merged := map[[3]string]snapshot.Event{}
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
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
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

func merge(all map[[3]string]snapshot.Event, e snapshot.Event) {
	key := [3]string{e.Reason, e.Object, e.DeniedAction()}
	if old, ok := all[key]; ok {
		e.Count += old.Count
		if old.LastSeen.After(e.LastSeen) {
			e.Message, e.LastSeen, e.Node = old.Message, old.LastSeen, old.Node
		}
	}
	all[key] = e
}
