package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// The kinds of node classes, in the versions in which they are served, and the
// resources that they are lists of.
// Sources: karpenter-provider-aws pkg/apis/v1 and, at v0.31, pkg/apis/v1alpha1; EKS user guide, "Create a Node
// Class for Amazon EKS".
var (
	karpenterClasses   = classKind{"karpenter.k8s.aws", "EC2NodeClassList", "ec2nodeclasses", []string{"v1", "v1beta1"}}
	karpenterTemplates = classKind{"karpenter.k8s.aws", "AWSNodeTemplateList", "awsnodetemplates", []string{"v1alpha1"}}
	autoModeClasses    = classKind{"eks.amazonaws.com", "NodeClassList", "nodeclasses", []string{"v1"}}
)

// classKind is a kind of node classes.
type classKind struct {
	group, list, resource string
	versions              []string
}

// classCondition is what is read of a status condition of a node class.
type classCondition struct{ Type, Status, Reason, Message string }

// classMetadata is what is read of spec.metadataOptions.
type classMetadata struct {
	HTTPTokens, HTTPEndpoint string
	HTTPPutResponseHopLimit  int32
}

// options are those of the class; nil where it sets none.
func (m classMetadata) options() *snapshot.MetadataOptions {
	if m == (classMetadata{}) {
		return nil
	}
	return &snapshot.MetadataOptions{HTTPTokens: m.HTTPTokens, HTTPEndpoint: m.HTTPEndpoint, HopLimit: m.HTTPPutResponseHopLimit}
}

// classList is what is read of a list of node classes.
type classList struct {
	Metadata struct{ Continue string }
	Items    []struct {
		Metadata struct{ Name string }
		Spec     struct {
			Role, InstanceProfile, AMIFamily string
			AMISelectorTerms                 []struct{ Alias string }
			MetadataOptions                  classMetadata
		}
		Status struct {
			InstanceProfile string
			Conditions      []classCondition
		}
	}
}

// KarpenterNodeClasses returns Karpenter's EC2NodeClass objects; none where their
// kind is not installed.
func (c *Client) KarpenterNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error) {
	return c.nodeClasses(ctx, karpenterClasses)
}

// KarpenterNodeTemplates returns the AWSNodeTemplate objects of Karpenter before v0.32;
// none where their kind is not installed.
func (c *Client) KarpenterNodeTemplates(ctx context.Context) (map[string]snapshot.NodeClass, error) {
	return c.nodeClasses(ctx, karpenterTemplates)
}

// AutoModeNodeClasses returns EKS Auto Mode's NodeClass objects; none where their
// kind is not installed.
func (c *Client) AutoModeNodeClasses(ctx context.Context) (map[string]snapshot.NodeClass, error) {
	return c.nodeClasses(ctx, autoModeClasses)
}

// nodeClasses reads the first version that is served.
func (c *Client) nodeClasses(ctx context.Context, of classKind) (map[string]snapshot.NodeClass, error) {
	for _, version := range of.versions {
		kind := schema.GroupVersionKind{Group: of.group, Version: version, Kind: of.list}
		classes, isServed := map[string]snapshot.NodeClass{}, true
		err := c.pages(ctx, "list "+of.resource+"."+of.group, metav1.ListOptions{}, func(o metav1.ListOptions) (string, error) {
			list, err := c.classPage(ctx, kind, of.resource, o)
			if isUnknownPath(err) || isAbsent(err) {
				isServed = false
				return "", nil
			}
			if err != nil {
				return "", err
			}
			for _, item := range list.Items {
				family := item.Spec.AMIFamily
				for _, term := range item.Spec.AMISelectorTerms {
					alias, _, _ := strings.Cut(term.Alias, "@")
					family = cmp.Or(family, alias)
				}
				classes[item.Metadata.Name] = snapshot.NodeClass{
					AMIFamily: family,
					Role:      item.Spec.Role, InstanceProfile: item.Spec.InstanceProfile, StatusProfile: item.Status.InstanceProfile,
					Conditions: unmet(item.Status.Conditions),
					Metadata:   item.Spec.MetadataOptions.options(),
				}
			}
			return list.Metadata.Continue, nil
		})
		if err != nil {
			return nil, err
		}
		if isServed {
			return classes, nil
		}
	}
	return nil, nil
}

// unmet returns the conditions that are not True, ordered by type. Karpenter's node
// classes say in them what they wait for.
// Source: aws/karpenter-provider-aws pkg/apis/v1/ec2nodeclass_status.go.
func unmet(conditions []classCondition) []snapshot.Condition {
	var unmet []snapshot.Condition
	for _, c := range conditions {
		if c.Type == "" || c.Status != string(metav1.ConditionFalse) && c.Status != string(metav1.ConditionUnknown) {
			continue
		}
		unmet = append(unmet, snapshot.Condition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: collect.OneLine(c.Message)})
	}
	slices.SortFunc(unmet, func(a, b snapshot.Condition) int { return cmp.Compare(a.Type, b.Type) })
	return unmet
}

// classPage reads a page of node classes, whose Go types are not part of this program.
func (c *Client) classPage(ctx context.Context, kind schema.GroupVersionKind, resource string, o metav1.ListOptions) (classList, error) {
	var list classList
	request := c.raw.Get().AbsPath("/apis", kind.Group, kind.Version, resource).SetHeader("Accept", "application/json").
		Param("limit", strconv.FormatInt(o.Limit, 10))
	if o.Continue != "" {
		request = request.Param("continue", o.Continue)
	}
	result := request.Do(quiet(ctx))
	if err := result.Error(); err != nil {
		return list, err
	}
	text, err := result.Raw()
	if err != nil {
		return list, err
	}
	if err := checkShape(text, kind); err != nil {
		return list, err
	}
	return list, json.Unmarshal(text, &list)
}
