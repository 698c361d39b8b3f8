package need

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// Document is an IAM policy document to be written, in the order that people
// read it.
type Document struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement is one statement of a Document.
type Statement struct {
	Sid       string              `json:"Sid,omitempty"`
	Effect    string              `json:"Effect"`
	Principal map[string][]string `json:"Principal,omitempty"`
	Action    []string            `json:"Action"`
	Resource  []string            `json:"Resource,omitempty"`
	// Condition is a value or a list of values, by operator and key.
	Condition map[string]map[string]any `json:"Condition,omitempty"`
}

// String returns the document as indented JSON that ends in a newline.
func (d Document) String() string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		panic(err) // strings alone cannot fail
	}
	return b.String()
}

// Compact returns the document as JSON in one line.
func (d Document) Compact() string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(d.String())); err != nil {
		panic(err) // String is JSON
	}
	return b.String()
}

func document(statements ...Statement) Document {
	return Document{Version: "2012-10-17", Statement: statements}
}

// allow is a statement that grants actions, by name, on resources.
func allow(sid string, actions []Action, resources ...string) Statement {
	names := make([]string, 0, len(actions))
	for _, a := range actions {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return Statement{Sid: sid, Effect: "Allow", Action: slices.Compact(names), Resource: resources}
}

// TrustService is a statement of a trust policy that allows actions for service principals.
func TrustService(services []string, actions ...string) Statement {
	return Statement{Effect: "Allow", Principal: map[string][]string{"Service": services}, Action: actions}
}

// TrustEC2 is the statement that allows EC2 to assume a node role in a partition, by
// every name that EC2 has there; see EC2Services.
func TrustEC2(partition string) Statement {
	accepted, _ := EC2Services(partition)
	return TrustService(accepted, "sts:AssumeRole")
}

// NodeTrust is the trust policy of a node role.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html
func NodeTrust(partition string) Document {
	return document(TrustEC2(partition))
}

// TrustPodIdentity is the statement that allows EKS Pod Identity to assume a role. It is the
// same in every partition.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func TrustPodIdentity() Statement {
	return TrustService([]string{"pods.eks.amazonaws.com"}, "sts:AssumeRole", "sts:TagSession")
}

// PodIdentityTrust is the trust policy of a role for EKS Pod Identity.
func PodIdentityTrust() Document { return document(TrustPodIdentity()) }

// TrustServiceAccount is the statement that allows the tokens of a service account
// to assume a role: provider is the ARN of the account's OIDC provider, subject such
// as system:serviceaccount:kube-system:aws-node.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
func TrustServiceAccount(provider, subject, audience string) Statement {
	_, issuer, _ := strings.Cut(provider, ":oidc-provider/")
	return Statement{
		Effect: "Allow", Principal: map[string][]string{"Federated": {provider}}, Action: []string{"sts:AssumeRoleWithWebIdentity"},
		Condition: map[string]map[string]any{"StringEquals": {issuer + ":sub": subject, issuer + ":aud": audience}},
	}
}

// IRSATrust is the trust policy of a role for one service account.
func IRSATrust(provider, subject, audience string) Document {
	return document(TrustServiceAccount(provider, subject, audience))
}

// WorkerDocument grants what kubelet calls: the minimum alone, or all that
// AmazonEKSWorkerNodePolicy grants but for the Pod Identity Agent's action.
func WorkerDocument(minimal bool) Document {
	if minimal {
		return document(allow("Worker", Worker, "*"))
	}
	return document(allow("Worker", slices.Concat(Worker, WorkerRecommended), "*"))
}

// PullDocument grants image pulls from ECR; without minimal also the first pull
// through a pull-through cache, as AmazonEC2ContainerRegistryPullOnly does.
func PullDocument(minimal bool) Document {
	if minimal {
		return document(allow("Pull", Pull, "*"))
	}
	return document(allow("Pull", slices.Concat(Pull, PullThroughCache), "*"))
}

// PodIdentityAgentDocument grants what the EKS Pod Identity Agent calls with the
// node role.
func PodIdentityAgentDocument() Document {
	return document(allow("PodIdentityAgent", PodIdentityAgent, "*"))
}

// MinimalNodeDocument is the least that a node role needs: to join, to pull
// images, and to serve the Pod Identity Agent.
func MinimalNodeDocument() Document {
	return document(allow("Worker", Worker, "*"), allow("Pull", Pull, "*"), allow("PodIdentityAgent", PodIdentityAgent, "*"))
}

// Document grants what this VPC CNI calls: all that is required and recommended,
// and the rest of AWS's own policy for its IP family. Tags may be set on network
// interfaces alone.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
func (c CNI) Document(partition string) Document {
	return cniDocument(partition, slices.Concat(c.all(), c.alsoGranted()))
}

// OriginalIPv6Document is the IPv6 policy as AWS's guide had it until 2026-07,
// without the permissions of subnet discovery.
func OriginalIPv6Document(partition string) Document {
	return cniDocument(partition, []Action{
		{Name: "ec2:AssignIpv6Addresses"},
		{Name: "ec2:DescribeInstances"},
		{Name: "ec2:DescribeTags"},
		{Name: "ec2:DescribeNetworkInterfaces"},
		{Name: "ec2:DescribeInstanceTypes"},
		{Name: "ec2:CreateTags"},
	})
}

func cniDocument(partition string, actions []Action) Document {
	var tags, others []Action
	for _, a := range actions {
		if a.Name == "ec2:CreateTags" {
			tags = append(tags, a)
		} else {
			others = append(others, a)
		}
	}
	return document(allow("CNI", others, "*"), allow("CNITags", tags, fmt.Sprintf("arn:%s:ec2:*:*:network-interface/*", partition)))
}

// Only grants the actions, each on what it is called on at a place.
func Only(at Place, actions []Action) Document {
	byResource := map[string][]Action{}
	for _, a := range actions {
		for _, pattern := range a.patterns() {
			resource := at.fill(pattern)
			byResource[resource] = append(byResource[resource], a)
		}
	}
	var d []Statement
	for _, resource := range text.SortedKeys(byResource) {
		d = append(d, allow("", byResource[resource], resource))
	}
	return document(d...)
}
