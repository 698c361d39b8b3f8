package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/view"
)

// awsNodeCase is one way in which aws-node can be set up and run.
type awsNodeCase struct {
	configured string // nodeRole, irsa, podIdentity, both
	actual     string // nodeRole, irsa, podIdentity, keys
	agent      bool   // the Pod Identity Agent runs on the node
	trust      bool   // aws-node's role trusts what is configured
	permission string // whose policies hold the CNI permissions: own, node, both, none
}

func (c awsNodeCase) String() string {
	return fmt.Sprintf("configured %s, actual %s, agent %v, trust %v, permission %s", c.configured, c.actual, c.agent, c.trust, c.permission)
}

// awsNodeVerdicts is the table, written from what EKS does:
//   - An association wins over the annotation; with neither it is the node role.
//   - IRSA needs the OIDC provider's trust; Pod Identity needs the agent on the
//     node and the trust of pods.eks.amazonaws.com. Neither falls back.
//   - A pod keeps what it was admitted with: where that is not what is configured,
//     it wants a restart. Static keys win over all and are reported as such.
//   - The CNI permissions belong to the configured identity. On the node role they
//     are needed only where aws-node has no role of its own, and AWS recommends to
//     move them also then.
//   - A pod with another identity than the configured one needs them there.
func awsNodeVerdicts(c awsNodeCase) []string {
	var ids []string
	own := c.configured != "nodeRole"
	effective := c.configured
	if c.configured == "both" {
		effective = "podIdentity"
	}
	if !own {
		ids = append(ids, "NR601")
	}
	if effective == "irsa" && !c.trust {
		ids = append(ids, "NR603")
	}
	if effective == "podIdentity" && (!c.agent || !c.trust) {
		ids = append(ids, "NR604")
	}
	if c.actual != effective {
		ids = append(ids, "NR602")
	}
	if c.actual == "keys" {
		ids = append(ids, "NR605")
	}
	switch {
	case own && c.permission != "own" && c.permission != "both", !own && c.permission != "node" && c.permission != "both":
		ids = append(ids, "NR206", "NR211")
	}
	if c.permission == "node" || c.permission == "both" {
		ids = append(ids, "NR205")
	}
	if c.actual != effective && !c.works() {
		ids = append(ids, "NR607")
	}
	slices.Sort(ids)
	return ids
}

// works: the identity that the running pod really has allows what the VPC CNI calls.
// An agent without an association has no role to give.
func (c awsNodeCase) works() bool {
	switch c.actual {
	case "nodeRole":
		return c.permission == "node" || c.permission == "both"
	case "irsa":
		return c.permission == "own" || c.permission == "both"
	default: // keys are another rule's
		return c.actual == "keys"
	}
}

// safeToRemove: aws-node has a role of its own that works and allows what it
// calls, and the running pod uses it.
func safeToRemove(c awsNodeCase) bool {
	switch {
	case c.permission != "both" || !c.trust:
		return false
	case c.configured == "irsa":
		return c.actual == "irsa"
	case c.configured == "podIdentity" || c.configured == "both":
		return c.actual == "podIdentity" && c.agent
	default:
		return false
	}
}

const (
	matrixNode  = "ip-10-0-1-17.eu-west-1.compute.internal"
	matrixOwn   = "arn:aws:iam::111122223333:role/eksCNIRole"
	matrixNodes = "arn:aws:iam::111122223333:role/eksNodeRole"
	cniPolicy   = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
)

func (c awsNodeCase) snapshot(t *testing.T) *snapshot.Snapshot {
	s := overlay(t, `{}`)
	delete(s.Addons, "vpc-cni")
	s.AWSNode.ServiceAccount = &snapshot.ServiceAccount{}
	s.PodIdentityAssociations, s.PodIdentityAgent = nil, nil
	if c.configured == "irsa" || c.configured == "both" {
		s.AWSNode.ServiceAccount.RoleARN = matrixOwn
	}
	if c.configured == "podIdentity" || c.configured == "both" {
		s.PodIdentityAssociations = map[string]snapshot.PodIdentityAssociation{"a-1": {Namespace: "kube-system", ServiceAccount: "aws-node", RoleARN: matrixOwn}}
	}
	if c.agent {
		s.PodIdentityAgent = &snapshot.PodIdentityAgent{Nodes: map[string]bool{matrixNode: true}}
	}
	env := map[string]map[string]string{
		"nodeRole":    nil,
		"irsa":        {"AWS_ROLE_ARN": matrixOwn, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
		"podIdentity": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
		"keys":        {"AWS_ACCESS_KEY_ID": snapshot.Set, "AWS_SECRET_ACCESS_KEY": snapshot.Set},
	}[c.actual]
	s.AWSNode.Pods = map[string]snapshot.Pod{"aws-node-1": {Node: matrixNode, Ready: true, Env: env}}

	own, node := s.Roles[matrixOwn], s.Roles[matrixNodes]
	switch {
	case !c.trust:
		own.TrustPolicy = strings.ReplaceAll(own.TrustPolicy, "kube-system:aws-node", "default:aws-node")
	case c.configured == "podIdentity" || c.configured == "both":
		own.TrustPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}`
	}
	own.AttachedPolicies = nil
	if c.permission == "own" || c.permission == "both" {
		own.AttachedPolicies = []string{cniPolicy}
	}
	if c.permission == "node" || c.permission == "both" {
		node.AttachedPolicies = append(node.AttachedPolicies, cniPolicy)
	}
	s.Roles[matrixOwn], s.Roles[matrixNodes] = own, node
	return s
}

// TestAWSNodeMatrix: every combination of what is configured, what a pod really
// uses, agent, trust and permission comes out as the table says.
func TestAWSNodeMatrix(t *testing.T) {
	count := 0
	for _, configured := range []string{"nodeRole", "irsa", "podIdentity", "both"} {
		for _, actual := range []string{"nodeRole", "irsa", "podIdentity", "keys"} {
			for _, agent := range []bool{true, false} {
				for _, trust := range []bool{true, false} {
					for _, permission := range []string{"own", "node", "both", "none"} {
						c := awsNodeCase{configured, actual, agent, trust, permission}
						count++
						t.Run(c.String(), func(t *testing.T) {
							v := view.New(c.snapshot(t))
							results := rules.Run(v, rules.All())
							if diff := cmp.Diff(awsNodeVerdicts(c), failed(results)); diff != "" {
								t.Errorf("(-table +got):\n%s", diff)
							}
							safe := slices.ContainsFunc(results, func(r finding.Result) bool {
								return r.ID == "NR205" && slices.ContainsFunc(r.Evidence, func(e string) bool { return strings.HasPrefix(e, "safe to remove: ") })
							})
							if want := safeToRemove(c); safe != want {
								t.Errorf("the CNI policy is said to be safe to remove: %v, want %v", safe, want)
							}
						})
					}
				}
			}
		}
	}
	if count != 256 {
		t.Errorf("%d combinations", count)
	}
}
