package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The EKS Pod Identity Agent: its DaemonSet, and the label of its pods.
// Source: the Helm chart of aws/eks-pod-identity-agent.
const (
	agent         = "eks-pod-identity-agent"
	agentSelector = "app.kubernetes.io/name=" + agent
)

// PodIdentityAgent returns the nodes on which the agent runs, or nil where its
// DaemonSet is not there.
func (c *Client) PodIdentityAgent(ctx context.Context) (*snapshot.PodIdentityAgent, error) {
	_, err := c.daemonSets.Get(quiet(ctx), agent, metav1.GetOptions{})
	if isAbsent(err) {
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
